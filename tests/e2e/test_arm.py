# SPDX-License-Identifier: MIT
"""Armed cancels: a Stop that comes before its operation, and one that comes too late."""
import time

from canceld_e2e import Case, cancel, delete, eventually, get, main, over_both, pb, store


def armed_keys(peer, **fields):
    """Every page of `armed`."""
    keys, cursor = [], 0
    while True:
        result = peer.op(pb.Op(armed=pb.Armed(cursor=cursor, **fields)))
        assert result.answer == pb.ANSWER_ARMED_KEYS, result
        keys += [entry.key for entry in result.armed]
        cursor = result.next_cursor
        if cursor == 0:
            return keys


@over_both
class Arm:
    def test_a_cancel_1_ms_before_the_store_armed_lets_it_be_born_cancelled(self):
        self.daemon()
        owner, canceller = self.owner(), self.canceller()
        for round_number in range(20):
            key = b"k%d" % round_number
            begin = time.monotonic() + 0.05
            canceller.start("at", begin, cancel(key, arm_ttl_ms=10000, text="stop"))
            owner.start("at", begin + 0.001, store(key))
            armed, stored = canceller.result(), owner.result()
            if armed.answer == pb.ANSWER_REQUESTED:  # the machine swapped them: as true
                self.assertAnswer(stored, "STORED")
                continue
            self.assertAnswer(armed, "ARMED", level=pb.LEVEL_RECORDED)
            self.assertAnswer(stored, "BORN_CANCELLED")
            self.assertEqual(stored.cause.text, b"stop")
            self.assertAnswer(owner.op(delete(key, stored.gen, pb.OUTCOME_CANCELLED)), "DELETED",
                              cancelled=True)

    def test_an_armed_cancel_before_the_store_is_used_once_and_gives_notice(self):
        self.daemon()
        owner, canceller = self.owner(), self.canceller()
        self.assertAnswer(canceller.op(cancel(b"k", arm_ttl_ms=10000)), "ARMED")
        self.assertEqual(armed_keys(canceller), [b"k"])
        born = owner.op(store(b"k"))
        self.assertAnswer(born, "BORN_CANCELLED")
        self.assertEqual(armed_keys(canceller), [])
        found = canceller.op(get(b"k")).operations[0]
        self.assertEqual((found.gen, found.state), (born.gen, pb.STATE_CANCELLING))
        notice = owner.op(pb.Op(poll=pb.Poll())).notices[0]
        self.assertEqual((notice.gen, notice.kind), (born.gen, pb.NOTICE_CANCEL))
        self.assertAnswer(owner.op(delete(b"k", born.gen)), "DELETED", cancelled=True)
        self.assertAnswer(owner.op(store(b"k")), "STORED")

    def test_a_cancel_1_ms_after_the_delete_armed_says_finished_and_spares_the_next_store(self):
        self.daemon()
        owner, canceller = self.owner(), self.canceller()
        for round_number in range(20):
            key = b"k%d" % round_number
            gen = owner.store(key)
            begin = time.monotonic() + 0.05
            owner.start("at", begin, delete(key, gen))
            canceller.start("at", begin + 0.001, cancel(key, arm_ttl_ms=10000))
            deleted, answer = owner.result(), canceller.result()
            if deleted.cancelled:  # the machine swapped them: both sides say so
                self.assertAnswer(answer, "REQUESTED")
            else:
                self.assertAnswer(answer, "FINISHED", outcome=pb.OUTCOME_COMPLETED)
            self.assertAnswer(owner.op(store(key)), "STORED")

    def test_an_armed_cancel_lapses_and_the_next_store_lives(self):
        self.daemon()
        owner, canceller = self.owner(), self.canceller()
        self.assertAnswer(canceller.op(cancel(b"k", arm_ttl_ms=100)), "ARMED")
        eventually(lambda: armed_keys(canceller) == [], what="the lapse")
        self.assertAnswer(owner.op(store(b"k")), "STORED")

    def test_a_disarmed_cancel_does_nothing(self):
        self.daemon()
        owner, canceller = self.owner(), self.canceller()
        self.assertAnswer(canceller.op(cancel(b"k", arm_ttl_ms=10000)), "ARMED")
        disarm = pb.Op(disarm=pb.Disarm(key=b"k"))
        self.assertAnswer(canceller.op(disarm), "DISARMED")
        self.assertAnswer(canceller.op(disarm), "NOT_FOUND")
        self.assertAnswer(owner.op(store(b"k")), "STORED")

    def test_a_cancel_after_a_gen_that_its_caller_saw_end_arms_for_the_next_one(self):
        self.daemon()
        owner, canceller = self.owner(), self.canceller()
        gen = owner.store(b"k")
        owner.op(delete(b"k", gen))
        self.assertAnswer(canceller.op(cancel(b"k", after_gen=gen, arm_ttl_ms=10000)), "ARMED")
        self.assertAnswer(owner.op(store(b"k")), "BORN_CANCELLED")

    def test_a_flood_of_armed_cancels_is_bounded_and_counted(self):
        daemon = self.daemon("--limit-armed", "1000")
        peer = self.peer()
        base = daemon.rss()
        answers = {}
        for begin in range(0, 20000, 500):
            reply = peer.ops(*[cancel(b"flood-%d" % n, arm_ttl_ms=60000)
                               for n in range(begin, begin + 500)])
            for result in reply.results:
                answers[result.answer] = answers.get(result.answer, 0) + 1
                if result.answer == pb.ANSWER_FULL:
                    self.assertEqual(result.limit, "armed")
        self.assertEqual(answers, {pb.ANSWER_ARMED: 1000, pb.ANSWER_FULL: 19000})
        self.assertEqual(len(armed_keys(peer)), 1000)
        self.assertEqual(peer.stats()["armed"], 1000)
        self.say(f"RSS grew by {(daemon.rss() - base) >> 10} KiB")
        self.assertLess(daemon.rss() - base, 8 << 20)
        session = self.session()
        self.assertAnswer(session.op(store(b"flood-999")), "BORN_CANCELLED")
        self.assertAnswer(session.op(store(b"flood-1000")), "STORED")
        self.assertAnswer(peer.op(cancel(b"one-more", arm_ttl_ms=60000)), "ARMED")


if __name__ == "__main__":
    main()
