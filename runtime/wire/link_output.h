/* SPDX-License-Identifier: MIT */
/* The bytes that wait to go out on a link: one run that is being sent and must not move, and one
 * behind it that grows. When the first is gone the second takes its place, so whatever came
 * together meanwhile goes out in one write. Runs take memory as they grow and give it back when
 * they are gone. Not thread-safe: the owner's. */
#ifndef CANCELD_WIRE_LINK_OUTPUT_H
#define CANCELD_WIRE_LINK_OUTPUT_H

#include "base/bytes.h"
#include "base/check.h"
#include "base/status.h"

struct link_run {
    uint8_t *data;
    size_t size;
    size_t room;
    size_t frames_count; /* replies in it */
};

struct link_output {
    struct link_run sending;
    size_t sent; /* of the sending run */
    struct link_run queued;
};

/* All zero is an empty one. */
void link_output_fini(struct link_output *output);

/* Queues `head` and `body` behind one another. STATUS_FULL where more than `bytes_max` would wait,
 * STATUS_NO_MEMORY; then nothing was queued. */
MUST_CHECK enum status link_output_append(struct link_output *output, struct bytes head,
                                          struct bytes body, size_t bytes_max);

/* The last append was a reply. */
void link_output_count_frame(struct link_output *output);

/* What has to be sent next, empty where nothing waits. The bytes stay where they are until
 * link_output_sent() says that they are gone. */
struct bytes link_output_next(struct link_output *output);

/* The first `size` bytes of link_output_next() are gone. */
void link_output_sent(struct link_output *output, size_t size);

/* Bytes, and replies, that have not gone out whole. */
size_t link_output_bytes(const struct link_output *output);
size_t link_output_frames(const struct link_output *output);

#endif
