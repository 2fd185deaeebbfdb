/* SPDX-License-Identifier: MIT */
#include "buffer.h"

#include <string.h>

#define BUFFER_KEPT_BYTES 65536

/* Frames hold tokens and sessions' secrets: what is given back, or was sent, is overwritten. */
static void wipe(uint8_t *data, size_t size)
{
    if (size > 0)
        explicit_bzero(data, size);
}

void buffer_fini(struct buffer *buffer)
{
    wipe(buffer->data, buffer->size);
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
    data = malloc(capacity); /* realloc() would leave a copy behind */
    if (data == NULL)
        return NULL;
    if (buffer->size > 0)
        memcpy(data, buffer->data, buffer->size);
    wipe(buffer->data, buffer->size);
    free(buffer->data);
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
    if (size > 0)
        wipe(buffer->data + buffer->size, size);
    if (buffer->size == 0 && buffer->capacity > BUFFER_KEPT_BYTES)
        buffer_fini(buffer);
}
