/* SPDX-License-Identifier: MIT */
/* Descriptors that a loop watches beside its mailbox, so that a socket's bytes need no other thread
 * to announce them. A loop with a source sleeps in epoll; senders of messages then wake it through an
 * eventfd. A loop without one, and every loop before its first source, sleeps as ever.
 *
 * Readiness is a level: on_ready is called in each turn in which the descriptor is ready for what is
 * watched, once a turn, and may read or write as much as it sees fit. */
#ifndef CANCELD_ACTOR_SOURCE_H
#define CANCELD_ACTOR_SOURCE_H

#include "actor/actor.h"

/* What may be watched for. An error or a hang-up is reported as both, whatever is watched: reading
 * or writing then says what it is. */
#define SOURCE_READ 1u
#define SOURCE_WRITE 2u

/* The actor's; zeroed but for on_ready. It must stay where it is until source_remove(). */
struct source {
    /* On the actor's loop. */
    void (*on_ready)(struct actor *self, struct source *source, uint32_t events);
    struct actor *actor;
    int fd;
    uint32_t events; /* watched at present */
    bool watched;
};

/* Watches a descriptor, which is and stays the caller's. STATUS_SYSTEM or STATUS_NO_MEMORY where the
 * system has no room; then nothing is watched. */
MUST_CHECK enum status source_add(struct actor *self, struct source *source, int fd,
                                  uint32_t events);

/* Watches for these events alone from now on; 0: for none, but errors are still reported. Costs a
 * system call where they are others than before. */
void source_set(struct source *source, uint32_t events);

/* Before the descriptor is closed, and before the actor's memory goes (in on_stop at the latest).
 * on_ready is not called any more, not even in this turn. Does nothing to one that is not watched. */
void source_remove(struct source *source);

#endif
