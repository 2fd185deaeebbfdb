# SPDX-License-Identifier: MIT
"""A small SVG writer: bars, grouped bars, dots and lines, on linear or log axes, in light and dark.

A plot is drawn on a panel of its own, so that it can be read on any page; where the reader prefers dark,
a style sheet in the file turns panel and ink around. Widths of texts are estimated, on the generous side."""
import math
import re
from xml.sax.saxutils import escape

WIDTH = 860
MARGIN = 20
FONT = 13
LETTER = 0.59  # of the font's size: the mean width of a letter
ROW = 26

LIGHT = {"panel": "#ffffff", "edge": "#d0d7de", "ink": "#1f2328", "soft": "#59636e", "grid": "#e3e7eb",
         "ours": "#0550ae", "peer": "#8c959f", "s0": "#0550ae", "s1": "#d4561f", "s2": "#1a7f37",
         "s3": "#8250df", "s4": "#9a6700", "s5": "#57606a", "s6": "#bf3989"}
DARK = {"panel": "#0d1117", "edge": "#30363d", "ink": "#e6edf3", "soft": "#9198a1", "grid": "#262c34",
        "ours": "#58a6ff", "peer": "#6e7681", "s0": "#58a6ff", "s1": "#f0883e", "s2": "#56d364",
        "s3": "#bc8cff", "s4": "#d8b13c", "s5": "#9ea7b3", "s6": "#f778ba"}


def style(colours):
    rules = [f'.panel{{fill:{colours["panel"]};stroke:{colours["edge"]}}}',
             f'.ink{{fill:{colours["ink"]}}}', f'.soft{{fill:{colours["soft"]}}}',
             f'.grid{{stroke:{colours["grid"]}}}', f'.axis{{stroke:{colours["soft"]}}}',
             f'.halo{{stroke:{colours["panel"]}}}']
    for name in colours:
        if name[0] == "s" and name[1:].isdigit() or name in ("ours", "peer"):
            rules.append(f".{name}{{fill:{colours[name]}}}.{name}-line{{stroke:{colours[name]}}}")
    return "".join(rules)


def width_of(text, size=FONT):
    return len(text) * size * LETTER


class Drawing:
    """The panel with its title; what is drawn goes below self.top."""

    def __init__(self, title, subtitle):
        self.title, self.parts, self.height = title, [], 0
        self.text(MARGIN, 32, title, size=17, weight="600")
        self.text(MARGIN, 52, subtitle, kind="soft")
        self.top = 66

    def text(self, x, y, text, kind="ink", size=FONT, anchor="start", weight=None, turn=None):
        extra = f' font-weight="{weight}"' if weight else ""
        extra += f' transform="rotate({turn} {x:.1f} {y:.1f})"' if turn else ""
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" font-size="{size}" '
                          f'text-anchor="{anchor}"{extra}>{escape(text)}</text>')

    def line(self, x1, y1, x2, y2, kind, width=1, dash=None):
        extra = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}" '
                          f'stroke-width="{width}"{extra}/>')

    def rectangle(self, x, y, width, height, kind):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 1):.1f}" height="{height:.1f}" '
                          f'rx="2" class="{kind}"/>')

    def mark(self, x, y, shape, kind, size=5):
        """A filled mark; shapes differ too, not only colours."""
        if shape == 0:
            self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size}" class="{kind}"/>')
            return
        corners = {1: ((-1, -1), (1, -1), (1, 1), (-1, 1)), 2: ((0, -1.3), (1.2, 0.9), (-1.2, 0.9)),
                   3: ((0, -1.4), (1.4, 0), (0, 1.4), (-1.4, 0))}[(shape - 1) % 3 + 1]
        points = " ".join(f"{x + dx * size:.1f},{y + dy * size:.1f}" for dx, dy in corners)
        self.parts.append(f'<polygon points="{points}" class="{kind}"/>')

    def polyline(self, points, kind, dash=None):
        extra = f' stroke-dasharray="{dash}"' if dash else ""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'<polyline points="{path}" class="{kind}" fill="none" stroke-width="2.2"{extra}/>')

    def legend(self, entries):
        """(name, kind, shape) side by side, on as many lines as they need."""
        x, y = MARGIN, self.top + 10
        for name, kind, shape in entries:
            if x > MARGIN and x + 24 + width_of(name) > WIDTH - MARGIN:
                x, y = MARGIN, y + 20
            self.mark(x + 6, y - 4, shape, kind)
            self.text(x + 18, y, name)
            x += 38 + width_of(name)
        self.top = y + 14

    def finish(self, height, dark=False):
        """The file's text. dark: as a reader who prefers dark sees it (to look at it without a browser)."""
        sheet = style(DARK) if dark else style(LIGHT) + f"@media(prefers-color-scheme:dark){{{style(DARK)}}}"
        return "\n".join([
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:.0f}" '
            f'viewBox="0 0 {WIDTH} {height:.0f}" role="img" font-family="system-ui, \'DejaVu Sans\', sans-serif">',
            "<!-- SPDX-License-Identifier: MIT -->",
            f"<title>{escape(self.title)}</title>", f"<style>{sheet}</style>",
            f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1:.0f}" rx="8" class="panel"/>',
            *self.parts, "</svg>", ""])


class Axis:
    """Values to places. A long log axis has its ticks at whole decades, a short one at 1, 2 and 5 too."""

    def __init__(self, values, log, begin, end, label):
        self.log, self.begin, self.end, self.label = log, begin, end, label
        low, high = min(values), max(values)
        if log:
            low, high = max(low, 1e-9), max(high, 1e-9)
            self.ticks = log_ticks(low, high)
            low, high = min(self.ticks[0], low / 1.3) if low < self.ticks[0] else low, high * 1.1
        else:
            self.ticks = linear_ticks(min(low, 0), high)
            low = min(low, 0)
        self.low, self.high = min(self.ticks[0], low), max(self.ticks[-1], high)

    def place(self, value):
        if self.log:
            part = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        else:
            part = (value - self.low) / (self.high - self.low)
        return self.begin + part * (self.end - self.begin)


def log_ticks(low, high):
    first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    last = max(last, first + 1)
    ticks = [m * 10.0**e for e in range(first, last + 1) for m in (1, 2, 5)]
    begin = max(i for i, t in enumerate(ticks) if t <= low * (1 + 1e-9))
    end = min((i for i, t in enumerate(ticks) if t >= high * (1 - 1e-9)), default=len(ticks) - 1)
    ticks = ticks[begin:max(end, begin + 1) + 1]
    if math.log10(ticks[-1] / ticks[0]) <= 2.5:
        return ticks
    whole = [10.0**e for e in range(first, last + 1) if ticks[0] <= 10.0**e * (1 + 1e-9) and 10.0**e <= ticks[-1] * (1 + 1e-9)]
    return whole if len(whole) > 1 else [10.0**first, 10.0**last]


def linear_ticks(low, high):
    span = (high - low) or 1
    step = 10.0**math.floor(math.log10(span / 4))
    step *= next(m for m in (1, 2, 2.5, 5, 10) if span / (step * m) <= 6)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [step * i for i in range(first, max(last, first + 1) + 1)]


def plain(text):
    """A tick's text: 10.0 ns is 10 ns, 1000 ns is 1 us."""
    text = re.sub(r"^(\d+)\.(\d*?)0+(?=\D|$)", lambda m: m.group(1) + ("." + m.group(2) if m.group(2) else ""), text)
    return re.sub(r"^(\d+)000 (ns|us)$", lambda m: f'{m.group(1)} {"us" if m.group(2) == "ns" else "ms"}', text)


def axis_below(drawing, axis, top, bottom, show):
    """Grid, ticks and title of a horizontal axis."""
    for tick in axis.ticks:
        x = axis.place(tick)
        drawing.line(x, top, x, bottom, "grid")
        drawing.text(x, bottom + 18, plain(show(tick)), kind="soft", size=12, anchor="middle")
    title = axis.label + (" (log scale)" if axis.log else "")
    drawing.text((axis.begin + axis.end) / 2, bottom + 40, title, anchor="middle")


def axis_left(drawing, axis, left, right, show):
    """Grid, ticks and title of a vertical axis."""
    for tick in axis.ticks:
        y = axis.place(tick)
        drawing.line(left, y, right, y, "grid")
        drawing.text(left - 8, y + 4, plain(show(tick)), kind="soft", size=12, anchor="end")
    title = axis.label + (" (log scale)" if axis.log else "")
    drawing.text(MARGIN + 4, (axis.begin + axis.end) / 2, title, anchor="middle", turn=-90)


def bar_axis(values, log, begin, end, label):
    """An axis for bars: a log one begins at a whole decade and well below the shortest, that no bar vanishes."""
    floor = [10.0**math.floor(math.log10(max(min(values), 1e-9) / 2))] if log else []
    return Axis(values + floor, log, begin, end, label)


def spread(values):
    return max(values) / max(min(values), 1e-9)


def bars(title, subtitle, items, label, show, dark=False, log=None):
    """items: (name, value, kind). One bar each; a log axis where they lie far apart, unless told."""
    drawing = Drawing(title, subtitle)
    drawing.legend([("canceld", "ours", 1), ("peers", "peer", 1)])
    left = MARGIN + max(width_of(name) for name, _v, _k in items) + 12
    right = WIDTH - MARGIN - 90
    values = [value for _n, value, _k in items]
    axis = bar_axis(values, spread(values) > 12 if log is None else log, left, right, label)
    top, bottom = drawing.top, drawing.top + ROW * len(items) + 4
    axis_below(drawing, axis, top, bottom, show)
    for index, (name, value, kind) in enumerate(items):
        y = top + 4 + index * ROW
        drawing.text(left - 8, y + 14, name, anchor="end", weight="600" if kind == "ours" else None)
        drawing.rectangle(left, y, axis.place(value) - left, ROW - 8, kind)
        drawing.text(axis.place(value) + 6, y + 14, show(value))
    drawing.line(left, top, left, bottom, "axis")
    return drawing.finish(bottom + 56, dark)


def grouped(title, subtitle, groups, names, label, show, dark=False):
    """groups: (name, {series: value}); names: the series in order, ours first."""
    drawing = Drawing(title, subtitle)
    drawing.legend([(name, f"s{i}", 1) for i, name in enumerate(names)])
    left = MARGIN + max(width_of(name) for name, _v in groups) + 12
    values = [value for _n, of in groups for value in of.values()]
    axis = bar_axis(values, spread(values) > 12, left, WIDTH - MARGIN - 90, label)
    thick = 16
    height = sum(thick * len(of) + 14 for _n, of in groups)
    top, bottom = drawing.top, drawing.top + height
    axis_below(drawing, axis, top, bottom, show)
    y = top + 7
    for name, of in groups:
        drawing.text(left - 8, y + thick * len(of) / 2 + 4, name, anchor="end")
        for index, series in enumerate(names):
            if series in of:
                drawing.rectangle(left, y, axis.place(of[series]) - left, thick - 3, f"s{index}")
                drawing.text(axis.place(of[series]) + 6, y + 11, show(of[series]), size=12)
                y += thick
        y += 14
    drawing.line(left, top, left, bottom, "axis")
    return drawing.finish(bottom + 56, dark)


def dots(title, subtitle, items, names, label, show, dark=False):
    """items: (name, {marker: value}, kind): what is usual and what is worst, on one line for each."""
    drawing = Drawing(title, subtitle)
    kinds = ("s2", "s4", "s1", "s3")
    drawing.legend([(name, kinds[i], i) for i, name in enumerate(names)])
    left = MARGIN + max(width_of(name) for name, _v, _k in items) + 12
    values = [value for _n, of, _k in items for value in of.values()]
    axis = Axis(values, True, left, WIDTH - MARGIN - 80, label)
    top, bottom = drawing.top, drawing.top + ROW * len(items) + 8
    axis_below(drawing, axis, top, bottom, show)
    for index, (name, of, kind) in enumerate(items):
        y = top + 16 + index * ROW
        drawing.text(left - 8, y + 5, name, anchor="end", weight="600" if kind == "ours" else None)
        places = [axis.place(v) for v in of.values()]
        drawing.line(min(places), y, max(places), y, f"{kind}-line", 3)
        for number, marker in enumerate(names):
            if marker in of:
                drawing.mark(axis.place(of[marker]), y, number, kinds[number])
        drawing.text(max(places) + 12, y + 5, show(max(of.values())))
    return drawing.finish(bottom + 56, dark)


def lines(title, subtitle, series, labels, shows, logs=(True, True), references=(), dark=False):
    """series: (name, [(x, y)]), ours first; references: (name, y), flat and dashed, for what has no x.
    labels, shows and logs: of x, of y. Each point of x that was measured is a tick."""
    drawing = Drawing(title, subtitle)
    names = [name for name, _p in series] + [name for name, _y in references]
    drawing.legend([(name, f"s{i % 7}", i) for i, name in enumerate(names)])
    xs = sorted({x for _n, points in series for x, _y in points})
    ys = [y for _n, points in series for _x, y in points] + [y for _n, y in references]
    left, right, top = MARGIN + 96, WIDTH - MARGIN - 30, drawing.top + 6
    bottom = top + 300
    across, up = Axis(xs, logs[0], left + 20, right - 20, labels[0]), Axis(ys, logs[1], bottom, top, labels[1])
    across.ticks, across.low, across.high = xs, xs[0], max(xs[-1], xs[0] * 1.0001)
    axis_left(drawing, up, left, right, shows[1])
    axis_below(drawing, across, top, bottom, shows[0])
    for index, (_name, y) in enumerate(references, len(series)):
        drawing.line(left, up.place(y), right, up.place(y), f"s{index % 7}-line", 1.6, "6 4")
        drawing.mark(right, up.place(y), index, f"s{index % 7}")
    for index, (_name, points) in enumerate(series):
        placed = [(across.place(x), up.place(y)) for x, y in sorted(points)]
        drawing.polyline(placed, f"s{index % 7}-line")
        for x, y in placed:
            drawing.mark(x, y, index, f"s{index % 7}")
    drawing.line(left, bottom, right, bottom, "axis")
    return drawing.finish(bottom + 56, dark)
