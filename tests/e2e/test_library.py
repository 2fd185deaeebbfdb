# SPDX-License-Identifier: MIT
"""The C client library as an owner in a process of its own (owner.c), when its link, its process or
the daemon fails. What it tells the application is told once."""
import os
import queue
import signal
import subprocess
import threading

from canceld_e2e import PATIENCE, PROGRAMS, Case, cancel, eventually, get, main, over_both, pb, send_signal, wait
from link import Link

NOTICE_FIELDS = ("cancelled", "ended", "lost_possible", "lost", "outcome", "flag", "text")
EVENTS = {1: "CONNECTED", 2: "DEGRADED", 3: "RESUMED", 4: "LOST_POSSIBLE", 5: "SESSION_LOST",
          6: "NEW_EPOCH", 7: "ADOPTED"}


class Owner:
    """owner.c: lines in, lines out."""

    def __init__(self, url, heartbeat_ms=100):
        self.process = subprocess.Popen([os.path.join(PROGRAMS, "owner"), url, str(heartbeat_ms)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.answers = queue.Queue()
        self.notices = []
        self.events = []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            word, _, rest = line.rstrip("\n").partition(" ")
            if word == "notice":
                self.notices.append(dict(zip(NOTICE_FIELDS, rest.split(" ", 6))))
            elif word == "event":
                self.events.append(EVENTS[int(rest)])
            else:
                self.answers.put((word, *rest.split(" ")))

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.answers.get(timeout=20 * PATIENCE)

    def store(self, key):
        return int(self.tell(f"store {key}")[1])

    def finish(self, outcome):
        return self.tell(f"finish {outcome}")[1:]

    def newest_event(self):
        return self.events[-1] if self.events else None

    def quit(self):
        self.process.stdin.write("quit\n")
        self.process.stdin.flush()
        return self.process.wait(20 * PATIENCE)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.reader.join()
        self.process.stdin.close()
        self.process.stdout.close()


@over_both
class Library:
    def owner(self, url=None):
        owner = Owner(url or self.url())
        self.addCleanup(owner.close)
        return owner

    def link(self):
        link = Link(self.url(), self.running.directory)
        self.addCleanup(link.close)
        return link

    def ended(self, peer, key, gen, outcome):
        self.assertAnswer(peer.op(wait(key, gen, deadline_ms=20000)), "ENDED", outcome=outcome)

    def assertToldOnce(self, owner, **fields):
        """One notice has these fields, and stays the only one."""
        def matching():
            return [n for n in owner.notices if all(n[f] == v for f, v in fields.items())]
        eventually(matching, what=f"a notice with {fields} among {owner.notices}")
        found = matching()
        # A notice says all that was told so far: a LOST that comes while the cancel before it is being read shows in
        # both. Then these two are all there are.
        shows_in_both = found == owner.notices == [found[0]] * 2 and (found[0]["cancelled"], found[0]["lost"]) == ("1", "1")
        self.assertEqual(len(found), 2 if shows_in_both else 1, owner.notices)

    def test_a_cancel_reaches_the_owner_and_its_finish_the_canceller(self):
        self.daemon()
        owner, canceller = self.owner(), self.canceller()
        gen = owner.store("k")
        canceller.start("op", cancel(b"k", text="stop it", level=pb.LEVEL_STOPPED,
                                     deadline_ms=20000))
        self.assertToldOnce(owner, cancelled="1", lost="0", text="stop it", flag="1")
        self.assertEqual(owner.finish(pb.OUTCOME_CANCELLED)[:2], ("DELETED", "1"))
        self.assertAnswer(canceller.result(), "REQUESTED", level=pb.LEVEL_STOPPED)
        self.ended(self.peer(), b"k", gen, pb.OUTCOME_CANCELLED)
        self.assertEqual(owner.quit(), 0)

    def test_a_link_cut_and_a_cancel_and_the_link_back_the_notice_is_seen_once(self):
        self.daemon()
        link, canceller = self.link(), self.canceller()
        owner = self.owner(link.url)
        gen = owner.store("k")
        for _ in range(3):
            link.cut()
            eventually(lambda: owner.newest_event() == "DEGRADED", what="DEGRADED")
            canceller.op(cancel(b"k", text="stop"))
            link.mend()
            eventually(lambda: owner.newest_event() == "RESUMED", what="RESUMED")
        self.assertToldOnce(owner, cancelled="1", text="stop")
        self.assertEqual(len(owner.notices), 1)
        result = canceller.op(cancel(b"k", gen, level=pb.LEVEL_DELIVERED, deadline_ms=20000))
        self.assertAnswer(result, "ALREADY_REQUESTED", level=pb.LEVEL_DELIVERED)
        self.assertEqual(owner.finish(pb.OUTCOME_CANCELLED)[:2], ("DELETED", "1"))

    def test_a_finish_while_the_link_was_cut_arrives_when_it_is_back(self):
        self.daemon()
        link, peer = self.link(), self.peer(seconds=30)
        owner = self.owner(link.url)
        gen = owner.store("k")
        link.cut()
        eventually(lambda: owner.newest_event() == "DEGRADED", what="DEGRADED")
        owner.process.stdin.write(f"finish {pb.OUTCOME_COMPLETED}\n")
        owner.process.stdin.flush()
        link.mend()
        self.assertEqual(owner.answers.get(timeout=20 * PATIENCE)[:2], ("finished", "DELETED"))
        self.ended(peer, b"k", gen, pb.OUTCOME_COMPLETED)

    def test_an_owner_stopped_past_its_grace_and_resumed_is_told_lost_once(self):
        self.daemon("--limit-grace-ms", "500")
        owner, peer = self.owner(), self.peer(seconds=30)
        gen = owner.store("k")
        send_signal(owner.process, signal.SIGSTOP)
        self.assertAnswer(peer.op(cancel(b"k", text="meanwhile")), "REQUESTED")
        self.ended(peer, b"k", gen, pb.OUTCOME_OWNER_LOST)
        owner.process.send_signal(signal.SIGCONT)
        self.assertToldOnce(owner, lost="1")
        lost = [notice for notice in owner.notices if notice["lost"] == "1"][0]
        self.assertEqual((lost["outcome"], lost["cancelled"], lost["text"]),
                         ("OWNER_LOST", "1", "meanwhile"))
        self.assertIn("SESSION_LOST", owner.events)
        self.assertEqual(owner.finish(pb.OUTCOME_COMPLETED)[0::2], ("ENDED", "OWNER_LOST"))

    def test_a_frozen_link_past_the_grace_is_lost_possible_and_then_lost(self):
        self.daemon("--limit-grace-ms", "700")
        link, peer = self.link(), self.peer(seconds=30)
        owner = self.owner(link.url)
        gen = owner.store("k")
        link.freeze()
        self.assertToldOnce(owner, lost_possible="1", lost="0")
        self.ended(peer, b"k", gen, pb.OUTCOME_OWNER_LOST)
        link.cut()
        link.thaw()
        link.mend()
        self.assertToldOnce(owner, lost="1")

    def test_after_a_restart_of_the_daemon_the_operation_is_adopted_and_may_be_cancelled(self):
        daemon = self.daemon(ephemeral=False)
        owner = self.owner()
        gen = owner.store("k")
        daemon.kill()
        eventually(lambda: "DEGRADED" in owner.events, what="DEGRADED")
        daemon.start()
        eventually(lambda: "ADOPTED" in owner.events, what="ADOPTED")
        self.assertEqual(owner.events.index("NEW_EPOCH"), owner.events.index("ADOPTED") - 1)
        self.assertEqual(owner.notices, [])
        self.assertAnswer(self.peer().op(cancel(b"k", gen, text="stop")), "REQUESTED")
        self.assertToldOnce(owner, cancelled="1", text="stop")
        self.assertEqual(owner.finish(pb.OUTCOME_CANCELLED)[:2], ("DELETED", "1"))

    def test_an_owner_that_goes_without_finishing_leaves_failed_and_not_a_leak(self):
        self.daemon()
        owner, peer = self.owner(), self.peer()
        gen = owner.store("k")
        self.assertEqual(owner.quit(), 0)
        self.ended(peer, b"k", gen, pb.OUTCOME_FAILED)


if __name__ == "__main__":
    main()
