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
 * The answerer's side is on one loop at a time, and only that loop's thread touches it. */
#ifndef CANCELD_ACTOR_PROMISE_H
#define CANCELD_ACTOR_PROMISE_H

#include "actor/actor.h"

#include <stdatomic.h>

struct promise {
    _Atomic(bool) ended;
    _Atomic(uint32_t) shares;
    struct actor_system *system;
    struct ask *ask;
    uint64_t deadline_ns;
    /* The answerer's side. */
    struct actor *holder; /* NULL while the message stands in a mailbox */
    struct list_link of_holder;
    struct timer timer;
};

/* With both shares. STATUS_FULL or STATUS_NO_MEMORY. */
MUST_CHECK enum status promise_new(struct actor_system *system, struct ask *ask,
                                   uint64_t timeout_ms, struct promise **promise_out);

/* One that was never sent. */
void promise_free(struct promise *promise);

/* Any thread: ends the ask; where it has ended before, the reply is released and that is all. */
void promise_end(struct promise *promise, enum ask_end end, struct message *reply);

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
