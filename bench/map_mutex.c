/* SPDX-License-Identifier: MIT */
/* One mutex around one map, and the ways of cleaning it up: in one go under the lock; in steps, the
 * lock given back in between; copy-out-and-clear, where the whole map is taken out under the lock,
 * looked through outside of it, and what is to stay put back (what is out is not found meanwhile: the
 * row counts such wrong answers); and a janitor's thread that looks at every deadline under the lock. */
#include "map_table.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define STEP_ENTRIES 1000
#define JANITOR_MS 200
#define JANITOR_TTL_MS 60000

struct mutex_map {
    pthread_mutex_t mutex;
    struct map_table table;
    uint32_t capacity;

    /* janitor */
    pthread_t thread;
    pthread_cond_t woken;
    unsigned workers; /* the janitor only works while they do */
    bool stopping;
    atomic_uint now_ms; /* of the janitor: workers read no clock */
};

static void *mutex_new(const struct map_config *config)
{
    struct mutex_map *map = calloc(1, sizeof *map);
    ASSERT(map != NULL);
    map->capacity = config->capacity;
    map_table_init(&map->table, config->capacity);
    ASSERT(pthread_mutex_init(&map->mutex, NULL) == 0);
    return map;
}

static void mutex_free(void *argument)
{
    struct mutex_map *map = argument;
    map_table_fini(&map->table);
    pthread_mutex_destroy(&map->mutex);
    free(map);
}

static bool mutex_one(void *argument, const struct map_op *op)
{
    struct mutex_map *map = argument;
    struct map_call call;
    pthread_mutex_lock(&map->mutex);
    bool hit = map_table_one(&map->table, op, &call);
    pthread_mutex_unlock(&map->mutex);
    map_call_make(&call);
    return hit;
}

static void clean_whole(void *argument)
{
    struct mutex_map *map = argument;
    uint32_t from = UINT32_MAX;
    pthread_mutex_lock(&map->mutex);
    (void) map_table_clean(&map->table, 0, &from, UINT32_MAX); /* all of it: nothing is left */
    pthread_mutex_unlock(&map->mutex);
}

static void clean_steps(void *argument)
{
    struct mutex_map *map = argument;
    uint32_t from = UINT32_MAX;
    bool more = true;
    while (more) {
        pthread_mutex_lock(&map->mutex);
        more = map_table_clean(&map->table, 0, &from, STEP_ENTRIES);
        pthread_mutex_unlock(&map->mutex);
    }
}

static void put_back(struct mutex_map *map, const struct map_entry *entry)
{
    pthread_mutex_lock(&map->mutex);
    (void) map_table_copy(&map->table, entry); /* false: somebody has stored that key meanwhile */
    pthread_mutex_unlock(&map->mutex);
}

static void clean_copy(void *argument)
{
    struct mutex_map *map = argument;
    struct map_table empty;
    map_table_init(&empty, map->capacity);
    pthread_mutex_lock(&map->mutex);
    struct map_table out = map->table;
    map->table = empty;
    map->table.by_key.context = &map->table.entries;
    pthread_mutex_unlock(&map->mutex);
    for (uint32_t id = 1; id < out.entries.end; id++) {
        if (packed_is_live(&out.entries, id)) {
            const struct map_entry *entry = packed_at(&out.entries, id);
            if (!entry->match) {
                put_back(map, entry);
            }
        }
    }
    map_table_fini(&out);
}

/* ---- the janitor ---- */

static uint32_t now_ms(void)
{
    return (uint32_t) (slice_now_ns() / 1000000);
}

static struct timespec after_ms(long ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += ms * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    return until;
}

static void *janitor(void *argument)
{
    struct mutex_map *map = argument;
    pthread_mutex_lock(&map->mutex);
    while (!map->stopping) {
        if (map->workers == 0) {
            pthread_cond_wait(&map->woken, &map->mutex);
            continue;
        }
        struct timespec until = after_ms(JANITOR_MS);
        if (pthread_cond_timedwait(&map->woken, &map->mutex, &until) == ETIMEDOUT) {
            uint32_t from = UINT32_MAX;
            atomic_store_explicit(&map->now_ms, now_ms(), memory_order_relaxed);
            (void) map_table_clean(&map->table, now_ms(), &from, UINT32_MAX); /* all of it */
        }
    }
    pthread_mutex_unlock(&map->mutex);
    return NULL;
}

static void janitor_workers(struct mutex_map *map, bool one_more)
{
    pthread_mutex_lock(&map->mutex);
    map->workers = one_more ? map->workers + 1 : map->workers - 1;
    atomic_store(&map->now_ms, now_ms()); /* it was still while nobody worked */
    pthread_cond_signal(&map->woken);
    pthread_mutex_unlock(&map->mutex);
}

static void *janitor_attach(void *map)
{
    janitor_workers(map, true);
    return map;
}

static void janitor_detach(void *map)
{
    janitor_workers(map, false);
}

static void *janitor_new(const struct map_config *config)
{
    struct mutex_map *map = mutex_new(config);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&map->woken, &attributes);
    pthread_condattr_destroy(&attributes);
    atomic_store(&map->now_ms, now_ms());
    ASSERT(pthread_create(&map->thread, NULL, janitor, map) == 0);
    return map;
}

static void janitor_free(void *argument)
{
    struct mutex_map *map = argument;
    pthread_mutex_lock(&map->mutex);
    map->stopping = true;
    pthread_cond_signal(&map->woken);
    pthread_mutex_unlock(&map->mutex);
    pthread_join(map->thread, NULL);
    pthread_cond_destroy(&map->woken);
    mutex_free(map);
}

static bool janitor_one(void *argument, const struct map_op *op)
{
    struct mutex_map *map = argument;
    if (op->kind != MAP_STORE) {
        return mutex_one(map, op);
    }
    uint32_t ttl_ms = op->ttl_ms != 0 ? op->ttl_ms : JANITOR_TTL_MS;
    uint32_t deadline_ms = atomic_load_explicit(&map->now_ms, memory_order_relaxed) + ttl_ms;
    pthread_mutex_lock(&map->mutex);
    bool hit = map_table_store(&map->table, op, deadline_ms);
    pthread_mutex_unlock(&map->mutex);
    return hit;
}

const struct map_design map_designs_mutex[] = {
    {.peer = "mutex",
     .note = "2 threads; the clean-up holds the lock throughout",
     .weigh_quick = true,
     .weigh_note = "the same table as ours, without ttl and owner; resident memory of the process",
     .workers = 2,
     .make = mutex_new,
     .free = mutex_free,
     .one = mutex_one,
     .clean = clean_whole},
    {.peer = "mutex-steps",
     .note =
         "2 threads; the clean-up gives the lock back every 1,000 entries, and often has it again "
         "before the other one wakes",
     .workers = 2,
     .cleans_alone = true,
     .make = mutex_new,
     .free = mutex_free,
     .one = mutex_one,
     .clean = clean_steps},
    {.peer = "mutex-1-thread",
     .note = "1 thread: nobody contends",
     .variant = true,
     .workers = 1,
     .no_clean = true,
     .make = mutex_new,
     .free = mutex_free,
     .one = mutex_one},
    {.peer = "mutex-4-threads",
     .note = "4 threads",
     .full_only = true,
     .workers = 4,
     .no_clean = true,
     .make = mutex_new,
     .free = mutex_free,
     .one = mutex_one},
    {.peer = "copy-and-clear",
     .note = "2 threads; for all but a clean-up it is the mutex",
     .cleans_its_way = true,
     .variant = true,
     .workers = 2,
     .make = mutex_new,
     .free = mutex_free,
     .one = mutex_one,
     .clean = clean_copy},
    {.peer = "janitor",
     .note = "2 threads; each entry has a ttl, a thread looks at all of them every 200 ms",
     .cleans_its_way = true,
     .variant = true,
     .workers = 2,
     .make = janitor_new,
     .free = janitor_free,
     .attach = janitor_attach,
     .detach = janitor_detach,
     .one = janitor_one},
    {.peer = NULL},
};
