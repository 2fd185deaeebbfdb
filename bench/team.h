/* SPDX-License-Identifier: MIT */
/* Threads that do a piece of work together: each is pinned to a processor, all begin at once, and each
 * tells how long it took. */
#ifndef CANCELD_BENCH_TEAM_H
#define CANCELD_BENCH_TEAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define TEAM_MEMBERS_MAX 8

/* Pins the calling thread to a processor, counted through those that there are. */
void team_pin(unsigned processor);
void team_unpin(void); /* to all of them */
unsigned team_processors(void);

/* Lets the calling thread sleep: for programs that measure, not for tests. */
void team_rest(uint32_t ms);

struct team_member {
    unsigned number;    /* 0, 1, ... */
    unsigned processor; /* to be pinned to; set by team_init() to its number */
    void *context;
    void (*work)(struct team_member *member);
    const atomic_bool *stop; /* a work that lasts as long as the slice looks at it now and then */
    uint64_t ops;            /* what work() did; it adds to it */
    uint64_t cpu_ns;         /* of work() alone, of this thread */
    struct team *team;
};

struct team {
    struct team_member members[TEAM_MEMBERS_MAX];
    unsigned count;
    atomic_uint ready;
    atomic_bool go;
    atomic_bool stop;
};

/* Members with context and work; set other fields after it. */
void team_init(struct team *team, unsigned count, void (*work)(struct team_member *member),
               void *context);

/* Runs every member's work on a thread of its own and waits for them all; after slice_ms they see
 * *stop (0: they end by themselves). Returns the wall time from the common start to the last end. */
uint64_t team_run(struct team *team, uint32_t slice_ms);

uint64_t team_ops(const struct team *team);
uint64_t team_cpu_ns(const struct team *team);

#endif
