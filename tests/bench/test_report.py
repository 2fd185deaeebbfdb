# SPDX-License-Identifier: MIT
"""The report of bench/run, from rows that are invented: the goals, the pages, the plots."""
import json
import os
import re
import tempfile
import unittest
import xml.etree.ElementTree

import invented
from invented import line

import cited
import goals
import markdown
import plots
import rows
from programs import Program, Run
from report import Report

GROUP_OF = {"map": 0, "scale": 1, "actor": 2, "codec": 3, "socket": 4}


def judged(lines):
    return {of["number"]: of for of in goals.judge_all(rows.gather(lines))}


def without(row, peer=None):
    group, name = row.split("/")
    return [of for of in invented.lines() if not (of["group"] == group and of["row"] == name and peer in (None, of["peer"]))]


class Rows(unittest.TestCase):
    def test_turns_of_one_figure_become_its_median_and_its_worst_stays(self):
        row = rows.gather([line("map/mix-1M", "mutex", v, worst_ns=w) for v, w in ((5, 1), (1, 9), (3, 2))])[0]
        self.assertEqual(row["figures"]["mutex"]["value"], 3)
        self.assertEqual(row["figures"]["mutex"]["samples"], [5, 1, 3])
        self.assertEqual(row["figures"]["mutex"]["worst_ns"], 9)

    def test_our_best_design_is_named_for_less_and_for_more(self):
        ns = rows.gather([line("map/a", "ours-inline", 70), line("map/a", "ours-window-64", 60), line("map/a", "mutex", 9)])[0]
        self.assertEqual((ns["ours_design"], ns["ours"], ns["peers"]), ("ours-window-64", 60, {"mutex": 9}))
        rate = rows.gather([line("socket/a", "ours", 5, "ops/s"), line("socket/a", "ours-rep", 4, "ops/s")])[0]
        self.assertEqual(rate["ours_design"], "ours")

    def test_a_peer_that_is_missing_is_a_row_that_says_so_and_has_no_figure(self):
        row = rows.gather([{"group": "actor", "row": "count", "peer": "caf", "missing": "not there"}])[0]
        self.assertEqual((row["figures"], row["missing"]), ({}, {"caf": "not there"}))

    def test_a_figure_in_another_unit_is_not_compared(self):
        row = rows.gather([line("map/a", "ours", 1), line("map/a", "go", 1, "us")])[0]
        self.assertEqual(list(row["figures"]), ["ours"])
        self.assertIn("unit", row["missing"]["go"])

    def test_what_is_no_line_of_figures_is_told_apart(self):
        good = json.dumps(line("map/a", "ours", 1))
        bad = ["warning: x", '{"group": "map"}', '{"group":"map","row":"a","peer":"ours","unit":"ns/op","value":"1"}', "7"]
        lines, told = rows.read_lines("\n".join([good, *bad, ""]))
        self.assertEqual((len(lines), told), (1, bad))

    def test_values_are_shown_with_their_unit(self):
        shown = [rows.format_value(*of) for of in ((61.54, "ns/op"), (12_000, "ns/op"), (2e7, "ns/op"), (33.2, "us"),
                                                    (1.3e6, "ops/s"), (25_400, "ops/s"), (77, "bytes/entry"), (0.4, "percent"))]
        self.assertEqual(shown, ["61.5 ns", "12.0 us", "20.0 ms", "33.2 us", "1.30 M/s", "25.4 k/s", "77.0 bytes", "0.40 %"])


class Goals(unittest.TestCase):
    def test_all_eleven_are_decided_by_the_rows(self):
        of = judged(invented.lines())
        self.assertEqual({number: of[number]["met"] for number in of}, {n: n != 8 for n in range(1, 12)})
        self.assertIn("0.88x (70.0 us beside 80.0 us)", of[8]["checks"][0]["measured"])

    def test_each_check_is_missed_when_our_figure_is_far_off_and_unmeasured_without_it(self):
        for index, (_text, checks) in enumerate(goals.GOALS, 1):
            for place, check in enumerate(checks):
                name, peer, field = check.ours.rows[0], check.ours.peers[0].rstrip("*"), check.ours.field
                with self.subTest(goal=index, check=check.text):
                    self.assertIsNone(judged(without(name, peer))[index]["checks"][place]["met"])
                    spoilt = [self.spoil(of, field) if f'{of["group"]}/{of["row"]}' == name and of["peer"] == peer else of
                              for of in invented.lines()]
                    result = judged(spoilt)[index]
                    self.assertIs(result["checks"][place]["met"], False)
                    self.assertIs(result["met"], False)
                    self.assertTrue(result["checks"][place]["why"])

    @staticmethod
    def spoil(of, field):
        worse = 1 / 50 if of["unit"] == "ops/s" else 50
        return {**of, field: of[field] * worse}

    def test_a_bound_that_is_just_reached_is_met(self):
        for value, met in ((80, True), (80.1, False)):
            lines = without("scale/bytes-1M") + [line("scale/bytes-1M", "ours-daemon", value, "bytes/entry")]
            self.assertIs(judged(lines)[5]["met"], met)

    def test_ratios_are_taken_turn_by_turn(self):
        lines = without("map/read90-1M", "mutex")
        lines = [of for of in lines if not (of["row"] == "read90-1M" and of["peer"] == "ours-window-64")]
        for ours, mutex in ((100, 400), (50, 200), (60, 60)):  # the last turn was disturbed
            lines += [line("map/read90-1M", "ours-window-64", ours), line("map/read90-1M", "mutex", mutex)]
        self.assertEqual(judged(lines)[1]["checks"][0]["value"], 4)

    def test_a_runtime_is_compared_at_its_best_number_of_threads(self):
        lines = invented.lines() + [line("actor/cdict-20", "erlang-2-schedulers", 400), line("actor/cdict-20", "erlangen", 1)]
        check = judged(lines)[2]["checks"][0]
        self.assertEqual((check["met"], check["rows"]), (False, ["actor/cdict-20 ours", "actor/cdict-20 erlang-2-schedulers"]))

    def test_a_missing_peer_leaves_its_goal_open_and_says_why(self):
        lines = without("actor/count", "erlang") + [
            {"group": "actor", "row": "count", "peer": "erlang", "missing": "not there: erlang-base is not installed"}]
        of = judged(lines)[2]
        self.assertIsNone(of["met"])
        self.assertIn("erlang-base is not installed", of["checks"][2]["why"])

    def test_a_smaller_size_stands_in_where_the_large_one_was_not_run(self):
        lines = without("scale/grow-10M") + [line("scale/grow-1M", "ours", 100, worst_ns=2e6)]
        check = judged(lines)[4]["checks"][0]
        self.assertEqual((check["met"], check["rows"]), (False, ["scale/grow-1M ours"]))
        self.assertEqual(check["measured"], "2.00 ms, of grow-1M")

    def test_the_row_that_decides_a_goal_is_told(self):
        found = rows.gather(invented.lines())
        goals.judge_all(found)
        of = rows.by_name(found)
        self.assertEqual((of["map/mix-1M"]["met"], of["socket/round-trip"]["met"]), (True, False))
        self.assertIn("8:", of["socket/round-trip"]["goal"])
        self.assertIsNone(of["actor/banking"]["goal"])


class Pages(unittest.TestCase):
    def report(self, root, lines):
        os.makedirs(os.path.join(root, "docs"), exist_ok=True)
        report = Report(root, os.path.join(root, "docs", "benchmark"))
        runs = {}
        for of in lines:
            runs.setdefault(of["group"], Run([], "", 2.0, 1.0, 0.0)).lines.append(of)
        report.add([(Program(group, group, ["x"]), run) for group, run in runs.items()], True, 7)
        report.write()
        return report

    def read(self, root, *names):
        with open(os.path.join(root, *names), encoding="utf-8") as file:
            return file.read()

    def test_results_have_a_row_for_each_name_with_what_the_issue_asks(self):
        with tempfile.TemporaryDirectory() as root:
            self.report(root, invented.lines())
            results = json.loads(self.read(root, "docs", "benchmark", "results.json"))
        names = [row["name"] for row in results["rows"]]
        self.assertEqual(len(names), len(set(names)))
        groups = [GROUP_OF[row["group"]] for row in results["rows"]]
        self.assertEqual(groups, sorted(groups))
        for row in results["rows"]:
            self.assertLessEqual({"name", "unit", "ours", "peers", "goal", "met"}, set(row))
        self.assertLessEqual({"cpu", "cores", "kernel", "versions"}, set(results["machine"]))

    def test_the_page_has_goals_losses_and_what_is_not_there(self):
        with tempfile.TemporaryDirectory() as root:
            self.report(root, invented.lines())
            page = self.read(root, "docs", "benchmark", "README.md")
        self.assertEqual(page.count("**MISSED**"), 1)
        self.assertIn("- Goal 8, round trip: missed.", page)
        self.assertIn("**LOSS: 1.75x slower** (40.0 us)", page)
        self.assertIn("5.63x faster (338 ns)", page)
        self.assertIn("- NATS: not there: nats-server is not installed (cancel-notice)", page)
        self.assertIn("- **canceld, one ask at a time**: One ask at a time pays", page)
        self.assertIn("\n  - `mix-1M` (930 ns): 11.8x slower than 64 spinlock shards; ", page)
        self.assertIn("51 of 680", page)

    def test_what_was_measured_among_noise_is_marked(self):
        lines = [{**of, "slices_thrown": 40} if of["peer"] == "mutex" and of["row"] == "mix-1M" else of for of in invented.lines()]
        with tempfile.TemporaryDirectory() as root:
            report = self.report(root, lines)
            page = self.read(root, "docs", "benchmark", "README.md")
            self.assertNotIn("DISTURBED", page + report.summary())
            report.add([(Program("map", "map", ["x"]), Run(lines, "", 2.0, 30.0, 0.0))], True, 7)
            report.write()
            page_of_noise = self.read(root, "docs", "benchmark", "README.md")
        self.assertIn("5.63x faster (338 ns\u2020)", page)
        self.assertIn("5.63x (60.0 ns beside 338 ns\u2020)", page)
        self.assertIn("\u2020 No slice of it was quiet", page)
        self.assertIn("DISTURBED", page_of_noise)
        self.assertIn("| >= 3x | met, disturbed |", page_of_noise)
        self.assertIn("DISTURBED", report.summary())

    def test_every_table_has_as_many_cells_in_each_line(self):
        with tempfile.TemporaryDirectory() as root:
            self.report(root, invented.lines())
            page = self.read(root, "docs", "benchmark", "README.md")
        for block in re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE):
            widths = {len(re.split(r"(?<!\\)\|", of)) for of in block.splitlines()}
            self.assertEqual(len(widths), 1, block)
            self.assertRegex(block.splitlines()[1], r"^\|( ?-+:? ?\|)+$")

    def test_every_plot_is_well_formed_and_stands_in_the_page(self):
        with tempfile.TemporaryDirectory() as root:
            self.report(root, invented.lines())
            page = self.read(root, "docs", "benchmark", "README.md")
            for plot in plots.PLOTS:
                with self.subTest(plot=plot[0]):
                    tree = xml.etree.ElementTree.fromstring(self.read(root, "docs", "benchmark", plot[0] + ".svg"))
                    self.inside(tree)
                    self.assertIn(f"]({plot[0]}.svg)", page)

    def inside(self, tree):
        """Nothing is drawn beyond the edge."""
        width, height = float(tree.get("width")), float(tree.get("height"))
        for element in tree.iter():
            for name, limit in (("x", width), ("x1", width), ("x2", width), ("cx", width), ("y", height), ("y1", height), ("cy", height)):
                if element.get(name):
                    self.assertTrue(0 <= float(element.get(name)) <= limit, xml.etree.ElementTree.tostring(element))

    def test_a_name_with_marks_of_its_own_does_no_harm(self):
        drawn = plots.draw_all(rows.gather([*invented.lines(), line("map/mix-1M", "<&>", 99)]))["map-designs"][2]
        texts = [of.text for of in xml.etree.ElementTree.fromstring(drawn).iter() if of.tag.endswith("text")]
        self.assertIn("<&>", texts)

    def test_a_plot_goes_when_its_figures_go(self):
        with tempfile.TemporaryDirectory() as root:
            self.report(root, invented.lines())
            self.report(root, [line("actor/count", "ours", 31)])
            there = os.listdir(os.path.join(root, "docs", "benchmark"))
        self.assertIn("map-designs.svg", there)
        self.assertNotIn("actor.svg", there)

    def test_a_report_of_nothing_but_failures_is_written(self):
        lines = [{"group": group, "row": "(x)", "peer": "ours", "failed": "exit code 3: <&> | no"} for group in GROUP_OF]
        with tempfile.TemporaryDirectory() as root:
            report = self.report(root, lines)
            self.assertEqual(report.differing(), [])
            page = self.read(root, "docs", "benchmark", "README.md")
            self.assertEqual([n for n in os.listdir(os.path.join(root, "docs", "benchmark")) if n.endswith("svg")], [])
        self.assertIn("failed: exit code 3: <&> | no", page)
        self.assertTrue(all(goal["met"] is None for goal in report.results["goals"]))
        self.assertIn("not measured", report.summary())

    def test_a_group_measured_again_takes_the_place_of_its_rows_alone(self):
        with tempfile.TemporaryDirectory() as root:
            self.report(root, invented.lines())
            again = self.report(root, [line("actor/count", "ours", 31)])
            named = rows.by_name(again.results["rows"])
        self.assertEqual(named["actor/count"]["figures"]["ours"]["value"], 31)
        self.assertNotIn("actor/banking", named)
        self.assertIn("map/mix-1M", named)


class Cited(unittest.TestCase):
    def test_figures_in_prose_are_put_there(self):
        results = {"rows": rows.gather(invented.lines()), "measured": {}}
        text = ("**?**<!-- map/mix-1M mutex --> **?**<!-- map/mix-1M mutex / ours-window-64 -->\n"
                "**?**<!-- scale/grow-10M glib worst_ns --> **?**<!-- scale/grow-9M|scale/grow-10M ours worst_ns --> "
                "**?**<!-- map/none mutex --> **bold** <!-- note -->")
        filled = cited.fill(text, results)
        self.assertEqual(re.findall(r"\*\*([^*]+)\*\*", filled), ["338 ns", "5.63x", "210 ms", "700 us (grow-10M)", "(not measured)", "bold"])
        self.assertEqual(cited.fill(filled, results), filled)

    def test_the_readme_agrees_after_a_run_and_not_after_a_hand_changed_it(self):
        with tempfile.TemporaryDirectory() as root:
            path = os.path.join(root, "README.md")
            with open(path, "w", encoding="utf-8") as file:
                file.write(f"# x\n\n{cited.BEGIN}\nold\n{cited.END}\n\nafter\n")
            report = Pages().report(root, invented.lines())
            text = cited.read(path)
            self.assertEqual(report.differing(), [])
            self.assertNotIn("old", text)
            self.assertTrue(text.endswith("\n\nafter\n"))
            self.assertIn("| one outstanding: <= 0.8x the round trip of bare NNG REQ/REP | round trip: 0.88x", text)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text.replace("0.88x", "0.78x"))
            self.assertEqual(report.differing(), [path])

    def test_losses_name_the_worst_peer_and_a_reason(self):
        text = cited.readme_part({"rows": rows.gather(invented.lines()), "measured": {"map": {"disturbed": False}}, "goals": [],
                                  "machine": {"cores": 2, "cpu": "a", "system": "b"}})
        self.assertIn("one ask at a time, `map/mix-1M`: 11.8x slower than 64 spinlock shards. One ask at a time pays", text)


class Units(unittest.TestCase):
    def test_a_cell_says_win_loss_or_even(self):
        row = rows.gather([line("map/mix-1M", "ours-window-64", 100), line("map/mix-1M", "mutex", 300),
                           line("map/mix-1M", "spin-64", 50), line("map/mix-1M", "go-mutex", 102)])[0]
        cells = [markdown.compared(row, p) for p in ("ours-window-64", "mutex", "spin-64", "go-mutex", "absent")]
        self.assertEqual(cells, ["**100 ns**", "3.00x faster (300 ns)", "**LOSS: 2.00x slower** (50.0 ns)", "even (102 ns)", ""])


if __name__ == "__main__":
    unittest.main(verbosity=2)
