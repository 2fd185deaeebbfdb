# SPDX-License-Identifier: MIT
"""cancelctl watch: what is there, what changes, what was missed, and how it ends."""
import signal
import time

from canceld_e2e import PATIENCE, delete, eventually, main, over_both, pb, store
from cli import CliCase, CliHelpers, call


@over_both
class Watch(CliHelpers):
    def setUp(self):
        self.daemon()

    def test_a_snapshot_comes_first_and_then_each_change(self):
        session = self.session()
        old = session.store(b"old", labels=[b"red"])
        going = self.begin("watch")
        first = going.await_objects(2)
        self.assertEqual([(row["kind"], row.get("key")) for row in first],
                         [("SNAPSHOT", "old"), ("CURRENT", None)])
        self.assertEqual((first[0]["gen"], first[0]["state"], first[0]["labels"]),
                         (str(old), "LIVE", ["red"]))
        gen = session.store(b"new")
        self.one("cancel", "new", "--reason", "why")
        session.op(delete(b"new", gen, outcome=pb.OUTCOME_CANCELLED))
        events = going.await_objects(5)[2:]
        self.assertEqual([(row["kind"], row["key"], row["gen"], row["state"]) for row in events],
                         [("EVENT", "new", str(gen), state)
                          for state in ("LIVE", "CANCELLING", "ENDED")])
        self.assertEqual((events[1]["cause"]["text"], events[2]["outcome"]), ("why", "CANCELLED"))
        revisions = [int(row["revision"]) for row in events]
        self.assertEqual(revisions, list(range(revisions[0], revisions[0] + 3)))

    def test_it_ends_after_so_many_events(self):
        session = self.session()
        session.store(b"old")
        going = self.begin("watch", "--no-snapshot", "--count", "2", json_lines=False)
        eventually(lambda: going.lines(), what="the first line")
        session.ops(store(b"a"), store(b"b"), store(b"c"))
        said = going.end()
        self.assertEqual(said.code, 0, said)
        self.assertRegex(said.out, r"\ACURRENT epoch=\d+ revision=\d+\nLIVE a gen=\d+\nLIVE b gen=\d+\n\Z")

    def test_it_ends_after_its_time(self):
        begin = time.monotonic()
        said = self.ctl("watch", "--timeout", "400ms")
        self.assertGreaterEqual(time.monotonic() - begin, 0.4)
        self.assertEqual([row["kind"] for row in said], ["CURRENT"])

    def test_a_signal_ends_it_between_two_lines(self):
        session = self.session()
        going = self.begin("watch")
        going.await_objects(1)
        session.store(b"a")
        going.await_objects(2)
        going.process.send_signal(signal.SIGINT)
        said = going.end()
        self.assertEqual(said.code, -signal.SIGINT, said)
        self.assertTrue(said.out.endswith("}\n"))

    def test_it_sees_its_namespace_alone(self):
        session = self.session()
        going = self.begin("--namespace", "n", "watch", "--count", "1")
        going.await_objects(1)
        session.store(b"elsewhere")
        session.store(b"here", namespace=b"n")
        going.end()
        self.assertEqual(going.objects()[-1]["key"], "here")

    def test_a_key_of_others_does_nothing_to_a_terminal(self):
        session = self.session()
        going = self.begin("watch", "--count", "1", json_lines=False)
        eventually(lambda: going.lines(), what="the first line")
        session.store(b"\x1b[2J\r\nLIVE forged gen=1")
        self.assertEqual(going.end().out.splitlines()[1].split(" gen=")[0],
                         r'LIVE "\033[2J\r\nLIVE forged')


class WatchAndRestart(CliCase):
    def test_a_restart_is_a_gap(self):
        daemon = self.daemon(ephemeral=False)
        self.one("store", "before", "--ttl", "60s")
        going = self.begin("watch")
        going.await_objects(2)
        daemon.restart()
        eventually(lambda: call("--server", self.url(), "store", "after", "--ttl", "60s").code == 0,
                   seconds=20, what="a store")
        eventually(lambda: any(row.get("key") == "after" for row in going.objects()), seconds=30,
                   what="the watch to go on")
        kinds = [row["kind"] for row in going.objects()]
        self.assertIn("GAP", kinds)
        self.assertLess(kinds.index("GAP"), len(kinds) - 1 - kinds[::-1].index("CURRENT"))
        epochs = {row["epoch"] for row in going.objects() if "epoch" in row}
        self.assertEqual(len(epochs), 2)

    def test_the_daemon_away_is_said_once_and_the_time_still_ends_it(self):
        daemon = self.daemon()
        going = self.begin("watch", "--timeout", f"{int(4 * PATIENCE)}s")
        going.await_objects(1)
        daemon.kill()
        said = going.end(seconds=30)
        self.assertEqual(said.code, 0, said)
        (event,) = said.events()
        self.assertEqual((event["event"], event["server"]), ("DEGRADED", self.url()), said)

    def test_the_daemon_away_is_said_at_once_and_so_is_its_return(self):
        daemon = self.daemon(ephemeral=False)
        going, human = self.begin("watch"), self.begin("watch", json_lines=False)
        going.await_objects(1)
        eventually(lambda: human.lines(), what="the other watch")
        daemon.kill()
        eventually(lambda: "DEGRADED" in going.said().err and "does not answer" in human.said().err,
                   what="both to say that it is away")
        daemon.start()
        eventually(lambda: "RESUMED" in going.said().err and "answers again" in human.said().err,
                   seconds=20, what="both to say that it is back")
        self.assertEqual([event["event"] for event in going.said().events()], ["DEGRADED", "RESUMED"])
        self.assertEqual(human.said().err.count(self.url()), 2)


if __name__ == "__main__":
    main()
