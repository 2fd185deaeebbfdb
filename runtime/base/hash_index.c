/* SPDX-License-Identifier: MIT */
#include "base/hash_index.h"

#define BUCKETS_MIN ((uint32_t) 16)

static uint32_t *bucket_at(const struct hash_index *index, uint32_t number)
{
    return (uint32_t *) index->buckets.base + number;
}

static struct hash_link *link_of(const struct hash_index *index, uint32_t record)
{
    return (struct hash_link *) ((char *) slab_at(index->slab, record) + index->link_offset);
}

/* Some hashes are numbers, and differ in high bits alone: generations of one counter in many epochs would be one
 * chain. So every bit of the hash has its part in the low ones (MurmurHash3's finalizer, its first half). */
static uint32_t spread(uint64_t hash)
{
    hash = (hash ^ hash >> 33) * UINT64_C(0xff51afd7ed558ccd);
    return (uint32_t) (hash ^ hash >> 33);
}

static uint32_t bucket_of(const struct hash_index *index, uint64_t hash)
{
    const uint32_t bits = spread(hash);
    uint32_t number = bits & (index->base - 1);
    return number < index->split ? bits & (2 * index->base - 1) : number;
}

bool hash_index_init(struct hash_index *index, const struct slab *slab, size_t link_offset,
                     uint32_t records_max)
{
    *index = (struct hash_index){
        .slab = slab,
        .link_offset = link_offset,
        .buckets_max = records_max > BUCKETS_MIN ? records_max : BUCKETS_MIN,
        .buckets_count = BUCKETS_MIN,
        .base = BUCKETS_MIN,
    };
    return region_init(&index->buckets, (size_t) index->buckets_max * sizeof(uint32_t));
}

void hash_index_fini(struct hash_index *index)
{
    region_fini(&index->buckets);
    *index = (struct hash_index){0};
}

/* Moves those records of bucket `split` that belong one base higher into the new last bucket. */
static void grow(struct hash_index *index)
{
    if (index->buckets_count == index->buckets_max) {
        return;
    }
    uint32_t *from = bucket_at(index, index->split);
    uint32_t *high = bucket_at(index, index->buckets_count);
    *high = 0;
    uint32_t record = *from;
    *from = 0;
    while (record != 0) {
        struct hash_link *link = link_of(index, record);
        uint32_t next = link->next;
        uint32_t *to = (spread(link->hash) & index->base) != 0 ? high : from;
        link->next = *to;
        *to = record;
        record = next;
    }
    index->buckets_count++;
    if (++index->split == index->base) {
        index->base *= 2;
        index->split = 0;
    }
}

/* The reverse: the last bucket's chain goes before that of the one it came from. */
static void shrink(struct hash_index *index)
{
    if (index->split == 0) {
        index->base /= 2;
        index->split = index->base;
    }
    index->split--;
    index->buckets_count--;
    uint32_t *into = bucket_at(index, index->split);
    uint32_t record = *bucket_at(index, index->buckets_count);
    while (record != 0) {
        struct hash_link *link = link_of(index, record);
        uint32_t next = link->next;
        link->next = *into;
        *into = record;
        record = next;
    }
    size_t used = (size_t) index->buckets_count * sizeof(uint32_t);
    if (used % REGION_GRAIN == 0 && used + REGION_GRAIN <= index->buckets.size) {
        region_hand_back(&index->buckets, used, REGION_GRAIN);
    }
}

static bool is_sparse(const struct hash_index *index)
{
    return index->count < index->buckets_count / 2 && index->buckets_count > BUCKETS_MIN;
}

void hash_index_insert(struct hash_index *index, uint32_t record, uint64_t hash)
{
    ASSERT(record != 0);
    struct hash_link *link = link_of(index, record);
    uint32_t *bucket = bucket_at(index, bucket_of(index, hash));
    link->hash = hash;
    link->next = *bucket;
    *bucket = record;
    if (++index->count > index->buckets_count) {
        grow(index);
    }
}

void hash_index_remove(struct hash_index *index, uint32_t record)
{
    struct hash_link *link = link_of(index, record);
    uint32_t *at = bucket_at(index, bucket_of(index, link->hash));
    while (*at != record) {
        ASSERT(*at != 0);
        at = &link_of(index, *at)->next;
    }
    *at = link->next;
    index->count--;
    /* Two at a time: one a remove would leave half the buckets of a full table to an empty one. */
    for (unsigned i = 0; i < 2 && is_sparse(index); i++) {
        shrink(index);
    }
}

static uint32_t chain_find(const struct hash_index *index, uint32_t record, uint64_t hash)
{
    while (record != 0 && link_of(index, record)->hash != hash) {
        record = link_of(index, record)->next;
    }
    return record;
}

uint32_t hash_index_first(const struct hash_index *index, uint64_t hash)
{
    return chain_find(index, *bucket_at(index, bucket_of(index, hash)), hash);
}

uint32_t hash_index_next(const struct hash_index *index, uint32_t record)
{
    const struct hash_link *link = link_of(index, record);
    return chain_find(index, link->next, link->hash);
}

void hash_index_check(const struct hash_index *index)
{
    ASSERT(index->buckets_count == index->base + index->split);
    uint32_t count = 0;
    for (uint32_t number = 0; number < index->buckets_count; number++) {
        for (uint32_t record = *bucket_at(index, number); record != 0;) {
            ASSERT(slab_is_live(index->slab, record));
            const struct hash_link *link = link_of(index, record);
            ASSERT(bucket_of(index, link->hash) == number);
            ASSERT(++count <= index->count);
            record = link->next;
        }
    }
    ASSERT(count == index->count);
}
