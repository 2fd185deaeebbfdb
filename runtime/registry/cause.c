/* SPDX-License-Identifier: MIT */
/* One cause may be shared by many operations: those of one cancel. */
#include "registry/state.h"

static struct kept_bytes keep(struct registry *r, struct bytes text)
{
    struct kept_bytes kept = {0};
    bool done = byte_heap_keep(&r->cause_bytes, text, &kept);
    ASSERT(done); /* the heap is sized for as many causes as there can be */
    return kept;
}

uint32_t cause_keep(struct registry *r, const struct cause *cause)
{
    uint32_t index = slab_take(&r->causes);
    ASSERT(index != 0);
    *cause_at(r, index) = (struct kept_cause){
        .references = 1,
        .code = cause->code,
        .text = keep(r, cause->text),
        .actor = keep(r, cause->actor),
        .peer = keep(r, cause->peer),
    };
    return index;
}

uint32_t cause_share(struct registry *r, uint32_t index)
{
    if (index != 0) {
        cause_at(r, index)->references++;
    }
    return index;
}

void cause_give(struct registry *r, uint32_t index)
{
    if (index == 0) {
        return;
    }
    struct kept_cause *cause = cause_at(r, index);
    if (--cause->references > 0) {
        if (cause->references == 1 && cause->bulk != 0) {
            bulk_cause_gone(r, cause->bulk); /* the one reference left is its own */
        }
        return;
    }
    byte_heap_drop(&r->cause_bytes, &cause->text);
    byte_heap_drop(&r->cause_bytes, &cause->actor);
    byte_heap_drop(&r->cause_bytes, &cause->peer);
    slab_give(&r->causes, index);
}

struct cause cause_get(const struct registry *r, uint32_t index)
{
    if (index == 0) {
        return (struct cause){0};
    }
    const struct kept_cause *cause = cause_at(r, index);
    return (struct cause){
        .code = cause->code,
        .text = byte_heap_get(&r->cause_bytes, cause->text),
        .actor = byte_heap_get(&r->cause_bytes, cause->actor),
        .peer = byte_heap_get(&r->cause_bytes, cause->peer),
    };
}
