# SPDX-License-Identifier: MIT
"""Figures in prose. A page cites a figure as

    **62 ns**<!-- map/mix-1M ours-window-64 -->
    **4.1x**<!-- map/mix-1M mutex / ours-window-64 -->      of the same row; how many times better the second is
    **85 us**<!-- map/mix-1M mutex worst_ns -->

and what stands in bold is put there from results.json; a figure that is not there reads "(not measured)".
The README's part between its two marks is made whole."""
import os
import re

import markdown
from groups import name_of
from rows import by_name, format_figure, format_number, format_value, times_better

BEGIN, END = "<!-- figures of bench/run: begin -->", "<!-- figures of bench/run: end -->"
PROSE = ("docs/when-to-use-what.md",)
CITED = re.compile(r"\*\*([^*\n]*)\*\*<!-- ([a-z]+/\S+) (\S+)(?: (/ \S+|\w+))? -->")
ABSENT = "(not measured)"


def figure_text(rows, names, peer, more):
    """names: by preference, as in scale/grow-10M|scale/grow-4M; one that is not the first is named."""
    first, *others = names.split("|")
    for name in others if one_text(rows, first, peer, more) == ABSENT else ():
        text = one_text(rows, name, peer, more)
        if text != ABSENT:
            return f"{text} ({name.split('/')[1]})"
    return one_text(rows, first, peer, more)


def one_text(rows, name, peer, more):
    row = rows.get(name)
    figure = row["figures"].get(peer) if row else None
    if figure is None:
        return ABSENT
    if not more:
        return format_figure(row, peer)
    if more.startswith("/ "):
        other = row["figures"].get(more[2:])
        times = times_better(row["unit"], other["value"], figure["value"]) if other else None
        return f"{format_number(times)}x" if times else ABSENT
    if figure.get(more) is None:
        return ABSENT
    unit = {"kept_percent": "percent", "bytes_entry": "bytes/entry"}.get(more, "ns/op")
    return format_value(figure[more], unit)


def fill(text, results):
    rows = by_name(results["rows"])

    def put(match):
        shown = figure_text(rows, match.group(2), match.group(3), match.group(4))
        return f"**{shown}**" + match.group(0)[match.group(0).index("<!--"):]
    return CITED.sub(put, text)


def readme_part(results):
    """The README's performance section: the goals in one line each, then the plainest losses."""
    measured = list(results["measured"].values())
    if not measured:
        return "\nNothing is measured yet: `bench/run`.\n"
    of = results["machine"]
    lines = ["", "**The machine was not idle when this was measured: these figures are not to be relied upon.**"] \
        if any(told["disturbed"] for told in measured) else []
    lines += ["", f"Measured by `bench/run` on {of['cores']} cores ({of['cpu']}, {of['system']}); every row, the peers' versions, plots and",
             "what disturbed the run are in [docs/benchmark](docs/benchmark/README.md);",
             "[docs/when-to-use-what.md](docs/when-to-use-what.md) says which design to take for which work.", "",
             "| goal | measured | |", "|---|---|---|"]
    for goal in results["goals"]:
        shown = "; ".join(f"{c['text']}: {c['measured'] or 'not measured'}" for c in goal["checks"])
        lines.append(f"| {markdown.cell(goal['goal'])} | {markdown.cell(shown)} | {markdown.verdict(goal['met'], goal['disturbed'])} |")
    lines += ["", "Where it loses:", ""] + losing(results) + [""]
    return "\n".join(lines)


def losing(results):
    """One line for each design of ours that loses, in the rows where it loses worst."""
    found = {}
    for row, design, beaten, why in markdown.losses(results["rows"]):
        worst = beaten[0]
        key = (row["group"], design)
        if key not in found or worst[1] > found[key][2][1]:
            found[key] = (row, design, worst, why)
    lines = []
    for row, design, (peer, times), why in found.values():
        worse = markdown.words(row["unit"])[1]
        lines.append(f"- {name_of(design)}, `{row['name']}`: {format_number(times)}x {worse} than {name_of(peer)}. {markdown.sentence(why)}")
    return lines or ["- nowhere, in what was measured."]


def with_part(text, results):
    """The README with its part in place; as it was, where it has no marks."""
    if BEGIN not in text or END not in text:
        return text
    head, rest = text.split(BEGIN, 1)
    return head + BEGIN + "\n" + readme_part(results) + "\n" + END + rest.split(END, 1)[1]


def pages(root, results):
    """{path: text} of the pages outside docs/benchmark/ that show figures."""
    made = {}
    for name in PROSE:
        path = os.path.join(root, name)
        if os.path.exists(path):
            made[path] = fill(read(path), results)
    readme = os.path.join(root, "README.md")
    if os.path.exists(readme):
        made[readme] = fill(with_part(read(readme), results), results)
    return made


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()

