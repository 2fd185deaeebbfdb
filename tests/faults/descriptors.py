# SPDX-License-Identifier: MIT
"""No descriptor is to be had, in the daemon and in a client's process, and then there are some again."""
import os
import resource
import socket
import subprocess
import threading
import time

from faults import PATIENCE, Daemon, Peer, eventually, pb, say, serves
from wire import Session, adopt, cancel, store

RECORDED = (pb.ANSWER_REQUESTED, pb.ANSWER_ALREADY_REQUESTED)
SPARE = 3


def limit(pid, count):
    hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (count, hard))


def crowd(url, count):
    """Connections that just stand there; those that nobody accepts wait in the queue."""
    sockets = []
    for _ in range(count):
        one = socket.socket(socket.AF_UNIX)
        one.setblocking(False)
        try:
            one.connect(url.split("://")[1])
        except BlockingIOError:
            one.close()
            break
        sockets.append(one)
    return sockets


def daemon_round(daemon, session, number):
    """What is wrong, or None, and the seconds until it served again."""
    before = daemon.descriptors()
    limit(daemon.pid, before + SPARE)
    key = b"d%d" % number
    standing = crowd(daemon.urls["ipc"], 60)
    try:
        # Whoever was there goes on, the journal included.
        gen = session.store(key)
        answer = session.op(cancel(key, gen)).answer
        if answer not in RECORDED:
            return f"a cancel by one who was there answers {pb.Answer.Name(answer)}", gen, 0.0
        eventually(lambda: daemon.descriptors() >= before + SPARE, what="the limit")
    finally:
        limit(daemon.pid, 1024)
        for one in standing:
            one.close()
    begin = time.monotonic()
    wrong = None if serves(daemon.urls["ipc"], 1) else "no service within a second of free descriptors"
    return wrong, gen, time.monotonic() - begin


def run_daemon(tally, rounds):
    row = tally.row("descriptors daemon", "exhausted")
    daemon = Daemon(ephemeral=False)
    slowest, kept = 0.0, {}
    try:
        session = Session(daemon.urls["ipc"])
        at_rest = daemon.descriptors_at_rest()
        for number in range(rounds):
            wrong, gen, seconds = daemon_round(daemon, session, number)
            kept[gen] = b"d%d" % number
            slowest = max(slowest, seconds)
            tally.add(row, wrong)
        eventually(lambda: daemon.descriptors() <= at_rest, what="the descriptors back")
        session.close()
        daemon.restart()
        session = Session(daemon.urls["ipc"])
        lost = sum(session.op(adopt(key, gen)).state != pb.STATE_CANCELLING for gen, key in kept.items())
        tally.add(row, f"{lost} answered cancels are lost" if lost else None)
        session.close()
    finally:
        daemon.close()
    say(f"descriptors daemon: {row['points']} points, {row['survived']} survived, served again in {slowest * 1000:.0f} ms")
    return slowest


def run_all(tally, rounds):
    return run_daemon(tally, rounds)
