/* SPDX-License-Identifier: MIT */
#include "weigh.h"

#include "map_bed.h"

#define KEEP_EVERY 100
#define TTL_MS 3600000

struct sizes {
    uint64_t empty;
    uint64_t full;
    uint64_t after;
};

struct what {
    const struct map_design *design;
    uint32_t live;
    uint64_t seed;
};

static void weigh_here(void *context, void *result)
{
    const struct what *what = context;
    struct sizes *sizes = result;
    struct map_bed bed;
    memory_trim();
    map_bed_new(&bed, what->design, what->live, 1, (struct map_mix){0}, what->seed);
    bed.streams[0].ttl_ms = TTL_MS;
    sizes->empty = memory_resident();
    map_bed_fill(&bed);
    sizes->full = memory_resident();
    map_bed_drain(&bed, KEEP_EVERY);
    if (what->design->settle != NULL) {
        what->design->settle(bed.map);
    }
    memory_trim();
    sizes->after = memory_resident();
    map_bed_fini(&bed);
}

bool weigh(const struct map_design *design, uint32_t live, uint64_t seed, struct weighed *weighed)
{
    struct what what = {design, live, seed};
    struct sizes sizes;
    if (!memory_apart(weigh_here, &what, &sizes, sizeof sizes) || sizes.full <= sizes.empty) {
        return false;
    }
    double grown = (double) (sizes.full - sizes.empty);
    double kept = sizes.after > sizes.empty ? (double) (sizes.after - sizes.empty) : 0;
    weighed->bytes_entry = grown / live;
    weighed->kept_percent = 100 * kept / grown;
    return true;
}
