/* SPDX-License-Identifier: MIT */
/* Where the I/O thread sleeps: until somebody rings, its socket is ready, or a time has come. All of it with the
 * client's mutex, which is let go of during the sleep. */
#ifndef CANCELD_CLIENT_ALARM_H
#define CANCELD_CLIENT_ALARM_H

#include "check.h"

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct alarm {
    int fd;      /* an eventfd */
    bool asleep; /* and nobody has rung yet */
};

/* False where the system has no descriptor. */
MUST_CHECK bool alarm_init(struct alarm *alarm);
void alarm_fini(struct alarm *alarm);

/* Any thread. Costs a system call only where the I/O thread sleeps and has not been woken yet. */
void alarm_ring(struct alarm *alarm);

/* Sleeps until then (CLOCK_MONOTONIC, up to a millisecond longer; UINT64_MAX: for good). `ready` (fd -1: none) is
 * what else to wait for; its revents say what came. */
void alarm_wait(struct alarm *alarm, pthread_mutex_t *mutex, uint64_t now_ns, uint64_t until_ns,
                struct pollfd *ready);

#endif
