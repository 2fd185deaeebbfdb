# SPDX-License-Identifier: MIT
"""Generations: a late word about one operation never touches the next one of the same key."""
from canceld_e2e import Case, Peer, delete, get, main, over_both, pb, store, touch, cancel


@over_both
class Generations:
    def test_a_late_delete_of_a_gen_leaves_the_next_gen_alone(self):
        self.daemon("--limit-finished-ms", "60000")
        owner, other = self.owner(), self.peer()
        first = owner.store(b"k")
        self.assertAnswer(owner.op(delete(b"k", first)), "DELETED")
        second = owner.store(b"k")
        late = owner.op(delete(b"k", first, pb.OUTCOME_FAILED))
        self.assertAnswer(late, "ENDED", outcome=pb.OUTCOME_COMPLETED)
        self.assertAnswer(other.op(get(b"k")), "FOUND")
        found = other.op(get(b"k")).operations[0]
        self.assertEqual((found.gen, found.state), (second, pb.STATE_LIVE))

    def test_a_late_delete_of_a_forgotten_gen_says_stale_and_does_nothing(self):
        self.daemon("--limit-finished", "1")
        owner, other = self.owner(), self.peer()
        first = owner.store(b"k")
        owner.op(delete(b"k", first))
        second = owner.store(b"k")
        owner.op(delete(b"other", owner.store(b"other")))  # pushes the first out of memory
        self.assertAnswer(owner.op(delete(b"k", first)), "STALE_GEN", gen=second)
        self.assertEqual(other.op(get(b"k")).operations[0].state, pb.STATE_LIVE)

    def test_a_late_cancel_of_a_gen_leaves_the_next_gen_alone(self):
        self.daemon()
        owner, canceller = self.owner(), self.canceller()
        first = owner.store(b"k")
        owner.op(delete(b"k", first))
        second = owner.store(b"k")
        self.assertAnswer(canceller.op(cancel(b"k", first)), "FINISHED",
                          outcome=pb.OUTCOME_COMPLETED)
        self.assertEqual(owner.call("ops", [get(b"k")])[0].operations[0].state, pb.STATE_LIVE)
        self.assertAnswer(owner.op(touch(b"k", second, 1000)), "ERROR")  # no ttl: but not ENDED
        self.assertAnswer(owner.op(delete(b"k", second)), "DELETED", cancelled=False)

    def test_a_late_cancel_of_a_forgotten_gen_says_stale_and_does_nothing(self):
        self.daemon("--limit-finished", "1")
        owner, canceller = self.owner(), self.canceller()
        first = owner.store(b"k")
        owner.op(delete(b"k", first))
        second = owner.store(b"k")
        owner.op(delete(b"other", owner.store(b"other")))
        self.assertAnswer(canceller.op(cancel(b"k", first)), "STALE_GEN", gen=second)
        self.assertAnswer(owner.op(delete(b"k", second)), "DELETED", cancelled=False)

    def test_two_stores_in_one_millisecond_get_different_gens(self):
        self.daemon()
        session = self.session()
        frame = [store(b"k", policy=pb.POLICY_JOIN) for _ in range(1024)]
        gens = [result.gen for result in session.ops(*frame)]
        self.assertEqual(len(set(gens)), 1024)
        self.assertEqual(gens, sorted(gens))

    def test_stores_of_several_processes_never_share_a_gen(self):
        self.daemon()
        owners = [self.owner() for _ in range(4)]
        for number, owner in enumerate(owners):
            owner.start("ops", [store(b"%d-%d" % (number, n)) for n in range(500)])
        gens = [result.gen for owner in owners for result in owner.result()]
        self.assertEqual(len(set(gens)), 2000)

    def test_a_lost_reply_and_its_request_id_again_give_the_same_gen_and_no_second_operation(self):
        self.daemon()
        session = self.session()
        frame = session.frame(store(b"k", policy=pb.POLICY_JOIN))
        session.peer.send(frame)  # the reply is never looked at
        first = session.peer.request(frame).results[0]
        self.assertAnswer(first, "STORED")
        session.cut()
        self.assertAnswer(session.resume(), "OPENED")
        again = session.peer.request(frame).results[0]
        self.assertAnswer(again, "STORED", gen=first.gen)
        self.assertEqual(self.peer().op(pb.Op(count=pb.Count())).count, 1)

    def test_a_cancel_sent_again_under_its_request_id_gets_its_first_answer(self):
        self.daemon()
        owner = self.owner()
        owner.store(b"k")
        session = self.session()
        frame = session.frame(cancel(b"k"))
        for _ in range(3):
            self.assertAnswer(session.peer.request(frame).results[0], "REQUESTED")
        self.assertAnswer(session.op(cancel(b"k")), "ALREADY_REQUESTED")

    def test_a_frame_may_carry_the_secret_and_bind_its_session_to_a_new_connection(self):
        self.daemon()
        session = self.session()
        frame = session.frame(store(b"k"))
        frame.secret = session.secret
        stranger = Peer(self.url())
        self.addCleanup(stranger.close)
        self.assertAnswer(stranger.request(frame).results[0], "STORED")
        self.assertRefused("NOT_BOUND", session.op, get(b"k"))

    def test_gens_rise_over_a_restart_and_an_old_one_is_not_taken_for_a_new_one(self):
        self.daemon(ephemeral=False)
        owner = self.owner()
        before = owner.store(b"k")
        self.running.restart()
        owner = self.owner()
        after = owner.store(b"k")
        self.assertGreater(after >> 40, before >> 40)
        self.assertAnswer(owner.op(delete(b"k", before)), "STALE_GEN", gen=after)
        self.assertAnswer(owner.op(cancel(b"k", after + (1 << 40))), "STALE_EPOCH")


if __name__ == "__main__":
    main()
