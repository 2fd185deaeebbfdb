/* SPDX-License-Identifier: MIT */
#include "buffer.h"

#include <string.h>

#define BUFFER_KEPT_BYTES 65536

void buffer_fini(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}

uint8_t *buffer_reserve(struct buffer *buffer, size_t size)
{
    size_t capacity = buffer->capacity == 0 ? 4096 : buffer->capacity;
    uint8_t *data = NULL;

    if (size > SIZE_MAX / 2 - buffer->size)
        return NULL;
    if (buffer->data != NULL && size <= buffer->capacity - buffer->size)
        return buffer->data + buffer->size;
    while (capacity < buffer->size + size)
        capacity *= 2;
    data = realloc(buffer->data, capacity);
    if (data == NULL)
        return NULL;
    buffer->data = data;
    buffer->capacity = capacity;
    return buffer->data + buffer->size;
}

bool buffer_append(struct buffer *buffer, const void *data, size_t size)
{
    uint8_t *place = buffer_reserve(buffer, size);

    if (place == NULL)
        return false;
    if (size > 0)
        memcpy(place, data, size);
    buffer->size += size;
    return true;
}

void buffer_consume(struct buffer *buffer, size_t size)
{
    ASSERT(size <= buffer->size);
    buffer->size -= size;
    if (buffer->size > 0 && size > 0)
        memmove(buffer->data, buffer->data + size, buffer->size);
    if (buffer->size == 0 && buffer->capacity > BUFFER_KEPT_BYTES)
        buffer_fini(buffer);
}
