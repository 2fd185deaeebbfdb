# SPDX-License-Identifier: MIT
"""What hardens a program is in it: read by readelf from what was built. First a program is made without any
of it, in which every absence has to be found.

    hardened.py --readelf READELF --compiler CC --also "fortify;cet" PROGRAM-OR-LIBRARY..."""
import argparse
import os
import re
import subprocess
import sys
import tempfile

SOFT = """
#include <stdio.h>
#include <string.h>
int main(int argc, char **argv)
{
    char text[64];
    strncpy(text, argv[argc - 1], (size_t) argc);
    return printf("%s", text);
}
"""
SOFTLY = ["-O0", "-U_FORTIFY_SOURCE", "-fno-stack-protector", "-fno-pie", "-no-pie",
          "-Wl,-z,norelro,-z,lazy,-z,execstack"]
ALWAYS = ("position", "relro", "now", "stack", "writable", "canary", "textrel")
CHECKED_CALL = re.compile(r" __\w+_chk\b")
PROPERTIES = re.compile(r"x86 feature: .*")


class Program:
    def __init__(self, readelf, path):
        self.path = path
        self.text = {letter: subprocess.run([readelf, "-W", letter, path], capture_output=True, text=True,
                                            check=True).stdout for letter in ("-h", "-l", "-d", "-n", "--dyn-syms")}

    def has_segment(self, kind, flags):
        """Whether one of this kind has these flags, as in "RWE"."""
        for line in self.text["-l"].splitlines():
            words = line.split()
            if words and words[0] == kind and flags <= set("".join(words[6:-1])):
                return True
        return False

    # each gives whether it is good

    def position(self):
        """It is loaded anywhere."""
        return re.search(r"Type:\s+DYN", self.text["-h"]) is not None

    def relro(self):
        """What the linker fills in is written to at the start alone..."""
        return self.has_segment("GNU_RELRO", set("R"))

    def now(self):
        """...and all of it is filled in then."""
        return re.search(r"\(FLAGS(_1)?\).*\b(BIND_NOW|NOW)\b", self.text["-d"]) is not None

    def stack(self):
        """The stack is no code."""
        return self.has_segment("GNU_STACK", set("RW")) and not self.has_segment("GNU_STACK", set("E"))

    def writable(self):
        """Nothing is both code and data."""
        return not self.has_segment("LOAD", set("WE"))

    def textrel(self):
        """Code is not written to when it is loaded."""
        return "TEXTREL" not in self.text["-d"]

    def canary(self):
        """Whoever writes over the end of an array is seen before the function returns."""
        return "__stack_chk_fail" in self.text["--dyn-syms"]

    def fortify(self):
        """Calls that write into arrays know how large those are."""
        return any("__stack_chk" not in call for call in CHECKED_CALL.findall(self.text["--dyn-syms"]))

    def cet(self):
        """Jumps and returns go only where they may, on processors that know it."""
        found = PROPERTIES.search(self.text["-n"])
        return found is not None and "IBT" in found.group() and "SHSTK" in found.group()

    def absent(self, wanted):
        return [name for name in wanted if not getattr(self, name)()]


def cet_is_had(readelf, compiler):
    """The linker says so of a program where every object has it, those of the system too."""
    with tempfile.TemporaryDirectory() as directory:
        source, program = os.path.join(directory, "hard.c"), os.path.join(directory, "hard")
        with open(source, "w", encoding="ascii") as file:
            file.write(SOFT)
        subprocess.run([compiler, "-fcf-protection=full", "-w", source, "-o", program], check=True)
        return Program(readelf, program).cet()


def soft_absent(readelf, compiler, wanted):
    """What is found to be absent where nothing is there."""
    with tempfile.TemporaryDirectory() as directory:
        source, program = os.path.join(directory, "soft.c"), os.path.join(directory, "soft")
        with open(source, "w", encoding="ascii") as file:
            file.write(SOFT)
        flags = SOFTLY + (["-fcf-protection=none"] if "cet" in wanted else [])
        subprocess.run([compiler, *flags, "-w", source, "-o", program], check=True)
        return Program(readelf, program).absent(wanted)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--readelf", required=True)
    parser.add_argument("--compiler", required=True)
    parser.add_argument("--also", default="")
    parser.add_argument("paths", nargs="+")
    options = parser.parse_args()
    wanted = [*ALWAYS, *filter(None, options.also.split(";"))]
    if "cet" in wanted and not cet_is_had(options.readelf, options.compiler):
        print("the objects of this system have no CET, so no program here has")
        wanted.remove("cet")
    # A program that is not loaded anywhere has no text relocations, and its segments are the linker's.
    missed = set(wanted) - {"textrel", "writable"} - set(soft_absent(options.readelf, options.compiler, wanted))
    if missed:
        print(f"in a program without anything these were not missed: {sorted(missed)}")
        return 1
    failed = False
    for path in options.paths:
        absent = Program(options.readelf, path).absent(wanted)
        print(f"{os.path.basename(path)}: {'without ' + ', '.join(absent) if absent else 'has ' + ', '.join(wanted)}")
        failed = failed or bool(absent)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
