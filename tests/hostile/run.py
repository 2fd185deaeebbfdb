#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A hostile crowd against one daemon, all together, while an honest owner and an honest canceller work.

    tests/hostile/run.py --quick | --full | --small [--only crowd | kinds] [--build DIR]

100 peers that never read, 100 that dribble a byte a second, 1,000 that stop in the middle (half of them
without a word, a quarter within the handshake, a quarter within a frame) and 10 that flood. Asserted: each
bad peer is cut, and by the daemon's own account for the right reason; each takes less than 300 KiB of its
memory; no honest request fails; and when all is over the daemon has the descriptors that it had. How long a bad
peer is borne with is printed, and how long honest cancels take, quiet and under attack. Then comes one kind of
hostility after the other, each with the end that it has to have: kinds.py. --small is a tenth of the crowd, with
short patience. One JSON object a line on stdout for each figure.

Crowds live on machines of their own; here all share one. So the daemon has one processor alone, and honest and
hostile ones share the rest, in quiet as under attack: what is compared is then what the daemon does, and not who
runs where. --full also has it with all processors for all, and there the same crowd at another daemon too: what is
slower then is the machine's doing."""
import argparse
import contextlib
import dataclasses
import os
import re
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support", "python"))

import bed  # noqa: E402
import interpreter  # noqa: E402
import kinds  # noqa: E402
from bed import PATIENCE, ROOT, Daemon, Violation, eventually, require, say  # noqa: E402

CROWD = {"unread": 100, "dribble": 100, "half": 1000, "flood": 10}
KIB_A_PEER_MAX = 300
DAEMON_FLAGS = ["--recovery", "0", "--log-level", "error", "--limit-connections", "4096",
                "--limit-connections-unopened", "4096"]  # all are let in: the harder case
# What the daemon says that it cut a kind for, and how many of each kind there are.
REASONS = {"wire_cut_HANDSHAKE": ("silent", "half-handshake"), "wire_cut_STALLED_INPUT": ("dribble", "half-frame"),
           "wire_cut_STALLED_OUTPUT": ("unread",)}
APART = "the daemon has a processor alone"
SHARED = "processors shared"


@dataclasses.dataclass
class Size:
    """How big a run is. The daemon's own patience is five and nine seconds, so that the bad are cut within ten."""
    share: int           # of the crowd: one of so many
    handshake_ms: int
    stall_ms: int
    quiet_seconds: int
    seconds: int         # of the crowd, at least
    kinds: int           # of what kinds.py tries: one of so many
    places: tuple        # who has which processors

    def flags(self):
        return [*DAEMON_FLAGS, "--limit-handshake-ms", str(self.handshake_ms), "--limit-stall-ms", str(self.stall_ms)]


SIZES = {"small": Size(10, 1000, 2000, 1, 3, 20, (SHARED,)), "quick": Size(1, 3000, 4500, 4, 6, 4, (APART,)),
         "full": Size(1, 5000, 9000, 10, 20, 1, (APART, SHARED))}


# ---- those who take part ---------------------------------------------------------------------------


class Honest:
    """The owner and the canceller: at work until stopped."""

    def __init__(self, build, url):
        self.process = subprocess.Popen([os.path.join(build, "tests", "hostile_honest"), url],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def stop(self):
        """How their requests were answered: {name: {count, p50, p99, worst}}, in microseconds."""
        told, _ = self.process.communicate(timeout=60)
        require(self.process.returncode == 0, "an honest request was not answered as it should be")
        return {name: dict(zip(("count", "p50", "p99", "worst"), map(int, values))) for name, *values in
                re.findall(r"^(\w+) (\d+) p50 (\d+) p99 (\d+) worst (\d+)$", told, re.MULTILINE)}

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


class Watch(threading.Thread):
    """The most memory that the daemon had."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        self.of, self.most, self.over = daemon, 0, threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(0.05):
            self.most = max(self.most, self.of.rss())

    def stop(self):
        self.over.set()
        self.join()
        return self.most


# ---- the run ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def processors(place):
    """Those of the daemon, while this process and what it starts keep to the rest."""
    before = os.sched_getaffinity(0)
    alone = {max(before)} if place == APART else None
    if alone is not None:
        os.sched_setaffinity(0, before - alone)
    try:
        yield alone
    finally:
        os.sched_setaffinity(0, before)


def crowd(build, url, seconds, counts):
    """The crowd's own account, once it is over. It steps back: elsewhere it would take nothing of this machine."""
    words = [str(counts[kind]) for kind in ("unread", "dribble", "half", "flood")]
    done = subprocess.run([os.path.join(build, "tests", "hostile_crowd"), url, str(seconds), *words],
                          capture_output=True, text=True, timeout=(seconds + 120) * PATIENCE, check=False,
                          preexec_fn=lambda: os.nice(19))
    require(done.returncode == 0, f"the crowd could not come: {done.stderr}")
    cut = {kind: tuple(map(int, values)) for kind, *values in
           re.findall(r"^(\S+) (\d+) cut (\d+) longest (\d+)$", done.stdout, re.MULTILINE)}
    return cut, int(re.search(r"^flood-bytes (\d+)$", done.stdout, re.MULTILINE).group(1))


def work(build, url, meanwhile):
    """What honest ones say of their cancels, and what the other says, after both were at work."""
    honest = Honest(build, url)
    try:
        other = meanwhile()
        return honest.stop()["cancels"], other
    finally:
        honest.close()


@dataclasses.dataclass
class Attack:
    transport: str
    place: str
    quiet: dict
    control: dict        # the crowd was there, and at another daemon; None: not measured
    honest: dict
    cut: dict            # kind -> (count, cut, longest in ms)
    flood_bytes: int
    stats: dict          # what the daemon counted meanwhile
    kib_a_peer: float
    bad: int


def control(build, transport, counts, size, url):
    """What the machine itself does to honest ones: the same crowd, at a daemon of its own."""
    say(f"{transport}: {sum(counts.values())} hostile peers at another daemon, for {size.seconds} s at least")
    other = Daemon(build, transport, size.flags())
    try:
        return work(build, url, lambda: crowd(build, other.url, size.seconds, counts))[0]
    finally:
        other.close()


def attack(build, transport, place, counts, size):
    with processors(place) as alone:
        daemon = Daemon(build, transport, size.flags(), alone)
        try:
            return attack_on(daemon, build, transport, place, counts, size)
        finally:
            daemon.close()


def attack_on(daemon, build, transport, place, counts, size):
    say(f"{transport}, {place}: quiet for {size.quiet_seconds} s")
    quiet, _ = work(build, daemon.url, lambda: time.sleep(size.quiet_seconds))
    controlled = control(build, transport, counts, size, daemon.url) if place == SHARED else None
    before, rss, descriptors = daemon.stats(), daemon.rss(), daemon.descriptors()
    say(f"{transport}, {place}: {sum(counts.values())} hostile peers, for {size.seconds} s at least")
    watch = Watch(daemon)
    try:
        honest, (cut, flood_bytes) = work(build, daemon.url, lambda: crowd(build, daemon.url, size.seconds, counts))
    finally:
        most = watch.stop()
    eventually(lambda: daemon.descriptors() <= descriptors, 10, "descriptors are left behind")
    after = daemon.stats()
    bad = sum(counts.values()) - counts["flood"]
    return Attack(transport, place, quiet, controlled, honest, cut, flood_bytes,
                  {name: after[name] - before.get(name, 0) for name in after}, (most - rss) / 1024 / bad, bad)


def check(of):
    """What has to hold."""
    for kind, (count, cut, _longest) in of.cut.items():
        require(kind == "flood" or count == cut, f"{of.transport}: {count - cut} of {count} {kind} peers were not cut")
    require(of.cut["flood"][1] == 0, f"{of.transport}: who floods within the rules was cut")
    require(of.flood_bytes > 0, f"{of.transport}: nobody flooded")
    for reason, kinds in REASONS.items():
        count = sum(of.cut[kind][0] for kind in kinds)
        require(count > 0, f"{of.transport}: there was nobody to be cut as {reason}")
        require(of.stats[reason] == count, f"{of.transport}: the daemon says {reason} {of.stats[reason]} times, not {count}")
    require(PATIENCE > 1 or of.kib_a_peer <= KIB_A_PEER_MAX, f"{of.transport}: a bad peer took {of.kib_a_peer:.0f} KiB")


def row(of, figure, value, goal=None, sense=None, **more):
    where = of.transport if of.place == APART else f"{of.transport}, {of.place}"
    bed.row("hostile crowd", f"{where}: {figure}", value, goal, sense, **more)


def times(honest, other):
    return round(honest["p99"] / max(1, other["p99"]), 2)


def rows(of, size):
    longest = max(longest for kind, (_count, _cut, longest) in of.cut.items() if kind != "flood")
    row(of, "hostile peers, together", sum(count for count, _cut, _longest in of.cut.values()))
    row(of, "bad peers cut", sum(of.stats[reason] for reason in REASONS), of.bad, "==", note="as the daemon says")
    row(of, "the longest that one was borne with", round(longest / 1000, 2), 10, "<=", unit="s", note=f"stall_ms {size.stall_ms}")
    row(of, "memory a bad peer", round(of.kib_a_peer, 1), KIB_A_PEER_MAX, "<=", unit="KiB")
    row(of, "answers to who floods", of.flood_bytes >> 20, unit="MiB")
    rows_of_times(of)


def rows_of_times(of):
    for name, figures in (("quiet", of.quiet), ("the crowd at another daemon", of.control), ("attacked", of.honest)):
        goal = (5, "<") if figures is of.honest else ()
        if figures is not None:
            row(of, f"honest cancels, {name}", figures["count"])
            row(of, f"honest cancels, {name}, p50", round(figures["p50"] / 1000, 3), unit="ms")
            row(of, f"honest cancels, {name}, p99", round(figures["p99"] / 1000, 3), *goal, unit="ms")
            row(of, f"honest cancels, {name}, worst", round(figures["worst"] / 1000, 3), unit="ms")
    note = f"{os.cpu_count()} processors; {of.place}"
    row(of, "honest cancels, attacked over quiet, p99", times(of.honest, of.quiet),
        *((2, "<=") if of.place == APART else ()), unit="times", note=note)
    if of.control is not None:
        row(of, "honest cancels, attacked over the crowd at another daemon, p99", times(of.honest, of.control), unit="times",
            note="what the daemon lets through; the other ratio has the machine's share too")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_const", dest="size", const="quick", help="once over ipc and once over tcp (default)")
    parser.add_argument("--full", action="store_const", dest="size", const="full", help="longer, with the processors shared too, and every kind")
    parser.add_argument("--small", action="store_const", dest="size", const="small", help="a tenth of the crowd, cut after two seconds")
    parser.add_argument("--only", choices=("crowd", "kinds"), help="one of the two alone")
    parser.add_argument("--seed", type=int, help="taken, and not needed: nothing here is left to chance")
    parser.add_argument("--build", metavar="DIR", default=os.path.join(ROOT, "build", "release"))
    parser.set_defaults(size="quick")
    return parser.parse_args()


def main():
    interpreter.with_protobuf()
    options = arguments()
    size = SIZES[options.size]
    places = size.places if len(os.sched_getaffinity(0)) > 1 else (SHARED,)
    counts = {kind: count // size.share for kind, count in CROWD.items()}
    try:
        for transport in ("ipc", "tcp"):
            for place in places if options.only != "kinds" else ():
                of = attack(options.build, transport, place, counts, size)
                rows(of, size)
                check(of)
            if options.only != "crowd":
                kinds.run(options.build, transport, size.kinds)
    except Violation as violation:
        say(f"VIOLATED: {violation}\nagain: tests/hostile/run.py {' '.join(sys.argv[1:])}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
