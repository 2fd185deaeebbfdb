#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How much of the product the tests reach: lines and branches by layer, and MC/DC of the registry.

    tests/coverage/run.py --quick | --full [--build DIR]

--quick runs the unit tests and the model, --full the whole suite and MC/DC (clang-19, of Debian: a package of
its own). MC/DC is of the registry, by its unit tests and the model with one seed; conditions that nothing can
reach stand in unreached.json beside this script, each with its reason: one that is there no more, or that is
reached, is a failure, so that the list stays honest. Counters are kept in mapped files, so that processes that are killed count too. What an ASSERT checks
has one outcome only in a sound program: its branches and conditions are not counted. The lines, branches and
conditions that nothing reached stand in unreached.txt. One JSON object a line on stdout for each figure."""
import argparse
import bisect
import collections
import json
import os
import re
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LAYERS = ("runtime/base", "runtime/table", "runtime/actor", "runtime/registry", "runtime/local", "runtime/journal",
          "runtime/wire", "runtime/server", "clients/c/src", "clients/cli")
# [{"file", "decision", "condition", "reason"}]: the texts as they stand in the source, spaces made one.
UNREACHED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "unreached.json")
MCDC_SEED = "1"
MCDC_BRANCH = 6  # the kind of a branch of `branches` that is a condition
LINES_GOAL, BRANCHES_GOAL, MCDC_GOAL = 95, 90, 100
ASSERTION = re.compile(r"\b(?:ASSERT|_Static_assert)\(")
# The programs that MC/DC of the registry is measured by.
REGISTRY_TESTS = "^test_(registry.*|births|lease_clock|service)$"
PRESET = ["cmake", "--preset", "coverage"]
MCDC = ["-DCMAKE_C_COMPILER=clang-19", "-DCMAKE_C_FLAGS=-O1 -fprofile-instr-generate -fcoverage-mapping -fcoverage-mcdc"]
# They build an application with an installed library, which does not know of counters.
NOT_COUNTED = "^(client|local)_install$"
# Mapped while they run, and, where that cannot be, added up by each process at its end.
MAPPED, ADDED = "%m%c.profraw", "%m.profraw"


class Failed(Exception):
    """Something that has to be done cannot be."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def tool(name, *versions):
    """The newest of the versions that are there; they have to be of one release."""
    for version in versions:
        path = shutil.which(f"{name}{version}")
        if path:
            return path
    raise Failed(f"there is no {name}{versions[0]}: install clang and llvm")


# ---- building and running --------------------------------------------------------------------------


class Measure:
    """One build with counters, and what ran of it."""

    def __init__(self, directory, more, profile, version):
        self.build, self.profiles = os.path.join(directory, "build"), os.path.join(directory, "profiles")
        self.more, self.profile, self.version = more, profile, version
        os.makedirs(directory, exist_ok=True)
        shutil.rmtree(self.profiles, ignore_errors=True)
        os.makedirs(self.profiles)
        self.log_path = os.path.join(directory, "run.log")
        self.log = open(self.log_path, "w", encoding="utf-8")
        self.directory = directory

    def run(self, command, **more):
        self.log.write("$ " + " ".join(command) + "\n")
        self.log.flush()
        return subprocess.run(command, stdout=self.log, stderr=subprocess.STDOUT, check=False, **more).returncode

    def make(self, of_tests=""):
        """All, or the programs that tests of these names are."""
        begin = time.monotonic()
        good = self.run([*PRESET, "-B", self.build, *self.more], cwd=ROOT) == 0
        wanted = ["--target", *self.names(of_tests)] if of_tests and good else []
        if not good or self.run(["cmake", "--build", self.build, *wanted]) != 0:
            raise Failed(f"it cannot be built: see {self.log_path}")
        say(f"built, {time.monotonic() - begin:.0f} s")

    def names(self, pattern):
        told = subprocess.run(["ctest", "--test-dir", self.build, "-N", "-R", pattern], capture_output=True, text=True, check=False)
        return re.findall(r"Test +#\d+: (\S+)", told.stdout)

    def environment(self):
        return {**os.environ, "LLVM_PROFILE_FILE": os.path.join(self.profiles, self.profile),
                "CANCELD_KILLS": os.environ.get("CANCELD_KILLS", "40")}

    def test(self, *selection):
        """The suite, or what is selected of it; gives how many tests passed, and which did not."""
        begin = time.monotonic()
        code = self.run(["ctest", "--test-dir", self.build, "-j", "4", "--output-on-failure", "--no-tests=error", *selection],
                        env=self.environment())
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            told = file.read()
        failed = re.findall(r"^\s+\d+ - (\S+) \(", told, re.MULTILINE) if code else []
        match = re.search(r"(\d+) tests failed out of (\d+)", told)
        if not match:
            raise Failed(f"the tests did not run: see {self.log_path}")
        say(f"{match.group(2)} tests, {time.monotonic() - begin:.0f} s" + (f", FAILED: {', '.join(failed)}" if failed else ""))
        return int(match.group(2)) - int(match.group(1)), failed

    def programs(self):
        """What has counters: programs and shared libraries."""
        found = []
        for place, directories, names in os.walk(self.build):
            directories[:] = [d for d in directories if d not in ("CMakeFiles", "Testing")]
            for path in (os.path.join(place, name) for name in names):
                if not os.path.islink(path) and os.access(path, os.X_OK) and is_elf(path):
                    found.append(path)
        return sorted(found)

    def merge(self):
        merged = os.path.join(self.directory, "all.profdata")
        raw = [os.path.join(self.profiles, name) for name in sorted(os.listdir(self.profiles))]
        if not raw or self.run([tool("llvm-profdata", *self.version), "merge", "-sparse", "-failure-mode=all", *raw, "-o", merged]) != 0:
            raise Failed(f"there are no counts: see {self.log_path}")
        return merged

    def export(self, directories):
        """What llvm-cov says of each file of these directories."""
        first, *others = self.programs()
        command = [tool("llvm-cov", *self.version), "export", "-instr-profile", self.merge(), first]
        for path in others:
            command += ["-object", path]
        command += ["-skip-functions", "-skip-expansions", *(os.path.join(ROOT, directory) for directory in directories)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=self.log, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"llvm-cov fails: see {self.log_path}")
        return json.loads(done.stdout)["data"][0]["files"]


def is_elf(path):
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


# ---- counting --------------------------------------------------------------------------------------


class Source:
    """A file's text, and where its assertions stand."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        self.starts = [0] + [index + 1 for index, char in enumerate(text) if char == "\n"]
        self.whole, self.lines = text, text.splitlines()
        self.asserted = [(match.start(), end_of_call(text, match.end())) for match in ASSERTION.finditer(text)]

    def is_asserted(self, line, column):
        offset = self.starts[line - 1] + column - 1
        index = bisect.bisect_right(self.asserted, (offset, len(self.starts) * 1000)) - 1
        return index >= 0 and self.asserted[index][0] <= offset < self.asserted[index][1]

    def line(self, number):
        return self.lines[number - 1].strip()[:100]

    def text(self, begin_line, begin_column, end_line, end_column):
        begin = self.starts[begin_line - 1] + begin_column - 1
        end = self.starts[end_line - 1] + end_column - 1
        return " ".join(self.whole[begin:end].split())


def end_of_call(text, begin):
    """Behind the parenthesis that closes the one before `begin`."""
    depth, at = 1, begin
    while depth and at < len(text):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        at += 1
    return at


class Count:
    def __init__(self):
        self.lines, self.lines_hit, self.branches, self.branches_hit = 0, 0, 0, 0
        self.conditions, self.conditions_hit = 0, 0

    def add(self, other):
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    @staticmethod
    def percent(hit, whole):
        return round(100 * hit / whole, 2) if whole else 0


def lines_unreached(file):
    """Where a run of code begins that was not executed."""
    return [segment[0] for segment in file["segments"] if segment[3] and segment[4] and segment[2] == 0 and not segment[5]]


def count_of(file, source, unreached):
    """The counts of a file; what was not reached goes to the list."""
    name, count = os.path.relpath(file["filename"], ROOT), Count()
    summary = file["summary"]["lines"]
    count.lines, count.lines_hit = summary["count"], summary["covered"]
    unreached += [f"{name}:{line}: not reached: {source.line(line)}" for line in sorted(set(lines_unreached(file)))
                  if not ASSERTION.search(source.line(line))]
    for branch in file.get("branches", []):
        line, column, outcomes = branch[0], branch[1], branch[4:6]
        if source.is_asserted(line, column):
            continue
        count.branches += 2
        count.branches_hit += sum(outcome > 0 for outcome in outcomes)
        if 0 in outcomes:
            unreached.append(f"{name}:{line}:{column}: never {'true' if outcomes[0] == 0 else 'false'}: {source.line(line)}")
    for record in file.get("mcdc_records", []):
        conditions = next((item for item in record if isinstance(item, list)), [])
        if source.is_asserted(record[0], record[1]):
            continue
        count.conditions += len(conditions)
        count.conditions_hit += sum(conditions)
        if not all(conditions):
            which = ", ".join(str(i + 1) for i, met in enumerate(conditions) if not met)
            unreached.append(f"{name}:{record[0]}: MC/DC, no independent effect of condition {which} of {len(conditions)}: "
                             f"{source.line(record[0])}")
    return count


def conditions_of(files):
    """{(file, decision, condition): met}, and the lines they stand in; without assertions. A function of a header
    has a record in each file that includes it: one that meets a condition does for all."""
    met_by, lines = {}, {}
    for file in files:
        source, name = Source(file["filename"]), os.path.relpath(file["filename"], ROOT)
        branches = sorted({tuple(branch[:4]) for branch in file.get("branches", []) if branch[8] == MCDC_BRANCH})
        for record in file.get("mcdc_records", []):
            if source.is_asserted(record[0], record[1]):
                continue
            span, met = tuple(record[:4]), next(item for item in record if isinstance(item, list))
            inside = [branch for branch in branches if span[:2] <= branch[:2] and branch[2:] <= span[2:]]
            for i, one in enumerate(met):
                text = source.text(*inside[i]) if len(inside) == len(met) else f"condition {i + 1}"
                key = (name, source.text(*span), text, span, i)
                met_by[key] = met_by.get(key, False) or one
                lines[key] = record[0]
    return met_by, lines


def judge_conditions(files):
    """How many conditions there are, are met, and are listed; and what is wrong: neither met nor listed, or
    listed in vain."""
    met_by, lines = conditions_of(files)
    with open(UNREACHED, encoding="utf-8") as file:
        listed = {(one["file"], one["decision"], one["condition"]): one["reason"] for one in json.load(file)}
    met = sum(met_by.values())
    unmet = {key for key, one in met_by.items() if not one}
    known = {key for key in unmet if key[:3] in listed}
    neither = [f"{key[0]}:{lines[key]}: MC/DC, no independent effect of: {key[2]}" for key in sorted(unmet - known)]
    stale = [f"{one[0]}: listed, but {'reached' if any(key[:3] == one for key in met_by) else 'not there'}: {one[2]}"
             for one in listed if one not in {key[:3] for key in known}]
    return len(met_by), met, len(known), neither, stale


def count_layers(files):
    """{layer: count}, and the list of what was not reached."""
    layers, unreached = collections.defaultdict(Count), []
    for file in sorted(files, key=lambda file: file["filename"]):
        path = os.path.relpath(file["filename"], ROOT)
        layer = next((layer for layer in LAYERS if path.startswith(layer + "/")), None)
        if layer:
            layers[layer].add(count_of(file, Source(file["filename"]), unreached))
    return layers, unreached


# ---- the run ---------------------------------------------------------------------------------------


def row(figure, value, goal=None, **more):
    told = {"part": "coverage", "figure": figure, "value": value}
    if goal is not None:
        told.update(goal=goal, sense=">=")
    print(json.dumps({**told, **more}), flush=True)


def keep_list(directory, unreached):
    path = os.path.join(directory, "unreached.txt")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(unreached) + "\n")
    say(f"{len(unreached)} places were not reached, or one way only: {os.path.relpath(path)}")


def measure_lines(options):
    of = Measure(os.path.join(options.build, "lines"), [], MAPPED, ("", "-14"))
    of.make()
    selection = ("-L", "unit|model") if options.quick else ("-LE", "lint", "-E", NOT_COUNTED)
    passed, failed = of.test(*selection)
    layers, unreached = count_layers(of.export(LAYERS))
    keep_list(of.directory, unreached)
    whole = Count()
    for count in layers.values():
        whole.add(count)
    note = "unit tests and the model alone" if options.quick else "the whole suite"
    row("tests that passed with counters", passed, note=note)
    row("lines", Count.percent(whole.lines_hit, whole.lines), LINES_GOAL, unit="%", note=f"{whole.lines_hit:,} of {whole.lines:,}")
    row("branches", Count.percent(whole.branches_hit, whole.branches), BRANCHES_GOAL, unit="%",
        note=f"{whole.branches_hit:,} of {whole.branches:,}, without assertions")
    for layer in LAYERS:
        count = layers[layer]
        row(f"{layer}: lines", Count.percent(count.lines_hit, count.lines), unit="%")
        row(f"{layer}: branches", Count.percent(count.branches_hit, count.branches), unit="%")
    return failed


def measure_mcdc(options):
    of = Measure(os.path.join(options.build, "mcdc"), MCDC, ADDED, ("-19",))
    of.make(REGISTRY_TESTS)
    os.environ.setdefault("CANCELD_TEST_SEED", MCDC_SEED)
    passed, failed = of.test("-R", REGISTRY_TESTS)
    count, met, listed, neither, stale = judge_conditions(of.export(["runtime/registry"]))
    keep_list(of.directory, neither + stale)
    for line in neither + stale:
        say(line)
    row("registry: conditions", count, note=f"{passed} tests")
    row("registry: conditions with an independent effect", met)
    row("registry: conditions that cannot be reached, listed with reasons", listed)
    row("registry: conditions neither reached nor listed", len(neither), 0, sense="<=")
    row("MC/DC of the registry", Count.percent(met, count - listed), MCDC_GOAL, unit="%",
        note=f"of what is reachable; {Count.percent(met, count)} % of all {count:,} conditions")
    return failed + stale


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true", help="unit tests and the model, no MC/DC")
    parser.add_argument("--full", action="store_true", help="the whole suite, and MC/DC")
    parser.add_argument("--mcdc", action="store_true", help="MC/DC alone")
    parser.add_argument("--seed", type=int, help="the chance of the tests")
    parser.add_argument("--build", metavar="DIR", default=os.path.join(ROOT, "build", "coverage"))
    options = parser.parse_args()
    options.build = os.path.abspath(options.build)
    if options.seed is not None:
        os.environ["CANCELD_TEST_SEED"] = str(options.seed)
    try:
        failed = [] if options.mcdc else measure_lines(options)
        if options.full or options.mcdc:
            failed += measure_mcdc(options)
    except Failed as why:
        say(str(why))
        return 1
    if failed:
        say(f"does not hold: {'; '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
