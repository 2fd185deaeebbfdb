/* SPDX-License-Identifier: MIT */
/* One mutex around GLib's GHashTable, the hash table that C programs of this system have at hand. Its
 * entries are of malloc; its hash is the low half of ours. */
#include "map.h"

#ifdef BENCH_HAVE_GLIB

#include <glib.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct glib_entry {
    uint64_t hash;
    uint8_t key[MAP_KEY_BYTES];
    void (*cancel)(void *argument);
    void *argument;
    bool cancelled;
    bool match;
};

struct glib_map {
    pthread_mutex_t mutex;
    GHashTable *table;
};

static guint hash_of(gconstpointer key)
{
    const struct glib_entry *entry = key;
    return (guint) entry->hash;
}

static gboolean equal(gconstpointer left, gconstpointer right)
{
    const struct glib_entry *a = left;
    const struct glib_entry *b = right;
    return a->hash == b->hash && memcmp(a->key, b->key, MAP_KEY_BYTES) == 0;
}

static void *glib_new(const struct map_config *config)
{
    (void) config;
    struct glib_map *map = calloc(1, sizeof *map);
    ASSERT(map != NULL);
    map->table = g_hash_table_new_full(hash_of, equal, free, NULL);
    ASSERT(pthread_mutex_init(&map->mutex, NULL) == 0);
    return map;
}

static void glib_free(void *argument)
{
    struct glib_map *map = argument;
    g_hash_table_destroy(map->table);
    pthread_mutex_destroy(&map->mutex);
    free(map);
}

static bool store(struct glib_map *map, const struct glib_entry *wanted)
{
    struct glib_entry *entry = malloc(sizeof *entry);
    ASSERT(entry != NULL);
    *entry = *wanted;
    pthread_mutex_lock(&map->mutex);
    bool is_there = g_hash_table_contains(map->table, entry);
    if (!is_there) {
        g_hash_table_add(map->table, entry);
    }
    pthread_mutex_unlock(&map->mutex);
    if (is_there) {
        free(entry);
    }
    return !is_there;
}

static bool cancel(struct glib_map *map, const struct glib_entry *wanted)
{
    void (*call)(void *argument) = NULL;
    void *argument = NULL;
    pthread_mutex_lock(&map->mutex);
    struct glib_entry *entry = g_hash_table_lookup(map->table, wanted);
    bool is_there = entry != NULL;
    if (is_there && !entry->cancelled) {
        entry->cancelled = true;
        call = entry->cancel;
        argument = entry->argument;
    }
    pthread_mutex_unlock(&map->mutex);
    if (call != NULL) {
        call(argument);
    }
    return is_there;
}

static bool glib_one(void *client, const struct map_op *op)
{
    struct glib_map *map = client;
    struct glib_entry wanted = {.hash = op->hash, .cancel = map_cancelled, .match = op->match};
    memcpy(wanted.key, op->key, MAP_KEY_BYTES);
    if (op->kind == MAP_STORE) {
        return store(map, &wanted);
    }
    if (op->kind == MAP_CANCEL) {
        return cancel(map, &wanted);
    }
    pthread_mutex_lock(&map->mutex);
    bool hit = op->kind == MAP_DELETE ? g_hash_table_remove(map->table, &wanted)
                                      : g_hash_table_contains(map->table, &wanted);
    pthread_mutex_unlock(&map->mutex);
    return hit;
}

static gboolean matches(gpointer key, gpointer value, gpointer data)
{
    (void) value;
    (void) data;
    const struct glib_entry *entry = key;
    return entry->match;
}

static void glib_clean(void *argument)
{
    struct glib_map *map = argument;
    pthread_mutex_lock(&map->mutex);
    g_hash_table_foreach_remove(map->table, matches, NULL);
    pthread_mutex_unlock(&map->mutex);
}

const struct map_design map_designs_glib[] = {
    {.peer = "glib",
     .note = "2 threads; one mutex around GLib's GHashTable, entries of malloc",
     .weigh_quick = true,
     .variant = true,
     .workers = 2,
     .make = glib_new,
     .free = glib_free,
     .one = glib_one,
     .clean = glib_clean},
    {.peer = NULL},
};

#else

const struct map_design map_designs_glib[] = {
    {.peer = "glib", .missing = "GLib was not there when this was built"},
    {.peer = NULL},
};

#endif
