#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The suite under valgrind's memcheck, with no suppression for anything of ours.

    tests/valgrind/run.py --build DIRECTORY [--only REGEX]     # the whole suite
    tests/valgrind/run.py --build DIRECTORY --full --seed N    # as tests/prove runs it

DIRECTORY is a build of the preset `valgrind`. Whatever the suite starts there runs under memcheck, the daemon and
the tools too: each test is given a tree in which a script stands in for each program. First a program
with two errors in it has to be found out. A line of JSON for each figure on stdout, progress on stderr.

A process under memcheck takes half a second to begin, and an end-to-end test begins up to some hundred. So --full runs
every unit test, and of the end-to-end tests as many as have room in its time, over one of their two transports: chance
chooses both, from the seed. Which test last held when, and how long it took, stands in docs/testing/valgrind.json."""
import argparse
import concurrent.futures
import fnmatch
import glob
import json
import os
import queue
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "support", "python"))

import machine  # noqa: E402

RECORD = os.path.join(ROOT, "docs", "testing", "valgrind.json")
# What has no place here: by its label, or by its name.
LEFT_OUT = {
    "lint": "it starts no program of ours",
    "proof": "it watches the optimised programs from outside, or is a part of tests/prove of its own",
    "filter": "it is about filters of system calls, which valgrind does not do, or which would end it",
    "malloc": "it has a malloc of its own, in whose place memcheck puts another",
    "hardened": "it reads the programs as files, and starts none",
    "e2e_cli_completion": "completion in a shell gives up after two seconds by design: under memcheck it offers nothing",
}
# Of these the cases with such names alone: the others are about what valgrind does in its own way for the program that
# it runs (which descriptors a command inherits, why one cannot be started, how a job is stopped in a terminal), or have
# times of their own (the demo).
CASES = {"e2e_cli_run": ["DaemonAway", "*cancel_ends*", "*many_runs*", "*forwarded*", "*ttl*", "*the_grace*", "*exit_status*"]}
E2E = "integration"  # their label
JOBS = 3  # of two cores: end-to-end tests wait a lot
E2E_SECONDS = 300  # of --full, added up over the tests
SECONDS_UNKNOWN = 60  # of a test that never ran
SECONDS_MAX = 1200
VALGRIND = ["valgrind", "--leak-check=full", "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite",
            "--error-exitcode=99", "--fair-sched=yes", "--num-callers=30", "--vgdb=no"]
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
        self.name = entry["name"]
        self.command = entry["command"] + [word for case in CASES.get(self.name, []) for word in ("-k", case)]
        self.labels = set(properties.get("LABELS", []))
        self.environment = dict(pair.split("=", 1) for pair in properties.get("ENVIRONMENT", []))
        self.directory = properties.get("WORKING_DIRECTORY", ".")

    def why_not(self):
        return next((why for of, why in LEFT_OUT.items() if of in self.labels or of == self.name), "")

    def is_e2e(self):
        return E2E in self.labels

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


def read_tests(build):
    said = subprocess.run(["ctest", "--test-dir", build, "--show-only=json-v1"], stdout=subprocess.PIPE, check=True).stdout
    return [Test(entry) for entry in json.loads(said)["tests"] if "command" in entry]


class Record:
    """Of each test when it last held under memcheck, and how long that took."""

    def __init__(self, path, counts):
        self.path, self.counts = path, counts
        try:
            with open(path, encoding="utf-8") as file:
                self.tests = json.load(file)
        except FileNotFoundError:
            self.tests = {}

    def seconds(self, test):
        return self.tests.get(test.name, {}).get("seconds", SECONDS_UNKNOWN)

    def held(self, test, seconds):
        self.tests[test.name] = {"at": machine.now(), "commit": machine.commit(ROOT), "seconds": round(seconds, 1)}
        self.save()

    def forget_others(self, tests):
        """Of tests that are there no more nothing is told."""
        self.tests = {test.name: self.tests[test.name] for test in tests if test.name in self.tests}

    def save(self):
        if self.counts:
            with open(self.path, "w", encoding="utf-8") as file:
                file.write(json.dumps(self.tests, indent=1, sort_keys=True) + "\n")


def chosen(tests, record, seconds, chance):
    """All unit tests, and end-to-end tests as they come by chance until their time is full, each over a transport by chance."""
    e2e = [test for test in tests if test.is_e2e()]
    chance.shuffle(e2e)
    some = [test for test in tests if not test.is_e2e()]
    for test in e2e:
        if seconds <= 0:
            break
        seconds -= record.seconds(test)
        test.environment["CANCELD_TEST_TRANSPORTS"] = chance.choice(["ipc", "tcp"])
        some.append(test)
    return some


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


def ours_of(build):
    """The names of the functions of our programs."""
    programs = [path for path in glob.glob(os.path.join(build, "bin", "*")) if is_program(path)]
    said = subprocess.run(["nm", "--defined-only", *programs], stdout=subprocess.PIPE, text=True, check=True).stdout
    return {words[2] for words in map(str.split, said.splitlines()) if len(words) == 3 and words[1] in "tT"}


def suppressions_of_ours(text, ours):
    """How many of the file's lines name a function of ours, or a program."""
    names = re.findall(r"^ *fun:(\S+)", text, re.M)
    objects = re.findall(r"^ *obj:(\S+)", text, re.M)
    return (sum(bool(fnmatch.filter(ours, name)) for name in names) +
            sum(any(fnmatch.fnmatch(f"/x/{name}", of) for name in ("canceld", "cancelctl", "libcanceld-client.so.0")) for of in objects))


def judge(tests, slots, record):
    good, processes, errors = True, 0, 0
    for number, (test, status, said, seconds, found) in enumerate(run_all(tests, slots), 1):
        wrong = status != 0 or found[1] > 0
        print(f"[{number}/{len(tests)}] {test.name} {seconds:.1f} s, {found[0]} processes"
              f"{f': WRONG (status {status}, {found[1]} errors)' if wrong else ''}", file=sys.stderr, flush=True)
        if wrong:
            print(said[-3000:] + "\n" + found[2][:6000], file=sys.stderr, flush=True)
        else:
            record.held(test, seconds)
        good, processes, errors = good and not wrong, processes + found[0], errors + found[1]
    row("processes under memcheck", processes)
    row("reports of memcheck", errors, goal=0, sense="==")
    return good


def tell_what_runs(every, fit, some, record):
    for name in ("unit", "end-to-end"):
        of = [[test for test in tests if test.is_e2e() == (name != "unit")] for tests in (fit, some)]
        row(f"{name} tests run", len(of[1]), note=f"of {len(of[0])}")
    row("tests left out", len(every) - len(fit), note="; ".join(sorted({test.why_not() for test in every if test.why_not()})))
    row("tests that ever held", sum(test.name in record.tests for test in fit), goal=len(fit), sense="==", note="cumulative")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", required=True, help="the build directory of the preset valgrind")
    parser.add_argument("--only", default="", help="the tests whose name this regular expression is found in")
    parser.add_argument("--seed", default=os.environ.get("CANCELD_TEST_SEED"), help="the chance of the tests, and of --full")
    parser.add_argument("--full", action="store_true", help="all unit tests, and some of the others; counts them too")
    parser.add_argument("--e2e-seconds", type=int, default=E2E_SECONDS, help="that --full has for the end-to-end tests, added up")
    parser.add_argument("--jobs", type=int, default=JOBS, help="tests at a time")
    parser.add_argument("--record", default=RECORD, help="the file that says which test held when")
    parser.add_argument("--count", action="store_true", help="write this run there; --full does")
    return parser.parse_args()


def run(options, build, slots):
    found = control(build, slots[0])
    row("errors seen in the control", found, goal=2, sense="==")
    if found != 2:
        print("valgrind: the control's two errors were not found", file=sys.stderr)
        return 1
    every, record = read_tests(build), Record(options.record, options.full or options.count)
    record.forget_others(every)
    fit = [test for test in every if not test.why_not() and re.search(options.only, test.name)]
    some = chosen(fit, record, options.e2e_seconds, random.Random(options.seed)) if options.full else fit
    good = judge(sorted(some, key=record.seconds, reverse=True), slots, record)
    tell_what_runs([test for test in every if re.search(options.only, test.name)], fit, some, record)
    with open(SUPPRESSIONS, encoding="utf-8") as file:
        row("suppressions of anything of ours", suppressions_of_ours(file.read(), ours_of(build)), goal=0, sense="==")
    return 0 if good else 1


def main():
    options = arguments()
    options.seed = options.seed or str(time.time_ns() % 1000000)
    print(f"valgrind: seed {options.seed}", file=sys.stderr)
    os.environ["CANCELD_TEST_SEED"] = options.seed
    build, scratch = os.path.abspath(options.build), tempfile.mkdtemp(prefix="canceld-valgrind-")
    try:
        return run(options, build, [Slot(build, os.path.join(scratch, str(number))) for number in range(options.jobs)])
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
