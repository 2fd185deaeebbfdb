/* SPDX-License-Identifier: MIT */
/* A design with a map that is filled, its workers' streams, and slices of work on it. */
#ifndef CANCELD_BENCH_MAP_BED_H
#define CANCELD_BENCH_MAP_BED_H

#include "map.h"
#include "turns.h"

#define MAP_BEDS_MAX 32

struct map_bed {
    const struct map_design *design;
    struct map_config config;
    void *map;
    unsigned workers;
    unsigned active; /* of them work in a slice, the first ones */
    struct map_stream streams[TEAM_MEMBERS_MAX];
    struct histogram latency[TEAM_MEMBERS_MAX];
    bool timed;        /* this slice's ops are */
    bool cleans;       /* this slice has a clean-up in it */
    uint64_t clean_ns; /* how long it took */
};

/* Makes the map and its streams, for `live` entries in all under twice as many slots, and leaves it
 * empty. */
void map_bed_new(struct map_bed *bed, const struct map_design *design, uint32_t live,
                 unsigned workers, struct map_mix mix, uint64_t seed);
void map_bed_fill(struct map_bed *bed);

/* Deletes all but one in `keep_every`; 0: what matches. */
void map_bed_drain(struct map_bed *bed, uint32_t keep_every);

/* The same, and fills it. workers 0: as many as the design has. */
void map_bed_init(struct map_bed *bed, const struct map_design *design, uint32_t live,
                  unsigned workers, struct map_mix mix, uint64_t seed);

/* Of all its workers, from the next slice on. */
void map_bed_mix(struct map_bed *bed, struct map_mix mix);

void map_bed_fini(struct map_bed *bed);

/* Stores what a clean-up is to take away, with a ttl up to until_ns where that is not 0. */
void map_bed_refill(struct map_bed *bed, uint64_t until_ns);

/* A contender's slice (turns.h); the context is the bed. */
void map_bed_slice(void *context, uint32_t slice_ms, struct histogram *histogram,
                   struct turn *turn);

/* Answers that were wrong, of all workers. */
uint64_t map_bed_wrong(const struct map_bed *bed);

/* The nth of all designs; NULL: there are no more. */
const struct map_design *map_design_at(size_t number);

#endif
