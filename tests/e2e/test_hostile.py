# SPDX-License-Identifier: MIT
"""Hostile peers: those that never read, dribble, stop in the middle, or come in crowds. Each is cut in
time, its memory and descriptors are given back, and the others are served."""
import time

from canceld_e2e import (MIB, PATIENCE, SANITIZED, Case, Peer, connect_socket, delete, eventually,
                         handshake, main, over_both, pb, ping, store, wait)


@over_both
class Hostile:
    def quick(self, *flags):
        """A daemon with short patience, so that a test of it is short."""
        return self.daemon("--limit-stall-ms", "1500", "--limit-handshake-ms", "1000", *flags)

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
        descriptors = daemon.descriptors_at_rest()
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
        descriptors = daemon.descriptors_at_rest()
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


if __name__ == "__main__":
    main()
