# SPDX-License-Identifier: MIT
"""cancelctl and many operations: labels, bulk cancels, trees, drains, history, rights, figures."""
import os
import re
import shutil
import subprocess
import tempfile
import time

from canceld_e2e import BINARIES, PATIENCE, delete, eventually, main, over_both, pb, store
from cli import CliCase, CliHelpers, call, environment


@over_both
class Groups(CliHelpers):
    def setUp(self):
        self.daemon()

    def stored(self, key, *arguments):
        return self.one("store", key, "--ttl", "60s", *arguments)["gen"]

    def test_labels_are_kept_listed_and_counted(self):
        self.stored("a", "--label", "red", "--label", "big")
        self.stored("b", "--label", "red")
        self.stored("c")
        self.assertEqual(self.one("get", "a")["labels"], ["red", "big"])
        self.assertNotIn("labels", self.one("get", "c"))
        self.assertEqual({row["key"] for row in self.ctl("list", "--label", "red")}, {"a", "b"})
        self.assertEqual([row["key"] for row in
                          self.ctl("list", "--label", "red", "--label", "big")], ["a"])
        self.assertEqual(self.one("count", "--label", "red")["count"], 2)
        self.assertEqual(self.one("count", "--label", "none")["count"], 0)
        self.assertRegex(self.human("get", "a"), r" label=red label=big\b")

    def test_a_label_is_cancelled_with_counts_and_names(self):
        gens = {key: self.stored(key, "--label", "red") for key in ("a", "b", "c")}
        other = self.stored("d", "--label", "reddish")
        self.one("cancel", "b")
        said = self.one("cancel", "--label", "red", "--reason", "all of it", "--actor", "me")
        self.assertEqual((said["answer"], said["label"], said["requested"],
                          said["already_requested"]), ("REQUESTED", "red", 2, 1))
        self.assertEqual({row["key"]: (row["gen"], row["answer"]) for row in said["gens"]},
                         {"a": (gens["a"], "REQUESTED"), "b": (gens["b"], "ALREADY_REQUESTED"),
                          "c": (gens["c"], "REQUESTED")})
        self.assertEqual(self.one("get", "a")["cause"],
                         {**self.one("get", "a")["cause"], "code": "USER", "text": "all of it",
                          "actor": "me"})
        self.assertEqual(self.one("get", "d")["state"], "LIVE")
        again = self.one("cancel", "--label", "red")
        self.assertEqual((again["answer"], again["requested"]), ("ALREADY_REQUESTED", 0))
        self.assertEqual(self.one("cancel", "--label", "none", code=3)["answer"], "NOT_FOUND")
        self.assertRegex(self.human("cancel", "--label", "reddish"),
                         r"\AREQUESTED label=reddish namespace=default requested=1 "
                         r"already_requested=0\nREQUESTED d gen=%s level=RECORDED\n\Z" % other)

    def test_a_session_and_a_namespace_are_cancelled_only_when_they_are_named(self):
        session, other = self.session(), self.session()
        session.ops(*(store(f"k{i:03}".encode()) for i in range(250)))
        other.store(b"other")
        said = self.human("cancel", "--session", str(session.number)).splitlines()
        self.assertRegex(said[0], r"\AREQUESTED session=\d+ namespace=default requested=250 ")
        self.assertEqual((len(said), said[-1]), (102, "(and 150 more)"))
        self.assertEqual(self.one("get", "other")["state"], "LIVE")
        refused = call("--server", self.url(), "cancel")
        self.assertEqual((refused.code, refused.out), (2, ""), refused)
        self.assertEqual(self.one("get", "other")["state"], "LIVE")
        self.assertEqual(self.one("--namespace", "n", "cancel", "--all", code=3)["namespace"], "n")
        said = self.one("cancel", "--all")
        self.assertEqual((said["requested"], said["already_requested"], len(said["gens"])),
                         (1, 250, 100))

    def test_a_parent_takes_its_children_along_and_detach_cuts_the_tie(self):
        parent = self.stored("parent")
        child, free = self.stored("child", "--parent", parent), self.stored("free", "--parent", parent)
        self.assertEqual(self.one("get", "child")["parent"], parent)
        self.assertEqual(self.one("detach", "free", "--gen", free)["answer"], "DETACHED")
        self.one("cancel", "parent", "--reason", "enough")
        found = eventually(lambda: [row for row in self.ctl("get", "child")
                                    if row["state"] == "CANCELLING"], what="the child's cancel")
        self.assertEqual((found[0]["cause"]["code"], found[0]["cause"]["text"]), ("PARENT", "enough"))
        self.assertEqual(self.one("get", "free")["state"], "LIVE")
        late = self.one("detach", "child", "--gen", child)
        self.assertEqual((late["answer"], late["cause"]["code"]), ("CANCELLING", "PARENT"))
        born = self.one("store", "late", "--ttl", "60s", "--parent", parent, code=1)
        self.assertEqual((born["answer"], born["cause"]["code"]), ("BORN_CANCELLED", "PARENT"))
        self.one("delete", "free", "--gen", free)
        for answer, arguments in (("PARENT_ENDED", ["--parent", free]),
                                  ("PARENT_NOT_FOUND", ["--parent", "1"])):
            refused = self.one("store", "x", "--ttl", "60s", *arguments, code=6)
            self.assertEqual(refused["answer"], answer)
        self.assertEqual(self.one("detach", "free", "--gen", free, code=3)["answer"], "ENDED")

    def test_a_command_that_runs_has_labels_and_a_parent(self):
        parent = self.stored("parent")
        process = self.run_begin("--key", "k", "--label", "red", "--label", "big", "--parent", parent,
                                 "--", "sleep", "60")
        self.await_live("k")
        found = self.one("get", "k")
        self.assertEqual((found["labels"], found["parent"]), (["red", "big"], parent))
        self.one("cancel", "parent")
        said = self.run_end(process)
        self.assertEqual(said.code, 143, said)
        self.assertEqual(self.state_of("k"), ("ENDED", "CANCELLED"))

    def test_the_oldest_come_first_and_so_do_the_oldest_cancels(self):
        session = self.session()
        for key in (b"a", b"b", b"c"):
            session.store(key)
        self.one("cancel", "c")
        self.one("cancel", "b")
        self.assertEqual([row["key"] for row in self.ctl("list", "--oldest", "--limit", "2")],
                         ["a", "b"])
        waiting = self.ctl("list", "--unacknowledged")
        self.assertEqual([row["key"] for row in waiting], ["c", "b"])
        self.assertGreaterEqual(waiting[0]["cancelling_ms"], waiting[1]["cancelling_ms"])
        session.acknowledge(session.notices())
        self.assertEqual(self.ctl("list", "--unacknowledged"), [])


@over_both
class Drains(CliHelpers):
    def setUp(self):
        self.daemon()

    def test_a_drain_shows_what_is_left_until_nothing_is(self):
        owner = self.session()
        gens = {key: owner.store(key) for key in (b"a", b"b")}
        going = self.begin("drain", "--deadline", "60s", "--reason", "upgrade", json_lines=False)
        notices = owner.notices(wait_ms=10000)
        self.assertEqual({notice.cause.text for notice in notices}, {b"upgrade"})
        owner.acknowledge(notices)
        eventually(lambda: "DRAINING left=2 " in going.said().err, what="the progress")
        self.assertEqual(self.one("store", "late", "--ttl", "1s", code=6)["answer"], "DRAINING")
        owner.op(delete(b"a", gens[b"a"]))
        eventually(lambda: "DRAINING left=1 " in going.said().err, what="less of it")
        owner.op(delete(b"b", gens[b"b"]))
        said = going.end()
        self.assertEqual(said.code, 0, said)
        self.assertRegex(said.out, r"\ADRAINED namespace=default requested=2 already_requested=0 "
                                   r"after=\S+\n\Z")
        self.assertEqual(self.one("undrain")["answer"], "UNDRAINED")
        self.assertEqual(self.one("undrain", code=3)["answer"], "NOT_FOUND")
        self.one("store", "late", "--ttl", "1s")

    def test_at_the_deadline_the_stragglers_are_listed(self):
        self.one("store", "slow", "--ttl", "60s")
        said = self.one("drain", "--deadline", "300ms", code=5)
        self.assertEqual((said["answer"], said["count"], said["gens"][0]["key"],
                          said["gens"][0]["state"]), ("TIMED_OUT", 1, "slow", "CANCELLING"))
        self.assertGreaterEqual(said["after_ms"], 300)
        self.assertRegex(self.human("drain", "--deadline", "0", code=5),
                         r"\ATIMED_OUT namespace=default count=1 after=\S+\nCANCELLING slow gen=\d+ level=RECORDED\n\Z")

    def test_a_session_and_the_daemon_are_drained(self):
        owner, other = self.session(), self.session(namespace=b"n")
        gen = owner.store(b"a")
        other.store(b"b")
        going = self.begin("drain", "--session", str(owner.number))
        notices = owner.notices(wait_ms=10000)
        owner.acknowledge(notices)
        owner.op(delete(b"a", gen))
        self.assertEqual(going.end().code, 0)
        self.assertEqual(going.objects()[0]["session"], str(owner.number))
        self.assertEqual(self.one("--namespace", "n", "get", "b")["state"], "LIVE")
        late = self.one("drain", "--daemon", "--deadline", "100ms", code=5)
        self.assertEqual((late["daemon"], late["count"]), (True, 1))
        self.assertEqual(self.one("--namespace", "n", "get", "b")["cause"]["code"], "SHUTDOWN")
        self.assertEqual(self.one("undrain", "--daemon")["daemon"], True)

    def test_a_drain_of_the_daemon_shows_what_is_left_of_all_namespaces(self):
        owner, other = self.session(), self.session(namespace=b"n")
        gens = owner.store(b"a"), other.store(b"b")
        going = self.begin("drain", "--daemon", "--deadline", "60s", json_lines=False)
        for one in (owner, other):
            one.acknowledge(one.notices(wait_ms=10000))
        eventually(lambda: "DRAINING left=2 " in going.said().err, what="the progress")
        owner.op(delete(b"a", gens[0]))
        eventually(lambda: "DRAINING left=1 " in going.said().err, what="less of it")
        other.op(delete(b"b", gens[1]))
        said = going.end()
        self.assertEqual(said.code, 0, said)
        self.assertRegex(said.out, r"\ADRAINED ")

    def test_an_interrupted_drain_stays_in_force(self):
        self.one("store", "slow", "--ttl", "60s")
        going = self.begin("drain")
        eventually(lambda: self.one("stats")["stats"]["drains_waiting"] == 1, what="the drain")
        going.process.terminate()
        going.end()
        self.assertEqual(self.one("store", "late", "--ttl", "1s", code=6)["answer"], "DRAINING")


class Trail(CliCase):
    def test_history_says_who_what_why_and_how_long(self):
        self.daemon(ephemeral=False)
        owner = self.session()
        gens = [owner.store(key, labels=[b"red"]) for key in (b"a", b"b")]
        self.one("cancel", "a", "--reason", "no more", "--actor", "me")
        owner.acknowledge(owner.notices(wait_ms=10000))
        owner.op(delete(b"a", gens[0], outcome=pb.OUTCOME_CANCELLED))
        self.one("cancel", "--label", "red", "--reason", "the rest")
        self.one("cancel", "later", "--arm", "10s", "--reason", "early")
        (entry,) = eventually(lambda: [row for row in self.ctl("history", "a") if "outcome" in row])
        self.assertEqual(
            (entry["kind"], entry["key"], entry["gen"], entry["outcome"], entry["by_owner"]),
            ("CANCEL", "a", str(gens[0]), "CANCELLED", True))
        self.assertEqual((entry["cause"]["text"], entry["cause"]["actor"], entry["cause"]["peer"]),
                         ("no more", "me", f"uid:{os.getuid()}"))
        self.assertLessEqual(entry["delivered_after_ms"], entry["ended_after_ms"])
        self.assertLess(abs(entry["at_unix_ms"] / 1000 - time.time()), 60 * PATIENCE)
        kinds = [row["kind"] for row in self.ctl("history")]
        self.assertEqual((kinds[0], kinds.count("BULK"), kinds[-1]), ("ARM", 1, "CANCEL"))
        self.assertEqual(len(self.ctl("history", "--limit", "2")), 2)
        self.assertRegex(self.human("history", "a"),
                         r'\A20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z CANCEL a gen=\d+ cause=USER '
                         r'reason="no more" actor=me peer=uid:\d+ delivered_after=\S+ '
                         r'ended_after=\S+ outcome=CANCELLED by_owner\n\Z')

    def test_history_names_the_session_whose_operations_were_cancelled(self):
        self.daemon(ephemeral=False)
        owner = self.session()
        owner.store(b"a")
        self.one("cancel", "--session", str(owner.number), "--reason", "gone")
        (bulk,) = eventually(lambda: [row for row in self.ctl("history") if row["kind"] == "BULK"])
        self.assertEqual((bulk["session"], bulk["cause"]["text"]), (str(owner.number), "gone"))
        self.assertRegex(self.human("history"), rf" BULK session={owner.number} ")

    def test_history_goes_on_page_by_page(self):
        self.daemon(ephemeral=False)
        owner = self.session()
        for begin in range(0, 300, 100):
            owner.ops(*(store(f"k{i:04}".encode()) for i in range(begin, begin + 100)))
        for i in range(0, 300, 1):
            self.peer_cancel(i)
        self.assertEqual(len(self.ctl("history")), 100)
        rows = self.ctl("history", "--limit", "1000")
        self.assertEqual(sorted(row["key"] for row in rows), [f"k{i:04}" for i in range(300)])
        self.assertEqual([row["key"] for row in self.ctl("history", "--limit", "250")],
                         [row["key"] for row in rows[:250]])

    def peer_cancel(self, i):
        if not hasattr(self, "asker"):
            self.asker = self.peer()
        key = f"k{i:04}".encode()
        self.assertAnswer(self.asker.op(pb.Op(cancel=pb.Cancel(key=key))), "REQUESTED")

    def test_without_a_journal_there_is_no_history(self):
        self.daemon()
        said = call("--server", self.url(), "history")
        self.assertEqual((said.code, said.out), (1, ""), said)
        self.assertIn("journal", said.err)


class Figures(CliCase):
    SAMPLE = re.compile(r'canceld_[a-zA-Z0-9_]+(\{[a-z]+="([^"\\\n]|\\.)*"\})? \d+')

    def test_prometheus_reads_the_figures(self):
        self.daemon(ephemeral=False)
        owner = self.session()
        gen = owner.store(b"k")
        self.one("cancel", "k")
        owner.acknowledge(owner.notices(wait_ms=10000))
        owner.op(delete(b"k", gen))
        text = self.human("stats", "--prometheus")
        samples = [line for line in text.splitlines() if not line.startswith("#")]
        for line in samples:
            self.assertRegex(line, rf"\A{self.SAMPLE.pattern}\Z")
        for line in ('canceld_ops_total{op="store"} 1', 'canceld_answers_total{answer="REQUESTED"} 1',
                     'canceld_ended_total{outcome="completed"} 1', "canceld_operations_live 0",
                     'canceld_limit{limit="operations"} 1000000',
                     'canceld_cancel_delivered_seconds_bucket{le="+Inf"} 1',
                     "canceld_cancel_stopped_seconds_count 1"):
            self.assertIn(line, samples)
        self.assertEqual(text.count("# TYPE canceld_cancel_delivered_seconds histogram\n"), 1)
        names = re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE)
        self.assertEqual(len(names), len(set(names)))

    def test_every_row_of_stats_has_a_known_kind(self):
        """What the daemon counts is said with its kind and in words, not as untyped."""
        self.daemon(ephemeral=False)
        self.assertEqual(re.findall(r"^# TYPE (\S+) untyped$", self.human("stats", "--prometheus"),
                                    re.MULTILINE), [])


class Rights(CliCase):
    def setUp(self):
        daemon = self.daemon(ephemeral=True)
        self.token_file = os.path.join(daemon.directory, "token")
        self.tokens = os.path.join(daemon.directory, "tokens")
        config = os.path.join(daemon.directory, "conf")
        made = subprocess.run([os.path.join(BINARIES, "canceld"), "--make-token", "ci", "--tokens",
                               self.tokens], capture_output=True, text=True, check=True)
        with open(self.token_file, "w") as file:
            file.write(made.stdout.split()[-1] + "\n")
        with open(config, "w") as file:
            file.write(f'tokens = "{self.tokens}";\n'
                       'rules = ({ who = "token:ci"; namespace = "default"; roles = "canceller"; },\n'
                       f'         {{ who = "uid:{os.getuid()}"; namespace = "mine"; roles = "owner"; }});\n')
        os.chmod(config, 0o600)
        daemon.stop()
        daemon.flags += ["--config", config]
        daemon.start()

    def test_who_has_no_right_is_told_so_with_its_own_status(self):
        for arguments in (["cancel", "k"], ["get", "k"], ["list"], ["cancel", "--label", "l"],
                          ["drain", "--deadline", "0"], ["undrain"], ["watch", "--timeout", "5s"],
                          ["history"], ["armed"], ["disarm", "k"]):
            with self.subTest(arguments=arguments):
                denied = self.one(*arguments, code=8)
                self.assertEqual(denied["answer"], "DENIED")
                self.assertRegex(self.human(*arguments, code=8), r"\ADENIED\b")
        self.one("--namespace", "mine", "store", "k", "--ttl", "60s")
        self.one("--namespace", "mine", "cancel", "k", code=8)

    def test_a_token_from_a_file_is_somebody_else(self):
        self.one("--token-file", self.token_file, "cancel", "k", code=3)
        self.one("--token-file", self.token_file, "list", code=8)
        said = call("--server", self.url(), "--json", "cancel", "k",
                    env=environment(CANCELD_TOKEN_FILE=self.token_file))
        self.assertEqual((said.code, said.objects()[0]["answer"]), (3, "NOT_FOUND"), said)

    def test_a_token_that_is_nobodys_ends_with_the_same_status(self):
        wrong = self.token_file + ".wrong"
        with open(wrong, "w") as file:
            file.write("x" * 40 + "\n")
        said = call("--server", self.url(), "--token-file", wrong, "cancel", "k")
        self.assertEqual((said.code, said.out), (8, ""), said)
        self.assertNotIn("x" * 40, said.err)

    def test_a_token_file_that_is_none_names_itself(self):
        for path in (self.token_file + ".none", self.running.directory, "/dev/null"):
            with self.subTest(path=path):
                said = call("--server", self.url(), "--token-file", path, "ping")
                self.assertEqual((said.code, said.out), (2, ""), said)
                self.assertIn(path, said.err)


class Encrypted(CliCase):
    """Over tls+tcp, where the daemon asks for a certificate too."""

    def certificate(self, name):
        crt, key = (os.path.join(self.directory, f"{name}.{kind}") for kind in ("crt", "key"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", crt,
                        "-days", "2", "-subj", "/CN=localhost", "-addext",
                        "subjectAltName=DNS:localhost,IP:127.0.0.1"], capture_output=True, check=True)
        os.chmod(key, 0o600)
        return crt, key

    def test_both_sides_show_who_they_are(self):
        self.directory = tempfile.mkdtemp(prefix="canceld-cli-")
        self.addCleanup(shutil.rmtree, self.directory)
        server, client, stranger = (self.certificate(name) for name in ("server", "client", "stranger"))
        daemon = self.daemon("--listen", "tls+tcp://localhost:0", "--tls-cert", server[0], "--tls-key",
                             server[1], "--tls-ca", client[0], "--tls-require-client-cert")
        way = ["--server", daemon.urls["tls+tcp"], "--tls-ca", server[0]]
        mine = [*way, "--tls-cert", client[0], "--tls-key", client[1]]
        said = call(*mine, "store", "k", "--ttl", "60s")
        self.assertEqual(said.code, 0, said)
        self.assertEqual(self.one("get", "k")["state"], "LIVE")
        said = call(*mine, "--json", "cancel", "k")
        self.assertEqual((said.code, said.objects()[0]["answer"]), (0, "REQUESTED"), said)
        self.assertIn(self.one("get", "k")["cause"]["peer"], ("tls:verified", "tls:localhost"))  # by NNG's version
        for refused in (way, [*way, "--tls-cert", stranger[0], "--tls-key", stranger[1]],
                        ["--server", daemon.urls["tls+tcp"], "--tls-ca", stranger[0]]):
            said = call(*refused, "ping")
            self.assertEqual((said.code, said.out), (7, ""), said)


if __name__ == "__main__":
    main()
