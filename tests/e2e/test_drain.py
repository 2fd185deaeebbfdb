# SPDX-License-Identifier: MIT
"""Drains of a namespace, a session and the daemon: closed for stores, all cancelled, answered when it
is empty or at the deadline."""
import time

import crowd
from canceld_e2e import (cancel, count, delete, drain, eventually, main, over_both, pb, poll, scale,
                         store, undrain)

MANY = scale(20000)


@over_both
class Drains:
    def drained_of(self, canceller, **target):
        """A drain on its way, in force."""
        canceller.start("op", drain(deadline_ms=20000, text="upgrade", actor=b"deploy", **target))
        eventually(lambda: self.peer().stats()["drains_waiting"] > 0, what="the drain")

    def finish(self, owner, gens):
        """The owner takes its notices and ends what they name."""
        notices = owner.op(poll(wait_ms=5000)).notices
        self.assertEqual({notice.gen for notice in notices}, set(gens.values()))
        self.assertEqual({(n.cause.code, n.cause.text, n.cause.actor) for n in notices},
                         {(pb.CAUSE_SHUTDOWN, b"upgrade", b"deploy")})
        for notice in notices:
            self.assertAnswer(owner.op(delete(notice.key, notice.gen, pb.OUTCOME_CANCELLED,
                                              namespace=notice.namespace)), "DELETED", cancelled=True)

    def test_of_a_namespace(self):
        self.daemon()
        owner, other, canceller = self.owner(), self.owner(namespace=b"n"), self.canceller()
        gens = {key: owner.store(key) for key in (b"a", b"b", b"c")}
        other.store(b"a")
        self.drained_of(canceller)
        self.assertAnswer(owner.op(store(b"late")), "DRAINING")
        self.assertAnswer(owner.op(store(b"a", policy=pb.POLICY_SUPERSEDE)), "DRAINING")
        self.assertAnswer(other.op(store(b"b")), "STORED")
        self.finish(owner, gens)
        self.assertAnswer(canceller.result(), "DRAINED", requested=3, already_requested=0)
        self.assertEqual(len(other.op(poll()).notices), 0)
        self.assertAnswer(owner.op(store(b"late")), "DRAINING")
        self.assertAnswer(canceller.op(undrain()), "UNDRAINED")
        self.assertAnswer(canceller.op(undrain()), "NOT_FOUND")
        self.assertAnswer(owner.op(store(b"late")), "STORED")

    def test_of_a_session_in_its_own_namespace(self):
        self.daemon()
        owner, other, canceller = self.owner(), self.owner(), self.canceller()
        number = owner.call("session_number")
        gens = {b"a": owner.store(b"a"), b"b": owner.store(b"b")}
        elsewhere = owner.store(b"e", namespace=b"elsewhere")
        other.store(b"c")
        self.assertAnswer(canceller.op(drain(owner=number, namespace=b"elsewhere")), "NOT_FOUND")
        self.assertAnswer(canceller.op(drain(owner=number + 1000)), "NOT_FOUND")
        self.drained_of(canceller, owner=number)
        self.assertAnswer(owner.op(store(b"late")), "DRAINING")
        self.assertAnswer(other.op(store(b"late")), "STORED")
        self.finish(owner, gens)
        self.assertAnswer(canceller.result(), "DRAINED", requested=2)
        self.assertAnswer(owner.op(delete(b"e", elsewhere, namespace=b"elsewhere")), "DELETED", cancelled=False)
        self.assertAnswer(canceller.op(undrain(owner=number)), "UNDRAINED")
        self.assertAnswer(owner.op(store(b"again")), "STORED")

    def test_of_the_daemon(self):
        self.daemon()
        canceller = self.canceller()
        owners = [self.owner(namespace=name) for name in (b"default", b"n", b"m")]
        gens = [{b"a": owner.store(b"a"), b"b": owner.store(b"b")} for owner in owners]
        self.drained_of(canceller, daemon=True)
        for owner, theirs in zip(owners, gens):
            self.assertAnswer(owner.op(store(b"late")), "DRAINING")
            self.finish(owner, theirs)
        self.assertAnswer(canceller.result(), "DRAINED", requested=6)
        self.assertAnswer(self.owner(namespace=b"new").op(store(b"late")), "DRAINING")
        self.assertAnswer(canceller.op(undrain()), "NOT_FOUND")
        self.assertAnswer(canceller.op(undrain(daemon=True)), "UNDRAINED")
        self.assertAnswer(owners[0].op(store(b"late")), "STORED")

    def test_at_the_deadline_it_names_the_stragglers(self):
        self.daemon()
        owner, canceller = self.owner(), self.canceller()
        gens = {b"%03d" % n: owner.store(b"%03d" % n) for n in range(150)}
        self.assertAnswer(canceller.op(cancel(b"007")), "REQUESTED")
        result = canceller.op(drain())
        self.assertAnswer(result, "TIMED_OUT", count=150)
        eventually(lambda: len(owner.op(poll()).notices) == 150, what="the notice of each")
        for notice in owner.op(poll()).notices[:140]:
            owner.op(delete(notice.key, notice.gen))
        begin = time.monotonic()
        result = canceller.op(drain(deadline_ms=600))
        self.assertGreaterEqual(time.monotonic() - begin, 0.6)
        left = {entry.key: entry.gen for entry in result.gens}
        self.assertAnswer(result, "TIMED_OUT", count=10)
        self.assertEqual(len(left), 10)
        self.assertTrue(all(gens[key] == gen for key, gen in left.items()))
        self.assertEqual({entry.state for entry in result.gens}, {pb.STATE_CANCELLING})
        self.assertAnswer(owner.op(store(b"late")), "DRAINING")

    def test_of_what_is_empty_answers_at_once_and_undrain_meanwhile_opens_it(self):
        self.daemon()
        owner, canceller = self.owner(), self.canceller()
        self.assertAnswer(canceller.op(drain(deadline_ms=20000)), "DRAINED", requested=0)
        self.assertAnswer(canceller.op(undrain()), "UNDRAINED")
        gens = {b"a": owner.store(b"a")}
        self.drained_of(canceller)
        self.assertAnswer(self.peer().op(undrain()), "UNDRAINED")
        late = owner.store(b"late")
        self.finish(owner, gens)
        owner.op(delete(b"late", late))
        self.assertAnswer(canceller.result(), "DRAINED", requested=1)

    def test_of_many_while_their_owners_store_and_delete(self):
        self.daemon()
        owners, canceller = [self.session() for _ in range(2)], self.canceller()
        gens = [crowd.store_many(owner, MANY, i * MANY) for i, owner in enumerate(owners)]
        canceller.start("op", drain(deadline_ms=60000))
        eventually(lambda: owners[0].op(store(b"late")).answer == pb.ANSWER_DRAINING, what="DRAINING")
        refused = sum(owner.op(store(b"late%d" % n)).answer == pb.ANSWER_DRAINING
                      for owner in owners for n in range(100))
        self.assertEqual(refused, 200)
        extra = [gen for owner in owners for gen in self.strays(owner)]
        flags = [flag for i, owner in enumerate(owners)
                 for flag in crowd.delete_many(owner, gens[i], i * MANY)]
        result = canceller.result()
        self.assertAnswer(result, "DRAINED")
        total = result.requested + result.already_requested
        self.assertEqual(total, flags.count(True) + len(extra), "each is counted once")
        self.say(f"{total} of {2 * MANY + len(extra)} were reached before their owners ended them")
        self.assertEqual(owners[0].op(count()).count, 0)

    def strays(self, owner):
        """What a store of before the drain left under `late` is ended; its gen, where the drain had reached it."""
        found = owner.op(pb.Op(get=pb.Get(key=b"late")))
        if found.answer != pb.ANSWER_FOUND or found.operations[0].owner != owner.number:
            return []
        gen = found.operations[0].gen
        deleted = owner.op(delete(b"late", gen))
        self.assertAnswer(deleted, "DELETED")
        return [gen] if deleted.cancelled else []


if __name__ == "__main__":
    main()
