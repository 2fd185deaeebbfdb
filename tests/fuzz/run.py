#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the fuzzers: each for a while, from its seeds in tests/fuzz/corpus, under both sanitizers.

    tests/fuzz/run.py --quick                     # at most a million executions each, in 40 seconds together
    tests/fuzz/run.py --full --work DIR           # 200 seconds, which are counted; DIR keeps what is found
    tests/fuzz/run.py --full sp client            # these alone
    tests/fuzz/run.py --merge DIR                 # the seeds anew: minimised, with what was found in DIR

The slow ones begin first, two at a time, and share the time so that as many as possible get to their goal.
What all runs of --full have counted so far stands in docs/testing/fuzz.json.

On stdout one JSON object a line for each figure, on stderr how it goes. The exit code is 1 where a target
crashed, leaked or hung, and where it reaches less than its seeds once did: then it tests nothing any more.
A goal of executions that is missed is printed, and no failure."""
import argparse
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CORPUS = HERE / "corpus"
FEATURES = CORPUS / "features.json"
COUNTS = ROOT / "docs" / "testing" / "fuzz.json"
FEATURES_MIN = 100  # of a target that reaches anything
FEATURES_PART = 0.9  # of what the seeds reached when they were made: compilers differ a little
TARGETS_GOAL = 8
EVER_GOAL = 10_000_000
MODES = {"quick": {"runs": 1_000_000, "seconds": 40}, "full": {"runs": 1_000_000, "seconds": 200}}
RATE_UNKNOWN = 10_000  # executions a second of a target that was never counted
SECONDS_MIN = 3  # of each target
ARTIFACTS = ("crash-", "leak-", "timeout-", "oom-")
MERGE_FILES_MAX = 40  # of a target, beside the seeds that were made by hand
MERGE_BYTES_MAX = 14000
# An input takes little memory and frees it all: freed memory is watched long enough in a small quarantine, and
# in a large one it is out of the processor's cache when it is used again. Whence a block came is said in one
# word rather than in thirty: whoever wants them all plays the one input again without these.
SANITIZER = "quarantine_size_mb=4:malloc_context_size=1"
# To count what each input takes and gives back is a seventh of the time of some: leaks are looked for when the
# process ends, and after each seed by the test suite. (libconfig has one at a syntax error: not ours.)
QUIET = ["-detect_leaks=0", "-close_fd_mask=1"]
TEXT_BYTES = 2048
SCRIPT_BYTES = 1024
OPTIONS = {
    "config": [f"-max_len={TEXT_BYTES}"],
    "codec_equal": [f"-max_len={TEXT_BYTES}"],
    "op": [f"-max_len={TEXT_BYTES}"],
    "sp": [f"-max_len={TEXT_BYTES}"],
}


def say(text):
    print(f"fuzz: {text}", file=sys.stderr, flush=True)


def row(figure, value, **more):
    print(json.dumps({"part": "fuzz", "figure": figure, "value": value, **more}), flush=True)


def targets_of(build):
    return sorted(path.name[5:] for path in (build / "tests").glob("fuzz_*")
                  if path.is_file() and path.stat().st_mode & 0o100)


def build_fuzzers():
    say("building (preset fuzz)")
    for command in (["cmake", "--preset", "fuzz"], ["cmake", "--build", "--preset", "fuzz"]):
        subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return ROOT / "build" / "fuzz"


def last(pattern, text):
    found = re.findall(pattern, text, re.M)
    return found[-1] if found else None


class Run:
    """One target's process."""

    def __init__(self, target, args, rate, work, artifacts):
        self.target = target
        self.log_path = work / f"{target}.log"
        self.artifacts = artifacts
        self.binary = args.build / "tests" / f"fuzz_{target}"
        self.seed = args.seed
        self.goal = args.runs
        self.rate = rate  # executions a second, as they last were
        self.executions = 0
        self.seconds = 0.0
        found = work / target
        found.mkdir(parents=True, exist_ok=True)
        options = OPTIONS.get(target, [f"-max_len={SCRIPT_BYTES}"])
        # To weigh the seeds by how rare what they reach is takes a third of the time of the large targets.
        self.options = ["-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1", "-reload=0",
                        "-entropic=0", *QUIET, f"-artifact_prefix={artifacts}/{target}-",
                        *options, str(found), str(CORPUS / target)]
        self.command = []
        self.environment = {"ASAN_OPTIONS": SANITIZER, **os.environ}
        self.found = []
        self.hung = False
        self.status = None
        self.is_playing = False

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def needs_s(self):
        return max(0, self.goal - self.executions) / max(1, self.rate)

    def is_at_end(self):
        return self.hung or self.status not in (None, 0) or self.executions >= self.goal

    def play(self, seconds):
        """Goes on for so long, or until the goal is reached."""
        self.seed += self.status is not None
        self.command = [str(self.binary), f"-runs={self.goal - self.executions}",
                        f"-max_total_time={seconds}", f"-seed={self.seed}", *self.options]
        before = {path.name for path in self.artifacts.iterdir()}
        started = time.monotonic()
        with open(self.log_path, "wb") as log:
            self.is_playing = True
            process = subprocess.Popen(self.command, stdout=log, stderr=log, cwd=self.artifacts,
                                       env=self.environment)
            try:
                self.status = process.wait(timeout=3 * seconds + 90)
            except subprocess.TimeoutExpired:
                process.kill()
                self.status = process.wait()
                self.hung = True
        self.is_playing = False
        self.seconds += time.monotonic() - started
        self.found += [path for path in sorted(self.artifacts.iterdir())
                       if path.name not in before and path.name.startswith(
                           tuple(f"{self.target}-{kind}" for kind in ARTIFACTS))]
        self.take(self.log())

    def take(self, log):
        line = last(r"^#\d+\s+(?:DONE|INITED|NEW|REDUCE|pulse)\s+cov: (\d+) ft: (\d+)", log)
        self.edges, self.features = (int(line[0]), int(line[1])) if line else (0, 0)
        self.executions += int(last(r"stat::number_of_executed_units:\s*(\d+)", log) or 0)
        self.rate = int(self.executions / max(0.001, self.seconds))

    def failure(self, features_before):
        """Why this run has failed; None: it has not."""
        if self.hung:
            return "it did not end"
        if self.found or self.status != 0:
            return f"it ended with status {self.status}"
        if self.features < max(FEATURES_MIN, FEATURES_PART * features_before):
            return f"it reaches {self.features} features, its seeds reached {features_before}"
        return None

    def tell(self, reason):
        log = self.log().splitlines()
        for line in [line for line in log if re.search(r"CHECK|ASSERT|ERROR|SUMMARY|error:", line)][:6]:
            say(f"  {line[:300]}")
        say(f"{self.target}: {reason}; seed {self.seed}; the command was\n  {' '.join(self.command)}")
        for path in self.found:
            say(f"  to see it again: {self.binary} {path}")


def progress(runs, done):
    while not done.wait(10):
        for run in runs:
            if run.is_playing:
                line = last(r"^#(\d+)\s.*?cov: (\d+) ft: (\d+)", run.log())
                if line:
                    say(f"{run.target}: {line[0]} executions, {line[1]} edges, {line[2]} features so far")


def share(seconds, needs):
    """What each gets at the most: all is shared, and the slow ones get the same."""
    level = 0.0
    left = sorted(needs)
    while left:
        level = seconds / len(left)
        if left[0] > level:
            return level
        seconds -= left.pop(0)
    return level + seconds


class Schedule:
    """Who runs when, and for how long: those that need longest first. When each had its share, what is
    left of the time goes to those that have not reached their goal."""

    def __init__(self, runs, args):
        self.waiting = list(runs)
        self.ends = {}  # of those that run
        self.jobs = args.jobs
        self.finish = time.monotonic() + args.seconds
        self.lock = threading.Lock()

    def next_run(self):
        with self.lock:
            now = time.monotonic()
            left = max(0.0, self.finish - now)
            if not self.waiting:
                return None, 0
            self.waiting.sort(key=lambda run: (run.status is not None, -run.needs_s()))
            free = self.jobs * left - sum(max(0.0, end - now) for end in self.ends.values())
            seconds = share(free, [run.needs_s() for run in self.waiting])
            seconds = max(SECONDS_MIN, int(min(seconds, left)))
            run = self.waiting.pop(0)
            if run.status is not None and left < SECONDS_MIN:
                return None, 0
            self.ends[run.target] = now + seconds
            return run, seconds

    def ended(self, run):
        with self.lock:
            del self.ends[run.target]
            if not run.is_at_end() and self.finish - time.monotonic() > 2 * SECONDS_MIN:
                self.waiting.append(run)


def play_all(runs, args):
    schedule = Schedule(runs, args)
    done = threading.Event()

    def worker():
        run, seconds = schedule.next_run()
        while run is not None:
            run.play(seconds)
            say(f"{run.target}: {run.executions} executions, {run.rate} a second, {run.edges} edges, "
                f"{run.features} features")
            schedule.ended(run)
            run, seconds = schedule.next_run()

    threading.Thread(target=progress, args=(runs, done), daemon=True).start()
    threads = [threading.Thread(target=worker) for _ in range(args.jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()


def counts_read(path):
    return json.loads(path.read_text()) if path.exists() else {}


def cumulate(args, runs):
    """Executions of all runs that were ever counted, by target, with those of this one."""
    counts = counts_read(args.counts)
    for run in runs:
        count = counts.setdefault(run.target, {"executions": 0, "runs": 0})
        count["executions"] += run.executions
        count["runs"] += 1
        count["rate"] = run.rate
        count["last"] = {"at": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), "seed": run.seed,
                         "executions": run.executions, "crashes": len(run.found)}
    args.counts.write_text(json.dumps(counts, indent=2, sort_keys=True) + "\n")
    return counts


def report(runs, args):
    failures = 0
    features_before = json.loads(FEATURES.read_text()) if FEATURES.exists() else {}
    for run in runs:
        reason = run.failure(features_before.get(run.target, 0))
        if reason is not None:
            failures += 1
            run.tell(reason)
        more = {"seed": run.seed, "note": run.target}
        row("executions", run.executions, **more)
        row("executions a second", run.rate, **more)
        row("edges", run.edges, **more)
        row("features", run.features, **more)
    row("targets", len(runs), goal=TARGETS_GOAL, sense=">=", seed=args.seed, note="fuzzers that ran")
    row("executions in all", sum(run.executions for run in runs), seed=args.seed, note="of this run")
    row("crashes, leaks and hangs", sum(len(run.found) + int(run.hung) for run in runs), goal=0, sense="<=",
        seed=args.seed, note="of all")
    row("targets that failed", failures, goal=0, sense="<=", seed=args.seed,
        note="of all: these, and whoever reaches less than its seeds did")
    report_ever(runs, cumulate(args, runs) if args.count else counts_read(args.counts))
    return failures


def report_ever(runs, counts):
    ever = {run.target: counts.get(run.target, {}).get("executions", 0) for run in runs}
    for target, executions in ever.items():
        row("executions ever", executions, goal=EVER_GOAL, sense=">=", note=f"{target}, all runs of --full")
    row("executions ever, of all targets", sum(ever.values()), note="all runs of --full")


def merge(targets, args):
    """The seeds anew, and what they reach. Those that were made by hand have a name with a dot, and stay."""
    features = json.loads(FEATURES.read_text()) if FEATURES.exists() else {}
    for target in targets:
        seeds = CORPUS / target
        new = pathlib.Path(tempfile.mkdtemp(prefix="fuzz-merge-"))
        binary = str(args.build / "tests" / f"fuzz_{target}")
        options = OPTIONS.get(target, [f"-max_len={SCRIPT_BYTES}"])
        subprocess.run([binary, "-set_cover_merge=1", *QUIET, *options, str(new), str(seeds),
                        str(args.merge / target)], stderr=subprocess.DEVNULL, check=True)
        for path in [path for path in seeds.iterdir() if "." not in path.name]:
            path.unlink()
        for path in largest(new):
            shutil.copyfile(path, seeds / path.name[:12])
        shutil.rmtree(new)
        log = subprocess.run([binary, "-runs=0", *QUIET, *options, str(seeds)],
                             stderr=subprocess.PIPE, check=True, text=True, errors="replace").stderr
        features[target] = int(last(r"INITED cov: \d+ ft: (\d+)", log))
        say(f"{target}: {len(list(seeds.iterdir()))} seeds, "
            f"{sum(path.stat().st_size for path in seeds.iterdir())} bytes, {features[target]} features")
    FEATURES.write_text(json.dumps(features, indent=2, sort_keys=True) + "\n")


def largest(directory):
    """A few of the inputs that together reach all: the longer ones reach most."""
    keep = []
    used = 0
    for path in sorted(directory.iterdir(), key=lambda path: (-path.stat().st_size, path.name)):
        size = path.stat().st_size
        if len(keep) < MERGE_FILES_MAX and size <= min(MERGE_BYTES_MAX / 10, MERGE_BYTES_MAX - used):
            keep.append(path)
            used += size
    return keep


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", help="all, where none is named")
    parser.add_argument("--quick", dest="mode", action="store_const", const="quick", default="quick")
    parser.add_argument("--full", dest="mode", action="store_const", const="full")
    parser.add_argument("--runs", type=int, help="executions of each target")
    parser.add_argument("--seconds", type=int, help="that all of it may take")
    parser.add_argument("--jobs", type=int, default=2, help="targets at a time")
    parser.add_argument("--seed", type=int, default=random.randrange(1, 2**31))
    parser.add_argument("--build", type=pathlib.Path, help="where the fuzzers are built already")
    parser.add_argument("--work", type=pathlib.Path, help="where to keep what is found")
    parser.add_argument("--counts", type=pathlib.Path, default=COUNTS, help="the file that counts all runs")
    parser.add_argument("--count", action="store_true", help="count this run there; --full does")
    parser.add_argument("--merge", type=pathlib.Path, metavar="DIR", help="make the seeds anew")
    args = parser.parse_args()
    args.runs = args.runs or MODES[args.mode]["runs"]
    args.seconds = args.seconds or MODES[args.mode]["seconds"]
    args.count = args.count or args.mode == "full"
    return args


def main():
    args = parse()
    args.build = args.build.resolve() if args.build else build_fuzzers()
    known = targets_of(args.build)
    targets = args.targets or known
    if not targets or not set(targets) <= set(known):
        say(f"the targets are {', '.join(known)}")
        return 2
    if args.merge is not None:
        merge(targets, args)
        return 0
    started = time.monotonic()
    work = args.work or pathlib.Path(tempfile.mkdtemp(prefix="fuzz-"))
    work.mkdir(parents=True, exist_ok=True)
    artifacts = args.build / "fuzz-artifacts"
    artifacts.mkdir(exist_ok=True)
    say(f"{len(targets)} targets, {args.runs} executions each in {args.seconds} s, seed {args.seed}")
    counts = counts_read(args.counts)
    runs = [Run(target, args, counts.get(target, {}).get("rate", RATE_UNKNOWN), work.resolve(),
                artifacts.resolve()) for target in targets]
    play_all(runs, args)
    failures = report(runs, args)
    if args.work is None:
        shutil.rmtree(work)
    say(f"{failures} failed, in {time.monotonic() - started:.0f} s")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
