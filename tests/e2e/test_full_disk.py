# SPDX-License-Identifier: MIT
"""A disk without room (a small tmpfs, which only root can mount): what cannot be kept is not
acknowledged, what was acknowledged is there after kill -9, and with room again all goes on."""
import os
import shutil
import subprocess
import tempfile
import unittest

import crowd
from canceld_e2e import (FrameRefused, adopt, armed, cancel, cancel_label, delete, eventually, get, main, over_both,
                         pb, store)

DISK_BYTES = 8 << 20
OPERATIONS = 2000
AT_ONCE = 7
REFUSALS = 100  # in a row, before the disk counts as full


def can_mount():
    """Root may still not: in a container, say."""
    if os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory(prefix="canceld-e2e-") as directory:
        if subprocess.run(["mount", "-t", "tmpfs", "none", directory], capture_output=True).returncode != 0:
            return False
        return subprocess.run(["umount", directory]).returncode == 0


@over_both
@unittest.skipUnless(can_mount(), "needs root, to mount a small tmpfs")
class FullDisk:
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="canceld-e2e-")
        self.addCleanup(shutil.rmtree, self.directory)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", self.directory], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.directory], check=True)
        self.filler = os.path.join(self.directory, "filler")
        self.running = self.daemon("--state-dir", os.path.join(self.directory, "state"), ephemeral=None)

    def fill(self, room_bytes=0):
        with open(self.filler, "ab", buffering=0) as file:
            for size in (1 << 16, 512):
                try:
                    while True:
                        file.write(b"f" * size)
                except OSError:
                    pass
            file.truncate(file.tell() - room_bytes)

    def make_room(self):
        os.unlink(self.filler)

    def ask(self, asker, op):
        return self.answer_of(asker, asker.start(op))

    def answer_of(self, asker, pending):
        """The answer's name; where a frame is refused, the error's."""
        try:
            result = asker.result_of(pending)
        except FrameRefused as refused:
            return pb.ErrorCode.Name(refused.code)
        if result.answer == pb.ANSWER_FULL:
            self.assertEqual(result.limit, "journal")
        elif result.answer in (pb.ANSWER_REQUESTED, pb.ANSWER_ALREADY_REQUESTED, pb.ANSWER_ARMED):
            self.assertTrue(result.journaled, result)
        return pb.Answer.Name(result.answer)

    def cancel_until_full(self, peer, gens):
        """The gens by their answer, from the first to where nothing is taken any more; some at a time."""
        answers, refusals = {}, 0
        for begin in range(0, len(gens), AT_ONCE):
            pending = [(gen, peer.start(cancel(crowd.DIGITS % n, gen, text="kept" * 20)))
                       for n, gen in enumerate(gens[begin:begin + AT_ONCE], begin)]
            for gen, sent in pending:
                answer = self.answer_of(peer, sent)
                answers.setdefault(answer, []).append(gen)
                refusals = 0 if answer == "ANSWER_REQUESTED" else refusals + 1
            if refusals >= REFUSALS:
                return answers, begin + len(pending)
        self.fail(f"the disk is full, and {OPERATIONS} cancels were taken")

    def count_of(self, answers):
        return {answer.split("_", 1)[1]: len(gens) for answer, gens in answers.items()}

    def test_nothing_is_acknowledged_that_is_not_there_after_kill_9_and_a_start(self):
        daemon = self.running
        session, peer = self.session(), self.peer()
        gens = crowd.store_many(session, OPERATIONS)
        self.assertEqual(self.ask(peer, cancel(b"early", arm_ttl_ms=50000)), "ANSWER_ARMED")
        session.store(b"labelled", labels=[b"L"])
        self.fill(1 << 20)
        answers, asked = self.cancel_until_full(peer, gens)
        self.assertTrue(answers["ANSWER_REQUESTED"] and answers["ANSWER_FULL"])
        self.assertLessEqual(set(answers), {"ANSWER_REQUESTED", "ANSWER_FULL", "ERROR_JOURNAL"})
        for gen in answers.get("ANSWER_FULL", []):
            key = crowd.DIGITS % gens.index(gen)
            self.assertEqual(peer.op(get(key)).operations[0].state, pb.STATE_LIVE, "FULL, and yet done")
        for op in (cancel(b"later", arm_ttl_ms=1000), cancel_label(b"L"), pb.Op(disarm=pb.Disarm(key=b"early"))):
            self.assertIn(self.ask(peer, op), ("ANSWER_FULL", "ERROR_JOURNAL"))
        self.assertIn(self.ask(session, store(b"early")), ("ANSWER_FULL", "ERROR_JOURNAL"))
        self.assertEqual(self.ask(session, store(b"uncancelled")), "ANSWER_STORED")
        self.assertEqual(self.ask(session, delete(crowd.DIGITS % (OPERATIONS - 1), gens[-1])), "ANSWER_DELETED")
        daemon.kill()
        refused = subprocess.run(daemon.command("--listen", f"ipc://{daemon.directory}/other", *daemon.flags),
                                 capture_output=True, text=True, timeout=20)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn(self.directory, refused.stderr)
        self.make_room()
        daemon.start()
        again = self.session()
        states = {gen: again.op(adopt(crowd.DIGITS % n, gen)).state for n, gen in enumerate(gens[:asked])}
        lost = [gen for gen in answers["ANSWER_REQUESTED"] if states[gen] != pb.STATE_CANCELLING]
        invented = [gen for gen in answers.get("ANSWER_FULL", []) if states[gen] != pb.STATE_LIVE]
        self.say(f"{self.count_of(answers)}, after kill -9 {len(lost)} lost, {len(invented)} invented")
        self.assertEqual((lost, invented), ([], []))
        self.assertEqual([arm.key for arm in again.op(armed()).armed][:1], [b"early"])

    def test_with_room_again_it_goes_on_and_tells_the_truth(self):
        session, peer = self.session(), self.peer()
        gens = crowd.store_many(session, OPERATIONS)
        for _ in range(2):
            self.fill()
            answers, asked = self.cancel_until_full(peer, gens)
            self.make_room()
            eventually(lambda: self.ask(peer, cancel(crowd.MARK, gens[0])) == "ANSWER_ALREADY_REQUESTED",
                       what="the journal to go on")
            known = [self.ask(peer, cancel(crowd.DIGITS % n, gen)) for n, gen in enumerate(gens[:asked])]
            self.assertLessEqual(set(known), {"ANSWER_REQUESTED", "ANSWER_ALREADY_REQUESTED"})
            self.say(f"{self.count_of(answers)}, and with room again all {len(known)} are kept")
            crowd.delete_many(session, gens)
            gens = crowd.store_many(session, OPERATIONS)
        self.running.restart()
        again = self.session()
        state = again.op(adopt(crowd.MARK, gens[0])).state
        self.assertEqual(state, pb.STATE_LIVE)


if __name__ == "__main__":
    main()
