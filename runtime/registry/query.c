/* SPDX-License-Identifier: MIT */
/* Reads that answer at once: get, list, count, ping. */
#include "registry/state.h"

void serve_get(struct request *q, const struct op *op)
{
    struct found found = find_newest(q, op);
    struct result result = {.answer = found.answer, .gen = found.gen};
    struct operation_info info;
    if (found.operation != 0) {
        info = operation_describe(q->r, found.operation);
        result = (struct result){
            .answer = ANSWER_FOUND, .gen = info.gen, .operations = &info, .operations_count = 1};
    }
    request_tell(q, &result);
}

static bool matches(const struct request *q, const struct op *op, uint32_t index)
{
    const struct operation *operation = operation_at(q->r, index);
    if (key_at(q->r, operation->key)->space != q->space) {
        return false;
    }
    uint32_t state = op->as.list.state;
    if (state == STATE_UNSET ? operation->state == STATE_ENDED : operation->state != state) {
        return false;
    }
    return op->as.list.owner == 0 ||
           (operation->owner != 0 &&
            session_at(q->r, operation->owner)->number == op->as.list.owner);
}

/* Walks the table by place: a record does not move, so an operation that stays is met just once. */
void serve_list(struct request *q, const struct op *op)
{
    struct registry *r = q->r;
    struct result result = {.answer = ANSWER_PAGE, .operations = r->info_items};
    size_t items_max = op->as.list.page_size == 0 ? PAGE_ITEMS_MAX : op->as.list.page_size;
    uint32_t end = q->space == 0 ? 0 : slab_end(&r->operations);
    uint64_t i = op->as.list.cursor;
    uint64_t scan_end = i + PAGE_SCAN_MAX;
    size_t bytes = 64;
    for (; i < end && i < scan_end && result.operations_count < items_max; i++) {
        if (!slab_is_live(&r->operations, (uint32_t) i) || !matches(q, op, (uint32_t) i)) {
            continue;
        }
        struct operation_info info = operation_describe(r, (uint32_t) i);
        bytes += 128 + info.space.size + info.key.size + info.owner_name.size + info.meta.size +
                 info.cause.text.size + info.cause.actor.size + info.cause.peer.size;
        if (bytes > q->room - q->used) {
            break;
        }
        r->info_items[result.operations_count++] = info;
    }
    result.next_cursor = i < end ? i : 0;
    request_tell(q, &result);
}

/* With an owner given: its operations alone are walked, not the table. */
static uint64_t count_of_owner(const struct request *q, const struct op *op)
{
    const struct registry *r = q->r;
    uint32_t session = session_find(r, op->as.list.owner);
    uint64_t count = 0;
    uint32_t i = session == 0 ? 0 : session_at(r, session)->operations.first;
    for (; i != 0; i = operation_at(r, i)->of_owner.next) {
        count += matches(q, op, i);
    }
    return count;
}

void serve_count(struct request *q, const struct op *op)
{
    struct result result = {.answer = ANSWER_COUNTED};
    if (op->as.list.owner != 0) {
        result.count = count_of_owner(q, op);
    } else if (q->space != 0) {
        const uint32_t *states = space_at(q->r, q->space)->states;
        result.count = op->as.list.state == STATE_UNSET
                           ? (uint64_t) states[STATE_LIVE] + states[STATE_CANCELLING]
                           : states[op->as.list.state];
    }
    request_tell(q, &result);
}

void serve_ping(struct request *q, const struct op *op)
{
    (void) op;
    request_tell(q, &(struct result){.answer = ANSWER_PONG});
}
