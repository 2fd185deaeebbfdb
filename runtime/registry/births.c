/* SPDX-License-Identifier: MIT */
/* An entry for each millisecond in which numbers were given out, with the first of them. When there is no
 * room for one more, those are left out whose neighbours are so close together, for their age, that it makes
 * no difference: an age is off by less than a 2,048th of itself, or a millisecond. So what is kept of a year
 * takes half of the room, and what it costs is nothing an operation. */
#include "registry/plain.h"

bool births_init(struct births *births)
{
    births->count = 0;
    return region_init(&births->region, BIRTHS_MAX * sizeof(struct birth));
}

void births_fini(struct births *births)
{
    region_fini(&births->region);
}

#define FINENESS 2048

static void thin(struct births *births)
{
    struct birth *all = births->region.base;
    uint64_t now_ms = all[births->count - 1].ms;
    uint32_t kept = 1;
    for (uint32_t i = 1; i < births->count; i++) {
        bool last = i + 1 == births->count;
        uint64_t gap_ms = last ? 0 : all[i + 1].ms - all[kept - 1].ms;
        uint64_t age_ms = last ? 0 : now_ms - all[i + 1].ms;
        if (last || gap_ms > age_ms / FINENESS) {
            all[kept++] = all[i];
        }
    }
    ASSERT(kept < BIRTHS_MAX); /* a hundred years take less */
    births->count = kept;
}

void births_add(struct births *births, uint64_t number, uint64_t ms)
{
    struct birth *all = births->region.base;
    if (births->count > 0 && all[births->count - 1].ms == ms) {
        return;
    }
    if (births->count == BIRTHS_MAX) {
        thin(births);
    }
    all[births->count++] = (struct birth){number, ms};
}

uint64_t births_of(const struct births *births, uint64_t number)
{
    const struct birth *all = births->region.base;
    uint32_t low = 0; /* all[low].number is number or less */
    uint32_t high = births->count;
    ASSERT(high > 0 && all[0].number <= number);
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (all[middle].number <= number) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return all[low].ms;
}
