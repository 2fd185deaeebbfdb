# SPDX-License-Identifier: MIT
"""SIGSTOP for five ttls: of the daemon, and nobody loses anything; of an owner, and only that one does."""
import signal

from canceld_e2e import PATIENCE, Case, cancel, count, delete, elapse, eventually, main, over_both, pb, send_signal, wait

TTL_MS = 400 * PATIENCE
STOPPED_S = 5 * TTL_MS / 1000
OWNERS = 4
EACH = 5
STOPS = 2


class Stopped(Case):
    def renewers(self, **open_fields):
        """Owners that touch what they have three times a ttl: half over ipc, half over tcp."""
        owners = []
        for i in range(OWNERS):
            self.transport = ("ipc", "tcp")[i % 2]
            owner = self.owner(**open_fields)
            keyed = {b"%d-%d" % (i, n): owner.store(b"%d-%d" % (i, n), ttl_ms=TTL_MS, stop_grace_ms=60000,
                                                    on_expiry=n % 2 and pb.ON_EXPIRY_REAP)
                     for n in range(EACH)}
            owner.start("crowd", "renew", keyed, TTL_MS)
            owners.append((owner, keyed))
        return owners

    def is_stopped(self, pid):
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "T"

    def stop(self, process):
        send_signal(process, signal.SIGSTOP)
        eventually(lambda: self.is_stopped(process.pid), what="the stop")
        elapse(STOPPED_S, lambda: self.is_stopped(process.pid), "being stopped")
        process.send_signal(signal.SIGCONT)

    def all_live(self, peer):
        return peer.op(count(state=pb.STATE_LIVE)).count == OWNERS * EACH

    def test_of_the_daemon_and_no_live_owner_loses_anything(self):
        daemon = self.daemon("--limit-grace-ms", str(TTL_MS))
        owners, idle, peer = self.renewers(heartbeat_ms=100), self.owner(heartbeat_ms=100), self.peer(seconds=30)
        gen = idle.store(b"idle")
        self.assertAnswer(peer.op(cancel(b"early", arm_ttl_ms=1000)), "ARMED")
        for _ in range(STOPS):
            self.stop(daemon.process)
            elapse(3 * TTL_MS / 1000, lambda: peer.op(count(state=pb.STATE_CANCELLING)).count == 0,
                   "no expiry")
        touches, others = 0, []
        for owner, _ in owners:
            theirs = owner.finish()
            touches, others = touches + theirs[0], others + theirs[1]
        stats = peer.stats()
        self.say(f"stopped {STOPS} times for {STOPPED_S} s at a ttl of {TTL_MS} ms: {touches} touches, {len(others)} of "
                 f"them too late, {stats['ended_expired']} expiries, {stats['sessions_lost']} sessions lost")
        self.assertEqual((others, stats["ended_expired"], stats["sessions_lost"]), ([], 0, 0))
        self.assertAnswer(idle.op(delete(b"idle", gen)), "DELETED", cancelled=False)

    def test_of_an_owner_and_just_its_leases_expire(self):
        self.daemon()
        owners, peer = self.renewers(), self.peer(seconds=30)
        stopped, lost = owners[0]
        self.stop(stopped.process)
        for key, gen in lost.items():
            result = peer.op(wait(key, gen, until=pb.UNTIL_CANCELLING, deadline_ms=10000))
            self.assertIn(result.answer, (pb.ANSWER_CANCELLING, pb.ANSWER_ENDED))
        elapse(TTL_MS / 1000)
        _, others = stopped.finish()
        answers = {gen: {result.answer for result in others if result.gen == gen} for gen in lost.values()}
        for n, gen in enumerate(lost.values()):
            self.assertEqual(answers[gen], {pb.ANSWER_ENDED if n % 2 else pb.ANSWER_CANCELLING})
        for owner, keyed in owners[1:]:
            touches, others = owner.finish()
            self.assertEqual(others, [])
            self.assertGreaterEqual(touches, 5 * EACH)  # once a ttl at least: or they would have lost theirs
        stats = peer.stats()
        self.say(f"{len(lost)} leases of the stopped owner ended, {stats['ended_expired']} by REAP; none of the "
                 f"other {(OWNERS - 1) * EACH}")
        self.assertEqual(stats["ended_expired"], EACH // 2)
        self.assertEqual(stats["sessions_lost"], 0)


if __name__ == "__main__":
    main()
