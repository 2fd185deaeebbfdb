/* SPDX-License-Identifier: MIT */
/* Byte strings of up to 64 KiB, kept in slabs of a few sizes: keys, meta, cause texts, remembered
 * answers. Bounded by the sum of what was asked for, and the memory of emptied chunks goes back to
 * the system. A string never moves. Nothing is allocated after init. Not thread-safe: one owner. */
#ifndef CANCELD_BASE_BYTE_HEAP_H
#define CANCELD_BASE_BYTE_HEAP_H

#include "base/bytes.h"
#include "base/slab.h"

#define BYTE_HEAP_CLASSES 24
#define BYTE_HEAP_STRING_MAX ((size_t) 65536)

/* A kept string. All zero is the empty string, which takes no room. */
struct kept_bytes {
    uint32_t size;
    uint32_t index; /* in the slab of the size's class */
};

struct byte_heap {
    struct slab classes[BYTE_HEAP_CLASSES];
    uint64_t bytes_max;
    uint64_t bytes;   /* sum of the sizes kept, and charged */
    uint64_t charged; /* of them: those kept elsewhere */
};

/* At most `bytes_max` bytes in all, in at most `strings_max` strings of a class. */
MUST_CHECK bool byte_heap_init(struct byte_heap *heap, uint64_t bytes_max, uint32_t strings_max);
void byte_heap_fini(struct byte_heap *heap);

/* Copies `bytes` (at most BYTE_HEAP_STRING_MAX). False at the bound; then *kept_out is untouched.
 */
MUST_CHECK bool byte_heap_keep(struct byte_heap *heap, struct bytes bytes,
                               struct kept_bytes *kept_out);

/* Whether byte_heap_keep() of this size would succeed now. */
bool byte_heap_has_room(const struct byte_heap *heap, size_t size);

/* Gives the string back and makes *kept the empty one. */
void byte_heap_drop(struct byte_heap *heap, struct kept_bytes *kept);

/* Counts bytes that are kept elsewhere against the bound of this heap, and no longer. */
MUST_CHECK bool byte_heap_charge(struct byte_heap *heap, size_t size);
void byte_heap_discharge(struct byte_heap *heap, size_t size);

/* What was kept: valid until the string is dropped. */
struct bytes byte_heap_get(const struct byte_heap *heap, struct kept_bytes kept);

void byte_heap_check(const struct byte_heap *heap);

#endif
