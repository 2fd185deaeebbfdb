/* SPDX-License-Identifier: MIT */
/* All memory of one registry, in one place, so that a state can be kept and brought back.
 *
 * The search goes to a state, tries an event, and goes back: millions of times a second. A registry cannot be
 * copied, for it is full of pointers; but its memory can be written back where it was. So this file takes
 * the place of base/region.c (the linker finds these functions first), and calloc() of the
 * registry comes here too. What was ever written to is a few kilobytes in small pieces: lines of 64 bytes,
 * learned beforehand by walking at random, are all that is copied. A line that was missed would be one that
 * is not zero outside of those learned: arena_learn() finds it, and what was tried since is tried again. */
#ifndef CANCELD_TESTS_EXHAUSTIVE_ARENA_H
#define CANCELD_TESTS_EXHAUSTIVE_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* From now on the registry's calloc() is served here; until arena_close(). */
void arena_open(void);
void arena_close(void);

/* All zero again, nothing given out: a process that was killed. */
void arena_reset(void);

/* Looks for lines that are not zero and not yet known; how many there were. */
size_t arena_learn(void);

/* Bytes of one picture, as of the lines known now. */
size_t arena_bytes(void);
void arena_save(void *picture);
void arena_restore(const void *picture);

#endif
