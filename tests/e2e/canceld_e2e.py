# SPDX-License-Identifier: MIT
"""What the end-to-end tests stand on: a real daemon, and peers that speak the wire by themselves.

Nothing here uses the project's own C code: a Peer is a REQ socket made of stdlib sockets and the
messages that protoc makes of canceld.proto, so that it is a second opinion on the wire.

    Daemon    a canceld process with private addresses, watched from outside (RSS, descriptors)
    Peer      one connection: handshake, frames, pipelining, and raw bytes for those who misbehave
    Session   a session on a Peer: request ids, answered_below, an op a call
    Remote    a Session, or none, in a process of its own, driven by calls (remote.py)
"""
import itertools
import os
import pickle
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

import canceld_pb2 as pb

BINARIES = os.environ["CANCELD_BINARIES"]
PROGRAMS = os.environ["CANCELD_TEST_PROGRAMS"]
SANITIZED = bool(os.environ.get("CANCELD_SANITIZE"))
PATIENCE = 4 if SANITIZED else 1
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


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


# ---- the daemon -----------------------------------------------------------------------------------


class Daemon:
    """canceld with an ipc and a tcp address of its own. `ephemeral=False` gives it a state directory
    that outlives a restart, None leaves the choice to the flags."""

    def __init__(self, *flags, ephemeral=True):
        self.directory = tempfile.mkdtemp(prefix="canceld-e2e-")
        self.ipc_path = os.path.join(self.directory, "s")
        self.state_directory = os.path.join(self.directory, "state")
        state = {True: ["--ephemeral"], False: ["--state-dir", self.state_directory], None: []}
        self.flags = [*state[ephemeral], *flags]
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
            stdout=subprocess.PIPE, stderr=self.log)
        self.urls = self._ready_urls()

    def _ready_urls(self):
        line = self.process.stdout.readline().decode()
        if "ready" not in line:
            self.process.wait()
            raise AssertionError(f"canceld did not get ready: {line!r}\n{self.log_text()}")
        urls = re.findall(r"(?:ipc|tcp)://[^\s\",\]]+", line)
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
        self.process.send_signal(number)

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


# ---- one connection -------------------------------------------------------------------------------

REQ, REP = 0x0030, 0x0031


def handshake(protocol=REQ):
    return struct.pack(">BBBBHH", 0, 0x53, 0x50, 0, protocol, 0)


def connect_socket(url, seconds=10):
    scheme, rest = url.split("://", 1)
    if scheme == "ipc":
        sock = socket.socket(socket.AF_UNIX)
        address = rest
    else:
        sock = socket.socket(socket.AF_INET)
        host, port = rest.rsplit(":", 1)
        address = (host, int(port))
    try:
        sock.connect(address)  # without a timeout: with one, a full backlog fails at once on ipc
    except OSError:
        sock.close()
        raise
    sock.settimeout(seconds * PATIENCE)
    if scheme == "tcp":
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


class Peer:
    """A connection of a REQ socket. Requests may be pipelined: send() gives a number, receive() takes
    the reply of that number, in any order."""

    def __init__(self, url, seconds=10, greet=True):
        self.url = url
        self.is_ipc = url.startswith("ipc://")
        self.socket = connect_socket(url, seconds)
        self.numbers = itertools.count(1)
        self.replies = {}
        self.buffer = b""
        if greet:
            self.greet()

    def greet(self):
        try:
            self.send_raw(handshake())
            greeting = self.read_exactly(8)
        except OSError:
            self.close()
            raise
        if greeting != handshake(REP):
            raise AssertionError(f"the daemon greets with {greeting.hex()}")

    def close(self):
        self.socket.close()

    def cut(self):
        """Goes away without a word: a reset on tcp."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    # raw bytes

    def send_raw(self, data):
        self.socket.sendall(data)

    def read_exactly(self, count):
        while len(self.buffer) < count:
            data = self.socket.recv(1 << 18)
            if not data:
                raise ConnectionError("the daemon closed the connection")
            self.buffer += data
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def is_closed(self, seconds=5):
        """Whether the daemon closes the connection within the time; what it still sends is thrown away."""
        deadline = time.monotonic() + seconds * PATIENCE
        try:
            while (left := deadline - time.monotonic()) > 0:
                self.socket.settimeout(left)
                if not self.socket.recv(1 << 16):
                    return True
        except socket.timeout:
            return False
        except ConnectionError:
            return True
        return False

    # SP messages

    def wrap(self, body, number):
        message = struct.pack(">I", 0x80000000 | number) + body
        return (b"\x01" if self.is_ipc else b"") + struct.pack(">Q", len(message)) + message

    def send_body(self, body):
        number = next(self.numbers)
        self.send_raw(self.wrap(body, number))
        return number

    def receive_any(self):
        if self.is_ipc:
            kind = self.read_exactly(1)
            if kind != b"\x01":
                raise AssertionError(f"an ipc message of kind {kind!r}")
        (size,) = struct.unpack(">Q", self.read_exactly(8))
        message = self.read_exactly(size)
        (word,) = struct.unpack(">I", message[:4])
        if not word & 0x80000000:
            raise AssertionError("a reply with a hop that nobody made")
        return word & 0x7FFFFFFF, message[4:]

    def receive_body(self, number):
        while number not in self.replies:
            got, body = self.receive_any()
            self.replies[got] = body
        return self.replies.pop(number)

    # frames

    def send(self, frame):
        return self.send_body(frame.SerializeToString())

    def receive(self, number):
        return pb.Reply.FromString(self.receive_body(number))

    def request(self, frame):
        return self.receive(self.send(frame))

    def ops(self, *ops, **fields):
        """A frame without a session."""
        return self.request(pb.Frame(version=1, ops=ops, **fields))

    def op(self, op, **fields):
        """One op without a session: its Result."""
        return only_result(self.ops(op, **fields))

    def ping(self):
        return self.op(pb.Op(ping=pb.Ping())).answer == pb.ANSWER_PONG

    def stats(self):
        return {row.name: row.value for row in self.op(pb.Op(stats=pb.Stats())).stats}


class FrameRefused(Exception):
    def __init__(self, error):
        super().__init__(f"{pb.ErrorCode.Name(error.code)} {error.field} {error.text} {error.limit}")
        self.code = error.code
        self.field = error.field
        self.limit = error.limit

    def __reduce__(self):
        return (_frame_refused, (self.code, self.field, self.limit, str(self)))


def _frame_refused(code, field, limit, text):
    return FrameRefused(pb.Error(code=code, field=field, limit=limit, text=text))


def results_of(reply):
    if reply.error.code != pb.ERROR_UNSET:
        raise FrameRefused(reply.error)
    return list(reply.results)


def only_result(reply):
    (result,) = results_of(reply)
    return result


# ---- ops, in short ------------------------------------------------------------------------------------


def store(key, **fields):
    return pb.Op(store=pb.Store(key=key, **fields))


def delete(key, gen, outcome=pb.OUTCOME_COMPLETED, **fields):
    return pb.Op(delete=pb.Delete(key=key, gen=gen, outcome=outcome, **fields))


def cancel(key, gen=0, text="", **fields):
    cause = pb.Cause(code=pb.CAUSE_USER, text=text.encode())
    return pb.Op(cancel=pb.Cancel(key=key, gen=gen, cause=cause, **fields))


def touch(key, gen, ttl_ms, **fields):
    return pb.Op(touch=pb.Touch(key=key, gen=gen, ttl_ms=ttl_ms, **fields))


def get(key, gen=0, **fields):
    return pb.Op(get=pb.Get(key=key, gen=gen, **fields))


def wait(key, gen=0, until=pb.UNTIL_ENDED, deadline_ms=0, **fields):
    return pb.Op(wait=pb.Wait(key=key, gen=gen, until=until, deadline_ms=deadline_ms, **fields))


def poll(after=0, wait_ms=0, acks=()):
    return pb.Op(poll=pb.Poll(after=after, wait_ms=wait_ms,
                              acks=[pb.NoticeAck(gen=gen, kind=kind) for gen, kind in acks]))


def count(**fields):
    return pb.Op(count=pb.Count(**fields))


def ping():
    return pb.Op(ping=pb.Ping())


# ---- sessions ---------------------------------------------------------------------------------------


class Session:
    """A session: the owner's side of the contract. Its request ids outlive a connection, as the
    contract wants it; resume() moves it to another one."""

    def __init__(self, url, **fields):
        self.request_ids = itertools.count(1)
        self.unanswered = set()
        self.newest = 0
        self.peer = Peer(url)
        self.peers = [self.peer]
        result = self.peer.op(pb.Op(open=pb.Open(**fields)))
        assert result.answer == pb.ANSWER_OPENED, result
        self.opened = result.opened
        self.number = result.opened.session
        self.secret = result.opened.secret

    def resume(self, url=None, **fields):
        """Moves the session to a new connection, the old one stays; gives the answer of open."""
        self.peer = Peer(url or self.peer.url)
        self.peers.append(self.peer)
        return self.peer.op(pb.Op(open=pb.Open(
            resume_session=self.number, resume_secret=self.secret, **fields)))

    def close(self):
        for peer in self.peers:
            peer.close()

    def cut(self):
        self.peer.cut()

    def frame(self, *ops):
        request_id = next(self.request_ids)
        self.unanswered.add(request_id)
        self.newest = request_id
        return pb.Frame(version=1, session=self.number, request_id=request_id,
                        answered_below=min(self.unanswered), ops=ops)

    def send(self, *ops):
        """A request on its way: give it to receive()."""
        frame = self.frame(*ops)
        return self.peer.send(frame), frame.request_id

    def receive(self, pending):
        number, request_id = pending
        reply = self.peer.receive(number)
        self.unanswered.discard(request_id)
        return results_of(reply)

    def ops(self, *ops):
        return self.receive(self.send(*ops))

    def op(self, op):
        (result,) = self.ops(op)
        return result

    def store(self, key, **fields):
        """Stores and expects it done: gives the gen."""
        result = self.op(store(key, **fields))
        assert result.answer == pb.ANSWER_STORED, result
        return result.gen

    def notices(self, after=0, wait_ms=0, acks=()):
        result = self.op(poll(after, wait_ms, acks))
        assert result.answer == pb.ANSWER_NOTICES, result
        return list(result.notices)

    def acknowledge(self, notices):
        return self.notices(after=1 << 60, acks=[(n.gen, n.kind) for n in notices])


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
        pickle.dump((verb, arguments), self.process.stdin)
        self.process.stdin.flush()

    def result(self):
        good, value = pickle.load(self.process.stdout)
        if not good:
            raise value
        return value

    def call(self, verb, *arguments):
        self.start(verb, *arguments)
        return self.result()

    def op(self, op):
        return self.call("op", op)

    def store(self, key, **fields):
        result = self.op(store(key, **fields))
        assert result.answer == pb.ANSWER_STORED, result
        return result.gen

    def signal(self, number):
        self.process.send_signal(number)

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

    def say(self, text):
        """A figure for whoever reads the output."""
        print(f"{self.id().split('.', 1)[-1]}: {text}", flush=True)


def over_both(case):
    """A class decorator: the case once over ipc and once over tcp."""
    module = sys.modules[case.__module__]
    for transport in ("ipc", "tcp"):
        name = f"{case.__name__}Over{transport.capitalize()}"
        setattr(module, name, type(name, (case, Case), {
            "transport": transport, "__module__": case.__module__}))
    return case


def main():
    raise_descriptor_limit()
    unittest.main(verbosity=2)
