/* SPDX-License-Identifier: MIT */
/* A scenario, run once for every allocation that it makes: in one run the first of them fails, in the next one the
 * second, and so on, until a run is through before its turn comes; and the same again with all those
 * after it failing too.
 *
 * The runs of a scenario share a process (so there may be thousands in a second), made by fork(). One that crashes, that
 * fails a CHECK or hangs ends that process; it is counted as not survived, told with the place of the
 * allocation, and the next process goes on behind it. So is a run that ends with more memory or descriptors than it
 * began with; the first runs of a process, in which nothing fails, are for what is allocated once and
 * kept. */
#ifndef CANCELD_TESTS_POINTS_H
#define CANCELD_TESTS_POINTS_H

#include "fault.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct points_scenario {
    const char *name;    /* a word or two, of the figures */
    void (*begin)(void); /* in each process first; may be NULL */
    void (*run)(void);   /* calls points_arm() and points_disarm() once */
    void (*end)(void);   /* in each process last; may be NULL */
    uint32_t hang_s;     /* a run that takes longer hangs; 0: 20 */
    uint32_t spared;     /* blocks that a library of others may lose in a run */
};

struct points_count {
    uint64_t points;
    uint64_t survived;
    uint64_t crashed;
    uint64_t hung;
    uint64_t leaked;
    uint64_t wrong; /* a CHECK */
};

/* From here on the allocations of the run count. */
void points_arm(void);

/* Up to here; gives whether one has failed. */
bool points_disarm(void);

/* Whether allocations fail for ever from the point on: then a call may end by its deadline alone, which should be
 * short, and has no bearing on what is right. */
bool points_for_ever(void);

/* Both kinds of runs of the scenario, and a line of figures for each on the standard output. Where the environment has
 * CANCELD_FAULT_POINTS, no more than so many runs of each kind, evenly spread. */
struct points_count points_run(const struct points_scenario *scenario);

/* The same for a case: each one has to be survived, and there has to be one. */
void points_check(const struct points_scenario *scenario);

#endif
