#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every allocation, the system calls and the descriptors fail, in the daemon, the codec, the client library, the embedded one and
cancelctl. A figure a line on standard output, as JSON; progress and each failure on standard error.

    run.py --quick            a sample of the points
    run.py --full             each of them (of those that take long, some hundred of each kind)
    run.py --full --only "daemon cancel"    what is called so, or begins so
"""
import argparse
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support", "python"))

import interpreter  # noqa: E402

interpreter.with_protobuf()
# Whom no test runner tells where the programs are: it is read when the next lines are.
if "--build" in sys.argv[:-1]:
    BUILD = os.path.abspath(sys.argv[sys.argv.index("--build") + 1])
    os.environ.update(CANCELD_BINARIES=os.path.join(BUILD, "bin"), CANCELD_TEST_PROGRAMS=os.path.join(BUILD, "tests"))
    sys.path.insert(0, os.path.join(BUILD, "tests", "e2e"))

import allocations  # noqa: E402
import calls  # noqa: E402
import commands  # noqa: E402
import descriptors  # noqa: E402
from faults import PROGRAMS, Tally, say  # noqa: E402

# Of test_fault_*, for each scenario and kind: all but of the longest. A connect by TLS has thousands, at a third of a second each.
PROGRAM_POINTS = {"quick": 15, "full": 300}
DAEMON_POINTS = {"quick": 10, "full": 600}
COMMAND_POINTS = {"quick": 3, "full": 120}
DESCRIPTOR_ROUNDS = {"quick": 5, "full": 50}
GOAL = {"quick": 100, "full": 1000}
PLANTED = "planted"


class Run:
    def __init__(self, size, seed, only):
        self.size, self.seed, self.only = size, seed, only
        self.points = Tally()  # of allocations
        self.calls = Tally()
        self.descriptors = Tally()
        self.violated = []
        self.calls_run = None
        self.descriptors_seconds = None

    def wants(self, name):
        return not self.only or any(name.startswith(only) or only.startswith(name) for only in self.only)

    def named(self, prefix, names):
        """Those of a part's names that are wanted."""
        return [name for name in names if not self.only or any(f"{prefix} {name}".startswith(only)
                                                               for only in self.only)]

    # parts

    def program(self, name):
        """A program of cases, whose lines of figures are its own."""
        environment = {**os.environ, "CANCELD_FAULT_POINTS": str(PROGRAM_POINTS[self.size])}
        done = subprocess.run([os.path.join(PROGRAMS, name)], stdout=subprocess.PIPE, env=environment, text=True,
                              check=False)
        for line in done.stdout.splitlines():
            if not line.startswith("{"):
                say(f"{name}: {line}")
                continue
            figures = json.loads(line)
            if figures["scenario"].startswith(PLANTED):
                continue
            row = self.points.row(figures["scenario"], figures["fails"])
            if figures["fails"] == "exhausted":
                self.points.rows.remove(row)
                self.descriptors.rows.append(row)
            row["points"], row["survived"] = figures["points"], figures["survived"]
        if done.returncode != 0:
            self.violated.append(f"{name} ends with {done.returncode}")

    def programs(self):
        for part in ("codec", "local", "engine", "client"):
            if self.wants("client" if part == "engine" else part):
                self.program(f"test_fault_{part}")

    def daemon(self):
        names = self.named("daemon", ["start", *allocations.SCENARIOS])
        if names:
            allocations.run_all(self.points, DAEMON_POINTS[self.size], names)

    def cancelctl(self):
        names = self.named("cancelctl", commands.COMMANDS)
        if names:
            commands.run_all(self.points, COMMAND_POINTS[self.size], names)

    def system_calls(self):
        names = self.named("calls", calls.ERRORS)
        if names:
            self.calls_run = calls.run_all(self.calls, self.size == "quick", self.seed, names)
        if self.wants("start"):
            calls.run_starts(self.calls, self.seed)

    def no_descriptors(self):
        if self.wants("descriptors"):
            self.descriptors_seconds = descriptors.run_all(self.descriptors, DESCRIPTOR_ROUNDS[self.size])

    # figures

    def figure(self, name, value, note="", goal=None, sense=None):
        line = {"part": "faults", "figure": name, "value": value, "seed": self.seed, "note": note}
        if goal is not None:
            line.update(goal=goal, sense=sense)
        print(json.dumps(line), flush=True)

    def tally(self, tally, name, goal=None):
        """All points, those survived in percent, and each scenario."""
        points, survived = tally.points(), tally.survived()
        if not tally.rows:
            return
        self.figure(f"{name} points", points, f"{survived} survived", goal, ">=" if goal else None)
        self.figure(f"{name} points survived, percent", 100.0 * survived / points if points else 0.0,
                    goal=100, sense=">=")
        for row in tally.rows:
            answered = f", {row['answered']} answered cancels looked for" if row.get("answered") else ""
            note = f"{row['survived']} survived{answered}"
            if row["excluded"]:
                note += f"; not judged: {row['excluded']}"
            self.figure(f"{name} points, {row['scenario']}, {row['fails']}", row["points"], note)
            if not row["points"] and not self.only:
                self.violated.append(f"{row['scenario']} ({row['fails']}): nothing ever failed")
        if survived != points:
            self.violated.append(f"{points - survived} of {points} {name} points are not survived")

    def print(self):
        self.tally(self.points, "allocation", GOAL[self.size] if not self.only else None)
        self.tally(self.calls, "system call")
        self.tally(self.descriptors, "descriptor")
        if self.calls_run is not None:
            self.figure("system calls failed", sum(self.calls_run.failed.values()))
            self.figure("service after healing, slowest, s", round(self.calls_run.slowest, 3), "a new connection's ping",
                        1, "<")
            self.figure("answered cancel after healing, slowest, s", round(self.calls_run.slowest_journal, 3),
                        "the journal tries again each second")
        if self.descriptors_seconds is not None:
            self.figure("service after descriptors are free, slowest, s", round(self.descriptors_seconds, 3), "", 1, "<")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    size = parser.add_mutually_exclusive_group(required=True)
    size.add_argument("--quick", action="store_const", const="quick", dest="size")
    size.add_argument("--full", action="store_const", const="full", dest="size")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"))
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--build", help="the build directory whose programs they are; without it the environment says so")
    arguments = parser.parse_args()
    begin = time.monotonic()
    say(f"seed {arguments.seed}")
    run = Run(arguments.size, arguments.seed, arguments.only)
    for part in (run.programs, run.daemon, run.cancelctl, run.system_calls, run.no_descriptors):
        part()
        say(f"{time.monotonic() - begin:.0f} s")
    run.print()
    for violated in run.violated:
        say(f"VIOLATED: {violated}; again: run.py --{arguments.size} --seed {arguments.seed}")
    return 1 if run.violated else 0


if __name__ == "__main__":
    sys.exit(main())
