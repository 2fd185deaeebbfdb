# SPDX-License-Identifier: MIT
"""The parts of tests/prove (tests/prove.json), and what each of them printed.

A part's program prints one JSON object a line for each of its figures:

    {"part": "simulation", "figure": "events", "value": 123, "goal": 1000, "sense": ">=", "seed": 7, "note": ""}

Where it prints sentences instead, its "figures" in the table find the values in them. Its exit code says
whether something that was promised does not hold; a goal that was not reached is only shown."""
import dataclasses
import json
import os
import re
import shlex
import shutil
import tempfile

import child

SENSES = {">=": lambda value, goal: value >= goal, "<=": lambda value, goal: value <= goal,
          "==": lambda value, goal: value == goal, ">": lambda value, goal: value > goal,
          "<": lambda value, goal: value < goal}
PATIENCE, PATIENCE_MORE = 3, 60  # times what is expected, and a minute
FAILED, MISSING = "failed", "missing"


@dataclasses.dataclass
class Part:
    """A line of prove.json. In a command "@build" is the directory of its preset, "@source" the tree,
    "@scratch" a directory of its own that is removed afterwards, "@seed" the seed (in a variable of the
    environment too); where the last is nowhere, "--seed N" is added."""
    name: str
    title: str
    command: list
    quick_seconds: float                                    # 0: it is no part of --quick
    full_seconds: float
    quick: list = dataclasses.field(default_factory=lambda: ["--quick"])
    full: list = dataclasses.field(default_factory=lambda: ["--full"])
    preset: str = ""                                        # "": nothing to build
    targets: list = dataclasses.field(default_factory=list)  # of that preset; none: all of it
    needs: dict = dataclasses.field(default_factory=dict)   # a program to be found -> its package
    files: dict = dataclasses.field(default_factory=dict)   # a file to be found -> its package
    environment: dict = dataclasses.field(default_factory=dict)
    figures: list = dataclasses.field(default_factory=list)
    cores: int = 1                                          # of two; with 2 nothing runs beside it

    def seconds(self, quick):
        return self.quick_seconds if quick else self.full_seconds

    def words(self, quick, seed):
        """The command as in the table, with its seed."""
        words = self.command + (self.quick if quick else self.full)
        if not any("@seed" in word for word in [*words, *self.environment.values()]):
            words = words + ["--seed", "@seed"]
        return child.placed(words, {"seed": str(seed)})

    def variables(self, seed):
        return {name: value.replace("@seed", str(seed)) for name, value in self.environment.items()}


def read(path):
    """All parts of the table. An entry may be "like" an earlier one: what it does not say is as there, but for the figures
    that are "without" a unit, and for "goals" of its own."""
    entries = {}
    with open(path, encoding="utf-8") as file:
        for entry in json.load(file)["parts"]:
            entry = {**entries.get(entry.pop("like", None), {}), **entry}
            without, goals = entry.pop("without", []), entry.pop("goals", {})
            entry["figures"] = [{**of, **({"goal": goals[of["figure"]]} if of["figure"] in goals else {})}
                                for of in entry.get("figures", []) if of.get("unit") not in without]
            entries[entry["name"]] = entry
    return [Part(**entry) for entry in entries.values()]


# ---- rows ------------------------------------------------------------------------------------------


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_row(entry):
    """Whether it is a figure: a value (a word too, as a hash is), and with a goal a sense."""
    if not isinstance(entry, dict) or not isinstance(entry.get("figure"), str):
        return False
    if entry.get("goal") is None:
        return is_number(entry.get("value")) or isinstance(entry.get("value"), str)
    return is_number(entry.get("value")) and is_number(entry["goal"]) and entry.get("sense") in SENSES


def rows_of(part, text, quick, seed):
    """The figures in a part's output, and the first line of JSON that is none."""
    if part.figures:
        return found_in(part, text, quick, seed), ""
    rows = []
    for line in text.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            entry = None
        if not is_row(entry):
            if line.strip():
                return rows, line
            continue
        rows.append({"part": part.name, "seed": seed, **{key: value for key, value in entry.items() if key != "part"}})
    return rows, ""


# What becomes of all that a pattern finds.
TAKEN = {"last": lambda found: float(found[-1]) if "." in found[-1] else int(found[-1]), "sum": lambda found: sum(map(int, found)), "count": len}


def found_in(part, text, quick, seed):
    """The figures of a program that prints sentences."""
    rows = []
    for figure in part.figures:
        found = re.findall(figure["pattern"], text, re.MULTILINE)
        taken = figure.get("taken", "last")
        if not found and taken != "count":
            continue
        row = {"part": part.name, "figure": figure["figure"], "value": TAKEN[taken](found), "seed": seed}
        if "goal" in figure:
            row["goal"] = figure.get("quick_goal", figure["goal"]) if quick else figure["goal"]
            row["sense"] = figure["sense"]
        rows.append({**row, **{key: figure[key] for key in ("unit", "note") if key in figure}})
    return rows


def is_met(row):
    """True, False, or None without a goal."""
    return None if row.get("goal") is None else SENSES[row["sense"]](row["value"], row["goal"])


# ---- running ---------------------------------------------------------------------------------------


@dataclasses.dataclass
class Outcome:
    """What became of a part. kind: "" (nothing wrong), failed, missing."""
    part: Part
    rows: list
    kind: str = ""
    why: str = ""
    seconds: float = 0


class Running:
    """A part at work."""

    def __init__(self, part, places, quick, seed):
        self.part, self.quick, self.seed = part, quick, seed
        self.scratch = tempfile.mkdtemp(prefix=f"canceld-{part.name}-")
        places = {**places, "build": os.path.join(places["builds"], part.preset or "release"), "scratch": self.scratch}
        self.words = child.placed(part.words(quick, seed), places)
        self.job = child.Logged(part.name, self.words,
                                {**part.variables(seed), "PYTHONDONTWRITEBYTECODE": "1"}, places["logs"],
                                PATIENCE * part.seconds(quick) + PATIENCE_MORE)

    def ended(self):
        if not self.job.ended():
            return False
        self.finish()
        return True

    def finish(self):
        self.job.finish()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def outcome(self):
        rows, bad = rows_of(self.part, self.job.text(), self.quick, self.seed)
        missing = {figure["figure"] for figure in self.part.figures} - {row["figure"] for row in rows}
        why = self.job.status()
        if not why and bad:
            why = f"it printed what is no figure: {bad[:80]}"
        elif not why and (missing or not rows):
            why = "it did not print: " + ", ".join(sorted(missing)) if missing else "it printed no figures"
        if why:
            again = shlex.join(self.words).replace(os.getcwd() + "/", "")  # the page is of no machine's places
            why += f" (see {os.path.relpath(self.job.errors)}; again: {again})"
        return Outcome(self.part, rows, FAILED if why else "", why, self.job.took)


def why_not(part, places):
    """Why it cannot run here, or nothing."""
    directory = os.path.join(places["builds"], part.preset or "release")
    words = child.placed(part.words(True, 0), {**places, "build": directory})
    built = [word for word in words[:1] + [w for w in words[1:] if w.startswith(directory + "/")]]
    return child.not_there(part.needs, part.files) or next(filter(None, map(child.not_built, built)), "")


class Schedule:
    """Runs parts on two cores: those that take one beside each other, those that take both alone. show()
    is called while they run, tell(outcome) after each."""

    CORES = 2

    def __init__(self, chosen, places, quick, seed):
        self.waiting, self.running = list(chosen), []
        self.places, self.quick, self.seed = places, quick, seed

    def start_what_fits(self):
        """In the table's order; one that has to wait for both cores lets others pass only while it must."""
        started = []
        for part in list(self.waiting):
            why = why_not(part, self.places)
            if why:
                self.waiting.remove(part)
                started.append(Outcome(part, [], MISSING, why))
            elif sum(of.part.cores for of in self.running) + part.cores <= self.CORES:
                self.waiting.remove(part)
                try:
                    self.running.append(Running(part, self.places, self.quick, self.seed))
                except OSError as error:  # a script without its first line
                    started.append(Outcome(part, [], FAILED, f"it cannot be started: {error}"))
        return started

    def step(self):
        """What ended since the last step."""
        outcomes = self.start_what_fits()
        for of in [of for of in self.running if of.ended()]:
            self.running.remove(of)
            outcomes.append(of.outcome())
        return outcomes

    def is_done(self):
        return not self.waiting and not self.running

    def end(self):
        for of in self.running:
            of.finish()
