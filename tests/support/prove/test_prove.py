# SPDX-License-Identifier: MIT
"""tests/prove with parts that are invented, and its table, its page and its planted bugs as they are."""
import json
import os
import subprocess
import sys
import tempfile
import time
import types
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
sys.path[:0] = [os.path.join(HERE, "..", "python"), HERE]

import page  # noqa: E402
import parts  # noqa: E402

ROW = '{"part": "x", "figure": "events", "value": 120, "goal": 100, "sense": ">=", "seed": 3}'


def part(code, **more):
    more = {"name": "x", "title": "X", "quick_seconds": 5, "full_seconds": 5, **more}
    return parts.Part(command=[sys.executable, "-c", code], **more)


def outcome(rows, kind="", why=""):
    return parts.Outcome(part("pass"), rows, kind, why, 2)


class Running(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.places = {"builds": self.directory.name, "source": ROOT, "logs": self.directory.name}

    def run_all(self, *chosen):
        schedule, outcomes = parts.Schedule(chosen, self.places, True, 5), []
        try:
            while not schedule.is_done():
                outcomes += schedule.step()
                self.assertLessEqual(sum(of.part.cores for of in schedule.running), 2)
        finally:
            schedule.end()
        return outcomes

    def run_one(self, code, **more):
        return self.run_all(part(code, **more))[0]

    def test_a_part_gets_its_options_its_places_and_its_seed(self):
        of = parts.Part("x", "X", ["@build/tests/x", "@scratch/s"], 1, 1)
        self.assertEqual(of.words(True, 5), ["@build/tests/x", "@scratch/s", "--quick", "--seed", "5"])
        of = parts.Part("x", "X", ["x"], 1, 1, quick=["10", "@seed"], full=["20", "@seed"])
        self.assertEqual((of.words(True, 5), of.words(False, 5)), (["x", "10", "5"], ["x", "20", "5"]))
        of = parts.Part("x", "X", ["x"], 1, 1, quick=[], environment={"S": "@seed"})
        self.assertEqual((of.words(True, 5), of.variables(5)), (["x"], {"S": "5"}))

    def test_its_figures_are_read_and_judged(self):
        of = self.run_one(f"print('{ROW}')")
        self.assertEqual((of.kind, of.rows[0]["value"], of.rows[0]["seed"], parts.is_met(of.rows[0])), ("", 120, 3, True))
        self.assertFalse(parts.is_met({"value": 99, "goal": 100, "sense": ">="}))
        self.assertIsNone(parts.is_met({"value": 99}))

    def test_sentences_are_searched_for_figures(self):
        figures = [{"figure": "kills", "pattern": "^kills (\\d+)", "goal": 50, "quick_goal": 5, "sense": ">="},
                   {"figure": "all", "pattern": "kills (\\d+)", "taken": "sum"},
                   {"figure": "never", "pattern": "NEVER", "taken": "count", "goal": 0, "sense": "=="}]
        of = self.run_one("print('kills 3\\nkills 7')", figures=figures)
        self.assertEqual([(row["figure"], row["value"]) for row in of.rows], [("kills", 7), ("all", 10), ("never", 0)])
        self.assertEqual([row.get("goal") for row in of.rows], [5, None, 0])
        of = self.run_one("print('nothing')", figures=figures)
        self.assertEqual(of.kind, "failed")
        self.assertIn("did not print: all, kills", of.why)

    def test_a_violation_a_nonsense_and_a_silence_are_failures(self):
        of = self.run_one(f"print('{ROW}'); import sys; sys.stderr.write('seed 3: lost'); sys.exit(1)")
        self.assertEqual((of.kind, len(of.rows)), ("failed", 1))
        self.assertIn("exit code 1: seed 3: lost", of.why)
        self.assertIn("--seed 5", of.why)
        self.assertIn("no figure", self.run_one("print('hello')").why)
        self.assertIn("no figure", self.run_one("print('{\"figure\": \"x\", \"value\": 1, \"goal\": 2}')").why)
        self.assertIn("no figures", self.run_one("pass").why)

    def test_a_part_that_hangs_is_ended(self):
        of = self.run_one("import time; time.sleep(1000)", quick_seconds=-19.8)  # a patience of 0.6 s
        self.assertIn("not done after", of.why)

    def test_what_is_not_there_or_not_built_is_missing(self):
        of = self.run_one("pass", needs={"no-such-program": "a-package"})
        self.assertEqual((of.kind, of.why), ("missing", "not there: a-package is not installed"))
        self.assertEqual(self.run_all(parts.Part("x", "X", ["@build/tests/none"], 1, 1))[0].why, "not built: none")
        self.assertEqual(self.run_all(parts.Part("x", "X", ["true", "@build/bin/none"], 1, 1))[0].why, "not built: none")

    def test_what_cannot_be_started_has_failed_and_the_others_run(self):
        path = os.path.join(self.directory.name, "script")
        with open(path, "w", encoding="utf-8") as file:
            file.write("no program\n")
        os.chmod(path, 0o755)
        outcomes = self.run_all(parts.Part("y", "Y", [path], 1, 1), part(f"print('{ROW}')"))
        self.assertEqual([of.kind for of in outcomes], ["failed", ""])
        self.assertIn("cannot be started", outcomes[0].why)

    def test_one_that_needs_both_cores_runs_alone_and_the_others_side_by_side(self):
        code = f"import time; time.sleep(0.5); print('{ROW}')"
        begin = time.monotonic()
        outcomes = self.run_all(part(code, name="a"), part(code, name="b"), part(code, name="c", cores=2))
        took = time.monotonic() - begin
        self.assertEqual(sorted(of.part.name for of in outcomes), ["a", "b", "c"])
        self.assertEqual([of.kind for of in outcomes], ["", "", ""])
        self.assertGreater(took, 1)

    def test_a_scratch_directory_is_removed(self):
        of = parts.Part("x", "X", [sys.executable, "-c", "import sys, json; print(json.dumps({'figure': sys.argv[1], 'value': 1}))",
                                   "@scratch"], 5, 5)
        directory = self.run_all(of)[0].rows[0]["figure"]
        self.assertIn("canceld-x-", directory)
        self.assertFalse(os.path.exists(directory))


class Pages(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)

    def results(self):
        return page.Results(ROOT, self.directory.name)

    def row(self, value, **more):
        return {"part": "x", "figure": "events", "value": value, "goal": 100, "sense": ">=", **more}

    def test_what_has_a_goal_is_told_for_both_runs_side_by_side(self):
        results = self.results()
        results.add([outcome([self.row(1234567), self.row(7, figure="few", unit="ms"), {"part": "x", "figure": "other", "value": 3}])], "quick", 5)
        results.add([outcome([self.row(99)])], "full", 6)
        text = results.part_of_page()
        self.assertIn("| X | events | 99 | >= 100 | MISSED | 1,234,567 | >= 100 | met |", text)
        self.assertIn("| X | few |  |  | not measured | 7 ms | >= 100 ms | MISSED |", text)
        self.assertNotIn("other", text)
        self.assertIn("| `x` | --quick | 5 | 2 s |", text)
        self.assertIn("| other | 3 |  |  |", results.figures())

    def test_figures_of_one_name_are_told_apart_by_their_notes(self):
        results = self.results()
        results.add([outcome([self.row(500, note="of a"), self.row(600, note="of b"), self.row(7, figure="few", note="x")])], "quick", 5)
        text = results.part_of_page()
        self.assertIn("| X | events (of a) |", text)
        self.assertIn("| X | events (of b) |", text)
        self.assertIn("| X | few |", text)

    def test_parts_of_one_run_come_one_after_the_other(self):
        results = self.results()
        results.add([outcome([self.row(500)])], "quick", 5)
        results.save()
        other = outcome([self.row(600)])
        other.part = part("pass", name="y", title="Y")
        results.add([other], "quick", 5)
        self.assertNotIn(f"met, {page.NOT_AGAIN}", results.part_of_page())
        self.assertEqual(self.results().all["parts"]["quick"].keys(), {"x"})  # what was there had it ended then

    def test_what_an_earlier_run_measured_is_kept_and_marked(self):
        results = self.results()
        results.add([outcome([self.row(500)])], "quick", 5)
        other = outcome([self.row(600)])
        other.part = part("pass", name="y", title="Y")
        results.add([other], "quick", 6)
        text = results.part_of_page()
        self.assertIn("| 500 | >= 100 | met, not measured again |", text)
        self.assertIn("| 600 | >= 100 | met |", text)
        self.assertIn("## `x` --quick, not measured again", results.figures())
        self.assertIn("## `y` --quick\n", results.figures())

    def test_what_is_not_there_keeps_its_figures_and_what_fails_does_not(self):
        results = self.results()
        results.add([outcome([self.row(500)])], "quick", 5)
        results.add([outcome([], "missing", "not built: x")], "quick", 6)
        self.assertIn("500", results.part_of_page())
        results.add([outcome([], "failed", "exit code 1 | lost")], "quick", 7)
        text = results.part_of_page()
        self.assertNotIn("500", text)
        self.assertIn("failed: exit code 1 \\| lost", text)

    def test_the_page_is_filled_between_its_marks_and_is_then_current(self):
        path = os.path.join(self.directory.name, "testing.md")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"# T\n{page.BEGIN}\noutdated\n{page.END}\nafter\n")
        results = self.results()
        results.add([outcome([self.row(500)])], "full", 5)
        self.assertFalse(page.is_current(results, path))
        page.write_page(results, path)
        results.save()
        self.assertIn("| events | 500 |", page.read(page.figures_beside(path)))
        self.assertTrue(page.is_current(self.results(), path))
        text = page.read(path)
        self.assertTrue(text.endswith(f"{page.END}\nafter\n"))
        self.assertNotIn("outdated", text)

    def test_the_table_of_the_terminal_has_each_figure(self):
        text = page.table([outcome([self.row(500)]), outcome([], "failed", "exit code 1")])
        self.assertIn("events", text)
        self.assertIn("FAILED: exit code 1", text)


class Like(unittest.TestCase):
    def test_a_part_like_another_says_only_what_differs(self):
        figures = [{"figure": "kills", "pattern": "(a)", "goal": 5, "sense": ">="}, {"figure": "p99", "pattern": "(b)", "unit": "ms"}]
        table = {"parts": [{"name": "one", "title": "One", "command": ["x"], "quick_seconds": 1, "full_seconds": 2, "cores": 2,
                            "figures": figures},
                           {"name": "two", "title": "Two", "like": "one", "cores": 1, "goals": {"kills": 7}, "without": ["ms"]}]}
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write(json.dumps(table))
            file.flush()
            one, two = parts.read(file.name)
        self.assertEqual((one.title, two.title, two.command, one.cores, two.cores), ("One", "Two", ["x"], 2, 1))
        self.assertEqual([(of["figure"], of.get("goal")) for of in one.figures], [("kills", 5), ("p99", None)])
        self.assertEqual([(of["figure"], of.get("goal")) for of in two.figures], [("kills", 7)])


class Tree(unittest.TestCase):
    def test_the_table_of_the_tree_can_be_read_and_stands_in_the_page(self):
        every = parts.read(os.path.join(ROOT, "tests", "prove.json"))
        names = [of.name for of in every]
        self.assertEqual(len(names), len(set(names)))
        text = page.read(os.path.join(ROOT, "docs", "testing.md"))
        self.assertEqual([name for name in names if f"`{name}`" not in text], [])
        with open(os.path.join(ROOT, "CMakePresets.json"), encoding="utf-8") as file:
            presets = {preset["name"] for preset in json.load(file)["configurePresets"]}
        self.assertLessEqual({of.preset for of in every if of.preset}, presets)
        both = sum(of.quick_seconds * of.cores / 2 for of in every)
        self.assertLess(both, 9 * 60, "tests/prove --quick is promised under nine minutes on two cores")
        self.assertLess(sum(of.full_seconds * of.cores / 2 for of in every), 67 * 60, "and --full in about 65")

    def test_the_page_is_what_its_results_say(self):
        results = page.Results(ROOT, os.path.join(ROOT, "docs", "testing"))
        self.assertTrue(page.is_current(results, os.path.join(ROOT, "docs", "testing.md")), "tests/prove --report writes it again")

    def test_prove_tells_how_it_is_used_and_names_its_parts(self):
        done = subprocess.run([os.path.join(ROOT, "tests", "prove"), "--list"], capture_output=True, text=True, check=True)
        self.assertIn("tests/prove --quick --only model", done.stdout)


class Planted(unittest.TestCase):
    def bug(self, *edits):
        return types.SimpleNamespace(name="b", edits=edits)

    def setUp(self):
        sys.path.insert(0, os.path.join(ROOT, "tests", "planted"))
        import run
        self.run_of = run

    def test_a_bug_is_planted_where_its_text_stands_just_once(self):
        of = self.bug(("a.c", "x = 1;", "x = 2;"), ("a.c", "y = 1;", "y = 2;"))
        self.assertEqual(self.run_of.planted(of, lambda _path: "x = 1;\ny = 1;\n"), {"a.c": "x = 2;\ny = 2;\n"})

    def test_one_whose_text_is_gone_or_there_twice_is_a_failure(self):
        for text in ("x = 3;", "x = 1; x = 1;"):
            with self.assertRaises(self.run_of.Wrong):
                self.run_of.planted(self.bug(("a.c", "x = 1;", "x = 2;")), lambda _path, text=text: text)

    def test_each_layer_has_five(self):
        layers = [bug.layer for bug in self.run_of.read_all()]
        self.assertGreaterEqual(len(layers), self.run_of.GOAL)
        for layer in self.run_of.LAYERS:
            self.assertGreaterEqual(layers.count(layer), 5, layer)


if __name__ == "__main__":
    unittest.main(verbosity=2)
