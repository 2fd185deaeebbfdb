# SPDX-License-Identifier: MIT
"""docs/testing/results.json, and what is made of it: the figures in docs/testing.md, and the table that
tests/prove ends with. What a run did not measure is kept from an earlier one, and says so."""
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
        try:
            with open(self.path, encoding="utf-8") as file:
                self.all = json.load(file)
        except FileNotFoundError:
            self.all = {"machine": None, "latest": {}, "parts": {mode: {} for mode in MODES}}

    def add(self, outcomes, mode, seed):
        """A part that could not run here leaves what was measured before; one that failed does not."""
        run = {"date": machine.now(), "commit": machine.commit(self.root), "seed": seed}
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

    def lines_of(self, mode, entry):
        """The cells of one part in the page's table."""
        again = "" if entry["run"] == self.all["latest"][mode] else NOT_AGAIN
        run = entry["run"]
        common = [run["seed"], duration(entry["seconds"]), run["commit"]]
        lines = [[entry["title"], row["figure"] + (f" ({row['note']})" if row.get("note") else ""), value_of(row), goal_of(row),
                  ", ".join(filter(None, (verdict(row), again))), row.get("seed", run["seed"]), *common[1:]] for row in entry["rows"]]
        if entry["kind"] or not lines:
            lines.append([entry["title"], "", "", "", ", ".join(filter(None, (f"{entry['kind']}: {entry['why']}", again))), *common])
        return lines

    def part_of_page(self):
        """What stands between the two marks."""
        of = self.all["machine"]
        if not of:
            return "\nNothing is measured yet: `tests/prove --quick`.\n"
        lines = ["", f"Measured on {of['cores']} cores ({of['cpu']}, {of['system']}). A figure that the latest run of its kind did not",
                 f"measure is kept from an earlier one and marked \"{NOT_AGAIN}\"."]
        for mode in MODES:
            parts = self.all["parts"][mode]
            if not parts:
                lines += ["", f"`tests/prove --{mode}`: not measured."]
                continue
            latest = self.all["latest"][mode]
            lines += ["", f"`tests/prove --{mode} --seed {latest['seed']}`, {latest['date']}, commit {latest['commit']}:", "",
                      "| layer | figure | value | goal | | seed | took | commit |", "|---|---|---:|---:|---|---:|---:|---|"]
            for entry in parts.values():
                lines += ["| " + " | ".join(map(cell, line)) + " |" for line in self.lines_of(mode, entry)]
        return "\n".join(lines + [""])

    def with_part(self, text):
        head, rest = text.split(BEGIN, 1)
        return head + BEGIN + "\n" + self.part_of_page() + "\n" + END + rest.split(END, 1)[1]


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def write_page(results, path):
    text = results.with_part(read(path))
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def is_current(results, path):
    text = read(path)
    return results.with_part(text) == text


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
