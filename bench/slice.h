/* SPDX-License-Identifier: MIT */
/* One measured stretch of time, and whether it was quiet. The kernel says of each thread how long it
 * was ready to run and did not (schedstat, "run delay"), and /proc/stat how busy the processors were
 * with anybody. Where our threads had to wait for more than 4 % of the stretch, and others than our
 * processes were busy for more than 4 % of it, the stretch tells of the others, and is thrown away.
 * (More threads than processors wait for each other: that alone is no noise.)
 *
 * Counted is the whole process, all of its threads that are there at both ends, and processes that are
 * named (a server that is the peer). */
#ifndef CANCELD_BENCH_SLICE_H
#define CANCELD_BENCH_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SLICE_PIDS_MAX 4

struct slice {
    uint64_t wall_ns;
    uint64_t cpu_ns;     /* of the process and of those named */
    uint64_t delay_ns;   /* run delay of all their threads */
    uint64_t foreign_ns; /* CPU time of everybody else, and stolen; steps of 10 ms */
    bool quiet;
    pid_t pids[SLICE_PIDS_MAX];
    size_t pids_count;
};

/* The processes named are counted too; NULL, 0: none. Slices of 200 ms and more are judged well. */
void slice_begin(struct slice *slice, const pid_t *pids, size_t pids_count);
void slice_end(struct slice *slice);

/* Any thread. */
uint64_t slice_now_ns(void);        /* monotonic */
uint64_t slice_thread_cpu_ns(void); /* of the calling thread */

/* The calling thread's run delay since its start: a read of /proc, some 3 us. */
uint64_t slice_thread_delay_ns(void);

/* A thread that began within a slice and ends in it says so last: what it had to wait would be lost. The
 * threads of team.h do. */
void slice_thread_ends(void);

/* Time stamps for single ops: the processor's counter where it has one that runs evenly, else the
 * monotonic clock. slice_ticks_ns() of a difference of two; slice_ticks_init() once before. */
void slice_ticks_init(void);
uint64_t slice_ticks_ns(uint64_t ticks);

static inline uint64_t slice_ticks(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    return slice_now_ns();
#endif
}

#endif
