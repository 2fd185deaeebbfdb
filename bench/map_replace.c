/* SPDX-License-Identifier: MIT */
/* Whole-map replacement, as with an immutable map behind a pointer: readers look into the present map
 * without a lock (read-copy-update, liburcu), a writer copies all of it, changes the copy, puts it in
 * its place and frees the old one when nobody reads it any more. Whether an entry is cancelled stands in a
 * mark beside the maps, to which its argument leads, so that a copy loses none. A clean-up is one such
 * copy, of what stays. */
#include "map_table.h"

#ifdef BENCH_HAVE_URCU

#include <pthread.h>
#include <stdlib.h>
#include <urcu.h>

#define MARKS_FACTOR 8 /* stores after the first fill are few: each copies the map */

struct replace_map {
    pthread_mutex_t writer;
    atomic_bool *marks; /* of each store that there ever was */
    size_t marks_count;
    size_t marks_max;
    struct map_table *present;
    uint32_t capacity;
};

static struct map_table *table_new(uint32_t capacity)
{
    struct map_table *table = calloc(1, sizeof *table);
    ASSERT(table != NULL);
    map_table_init(table, capacity);
    return table;
}

static void table_free(struct map_table *table)
{
    map_table_fini(table);
    free(table);
}

static void *replace_new(const struct map_config *config)
{
    struct replace_map *map = calloc(1, sizeof *map);
    ASSERT(map != NULL);
    map->capacity = config->capacity;
    map->marks_max = (size_t) config->capacity * MARKS_FACTOR;
    map->marks = calloc(map->marks_max, sizeof map->marks[0]);
    ASSERT(map->marks != NULL);
    map->present = table_new(config->capacity);
    ASSERT(pthread_mutex_init(&map->writer, NULL) == 0);
    return map;
}

static void replace_free(void *argument)
{
    struct replace_map *map = argument;
    table_free(map->present);
    pthread_mutex_destroy(&map->writer);
    free(map->marks);
    free(map);
}

static void *replace_attach(void *map)
{
    rcu_register_thread();
    return map;
}

static void replace_detach(void *client)
{
    (void) client;
    rcu_unregister_thread();
}

static struct map_table *copy(const struct replace_map *map, bool without_match)
{
    struct map_table *to = table_new(map->capacity);
    const struct packed *entries = &map->present->entries;
    for (uint32_t id = 1; id < entries->end; id++) {
        const struct map_entry *entry = packed_at(entries, id);
        if (packed_is_live(entries, id) && !(without_match && entry->match)) {
            ASSERT(map_table_copy(to, entry));
        }
    }
    return to;
}

static void replace(struct replace_map *map, struct map_table *table)
{
    struct map_table *old = map->present;
    rcu_assign_pointer(map->present, table);
    synchronize_rcu();
    table_free(old);
}

/* While nobody else works, the map is changed in its place. */
static bool change(struct replace_map *map, const struct map_op *op)
{
    struct map_call call;
    pthread_mutex_lock(&map->writer);
    struct map_table *table = op->alone ? map->present : copy(map, false);
    bool hit = map_table_one(table, op, &call);
    if (hit && op->kind == MAP_STORE) {
        ASSERT(map->marks_count < map->marks_max);
        map_table_find(table, op)->argument = &map->marks[map->marks_count++];
    }
    if (!op->alone) {
        replace(map, table);
    }
    pthread_mutex_unlock(&map->writer);
    return hit;
}

static bool replace_one(void *client, const struct map_op *op)
{
    struct replace_map *map = client;
    if (op->kind == MAP_STORE || op->kind == MAP_DELETE) {
        return change(map, op);
    }
    struct map_call call = {0};
    rcu_read_lock();
    struct map_entry *entry = map_table_find(rcu_dereference(map->present), op);
    if (entry != NULL && op->kind == MAP_CANCEL) {
        atomic_bool *mark = entry->argument;
        if (!atomic_exchange_explicit(mark, true, memory_order_acq_rel)) {
            call = (struct map_call){entry->cancel, entry->argument};
        }
    }
    rcu_read_unlock();
    map_call_make(&call);
    return entry != NULL;
}

static void replace_clean(void *argument)
{
    struct replace_map *map = argument;
    pthread_mutex_lock(&map->writer);
    replace(map, copy(map, true));
    pthread_mutex_unlock(&map->writer);
}

const struct map_design map_designs_replace[] = {
    {.peer = "copy-on-write",
     .note = "2 threads; read-copy-update (liburcu): each store and delete copies the whole map",
     .variant = true,
     .workers = 2,
     .make = replace_new,
     .free = replace_free,
     .attach = replace_attach,
     .detach = replace_detach,
     .one = replace_one,
     .clean = replace_clean},
    {.peer = NULL},
};

#else

const struct map_design map_designs_replace[] = {
    {.peer = "copy-on-write", .missing = "liburcu was not there when this was built"},
    {.peer = NULL},
};

#endif
