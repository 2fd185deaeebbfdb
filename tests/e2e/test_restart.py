# SPDX-License-Identifier: MIT
"""The daemon is killed in mid-flight and started again: owners adopt what they have, and what was
answered still holds."""
import time

import crowd
from canceld_e2e import (PATIENCE, adopt, all_history, armed, cancel, cancel_label, cancel_namespace, cancel_owner,
                         count, delete, detach, drain, eventually, get, history, main, over_both, page, pb,
                         persist, poll, store, touch, wait)

RECOVERY_MS = max(1000, 250 * PATIENCE)  # what a test does in it has to fit
STREAM = 3000


class Restarts:
    def journaled(self, recovery_ms=RECOVERY_MS, *flags):
        return self.daemon(*flags, ephemeral=False, recovery_ms=recovery_ms)

    def owner_again(self, **fields):
        """The session of an owner that comes back."""
        return self.session(client_name=b"owner", **fields)

    def assertCause(self, result, code, text):
        self.assertEqual((result.cause.code, result.cause.text), (code, text), result)

    def assertAdopted(self, session, key, gen, state, **fields):
        result = session.op(adopt(key, gen, **fields))
        self.assertAnswer(result, "ADOPTED", gen=gen, state=state)
        return result


@over_both
class Adopting(Restarts):
    def test_a_gen_that_no_daemon_gave_is_not_adopted_and_cannot_spoil_the_journal(self):
        daemon = self.journaled()
        session = self.session()
        for gen in (1, (1 << 40) - 1):
            result = session.op(adopt(b"k", gen, ttl_ms=60000))
            self.assertAnswer(result, "ERROR")
            self.assertEqual(result.error.field, "gen")
        persist(self.peer(), cancel_namespace())
        daemon.restart()  # a journal with such a gen in it is taken for a damaged one
        self.assertTrue(self.peer().ping())

    def test_owners_adopt_their_gens_and_an_old_epochs_delete_is_recognised(self):
        daemon = self.journaled()
        owner = self.owner()
        gens = [owner.store(b"k%d" % n, labels=[b"L"], meta=b"m") for n in range(20)]
        daemon.restart()
        again, other, peer = self.owner_again(), self.session(), self.peer()
        for n, gen in enumerate(gens[:10]):
            self.assertAdopted(again, b"k%d" % n, gen, pb.STATE_LIVE, labels=[b"L"], meta=b"m")
        self.assertAdopted(again, b"k0", gens[0], pb.STATE_LIVE)
        self.assertAnswer(other.op(adopt(b"k0", gens[0])), "EXISTS", gen=gens[0])
        self.assertAnswer(again.op(adopt(b"k0", again.store(b"new") + 1)), "STALE_EPOCH")
        self.assertGreater(again.store(b"k0", policy=pb.POLICY_JOIN) >> 40, gens[0] >> 40)
        self.assertAnswer(again.op(delete(b"k1", gens[1])), "DELETED", by_owner=True, cancelled=False)
        self.assertAnswer(again.op(adopt(b"k1", gens[1])), "ENDED", outcome=pb.OUTCOME_COMPLETED)
        self.assertAnswer(peer.op(cancel(b"k1", gens[1])), "FINISHED", outcome=pb.OUTCOME_COMPLETED)
        self.assertAnswer(peer.op(cancel(b"k2", gens[2], text="new")), "REQUESTED")
        self.assertEqual([n.gen for n in again.notices()], [gens[2]])
        self.assertAnswer(again.op(delete(b"k2", gens[2])), "DELETED", cancelled=True)
        self.assertAnswer(again.op(delete(b"k15", gens[15])), "RECOVERING")
        self.assertAnswer(persist(again, delete(b"k15", gens[15])), "NOT_FOUND")
        found = peer.op(page(labels=[b"L"])).operations
        self.assertEqual({operation.gen for operation in found}, set(gens[:10]) - {gens[1], gens[2]})

    def test_in_the_recovery_time_what_is_not_there_may_still_come(self):
        daemon = self.journaled()
        owner = self.owner()
        gen, other = owner.store(b"gone"), owner.store(b"here")
        daemon.restart()
        again, peer = self.owner_again(), self.peer()
        self.assertAdopted(again, b"here", other, pb.STATE_LIVE)
        ops = [cancel(b"gone"), cancel(b"gone", gen), cancel(b"gone", arm_ttl_ms=5000),
               cancel(b"here", gen), delete(b"gone", gen), touch(b"gone", gen, 1000), wait(b"gone", gen, deadline_ms=10),
               wait(b"gone", deadline_ms=10), get(b"gone"), get(b"gone", gen), detach(b"gone", gen),
               store(b"child", parent=gen)]
        for op in ops:
            result = again.op(op)
            self.assertAnswer(result, "RECOVERING")
            self.assertTrue(0 < result.retry_ms <= 200, result)
        self.assertEqual((len(peer.op(armed()).armed), peer.op(count()).count), (0, 1))
        self.assertAnswer(again.op(store(b"fresh")), "STORED")
        self.assertAnswer(again.op(delete(b"gone", 1 << 62)), "STALE_EPOCH")
        for op in ops:
            self.assertIn(pb.Answer.Name(persist(again, op).answer)[7:],
                          ("NOT_FOUND", "PARENT_NOT_FOUND", "ARMED", "STALE_GEN"))

    def test_a_cancel_of_the_recovery_time_covers_what_is_adopted_after_it(self):
        daemon = self.journaled()
        owner = self.owner()
        joined = [owner.store(b"j", policy=pb.POLICY_JOIN) for _ in range(2)]
        labelled = owner.store(b"l", labels=[b"L"])
        drained = owner.store(b"d", namespace=b"drained")
        daemon.restart()
        again, peer, drainer = self.owner_again(), self.peer(), self.canceller()
        self.assertAdopted(again, b"j", joined[1], pb.STATE_LIVE, policy=pb.POLICY_JOIN)
        self.assertAnswer(peer.op(cancel(b"j", text="key")), "REQUESTED")
        self.assertAnswer(peer.op(cancel_label(b"L", text="label")), "NOT_FOUND")
        begin = time.monotonic()
        drainer.start("op", drain(namespace=b"drained", deadline_ms=20000))
        eventually(lambda: peer.stats()["drains_waiting"] == 1, what="the drain")
        self.assertCause(self.assertAdopted(again, b"j", joined[0], pb.STATE_CANCELLING,
                                            policy=pb.POLICY_JOIN), pb.CAUSE_USER, b"key")
        self.assertCause(self.assertAdopted(again, b"l", labelled, pb.STATE_CANCELLING, labels=[b"L"]),
                         pb.CAUSE_USER, b"label")
        self.assertCause(self.assertAdopted(again, b"d", drained, pb.STATE_CANCELLING,
                                            namespace=b"drained"), pb.CAUSE_SHUTDOWN, b"")
        again.op(delete(b"d", drained, namespace=b"drained"))
        self.assertAnswer(drainer.result(), "DRAINED")
        self.assertGreater(time.monotonic() - begin, RECOVERY_MS / 4000)

    def test_a_stop_with_nothing_live_needs_no_recovery_and_one_with_something_does(self):
        daemon = self.journaled()
        owner = self.session()
        owner.op(delete(b"k", owner.store(b"k")))
        self.assertEqual(daemon.stop(), 0)
        daemon.start()
        self.assertAnswer(self.peer().op(cancel(b"k")), "NOT_FOUND")
        gen = self.session().store(b"k")
        self.assertEqual(daemon.stop(), 0)
        daemon.start()
        self.assertAnswer(self.peer().op(cancel(b"k")), "RECOVERING")
        self.assertAdopted(self.owner_again(), b"k", gen, pb.STATE_LIVE)
        daemon.restart()
        self.assertAnswer(self.peer().op(cancel(b"k")), "RECOVERING")

    def test_a_finish_that_is_repeated_after_the_end_was_kept_is_told_of_its_cancel_again(self):
        daemon = self.journaled()
        owner, peer = self.session(), self.peer()
        gen = owner.store(b"k")
        self.assertAnswer(peer.op(cancel(b"k", text="why")), "REQUESTED", journaled=True)
        self.assertAnswer(owner.op(delete(b"k", gen)), "DELETED", cancelled=True)
        eventually(lambda: all_history(peer)[0].outcome, what="the end in the journal")
        daemon.restart()  # let it be that the owner had no answer
        stats = self.peer().stats()
        self.assertEqual((stats["recovered"], stats["recovered_finished"]), (0, 1))
        self.assertEqual(daemon.stop(), 0)
        daemon.start()  # nobody waits for it, so this one needs no recovery
        self.assertAnswer(self.peer().op(cancel(b"k")), "NOT_FOUND")
        again = self.owner_again()
        self.assertCause(self.assertAdopted(again, b"k", gen, pb.STATE_CANCELLING), pb.CAUSE_USER, b"why")
        result = again.op(delete(b"k", gen))
        self.assertAnswer(result, "DELETED", by_owner=True, cancelled=True)
        self.assertCause(result, pb.CAUSE_USER, b"why")
        (entry,) = all_history(self.peer())
        self.assertEqual((entry.gen, entry.cause.text), (gen, b"why"))


@over_both
class Kept(Restarts):
    def test_what_was_answered_of_cancels_comes_back(self):
        daemon = self.journaled()
        owner, canceller = self.owner(), self.canceller()
        number = owner.call("session_number")
        gens = {key: owner.store(key, **fields) for key, fields in (
            (b"key", {}), (b"label", {"labels": [b"L"]}), (b"live", {}), (b"parent", {}),
            (b"session", {"namespace": b"s"}), (b"all", {"namespace": b"a"}))}
        child = owner.store(b"child", parent=gens[b"parent"])
        for op in (cancel(b"key", gens[b"key"], text="by key"), cancel(b"parent", text="by parent"),
                   cancel_label(b"L", text="by label"), cancel_namespace(b"a", text="by namespace"),
                   cancel_owner(number, text="by session", namespace=b"s")):
            self.assertAnswer(canceller.op(op), "REQUESTED", journaled=True)
        self.assertAnswer(canceller.op(cancel(b"key", text="second")), "ALREADY_REQUESTED", journaled=True)
        for _ in range(2):
            daemon.restart()
            again = self.owner_again()
            came = again.op(adopt(b"child", child, parent=gens[b"parent"]))
            self.assertAnswer(came, "ADOPTED", state=pb.STATE_CANCELLING)
            self.assertCause(came, pb.CAUSE_PARENT, b"by parent")
            for key, name, text in ((b"key", b"", b"by key"), (b"label", b"", b"by label"),
                                    (b"session", b"s", b"by session"), (b"all", b"a", b"by namespace"),
                                    (b"parent", b"", b"by parent")):
                result = self.assertAdopted(
                    again, key, gens[key], pb.STATE_CANCELLING, namespace=name, previous_session=number,
                    labels=[b"L"] if key == b"label" else [],
                    cause=pb.Cause(code=pb.CAUSE_USER, text=b"the owner's"))
                self.assertCause(result, pb.CAUSE_USER, text)
                self.assertTrue(result.cause.peer)
            self.assertAdopted(again, b"live", gens[b"live"], pb.STATE_LIVE)
            told = {notice.gen for notice in again.notices()}
            self.assertEqual(told, {child, *gens.values()} - {gens[b"live"]})

    def test_arms_come_back_unless_used_disarmed_or_over(self):
        daemon = self.journaled()
        owner, peer = self.session(), self.peer()
        for key, arm_ms in ((b"armed", 20000), (b"used", 20000), (b"disarmed", 20000), (b"lapsed", 200)):
            self.assertAnswer(peer.op(cancel(key, text="early", arm_ttl_ms=arm_ms)), "ARMED", journaled=True)
        used = owner.op(store(b"used"))
        self.assertAnswer(used, "BORN_CANCELLED")
        owner.op(delete(b"used", used.gen))
        self.assertAnswer(peer.op(pb.Op(disarm=pb.Disarm(key=b"disarmed"))), "DISARMED")
        eventually(lambda: peer.stats()["armed_lapsed"] == 1, what="the lapse")
        owner.store(b"after it")  # nobody is answered of a lapse: what is kept later says that it is, too
        self.assertAnswer(peer.op(cancel(b"after it")), "REQUESTED", journaled=True)
        daemon.restart()
        owner, peer = self.session(), self.peer()
        self.assertEqual([entry.key for entry in peer.op(armed()).armed], [b"armed"])
        for key in (b"used", b"disarmed", b"lapsed"):
            self.assertAnswer(owner.op(store(key)), "STORED")
        born = owner.op(store(b"armed"))
        self.assertAnswer(born, "BORN_CANCELLED")
        self.assertCause(born, pb.CAUSE_USER, b"early")
        daemon.restart()
        again = self.owner_again()
        self.assertCause(self.assertAdopted(again, b"armed", born.gen, pb.STATE_CANCELLING),
                         pb.CAUSE_USER, b"early")
        self.assertEqual(len(self.peer().op(armed()).armed), 0)

    def test_cancels_and_finishes_under_way_are_repeated_and_true(self):
        daemon = self.journaled()
        owner, canceller = self.owner(), self.canceller()
        gen, finishing = owner.store(b"k"), owner.store(b"finishing")
        canceller.start("op", cancel(b"k", gen, text="why", level=pb.LEVEL_STOPPED, deadline_ms=20000))
        self.assertEqual(owner.op(poll(wait_ms=5000)).notices[0].gen, gen)
        self.assertAnswer(self.peer().op(cancel(b"k", gen)), "ALREADY_REQUESTED", journaled=True)
        daemon.kill()
        with self.assertRaises(OSError):
            canceller.result()
        daemon.start()
        peer, again = self.peer(seconds=20), self.owner_again()
        repeated = cancel(b"k", gen, text="why", level=pb.LEVEL_STOPPED, deadline_ms=20000)
        self.assertAnswer(peer.op(repeated), "RECOVERING")
        self.assertAdopted(again, b"k", gen, pb.STATE_CANCELLING)
        self.assertAdopted(again, b"finishing", finishing, pb.STATE_LIVE)
        number = peer.start(repeated)
        eventually(lambda: self.peer().stats()["parked"] == 1, what="the repeated cancel")
        self.assertAnswer(again.op(delete(b"k", gen, pb.OUTCOME_CANCELLED)), "DELETED", cancelled=True)
        self.assertAnswer(peer.result_of(number), "ALREADY_REQUESTED", level=pb.LEVEL_STOPPED)
        self.assertAnswer(again.op(delete(b"finishing", finishing)), "DELETED", cancelled=False)

    def test_a_stream_of_cancels_cut_by_kill_9_loses_none_that_was_answered(self):
        daemon = self.journaled(5000)
        owner, canceller, peer = self.session(), self.canceller(), self.peer()
        gens = crowd.store_many(owner, STREAM)
        keyed = [(crowd.DIGITS % n, gen) for n, gen in enumerate(gens)]
        more = {"cause": pb.Cause(code=pb.CAUSE_POLICY, text=b"stream")}
        canceller.start("crowd", "cancel_stream", keyed, more)
        eventually(lambda: peer.op(count(state=pb.STATE_CANCELLING)).count > 500, what="the stream")
        daemon.kill()
        answered = canceller.result()
        self.assertEqual({result.answer for result in answered.values()}, {pb.ANSWER_REQUESTED})
        daemon.start()
        again = self.owner_again()
        states = {}
        for numbers in crowd.ranges(STREAM):
            for result in again.ops(*[adopt(*keyed[n]) for n in numbers]):
                states[result.gen] = result
        lost = [gen for gen in answered if states[gen].state != pb.STATE_CANCELLING]
        kept = [result for result in states.values() if result.state == pb.STATE_CANCELLING]
        self.say(f"{len(answered)} of {STREAM} cancels answered before kill -9, {len(kept)} kept, {len(lost)} lost")
        self.assertEqual(lost, [])
        self.assertEqual({(r.cause.code, r.cause.text) for r in kept}, {(pb.CAUSE_POLICY, b"stream")})

    def test_the_history_is_there_after_a_restart(self):
        daemon = self.journaled(0)
        owner, peer = self.session(), self.peer()
        gen = owner.store(b"stopped")
        peer.op(cancel(b"stopped", text="why"))
        owner.acknowledge(owner.notices())
        owner.op(delete(b"stopped", gen, pb.OUTCOME_CANCELLED))
        owner.store(b"left", labels=[b"L"])
        peer.op(cancel_label(b"L", text="bulk"))
        peer.op(cancel(b"early", text="armed", arm_ttl_ms=20000))
        before = all_history(peer)
        daemon.restart()
        entries = all_history(self.peer())
        self.assertEqual(entries, before)
        self.assertEqual([(entry.kind, entry.cause.text) for entry in entries], [
            (pb.HISTORY_ARM, b"armed"), (pb.HISTORY_BULK, b"bulk"), (pb.HISTORY_CANCEL, b"why")])
        told = entries[2]
        self.assertEqual((told.gen, told.outcome, told.by_owner, told.delivered),
                         (gen, pb.OUTCOME_CANCELLED, True, True))
        self.assertTrue(told.delivered_after_ms <= told.ended_after_ms < 60000 * PATIENCE)
        self.assertLess(abs(told.at_unix_ms / 1000 - time.time()), 60)
        self.assertEqual((entries[1].label, entries[1].requested), (b"L", 1))
        self.assertEqual(len(self.peer().op(history(page_size=1)).history), 1)
        self.assertEqual([entry.key for entry in all_history(self.peer(), key=b"early")], [b"early"])


if __name__ == "__main__":
    main()
