/* SPDX-License-Identifier: MIT */
#include "samples.h"

#include <stdlib.h>

void samples_init(struct samples *samples)
{
    samples->count = 0;
    samples->thrown = 0;
}

void samples_add(struct samples *samples, double value)
{
    if (samples->count < SAMPLES_MAX) {
        samples->values[samples->count++] = value;
    }
}

static int by_value(const void *left, const void *right)
{
    double a = *(const double *) left;
    double b = *(const double *) right;
    return (a > b) - (a < b);
}

static double at(struct samples *samples, double share)
{
    if (samples->count == 0) {
        return 0;
    }
    qsort(samples->values, samples->count, sizeof samples->values[0], by_value);
    return samples->values[(size_t) ((double) (samples->count - 1) * share)];
}

double samples_p5(struct samples *samples)
{
    return at(samples, 0.05);
}

double samples_median(struct samples *samples)
{
    return at(samples, 0.5);
}
