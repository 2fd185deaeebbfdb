/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include "base/check.h"

#include <time.h>

static uint64_t system_now_ns(void *context)
{
    (void) context;
    struct timespec ts;
    int failed = clock_gettime(CLOCK_MONOTONIC, &ts);
    ASSERT(!failed);
    return (uint64_t) ts.tv_sec * UINT64_C(1000000000) + (uint64_t) ts.tv_nsec;
}

const struct clock clock_system = {.now_ns = system_now_ns};
