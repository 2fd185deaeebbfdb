/* SPDX-License-Identifier: MIT */
/* The clock that leases and deadlines run on: the monotonic one, less the time in which the owner
 * thread could not look.
 *
 * The owner says when it looks, and what it planned: lease_clock_look() at the beginning of a turn,
 * lease_clock_end() at its end, lease_clock_plan() with the time of the next lease. It is late when
 * a turn begins LEASE_LATE_MS after the planned time, or ends LEASE_LATE_MS after it began: the
 * process was stopped, the machine suspended, or there was too much to do. Frames that would have
 * renewed a lease may then wait unread. So:
 *
 *   - the clock stands still for what goes beyond LEASE_LATE_MS;
 *   - besides, it stands before everything that was not due when the owner was last there, until
 * each link that was up has been read once, LEASE_HOLD_MS at most: a hold. One begins
 * LEASE_HOLD_APART_MS after the one before at the earliest, so that an owner who is always late
 * still ends leases.
 *
 * What it promises: lease time never goes back and never runs faster than real time, so nothing
 * ends early; when the owner is in time it runs exactly with real time; a stop of the process that
 * lasts longer than LEASE_PLAN_MS + LEASE_LATE_MS, while any lease is pending, ends no lease whose
 * renewal was read within LEASE_HOLD_MS after it (unless there was a hold just before). A shorter
 * one may go unseen, and then costs as much.
 *
 * Pure: it reads no clock. After init it allocates nothing. One owner. */
#ifndef CANCELD_REGISTRY_LEASE_CLOCK_H
#define CANCELD_REGISTRY_LEASE_CLOCK_H

#include "base/check.h"
#include "base/clock.h"
#include "base/hash_index.h"
#include "base/slab.h"

#include <stdbool.h>
#include <stdint.h>

struct lease_clock {
    uint64_t looked_ns;     /* monotonic: when the present turn began */
    uint64_t planned_ns;    /* monotonic: when the next was to begin; TIME_NEVER: no matter when */
    uint64_t lease_ns;      /* lease time of the last look */
    uint64_t skipped_ns;    /* monotonic less lease time; while held, of before */
    uint64_t hold_began_ns; /* monotonic: the last hold; TIME_NEVER: there was none */
    bool held;
    uint32_t round;  /* of the last hold */
    uint32_t unread; /* links that have not been read since it began */
    struct slab links;
    struct hash_index links_by_address;

    uint64_t stalls_count; /* how often the owner was late */
    uint64_t holds_count;
    uint64_t stood_still_ns; /* in all */
};

/* Lease time begins at now_ns. For `links_max` links at once. False where memory cannot be had. */
MUST_CHECK bool lease_clock_init(struct lease_clock *clock, uint64_t now_ns, uint32_t links_max);
void lease_clock_fini(struct lease_clock *clock);

/* ---- the owner's turns; now_ns is the monotonic time and never goes back ---- */

/* A turn began at now_ns. May be called again with the same time, also after the turn's end. */
void lease_clock_look(struct lease_clock *clock, uint64_t now_ns);

/* The turn has ended. */
void lease_clock_end(struct lease_clock *clock, uint64_t now_ns);

/* The owner is about to sleep and the next lease is due at due_ms, lease time (TIME_NEVER: none
 * is). Gives the monotonic time at which it has to look again at the latest: now_ns means at once.
 */
uint64_t lease_clock_plan(struct lease_clock *clock, uint64_t due_ms, uint64_t now_ns);

/* ---- lease time, in ms ---- */

/* For what is due: the ms that are over. */
static inline uint64_t lease_clock_ms(const struct lease_clock *clock)
{
    return clock->lease_ns / NS_PER_MS;
}

/* For what begins: the end of the present ms. A span counted from here is never over early by
 * lease_clock_ms(). */
static inline uint64_t lease_clock_start_ms(const struct lease_clock *clock)
{
    return (clock->lease_ns + NS_PER_MS - 1) / NS_PER_MS;
}

/* ---- links ---- */

/* False where links_max are up. */
MUST_CHECK bool lease_clock_link_up(struct lease_clock *clock, uint64_t link);

/* Each does nothing for a link that is not up. */
void lease_clock_link_down(struct lease_clock *clock, uint64_t link);
void lease_clock_link_read(struct lease_clock *clock, uint64_t link);

void lease_clock_check(const struct lease_clock *clock);

#endif
