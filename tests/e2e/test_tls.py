# SPDX-License-Identifier: MIT
"""tls+tcp: Python's ssl module and cancelctl as clients, and whoever should not get through."""
import os
import shutil
import socket
import ssl
import subprocess
import tempfile

from canceld_e2e import (HERE, PATIENCE, Case, Peer, Session, cancel, connect_socket, delete, eventually,
                         handshake, main, pb, poll)
from cli import CliHelpers, call

# Of the client's certificate: NNG tells its common name from version 1.6 on, before that only that it is good.
VERIFIED = (b"tls:verified", b"tls:alice")


class Tls(CliHelpers, Case):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.mkdtemp(prefix="canceld-e2e-")
        cls.addClassCleanup(shutil.rmtree, cls.directory)
        subprocess.run(["sh", os.path.join(HERE, "../support/make_certificates.sh"), cls.directory], check=True,
                       capture_output=True)

    def file(self, name):
        return os.path.join(self.directory, name)

    def url(self):
        return self.running.urls["tls+tcp"]

    def tls_daemon(self, *flags, host="127.0.0.1", **how):
        how.setdefault("ephemeral", True)
        daemon = self.daemon("--listen", f"tls+tcp://{host}:0", "--tls-cert", self.file("server.crt"),
                             "--tls-key", self.file("server.key"), *flags, **how)
        self.assertIn("tls+tcp", daemon.urls)
        return daemon

    def context(self, name=None, authority="ca"):
        context = ssl.create_default_context(cafile=self.file(authority + ".crt"))
        if name:
            context.load_cert_chain(self.file(name + ".crt"), self.file(name + ".key"))
        return context

    def secure(self, name=None, **how):
        peer = Peer(self.url(), tls=self.context(name), **how)
        self.addCleanup(peer.close)
        return peer

    def assertLetIn(self, name=None, peer=b"tls:anonymous"):
        """And that the daemon calls it so."""
        session = Session(self.url(), self.secure(name))
        session.store(b"whose")
        session.op(cancel(b"whose"))
        self.assertIn(session.notices()[0].cause.peer, (peer,) if isinstance(peer, bytes) else peer)
        session.op(pb.Op(close=pb.Close()))
        session.close()

    def assertKeptOut(self, name=None):
        with self.assertRaises(OSError):  # ssl.SSLError is one
            self.secure(name).ping()

    def test_the_contract_over_tls(self):
        self.tls_daemon()
        owner, peer = Session(self.url(), self.secure()), self.secure()
        gen = owner.store(b"k")
        number = peer.start(cancel(b"k", level=pb.LEVEL_STOPPED, deadline_ms=20000))
        (notice,) = owner.notices(wait_ms=10000)
        self.assertEqual((notice.gen, notice.cause.peer), (gen, b"tls:anonymous"))
        self.assertAnswer(owner.op(delete(b"k", gen, pb.OUTCOME_CANCELLED)), "DELETED", cancelled=True)
        self.assertAnswer(peer.result_of(number), "REQUESTED", level=pb.LEVEL_STOPPED)
        self.assertIn(peer.socket.version(), ("TLSv1.2", "TLSv1.3"))
        body = pb.Frame(version=1, ops=[pb.Op(stats=pb.Stats())])
        numbers = [peer.send(body) for _ in range(200)]
        self.assertEqual(len({len(peer.receive(n).results[0].stats) for n in numbers}), 1)

    def test_big_frames_and_many_connections(self):
        self.tls_daemon()
        for meta in (b"a" * 1024, b"b" * 7):
            session = Session(self.url(), self.secure())
            results = session.ops(*[pb.Op(store=pb.Store(key=b"%d-%s" % (n, meta[:1]), meta=meta))
                                    for n in range(60)])
            self.assertEqual({result.answer for result in results}, {pb.ANSWER_STORED})
        peers = [self.secure() for _ in range(40)]
        self.assertTrue(all(peer.ping() for peer in peers))

    def test_a_client_checks_the_daemon(self):
        self.tls_daemon()
        with self.assertRaises(ssl.SSLCertVerificationError):
            Peer(self.url(), tls=self.context(authority="stranger-ca"))
        self.assertLetIn()

    def test_a_certificate_is_optional_with_a_ca_and_a_strangers_is_none(self):
        self.tls_daemon("--tls-ca", self.file("ca.crt"))
        self.assertLetIn()
        self.assertLetIn("client", VERIFIED)
        self.assertLetIn("stranger")
        self.assertLetIn("client", VERIFIED)

    def test_a_required_certificate(self):
        self.tls_daemon("--tls-ca", self.file("ca.crt"), "--tls-require-client-cert")
        self.assertKeptOut()
        self.assertKeptOut("stranger")
        self.assertLetIn("client", VERIFIED)

    def test_whoever_does_not_finish_a_handshake_is_cut_and_hinders_nobody(self):
        daemon = self.tls_daemon("--limit-handshake-ms", "700", "--limit-stall-ms", "700")
        self.assertLetIn()
        base = daemon.descriptors_at_rest()
        plain = "tcp" + self.url()[len("tls+tcp"):]
        openings = {
            "silent": lambda: connect_socket(plain),
            "SP without TLS": lambda: self.sent(connect_socket(plain), handshake()),
            "nonsense": lambda: self.sent(connect_socket(plain), b"\x16\x03\x01\x40\x00" + b"x" * 100),
            "TLS without SP": lambda: Peer(self.url(), greet=False, tls=self.context()).socket,
            "half an SP header": lambda: self.sent(
                Peer(self.url(), greet=False, tls=self.context()).socket, handshake()[:4])}
        sockets = {name: [opening() for _ in range(5)] for name, opening in openings.items()}
        self.assertLetIn()
        for name, some in sockets.items():
            for sock in some:
                self.assertEnds(sock, name)
        half = Peer(self.url(), tls=self.context())
        half.send_raw(half.wrap(b"x" * 100, 1)[:50])
        self.assertTrue(half.is_closed(), "half a frame")
        half.close()
        for some in sockets.values():
            for sock in some:
                sock.close()
        self.say(f"{sum(map(len, sockets.values()))} half-open connections gone after "
                 f"{self.assertBackAt(daemon, base, 10):.2f} s")
        self.assertLetIn()

    def sent(self, sock, data):
        sock.sendall(data)
        return sock

    def assertEnds(self, sock, what):
        sock.settimeout(8 * PATIENCE)
        try:
            while sock.recv(1 << 16):
                pass
        except socket.timeout:
            self.fail(f"{what}: still open")
        except OSError:
            pass

    def test_a_cut_of_a_link_in_the_middle_of_everything_costs_one_session(self):
        daemon = self.tls_daemon("--limit-grace-ms", "300")
        honest = Session(self.url(), self.secure())
        kept = honest.store(b"kept")
        for _ in range(10):
            victim = Session(self.url(), self.secure())
            victim.store(b"lost", policy=pb.POLICY_JOIN)
            victim.send(poll(wait_ms=20000))
            victim.cut()
        eventually(lambda: self.secure().stats()["sessions"] == 1, 20, "the loss of the others")
        self.assertAnswer(honest.op(delete(b"kept", kept)), "DELETED", cancelled=False)
        self.assertTrue(daemon.is_running())

    def test_cancelctl_over_tls(self):
        self.tls_daemon("--tls-ca", self.file("ca.crt"), "--tls-require-client-cert", host="localhost")
        port = self.url().rsplit(":", 1)[1]
        server = ["--server", f"tls+tcp://localhost:{port}", "--json"]
        good = ["--tls-ca", self.file("ca.crt"), "--tls-cert", self.file("client.crt"), "--tls-key",
                self.file("client.key")]
        said = call(*server, *good, "store", "k", "--ttl", "1m")
        self.assertEqual(said.code, 0, said)
        said = call(*server, *good, "cancel", "k")
        self.assertEqual((said.code, said.objects()[0]["answer"]), (0, "REQUESTED"), said)
        said = call(*server, "--tls-ca", self.file("ca.crt"), "--tls-cert", self.file("both.pem"), "get", "k")
        self.assertEqual(said.code, 0, said)
        self.assertIn(said.objects()[0]["cause"]["peer"].encode(), VERIFIED)
        for bad in (["--tls-ca", self.file("stranger-ca.crt"), *good[2:]], good[:2],
                    [*good[:2], "--tls-cert", self.file("stranger.crt"), "--tls-key", self.file("stranger.key")]):
            said = call(*server, *bad, "get", "k", seconds=40)
            self.assertNotIn(said.code, (0, 3), f"{bad}: {said}")
            self.assertTrue(said.err or said.out)


if __name__ == "__main__":
    main()
