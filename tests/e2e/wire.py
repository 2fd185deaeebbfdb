# SPDX-License-Identifier: MIT
"""The wire, spoken by nothing but stdlib sockets and the messages that protoc makes of canceld.proto:
a second opinion on it, that shares no code with the daemon.

    Peer      one connection: handshake, frames, pipelining, and raw bytes for those who misbehave
    Session   a session on a Peer: request ids, answered_below, an op a call
    Watcher   what a namespace holds, as its events tell it
"""
import itertools
import os
import socket
import struct
import time

import canceld_pb2 as pb

SANITIZED = bool(os.environ.get("CANCELD_SANITIZE"))
PATIENCE = int(os.environ.get("CANCELD_TEST_PATIENCE", "4")) if SANITIZED else 1  # times as long may everything take under a sanitizer


# ---- one connection -------------------------------------------------------------------------------

REQ, REP = 0x0030, 0x0031


def handshake(protocol=REQ):
    return struct.pack(">BBBBHH", 0, 0x53, 0x50, 0, protocol, 0)


def connect_socket(url, seconds=10, source=None):
    """`source` is the address to come from, for tcp."""
    scheme, rest = url.split("://", 1)
    if scheme == "ipc":
        sock = socket.socket(socket.AF_UNIX)
        address = rest
    else:
        sock = socket.socket(socket.AF_INET)
        if source:
            sock.bind((source, 0))
        host, port = rest.rsplit(":", 1)
        address = (host, int(port))
    try:
        sock.connect(address)  # without a timeout: with one, a full backlog fails at once on ipc
    except OSError:
        sock.close()
        raise
    sock.settimeout(seconds * PATIENCE)
    if scheme != "ipc":
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


class Peer:
    """A connection of a REQ socket. Requests may be pipelined: send() gives a number, receive() takes
    the reply of that number, in any order."""

    def __init__(self, url, seconds=10, greet=True, source=None, tls=None):
        """`tls` is an ssl.SSLContext, for tls+tcp."""
        self.url = url
        self.is_ipc = url.startswith("ipc://")
        self.socket = connect_socket(url, seconds, source)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname=url.split("://")[1].rsplit(":", 1)[0])
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

    # Of one op on its way: give it to result_of().

    def start(self, op):
        return self.send(pb.Frame(version=1, ops=[op]))

    def result_of(self, number):
        return only_result(self.receive(number))


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


def adopt(key, gen, **fields):
    return pb.Op(adopt=pb.Adopt(key=key, gen=gen, **fields))


def cancel(key, gen=0, text="", **fields):
    cause = pb.Cause(code=pb.CAUSE_USER, text=text.encode())
    return pb.Op(cancel=pb.Cancel(key=key, gen=gen, cause=cause, **fields))


def cancel_label(label, text="", **fields):
    return cancel(b"", text=text, label=label, **fields)


def cancel_owner(owner, text="", **fields):
    """All operations of a session, by its number."""
    return cancel(b"", text=text, owner=owner, **fields)


def cancel_namespace(namespace=b"", text="", **fields):
    return cancel(b"", text=text, namespace=namespace, whole_namespace=True, **fields)


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


def page(**fields):
    return pb.Op(list=pb.List(**fields))


def armed(**fields):
    return pb.Op(armed=pb.Armed(**fields))


def disarm(key, **fields):
    return pb.Op(disarm=pb.Disarm(key=key, **fields))


def detach(key, gen, **fields):
    return pb.Op(detach=pb.Detach(key=key, gen=gen, **fields))


def watch(epoch=0, revision=0, cursor=0, wait_ms=0, **fields):
    return pb.Op(watch=pb.Watch(epoch=epoch, revision=revision, cursor=cursor, wait_ms=wait_ms, **fields))


def drain(deadline_ms=0, text="", **fields):
    return pb.Op(drain=pb.Drain(deadline_ms=deadline_ms, text=text.encode(), **fields))


def undrain(**fields):
    return pb.Op(undrain=pb.Undrain(**fields))


def history(**fields):
    return pb.Op(history=pb.History(**fields))


def ping():
    return pb.Op(ping=pb.Ping())


# ---- ops that take more than one frame: `asker` is a Peer, a Session or a Remote ---------------------


def all_pages(asker, op):
    """The results of list, armed or history, page by page to the end."""
    request = getattr(op, op.WhichOneof("op"))
    while True:
        result = asker.op(op)
        assert result.answer in (pb.ANSWER_PAGE, pb.ANSWER_ARMED_KEYS, pb.ANSWER_HISTORY), result
        yield result
        request.cursor = result.next_cursor
        if not result.next_cursor:
            return


def all_operations(asker, **fields):
    return [found for result in all_pages(asker, page(**fields)) for found in result.operations]


def all_history(asker, **fields):
    return [entry for result in all_pages(asker, history(**fields)) for entry in result.history]


def persist(asker, op, seconds=10):
    """Asks as a library does while the daemon is recovering; gives the first other result."""
    deadline = time.monotonic() + seconds * PATIENCE
    while (result := asker.op(op)).answer == pb.ANSWER_RECOVERING:
        if time.monotonic() > deadline:
            raise AssertionError(f"still recovering after {seconds * PATIENCE} s")
        time.sleep(result.retry_ms / 1000)
    return result


class Watcher:
    """Follows a namespace with a snapshot and the events since: `live` holds {(key, gen): state}, and
    `events` all that were told. A gap shows in `snapshots`, the number of those taken."""

    def __init__(self, asker, **fields):
        self.asker = asker
        self.fields = fields
        self.epoch = self.revision = self.cursor = 0
        self.live = {}
        self.events = []
        self.snapshots = 0

    def request(self, wait_ms=0):
        return watch(self.epoch, self.revision, self.cursor, wait_ms, **self.fields)

    def take(self, result):
        """Applies an answer; True where it was all there is for now."""
        if result.answer == pb.ANSWER_SNAPSHOT:
            self._take_snapshot(result)
        else:
            assert result.answer == pb.ANSWER_EVENTS, result
            self._take_events(result)
        self.epoch, self.revision, self.cursor = result.epoch, result.revision, result.next_cursor
        return not result.more and not result.next_cursor

    def _take_snapshot(self, result):
        if not self.cursor or (result.epoch, result.revision) != (self.epoch, self.revision):
            self.snapshots += 1
            self.live = {}
        self.live.update({(found.key, found.gen): found.state for found in result.operations})

    def _take_events(self, result):
        seen = self.revision
        for event in result.events:
            assert seen < event.revision <= result.revision, (seen, event, result.revision)
            seen = event.revision
            self.live[event.key, event.gen] = event.state
            if event.state == pb.STATE_ENDED:
                del self.live[event.key, event.gen]
        self.events += result.events

    def follow(self, wait_ms=0):
        """To where the namespace is now; waits so long for a first event if there is none."""
        while not self.take(self.asker.op(self.request(wait_ms))):
            wait_ms = 0
        return self.live


# ---- sessions ---------------------------------------------------------------------------------------


class Session:
    """A session: the owner's side of the contract. Its request ids outlive a connection, as the
    contract wants it; resume() moves it to another one."""

    def __init__(self, url, peer=None, **fields):
        """On a connection of its own, or on that of `peer`."""
        self.request_ids = itertools.count(1)
        self.unanswered = set()
        self.newest = 0
        self.peer = peer or Peer(url)
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

    def adopt(self, key, gen, **fields):
        """Adopts and expects it done: gives the result."""
        result = self.op(adopt(key, gen, **fields))
        assert result.answer == pb.ANSWER_ADOPTED, result
        return result

    def start(self, op):
        return self.send(op)

    def result_of(self, pending):
        (result,) = self.receive(pending)
        return result

    def notices(self, after=0, wait_ms=0, acks=()):
        result = self.op(poll(after, wait_ms, acks))
        assert result.answer == pb.ANSWER_NOTICES, result
        return list(result.notices)

    def acknowledge(self, notices):
        return self.notices(after=1 << 60, acks=[(n.gen, n.kind) for n in notices])
