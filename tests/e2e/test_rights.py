# SPDX-License-Identifier: MIT
"""Rights: a matrix of every role set, kind of request, namespace and way to come, compared with the
table in rights.py; and what a reload of the configuration changes."""
import os
import shutil
import signal
import subprocess
import tempfile
import unittest

from canceld_e2e import (BINARIES, Case, Peer, Session, cancel, delete, eventually, get, main, over_both, pb,
                         store)
from rights import KINDS, ROLE_SETS, SPACES, Who, ask_all, ask_as

IS_ROOT = os.geteuid() == 0
UID_BASE = 61000
DENIED = pb.ANSWER_DENIED


class Rules:
    """A daemon with rules, and tokens. Root here is the tests' own admin, by a rule for its uid."""

    def make_directory(self):
        directory = tempfile.mkdtemp(prefix="canceld-e2e-")
        self.addCleanup(shutil.rmtree, directory)
        self.path = os.path.join(directory, "canceld.conf")
        self.tokens = os.path.join(directory, "tokens")

    def make_token(self, name):
        done = subprocess.run([os.path.join(BINARIES, "canceld"), "--make-token", name, "--tokens", self.tokens],
                              capture_output=True, text=True, timeout=20)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.strip().encode()

    def configure(self, rules):
        admin = f'{{ who = "uid:{os.geteuid()}"; namespace = "*"; roles = "admin"; }}'
        with open(self.path, "w") as file:
            file.write("rules = (\n    " + ",\n    ".join([admin, *rules]) + "\n);\n")
        os.chmod(self.path, 0o600)

    def start(self):
        daemon = self.daemon("--config", self.path, "--tokens", self.tokens, "--ipc-mode", "0666", ephemeral=False)
        os.chmod(daemon.directory, 0o755)
        return daemon

    def reload(self):
        log = self.running.log_text()
        self.running.signal(signal.SIGHUP)
        eventually(lambda: "reload" in self.running.log_text()[len(log):], what="the reload")


class Matrix(Rules, Case):
    def setUp(self):
        self.make_directory()

    def everybody(self):
        """Each role set once by each way to come; and each with its roles in every namespace."""
        crowd = []
        for i, roles in enumerate(ROLE_SETS):
            for where in ("ipc", "tcp"):
                token = f"{where}{i}"
                crowd.append(("token", Who(f"token:{token}", where, roles, token=self.make_token(token))))
            crowd.append(("anonymous tcp", Who(f"tcp:127.0.1.{i + 1}", "tcp", roles, source=f"127.0.1.{i + 1}")))
            star = self.make_token(f"star{i}")
            crowd.append(("token for *", Who(f"token:star{i}", "tcp", roles, (b"*",), token=star)))
            crowd.append(("uid", Who(f"uid:{UID_BASE + i}", "ipc", roles, uid=UID_BASE + i)))
        return crowd

    def prepare(self, admin):
        """The key that is there, in the namespaces that there are, as new."""
        gens = {}
        for space in SPACES[:2]:
            found = admin.op(get(b"there", namespace=space))
            if found.answer == pb.ANSWER_FOUND and found.operations[0].state != pb.STATE_ENDED:
                admin.op(delete(b"there", found.operations[0].gen, namespace=space))
            gens[space] = admin.store(b"there", namespace=space, ttl_ms=60000, labels=[b"L"])
        return gens

    def assertAsTold(self, who, answers):
        for kind in KINDS:
            for space in SPACES:
                (answer, data), (other, other_data) = answers[kind.name, space]
                cell = f"{who.name} with {who.roles}: {kind.name} in {space.decode()}"
                expected = not who.is_allowed(kind, space)
                self.assertEqual((answer == DENIED, other == DENIED), (expected, expected), cell)
                self.assertNotIn(pb.ANSWER_ERROR, (answer, other), cell)
                if expected:
                    self.assertEqual(data, other_data, f"{cell}: DENIED tells whether there is a key")

    def test_every_role_set_kind_of_request_namespace_and_way_to_come(self):
        crowd = self.everybody()
        self.configure([rule for _, who in crowd for rule in who.rules()])
        daemon = self.start()
        cells, denied, skipped = {}, 0, 0
        for way, who in crowd:
            if who.uid and not IS_ROOT:
                skipped += len(KINDS) * len(SPACES)
                continue
            admin = Session(daemon.urls["ipc"])
            gens = self.prepare(admin)
            who.url = daemon.urls[who.url]
            answers = ask_as(who, gens) if who.uid else ask_all(who, gens)
            admin.close()
            self.assertAsTold(who, answers)
            cells[way] = cells.get(way, 0) + len(answers)
            denied += sum(both[0][0] == DENIED for both in answers.values())
        self.say(f"{sum(cells.values())} cells ({cells}), {denied} DENIED, {skipped} skipped for want of root")
        self.assertGreaterEqual(sum(cells.values()), 500)
        counted = self.peer().stats()["denied"]
        self.assertGreaterEqual(counted, 2 * denied)
        if skipped:
            raise unittest.SkipTest(f"{skipped} cells of uids need root")


@over_both
class Reload(Rules):
    def setUp(self):
        self.make_directory()
        self.token = self.make_token("ci")

    def come(self, token=None, namespace=b"own"):
        session = Session(self.url(), token=token or self.token, namespace=namespace)
        self.addCleanup(session.close)
        return session

    def rule(self, roles):
        return f'{{ who = "token:ci"; namespace = "own"; roles = [{roles}]; }}'

    def test_across_namespaces_without_the_right_every_key_answers_denied(self):
        self.configure([self.rule('"owner", "canceller"'),
                        '{ who = "token:other"; namespace = "other"; roles = "owner"; }'])
        other = self.make_token("other")
        self.start()
        victim, stranger = self.come(other, b"other"), self.come()
        gen = victim.store(b"k")
        for key in (b"k", b"no such key"):
            for op in (cancel(key, namespace=b"other"), cancel(key, gen, namespace=b"other"),
                       get(key, namespace=b"other"), cancel(key, namespace=b"none")):
                self.assertAnswer(stranger.op(op), "DENIED", gen=0)
        self.assertAnswer(victim.op(cancel(b"k")), "DENIED")
        self.assertEqual(len(victim.notices()), 0)
        self.assertAnswer(victim.op(delete(b"k", gen)), "DELETED", cancelled=False)

    def test_the_cause_says_by_whom(self):
        self.configure([self.rule('"owner", "canceller"'),
                        '{ who = "tcp:127.0.0.1"; namespace = "own"; roles = "canceller"; }'])
        self.start()
        session = self.come()
        for asker, peer in ((session, b"token:ci"),
                            (Peer(self.url()), b"tcp:127.0.0.1" if self.transport == "tcp" else
                             b"uid:%d" % os.geteuid())):
            gen = session.store(b"k", policy=pb.POLICY_JOIN)
            self.assertAnswer(asker.op(cancel(b"k", gen, namespace=b"own")), "REQUESTED")
            (notice,) = [n for n in session.notices() if n.gen == gen]
            self.assertEqual(notice.cause.peer, peer)
            asker is session or asker.close()

    def test_a_reload_takes_a_role_away_and_leaves_what_was_stored(self):
        self.configure([self.rule('"owner", "canceller"')])
        self.start()
        session, admin = self.come(), Session(self.running.urls["ipc"], namespace=b"own")
        self.addCleanup(admin.close)
        gen = session.store(b"k")
        self.configure([self.rule('"canceller"')])
        self.reload()
        self.assertAnswer(session.op(store(b"other")), "DENIED")
        self.assertAnswer(session.op(delete(b"k", gen)), "DENIED")
        self.assertAnswer(admin.op(cancel(b"k")), "REQUESTED")
        self.assertEqual([notice.gen for notice in session.notices()], [gen])
        self.configure([])
        self.reload()
        self.assertAnswer(session.op(get(b"k")), "DENIED")
        self.assertAnswer(session.op(pb.Op(ping=pb.Ping())), "PONG")
        with open(self.path, "w") as file:
            file.write("rules = nonsense")
        self.reload()
        self.assertAnswer(session.op(get(b"k")), "DENIED")
        self.assertAnswer(admin.op(get(b"k")), "FOUND")

    def test_a_token_is_replaced_without_a_gap(self):
        self.configure([self.rule('"owner"')])
        self.start()
        newer = self.make_token("ci")
        self.reload()
        for token in (self.token, newer):
            self.come(token).store(b"k" + token)
        with open(self.tokens) as file:
            lines = file.read().splitlines(keepends=True)
        mine = [i for i, line in enumerate(lines) if line.startswith("ci")]
        self.assertEqual(len(mine), 2)
        del lines[mine[0]]
        with open(self.tokens, "w") as file:
            file.writelines(lines)
        self.reload()
        opening = pb.Op(open=pb.Open(namespace=b"own", token=self.token))
        self.assertAnswer(self.peer().op(opening), "DENIED")
        self.assertAnswer(self.peer().op(pb.Op(open=pb.Open(namespace=b"own", token=b"0" * 32))), "DENIED")
        self.come(newer).store(b"again")


if __name__ == "__main__":
    main()
