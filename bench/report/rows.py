# SPDX-License-Identifier: MIT
"""What the programs print, put together as rows: one row for a name, one figure for a design in it.

A figure is {"value", "samples", and whatever else the program told}. The value is the median of the
samples, one sample a turn; "loud" says that the noise filter found no quiet slice; a design without a figure stands in "missing" with the reason."""
import json
import statistics

MORE_IS_BETTER = ("ops/s", "op/s", "messages/s", "MiB/s")
EXTRAS = ("core_ns", "quiet_ns", "p50_ns", "p99_ns", "p999_ns", "p99999_ns", "worst_ns", "bytes_entry", "kept_percent")
COUNTS = ("slices", "slices_thrown")


def is_ours(peer):
    return peer == "ours" or peer.startswith("ours-")


def more_is_better(unit):
    return unit in MORE_IS_BETTER


def read_lines(text):
    """The objects of a program's output, and the lines that are none."""
    lines, bad = [], []
    for line in text.splitlines():
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except ValueError:
            entry = None
        if is_line(entry):
            lines.append(entry)
        else:
            bad.append(line)
    return lines, bad


def is_line(entry):
    if not isinstance(entry, dict) or not all(isinstance(entry.get(k), str) for k in ("group", "row", "peer")):
        return False
    if "missing" in entry or "failed" in entry:
        return True
    value = entry.get("value")
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isinstance(entry.get("unit"), str)


def figure_of(samples):
    """One figure out of the lines that the turns printed for it."""
    figure = {"value": statistics.median(s["value"] for s in samples),
              "samples": [s["value"] for s in samples]}
    for name in EXTRAS:
        told = [s[name] for s in samples if isinstance(s.get(name), (int, float))]
        if told:
            figure[name] = max(told) if name == "worst_ns" else statistics.median(told)
    for name in COUNTS:
        told = [s[name] for s in samples if isinstance(s.get(name), (int, float))]
        if told:
            figure[name] = sum(told)
    if figure.get("slices") and figure.get("slices_thrown", 0) >= figure["slices"]:
        figure["loud"] = True
    notes = [s["note"] for s in samples if s.get("note")]
    if notes:
        figure["note"] = notes[-1]
    return figure


def gather(lines):
    """Rows in the order in which the programs first named them."""
    order, samples, missing = [], {}, {}
    for line in lines:
        name = f'{line["group"]}/{line["row"]}'
        if name not in samples:
            order.append((name, line["group"]))
            samples[name], missing[name] = {}, {}
        if "missing" in line or "failed" in line:
            missing[name][line["peer"]] = line.get("missing") or "failed: " + line["failed"]
        else:
            samples[name].setdefault(line["peer"], []).append(line)
    return [make_row(name, group, samples[name], missing[name]) for name, group in order]


def make_row(name, group, samples, missing):
    figures = {peer: figure_of(lines) for peer, lines in samples.items()}
    units = [lines[0]["unit"] for lines in samples.values()]
    unit = units[0] if units else ""
    for peer, lines in samples.items():
        if any(line["unit"] != unit for line in lines):
            missing[peer] = f"its unit is not {unit}"
            del figures[peer]
    row = {"name": name, "group": group, "unit": unit}
    row.update(headline(unit, figures))
    row["figures"] = figures
    row["missing"] = {peer: why for peer, why in missing.items() if peer not in figures}
    return row


def headline(unit, figures):
    """Our best design of this row, by name, and what the peers need beside it."""
    pick = max if more_is_better(unit) else min
    ours = {peer: f["value"] for peer, f in figures.items() if is_ours(peer)}
    best = pick(ours, key=ours.get) if ours else None
    return {"ours": ours.get(best), "ours_design": best,
            "peers": {peer: f["value"] for peer, f in figures.items() if not is_ours(peer)},
            "goal": None, "met": None}


def by_name(rows):
    return {row["name"]: row for row in rows}


def times_better(unit, value, beside):
    """How many times better value is than beside: above 1 is a win, whatever the unit."""
    if value <= 0 or beside <= 0:
        return None
    return value / beside if more_is_better(unit) else beside / value


LOUD = "\u2020"


def format_figure(row, peer):
    """The design's figure in a row, marked where no slice of it was quiet."""
    figure = row["figures"][peer]
    return format_value(figure["value"], row["unit"]) + (LOUD if figure.get("loud") else "")


NS_STEPS = ((1e9, "s", 1e9), (1e6, "ms", 1e6), (1e4, "us", 1e3))


def format_number(value):
    if value == 0:
        return "0"
    magnitude = abs(value)
    if magnitude >= 99.5:
        return f"{value:,.0f}" if magnitude >= 9999.5 else f"{value:.0f}"
    return f"{value:.1f}" if magnitude >= 9.95 else f"{value:.2f}"


def format_value(value, unit):
    """A figure with its unit, short: 61.5 ns, 1.20 ms, 534 k/s, 72.0 bytes."""
    if unit.startswith("ns") or unit == "us":
        return format_ns(value * (1e3 if unit == "us" else 1))
    if more_is_better(unit) and unit != "MiB/s":
        if value >= 1e6:
            return format_number(value / 1e6) + " M/s"
        return format_number(value / 1e3) + " k/s" if value >= 1e3 else format_number(value) + " /s"
    if unit == "percent":
        return format_number(value) + " %"
    return f'{format_number(value)} {unit.split("/")[0]}'


def format_ns(value):
    for least, name, size in NS_STEPS:
        if abs(value) >= least:
            return f"{format_number(value / size)} {name}"
    return f"{format_number(value)} ns"
