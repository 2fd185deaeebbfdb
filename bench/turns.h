/* SPDX-License-Identifier: MIT */
/* Peers that are compared take turns, a slice each, round after round. */
#ifndef CANCELD_BENCH_TURNS_H
#define CANCELD_BENCH_TURNS_H

#include "harness.h"

/* What one slice of a contender came to. */
struct turn {
    uint64_t ops;
    uint64_t wall_ns;
    uint64_t cpu_ns; /* 0: the slice's of the whole process is taken */
};

struct contender {
    const char *peer;
    void *context;
    /* Runs for about slice_ms. With a histogram, each op is timed, in ns, and added to it; such slices
     * give p99.9 and worst, the others give the time an op. */
    void (*slice)(void *context, uint32_t slice_ms, struct histogram *histogram, struct turn *turn);
    const char *note;
    const pid_t *pids; /* of servers that work for it; see slice.h */
    size_t pids_count;

    /* Outcome. */
    bool was_quiet; /* a slice was: only quiet ones count from there on */
    bool was_quiet_timed;
    uint32_t slices;
    struct samples ns;
    struct samples core_ns;
    struct histogram latency;
};

struct turns {
    uint32_t rounds;
    uint32_t slice_ms;
    uint32_t warm_ms;        /* before each slice, unmeasured */
    uint32_t latency_rounds; /* of timed slices */
    uint32_t tries;          /* a loud slice is taken again, so many times in all */
};

/* The usual, by --quick. */
struct turns turns_usual(const struct harness *harness);

/* Measures all and prints a row each ("ns/op", the median of quiet slices; where no slice was quiet, of
 * all, and the note says so). */
void turns_run(const struct harness *harness, const struct turns *turns, const char *row,
               struct contender *contenders, size_t contenders_count);

#endif
