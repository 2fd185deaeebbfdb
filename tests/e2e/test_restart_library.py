# SPDX-License-Identifier: MIT
"""The C client library through kill -9 of the daemon: as an owner (owner.c, cancelctl run) and as a
canceller (cancelctl)."""
import json
import os
import signal
import subprocess

from canceld_e2e import PATIENCE, Case, cancel, count, eventually, get, main, over_both, pb, send_signal, wait
from cli import CliHelpers
from test_library import Owner

RECOVERY_MS = max(5000, 1000 * PATIENCE)  # owners have to be back in it
KILLS = 5


@over_both
class Comeback(CliHelpers):
    def owner(self, **how):
        owner = Owner(self.url(), **how)
        self.addCleanup(owner.close)
        return owner

    def journaled(self):
        return self.daemon(ephemeral=False, recovery_ms=RECOVERY_MS)

    def adopted(self, owner, times):
        eventually(lambda: owner.events.count("ADOPTED") == times, 20, f"ADOPTED {times} times")

    def cancels_told(self, owner):
        return [notice["text"] for notice in owner.notices if notice["cancelled"] == "1"]

    def test_a_cancel_answered_before_kill_9_reaches_an_owner_that_had_not_seen_it(self):
        daemon = self.journaled()
        owner, canceller = self.owner(), self.peer()
        gen = owner.store("k")
        send_signal(owner.process, signal.SIGSTOP)
        self.assertAnswer(canceller.op(cancel(b"k", text="before")), "REQUESTED", journaled=True)
        daemon.restart()
        owner.process.send_signal(signal.SIGCONT)
        self.adopted(owner, 1)
        eventually(lambda: self.cancels_told(owner) == ["before"], what="the notice")
        canceller = self.peer()
        result = canceller.op(cancel(b"k", gen, text="after", level=pb.LEVEL_DELIVERED, deadline_ms=20000))
        self.assertAnswer(result, "ALREADY_REQUESTED", level=pb.LEVEL_DELIVERED)
        self.assertEqual(owner.finish(pb.OUTCOME_CANCELLED)[:2], ("DELETED", "1"))
        self.assertEqual(self.cancels_told(owner), ["before"])

    def test_a_finish_under_way_is_done_once_and_both_sides_agree(self):
        daemon = self.journaled()
        owners = {"live": self.owner(), "cancelled": self.owner()}
        gens = {key: owner.store(key) for key, owner in owners.items()}
        self.assertAnswer(self.peer().op(cancel(b"cancelled", text="why")), "REQUESTED")
        eventually(lambda: self.cancels_told(owners["cancelled"]) == ["why"], what="the notice")
        daemon.signal(signal.SIGSTOP)
        for owner in owners.values():
            owner.process.stdin.write(f"finish {pb.OUTCOME_COMPLETED}\n")
            owner.process.stdin.flush()
        daemon.restart()
        peer = self.peer(seconds=20)
        for key, owner in owners.items():
            answer = owner.answers.get(timeout=20)
            self.assertEqual(answer[1:3], ("DELETED", "1" if key == "cancelled" else "0"))
            result = peer.op(wait(key.encode(), gens[key], deadline_ms=10000))
            self.assertAnswer(result, "ENDED", outcome=pb.OUTCOME_COMPLETED)
            self.assertEqual(result.cause.text, b"why" if key == "cancelled" else b"")

    def test_an_owner_comes_back_again_and_again_under_its_gen(self):
        daemon = self.journaled()
        owner = self.owner(heartbeat_ms=100 * PATIENCE)  # its grace outlasts a restart, or it is told of that
        gen = owner.store("k")
        for times in range(1, KILLS + 1):
            daemon.restart()
            self.adopted(owner, times)
            found = self.peer().op(get(b"k")).operations[0]
            self.assertEqual((found.gen, found.state, found.owner_name), (gen, pb.STATE_LIVE, b"owner"))
        self.assertEqual(owner.notices, [])
        self.assertAnswer(self.peer().op(cancel(b"k", text="at last")), "REQUESTED")
        eventually(lambda: self.cancels_told(owner) == ["at last"], what="the notice")
        self.assertEqual(owner.finish(pb.OUTCOME_CANCELLED)[:2], ("DELETED", "1"))
        self.assertEqual(self.peer().op(count()).count, 0)

    def test_a_cancel_by_gen_under_way_is_carried_on_by_the_library(self):
        daemon = self.journaled()
        owner = self.owner()
        gen = owner.store("k")
        asking = subprocess.Popen(
            [os.path.join(os.environ["CANCELD_BINARIES"], "cancelctl"), "--server", self.url(), "--json", "cancel",
             "k", "--gen", str(gen), "--reason", "why", "--ack", "stopped", "--deadline", "20s"],
            stdout=subprocess.PIPE)
        eventually(lambda: self.cancels_told(owner) == ["why"], what="the notice")
        daemon.restart()
        self.adopted(owner, 1)
        eventually(lambda: self.peer().stats()["parked"] == 2, what="the cancel beside the owner's poll")
        self.assertEqual(owner.finish(pb.OUTCOME_CANCELLED)[:2], ("DELETED", "1"))
        out, _ = asking.communicate(timeout=20)
        said = json.loads(out)
        self.assertEqual((asking.returncode, said["level"]), (0, "STOPPED"), said)
        self.assertEqual(self.cancels_told(owner), ["why"])

    def test_a_command_under_cancelctl_run_goes_on_and_can_be_stopped_afterwards(self):
        daemon = self.journaled()
        process = self.run_begin("--key", "k", "--", "sleep", "60")
        self.await_live("k")
        gen = self.peer().op(get(b"k")).operations[0].gen
        daemon.restart()
        said = self.one("cancel", "k", "--ack", "stopped", "--deadline", "20s")
        self.assertEqual((said["level"], said["gens"][0]["gen"]), ("STOPPED", str(gen)), said)
        self.assertEqual(self.run_end(process).code, 143)
        (entry,) = self.ctl("history", "k")
        self.assertEqual((entry["gen"], entry["outcome"]), (str(gen), "CANCELLED"))


class OneStateDirectory(Case):
    def test_a_second_daemon_on_it_is_refused_with_a_sentence_and_the_first_goes_on(self):
        first = self.daemon(ephemeral=False)
        session = self.session()
        session.store(b"k")
        for _ in range(3):
            refused = subprocess.run(first.command("--listen", f"ipc://{first.directory}/other", "--state-dir",
                                                   first.state_directory), capture_output=True, text=True, timeout=20)
            self.assertEqual((refused.returncode, refused.stdout), (1, ""))
            self.assertIn(first.state_directory, refused.stderr)
            self.assertIn("another canceld", refused.stderr)
        self.assertAnswer(self.peer().op(cancel(b"k")), "REQUESTED", journaled=True)
        epoch = session.opened.epoch
        first.restart()
        self.assertGreater(self.session().opened.epoch, epoch)


if __name__ == "__main__":
    main()
