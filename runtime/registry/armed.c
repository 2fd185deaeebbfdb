/* SPDX-License-Identifier: MIT */
/* Cancels that wait for a store: one a key at the most. */
#include "registry/state.h"

uint32_t armed_make(struct registry *r, uint32_t key, uint32_t cause, uint64_t ttl_ms)
{
    uint32_t index = slab_take(&r->armed);
    ASSERT(index != 0);
    struct armed *armed = armed_at(r, index);
    armed->key = key;
    armed->cause = cause;
    cause_at(r, cause)->references++;
    armed->timer.kind = TIMER_ARMED;
    key_at(r, key)->armed = index;
    timer_heap_set(&r->timers, &armed->timer, time_after(r->now_ms, ttl_ms));
    return index;
}

void armed_free(struct registry *r, uint32_t index)
{
    struct armed *armed = armed_at(r, index);
    uint32_t key = armed->key;
    timer_heap_clear(&r->timers, &armed->timer);
    cause_give(r, armed->cause);
    key_at(r, key)->armed = 0;
    slab_give(&r->armed, index);
    key_release(r, key);
}

static struct armed_key describe(const struct registry *r, uint32_t index)
{
    const struct armed *armed = armed_at(r, index);
    return (struct armed_key){
        .space = space_name(r, key_at(r, armed->key)->space),
        .key = key_name(r, armed->key),
        .cause = cause_get(r, armed->cause),
        .ttl_left_ms = armed->timer.deadline > r->now_ms ? armed->timer.deadline - r->now_ms : 0,
    };
}

void serve_armed(struct request *q, const struct op *op)
{
    struct registry *r = q->r;
    struct result result = {.answer = ANSWER_ARMED_KEYS, .armed = r->armed_items};
    uint32_t end = slab_end(&r->armed);
    uint64_t scan_end = op->as.list.cursor + PAGE_SCAN_MAX;
    size_t bytes = 0;
    uint64_t i = op->as.list.cursor;
    for (; i < end && i < scan_end; i++) {
        if (!slab_is_live(&r->armed, (uint32_t) i) ||
            key_at(r, armed_at(r, (uint32_t) i)->key)->space != q->space) {
            continue;
        }
        struct armed_key item = describe(r, (uint32_t) i);
        bytes += 64 + item.space.size + item.key.size + item.cause.text.size +
                 item.cause.actor.size + item.cause.peer.size;
        if (bytes + 64 > q->room - q->used) {
            break;
        }
        ASSERT(result.armed_count < PAGE_ITEMS_MAX); /* so many have no room in a frame */
        r->armed_items[result.armed_count++] = item;
    }
    result.next_cursor = i < end ? i : 0;
    request_tell(q, &result);
}

void serve_disarm(struct request *q, const struct op *op)
{
    uint32_t key = key_find(q->r, q->space, op->key);
    uint32_t armed = key == 0 ? 0 : key_at(q->r, key)->armed;
    if (armed == 0) {
        request_tell(q, &(struct result){.answer = ANSWER_NOT_FOUND});
    } else if (journal_is_full(q->r)) {
        request_full(q, "journal");
    } else if (request_answer(q, ANSWER_DISARMED)) {
        journal_arm_gone(q->r, armed);
        armed_free(q->r, armed);
    }
}
