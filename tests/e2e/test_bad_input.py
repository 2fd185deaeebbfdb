# SPDX-License-Identifier: MIT
"""What bad input gets: a typed error that names the field, the connection alive where the boundary of
the frame is intact, and closed where it is not. Nobody else notices: a witness on a connection of its
own asks after every case."""
import struct

from canceld_e2e import (Case, Peer, Session, adopt, armed, cancel, cancel_label, cancel_namespace, cancel_owner,
                         count, delete, detach, disarm, drain, get, handshake, history, main, over_both, page, pb,
                         ping, poll, store, touch, undrain, wait, watch)

GEN = 1 << 40
DAY_MS = 86400000
FRAME_BYTES_MAX = 65536
BAD_LABELS = [b"", b"l" * 65, b"a\nb", b"\xff", b"\x7f"]
BAD_LABEL_LISTS = [*([label] for label in BAD_LABELS), [b"a", b""], [b"%d" % n for n in range(9)],
                   [b"%d" % n for n in range(1000)]]
TOO_LONG_TEXTS = [b"x" * 257, b"a\nb", b"\xff\xfe", b"a\x00b", b"\x7f"]


def cancel_with(**cause):
    return pb.Op(cancel=pb.Cancel(key=b"k", cause=pb.Cause(**cause)))


def key_cases():
    for op_of in (store, lambda key: delete(key, GEN), cancel, lambda key: touch(key, GEN, 1000),
                  lambda key: wait(key), get, disarm, lambda key: adopt(key, GEN),
                  lambda key: detach(key, GEN)):
        yield "key", op_of(b"")
        yield "key", op_of(b"k" * 257)


def namespace_cases():
    for name in (b"n" * 65, b"a b", b"a/b", b"\xc3\xa9", b"a\x00"):
        yield "namespace", store(b"k", namespace=name)
        yield "namespace", cancel(b"k", namespace=name)
        yield "namespace", count(namespace=name)
        for op_of in (page, armed, watch, drain, undrain, history):
            yield "namespace", op_of(namespace=name)
        yield "namespace", adopt(b"k", GEN, namespace=name)
        yield "namespace", detach(b"k", GEN, namespace=name)
        yield "namespace", cancel_namespace(name)


def store_cases():
    yield "policy", store(b"k", policy=3)
    yield "policy", store(b"k", policy=-1)
    yield "on_expiry", store(b"k", on_expiry=2, ttl_ms=1000)
    yield "on_owner_loss", store(b"k", on_owner_loss=2, ttl_ms=1000)
    yield "on_owner_loss", store(b"k", on_owner_loss=pb.ON_OWNER_LOSS_KEEP)
    for ttl_ms in (1, 99, DAY_MS + 1, (1 << 32) - 1):
        yield "ttl_ms", store(b"k", ttl_ms=ttl_ms)
    yield "stop_grace_ms", store(b"k", ttl_ms=1000, stop_grace_ms=DAY_MS + 1)
    yield "meta", store(b"k", meta=b"m" * 1025)


def cancel_cases():
    for code in (5, 6, 7, -1):
        yield "code", cancel_with(code=code)
    for text in TOO_LONG_TEXTS:
        yield "text", cancel_with(text=text)
    for actor in (b"x" * 65, b"a\tb", b"\xc0\x80"):
        yield "actor", cancel_with(actor=actor)
    yield "peer", cancel_with(peer=b"root")
    yield "level", cancel(b"k", level=4)
    yield "level", cancel(b"k", level=-1)
    yield "deadline_ms", cancel(b"k", level=pb.LEVEL_STOPPED, deadline_ms=DAY_MS + 1)
    yield "arm_ttl_ms", cancel(b"k", arm_ttl_ms=60001)
    yield "arm_ttl_ms", cancel(b"k", gen=GEN, arm_ttl_ms=1000)
    yield "after_gen", cancel(b"k", gen=GEN, after_gen=GEN)


def target_cases():
    yield "key", cancel(b"")  # none at all
    for label in BAD_LABELS[1:]:
        yield "label", cancel_label(label)
    yield "label", cancel(b"k", label=b"l")
    yield "owner", cancel(b"k", owner=1)
    yield "owner", cancel_label(b"l", owner=1)
    yield "whole_namespace", cancel(b"k", whole_namespace=True)
    yield "whole_namespace", cancel_owner(1, whole_namespace=True)
    for op_of in (lambda **fields: cancel_label(b"l", **fields), lambda **fields: cancel_owner(1, **fields),
                  lambda **fields: cancel_namespace(**fields)):
        yield "gen", op_of(gen=GEN)
        yield "level", op_of(level=pb.LEVEL_DELIVERED)
        yield "deadline_ms", op_of(deadline_ms=1)
        yield "arm_ttl_ms", op_of(arm_ttl_ms=1000)
        yield "after_gen", op_of(after_gen=GEN)


def adopt_cases():
    yield "gen", adopt(b"k", 0)
    yield "policy", adopt(b"k", GEN, policy=3)
    yield "on_owner_loss", adopt(b"k", GEN, on_owner_loss=pb.ON_OWNER_LOSS_KEEP)
    for ttl_ms in (1, 99, DAY_MS + 1):
        yield "ttl_ms", adopt(b"k", GEN, ttl_ms=ttl_ms)
    yield "meta", adopt(b"k", GEN, meta=b"m" * 1025)
    for code in (7, -1):
        yield "code", adopt(b"k", GEN, cause=pb.Cause(code=code))
    yield "text", adopt(b"k", GEN, cause=pb.Cause(code=pb.CAUSE_USER, text=b"x" * 257))
    yield "actor", adopt(b"k", GEN, cause=pb.Cause(code=pb.CAUSE_USER, actor=b"x" * 65))
    yield "peer", adopt(b"k", GEN, cause=pb.Cause(code=pb.CAUSE_USER, peer=b"x" * 65))


def group_cases():
    for labels in BAD_LABEL_LISTS:
        yield "labels", store(b"k", labels=labels)
        yield "labels", adopt(b"k", GEN, labels=labels)
        yield "labels", page(labels=labels)
        yield "labels", count(labels=labels)
    yield "labels", store(b"k", labels=[b"twice", b"once", b"twice"])
    yield "order", page(order=3)
    yield "order", page(order=-1)
    yield "cursor", page(order=pb.LIST_ORDER_OLDEST, cursor=5)
    yield "gen", detach(b"k", 0)
    yield "deadline_ms", drain(DAY_MS + 1)
    for text in TOO_LONG_TEXTS:
        yield "text", pb.Op(drain=pb.Drain(text=text))
    yield "actor", drain(actor=b"x" * 65)
    yield "namespace", drain(daemon=True, namespace=b"n")
    yield "owner", undrain(daemon=True, owner=1)
    yield "page_size", history(page_size=1001)
    yield "key", history(key=b"k" * 257)


def other_cases():
    yield "gen", delete(b"k", 0)
    for outcome in (pb.OUTCOME_UNSET, pb.OUTCOME_EXPIRED, pb.OUTCOME_OWNER_LOST, 6, -1):
        yield "outcome", delete(b"k", GEN, outcome)
    yield "gen", touch(b"k", 0, 1000)
    for ttl_ms in (0, 1, 99, DAY_MS + 1, (1 << 32) - 1):
        yield "ttl_ms", touch(b"k", GEN, ttl_ms)
    yield "until", wait(b"k", until=pb.UNTIL_UNSET)
    yield "until", wait(b"k", until=3)
    yield "deadline_ms", wait(b"k", deadline_ms=DAY_MS + 1)
    yield "state", count(state=4)
    yield "state", page(state=9)
    yield "page_size", page(page_size=1001)
    yield "acks", poll(acks=[(n, pb.NOTICE_CANCEL) for n in range(1, 1026)])


def open_cases():
    for name in (b"n" * 65, b"a\nb", b"\xff"):
        yield "client_name", pb.Open(client_name=name)
    yield "namespace", pb.Open(namespace=b"a b")
    yield "token", pb.Open(token=b"t" * 257)
    for heartbeat_ms in (1, 99, DAY_MS + 1):
        yield "heartbeat_ms", pb.Open(heartbeat_ms=heartbeat_ms)
    yield "resume_secret", pb.Open(resume_session=1, resume_secret=b"short")
    yield "resume_secret", pb.Open(resume_session=1)


class BadCase:
    def setUp(self):
        self.daemon()
        self.witness = self.session(client_name=b"witness")
        self.gen = self.witness.store(b"witness")

    def tearDown(self):
        """The witness noticed nothing, and the daemon still takes new peers."""
        found = self.witness.op(get(b"witness")).operations[0]
        self.assertEqual((found.gen, found.state), (self.gen, pb.STATE_LIVE))
        self.assertAnswer(self.witness.op(count()), "COUNTED", count=1)
        self.assertTrue(self.peer().ping())

    def assertFieldError(self, result, field):
        self.assertAnswer(result, "ERROR")
        self.assertEqual(pb.ErrorCode.Name(result.error.code), "ERROR_FIELD", result)
        self.assertEqual(result.error.field.split(".")[-1], field, result)
        self.assertGreater(len(result.error.text), 10, result)

    def assertFrameError(self, reply, code, field=None):
        self.assertEqual(pb.ErrorCode.Name(reply.error.code), "ERROR_" + code, reply)
        self.assertEqual(len(reply.results), 0)
        self.assertGreater(len(reply.error.text), 10, reply)
        if field is not None:
            self.assertEqual(reply.error.field, field)


@over_both
class BadOps(BadCase):
    def test_a_field_out_of_its_range_fails_its_op_alone_and_is_named(self):
        session = self.session(namespace=b"bad")
        for cases in (key_cases, namespace_cases, store_cases, adopt_cases, cancel_cases, target_cases, group_cases,
                      other_cases):
            for field, op in cases():
                with self.subTest(field=field, op=str(op)[:200]):
                    self.assertFieldError(session.op(op), field)
        self.assertAnswer(session.op(count()), "COUNTED", count=0)

    def test_ops_beside_a_bad_one_are_applied(self):
        session = self.session(namespace=b"bad")
        results = session.ops(store(b"a"), store(b""), store(b"b"), pb.Op(), store(b"c", ttl_ms=1))
        answers = [pb.Answer.Name(result.answer)[7:] for result in results]
        self.assertEqual(answers, ["STORED", "ERROR", "STORED", "ERROR", "ERROR"])
        self.assertEqual(results[3].error.code, pb.ERROR_UNKNOWN_OP)

    def test_an_unknown_op_fails_alone(self):
        session = self.session(namespace=b"bad")
        unknown = pb.Op.FromString(b"\xaa\x06\x02\x08\x01")  # field 101, from a newer version
        for op in (pb.Op(), unknown):
            first, second = session.ops(op, ping())
            self.assertAnswer(first, "ERROR")
            self.assertEqual(first.error.code, pb.ERROR_UNKNOWN_OP)
            self.assertAnswer(second, "PONG")

    def test_an_open_with_a_bad_field_names_it_and_opens_nothing(self):
        peer = self.peer()
        sessions = peer.stats()["sessions"]
        for field, message in open_cases():
            with self.subTest(field=field, open=str(message)):
                self.assertFieldError(peer.op(pb.Op(open=message)), field)
        self.assertEqual(peer.stats()["sessions"], sessions)

    def test_an_op_that_needs_a_session_says_so(self):
        peer = self.peer()
        for op in (store(b"k"), adopt(b"k", GEN), delete(b"k", GEN), touch(b"k", GEN, 1000),
                   detach(b"k", GEN), poll(), pb.Op(close=pb.Close())):
            result = peer.op(op)
            self.assertAnswer(result, "ERROR")
            self.assertEqual(result.error.code, pb.ERROR_NEEDS_SESSION, op)

    def test_a_resume_with_the_wrong_secret_is_a_lost_session(self):
        peer = self.peer()
        wrong = pb.Open(resume_session=self.witness.number, resume_secret=b"\0" * 16)
        self.assertAnswer(peer.op(pb.Op(open=wrong)), "SESSION_LOST")

    def test_a_gen_from_the_future_is_a_stale_epoch_and_does_nothing(self):
        session = self.session()
        for op in (cancel(b"witness", self.gen + 1000), delete(b"witness", self.gen + 1000),
                   get(b"witness", (1 << 64) - 1), wait(b"witness", (1 << 64) - 1),
                   adopt(b"witness", self.gen + 1000), detach(b"witness", self.gen + 1000),
                   store(b"child", parent=self.gen + 1000)):
            self.assertAnswer(session.op(op), "STALE_EPOCH")


@over_both
class BadFrames(BadCase):
    def refused(self, peer, frame, code, field=None):
        self.assertFrameError(peer.request(frame), code, field)
        self.assertTrue(peer.ping())

    def test_a_frame_of_another_version_is_refused(self):
        peer = self.peer()
        for version in (0, 2, (1 << 32) - 1):
            self.refused(peer, pb.Frame(version=version, ops=[ping()]), "VERSION", "version")

    def test_an_empty_message_is_refused(self):
        peer = self.peer()
        self.refused(peer, pb.Frame(), "VERSION", "version")

    def test_no_ops_and_too_many_ops_are_refused(self):
        peer = self.peer()
        self.refused(peer, pb.Frame(version=1), "OP_COUNT", "ops")
        self.refused(peer, pb.Frame(version=1, ops=[ping()] * 1025), "OP_COUNT", "ops")
        self.assertEqual(len(peer.ops(*[ping()] * 1024).results), 1024)

    def test_an_op_that_must_be_alone_and_is_not_is_refused_with_its_whole_frame(self):
        session = self.session()
        for op in (poll(), wait(b"k"), cancel(b"k", level=pb.LEVEL_DELIVERED, deadline_ms=100),
                   page(), armed(), watch(), drain(), history(), cancel_label(b"l"), cancel_owner(1),
                   cancel_namespace(), pb.Op(open=pb.Open())):
            for ops in ((op, store(b"beside")), (store(b"beside"), op)):
                self.assertFrameError(session.peer.request(session.frame(*ops)), "NOT_ALONE")
        self.assertAnswer(session.op(get(b"beside")), "NOT_FOUND")

    def test_request_ids_that_cannot_be_are_refused(self):
        session = self.session(namespace=b"bad")
        frame = session.frame(store(b"k"))
        self.assertAnswer(session.peer.request(frame).results[0], "STORED")
        zero = pb.Frame(version=1, session=session.number, request_id=0, ops=[ping()])
        self.refused(session.peer, zero, "REQUEST_ID", "request_id")
        reused = pb.Frame(version=1, session=session.number, request_id=frame.request_id,
                          ops=[store(b"else")])
        self.refused(session.peer, reused, "REQUEST_ID_REUSED", "request_id")
        session.unanswered.discard(frame.request_id)
        session.op(store(b"l"))  # its answered_below lets the first answer go
        self.refused(session.peer, frame, "TOO_OLD", "request_id")

    def test_a_flood_of_labels_is_refused_for_what_it_costs(self):
        peer = self.peer()
        for op in (store(b"k", labels=[b"l"] * 10000), page(labels=[b""] * 20000)):
            self.refused(peer, pb.Frame(version=1, ops=[op]), "TOO_COMPLEX")
        session = self.session(namespace=b"bad")
        labels = [b"%d" % n for n in range(8)]
        answers = {result.answer for result in session.ops(*[
            store(b"%d" % n, labels=labels) for n in range(1024)])}
        self.assertEqual(answers, {pb.ANSWER_STORED})
        self.assertAnswer(session.op(count(labels=labels)), "COUNTED", count=1024)

    def test_more_than_64_single_answered_ids_are_refused(self):
        session = self.session()
        frame = session.frame(ping())
        frame.answered.extend(range(100, 165))
        self.refused(session.peer, frame, "ANSWERED", "answered")
        del frame.answered[64:]
        self.assertAnswer(session.peer.request(frame).results[0], "PONG")

    def test_a_session_that_is_not_there_or_elsewhere_is_refused(self):
        session, peer = self.session(), self.peer()
        nobody = pb.Frame(version=1, session=session.number + 12345, request_id=1, ops=[ping()])
        self.refused(peer, nobody, "SESSION_LOST")
        self.refused(peer, session.frame(ping()), "NOT_BOUND")
        stolen = session.frame(ping())
        stolen.secret = b"\0" * 16
        reply = peer.request(stolen)
        self.assertNotEqual(reply.error.code, pb.ERROR_UNSET)
        self.assertAnswer(session.op(ping()), "PONG")

    def test_bytes_that_are_no_frame_are_malformed_and_the_connection_lives(self):
        peer = self.peer()
        bodies = [b"\xff", b"\xff" * 100, b"\x0a", b"\x08", b"\x32\x05\x0a", b"\x08" + b"\x80" * 10,
                  b"\x32\x7f" + b"\x00" * 5, b"\x08\x01\x35\x00\x00\x00\x00", b"GET / HTTP/1.1\r\n\r\n"]
        for body in bodies:
            with self.subTest(body=body):
                reply = pb.Reply.FromString(peer.receive_body(peer.send_body(body)))
                self.assertFrameError(reply, "MALFORMED")
        self.assertTrue(peer.ping())

    def test_a_frame_that_would_unfold_to_megabytes_is_too_complex_or_has_too_many_ops(self):
        peer = self.peer()
        for body in (b"\x08\x01" + b"\x32\x00" * 32000,       # empty ops
                     b"\x08\x01" + b"\x98\x06\x00" * 20000,   # unknown fields
                     b"\x08\x01" + b"\x28\x01" * 30000):      # answered ids
            reply = pb.Reply.FromString(peer.receive_body(peer.send_body(body)))
            self.assertIn(reply.error.code, (pb.ERROR_TOO_COMPLEX, pb.ERROR_OP_COUNT,
                                             pb.ERROR_ANSWERED), reply)
            self.assertTrue(peer.ping())

    def test_an_exhausted_arena_is_told_apart_from_a_malformed_frame(self):
        peer = self.peer()
        unfolded = b"\x08\x01" + b"\x98\x06\x00" * 20000 + ping_bytes()
        reply = pb.Reply.FromString(peer.receive_body(peer.send_body(unfolded)))
        self.assertFrameError(reply, "TOO_COMPLEX")
        reply = pb.Reply.FromString(peer.receive_body(peer.send_body(unfolded + b"\xff")))
        self.assertIn(reply.error.code, (pb.ERROR_TOO_COMPLEX, pb.ERROR_MALFORMED))

    def test_the_biggest_frame_is_served_and_a_bigger_one_is_cut_off(self):
        session = self.session(namespace=b"big")
        frame = session.frame(*[store(b"%d" % n, meta=b"m" * 1024) for n in range(62)])
        frame.ops.append(store(b"p", meta=b"m" * 200))
        frame.ops.append(store(b"pad", meta=b"m" * 1024))
        frame.ops[-1].store.meta = b"m" * (1024 - (frame.ByteSize() - FRAME_BYTES_MAX))
        self.assertEqual(frame.ByteSize(), FRAME_BYTES_MAX)
        self.assertEqual({result.answer for result in session.peer.request(frame).results},
                         {pb.ANSWER_STORED})
        too_big = self.peer()
        too_big.send_raw(too_big.wrap(b"\0" * (FRAME_BYTES_MAX + 64), 1)[:100])
        self.assertTrue(too_big.is_closed())

    def test_a_ttl_of_2_to_the_64_less_1_names_its_field(self):
        session = self.session(namespace=b"bad")
        body = b"\x12\x01k\x20" + b"\xff" * 9 + b"\x01"
        op = b"\x12" + bytes([len(body)]) + body
        frame = session.frame().SerializeToString() + b"\x32" + bytes([len(op)]) + op
        reply = pb.Reply.FromString(session.peer.receive_body(session.peer.send_body(frame)))
        self.assertFieldError(reply.results[0], "ttl_ms")


def ping_bytes():
    return pb.Frame(ops=[ping()]).SerializeToString()


@over_both
class BadBoundaries(BadCase):
    def length(self, peer, size, kind=b"\x01"):
        return (kind if peer.is_ipc else b"") + struct.pack(">Q", size)

    def test_a_length_that_cannot_be_closes_the_connection_at_once(self):
        for size in (0, 3, 1 << 20, 1 << 31, 1 << 32, 1 << 63, (1 << 64) - 1):
            with self.subTest(size=size):
                peer = self.peer()
                self.assertTrue(peer.ping())
                peer.send_raw(self.length(peer, size) + b"\0\0\0")
                self.assertTrue(peer.is_closed())

    def test_an_ipc_message_of_another_kind_closes_the_connection(self):
        peer = self.peer()
        if peer.is_ipc:
            peer.send_raw(self.length(peer, 4, kind=b"\x02") + struct.pack(">I", 0x80000001))
            self.assertTrue(peer.is_closed())

    def test_a_wrong_handshake_closes_the_connection(self):
        for greeting in (handshake(0x0031), handshake(0x0010), b"GET / HT", b"\0SP\1\0\x30\0\0",
                         b"\0SP\0\0\x30\0\1", b"\xff" * 8):
            with self.subTest(greeting=greeting):
                peer = self.peer(greet=False)
                peer.send_raw(greeting)
                self.assertTrue(peer.is_closed())

    def test_a_message_without_a_request_id_does_no_harm(self):
        peer = self.peer()
        peer.send_raw(self.length(peer, 4) + struct.pack(">I", 1))  # a hop and no end
        try:
            alive = peer.ping()
        except ConnectionError:
            alive = False
        self.say("after a message of hops alone the connection is " +
                 ("alive" if alive else "closed"))

    def test_a_request_that_came_over_hops_gets_them_back(self):
        peer = self.peer()
        words = struct.pack(">III", 7, 9, 0x80000001)
        body = pb.Frame(version=1, ops=[ping()]).SerializeToString()
        peer.send_raw(self.length(peer, len(words + body)) + words + body)
        if peer.is_ipc:
            peer.read_exactly(1)
        (size,) = struct.unpack(">Q", peer.read_exactly(8))
        reply = peer.read_exactly(size)
        self.assertEqual(reply[:12], words)
        self.assertAnswer(pb.Reply.FromString(reply[12:]).results[0], "PONG")

    def test_a_frame_that_comes_in_single_bytes_is_served(self):
        peer = self.peer(greet=False)
        body = pb.Frame(version=1, request_id=5, ops=[ping()]).SerializeToString()
        for byte in handshake() + peer.wrap(body, 1):
            peer.send_raw(bytes([byte]))
        self.assertEqual(peer.read_exactly(8), handshake(0x0031))
        self.assertEqual(peer.receive(1).request_id, 5)

    def test_many_frames_in_one_write_are_served_in_order(self):
        session = self.session()
        frames = [session.frame(store(b"k")) if n % 2 == 0 else session.frame(get(b"k"))
                  for n in range(200)]
        peer = session.peer
        peer.send_raw(b"".join(peer.wrap(frame.SerializeToString(), 1000 + n)
                               for n, frame in enumerate(frames)))
        answers = [peer.receive(1000 + n).results[0].answer for n in range(200)]
        self.assertEqual(answers[0], pb.ANSWER_STORED)
        self.assertEqual(set(answers[1::2]), {pb.ANSWER_FOUND})
        self.assertEqual(set(answers[2::2]), {pb.ANSWER_EXISTS})
        self.assertAnswer(session.op(pb.Op(close=pb.Close())), "CLOSED")


if __name__ == "__main__":
    main()
