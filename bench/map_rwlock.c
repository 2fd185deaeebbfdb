/* SPDX-License-Identifier: MIT */
/* A reader-writer lock around the map: gets share it; and the same with a lock in each entry, so that
 * a cancel too only shares the map's. Both look for what a clean-up takes away as readers, and take it
 * away as the one writer. */
#include "map_table.h"

#include <pthread.h>
#include <stdlib.h>

struct rwlock_map {
    pthread_rwlock_t lock;
    struct map_table table;
};

static void *rwlock_new(const struct map_config *config)
{
    struct rwlock_map *map = calloc(1, sizeof *map);
    ASSERT(map != NULL);
    map_table_init(&map->table, config->capacity);
    ASSERT(pthread_rwlock_init(&map->lock, NULL) == 0);
    return map;
}

static void rwlock_free(void *argument)
{
    struct rwlock_map *map = argument;
    map_table_fini(&map->table);
    pthread_rwlock_destroy(&map->lock);
    free(map);
}

static bool as_writer(struct rwlock_map *map, const struct map_op *op)
{
    struct map_call call;
    pthread_rwlock_wrlock(&map->lock);
    bool hit = map_table_one(&map->table, op, &call);
    pthread_rwlock_unlock(&map->lock);
    map_call_make(&call);
    return hit;
}

static bool rwlock_one(void *argument, const struct map_op *op)
{
    struct rwlock_map *map = argument;
    if (op->kind != MAP_GET) {
        return as_writer(map, op);
    }
    pthread_rwlock_rdlock(&map->lock);
    bool hit = map_table_find(&map->table, op) != NULL;
    pthread_rwlock_unlock(&map->lock);
    return hit;
}

/* The entry's lock is held within the map's, shared: nobody can move or remove the entry. */
static bool value_one(void *argument, const struct map_op *op)
{
    struct rwlock_map *map = argument;
    struct map_call call = {0};
    if (op->kind != MAP_GET && op->kind != MAP_CANCEL) {
        return as_writer(map, op);
    }
    pthread_rwlock_rdlock(&map->lock);
    struct map_entry *entry = map_table_find(&map->table, op);
    if (entry != NULL) {
        while (atomic_exchange_explicit(&entry->locked, true, memory_order_acquire)) {
        }
        if (op->kind == MAP_CANCEL && !entry->cancelled) {
            entry->cancelled = true;
            call = (struct map_call){entry->cancel, entry->argument};
        }
        atomic_store_explicit(&entry->locked, false, memory_order_release);
    }
    pthread_rwlock_unlock(&map->lock);
    map_call_make(&call);
    return entry != NULL;
}

static struct map_op of_entry(const struct map_entry *entry)
{
    struct map_op op = {.kind = MAP_DELETE, .hash = entry->hash};
    for (size_t i = 0; i < MAP_KEY_BYTES; i++) {
        op.key[i] = entry->key[i];
    }
    return op;
}

static void rwlock_clean(void *argument)
{
    struct rwlock_map *map = argument;
    pthread_rwlock_rdlock(&map->lock);
    uint32_t end = map->table.entries.end;
    struct map_op *found = calloc((size_t) end + 1, sizeof *found);
    ASSERT(found != NULL);
    size_t count = 0;
    for (uint32_t id = 1; id < end; id++) {
        const struct map_entry *entry = packed_at(&map->table.entries, id);
        if (packed_is_live(&map->table.entries, id) && entry->match) {
            found[count++] = of_entry(entry);
        }
    }
    pthread_rwlock_unlock(&map->lock);
    pthread_rwlock_wrlock(&map->lock);
    for (size_t i = 0; i < count; i++) {
        (void) map_table_delete(&map->table, &found[i]); /* false: its owner was faster */
    }
    pthread_rwlock_unlock(&map->lock);
    free(found);
}

const struct map_design map_designs_rwlock[] = {
    {.peer = "rwlock",
     .note = "2 threads; gets share the lock",
     .workers = 2,
     .make = rwlock_new,
     .free = rwlock_free,
     .one = rwlock_one,
     .clean = rwlock_clean},
    {.peer = "value-locks",
     .note = "2 threads; gets and cancels share the map's lock, and take the entry's",
     .variant = true,
     .workers = 2,
     .make = rwlock_new,
     .free = rwlock_free,
     .one = value_one,
     .clean = rwlock_clean},
    {.peer = NULL},
};
