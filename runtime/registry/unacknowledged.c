/* SPDX-License-Identifier: MIT */
/* Cancels that their owner has not acknowledged, the oldest first: who looks at it sees which owners
 * do not listen. And how long it takes, from cancel to acknowledgement and from there to the stop. */
#include "registry/state.h"

#define OF_UNACKNOWLEDGED(r) CHAIN(r, operations, operation, of_unacknowledged)

static bool is_chained(const struct registry *r, uint32_t index)
{
    return operation_at(r, index)->of_unacknowledged.previous != 0 ||
           r->unacknowledged.first == index;
}

void unacknowledged_add(struct registry *r, uint32_t index)
{
    chain_append(OF_UNACKNOWLEDGED(r), &r->unacknowledged, index);
}

void unacknowledged_remove(struct registry *r, uint32_t index)
{
    if (is_chained(r, index)) {
        chain_remove(OF_UNACKNOWLEDGED(r), &r->unacknowledged, index);
    }
}

void histogram_add(uint64_t buckets[HISTOGRAM_BUCKETS], uint64_t ms)
{
    size_t bucket = 0;
    while (bucket < HISTOGRAM_BUCKETS - 1 && ms >= UINT64_C(1) << bucket) {
        bucket++;
    }
    buckets[bucket]++;
}

void check_unacknowledged(const struct registry *r)
{
    chain_check(OF_UNACKNOWLEDGED(r), &r->unacknowledged);
    uint64_t last_ms = 0;
    for (uint32_t i = r->unacknowledged.first; i != 0;
         i = operation_at(r, i)->of_unacknowledged.next) {
        const struct operation *operation = operation_at(r, i);
        ASSERT(operation->state == STATE_CANCELLING && operation->level == LEVEL_RECORDED);
        ASSERT(operation->cancelled_ms >= last_ms);
        last_ms = operation->cancelled_ms;
    }
    uint32_t count = 0;
    uint32_t end = slab_end(&r->operations);
    for (uint32_t i = 1; i < end; i++) {
        count += slab_is_live(&r->operations, i) && operation_at(r, i)->state == STATE_CANCELLING &&
                 operation_at(r, i)->level < LEVEL_DELIVERED;
    }
    ASSERT(count == r->unacknowledged.count);
}
