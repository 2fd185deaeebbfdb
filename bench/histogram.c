/* SPDX-License-Identifier: MIT */
#include "histogram.h"

#include <string.h>

void histogram_init(struct histogram *histogram)
{
    memset(histogram, 0, sizeof *histogram);
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    for (uint32_t i = 0; i < HISTOGRAM_CELLS; i++) {
        into->cells[i] += from->cells[i];
    }
    into->count += from->count;
    if (from->worst > into->worst) {
        into->worst = from->worst;
    }
}

/* The highest value that falls into a cell. */
static uint64_t top(uint32_t cell)
{
    if (cell < HISTOGRAM_PARTS) {
        return cell;
    }
    uint32_t shift = cell / HISTOGRAM_PARTS - 1;
    uint64_t part = cell % HISTOGRAM_PARTS + HISTOGRAM_PARTS;
    return ((part + 1) << shift) - 1;
}

uint64_t histogram_at(const struct histogram *histogram, double share)
{
    uint64_t wanted = (uint64_t) ((double) histogram->count * share);
    uint64_t seen = 0;
    for (uint32_t i = 0; i < HISTOGRAM_CELLS; i++) {
        seen += histogram->cells[i];
        if (seen > wanted || (seen == histogram->count && seen > 0)) {
            uint64_t value = top(i);
            return value < histogram->worst ? value : histogram->worst;
        }
    }
    return 0;
}
