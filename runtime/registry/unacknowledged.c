/* SPDX-License-Identifier: MIT */
/* Cancels that their owner has not acknowledged, the oldest first: who looks at it sees which owners
 * do not listen. And how long it takes, from cancel to acknowledgement and from there to the stop. */
#include "registry/state.h"

#define OF_UNACKNOWLEDGED(r) CHAIN(r, operations, operation, of_unacknowledged)
#define OF_SPACE(r) CHAIN(r, operations, operation, of_space_unacknowledged)

static struct chain_ends *of_space(const struct registry *r, uint32_t index)
{
    return &space_at(r, key_at(r, operation_at(r, index)->key)->space)->unacknowledged;
}

static bool is_chained(const struct registry *r, uint32_t index)
{
    return operation_at(r, index)->of_unacknowledged.previous != 0 ||
           r->unacknowledged.first == index;
}

void unacknowledged_add(struct registry *r, uint32_t index)
{
    chain_append(OF_UNACKNOWLEDGED(r), &r->unacknowledged, index);
    chain_append(OF_SPACE(r), of_space(r, index), index);
}

void unacknowledged_remove(struct registry *r, uint32_t index)
{
    if (is_chained(r, index)) {
        chain_remove(OF_UNACKNOWLEDGED(r), &r->unacknowledged, index);
        chain_remove(OF_SPACE(r), of_space(r, index), index);
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

/* How many there are in the namespaces' own chains, in the same order. */
static uint32_t check_spaces(const struct registry *r)
{
    uint32_t count = 0;
    uint32_t end = slab_end(&r->spaces);
    for (uint32_t space = 1; space < end; space++) {
        if (!slab_is_live(&r->spaces, space)) {
            continue;
        }
        const struct chain_ends *ends = &space_at(r, space)->unacknowledged;
        chain_check(OF_SPACE(r), ends);
        count += ends->count;
        uint64_t last_ms = 0;
        for (uint32_t i = ends->first; i != 0;
             i = operation_at(r, i)->of_space_unacknowledged.next) {
            ASSERT(of_space(r, i) == ends && operation_at(r, i)->cancelled_ms >= last_ms);
            last_ms = operation_at(r, i)->cancelled_ms;
        }
    }
    return count;
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
    ASSERT(count == r->unacknowledged.count && count == check_spaces(r));
}
