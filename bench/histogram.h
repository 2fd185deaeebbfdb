/* SPDX-License-Identifier: MIT */
/* How long ops took: buckets of a power of two, each cut in 16 (G. Tene, HdrHistogram), so that what
 * it says is wrong by 6 % at the most; the worst is kept as it was. One thread adds; merge afterwards. */
#ifndef CANCELD_BENCH_HISTOGRAM_H
#define CANCELD_BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_PARTS 16
#define HISTOGRAM_CELLS (64 * HISTOGRAM_PARTS)

struct histogram {
    uint64_t cells[HISTOGRAM_CELLS];
    uint64_t count;
    uint64_t worst;
};

void histogram_init(struct histogram *histogram);
void histogram_merge(struct histogram *into, const struct histogram *from);

/* The value below which `share` (0.999) of all lie; 0 where nothing is there. */
uint64_t histogram_at(const struct histogram *histogram, double share);

static inline void histogram_add(struct histogram *histogram, uint64_t value)
{
    uint32_t cell = (uint32_t) value;
    if (value >= HISTOGRAM_PARTS) {
        uint32_t shift = (uint32_t) (59 - __builtin_clzll(value));
        cell =
            (shift + 1) * HISTOGRAM_PARTS + ((uint32_t) (value >> shift) & (HISTOGRAM_PARTS - 1));
    }
    histogram->cells[cell]++;
    histogram->count++;
    if (value > histogram->worst) {
        histogram->worst = value;
    }
}

#endif
