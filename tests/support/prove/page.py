# SPDX-License-Identifier: MIT
"""docs/testing/results.json, and what is made of it: the figures in docs/testing.md, and the table that
tests/prove ends with. What a run did not measure is kept from an earlier one, and says so."""
import collections
import json
import os

import machine
from parts import FAILED, MISSING, is_met

BEGIN, END = "<!-- figures of tests/prove: begin -->", "<!-- figures of tests/prove: end -->"
MODES = ("full", "quick")
NOT_AGAIN = "not measured again"


def shown(value):
    if isinstance(value, str):
        return value
    if isinstance(value, float) and not value.is_integer():
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{int(value):,}"


def value_of(row):
    return shown(row["value"]) + (f" {row['unit']}" if row.get("unit") else "")


def goal_of(row):
    return "" if row.get("goal") is None else f"{row['sense']} {shown(row['goal'])}" + (f" {row['unit']}" if row.get("unit") else "")


def verdict(row):
    return {True: "met", False: "MISSED", None: ""}[is_met(row)]


def cell(text):
    return str(text).replace("|", "\\|").replace("\n", " ")


def duration(seconds):
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


class Results:
    """Read from a directory, and written there again."""

    def __init__(self, root, directory):
        self.root, self.path = root, os.path.join(directory, "results.json")
        self.of_now = {}  # runs of this process, by mode and seed
        try:
            with open(self.path, encoding="utf-8") as file:
                self.all = json.load(file)
        except FileNotFoundError:
            self.all = {"machine": None, "latest": {}, "parts": {mode: {} for mode in MODES}}

    def add(self, outcomes, mode, seed):
        """A part that could not run here leaves what was measured before; one that failed does not. The parts of one
        run may come one after the other."""
        if (mode, seed) not in self.of_now:
            self.of_now[mode, seed] = {"date": machine.now(), "commit": machine.commit(self.root), "seed": seed}
        run = self.of_now[mode, seed]
        self.all["latest"][mode] = run
        self.all["machine"] = machine.machine(self.root)
        for outcome in outcomes:
            kept = self.all["parts"][mode].get(outcome.part.name)
            if outcome.kind == MISSING and kept and kept["rows"]:
                continue
            self.all["parts"][mode][outcome.part.name] = {
                "title": outcome.part.title, "run": run, "seconds": round(outcome.seconds, 1),
                "kind": outcome.kind, "why": outcome.why, "rows": outcome.rows}

    def order(self, names):
        """Parts stand in the table's order; those that are gone from it are gone."""
        for mode in MODES:
            parts = self.all["parts"][mode]
            self.all["parts"][mode] = {name: parts[name] for name in names if name in parts}

    def save(self):
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(json.dumps(self.all, indent=1) + "\n")

    # ---- pages ----

    def mark(self, mode, entry):
        return "" if entry["run"] == self.all["latest"][mode] else NOT_AGAIN

    def goals(self):
        """Each figure with a goal, a line: what the whole run and the quick one measured, side by side."""
        lines = {}
        for mode in MODES:
            for name, entry in self.all["parts"][mode].items():
                several = {figure for figure, count in collections.Counter(row["figure"] for row in entry["rows"]).items() if count > 1}
                for row in entry["rows"]:
                    if row.get("goal") is not None:
                        figure = f"{row['figure']} ({row.get('note', '')})" if row["figure"] in several else row["figure"]
                        cells = [value_of(row), goal_of(row), ", ".join(filter(None, (verdict(row), self.mark(mode, entry))))]
                        lines.setdefault((name, figure), {"title": entry["title"]})[mode] = cells
        table = ["| layer | figure | " + " | ".join(f"--{mode} | goal | " for mode in MODES) + " |",
                 "|---|---|" + "---:|---:|---|" * len(MODES)]
        names = list(dict.fromkeys(name for name, _figure in lines))
        for (name, figure), of in sorted(lines.items(), key=lambda line: names.index(line[0][0])):
            table.append(joined([of["title"], figure, *(text for mode in MODES for text in of.get(mode, ["", "", "not measured"]))]))
        return table

    def runs(self):
        """What ran when, with which chance, for how long, and how it ended."""
        table = ["| layer | run | seed | took | when | commit | |", "|---|---|---:|---:|---|---|---|"]
        for mode in MODES:
            for name, entry in self.all["parts"][mode].items():
                run, result = entry["run"], f"{entry['kind']}: {entry['why']}" if entry["kind"] else "holds"
                table.append(joined([f"`{name}`", f"--{mode}", run["seed"], duration(entry["seconds"]), run["date"], run["commit"],
                                     ", ".join(filter(None, (result, self.mark(mode, entry))))]))
        return table

    def part_of_page(self):
        """What stands between the two marks."""
        of = self.all["machine"]
        if not of:
            return "\nNothing is measured yet: `tests/prove --quick`.\n"
        lines = ["", f"Measured on {of['cores']} cores ({of['cpu']}, {of['system']}). A figure that the latest run of its kind did not",
                 f"measure is kept from an earlier one and marked \"{NOT_AGAIN}\". All that was counted stands in",
                 "[testing/figures.md](testing/figures.md).", "", *self.goals(), "", *self.runs(), ""]
        return "\n".join(lines)

    def figures(self):
        """A page with everything that was counted."""
        lines = ["# What the proof counted", "", "Written by `tests/prove`; [testing.md](../testing.md) says what it means."]
        for mode in MODES:
            for name, entry in self.all["parts"][mode].items():
                mark = self.mark(mode, entry)
                lines += ["", f"## `{name}` --{mode}" + (f", {mark}" if mark else ""), "",
                          f"{entry['title']}; seed {entry['run']['seed']}, {duration(entry['seconds'])}, commit {entry['run']['commit']}.", "",
                          "| figure | value | goal | |", "|---|---:|---:|---|"]
                lines += [joined([row["figure"] + (f" ({row['note']})" if row.get("note") else ""), value_of(row), goal_of(row), verdict(row)])
                          for row in entry["rows"]]
        return "\n".join(lines + [""])

    def with_part(self, text):
        head, rest = text.split(BEGIN, 1)
        return head + BEGIN + "\n" + self.part_of_page() + "\n" + END + rest.split(END, 1)[1]


def joined(cells):
    return "| " + " | ".join(map(cell, cells)) + " |"


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def figures_beside(path):
    return os.path.join(os.path.dirname(path), "testing", "figures.md")


def write_page(results, path):
    """The page at path, and the one with all figures in its directory testing/."""
    texts = {path: results.with_part(read(path)), figures_beside(path): results.figures()}
    for name, text in texts.items():
        os.makedirs(os.path.dirname(name), exist_ok=True)
        with open(name, "w", encoding="utf-8") as file:
            file.write(text)


def is_current(results, path):
    return results.with_part(read(path)) == read(path) and os.path.exists(figures_beside(path)) and results.figures() == read(figures_beside(path))


def table(outcomes):
    """The end of a run, for a terminal."""
    head = ("part", "figure", "value", "goal", "")
    lines = []
    for outcome in outcomes:
        lines += [(outcome.part.name, row["figure"], value_of(row), goal_of(row), verdict(row)) for row in outcome.rows]
        if outcome.kind:
            lines.append((outcome.part.name, "", "", "", f"{outcome.kind.upper() if outcome.kind == FAILED else outcome.kind}: {outcome.why}"))
    widths = [max(len(line[i]) for line in [head, *lines]) for i in range(4)]

    def text(line):
        return "  ".join([line[0].ljust(widths[0]), line[1].ljust(widths[1]), line[2].rjust(widths[2]), line[3].rjust(widths[3]), line[4]]).rstrip()
    return "\n".join([text(head), "-" * (sum(widths) + 12), *map(text, lines)])
