# SPDX-License-Identifier: MIT
"""Each test that SECURITY.md names is there, and each row of its table of actors names one."""
import os
import re
import sys

import tree

PAGE = "SECURITY.md"
CITED = re.compile(r"`(tests/[^`:]+?)(?::(\w+))?`")
ACTORS = "| actor |"


def cited_findings(page):
    for path, name in CITED.findall(page):
        if not os.path.exists(os.path.join(tree.root(), path)):
            yield f"{PAGE}: there is no {path}"
        elif name and not re.search(rf"^(?:\s*def|static void) {name}\(", tree.text(path), re.MULTILINE):
            yield f"{PAGE}: there is no {name} in {path}"


def actor_rows(page):
    lines = iter(page.splitlines())
    for line in lines:
        if line.startswith(ACTORS):
            next(lines)
            for row in lines:
                if not row.startswith("|"):
                    return
                yield row


def main():
    if not os.path.exists(os.path.join(tree.root(), PAGE)):
        print(f"there is no {PAGE}")
        sys.exit(77)
    page = tree.text(PAGE)
    rows = list(actor_rows(page))
    findings = list(cited_findings(page))
    findings += [f"{PAGE}: no test is named for {row.split('|')[1].strip()}" for row in rows
                 if not CITED.search(row.rstrip("| ").rsplit("|", 1)[-1])]
    if not rows:
        findings.append(f"{PAGE}: there is no table of actors, or nobody in it")
    tree.finish(findings, "actors without a test, and tests that are not there")


main()
