# SPDX-License-Identifier: MIT
"""What the end-to-end tests stand on: a real daemon, and processes that talk to it.

    Daemon    a canceld process with private addresses, watched from outside (RSS, descriptors)
    Remote    a session, or a bare connection, in a process of its own, driven by calls (remote.py)
    Case      a test with both, and with the Peer and the Session of wire.py
"""
import os
import pickle
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

from wire import *  # the tests take the words of the wire from here
from wire import PATIENCE, SANITIZED, FrameRefused, Peer, Session, adopt, pb, store

BINARIES = os.environ["CANCELD_BINARIES"]
PROGRAMS = os.environ["CANCELD_TEST_PROGRAMS"]
MIB = 1 << 20
HERE = os.path.dirname(os.path.abspath(__file__))


def scale(count):
    """A twentieth of a big load under a sanitizer."""
    return max(1, count // 20) if SANITIZED else count


def raise_descriptor_limit():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def eventually(condition, seconds=10, what="the condition"):
    """Asks until the condition is truthy and returns what it gave."""
    deadline = time.monotonic() + seconds * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come within {seconds * PATIENCE} s")
        time.sleep(0.005)


def is_stopped(pid):
    """Whether each of its threads has come to a stop: a signal is on its way for a moment, and they run on meanwhile."""
    states = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/stat", encoding="ascii", errors="replace") as stat:
            states.append(stat.read().rpartition(")")[2].split()[0])
    return all(state == "T" for state in states)


def send_signal(process, number):
    process.send_signal(number)
    if number == signal.SIGSTOP:
        eventually(lambda: is_stopped(process.pid), what="the stop")


def elapse(seconds, condition=lambda: True, what="the condition"):
    """Lets so much time go by, in which the condition holds all the time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert condition(), f"{what} does not hold"
        time.sleep(0.01)


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


# ---- the daemon -----------------------------------------------------------------------------------


class Daemon:
    """canceld with an ipc and a tcp address of its own. `ephemeral=False` gives it a state directory
    that outlives a restart, None leaves the choice to the flags. Likewise `recovery_ms`: without it a
    start has no recovery time, None leaves it to the flags and the configuration. `environment` is added
    to that of the tests."""

    def __init__(self, *flags, ephemeral=True, recovery_ms=0, environment=None):
        self.environment = {**os.environ, **(environment or {})}
        self.directory = tempfile.mkdtemp(prefix="canceld-e2e-")
        self.ipc_path = os.path.join(self.directory, "s")
        self.state_directory = os.path.join(self.directory, "state")
        state = {True: ["--ephemeral"], False: ["--state-dir", self.state_directory], None: []}
        recovery = [] if recovery_ms is None else ["--recovery", str(recovery_ms)]
        self.flags = [*state[ephemeral], *recovery, *flags]
        self.process = None
        self.urls = {}
        self.start()

    def command(self, *flags):
        return [os.path.join(BINARIES, "canceld"), *flags]

    def start(self):
        tcp_url = self.urls.get("tcp", "tcp://127.0.0.1:0")  # the same one after a restart
        listen = ["--listen", f"ipc://{self.ipc_path}", "--listen", tcp_url]
        self.log = open(os.path.join(self.directory, "log"), "ab")
        self.process = subprocess.Popen(
            self.command(*listen, *self.flags), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=self.log, env=self.environment)
        self.urls = self._ready_urls()

    def _ready_urls(self):
        line = self.process.stdout.readline().decode()
        if "ready" not in line:
            self.process.wait()
            raise AssertionError(f"canceld did not get ready: {line!r}\n{self.log_text()}")
        urls = re.findall(r"(?:ipc|tcp|tls\+tcp)://[^\s\",\]]+", line)
        return {url.split(":")[0]: url for url in urls}

    def log_text(self):
        with open(os.path.join(self.directory, "log"), errors="replace") as log:
            return log.read()

    @property
    def pid(self):
        return self.process.pid

    def is_running(self):
        return self.process.poll() is None

    def signal(self, number):
        send_signal(self.process, number)

    def wait(self, seconds=10):
        status = self.process.wait(seconds * PATIENCE)
        self.process.stdout.close()
        self.log.close()
        return status

    def stop(self):
        """SIGTERM; gives the exit status."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self):
        self.signal(signal.SIGKILL)
        self.wait()

    def restart(self):
        self.kill()
        self.start()

    def close(self):
        """The end of a test: whatever a sanitizer has found makes it fail here."""
        try:
            status = self.stop() if self.is_running() else self.process.returncode
            if status not in (0, -signal.SIGKILL):
                raise AssertionError(f"canceld ended with {status}\n{self.log_text()}")
        finally:
            if self.is_running():
                self.kill()
            shutil.rmtree(self.directory, ignore_errors=True)

    def rss(self):
        with open(f"/proc/{self.pid}/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def descriptors_at_rest(self):
        """Once those of every earlier connection are gone: a count that stays for a moment."""
        counts = []
        eventually(lambda: counts.append(self.descriptors()) or
                   len(counts) > 40 and len(set(counts[-40:])) == 1, what="a steady count")
        return counts[-1]


# ---- other processes --------------------------------------------------------------------------------


class Remote:
    """A process that holds connections and does as it is told: see remote.py. start() begins a call,
    result() ends it; a call is both."""

    def __init__(self, url, **open_fields):
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "remote.py")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.call("begin", url, open_fields)

    def start(self, verb, *arguments):
        call = pickle.dumps((verb, arguments))
        self.process.stdin.write(struct.pack("<I", len(call)) + call)
        self.process.stdin.flush()

    def result(self):
        good, value = pickle.load(self.process.stdout)
        if not good:
            raise value
        return value

    def call(self, verb, *arguments):
        self.start(verb, *arguments)
        return self.result()

    def finish(self):
        """Ends a call that goes on until there is another one; gives its result."""
        self.start("nothing")
        result = self.result()
        self.result()
        return result

    def op(self, op):
        return self.call("op", op)

    def store(self, key, **fields):
        result = self.op(store(key, **fields))
        assert result.answer == pb.ANSWER_STORED, result
        return result.gen

    def adopt(self, key, gen, **fields):
        result = self.op(adopt(key, gen, **fields))
        assert result.answer == pb.ANSWER_ADOPTED, result
        return result

    def signal(self, number):
        send_signal(self.process, number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait()

    def close(self):
        if self.process.poll() is None:
            self.kill()
        self.process.stdin.close()
        self.process.stdout.close()


# ---- cases ------------------------------------------------------------------------------------------


class Case(unittest.TestCase):
    """A test with helpers that clean up after themselves. Set `transport` (over_both does)."""

    transport = "ipc"
    maxDiff = None

    def daemon(self, *flags, **how):
        daemon = Daemon(*flags, **how)
        self.addCleanup(daemon.close)
        self.running = daemon
        return daemon

    def url(self):
        return self.running.urls[self.transport]

    def peer(self, **how):
        peer = Peer(self.url(), **how)
        self.addCleanup(peer.close)
        return peer

    def session(self, **fields):
        session = Session(self.url(), **fields)
        self.addCleanup(session.close)
        return session

    def owner(self, **open_fields):
        """A session in a process of its own."""
        open_fields.setdefault("client_name", b"owner")
        remote = Remote(self.url(), **open_fields)
        self.addCleanup(remote.close)
        return remote

    def canceller(self):
        """A connection without a session in a process of its own."""
        remote = Remote(self.url(), sessionless=True)
        self.addCleanup(remote.close)
        return remote

    def assertAnswer(self, result, name, **fields):
        self.assertEqual(pb.Answer.Name(result.answer), "ANSWER_" + name, result)
        for field, value in fields.items():
            self.assertEqual(getattr(result, field), value, f"{field} of {result}")

    def assertRefused(self, code, call, *arguments):
        with self.assertRaises(FrameRefused) as caught:
            call(*arguments)
        self.assertEqual(pb.ErrorCode.Name(caught.exception.code), "ERROR_" + code)
        return caught.exception

    def assertBackAt(self, daemon, descriptors, seconds):
        """The daemon comes back to so many descriptors; gives how long it took."""
        begin = time.monotonic()
        eventually(lambda: daemon.descriptors() <= descriptors, seconds, "the base of descriptors")
        self.assertEqual(daemon.descriptors(), descriptors)
        return time.monotonic() - begin

    def say(self, text):
        """A figure for whoever reads the output; .ci/run collects them."""
        print(f"\n* {self.id().split('.', 1)[-1]}: {text}", flush=True)


def over_both(case):
    """A class decorator: the case once over ipc and once over tcp; over one alone where that was chosen."""
    module = sys.modules[case.__module__]
    for transport in os.environ.get("CANCELD_TEST_TRANSPORTS", "ipc tcp").split():
        name = f"{case.__name__}Over{transport.capitalize()}"
        setattr(module, name, type(name, (case, Case), {
            "transport": transport, "__module__": case.__module__}))
    return case


def main():
    raise_descriptor_limit()
    unittest.main(verbosity=2)
