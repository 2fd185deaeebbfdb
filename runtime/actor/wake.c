/* SPDX-License-Identifier: MIT */
#include "actor/wake.h"

#include "base/clock.h"

#include <errno.h>
#include <time.h>

#define NS_PER_S UINT64_C(1000000000)

/* Longer than anything runs, and it fits into any time_t. */
#define WAIT_NS_MAX (UINT64_C(1) << 61)

bool wake_init(struct wake *wake)
{
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0) {
        return false;
    }
    bool made = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
                pthread_cond_init(&wake->changed, &attributes) == 0;
    (void) pthread_condattr_destroy(&attributes); /* Only a bad argument can fail here. */
    if (!made) {
        return false;
    }
    if (pthread_mutex_init(&wake->mutex, NULL) != 0) {
        (void) pthread_cond_destroy(&wake->changed);
        return false;
    }
    wake->woken = false;
    return true;
}

void wake_fini(struct wake *wake)
{
    int failed = pthread_cond_destroy(&wake->changed);
    ASSERT(!failed);
    failed = pthread_mutex_destroy(&wake->mutex);
    ASSERT(!failed);
}

void wake_signal(struct wake *wake)
{
    int failed = pthread_mutex_lock(&wake->mutex);
    ASSERT(!failed);
    wake->woken = true;
    /* Under the mutex: once it is let go the waiter may destroy both. */
    failed = pthread_cond_signal(&wake->changed);
    ASSERT(!failed);
    failed = pthread_mutex_unlock(&wake->mutex);
    ASSERT(!failed);
}

static struct timespec deadline_after(uint64_t timeout_ns)
{
    uint64_t span = timeout_ns < WAIT_NS_MAX ? timeout_ns : WAIT_NS_MAX;
    uint64_t deadline = clock_now_ns(&clock_system) + span;
    return (struct timespec){.tv_sec = (time_t) (deadline / NS_PER_S),
                             .tv_nsec = (long) (deadline % NS_PER_S)};
}

bool wake_wait(struct wake *wake, uint64_t timeout_ns)
{
    struct timespec deadline = deadline_after(timeout_ns);
    int failed = pthread_mutex_lock(&wake->mutex);
    ASSERT(!failed);
    int ended = 0;
    while (!wake->woken && ended == 0) {
        ended = pthread_cond_timedwait(&wake->changed, &wake->mutex, &deadline);
        ASSERT(ended == 0 || ended == ETIMEDOUT);
    }
    bool woken = wake->woken;
    wake->woken = false;
    failed = pthread_mutex_unlock(&wake->mutex);
    ASSERT(!failed);
    return woken;
}
