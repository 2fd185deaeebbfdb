/* SPDX-License-Identifier: MIT */
#include "wire/link_output.h"

#include <stdlib.h>
#include <string.h>

/* What a run has at least; a run that grew beyond it is given back when it is gone, a small one is
 * kept, so a link that asks one thing at a time allocates nothing. */
#define RUN_BYTES_MIN ((size_t) 512)

/* Replies hold the secrets of sessions, among much that is none. To overwrite all of them costs less than
 * to tell them apart: the bytes are in the cache. */
static void run_wipe(struct link_run *run)
{
    bytes_wipe(run->data, run->size);
}

static void run_fini(struct link_run *run)
{
    run_wipe(run);
    free(run->data);
    *run = (struct link_run){0};
}

static bool run_grow(struct link_run *run, size_t size)
{
    if (size <= run->room) {
        return true;
    }
    size_t room = run->room > 0 ? run->room : RUN_BYTES_MIN;
    while (room < size) {
        room *= 2;
    }
    uint8_t *data = malloc(room); /* realloc() would leave a copy behind */
    if (data == NULL) {
        return false;
    }
    if (run->size > 0) {
        memcpy(data, run->data, run->size);
    }
    run_wipe(run);
    free(run->data);
    run->data = data;
    run->room = room;
    return true;
}

static void run_append(struct link_run *run, struct bytes bytes)
{
    if (bytes.size > 0) {
        memcpy(run->data + run->size, bytes.data, bytes.size);
        run->size += bytes.size;
    }
}

static void run_empty(struct link_run *run)
{
    if (run->room > RUN_BYTES_MIN) {
        run_fini(run);
    } else {
        run_wipe(run);
    }
    run->size = 0;
    run->frames_count = 0;
}

void link_output_fini(struct link_output *output)
{
    run_fini(&output->sending);
    run_fini(&output->queued);
    output->sent = 0;
}

enum status link_output_append(struct link_output *output, struct bytes head, struct bytes body,
                               size_t bytes_max)
{
    size_t more = head.size + body.size;
    if (more > bytes_max || link_output_bytes(output) > bytes_max - more) {
        return STATUS_FULL;
    }
    if (!run_grow(&output->queued, output->queued.size + more)) {
        return STATUS_NO_MEMORY;
    }
    run_append(&output->queued, head);
    run_append(&output->queued, body);
    return STATUS_OK;
}

void link_output_count_frame(struct link_output *output)
{
    output->queued.frames_count++;
}

struct bytes link_output_next(struct link_output *output)
{
    if (output->sending.size == 0) {
        struct link_run empty = output->sending;
        output->sending = output->queued;
        output->queued = empty;
    }
    if (output->sending.size == 0) {
        return (struct bytes){0};
    }
    return bytes_of(output->sending.data + output->sent, output->sending.size - output->sent);
}

void link_output_sent(struct link_output *output, size_t size)
{
    ASSERT(size <= output->sending.size - output->sent);
    output->sent += size;
    if (output->sent == output->sending.size) {
        run_empty(&output->sending);
        output->sent = 0;
    }
}

size_t link_output_bytes(const struct link_output *output)
{
    return output->sending.size - output->sent + output->queued.size;
}

size_t link_output_frames(const struct link_output *output)
{
    return output->sending.frames_count + output->queued.frames_count;
}
