# SPDX-License-Identifier: MIT
"""Work in bulk: operations by the hundred thousand, churn, and measurements, for a process of its own
(remote.py calls these with its Holder) or for the test itself.

Frames are put together from a template's bytes: Python could not make a million messages in time."""
import random
import select
import sys
import time

from wire import only_result, pb, results_of

FRAME_OPS = 1000
FRAMES_AHEAD = 4
CANCELS_AHEAD = 200
CHURN_ALIVE = 4000  # operations of one owner, about
DIGITS = b"%08d"
MARK = DIGITS % 0


# ---- frames of many like ops ------------------------------------------------------------------------


class Template:
    """An op whose key is eight digits, those of a number: the bytes of a frame's `ops` for it."""

    def __init__(self, op):
        data = pb.Frame(ops=[op]).SerializeToString()
        assert data.count(MARK) == 1, "the op's key has to be the mark"
        self.head, self.tail = data.split(MARK)

    def ops(self, numbers):
        head, tail = self.head, self.tail
        return b"".join([head + DIGITS % number + tail for number in numbers])


def send_ops(session, ops):
    """A frame on its way, with ops that are bytes already."""
    frame = session.frame()
    return session.peer.send_body(frame.SerializeToString() + ops), frame.request_id


def pipeline(session, bodies):
    """Sends the frames, a few ahead of their replies; gives the results of each."""
    pending = []
    for ops in bodies:
        pending.append(send_ops(session, ops))
        if len(pending) > FRAMES_AHEAD:
            yield session.receive(pending.pop(0))
    for sent in pending:
        yield session.receive(sent)


def ranges(count, first=0):
    return [range(begin, min(begin + FRAME_OPS, first + count))
            for begin in range(first, first + count, FRAME_OPS)]


def store_many(session, count, first=0, **fields):
    """Stores the keys of so many numbers; gives their gens."""
    template = Template(pb.Op(store=pb.Store(key=MARK, **fields)))
    gens = []
    for results in pipeline(session, map(template.ops, ranges(count, first))):
        for result in results:
            assert result.answer in (pb.ANSWER_STORED, pb.ANSWER_BORN_CANCELLED), result
            gens.append(result.gen)
    return gens


def delete_many(session, gens, first=0):
    """Deletes what store_many() gave; gives which were cancelled."""
    keyed = list(zip(range(first, first + len(gens)), gens))
    frames = [pb.Frame(ops=[pb.Op(delete=pb.Delete(key=DIGITS % n, gen=gen,
                                                   outcome=pb.OUTCOME_COMPLETED))
                            for n, gen in keyed[begin:begin + FRAME_OPS]]).SerializeToString()
              for begin in range(0, len(keyed), FRAME_OPS)]
    cancelled = []
    for results in pipeline(session, frames):
        for result in results:
            assert result.answer == pb.ANSWER_DELETED, result
            cancelled.append(result.cancelled)
    return cancelled


def store_chain(session, count):
    """A chain: each the child of the one before. In one frame a child names a gen that its parent is only
    about to get, which holds where nobody else stores: a wrong guess is refused, and fails here."""
    gens = [session.store(MARK)]
    for numbers in ranges(count - 1, 1):
        first = gens[-1]
        results = session.ops(*[pb.Op(store=pb.Store(key=DIGITS % n, parent=first + i))
                                for i, n in enumerate(numbers)])
        for i, result in enumerate(results):
            assert (result.answer, result.gen) == (pb.ANSWER_STORED, first + i + 1), result
        gens.append(results[-1].gen)
    return range(gens[0], gens[0] + count)


def take_notices(session, count, wait_ms=20000):
    """Polls until so many notices came, or none does for the time; acknowledges them all."""
    taken, after, acks = [], 0, []
    while len(taken) < count:
        found = session.notices(after=after, wait_ms=wait_ms, acks=acks)
        if not found:
            break
        taken += found
        after = found[-1].number
        acks = [(notice.gen, notice.kind) for notice in found]
    session.notices(after=after, acks=acks)
    return taken


# ---- in a process of its own: the first argument is the Holder of remote.py -----------------------------


def is_called():
    """Whether the test has another call: so it ends what goes on until then."""
    return bool(select.select([sys.stdin], [], [], 0)[0])


def fill(holder, count, first, fields):
    store_many(holder.session, count, first, **fields)


def notices_taken(holder, count):
    """Of how many gens there was a notice, and how many notices: twice the same number."""
    taken = take_notices(holder.session, count)
    return len({notice.gen for notice in taken}), len(taken)


def measure(holder, op, count):
    """Asks without a pause, `count` times or, with 0, until called: when each began and ended."""
    data = pb.Frame(version=1, ops=[op]).SerializeToString()
    samples = []
    while len(samples) < count or (not count and not is_called()):
        begin = time.monotonic()
        only_result(pb.Reply.FromString(holder.peer.receive_body(holder.peer.send_body(data))))
        samples.append((begin, time.monotonic()))
    return samples


def churn(holder, seed, first, fields):
    """Stores and deletes at random until called, and then deletes what is left. Gives for each operation
    {gen, when its store was answered, when its delete was sent, whether that said cancelled}."""
    chance, session = random.Random(seed), holder.session
    number, alive, seen = first, [], []

    def store_some():
        nonlocal number
        keys = [DIGITS % n for n in range(number, number + chance.randint(1, 60))]
        number += len(keys)
        results = session.ops(*[pb.Op(store=pb.Store(key=key, **fields)) for key in keys])
        now = time.monotonic()
        alive.extend((key, result.gen, now) for key, result in zip(keys, results))
        assert all(result.answer == pb.ANSWER_STORED for result in results), results

    def delete_some(some):
        sent = time.monotonic()
        results = session.ops(*[pb.Op(delete=pb.Delete(key=key, gen=gen,
                                                       outcome=pb.OUTCOME_COMPLETED))
                                for key, gen, _ in some])
        for (_, gen, stored), result in zip(some, results):
            assert result.answer == pb.ANSWER_DELETED, result
            seen.append((gen, stored, sent, result.cancelled))

    while not is_called():
        store_some()
        if len(alive) > CHURN_ALIVE:
            begin = chance.randrange(CHURN_ALIVE)
            delete_some(alive[begin:begin + 80])
            del alive[begin:begin + 80]
    while alive:
        delete_some(alive[:FRAME_OPS])
        del alive[:FRAME_OPS]
    return seen


def renew(holder, keyed, ttl_ms):
    """Touches each of {key: gen} three times a ttl until called; gives the answers that were no TOUCHED."""
    others, touches = [], 0
    while not is_called():
        for key, gen in keyed.items():
            result = holder.session.op(pb.Op(touch=pb.Touch(key=key, gen=gen, ttl_ms=ttl_ms)))
            touches += 1
            if result.answer != pb.ANSWER_TOUCHED:
                others.append(result)
        select.select([sys.stdin], [], [], ttl_ms / 3000)
    return touches, others


def cancel_stream(holder, keyed, more):
    """Cancels each of [(key, gen)], a frame each and many ahead of their replies; gives the answers that
    came before the connection ended, by gen."""
    answers, pending = {}, []

    def receive(count):
        while len(pending) > count:
            gen, number = pending.pop(0)
            answers[gen] = results_of(holder.peer.receive(number))[0]

    try:
        for key, gen in keyed:
            frame = pb.Frame(version=1, ops=[pb.Op(cancel=pb.Cancel(key=key, gen=gen, **more))])
            pending.append((gen, holder.peer.send(frame)))
            receive(CANCELS_AHEAD)
        receive(0)
    except OSError:
        pass
    return answers
