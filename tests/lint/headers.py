# SPDX-License-Identifier: MIT
"""Each header compiles alone: headers.py ROOT COMPILER INCLUDE-DIRECTORY..."""
import subprocess
import sys

import tree

FLAGS = ["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-D_DEFAULT_SOURCE", "-Wall", "-Wextra", "-Werror",
         "-fsyntax-only", "-x", "c"]


def main():
    compiler, directories = sys.argv[2], [f"-I{directory}" for directory in sys.argv[3:] if directory]
    findings = []
    for path in tree.files(".h"):
        include = f'#include "{tree.root()}/{path}"\n#include "{tree.root()}/{path}"\n'
        done = subprocess.run([compiler, *FLAGS, *directories, "-"], input=include, text=True,
                              capture_output=True)
        if done.returncode != 0:
            findings.append(f"{path}:\n{done.stderr}")
    tree.finish(findings, "headers that do not compile alone")


main()
