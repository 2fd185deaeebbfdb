# SPDX-License-Identifier: MIT
"""The files that the lint looks at, and C without its comments and strings."""
import os
import re
import sys

DIRECTORIES = ("runtime", "clients", "tests", "bench", "proto", "cmake", ".ci")


def root():
    """The tree to look at: the one given, or this one."""
    if len(sys.argv) > 1:
        return os.path.abspath(sys.argv[1])
    return os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def files(*endings):
    """Paths of ours, from the root, that end in one of these (any, without endings)."""
    found = []
    for directory in DIRECTORIES:
        for place, directories, names in os.walk(os.path.join(root(), directory)):
            directories[:] = sorted(d for d in directories if d not in ("__pycache__", "build"))
            found += [os.path.relpath(os.path.join(place, name), root())
                      for name in sorted(names) if not endings or name.endswith(endings)]
    if os.path.exists(os.path.join(root(), "CMakeLists.txt")) and not endings:
        found.append("CMakeLists.txt")
    return found


def text(path):
    with open(os.path.join(root(), path), encoding="utf-8") as file:
        return file.read()


COMMENT_OR_STRING = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'',
                               re.DOTALL)


def code(path):
    """The text of a C file with comments and literals blanked, line by line as before."""
    return COMMENT_OR_STRING.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text(path))


def finish(findings, what):
    """Prints the findings and ends the process."""
    for finding in findings:
        print(finding)
    print(f"{what}: {len(findings)} found" if findings else f"{what}: none")
    sys.exit(1 if findings else 0)
