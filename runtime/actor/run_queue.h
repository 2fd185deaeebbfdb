/* SPDX-License-Identifier: MIT */
/* The messages that a loop has in hand, in the order in which they will be delivered. What the
 * loop's own actors tell each other goes in directly, what other threads sent comes in batches out
 * of the mailbox: one queue for both, so what was there first is delivered first.
 *
 * The loop's thread alone: plain loads and stores. The link that a message has for the mailbox is
 * used here too, for it is never in both. */
#ifndef CANCELD_ACTOR_RUN_QUEUE_H
#define CANCELD_ACTOR_RUN_QUEUE_H

#include "actor/message.h"

#include <stddef.h>
#include <stdint.h>

struct run_queue {
    struct message *oldest; /* NULL: empty */
    struct message *newest; /* where it is not empty */
    uint32_t told_count;    /* ordinary messages of the loop's own actors: what is bounded */
    uint32_t mailed_count;  /* messages out of the mailbox: never more than a batch */
};

static inline bool run_queue_is_empty(const struct run_queue *queue)
{
    return queue->oldest == NULL;
}

/* Puts a message in; `told`: by an actor of this loop, not out of the mailbox. */
static inline void run_queue_add(struct run_queue *queue, struct message *message, bool told)
{
    message->queued = true;
    message->told = told;
    queue->told_count += told && !message->control;
    queue->mailed_count += !told;
    /* Relaxed, here and below: one thread alone uses the link now. */
    atomic_store_explicit(&message->next, NULL, memory_order_relaxed);
    if (queue->oldest == NULL) {
        queue->oldest = message;
    } else {
        atomic_store_explicit(&queue->newest->next, message, memory_order_relaxed);
    }
    queue->newest = message;
}

/* The oldest one, NULL where there is none. */
static inline struct message *run_queue_take(struct run_queue *queue)
{
    struct message *message = queue->oldest;
    if (message == NULL) {
        return NULL;
    }
    queue->oldest = atomic_load_explicit(&message->next, memory_order_relaxed);
    __builtin_prefetch(queue->oldest);
    message->queued = false;
    queue->told_count -= message->told && !message->control;
    queue->mailed_count -= !message->told;
    return message;
}

#endif
