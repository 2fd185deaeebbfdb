/* SPDX-License-Identifier: MIT */
/* Figures of slices, and what stands at 5 % and in the middle of them. */
#ifndef CANCELD_BENCH_SAMPLES_H
#define CANCELD_BENCH_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

#define SAMPLES_MAX 512

struct samples {
    double values[SAMPLES_MAX];
    size_t count;
    uint32_t thrown; /* of slices that were not quiet */
};

void samples_init(struct samples *samples);

/* Beyond SAMPLES_MAX they are left out. */
void samples_add(struct samples *samples, double value);

/* Of what is there; 0 where nothing is. Sorts. */
double samples_p5(struct samples *samples);
double samples_median(struct samples *samples);

#endif
