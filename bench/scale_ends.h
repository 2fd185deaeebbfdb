/* SPDX-License-Identifier: MIT */
/* A million operations end at once: what another client's asks took before, and meanwhile. */
#ifndef CANCELD_BENCH_SCALE_ENDS_H
#define CANCELD_BENCH_SCALE_ENDS_H

#include "harness.h"

#define ENDS_COUNT 1000000
#define ENDS_QUIET_NS UINT64_C(800000000)

struct ends {
    struct histogram quiet;
    struct histogram during;
    uint64_t took_ns; /* from the instant until the last one had ended */
};

/* All expire in the same instant, in the embedded registry; the other client has a lane of its own. */
void scale_local_expire(struct ends *ends);

/* The same in a daemon, over a Unix socket; or their owner's connection goes, and then its grace. */
void scale_socket_expire(struct ends *ends);
void scale_socket_death(struct ends *ends);

/* The registry alone: the longest call of registry_advance(), and the sum, in ns. */
struct ends_advance {
    uint64_t worst_ns;
    uint64_t sum_ns;
    uint64_t calls;
};
void scale_direct_expire(struct ends_advance *advance, uint64_t seed);

#endif
