# SPDX-License-Identifier: MIT
"""Each allocation of a daemon that serves fails, once and from then on. The scenario's requests may then be refused, or their
connection be cut; but the daemon lives, keeps no memory for it, serves the next one as ever, and no cancel that
it answered is lost: not to whoever looks, and not in a restart after kill -9."""
import concurrent.futures
import os
import signal
import ssl
import subprocess
import tempfile
import threading
import time

from faults import (BINARIES, HERE, Control, FaultyDaemon, Peer, eventually, pb, place_of, say, serves, stride_of)
from wire import (PATIENCE, FrameRefused, Session, adopt, armed, cancel, cancel_label, cancel_namespace, count,
                  delete, detach, disarm, drain, get, handshake, history, page, ping, poll, store, touch,
                  undrain, wait, watch)

SECONDS = 3  # of patience with one answer
RECORDED = (pb.ANSWER_REQUESTED, pb.ANSWER_ALREADY_REQUESTED)


class Unanswered(Exception):
    """Neither an answer nor the end of the connection."""


class Bed:
    """The daemon of a scenario, the connections of one run, and the cancels that it answered in all of them."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.url = daemon.urls["ipc"]
        self.kept = {}  # gen: key and labels, of operations whose cancel was answered
        self.sessions = []
        self.runs = 0
        self.owner = Session(self.url)
        self.tls = None

    def peer(self, url=None, **how):
        peer = Peer(url or self.url, seconds=SECONDS, **how)
        self.sessions.append(peer)
        return peer

    def session(self):
        session = Session(self.url, self.peer())
        return session

    def close_run(self):
        for session in self.sessions:
            session.close()
        self.sessions = []

    def owner_comes_back(self):
        """Its session goes on by a new connection where its own was cut: by a run that it had a part in."""
        try:
            self.owner.op(ping())
        except OSError:
            opened = self.owner.resume()
            assert opened.answer == pb.ANSWER_OPENED, opened

    def cancelled(self, result, key, gen, labels=()):
        if result.answer in RECORDED:
            assert result.journaled, result
            self.kept[gen] = key, labels


# ---- scenarios: a part before, in which nothing fails, and the part in which something does --------------


def no_prepare(bed):
    return None


def run_open(bed, _):
    session = bed.session()
    session.op(pb.Op(close=pb.Close()))


def run_store(bed, _):
    session = bed.session()
    result = session.op(store(b"s%d" % bed.runs, meta=b"m" * 500, labels=[b"a", b"b"], ttl_ms=60000))
    session.op(touch(b"s%d" % bed.runs, result.gen, 60000))
    session.op(get(b"s%d" % bed.runs))
    session.op(delete(b"s%d" % bed.runs, result.gen))


def prepare_operation(bed):
    """One of a session that no run ends, so that its cancel can be looked for."""
    key = b"o%d" % bed.runs
    return key, bed.owner.store(key, labels=[b"L%d" % bed.runs])


def run_cancel(bed, operation):
    key, gen = operation
    bed.cancelled(bed.peer().op(cancel(key, gen, text="why" * 30)), key, gen)


def run_cancel_label(bed, operation):
    key, gen = operation
    result = bed.peer().op(cancel_label(b"L%d" % bed.runs, text="all of it"))
    bed.cancelled(result, key, gen, [b"L%d" % bed.runs])


def run_cancel_awaited(bed, operation):
    """The owner is told and stops, while the canceller waits for it."""
    key, gen = operation
    peer = bed.peer()
    parked = peer.start(cancel(key, gen, level=pb.LEVEL_STOPPED, deadline_ms=1000))
    notices = eventually(lambda: [n for n in bed.owner.notices() if n.gen == gen], SECONDS, "the notice")
    bed.owner.acknowledge(notices)
    bed.owner.op(delete(key, gen, pb.OUTCOME_CANCELLED))
    peer.result_of(parked)


def run_arm(bed, _):
    peer, key = bed.peer(), b"armed%d" % bed.runs
    peer.op(cancel(key, arm_ttl_ms=30000))
    peer.op(armed())
    session = bed.session()
    born = session.op(store(key))
    if born.answer == pb.ANSWER_BORN_CANCELLED:
        session.op(delete(key, born.gen))
    peer.op(disarm(key))


def run_wait(bed, operation):
    key, gen = operation
    peer = bed.peer()
    parked = peer.start(wait(key, gen, deadline_ms=2000))
    bed.owner.op(delete(key, gen))
    peer.result_of(parked)


def run_watch(bed, operation):
    peer, owner = bed.peer(), bed.owner
    seen = peer.op(watch())
    parked = peer.start(watch(seen.epoch, seen.revision, wait_ms=2000))
    owner.op(delete(operation[0], operation[1]))
    peer.result_of(parked)


def run_reads(bed, _):
    peer = bed.peer()
    for op in (page(), count(), armed(), history(), pb.Op(stats=pb.Stats()), get(b"nobody")):
        peer.op(op)


def run_tree(bed, operation):
    session = bed.session()
    child = session.op(store(b"c%d" % bed.runs, parent=operation[1]))
    session.op(detach(b"c%d" % bed.runs, child.gen))
    bed.owner.op(delete(operation[0], operation[1]))


BULK = 200


def prepare_bulk(bed):
    space = b"bulk%d" % bed.runs
    ops = [store(b"b%d" % i, namespace=space) for i in range(BULK)]
    return space, [result.gen for result in bed.owner.ops(*ops[:BULK // 2]) + bed.owner.ops(*ops[BULK // 2:])]


def run_bulk(bed, made):
    space, gens = made
    result = bed.peer().op(cancel_namespace(space, text="bulk"))
    if result.answer in RECORDED:
        left = bed.owner.ops(*[get(b"b%d" % i, gen, namespace=space) for i, gen in enumerate(gens)])
        assert all(r.operations[0].state == pb.STATE_CANCELLING for r in left), "a bulk cancel is lost"
    for i in range(0, BULK, 100):
        bed.owner.ops(*[delete(b"b%d" % n, gens[n], namespace=space) for n in range(i, i + 100)])


def run_drain(bed, _):
    peer = bed.peer()
    peer.op(drain(namespace=b"drained%d" % bed.runs, text="closing"))
    peer.op(undrain(namespace=b"drained%d" % bed.runs))


def run_unusual(bed, _):
    """Frames that go the long way, through protobuf-c, and those that are refused."""
    peer = bed.peer()
    body = pb.Frame(version=1, ops=[store(b"u"), get(b"u")]).SerializeToString()
    for unusual in (body + b"\xc2\x3e\x03abc", body[:-1], b"", b"\xff" * 40, body * 20):
        peer.receive_body(peer.send_body(unusual))


def run_many_connections(bed, _):
    peers = [bed.peer() for _ in range(12)]
    for number, peer in [(peer.start(pb.Op(ping=pb.Ping())), peer) for peer in peers]:
        peer.result_of(number)


def run_growth(bed, _):
    """So many that the tables grow."""
    session, at_once = bed.session(), 500
    frames = [session.send(*[store(b"g%d-%d-%d" % (bed.runs, i, n))
                             for n in range(at_once)]) for i in range(40)]
    for frame in frames:
        answers = {result.answer for result in session.receive(frame)}
        assert answers <= {pb.ANSWER_STORED, pb.ANSWER_FULL}, answers
    session.op(pb.Op(close=pb.Close()))


RULES = 22


def run_tls(bed, _):
    peer = bed.peer(bed.daemon.urls["tls+tcp"], tls=bed.tls)
    peer.op(pb.Op(ping=pb.Ping()))


def run_reload(bed, _):
    before = len(bed.daemon.log_text())
    bed.daemon.signal(signal.SIGHUP)
    told = eventually(lambda: not bed.daemon.is_running() or bed.daemon.log_text()[before:], SECONDS, "the reload")
    # Whole or not at all: a rule that got lost on the way would be worse than none.
    assert told is True or f"reloaded: {RULES} rules" in told or "nothing is reloaded" in told, told


# libconfig, which reads the configuration, looks at none of its allocations, or ends the process for one: what it does
# not survive is counted and told, and not held against the daemon. What was answered must be there all the same.
EXCLUDED = {"reload": "libconfig"}

SCENARIOS = {
    "open": (no_prepare, run_open),
    "store": (no_prepare, run_store),
    "cancel": (prepare_operation, run_cancel),
    "cancel by label": (prepare_operation, run_cancel_label),
    "cancel awaited": (prepare_operation, run_cancel_awaited),
    "arm": (no_prepare, run_arm),
    "wait": (prepare_operation, run_wait),
    "watch": (prepare_operation, run_watch),
    "reads": (no_prepare, run_reads),
    "tree": (prepare_operation, run_tree),
    "bulk": (prepare_bulk, run_bulk),
    "drain": (no_prepare, run_drain),
    "unusual frames": (no_prepare, run_unusual),
    "connections": (no_prepare, run_many_connections),
    "growth": (no_prepare, run_growth),
    "tls": (no_prepare, run_tls),
    "reload": (no_prepare, run_reload),
}


# ---- one point -------------------------------------------------------------------------------------------


def run_armed(bed, prepare, run, fail_at, for_ever):
    """Gives what went wrong, or None, and how many allocations there were."""
    control = bed.daemon.control
    bed.runs += 1
    made = prepare(bed)
    control.arm(fail_at, for_ever)
    wrong = None
    try:
        run(bed, made)
    except TimeoutError:
        wrong = None if not bed.daemon.is_running() else "a request was neither answered nor cut"
    except (OSError, FrameRefused, ssl.SSLError):
        pass  # refused, or cut: the world's fault, and told
    except AssertionError as failure:
        # Session() wants to be opened, whatever fails; everything else is about the truth.
        wrong = None if control.now.failed and "ANSWER_OPENED" in str(failure) else str(failure) or "an assertion"
    failed = control.disarm()
    bed.close_run()
    return wrong, failed


def is_kept(bed):
    """The cancels that were answered, as the daemon has them."""
    for gen, (key, _) in list(bed.kept.items())[-3:]:
        found = bed.owner.op(get(key, gen))
        if found.answer != pb.ANSWER_FOUND or found.operations[0].state != pb.STATE_CANCELLING:
            return f"the cancel of {key} was answered and is lost: {found}"
    return None


def cancels(bed, seconds=2):
    """Whether a cancel is answered, and kept, within that time: a journal that could not keep something tries again
    each JOURNAL_RETRY_MS, which is a second."""
    key = b"again%d" % bed.runs
    gen = bed.owner.store(key)
    peer = Peer(bed.url, seconds=SECONDS)
    deadline = time.monotonic() + seconds * PATIENCE
    try:
        while time.monotonic() < deadline:
            try:
                if peer.op(cancel(key, gen)).answer in RECORDED:
                    return True
            except FrameRefused:
                pass  # ERROR_JOURNAL: it is done, but not kept yet
            time.sleep(0.002)
        return False
    finally:
        peer.close()
        bed.owner.op(delete(key, gen))


def comes_to_rest(daemon, live, descriptors, seconds=4):
    deadline = time.monotonic() + seconds * PATIENCE
    while daemon.control.now.live > live or daemon.descriptors() > descriptors:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True


# Of one daemon. SQLite keeps the pages of the journal in memory, a block each, up to its cache's size: over 600 runs of a cancel
# in which nothing fails, there are just as many more blocks as the file has more pages.
RUNS_MAX = 40


def make_files(directory):
    """What the daemons are started with: certificates, and a configuration."""
    subprocess.run(["sh", os.path.join(HERE, "../support/make_certificates.sh"), directory], check=True,
                   capture_output=True)
    path = os.path.join(directory, "canceld.conf")
    with open(path, "w", encoding="ascii") as config:
        rules = ",\n".join(f'{{ who = "token:t{n}"; namespace = "n{n}"; roles = ( "owner", "canceller" ); }}'
                           for n in range(RULES - 2))
        config.write(f'rules = ({{ who = "uid:{os.geteuid()}"; namespace = "*"; roles = "admin"; }},\n'
                     f'{{ who = "tls:anonymous"; namespace = "*"; roles = "admin"; }},\n{rules});\n')
    os.chmod(path, 0o600)


class Runner:
    """One scenario, failing once or for ever, with a daemon of its own."""

    def __init__(self, tally, row, points_max, directory):
        self.tally, self.row, self.points_max, self.directory = tally, row, points_max, directory
        self.bed = None

    def file(self, name):
        return os.path.join(self.directory, name)

    def begin(self):
        daemon = FaultyDaemon("--listen", "tls+tcp://127.0.0.1:0", "--tls-cert", self.file("server.crt"),
                              "--tls-key", self.file("server.key"), "--config", self.file("canceld.conf"))
        self.bed = Bed(daemon)
        self.bed.tls = ssl.create_default_context(cafile=self.file("ca.crt"))

    def end(self):
        """kill -9, and every answered cancel is there in the next run."""
        bed, self.bed = self.bed, None
        lost = 0
        try:
            bed.owner.close()
            bed.daemon.restart()
            session = Session(bed.daemon.urls["ipc"])
            for gen, (key, labels) in bed.kept.items():
                adopted = session.op(adopt(key, gen, labels=labels))
                lost += adopted.state != pb.STATE_CANCELLING
            session.close()
            bed.daemon.close()
        finally:
            if bed.daemon.is_running():
                bed.daemon.kill()
        self.row["answered"] = self.row.get("answered", 0) + len(bed.kept)
        if lost:
            self.row["excluded"] = None
            self.tally.add(self.row, f"{lost} of {len(bed.kept)} answered cancels are lost after kill -9")

    def warm_up(self, prepare, run):
        """Gives the allocations of a run and the daemon's rest after it."""
        counts, live = [], []
        for _ in range(5):
            wrong, _ = run_armed(self.bed, prepare, run, 0, False)
            assert wrong is None, f"it goes wrong where nothing fails: {wrong}"
            counts.append(self.bed.daemon.control.now.allocations)
            assert cancels(self.bed)
            live.append(self.bed.daemon.control.now.live)
        return max(counts), max(live), self.bed.daemon.descriptors_at_rest()

    def scenario(self, name, for_ever):
        prepare, run = SCENARIOS[name]
        begin = time.monotonic()
        self.begin()
        try:
            self.points(prepare, run, for_ever)
        finally:
            self.end()
        row = self.row
        say(f"daemon {name}, {row['fails']}: {row['points']} points, {row['survived']} survived, {row['answered']} answered "
            f"cancels looked for after kill -9, {time.monotonic() - begin:.1f} s")

    def points(self, prepare, run, for_ever):
        row = self.row
        most, live, descriptors = self.warm_up(prepare, run)
        points_max = self.points_max and (self.points_max // 3 if row["excluded"] else self.points_max)
        stride, point, missed, runs = stride_of(most, points_max), 1, 0, 0
        while most and (missed < 2 or point <= most):
            wrong, failed = run_armed(self.bed, prepare, run, point, for_ever)
            control = self.bed.daemon.control
            place = place_of(self.bed.daemon.pid, control.now.place)
            ended = not self.bed.daemon.is_running()
            wrong = self.after(live, descriptors) if ended or not wrong else wrong
            missed = 0 if failed else missed + 1
            if failed or wrong:
                self.tally.add(row, wrong and f"allocation {point} at {place}: {wrong}")
            runs += 1
            if wrong or runs % RUNS_MAX == 0:
                self.end()
                self.begin()
                most, live, descriptors = self.warm_up(prepare, run)
            point += stride

    def after(self, live, descriptors):
        """What is wrong now that there is memory again."""
        daemon = self.bed.daemon
        if not daemon.is_running():
            return f"the daemon ended with {daemon.process.returncode}: {daemon.log_text()[-300:]}"
        served = serves(self.bed.url)
        if served:
            self.bed.owner_comes_back()
        if not served or not cancels(self.bed):
            return f"no service in time: {daemon.log_text()[-300:]}"
        wrong = is_kept(self.bed)
        # Each run leaves one operation, and a journal its records: none of that is from malloc, until SQLite needs
        # another page (see RUNS_MAX).
        if wrong is None and not comes_to_rest(daemon, live, descriptors):
            return (f"{daemon.control.now.live} blocks and {daemon.descriptors()} descriptors, {live} and "
                    f"{descriptors} before")
        return wrong


# ---- the start ---------------------------------------------------------------------------------------


def start_ends(process, control, ready_seconds=10):
    """What is wrong with a start, or None. It may serve, or say why it does not; it may not crash, nor hang."""
    line = process.stdout.readline().decode()
    if line.startswith("ready"):
        control.now.armed = 0
        url = line.split()[1].rstrip(",")
        served = serves(url)
        process.send_signal(signal.SIGTERM)
        status = process.wait(ready_seconds * PATIENCE)
        return None if served and status == 0 else f"ready, but served: {served}, and its status is {status}"
    status = process.wait(ready_seconds * PATIENCE)
    said = process.stderr.read().decode()
    return None if status in (1, 2) and said.strip() else f"it ends with {status}, saying {said!r}"


START_ALLOCATIONS = 3000  # about: it only spreads a sample


def run_start(tally, points_max):
    """From main() on, without NNG (which is there for TLS alone) and without a configuration."""
    with tempfile.TemporaryDirectory(prefix="canceld-faults-") as directory:
        for for_ever in (False, True):
            row = tally.row("daemon start", "for ever" if for_ever else "once")
            control = Control()
            point, missed, stride = 1, 0, stride_of(START_ALLOCATIONS, points_max)
            while missed < 2:
                state = os.path.join(directory, f"state{int(for_ever)}")
                control.arm(point, for_ever)
                with subprocess.Popen(
                        [os.path.join(BINARIES, "canceld"), "--listen", f"ipc://{directory}/s", "--state-dir", state],
                        env={**os.environ, **control.environment()}, stdin=subprocess.DEVNULL,
                        stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
                    deadline = threading.Timer(20 * PATIENCE, process.kill)
                    deadline.start()
                    wrong = start_ends(process, control)
                    deadline.cancel()
                if control.disarm() or wrong:
                    tally.add(row, wrong and f"allocation {point}: {wrong}")
                    missed = 0
                else:
                    missed += 1
                point += stride
            control.close()


JOBS = 3  # most of the time is spent in waiting for a journal that tries again after a second


def run_all(tally, points_max, names=None):
    if not names or "start" in names:
        run_start(tally, points_max)
        say(f"daemon start: {sum(r['points'] for r in tally.rows[-2:])} points, "
            f"{sum(r['survived'] for r in tally.rows[-2:])} survived")
    with tempfile.TemporaryDirectory(prefix="canceld-faults-") as directory, \
            concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        make_files(directory)
        jobs = []
        for name in [name for name in names or SCENARIOS if name in SCENARIOS]:
            for for_ever in (False, True):
                row = tally.row(f"daemon {name}", "for ever" if for_ever else "once", EXCLUDED.get(name))
                jobs.append(pool.submit(Runner(tally, row, points_max, directory).scenario, name, for_ever))
        for job in jobs:
            job.result()
