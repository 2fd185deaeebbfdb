/* SPDX-License-Identifier: MIT */
/* Bytes on their way: appended at the end, consumed at the front. */
#ifndef CANCELD_CLIENT_BUFFER_H
#define CANCELD_CLIENT_BUFFER_H

#include "check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer {
    uint8_t *data;
    size_t size;
    size_t capacity;
};

/* An empty buffer is all zero. */
void buffer_fini(struct buffer *buffer);

/* Room for `size` more bytes behind the end: where to write them, or NULL without memory. The caller adds
 * what it has written to buffer->size. */
MUST_CHECK uint8_t *buffer_reserve(struct buffer *buffer, size_t size);

MUST_CHECK bool buffer_append(struct buffer *buffer, const void *data, size_t size);

/* Forgets the first `size` bytes; they must be there. Once empty, a large buffer gives its memory back. */
void buffer_consume(struct buffer *buffer, size_t size);

#endif
