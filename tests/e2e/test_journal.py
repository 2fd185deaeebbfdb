# SPDX-License-Identifier: MIT
"""The journal from outside: what was answered comes back, a full disk is told, a damaged file refused."""
import os
import subprocess
import tempfile
import time
import unittest

from canceld_e2e import (PATIENCE, Case, FrameRefused, all_history, armed, cancel, delete, disarm,
                         eventually, get, main, pb, scale, store)

CLEAN = b"canceld clean stop of epoch"


def flip(path, at):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 0x10]))


class Journal(Case):
    def kept_daemon(self, *flags, **how):
        return self.daemon(*flags, ephemeral=False, **how)

    def refusal(self, daemon):
        """What a start that has to fail says."""
        done = subprocess.run(daemon.command("--listen", f"ipc://{daemon.ipc_path}2", *daemon.flags),
                              capture_output=True, timeout=20 * PATIENCE)
        self.assertEqual(done.returncode, 1, done)
        self.assertNotIn(b"ready", done.stdout)
        return done.stderr.decode()

    # ---- what comes back

    def test_answered_cancels_come_back_after_kill_9_with_cause_and_without_the_ended(self):
        daemon = self.kept_daemon()
        session, canceller = self.session(), self.peer()
        gens = [session.store(b"k%d" % i) for i in range(6)]
        for i in range(4):
            result = canceller.op(cancel(b"k%d" % i, text="because %d" % i))
            self.assertAnswer(result, "REQUESTED", journaled=True)
        self.assertAnswer(session.op(delete(b"k0", gens[0], pb.OUTCOME_CANCELLED)), "DELETED")
        daemon.restart()
        session = self.session()
        for i in range(1, 6):
            adopted = session.adopt(b"k%d" % i, gens[i])
            cancelled = i < 4
            self.assertEqual(adopted.state, pb.STATE_CANCELLING if cancelled else pb.STATE_LIVE)
            self.assertEqual(adopted.cause.text, b"because %d" % i if cancelled else b"")
        self.assertEqual({n.gen for n in session.notices()}, set(gens[1:4]))

    def test_armed_keys_come_back_used_and_disarmed_ones_do_not(self):
        daemon = self.kept_daemon()
        session, canceller = self.session(), self.peer()
        for key in (b"waits", b"used", b"disarmed"):
            self.assertAnswer(canceller.op(cancel(key, arm_ttl_ms=30000)), "ARMED", journaled=True)
        born = session.op(store(b"used"))
        self.assertAnswer(born, "BORN_CANCELLED")
        self.assertAnswer(canceller.op(disarm(b"disarmed")), "DISARMED")
        daemon.restart()
        session, canceller = self.session(), self.peer()
        self.assertEqual([entry.key for entry in canceller.op(armed()).armed], [b"waits"])
        self.assertEqual(session.adopt(b"used", born.gen).state, pb.STATE_CANCELLING)
        self.assertAnswer(session.op(store(b"disarmed")), "STORED")
        self.assertAnswer(session.op(store(b"waits")), "BORN_CANCELLED")

    def test_the_history_tells_who_why_and_how_it_ended_in_every_run(self):
        daemon = self.kept_daemon()
        session, canceller = self.session(), self.peer()
        before = time.time() * 1000
        for i in range(30):
            key = b"k%d" % (i % 3)
            gen = session.store(key)
            self.assertAnswer(canceller.op(cancel(key, text="why %d" % i)), "REQUESTED")
            self.assertAnswer(session.op(delete(key, gen, pb.OUTCOME_CANCELLED)), "DELETED")
        eventually(lambda: all(e.outcome for e in all_history(canceller, page_size=7)), what="the ends")
        daemon.restart()
        canceller = self.peer()
        found = all_history(canceller, page_size=7)
        self.assertEqual([e.cause.text for e in found], [b"why %d" % i for i in reversed(range(30))])
        for entry in found:
            self.assertEqual((entry.kind, entry.outcome, entry.by_owner),
                             (pb.HISTORY_CANCEL, pb.OUTCOME_CANCELLED, True))
            self.assertTrue(before - 1000 < entry.at_unix_ms < time.time() * 1000 + 1000)
        self.assertEqual(len(all_history(canceller, key=b"k1", page_size=4)), 10)
        self.assertEqual(all_history(canceller, namespace=b"empty"), [])

    def test_without_a_state_directory_there_is_no_journal(self):
        self.daemon()
        self.session().store(b"k")
        self.assertAnswer(self.peer().op(cancel(b"k")), "REQUESTED", journaled=False)
        result = self.peer().op(pb.Op(history=pb.History()))
        self.assertEqual(result.error.code, pb.ERROR_NO_JOURNAL)

    # ---- the stop

    def test_what_was_answered_before_sigterm_is_there_afterwards(self):
        daemon = self.kept_daemon("--sync", "power")
        session, canceller = self.session(), self.peer()
        gens = [session.store(b"k%d" % i) for i in range(scale(400))]
        for i in range(len(gens)):
            canceller.send(pb.Frame(version=1, ops=[cancel(b"k%d" % i)]))
        answered = canceller.receive(len(gens))
        self.assertAnswer(answered.results[0], "REQUESTED")
        self.assertEqual(daemon.stop(), 0)
        daemon.start()
        session = self.session()
        for i, gen in enumerate(gens):
            self.assertEqual(session.adopt(b"k%d" % i, gen).state, pb.STATE_CANCELLING)

    def test_only_an_idle_stop_spares_the_next_start_its_recovery(self):
        daemon = self.kept_daemon(recovery_ms=600000)
        mark = os.path.join(daemon.state_directory, "clean")
        self.assertAnswer(self.peer().op(cancel(b"k")), "NOT_FOUND")  # epoch 1
        self.assertEqual(daemon.stop(), 0)
        with open(mark, "rb") as file:
            self.assertTrue(file.read().startswith(CLEAN))
        daemon.start()
        self.assertFalse(os.path.exists(mark))
        self.assertAnswer(self.peer().op(cancel(b"k")), "NOT_FOUND")
        self.session().store(b"live")
        self.assertEqual(daemon.stop(), 0)
        self.assertFalse(os.path.exists(mark))
        daemon.start()
        self.assertAnswer(self.peer().op(cancel(b"k")), "RECOVERING")
        daemon.restart()
        self.assertAnswer(self.peer().op(cancel(b"k")), "RECOVERING")

    # ---- refusals

    def test_two_daemons_do_not_share_a_journal(self):
        daemon = self.kept_daemon()
        for _ in range(3):
            self.assertIn("another canceld (process %d)" % daemon.pid, self.refusal(daemon))
        self.assertTrue(self.peer().ping())
        daemon.restart()
        self.assertEqual(self.session().opened.epoch, 2)  # those three used none

    def test_a_damaged_journal_is_refused_with_a_way_out(self):
        daemon = self.kept_daemon()
        session, canceller = self.session(), self.peer()
        gen = session.store(b"k")
        self.assertAnswer(canceller.op(cancel(b"k", text="once")), "REQUESTED")
        daemon.kill()
        wal = os.path.join(daemon.state_directory, "journal.sqlite-wal")
        flip(wal, os.path.getsize(wal) - 4096 - 100)
        size = os.path.getsize(wal)
        self.assertIn("holds less than was kept", self.refusal(daemon))
        self.assertEqual(os.path.getsize(wal), size)
        flip(wal, os.path.getsize(wal) - 4096 - 100)  # the file brought back
        daemon.start()
        self.assertEqual(self.session().adopt(b"k", gen).cause.text, b"once")
        self.assertEqual(daemon.stop(), 0)
        flip(os.path.join(daemon.state_directory, "journal.sqlite"), 30)
        self.assertIn("journal.* away", self.refusal(daemon))
        for name in os.listdir(daemon.state_directory):
            if name.startswith("journal."):
                os.rename(os.path.join(daemon.state_directory, name),
                          os.path.join(daemon.directory, name))
        daemon.start()
        self.assertEqual(self.session().adopt(b"k", gen).state, pb.STATE_LIVE)

    # ---- a full disk

    def small_disk(self):
        directory = tempfile.mkdtemp(prefix="canceld-disk-")
        self.addCleanup(os.rmdir, directory)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", directory],
                                 capture_output=True)
        if mounted.returncode != 0:
            raise unittest.SkipTest("a small tmpfs needs root: " + mounted.stderr.decode().strip())
        self.addCleanup(subprocess.run, ["umount", directory], check=True)
        return directory

    def fill(self, path):
        with open(path, "wb", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(bytes(4096))
            except OSError:
                pass

    def test_on_a_full_disk_nothing_is_answered_that_is_not_kept(self):
        disk = self.small_disk()
        ballast = os.path.join(disk, "ballast")
        daemon = self.daemon("--state-dir", disk, ephemeral=None)
        session, canceller = self.session(), self.peer()
        gens = {b"k%d" % i: session.store(b"k%d" % i) for i in range(100)}
        kept, told = [], []
        for key in gens:
            if len(kept) == 40:
                self.fill(ballast)
            try:
                self.assertAnswer(canceller.op(cancel(key, text="why " * 50)), "REQUESTED")
                kept.append(key)
            except FrameRefused as refused:
                self.assertEqual(refused.code, pb.ERROR_JOURNAL)
                told.append(key)
                break
        self.assertEqual(len(told), 1)
        self.assertAnswer(canceller.op(cancel(b"k99")), "FULL", limit="journal")
        self.assertEqual(canceller.op(get(b"k99")).operations[0].state, pb.STATE_LIVE)
        self.assertIn(gens[told[0]], {n.gen for n in session.notices()})  # owners are told at once
        stats = canceller.stats()
        self.assertEqual(stats["journal_failing"], 1)
        self.assertGreater(stats["journal_failures"], 0)
        eventually(lambda: "the journal cannot keep" in daemon.log_text(), what="the operator's line")
        self.assertIn("database or disk is full (13)", daemon.log_text())
        self.assertNotIn("keeps again", daemon.log_text())
        os.unlink(ballast)
        eventually(lambda: canceller.op(cancel(b"k99")).answer == pb.ANSWER_REQUESTED, what="room")
        eventually(lambda: "the journal keeps again" in daemon.log_text(), what="the end of it")
        self.assertEqual(daemon.log_text().count("the journal "), 2)
        kept.append(b"k99")
        daemon.kill()
        daemon.start()
        session = self.session()
        for key in kept:
            self.assertEqual(session.adopt(key, gens[key]).state, pb.STATE_CANCELLING, key)
        self.assertEqual(session.adopt(b"k98", gens[b"k98"]).state, pb.STATE_LIVE)
        self.say(f"{len(kept)} cancels answered around a full disk, 0 lost; one told that it was not kept")

    def test_a_start_on_a_full_disk_is_refused(self):
        disk = self.small_disk()
        daemon = self.daemon("--state-dir", disk, ephemeral=None)
        daemon.kill()
        for name in ("journal.sqlite", "journal.sqlite-wal", "journal.mark"):
            path = os.path.join(disk, name)
            if os.path.exists(path):
                os.unlink(path)
        self.fill(os.path.join(disk, "ballast"))
        text = self.refusal(daemon)
        self.assertRegex(text, "cannot make|epoch cannot be made durable|cannot write")


if __name__ == "__main__":
    main()
