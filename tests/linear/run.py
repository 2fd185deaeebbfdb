#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Linearizability of real histories under kill -9.

    tests/linear/run.py --quick | --full [--seed N] [--build DIRECTORY]

A line of JSON for each figure on stdout, progress on stderr; exit code 0 only if every key's calls can be
explained. The checker itself is proved on planted histories by test_checker."""
import argparse
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
# Calls, kills, and the goals beside two figures: how many operations, checked in how many ms.
SIZES = {"small": (8000, 4, None), "quick": (100000, 10, 100000), "full": (1050000, 60, 1000000)}
CHECK_MS_MAX = 60000


def program(build, name):
    for directory in ("bin", "tests", "runtime/server", "."):
        path = os.path.join(build, directory, name)
        if os.path.isfile(path):
            return path
    sys.exit(f"linear: there is no {name} in {build}")


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    for how in SIZES:
        arguments.add_argument(f"--{how}", dest="how", action="store_const", const=how)
    arguments.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    arguments.add_argument("--build", default=os.path.join(ROOT, "build", "release"))
    given = arguments.parse_args()
    calls, kills, goal = SIZES[given.how or "quick"]
    with tempfile.TemporaryDirectory(prefix="canceld-linear-") as directory:
        command = [program(given.build, "linear_history"), program(given.build, "canceld"), directory,
                   str(calls), str(kills), str(given.seed)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    for line in done.stdout.splitlines():
        said = json.loads(line)
        if goal and said["figure"] == "real operations checked":
            said |= {"goal": goal, "sense": ">="}
        elif goal and said["figure"] == "ms to check it":
            said |= {"goal": CHECK_MS_MAX, "sense": "<="}
        elif said["figure"] in ("keys that cannot be explained", "wrong answers"):
            said |= {"goal": 0, "sense": "<="}
        print(json.dumps(said | {"note": given.how or "quick"}), flush=True)
    if done.returncode != 0:
        print(f"linear: FAILED; again by: tests/linear/run.py --{given.how or 'quick'} --seed {given.seed}",
              file=sys.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
