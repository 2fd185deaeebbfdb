/* SPDX-License-Identifier: MIT */
#include "wire/arena.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_GRAIN ((size_t) 8)

_Static_assert(_Alignof(void *) <= ARENA_GRAIN && _Alignof(uint64_t) <= ARENA_GRAIN,
               "the grain has to suit all that is decoded");

bool arena_init(struct arena *arena, size_t block_bytes)
{
    *arena = (struct arena){.block = malloc(block_bytes)};
    if (arena->block == NULL) {
        return false;
    }
    arena->block_bytes = block_bytes;
    return true;
}

void arena_fini(struct arena *arena)
{
    free(arena->block);
    *arena = (struct arena){.block = NULL};
}

void arena_begin(struct arena *arena, size_t bytes_max)
{
    arena->bytes_max = bytes_max < arena->block_bytes ? bytes_max : arena->block_bytes;
    arena->bytes = 0;
    arena->exhausted = false;
}

void arena_wipe(struct arena *arena)
{
    explicit_bzero(arena->block, arena->bytes);
}

void *arena_take(struct arena *arena, size_t bytes)
{
    const size_t left = arena->bytes_max - arena->bytes;
    /* Compared before rounding up, so that no size a peer can cause overflows. */
    if (bytes > left || (bytes + ARENA_GRAIN - 1) / ARENA_GRAIN * ARENA_GRAIN > left) {
        arena->exhausted = true;
        return NULL;
    }
    void *taken = arena->block + arena->bytes;
    arena->bytes += (bytes + ARENA_GRAIN - 1) / ARENA_GRAIN * ARENA_GRAIN;
    return taken;
}
