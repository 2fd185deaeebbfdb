/* SPDX-License-Identifier: MIT */
/* What every bench program in C shares: its options and the rows that it prints. What it measures with
 * stands beside: slice.h (time, CPU time, the noise filter), samples.h (5 % and median of slices),
 * histogram.h (p99.9, worst), team.h (pinned threads), memory.h (what the process holds; a child
 * process of its own for each measurement of memory).
 *
 *     struct harness harness;
 *     harness_init(&harness, argc, argv, "map");
 *     if (harness_wants(&harness, "mix-1M")) { ... harness_row(&harness, &row); }
 *     return harness_fini(&harness);
 *
 * Peers that are compared are measured in turn, a slice each, round after round, so that what the
 * machine does meanwhile falls on all of them alike: see turns.h.
 * All of it is for the main thread, but where a header says otherwise. */
#ifndef CANCELD_BENCH_HARNESS_H
#define CANCELD_BENCH_HARNESS_H

#include "base/check.h"
#include "histogram.h"
#include "memory.h"
#include "samples.h"
#include "slice.h"
#include "team.h"

#include <stdbool.h>
#include <stdint.h>

struct harness {
    const char *group;
    bool quick;       /* --quick: a few seconds in all */
    bool list;        /* --list: names of rows instead of rows */
    const char *only; /* --only TEXT: rows whose name has TEXT in it; NULL: all */
    const char *peer; /* --peer TEXT: peers whose name has TEXT in it; NULL: all */
    uint64_t seed;    /* --seed N */
};

/* A row: what is 0 (or NULL) of the optional fields is not printed, but kept_percent below 0. */
struct harness_row {
    const char *row;
    const char *peer; /* begins with "ours" for what is of this tree */
    const char *unit; /* "ns/op", "us", "ops/s", "bytes/entry", "percent", "MiB" */
    double value;
    const char *note;    /* how it was measured, where it is not plain */
    const char *missing; /* why there is no figure; then unit and value do not matter */
    double core_ns;      /* CPU time of all threads, an op */
    double p50_ns;
    double p99_ns;
    double p999_ns;
    double p99999_ns;
    double worst_ns;
    double quiet_ns; /* the same figure without the load */
    double bytes_entry;
    double kept_percent; /* has_kept says whether it is there */
    bool has_kept;
    uint32_t slices; /* that the noise filter saw, and threw away */
    uint32_t slices_thrown;
};

/* Reads the options; a wrong one, and --help, end the process. Prints the seed to stderr. */
void harness_init(struct harness *harness, int argc, char **argv, const char *group);

/* What main returns. */
MUST_CHECK int harness_fini(struct harness *harness);

/* Whether this row is asked for. With --list: prints its name, and false. */
MUST_CHECK bool harness_wants(const struct harness *harness, const char *row);

/* Whether this peer is asked for: --peer. */
MUST_CHECK bool harness_wants_peer(const struct harness *harness, const char *peer);

/* One of two, by --quick. */
uint64_t harness_pick(const struct harness *harness, uint64_t quick, uint64_t full);

/* Prints the row as one line of JSON to stdout, at once. */
void harness_row(const struct harness *harness, const struct harness_row *row);

/* A row that says why it has no figure. */
void harness_missing(const struct harness *harness, const char *row, const char *peer,
                     const char *why);

/* A line to stderr. */
__attribute__((format(printf, 1, 2))) void harness_progress(const char *format, ...);

/* Ends the process: the world did not let the measurement happen. */
__attribute__((noreturn, format(printf, 1, 2))) void harness_fail(const char *format, ...);

/* Numbers without much quality, fast, for workloads: splitmix64 (S. Vigna). Any thread, own state. */
static inline uint64_t harness_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

#endif
