# SPDX-License-Identifier: MIT
"""Which plots there are, and of which rows. A plot without enough figures is not drawn."""
import re

import svg
from groups import known, name_of
from rows import by_name, format_number, format_value, is_ours

SIZES = {"k": 1e3, "M": 1e6}


def show_ns(value):
    return format_value(value, "ns/op")


def show_us(value):
    return format_value(value, "us")


def show_count(value):
    """1000000 as 1 M."""
    for size, letter in ((1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def kind_of(peer):
    return "ours" if is_ours(peer) else "peer"


def size_of(name):
    """The number at the end of a row's name: op-10M is 10 000 000."""
    match = re.search(r"-(\d+)([kM]?)$", name)
    return int(match.group(1)) * SIZES.get(match.group(2), 1) if match else None


def sorted_items(row, field="value"):
    items = [(name_of(p), f[field], kind_of(p)) for p, f in row["figures"].items() if f.get(field, 0) > 0]
    return sorted(items, key=lambda item: item[1])


def of_row(rows, name):
    return rows.get(name, {"figures": {}})


def map_bars(rows, dark):
    items = sorted_items(of_row(rows, "map/mix-1M"))
    if len(items) < 2:
        return None
    return svg.bars("Time of an operation, by design", "store, look up, cancel and delete, 1 million operations, 2 threads unless it says otherwise; shorter is better",
                    items, "time an operation", show_ns, dark)


def map_window(rows, dark):
    row = of_row(rows, "map/mix-1M")
    points = [(size_of(p), f["value"]) for p, f in row["figures"].items() if re.match(r"ours-window-\d+$", p)]
    if len(points) < 2:
        return None
    beside = [(name_of(p), row["figures"][p]["value"]) for p in ("mutex", "spin-64", "go-mutex", "go-channel")
              if p in row["figures"]]
    beside += [(name_of("ours-inline"), row["figures"]["ours-inline"]["value"])] if "ours-inline" in row["figures"] else []
    return svg.lines("What asking ahead is worth", "store, look up, cancel and delete, 1 million operations",
                     [("canceld, owner thread and lane", points)], ("asks under way at once", "time an operation"),
                     (show_count, show_ns), references=beside, dark=dark)


def sized_series(rows, group, prefix, field="value"):
    """Series by peer over the rows group/prefix-SIZE."""
    series = {}
    for name, row in rows.items():
        if re.match(rf"{group}/{prefix}-\d+[kM]?$", name):
            for peer, figure in row["figures"].items():
                if figure.get(field, 0) > 0:
                    series.setdefault(peer, []).append((size_of(name), figure[field]))
    found = [(name_of(peer), points) for peer, points in series.items() if len(points) > 1]
    return sorted(found, key=lambda of: (not of[0].startswith("canceld"), of[0]))


def scale_time(rows, dark):
    series = sized_series(rows, "scale", "op")
    if not series:
        return None
    return svg.lines("From a thousand operations to twenty million", "time of one operation; what grows is the memory that is not in a cache",
                     series, ("operations in the map", "time an operation"), (show_count, show_ns), dark=dark)


def scale_stall(rows, dark):
    series = sized_series(rows, "scale", "op", "worst_ns")
    if not series:
        return None
    return svg.lines("The worst single operation", "while the map held so many; of canceld the longest batch of 64",
                     series, ("operations in the map", "worst operation"), (show_count, show_ns), dark=dark)


def grow_stall(rows, dark):
    """Of the largest growth that was measured: what is usual, and the worst insert."""
    grown = [rows[n] for n in rows if re.match(r"(scale|map)/grow-", n)]
    items = {}
    for row in sorted(grown, key=lambda r: size_of(r["name"]) or 0):
        for peer, figure in row["figures"].items():
            if figure.get("worst_ns"):
                of = {"mean": figure["value"], "99.9 %": figure.get("p999_ns"), "worst": figure["worst_ns"]}
                label = f'{name_of(peer)}, {show_count(size_of(row["name"]))}'
                items[peer] = (label, {k: v for k, v in of.items() if v}, kind_of(peer))
    if len(items) < 2:
        return None
    found = sorted(items.values(), key=lambda item: item[1]["worst"])
    return svg.dots("How long one insert can take while the map grows", "from empty to so many entries; the mark on the right is the worst single insert",
                    found, ("mean", "99.9 %", "worst"), "time of one insert", show_ns, dark)


def map_stall(rows, dark):
    found = []
    for peer, figure in of_row(rows, "map/cleanup-1M")["figures"].items():
        if figure.get("worst_ns"):
            of = {"mean": figure["value"], "99.9 %": figure.get("p999_ns"), "worst": figure["worst_ns"]}
            found.append((name_of(peer), {k: v for k, v in of.items() if v}, kind_of(peer)))
    if len(found) < 2:
        return None
    found.sort(key=lambda item: item[1]["worst"])
    return svg.dots("How long an operation waits while another thread cleans up", "1 million operations, from the ask to its answer (with a window, that of the whole window); on the right the worst one",
                    found, ("mean", "99.9 %", "worst"), "time of one operation", show_ns, dark)


def kept(rows, dark):
    items = {}
    for name, field in (("map/after-delete-1M", "kept_percent"), ("scale/kept-1M", "value")):
        for item in sorted_items(of_row(rows, name), field):
            items.setdefault(item[0], item)
    if len(items) < 2:
        return None
    found = sorted(items.values(), key=lambda item: item[1])
    return svg.bars("Memory kept after 99 % were deleted", "of what 1 million operations took; shorter is better",
                    found, "memory kept", lambda v: f"{format_number(v)} %", dark, False)


def actors(rows, dark):
    groups, names = [], []
    for name, row in rows.items():
        if row["group"] == "actor" and len(row["figures"]) > 1:
            of = {}
            for peer, figure in row["figures"].items():
                runtime = "canceld" if is_ours(peer) else name_of(known(peer) or peer)
                of[runtime] = min(figure["value"], of.get(runtime, figure["value"]))
            groups.append((name.split("/")[1], of))
            names += [peer for peer in of if peer not in names]
    if not groups:
        return None
    names.sort(key=lambda name: (not name.startswith("canceld"), name))
    return svg.grouped("Actor runtimes", "time of a message or an ask, each with as many threads as suit it best; shorter is better", groups, names,
                       "time a message or ask", show_ns, dark)


def socket_depth(rows, dark):
    series = sized_series(rows, "socket", "ops-depth")
    if not series:
        return None
    frame = of_row(rows, "socket/ops-frame-32")["figures"]
    beside = [(name_of(p) + ", frames of 32", f["value"]) for p, f in frame.items() if is_ours(p)]
    return svg.lines("Over a Unix socket", "store and delete, operations a second; higher is better",
                     series, ("requests under way at once", "operations a second"),
                     (show_count, show_count), references=beside, dark=dark)


def socket_times(rows, dark):
    groups, names = [], []
    for name, label in (("socket/round-trip", "round trip"), ("socket/cancel-notice", "cancel to notice")):
        row = of_row(rows, name)
        of = {name_of(p): f["value"] for p, f in row["figures"].items() if f["value"] > 0}
        if of:
            groups.append((label, of))
            names += [peer for peer in of if peer not in names]
    if len(names) < 2:
        return None
    names.sort(key=lambda name: (not name.startswith("canceld"), name))
    return svg.grouped("One at a time, over a Unix socket", "there and back, the middle of all; shorter is better", groups, names,
                       "time", show_us, dark)


def codec(rows, dark):
    groups, names = [], []
    for name, row in rows.items():
        if re.match(r"codec/(decode|encode)-(store|delete|cancel)(-frame-32)?$", name) and len(row["figures"]) > 1:
            of = {name_of(p): f["value"] for p, f in row["figures"].items()}
            groups.append((name.split("/")[1], of))
            names += [peer for peer in of if peer not in names]
    if not groups:
        return None
    names.sort(key=lambda name: (not name.startswith("canceld"), name))
    return svg.grouped("The wire's codec", "time of one operation in a frame; shorter is better", groups, names,
                       "time an operation", show_ns, dark)


# Name of the file, its group, what the page says in its place, how it is drawn.
PLOTS = (
    ("map-designs", "map", "time of an operation by design", map_bars),
    ("map-window", "map", "time of an operation by the asks under way", map_window),
    ("map-stall", "map", "mean, 99.9 % and worst while another thread cleans up", map_stall),
    ("grow-stall", "scale", "mean, 99.9 % and worst insert while growing", grow_stall),
    ("scale-time", "scale", "time of an operation by size", scale_time),
    ("scale-stall", "scale", "worst operation by size", scale_stall),
    ("memory-kept", "scale", "memory kept after a mass delete", kept),
    ("actor", "actor", "time of a message or an ask by runtime", actors),
    ("codec", "codec", "time of an operation in the codec", codec),
    ("socket-depth", "socket", "operations a second by depth", socket_depth),
    ("socket-times", "socket", "round trip and cancel to notice", socket_times),
)


def draw_all(rows, dark=False):
    """{name: (group, text, svg)} of those that have their figures."""
    named = by_name(rows)
    drawn = {}
    for name, group, text, draw in PLOTS:
        picture = draw(named, dark)
        if picture:
            drawn[name] = (group, text, picture)
    return drawn
