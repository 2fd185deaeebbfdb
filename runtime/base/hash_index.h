/* SPDX-License-Identifier: MIT */
/* From a 64-bit hash to a record's index: linear hashing (W. Litwin, "Linear hashing: a new tool
 * for file and table addressing", VLDB 1980) with chains through the caller's records. The table
 * grows by a bucket an insert and shrinks by two a remove, so there is never a rehash of the whole.
 *
 * The caller embeds a struct hash_link in each record and says how to come from an index to it.
 * Equal hashes are the caller's to tell apart: hash_index_first() and _next() walk every record
 * that has the hash. Not thread-safe: one owner. Nothing is allocated after init. */
#ifndef CANCELD_BASE_HASH_INDEX_H
#define CANCELD_BASE_HASH_INDEX_H

#include "base/check.h"
#include "base/region.h"
#include "base/slab.h"

#include <stdbool.h>
#include <stdint.h>

struct hash_link {
    uint64_t hash;
    uint32_t next; /* record index, 0 at the end of the chain */
};

struct hash_index {
    struct region buckets;   /* of uint32_t: the first record of each chain */
    const struct slab *slab; /* the records */
    size_t link_offset;      /* of the struct hash_link in a record */
    uint32_t buckets_max;
    uint32_t buckets_count; /* base + split */
    uint32_t base;          /* a power of two */
    uint32_t split;         /* the next bucket to split */
    uint32_t count;
};

/* For records of `slab`, which must outlive the index; `records_max` of them at most. */
MUST_CHECK bool hash_index_init(struct hash_index *index, const struct slab *slab,
                                size_t link_offset, uint32_t records_max);
void hash_index_fini(struct hash_index *index);

/* Adds a record that is not in the table. */
void hash_index_insert(struct hash_index *index, uint32_t record, uint64_t hash);

/* Takes out a record that is in the table. */
void hash_index_remove(struct hash_index *index, uint32_t record);

/* The first record with this hash, 0 for none. */
uint32_t hash_index_first(const struct hash_index *index, uint64_t hash);

/* The next record with the same hash as `record`, 0 for none. */
uint32_t hash_index_next(const struct hash_index *index, uint32_t record);

/* Asserts that each record is in the chain of its hash and that the count is right. O(n). */
void hash_index_check(const struct hash_index *index);

#endif
