#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Plants bugs, and sees that the tests catch them.

    tests/planted/run.py --quick | --full | --only NAME... [--seed N] [--build DIR]

Each file of bugs/ is one small wrong change of the product, with the tests that stand against it. They are
planted one after the other in a copy of the tree (build/planted/tree, never the tree itself), of which
only what the named tests need is built again. First each of these tests has to pass without a bug; then
each has to fail with it. --full plants all and runs every test named; --quick plants what fits its time,
in the order of the seed, and runs the first of each.

    # SPDX-License-Identifier: MIT
    What goes wrong, in a sentence.
    layer: registry
    caught-by: test_registry_model 20261122 100000
    --- runtime/registry/cancel.c
    the text that is there, once
    +++
    what is there instead
    ===

The text is looked for exactly: where it is gone, or there twice, the bug has to be planted anew and the
run fails. One JSON object a line on stdout for each figure, and a table on stderr."""
import argparse
import dataclasses
import filecmp
import json
import os
import random
import shlex
import shutil
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUGS = os.path.join(HERE, "bugs")
LAYERS = ("registry", "journal", "client", "wire")
COPIED = ("CMakeLists.txt", "cmake", "proto", "runtime", "clients", "tests", "docs")
QUICK_SECONDS = 60
TEST_SECONDS = 120   # a test that hangs has failed
GOAL = 25
KIND_OF = (("test_registry_model", "model"), ("kill_loop", "real processes"), ("test_codec_equal", "equality"),
           ("storm", "storm"), ("test_journal_damage", "damage"), ("test_journal_kill", "kill -9"))


@dataclasses.dataclass
class Bug:
    name: str
    what: str
    layer: str
    tests: list   # each a list of words: a program of BUILD/tests and its arguments
    edits: list   # (path, text, text instead)


class Wrong(Exception):
    """A bug that cannot be planted, or a tree that cannot be tested: told, and the run has failed."""


# ---- the table -------------------------------------------------------------------------------------


def read_edits(name, text):
    edits = []
    for block in text.split("\n===\n"):
        if not block.strip():
            continue
        head, found, rest = block.lstrip("\n").partition("\n")
        before, plus, after = rest.partition("\n+++\n")
        if not head.startswith("--- ") or not found or not plus:
            raise Wrong(f"{name}: '{head[:60]}' begins no change")
        edits.append((head[4:].strip(), before, after))
    return edits


def read(name):
    with open(os.path.join(BUGS, name), encoding="utf-8") as file:
        head, mark, rest = file.read().partition("\n--- ")
    lines = [line for line in head.splitlines() if not line.startswith("#")]
    values = [line.split(": ", 1) for line in lines[1:]]
    tests = [shlex.split(value) for key, value in values if key == "caught-by"]
    layer = next((value for key, value in values if key == "layer"), "")
    bug = Bug(name.removesuffix(".bug"), lines[0], layer, tests, read_edits(name, "--- " + rest if mark else ""))
    if layer not in LAYERS or not tests or not bug.edits:
        raise Wrong(f"{name}: it needs a layer of {', '.join(LAYERS)}, a test and a change")
    return bug


def read_all():
    return [read(name) for name in sorted(os.listdir(BUGS)) if name.endswith(".bug")]


def planted(bug, text_of):
    """{path: text} with the bug in it. text_of(path) is how it is without."""
    texts = {}
    for path, before, after in bug.edits:
        text = texts.get(path) or text_of(path)
        if text.count(before) != 1:
            raise Wrong(f"{bug.name}: {path} has this text {text.count(before)} times, plant it anew:\n{before}")
        texts[path] = text.replace(before, after)
    return texts


def source(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


# ---- the copy --------------------------------------------------------------------------------------


class Copy:
    """A copy of the tree with a build directory, both kept from run to run."""

    def __init__(self, directory):
        self.tree, self.build = os.path.join(directory, "tree"), os.path.join(directory, "build")
        os.makedirs(self.tree, exist_ok=True)
        self.log = open(os.path.join(directory, "build.log"), "w", encoding="utf-8")

    def make_like_the_tree(self):
        """Only what differs is written, so only that is built again."""
        wanted = set()
        for name in COPIED:
            top = os.path.join(ROOT, name)
            for place, _directories, files in os.walk(top) if os.path.isdir(top) else [(ROOT, [], [name])]:
                if "__pycache__" not in place:
                    wanted |= {os.path.relpath(os.path.join(place, file), ROOT) for file in files}
        for path in wanted:
            target = os.path.join(self.tree, path)
            if not os.path.exists(target) or not filecmp.cmp(os.path.join(ROOT, path), target, shallow=False):
                os.makedirs(os.path.dirname(target), exist_ok=True)
                shutil.copy(os.path.join(ROOT, path), target)
        for place, _directories, files in os.walk(self.tree):
            for path in (os.path.join(place, file) for file in files):
                if os.path.relpath(path, self.tree) not in wanted:
                    os.remove(path)

    def run(self, command):
        self.log.write("$ " + " ".join(command) + "\n")
        self.log.flush()
        return subprocess.run(command, stdout=self.log, stderr=subprocess.STDOUT, check=False).returncode == 0

    def configure(self):
        if not self.run(["cmake", "-S", self.tree, "-B", self.build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug",
                         "-DCMAKE_C_FLAGS_DEBUG=-g0 -O1", "-DCANCELD_WERROR=OFF"]):
            raise Wrong(f"the copy cannot be configured: see {self.log.name}")

    def make(self, programs):
        return self.run(["cmake", "--build", self.build, "--target", *sorted(programs)])

    def write(self, texts):
        for path, text in texts.items():
            with open(os.path.join(self.tree, path), "w", encoding="utf-8") as file:
                file.write(text)

    def test(self, words):
        """Whether it passes; a test that does not end has failed."""
        program = os.path.join(self.build, "tests", words[0])
        environment = {**os.environ, "CANCELD_TEST_SEED": "20261122"}
        process = subprocess.Popen([program, *words[1:]], stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT,
                                   env=environment, cwd=self.build, start_new_session=True)
        try:
            return process.wait(TEST_SECONDS) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            try:
                os.killpg(process.pid, 9)
            except ProcessLookupError:
                pass
            process.wait()


# ---- the run ---------------------------------------------------------------------------------------


@dataclasses.dataclass
class Result:
    bug: Bug
    caught: list = dataclasses.field(default_factory=list)
    missed: list = dataclasses.field(default_factory=list)
    wrong: str = ""
    seconds: float = 0


def say(text):
    print(text, file=sys.stderr, flush=True)


def check_without(copy, tests):
    """Each test passes on the tree as it is; else nothing is proved by its failing."""
    if not copy.make({words[0] for words in tests}):
        raise Wrong(f"the tree does not build: see {copy.log.name}")
    for words in tests:
        begin = time.monotonic()
        if not copy.test(words):
            raise Wrong(f"without a bug this fails already: {' '.join(words)} (see {copy.log.name})")
        say(f"  passes without: {' '.join(words)}  {time.monotonic() - begin:.1f} s")


def plant(copy, bug, tests):
    result, begin = Result(bug), time.monotonic()
    texts = planted(bug, source)
    copy.write(texts)
    try:
        if not copy.make({words[0] for words in tests}):
            result.wrong = f"it does not build with the bug: see {copy.log.name}"
        for words in tests if not result.wrong else []:
            (result.missed if copy.test(words) else result.caught).append(words)
    finally:
        copy.write({path: source(path) for path in texts})
    result.seconds = time.monotonic() - begin
    return result


def tell(result, place):
    said = result.wrong or ("NOT CAUGHT by " + "; ".join(" ".join(words) for words in result.missed) if result.missed
                            else "caught by " + ", ".join(words[0] for words in result.caught))
    say(f"[{place}] {result.bug.name:38s} {result.seconds:5.1f} s  {said}")


def run(options, bugs, copy):
    for bug in bugs:
        planted(bug, source)  # all of them, before the first is tried
    chosen = [bug for bug in bugs if not options.only or bug.name in options.only]
    if options.quick:
        random.Random(options.seed).shuffle(chosen)
    tests_of = {bug.name: bug.tests[:1] if options.quick else bug.tests for bug in chosen}
    copy.make_like_the_tree()
    copy.configure()
    say(f"{len(chosen)} bugs, seed {options.seed}")
    passed, results = set(), []
    begin, built = time.monotonic(), time.monotonic()
    if not options.quick:
        check_without(copy, sorted({tuple(words) for tests in tests_of.values() for words in tests}))
    else:
        if not copy.make({words[0] for tests in tests_of.values() for words in tests}):
            raise Wrong(f"the tree does not build: see {copy.log.name}")
        begin = time.monotonic()
    for index, bug in enumerate(chosen):
        if options.quick and time.monotonic() - begin > QUICK_SECONDS:
            break
        fresh = [words for words in tests_of[bug.name] if tuple(words) not in passed]
        if options.quick and fresh:
            check_without(copy, fresh)
            passed |= {tuple(words) for words in fresh}
        results.append(plant(copy, bug, tests_of[bug.name]))
        tell(results[-1], f"{index + 1:2d}/{len(chosen)}")
    say(f"built in {begin - built:.0f} s, planted in {time.monotonic() - begin:.0f} s")
    return results


# ---- what is told ----------------------------------------------------------------------------------


def kind_of(words):
    return next((kind for name, kind in KIND_OF if name in words[0]), "unit")


def row(figure, value, **more):
    print(json.dumps({"part": "planted bugs", "figure": figure, "value": value, **more}), flush=True)


def rows(results, options):
    good = [result for result in results if result.caught and not result.missed and not result.wrong]
    if options.quick or options.only:
        row("planted bugs caught", len(good), goal=len(results), sense="==", seed=options.seed,
            note=f"a sample of {len(os.listdir(BUGS))}")
    else:
        row("planted bugs", len(results), goal=GOAL, sense=">=")
        row("planted bugs caught", len(good), goal=len(results), sense="==")
    for layer in LAYERS:
        own = [result for result in results if result.bug.layer == layer]
        row(f"caught in the {layer}", sum(result in good for result in own), goal=len(own), sense="==")
    kinds = sorted({kind_of(words) for result in results for words in result.caught})
    for kind in kinds:
        row(f"caught by {kind} tests", sum(any(kind_of(words) == kind for words in result.caught) for result in results))
    if results:
        row("a bug takes, median", round(statistics.median(result.seconds for result in results), 1), unit="s")
    return len(good) == len(results) and bool(results)


def table(results):
    """Which layer of tests catches which bug."""
    kinds = sorted({kind_of(words) for result in results for words in result.caught + result.missed})
    say("\n" + "bug".ljust(40) + "  ".join(kinds))
    for result in results:
        caught, missed = {kind_of(words) for words in result.caught}, {kind_of(words) for words in result.missed}
        cells = ["MISSED" if kind in missed else "caught" if kind in caught else "" for kind in kinds]
        say(result.bug.name.ljust(40) + "  ".join(cell.ljust(len(kind)) for cell, kind in zip(cells, kinds))
            + ("  " + result.wrong if result.wrong else ""))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true", help=f"what fits {QUICK_SECONDS} s after the build, in the seed's order")
    parser.add_argument("--full", action="store_true", help="all of them, with every test named (the default)")
    parser.add_argument("--only", metavar="NAME", nargs="+", help="these bugs")
    parser.add_argument("--list", action="store_true", help="name the bugs; fails where the tree no longer has a place for one")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--build", metavar="DIR", default=os.path.join(ROOT, "build", "planted"), help="where the copy stands")
    return parser.parse_args()


def main():
    options = arguments()
    try:
        bugs = read_all()
        if options.list:
            for bug in bugs:
                planted(bug, source)
                print(f"{bug.name:38s} {bug.what}")
            return 0
        results = run(options, bugs, Copy(os.path.abspath(options.build)))
    except Wrong as wrong:
        say(str(wrong))
        return 1
    table(results)
    return 0 if rows(results, options) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
