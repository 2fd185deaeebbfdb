/* SPDX-License-Identifier: MIT */
/* Records of one size, named by a 32-bit index and never moved. The address space for all of them
 * is reserved at init; memory comes as records are taken, lowest chunk first, and a chunk whose
 * records are all given back is returned to the system (one empty chunk is kept, so that a load
 * that breathes around a boundary does not pay for it). After init nothing is allocated.
 *
 * Index 0 is never given out: it means "none" in every link of every table.
 * Not thread-safe: one owner. */
#ifndef CANCELD_BASE_SLAB_H
#define CANCELD_BASE_SLAB_H

#include "base/check.h"
#include "base/region.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slab_chunk;

struct slab {
    struct region records;
    struct region chunks; /* of struct slab_chunk */
    struct region open;   /* of uint64_t: a bit for each chunk that has a free record */
    uint32_t record_bytes;
    uint32_t
        chunk_records; /* records in a chunk: a power of two, so that a look-up needs no division */
    uint32_t chunk_shift; /* its logarithm */
    uint32_t chunk_bytes; /* a multiple of REGION_GRAIN */
    uint32_t chunks_count;
    uint32_t chunks_touched; /* those above were never taken from */
    uint32_t capacity;       /* records that may be live at once */
    uint32_t count;          /* records that are */
    uint32_t open_hint;      /* no word of `open` below this one has a bit set */
    uint32_t spare;          /* 1 + the empty chunk that keeps its memory; 0 for none */
};

/* For up to `capacity` records of `record_bytes` (8 or more, rounded up to a multiple of 8). */
MUST_CHECK bool slab_init(struct slab *slab, size_t record_bytes, uint32_t capacity);
void slab_fini(struct slab *slab);

/* A zeroed record's index, or 0 where `capacity` records are live. */
MUST_CHECK uint32_t slab_take(struct slab *slab);

/* Gives a live record back. Its memory must not be touched afterwards. */
void slab_give(struct slab *slab, uint32_t index);

/* Where the record stands: index must be live. Inline, for every look-up runs through it. */
static inline void *slab_at(const struct slab *slab, uint32_t index)
{
    return (char *) slab->records.base + (size_t) (index >> slab->chunk_shift) * slab->chunk_bytes +
           (size_t) (index & (slab->chunk_records - 1)) * slab->record_bytes;
}

/* One more than the highest index that can be live now: for walks over a whole table. */
uint32_t slab_end(const struct slab *slab);

/* Whether the record is live. For walks and checks. */
bool slab_is_live(const struct slab *slab, uint32_t index);

/* Bytes of memory that the records hold at present. */
size_t slab_bytes(const struct slab *slab);

/* Asserts every invariant. O(chunks + records). */
void slab_check(const struct slab *slab);

#endif
