/* SPDX-License-Identifier: MIT */
/* Deadlines in order: an intrusive binary heap. The caller owns each struct timer and keeps it at
 * one place while it is set; the heap owns only its array of pointers, reserved once for the most
 * timers that can be set at a time. Set, move and clear cost O(log n); nothing is allocated after
 * init. Not thread-safe: one owner. */
#ifndef CANCELD_BASE_TIMER_HEAP_H
#define CANCELD_BASE_TIMER_HEAP_H

#include "base/check.h"
#include "base/region.h"

#include <stdbool.h>
#include <stdint.h>

struct timer {
    uint64_t deadline; /* in the unit of the caller's clock */
    uint32_t position; /* 1 + index in the heap; 0 while not set */
    uint32_t kind;     /* the caller's: what the timer is embedded in */
};

struct timer_heap {
    struct region region; /* of struct timer * */
    uint32_t count;
    uint32_t capacity;
};

/* Reserves room for `capacity` timers. */
MUST_CHECK bool timer_heap_init(struct timer_heap *heap, uint32_t capacity);
void timer_heap_fini(struct timer_heap *heap);

static inline bool timer_is_set(const struct timer *timer)
{
    return timer->position != 0;
}

/* Sets the timer, or moves it where it was set already. The capacity is the caller's promise: more
 * timers than that is a bug (ASSERT). */
void timer_heap_set(struct timer_heap *heap, struct timer *timer, uint64_t deadline);

/* Clears the timer; does nothing where it is not set. */
void timer_heap_clear(struct timer_heap *heap, struct timer *timer);

/* The timer with the nearest deadline, still set; NULL where none is. */
struct timer *timer_heap_first(const struct timer_heap *heap);

/* Asserts the heap order and every back index. O(n). */
void timer_heap_check(const struct timer_heap *heap);

#endif
