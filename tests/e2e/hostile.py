# SPDX-License-Identifier: MIT
"""A hostile process: hostile.py URL KIND CONNECTIONS REQUESTS.

    unread  sends so many requests down each connection and goes without reading a reply, a hundred
            connections at a time; every fourth by a reset, some with a parked request, some in the
            middle of a frame
    bare    connects and closes without a word"""
import sys

from wire import Peer, cancel, connect_socket, handshake, pb, ping, wait

AT_A_TIME = 100
OPS = [ping(), pb.Op(stats=pb.Stats()), pb.Op(list=pb.List()), cancel(b"nothing"),
       cancel(b"armed", arm_ttl_ms=1000), wait(b"honest", deadline_ms=5000)]


def send_unread(url, number, requests):
    peer = Peer(url, greet=False)
    try:
        messages = [peer.wrap(pb.Frame(version=1, ops=[OPS[(number + n) % len(OPS)]])
                              .SerializeToString(), n + 1) for n in range(requests)]
        if number % 5 == 0:
            messages[-1] = messages[-1][:-3]
        peer.send_raw(handshake() + b"".join(messages))
    except OSError:
        pass  # refused at a limit: as good
    return peer


def unread(url, numbers, requests):
    peers = [send_unread(url, number, requests) for number in numbers]
    for number, peer in zip(numbers, peers):
        peer.cut() if number % 4 == 0 else peer.close()


def main():
    url, kind, connections, requests = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    if kind == "bare":
        for _ in range(connections):
            connect_socket(url).close()
        return
    for begin in range(0, connections, AT_A_TIME):
        unread(url, range(begin, min(begin + AT_A_TIME, connections)), requests)


if __name__ == "__main__":
    main()
