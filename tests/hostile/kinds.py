# SPDX-License-Identifier: MIT
"""One kind of hostility after the other against a daemon, each with the end that it has to have.

A kind is a function of the World; its sentence is the end, and what it gives is how often it was tried, which
may not be 0. A witness on a connection and in a namespace of its own is asked after each kind: it has to be
served, and to have what it stored. What is tried elsewhere stands in ELSEWHERE, with the name of the test."""
import contextlib
import importlib
import os
import random
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time

import bed
from bed import ROOT, require, say

FLAGS = ["--recovery", "0", "--log-level", "error", "--limit-connections", "4096", "--limit-connections-unopened", "4096",
         "--limit-sessions", "300", "--limit-operations-namespace", "2000", "--limit-grace-ms", "300", "--limit-parked", "150000"]
AT_ONCE = 500  # requests of one connection before their answers are read
DAY_MS = 86400000
STORM_SECONDS = 4

# Of those who are hostile by what they do not do, the crowd of run.py has a hundred and more at once.
ELSEWHERE = (
    ("never reads", "cut as STALLED_OUTPUT, memory given back", "tests/e2e/test_hostile.py", "test_a_peer_that_never_reads_is_cut"),
    ("dribbles a frame", "cut as STALLED_INPUT", "tests/e2e/test_hostile.py", "test_a_peer_that_dribbles_a_frame_is_cut"),
    ("part of a frame, then nothing", "cut as STALLED_INPUT", "tests/e2e/test_hostile.py", "test_a_peer_that_stops_in_the_middle_of_a_frame"),
    ("no handshake, or half of one", "cut as HANDSHAKE", "tests/e2e/test_hostile.py", "test_a_peer_that_stops_in_the_middle_of_its_handshake"),
    ("handshake, then nothing", "served when it asks, bounded by connections_unopened", "tests/e2e/test_hostile.py",
     "test_a_quiet_peer_between_two_frames_is_not_cut"),
    ("keys that flood a hash table", "no bucket is longer than those of other keys", "tests/hostile/test_flood.c",
     "keys that flood a known hash do not flood a secret one"),
    ("a cancel with very many waiters", "told in steps, each of them once", "tests/unit/test_registry.c",
     "many waiters of one operation are told in steps, and each of them"),
    ("descriptors exhausted", "who is there goes on, newcomers are served within a second after", "tests/faults/descriptors.py",
     "no service within a second of free descriptors"),
    ("values relative to a clock", "refused by field where above a day", "tests/e2e/test_bad_input.py", "deadline_ms"),
    ("clocks that jump", "nobody loses anything", "tests/e2e/test_clock.py", "def test_"),
)


def load(build):
    """wire.py of the end-to-end tests, with the messages of this tree; None: they cannot be made here."""
    made = os.path.join(build, "tests", "e2e")
    scratch = None
    if not os.path.exists(os.path.join(made, "canceld_pb2.py")):
        made = scratch = tempfile.mkdtemp(prefix="canceld-hostile-")
    try:
        if scratch:
            proto = os.path.join(ROOT, "proto")
            subprocess.run(["protoc", f"--python_out={made}", f"--proto_path={proto}", os.path.join(proto, "canceld.proto")], check=True)
        sys.path[:0] = [made, os.path.join(ROOT, "tests", "e2e")]
        return importlib.import_module("wire")
    except (ImportError, OSError, subprocess.CalledProcessError) as failure:
        say(f"the kinds are left out, they need protobuf-compiler and python3-protobuf: {failure}")
        return None
    finally:
        if scratch:
            shutil.rmtree(scratch)


class World:
    """A daemon, a witness, and what the kinds have in common."""

    def __init__(self, wire, daemon, share):
        self.wire, self.pb, self.daemon, self.share = wire, wire.pb, daemon, share
        self.chance = random.Random(20261122)
        self.open = []
        self.witness = wire.Session(daemon.url, namespace=b"witness")
        self.gen = self.witness.store(b"witness")

    def peer(self, **fields):
        self.open.append(self.wire.Peer(self.daemon.url, **fields))
        return self.open[-1]

    def session(self, **fields):
        self.open.append(self.wire.Session(self.daemon.url, **{"namespace": b"hostile", **fields}))
        return self.open[-1]

    def many(self, count):
        return max(10, count // self.share)

    def end_kind(self):
        for one in self.open:
            with contextlib.suppress(OSError):
                one.close()
        self.open = []
        self.check_witness()
        stats = self.witness.peer.stats
        bed.eventually(lambda: stats()["sessions"] == 1 and stats()["operations_live"] == 1 and stats()["wire_links"] <= 1, 20,
                       "what was left behind does not go")

    def check_witness(self):
        found = self.witness.op(self.wire.get(b"witness"))
        require(found.answer == self.pb.ANSWER_FOUND and found.operations[0].gen == self.gen, "the witness lost what it stored")

    # ---- answers ----

    def answer(self, result):
        return self.pb.Answer.Name(result.answer)[7:]

    def expect(self, result, *answers):
        require(self.answer(result) in answers, f"not {' or '.join(answers)}: {result}")
        return result

    def expect_field(self, result, field):
        self.expect(result, "ERROR")
        require(result.error.code == self.pb.ERROR_FIELD and result.error.field.split(".")[-1] == field, f"not {field}: {result}")

    def refused(self, peer, body, *codes):
        """A frame's bytes that are refused whole, on a connection that goes on."""
        reply = self.pb.Reply.FromString(peer.receive_body(peer.send_body(body)))
        code = self.pb.ErrorCode.Name(reply.error.code)[6:]
        require(code in codes and not reply.results, f"not {' or '.join(codes)}: {reply}")
        require(peer.ping(), "the connection does not go on")

    def pipeline(self, peer, bodies):
        """Each body as a request of its own, many at once; gives the replies."""
        replies = []
        for begin in range(0, len(bodies), AT_ONCE):
            numbers = [next(peer.numbers) for _ in bodies[begin:begin + AT_ONCE]]
            peer.send_raw(b"".join(peer.wrap(body, number) for body, number in zip(bodies[begin:], numbers)))
            replies += [peer.receive(number) for number in numbers]
        return replies

    def body(self, *ops, **fields):
        return self.pb.Frame(version=1, ops=ops, **fields).SerializeToString()


# ---- frames that are none ------------------------------------------------------------------------------


def giant_lengths(world):
    """a length that cannot be: cut at once"""
    sizes = (0, 3, 65536 + 65, 1 << 20, 1 << 31, 1 << 32, 1 << 63, (1 << 64) - 1)
    for size in sizes:
        peer = world.peer()
        peer.send_raw((b"\x01" if peer.is_ipc else b"") + struct.pack(">Q", size) + b"\0\0\0")
        require(peer.is_closed(), f"a frame of {size} bytes is borne with")
    return len(sizes)


def empty_messages(world):
    """16 and 64 KiB of empty messages within one: refused, served on"""
    peer = world.peer()
    for count in (8190, 32000):
        world.refused(peer, b"\x08\x01" + b"\x32\x00" * count, "TOO_COMPLEX", "OP_COUNT")
    for field in (b"\x0a\x00", b"\x3a\x00", b"\x12\x00"):  # within one op
        inner = field * 8190
        op = b"\x32" + varint(len(inner)) + inner
        reply = world.pb.Reply.FromString(peer.receive_body(peer.send_body(b"\x08\x01" + op)))
        require(reply.error.code or world.answer(reply.results[0]) == "ERROR", f"taken: {reply}")
    require(peer.ping(), "the connection does not go on")
    return 5


def varint(value):
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def unknown_fields(world):
    """nothing but unknown fields: refused, served on"""
    peer = world.peer()
    for count in (1, 100, 5000, 20000):
        world.refused(peer, b"\x98\x06\x00" * count, "VERSION", "TOO_COMPLEX")
        world.refused(peer, b"\x08\x01" + b"\x98\x06\x00" * count, "OP_COUNT", "TOO_COMPLEX")
    world.expect(peer.op(world.pb.Op.FromString(b"\xaa\x06\x02\x08\x01")), "ERROR")
    return 9


# ---- values --------------------------------------------------------------------------------------------


def keys(world):
    """keys with NUL, newline, bytes that are no UTF-8, of 256 bytes: kept as they are; of 0 and 257: refused"""
    session, wire = world.session(), world.wire
    good = [b"\0", b"a\0b", b"a\0", b"a", b"\n", b"a\nb", b"\xff\xfe", b"\xc0\x80", b"\xed\xa0\x80", b"\x80" * 256, b"k" * 256, b"\r\n\r\n", b"%s%n"]
    gens = {key: session.store(key) for key in good}
    require({found.key: found.gen for found in wire.all_operations(session)} == gens, "keys do not come back as they were stored")
    for key, gen in gens.items():
        require(session.op(wire.get(key)).operations[0].gen == gen, f"{key} is another one")
        world.expect(world.peer().op(wire.cancel(key, namespace=b"hostile")), "REQUESTED")
        world.expect(session.op(wire.delete(key, gen)), "DELETED")
    for key in (b"", b"k" * 257, b"k" * 60000):
        for op in (wire.store(key), wire.cancel(key), wire.wait(key), wire.delete(key, gen)):
            world.expect_field(session.op(op), "key")
    return len(good) + 12


def times(world):
    """a ttl of 0 is none, and touch has none; of 2^64 - 1, and all beyond a day: refused"""
    session, wire = world.session(), world.wire
    gen = session.store(b"forever", ttl_ms=0)
    world.expect_field(session.op(wire.touch(b"forever", gen, 0)), "ttl_ms")
    for ttl_ms in (1, 99, DAY_MS + 1, (1 << 31), (1 << 32) - 1):
        world.expect_field(session.op(wire.store(b"k", ttl_ms=ttl_ms)), "ttl_ms")
        world.expect_field(session.op(wire.touch(b"forever", gen, ttl_ms)), "ttl_ms")
    world.expect_field(session.op(wire.wait(b"forever", deadline_ms=(1 << 32) - 1)), "deadline_ms")
    for number in ((1 << 64) - 1, (1 << 63) - 1, (1 << 32) + 99):  # of each the low 32 bits count, as Protocol Buffers have it
        inner = b"\x12\x01k\x20" + varint(number)
        op = b"\x12" + bytes([len(inner)]) + inner
        frame = session.frame().SerializeToString() + b"\x32" + bytes([len(op)]) + op
        reply = world.pb.Reply.FromString(session.peer.receive_body(session.peer.send_body(frame)))
        world.expect_field(reply.results[0], "ttl_ms")
    world.expect(session.op(wire.get(b"forever")), "FOUND")
    world.expect(session.op(wire.get(b"k")), "NOT_FOUND")
    return 15


# ---- ids and secrets -----------------------------------------------------------------------------------


def replays(world):
    """an id again: with the same body the same answer and no second effect, with another REQUEST_ID_REUSED, when it is out of the window TOO_OLD"""
    session, wire = world.session(), world.wire
    frame = session.frame(wire.store(b"once"))
    first = session.peer.request(frame)
    for _ in range(world.many(2000)):
        require(session.peer.request(frame) == first, "the same id has another answer")
    require(len(wire.all_operations(session)) == 1, "a replay had an effect")
    others = 0
    for op in (wire.store(b"once", ttl_ms=5000), wire.store(b"other"), wire.delete(b"once", first.results[0].gen), wire.ping(),
               wire.cancel(b"once"), wire.store(b"once", meta=b"m")):
        again = world.pb.Frame(version=1, session=session.number, request_id=frame.request_id, answered_below=frame.answered_below, ops=[op])
        world.refused(session.peer, again.SerializeToString(), "REQUEST_ID_REUSED")
        others += 1
    session.unanswered.discard(frame.request_id)
    session.op(wire.ping())
    world.refused(session.peer, frame.SerializeToString(), "TOO_OLD")
    require(len(wire.all_operations(session)) == 1, "another body had an effect")
    return world.many(2000) + others + 1


def guesses(world):
    """a session's secret guessed: SESSION_LOST, and the owner of it notices nothing"""
    session, pb = world.session(), world.pb
    gen = session.store(b"mine")
    peer = world.peer()
    secrets = [bytes(16), b"\xff" * 16, session.secret[:15] + bytes([session.secret[15] ^ 1]), bytes([session.secret[0] ^ 128]) + session.secret[1:]]
    secrets += [world.chance.randbytes(16) for _ in range(world.many(20000))]
    bodies = [world.body(pb.Op(open=pb.Open(resume_session=session.number, resume_secret=secret))) for secret in secrets]
    bodies += [world.body(pb.Op(open=pb.Open(resume_session=world.chance.getrandbits(64) | 1, resume_secret=session.secret))) for _ in range(100)]
    for reply in world.pipeline(peer, bodies):
        world.expect(reply.results[0], "SESSION_LOST")
    for secret in (b"", b"s", session.secret[:15], session.secret + b"\0"):
        result = peer.op(pb.Op(open=pb.Open(resume_session=session.number, resume_secret=secret)))
        require(world.answer(result) in ("ERROR", "SESSION_LOST"), f"a secret of {len(secret)} bytes: {result}")
    stolen = world.pb.Frame(version=1, session=session.number, request_id=99, secret=bytes(16), ops=[world.wire.delete(b"mine", gen)])
    require(peer.request(stolen).error.code == pb.ERROR_SESSION_LOST, "a frame with a guessed secret is served")
    world.expect(session.op(world.wire.delete(b"mine", gen)), "DELETED")
    world.expect(session.resume(), "OPENED")
    return len(bodies) + 5


# ---- too many of them ----------------------------------------------------------------------------------


def key_exhaustion(world):
    """keys without end: FULL, by the namespace's name; other namespaces store on"""
    session, wire = world.session(), world.wire
    answers = [result for begin in range(0, 3000, 500)
               for result in session.ops(*[wire.store(b"%d" % n) for n in range(begin, begin + 500)])]
    require(sum(world.answer(result) == "STORED" for result in answers) == 2000, "not as many as the limit are stored")
    for result in answers[2000:]:
        require(world.expect(result, "FULL").limit == "operations_namespace", f"another limit: {result}")
    gen = world.witness.store(b"still")
    world.expect(world.witness.op(wire.delete(b"still", gen)), "DELETED")
    return 1000


def session_exhaustion(world):
    """sessions without end: FULL; those before go on, and there is room once they close"""
    peer, pb = world.peer(), world.pb
    opened = [peer.op(pb.Op(open=pb.Open(namespace=b"hostile"))) for _ in range(400)]
    require(sum(world.answer(result) == "OPENED" for result in opened) == 299, "not as many as the limit are opened")
    for result in opened[299:]:
        require(world.expect(result, "FULL").limit == "sessions", f"another limit: {result}")
    world.check_witness()
    peer.close()
    bed.eventually(lambda: world.witness.peer.stats()["sessions"] == 1, 10, "sessions are left behind")
    world.session()
    return 101


def waiters(world):
    """waits on one key without end: bounded by the connection, each told once, and others are served meanwhile"""
    session, wire = world.session(), world.wire
    gen = session.store(b"k")
    body = world.body(wire.wait(b"k", namespace=b"hostile", deadline_ms=600000))
    peers = [world.peer(seconds=60) for _ in range(world.many(100))]
    full = 0
    for peer in peers:
        for begin in range(0, 1050, 350):
            peer.send_raw(b"".join(peer.wrap(body, number) for number in range(begin + 1, begin + 351)))
    parked = 1024 * len(peers)
    bed.eventually(lambda: world.witness.peer.stats()["parked"] == parked, 30, f"{parked} waits are not parked")
    latencies, over = [], threading.Event()
    asker = threading.Thread(target=ask_on, args=(world, latencies, over))
    asker.start()
    try:
        world.expect(session.op(wire.delete(b"k", gen)), "DELETED")
        for peer in peers:
            got = [peer.receive_any() for _ in range(1050)]
            require(sorted(number for number, _ in got) == list(range(1, 1051)), "somebody is told twice, or not at all")
            replies = [world.pb.Reply.FromString(reply) for _, reply in got]
            told = [reply for reply in replies if not reply.error.code and world.answer(reply.results[0]) == "ENDED"]
            refused = [reply for reply in replies if reply.error.code == world.pb.ERROR_FULL or
                       (not reply.error.code and world.answer(reply.results[0]) == "FULL")]
            require((len(told), len(refused)) == (1024, 26), f"of 1,050 waits {len(told)} were told and {len(refused)} refused")
            full += len(refused)
    finally:
        over.set()
        asker.join()
    require(len(latencies) > 0, "nobody asked meanwhile")
    say(f"  {parked} waiters were told; {len(latencies)} cancels meanwhile, the longest {max(latencies) * 1000:.1f} ms")
    return parked + full


def ask_on(world, latencies, over):
    peer = world.wire.Peer(world.daemon.url)
    while not over.is_set():
        begin = time.monotonic()
        peer.op(world.wire.cancel(b"nothing"))
        latencies.append(time.monotonic() - begin)
        over.wait(0.002)
    peer.close()


# ---- storms --------------------------------------------------------------------------------------------


def renewals(world):
    """a storm of renewals: TOUCHED each, and the operation ends one ttl after the last"""
    session, wire = world.session(), world.wire
    gen = session.store(b"k", ttl_ms=400)
    count = world.many(40000)
    for _ in range(0, count, 1000):
        for result in session.ops(*[wire.touch(b"k", gen, 400)] * 1000):
            world.expect(result, "TOUCHED")
    begin = time.monotonic()
    result = world.peer(seconds=20).op(wire.wait(b"k", gen, namespace=b"hostile", deadline_ms=10000))
    world.expect(result, "ENDED")
    require(result.outcome == world.pb.OUTCOME_EXPIRED and time.monotonic() - begin > 0.3, f"it ended early: {result}")
    return count


def cancels(world):
    """a storm of cancels of one key: REQUESTED once, ALREADY_REQUESTED else, one notice"""
    session, wire = world.session(), world.wire
    gen = session.store(b"k")
    count = world.many(40000)
    tally = {}
    for peer in [world.peer() for _ in range(4)]:
        for reply in world.pipeline(peer, [world.body(wire.cancel(b"k", gen, namespace=b"hostile"))] * (count // 4)):
            name = world.answer(reply.results[0])
            tally[name] = tally.get(name, 0) + 1
    require(tally == {"REQUESTED": 1, "ALREADY_REQUESTED": count // 4 * 4 - 1}, f"answered {tally}")
    require(len(session.notices()) == 1, "not one notice")
    return count


def comings_and_goings(world):
    """connections that come and go: nothing is left behind, and who is there is served"""
    descriptors = world.daemon.descriptors()
    over = time.monotonic() + STORM_SECONDS / world.share
    count = 0
    while time.monotonic() < over:
        for _ in range(50):
            one = world.wire.connect_socket(world.daemon.url)
            if count % 3 == 0:
                one.send(world.wire.handshake())
            one.close()
            count += 1
        world.check_witness()
    bed.eventually(lambda: world.daemon.descriptors() <= descriptors, 10, "descriptors are left behind")
    return count


def vanished(world):
    """half open: who has a session and vanishes without a close is lost after three heartbeats and the grace"""
    session, wire = world.session(heartbeat_ms=200), world.wire
    gen = session.store(b"k")
    begin = time.monotonic()
    result = world.peer(seconds=20).op(wire.wait(b"k", gen, namespace=b"hostile", deadline_ms=10000))
    took = time.monotonic() - begin
    world.expect(result, "OWNER_LOST", "ENDED")
    require(0.5 <= took < 5 * bed.PATIENCE, f"it was lost after {took:.2f} s")
    return 1


KINDS = {
    "giant length": giant_lengths, "empty messages within": empty_messages, "unknown fields only": unknown_fields,
    "odd keys": keys, "odd times": times, "replayed ids": replays, "guessed secrets": guesses, "keys exhausted": key_exhaustion,
    "sessions exhausted": session_exhaustion, "waiters exhausted": waiters, "renew storm": renewals, "cancel storm": cancels,
    "connect storm": comings_and_goings, "half open": vanished,
}


def check_elsewhere():
    """A kind that is tried elsewhere is so as long as the test is there."""
    for kind, _end, path, name in ELSEWHERE:
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            require(name in file.read(), f"{kind}: {path} has no '{name}' any more")


def try_kinds(world, transport):
    for kind, attempt in KINDS.items():
        try:
            count = attempt(world)
            require(count > 0, "it was not tried")
            world.end_kind()
        except (bed.Violation, AssertionError, OSError) as failure:
            raise bed.Violation(f"{transport}: {kind}: {failure}") from failure
        say(f"  {kind:24} {count:8}  {attempt.__doc__}")
        bed.row("hostile kinds", f"{transport}: {kind}", count, note=attempt.__doc__)


def run(build, transport, share):
    """Each kind once; `share` times less of what there is much of."""
    check_elsewhere()
    wire = load(build)
    if wire is None:
        return
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    daemon = bed.Daemon(build, transport, FLAGS)
    try:
        say(f"{transport}: one kind after the other")
        world = World(wire, daemon, share)
        try:
            try_kinds(world, transport)
        finally:
            world.witness.close()
        for kind, end, path, name in ELSEWHERE:
            say(f"  {kind:32} {end} ({path} '{name}')")
        bed.row("hostile kinds", f"{transport}: kinds that ended as they have to", len(KINDS), len(KINDS), "==",
                note=f"{len(ELSEWHERE)} more in other tests, which are there")
    finally:
        daemon.close()
