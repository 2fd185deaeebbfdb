# SPDX-License-Identifier: MIT
"""Hostile peers: those that never read, dribble, stop in the middle, or come and go by the thousand.
Each is cut in time, memory and descriptors come back to the base, and honest peers never notice."""
import subprocess
import sys
import threading
import time

from canceld_e2e import (HERE, MIB, PATIENCE, SANITIZED, Case, Peer, Session, connect_socket, delete,
                         eventually, handshake, main, over_both, pb, percentile, ping, store,
                         cancel, wait)

BARE_CONNECTIONS = 500
HOSTILE_CONNECTIONS = 1000
UNREAD_REQUESTS = 20


class Honest(threading.Thread):
    """An owner and a canceller that do their work all the time and watch the clock."""

    def __init__(self, url):
        super().__init__()
        self.url = url
        self.latencies = []
        self.failure = None
        self.ending = threading.Event()
        self.start()

    def timed(self, call, op, answers):
        begin = time.monotonic()
        result = call(op)
        self.latencies.append(time.monotonic() - begin)
        if result.answer not in answers:
            raise AssertionError(f"an honest request got {result}")
        return result

    def run(self):
        try:
            self.work()
        except BaseException as failure:
            self.failure = failure

    def work(self):
        session, canceller = Session(self.url), Peer(self.url)
        while not self.ending.is_set():
            gen = self.timed(session.op, store(b"honest"), [pb.ANSWER_STORED]).gen
            self.timed(canceller.op, cancel(b"honest", gen), [pb.ANSWER_REQUESTED])
            self.timed(session.op, delete(b"honest", gen), [pb.ANSWER_DELETED])
            self.ending.wait(0.001)
        session.close()
        canceller.close()

    def stop(self):
        self.ending.set()
        self.join()
        if self.failure:
            raise self.failure
        return self.latencies


@over_both
class Hostile:
    def quick(self, *flags):
        """A daemon with short patience, so that a test of it is short."""
        return self.daemon("--limit-stall-ms", "1500", "--limit-handshake-ms", "1000", *flags)

    def base(self, daemon):
        """Descriptors once every earlier connection is gone."""
        eventually(lambda: self.settled(daemon), what="a steady count of descriptors")
        return daemon.descriptors()

    def settled(self, daemon):
        first = daemon.descriptors()
        time.sleep(0.2)
        return daemon.descriptors() == first

    def assertBackAt(self, daemon, descriptors, seconds):
        begin = time.monotonic()
        eventually(lambda: daemon.descriptors() <= descriptors, seconds, "the base of descriptors")
        self.assertEqual(daemon.descriptors(), descriptors)
        return time.monotonic() - begin

    def assertCut(self, peer, at_least, at_most):
        begin = time.monotonic()
        self.assertTrue(peer.is_closed(at_most + 3))
        took = time.monotonic() - begin
        self.say(f"cut after {took:.2f} s")
        self.assertGreater(took, at_least)
        self.assertLess(took, at_most * PATIENCE)

    def test_a_peer_that_never_reads_is_cut_and_its_memory_is_given_back(self):
        daemon = self.quick()
        witness = self.peer()
        descriptors = self.base(daemon)
        before = daemon.rss()
        peer = self.peer()
        body = pb.Frame(version=1, ops=[pb.Op(stats=pb.Stats())]).SerializeToString()
        peer.socket.settimeout(4 * PATIENCE)
        sent = 0
        begin = time.monotonic()
        try:
            while sent < 1 << 20:
                peer.send_raw(peer.wrap(body, 1))
                sent += 1
        except OSError:
            pass
        took = time.monotonic() - begin
        self.say(f"stopped after {sent} unread requests, cut after {took:.2f} s")
        self.assertLess(sent, 1 << 20)
        self.assertTrue(witness.ping())
        self.assertLess(daemon.rss() - before, (64 if SANITIZED else 4) * MIB)
        peer.close()
        self.assertBackAt(daemon, descriptors, 10)

    def test_a_peer_that_stops_in_the_middle_of_a_frame_is_cut(self):
        daemon = self.quick()
        descriptors = self.base(daemon)
        peer = self.peer()
        whole = peer.wrap(pb.Frame(version=1, ops=[ping()]).SerializeToString(), 1)
        peer.send_raw(whole[:-1])
        self.assertCut(peer, 1.0, 4)
        self.assertBackAt(daemon, descriptors, 5)

    def test_a_peer_that_stops_in_the_middle_of_its_handshake_is_cut(self):
        self.quick()
        for part in (b"", handshake()[:5]):
            peer = self.peer(greet=False)
            peer.send_raw(part)
            self.assertCut(peer, 0.5, 4)

    def test_a_peer_that_dribbles_a_frame_is_cut_though_it_never_stops(self):
        self.quick()
        peer = self.peer()
        frame = pb.Frame(version=1, ops=[store(b"k" * 200)]).SerializeToString()
        begin = time.monotonic()
        try:
            for byte in peer.wrap(frame, 1):
                peer.send_raw(bytes([byte]))
                time.sleep(0.1)
            self.fail("a frame dribbled over 20 s was taken")
        except OSError:
            took = time.monotonic() - begin
        self.say(f"cut after {took:.2f} s")
        self.assertLess(took, 6 * PATIENCE)

    def test_a_quiet_peer_between_two_frames_is_not_cut(self):
        self.quick()
        peer, session = self.peer(), self.session()
        gen = session.store(b"k")
        result = peer.op(wait(b"k", gen, deadline_ms=2500))  # parked longer than the stall
        self.assertAnswer(result, "TIMED_OUT")
        self.assertTrue(peer.ping())
        self.assertAnswer(session.op(delete(b"k", gen)), "DELETED")

    def test_parked_requests_of_one_connection_are_bounded_and_reading_goes_on(self):
        self.daemon("--limit-parked-session", "10")
        session, peer = self.session(), self.peer()
        session.store(b"k")
        op = wait(b"k", deadline_ms=20000)
        numbers = [peer.send(pb.Frame(version=1, ops=[op])) for _ in range(12)]
        for number in numbers[10:]:
            reply = peer.receive(number)
            full = reply.error.limit or reply.results[0].limit
            self.assertEqual(full, "parked_session", reply)
        self.assertTrue(peer.ping())

    def test_connections_beyond_the_limit_are_closed_and_those_before_are_served(self):
        daemon = self.daemon("--limit-connections", "30", "--limit-connections-unopened", "20")
        session = self.session()
        witness = self.peer()
        crowd = []
        for _ in range(100):
            crowd.append(connect_socket(self.url()))
        self.assertTrue(witness.ping())
        self.assertAnswer(session.op(ping()), "PONG")
        eventually(lambda: daemon.descriptors() < 60, what="the bound")
        for sock in crowd:
            sock.close()
        eventually(lambda: self.admitted(), what="room for a new peer")

    def admitted(self):
        try:
            peer = Peer(self.url())
        except (OSError, AssertionError):
            return False
        try:
            return peer.ping()
        except OSError:
            return False
        finally:
            peer.close()

    def attack(self, kind, connections):
        """hostile.py in two processes: as many connections as asked, together."""
        processes = [subprocess.Popen([sys.executable, f"{HERE}/hostile.py", self.url(), kind,
                                       str(connections // 2), str(UNREAD_REQUESTS)])
                     for _ in range(2)]
        for process in processes:
            self.assertEqual(process.wait(120 * PATIENCE), 0)

    def test_a_thousand_hostile_connections_and_500_bare_ones_leave_nothing_behind(self):
        daemon = self.daemon("--limit-finished-ms", "1000")  # what honest peers leave goes soon
        quiet = Honest(self.url())
        quiet.ending.wait(3)
        quiet = quiet.stop()
        descriptors, rss = self.base(daemon), daemon.rss()

        honest = Honest(self.url())
        begin = time.monotonic()
        self.attack("unread", HOSTILE_CONNECTIONS)
        self.attack("bare", BARE_CONNECTIONS)
        attacked = time.monotonic() - begin
        latencies = honest.stop()
        took = self.assertBackAt(daemon, descriptors, 15)
        eventually(lambda: SANITIZED or daemon.rss() <= rss + 2 * MIB, 15, "the base of memory")

        for name, values in (("quiet", quiet), ("under attack", latencies)):
            self.say(f"{name}: {len(values)} honest requests, p50 "
                     f"{percentile(values, 0.5) * 1e3:.2f} ms, p99 "
                     f"{percentile(values, 0.99) * 1e3:.2f} ms, max {max(values) * 1e3:.2f} ms")
        self.say(f"attack of {attacked:.1f} s; {took:.1f} s later {daemon.descriptors()} descriptors "
                 f"(base {descriptors}), RSS {(daemon.rss() - rss) >> 10} KiB above the base")
        self.assertLess(max(latencies), 1.0 * PATIENCE)
        self.assertTrue(self.peer().ping())


if __name__ == "__main__":
    main()
