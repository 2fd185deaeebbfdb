# SPDX-License-Identifier: MIT
"""Each allocation of cancelctl fails, from its main() on, once and from then on (for a while), in each command. It ends by itself, with one of its
exit codes and a word about why; and what it says has been done, the daemon has done."""
import os
import subprocess
import threading

from faults import BINARIES, PATIENCE, Control, Daemon, pb, say, stride_of
from wire import Session, delete, get

CANCELCTL = os.path.join(BINARIES, "cancelctl")
SECONDS = 20
HEAL_SECONDS = 0.3
SUCCESS = 0
EXIT_CODES = range(0, 126)  # beyond are signals, and those of `run`


class Bed:
    def __init__(self):
        self.daemon = Daemon(ephemeral=False)
        self.url = self.daemon.urls["ipc"]
        self.owner = Session(self.url)
        self.runs = 0
        self.key, self.gen = None, None

    def fresh(self):
        """An operation for the command to be about; the one before is ended."""
        if self.gen:
            self.owner.op(delete(self.key, self.gen))
        self.runs += 1
        self.key = b"c%d" % self.runs
        self.gen = self.owner.store(self.key)

    def state(self):
        return self.owner.op(get(self.key, self.gen)).operations[0].state

    def close(self):
        self.owner.close()
        self.daemon.close()


# What to say to cancelctl, and what must be so where it says that it is.
COMMANDS = {
    "cancel": (["cancel", "{key}"], lambda bed: bed.state() == pb.STATE_CANCELLING),
    "cancel --gen": (["cancel", "{key}", "--gen", "{gen}", "--json"], lambda bed: bed.state() == pb.STATE_CANCELLING),
    "get": (["get", "{key}", "--json"], None),
    "list": (["list"], None),
    "count": (["count"], None),
    "armed": (["armed"], None),
    "stats": (["stats"], None),
    "ping": (["ping"], None),
    "history": (["history"], None),
    "wait": (["wait", "{key}", "--timeout", "100ms"], None),
    "touch": (["touch", "{key}", "--gen", "{gen}", "--ttl", "60s"], None),
    "detach": (["detach", "{key}", "--gen", "{gen}"], None),
    "delete": (["delete", "{key}", "--gen", "{gen}"], lambda bed: bed.state() == pb.STATE_ENDED),
    "store": (["store", "stored-{run}", "--ttl", "5s"],
              lambda bed: bed.owner.op(get(b"stored-%d" % bed.runs)).answer == pb.ANSWER_FOUND),
    "disarm": (["disarm", "nobody"], None),
    "drain": (["drain", "--namespace", "drained-{run}", "--timeout", "1s"], None),
    "undrain": (["undrain", "--namespace", "never"], None),
    "watch": (["watch", "--timeout", "100ms"], None),
    "run": (["run", "--key", "ran-{run}", "--", "true"], None),
    "help": (["--help"], None),
}


# What prints a help is the C library's argp, which asserts that it has memory: counted apart.
EXCLUDED = {"help": "argp of the C library"}


def call(bed, control, words):
    words = [word.format(key=bed.key.decode(), gen=bed.gen, run=bed.runs) for word in words]
    return subprocess.run([CANCELCTL, "--server", bed.url, *words], stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=SECONDS * PATIENCE, env={**os.environ, **control.environment()}, check=False)


def what_is_wrong(bed, control, command, point, for_ever):
    words, is_so = COMMANDS[command]
    bed.fresh()
    control.arm(point, for_ever)
    # It would go on asking up to its deadline, which is ten seconds.
    healing = threading.Timer(HEAL_SECONDS, control.disarm)
    healing.start()
    try:
        done = call(bed, control, words)
    except subprocess.TimeoutExpired:
        return "it hangs"
    finally:
        healing.cancel()
        control.disarm()
    if done.returncode not in EXIT_CODES:
        return f"it ends with {done.returncode}: {done.stderr[-200:]}"
    if done.returncode == SUCCESS and is_so and not is_so(bed):
        return "it says that it is done, and it is not"
    if done.returncode != SUCCESS and not (done.stderr + done.stdout).strip():
        return f"it ends with {done.returncode} and says nothing"
    return None


def points_of(most, points_max):
    """A sample, and the last few: there a command says what came of it."""
    return sorted({*range(1, most + 1, stride_of(most, points_max)), *range(max(1, most - 2), most + 1)})


def run_command(bed, tally, command, points_max):
    control = Control()
    try:
        most = 0
        for _ in range(2):
            wrong = what_is_wrong(bed, control, command, 0, False)
            assert wrong is None, f"cancelctl {command}, where nothing fails: {wrong}"
            most = control.now.allocations
        assert most, f"cancelctl {command} allocates nothing: is it not under the interposer?"
        for for_ever in (False, True):
            row = tally.row(f"cancelctl {command}", "for ever" if for_ever else "once", EXCLUDED.get(command))
            for point in points_of(most, points_max):
                wrong = what_is_wrong(bed, control, command, point, for_ever)
                if wrong or control.now.failed:
                    tally.add(row, wrong and f"allocation {point} of {most}: {wrong}")
    finally:
        control.close()


def run_all(tally, points_max, names=None):
    bed = Bed()
    try:
        for command in names or COMMANDS:
            run_command(bed, tally, command, points_max)
            rows = tally.rows[-2:]
            say(f"cancelctl {command}: {sum(r['points'] for r in rows)} points, "
                f"{sum(r['survived'] for r in rows)} survived")
    finally:
        bed.close()
