# SPDX-License-Identifier: MIT
"""results.json, and the pages made of it: docs/benchmark/, the README's part, the cited figures."""
import json
import os
import statistics

import cited
import markdown
import plots
from goals import GOALS, judge_all
from groups import GROUPS
from rows import gather
from shared import machine

RESULTS = "results.json"
DISTURBED_PERCENT = 10  # of the machine, taken by others in the median run of a group


def empty():
    return {"machine": None, "measured": {}, "goals": [], "rows": []}


def load(path):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return empty()


def noise_text(runs):
    """What disturbed the runs of a group, in words."""
    slices = sum(line.get("slices", 0) for _p, run in runs for line in run.lines)
    thrown = sum(line.get("slices_thrown", 0) for _p, run in runs for line in run.lines)
    ran = [run for _p, run in runs if run.seconds]
    words = [f"{thrown} of {slices} slices thrown away as noisy"] if slices else []
    if ran:
        words.append(f"others took up to {max(run.noise_percent for run in ran):.0f} % of the machine"
                     f" (median {statistics.median(run.noise_percent for run in ran):.0f} %),"
                     f" its host {max(run.steal_percent for run in ran):.0f} %")
    return ", ".join(words) or "nothing ran"


def is_disturbed(runs):
    """Whether others had so much of the machine that the figures say little."""
    shares = [run.noise_percent + run.steal_percent for _p, run in runs if run.seconds]
    return bool(shares) and statistics.median(shares) > DISTURBED_PERCENT


class Report:
    """The results in a directory, and what is made of them. Only a report in the tree's own
    docs/benchmark/ touches the README and the pages that cite figures."""

    def __init__(self, root, directory, goals=GOALS):
        self.root, self.directory, self.goals = root, os.path.abspath(directory), goals
        self.results = load(os.path.join(directory, RESULTS))

    def add(self, runs, quick, seed):
        """Takes the place of what was measured of the same groups before."""
        groups = [g for g in GROUPS if any(p.group == g for p, _r in runs)]
        rows = [row for row in self.results["rows"] if row["group"] not in groups]
        rows += gather([line for _p, run in runs for line in run.lines])
        order = {group: index for index, group in enumerate(GROUPS)}
        rows = [row for row in rows if row["group"] in order]
        self.results["rows"] = sorted(rows, key=lambda row: order[row["group"]])
        self.results["machine"] = machine.machine(self.root)
        for group in groups:
            own = [(p, run) for p, run in runs if p.group == group]
            self.results["measured"][group] = {
                "date": machine.now(), "commit": machine.commit(self.root), "quick": quick, "seed": seed,
                "seconds": round(sum(run.seconds for _p, run in own)), "noise": noise_text(own), "disturbed": is_disturbed(own)}

        # What was measured is kept, whatever becomes of the pages.
        os.makedirs(self.directory, exist_ok=True)
        save(os.path.join(self.directory, RESULTS), json.dumps(self.results, indent=1) + "\n")

    def judge(self):
        for row in self.results["rows"]:
            row["goal"] = row["met"] = None
        self.results["goals"] = judge_all(self.results["rows"], self.goals)
        noisy = {group for group, told in self.results["measured"].items() if told["disturbed"]}
        for goal in self.results["goals"]:
            rows = [name for check in goal["checks"] for name in check["rows"]]
            goal["disturbed"] = any(name.split("/")[0] in noisy for name in rows)

    def pages(self):
        """{path: text} of all that is made from the rows; None for a plot whose figures are gone."""
        self.judge()
        drawn = plots.draw_all(self.results["rows"])
        made = {plot[0] + ".svg": drawn[plot[0]][2] if plot[0] in drawn else None for plot in plots.PLOTS}
        made[RESULTS] = json.dumps(self.results, indent=1) + "\n"
        made["README.md"] = markdown.page(self.results, self.goals, drawn)
        made = {os.path.join(self.directory, name): text for name, text in made.items()}
        if self.directory == os.path.join(os.path.abspath(self.root), "docs", "benchmark"):
            made.update(cited.pages(self.root, self.results))
        return made

    def write(self):
        if self.results["machine"] is None:
            self.results["machine"] = machine.machine(self.root)
        os.makedirs(self.directory, exist_ok=True)
        for path, text in self.pages().items():
            if text is not None:
                save(path, text)
            elif os.path.exists(path):
                os.remove(path)

    def differing(self):
        """Paths of what is not as the rows would make it."""
        return [path for path, text in self.pages().items() if machine.text_of(path) != (text or "")]

    def summary(self):
        """What the terminal shows at the end: the goals, and where the rest is."""
        lines = [""]
        for of in self.results["goals"]:
            lines.append(f'{of["number"]:2d} {SHOWN[of["met"]]:12s} {of["goal"]}{"   (disturbed)" if of["disturbed"] else ""}')
            for result in of["checks"]:
                lines.append(f'{"":16s}{result["text"]}: {result["measured"] or result["why"]}'
                             + ("   <-- MISSED" if result["met"] is False else ""))
        disturbed = [group for group, told in self.results["measured"].items() if told["disturbed"]]
        if disturbed:
            lines += ["", f"DISTURBED: others used the machine while {', '.join(disturbed)} was measured; run it again on an idle one"]
        return "\n".join(lines + ["", f"written: {os.path.relpath(self.directory)}/README.md"])


SHOWN = {True: "met", False: "MISSED", None: "not measured"}


def save(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
