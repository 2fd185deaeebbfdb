# SPDX-License-Identifier: MIT
"""bench/run with programs that are invented: what is missing, what fails, what hangs, and what it costs."""
import json
import os
import select
import subprocess
import sys
import tempfile
import unittest

import invented

import programs

PRINTS = 'print(\'{"group": "map", "row": "mix-1M", "peer": "ours-window-64", "unit": "ns/op", "value": 60}\')'


def program(code, **more):
    return programs.Program("x", "map", [sys.executable, "-c", code], quick=["--quick"], **more)


class Programs(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.places = {"build": self.directory.name, "bench": "/bench", "logs": self.directory.name}
        self.said = []

    def tearDown(self):
        self.directory.cleanup()

    def run_one(self, of):
        return programs.run(of, self.places, True, 5, lambda _seconds, text: self.said.append(text))

    def test_a_program_gets_its_options_and_its_places(self):
        of = programs.Program("x", "map", ["@build/bin/x", "@bench/y"])
        self.assertEqual(programs.command_of(of, self.places, True, 5),
                         [self.directory.name + "/bin/x", "/bench/y", "--quick", "--seed", "5"])
        self.assertEqual(programs.command_of(of, self.places, False, 5)[2:], ["--seed", "5"])

    def test_its_figures_are_read(self):
        run = self.run_one(program(PRINTS))
        self.assertEqual((run.status, [of["value"] for of in run.lines]), ("", [60]))

    def test_a_program_or_a_file_that_is_not_installed_is_a_row_for_each_of_its_own(self):
        of = program(PRINTS, needs={"no-such-program": "erlang-base"}, peer=["erlang", "elixir"], rows=["count", "ask"])
        run = self.run_one(of)
        self.assertEqual(run.lines, [{"group": "map", "row": row, "peer": peer, "missing": "not there: erlang-base is not installed"}
                                     for row in ("count", "ask") for peer in ("erlang", "elixir")])
        run = self.run_one(program(PRINTS, files={"/no/such/file": "libcaf-dev"}))
        self.assertIn("libcaf-dev", run.status)

    def test_a_program_that_was_not_built_is_a_row(self):
        run = self.run_one(programs.Program("x", "map", ["@build/bin/bench_x"]))
        self.assertEqual(run.lines[0]["missing"], "not built: bench_x")

    def test_one_that_fails_says_its_last_words_and_keeps_what_it_measured(self):
        run = self.run_one(program(PRINTS + "; import sys; sys.stderr.write('a\\nno memory\\n'); sys.exit(3)"))
        self.assertEqual(run.status, "exit code 3: no memory")
        self.assertEqual([of.get("failed", of.get("value")) for of in run.lines], [60, "exit code 3: no memory"])

    def test_one_that_prints_nonsense_or_nothing_has_failed(self):
        self.assertIn("no figure", self.run_one(program("print('hello')")).status)
        self.assertIn("no figures", self.run_one(program("pass")).status)

    def test_one_that_hangs_is_ended_with_all_that_it_started(self):
        pids = os.path.join(self.directory.name, "pid")
        code = (f"import subprocess, time; p = subprocess.Popen(['sleep', '1000']); open({pids!r}, 'w').write(str(p.pid)); "
                "time.sleep(1000)")
        run = self.run_one(program(code, quick_seconds=-4.8))  # a patience of 0.8 s
        self.assertIn("not done after", run.status)
        with open(pids, encoding="utf-8") as file:
            pid = int(file.read())
        self.assertTrue(ends(pid), "what it started has been killed with it")


def ends(pid, patience_seconds=10):
    """Whether process `pid` has ended, or does so: a SIGKILL takes effect a moment after it was sent."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], patience_seconds)[0])
    finally:
        os.close(descriptor)


class Table(unittest.TestCase):
    def test_the_table_of_the_tree_can_be_read_and_names_known_groups(self):
        found = programs.read(os.path.join(invented.ROOT, "bench", "programs.json"))
        names = [of.name for of in found]
        self.assertEqual(len(names), len(set(names)))
        self.assertTrue(all(isinstance(of.peer, (str, list)) for of in found))
        from groups import GROUPS  # after the table: a wrong one is to be told first
        self.assertLessEqual({of.group for of in found}, set(GROUPS))
        self.assertLess(sum(of.quick_seconds for of in found), 180, "bench/run --quick is promised under 3 minutes")

    def test_run_tells_how_it_is_used(self):
        done = subprocess.run([os.path.join(invented.ROOT, "bench", "run"), "--help"], capture_output=True, text=True, check=True)
        for option in ("--quick", "--only", "--seed", "--output", "--report"):
            self.assertIn(option, done.stdout)

    def test_a_report_alone_measures_nothing(self):
        with tempfile.TemporaryDirectory() as directory:
            done = subprocess.run([os.path.join(invented.ROOT, "bench", "run"), "--report", "--output", directory],
                                  capture_output=True, text=True, check=True)
            with open(os.path.join(directory, "results.json"), encoding="utf-8") as file:
                self.assertEqual(json.load(file)["rows"], [])
        self.assertIn("not measured", done.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
