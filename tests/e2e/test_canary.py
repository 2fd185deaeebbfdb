# SPDX-License-Identifier: MIT
"""Secrets stay where they belong. A daemon with tokens, TLS and a journal, and its clients, do all there is to do
with secrets that the test knows; then none of them may be found in the log, in what cancelctl prints, in the
journal's files, in command lines and environments, or in what a core file of the daemon would hold.

Each search also has to find what is there on purpose, so that it cannot pass by not looking."""
import base64
import itertools
import os
import re
import secrets
import shutil
import signal
import ssl
import subprocess
import tempfile

import memory
from canceld_e2e import (BINARIES, HERE, Case, Peer, Session, cancel, drain, eventually, get, main, pb, undrain)
from cli import Background, call
from rights import KINDS
from wire import results_of

KEY = b"key-canary-" + secrets.token_hex(8).encode()
REASON = "reason-canary-" + secrets.token_hex(8)
BYTES_OF_A_HALF = 8


def open_with(**fields):
    return pb.Op(open=pb.Open(namespace=b"own", **fields))


def field(number, data):
    """A field of bytes as it stands on the wire, for what no encoder would write."""
    return bytes([number << 3 | 2, len(data)]) + data


class Secrets:
    """Name and bytes of what must be found nowhere."""

    def __init__(self):
        self.needles = {}

    def add(self, name, secret):
        """Whole and, as a half is enough to guess the other by, its halves."""
        assert len(secret) >= 2 * BYTES_OF_A_HALF
        self.needles[name] = secret
        for i in range(0, len(secret) - BYTES_OF_A_HALF + 1, BYTES_OF_A_HALF):
            self.needles[f"{name}, from byte {i}"] = secret[i:i + BYTES_OF_A_HALF]
        return secret

    def written(self):
        """As they may stand in a text."""
        for name, secret in self.needles.items():
            yield name, secret
            yield name + " in hex", secret.hex().encode()
            yield name + " in base64", base64.b64encode(secret)[:-4]


class Canary(Case):
    def setUp(self):
        self.secrets = Secrets()
        self.said = b""
        self.numbers = itertools.count(1)
        self.living = set()  # names of those that the daemon has to keep
        self.directory = tempfile.mkdtemp(prefix="canceld-e2e-")
        self.addCleanup(shutil.rmtree, self.directory)
        subprocess.run(["sh", os.path.join(HERE, "../support/make_certificates.sh"), self.directory], check=True,
                       capture_output=True)
        self.tokens = self.file("tokens")
        self.config = self.file("canceld.conf")

    def file(self, name):
        return os.path.join(self.directory, name)

    # ---- the secrets ----

    def secret(self, name, size=32):
        """One that clients show and the daemon does not know."""
        return self.secrets.add(name, secrets.token_hex(size // 2).encode())

    def make_token(self, name):
        done = subprocess.run([os.path.join(BINARIES, "canceld"), "--make-token", name, "--tokens", self.tokens],
                              capture_output=True, timeout=20, check=True)
        token = self.secrets.add(f"token of {name}", done.stdout.strip())
        self.said += done.stderr
        with open(self.file(name + ".token"), "wb") as file:
            file.write(token + b"\n")
        return token

    def learn_keys(self):
        """The key of the tokens' hashes, and that of TLS: as they stand in their files, and as bytes."""
        with open(self.tokens + ".key", "rb") as file:
            text = file.read().strip()
        self.secrets.add("key of the tokens, in hex", text)
        self.secrets.add("key of the tokens", bytes.fromhex(text.decode()))
        with open(self.file("server.key"), "rb") as file:
            pem = file.read()
        for i, line in enumerate(line for line in pem.splitlines() if b"-" not in line):
            if len(line) >= 2 * BYTES_OF_A_HALF:
                self.secrets.needles[f"line {i} of the TLS key's file"] = line
        der = base64.b64decode(b"".join(line for line in pem.splitlines() if b"-" not in line))
        (self.private,) = re.findall(rb"\x02\x01\x01\x04\x20(.{32})", der, re.DOTALL)
        self.secrets.add("TLS key", self.private)

    def learn_session(self, session, name):
        self.secrets.add(f"secret of {name}", session.secret)
        self.living.add(f"secret of {name}")
        return session

    # ---- the daemon ----

    def configure(self, level="debug"):
        admin = f'{{ who = "uid:{os.geteuid()}"; namespace = "*"; roles = "admin"; }}'
        token = '{ who = "token:ci"; namespace = "*"; roles = ["owner", "canceller", "reader"]; }'
        with open(self.config, "w") as file:
            file.write(f'rules = ({admin}, {token});\nlog_level = "{level}";\n')
        os.chmod(self.config, 0o600)

    def reload(self):
        log = self.running.log_text()
        self.running.signal(signal.SIGHUP)
        eventually(lambda: "reload" in self.running.log_text()[len(log):], what="the reload")

    def start(self):
        return self.daemon("--config", self.config, "--tokens", self.tokens, "--listen", "tls+tcp://127.0.0.1:0",
                           "--tls-cert", self.file("server.crt"), "--tls-key", self.file("server.key"),
                           ephemeral=False)

    # ---- what is done ----

    def peer_of(self, transport):
        tls = None
        if transport == "tls+tcp":
            tls = ssl.create_default_context(cafile=self.file("ca.crt"))
        peer = Peer(self.running.urls[transport], tls=tls)
        self.addCleanup(peer.close)
        return peer

    def do_sessions(self, token):
        """Every way to show a token and a session's secret, over each transport."""
        for transport in ("ipc", "tcp", "tls+tcp"):
            peer = self.peer_of(transport)
            session = self.learn_session(Session(peer.url, peer, namespace=b"own", token=token), f"session by {transport}")
            key = KEY + b"/%d" % next(self.numbers)
            session.store(key)
            second = self.peer_of(transport)
            answer = second.op(open_with(resume_session=session.number, resume_secret=session.secret, token=token))
            self.assertAnswer(answer, "OPENED")
            third = self.peer_of(transport)
            frame = session.frame(get(key))
            frame.secret = session.secret
            self.assertAnswer(third.request(frame).results[0], "FOUND")
            session.peer = third
            yield session

    def do_bad_tokens(self, token):
        for transport in ("ipc", "tcp", "tls+tcp"):
            peer = self.peer_of(transport)
            wrong = self.secret(f"wrong token by {transport}")
            self.assertAnswer(peer.op(open_with(token=wrong)), "DENIED")
            self.assertAnswer(peer.op(open_with(resume_session=12345,
                                                resume_secret=self.secret("a wrong secret", 16))), "SESSION_LOST")
            self.assertRefused("SESSION_LOST", results_of, peer.ops(
                get(KEY), session=12345, request_id=1, secret=self.secret("another wrong secret", 16)))
            self.assertAnswer(peer.op(open_with(token=self.secret("a token too long", 300))), "ERROR")
            for ops in ([open_with(token=token), get(KEY)], [get(KEY), open_with(token=token)]):
                self.assertRefused("NOT_ALONE", results_of, peer.ops(*ops))

    def do_bad_bytes(self, token):
        """Frames that are refused, taken the general way, cut in the middle, or sent byte by byte."""
        opening = pb.Frame(version=1, ops=[open_with(token=token)]).SerializeToString()
        other = pb.Frame(version=2, ops=[open_with(token=token)]).SerializeToString()
        twice = field(6, field(1, field(6, token) + field(6, token)))
        unknown = field(6, field(1, field(6, token) + b"\x78\x01"))
        for transport in ("ipc", "tcp", "tls+tcp"):
            peer = self.peer_of(transport)
            for body in (opening[:-1], opening + b"\x07", other, b"\x08\x01" + twice, b"\x08\x01" + unknown,
                         b"\x08\x01" + field(7, self.secret("a secret too long", 64)) + field(6, field(20, b""))):
                peer.receive_body(peer.send_body(body))
            # Behind so much else that the rest of it moves to the front of the buffer.
            last = peer.wrap(opening, 1 << 20)
            peer.send_raw(b"".join(peer.wrap(pb.Frame(version=1, ops=[get(KEY)]).SerializeToString(), 100 + i)
                                   for i in range(40)) + last[:-9])
            for i in range(40):
                peer.receive_body(100 + i)
            peer.send_raw(last[-9:])
            peer.receive_body(1 << 20)
            for byte in peer.wrap(opening, 1 << 21):
                peer.send_raw(bytes([byte]))
            peer.receive_body(1 << 21)
            padded = pb.Frame(version=1, ops=[open_with(token=token, client_name=b"n" * 3000)]).SerializeToString()
            peer.receive_body(peer.send_body(padded))
            links = peer.stats()["wire_links"]
            for body in (opening, padded):
                cut = self.peer_of(transport)
                cut.send_raw(cut.wrap(body, 1)[:-3])
                cut.cut()
            # Half a token may be there for as long as the other half may come.
            eventually(lambda: peer.stats()["wire_links"] == links, what="the end of who was cut")

    def do_every_kind(self, session):
        gen = session.store(KEY, labels=[b"label"], meta=KEY)
        for kind in KINDS:
            if kind.name not in ("wait", "watch", "poll", "cancel stopped") and "drain" not in kind.name:
                session.op(kind.make(KEY, gen, b"own"))
        session.op(cancel(KEY + b"/armed", arm_ttl_ms=60000, text=REASON))
        peer = self.peer_of("ipc")
        self.assertEqual(peer.op(drain(namespace=b"own", text=REASON, deadline_ms=100)).error.code, pb.ERROR_UNSET)
        self.assertEqual(peer.op(undrain(namespace=b"own")).error.code, pb.ERROR_UNSET)

    def ctl(self, *arguments, token="ci", how=call):
        said = call("--server", self.running.urls["tcp"], "--namespace", "own",
                    *(["--token-file", self.file(token + ".token")] if token else []), *arguments)
        self.said += said.out.encode() + said.err.encode()
        return said

    def do_cancelctl(self):
        key = KEY.decode()
        with open(self.file("wrong.token"), "wb") as file:
            file.write(self.secret("a token of cancelctl"))
        with open(self.file("no.token"), "wb") as file:
            file.write(self.secret("what is no token") + b" \n")
        watching = Background("--server", self.running.urls["tcp"], "--token-file", self.file("ci.token"),
                              "--namespace", "own", "watch")
        self.addCleanup(watching.clean)
        self.assertEqual(self.ctl("run", "--key", key + "-run", "--", "true").code, 0)
        for arguments in (("store", key + "-ctl", "--ttl", "60s"), ("get", key + "-ctl"), ("list",), ("count",),
                          ("cancel", key + "-ctl", "--reason", REASON), ("history",), ("history", "--json"),
                          ("armed",), ("stats",), ("stats", "--prometheus"), ("stats", "--json"), ("ping",),
                          ("top", "--once", "--interval", "100ms")):
            self.assertEqual(self.ctl(*arguments).code, 0, arguments)
        eventually(lambda: key in watching.text_of(watching.out_file), what="the change")
        self.said += (watching.text_of(watching.out_file) + watching.text_of(watching.err_file)).encode()
        for process in (watching.process.pid, self.running.pid):
            for name in ("cmdline", "environ"):
                with open(f"/proc/{process}/{name}", "rb") as file:
                    self.said += file.read()
        for token in ("wrong", "no"):
            for arguments in (("get", key), ("--json", "get", key), ("run", "--key", key, "--", "true")):
                self.assertNotEqual(self.ctl(*arguments, token=token).code, 0)

    # ---- the search ----

    def assertNowhere(self, where, data, needles):
        found = [name for name, needle in needles if needle in data]
        self.assertEqual(found, [], f"in {where}")

    def search_texts(self):
        self.assertIn(KEY, self.said)  # or the search would pass for want of anything
        self.assertNowhere("what cancelctl said", self.said, self.secrets.written())
        log = self.running.log_text().encode()
        self.assertIn(b"serving in epoch", log)
        self.assertIn(b"reload", log)
        self.assertNowhere("the log", log, [*self.secrets.written(), ("a key", KEY), ("a reason", REASON.encode())])

    def search_files(self):
        """The journal's file, what is behind it, and all else in the directory."""
        names, together = [], b""
        for name in os.listdir(self.running.state_directory):
            with open(os.path.join(self.running.state_directory, name), "rb") as file:
                names.append(name)
                together += file.read()
        self.assertIn(KEY, together)
        self.assertNowhere(f"the state directory ({', '.join(sorted(names))})", together, self.secrets.written())

    def search_memory(self, when):
        if not memory.is_readable(self.running.pid):
            self.say(f"{when}: the daemon's memory shows itself to root alone, and was not searched")
            return
        dump = memory.Dump(self.running.pid)
        self.assertTrue(dump.find(KEY), "a key that the daemon keeps is not found: the search is blind")
        found = {name: dump.find(needle) for name, needle in self.secrets.needles.items()}
        found = {name: places for name, places in found.items() if places}
        # Mbed TLS keeps the key as a number, in its own heap, its lowest byte first. See SECURITY.md.
        words = self.private[::-1]
        self.say(f"{when}: {len(self.secrets.needles)} secrets and parts in {memory.size(dump.parts)} bytes of memory: "
                 f"{len(found)} found; {memory.size(dump.hidden)} bytes hidden; the TLS key as Mbed TLS has it: "
                 f"{len(dump.find(words))} times")
        self.assertEqual(found, {}, when)
        for name in ("key of the tokens", *(name for name in self.secrets.needles if name in self.living)):
            self.assertTrue(dump.find_hidden(self.secrets.needles[name]), f"{name} is not found where it has to be")

    def test_no_secret_shows_in_logs_figures_files_or_memory(self):
        self.configure()
        token = self.make_token("ci")
        self.learn_keys()
        self.start()
        sessions = list(self.do_sessions(token))
        log = self.running.log_text()
        self.do_bad_tokens(token)
        self.do_bad_bytes(token)
        self.assertEqual(self.running.log_text(), log, "what a peer does is counted, not logged: it could fill a disk")
        self.search_memory("after sessions by each transport")
        self.do_every_kind(sessions[0])
        self.do_cancelctl()
        newer = self.make_token("ci")
        self.reload()
        list(self.do_sessions(newer))
        with open(self.config, "a") as file:
            file.write("nonsense")
        self.reload()
        self.search_memory("after two reloads")
        self.configure(level="info")
        self.running.restart()
        self.living.clear()
        sessions = list(self.do_sessions(newer))
        sessions[1].store(KEY)
        self.search_memory("after a restart by kill -9")
        self.search_files()
        self.reload()
        self.search_texts()
        self.assertEqual(self.running.stop(), 0)
        self.running.start()
        self.assertEqual(self.running.stop(), 0)
        self.search_texts()
        self.search_files()


if __name__ == "__main__":
    main()
