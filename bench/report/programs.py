# SPDX-License-Identifier: MIT
"""The programs that measure: whether one can run, how it runs, and what it costs besides.

A program that cannot run, fails or takes too long becomes a line that says so, like any other line."""
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import machine
from rows import read_lines

POLL_SECONDS = 0.1
KILL_SECONDS = 5


@dataclasses.dataclass
class Program:
    """A line of programs.json. "@build" and "@bench" in a command are those directories."""
    name: str
    group: str
    command: list
    needs: dict = dataclasses.field(default_factory=dict)  # a program to be found -> its package
    files: dict = dataclasses.field(default_factory=dict)  # a file to be found -> its package
    peer: object = "ours"                                  # a name or several: whose rows are missing where it cannot run
    rows: list = dataclasses.field(default_factory=list)   # which rows those are
    quick: list = dataclasses.field(default_factory=lambda: ["--quick"])
    full: list = dataclasses.field(default_factory=list)
    make: list = dataclasses.field(default_factory=list)   # commands that build it, where CMake does not
    environment: dict = dataclasses.field(default_factory=dict)
    quick_seconds: float = 5
    full_seconds: float = 60
    turns: bool = True                                     # false: it takes its own turns, once is enough

    def seconds(self, quick):
        return self.quick_seconds if quick else self.full_seconds


@dataclasses.dataclass
class Run:
    """What became of one program in one turn."""
    lines: list
    status: str            # "" when all is well
    seconds: float = 0
    noise_percent: float = 0
    steal_percent: float = 0


def read(path):
    with open(path, encoding="utf-8") as file:
        return [Program(**entry) for entry in json.load(file)["programs"]]


def command_of(program, places, quick, seed):
    words = program.command + (program.quick if quick else program.full) + ["--seed", str(seed)]
    return placed(words, places)


def placed(words, places):
    for name, path in places.items():
        words = [word.replace(f"@{name}", path) for word in words]
    return words


def make(chosen, places, log):
    """Builds what CMake does not; the same command once. False where one fails, and its row says so later."""
    done, good = set(), True
    for program in chosen:
        for words in program.make if not not_there(program) else []:
            command = placed(words, places)
            if tuple(command) not in done:
                done.add(tuple(command))
                environment = {**os.environ, "GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": ""}
                log.write("$ " + " ".join(command) + "\n")
                log.flush()
                good &= subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, env=environment, check=False).returncode == 0
    return good


def not_there(program):
    """What it needs and this machine has not, or nothing."""
    for name, package in program.needs.items():
        if not shutil.which(name):
            return f"not there: {package} is not installed"
    for path, package in program.files.items():
        if not os.path.exists(path):
            return f"not there: {package} is not installed"
    return ""


def why_not(program, places):
    """Why it cannot run here, or nothing."""
    if not_there(program):
        return not_there(program)
    executable = command_of(program, places, True, 0)[0]
    if not shutil.which(executable):
        return f"not built: {os.path.basename(executable)}"
    return ""


def told(program, kind, why):
    """The lines that stand for what was not measured."""
    rows = program.rows or [f"({program.name})"]
    return [{"group": program.group, "row": row, "peer": peer, kind: why} for row in rows for peer in peers_of(program)]


def peers_of(program):
    return [program.peer] if isinstance(program.peer, str) else program.peer


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


def run(program, places, quick, seed, show):
    """Runs it once; show(seconds, text) is called while it does."""
    why = why_not(program, places)
    if why:
        return Run(told(program, "missing", why), why)
    os.makedirs(places["logs"], exist_ok=True)
    output, errors = (os.path.join(places["logs"], f"{program.name}.{end}") for end in ("out", "err"))
    patience = 4 * program.seconds(quick) + 20
    with open(output, "w", encoding="utf-8") as out, open(errors, "w", encoding="utf-8") as err:
        child = Child(command_of(program, places, quick, seed), program.environment, out, err)
        try:
            while not child.ended():
                show(child.seconds(), last_line(errors))
                if child.seconds() > patience:
                    child.end()
                    break
                time.sleep(POLL_SECONDS)
        finally:
            if child.status is None:
                child.end()
            child.signal(signal.SIGKILL)
    return result_of(program, child, output, errors, patience)


def result_of(program, child, output, errors, patience):
    lines, bad = read_lines(machine.text_of(output))
    if bad:
        print(f"{program.name}: not a line of figures: {bad[0][:120]}", file=sys.stderr)
    status = ""
    if child.status != 0:
        late = child.seconds() > patience
        status = f"not done after {patience:.0f} s" if late else f"exit code {child.status}"
        said = last_line(errors)
        status += f": {said}" if said else ""
    elif bad or not lines:
        status = "it printed what is no figure" if bad else "it printed no figures"
    if status:
        printed = {(line["row"], line["peer"]) for line in lines}
        lines += [line for line in told(program, "failed", status) if (line["row"], line["peer"]) not in printed]
        if program.rows:
            lines.append({"group": program.group, "row": f"({program.name})", "peer": peers_of(program)[0], "failed": status})
    return Run(lines, status, child.seconds(), *child.noise())
