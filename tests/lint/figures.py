# SPDX-License-Identifier: MIT
"""Figures in the README and in the docs are those of docs/benchmark/results.json, and so are its page
and plots: `bench/run --report` makes all of them again."""
import os
import sys

import tree

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "bench", "report"))


def main():
    if not os.path.exists(os.path.join(tree.root(), "docs", "benchmark", "results.json")):
        print("there are no figures")
        sys.exit(77)
    from report import Report
    differing = Report(tree.root(), os.path.join(tree.root(), "docs", "benchmark")).differing()
    findings = [f"{os.path.relpath(path, tree.root())}: not what results.json says; run bench/run --report"
                for path in differing]
    tree.finish(findings, "pages that differ from their figures")


main()
