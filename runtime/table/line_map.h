/* SPDX-License-Identifier: MIT */
/* From a 64-bit hash to 32-bit ids: linear hashing (W. Litwin, "Linear hashing: a new tool for file
 * and table addressing", VLDB 1980) with buckets of one cache line: 12 one-byte tags, 12 ids and the
 * number of an overflow line. A look-up that finds nothing costs one line as a rule; one that finds,
 * that and the line of the record. The table grows and shrinks by a bucket at a time, so there is never
 * a rehash of the whole, never a second table, and never a large allocation.
 *
 * The caller says how to come from an id to its hash, for a split has to ask; and it tells equal
 * records apart: line_map_first() and _next() give every id whose tag is that of the hash. The hash
 * has to be keyed where others choose the keys: what has one hash stands in one bucket, and is searched
 * and split in one piece. Of a hash, the lowest bits choose the bucket and the highest eight are the tag.
 *
 * The address space is reserved at init; memory is committed a chunk at a time, and what is no
 * longer needed goes back. Not thread-safe: one owner. Nothing is allocated after init. */
#ifndef CANCELD_TABLE_LINE_MAP_H
#define CANCELD_TABLE_LINE_MAP_H

#include "base/check.h"
#include "base/region.h"
#include "table/line.h"
#include "table/packed.h"

#include <stdbool.h>
#include <stdint.h>

struct line_map {
    struct region lines;     /* of struct line: the heads of the buckets */
    struct packed overflows; /* of struct line */
    size_t committed;        /* bytes of lines */
    uint64_t (*hash_of)(const void *context, uint32_t id);
    void (*prefetch)(const void *context, uint32_t id);
    const void *context;
    uint32_t buckets_count; /* base + split */
    uint32_t base;          /* a power of two */
    uint32_t split;         /* the next bucket to split */
    uint32_t count;
    uint32_t capacity;
    uint32_t split_at; /* an insert splits a bucket where there are so many ids */
    uint32_t merge_at; /* a remove merges two where fewer are left */
    uint64_t splits;
    uint64_t merges;
    uint32_t lines_most; /* of one bucket, ever */
    uint32_t
        moves_most; /* ids whose hash one call asked for, ever: see LINE_MAP_MOVES_MAX in limits.h */
};

/* Where line_map_first() and _next() are. Void after any change of the map. */
struct line_walk {
    const struct line_map *map;
    const struct line *line;
    uint32_t matches; /* a bit for each slot of the line that is still to be given */
    uint8_t tag;
};

/* For `capacity` ids at most. hash_of() is called with ids that are in the map, never with the one that
 * is being added or taken out. prefetch() has the processor fetch what hash_of() of that id will read,
 * and does nothing else (it may be called with the one that is being added); it may be NULL. False: no
 * memory. */
MUST_CHECK bool line_map_init(struct line_map *map, uint32_t capacity,
                              uint64_t (*hash_of)(const void *context, uint32_t id),
                              void (*prefetch)(const void *context, uint32_t id),
                              const void *context);
void line_map_fini(struct line_map *map);

/* Adds an id that is not in the map under this hash. False where memory cannot be had, or the map has
 * as many ids as its capacity: nothing is changed. */
MUST_CHECK bool line_map_insert(struct line_map *map, uint64_t hash, uint32_t id);

/* Sees to it that the next insert cannot fail: false at the capacity, or where memory cannot be had. */
MUST_CHECK bool line_map_reserve(struct line_map *map);

/* Takes out an id that is in the map under this hash. */
void line_map_remove(struct line_map *map, uint64_t hash, uint32_t id);

/* The record `from` is `to` now (packed_move()). */
void line_map_rename(struct line_map *map, uint64_t hash, uint32_t from, uint32_t to);

/* The ids that may have this hash (the tag is right), 0 at the end. */
uint32_t line_map_first(const struct line_map *map, uint64_t hash, struct line_walk *walk);
uint32_t line_map_next(struct line_walk *walk);

/* Has the processor fetch the line that a look-up of this hash will read: a batch calls it for each of
 * its hashes before it looks at the first. */
void line_map_prefetch(const struct line_map *map, uint64_t hash);

/* Bytes of memory committed at present. */
size_t line_map_bytes(const struct line_map *map);

/* Asserts that each id is once in the bucket of its hash, with its tag, and that every count is
 * right. O(n). */
void line_map_check(const struct line_map *map);

#endif
