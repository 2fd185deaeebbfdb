# SPDX-License-Identifier: MIT
"""docs/benchmark/README.md: the machine, the goals, the tables, where we lose and why."""
from groups import DESIGNS, GROUPS, known, name_of, reason
from rows import LOUD, MORE_IS_BETTER, format_figure, format_ns, format_number, format_value, is_ours, times_better

TIE = 1.05
WIDE = 5
LESS = {"bytes/entry": ("smaller", "larger"), "MiB": ("smaller", "larger"), "percent": ("less", "more")}
DETAILS = (("core_ns", "CPU of all cores an op", format_ns), ("p50_ns", "p50", format_ns), ("p99_ns", "p99", format_ns),
           ("p999_ns", "p99.9", format_ns), ("p99999_ns", "p99.999", format_ns), ("worst_ns", "worst", format_ns),
           ("quiet_ns", "p99 when quiet", format_ns),
           ("bytes_entry", "bytes an entry", lambda v: f"{v:.0f}"),
           ("kept_percent", "memory kept", lambda v: f"{format_number(v)} %"))


def cell(text):
    return str(text).replace("|", "\\|").replace("\n", " ")


def table(head, lines, texts=1):
    """The first so many columns are texts, the others figures."""
    rule = ["---"] * texts + ["---:"] * (len(head) - texts)
    return ["| " + " | ".join(cell(c) for c in line) + " |" for line in (head, rule, *lines)] + [""]


def baseline_of(row):
    """Our design that the others are measured against in this row."""
    wanted = GROUPS[row["group"]].baseline
    return wanted if wanted in row["figures"] else row["ours_design"]


def words(unit):
    return LESS.get(unit, ("faster", "slower"))


def compared(row, peer):
    """How our baseline compares with a design, ratio first; a loss is as bold as it is."""
    figure = row["figures"].get(peer)
    if figure is None:
        return row["missing"].get(peer, "")
    value = format_figure(row, peer)
    base = baseline_of(row)
    if base is None or is_ours(peer):
        return f"**{value}**" if base else value
    times = times_better(row["unit"], row["figures"][base]["value"], figure["value"])
    if times is None:
        return value
    if 1 / TIE < times < TIE:
        return f"even ({value})"
    better, worse = words(row["unit"])
    if times > 1:
        return f"{format_number(times)}x {better} ({value})"
    return f"**LOSS: {format_number(1 / times)}x {worse}** ({value})"


def peers_of(rows):
    """Designs in the order in which groups.py names them, then what it does not know."""
    there = {peer for row in rows for peer in (*row["figures"], *row["missing"])}
    order = {peer: index for index, peer in enumerate(DESIGNS)}
    return sorted(there, key=lambda peer: (order.get(known(peer), len(order)), peer))


def short(row):
    return row["name"].split("/", 1)[1]


def group_table(rows):
    """Rows by peers; where there are many peers, peers by rows."""
    peers = peers_of(rows)
    if len(peers) > WIDE:
        head = ["design"] + [short(row) for row in rows]
        return table(head, [[name_of(p)] + [compared(row, p) for row in rows] for p in peers])
    head = ["row"] + [name_of(p) for p in peers]
    return table(head, [[short(row)] + [compared(row, p) for p in peers] for row in rows])


def details_table(rows):
    """CPU time, tails, bytes: only what somebody told."""
    used = [d for d in DETAILS if any(d[0] in f for row in rows for f in row["figures"].values())]
    if not used:
        return []
    lines = []
    for row in rows:
        for peer in peers_of([row]):
            figure = row["figures"].get(peer, {})
            if any(field in figure for field, _n, _s in used):
                lines.append([short(row), name_of(peer)] + [show(figure[f]) if f in figure else "" for f, _n, show in used])
    return table(["row", "design"] + [name for _f, name, _s in used], lines, 2)


def losses(rows):
    """[(row, design of ours, [(peer, times worse)], why)]: each design of ours against each peer."""
    found = []
    for row in rows:
        for design in (p for p in peers_of([row]) if is_ours(p) and p in row["figures"]):
            beaten = []
            for peer, value in row["peers"].items():
                times = times_better(row["unit"], row["figures"][design]["value"], value)
                if times is not None and times < 1 / TIE:
                    beaten.append((peer, 1 / times))
            if beaten:
                beaten.sort(key=lambda of: -of[1])
                found.append((row, design, beaten, reason(row["name"], design)))
    return found


def loss_lines(found):
    """A design of ours with its reason, then the rows in which it loses for that."""
    grouped = {}
    for row, design, beaten, why in found:
        grouped.setdefault((design, why), []).append((row, beaten))
    lines = []
    for (design, why), rows in grouped.items():
        lines.append(f"- **{name_of(design)}**: {sentence(why)}")
        for row, beaten in rows:
            own = format_figure(row, design)
            against = "; ".join(f"{format_number(times)}x {words(row['unit'])[1]} than {name_of(peer)}" for peer, times in beaten)
            lines.append(f"  - `{short(row)}` ({own}): {against}")
    return lines


def sentence(why):
    return why[0].upper() + why[1:] + "." if why else "No reason is known yet."


def verdict(met, disturbed=False):
    return {True: "met", False: "**MISSED**", None: "not measured"}[met] + (", disturbed" if disturbed and met is not None else "")


def bound_of(check):
    """What is asked of this check, for its column."""
    if check.kind == "times":
        return f">= {check.bound:g}x"
    if check.kind == "share":
        return f"<= {check.bound:g}x"
    if check.kind == "added":
        return f"<= {check.bound:g} ns more"
    return "<= " + format_value(check.bound, UNIT_OF_BELOW.get(check.text, "ns/op"))


UNIT_OF_BELOW = {"bytes": "bytes/entry", "kept": "percent", "memory": "MiB", "CPU": "percent"}


def goals_table(judged, goals):
    """A line for each check; the goal's own verdict is with its first."""
    lines = []
    for of, (_text, checks) in zip(judged, goals):
        for index, (result, check) in enumerate(zip(of["checks"], checks)):
            first = index == 0
            lines.append([of["number"] if first else "", of["goal"] if first else "", result["text"],
                          result["measured"] or "-", bound_of(check), verdict(result["met"], of["disturbed"])])
    return table(["", "goal", "of it", "measured", "asked for", ""], lines, 6)


def goals_reasons(judged):
    lines = []
    for of in judged:
        for result in of["checks"]:
            if not result["met"]:
                word = "missed" if result["met"] is False else "not measured"
                lines.append(f"- Goal {of['number']}, {result['text']}: {word}. {sentence(result['why'])}")
    return lines + [""] if lines else []


def machine_lines(results):
    of = results["machine"]
    virtual = ", virtual" if of.get("virtual") else ""
    versions = ", ".join(f"{name} {version}" for name, version in of["versions"].items())
    lines = [["processor", f"{of['cpu']}, {of['cores']} cores{virtual}, {of['cache']}".rstrip(", ")],
             ["memory", f"{of['memory_gib']} GiB, huge pages: {of['huge_pages']}"],
             ["system", f"{of['system']}, {of['kernel']}"],
             ["versions", versions]]
    for group, told in results["measured"].items():
        quick = "quick run" if told["quick"] else "full run"
        disturbed = "**DISTURBED: not to be relied upon.** " if told["disturbed"] else ""
        lines.append([f"`{group}` measured", disturbed + f"{told['date']}, commit {told['commit']}, {quick}, seed {told['seed']}; "
                      f"{told['noise']}"])
    head = ["| | |", "|---|---|"]
    return head + ["| " + " | ".join(cell(c) for c in line) + " |" for line in lines] + [""]


def notes(rows):
    """Each note once, with the designs and the rows that it is of."""
    found = {}
    for row in rows:
        for peer, figure in row["figures"].items():
            if figure.get("note"):
                names, peers = found.setdefault(figure["note"], ([], []))
                names += [short(row)] if short(row) not in names else []
                peers += [peer] if peer not in peers else []
    if not found:
        return []
    lines = [f"- {', '.join(f'`{name}`' for name in names)}; {', '.join(name_of(p) for p in peers)}: {note}"
             for note, (names, peers) in found.items()]
    return ["<details><summary>Notes on the figures</summary>", "", *lines, "", "</details>", ""]


def absent(rows):
    """What is not there, and what failed, in words."""
    found = {}
    for row in rows:
        for peer, why in row["missing"].items():
            found.setdefault((peer, why), []).append(short(row))
    return [f"- {name_of(peer)}: {why} ({', '.join(names)})" for (peer, why), names in found.items()]


def group_lines(name, rows, plots):
    group = GROUPS[name]
    lines = [f"## {group.title}", "", group.about, ""]
    if not rows:
        return lines + ["Not measured yet.", ""]
    measured = [row for row in rows if row["figures"] or not short(row).startswith("(")]
    if measured:
        base = name_of(group.baseline)
        lines += [f"Each cell compares {base} with the design: *faster* means that {base} is. In brackets, the design's own figure; what is of this tree stands in bold, without a comparison.", ""]
        units = sorted({row["unit"] for row in measured if row["unit"] in MORE_IS_BETTER})
        lines += ["More is better in rows a second (" + ", ".join(units) + "), less in all others.", ""] if units else []
        lines += group_table(measured)
        loud = any(figure.get("loud") for row in measured for figure in row["figures"].values())
        lines += [f"{LOUD} No slice of it was quiet: others used the machine at the same time.", ""] if loud else []
    lines += [line for plot, (text, _svg) in plots.items() for line in (f"![{text}]({plot}.svg)", "")]
    details = details_table(measured)
    lines += ["CPU time, tails and memory:", "", *details] if details else []
    missing = absent(rows)
    lines += ["Not there, or failed:", "", *missing, ""] if missing else []
    lines += ["### Where we lose, and why", ""]
    lines += loss_lines(losses(rows)) or ["Nowhere, in these rows."]
    return lines + [""] + notes(rows)


INTRO = """<!-- SPDX-License-Identifier: MIT -->
<!-- Written by bench/run; change bench/report/ instead. -->
# Measured

`bench/run` made this page, from [results.json](results.json): canceld and its peers on one machine, in one run, in turns.
Ratios come first because they hold better than figures: the same machine differs by a third from one hour to the next.
Where we lose, the cell says LOSS, and below each table stands why.
""".splitlines()


def page(results, goals, plots):
    """The whole page. plots: {name: (group, text, svg)}."""
    lines = INTRO + ["", "## The machine", ""] + machine_lines(results)
    lines += ["## The goals", ""] + goals_table(results["goals"], goals) + goals_reasons(results["goals"])
    for name in GROUPS:
        own = {plot: (text, svg) for plot, (group, text, svg) in plots.items() if group == name}
        lines += group_lines(name, [row for row in results["rows"] if row["group"] == name], own)
    return "\n".join(lines).rstrip() + "\n"
