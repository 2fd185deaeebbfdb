/* SPDX-License-Identifier: MIT */
/* The list of the sandbox: a row for each call that may be made, by the number that it has on the processor
 * that this is built for. */
#ifndef CANCELD_SERVER_SANDBOX_CALLS_H
#define CANCELD_SERVER_SANDBOX_CALLS_H

#include <stddef.h>
#include <stdint.h>

#define SANDBOX_CONDITIONS_MAX 3

/* An argument of which the bits of `mask` have to be those of `value`. A mask of 0 is no condition. */
struct sandbox_condition {
    uint64_t mask;
    uint64_t value;
    unsigned argument; /* the first is 0 */
};

/* The value that stands for the process itself. */
#define SANDBOX_OWN_PROCESS UINT64_MAX

/* Several rows of one call: any of them is enough. */
struct sandbox_call {
    const char *name;
    uint32_t number;
    uint32_t
        error; /* 0: it is made; else it fails by this errno, where a library knows another way */
    struct sandbox_condition conditions[SANDBOX_CONDITIONS_MAX];
};

extern const struct sandbox_call sandbox_calls[];
extern const size_t sandbox_calls_count;

#endif
