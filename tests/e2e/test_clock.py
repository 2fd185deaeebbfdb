# SPDX-License-Identifier: MIT
"""The wall clock of the daemon, moved by ten years while it runs and over restarts (wall_clock.c,
preloaded: this machine's own clock stays as it is): leases, arms, epochs and the journal do not care."""
import os
import shutil
import struct
import tempfile
import time

from canceld_e2e import (PATIENCE, PROGRAMS, all_history, armed, cancel, count, delete, elapse, main, over_both, pb,
                         store, wait)

TEN_YEARS_S = 10 * 365 * 86400
TTL_MS = 400 * PATIENCE
ROUNDS = (TEN_YEARS_S, -TEN_YEARS_S, 0)


@over_both
class Clock:
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="canceld-e2e-")
        self.addCleanup(shutil.rmtree, self.directory)
        self.file = os.path.join(self.directory, "moved")
        self.move(0)

    def move(self, seconds):
        """In place: the daemon has the file mapped."""
        fd = os.open(self.file, os.O_WRONLY | os.O_CREAT)
        os.pwrite(fd, struct.pack("=q", seconds), 0)
        os.close(fd)

    def clocked(self, *flags, **how):
        shim = os.path.join(PROGRAMS, "libwall_clock.so")
        sanitizer = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        return self.daemon(*flags, environment={"LD_PRELOAD": shim, "WALL_CLOCK_FILE": self.file,
                                                "ASAN_OPTIONS": sanitizer}, **how)

    def renewer(self):
        owner = self.owner(heartbeat_ms=100)
        keyed = {b"renewed%d" % n: owner.store(b"renewed%d" % n, ttl_ms=TTL_MS) for n in range(5)}
        owner.start("crowd", "renew", keyed, TTL_MS)
        return owner

    def test_while_it_runs(self):
        self.clocked("--limit-finished-ms", str(150 * TTL_MS), ephemeral=False)  # an arm lasts no longer
        owner, idle, peer, waiter = self.renewer(), self.owner(), self.peer(), self.canceller()
        gen = idle.store(b"idle", ttl_ms=150 * TTL_MS)
        peer.op(cancel(b"armed", arm_ttl_ms=125 * TTL_MS))
        for seconds in ROUNDS:
            began = time.monotonic()
            waiter.start("op", wait(b"idle", gen, deadline_ms=500))
            self.move(seconds)
            peer.op(cancel(b"moved%d" % seconds, arm_ttl_ms=125 * TTL_MS))
            told = all_history(peer)[0].at_unix_ms / 1000
            self.assertLess(abs(told - time.time() - seconds), 60, "the clock was not moved")
            elapse(3 * TTL_MS / 1000, lambda: peer.op(count(state=pb.STATE_LIVE)).count == 6, "no expiry")
            self.assertAnswer(waiter.result(), "TIMED_OUT")
            self.assertGreaterEqual(time.monotonic() - began, 0.5)
        touches, others = owner.finish()
        stats = peer.stats()
        self.say(f"moved to {ROUNDS} s: {touches} touches, {len(others)} too late, {stats['ended_expired']} expiries, "
                 f"{stats['sessions_lost']} sessions lost, {stats['armed_lapsed']} arms lapsed")
        self.assertEqual((others, stats["ended_expired"], stats["sessions_lost"], stats["armed_lapsed"]),
                         ([], 0, 0, 0))
        self.assertAnswer(idle.op(store(b"armed")), "BORN_CANCELLED")

    def test_over_restarts(self):
        daemon = self.clocked(ephemeral=False)
        session, peer = self.session(), self.peer()
        keyed = {b"k%d" % n: session.store(b"k%d" % n) for n in range(20)}
        for key in keyed:
            self.assertAnswer(peer.op(cancel(key, text=key.decode())), "REQUESTED", journaled=True)
        self.assertAnswer(peer.op(cancel(b"armed", arm_ttl_ms=50000)), "ARMED", journaled=True)
        epochs, gens = [session.opened.epoch], []
        for seconds in ROUNDS:
            self.move(seconds)
            daemon.restart()
            again, peer = self.session(), self.peer()
            epochs.append(again.opened.epoch)
            for key, gen in keyed.items():
                result = again.adopt(key, gen)
                self.assertEqual((result.state, result.cause.text), (pb.STATE_CANCELLING, key))
            self.assertEqual([arm.key for arm in peer.op(armed()).armed], [b"armed"])
            self.assertEqual(len(all_history(peer)), len(keyed) + 1)
            gens.append(again.store(b"new%d" % len(gens)))
            self.assertGreater(gens[-1], max(keyed.values()))
        self.say(f"started at {ROUNDS} s: epochs {epochs}, {len(keyed)} cancels and an arm kept each time")
        self.assertEqual(epochs, list(range(epochs[0], epochs[0] + len(epochs))))
        self.assertEqual(gens, sorted(set(gens)))
        self.assertAnswer(again.op(delete(b"k0", keyed[b"k0"])), "DELETED", cancelled=True)


if __name__ == "__main__":
    main()
