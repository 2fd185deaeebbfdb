# SPDX-License-Identifier: MIT
"""Trees: a parent's cancel is its descendants' too, also of those that come later; deep ones, wide ones."""
import crowd
from canceld_e2e import (Case, cancel, count, delete, detach, eventually, get, main, over_both, page, pb, poll,
                         scale, store, wait)

MANY = scale(100000)
STEPS_S = 60  # for the sweeps over so many


@over_both
class Ban:
    def assertBornOf(self, result, text):
        self.assertAnswer(result, "BORN_CANCELLED")
        self.assertEqual((result.cause.code, result.cause.text), (pb.CAUSE_PARENT, text))
        return result.gen

    def test_a_child_stored_after_its_parents_cancel_is_born_cancelled(self):
        self.daemon()
        owner, other, canceller = self.owner(), self.owner(), self.canceller()
        parent = owner.store(b"parent")
        self.assertAnswer(canceller.op(cancel(b"parent", text="stop all")), "REQUESTED")
        child = self.assertBornOf(owner.op(store(b"child", parent=parent)), b"stop all")
        self.assertBornOf(other.op(store(b"grandchild", parent=child)), b"stop all")
        (notice,) = other.op(poll()).notices
        self.assertEqual((notice.kind, notice.cause.code), (pb.NOTICE_CANCEL, pb.CAUSE_PARENT))

    def test_and_also_after_its_parents_delete(self):
        self.daemon()
        owner, canceller = self.owner(), self.canceller()
        for outcome in (pb.OUTCOME_CANCELLED, pb.OUTCOME_COMPLETED, pb.OUTCOME_FAILED):
            parent = owner.store(b"parent")
            self.assertAnswer(canceller.op(cancel(b"parent", parent, text="stop")), "REQUESTED")
            self.assertAnswer(owner.op(delete(b"parent", parent, outcome)), "DELETED", cancelled=True)
            child = self.assertBornOf(owner.op(store(b"child", parent=parent)), b"stop")
            self.assertAnswer(owner.op(delete(b"child", child)), "DELETED", cancelled=True)
            self.assertBornOf(owner.op(store(b"late%d" % outcome, parent=child)), b"stop")

    def test_under_a_parent_that_ended_uncancelled_nothing_is_stored(self):
        self.daemon()
        owner = self.owner()
        parent = owner.store(b"parent")
        child = owner.store(b"child", parent=parent)
        self.assertEqual(owner.op(get(b"child")).operations[0].parent, parent)
        owner.op(delete(b"parent", parent))
        self.assertAnswer(owner.op(store(b"late", parent=parent)), "PARENT_ENDED",
                          outcome=pb.OUTCOME_COMPLETED)
        self.assertAnswer(owner.op(get(b"late")), "NOT_FOUND")
        self.assertEqual(owner.op(get(b"child")).operations[0].parent, 0)
        self.assertAnswer(self.canceller().op(cancel(b"parent")), "FINISHED")
        self.assertAnswer(owner.op(get(b"child", child)), "FOUND")
        self.assertEqual(owner.op(get(b"child")).operations[0].state, pb.STATE_LIVE)

    def test_a_cancel_reaches_all_descendants_by_whatever_it_came(self):
        self.daemon()
        owner, canceller = self.owner(), self.canceller()

        def tree(name, **fields):
            root = owner.store(name, **fields)
            middle = owner.store(name + b"-middle", parent=root)
            return [root, middle, owner.store(name + b"-leaf", parent=middle)]

        trees = {b"asked": tree(b"asked"), b"superseded": tree(b"superseded"),
                 b"expired": tree(b"expired", ttl_ms=100), b"reaped": tree(b"reaped", ttl_ms=100,
                                                                           on_expiry=pb.ON_EXPIRY_REAP)}
        self.assertAnswer(canceller.op(cancel(b"asked", text="why")), "REQUESTED")
        owner.store(b"superseded", policy=pb.POLICY_SUPERSEDE)
        for name in (b"asked", b"superseded", b"expired"):
            result = canceller.op(wait(name + b"-leaf", until=pb.UNTIL_CANCELLING, deadline_ms=20000))
            self.assertAnswer(result, "CANCELLING", gen=trees[name][2])
            self.assertEqual(result.cause.code, pb.CAUSE_PARENT)
        self.assertAnswer(canceller.op(wait(b"reaped", deadline_ms=20000)), "ENDED",
                          outcome=pb.OUTCOME_EXPIRED)
        self.assertEqual(owner.op(get(b"reaped-middle")).operations[0].state, pb.STATE_LIVE)
        told = {notice.gen for notice in owner.op(poll()).notices if notice.kind == pb.NOTICE_CANCEL}
        self.assertEqual(told, {gen for name in (b"asked", b"superseded", b"expired")
                                for gen in trees[name]})

    def test_detach_cuts_the_tie_or_comes_too_late(self):
        self.daemon()
        owner, canceller = self.owner(), self.canceller()
        parent = owner.store(b"parent")
        away, stays = owner.store(b"away", parent=parent), owner.store(b"stays", parent=parent)
        self.assertAnswer(owner.op(detach(b"away", away)), "DETACHED", gen=away)
        self.assertAnswer(owner.op(detach(b"away", away)), "DETACHED", gen=away)
        canceller.op(cancel(b"parent"))
        result = owner.op(detach(b"stays", stays))
        self.assertAnswer(result, "CANCELLING", gen=stays)
        self.assertEqual(result.cause.code, pb.CAUSE_PARENT)
        self.assertEqual({notice.gen for notice in owner.op(poll()).notices}, {parent, stays})
        self.assertEqual(owner.op(get(b"away")).operations[0].state, pb.STATE_LIVE)
        self.assertAnswer(owner.op(delete(b"away", away)), "DELETED", cancelled=False)
        self.assertAnswer(owner.op(detach(b"away", away)), "ENDED", outcome=pb.OUTCOME_COMPLETED)

    def test_a_parent_that_is_none(self):
        self.daemon()
        owner = self.owner()
        gen = owner.store(b"k", namespace=b"elsewhere")
        self.assertAnswer(owner.op(store(b"c", parent=gen)), "PARENT_NOT_FOUND")
        self.assertAnswer(owner.op(store(b"c", parent=gen - 1)), "PARENT_NOT_FOUND")
        self.assertAnswer(owner.op(store(b"c", parent=gen + 1)), "STALE_EPOCH")
        self.assertEqual(owner.op(count()).count, 0)


class Tellers:
    def cancelled(self, peer):
        return peer.op(count(state=pb.STATE_CANCELLING)).count

    def assertAllTold(self, owner, peer, expected):
        eventually(lambda: self.cancelled(peer) == expected, STEPS_S, f"{expected} being CANCELLING")
        told = crowd.take_notices(owner, expected)
        self.assertEqual((len(told), len({notice.gen for notice in told})), (expected, expected))
        self.assertEqual([n for n in told if n.cause.text != b"all of you"], [])
        self.assertEqual(len([n for n in told if n.cause.code == pb.CAUSE_PARENT]), expected - 1)

    def assertBornCancelled(self, owner, parent):
        self.assertAnswer(owner.op(store(b"late", parent=parent)), "BORN_CANCELLED")


@over_both
class Many(Tellers):
    def test_a_chain_of_100_000_is_cancelled_from_its_root(self):
        daemon = self.daemon()
        owner, peer, other = self.session(), self.peer(), self.canceller()
        gens = crowd.store_chain(owner, MANY)
        other.start("crowd", "measure", get(b"nothing"), 0)
        self.assertAnswer(peer.op(cancel(crowd.MARK, text="all of you")), "REQUESTED")
        self.assertAllTold(owner, peer, MANY)
        slowest = max(end - begin for begin, end in other.finish())
        self.assertBornCancelled(owner, gens[-1])
        self.assertEqual(crowd.delete_many(owner, list(gens)).count(False), 0)
        self.assertEqual(peer.op(count()).count, 1)
        self.say(f"{MANY} deep, another's slowest request {slowest * 1000:.1f} ms, RSS {daemon.rss() >> 20} MiB")

    def test_a_parent_of_100_000_children_is_cancelled_and_ends_before_they_are_reached(self):
        self.daemon()
        owner, peer = self.session(), self.peer()
        parent = owner.store(b"parent")
        gens = crowd.store_many(owner, MANY, parent=parent)
        results = owner.ops(cancel(b"parent", text="all of you"), delete(b"parent", parent))
        self.assertAnswer(results[1], "DELETED", cancelled=True)
        eventually(lambda: self.cancelled(peer) == MANY, STEPS_S, "every child being CANCELLING")
        self.assertBornCancelled(owner, parent)
        told = crowd.take_notices(owner, MANY + 1)
        self.assertEqual(len({notice.gen for notice in told}), MANY + 1)
        self.assertEqual({notice.gen for notice in told} & set(gens), set(gens))
        self.assertEqual(crowd.delete_many(owner, gens).count(False), 0)


class Ends(Tellers, Case):
    def test_a_chain_of_100_000_whose_owner_goes_uncancelled_or_in_the_middle_of_the_sweep(self):
        self.daemon("--limit-grace-ms", "100")
        peer = self.peer()
        for is_cancelled in (False, True):
            owner = self.session()
            gens = crowd.store_chain(owner, MANY)
            if is_cancelled:
                peer.op(cancel(crowd.MARK, gens[0]))
            owner.close()
            eventually(lambda: peer.op(count()).count == 0, STEPS_S, "the end of all")
            self.assertAnswer(peer.op(get(b"%08d" % (MANY - 1), gens[-1])), "FOUND")

    def test_a_parent_of_100_000_children_ends_uncancelled_and_leaves_them_alone(self):
        self.daemon()
        owner, peer = self.session(), self.peer()
        parent = owner.store(b"parent")
        gens = crowd.store_many(owner, MANY, parent=parent)
        owner.op(delete(b"parent", parent))
        self.assertEqual((peer.op(count()).count, self.cancelled(peer)), (MANY, 0))
        found = peer.op(page()).operations
        self.assertEqual({operation.parent for operation in found}, {0})
        self.assertEqual(crowd.delete_many(owner, gens).count(True), 0)


if __name__ == "__main__":
    main()
