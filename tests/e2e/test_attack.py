# SPDX-License-Identifier: MIT
"""An attack in numbers: peers that come by the thousand and go without a word, while honest ones
work. What the daemon held before is what it holds after, and nobody honest noticed."""
import subprocess
import sys
import threading
import time

from canceld_e2e import (HERE, MIB, PATIENCE, SANITIZED, Case, Peer, Session, cancel, delete,
                         eventually, main, over_both, pb, percentile, store)

BARE_CONNECTIONS = 500
HOSTILE_CONNECTIONS = 1000
UNREAD_REQUESTS = 20


class Honest(threading.Thread):
    """An owner and a canceller that do their work all the time and watch the clock."""

    def __init__(self, url):
        super().__init__()
        self.url = url
        self.latencies = []
        self.failure = None
        self.ending = threading.Event()
        self.start()

    def timed(self, call, op, answers):
        begin = time.monotonic()
        result = call(op)
        self.latencies.append(time.monotonic() - begin)
        if result.answer not in answers:
            raise AssertionError(f"an honest request got {result}")
        return result

    def run(self):
        try:
            self.work()
        except BaseException as failure:
            self.failure = failure

    def work(self):
        session, canceller = Session(self.url), Peer(self.url)
        while not self.ending.is_set():
            gen = self.timed(session.op, store(b"honest"), [pb.ANSWER_STORED]).gen
            self.timed(canceller.op, cancel(b"honest", gen), [pb.ANSWER_REQUESTED])
            self.timed(session.op, delete(b"honest", gen), [pb.ANSWER_DELETED])
            self.ending.wait(0.001)
        session.close()
        canceller.close()

    def stop(self):
        self.ending.set()
        self.join()
        if self.failure:
            raise self.failure
        return self.latencies


@over_both
class Attack:
    def attack(self, kind, connections):
        """hostile.py in two processes: as many connections as asked, together."""
        processes = [subprocess.Popen([sys.executable, f"{HERE}/hostile.py", self.url(), kind,
                                       str(connections // 2), str(UNREAD_REQUESTS)])
                     for _ in range(2)]
        for process in processes:
            self.assertEqual(process.wait(120 * PATIENCE), 0)

    def wait_until_forgotten(self, peer):
        """What honest peers have finished is remembered for a second."""
        eventually(lambda: peer.stats()["operations_remembered"] == 0, what="an empty memory")

    def test_a_thousand_hostile_connections_and_500_bare_ones_leave_nothing_behind(self):
        # The ring of the watch events fills up with honest work, and is no matter of this test.
        daemon = self.daemon("--limit-finished-ms", "1000", "--limit-watch-bytes", "65536")
        quiet = Honest(self.url())
        quiet.ending.wait(3)
        quiet = quiet.stop()
        watcher = self.peer()
        self.wait_until_forgotten(watcher)
        descriptors, rss = daemon.descriptors_at_rest(), daemon.rss()

        honest = Honest(self.url())
        begin = time.monotonic()
        self.attack("unread", HOSTILE_CONNECTIONS)
        self.attack("bare", BARE_CONNECTIONS)
        attacked = time.monotonic() - begin
        latencies = honest.stop()
        took = self.assertBackAt(daemon, descriptors, 15)
        self.wait_until_forgotten(watcher)
        # NNG's pieces of 1,500 connections leave holes in the heap, 1 to 2 MiB of them, that are used again.
        eventually(lambda: SANITIZED or daemon.rss() <= rss + 3 * MIB, 15, "the base of memory")

        for name, values in (("quiet", quiet), ("under attack", latencies)):
            self.say(f"{name}: {len(values)} honest requests, p50 "
                     f"{percentile(values, 0.5) * 1e3:.2f} ms, p99 "
                     f"{percentile(values, 0.99) * 1e3:.2f} ms, max {max(values) * 1e3:.2f} ms")
        self.say(f"attack of {attacked:.1f} s; {took:.1f} s later {daemon.descriptors()} descriptors "
                 f"(base {descriptors}), RSS {(daemon.rss() - rss) >> 10} KiB above the base")
        self.assertLess(max(latencies), 1.0 * PATIENCE)
        self.assertTrue(self.peer().ping())


if __name__ == "__main__":
    main()
