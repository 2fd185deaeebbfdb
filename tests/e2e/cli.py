# SPDX-License-Identifier: MIT
"""cancelctl as the tests call it: a process, its exit status, and its output as JSON objects."""
import json
import os
import signal
import subprocess
import tempfile

from canceld_e2e import BINARIES, PATIENCE, Case, eventually

CANCELCTL = os.path.join(BINARIES, "cancelctl")


class Said:
    """What one call of cancelctl ended with."""

    def __init__(self, code, out, err):
        self.code = code
        self.out = out
        self.err = err

    def objects(self):
        return [json.loads(line) for line in self.out.splitlines()]

    def events(self):
        """Of run --json, which says everything on standard error."""
        return [json.loads(line) for line in self.err.splitlines() if line.startswith("{")]

    def __repr__(self):
        return f"exit {self.code}, out {self.out!r}, err {self.err!r}"


def environment(**more):
    kept = {name: value for name, value in os.environ.items()
            if name not in ("CANCELD_SERVER", "CANCELD_TOKEN_FILE")}
    return {**kept, **more}


def call(*arguments, seconds=20, **how):
    """Any call; `how` goes to subprocess.run."""
    how.setdefault("stdin", subprocess.DEVNULL)
    how.setdefault("env", environment())
    done = subprocess.run([CANCELCTL, *arguments], capture_output=True,
                          timeout=seconds * PATIENCE, **how)
    return Said(done.returncode, done.stdout.decode(), done.stderr.decode(errors="replace"))


class Background:
    """A call of cancelctl that goes on, with what it has said so far."""

    def __init__(self, *arguments):
        self.out_file = tempfile.TemporaryFile()
        self.err_file = tempfile.TemporaryFile()
        self.process = subprocess.Popen([CANCELCTL, *arguments], stdin=subprocess.DEVNULL,
                                        stdout=self.out_file, stderr=self.err_file, env=environment())

    def text_of(self, file):
        return os.pread(file.fileno(), 1 << 24, 0).decode()

    def lines(self):
        """Those that are whole."""
        return self.text_of(self.out_file).split("\n")[:-1]

    def objects(self):
        return [json.loads(line) for line in self.lines()]

    def await_objects(self, count, seconds=10):
        eventually(lambda: len(self.lines()) >= count, seconds, f"{count} lines")
        return self.objects()

    def said(self):
        return Said(self.process.returncode, self.text_of(self.out_file), self.text_of(self.err_file))

    def end(self, seconds=20):
        self.process.wait(seconds * PATIENCE)
        return self.said()

    def clean(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.out_file.close()
        self.err_file.close()


class CliHelpers:
    """For a Case: calls that go to the daemon that runs."""

    def ctl(self, *arguments, code=0):
        said = call("--server", self.url(), "--json", *arguments)
        self.assertEqual(said.code, code, said)
        return said.objects()

    def one(self, *arguments, code=0):
        """A call that prints one object."""
        (found,) = self.ctl(*arguments, code=code)
        return found

    def human(self, *arguments, code=0):
        said = call("--server", self.url(), *arguments)
        self.assertEqual(said.code, code, said)
        return said.out

    def begin(self, *arguments, json_lines=True):
        """A call that goes on in the background."""
        going = Background("--server", self.url(), *(["--json"] if json_lines else []), *arguments)
        self.addCleanup(going.clean)
        return going

    def run_begin(self, *arguments, url=None, json_lines=True, **how):
        """cancelctl run in the background."""
        how.setdefault("stdin", subprocess.DEVNULL)
        how.setdefault("stdout", subprocess.PIPE)
        process = subprocess.Popen(
            [CANCELCTL, "--server", url or self.url(), *(["--json"] if json_lines else []), "run",
             *arguments], stderr=subprocess.PIPE, env=environment(), **how)
        self.addCleanup(self.run_clean, process)
        return process

    def run_clean(self, process):
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=10 * PATIENCE)
        except (subprocess.TimeoutExpired, ValueError):
            process.kill()
            process.wait()

    def run_end(self, process, seconds=20):
        out, err = process.communicate(timeout=seconds * PATIENCE)
        return Said(process.returncode, (out or b"").decode(), err.decode(errors="replace"))

    def run_all(self, *arguments, **how):
        return self.run_end(self.run_begin(*arguments, **how))

    def state_of(self, key):
        """The state and outcome of the key's newest operation; none: (None, None)."""
        said = call("--server", self.url(), "--json", "get", key)
        found = said.objects()[0]
        return found.get("state"), found.get("outcome")

    def await_live(self, key):
        eventually(lambda: self.state_of(key)[0] == "LIVE", what=f"{key} being LIVE")


class CliCase(CliHelpers, Case):
    pass
