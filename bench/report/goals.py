# SPDX-License-Identifier: MIT
"""The goals, and which rows decide each. A goal is met where all of its checks are; one check without
its rows and the goal is neither met nor missed, and the report says what was not there."""
import statistics

from rows import LOUD, by_name, format_ns, format_number, format_value, more_is_better


class Check:
    """One comparison. kind: "times" (ours at least bound times better than beside), "share" (ours at
    most bound times beside), "below" (ours at most bound), "added" (ours minus beside at most bound).
    Rows are named in the order of preference: a quick run stops at a smaller size."""

    def __init__(self, text, kind, bound, ours, beside=None, missed=None):
        self.text, self.kind, self.bound = text, kind, bound
        self.ours, self.beside, self.missed = ours, beside, missed


class Where:
    """One figure: rows by preference, designs by preference, and which field of the figure. A design that
    ends in * is the best of its kind: a runtime with one thread or with two, whichever suits it."""

    def __init__(self, rows, peers=("ours",), field="value"):
        self.rows = (rows,) if isinstance(rows, str) else rows
        self.peers = (peers,) if isinstance(peers, str) else peers
        self.field = field

    def find(self, rows):
        for name in self.rows:
            for peer in self.peers:
                found = self.of_kind(rows[name], peer) if name in rows else []
                if found:
                    better = max if more_is_better(found[0].unit) else min
                    return better(found, key=lambda of: of.value)
        return None

    def of_kind(self, row, peer):
        """The design, or all of its kind, that have a figure in this row."""
        kind = peer.rstrip("*")
        return [Found(row, name, figure, self.field) for name, figure in row["figures"].items()
                if (name == peer or peer != kind and (name + "-").startswith(kind + "-")) and figure.get(self.field) is not None]

    def why_not(self, rows):
        """Why there is no figure: what the row says of the peer, or that the row is not there."""
        for name in self.rows:
            for peer in self.peers:
                for of, why in rows.get(name, {}).get("missing", {}).items():
                    if of.startswith(peer.rstrip("*")):
                        return f"{of}: {why}"
        return f"no figure of {self.peers[0].rstrip('*')} in {self.rows[0]}"


class Found:
    def __init__(self, row, peer, figure, field):
        self.name, self.peer = row["name"], peer
        self.unit = "ns/op" if field.endswith("_ns") else row["unit"]
        self.value = figure[field]
        self.samples = figure["samples"] if field == "value" else [self.value]

        self.loud = figure.get("loud", False)

    def text(self):
        return format_value(self.value, self.unit) + (LOUD if self.loud else "")

    def scale(self):
        """What a figure is multiplied by, so that times in different units can be compared."""
        return 1e3 if self.unit == "us" else 1


MIX, READS = "map/mix-1M", "map/read90-1M"


def window_64(row):
    return Where(row, ("ours-window-64",))


EXPIRE, DEATH = "scale/expire-1M", "scale/death-1M"
GROW = ("scale/grow-10M", "scale/grow-4M", "scale/grow-1M")

# Why one is missed, where somebody has looked: shown only while it is.
WHOLE_WAY = ("an operation has a gen, a ttl, an owner and a place in the finished memory beside its key, and the map beside it has "
             "not: by a profile of delete and store at 1 M, a quarter of the owner's time is in these")
REMEMBERED = "65,536 operations that ended lately may be remembered, whatever the map holds; a key with many of them takes more"
SINGLE = "a frame of one op is decided, answered and remembered by itself; frames of 32 share all three"

GOALS = (
    ("window 64, 1 M operations: >= 3x one mutex map with 2 threads, >= 1.1x 64 spinlock shards", (
        Check("90 % look-ups, one mutex map, 2 threads", "times", 3, window_64(READS), Where(READS, "mutex"), WHOLE_WAY),
        Check("90 % look-ups, 64 spinlock shards", "times", 1.1, window_64(READS), Where(READS, "spin-64"), WHOLE_WAY),
        Check("60 % stores and deletes, one mutex map, 2 threads", "times", 3, window_64(MIX), Where(MIX, "mutex"), WHOLE_WAY),
        Check("60 % stores and deletes, 64 spinlock shards", "times", 1.1, window_64(MIX), Where(MIX, "spin-64"), WHOLE_WAY))),
    ("Concurrent Dictionary >= 4x Erlang and >= 8x CAF an ask; tell >= 2.5x Erlang", (
        Check("ask, Erlang", "times", 4, Where("actor/cdict-20", "ours*"), Where("actor/cdict-20", "erlang*")),
        Check("ask, CAF", "times", 8, Where("actor/cdict-20", "ours*"), Where("actor/cdict-20", "caf*")),
        Check("tell, Erlang", "times", 2.5, Where("actor/count", "ours*"), Where("actor/count", "erlang*")))),
    ("an ask with a deadline costs <= 30 ns more than without", (
        Check("added", "added", 30, Where("actor/ask-deadline"), Where("actor/ask")),)),
    ("worst single insert while growing to 10 M <= 1 ms", (
        Check("worst insert", "below", 1e6, Where(GROW, "ours", "worst_ns")),)),
    ("<= 80 bytes an operation with a 32-byte key, ttl and owner links, all included", (
        Check("bytes", "below", 80, Where("scale/bytes-1M", ("ours-daemon",)), missed=REMEMBERED),)),
    ("<= 5 % of the memory kept after 99 % are deleted", (
        Check("kept", "below", 5, Where("scale/kept-1M"), missed=REMEMBERED),)),
    ("sockets, depth 64, single ops: >= 2x Redis pipelined at the same depth; frames of 32: >= 3x", (
        Check("depth 64", "times", 2, Where("socket/ops-depth-64"), Where("socket/ops-depth-64", "redis"), SINGLE),
        Check("frames of 32", "times", 3, Where("socket/ops-frame-32"),
              Where(("socket/ops-frame-32", "socket/ops-depth-64"), "redis")))),
    ("one outstanding: <= 0.8x the round trip of bare NNG REQ/REP", (
        Check("round trip", "share", 0.8, Where("socket/round-trip"), Where("socket/round-trip", "nng")),)),
    ("cancel to the owner's notice, Unix socket: <= 1.5x Redis PUBLISH to subscriber", (
        Check("notice", "share", 1.5, Where("socket/cancel-notice"), Where("socket/cancel-notice", "redis")),)),
    ("1,000,000 expire at once, or one owner of 1,000,000 dies: another client's p99 <= 2x its quiet p99", (
        Check("expiry", "share", 2, Where(EXPIRE), Where(EXPIRE, "ours", "quiet_ns")),
        Check("death", "share", 2, Where(DEATH), Where(DEATH, "ours", "quiet_ns")))),
    ("10,000 idle sessions <= 64 MiB, < 1 % CPU", (
        # The dearer way to have them: a connection for each.
        Check("memory", "below", 64, Where(("socket/connections-10k", "socket/sessions-10k"))),
        Check("CPU", "below", 1, Where(("socket/connections-10k-cpu", "socket/sessions-10k-cpu"))))),
)


def ratio(ours, beside, turn):
    """The ratio of each turn where both had one, and of those the median: turns are taken alternately,
    so what slowed one of them slowed the other."""
    if len(ours.samples) == len(beside.samples) > 1:
        return statistics.median(turn(a, b) for a, b in zip(ours.samples, beside.samples))
    return turn(ours.value, beside.value)


def judge(check, rows):
    """{text, measured, met, why}: met is None where a figure is not there."""
    ours = check.ours.find(rows)
    beside = check.beside.find(rows) if check.beside else None
    if not ours or (check.beside and (not beside or beside.value <= 0 or ours.value <= 0)):
        why = (check.beside if ours and check.beside else check.ours).why_not(rows)
        return {"text": check.text, "measured": None, "met": None, "why": why, "rows": []}
    value, measured = JUDGES[check.kind](check, ours, beside)
    if ours.name != check.ours.rows[0]:
        measured += f", of {ours.name.split('/')[1]}"
    met = value >= check.bound if check.kind == "times" else value <= check.bound
    why = None if met else check.missed or "no reason is known yet"
    names = [f"{f.name} {f.peer}" for f in (ours, beside) if f]
    return {"text": check.text, "measured": measured, "value": value, "met": met, "why": why, "rows": names}


def judge_times(_check, ours, beside):
    better = more_is_better(ours.unit)
    value = ratio(ours, beside, lambda a, b: a / b if better else b / a)
    return value, f"{format_number(value)}x ({ours.text()} beside {beside.text()})"


def judge_share(_check, ours, beside):
    scale = ours.scale() / beside.scale()
    value = ratio(ours, beside, lambda a, b: a / b * scale)
    return value, f"{format_number(value)}x ({ours.text()} beside {beside.text()})"


def judge_below(_check, ours, _beside):
    return ours.value, ours.text()


def judge_added(_check, ours, beside):
    value = ratio(ours, beside, lambda a, b: a - b)
    return value, f"{format_ns(value)} more ({ours.text()} beside {beside.text()})"


JUDGES = {"times": judge_times, "share": judge_share, "below": judge_below, "added": judge_added}


def judge_all(rows, goals=GOALS):
    """The goals with their checks, numbered; and each row that decides one is told so."""
    named, judged = by_name(rows), []
    for number, (text, checks) in enumerate(goals, 1):
        results = [judge(check, named) for check in checks]
        met = None if any(r["met"] is None for r in results) else True
        met = False if any(r["met"] is False for r in results) else met
        judged.append({"number": number, "goal": text, "met": met, "checks": results})
        for result in results:
            mark_row(named, result, number, text)
    return judged


def mark_row(named, result, number, text):
    if not result["rows"]:
        return
    row = named[result["rows"][0].split(" ")[0]]
    if row["goal"] is None:
        row["goal"], row["met"] = f"{number}: {text}", result["met"]
    else:
        row["met"] = row["met"] and result["met"]
