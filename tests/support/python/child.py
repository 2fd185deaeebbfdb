# SPDX-License-Identifier: MIT
"""Programs that print figures: whether one can run here, how it runs, and what it costs besides.

What a program prints on stdout and stderr stands in two files of a directory of logs, of which the last
line on stderr is its progress. bench/run and tests/prove both run theirs so."""
import os
import shutil
import signal
import subprocess
import time

import machine

POLL_SECONDS = 0.1
KILL_SECONDS = 5


def placed(words, places):
    """A command with its "@build" and the like put in."""
    for name, path in places.items():
        words = [word.replace(f"@{name}", path) for word in words]
    return words


def not_there(needs, files):
    """What is needed and this machine has not, or nothing. needs: a program to be found -> its package;
    files: a file to be found -> its package."""
    for name, package in needs.items():
        if not shutil.which(name):
            return f"not there: {package} is not installed"
    for path, package in files.items():
        if not os.path.exists(path):
            return f"not there: {package} is not installed"
    return ""


def not_built(executable):
    return "" if shutil.which(executable) else f"not built: {os.path.basename(executable)}"


def last_line(path):
    lines = [line.strip() for line in machine.text_of(path).replace("\r", "\n").splitlines() if line.strip()]
    return lines[-1] if lines else ""


class Child:
    """A running program, in a process group of its own, so that what it started ends with it."""

    def __init__(self, command, environment, output, errors):
        self.begin = time.monotonic()
        self.busy, self.steal = machine.busy_seconds()
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors,
                                        env={**os.environ, **environment}, start_new_session=True)
        self.own_seconds = 0
        self.status = None

    def ended(self):
        pid, status, usage = os.wait4(self.process.pid, os.WNOHANG)
        if pid == 0:
            return False
        self.status = self.process.returncode = os.waitstatus_to_exitcode(status)
        self.own_seconds = usage.ru_utime + usage.ru_stime
        return True

    def end(self):
        for number, patience in ((signal.SIGTERM, KILL_SECONDS), (signal.SIGKILL, KILL_SECONDS)):
            self.signal(number)
            until = time.monotonic() + patience
            while time.monotonic() < until:
                if self.ended():
                    return
                time.sleep(POLL_SECONDS)

    def signal(self, number):
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass

    def seconds(self):
        return time.monotonic() - self.begin

    def noise(self):
        """What others had of this machine meanwhile, and what its host took, in percent of all cores."""
        busy, steal = machine.busy_seconds()
        capacity = self.seconds() * os.cpu_count()
        return (max(0.0, 100 * (busy - self.busy - self.own_seconds) / capacity),
                100 * (steal - self.steal) / capacity)


class Logged:
    """A child whose output goes to files, and who is ended where it is not done in time."""

    def __init__(self, name, command, environment, logs, patience):
        os.makedirs(logs, exist_ok=True)
        self.output, self.errors = (os.path.join(logs, f"{name}.{end}") for end in ("out", "err"))
        self.patience = patience
        with open(self.output, "w", encoding="utf-8") as out, open(self.errors, "w", encoding="utf-8") as err:
            self.child = Child(command, environment, out, err)
        self.took, self.disturbed = 0, (0, 0)

    def ended(self):
        """Whether it has; the first time that it has, all that it started has too."""
        if self.took:
            return True
        if not self.child.ended():
            if self.child.seconds() <= self.patience:
                return False
            self.child.end()
        self.finish()
        return True

    def finish(self):
        """Ends it where it still runs, and whatever it has left behind."""
        if self.child.status is None:
            self.child.end()
        self.child.signal(signal.SIGKILL)
        if not self.took:
            self.took, self.disturbed = self.child.seconds(), self.child.noise()

    def said(self):
        return last_line(self.errors)

    def text(self):
        return machine.text_of(self.output)

    def status(self):
        """Nothing where it ended well; else how it ended, and its last words."""
        if self.child.status == 0:
            return ""
        late = self.took > self.patience
        status = f"not done after {self.patience:.0f} s" if late else f"exit code {self.child.status}"
        said = self.said()
        return status + (f": {said}" if said else "")
