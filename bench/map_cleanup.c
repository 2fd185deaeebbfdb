/* SPDX-License-Identifier: MIT */
#include "map_cleanup.h"

#include <stdio.h>
#include <stdlib.h>

#define EXPIRE_NS UINT64_C(800000000)
#define EXPIRE_LEAD_NS UINT64_C(50000000)
#define TRIES_MAX 3

struct cleanup {
    struct map_bed *bed;
    struct samples ns;
    struct samples core_ns;
    struct histogram latency;
    uint64_t clean_ns; /* the longest */
    uint32_t slices;
    uint32_t thrown;
    bool was_quiet;
};

static void prepare(struct map_bed *bed)
{
    bool by_ttl = bed->design->clean == NULL;
    if (by_ttl) {
        map_bed_drain(bed, 0); /* what is there keeps its ttl */
    }
    uint64_t until_ns = slice_now_ns() + EXPIRE_NS;
    map_bed_refill(bed, by_ttl ? until_ns : 0);
    while (by_ttl && slice_now_ns() + EXPIRE_LEAD_NS < until_ns) {
        team_rest(1);
    }
}

static void forget(struct cleanup *one)
{
    samples_init(&one->ns);
    samples_init(&one->core_ns);
    histogram_init(&one->latency);
    one->clean_ns = 0;
}

/* Slices that were not quiet count until the first that was. */
static bool slice(struct cleanup *one, uint32_t slice_ms)
{
    struct histogram latency;
    struct turn turn = {0};
    struct slice slice;
    histogram_init(&latency);
    prepare(one->bed);
    slice_begin(&slice, NULL, 0);
    map_bed_slice(one->bed, slice_ms, &latency, &turn);
    slice_end(&slice);
    one->slices++;
    one->thrown += !slice.quiet;
    if (turn.ops == 0 || (!slice.quiet && one->was_quiet)) {
        return slice.quiet;
    }
    if (slice.quiet && !one->was_quiet) {
        forget(one);
        one->was_quiet = true;
    }
    samples_add(&one->ns, (double) turn.wall_ns / (double) turn.ops);
    samples_add(&one->core_ns, (double) slice.cpu_ns / (double) turn.ops);
    histogram_merge(&one->latency, &latency);
    one->clean_ns = one->bed->clean_ns > one->clean_ns ? one->bed->clean_ns : one->clean_ns;
    return slice.quiet;
}

static void print(const struct harness *harness, const char *row, struct cleanup *one)
{
    const struct map_design *design = one->bed->design;
    if (one->ns.count == 0) {
        harness_missing(harness, row, design->peer, "not one op was done in the time");
        return;
    }
    char note[256];
    const char *loud = one->was_quiet ? "" : "; no slice was quiet";
    if (design->clean == NULL) {
        snprintf(note, sizeof note, "1 thread works; 250,000 entries expire in the same instant%s",
                 loud);
    } else {
        snprintf(note, sizeof note,
                 "1 thread works, 1 takes 250,000 entries away in %.1f ms; %llu "
                 "wrong answers meanwhile%s",
                 (double) one->clean_ns / 1e6, (unsigned long long) map_bed_wrong(one->bed), loud);
    }
    harness_row(harness, &(struct harness_row){
                             .row = row,
                             .peer = design->peer,
                             .unit = "ns/op",
                             .value = samples_median(&one->ns),
                             .core_ns = samples_median(&one->core_ns),
                             .p50_ns = (double) histogram_at(&one->latency, 0.5),
                             .p99_ns = (double) histogram_at(&one->latency, 0.99),
                             .p999_ns = (double) histogram_at(&one->latency, 0.999),
                             .worst_ns = (double) one->latency.worst,
                             .note = note,
                             .slices = one->slices,
                             .slices_thrown = one->thrown,
                         });
}

/* One design after the other here: what the row tells is the worst, which no turns even out. */
void map_cleanup(const struct harness *harness, const char *row, struct map_bed *bed)
{
    const struct map_design *design = bed->design;
    if (design->no_clean || (harness->quick && design->variant && !design->cleans_its_way)) {
        return;
    }
    struct cleanup *one = calloc(1, sizeof *one);
    ASSERT(one != NULL);
    one->bed = bed;
    bed->cleans = true;
    bed->active = 1;
    map_bed_mix(bed, (struct map_mix){35, 5});
    uint64_t rounds = harness_pick(harness, 1, 3);
    uint32_t slice_ms = (uint32_t) harness_pick(harness, 200, 600);
    for (uint64_t i = 0; i < rounds; i++) {
        for (int tries = 0; tries < TRIES_MAX && !slice(one, slice_ms); tries++) {
        }
    }
    print(harness, row, one);
    free(one);
}
