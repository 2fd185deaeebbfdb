/* SPDX-License-Identifier: MIT */
#include "grow.h"

#include "map_table.h"
#include "ours.h"

#ifdef BENCH_HAVE_GLIB
#include <glib.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOW_NS 20000 /* from here on it is asked whether the thread had to wait for a processor */
#define TTL_MS 3600000

struct table {
    const char *peer;
    const char *note;
    const char *missing;
    void *(*make)(const struct map_config *config);
    void (*insert)(void *table, const struct map_op *op);
    bool full_only; /* a quick run leaves it out */
};

/* ---- the registry, whole ---- */

static void *registry_table_new(const struct map_config *config)
{
    return ours_new(config->capacity, config->table_key);
}

static void registry_insert(void *table, const struct map_op *op)
{
    struct ours *ours = table;
    struct direct_op *direct = ours_add(ours, (struct bytes){op->key, MAP_KEY_BYTES}, op->hash);
    direct->kind = OP_STORE;
    direct->ttl_ms = TTL_MS;
    direct->on_expiry = ON_EXPIRY_REAP;
    ours_run(ours, op->gen);
    ASSERT(ours->answers[0].answer == ANSWER_STORED);
}

/* ---- its table alone ---- */

static void *line_table_new(const struct map_config *config)
{
    struct map_table *table = calloc(1, sizeof *table);
    ASSERT(table != NULL);
    map_table_init(table, config->capacity);
    return table;
}

static void line_insert(void *table, const struct map_op *op)
{
    ASSERT(map_table_store(table, op, TTL_MS));
}

/* ---- GLib's: entries of malloc, with the key, the hash and a value ---- */

#ifdef BENCH_HAVE_GLIB

struct entry {
    uint64_t hash;
    uint8_t key[MAP_KEY_BYTES];
    void *value[2];
};

static guint hash_of(gconstpointer key)
{
    const struct entry *entry = key;
    return (guint) entry->hash;
}

static gboolean equal(gconstpointer left, gconstpointer right)
{
    const struct entry *a = left;
    const struct entry *b = right;
    return a->hash == b->hash && memcmp(a->key, b->key, MAP_KEY_BYTES) == 0;
}

static void *glib_table_new(const struct map_config *config)
{
    (void) config;
    return g_hash_table_new(hash_of, equal);
}

static void glib_insert(void *table, const struct map_op *op)
{
    struct entry *entry = calloc(1, sizeof *entry);
    ASSERT(entry != NULL);
    entry->hash = op->hash;
    memcpy(entry->key, op->key, MAP_KEY_BYTES);
    ASSERT(g_hash_table_add(table, entry));
}

#endif

static const struct table tables[] = {
    {.peer = "ours",
     .note = "the registry, whole: key, ttl, owner, generation; one op at a time",
     .make = registry_table_new,
     .insert = registry_insert},
    {.peer = "ours-table",
     .note = "its table alone: linear hashing, records packed",
     .make = line_table_new,
     .insert = line_insert,
     .full_only = true},
#ifdef BENCH_HAVE_GLIB
    {.peer = "glib",
     .note = "GHashTable, entries of malloc",
     .make = glib_table_new,
     .insert = glib_insert},
#else
    {.peer = "glib", .missing = "GLib was not there when this was built"},
#endif
};

/* ---- the row ---- */

struct growth {
    struct histogram latency;
    uint64_t cpu_ns;
};

struct grow {
    const struct table *table;
    uint32_t entries;
    uint64_t seed;
};

/* Takes off what the kernel gave to others meanwhile. */
static uint64_t without_delay(uint64_t took_ns, uint64_t *delay_ns)
{
    if (took_ns < SLOW_NS) {
        return took_ns;
    }
    uint64_t now = slice_thread_delay_ns();
    uint64_t waited = now - *delay_ns;
    *delay_ns = now;
    return took_ns > waited ? took_ns - waited : 0;
}

static void grow(void *context, void *result)
{
    const struct grow *what = context;
    struct growth *growth = result;
    uint64_t random = what->seed;
    struct map_config config = {.capacity = what->entries + 65536};
    config.table_key = (struct siphash_key){harness_random(&random), harness_random(&random)};
    team_pin(team_processors() - 1);
    void *table = what->table->make(&config);
    histogram_init(&growth->latency);
    uint64_t now_ms = ours_now_ms();
    uint64_t delay_ns = slice_thread_delay_ns();
    uint64_t from_ns = slice_thread_cpu_ns();
    for (uint32_t i = 0; i < what->entries; i++) {
        struct map_op op = {.kind = MAP_STORE, .slot = i, .gen = now_ms};
        map_key(i, 0, op.key);
        op.hash = map_hash(&config, op.key);
        uint64_t from = slice_ticks();
        what->table->insert(table, &op);
        uint64_t took_ns = slice_ticks_ns(slice_ticks() - from);
        histogram_add(&growth->latency, without_delay(took_ns, &delay_ns));
    }
    growth->cpu_ns = slice_thread_cpu_ns() - from_ns;
}

/* Of several growths the one whose worst insert took least: the same inserts stall a table each time, and the
 * machine's host or its interrupts never the same ones. */
static bool least_of(uint64_t growths, const struct grow *what, struct growth *least)
{
    for (uint64_t i = 0; i < growths; i++) {
        struct growth growth;
        if (!memory_apart(grow, (void *) (uintptr_t) what, &growth, sizeof growth)) {
            return false;
        }
        if (i == 0 || growth.latency.worst < least->latency.worst) {
            *least = growth;
        }
    }
    return true;
}

static void print(const struct harness *harness, const char *row, const struct grow *what)
{
    struct growth growth;
    const uint64_t growths = harness_pick(harness, 2, 3);
    if (!least_of(growths, what, &growth)) {
        harness_missing(harness, row, what->table->peer, "its process failed");
        return;
    }
    char note[256];
    (void) snprintf(note, sizeof note, "%s; of %u growths the one with the least worst insert",
                    what->table->note, (unsigned) growths);
    harness_row(harness, &(struct harness_row){
                             .row = row,
                             .peer = what->table->peer,
                             .unit = "ns/op",
                             .value = (double) growth.cpu_ns / what->entries,
                             .core_ns = (double) growth.cpu_ns / what->entries,
                             .p50_ns = (double) histogram_at(&growth.latency, 0.5),
                             .p999_ns = (double) histogram_at(&growth.latency, 0.999),
                             .p99999_ns = (double) histogram_at(&growth.latency, 0.99999),
                             .worst_ns = (double) growth.latency.worst,
                             .note = note,
                         });
}

void grow_row(const struct harness *harness, const char *row, uint32_t entries)
{
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        if (!harness_wants_peer(harness, tables[i].peer) ||
            (harness->quick && tables[i].full_only)) {
            continue;
        }
        if (tables[i].missing != NULL) {
            harness_missing(harness, row, tables[i].peer, tables[i].missing);
            continue;
        }
        struct grow what = {&tables[i], entries, harness->seed};
        print(harness, row, &what);
    }
}
