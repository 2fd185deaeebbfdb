#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Real links that fail, between real processes.

    tests/chaos/run.py --quick | --full | --small [--seed N] [--only SCENE] [--build DIR]

linear  a history through the chaos proxy (delays, cuts in mid-frame, half-open links, ...: see proxy.h), with the
        daemon killed meanwhile, is checked to be linearizable
kills   the kill loop through the proxy: the accounts of owners and cancellers are compared
crowd   owners and cancellers behind the proxy are killed and stopped; the daemon is asked about each orphan
ss      live tcp connections are ended by `ss -K`: singly, and all at once
nets    daemon and clients in network namespaces; the link between them is taken down, for less than a session lives
hangs   and cut, while of those who dial nothing arrives, for nearly as long as their sessions live
lost    and for longer, while cancels go on elsewhere: what its owner loses says of its cancel

A line of JSON for each figure on stdout, added up over the scenes. ss, nets, hangs and lost need root, a kernel
that lets them, and iproute2: else they are skipped, which is said and counted. With CANCELD_TEST_ALL=1 a missing
program is a failure."""
import argparse
import collections
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GRACE_MS = 4500  # with three heartbeats of 500 ms a silent session lives for 6 s, a cut one for 4.5
SHORT_S, HANG_S, LONG_S = (0.2, 1.5), (3.1, 3.3), (7, 8)  # how long a link is taken away
ADDRESSES = ("192.0.2.1", "192.0.2.2")  # kept for examples; nobody else sees them
DAEMON_FLAGS = ["--sync", "process", "--limit-grace-ms", str(GRACE_MS), "--limit-finished", "1000000", "--log-level", "error"]
START_S = 30
AWAY = "longest time that an owner was without its link, and kept its session, ms"
FAULT_EVERY_MS = "30"  # of eight links one: who comes back through it is back long before his grace is over
MUST_BE_ZERO = ("lost answered cancels", "double effects", "wrong generations", "keys that cannot be explained", "wrong answers",
                "operations lost by owners that lived")
# What the programs of other parts call it, and what is taken of them.
LINEAR = {"real operations checked": "operations checked linearizable", "keys checked": "keys checked", "kills": "daemons killed",
          "keys that cannot be explained": "keys that cannot be explained", "wrong answers": "wrong answers",
          "operations of unknown end": "operations of unknown end"}
KILL_LOOP = {"daemons killed": r"^kills (\d+),", "operations": r"^kills .* operations (\d+)", "answered cancels": r"answered cancels (\d+) \(",
             "cancels that came too late": r"too late (\d+)", "cancels of unknown end": r"unknown (\d+)\)", "lost answered cancels": r"^lost (\d+)",
             "wrong generations": r"reused generations (\d+)", "double effects": r"double notices (\d+)",
             "operations lost by owners that lived": r"strayed operations (\d+)", "wrong answers": r"wrong answers (\d+)"}


class Violation(Exception):
    """Something that was promised does not hold."""


class Skipped(Exception):
    """A right is missing, or the kernel cannot."""


class Missing(Skipped):
    """A program is not installed."""


def require(holds, sentence):
    if not holds:
        raise Violation(sentence)


def add(counts, name, value):
    """The longest of all is one of them; the rest adds up."""
    counts[name] = max(counts[name], value) if name == AWAY else counts[name] + value


def say(text):
    print(text, file=sys.stderr, flush=True)


def run(*command, check=True):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    require(not check or done.returncode == 0, f"{' '.join(command)}: {done.stderr}")
    return done.stdout


# ---- those who take part ---------------------------------------------------------------------------


class Run:
    """One scene's daemon, proxy and counts. What it started is ended, whatever comes."""

    def __init__(self, options, name, seed):
        self.options, self.name, self.seed = options, name, seed
        self.chance = random.Random(seed)
        self.counts = collections.Counter()
        self.directory = tempfile.mkdtemp(prefix="canceld-chaos-")
        self.started = []
        self.last = []
        self.story = []  # what was done to links, and when, on the clock of those who take part

    def program(self, name):
        for directory in ("bin", "tests"):
            path = os.path.join(self.options.build, directory, name)
            if os.path.isfile(path):
                return path
        sys.exit(f"chaos: there is no {name} in {self.options.build}")

    def start(self, *command):
        """Gives the process and what it says first: where it is ready."""
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.started.append(process)
        ready = process.stdout.readline().split()
        require(len(ready) > 1 and ready[0] == "ready", f"{self.name}: {command[0]} does not start")
        return process, ready[1:]

    def daemon(self, *urls, before=(), flags=()):
        listens = [word for url in urls for word in ("--listen", url)]
        process, ready = self.start(*before, self.program("canceld"), *listens, "--state-dir", os.path.join(self.directory, "state"),
                                    *DAEMON_FLAGS, *flags)
        while len(ready) < len(urls):
            ready += process.stdout.readline().split()[1:]
        return process, ready

    def note(self, what):
        self.story.append(f"  {time.monotonic_ns() // 1000000}: {what}")

    def url(self, name):
        return f"ipc://{self.directory}/{name}" if self.transport() == "ipc" else "tcp://127.0.0.1:0"

    def transport(self):
        return self.name.rpartition("-")[2]

    def take(self, text, names=None):
        """Adds up the lines of JSON among what a program said."""
        for line in text.splitlines():
            if line.startswith("{"):
                row = json.loads(line)
                name = row["figure"] if row["part"] == "chaos" else (names or {}).get(row["figure"])
                if name:
                    add(self.counts, name, row["value"])

    def finish(self, command, seconds, names=None):
        """Runs a program to its end; gives what it said."""
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, timeout=seconds)
        self.take(done.stdout, names)
        require(done.returncode == 0, f"{self.name}: {os.path.basename(command[0])} says that something does not hold:\n{done.stdout}")
        return done.stdout

    def crowd_command(self, url, cancel_url, seconds, kill_ms=0, stop_ms=0, losses=0):
        return [self.program("chaos_crowd"), url, cancel_url, str(seconds), str(kill_ms), str(stop_ms), str(losses), str(self.seed)]

    def end_proxy(self, process):
        said, _ = process.communicate(timeout=START_S)
        self.take(said)
        require(process.returncode == 0, f"{self.name}: a fault was never put to use")

    def end_daemon(self, process):
        require(process.poll() is None, f"{self.name}: the daemon ended by itself: {process.returncode}")
        process.terminate()
        require(process.wait(START_S) == 0, f"{self.name}: the daemon did not end well: {process.returncode}")

    def close(self):
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.wait()
            process.stdout.close()
            process.stdin.close()
        for command in reversed(self.last):
            run(*command, check=False)
        shutil.rmtree(self.directory, ignore_errors=True)


# ---- the scenes ------------------------------------------------------------------------------------


def linear(of, size):
    calls, kills = size
    of.finish([of.program("linear_history"), of.program("canceld"), of.directory, str(calls), str(kills), str(of.seed),
               of.program("chaos_proxy"), of.transport()], 600, LINEAR)


def kill_loop(of, kills):
    said = of.finish([of.program("kill_loop"), of.program("canceld"), of.url("s"), os.path.join(of.directory, "state"), str(kills),
                      str(of.seed), of.program("chaos_proxy")], 600)
    for name, pattern in KILL_LOOP.items():
        of.counts[name] += int(re.search(pattern, said, re.MULTILINE).group(1))


def crowd(of, seconds):
    daemon, (target,) = of.daemon(of.url("s"))
    proxy, (url,) = of.start(of.program("chaos_proxy"), target, of.url("p"), str(of.seed), FAULT_EVERY_MS)
    of.finish(of.crowd_command(url, "-", seconds, 300, 200), seconds + 120)
    of.end_proxy(proxy)
    of.end_daemon(daemon)


def need_root(*tools):
    if os.geteuid() != 0:
        raise Skipped("it needs root")
    for tool in tools:
        if not shutil.which(tool):
            raise Missing(f"there is no {tool}")


def ends_by_ss(*which):
    """Gives how many ends of connections it closed."""
    return len(run("ss", "-K", "-H", "-t", "-n", "state", "established", *which, check=False).splitlines())


def require_ss():
    """Not every kernel can."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.settimeout(1)
            ends_by_ss("dport", "=", f":{port}")
            try:
                client.recv(1)
            except TimeoutError:
                raise Skipped("this kernel ends no connection for ss -K") from None
            except OSError:
                return
    raise Violation("ss -K ended a connection without an error")


def while_it_works(of, command, seconds, disturb):
    """Disturbs the crowd again and again while it works, and then lets it come to its end."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    of.started.append(process)
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        disturb(end - time.monotonic())
    said, _ = process.communicate(timeout=seconds + 120)
    of.take(said)
    require(process.returncode == 0, f"{of.name}: the crowd says that something does not hold:\n{said}")


def ss(of, seconds):
    need_root("ss")
    require_ss()
    daemon, (url,) = of.daemon("tcp://127.0.0.1:0")
    port = int(url.rpartition(":")[2])

    def disturb(_left):
        time.sleep(of.chance.uniform(0, 0.1))
        near, far = of.chance.choice((("sport", "dport"), ("dport", "sport")))  # the daemon's end, or the client's
        which = [near, "=", f":{port}"]
        peers = re.findall(rf"127\.0\.0\.1:{port}\s+127\.0\.0\.1:(\d+)", run("ss", "-H", "-t", "-n", "state", "established", check=False))
        if peers and of.chance.random() < 0.9:
            which += ["and", far, "=", f":{of.chance.choice(peers)}"]
        of.counts["connections ended by ss -K"] += ends_by_ss(*which)

    while_it_works(of, of.crowd_command(url, "-", seconds), seconds - 0.5, disturb)
    require(of.counts["connections ended by ss -K"] > 0, "ss -K never ended a connection")
    of.end_daemon(daemon)


def two_nets(of):
    """Two network namespaces with a cable between them; gives their names."""
    need_root("ip")
    for name, pid in re.findall(r"^(canceld-chaos-(\d+)-\S+)", run("ip", "netns", "list", check=False), re.MULTILINE):
        if not os.path.exists(f"/proc/{pid}"):  # its run was killed
            run("ip", "netns", "del", name, check=False)
    names = [f"canceld-chaos-{os.getpid()}-{of.name}-{side}" for side in ("daemon", "clients")]
    for name in names:
        of.last.append(("ip", "netns", "del", name))
        if subprocess.run(("ip", "netns", "add", name), capture_output=True, check=False).returncode != 0:
            raise Skipped("there are no network namespaces to be had")
    if subprocess.run(("ip", "-n", names[0], "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", names[1]),
                      capture_output=True, check=False).returncode != 0:
        raise Skipped("there is no veth to be had")
    for name, address in zip(names, ADDRESSES):
        run("ip", "-n", name, "addr", "add", f"{address}/30", "dev", "eth0")
        run("ip", "-n", name, "link", "set", "eth0", "up")
        # Where the kernel can be had to try again each second at first (from 6.5 on), it is not to help.
        run("ip", "netns", "exec", name, "sh", "-c", "echo 0 > /proc/sys/net/ipv4/tcp_syn_linear_timeouts", check=False)
    return names


class Side:
    """One end of the cable: its namespace, its address, and how it goes silent or away, and comes back."""

    def __init__(self, netns, address):
        self.netns, self.address = netns, address

    def ip(self, *words):
        return ("ip", "-n", self.netns, *words)

    def goes_down(self):
        return [self.ip("link", "set", "eth0", "down")], [self.ip("link", "set", "eth0", "up")]

    def is_not_heard(self, by):
        """What it sends goes to an address that nobody has; it hears on. So what it is asked is done, and what it says is lost."""
        return ([self.ip("neigh", "replace", by.address, "lladdr", "02:00:00:00:00:01", "dev", "eth0", "nud", "permanent")],
                [self.ip("neigh", "del", by.address, "dev", "eth0")])

    def drops_all(self):
        return [("ip", "netns", "exec", self.netns, "ss", "-K", "-H", "-t", "-n", "state", "established")]


def all_ways(inside, outside):
    """How the cable between daemon and clients fails: a name, what is done, and what takes it back."""
    return [("partitions: the daemon is heard by nobody", *inside.is_not_heard(outside)),
            ("partitions: the clients are heard by nobody", *outside.is_not_heard(inside)),
            ("partitions: at the daemon's end", *inside.goes_down()), ("partitions: at the clients' end", *outside.goes_down())]


def hanging_ways(inside, outside):
    """The daemon drops its links, and of those who dial nothing arrives: each dial hangs. The kernel tries again after 1, 2 and
    4 s; who leaves it to the kernel alone comes back when the session is lost."""
    silence, speech = outside.is_not_heard(inside)
    return [("partitions: cut, and every dial hangs", silence + inside.drops_all(), speech)]


def partitions(of, seconds, away_s, ways_of=all_ways, losses=False):
    """The link goes and comes back; cancellers of the scene with losses have a socket that needs no link."""
    netns = two_nets(of)
    inside, outside = (Side(*side) for side in zip(netns, ADDRESSES))
    daemon, urls = of.daemon(f"tcp://{ADDRESSES[0]}:0", f"ipc://{of.directory}/s", before=("ip", "netns", "exec", inside.netns),
                             flags=("--insecure-tcp",))
    ways = ways_of(inside, outside)
    deck = ways[:1]  # the worst comes first, for a short run has no other

    def disturb(left):
        away = of.chance.uniform(*away_s)
        if left < away + 0.5:
            time.sleep(max(0, left))
            return
        time.sleep(of.chance.uniform(0.2, 1))
        if not deck:
            deck.extend(of.chance.sample(ways, len(ways)))
        name, cut, mend = deck.pop()
        of.note(name)
        for command in cut:
            run(*command)
        time.sleep(away)
        for command in mend:
            run(*command)
        of.note("the link is there again")
        of.counts[name] += 1
        of.counts["partitions longer than a session lives" if losses else "partitions shorter than a session lives"] += 1

    command = of.crowd_command(urls[0], urls[1] if losses else "-", seconds, losses=int(losses))
    while_it_works(of, ["ip", "netns", "exec", outside.netns, *command], seconds, disturb)
    require(any(of.counts[name] for name in of.counts if name.startswith("partitions")), "the link was never taken away")
    of.end_daemon(daemon)


def nets(of, seconds):
    partitions(of, seconds, SHORT_S)


def hangs(of, seconds):
    need_root("ss")
    require_ss()
    partitions(of, seconds, HANG_S, hanging_ways)
    require(of.counts[AWAY] >= 1000 * HANG_S[0], "no dial hung")


def lost(of, seconds):
    partitions(of, seconds, LONG_S, losses=True)


# Each scene and its size in each way to run; None: not there.
SCENES = (
    ("linear-ipc", linear, {"small": None, "quick": (20000, 1), "full": (200000, 5)}),
    ("linear-tcp", linear, {"small": None, "quick": (20000, 1), "full": (200000, 5)}),
    ("kills-ipc", kill_loop, {"small": None, "quick": 10, "full": 200}),
    ("kills-tcp", kill_loop, {"small": None, "quick": 10, "full": 200}),
    ("lost-tcp", lost, {"small": None, "quick": 9, "full": 40}),
    ("nets-tcp", nets, {"small": None, "quick": 4, "full": 30}),
    ("hangs-tcp", hangs, {"small": None, "quick": 6, "full": 12}),
    ("crowd-ipc", crowd, {"small": None, "quick": 3, "full": 40}),
    ("crowd-tcp", crowd, {"small": 3, "quick": 3, "full": 40}),
    ("ss-tcp", ss, {"small": None, "quick": 3, "full": 20}),
)
LANES = 2


# ---- the whole -------------------------------------------------------------------------------------


class Whole:
    """The scenes, two at a time, for most of them wait most of the time."""

    def __init__(self, options):
        self.options, self.lock = options, threading.Lock()
        self.left = collections.deque(row for row in SCENES if row[2][options.how] and options.only in (None, row[0]))
        self.counts, self.violations, self.skipped = collections.Counter(), [], []

    def play(self, name, scene, size):
        of, begin = Run(self.options, name, self.options.seed), time.monotonic()
        end = "held"
        try:
            scene(of, size)
        except Skipped as reason:
            end = f"SKIPPED: {reason}"
            self.skipped.append(f"{name}: {reason}")
            if isinstance(reason, Missing) and os.environ.get("CANCELD_TEST_ALL") == "1":
                self.violations.append(name)
        except (Violation, subprocess.TimeoutExpired) as violation:
            end = f"VIOLATED: {violation}"
            self.violations.append(name)
        finally:
            of.close()
        with self.lock:
            for figure, value in of.counts.items():
                add(self.counts, figure, value)
            say(f"chaos: {name}: {end} ({time.monotonic() - begin:.1f} s)")
            if end.startswith("VIOLATED"):
                say("\n".join(of.story[-20:]))
                say(f"again: tests/chaos/run.py --{self.options.how} --seed {self.options.seed} --only {name}")

    def lane(self):
        while True:
            with self.lock:
                if not self.left:
                    return
                name, scene, sizes = self.left.popleft()
            try:
                self.play(name, scene, sizes[self.options.how])
            except BaseException:
                self.violations.append(name)
                raise

    def run(self):
        lanes = [threading.Thread(target=self.lane) for _ in range(LANES)]
        for lane in lanes:
            lane.start()
        for lane in lanes:
            lane.join()


def rows(whole):
    counts, options = whole.counts, whole.options
    counts["requests"] = 2 * counts["operations"] + sum(counts[name] for name in (
        "operations checked linearizable", "answered cancels", "cancels that came too late", "cancels of unknown end"))
    for name, value in counts.items():
        row = {"part": "chaos", "figure": name, "value": value, "seed": options.seed}
        if name in MUST_BE_ZERO:
            row.update(goal=0, sense="==")
        print(json.dumps(row), flush=True)
    print(json.dumps({"part": "chaos", "figure": "scenes skipped", "value": len(whole.skipped), "seed": options.seed,
                      "note": "; ".join(whole.skipped)}), flush=True)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    for how in ("small", "quick", "full"):
        parser.add_argument(f"--{how}", dest="how", action="store_const", const=how, default="quick")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--only", metavar="SCENE", choices=[name for name, _scene, _sizes in SCENES])
    parser.add_argument("--build", metavar="DIR", default=os.path.join(ROOT, "build", "release"))
    options = parser.parse_args()
    if options.seed is None:
        options.seed = int(os.environ.get("CANCELD_TEST_SEED") or random.randrange(1 << 32))
    return options


def main():
    options = arguments()
    say(f"chaos: seed {options.seed}")
    whole = Whole(options)
    whole.run()
    rows(whole)
    bad = [name for name in MUST_BE_ZERO if whole.counts[name] != 0]
    if bad and not whole.violations:
        say(f"VIOLATED: {', '.join(bad)}")
    return 1 if whole.violations or bad else 0


if __name__ == "__main__":
    sys.exit(main())
