/* SPDX-License-Identifier: MIT */
/* A run of bytes that somebody else owns. Borrowed: valid as long as the call, or the object, that
 * handed it out says. data may be NULL only when size is 0. */
#ifndef CANCELD_BASE_BYTES_H
#define CANCELD_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *data;
    size_t size;
};

static inline struct bytes bytes_of(const void *data, size_t size)
{
    return (struct bytes){.data = data, .size = size};
}

/* The bytes of a C string, without its terminator. */
static inline struct bytes bytes_of_string(const char *text)
{
    return bytes_of(text, strlen(text));
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* Overwrites what may hold a secret, and is not optimised away: explicit_bzero(), which must not be given a
 * NULL, not even with a size of 0. */
static inline void bytes_wipe(void *data, size_t size)
{
    if (size > 0) {
        explicit_bzero(data, size);
    }
}

#endif
