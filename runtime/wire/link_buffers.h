/* SPDX-License-Identifier: MIT */
/* The big read buffers of the links: one a link at most, lent only while a frame is incomplete or
 * more is waiting to be read than the link's own small buffer holds. Address space for all of them
 * is reserved at init; a few that are given back stay warm, the memory of the others goes back to
 * the system. Not thread-safe: the owner's. */
#ifndef CANCELD_WIRE_LINK_BUFFERS_H
#define CANCELD_WIRE_LINK_BUFFERS_H

#include "base/check.h"
#include "base/region.h"

#include <stdbool.h>
#include <stdint.h>

/* Holds the longest frame, head and all, and keeps reads large. */
#define LINK_BUFFER_BYTES ((size_t) 69632)

struct link_buffers {
    struct region memory;
    struct region returned; /* of uint32_t: buffers given back, the warm ones last */
    uint32_t buffers_max;
    uint32_t fresh; /* buffers never lent stand at and above this number */
    uint32_t returned_count;
    uint32_t cold_count; /* of those, how many gave their memory back */
    uint32_t lent_count;
};

MUST_CHECK bool link_buffers_init(struct link_buffers *buffers, uint32_t buffers_max);
void link_buffers_fini(struct link_buffers *buffers);

/* LINK_BUFFER_BYTES of unknown content; NULL where all are lent. */
MUST_CHECK uint8_t *link_buffers_take(struct link_buffers *buffers);

/* Gives back what link_buffers_take() gave. Takes NULL. */
void link_buffers_give(struct link_buffers *buffers, uint8_t *data);

#endif
