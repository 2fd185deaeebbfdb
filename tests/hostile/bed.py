# SPDX-License-Identifier: MIT
"""What run.py and kinds.py stand on: a daemon of their own, what has to hold, and rows of figures."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PATIENCE = 4 if os.environ.get("CANCELD_SANITIZE") else 1


class Violation(Exception):
    """Something that was promised does not hold."""


def require(holds, sentence):
    if not holds:
        raise Violation(sentence)


def eventually(condition, seconds, sentence):
    deadline = time.monotonic() + seconds * PATIENCE
    while not condition():
        require(time.monotonic() < deadline, sentence)
        time.sleep(0.01)


def say(text):
    print(text, file=sys.stderr, flush=True)


def row(part, figure, value, goal=None, sense=None, **more):
    told = {"part": part, "figure": figure, "value": value}
    if goal is not None:
        told.update(goal=goal, sense=sense)
    print(json.dumps({**told, **more}), flush=True)


class Daemon:
    """canceld over ipc or tcp, on an address of its own, and on those processors alone, if any are named."""

    def __init__(self, build, transport, flags, processors=None):
        self.build, self.directory = build, tempfile.mkdtemp(prefix="canceld-hostile-")
        listen = f"ipc://{self.directory}/s" if transport == "ipc" else "tcp://127.0.0.1:0"
        self.process = subprocess.Popen([os.path.join(build, "bin", "canceld"), "--listen", listen, "--ephemeral", *flags],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                                        preexec_fn=processors and (lambda: os.sched_setaffinity(0, processors)))
        ready = self.process.stdout.readline().split()
        require(len(ready) == 2 and ready[0] == "ready", "the daemon does not start")
        self.url = ready[1]

    def stats(self):
        told = subprocess.run([os.path.join(self.build, "bin", "cancelctl"), "--server", self.url, "--json", "stats"],
                              capture_output=True, text=True, check=False)
        require(told.returncode == 0, f"the daemon does not say how it is: {told.stderr}")
        return {name: int(value) for name, value in re.findall(r'"(\w+)": ?(-?\d+)', told.stdout)}

    def rss(self):
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def close(self):
        self.process.terminate()
        try:
            require(self.process.wait(10 * PATIENCE) == 0, "the daemon did not end well")
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self.process.stdout.close()
            shutil.rmtree(self.directory, ignore_errors=True)
