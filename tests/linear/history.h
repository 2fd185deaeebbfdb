/* SPDX-License-Identifier: MIT */
/* What the processes of a history share: the keys that are in use, and what each of them has seen. */
#ifndef CANCELD_TESTS_LINEAR_HISTORY_H
#define CANCELD_TESTS_LINEAR_HISTORY_H

#include "checker.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Four processes work on the keys of a group, each with one call at a time: so no key has more than
 * four calls at once. A key is left after some calls, for a new one. */
enum { GROUPS = 4, MEMBERS = 4, WORKERS = GROUPS * MEMBERS, SLOTS = 6, KEY_CALLS = 56 };
#define KEYS_MAX ((uint32_t) 1 << 20)
#define WORKER_CALLS_MAX ((uint64_t) 1 << 20) /* the memory is only touched as it is used */
#define KILLS_MAX 100000
#define URL_BYTES 256

struct key_used {
    _Atomic(uint64_t) gen;      /* the last that was stored, as far as anybody told */
    _Atomic(uint64_t) previous; /* and the one before */
    _Atomic(uint32_t) calls;
    _Atomic(bool) set_aside; /* an owner was lost: the machine was too slow to say anything */
};

struct worker {
    struct call calls[WORKER_CALLS_MAX];
    _Atomic(uint64_t) count;
    _Atomic(uint64_t) wrong; /* answers that should not be */
};

struct shared {
    char url[URL_BYTES]; /* where the processes connect */
    char daemon_url
        [URL_BYTES]; /* where the daemon listens: the same, but for a chaos proxy in between */
    uint64_t seed;
    _Atomic(bool) stop;
    _Atomic(uint32_t) keys_count;
    _Atomic(uint32_t) slots[GROUPS][SLOTS]; /* the keys in use */
    struct key_used keys[KEYS_MAX];
    struct worker workers[WORKERS];
};

uint64_t history_now_ns(void);

/* A process that works until `stop`; gives its exit status. */
int history_work(struct shared *shared, unsigned number);

#endif
