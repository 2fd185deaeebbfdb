# SPDX-License-Identifier: MIT
"""Owners that die, hang or lose their link."""
import signal
import time

from canceld_e2e import (MIB, PATIENCE, SANITIZED, Case, FrameRefused, cancel, count, delete,
                         eventually, get, main, over_both, pb, scale, store, touch, wait)

GRACE_S = 1.0


@over_both
class Owners:
    def lost_after(self, peer, key, begin):
        """When the operation is answered as OWNER_LOST, in seconds since `begin`."""
        result = peer.op(wait(key, deadline_ms=30000))
        took = time.monotonic() - begin
        self.assertAnswer(result, "ENDED", outcome=pb.OUTCOME_OWNER_LOST)
        return took

    def assertLostInTime(self, took):
        self.say(f"OWNER_LOST {took:.3f} s after the kill, the grace is {GRACE_S} s")
        self.assertGreaterEqual(took, GRACE_S - 0.002)
        self.assertLess(took, GRACE_S + 1.0 * PATIENCE)

    def test_an_owner_killed_with_9_is_lost_not_before_the_grace_and_at_most_1_s_after(self):
        self.daemon("--limit-grace-ms", str(int(GRACE_S * 1000)))
        owner, peer = self.owner(), self.peer(seconds=30)
        gen = owner.store(b"k")
        begin = time.monotonic()
        owner.kill()
        self.assertAnswer(peer.op(get(b"k")), "FOUND")
        self.assertLostInTime(self.lost_after(peer, b"k", begin))
        self.assertAnswer(peer.op(cancel(b"k", gen)), "OWNER_LOST")

    def test_memory_and_counts_are_back_at_the_base_after_an_owner_of_thousands_died(self):
        daemon = self.daemon("--limit-grace-ms", "500", "--limit-finished-ms", "1000")
        peer = self.peer()
        stored = scale(40000)

        def grow_and_die():
            owner = self.owner()
            for begin in range(0, stored, 1000):
                owner.call("ops", [store(b"key-%d" % n, meta=b"m" * 40)
                                   for n in range(begin, begin + 1000)])
            self.assertEqual(peer.op(count()).count, stored)
            peak = daemon.rss()
            owner.kill()
            owner.close()
            eventually(lambda: peer.op(count()).count == 0, 20, "the end of all operations")
            eventually(lambda: peer.stats()["operations_remembered"] == 0, 20, "the end of the finished memory")
            return peak

        def first():
            grow_and_die()
            return daemon.rss()

        fresh = daemon.rss()
        base = first()
        peak = grow_and_die()
        eventually(lambda: SANITIZED or daemon.rss() < base + 2 * MIB, 10, "the base")
        self.say(f"RSS {fresh >> 10} KiB fresh, {peak >> 10} with {stored} operations, "
                 f"{daemon.rss() >> 10} after")
        if not SANITIZED:
            self.assertLess(daemon.rss() - fresh, (peak - fresh) // 4 + 2 * MIB)

    def test_an_owner_stopped_past_its_grace_and_resumed_is_told_that_it_was_lost(self):
        self.daemon("--limit-grace-ms", "500")
        owner, peer = self.owner(heartbeat_ms=100), self.peer(seconds=30)
        kept, gen = owner.store(b"other", ttl_ms=60000), owner.store(b"k", ttl_ms=60000)
        owner.signal(signal.SIGSTOP)
        self.assertAnswer(peer.op(wait(b"k", gen, deadline_ms=30000)), "ENDED",
                          outcome=pb.OUTCOME_OWNER_LOST)
        owner.signal(signal.SIGCONT)
        eventually(lambda: owner.call("is_lost"), what="the word that the session is lost")
        with self.assertRaises(FrameRefused) as refused:
            owner.op(touch(b"k", gen, 1000))
        self.assertEqual(refused.exception.code, pb.ERROR_SESSION_LOST)
        owner.call("open_again")
        self.assertAnswer(owner.op(touch(b"k", gen, 1000)), "ENDED",
                          outcome=pb.OUTCOME_OWNER_LOST)
        self.assertAnswer(owner.op(delete(b"k", gen)), "ENDED", outcome=pb.OUTCOME_OWNER_LOST)
        self.assertAnswer(owner.op(delete(b"other", kept)), "ENDED",
                          outcome=pb.OUTCOME_OWNER_LOST)

    def test_an_owner_that_is_silent_but_not_for_three_intervals_keeps_its_operations(self):
        self.daemon("--limit-grace-ms", "500")
        owner, peer = self.owner(heartbeat_ms=200), self.peer()
        gen = owner.store(b"k")
        result = peer.op(wait(b"k", gen, deadline_ms=2000))
        self.assertAnswer(result, "TIMED_OUT", state=pb.STATE_LIVE)

    def test_the_notice_of_a_cancel_sent_while_the_link_was_cut_is_there_once_it_is_back(self):
        self.daemon()
        owner, canceller = self.owner(), self.canceller()
        gen = owner.store(b"k")
        owner.call("cut")
        self.assertAnswer(canceller.op(cancel(b"k", text="stop")), "REQUESTED",
                          level=pb.LEVEL_RECORDED)
        resumed = owner.call("resume")
        self.assertAnswer(resumed, "OPENED")
        self.assertTrue(resumed.opened.resumed)
        (notice,) = owner.op(pb.Op(poll=pb.Poll())).notices
        self.assertEqual((notice.gen, notice.kind, notice.cause.text),
                         (gen, pb.NOTICE_CANCEL, b"stop"))
        again = owner.op(pb.Op(poll=pb.Poll(after=notice.number)))
        self.assertEqual(len(again.notices), 0)
        owner.op(pb.Op(poll=pb.Poll(acks=[pb.NoticeAck(gen=gen, kind=pb.NOTICE_CANCEL)])))
        owner.call("cut")
        self.assertAnswer(owner.call("resume"), "OPENED")
        self.assertEqual(len(owner.op(pb.Op(poll=pb.Poll())).notices), 0)

    def test_a_session_moved_to_a_new_link_in_time_loses_nothing(self):
        self.daemon("--limit-grace-ms", "300")
        session, peer = self.session(), self.peer()
        gen = session.store(b"k")
        old = session.peer
        self.assertAnswer(session.resume(), "OPENED")
        old.cut()
        self.assertAnswer(peer.op(wait(b"k", gen, deadline_ms=1500)), "TIMED_OUT")
        self.assertAnswer(session.op(delete(b"k", gen)), "DELETED", cancelled=False)

    def test_a_kept_operation_outlives_its_owner_until_its_ttl(self):
        self.daemon("--limit-grace-ms", "200")
        owner, peer = self.owner(), self.peer(seconds=30)
        gen = owner.store(b"k", ttl_ms=1500, on_expiry=pb.ON_EXPIRY_REAP,
                          on_owner_loss=pb.ON_OWNER_LOSS_KEEP)
        owner.kill()
        eventually(lambda: peer.op(get(b"k")).operations[0].owner == 0, what="the owner's loss")
        result = peer.op(cancel(b"k", level=pb.LEVEL_STOPPED, deadline_ms=20000))
        self.assertAnswer(result, "REQUESTED", level=pb.LEVEL_RECORDED, no_owner=True)
        self.assertAnswer(peer.op(wait(b"k", gen, deadline_ms=20000)), "ENDED",
                          outcome=pb.OUTCOME_EXPIRED)

    def test_close_ends_the_sessions_operations_at_once(self):
        self.daemon("--limit-grace-ms", "60000")
        session, peer = self.session(), self.peer()
        gen = session.store(b"k")
        self.assertAnswer(session.op(pb.Op(close=pb.Close())), "CLOSED")
        self.assertAnswer(peer.op(wait(b"k", gen, deadline_ms=5000)), "ENDED",
                          outcome=pb.OUTCOME_OWNER_LOST)
        self.assertRefused("SESSION_LOST", session.op, get(b"k"))


if __name__ == "__main__":
    main()
