/* SPDX-License-Identifier: MIT */
#include "map_bed.h"

#define CLEAN_AFTER_MS 50

const struct map_design *map_design_at(size_t number)
{
    static const struct map_design *const tables[] = {
        map_designs_local,  map_designs_direct,  map_designs_mutex, map_designs_rwlock,
        map_designs_shards, map_designs_replace, map_designs_glib};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        for (const struct map_design *design = tables[i]; design->peer != NULL; design++) {
            if (number-- == 0) {
                return design;
            }
        }
    }
    return NULL;
}

static void *attach(const struct map_bed *bed)
{
    return bed->design->attach != NULL ? bed->design->attach(bed->map) : bed->map;
}

static void detach(const struct map_bed *bed, void *client)
{
    if (bed->design->detach != NULL) {
        bed->design->detach(client);
    }
}

static void fill(struct map_bed *bed, bool match_only, uint64_t until_ns)
{
    void *client = attach(bed);
    for (unsigned i = 0; i < bed->workers; i++) {
        map_stream_fill(&bed->streams[i], match_only, until_ns);
        map_design_run(bed->design, client, &bed->streams[i]);
    }
    detach(bed, client);
}

void map_bed_new(struct map_bed *bed, const struct map_design *design, uint32_t live,
                 unsigned workers, struct map_mix mix, uint64_t seed)
{
    uint64_t random = seed;
    *bed = (struct map_bed){.design = design,
                            .workers = workers != 0 ? workers : design->workers,
                            .config = {.capacity = live * 2 + 65536}};
    bed->config.table_key = (struct siphash_key){harness_random(&random), harness_random(&random)};
    for (unsigned i = 0; i < bed->workers; i++) {
        map_stream_init(&bed->streams[i], &bed->config, i, bed->workers, live * 2 / bed->workers,
                        seed);
        bed->streams[i].mix = mix;
    }
    bed->active = bed->workers;
    bed->map = design->make(&bed->config);
}

void map_bed_mix(struct map_bed *bed, struct map_mix mix)
{
    for (unsigned i = 0; i < bed->workers; i++) {
        bed->streams[i].mix = mix;
    }
}

void map_bed_fill(struct map_bed *bed)
{
    fill(bed, false, 0);
}

void map_bed_init(struct map_bed *bed, const struct map_design *design, uint32_t live,
                  unsigned workers, struct map_mix mix, uint64_t seed)
{
    map_bed_new(bed, design, live, workers, mix, seed);
    map_bed_fill(bed);
}

void map_bed_drain(struct map_bed *bed, uint32_t keep_every)
{
    void *client = attach(bed);
    for (unsigned i = 0; i < bed->workers; i++) {
        map_stream_drain(&bed->streams[i], keep_every);
        map_design_run(bed->design, client, &bed->streams[i]);
    }
    detach(bed, client);
}

void map_bed_fini(struct map_bed *bed)
{
    for (unsigned i = 0; i < bed->workers; i++) {
        map_stream_fini(&bed->streams[i]);
    }
    bed->design->free(bed->map);
}

void map_bed_refill(struct map_bed *bed, uint64_t until_ns)
{
    fill(bed, true, until_ns);
}

uint64_t map_bed_wrong(const struct map_bed *bed)
{
    uint64_t wrong = 0;
    for (unsigned i = 0; i < bed->workers; i++) {
        wrong += bed->streams[i].wrong;
    }
    return wrong;
}

/* The member above the workers is the one who cleans up. */
static void work(struct team_member *member)
{
    struct map_bed *bed = member->context;
    if (member->number >= bed->active) {
        team_rest(CLEAN_AFTER_MS);
        uint64_t from_ns = slice_now_ns();
        void *client = attach(bed);
        bed->design->clean(client);
        detach(bed, client);
        bed->clean_ns = slice_now_ns() - from_ns;
        return;
    }
    struct map_stream *stream = &bed->streams[member->number];
    void *client = attach(bed);
    stream->stop = member->stop;
    stream->ops = 0;
    stream->latency = bed->timed ? &bed->latency[member->number] : NULL;
    map_design_run(bed->design, client, stream);
    stream->latency = NULL;
    member->ops = stream->ops;
    detach(bed, client);
}

void map_bed_slice(void *context, uint32_t slice_ms, struct histogram *histogram, struct turn *turn)
{
    struct map_bed *bed = context;
    struct team team;
    bool cleaner = bed->cleans && bed->design->clean != NULL;
    unsigned processors = bed->design->processors;
    team_init(&team, bed->active + cleaner, work, bed);
    for (unsigned i = 0; i < bed->active; i++) {
        team.members[i].processor = processors == 0 ? i : i % processors;
        histogram_init(&bed->latency[i]);
    }
    bed->timed = histogram != NULL;
    turn->wall_ns = team_run(&team, slice_ms);
    turn->ops = team_ops(&team);
    for (unsigned i = 0; i < bed->active && histogram != NULL; i++) {
        histogram_merge(histogram, &bed->latency[i]);
    }
}
