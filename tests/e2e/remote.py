# SPDX-License-Identifier: MIT
"""The process behind a Remote: takes calls from stdin, gives results to stdout, both pickled.

A session with a heartbeat is kept alive by pings between the calls, as a client library's thread
would do it; a stopped process (SIGSTOP) is therefore silent, and a killed one is gone."""
import os
import pickle
import select
import struct
import sys
import time

import crowd
from wire import FrameRefused, Peer, Session, only_result, pb, ping


class Holder:
    def __init__(self):
        self.url = None
        self.session = None
        self.peer = None
        self.lost = False
        self.pings_s = None

    def begin(self, url, open_fields):
        self.url = url
        if open_fields.pop("sessionless", False):
            self.peer = Peer(url)
        else:
            self.session = Session(url, **open_fields)
            if open_fields.get("heartbeat_ms"):
                self.pings_s = open_fields["heartbeat_ms"] / 2000
        return self.session.number if self.session else 0

    def session_number(self):
        return self.session.number

    def heartbeat(self):
        if self.session is None or self.lost:
            return
        try:
            self.session.op(ping())
        except FrameRefused:
            self.lost = True

    def op(self, op):
        if self.session is None:
            return self.peer.op(op)
        return self.session.op(op)

    def ops(self, ops):
        return self.session.ops(*ops)

    def is_lost(self):
        """Whether a heartbeat says so, now or before."""
        self.heartbeat()
        return self.lost

    def open_again(self):
        """A new session, as after SESSION_LOST."""
        self.session = Session(self.url)
        self.lost = False
        return self.session.number

    def cut(self):
        self.session.cut()

    def resume(self):
        return self.session.resume(self.url)

    def flood(self, op, connections_count, each):
        """The same op `each` times down each of so many connections, all sent before any reply is
        read. Gives the results."""
        peers = [Peer(self.url) for _ in range(connections_count)]
        body = pb.Frame(version=1, ops=[op]).SerializeToString()
        numbers = [(peer, peer.send_body(body)) for _ in range(each) for peer in peers]
        results = [only_result(peer.receive(number)) for peer, number in numbers]
        for peer in peers:
            peer.close()
        return results

    def crowd(self, name, *arguments):
        """A function of crowd.py."""
        return getattr(crowd, name)(self, *arguments)

    def nothing(self):
        """For whoever goes on until it is called."""

    def at(self, moment, op):
        """One op, sent at a moment of the monotonic clock."""
        while time.monotonic() < moment:
            pass
        return self.op(op)


def read_exactly(size):
    """From stdin, and no byte more: whether there is another call has to show in select()."""
    data = b""
    while len(data) < size:
        more = os.read(sys.stdin.fileno(), size - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def next_call():
    (size,) = struct.unpack("<I", read_exactly(4))
    return pickle.loads(read_exactly(size))


def main():
    holder = Holder()
    sink = sys.stdout.buffer
    while True:
        while not select.select([sys.stdin], [], [], holder.pings_s)[0]:
            holder.heartbeat()
        try:
            verb, arguments = next_call()
        except EOFError:
            return
        try:
            answer = (True, getattr(holder, verb)(*arguments))
        except Exception as failure:  # whatever it is, the caller has to see it
            answer = (False, failure)
        pickle.dump(answer, sink)
        sink.flush()


if __name__ == "__main__":
    main()
