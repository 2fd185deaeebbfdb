#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The suite under valgrind's memcheck, with no suppression for anything of ours.

    tests/valgrind/run.py --build DIRECTORY [--only REGEX]

DIRECTORY is a build of the preset `valgrind`. Whatever the suite starts there runs under memcheck, the daemon and
the tools too: each test is given a tree in which a script stands in for each program. First a program
with two errors in it has to be found out. A line of JSON for each figure on stdout, progress on stderr."""
import argparse
import concurrent.futures
import glob
import json
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
# What starts no program of ours, what watches the optimised ones from outside, and what is about the filter of
# system calls.
LEFT_OUT = {"lint", "proof", "filter"}
# And what may take so long by design: completion in a shell gives up after two seconds.
TOO_SLOW = {"e2e_cli_completion"}
SLOTS = 2
SECONDS_MAX = 1200
VALGRIND = ["valgrind", "--leak-check=full", "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite",
            "--error-exitcode=99", "--fair-sched=yes", "--num-callers=30"]
# The filter of system calls would end valgrind too, which makes calls of its own.
FLAGS = {"canceld": ["--seccomp", "off", "--dumpable"]}
# What is of others: see the file.
SUPPRESSIONS = os.path.join(HERE, "others.supp")
SUMMARY = re.compile(r"ERROR SUMMARY: (\d+) errors")
FIRST = re.compile(r"^==\d+== (Invalid|Conditional|Use of|Syscall param|Mismatched|Source and|Argument|Process terminating)", re.M)


def row(figure, value, **more):
    print(json.dumps({"part": "valgrind", "figure": figure, "value": value, **more}), flush=True)


def is_program(path):
    with open(path, "rb") as file:
        head = file.read(18)
    return head[:4] == b"\x7fELF" and os.access(path, os.X_OK) and not path.endswith((".so", ".o", ".a"))


class Slot:
    """A tree of scripts, and where the programs that they start leave what memcheck says."""

    def __init__(self, build, directory):
        self.build, self.tree, self.logs = build, os.path.join(directory, "tree"), os.path.join(directory, "logs")
        os.makedirs(self.logs)
        for part in ("bin", "tests", "runtime/local/examples"):
            for path in glob.glob(os.path.join(build, part, "**"), recursive=True):
                if os.path.isfile(path) and "CMakeFiles" not in path:
                    self.stand_in(path)

    def stand_in(self, path):
        place = os.path.join(self.tree, os.path.relpath(path, self.build))
        os.makedirs(os.path.dirname(place), exist_ok=True)
        if not is_program(path):
            os.symlink(path, place)
            return
        command = [*VALGRIND, f"--suppressions={SUPPRESSIONS}", f"--log-file={self.logs}/%p", path]
        command += FLAGS.get(os.path.basename(path), [])
        with open(place, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\nexec " + " ".join(f"'{word}'" for word in command) + ' "$@"\n')
        os.chmod(place, 0o755)

    def placed(self, text):
        for part in ("bin", "tests", "runtime/local/examples"):
            text = text.replace(f"{self.build}/{part}", f"{self.tree}/{part}")
        return text

    def errors(self):
        """How many processes said something, how many errors that was, and the first of them; forgets them."""
        processes, errors, first = 0, 0, ""
        for path in glob.glob(os.path.join(self.logs, "*")):
            with open(path, encoding="utf-8", errors="replace") as file:
                text = file.read()
            processes += 1
            counts = SUMMARY.findall(text)
            found = int(counts[-1]) if counts else len(FIRST.findall(text))  # one that was killed sums up nothing
            errors += found
            first = first or (text if found else "")
            os.unlink(path)
        return processes, errors, first


class Test:
    def __init__(self, entry):
        properties = {of["name"]: of["value"] for of in entry["properties"]}
        self.name, self.command = entry["name"], entry["command"]
        self.labels = set(properties.get("LABELS", []))
        self.environment = dict(pair.split("=", 1) for pair in properties.get("ENVIRONMENT", []))
        self.directory = properties.get("WORKING_DIRECTORY", ".")
        self.alone = bool(properties.get("RUN_SERIAL"))

    def run(self, slot):
        environment = {name: slot.placed(value) for name, value in self.environment.items()}
        environment = {**os.environ, **environment, "CANCELD_TEST_PATIENCE": "20"}
        begin = time.monotonic()
        try:
            done = subprocess.run([slot.placed(word) for word in self.command], env=environment, cwd=self.directory, timeout=SECONDS_MAX,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                                  check=False)
            status, said = done.returncode, done.stdout
        except subprocess.TimeoutExpired as expired:
            status, said = f"not done after {SECONDS_MAX} s", (expired.stdout or b"").decode(errors="replace")
        return status, said, time.monotonic() - begin, slot.errors()


def read_tests(build, only):
    said = subprocess.run(["ctest", "--test-dir", build, "--show-only=json-v1"], stdout=subprocess.PIPE, check=True).stdout
    tests = [Test(entry) for entry in json.loads(said)["tests"] if "command" in entry]
    return [test for test in tests if not test.labels & LEFT_OUT and test.name not in TOO_SLOW and re.search(only, test.name)]


def control(build, slot):
    """Memcheck has to see what is wrong with a program made for that."""
    subprocess.run([slot.placed(f"{build}/tests/valgrind_control")], stdout=subprocess.DEVNULL, check=False)
    return slot.errors()[1]


def run_all(tests, slots):
    """(test, status, what it said, seconds, (processes, errors, the first)) as they end."""
    free = queue.SimpleQueue()
    for slot in slots:
        free.put(slot)

    def one(test):
        slot = free.get()
        try:
            return (test, *test.run(slot))
        finally:
            free.put(slot)
    with concurrent.futures.ThreadPoolExecutor(len(slots)) as pool:
        for ended in concurrent.futures.as_completed([pool.submit(one, test) for test in tests]):
            yield ended.result()


def judge(tests, slots):
    good, processes, errors = True, 0, 0
    for number, (test, status, said, seconds, found) in enumerate(run_all(tests, slots), 1):
        wrong = status != 0 or found[1] > 0
        print(f"[{number}/{len(tests)}] {test.name} {seconds:.1f} s{f': WRONG (status {status}, {found[1]} errors)' if wrong else ''}",
              file=sys.stderr, flush=True)
        if wrong:
            print(said[-3000:] + "\n" + found[2][:6000], file=sys.stderr, flush=True)
        good, processes, errors = good and not wrong, processes + found[0], errors + found[1]
    row("tests", len(tests))
    row("processes", processes)
    row("reports of memcheck", errors, goal=0, sense="==")
    with open(SUPPRESSIONS, encoding="utf-8") as file:
        row("suppressions of anything of ours", len(re.findall(r"canceld|registry_|journal_|link_", file.read())), goal=0, sense="==")
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", required=True, help="the build directory of the preset valgrind")
    parser.add_argument("--only", default="", help="the tests whose name this regular expression is found in")
    parser.add_argument("--seed", default=os.environ.get("CANCELD_TEST_SEED", ""), help="the chance of the tests")
    parser.add_argument("--full", action="store_true", help="for tests/prove: there is one size")
    options = parser.parse_args()
    if options.seed:
        os.environ["CANCELD_TEST_SEED"] = options.seed
    build, scratch = os.path.abspath(options.build), tempfile.mkdtemp(prefix="canceld-valgrind-")
    try:
        slots = [Slot(build, os.path.join(scratch, str(number))) for number in range(SLOTS)]
        found = control(build, slots[0])
        row("errors seen in the control", found, goal=2, sense="==")
        if found != 2:
            print("valgrind: the control's two errors were not found", file=sys.stderr)
            return 1
        return 0 if judge(read_tests(build, options.only), slots) else 1
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
