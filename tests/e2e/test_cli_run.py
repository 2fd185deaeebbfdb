# SPDX-License-Identifier: MIT
"""cancelctl run: real commands that are cancelled, killed, signalled, stopped and left alone."""
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import threading
import time

from canceld_e2e import BINARIES, PATIENCE, connect_socket, eventually, main, over_both, scale
from cli import CANCELCTL, CliCase, CliHelpers, environment


def setUpModule():
    """Whoever starts the tests in the background may have had these ignored, and what is ignored is not forwarded."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def group_is_gone(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


class Link:
    """A TCP address in front of the daemon's that can be cut and mended."""

    def __init__(self, url):
        self.target = url
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"tcp://127.0.0.1:{self.listener.getsockname()[1]}"
        self.is_cut = False
        self.sockets = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            if self.is_cut:
                near.close()
                continue
            far = connect_socket(self.target)
            far.settimeout(None)
            self.sockets += [near, far]
            for pair in ((near, far), (far, near)):
                threading.Thread(target=self.copy, args=pair, daemon=True).start()

    @staticmethod
    def copy(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        self.is_cut = True
        sockets, self.sockets = self.sockets, []
        for one in sockets:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()

    def mend(self):
        self.is_cut = False

    def close(self):
        self.cut()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Events:
    """The events of a run --json as they come."""

    def __init__(self, process):
        self.process = process
        self.text = b""
        os.set_blocking(process.stderr.fileno(), False)

    def has(self, word):
        self.text += self.process.stderr.read() or b""
        return f'"event":"{word}"'.encode() in self.text


@over_both
class Outcomes(CliHelpers):
    def setUp(self):
        self.running = self.daemon("--limit-grace-ms", "1000")
        self.note = os.path.join(self.running.directory, "note")

    def noted(self):
        try:
            with open(self.note) as file:
                return file.read().split()
        except FileNotFoundError:
            return []

    def await_noted(self, count=1):
        return eventually(lambda: len(self.noted()) >= count and self.noted(), what="a note")

    def test_the_exit_status_and_the_outcome_are_those_of_the_command(self):
        for script, code, outcome in (("exit 0", 0, "COMPLETED"), ("exit 3", 3, "FAILED"),
                                      ("kill -KILL $$", 137, "FAILED"),
                                      ("kill -USR1 $$", 138, "FAILED")):
            with self.subTest(script=script):
                said = self.run_all("--key", "k", "--", "sh", "-c", script)
                self.assertEqual(said.code, code, said)
                self.assertEqual(self.state_of("k"), ("ENDED", outcome))
                self.assertEqual([event["event"] for event in said.events()], ["STORED", "ENDED"])
                end = said.events()[-1]
                self.assertEqual((end["outcome"], end["exit_code"], end["answer"],
                                  end["cancelled"]), (outcome, code, "DELETED", False))

    def test_what_was_stored_before_is_taken_over(self):
        gen = self.one("store", "k", "--ttl", "1m", "--label", "red", "--meta", "{}")["gen"]
        process = self.run_begin("--key", "k", "--adopt", gen, "--", "sleep", "60")
        eventually(lambda: self.one("get", "k").get("owner_name") == "cancelctl run", what="an owner")
        found = self.one("get", "k")
        self.assertEqual((found["gen"], found["labels"], found["meta"]), (gen, ["red"], "{}"))
        stopped = self.one("cancel", "k", "--gen", gen, "--ack", "stopped", "--deadline", "20s")
        self.assertEqual((stopped["level"], stopped["outcome"]), ("STOPPED", "CANCELLED"))
        said = self.run_end(process)
        self.assertEqual(said.code, 143, said)
        self.assertEqual([event["event"] for event in said.events()],
                         ["ADOPTED", "CANCELLED", "ENDED"])

    def test_what_is_not_to_be_had_is_not_started(self):
        gen = self.one("store", "k", "--ttl", "1m")["gen"]
        self.one("cancel", "k", "--reason", "enough")
        said = self.run_all("--key", "k", "--adopt", gen, "--", "touch", self.note)
        self.assertEqual(said.code, 125, said)
        (event,) = said.events()
        self.assertEqual((event["event"], event["answer"], event["cause"]["text"]),
                         ("NOT_STARTED", "ADOPTED", "enough"))
        self.assertEqual(self.state_of("k"), ("ENDED", "CANCELLED"))
        said = self.run_all("--key", "k", "--adopt", gen, "--", "touch", self.note)
        self.assertEqual((said.code, said.events()[0]["answer"]), (125, "ENDED"), said)
        process = self.run_begin("--key", "k", "--", "sleep", "60")
        self.await_live("k")
        gen = self.one("get", "k")["gen"]
        said = self.run_all("--key", "k", "--adopt", gen, "--", "touch", self.note)
        self.assertEqual((said.code, said.events()[0]["answer"]), (125, "EXISTS"), said)
        self.assertEqual(self.noted(), [])
        process.terminate()
        self.run_end(process)

    def test_what_goes_well_is_not_talked_about(self):
        process = self.run_begin("--key", "k", "--", "cat", json_lines=False,
                                 stdin=subprocess.PIPE)
        out, err = process.communicate(b"through", timeout=20 * PATIENCE)
        self.assertEqual((process.returncode, out, err), (0, b"through", b""))

    def test_what_cannot_be_started_says_why(self):
        for command, code in ((["/no/such/command"], 127), (["no-such-command"], 127),
                              (["/etc/passwd"], 126), (["/"], 126)):
            with self.subTest(command=command):
                said = self.run_all("--key", "k", "--", *command, json_lines=False)
                self.assertEqual((said.code, said.out), (code, ""), said)
                self.assertIn(command[0], said.err)
                self.assertEqual(self.state_of("k"), ("ENDED", "FAILED"))

    def test_a_key_that_is_taken_or_born_cancelled_starts_nothing(self):
        self.one("store", "k", "--ttl", "60s")
        said = self.run_all("--key", "k", "--", "touch", self.note)
        self.assertEqual((said.code, said.events()[-1]["answer"]), (125, "EXISTS"))
        self.assertEqual(self.run_all("--key", "k", "--policy", "join", "--", "true").code, 0)
        self.one("cancel", "next", "--arm", "10s", "--reason", "early")
        said = self.run_all("--key", "next", "--", "touch", self.note)
        self.assertEqual(said.code, 125, said)
        self.assertEqual((said.events()[-1]["answer"], said.events()[-1]["cause"]["text"]),
                         ("BORN_CANCELLED", "early"))
        self.assertEqual(self.state_of("next"), ("ENDED", "CANCELLED"))
        self.assertFalse(os.path.exists(self.note))

    def test_a_cancel_ends_the_whole_group(self):
        process = self.run_begin("--key", "k", "--", "sh", "-c",
                                 f"sleep 60 & sleep 60 & echo $$ >{self.note}; sleep 60")
        (group,) = map(int, self.await_noted())
        self.assertNotEqual(group, os.getpgid(process.pid))
        self.assertEqual(os.getpgid(group), group)
        cancelled = self.one("cancel", "k", "--ack", "stopped", "--reason", "enough")
        self.assertEqual((cancelled["level"], cancelled["outcome"]), ("STOPPED", "CANCELLED"))
        self.assertTrue(group_is_gone(group))
        said = self.run_end(process)
        self.assertEqual(said.code, 128 + signal.SIGTERM)
        told = [event for event in said.events() if event["event"] == "CANCELLED"]
        self.assertEqual([event["cause"]["text"] for event in told], ["enough"])
        self.assertTrue(said.events()[-1]["cancelled"])

    def test_who_does_not_listen_is_killed_after_the_grace(self):
        process = self.run_begin("--key", "k", "--grace", "700ms", "--", "sh", "-c",
                                 f"trap '' TERM; echo $$ >{self.note}; while :; do sleep 1; done")
        (group,) = map(int, self.await_noted())
        begin = time.monotonic()
        self.assertEqual(self.one("cancel", "k", "--ack", "stopped", "--deadline", "20s")["level"],
                         "STOPPED")
        took = time.monotonic() - begin
        self.assertGreater(took, 0.65)
        self.assertLess(took, 3 * PATIENCE)
        self.assertTrue(group_is_gone(group))
        said = self.run_end(process)
        self.assertEqual(said.code, 128 + signal.SIGKILL)
        self.assertIn("KILLED", [event["event"] for event in said.events()])

    def test_stopped_is_not_said_while_one_of_the_group_lives(self):
        process = self.run_begin("--key", "k", "--grace", "700ms", "--", "sh", "-c",
                                 f"(trap '' TERM; echo $$ >{self.note}; sleep 60) & wait")
        (group,) = map(int, self.await_noted())
        begin = time.monotonic()
        self.assertEqual(self.one("cancel", "k", "--ack", "stopped", "--deadline", "20s")["level"],
                         "STOPPED")
        self.assertGreater(time.monotonic() - begin, 0.65)
        self.assertTrue(group_is_gone(group))
        self.assertEqual(self.run_end(process).code, 128 + signal.SIGTERM)

    def test_the_signal_of_a_cancel_may_be_chosen_and_handled(self):
        process = self.run_begin("--key", "k", "--signal", "INT", "--", "sh", "-c",
                                 f"trap 'echo cleaned >>{self.note}; exit 0' INT; "
                                 f"echo begun >{self.note}; while :; do sleep 0.05; done")
        self.await_noted()
        cancelled = self.one("cancel", "k", "--ack", "stopped")
        self.assertEqual((cancelled["level"], cancelled["outcome"]), ("STOPPED", "CANCELLED"))
        self.assertEqual(self.run_end(process).code, 0)
        self.assertEqual(self.noted(), ["begun", "cleaned"])

    def test_a_stopped_command_is_cancelled_too(self):
        process = self.run_begin("--key", "k", "--", "sh", "-c",
                                 f"echo $$ >{self.note}; exec sleep 60")
        (group,) = map(int, self.await_noted())
        os.killpg(group, signal.SIGSTOP)
        self.assertEqual(self.one("cancel", "k", "--ack", "stopped")["level"], "STOPPED")
        self.assertEqual(self.run_end(process).code, 128 + signal.SIGTERM)

    def test_the_ttl_is_a_time_limit(self):
        begin = time.monotonic()
        said = self.run_all("--key", "k", "--ttl", "600ms", "--", "sleep", "60")
        self.assertGreater(time.monotonic() - begin, 0.55)
        self.assertEqual(said.code, 128 + signal.SIGTERM, said)
        self.assertEqual(self.state_of("k"), ("ENDED", "CANCELLED"))
        (told,) = [event for event in said.events() if event["event"] == "CANCELLED"]
        self.assertEqual(told["cause"]["code"], "DEADLINE")

    def test_one_that_another_deletes_is_stopped(self):
        process = self.run_begin("--key", "k", "--", "sleep", "60")
        self.await_live("k")
        gen = self.one("get", "k")["gen"]
        self.assertEqual(self.one("delete", "k", "--gen", gen, "--outcome", "failed")["answer"],
                         "DELETED")
        said = self.run_end(process)
        self.assertEqual(said.code, 128 + signal.SIGTERM)
        self.assertEqual(said.events()[-1]["answer"], "ENDED")

    def test_signals_are_forwarded(self):
        for number, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)):
            with self.subTest(number=number):
                process = self.run_begin("--key", f"k{number}", "--", "sleep", "60")
                self.await_live(f"k{number}")
                self.await_group(process)
                process.send_signal(number)
                self.assertEqual(self.run_end(process).code, code)
                self.assertEqual(self.state_of(f"k{number}"), ("ENDED", "FAILED"))

    def await_group(self, process):
        """Until the command has been started."""
        children = f"/proc/{process.pid}/task/{process.pid}/children"

        def started():
            with open(children) as file:
                return file.read().split()
        eventually(started, what="a child")

    def test_a_signal_that_is_to_be_ignored_is_not_forwarded(self):
        script = ("import signal, sys, time\n"
                  "def on_hup(*_): print('HUP', flush=True)\n"
                  "def on_end(*_): sys.exit(7)\n"
                  "signal.signal(signal.SIGHUP, on_hup)\n"
                  "signal.signal(signal.SIGUSR2, on_end)\n"
                  f"open({self.note!r}, 'w').write('begun ')\n"
                  "while True: time.sleep(0.05)\n")
        process = self.run_begin("--key", "k", "--", sys.executable, "-c", script,
                                 preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        self.await_noted()
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGUSR2)
        said = self.run_end(process)
        self.assertEqual((said.code, said.out), (7, ""), said)

    def test_the_command_inherits_nothing_but_what_the_caller_has(self):
        said = self.run_all("--key", "k", "--", "sh", "-c",
                            "ls /proc/self/fd; kill -PIPE $$", pass_fds=())
        self.assertEqual(said.out.split(), ["0", "1", "2", "3"])
        self.assertEqual(said.code, 128 + signal.SIGPIPE)

    def test_a_killed_owner_is_lost_after_the_grace_and_its_command_goes_on(self):
        process = self.run_begin("--key", "k", "--", "sh", "-c",
                                 f"echo $$ >{self.note}; exec sleep 60")
        (group,) = map(int, self.await_noted())
        self.addCleanup(lambda: group_is_gone(group) or os.killpg(group, signal.SIGKILL))
        process.kill()
        begin = time.monotonic()
        ended = self.one("wait", "k", "--deadline", "20s")
        took = time.monotonic() - begin
        self.assertEqual(ended["outcome"], "OWNER_LOST")
        self.assertGreater(took, 0.9)
        self.assertLess(took, 2 * PATIENCE + 1)
        self.assertFalse(group_is_gone(group))

    def test_many_runs_are_cancelled_at_once(self):
        count = max(4, scale(40))
        runs = [self.run_begin("--key", "crowd", "--policy", "join", "--", "sleep", "60")
                for _ in range(count)]
        eventually(lambda: self.one("count")["count"] == count, seconds=20)
        for process in runs:
            self.await_group(process)
        cancelled = self.one("cancel", "crowd", "--ack", "stopped", "--deadline", "20s")
        self.assertEqual((cancelled["level"], len(cancelled["gens"])), ("STOPPED", count))
        self.assertEqual({gen["outcome"] for gen in cancelled["gens"]}, {"CANCELLED"})
        self.assertEqual({self.run_end(process).code for process in runs}, {143})


class DaemonAway(CliCase):
    def test_without_a_daemon_it_fails_or_runs_as_asked(self):
        url = f"ipc://{self.daemon().directory}/none"
        said = self.run_all("--key", "k", "--", "echo", "ran", url=url)
        self.assertEqual((said.code, said.out), (125, ""), said)
        self.assertEqual(said.events()[-1]["event"], "NO_DAEMON")
        said = self.run_all("--key", "k", "--no-daemon=fail", "--", "echo", "ran", url=url)
        self.assertEqual((said.code, said.out), (125, ""), said)
        said = self.run_all("--key", "k", "--no-daemon=run", "--", "sh", "-c", "echo ran; exit 9",
                            url=url)
        self.assertEqual((said.code, said.out), (9, "ran\n"), said)
        self.assertEqual(said.events()[-1]["event"], "NO_DAEMON")
        said = self.run_all("--key", "k", "--no-daemon=run", "--ttl", "300ms", "--", "sleep", "60",
                            url=url)
        self.assertEqual(said.code, 143, said)

    def test_an_address_that_is_none_starts_nothing_whatever_is_asked_without_a_daemon(self):
        directory = self.daemon().directory
        for arguments, url in ((["--tls-ca", "/dev/null"], "tls+tcp://localhost:1"),
                               ([], f"ipc://{directory}/{'p' * 108}")):
            with self.subTest(url=url):
                said = self.run_all("--key", "k", "--no-daemon=run", *arguments, "--", "echo", "ran",
                                    url=url)
                self.assertEqual((said.code, said.out), (125, ""), said)
                self.assertEqual(said.events()[-1]["event"], "NOT_STARTED")

    def test_a_restarted_daemon_has_the_command_again_and_a_cancel_reaches_it(self):
        daemon = self.daemon(ephemeral=False)
        process = self.run_begin("--key", "k", "--label", "red", "--", "sleep", "60")
        self.await_live("k")
        gen = self.one("get", "k")["gen"]
        events = Events(process)
        daemon.restart()
        eventually(lambda: events.has("ADOPTED"), seconds=20, what="ADOPTED")
        self.assertTrue(events.has("DEGRADED") and events.has("NEW_EPOCH"))
        self.assertFalse(events.has("LOST"))
        found = self.one("get", "k")
        self.assertEqual((found["gen"], found["labels"]), (gen, ["red"]))
        stopped = self.one("cancel", "k", "--ack", "stopped", "--deadline", "20s")
        self.assertEqual((stopped["level"], stopped["outcome"]), ("STOPPED", "CANCELLED"))
        self.assertEqual(process.wait(20 * PATIENCE), 143)

    def test_a_cancel_of_before_the_restart_is_not_lost(self):
        daemon = self.daemon(ephemeral=False, recovery_ms=5000)
        process = self.run_begin("--key", "k", "--", "sleep", "60")
        self.await_live("k")
        process.send_signal(signal.SIGSTOP)
        self.assertEqual(self.one("cancel", "k", "--reason", "kept")["journaled"], True)
        daemon.restart()
        process.send_signal(signal.SIGCONT)
        said = self.run_end(process)
        self.assertEqual(said.code, 143, said)
        told = [event for event in said.events() if event["event"] == "CANCELLED"]
        self.assertEqual([event["cause"]["text"] for event in told], ["kept"])

    def test_a_session_that_was_given_up_is_said_and_leaves_the_command_alone(self):
        daemon = self.daemon("--limit-grace-ms", "300")
        link = Link(daemon.urls["tcp"])
        self.addCleanup(link.close)
        process = self.run_begin("--key", "k", "--", "sh", "-c", "read line; exit 5",
                                 stdin=subprocess.PIPE, url=link.url)
        self.await_live("k")
        events = Events(process)
        link.cut()
        self.assertEqual(self.one("wait", "k", "--deadline", "20s")["outcome"], "OWNER_LOST")
        link.mend()
        eventually(lambda: events.has("LOST"), seconds=20, what="LOST")
        self.assertIsNone(process.poll())
        process.stdin.write(b"go\n")
        process.stdin.flush()
        self.assertEqual(process.wait(20 * PATIENCE), 5)

    def test_a_daemon_that_stays_away_does_not_keep_the_command_from_ending(self):
        daemon = self.daemon()
        process = self.run_begin("--key", "k", "--", "sh", "-c", "read line; exit 5",
                                 stdin=subprocess.PIPE, json_lines=False)
        self.await_live("k")
        daemon.stop()
        process.stdin.write(b"go\n")
        process.stdin.flush()
        begin = time.monotonic()
        said = self.run_end(process)
        self.assertEqual(said.code, 5, said)
        self.assertIn("could not be told", said.err)
        self.assertLess(time.monotonic() - begin, 8 * PATIENCE)

    def test_the_time_limit_holds_over_a_restart(self):
        daemon = self.daemon(ephemeral=False)
        process = self.run_begin("--key", "k", "--ttl", "2s", "--", "sleep", "60")
        self.await_live("k")
        daemon.restart()
        self.assertEqual(self.run_end(process).code, 143)

    def test_a_cut_link_is_mended_and_a_cancel_of_meanwhile_comes_through_once(self):
        daemon = self.daemon()
        link = Link(daemon.urls["tcp"])
        self.addCleanup(link.close)
        note = os.path.join(daemon.directory, "note")
        process = self.run_begin(
            "--key", "k", "--", "sh", "-c",
            f"trap 'echo got >>{note}' TERM; echo begun >{note}; "
            f"while [ $(wc -l <{note}) -lt 2 ]; do sleep 0.05; done; exit 4", url=link.url)
        self.await_live("k")
        eventually(lambda: os.path.exists(note))
        events = Events(process)
        link.cut()
        eventually(lambda: events.has("DEGRADED"), what="DEGRADED")
        self.assertEqual(self.one("cancel", "k")["answer"], "REQUESTED")
        with open(note) as file:
            self.assertEqual(file.read(), "begun\n")
        link.mend()
        self.assertEqual(self.one("wait", "k", "--deadline", "20s")["outcome"], "CANCELLED")
        self.assertEqual(process.wait(20 * PATIENCE), 4)
        self.assertTrue(events.has("RESUMED"))
        with open(note) as file:
            self.assertEqual(file.read(), "begun\ngot\n")


class Terminal(CliCase):
    """A shell with job control on a terminal, and cancelctl run in its foreground."""

    def setUp(self):
        self.daemon("--limit-grace-ms", "300")
        pid, self.master = pty.fork()
        if pid == 0:
            os.environ.update(PS1="", CANCELD_SERVER=self.url())
            os.execvp("bash", ["bash", "--norc", "--noprofile", "--noediting", "-i"])
        self.shell = pid
        self.addCleanup(self.end_shell)
        self.seen = b""
        self.type("PS1=; stty -echo; echo rea''dy\n")
        self.await_text("ready")

    def end_shell(self):
        os.kill(self.shell, signal.SIGKILL)
        os.close(self.master)
        os.waitpid(self.shell, 0)

    def type(self, text):
        os.write(self.master, text.encode())

    def has(self, text):
        while select.select([self.master], [], [], 0)[0]:
            self.seen += os.read(self.master, 65536)
        return text.encode() in self.seen

    def await_text(self, text):
        eventually(lambda: self.has(text), what=f"{text!r} on the terminal")
        self.seen = self.seen.split(text.encode(), 1)[1]

    def test_the_command_has_the_terminal(self):
        self.type(f"{CANCELCTL} run --key k -- cat; echo code=$?\n")
        self.await_live("k")
        self.type("a line\n")
        self.await_text("a line")
        self.type("\x03")
        self.await_text("code=130")
        self.type("echo back; stty -a | grep -c isig\n")
        self.await_text("back")

    def test_the_terminal_is_given_back(self):
        self.type(f"sh -c '{CANCELCTL} run --key k -- true; echo next; read line; echo got=$line'\n")
        self.await_text("next")
        self.type("this\n")
        self.await_text("got=this")

    def test_it_stops_and_goes_on_as_a_job(self):
        self.type(f"{CANCELCTL} run --key k -- sh -c 'cat; exit 6'; echo code=$?\n")
        self.await_live("k")
        self.type("one\n")
        self.await_text("one")
        self.type("\x1a")
        self.await_text("code=148")
        self.type("jobs\n")
        self.await_text("Stopped")
        # Stopped for longer than the grace: its connection is there, so it is not given up.
        self.assertEqual(self.one("wait", "k", "--deadline", "1s", code=5)["state"], "LIVE")
        self.type("fg; echo after=$?\n")
        self.type("two\n")
        self.await_text("two")
        self.type("\x04")
        self.await_text("after=6")
        self.assertEqual(self.state_of("k"), ("ENDED", "FAILED"))

    def test_a_stopped_job_is_cancelled_when_it_goes_on(self):
        self.type(f"{CANCELCTL} run --key k -- sleep 60; echo code=$?\n")
        self.await_live("k")
        eventually(lambda: self.foreground_is_not_the_shell())
        self.type("\x1a")
        self.await_text("code=148")
        self.assertEqual(self.one("cancel", "k", "--reason", "tired")["answer"], "REQUESTED")
        self.type("fg; echo after=$?\n")
        self.await_text("after=143")
        self.assertEqual(self.state_of("k"), ("ENDED", "CANCELLED"))

    def foreground_is_not_the_shell(self):
        return os.tcgetpgrp(self.master) not in (self.shell, 0)


class Demo(CliCase):
    def test_the_demo_finds_every_answer_as_the_contract_says(self):
        done = subprocess.run([os.path.join(BINARIES, "canceld-demo")], capture_output=True,
                              text=True, timeout=100 * PATIENCE, env=environment())
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertNotIn("NOT SO", done.stdout)
        for word in ("STOPPED", "FINISHED", "ARMED", "BORN_CANCELLED", "OWNER_LOST"):
            self.assertIn(word, done.stdout)
        self.assertEqual(done.stderr, "")


if __name__ == "__main__":
    main()
