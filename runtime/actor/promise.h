/* SPDX-License-Identifier: MIT */
/* What an asker and an answerer share: for the files of this layer alone.
 *
 * The asker's record may be gone as soon as its ask has ended, while the answerer, its timer or a
 * mailbox may hold on to their side for long. So the two meet in a promise, memory of the runtime
 * with two shares: one for the asker, one for whoever holds the message or took the promise out of
 * it. Who gives the last share back frees it.
 *
 * The ask ends by one exchange of `ended`: of the reply, the timeout, the receiver's end and the
 * cancel, the first one calls done, and the others find it taken. Until then `ask` is there; after
 * it nobody but that first one looks at it.
 *
 * The answerer's side is on one loop at a time, and only that loop's thread touches it. Its deadline
 * costs a link at the end of the loop's list where it is not before the one that came last (asks
 * with like timeouts), and a place in the timer heap otherwise.
 *
 * Asks made in a turn of a loop come out of that loop's stock (promise_stock.h), the others from the
 * heap. */
#ifndef CANCELD_ACTOR_PROMISE_H
#define CANCELD_ACTOR_PROMISE_H

#include "actor/loop.h"

#include <stdatomic.h>

struct promise {
    _Atomic(bool) ended;
    _Atomic(uint32_t) shares;
    struct actor_system *system;
    struct actor_loop *home; /* whose stock it is of; NULL: the heap's */
    struct ask *ask;
    uint64_t deadline_ns;
    struct promise *next_spare; /* in a stock */
    /* The answerer's side. */
    struct actor *holder; /* NULL while the message stands in a mailbox */
    struct list_link of_holder;
    struct list_link of_due; /* in the loop's list of deadlines; else, with a deadline: */
    struct timer timer;
};

/* The first of the deadlines that came in order, NULL for none. */
static inline struct promise *promise_due(const struct actor_loop *loop)
{
    struct list_link *link = list_first(&loop->due);
    return link == NULL ? NULL : LIST_OWNER(link, struct promise, of_due);
}

/* With both shares. STATUS_FULL or STATUS_NO_MEMORY. */
MUST_CHECK enum status promise_new(struct actor_system *system, struct ask *ask,
                                   uint64_t timeout_ms, struct promise **promise_out);

/* One that was never sent. */
void promise_free(struct promise *promise);

/* Any thread: ends the ask without an answer; does nothing where it has ended before. */
void promise_end(struct promise *promise, enum ask_end end);

/* Any thread: gives one share back. */
void promise_drop(struct promise *promise);

/* The message was delivered to `holder`: the deadline counts, and the holder's end is the ask's. */
void promise_arrive(struct promise *promise, struct actor *holder);

/* The opposite: nobody holds it, no timer is set. */
void promise_leave(struct promise *promise);

/* Ends it for the answerer, whose share goes. The loop's thread. */
void promise_settle(struct promise *promise, enum ask_end end, struct message *reply);

void promise_fire(struct timer *timer);

#endif
