/* SPDX-License-Identifier: MIT */
/* Many maps, each with a lock of its own, on cache lines of their own; the hash says which. The lock is
 * a mutex, or a spinlock that looks before it tries (test and test-and-set), and after a while lets
 * another thread have the processor. */
#include "map_table.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#define SPINS_MAX 100

struct shard {
    _Alignas(64) pthread_mutex_t mutex;
    _Alignas(64) atomic_bool spin;
    _Alignas(64) struct map_table table;
};

struct shards {
    uint32_t count; /* a power of two */
    struct shard *shards;
};

static void *shards_new(const struct map_config *config, uint32_t count)
{
    struct shards *map = calloc(1, sizeof *map);
    ASSERT(map != NULL);
    map->count = count;
    map->shards = aligned_alloc(64, count * sizeof map->shards[0]);
    ASSERT(map->shards != NULL);
    for (uint32_t i = 0; i < count; i++) {
        struct shard *shard = &map->shards[i];
        atomic_init(&shard->spin, false);
        ASSERT(pthread_mutex_init(&shard->mutex, NULL) == 0);
        map_table_init(&shard->table, config->capacity / count * 2 + 1024);
    }
    return map;
}

static void *shards_new_16(const struct map_config *config)
{
    return shards_new(config, 16);
}

static void *shards_new_64(const struct map_config *config)
{
    return shards_new(config, 64);
}

static void shards_free(void *argument)
{
    struct shards *map = argument;
    for (uint32_t i = 0; i < map->count; i++) {
        map_table_fini(&map->shards[i].table);
        pthread_mutex_destroy(&map->shards[i].mutex);
    }
    free(map->shards);
    free(map);
}

/* By bits of the hash that neither the bucket nor its tags hang on alone. */
static struct shard *shard_of(struct shards *map, uint64_t hash)
{
    return &map->shards[((hash * UINT64_C(0x9e3779b97f4a7c15)) >> 58) & (map->count - 1)];
}

static bool mutex_one(void *argument, const struct map_op *op)
{
    struct shard *shard = shard_of(argument, op->hash);
    struct map_call call;
    pthread_mutex_lock(&shard->mutex);
    bool hit = map_table_one(&shard->table, op, &call);
    pthread_mutex_unlock(&shard->mutex);
    map_call_make(&call);
    return hit;
}

static void mutex_clean(void *argument)
{
    struct shards *map = argument;
    for (uint32_t i = 0; i < map->count; i++) {
        struct shard *shard = &map->shards[i];
        uint32_t from = UINT32_MAX;
        pthread_mutex_lock(&shard->mutex);
        (void) map_table_clean(&shard->table, 0, &from, UINT32_MAX); /* all of it */
        pthread_mutex_unlock(&shard->mutex);
    }
}

static void spin_lock(atomic_bool *spin)
{
    unsigned spins = 0;
    while (atomic_load_explicit(spin, memory_order_relaxed) ||
           atomic_exchange_explicit(spin, true, memory_order_acquire)) {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
        if (++spins % SPINS_MAX == 0) {
            sched_yield();
        }
    }
}

static void spin_unlock(atomic_bool *spin)
{
    atomic_store_explicit(spin, false, memory_order_release);
}

static bool spin_one(void *argument, const struct map_op *op)
{
    struct shard *shard = shard_of(argument, op->hash);
    struct map_call call;
    spin_lock(&shard->spin);
    bool hit = map_table_one(&shard->table, op, &call);
    spin_unlock(&shard->spin);
    map_call_make(&call);
    return hit;
}

static void spin_clean(void *argument)
{
    struct shards *map = argument;
    for (uint32_t i = 0; i < map->count; i++) {
        struct shard *shard = &map->shards[i];
        uint32_t from = UINT32_MAX;
        spin_lock(&shard->spin);
        (void) map_table_clean(&shard->table, 0, &from, UINT32_MAX); /* all of it */
        spin_unlock(&shard->spin);
    }
}

const struct map_design map_designs_shards[] = {
    {.peer = "shards-16",
     .note = "2 threads; the clean-up takes one shard after the other",
     .workers = 2,
     .make = shards_new_16,
     .free = shards_free,
     .one = mutex_one,
     .clean = mutex_clean},
    {.peer = "shards-64",
     .note = "2 threads; the clean-up takes one shard after the other",
     .workers = 2,
     .make = shards_new_64,
     .free = shards_free,
     .one = mutex_one,
     .clean = mutex_clean},
    {.peer = "spin-64",
     .note = "2 threads; the clean-up takes one shard after the other",
     .workers = 2,
     .make = shards_new_64,
     .free = shards_free,
     .one = spin_one,
     .clean = spin_clean},
    {.peer = "spin-64-1-thread",
     .note = "1 thread: nobody contends",
     .variant = true,
     .workers = 1,
     .no_clean = true,
     .make = shards_new_64,
     .free = shards_free,
     .one = spin_one},
    {.peer = "spin-64-4-threads",
     .note = "4 threads",
     .full_only = true,
     .workers = 4,
     .no_clean = true,
     .make = shards_new_64,
     .free = shards_free,
     .one = spin_one},
    {.peer = NULL},
};
