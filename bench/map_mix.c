/* SPDX-License-Identifier: MIT */
/* Store, get, cancel and delete, mixed; and a clean-up meanwhile. Rows of a size share their maps. */
#include "map_bed.h"
#include "map_cleanup.h"
#include "map_rows.h"

#include <stdlib.h>

struct mix_row {
    const char *name;
    struct map_mix mix;
    bool variants; /* also in a quick run */
};

/* Rows that have the same beds, one after another. */
struct size {
    uint32_t live;
    const char *cleanup; /* NULL: no such row */
    struct mix_row rows[3];
};

static const struct size sizes[] = {
    {1000000,
     "cleanup-1M",
     {{"mix-1M", {35, 5}, true}, /* 30 % stores, 30 % deletes */
      {"read90-1M", {90, 0}}}},  /* 5 % stores, 5 % deletes */
    {100000, NULL, {{"mix-100k", {35, 5}}}},
};

struct beds {
    struct map_bed *beds[MAP_BEDS_MAX];
    size_t count;
};

/* A design that differs by its clean-up alone has a bed only where that is measured. */
static void make_beds(const struct harness *harness, uint32_t live, bool cleanup, struct beds *beds)
{
    const struct map_design *design;
    for (size_t i = 0; (design = map_design_at(i)) != NULL; i++) {
        bool wanted = design->missing == NULL && harness_wants_peer(harness, design->peer);
        if (wanted && (cleanup || !design->cleans_alone) &&
            !(harness->quick && design->full_only)) {
            ASSERT(beds->count < MAP_BEDS_MAX);
            struct map_bed *bed = malloc(sizeof *bed);
            ASSERT(bed != NULL);
            map_bed_init(bed, design, live, 0, (struct map_mix){0}, harness->seed);
            beds->beds[beds->count++] = bed;
        }
    }
}

static void free_beds(struct beds *beds)
{
    for (size_t i = 0; i < beds->count; i++) {
        map_bed_fini(beds->beds[i]);
        free(beds->beds[i]);
    }
}

static void missing(const struct harness *harness, const char *row)
{
    const struct map_design *design;
    for (size_t i = 0; (design = map_design_at(i)) != NULL; i++) {
        if (design->missing != NULL && harness_wants_peer(harness, design->peer)) {
            harness_missing(harness, row, design->peer, design->missing);
        }
    }
}

static void mix_row(const struct harness *harness, const struct mix_row *row, struct beds *beds)
{
    struct contender *contenders = calloc(MAP_BEDS_MAX, sizeof *contenders);
    ASSERT(contenders != NULL);
    size_t count = 0;
    for (size_t i = 0; i < beds->count; i++) {
        struct map_bed *bed = beds->beds[i];
        map_bed_mix(bed, row->mix);
        bool wanted = row->variants || !harness->quick || !bed->design->variant;
        if (wanted && !bed->design->cleans_alone) {
            contenders[count++] = (struct contender){.peer = bed->design->peer,
                                                     .context = bed,
                                                     .slice = map_bed_slice,
                                                     .note = bed->design->note};
        }
    }
    struct turns turns = turns_usual(harness);
    turns_run(harness, &turns, row->name, contenders, count);
    missing(harness, row->name);
    free(contenders);
    for (size_t i = 0; i < beds->count; i++) {
        if (map_bed_wrong(beds->beds[i]) > 0) {
            harness_fail("%s: %llu wrong answers", beds->beds[i]->design->peer,
                         (unsigned long long) map_bed_wrong(beds->beds[i]));
        }
    }
}

static void size_rows(const struct harness *harness, const struct size *size)
{
    const struct mix_row *wanted[3];
    size_t count = 0;
    for (size_t i = 0; i < 3 && size->rows[i].name != NULL; i++) {
        if (harness_wants(harness, size->rows[i].name)) {
            wanted[count++] = &size->rows[i];
        }
    }
    bool cleanup = size->cleanup != NULL && harness_wants(harness, size->cleanup);
    if (count == 0 && !cleanup) {
        return;
    }
    struct beds beds = {.count = 0};
    make_beds(harness, size->live, cleanup, &beds);
    for (size_t i = 0; i < count; i++) {
        harness_progress("%s", wanted[i]->name);
        mix_row(harness, wanted[i], &beds);
    }
    for (size_t i = 0; i < beds.count && cleanup; i++) {
        map_cleanup(harness, size->cleanup, beds.beds[i]);
    }
    if (cleanup) {
        missing(harness, size->cleanup);
    }
    free_beds(&beds);
}

void map_rows_mix(const struct harness *harness)
{
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_rows(harness, &sizes[i]);
    }
}
