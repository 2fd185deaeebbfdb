/* SPDX-License-Identifier: MIT */
/* What the process holds, and a child process in which something is measured alone. */
#ifndef CANCELD_BENCH_MEMORY_H
#define CANCELD_BENCH_MEMORY_H

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Resident bytes: of this process, or of another one (0: it is gone). Exact ("smaps_rollup") where the
 * kernel has it. */
uint64_t memory_resident(void);
uint64_t memory_resident_of(pid_t pid);

/* Gives back what malloc keeps for later. */
void memory_trim(void);

/* Runs measure(context, result) in a child process and copies its result here; for figures that what
 * was there before would blur. The caller must have no other thread. False: the child failed. */
MUST_CHECK bool memory_apart(void (*measure)(void *context, void *result), void *context,
                             void *result, size_t result_bytes);

#endif
