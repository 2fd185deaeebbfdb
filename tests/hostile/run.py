#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A hostile crowd against one daemon, all together, while an honest owner and an honest canceller work.

    tests/hostile/run.py --quick | --full | --small [--build DIR]

100 peers that never read, 100 that dribble a byte a second, 1,000 that stop in the middle (half of them
without a word, a quarter within the handshake, a quarter within a frame) and 10 that flood. Asserted: each
bad peer is cut, and by the daemon's own account for the right reason; each takes less than 300 KiB of its
memory; no honest request fails; and when all is over the daemon has the descriptors that it had. How long
honest cancels take, and how long a bad peer is borne with, is printed. --small is a tenth of the crowd, with
short patience. One JSON object a line on stdout for each figure."""
import argparse
import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PATIENCE = 4 if os.environ.get("CANCELD_SANITIZE") else 1
CROWD = {"unread": 100, "dribble": 100, "half": 1000, "flood": 10}
KIB_A_PEER_MAX = 300
DAEMON_FLAGS = ["--ephemeral", "--recovery", "0", "--log-level", "error", "--limit-connections", "4096",
                "--limit-connections-unopened", "4096"]  # all are let in: the harder case
BIG_FLAGS = ["--limit-stall-ms", "9000"]  # to be over within ten seconds, as is the goal
SMALL_FLAGS = ["--limit-handshake-ms", "1000", "--limit-stall-ms", "2000"]
# What the daemon says that it cut a kind for, and how many of each kind there are.
REASONS = {"wire_cut_HANDSHAKE": ("silent", "half-handshake"), "wire_cut_STALLED_INPUT": ("dribble", "half-frame"),
           "wire_cut_STALLED_OUTPUT": ("unread",)}


class Violation(Exception):
    """Something that was promised does not hold."""


def require(holds, sentence):
    if not holds:
        raise Violation(sentence)


def eventually(condition, seconds, sentence):
    deadline = time.monotonic() + seconds * PATIENCE
    while not condition():
        require(time.monotonic() < deadline, sentence)
        time.sleep(0.01)


# ---- those who take part ---------------------------------------------------------------------------


class Daemon:
    def __init__(self, build, transport, flags):
        self.build, self.directory = build, tempfile.mkdtemp(prefix="canceld-hostile-")
        listen = f"ipc://{self.directory}/s" if transport == "ipc" else "tcp://127.0.0.1:0"
        self.process = subprocess.Popen([os.path.join(build, "bin", "canceld"), "--listen", listen, *DAEMON_FLAGS, *flags],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        ready = self.process.stdout.readline().split()
        require(len(ready) == 2 and ready[0] == "ready", "the daemon does not start")
        self.url = ready[1]

    def stats(self):
        told = subprocess.run([os.path.join(self.build, "bin", "cancelctl"), "--server", self.url, "--json", "stats"],
                              capture_output=True, text=True, check=False)
        require(told.returncode == 0, f"the daemon does not say how it is: {told.stderr}")
        return {name: int(value) for name, value in re.findall(r'"(\w+)": ?(-?\d+)', told.stdout)}

    def rss(self):
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def close(self):
        self.process.terminate()
        try:
            require(self.process.wait(10 * PATIENCE) == 0, "the daemon did not end well")
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self.process.stdout.close()
            shutil.rmtree(self.directory, ignore_errors=True)


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


@dataclasses.dataclass
class Attack:
    transport: str
    quiet: dict
    honest: dict
    cut: dict            # kind -> (count, cut, longest in ms)
    flood_bytes: int
    stats: dict          # what the daemon counted meanwhile
    kib_a_peer: float
    bad: int


def crowd(build, url, seconds, counts):
    """The crowd's own account, once it is over."""
    words = [str(counts[kind]) for kind in ("unread", "dribble", "half", "flood")]
    done = subprocess.run([os.path.join(build, "tests", "hostile_crowd"), url, str(seconds), *words],
                          capture_output=True, text=True, timeout=(seconds + 120) * PATIENCE, check=False)
    require(done.returncode == 0, f"the crowd could not come: {done.stderr}")
    cut = {kind: tuple(map(int, values)) for kind, *values in
           re.findall(r"^(\S+) (\d+) cut (\d+) longest (\d+)$", done.stdout, re.MULTILINE)}
    return cut, int(re.search(r"^flood-bytes (\d+)$", done.stdout, re.MULTILINE).group(1))


def say(text):
    print(text, file=sys.stderr, flush=True)


def work_quietly(build, url, seconds):
    honest = Honest(build, url)
    try:
        time.sleep(seconds)
        return honest.stop()
    finally:
        honest.close()


def attack(options, transport, counts, seconds):
    daemon = Daemon(options.build, transport, SMALL_FLAGS if options.small else BIG_FLAGS)
    try:
        say(f"{transport}: quiet for {options.quiet_seconds} s")
        quiet = work_quietly(options.build, daemon.url, options.quiet_seconds)
        before, rss, descriptors = daemon.stats(), daemon.rss(), daemon.descriptors()
        say(f"{transport}: {sum(counts.values())} hostile peers, for {seconds} s at least")
        honest, watch = Honest(options.build, daemon.url), Watch(daemon)
        try:
            cut, flood_bytes = crowd(options.build, daemon.url, seconds, counts)
            answered = honest.stop()
        finally:
            most = watch.stop()
            honest.close()
        eventually(lambda: daemon.descriptors() <= descriptors, 10, "descriptors are left behind")
        after = daemon.stats()
        bad = sum(counts.values()) - counts["flood"]
        return Attack(transport, quiet["cancels"], answered["cancels"], cut, flood_bytes,
                      {name: after[name] - before.get(name, 0) for name in after}, (most - rss) / 1024 / bad, bad)
    finally:
        daemon.close()


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
    told = {"part": "hostile crowd", "figure": f"{of.transport}: {figure}", "value": value}
    if goal is not None:
        told.update(goal=goal, sense=sense)
    print(json.dumps({**told, **more}), flush=True)


def rows(of, small):
    longest = max(longest for kind, (_count, _cut, longest) in of.cut.items() if kind != "flood")
    row(of, "hostile peers, together", sum(count for count, _cut, _longest in of.cut.values()))
    row(of, "bad peers cut", sum(of.stats[reason] for reason in REASONS), of.bad, "==", note="as the daemon says")
    row(of, "the longest that one was borne with", round(longest / 1000, 2), 10, "<=", unit="s", note="stall_ms " + (SMALL_FLAGS if small else BIG_FLAGS)[-1])
    row(of, "memory a bad peer", round(of.kib_a_peer, 1), KIB_A_PEER_MAX, "<=", unit="KiB")
    row(of, "honest cancels, quiet, p99", round(of.quiet["p99"] / 1000, 3), unit="ms")
    row(of, "honest cancels, attacked", of.honest["count"])
    row(of, "honest cancels, attacked, p99", round(of.honest["p99"] / 1000, 3), 5, "<", unit="ms")
    row(of, "honest cancels, attacked over quiet, p99", round(of.honest["p99"] / max(1, of.quiet["p99"]), 2), 2, "<=", unit="times")
    row(of, "honest cancels, attacked, worst", round(of.honest["worst"] / 1000, 3), unit="ms")
    row(of, "answers to who floods", of.flood_bytes >> 20, unit="MiB")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true", help="once over ipc and once over tcp")
    parser.add_argument("--full", action="store_true", help="the same, and the flood goes on for a minute")
    parser.add_argument("--small", action="store_true", help="a tenth of the crowd, cut after two seconds")
    parser.add_argument("--seed", type=int, help="taken, and not needed: nothing here is left to chance")
    parser.add_argument("--build", metavar="DIR", default=os.path.join(ROOT, "build", "release"))
    options = parser.parse_args()
    options.quiet_seconds = 1 if options.small else 5
    return options


def main():
    options = arguments()
    counts = {kind: count // 10 for kind, count in CROWD.items()} if options.small else CROWD
    try:
        for transport in ("ipc", "tcp"):
            of = attack(options, transport, counts, 3 if options.small else 60 if options.full else 12)
            rows(of, options.small)
            check(of)
    except Violation as violation:
        say(f"VIOLATED: {violation}\nagain: tests/hostile/run.py {' '.join(sys.argv[1:])}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
