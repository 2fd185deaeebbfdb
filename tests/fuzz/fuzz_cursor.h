/* SPDX-License-Identifier: MIT */
/* The bytes of a fuzzer's input, taken off its front as what a target needs. Behind the end all is 0, so
 * every input means something, and one that is cut off means the beginning of the same. */
#ifndef CANCELD_TESTS_FUZZ_CURSOR_H
#define CANCELD_TESTS_FUZZ_CURSOR_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fuzz_cursor {
    const uint8_t *at;
    size_t left;
};

static inline struct fuzz_cursor fuzz_cursor_of(const uint8_t *data, size_t size)
{
    return (struct fuzz_cursor){.at = data, .left = size};
}

static inline uint8_t fuzz_byte(struct fuzz_cursor *cursor)
{
    if (cursor->left == 0) {
        return 0;
    }
    cursor->left--;
    return *cursor->at++;
}

/* Below `bound`, which is 256 at most. */
static inline uint32_t fuzz_below(struct fuzz_cursor *cursor, uint32_t bound)
{
    return fuzz_byte(cursor) % bound;
}

static inline bool fuzz_bool(struct fuzz_cursor *cursor)
{
    return (fuzz_byte(cursor) & 1) != 0;
}

/* Small ones are one byte; 248 and above stand before that many more bytes, 1 to 8. */
static inline uint64_t fuzz_number(struct fuzz_cursor *cursor)
{
    uint64_t value = fuzz_byte(cursor);
    if (value < 248) {
        return value;
    }
    size_t count = (size_t) value - 247;
    value = 0;
    for (size_t i = 0; i < count; i++) {
        value = value << 8 | fuzz_byte(cursor);
    }
    return value;
}

/* Borrowed; up to `size_max`, or as many as there are. */
static inline struct bytes fuzz_bytes(struct fuzz_cursor *cursor, size_t size_max)
{
    size_t size = fuzz_byte(cursor);
    size = size < 240 ? size : (size - 239) * 128;
    size = size < size_max ? size : size_max;
    size = size < cursor->left ? size : cursor->left;
    const struct bytes bytes = bytes_of(cursor->at, size);
    cursor->at += size;
    cursor->left -= size;
    return size == 0 ? bytes_of(NULL, 0) : bytes;
}

#endif
