# SPDX-License-Identifier: MIT
"""Every file says its licence in its first line (the second after a #! line)."""
import tree

LINE = "SPDX-License-Identifier: MIT"
ENDINGS = (".c", ".h", ".in", ".proto", ".py", ".sh", ".cmake", "CMakeLists.txt", ".ci/run")


def main():
    findings = []
    for path in tree.files():
        if not path.endswith(ENDINGS):
            continue
        lines = tree.text(path).splitlines()[:2] or [""]
        if LINE not in lines[1 if lines[0].startswith("#!") and len(lines) > 1 else 0]:
            findings.append(path)
    tree.finish(findings, "files without their licence line")


main()
