# SPDX-License-Identifier: MIT
"""The journal cut at many positions and with flipped bits: the daemon starts with what was kept, or
refuses with a sentence; it never crashes, and never says what was not so."""
import os
import random
import shutil
import subprocess

import crowd
from canceld_e2e import (PATIENCE, SANITIZED, Case, Session, adopt, all_history, armed, cancel, cancel_label, main, pb,
                         store)

OPERATIONS = 60
CUTS, FLIPS = (8, 8) if SANITIZED else (22, 22)  # of each file, besides the edges
WAL, DB = "journal.sqlite-wal", "journal.sqlite"
WAL_HEADER, WAL_FRAME, PAGE = 32, 24 + 4096, 4096


class Damage(Case):
    def setUp(self):
        self.seed = int(os.environ.get("CANCELD_TEST_SEED", "0")) or random.SystemRandom().randrange(1 << 30)
        self.chance = random.Random(self.seed)
        self.outcomes = {}

    def prepare(self, end):
        """A state directory of a daemon that was killed, or stopped, with cancels kept for owners."""
        daemon = self.daemon(ephemeral=False)
        session, peer = self.session(), self.peer()
        self.gens = crowd.store_many(session, OPERATIONS)
        self.causes = {}
        for n in range(0, OPERATIONS, 2):
            text = b"cancel %d" % n
            self.assertAnswer(peer.op(cancel(crowd.DIGITS % n, text=text.decode())), "REQUESTED", journaled=True)
            self.causes[self.gens[n]] = text
        labelled = session.store(b"labelled", labels=[b"L"])
        self.assertAnswer(peer.op(cancel_label(b"L", text="bulk")), "REQUESTED", journaled=True)
        self.assertAnswer(peer.op(cancel(b"armed", text="arm", arm_ttl_ms=50000)), "ARMED", journaled=True)
        self.labelled = labelled
        self.history = {(entry.kind, entry.gen, entry.key, entry.cause.text) for entry in all_history(peer)}
        end(daemon)
        self.original = daemon.state_directory
        self.work = os.path.join(daemon.directory, "work")
        self.command = daemon.command("--listen", f"ipc://{daemon.directory}/w", "--state-dir", self.work,
                                      "--recovery", "0")
        self.at = f"ipc://{daemon.directory}/w"

    def look(self, what):
        """What the daemon has kept, after its start: compared with what was answered."""
        session = Session(self.at)
        told = {(entry.kind, entry.gen, entry.key, entry.cause.text) for entry in all_history(session)}
        self.assertTrue(told <= self.history, f"{what}: {told - self.history}")
        results = session.ops(*[adopt(crowd.DIGITS % n, gen) for n, gen in enumerate(self.gens)],
                              adopt(b"labelled", self.labelled, labels=[b"L"]))
        kept = 0
        for gen, result in zip([*self.gens, self.labelled], results):
            self.assertAnswer(result, "ADOPTED", gen=gen)
            if result.state == pb.STATE_CANCELLING:
                said = self.causes.get(gen) or (b"bulk" if gen == self.labelled else None)
                self.assertEqual((result.cause.text, result.cause.code), (said, pb.CAUSE_USER), what)
                kept += 1
        arms = session.op(armed()).armed
        self.assertIn([(arm.key, arm.cause.text) for arm in arms], ([], [(b"armed", b"arm")]), what)
        self.assertAnswer(session.op(store(b"goes on")), "STORED")
        self.assertAnswer(session.op(cancel(b"goes on")), "REQUESTED", journaled=True)
        session.close()
        return kept + len(arms)

    def attempt(self, name, what, damage):
        """One start with one damage; the name of how it went is counted."""
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.copytree(self.original, self.work)
        path = os.path.join(self.work, name)
        with open(path, "rb") as file:
            data = bytearray(file.read())
        data = damage(data)
        with open(path, "wb") as file:
            file.write(data)
        daemon = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE)
        try:
            ready = b"ready" in daemon.stdout.readline()
            if ready:
                expected = len(self.causes) + 2
                kept = self.look(what)
                outcome = "started with all" if kept == expected else "started with less"
                daemon.terminate()
            _, errors = daemon.communicate(timeout=20 * PATIENCE)
        finally:
            daemon.kill()
        if not ready:
            self.assertEqual(daemon.returncode, 1, f"{what}: {errors}")
            self.assertIn(self.work.encode(), errors, what)
            self.assertGreater(len(errors), 40, what)
            outcome = "refused"
        else:
            self.assertEqual(daemon.returncode, 0, f"{what}: {errors}")
        counts = self.outcomes.setdefault(what.split(" at ")[0], {})
        counts[outcome] = counts.get(outcome, 0) + 1
        return outcome

    def cut(self, name, position):
        self.attempt(name, f"{name} cut at {position}", lambda data: data[:position])

    def flip(self, name, position):
        def damage(data):
            data[position] ^= 1 << self.chance.randrange(8)
            return data
        return self.attempt(name, f"{name} flipped at {position}", damage)

    def positions(self, name, count, edges):
        size = os.path.getsize(os.path.join(self.original, name))
        some = [self.chance.randrange(size) for _ in range(count)]
        return sorted({position for position in [*edges, *some, size - 1] if 0 <= position < size})

    def damage_all(self, name, edges):
        for position in self.positions(name, CUTS, edges):
            self.cut(name, position)
        for position in self.positions(name, FLIPS, edges[1:]):
            self.flip(name, position)

    def report(self):
        self.attempt(DB, "nothing", lambda data: data)
        self.assertEqual(self.outcomes.pop("nothing"), {"started with all": 1})
        for what, counts in self.outcomes.items():
            self.say(f"seed {self.seed}: {what}: {counts}")

    def test_after_a_kill_with_the_log_and_the_file(self):
        self.prepare(lambda daemon: daemon.kill())
        last = WAL_HEADER + 3 * WAL_FRAME
        self.damage_all(WAL, [0, 1, WAL_HEADER - 1, WAL_HEADER, WAL_HEADER + WAL_FRAME, last - 1, last, last + 1])
        self.damage_all(DB, [0, 16, 100, PAGE - 1, PAGE])
        self.report()

    def test_after_a_stop_with_the_file_alone(self):
        self.prepare(lambda daemon: daemon.stop())
        self.assertFalse(os.path.exists(os.path.join(self.original, WAL)))
        self.damage_all(DB, [0, 16, 100, PAGE - 1, PAGE, 2 * PAGE])
        self.report()


if __name__ == "__main__":
    main()
