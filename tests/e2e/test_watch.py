# SPDX-License-Identifier: MIT
"""Watchers: what they are told is what happened; who is too slow gets a gap, and costs no memory."""
import crowd
from canceld_e2e import (MIB, SANITIZED, Watcher, adopt, all_operations, cancel, cancel_namespace, count, delete,
                         eventually, main, over_both, pb, store, watch)

FLOOD = 160000     # events; the daemon keeps 65,536
UNREAD = (10, 300)  # requests of watchers that do not read; the second one is cut off for it
CHURN_OWNERS = 2


@over_both
class Events:
    def told(self, watcher):
        """The events since the last look, in short."""
        events, watcher.events = watcher.events, []
        return [(event.key, pb.State.Name(event.state)[6:], event.cause.text) for event in events]

    def test_each_store_state_change_and_end_is_an_event_of_its_namespace(self):
        self.daemon()
        owner, canceller, watcher = self.owner(), self.canceller(), Watcher(self.peer())
        before = owner.store(b"before")
        self.assertEqual(watcher.follow(), {(b"before", before): pb.STATE_LIVE})
        self.assertEqual((watcher.snapshots, watcher.follow(100)), (1, watcher.live))
        gen = owner.store(b"k")
        owner.store(b"k", namespace=b"elsewhere")
        canceller.op(cancel(b"k", text="why"))
        canceller.op(cancel(b"k", text="again"))
        owner.op(delete(b"k", gen, pb.OUTCOME_FAILED))
        canceller.op(cancel(b"early", arm_ttl_ms=10000))
        owner.op(store(b"early"))
        owner.op(store(b"before", policy=pb.POLICY_SUPERSEDE))
        watcher.follow()
        ended = [event for event in watcher.events if event.state == pb.STATE_ENDED]
        self.assertEqual([event.outcome for event in ended], [pb.OUTCOME_FAILED])
        self.assertEqual(self.told(watcher), [
            (b"k", "LIVE", b""), (b"k", "CANCELLING", b"why"), (b"k", "ENDED", b"why"),
            (b"early", "LIVE", b""), (b"early", "CANCELLING", b""),
            (b"before", "CANCELLING", b""), (b"before", "LIVE", b"")])
        self.assertEqual(watcher.snapshots, 1)

    def test_a_parked_watch_is_answered_by_the_event_and_an_empty_one_after_its_time(self):
        self.daemon()
        owner, watcher, remote = self.owner(), Watcher(self.peer()), self.canceller()
        watcher.follow()
        remote.start("op", watcher.request(20000))
        owner.store(b"elsewhere", namespace=b"elsewhere")
        owner.store(b"k")
        result = remote.result()
        self.assertAnswer(result, "EVENTS")
        self.assertEqual([event.key for event in result.events], [b"k"])
        watcher.take(result)
        result = remote.op(watcher.request(200))
        self.assertAnswer(result, "EVENTS")
        self.assertEqual(len(result.events), 0)

    def test_a_watcher_resumes_by_revision_over_a_new_connection(self):
        self.daemon()
        owner, watcher = self.owner(), Watcher(self.peer())
        watcher.follow()
        for n in range(50):
            owner.store(b"before%d" % n)
        watcher.follow()
        watcher.asker.cut()
        gens = [owner.store(b"k%d" % n) for n in range(2000)]
        owner.op(delete(b"k0", gens[0]))
        watcher.asker = self.peer()
        watcher.follow()
        self.assertEqual(watcher.snapshots, 1, "no gap")
        self.assertEqual(len(watcher.events), 50 + 2000 + 1)
        self.assertEqual(set(watcher.live), {(o.key, o.gen) for o in all_operations(self.peer())})

    def test_a_restart_is_a_gap(self):
        daemon = self.daemon(ephemeral=False)
        owner, watcher = self.owner(), Watcher(self.peer())
        gen = owner.store(b"k")
        watcher.follow()
        epoch = watcher.epoch
        daemon.restart()
        again = self.owner()
        again.op(adopt(b"k", gen))
        again.store(b"other")
        watcher.asker = self.peer()
        self.assertEqual({key for key, _ in watcher.follow()}, {b"k", b"other"})
        self.assertEqual((watcher.snapshots, watcher.epoch), (2, epoch + 1))
        result = self.peer().op(watch(epoch, watcher.revision))
        self.assertAnswer(result, "SNAPSHOT", epoch=epoch + 1)

    def test_through_churn_and_bulk_cancels_a_watcher_knows_what_there_is(self):
        self.daemon()
        owners, canceller, watcher = [self.owner() for _ in range(CHURN_OWNERS)], self.peer(), Watcher(self.peer())
        watcher.follow()
        for i, owner in enumerate(owners):
            owner.start("crowd", "churn", i, i * 10000000, {})
        for _ in range(5):
            eventually(lambda: canceller.op(count(state=pb.STATE_LIVE)).count > 1000)
            canceller.op(cancel_namespace())
            watcher.follow(1000)
        seen = [entry for owner in owners for entry in owner.finish()]
        self.session().store(b"last")
        while (b"last" not in {key for key, _ in watcher.live}):
            watcher.follow(1000)
        self.assertEqual([key for key, _ in watcher.live], [b"last"])
        self.say(f"{len(watcher.events)} events of {len(seen)} operations, {watcher.snapshots - 1} gaps")
        if watcher.snapshots == 1:
            told = {event.gen for event in watcher.events if event.state == pb.STATE_CANCELLING}
            self.assertEqual(told, {gen for gen, _, _, cancelled in seen if cancelled})
            self.assertEqual(len(watcher.events), 2 * len(seen) + len(told) + 1)


@over_both
class Slow:
    def flood(self, events):
        """So many events, of operations that are gone afterwards."""
        session = self.session()
        for _ in range(events // 20000):
            crowd.delete_many(session, crowd.store_many(session, 10000))

    def assertGap(self, watcher):
        """It is told once, by a snapshot, and the watcher knows everything again."""
        snapshots = watcher.snapshots
        session = self.session()
        gen = session.store(b"still there")
        self.assertEqual(watcher.follow(), {(b"still there", gen): pb.STATE_LIVE})
        session.op(delete(b"still there", gen))
        self.assertEqual(watcher.snapshots, snapshots + 1)

    def test_one_that_does_not_read_gets_a_gap_and_the_daemons_memory_stays_bounded(self):
        daemon = self.daemon("--limit-finished", "1000", "--limit-watch-bytes", str(4 * MIB))
        Watcher(self.peer()).follow()  # from now on events are kept
        self.flood(FLOOD)  # fills their ring, which is part of the base
        base, most = daemon.rss(), 0
        for unread in UNREAD:
            watcher, slow = Watcher(self.peer()), self.peer()
            watcher.follow()
            pending = [slow.start(watcher.request(20000)) for _ in range(unread)]
            eventually(lambda: self.peer().stats()["parked"] == unread, what="the watches being parked")
            self.flood(FLOOD)
            most = max(most, daemon.rss() - base)
            replies = self.replies(slow, pending)
            self.assertEqual(len(replies), unread if unread == UNREAD[0] else len(replies))
            for result in replies:
                self.assertAnswer(result, "EVENTS")
                self.assertEqual(result.events[0].revision, watcher.revision + 1)
            if replies:
                watcher.take(replies[-1])
            self.assertGap(watcher)
        stats = self.peer().stats()
        self.say(f"{FLOOD} events past {UNREAD} watches that were not read: RSS {base >> 10} KiB, grown by "
                 f"{most >> 10} KiB; {stats['watch_gaps']} gaps")
        self.assertGreater(stats["watch_gaps"], 0)
        if not SANITIZED:
            self.assertLess(most, 4 * MIB)

    def replies(self, peer, pending):
        """Those that it can still read: whoever leaves too much unread is cut off."""
        results = []
        try:
            for number in pending:
                results.append(peer.result_of(number))
        except ConnectionError:
            self.assertGreater(len(pending), UNREAD[0])
        return results

    def test_one_that_is_behind_asks_again_and_the_bounds_are_those_of_the_flags(self):
        self.daemon("--limit-watch-events", "100")
        session, watcher = self.session(), Watcher(self.peer())
        watcher.follow()
        crowd.store_many(session, 100)
        watcher.follow()
        self.assertEqual((watcher.snapshots, len(watcher.events)), (1, 100))
        gens = crowd.store_many(session, 101, 1000)
        watcher.follow()
        self.assertEqual((watcher.snapshots, len(watcher.live)), (2, 201))
        crowd.delete_many(session, gens[:100], 1000)
        self.assertEqual(len(watcher.follow()), 101)
        self.assertEqual(watcher.snapshots, 2)
        self.assertGap2(session, watcher)

    def assertGap2(self, session, watcher):
        """A snapshot of many pages, while what it is of changes."""
        crowd.store_many(session, 5000, 10000)
        watcher.take(watcher.asker.op(watcher.request()))
        self.assertTrue(watcher.cursor, "a snapshot of one page")
        gen = session.store(b"meanwhile")
        session.op(delete(b"meanwhile", gen))
        session.store(b"new")
        watcher.follow()
        self.assertEqual(set(watcher.live), {(o.key, o.gen) for o in all_operations(self.peer())})


if __name__ == "__main__":
    main()
