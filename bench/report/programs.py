# SPDX-License-Identifier: MIT
"""The programs that measure, and what their figures become.

A program that cannot run, fails or takes too long becomes a line that says so, like any other line."""
import dataclasses
import json
import os
import subprocess
import sys
import time

from shared import child
from rows import read_lines


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
    return child.placed(words, places)


def make(chosen, places, log):
    """Builds what CMake does not; the same command once. False where one fails, and its row says so later."""
    done, good = set(), True
    for program in chosen:
        for words in program.make if not not_there(program) else []:
            command = child.placed(words, places)
            if tuple(command) not in done:
                done.add(tuple(command))
                environment = {**os.environ, "GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": ""}
                log.write("$ " + " ".join(command) + "\n")
                log.flush()
                good &= subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, env=environment, check=False).returncode == 0
    return good


def not_there(program):
    """What it needs and this machine has not, or nothing."""
    return child.not_there(program.needs, program.files)


def why_not(program, places):
    """Why it cannot run here, or nothing."""
    return not_there(program) or child.not_built(command_of(program, places, True, 0)[0])


def told(program, kind, why):
    """The lines that stand for what was not measured."""
    rows = program.rows or [f"({program.name})"]
    return [{"group": program.group, "row": row, "peer": peer, kind: why} for row in rows for peer in peers_of(program)]


def peers_of(program):
    return [program.peer] if isinstance(program.peer, str) else program.peer


def run(program, places, quick, seed, show):
    """Runs it once; show(seconds, text) is called while it does."""
    why = why_not(program, places)
    if why:
        return Run(told(program, "missing", why), why)
    job = child.Logged(program.name, command_of(program, places, quick, seed), program.environment, places["logs"],
                       4 * program.seconds(quick) + 20)
    try:
        while not job.ended():
            show(job.child.seconds(), job.said())
            time.sleep(child.POLL_SECONDS)
    finally:
        job.finish()
    return result_of(program, job)


def result_of(program, job):
    lines, bad = read_lines(job.text())
    if bad:
        print(f"{program.name}: not a line of figures: {bad[0][:120]}", file=sys.stderr)
    status = job.status()
    if not status and (bad or not lines):
        status = "it printed what is no figure" if bad else "it printed no figures"
    if status:
        printed = {(line["row"], line["peer"]) for line in lines}
        lines += [line for line in told(program, "failed", status) if (line["row"], line["peer"]) not in printed]
        if program.rows:
            lines.append({"group": program.group, "row": f"({program.name})", "peer": peers_of(program)[0], "failed": status})
    return Run(lines, status, job.took, *job.disturbed)
