/* SPDX-License-Identifier: MIT */
/* A block of memory that is handed out front to back and taken back all at once: what decoding one
 * frame may use. Allocated once; each round may set a smaller bound than the block. Not
 * thread-safe: one owner. */
#ifndef CANCELD_WIRE_ARENA_H
#define CANCELD_WIRE_ARENA_H

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena {
    uint8_t *block;
    size_t block_bytes;
    size_t bytes_max; /* of this round */
    size_t bytes;     /* handed out in this round */
    bool exhausted;   /* something was refused in this round */
};

/* False where the memory cannot be had; then the arena is as after arena_fini(). */
MUST_CHECK bool arena_init(struct arena *arena, size_t block_bytes);
void arena_fini(struct arena *arena);

/* Takes back everything and begins a round of at most `bytes_max` bytes (or the block's size, if
 * that is less). */
void arena_begin(struct arena *arena, size_t bytes_max);

/* Overwrites what was handed out in this round. */
void arena_wipe(struct arena *arena);

/* `bytes` bytes, not zeroed, aligned for pointers and 64-bit numbers; NULL, and the arena is marked
 * as exhausted, where they do not fit into the round. */
void *arena_take(struct arena *arena, size_t bytes);

#endif
