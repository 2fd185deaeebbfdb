/* SPDX-License-Identifier: MIT */
/* Records of one size, named by a 32-bit index, close together: the lowest hole is used first, and
 * where more than a quarter of the places are holes, the last record may be moved into one, so that
 * the memory at the end goes back to the system. Whoever holds an index has to follow such a move; see
 * packed_next_move().
 *
 * The address space for all is reserved at init; memory is committed a chunk at a time, as records
 * are taken, and a commit that fails is an answer (0), never a signal. Index 0 is never given out.
 * A record's place is aligned as its size allows: 64-byte records are one cache line each. A free
 * record is never touched.
 * Not thread-safe: one owner. Nothing is allocated after init. */
#ifndef CANCELD_TABLE_PACKED_H
#define CANCELD_TABLE_PACKED_H

#include "base/check.h"
#include "base/region.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The most that one call hands back to the system, so that none takes long. */
#define PACKED_CHUNK_BYTES_MAX ((size_t) 1048576)

struct packed {
    struct region records; /* reserved; committed up to `committed` */
    struct region live;    /* of uint64_t: a bit for each place that is taken, and for place 0 */
    struct region open;    /* of uint64_t: a bit for each word of `live` with a hole below `end`, */
    uint32_t open_words;   /* so many words; then a bit for each of these that is not 0 */
    uint32_t record_bytes;
    uint32_t capacity; /* records that may be live at once */
    uint32_t count;    /* records that are */
    uint32_t end;      /* one more than the highest place that is taken; 1 where none is */
    uint32_t holes;    /* places below `end` that are not taken: end - 1 - count */
    size_t committed;  /* bytes of records */
    uint64_t moves;
};

/* For up to `capacity` records of `record_bytes` (a multiple of 8, 16 or more). */
MUST_CHECK bool packed_init(struct packed *packed, size_t record_bytes, uint32_t capacity);
void packed_fini(struct packed *packed);

/* A zeroed record's index, a hole's where there is one; 0 where `capacity` records are live, or memory
 * cannot be had. */
MUST_CHECK uint32_t packed_take(struct packed *packed);

/* Sees to it that the next `count` takes cannot fail: false where the capacity is too small, or memory
 * cannot be had. A packed_give() before them may undo it. Cheap where the memory is there. */
MUST_CHECK bool packed_reserve(struct packed *packed, uint32_t count);

/* Gives a live record back. Memory above the last live record goes back to the system, but for a
 * chunk or two, which a load that breathes around a boundary would pay for each time: a sixteenth of
 * what is used, 64 KiB at least. One call hands back PACKED_CHUNK_BYTES_MAX at most; a later one
 * (packed_move() as well), or packed_trim(), goes on. */
void packed_give(struct packed *packed, uint32_t index);

/* Hands back a piece of what packed_give() left over. False: nothing is left to hand back. Cheap then. */
bool packed_trim(struct packed *packed);

/* Where the holes are more than a quarter of the places (and more than 64 KiB): the last live record,
 * and the lowest hole, which it is to be moved to. False: nothing needs to be moved. Cheap. */
MUST_CHECK bool packed_next_move(const struct packed *packed, uint32_t *from_out, uint32_t *to_out);

/* Moves a record as packed_next_move() said: `to` holds what `from` held, and `from` is not live any
 * more (its memory may be gone). Every index of it that is kept anywhere has to be changed by the caller. */
void packed_move(struct packed *packed, uint32_t from, uint32_t to);

/* Where the record stands: index must be live. Void after a move of it. */
static inline void *packed_at(const struct packed *packed, uint32_t index)
{
    return (char *) packed->records.base + (size_t) index * packed->record_bytes;
}

/* For walks and checks. */
bool packed_is_live(const struct packed *packed, uint32_t index);

/* Bytes of memory committed at present, the live bits not counted. */
size_t packed_bytes(const struct packed *packed);

/* Asserts every invariant. O(end / 64 + capacity / 4096). */
void packed_check(const struct packed *packed);

#endif
