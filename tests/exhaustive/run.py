#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The small world gone through whole, and the model of cancel, journal and resend.

    tests/exhaustive/run.py --quick | --full [--build DIRECTORY]

A line of JSON for each figure on stdout, progress on stderr. Without spin the model is left out, and
that is said; with CANCELD_TEST_ALL=1 it is a failure."""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
MODEL = os.path.join(HERE, "cancel.pml")

# What is broken on purpose, and a part of what spin must then say.
VARIANTS = {
    "ACK_BEFORE_JOURNAL": "kept[1]",
    "NO_DEDUPLICATION": "store_effects==1",
    "DELIVER_TO_SUCCESSOR": "assertion violated",
    "FORGET_ON_SEND": "invalid end state",
    "FORGET_JOURNAL": "invalid end state",
    "NO_RECOVERING": "done[1]",
    "GENS_AGAIN": "g>last",
    "CALLBACK_AGAIN": "calls[g]==1",
}

# Scope, depth, seconds at most (0: as long as it takes), one of how many states is healed.
SEARCHES = {
    "quick": (("core", 6, 25, 4), ("wide", 4, 15, 4)),
    "full": (("core", 8, 0, 16), ("wide", 5, 0, 1)),
}


def row(figure, value, note="", **more):
    print(json.dumps({"part": "exhaustive", "figure": figure, "value": value, **more, "note": note}),
          flush=True)


def search(program, scope, depth, seconds, heal_one_of, goal):
    """The rows of one search, with the scope's name before each figure."""
    command = [program, "--scope", scope, "--depth", str(depth), "--seconds", str(seconds),
               "--heal-one-of", str(heal_one_of)]
    print("exhaustive:", " ".join(command), file=sys.stderr, flush=True)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    for line in done.stdout.splitlines():
        said = json.loads(line)
        more = {"goal": goal, "sense": ">="} if said["figure"] == "depth gone through whole" and goal else {}
        row(f"{scope} scope: {said['figure']}", said["value"], said["note"], **more)
    if done.returncode != 0:
        print(f"exhaustive: VIOLATED; again by: {' '.join(command)}", file=sys.stderr)
    return done.returncode == 0


def verify(directory, define):
    """Spin's whole word on the model, with one thing broken or none: (errors, states, what it said)."""
    subprocess.run(["spin", "-a", *([f"-D{define}"] if define else []), MODEL], cwd=directory,
                   stdout=subprocess.DEVNULL, check=True)
    subprocess.run(["cc", "-O2", "-w", "-DSAFETY", "-DMEMLIM=4000", "-o", "pan", "pan.c"], cwd=directory,
                   check=True)
    said = subprocess.run(["./pan", "-m1000000"], cwd=directory, stdout=subprocess.PIPE, text=True,
                          check=False).stdout
    errors = re.search(r"errors: (\d+)", said)
    states = re.search(r"([\d.e+]+) states, stored", said)
    if errors is None or states is None or "max search depth too small" in said:
        return 1, 0, said
    return int(errors[1]), int(float(states[1])), said


def model():
    good = True
    with tempfile.TemporaryDirectory(prefix="canceld-spin-") as directory:
        errors, states, said = verify(directory, None)
        row("model: errors", errors, "cancel.pml as it is", goal=0, sense="<=")
        row("model: states", states, "cancel.pml as it is")
        if errors != 0:
            print(said, file=sys.stderr)
            good = False
        caught = 0
        for define, expected in VARIANTS.items():
            errors, states, said = verify(directory, define)
            fits = errors > 0 and expected in said
            caught += fits
            row(f"model broken by {define}: errors", errors, f"{states} states to the counterexample",
                goal=1, sense=">=")
            if not fits:
                print(f"exhaustive: {define} was to lead to '{expected}':\n{said}", file=sys.stderr)
        row("model: broken variants caught", caught, f"of {len(VARIANTS)}", goal=len(VARIANTS), sense=">=")
    return good and caught == len(VARIANTS)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--full", action="store_true")
    arguments.add_argument("--model-only", action="store_true")
    arguments.add_argument("--build", default=os.path.join(ROOT, "build", "release"))
    given = arguments.parse_args()
    how = "full" if given.full else "quick"
    good = True
    if not given.model_only:
        program = os.path.join(given.build, "tests", "small_world")
        for at, (scope, depth, seconds, heal) in enumerate(SEARCHES[how]):
            goal = {"quick": 6, "full": 8}[how] if at == 0 else None
            good = search(program, scope, depth, seconds, heal, goal) and good
    if shutil.which("spin") is None:
        print("exhaustive: left out: the model needs spin (Debian package spin)", file=sys.stderr)
        good = good and os.environ.get("CANCELD_TEST_ALL") != "1"
    else:
        good = model() and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
