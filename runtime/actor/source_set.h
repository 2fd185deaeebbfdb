/* SPDX-License-Identifier: MIT */
/* The inside of source.h: what a loop has of it. For the files of this layer alone. */
#ifndef CANCELD_ACTOR_SOURCE_SET_H
#define CANCELD_ACTOR_SOURCE_SET_H

#include "base/check.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

/* Ready ones that are taken from the system at once; the others come with the next turn. */
#define SOURCES_READY_MAX 64

struct actor_loop;

struct source_set {
    bool open;
    int epoll_fd;
    int alarm_fd; /* rung by senders of messages */
    int ready_count;
    bool looked; /* a sleep has just looked: the next turn need not */
    uint32_t spin_us;
    uint32_t spin_credit;  /* spins that may fail before there are fewer of them */
    uint32_t spins_missed; /* since the last one, without credit */
    struct epoll_event ready[SOURCES_READY_MAX];
};

void source_set_fini(struct actor_loop *loop);

/* Calls on_ready of those that are ready; returns how many. Within a turn. */
uint32_t source_set_deliver(struct actor_loop *loop);

/* Before a sleep: looks again and again for a while, at most as long as the sleep would be. True: there is
 * something to do. False at once where spinning has not paid of late, but for a try now and then. */
bool source_set_spin(struct actor_loop *loop, uint64_t span_ns);

/* Waits until something is ready or the alarm rings, `timeout_ns` at most (TIME_NEVER: for good; in
 * steps of a millisecond, never too short). Returns whether something did; what is ready is delivered
 * by the next turn. */
bool source_set_wait(struct actor_loop *loop, uint64_t timeout_ns);

#endif
