/* SPDX-License-Identifier: MIT */
#include "wire/link_buffers.h"

/* Whole grains, so that a buffer's memory can be handed back alone. Only LINK_BUFFER_BYTES of it
 * are ever touched. */
#define STRIDE_BYTES (2 * REGION_GRAIN)
#define WARM_MAX 16

_Static_assert(LINK_BUFFER_BYTES <= STRIDE_BYTES, "a buffer fits its place");

bool link_buffers_init(struct link_buffers *buffers, uint32_t buffers_max)
{
    *buffers = (struct link_buffers){.buffers_max = buffers_max};
    if (!region_init(&buffers->memory, buffers_max * STRIDE_BYTES)) {
        return false;
    }
    if (!region_init(&buffers->returned, buffers_max * sizeof(uint32_t))) {
        region_fini(&buffers->memory);
        return false;
    }
    return true;
}

void link_buffers_fini(struct link_buffers *buffers)
{
    ASSERT(buffers->lent_count == 0);
    region_fini(&buffers->memory);
    region_fini(&buffers->returned);
    *buffers = (struct link_buffers){0};
}

uint8_t *link_buffers_take(struct link_buffers *buffers)
{
    const uint32_t *returned = buffers->returned.base;
    uint32_t number;
    if (buffers->returned_count > 0) {
        number = returned[--buffers->returned_count];
        if (buffers->cold_count > buffers->returned_count) {
            buffers->cold_count = buffers->returned_count;
        }
    } else if (buffers->fresh < buffers->buffers_max) {
        number = buffers->fresh++;
    } else {
        return NULL;
    }
    buffers->lent_count++;
    return (uint8_t *) buffers->memory.base + number * STRIDE_BYTES;
}

void link_buffers_give(struct link_buffers *buffers, uint8_t *data)
{
    if (data == NULL) {
        return;
    }
    size_t offset = (size_t) (data - (uint8_t *) buffers->memory.base);
    ASSERT(offset % STRIDE_BYTES == 0 && offset < buffers->memory.size && buffers->lent_count > 0);
    uint32_t *returned = buffers->returned.base;
    uint32_t number = (uint32_t) (offset / STRIDE_BYTES);
    if (buffers->returned_count - buffers->cold_count == WARM_MAX) {
        /* It goes below the warm ones, which are lent first. */
        region_hand_back(&buffers->memory, offset, STRIDE_BYTES);
        returned[buffers->returned_count] = returned[buffers->cold_count];
        returned[buffers->cold_count++] = number;
    } else {
        returned[buffers->returned_count] = number;
    }
    buffers->returned_count++;
    buffers->lent_count--;
}
