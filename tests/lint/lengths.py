# SPDX-License-Identifier: MIT
"""No file above 600 lines (the public manual, clients/c/include, may) and no function above 60. A
function is what stands between a brace alone in the first column and the next one, as clang-format
leaves it here."""
import tree

FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 60
MANUAL = "clients/c/include/"


def long_functions(path):
    begin = None
    for number, line in enumerate(tree.code(path).splitlines(), 1):
        if line.rstrip() == "{":
            begin = number
        elif line.rstrip() == "}" and begin is not None:
            if number - begin - 1 > FUNCTION_LINES_MAX:
                yield f"{path}:{begin}: a function of {number - begin - 1} lines"
            begin = None


def main():
    findings = []
    for path in tree.files(".c", ".h", ".py"):
        lines = tree.text(path).count("\n")
        if lines > FILE_LINES_MAX and not path.startswith(MANUAL):
            findings.append(f"{path}: {lines} lines")
        if not path.endswith(".py"):
            findings += long_functions(path)
    tree.finish(findings, "files and functions that are too long")


main()
