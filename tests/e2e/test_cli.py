# SPDX-License-Identifier: MIT
"""cancelctl: each command, what it prints, and what it ends with."""
import base64
import subprocess
import time

from canceld_e2e import PATIENCE, eventually, main, over_both, store
from cli import CANCELCTL, CliCase, CliHelpers, call, environment


@over_both
class Commands(CliHelpers):
    def setUp(self):
        self.daemon()

    def test_an_operation_is_stored_found_cancelled_and_deleted(self):
        stored = self.one("store", "k", "--ttl", "60s", "--meta", "über")
        self.assertEqual(stored["answer"], "STORED")
        self.assertRegex(stored["gen"], r"^\d+$")
        found = self.one("get", "k")
        self.assertEqual((found["key"], found["gen"], found["state"], found["namespace"],
                          found["meta"]), ("k", stored["gen"], "LIVE", "default", "über"))
        self.assertLessEqual(found["ttl_left_ms"], 60000)
        self.assertNotIn("owner", found)
        cancelled = self.one("cancel", "k", "--reason", "no more", "--actor", "me")
        self.assertEqual((cancelled["answer"], cancelled["level"], cancelled["gens"][0]["gen"]),
                         ("REQUESTED", "RECORDED", stored["gen"]))
        again = self.one("cancel", "k", "--gen", stored["gen"])
        self.assertEqual(again["answer"], "ALREADY_REQUESTED")
        self.assertEqual(self.one("get", "k")["cause"]["text"], "no more")
        deleted = self.one("delete", "k", "--gen", stored["gen"], "--outcome", "cancelled")
        self.assertEqual((deleted["answer"], deleted["cancelled"], deleted["by_owner"],
                          deleted["cause"]["actor"]), ("DELETED", True, False, "me"))
        late = self.one("cancel", "k", code=3)
        self.assertEqual((late["answer"], late["outcome"]), ("FINISHED", "CANCELLED"))
        self.assertEqual(self.one("delete", "k", "--gen", stored["gen"], code=3)["answer"], "ENDED")

    def test_a_stored_operation_stays_until_its_ttl_and_touch_renews_it(self):
        gen = self.one("store", "k", "--ttl", "20s")["gen"]
        self.assertEqual(self.one("touch", "k", "--gen", gen, "--ttl", "1h")["answer"], "TOUCHED")
        self.assertGreater(self.one("get", "k")["ttl_left_ms"], 60000)
        self.one("touch", "k", "--gen", gen, "--ttl", "500ms")
        begin = time.monotonic()
        ended = self.one("wait", "k", "--deadline", "20s")
        self.assertEqual((ended["answer"], ended["outcome"]), ("ENDED", "EXPIRED"))
        self.assertLess(time.monotonic() - begin, 5 * PATIENCE)
        self.assertEqual(self.one("touch", "k", "--gen", gen, "--ttl", "1s", code=3)["answer"],
                         "ENDED")

    def test_each_refusal_has_its_exit_status(self):
        for arguments in (["cancel", "none"], ["get", "none"], ["disarm", "none"],
                          ["wait", "none", "--deadline", "1s"], ["delete", "none", "--gen", "1"],
                          ["touch", "none", "--gen", "1", "--ttl", "1s"]):
            with self.subTest(arguments=arguments):
                self.assertEqual(self.one(*arguments, code=3)["answer"], "NOT_FOUND")
        old = self.one("store", "k", "--ttl", "60s")["gen"]
        self.assertEqual(self.one("store", "k", "--ttl", "60s", code=6)["answer"], "EXISTS")
        new = self.one("store", "k", "--ttl", "60s", "--policy", "supersede")["gen"]
        self.assertEqual(self.one("get", "k", "--gen", old)["cause"]["code"], "SUPERSEDED")
        stale = self.one("cancel", "k", "--gen", "1", code=4)
        self.assertEqual((stale["answer"], stale["gen"]), ("STALE_GEN", new))
        above = str(int(new) + 1000)
        self.assertEqual(self.one("cancel", "k", "--gen", above, code=1)["answer"], "STALE_EPOCH")
        slow = self.one("wait", "k", "--deadline", "50ms", code=5)
        self.assertEqual((slow["answer"], slow["state"]), ("TIMED_OUT", "LIVE"))
        kept = self.one("cancel", "k", "--ack", "stopped", code=1)
        self.assertEqual((kept["level"], kept["no_owner"]), ("RECORDED", True))

    def test_an_owner_that_does_not_stop_is_told_of_at_the_deadline(self):
        session = self.session()
        gen = session.store(b"k")
        process = subprocess.Popen(
            [CANCELCTL, "--server", self.url(), "--json", "cancel", "k", "--ack", "stopped",
             "--deadline", "700ms"], stdout=subprocess.PIPE)
        session.acknowledge(session.notices(wait_ms=10000))
        out = process.communicate(timeout=20 * PATIENCE)[0].decode()
        self.assertEqual(process.returncode, 5, out)
        self.assertIn('"level":"DELIVERED"', out)
        self.assertIn(str(gen), out)

    def test_wait_ends_when_the_operation_is_cancelled_or_has_ended(self):
        gen = self.one("store", "k", "--ttl", "60s")["gen"]
        for until, act, answer in (
                ("cancelling", ["cancel", "k"], "CANCELLING"),
                ("ended", ["delete", "k", "--gen", gen, "--outcome", "failed"], "ENDED")):
            waiter = subprocess.Popen([CANCELCTL, "--server", self.url(), "--json", "wait", "k",
                                       "--until", until], stdout=subprocess.PIPE)
            eventually(lambda: self.one("stats")["stats"]["parked"] == 1)
            self.ctl(*act)
            out = waiter.communicate(timeout=20 * PATIENCE)[0].decode()
            self.assertEqual(waiter.returncode, 0, out)
            self.assertIn(f'"answer":"{answer}"', out)

    def test_a_cancel_is_armed_listed_used_and_disarmed(self):
        self.assertEqual(self.one("cancel", "k", "--arm", "10s", "--reason", "early")["answer"],
                         "ARMED")
        (armed,) = self.ctl("armed")
        self.assertEqual((armed["key"], armed["cause"]["text"]), ("k", "early"))
        self.assertGreater(armed["ttl_left_ms"], 0)
        born = self.one("store", "k", "--ttl", "60s", code=1)
        self.assertEqual((born["answer"], born["cause"]["text"]), ("BORN_CANCELLED", "early"))
        self.assertEqual(self.ctl("armed"), [])
        self.one("delete", "k", "--gen", born["gen"])
        after = self.one("cancel", "k", "--arm", "10s", code=3)
        self.assertEqual(after["answer"], "FINISHED")
        self.one("cancel", "k", "--arm", "10s", "--after-gen", born["gen"])
        self.assertEqual(self.one("disarm", "k")["answer"], "DISARMED")
        self.assertEqual(self.one("store", "k", "--ttl", "60s")["answer"], "STORED")

    def test_list_prints_every_page_and_count_agrees(self):
        session = self.session()
        total = 2500
        for begin in range(0, total, 500):
            session.ops(*(store(f"k-{i:04}".encode(), meta=b"m" * 100)
                          for i in range(begin, begin + 500)))
        listed = self.ctl("list")
        self.assertEqual(sorted(row["key"] for row in listed), [f"k-{i:04}" for i in range(total)])
        self.assertEqual({row["owner"] for row in listed}, {str(session.number)})
        self.assertEqual(self.one("count")["count"], total)
        self.one("cancel", "k-0007")
        self.assertEqual([row["key"] for row in self.ctl("list", "--state", "cancelling")],
                         ["k-0007"])
        self.assertEqual(self.one("count", "--state", "live")["count"], total - 1)
        self.assertEqual(self.one("count", "--owner", str(session.number))["count"], total)
        self.assertEqual(self.one("count", "--owner", "1")["count"], 0)
        self.assertEqual(self.ctl("--namespace", "other", "list"), [])

    def test_namespaces_are_apart(self):
        self.one("--namespace", "a", "store", "k", "--ttl", "60s")
        self.one("store", "k", "--ttl", "60s", "--namespace", "b")
        self.one("get", "k", code=3)
        self.assertEqual(self.one("--namespace", "b", "get", "k")["namespace"], "b")
        self.one("--namespace", "a", "cancel", "k")
        self.assertEqual(self.one("--namespace", "b", "get", "k")["state"], "LIVE")

    def test_keys_of_any_bytes_are_told_apart(self):
        raw = b"\xff\x01 \"key\""
        gen = self.one("store", raw, "--ttl", "60s")["gen"]
        found = self.one("get", raw)
        self.assertEqual(base64.b64decode(found["key_b64"]), raw)
        self.assertNotIn("key", found)
        self.assertIn(r'"\377\001 \"key\""', self.human("get", raw))
        text = "line\nbreak\tü"
        self.one("store", text, "--ttl", "60s")
        self.assertEqual(self.one("get", text)["key"], text)
        self.assertIn(r"line\nbreak\tü", self.human("list"))
        self.assertEqual(self.one("cancel", raw)["gen"], gen)
        self.one("store", "--ttl", "60s", "--", "--json")
        self.assertEqual(self.one("get", "--", "--json")["key"], "--json")

    def test_people_read_one_clear_line(self):
        self.assertRegex(self.human("store", "k", "--ttl", "60s"), r"\ASTORED k gen=\d+\n\Z")
        self.assertRegex(self.human("get", "k"),
                         r"\ALIVE k gen=\d+ age=\S+ ttl_left=5\d\.\ds\n\Z")
        self.assertRegex(self.human("cancel", "k", "--reason", "no more"),
                         r"\AREQUESTED k gen=\d+ level=RECORDED no_owner\n\Z|"
                         r"\AREQUESTED k gen=\d+ level=RECORDED\n\Z")
        self.assertRegex(self.human("get", "k"), r'cause=USER reason="no more"')
        self.assertRegex(self.human("count"), r"\ACOUNTED count=1\n\Z")
        self.assertRegex(self.human("cancel", "none", code=3), r"\ANOT_FOUND none\n\Z")

    def test_ping_and_stats(self):
        self.one("store", "k", "--ttl", "60s")
        pong = self.one("ping")
        self.assertEqual((pong["answer"], pong["server"]), ("PONG", self.url()))
        self.assertGreater(pong["round_trip_us"], 0)
        stats = self.one("stats")["stats"]
        self.assertEqual(stats, {**stats, **{"operations_live": 1}})
        rows = dict(line.split() for line in self.human("stats").splitlines())
        self.assertEqual(rows.keys(), stats.keys())

    def test_a_value_that_only_the_daemon_can_judge_names_its_option(self):
        said = call("--server", self.url(), "cancel", "k", "--arm", "23h")
        self.assertEqual(said.code, 2, said)
        self.assertIn("--arm", said.err)
        refused = self.one("cancel", "k", "--arm", "23h", code=2)
        self.assertEqual((refused["answer"], refused["field"]), ("ERROR", "arm_ttl_ms"))

    def test_at_a_bound_the_exit_status_says_so(self):
        self.daemon("--limit-operations", "1")
        self.one("store", "a", "--ttl", "60s")
        full = self.one("store", "b", "--ttl", "60s", code=6)
        self.assertEqual((full["answer"], full["limit"]), ("FULL", "operations"))


class CommandLine(CliCase):
    def test_every_bad_value_gets_a_sentence_that_names_its_option(self):
        key = ["k"]
        for named, arguments in (
                ("--ttl", ["store", *key, "--ttl", "5"]),
                ("--ttl", ["store", *key, "--ttl", "5x"]),
                ("--ttl", ["store", *key, "--ttl", "99ms"]),
                ("--ttl", ["store", *key, "--ttl", "25h"]),
                ("--ttl", ["store", *key]),
                ("--policy", ["store", *key, "--ttl", "5s", "--policy", "maybe"]),
                ("--meta", ["store", *key, "--ttl", "5s", "--meta", "m" * 1025]),
                ("KEY", ["store", "--ttl", "5s"]),
                ("KEY", ["get", ""]),
                ("KEY", ["get", "k" * 257]),
                ("too many", ["get", "k", "l"]),
                ("--gen", ["cancel", *key, "--gen", "0"]),
                ("--gen", ["cancel", *key, "--gen", "-1"]),
                ("--gen", ["cancel", *key, "--gen", "18446744073709551616"]),
                ("--gen", ["cancel", *key, "--gen", "1", "--arm", "1s"]),
                ("--gen", ["cancel", *key, "--gen", "1", "--after-gen", "1"]),
                ("--gen", ["delete", *key]),
                ("--gen", ["touch", *key, "--ttl", "1s"]),
                ("--ack", ["cancel", *key, "--ack", "soon"]),
                ("--deadline", ["cancel", *key, "--deadline", "soon"]),
                ("--arm", ["cancel", *key, "--arm", "0"]),
                ("--reason", ["cancel", *key, "--reason", "r" * 257]),
                ("--actor", ["cancel", *key, "--actor", "a" * 65]),
                ("--outcome", ["delete", *key, "--gen", "1", "--outcome", "expired"]),
                ("--until", ["wait", *key, "--until", "later"]),
                ("--state", ["list", "--state", "dead"]),
                ("--owner", ["list", "--owner", "me"]),
                ("--namespace", ["--namespace", "a b", "list"]),
                ("--server", ["--server", "http://x", "list"]),
                ("--key", ["run", "--", "true"]),
                ("--grace", ["run", "--key", "k", "--grace", "-1s", "--", "true"]),
                ("--signal", ["run", "--key", "k", "--signal", "LOUD", "--", "true"]),
                ("--no-daemon", ["run", "--key", "k", "--no-daemon=maybe", "--", "true"]),
                ("COMMAND", ["run", "--key", "k"]),
                ("--loud", ["list", "--loud"]),
                ("--arm", ["get", *key, "--arm", "1s"]),
                ("--all", ["cancel"]),
                ("KEY", ["cancel", *key, "--all"]),
                ("--session", ["cancel", *key, "--session", "7"]),
                ("--all", ["cancel", "--label", "l", "--all"]),
                ("--session", ["cancel", "--label", "l", "--session", "7"]),
                ("one label", ["cancel", "--label", "l", "--label", "m"]),
                ("--gen", ["cancel", "--label", "l", "--gen", "7"]),
                ("--ack", ["cancel", "--all", "--ack", "stopped"]),
                ("--arm", ["cancel", "--session", "7", "--arm", "1s"]),
                ("--session", ["cancel", "--session", "0"]),
                ("--label", ["list", "--label", ""]),
                ("--label", ["list", "--label", "l" * 65]),
                ("twice", ["list", "--label", "l", "--label", "l"]),
                ("8 labels", ["list", *(f"--label=l{i}" for i in range(9))]),
                ("--parent", ["store", *key, "--ttl", "5s", "--parent", "0"]),
                ("--unacknowledged", ["list", "--oldest", "--unacknowledged"]),
                ("--limit", ["list", "--limit", "0"]),
                ("--limit", ["history", "--limit", "1000001"]),
                ("--gen", ["detach", *key]),
                ("--daemon", ["drain", "--daemon", "--session", "7"]),
                ("--namespace", ["drain", "--daemon", "--namespace", "n"]),
                ("--deadline", ["drain", "--deadline", "25h"]),
                ("--count", ["watch", "--count", "0"]),
                ("--timeout", ["watch", "--timeout", "0"]),
                ("--interval", ["top", "--interval", "99ms"]),
                ("--interval", ["top", "--interval", "61s"]),
                ("--json", ["stats", "--prometheus", "--json"]),
                ("--tls-ca", ["--server", "tls+tcp://localhost:1", "ping"]),
                ("--tls-cert", ["--tls-key", "f", "ping"]),
                ("--token-file", ["--token-file", "", "ping"]),
                ("--tls-ca", ["--server", "tls+tcp://localhost:1", "--tls-ca", "/none", "ping"]),
                ("--server", ["--server", "tls+ipc:///x", "ping"]),
                ("dance", ["dance"]),
                ("command", []),
        ):
            with self.subTest(arguments=arguments):
                said = call(*arguments)
                self.assertEqual((said.code, said.out), (2, ""), said)
                self.assertIn(named, said.err)
                self.assertGreater(len(said.err), 20)

    def test_a_bad_address_in_the_environment_names_its_variable(self):
        said = call("ping", env=environment(CANCELD_SERVER="nowhere"))
        self.assertEqual(said.code, 2, said)
        self.assertIn("CANCELD_SERVER", said.err)

    def test_the_address_comes_from_the_environment(self):
        self.daemon()
        said = call("ping", "--json", env=environment(CANCELD_SERVER=self.url()))
        self.assertEqual(said.code, 0, said)
        self.assertEqual(said.objects()[0]["server"], self.url())

    def test_help_names_every_command_and_exit_status(self):
        said = call("--help")
        self.assertEqual((said.code, said.err), (0, ""))
        for word in ("store", "cancel", "delete", "touch", "get", "list", "count", "wait", "armed",
                     "disarm", "ping", "stats", "run", "watch", "drain", "undrain", "history",
                     "top", "detach", "DENIED", "DRAINING", "--token-file", "--tls-ca", "--json", "--server", "--namespace",
                     "NOT_FOUND", "STALE_GEN", "125", "126", "127"):
            self.assertIn(word, said.out)
        for command in ("store", "cancel", "run"):
            self.assertIn("--", call(command, "--help").out)
        self.assertRegex(call("--version").out, r"cancelctl \d+\.\d+\.\d+")

    def test_without_a_daemon_every_command_ends_with_7(self):
        daemon = self.daemon()
        urls = [f"ipc://{daemon.directory}/none", daemon.urls["tcp"]]
        daemon.stop()
        for url in urls:
            for arguments in (["ping"], ["list"], ["cancel", "k"], ["store", "k", "--ttl", "1s"]):
                with self.subTest(url=url, arguments=arguments):
                    begin = time.monotonic()
                    said = call("--server", url, *arguments)
                    self.assertEqual((said.code, said.out), (7, ""), said)
                    self.assertIn(url, said.err)
                    self.assertLess(time.monotonic() - begin, 5 * PATIENCE)
            (told,) = call("--server", url, "--json", "ping").objects()
            self.assertEqual((told["status"], told["server"]), ("UNAVAILABLE", url))

    def test_an_address_that_no_socket_can_have_is_a_usage_error(self):
        url = f"ipc:///{'p' * 108}"
        said = call("--server", url, "ping")
        self.assertEqual((said.code, said.out), (2, ""), said)
        self.assertIn(url, said.err)
        (told,) = call("--server", url, "--json", "ping").objects()
        self.assertEqual(told["status"], "INVALID")

    def test_what_cannot_be_printed_is_no_success(self):
        self.daemon()
        with open("/dev/full", "wb") as full:
            done = subprocess.run([CANCELCTL, "--server", self.url(), "ping"], stdout=full,
                                  stderr=subprocess.PIPE, timeout=20 * PATIENCE)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"standard output", done.stderr)


if __name__ == "__main__":
    main()
