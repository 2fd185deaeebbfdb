# SPDX-License-Identifier: MIT
"""clang-format has nothing to change. Another version would: where 14 is not there, the test is
skipped, and says so."""
import shutil
import subprocess
import sys

import tree

VERSION = "14"
SKIPPED = 77


def formatter():
    for name in (f"clang-format-{VERSION}", "clang-format"):
        path = shutil.which(name)
        if path is None:
            continue
        said = subprocess.run([path, "--version"], capture_output=True, text=True).stdout
        if f"version {VERSION}." in said:
            return path
    print(f"skipped: there is no clang-format {VERSION}")
    sys.exit(SKIPPED)


def main():
    path = formatter()
    done = subprocess.run([path, "--dry-run", "-Werror", *tree.files(".c", ".h")], cwd=tree.root())
    sys.exit(done.returncode)


main()
