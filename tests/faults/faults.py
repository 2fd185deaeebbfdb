# SPDX-License-Identifier: MIT
"""Failures on demand in other processes: the file by which libcanceld_faults.so is told what to do (fault.h has the
same layout), a daemon under it, and what the parts of run.py share."""
import ctypes
import errno
import mmap
import os
import re
import signal
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../e2e"))

from canceld_e2e import BINARIES, PROGRAMS, Daemon, Peer, eventually, pb  # noqa: E402
from wire import PATIENCE, SANITIZED  # noqa: E402,F401

LIBRARY = os.path.join(PROGRAMS, "libcanceld_faults.so")


def calls_of_header():
    """The rows of FAULT_CALLS, in order: one list in one place."""
    with open(os.path.join(HERE, "fault.h"), encoding="ascii") as header:
        rows = re.search(r"#define FAULT_CALLS\(X\)(.*?)\n\n", header.read(), re.S)
    return re.findall(r"X\((\w+)\)", rows.group(1))


CALLS = calls_of_header()


class Rule(ctypes.Structure):
    _fields_ = [("error", ctypes.c_uint32), ("one_in", ctypes.c_uint32), ("in_order", ctypes.c_uint32),
                ("bytes", ctypes.c_uint32), ("calls", ctypes.c_uint64), ("failed", ctypes.c_uint64)]


class Layout(ctypes.Structure):
    _fields_ = [("armed", ctypes.c_uint32), ("for_ever", ctypes.c_uint32), ("fail_at", ctypes.c_uint64),
                ("allocations", ctypes.c_uint64), ("failed", ctypes.c_uint64), ("live", ctypes.c_int64),
                ("place", ctypes.c_uint64), ("seed", ctypes.c_uint64), ("rules", Rule * len(CALLS))]


class Control:
    """A file of it. Each process that is started with environment() obeys."""

    def __init__(self, seed=1):
        self.file = tempfile.NamedTemporaryFile(prefix="canceld-faults-")
        self.file.truncate(ctypes.sizeof(Layout))
        self.memory = mmap.mmap(self.file.fileno(), ctypes.sizeof(Layout))
        self.now = Layout.from_buffer(self.memory)
        self.now.seed = seed

    def environment(self):
        """Under a sanitizer it stands before that one, which would rather be the first."""
        asan = os.environ.get("ASAN_OPTIONS", "")
        return {"LD_PRELOAD": LIBRARY, "CANCELD_FAULTS": self.file.name,
                "ASAN_OPTIONS": ":".join(filter(None, [asan, "verify_asan_link_order=0"]))}

    # allocations

    def arm(self, fail_at, for_ever=False):
        self.now.armed = 0
        self.now.fail_at, self.now.for_ever = fail_at, for_ever
        self.now.allocations = self.now.failed = self.now.place = 0
        self.now.armed = 1

    def disarm(self):
        self.now.armed = 0
        return self.now.failed

    # system calls

    def rule(self, call):
        return self.now.rules[CALLS.index(call)]

    def fail(self, call, error=0, one_in=1, in_order=True, count_bytes=0):
        """`error` 0 and `count_bytes`: no more than so many move. `one_in` 0: once."""
        rule = self.rule(call)
        rule.error = rule.bytes = 0
        rule.calls = rule.failed = 0
        rule.one_in, rule.in_order = one_in, in_order
        rule.bytes, rule.error = count_bytes, error

    def heal(self):
        for rule in self.now.rules:
            rule.error = rule.bytes = 0

    def failed_calls(self):
        return sum(rule.failed for rule in self.now.rules)

    def close(self):
        del self.now
        self.memory.close()
        self.file.close()


class FaultyDaemon(Daemon):
    """A daemon that is told when to fail. Whatever it still says must not be lost: log_text()."""

    def __init__(self, *flags, seed=1, **how):
        self.control = Control(seed)
        how.setdefault("ephemeral", False)
        super().__init__(*flags, environment=self.control.environment(), **how)

    def start(self):
        self.control.disarm()
        self.control.heal()
        self.control.now.live = 0
        super().start()

    def close(self):
        self.control.disarm()
        self.control.heal()
        super().close()
        self.control.close()


def place_of(pid, address):
    """The file and offset of an address in a process, for whoever looks it up by addr2line."""
    try:
        with open(f"/proc/{pid}/maps", encoding="ascii") as maps:
            lines = [line.split() for line in maps]
    except OSError:
        return hex(address)
    begins = {}
    for fields in lines:
        low, high = (int(part, 16) for part in fields[0].split("-"))
        path = fields[5] if len(fields) > 5 else ""
        begins.setdefault(path, low)
        if low <= address < high:
            return f"{path}+{address - begins[path]:#x}"
    return hex(address)


def serves(url, seconds=1.0, **how):
    """Whether a new connection is answered within that time, however often one has to try."""
    deadline = time.monotonic() + seconds * PATIENCE
    while True:
        try:
            peer = Peer(url, seconds=seconds, **how)
            try:
                if peer.ping():
                    return True
            finally:
                peer.close()
        except (OSError, AssertionError):
            pass
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)


class Tally:
    """Points and what became of them, by scenario."""

    def __init__(self):
        self.rows = []

    def row(self, scenario, fails, excluded=None):
        """`excluded`: whose failures are counted apart, by name."""
        row = {"scenario": scenario, "fails": fails, "points": 0, "survived": 0, "failures": [], "excluded": excluded}
        self.rows.append(row)
        return row

    def add(self, row, failure=None):
        row["points"] += 1
        if failure is None:
            row["survived"] += 1
        else:
            row["failures"].append(failure)
            if not row["excluded"]:
                print(f"NOT SURVIVED {row['scenario']} ({row['fails']}): {failure}", file=sys.stderr, flush=True)

    def judged(self):
        return [row for row in self.rows if not row["excluded"]]

    def points(self):
        return sum(row["points"] for row in self.judged())

    def survived(self):
        return sum(row["survived"] for row in self.judged())


def stride_of(count, most):
    """Every so manieth point, that there be no more than `most`; None: each."""
    return 1 if most is None else 1 + count // most


def say(text):
    print(text, file=sys.stderr, flush=True)
