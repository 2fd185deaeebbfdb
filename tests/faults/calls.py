# SPDX-License-Identifier: MIT
"""System calls of a daemon that serves fail: each with errors that it may have, once, each third time, and by chance for one in a hundred, one in ten
and every time; or move a byte at a time. Owners and cancellers go on meanwhile. The daemon lives; when the calls are
healed it serves within a second, by the clock of whoever asks; and each cancel that was answered is there: at once, in the history of what was
answered, and in a restart after kill -9."""
import errno
import signal
import subprocess
import threading
import time

from faults import PATIENCE, FaultyDaemon, Peer, pb, say, serves
from wire import FrameRefused, Session, adopt, cancel, delete, get, store

RECORDED = (pb.ANSWER_REQUESTED, pb.ANSWER_ALREADY_REQUESTED)
HEAL_SECONDS = 1
# A journal that could not keep something tries again each second (JOURNAL_RETRY_MS).
JOURNAL_SECONDS = 2
SHORT = "short"

# What a kernel may say; what it never says to such a call of ours is not tried.
NETWORK = (errno.ECONNRESET, errno.EPIPE, errno.ENOMEM, errno.EINTR, errno.EAGAIN, SHORT)
DISK = (errno.EIO, errno.ENOSPC, errno.EINTR, SHORT)
ERRORS = {
    "accept": (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR, errno.EAGAIN, errno.ECONNABORTED),
    "recv": NETWORK,
    "send": NETWORK,
    "pwrite": DISK,
    "fdatasync": (errno.EIO, errno.ENOSPC),
    "epoll_wait": (errno.EINTR,),
    "epoll_add": (errno.ENOMEM, errno.ENOSPC),
}
# Those that a daemon makes at its start alone, or there too: each n-th fails.
START_ERRORS = {
    "open": (errno.EMFILE, errno.EIO, errno.ENOSPC), "read": (errno.EIO, errno.EINTR), "pread": (errno.EIO,),
    "write": (errno.EIO, errno.ENOSPC, SHORT), "pwrite": (errno.EIO, errno.ENOSPC, SHORT), "fsync": (errno.EIO, errno.ENOSPC),
    "rename": (errno.EIO, errno.ENOSPC), "ftruncate": (errno.EIO,),
    "fstat": (errno.EIO,), "socket": (errno.EMFILE, errno.ENOMEM), "epoll_add": (errno.ENOMEM,), "eventfd": (errno.EMFILE,),
}
START_EACH = (1, 2, 3, 5, 8)
# Name, how often, in order or by chance.
RATES = (("once", 0, True), ("each third", 3, True), ("1 %", 100, False), ("10 %", 10, False), ("100 %", 1, True))
QUICK_RATES = ("once", "10 %", "100 %")


class History:
    """What was asked and answered, checked against what the daemon has."""

    def __init__(self):
        self.lock = threading.Lock()
        self.answered = {}  # gen: key
        self.asked = 0

    def note(self, gen, key, answer):
        with self.lock:
            self.asked += 1
            if answer in RECORDED:
                self.answered[gen] = key

    def take(self):
        with self.lock:
            return dict(self.answered)


class Load(threading.Thread):
    """Stores and cancels, on connections that may be cut at any time. What is not answered is not known."""

    def __init__(self, url, history, number):
        super().__init__(daemon=True)
        self.url, self.history, self.number = url, history, number
        self.stopping = threading.Event()
        self.requests = 0
        self.cuts = 0

    def run(self):
        session, peer = None, None
        while not self.stopping.is_set():
            try:
                if session is None:
                    session, peer = Session(self.url, Peer(self.url, seconds=0.5)), Peer(self.url, seconds=0.5)
                self.one(session, peer)
            except (OSError, FrameRefused, AssertionError):
                self.cuts += 1
                for one in (session, peer):
                    if one is not None:
                        one.close()
                session = peer = None
                self.stopping.wait(0.002)

    def one(self, session, peer):
        self.requests += 1
        key = b"l%d-%d" % (self.number, self.requests)
        # Kept, that a session which is lost with its connection takes none along.
        stored = session.op(store(key, on_owner_loss=pb.ON_OWNER_LOSS_KEEP, ttl_ms=3600000))
        if stored.answer != pb.ANSWER_STORED:
            return
        result = peer.op(cancel(key, stored.gen, text="load"))
        self.history.note(stored.gen, key, result.answer)

    def end(self):
        self.stopping.set()
        self.join(20)


class Callers(Load):
    """Who comes, asks one thing and goes: for each a connection is accepted."""

    def run(self):
        while not self.stopping.is_set():
            try:
                peer = Peer(self.url, seconds=0.1)
                self.requests += peer.ping()
                peer.close()
            except (OSError, FrameRefused, AssertionError):
                self.cuts += 1
            self.stopping.wait(0.003)


def lost_now(url, answered):
    """How many of these cancels the daemon does not know of."""
    peer = Peer(url, seconds=10)
    lost = 0
    for gen, key in answered.items():
        found = peer.op(get(key, gen))
        lost += found.answer != pb.ANSWER_FOUND or found.operations[0].state != pb.STATE_CANCELLING
    peer.close()
    return lost


def seconds_to_heal(url, limit):
    """Until a store and its cancel are answered as ever; None where that takes longer."""
    begin = time.monotonic()
    while time.monotonic() - begin < limit * PATIENCE:
        session = None
        try:
            session = Session(url, Peer(url, seconds=limit * PATIENCE))
            key = b"healed-%d" % time.monotonic_ns()
            gen = session.op(store(key)).gen
            result = session.op(cancel(key, gen))
            if gen and result.answer in RECORDED:
                session.op(delete(key, gen))
                return time.monotonic() - begin
        except (OSError, FrameRefused, AssertionError):
            pass
        finally:
            if session is not None:
                session.close()
        time.sleep(0.002)
    return None


class Runner:
    def __init__(self, tally, seed):
        self.tally, self.seed = tally, seed
        self.slowest = 0.0
        self.slowest_journal = 0.0
        self.failed = {}

    def point(self, daemon, history, call, error, rate):
        """What is wrong, or None; and how many calls failed."""
        name, one_in, in_order = rate
        url = daemon.urls["ipc"]
        rule = daemon.control.rule(call)
        short = error == SHORT
        before = history.asked
        daemon.control.fail(call, 0 if short else error, one_in, in_order, 1 if short else 0)
        # A while: until it failed often enough, or the load went on regardless.
        end = time.monotonic() + 0.15
        while time.monotonic() < end and rule.failed < 30 and history.asked - before < 200:
            time.sleep(0.002)
        failed = rule.failed
        daemon.control.heal()
        if not daemon.is_running():
            return f"the daemon ended with {daemon.process.returncode}: {daemon.log_text()[-300:]}", failed
        begin = time.monotonic()
        if not serves(url, HEAL_SECONDS):
            return "no service within a second", failed
        self.slowest = max(self.slowest, time.monotonic() - begin)
        healed = seconds_to_heal(url, JOURNAL_SECONDS)
        if healed is None:
            return f"no cancel is answered: {daemon.log_text()[-300:]}", failed
        self.slowest_journal = max(self.slowest_journal, healed)
        return None, failed

    def call(self, call, rates):
        """All errors and rates of one call, on one daemon with its load; then kill -9."""
        row = self.tally.row(f"calls {call}", "error")
        daemon = FaultyDaemon("--sync", "power", seed=self.seed)
        history = History()
        loads = [Load(daemon.urls["ipc"], history, number) for number in range(3)]
        loads.append(Callers(daemon.urls["ipc"], history, 3))
        for load in loads:
            load.start()
        try:
            for error in ERRORS[call]:
                for rate in rates:
                    self.judge(row, daemon, history, call, error, rate)
                    if not daemon.is_running():
                        return row
        finally:
            for load in loads:
                load.end()
            self.end(row, daemon, history)
        return row

    def judge(self, row, daemon, history, call, error, rate):
        name = error if error == SHORT else errno.errorcode[error]
        wrong, failed = self.point(daemon, history, call, error, rate)
        self.failed[call] = self.failed.get(call, 0) + failed
        if failed or wrong:
            self.tally.add(row, wrong and f"{call} {name} {rate[0]}: {wrong}")

    def end(self, row, daemon, history):
        answered = history.take()
        row["answered"], row["asked"] = len(answered), history.asked
        try:
            lost = lost_now(daemon.urls["ipc"], answered) if daemon.is_running() else 0
            if lost:
                self.tally.add(row, f"{lost} of {len(answered)} answered cancels are lost")
            daemon.restart()
            session = Session(daemon.urls["ipc"])
            lost = sum(session.op(adopt(key, gen)).state != pb.STATE_CANCELLING for gen, key in answered.items())
            session.close()
            if lost:
                self.tally.add(row, f"{lost} of {len(answered)} answered cancels are lost after kill -9")
        finally:
            daemon.close()


def start_point(daemon, call, error, each):
    """A start in which calls fail: it serves, or says why it does not, and ends. None, or what is wrong."""
    short = error == SHORT
    daemon.control.fail(call, 0 if short else error, each, True, 1 if short else 0)
    command = daemon.command("--listen", f"ipc://{daemon.ipc_path}", *daemon.flags)
    with subprocess.Popen(command, env=daemon.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        deadline = threading.Timer(20 * PATIENCE, process.kill)
        deadline.start()
        ready = process.stdout.readline().startswith(b"ready")
        failed = daemon.control.rule(call).failed
        daemon.control.heal()
        if ready:
            process.send_signal(signal.SIGTERM)
        status = process.wait()
        said = process.stderr.read().decode()
        deadline.cancel()
    if ready:
        return (None if status == 0 else f"ready, and its status is {status}: {said[-300:]}"), failed
    return (None if status in (1, 2) and said.strip() else f"it ends with {status}, saying {said!r}"), failed


def run_starts(tally, seed):
    """After each the daemon starts as ever, with the cancels that it had answered."""
    daemon = FaultyDaemon("--sync", "power", seed=seed)
    try:
        owner = Session(daemon.urls["ipc"])
        gens = [owner.store(b"s%d" % n) for n in range(20)]
        for n, gen in enumerate(gens):
            assert owner.op(cancel(b"s%d" % n, gen)).answer in RECORDED
        owner.close()
        daemon.kill()
        for call, errors in START_ERRORS.items():
            row = tally.row(f"start {call}", "error")
            for error in errors:
                for each in START_EACH:
                    wrong, failed = start_point(daemon, call, error, each)
                    if failed or wrong:
                        tally.add(row, wrong and f"{call} {error} each {each}: {wrong}")
            say(f"start with failing {call}: {row['points']} points, {row['survived']} survived")
        row = tally.row("start again", "error")
        daemon.start()
        owner = Session(daemon.urls["ipc"])
        lost = sum(owner.op(adopt(b"s%d" % n, gen)).state != pb.STATE_CANCELLING for n, gen in enumerate(gens))
        tally.add(row, f"{lost} of {len(gens)} answered cancels are lost" if lost else None)
        owner.close()
    finally:
        daemon.close()


def run_all(tally, quick, seed, names=None):
    """Gives the slowest service after healing in seconds: of any request, and of a cancel, which waits for the journal."""
    runner = Runner(tally, seed)
    rates = [rate for rate in RATES if not quick or rate[0] in QUICK_RATES]
    for call in names or ERRORS:
        row = runner.call(call, rates)
        say(f"calls {call}: {row['points']} points, {row['survived']} survived, {runner.failed.get(call, 0)} calls failed, "
            f"{row['answered']} of {row['asked']} cancels answered and looked for")
    return runner
