/* SPDX-License-Identifier: MIT */
/* An entry for each millisecond in which numbers were given out, with the first of them. There is room
 * for the last 65,536; when it is used up, every second of the older three quarters is left out. So the
 * further back, the coarser: an age is off by a few ten-thousandths of itself at the most, and what it
 * costs is nothing an operation. */
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

static void thin(struct births *births)
{
    struct birth *all = births->region.base;
    uint32_t older = births->count / 4 * 3;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < births->count; i++) {
        if (i >= older || i % 2 == 0) {
            all[kept++] = all[i];
        }
    }
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
