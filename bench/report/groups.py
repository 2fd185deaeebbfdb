# SPDX-License-Identifier: MIT
"""What the report says of each group, of each design, and of why we lose where we do."""
import re


class Group:
    """title and about are Markdown; baseline is the design of ours that peers are measured against."""

    def __init__(self, title, about, baseline="ours"):
        self.title, self.about, self.baseline = title, about, baseline


GROUPS = {
    "map": Group(
        "In process: the designs of the old debate, on the same work",
        "Keys of 32 bytes; threads that store, look up, cancel and delete (`mix`), that mostly look (`read90`), that go on while "
        "another cleans up (`cleanup`), a map that grows from nothing (`grow`), and one of which 99 % were deleted "
        "(`after-delete`). The designs in C share one hash and one entry, and run in one program, in turns.",
        "ours-window-64"),
    "scale": Group(
        "Scale: one thousand to twenty million operations",
        "Time of an operation, the worst stall of a single one, and the bytes that one takes, while the map grows; a million "
        "that expire within one second; an owner of a million that dies."),
    "actor": Group(
        "Actor runtimes",
        "Programs of the Savina suite at the paper's sizes: Count, PingPong, Concurrent Dictionary with 20 workers, Banking. "
        "CAF and Erlang run with as many schedulers as make them fastest here."),
    "codec": Group(
        "The wire's codec",
        "What it takes to read a request and to write an answer, against protobuf-c on the same bytes."),
    "socket": Group(
        "Over sockets",
        "One Unix socket each, one machine. Redis does `SET NX PX` and `DEL`: a store and a delete without generations, "
        "owners and notices. Bare NNG REQ/REP is the floor of a round trip with the same library."),
}

DESIGNS = {
    "ours": "canceld",
    "ours-window-1": "canceld, one ask at a time",
    "ours-window-8": "canceld, window 8",
    "ours-window-64": "canceld, window 64",
    "ours-inline": "canceld, inline (no thread)",
    "ours-rep": "canceld, REQ/REP endpoint",
    "ours-nng-req": "canceld, asked by NNG's REQ",
    "ours-nng-stream": "canceld behind NNG's streams",
    "ours-client": "canceld, C client library",
    "ours-embedded": "canceld, embedded",
    "ours-2-loops": "canceld, 2 loops",
    "ours-direct": "canceld, direct calls",
    "ours-daemon": "canceld, as the daemon has it",
    "ours-table": "canceld, its table alone",
    "mutex": "one mutex map",
    "mutex-steps": "one mutex map, cleaned in steps",
    "rwlock": "reader-writer lock",
    "shards-16": "16 mutex shards",
    "shards-64": "64 mutex shards",
    "spin-64": "64 spinlock shards",
    "copy-on-write": "whole map replaced (RCU)",
    "copy-and-clear": "copied out and cleared",
    "value-locks": "a lock in each value",
    "janitor": "ttl and a janitor",
    "go-mutex": "Go map, mutex",
    "go-sync-map": "Go sync.Map",
    "go-channel": "Go channel to an owner",
    "go-cache": "patrickmn/go-cache",
    "uthash": "uthash",
    "go": "Go", "caf": "CAF", "erlang": "Erlang/OTP", "redis": "Redis", "nng": "bare NNG REQ/REP", "nats": "NATS",
    "glib": "GLib GHashTable", "unordered-map": "std::unordered_map", "go-map": "Go map",
    "protobuf-c": "protobuf-c",
}

# Row, design of ours, why it loses there: the first that fits.
REASONS = (
    (r"map/", r"ours-window-1$",
     "one ask at a time pays for two transfers of a cache line between cores (300-365 ns here) before anything is done; "
     "an uncontended mutex costs 14. No design with an owner thread beats that: keep several asks under way, or go inline"),
    (r"map/", r"ours-window-8$", "eight under way only begin to hide the way there and back"),
    (r".*", r"ours-2-loops$",
     "a message to a loop on another thread wakes that thread, 5-10 us here where it sleeps; on one loop it is a few "
     "stores. Actors that talk much belong on one loop"),
    (r"socket/", r"ours-client$",
     "the library has a thread of its own, and each answer crosses from it to the caller's; the other rows speak from the "
     "measuring thread, straight on the socket"),
    (r"socket/", r"ours-nng-", "NNG hands each message from its poller to a task thread and on, a wake-up each"),
    (r"map/after-delete|scale/(bytes|kept)", r"ours", "some 65,000 operations that ended lately are remembered, so that a late cancel "
     "gets a true answer: that memory stays, however few are live"),
    (r"map/grow", r"ours", "GLib's table does less for an insert, and then stops for a rehash: see the worst insert"),
    (r"scale/(op|grow)-", r"ours", "a map finds a key; this registry keeps a generation, an owner's list, a deadline, what "
     "ended lately and a stream of changes consistent with it, and each costs time and lines of cache"),
    (r"map/", r"ours-(inline|direct|window-64.*)$", "it does more for each operation than a map does: generation, owner, deadline, what ended lately, "
     "changes for who watches"),
    (r"socket/round-trip", r"ours", "a round trip is four system calls and two wake-ups for anybody; Redis does it all on "
     "one thread with text that needs no decoding, and keeps no generations, owners and notices"),
)


def known(peer):
    """The design that a name begins with: caf for caf-2-workers; nothing where there is none."""
    return max((of for of in DESIGNS if (peer + "-").startswith(of + "-")), key=len, default="")


def name_of(peer):
    """caf-2-workers is CAF, 2 workers."""
    base = known(peer)
    rest = peer[len(base):].strip("-").replace("-", " ")
    if not base:
        return peer
    return DESIGNS[base] + (f", {rest}" if rest else "")


def reason(row, design):
    """Why this design of ours loses in this row; nothing where nobody has said so yet."""
    for rows, designs, why in REASONS:
        if re.match(rows, row) and re.match(designs, design):
            return why
    return ""
