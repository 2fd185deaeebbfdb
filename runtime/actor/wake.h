/* SPDX-License-Identifier: MIT */
/* Where one thread sleeps until another wakes it: a condition variable on CLOCK_MONOTONIC with one
 * bit of memory, so a signal that comes before the wait is not lost. */
#ifndef CANCELD_ACTOR_WAKE_H
#define CANCELD_ACTOR_WAKE_H

#include "base/check.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct wake {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool woken; /* under the mutex */
};

/* False where the system has no room for it. */
MUST_CHECK bool wake_init(struct wake *wake);
void wake_fini(struct wake *wake);

/* Any thread. Does not block for longer than the few instructions under the mutex. When it returns
 * the waiter may have destroyed *wake already. */
void wake_signal(struct wake *wake);

/* Sleeps until a signal, `timeout_ns` at most (TIME_NEVER: for good). Returns whether it was
 * signalled, and forgets the signal. One thread at a time. */
bool wake_wait(struct wake *wake, uint64_t timeout_ns);

#endif
