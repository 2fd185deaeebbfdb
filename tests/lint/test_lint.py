# SPDX-License-Identifier: MIT
"""The lint itself: each script finds the fault that was planted for it, and lets a good tree pass."""
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
SPDX = "/* SPDX-License-Identifier: MIT */\n"

# Script, file, text, and a word of what is to be found.
FAULTS = (
    ("layers", "runtime/base/a.c", '#include "registry/registry.h"\n', "higher layer"),
    ("layers", "runtime/registry/a.h", '#include "wire/sp.h"\n', "higher layer"),
    ("layers", "runtime/registry/a.c", "#include <nng/nng.h>\n", "wrapped"),
    ("layers", "runtime/wire/sp.c", '#include "canceld.pb-c.h"\n', "wrapped"),
    ("layers", "runtime/server/a.c", '#include "canceld/client.h"\n', "clients"),
    ("layers", "runtime/local/a.c", '#include "wire/sp.h"\n', "embedded"),
    ("layers", "runtime/local/a.c", '#include <canceld/client.h>\n#include "canceld/client.h"\n', "words.h"),
    ("layers", "runtime/server/a.c", '#include "local/lane.h"\n', "embedded"),
    ("layers", "clients/c/a.c", '#include "base/slab.h"\n', "wire/sp.h"),
    ("layers", "clients/cli/a.c", '#include "wire/sp.h"\n', "cancelctl"),
    ("banned", "runtime/base/a.c", "strcpy(a, b);\n", "strcpy"),
    ("banned", "clients/cli/a.c", "x = atoi (b);\n", "atoi"),
    ("banned", "runtime/wire/a.c", "printf(b);\n", "printf"),
    ("banned", "runtime/server/a.c", "exit(1);\n", "exit"),
    ("banned", "runtime/server/a.c", "assert(x);\n", "assert"),
    ("banned", "tests/unit/a.c", "usleep(1);\n", "usleep"),
    ("lengths", "runtime/base/a.c", "int f(void)\n{\n" + "x;\n" * 61 + "}\n", "61 lines"),
    ("lengths", "runtime/base/a.c", "x;\n" * 600, "601 lines"),
    ("headers", "runtime/base/a.h", "size_t x;\n", "size_t"),
    ("shared", "runtime/base/a.c", "pthread_mutex_t x;\n", "names this file"),
    ("shared", "clients/c/a.h", "_Atomic(bool) x;\n", "names this file"),
    ("shared", "clients/cli/a.c", "x = __atomic_load_n(&y, 0);\n", "names this file"),
    ("shared", "runtime/wire/a.c", "nng_mtx_lock(x);\n", "names this file"),
    ("shared", "docs/decisions/0001.md", "`runtime/base/gone.c`\n", "there is no"),
)
GOOD = (
    ("layers", "runtime/wire/endpoint.c", '#include <nng/nng.h>\n#include "base/a.h"\n'),
    ("layers", "clients/c/a.c", '#include "wire/sp.h"\n#include "canceld/client.h"\n'),
    ("layers", "runtime/local/a.c", '#include "registry/direct.h"\n#include "canceld/local.h"\n'),
    ("banned", "runtime/base/a.c", '/* strcpy(a) */ x = "printf(";\nstatic_assert(1, "");\n'),
    ("banned", "runtime/server/main.c", "exit(1);\n"),
    ("lengths", "runtime/base/a.c", "int f(void)\n{\n" + "x;\n" * 60 + "}\n"),
    ("spdx", "runtime/base/a.c", "x;\n"),
    ("shared", "runtime/base/a.c", '/* _Atomic */ x = "pthread_create";\npthread_sigmask(1, 2, 3);\n'),
    ("shared", "tests/unit/a.c", "pthread_mutex_t x;\n"),
    ("headers", "runtime/base/a.h", "#include <stddef.h>\ntypedef size_t x;\n"),
)


class Lint(unittest.TestCase):
    def look(self, script, path, text, more=()):
        with tempfile.TemporaryDirectory() as root:
            for part, said in ((path, text), *more):
                full = os.path.join(root, part)
                os.makedirs(os.path.dirname(full), exist_ok=True)
                with open(full, "w") as file:
                    file.write(said)
            done = subprocess.run([sys.executable, f"{HERE}/{script}.py", root, "cc"],
                                  capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def test_each_planted_fault_is_found(self):
        for script, path, text, word in FAULTS:
            with self.subTest(script=script, path=path, word=word):
                status, said = self.look(script, path, SPDX + text)
                self.assertEqual(status, 1, said)
                self.assertIn(word, said)

    def test_a_file_without_its_licence_is_found(self):
        self.assertEqual(self.look("spdx", "runtime/base/a.c", "x;\n")[0], 1)
        self.assertEqual(self.look("spdx", "tests/x.py", "#!/usr/bin/python3\nx\n")[0], 1)

    def test_a_page_that_differs_from_its_figures_is_found(self):
        results = ('{"machine": {"cpu": "", "cores": 2, "cache": "", "memory_gib": 1, "huge_pages": "", "kernel": "", "system": "", '
                   '"versions": {}}, "measured": {}, "goals": [], "rows": []}')
        status, said = self.look("figures", "docs/benchmark/results.json", results)
        self.assertEqual(status, 1, said)
        self.assertIn("README.md", said)

    def test_a_tree_without_figures_is_left_out(self):
        self.assertEqual(self.look("figures", "docs/x", "x\n")[0], 77)

    def test_a_threat_without_its_test_is_found(self):
        table = "| actor | shown by |\n|---|---|\n| x | %s |\n"
        for cited, word in (("`tests/no.py`", "no tests/no.py"), ("nothing", "no test is named for x"),
                            ("`SECURITY.md`", "no test is named for x")):
            status, said = self.look("security", "SECURITY.md", table % cited)
            self.assertEqual(status, 1, said)
            self.assertIn(word, said)
        self.assertEqual(self.look("security", "SECURITY.md", "nobody\n")[0], 1)
        self.assertEqual(self.look("security", "docs/x", "x\n")[0], 77)

    def test_an_atomic_needs_its_file_and_its_name_in_one_record(self):
        file = ("runtime/base/a.h", SPDX + "struct a {\n    _Atomic(struct a *) next;\n};\n")
        for record, wanted in (("`runtime/base/a.h`: next\n", 0), ("`runtime/base/a.h`\n", 1),
                               ("next\n", 1)):
            status, said = self.look("shared", *file, more=(("docs/decisions/0001.md", record),))
            self.assertEqual(status, wanted, said)

    def test_what_is_good_passes(self):
        for script, path, text in GOOD:
            with self.subTest(script=script, path=path):
                status, said = self.look(script, path, SPDX + text)
                self.assertEqual(status, 0, said)


if __name__ == "__main__":
    unittest.main(verbosity=2)
