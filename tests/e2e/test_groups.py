# SPDX-License-Identifier: MIT
"""Groups: bulk cancels of a label, a session and a namespace, also while stores and deletes run, and
what a sweep over a million costs somebody else."""
import os
import re
import time

import crowd
from canceld_e2e import (HERE, all_operations, cancel_label, cancel_namespace, cancel_owner, count,
                         delete, eventually, get, main, over_both, page, pb, percentile, poll, scale)

CHURN_S = 1.5
CHURN_LIVE = 2000  # so many LIVE before the next bulk cancel
BULKS_LOOKED_AT = 20
CHURNERS = 3
MILLION = scale(1000000)
FILLERS = 4


def bound(name):
    """A bound of base/limits.h."""
    with open(os.path.join(HERE, "../../runtime/base/limits.h")) as limits:
        return int(re.search(rf"#define {name} (\d+)", limits.read()).group(1))


@over_both
class Targets:
    def states(self, peer, namespace=b"default"):
        return {operation.key: operation.state for operation in all_operations(peer, namespace=namespace)}

    def test_a_label_a_session_or_a_namespace_and_nothing_else(self):
        self.daemon()
        one, two, canceller = self.owner(), self.owner(namespace=b"n"), self.canceller()
        number = two.call("session_number")
        gens = {key: one.store(key, labels=labels) for key, labels in (
            (b"a", [b"job"]), (b"b", [b"job", b"jobs"]), (b"c", [b"jobs"]), (b"d", []))}
        two.store(b"a", labels=[b"job"])
        two.store(b"e", namespace=b"default")
        result = canceller.op(cancel_label(b"job", text="enough"))
        self.assertAnswer(result, "REQUESTED", requested=2, already_requested=0, level=pb.LEVEL_RECORDED)
        self.assertEqual({(entry.key, entry.gen, entry.answer) for entry in result.gens},
                         {(key, gens[key], pb.ANSWER_REQUESTED) for key in (b"a", b"b")})
        self.assertEqual({n.cause.text for n in one.op(poll()).notices}, {b"enough"})
        self.assertAnswer(canceller.op(cancel_label(b"job")), "ALREADY_REQUESTED", requested=0,
                          already_requested=2)
        self.assertAnswer(canceller.op(cancel_label(b"jo")), "NOT_FOUND")
        self.assertAnswer(canceller.op(cancel_label(b"job", namespace=b"n")), "REQUESTED", requested=1)
        self.assertAnswer(canceller.op(cancel_owner(number)), "REQUESTED", requested=1)
        self.assertEqual(self.states(canceller)[b"e"], pb.STATE_CANCELLING)
        self.assertEqual((self.states(canceller)[b"c"], self.states(canceller)[b"d"]),
                         (pb.STATE_LIVE, pb.STATE_LIVE))
        self.assertAnswer(canceller.op(cancel_namespace()), "REQUESTED", requested=2, already_requested=3)
        self.assertAnswer(one.op(delete(b"a", gens[b"a"])), "DELETED", cancelled=True)
        self.assertAnswer(canceller.op(cancel_namespace()), "ALREADY_REQUESTED", already_requested=4)
        self.assertAnswer(canceller.op(cancel_namespace(b"none")), "NOT_FOUND")

    def test_list_and_count_by_label(self):
        self.daemon()
        session, peer = self.session(), self.peer()
        for n in range(3000):
            session.store(b"k%d" % n, labels=[b"all", b"even" if n % 2 == 0 else b"odd"])
        listed = [found.key for found in all_operations(peer, labels=[b"even", b"all"])]
        self.assertEqual((len(listed), len(set(listed))), (1500, 1500))
        self.assertTrue(all(int(key[1:]) % 2 == 0 for key in listed))
        self.assertEqual(peer.op(count(labels=[b"even"])).count, 1500)
        self.assertEqual(peer.op(count(labels=[b"even", b"odd"])).count, 0)
        self.assertEqual(list(peer.op(page(labels=[b"none"])).operations), [])
        result = peer.op(cancel_label(b"odd"))
        self.assertAnswer(result, "REQUESTED", requested=1500)
        self.assertEqual(len({entry.gen for entry in result.gens}), 100)
        self.assertEqual(peer.op(count(labels=[b"all"], state=pb.STATE_CANCELLING)).count, 1500)


@over_both
class Churn:
    def test_a_bulk_cancel_while_stores_and_deletes_run_skips_none_and_counts_none_twice(self):
        self.daemon()
        owners, canceller = [self.owner() for _ in range(CHURNERS)], self.peer()
        seed = int(os.environ.get("CANCELD_TEST_SEED", "0")) or time.time_ns() % 1000000
        for i, owner in enumerate(owners):
            owner.start("crowd", "churn", seed + i, i * 10000000, {"labels": [b"L"]})
        bulks = []
        deadline = time.monotonic() + CHURN_S
        while time.monotonic() < deadline:
            eventually(lambda: canceller.op(count(state=pb.STATE_LIVE)).count > CHURN_LIVE)
            sent = time.monotonic()
            bulks.append((sent, canceller.op(cancel_label(b"L")), time.monotonic()))
        seen = [entry for owner in owners for entry in owner.finish()]
        requested = sum(result.requested for _, result, _ in bulks)
        cancelled = {gen for gen, _, _, is_cancelled in seen if is_cancelled}
        self.say(f"seed {seed}: {len(bulks)} bulk cancels, {len(seen)} operations, {requested} REQUESTED, "
                 f"{len(cancelled)} that their owners saw cancelled")
        self.assertEqual(len({gen for gen, *_ in seen}), len(seen))
        self.assertEqual(requested, len(cancelled), "each is REQUESTED once, and told to its owner")
        self.assertGreater(requested, 0)
        for sent, result, answered in bulks[::max(1, len(bulks) // BULKS_LOOKED_AT)]:
            self.assertCovered(seen, cancelled, sent, result, answered)

    def assertCovered(self, seen, cancelled, sent, result, answered):
        """By the owners' clocks: those that were live all the time are in, those that were not for a
        moment are out."""
        through = {gen for gen, stored, deleted, _ in seen if stored < sent and deleted > answered}
        self.assertEqual(through - cancelled, set(), "skipped")
        at_most = sum(1 for _, _, deleted, _ in seen if deleted > sent)
        total = result.requested + result.already_requested
        self.assertLessEqual(len(through), total)
        self.assertLessEqual(total, at_most)
        listed = [entry.gen for entry in result.gens]
        self.assertEqual(len(set(listed)), len(listed), "counted twice")
        self.assertEqual(len(listed), min(total, bound("BULK_RESULTS_MAX")))
        self.assertTrue(set(listed) <= {gen for gen, *_ in seen})


@over_both
class Sweep:
    def times(self, samples):
        took = [(end - begin) * 1e6 for begin, end in samples]
        return " / ".join(f"{percentile(took, share):.0f}" for share in (0.5, 0.99, 0.999)) + " us"

    def test_a_million_operations_of_one_label_are_cancelled_while_another_client_is_served(self):
        daemon = self.daemon("--limit-operations", str(MILLION + 1000))
        owners, other, peer = [self.owner() for _ in range(FILLERS)], self.canceller(), self.peer(seconds=60)
        each = MILLION // FILLERS
        for i, owner in enumerate(owners):
            owner.start("crowd", "fill", each, i * each, {"labels": [b"L"]})
        for owner in owners:
            owner.result()
        quiet = other.call("crowd", "measure", get(b"%08d" % 7), 5000)
        other.start("crowd", "measure", get(b"%08d" % 7), 0)
        sent = time.monotonic()
        result = peer.op(cancel_label(b"L", text="all of you"))
        answered = time.monotonic()
        during = [(begin, end) for begin, end in other.finish() if sent <= begin and end <= answered]
        self.assertAnswer(result, "REQUESTED", requested=each * FILLERS, already_requested=0)
        stats = peer.stats()
        self.say(f"{each * FILLERS} operations in {answered - sent:.2f} s, {stats['bulk_steps_most']} steps in one "
                 f"sweep at the most, RSS {daemon.rss() >> 20} MiB; {len(during)} requests of another client "
                 f"meanwhile; its p50 / p99 / p99.9: quiet {self.times(quiet)}, meanwhile {self.times(during)}")
        self.assertGreaterEqual(len(during), 100)
        self.assertLessEqual(stats["bulk_steps_most"], bound("SWEEP_STEPS_MAX"))
        self.assertGreaterEqual(stats["bulk_steps"], each * FILLERS)
        self.assertEqual(stats["operations_cancelling"], each * FILLERS)
        gens, notices = owners[0].call("crowd", "notices_taken", scale(50000))
        self.assertEqual(gens, notices)

    def test_whoever_asked_and_went_is_obeyed_all_the_same(self):
        self.daemon()
        session, peer = self.session(), self.peer()
        gens = crowd.store_many(session, scale(50000), labels=[b"L"])
        asker = self.peer()
        asker.start(cancel_label(b"L"))
        eventually(lambda: peer.stats()["bulks_accepted"] == 1, what="the bulk cancel's acceptance")
        asker.cut()
        eventually(lambda: peer.op(count(state=pb.STATE_CANCELLING)).count == len(gens), what="its end")


if __name__ == "__main__":
    main()
