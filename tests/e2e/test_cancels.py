# SPDX-License-Identifier: MIT
"""Cancels: many at once, the levels they reach, and the limits they meet."""
import time

from canceld_e2e import (Case, cancel, count, delete, get, main, over_both, pb, poll, store, wait)


@over_both
class Cancels:
    def test_a_thousand_concurrent_cancels_of_one_key_are_one_request_and_one_notice(self):
        self.daemon()
        owner = self.owner()
        gen = owner.store(b"k")
        cancellers = [self.canceller() for _ in range(4)]
        for canceller in cancellers:
            canceller.start("flood", cancel(b"k"), 50, 5)
        results = [result for canceller in cancellers for result in canceller.result()]
        answers = sorted(pb.Answer.Name(result.answer) for result in results)
        self.assertEqual(answers, ["ANSWER_ALREADY_REQUESTED"] * 999 + ["ANSWER_REQUESTED"])
        self.assertTrue(all(result.level == pb.LEVEL_RECORDED for result in results))
        (notice,) = owner.op(poll()).notices
        self.assertEqual((notice.gen, notice.kind), (gen, pb.NOTICE_CANCEL))
        self.assertEqual(len(owner.op(poll(after=notice.number)).notices), 0)

    def test_a_cancel_that_waits_for_stopped_with_a_slow_owner_says_delivered_at_its_deadline(self):
        self.daemon()
        owner, canceller = self.owner(), self.canceller()
        gen = owner.store(b"k")
        begin = time.monotonic()
        canceller.start("op", cancel(b"k", level=pb.LEVEL_STOPPED, deadline_ms=800))
        notice = owner.op(poll(wait_ms=5000)).notices[0]
        owner.op(poll(after=notice.number, acks=[(gen, pb.NOTICE_CANCEL)]))
        result = canceller.result()
        took = time.monotonic() - begin
        self.assertAnswer(result, "REQUESTED", level=pb.LEVEL_DELIVERED)
        self.assertEqual(result.outcome, pb.OUTCOME_UNSET)
        self.assertGreaterEqual(took, 0.8)
        self.assertAnswer(owner.op(delete(b"k", gen, pb.OUTCOME_CANCELLED)), "DELETED",
                          cancelled=True)

    def test_a_cancel_that_waits_for_stopped_is_answered_by_the_owners_delete(self):
        self.daemon()
        for outcome in (pb.OUTCOME_CANCELLED, pb.OUTCOME_COMPLETED, pb.OUTCOME_FAILED):
            owner, canceller = self.owner(), self.canceller()
            gen = owner.store(b"k")
            canceller.start("op", cancel(b"k", level=pb.LEVEL_STOPPED, deadline_ms=20000))
            self.assertEqual(owner.op(poll(wait_ms=5000)).notices[0].gen, gen)
            self.assertAnswer(owner.op(delete(b"k", gen, outcome)), "DELETED", cancelled=True)
            result = canceller.result()
            self.assertAnswer(result, "REQUESTED", level=pb.LEVEL_STOPPED)
            self.assertEqual(result.gens[0].outcome, outcome)

    def test_a_cancel_that_waits_for_delivered_is_answered_by_the_owners_ack(self):
        self.daemon()
        owner, canceller = self.owner(), self.canceller()
        gen = owner.store(b"k")
        canceller.start("op", cancel(b"k", level=pb.LEVEL_DELIVERED, deadline_ms=20000))
        notice = owner.op(poll(wait_ms=5000)).notices[0]
        owner.op(poll(after=notice.number, acks=[(gen, pb.NOTICE_CANCEL)]))
        self.assertAnswer(canceller.result(), "REQUESTED", level=pb.LEVEL_DELIVERED)

    def test_a_cancel_that_waits_for_stopped_never_gets_it_from_an_owner_that_died(self):
        self.daemon("--limit-grace-ms", "300")
        owner, canceller = self.owner(), self.canceller()
        owner.store(b"k")
        canceller.start("op", cancel(b"k", level=pb.LEVEL_STOPPED, deadline_ms=20000))
        owner.op(poll(wait_ms=5000))
        owner.kill()
        result = canceller.result()
        self.assertAnswer(result, "REQUESTED")
        self.assertLess(result.level, pb.LEVEL_STOPPED)
        self.assertEqual(result.gens[0].outcome, pb.OUTCOME_OWNER_LOST)

    def test_a_cancel_of_nothing_is_an_ordinary_answer(self):
        self.daemon()
        self.assertAnswer(self.canceller().op(cancel(b"nothing")), "NOT_FOUND")

    def test_the_first_cause_wins(self):
        self.daemon()
        owner, canceller = self.owner(), self.canceller()
        gen = owner.store(b"k")
        canceller.op(cancel(b"k", text="first"))
        canceller.op(cancel(b"k", text="second"))
        self.assertEqual(owner.op(poll()).notices[0].cause.text, b"first")
        self.assertEqual(owner.op(delete(b"k", gen)).cause.text, b"first")

    def test_a_cancel_of_a_key_reaches_every_live_gen_of_it(self):
        self.daemon()
        owner, canceller = self.owner(), self.canceller()
        gens = [owner.store(b"k", policy=pb.POLICY_JOIN) for _ in range(3)]
        result = canceller.op(cancel(b"k"))
        self.assertAnswer(result, "REQUESTED")
        self.assertEqual(sorted(entry.gen for entry in result.gens), gens)
        self.assertEqual(sorted(n.gen for n in owner.op(poll()).notices), gens)

    def test_a_waiter_sees_the_cancel_and_then_the_end(self):
        self.daemon()
        owner, waiter, canceller = self.owner(), self.canceller(), self.canceller()
        gen = owner.store(b"k")
        waiter.start("op", wait(b"k", gen, pb.UNTIL_CANCELLING, 20000))
        canceller.op(cancel(b"k", text="why"))
        result = waiter.result()
        self.assertAnswer(result, "CANCELLING", gen=gen)
        self.assertEqual(result.cause.text, b"why")
        waiter.start("op", wait(b"k", gen, pb.UNTIL_ENDED, 20000))
        owner.op(delete(b"k", gen, pb.OUTCOME_CANCELLED))
        self.assertAnswer(waiter.result(), "ENDED", outcome=pb.OUTCOME_CANCELLED)

    def test_at_the_limit_a_store_says_full_and_nothing_is_evicted(self):
        self.daemon("--limit-operations", "100")
        owner, peer = self.owner(), self.peer()
        gens = {b"k%d" % n: owner.store(b"k%d" % n) for n in range(100)}
        for n in range(50):
            self.assertAnswer(owner.op(store(b"more%d" % n)), "FULL", limit="operations")
        self.assertEqual(peer.op(count()).count, 100)
        for key, gen in gens.items():
            self.assertEqual(peer.op(get(key)).operations[0].gen, gen)
        owner.op(delete(b"k0", gens[b"k0"]))
        self.assertAnswer(owner.op(store(b"more")), "STORED")

    def test_a_superseding_store_cancels_the_one_before(self):
        self.daemon()
        owner = self.owner()
        first = owner.store(b"k")
        second = owner.store(b"k", policy=pb.POLICY_SUPERSEDE)
        (notice,) = owner.op(poll()).notices
        self.assertEqual((notice.gen, notice.cause.code), (first, pb.CAUSE_SUPERSEDED))
        self.assertAnswer(owner.op(store(b"k")), "EXISTS", gen=second, state=pb.STATE_LIVE)

    def test_a_ttl_is_never_early_and_touch_renews_it(self):
        self.daemon()
        session = self.session()
        begin = time.monotonic()
        gen = session.store(b"k", ttl_ms=400, on_expiry=pb.ON_EXPIRY_REAP)
        self.assertAnswer(session.op(pb.Op(touch=pb.Touch(key=b"k", gen=gen, ttl_ms=600))),
                          "TOUCHED")
        result = self.peer().op(wait(b"k", gen, deadline_ms=10000))
        self.assertAnswer(result, "ENDED", outcome=pb.OUTCOME_EXPIRED)
        self.assertGreaterEqual(time.monotonic() - begin, 0.6)


if __name__ == "__main__":
    main()
