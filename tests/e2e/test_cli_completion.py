# SPDX-License-Identifier: MIT
"""What is written about cancelctl beside it says what its --help says: shell completion, man pages."""
import os
import re
import shlex
import subprocess
import unittest

from canceld_e2e import BINARIES, main
from cli import CANCELCTL, CliCase, call, environment

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COMPLETION = os.path.join(ROOT, "clients", "cli", "completion")
BASH = os.path.join(COMPLETION, "cancelctl.bash")
ZSH = os.path.join(COMPLETION, "_cancelctl")
MAN = os.path.join(os.path.dirname(BINARIES), "docs", "man")


def options_of(*command):
    return set(re.findall(r"^ +(?:-., )?(--[a-z-]+)", call(*command, "--help").out, re.MULTILINE))


def commands():
    said = call("--help").out.split("\n\n")
    (block,) = [part for part in said if "Commands (" in part]
    return re.findall(r"^  ([a-z]+)", block, re.MULTILINE)


def text_of(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


class Bash(CliCase):
    def complete(self, line, breaks=":="):
        """What bash offers behind this line."""
        script = f"""
            PATH={shlex.quote(BINARIES)}:$PATH
            source {shlex.quote(BASH)}
            COMP_WORDBREAKS=$' \\t\\n"\\'><;|&(){breaks}'
            COMP_LINE={shlex.quote(line)}
            COMP_POINT=${{#COMP_LINE}}
            _cancelctl
            ((${{#COMPREPLY[@]}})) && printf '%s\\n' "${{COMPREPLY[@]}}"
            exit 0"""
        done = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True,
                              timeout=20, env=environment())
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return set(done.stdout.splitlines())

    def test_every_command_is_offered(self):
        self.assertGreater(len(commands()), 15)
        self.assertEqual(self.complete("cancelctl "), set(commands()))
        self.assertEqual(self.complete("cancelctl --json un"), {"undrain"})
        self.assertEqual(self.complete("cancelctl --namespace store un"), {"undrain"})

    def test_every_option_of_every_command_is_offered(self):
        for command in commands():
            with self.subTest(command=command):
                self.assertEqual(self.complete(f"cancelctl {command} --"), options_of(command))
        self.assertEqual(self.complete("cancelctl --"), options_of())

    def test_values_are_offered(self):
        self.assertEqual(self.complete("cancelctl cancel k --ack "),
                         {"recorded", "delivered", "stopped"})
        self.assertEqual(self.complete("cancelctl cancel k --ack=s"), {"stopped"})
        self.assertEqual(self.complete("cancelctl cancel k --ack=s", breaks=""), {"--ack=stopped"})
        self.assertEqual(self.complete("cancelctl store --ttl "), set())
        self.assertEqual(self.complete("cancelctl run --key k -- ls --"), set())

    def test_keys_are_those_of_the_daemon_and_harmless(self):
        self.daemon()
        session = self.session()
        for key in (b"job-1", b"job-2", b"user:42", b"$(touch x)", b"a b", b"`id`", b"-x", b"\x1b[31m"):
            session.store(key)
        session.store(b"elsewhere", namespace=b"n")
        way = f"cancelctl --server {self.url()}"
        self.assertEqual(self.complete(f"{way} cancel "), {"job-1", "job-2", "user:42"})
        self.assertEqual(self.complete(f"{way} cancel jo"), {"job-1", "job-2"})
        self.assertEqual(self.complete(f"{way} get user:4"), {"42"})
        self.assertEqual(self.complete(f"{way} get user:4", breaks=""), {"user:42"})
        self.assertEqual(self.complete(f"{way} --namespace=n wait "), {"elsewhere"})
        self.assertEqual(self.complete(f"{way} cancel job-1 "), set())
        self.assertEqual(self.complete("cancelctl --server ipc:///none cancel "), set())


class Zsh(unittest.TestCase):
    def test_every_command_and_option_stands_in_the_file(self):
        text = text_of(ZSH)
        for command in commands():
            self.assertRegex(text, rf"'{command}:")
            for option in options_of(command):
                self.assertRegex(text, rf"{option}[=\[]", command)


class ManPages(unittest.TestCase):
    def page(self, name):
        path = os.path.join(MAN, name)
        if not os.path.exists(path):
            if os.environ.get("CANCELD_TEST_ALL"):
                self.fail("there are no man pages: help2man is not installed")
            self.skipTest("there are no man pages: help2man was not there")
        return text_of(path).replace("\\-", "-")

    def test_that_of_cancelctl_says_what_help_says(self):
        text = self.page("cancelctl.1")
        for word in (".TH CANCELCTL", ".SH ENVIRONMENT", ".SH COMMANDS", "canceld (8)"):
            self.assertIn(word, text)
        for command in commands():
            self.assertIn(f".SS {command}\n", text)
            for option in options_of(command):
                self.assertIn(option, text, command)

    def test_that_of_canceld_says_what_help_says(self):
        text = self.page("canceld.8")
        said = subprocess.run([os.path.join(BINARIES, "canceld"), "--help"], capture_output=True,
                              text=True, check=True).stdout
        options = re.findall(r"^ +(?:-., )?(--[a-z-]+)", said, re.MULTILINE)
        self.assertGreater(len(options), 20)
        for option in options:
            self.assertIn(option, text)
        for word in (".TH CANCELD", "SIGHUP", "cancelctl (1)"):
            self.assertIn(word, text)


if __name__ == "__main__":
    main()
