# SPDX-License-Identifier: MIT
"""Other people's sockets: nngcat, nanocat and NNG's REQ socket, with frames made by `protoc --encode`
and replies read by `protoc --decode`. Nothing of ours is on the client's side but canceld.proto."""
import os
import re
import shutil
import struct
import subprocess
import tempfile

from canceld_e2e import HERE, PATIENCE, PROGRAMS, Case, main, over_both, pb, store, cancel

PROTO_DIRECTORY = os.path.join(HERE, "..", "..", "proto")
PROTOC = os.environ["CANCELD_PROTOC"]


def protoc(how, message, data):
    return subprocess.run([PROTOC, f"--proto_path={PROTO_DIRECTORY}",
                           f"--{how}=canceld.v1.{message}",
                           os.path.join(PROTO_DIRECTORY, "canceld.proto")],
                          input=data, capture_output=True, check=True).stdout


def frame_bytes(text):
    return protoc("encode", "Frame", text.encode())


def reply_text(data):
    return protoc("decode", "Reply", data).decode()


def escaped(data):
    return "".join(f"\\{byte:03o}" for byte in data)


@over_both
class Interop:
    def need(self, program):
        if shutil.which(program) is None:
            if os.environ.get("CANCELD_TEST_ALL"):
                self.fail(f"{program} is not installed")
            self.skipTest(f"{program} is not installed")

    def by_nngcat(self, frame):
        """nngcat prints what it receives raw."""
        return self.by_program(frame, ["nngcat", "--req", "--dial", self.url(), "--raw",
                                       "--recv-timeout", "10", "--send-timeout", "10"], "--file")

    def by_nanocat(self, frame):
        return self.by_program(frame, ["nanocat", "--req", "--connect", self.url(), "--raw",
                                       "--recv-timeout", "10", "--send-timeout", "10"], "--file")

    def by_program(self, frame, command, file_flag):
        with tempfile.NamedTemporaryFile() as file:
            file.write(frame)
            file.flush()
            done = subprocess.run([*command, file_flag, file.name], capture_output=True,
                                  timeout=30 * PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def store_then_cancel(self, send):
        """Three programs one after another, each on a connection of its own: open, a store that
        carries the session's secret, and a cancel without a session."""
        self.daemon("--limit-grace-ms", "20000")
        opened = reply_text(send(frame_bytes('version: 1 ops { open { client_name: "cat" } }')))
        self.assertIn("answer: ANSWER_OPENED", opened)
        session = int(re.search(r"opened \{\s*session: (\d+)", opened).group(1))
        secret = re.search(r'secret: "(.*)"', opened).group(1)
        stored = reply_text(send(frame_bytes(
            f'version: 1 session: {session} secret: "{secret}" request_id: 1 '
            'ops { store { key: "job-7" } }')))
        self.assertIn("answer: ANSWER_STORED", stored)
        gen = int(re.search(r"gen: (\d+)", stored).group(1))
        cancelled = reply_text(send(frame_bytes(
            'version: 1 ops { cancel { key: "job-7" cause { code: CAUSE_USER text: "stop" } } }')))
        self.assertEqual(re.sub(r"\s+", " ", cancelled).strip(),
                         f"version: 1 results {{ answer: ANSWER_REQUESTED gen: {gen} level: LEVEL_RECORDED "
                         f"gens {{ gen: {gen} answer: ANSWER_REQUESTED level: LEVEL_RECORDED }} }}")
        again = reply_text(send(frame_bytes('version: 1 ops { cancel { key: "job-7" } }')))
        self.assertIn("answer: ANSWER_ALREADY_REQUESTED", again)
        found = self.peer().op(pb.Op(get=pb.Get(key=b"job-7"))).operations[0]
        self.assertEqual((found.gen, found.state, found.cause.text, found.owner_name),
                         (gen, pb.STATE_CANCELLING, b"stop", b"cat"))

    def test_nngcat_stores_and_then_cancels(self):
        self.need("nngcat")
        self.store_then_cancel(self.by_nngcat)

    def test_nanocat_stores_and_then_cancels(self):
        self.need("nanocat")
        self.store_then_cancel(self.by_nanocat)

    def by_nng_req(self, *frames):
        """The REQ socket of the NNG library, one connection: see nng_req.c."""
        framed = b"".join(struct.pack(">I", len(frame)) + frame for frame in frames)
        done = subprocess.run([os.path.join(PROGRAMS, "nng_req"), self.url()], input=framed,
                              capture_output=True, timeout=60 * PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)
        replies, rest = [], done.stdout
        while rest:
            (size,) = struct.unpack(">I", rest[:4])
            replies.append(rest[4:4 + size])
            rest = rest[4 + size:]
        return replies

    def test_the_req_socket_of_nng_stores_and_then_cancels(self):
        self.store_then_cancel(lambda frame: self.by_nng_req(frame)[0])

    def test_the_req_socket_of_nng_sends_many_requests_down_one_connection(self):
        self.daemon()
        session = self.session()
        gens = [session.store(b"k%d" % n) for n in range(300)]
        frames = [pb.Frame(version=1, request_id=n, ops=[cancel(b"k%d" % n, gens[n])])
                  .SerializeToString() for n in range(300)]
        replies = [pb.Reply.FromString(reply) for reply in self.by_nng_req(*frames)]
        self.assertEqual([reply.request_id for reply in replies], list(range(300)))
        self.assertEqual({reply.results[0].answer for reply in replies}, {pb.ANSWER_REQUESTED})

    def test_the_same_bytes_come_from_protoc_and_from_python(self):
        frame = pb.Frame(version=1, session=5, request_id=9, ops=[store(b"\0\xff", meta=b"m")])
        text = ('version: 1 session: 5 request_id: 9 '
                f'ops {{ store {{ key: "{escaped(bytes([0, 255]))}" meta: "m" }} }}')
        self.assertEqual(frame_bytes(text), frame.SerializeToString())


if __name__ == "__main__":
    main()
