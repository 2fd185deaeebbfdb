/* SPDX-License-Identifier: MIT */
/* The monotonic clock, as a struct so that tests and simulations bring their own. Never the wall
 * clock: NNG 1.5.2 measures its timeouts by that one, so nothing that matters hangs on them. */
#ifndef CANCELD_BASE_CLOCK_H
#define CANCELD_BASE_CLOCK_H

#include <stdint.h>

#define NS_PER_MS UINT64_C(1000000)
#define TIME_NEVER UINT64_MAX

struct clock {
    uint64_t (*now_ns)(void *context); /* never goes back */
    void *context;
};

/* CLOCK_MONOTONIC. Any thread. */
extern const struct clock clock_system;

static inline uint64_t clock_now_ns(const struct clock *clock)
{
    return clock->now_ns(clock->context);
}

/* now + span, or TIME_NEVER where that does not fit. */
static inline uint64_t time_after(uint64_t now, uint64_t span)
{
    return span > TIME_NEVER - now ? TIME_NEVER : now + span;
}

#endif
