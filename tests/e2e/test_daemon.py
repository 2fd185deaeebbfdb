# SPDX-License-Identifier: MIT
"""The daemon as a process: its start, its end, its addresses and its epoch."""
import os
import signal
import socket
import stat
import subprocess
import time
import unittest

from canceld_e2e import (BINARIES, PATIENCE, Case, FrameRefused, Peer, Session, cancel,
                         connect_socket, get, main, over_both, pb, poll, store, wait)


@over_both
class Stopping:
    def test_sigterm_cancels_nothing_answers_parked_requests_and_exits_0(self):
        daemon = self.daemon()
        session, waiter, canceller = self.session(), self.peer(), self.peer()
        gen = session.store(b"k")
        polled = session.send(poll(wait_ms=20000))
        waited = waiter.send(pb.Frame(version=1, ops=[wait(b"k", gen, deadline_ms=20000)]))
        session.store(b"c", policy=pb.POLICY_JOIN)
        cancelled = canceller.send(pb.Frame(version=1, ops=[
            cancel(b"c", level=pb.LEVEL_STOPPED, deadline_ms=20000)]))
        self.assertAnswer(session.receive(polled)[0], "NOTICES")
        self.assertTrue(self.peer().ping())
        daemon.signal(signal.SIGTERM)
        self.assertAnswer(waiter.receive(waited).results[0], "SHUTTING_DOWN")
        self.assertAnswer(canceller.receive(cancelled).results[0], "SHUTTING_DOWN")
        self.assertEqual(daemon.wait(), 0)

    def test_sigint_exits_0_too_and_at_once_where_nobody_is_connected(self):
        daemon = self.daemon()
        begin = time.monotonic()
        daemon.signal(signal.SIGINT)
        self.assertEqual(daemon.wait(), 0)
        self.assertLess(time.monotonic() - begin, 2 * PATIENCE)

    def test_a_peer_that_does_not_read_delays_the_end_by_2_s_at_most(self):
        daemon = self.daemon()
        peer = self.peer()
        peer.socket.setblocking(False)
        frame = peer.wrap(pb.Frame(version=1, ops=[pb.Op(stats=pb.Stats())]).SerializeToString(), 1)
        for _ in range(20000):
            try:
                peer.socket.send(frame)
            except BlockingIOError:
                break
        begin = time.monotonic()
        self.assertEqual(daemon.stop(), 0)
        self.assertLess(time.monotonic() - begin, 2 + 2 * PATIENCE)

    def test_a_stop_with_live_operations_and_a_start_give_a_new_epoch(self):
        daemon = self.daemon(ephemeral=False)
        epochs = []
        for _ in range(4):
            session = Session(self.url())
            epochs.append(session.opened.epoch)
            self.assertEqual(session.store(b"k") >> 40, epochs[-1])
            session.close()
            self.assertEqual(daemon.stop(), 0)
            daemon.start()
        daemon.kill()  # in the fifth
        daemon.start()
        epochs.append(self.session().opened.epoch - 1)
        self.assertEqual(epochs, list(range(epochs[0], epochs[0] + 5)))

    def test_a_session_of_before_the_restart_is_lost(self):
        daemon = self.daemon(ephemeral=False)
        session = self.session()
        session.store(b"k")
        daemon.restart()
        self.assertAnswer(session.resume(self.url()), "SESSION_LOST")
        self.assertRefused("SESSION_LOST", session.op, get(b"k"))


class Starting(Case):
    def run_canceld(self, *flags, environment=None):
        """canceld where it is expected to end by itself: status, stdout, stderr."""
        done = subprocess.run([os.path.join(BINARIES, "canceld"), *flags], timeout=10 * PATIENCE,
                              env=environment, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True)
        return done.returncode, done.stdout, done.stderr

    def test_a_second_daemon_on_the_same_socket_is_refused_and_the_first_one_goes_on(self):
        daemon = self.daemon()
        session = self.session()
        gen = session.store(b"k")
        for _ in range(3):
            status, out, err = self.run_canceld("--ephemeral", "--listen", f"ipc://{daemon.ipc_path}")
            self.assertNotEqual(status, 0)
            self.assertNotIn("ready", out)
            self.assertGreater(len(err.strip()), 20, "a sentence for people")
        self.assertEqual(session.op(get(b"k")).operations[0].gen, gen)
        self.assertTrue(self.peer().ping())

    def test_a_socket_left_by_a_killed_daemon_does_not_hinder_the_next(self):
        daemon = self.daemon()
        daemon.kill()
        self.assertTrue(os.path.exists(daemon.ipc_path))
        daemon.start()
        self.assertTrue(self.peer().ping())

    def test_a_file_that_is_no_socket_is_left_alone(self):
        daemon = self.daemon()
        path = os.path.join(daemon.directory, "precious")
        with open(path, "w") as file:
            file.write("precious")
        status, _, err = self.run_canceld("--ephemeral", "--listen", f"ipc://{path}")
        self.assertNotEqual(status, 0)
        self.assertGreater(len(err.strip()), 20)
        with open(path) as file:
            self.assertEqual(file.read(), "precious")

    def test_probes_that_connect_and_close_do_not_kill_a_listener(self):
        daemon = self.daemon()
        for url in daemon.urls.values():
            for _ in range(200):
                connect_socket(url).close()
            peer = Peer(url)
            self.addCleanup(peer.close)
            self.assertTrue(peer.ping())

    def test_the_socket_has_the_mode_that_was_asked_for(self):
        daemon = self.daemon("--ipc-mode", "0600")
        self.assertEqual(stat.S_IMODE(os.stat(daemon.ipc_path).st_mode), 0o600)

    def test_ready_is_told_to_a_service_manager(self):
        directory = self.daemon().directory
        address = os.path.join(directory, "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(address)
            manager.settimeout(10 * PATIENCE)
            daemon = subprocess.Popen(
                [os.path.join(BINARIES, "canceld"), "--ephemeral", "--listen",
                 f"ipc://{directory}/n"], env={**os.environ, "NOTIFY_SOCKET": address},
                stdout=subprocess.DEVNULL)
            try:
                self.assertIn(b"READY=1", manager.recv(4096))
            finally:
                daemon.terminate()
                self.assertEqual(daemon.wait(10 * PATIENCE), 0)

    def test_help_and_version_are_printed_and_exit_0(self):
        status, out, _ = self.run_canceld("--help")
        self.assertEqual(status, 0)
        for flag in ("--listen", "--state-dir", "--ephemeral", "--limit-operations", "--ipc-mode",
                     "--ipc-group", "--log-level", "--log-format", "--insecure-tcp", "--version"):
            self.assertIn(flag, out)
        status, out, _ = self.run_canceld("--version")
        self.assertEqual(status, 0)
        self.assertRegex(out, r"\d+\.\d+\.\d+")

    def test_flags_that_cannot_be_are_refused_with_a_sentence(self):
        directory = self.daemon().directory
        for flags in (["--no-such-flag"], ["--limit-operations", "0"], ["--limit-operations", "x"],
                      ["--listen", "http://x"], ["--listen", "ipc://" + "p" * 108],
                      ["--listen", "tcp://0.0.0.0:0"], ["--log-level", "loud"],
                      ["--ipc-mode", "999"], ["--listen", f"ipc://{directory}/none/s"]):
            with self.subTest(flags=flags):
                status, out, err = self.run_canceld("--ephemeral", *flags)
                self.assertNotEqual(status, 0)
                self.assertNotIn("ready", out)
                self.assertGreater(len(err.strip()), 20)

    def test_without_a_durable_epoch_there_is_no_start(self):
        directory = self.daemon().directory
        blocked = os.path.join(directory, "file")
        open(blocked, "w").close()
        status, out, err = self.run_canceld("--state-dir", os.path.join(blocked, "state"),
                                            "--listen", f"ipc://{directory}/t")
        self.assertNotEqual(status, 0)
        self.assertNotIn("ready", out)
        self.assertGreater(len(err.strip()), 20)

    @unittest.skipUnless(os.path.exists("/proc/self/limits"), "needs /proc")
    def test_the_soft_descriptor_limit_is_raised_to_the_hard_one(self):
        daemon = self.daemon()
        with open(f"/proc/{daemon.pid}/limits") as limits:
            (line,) = [line for line in limits if line.startswith("Max open files")]
        self.assertEqual(line.split()[3], line.split()[4])


if __name__ == "__main__":
    main()
