/* SPDX-License-Identifier: MIT */
/* Deadlines of millions of records: two flat timing wheels (G. Varghese and A. Lauck, "Hashed and
 * hierarchical timing wheels", SOSP 1987, scheme 6, without a hierarchy's cascades). The near one has
 * 16,384 slots of 1 ms (16 s), the far one 32,768 slots of 4 s (37 h). A record hangs in one slot by
 * two 32-bit links that it holds itself, beside its deadline, so a timer costs no memory of its own,
 * and setting, moving and clearing one costs a few stores.
 *
 * A deadline that is put off is only written down (lazy): the record moves when its old slot comes.
 * What stands in the far wheel is moved to the near one at least 12 s ahead of its time. Both take
 * from a budget, so that a million deadlines in one slot never stop the owner; what is left over comes
 * first the next time. A deadline is never early, and it is given at the first wheel_expire() whose
 * time is not before it where the budget is enough. The order of deadlines within a slot, or of overdue ones, is not promised.
 *
 * Times are the caller's, in ms, and never go back, but may jump. A record keeps the low 32 bits of its
 * deadline, so one that is overdue by 48 days is not known as such any more: wheel_expire() has to be
 * called more often.
 * Not thread-safe: one owner. Nothing is allocated after init. */
#ifndef CANCELD_TABLE_WHEEL_H
#define CANCELD_TABLE_WHEEL_H

#include "base/check.h"
#include "base/clock.h"
#include "base/region.h"
#include "table/packed.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WHEEL_NEAR_SLOTS 16384
#define WHEEL_FAR_SLOTS 32768
#define WHEEL_FAR_MS 4096
#define WHEEL_TTL_MS_MAX ((uint64_t) (WHEEL_FAR_SLOTS - 2) * WHEEL_FAR_MS)

/* In each record. Zeroed: not set. */
struct wheel_link {
    uint32_t next;     /* the next record of the slot; 0: none */
    uint32_t previous; /* the record before; or the slot, marked by the highest bit; 0: not set */
    uint32_t deadline_ms; /* the low bits; they stay when the timer is cleared or was given */
};

/* One of the two; its time is in slots since the clock's 0: ms, and spans of WHEEL_FAR_MS. */
struct wheel_ring {
    uint32_t *heads; /* the first record of each slot; 0: none */
    uint64_t *bits;  /* one for each slot that is not empty, then one for each of these words */
    uint32_t slots;  /* a power of two */
    uint32_t mark;   /* in `previous`, beside the slot */
    uint64_t base;   /* all that hangs in it is of [base, base + slots) */
    uint64_t first;  /* the first of these that is not empty; TIME_NEVER: none */
};

struct wheel {
    const struct packed *records;
    size_t link_offset;   /* of the struct wheel_link in a record */
    struct region memory; /* of the rings */
    struct wheel_ring near;
    struct wheel_ring far;
    uint64_t now_ms; /* the latest that was heard of */
    uint32_t count;
    uint64_t moves; /* of records from slot to slot, those from far to near included */
};

/* For the records of a table with fewer than 2^31 places, which must outlive the wheel. */
MUST_CHECK bool wheel_init(struct wheel *wheel, const struct packed *records, size_t link_offset,
                           uint64_t now_ms);
void wheel_fini(struct wheel *wheel);

/* Sets the record's timer, or moves it; deadline_ms is at most WHEEL_TTL_MS_MAX after now_ms. One that
 * is before it counts as now_ms. */
void wheel_set(struct wheel *wheel, uint32_t record, uint64_t deadline_ms, uint64_t now_ms);

static inline bool wheel_is_set(const struct wheel_link *link)
{
    return link->previous != 0;
}

/* Clears it; does nothing where it is not set. */
void wheel_clear(struct wheel *wheel, uint32_t record);

/* The record has been moved (packed_move()), its link with it: its neighbours and its slot follow. Does
 * nothing where its timer is not set. */
void wheel_rename(struct wheel *wheel, uint32_t from, uint32_t to);

/* The next record whose deadline has come, its timer cleared; 0: none, or the budget is used up. Each
 * record given, and each that was moved, takes one of *budget. To be called until it gives 0; what the
 * budget was not enough for is then seen in wheel_next_ms(). Where nothing is to be done it costs a
 * few reads. */
uint32_t wheel_expire(struct wheel *wheel, uint64_t now_ms, uint32_t *budget);

/* When wheel_expire() has something to do next: a deadline to look at or records to move, which may be
 * in the past; TIME_NEVER: nothing is set. Never later than the earliest deadline. Cheap. */
uint64_t wheel_next_ms(const struct wheel *wheel);

/* Asserts every invariant. O(records + slots). */
void wheel_check(const struct wheel *wheel);

#endif
