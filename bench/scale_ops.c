/* SPDX-License-Identifier: MIT */
/* Time an op, worst stall and bytes an operation, by the number of operations; and memory at a million.
 * One thread, one session. */
#include "map_bed.h"
#include "ours.h"
#include "scale_rows.h"
#include "weigh.h"

#include <string.h>

/* Weighed alone: its times are those of the other. */
#define DAEMONS "ours-daemon"

struct size {
    const char *row;
    uint32_t live;
    bool quick;
};

static const struct size sizes[] = {
    {"op-1k", 1000, true},    {"op-10k", 10000, false},    {"op-100k", 100000, true},
    {"op-1M", 1000000, true}, {"op-10M", 10000000, false}, {"op-20M", 20000000, false},
};

/* Which designs are measured here, under which name. */
static const struct {
    const char *design;
    const char *peer;
    const char *note;
} peers[] = {
    {"ours-direct", "ours", "1 thread: the registry, batches of 64; worst: the longest batch"},
    {"ours-direct", DAEMONS, "1 thread: the registry as the daemon has it, without a callback"},
    {"mutex-1-thread", "mutex-1-thread",
     "1 thread: a mutex around the same table, one op at a time"},
    {"glib", "glib", "1 thread: a mutex around GLib's GHashTable, one op at a time"},
};

static const struct map_design *design_of(const char *peer)
{
    const struct map_design *design;
    for (size_t i = 0; (design = map_design_at(i)) != NULL; i++) {
        if (strcmp(design->peer, peer) == 0) {
            return design;
        }
    }
    ASSERT(false);
    return NULL;
}

struct measure {
    const struct harness *harness;
    const struct map_design *design;
    uint32_t live;
};

struct measured {
    struct histogram latency;
    double ns;
    double core_ns;
    double bytes_entry;
    uint32_t slices;
    uint32_t thrown;
};

static void slices(const struct measure *what, struct map_bed *bed, struct measured *measured)
{
    struct samples ns;
    struct samples core_ns;
    samples_init(&ns);
    samples_init(&core_ns);
    uint64_t rounds = harness_pick(what->harness, 4, 10);
    uint32_t slice_ms = (uint32_t) harness_pick(what->harness, 100, 400);
    for (uint64_t i = 0; i < rounds; i++) {
        bool timed = i % 2 == 1;
        struct histogram latency;
        struct turn turn = {0};
        struct slice slice;
        histogram_init(&latency);
        slice_begin(&slice, NULL, 0);
        map_bed_slice(bed, slice_ms, timed ? &latency : NULL, &turn);
        slice_end(&slice);
        measured->slices++;
        measured->thrown += !slice.quiet;
        bool is_last = i + 2 >= rounds; /* where all were loud, the last two count */
        if (timed && (slice.quiet || (is_last && measured->latency.count == 0))) {
            histogram_merge(&measured->latency, &latency);
        } else if (!timed && i > 0 && (slice.quiet || (is_last && ns.count == 0))) {
            samples_add(&ns, (double) turn.wall_ns / (double) turn.ops);
            samples_add(&core_ns, (double) slice.cpu_ns / (double) turn.ops);
        }
    }
    measured->ns = samples_median(&ns);
    measured->core_ns = samples_median(&core_ns);
}

static void measure(void *context, void *result)
{
    const struct measure *what = context;
    struct measured *measured = result;
    struct map_bed bed;
    memory_trim();
    map_bed_new(&bed, what->design, what->live, 1, (struct map_mix){35, 5}, what->harness->seed);
    uint64_t empty = memory_resident();
    map_bed_fill(&bed);
    measured->bytes_entry = ((double) memory_resident() - (double) empty) / what->live;
    slices(what, &bed, measured);
    map_bed_fini(&bed);
}

static void size_row(const struct harness *harness, const struct size *size, size_t peer)
{
    const struct map_design *design = design_of(peers[peer].design);
    struct measure what = {harness, design, size->live};
    struct measured measured;
    if (design->missing != NULL) {
        harness_missing(harness, size->row, peers[peer].peer, design->missing);
        return;
    }
    if (!memory_apart(measure, &what, &measured, sizeof measured) || measured.ns <= 0) {
        harness_missing(harness, size->row, peers[peer].peer, "its process failed");
        return;
    }
    harness_row(harness, &(struct harness_row){
                             .row = size->row,
                             .peer = peers[peer].peer,
                             .unit = "ns/op",
                             .value = measured.ns,
                             .core_ns = measured.core_ns,
                             .p50_ns = (double) histogram_at(&measured.latency, 0.5),
                             .p999_ns = (double) histogram_at(&measured.latency, 0.999),
                             .worst_ns = (double) measured.latency.worst,
                             .bytes_entry = size->live >= 100000 ? measured.bytes_entry : 0,
                             .note = peers[peer].note,
                             .slices = measured.slices,
                             .slices_thrown = measured.thrown,
                         });
}

void scale_rows_ops(const struct harness *harness)
{
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        if ((harness->quick && !sizes[i].quick) || !harness_wants(harness, sizes[i].row)) {
            continue;
        }
        for (size_t peer = 0; peer < sizeof peers / sizeof peers[0]; peer++) {
            if (harness_wants_peer(harness, peers[peer].peer) &&
                strcmp(peers[peer].peer, DAEMONS) != 0) {
                size_row(harness, &sizes[i], peer);
            }
        }
    }
}

void scale_rows_memory(const struct harness *harness)
{
    bool bytes = harness_wants(harness, "bytes-1M");
    bool kept = harness_wants(harness, "kept-1M");
    const char *note = "32-byte keys, ttl; ours: owner, generation and cancel function too";
    for (size_t i = 0; i < sizeof peers / sizeof peers[0] && (bytes || kept); i++) {
        const struct map_design *design = design_of(peers[i].design);
        struct harness_row row = {.peer = peers[i].peer, .note = note};
        struct weighed weighed = {0};
        ours_without_callbacks(strcmp(row.peer, DAEMONS) == 0);
        if (!harness_wants_peer(harness, row.peer)) {
            continue;
        }
        row.missing = design->missing;
        if (row.missing == NULL && !weigh(design, 1000000, harness->seed, &weighed)) {
            row.missing = "its process failed";
        }
        if (bytes) {
            row.row = "bytes-1M";
            row.unit = "bytes/entry";
            row.value = weighed.bytes_entry;
            harness_row(harness, &row);
        }
        if (kept) {
            row.row = "kept-1M";
            row.unit = "percent";
            row.value = weighed.kept_percent;
            harness_row(harness, &row);
        }
    }
}
