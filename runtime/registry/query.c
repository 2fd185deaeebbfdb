/* SPDX-License-Identifier: MIT */
/* Reads that answer at once: get, list, count, ping. */
#include "registry/state.h"

#include <stdlib.h>

/* Of a page, around what it lists. */
#define PAGE_BYTES_EXTRA 64

void serve_get(struct request *q, const struct op *op)
{
    struct found found = find_newest(q, op);
    if (found.operation == 0) {
        request_tell_found(q, &found);
        return;
    }
    struct operation_info info = operation_describe(q->r, found.operation);
    request_told(q, operation_at(q->r, found.operation)->cause);
    request_tell(q, &(struct result){.answer = ANSWER_FOUND,
                                     .gen = info.gen,
                                     .operations = &info,
                                     .operations_count = 1});
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
    if (op->as.list.owner != 0 &&
        (operation->owner == 0 ||
         session_at(q->r, operation->owner)->number != op->as.list.owner)) {
        return false;
    }
    return labels_match(q->r, index, op->as.list.labels);
}

/* ---- list ---- */

size_t page_room(size_t room)
{
    return room > PAGE_BYTES_EXTRA ? room - PAGE_BYTES_EXTRA : 0;
}

bool page_add(struct registry *r, struct result *page, size_t *room, uint32_t index)
{
    struct operation_info info = operation_describe(r, index);
    size_t bytes = 128 + info.space.size + info.key.size + info.owner_name.size + info.meta.size +
                   info.cause.text.size + info.cause.actor.size + info.cause.peer.size;
    for (size_t i = 0; i < info.labels_count; i++) {
        bytes += 4 + info.labels[i].size;
    }
    if (bytes > *room) {
        return false;
    }
    *room -= bytes;
    r->info_items[page->operations_count++] = info;
    return true;
}

static size_t items_max_of(const struct op *op)
{
    return op->as.list.page_size == 0 ? PAGE_ITEMS_MAX : op->as.list.page_size;
}

/* Walks the table by place: a record does not move, so an operation that stays is met just once. */
static void list_by_place(struct request *q, const struct op *op, struct result *page)
{
    struct registry *r = q->r;
    uint32_t end = q->space == 0 ? 0 : slab_end(&r->operations);
    uint64_t i = op->as.list.cursor;
    uint64_t scan_end = i + PAGE_SCAN_MAX;
    size_t room = page_room(q->room - q->used);
    for (; i < end && i < scan_end && page->operations_count < items_max_of(op); i++) {
        if (!slab_is_live(&r->operations, (uint32_t) i) || !matches(q, op, (uint32_t) i)) {
            continue;
        }
        if (!page_add(r, page, &room, (uint32_t) i)) {
            break;
        }
        request_told(q, operation_at(r, (uint32_t) i)->cause);
    }
    page->next_cursor = i < end ? i : 0;
}

/* A page that is in some order: its operations are found along a chain, then sorted. The chain may be
 * longer than one look, so that there may be others, whatever was found: `more`. */
struct ordered {
    uint64_t rank;
    uint32_t operation;
};

static int compare(const void *left, const void *right)
{
    const struct ordered *a = left;
    const struct ordered *b = right;
    return a->rank < b->rank ? -1 : a->rank > b->rank;
}

/* The chain of the namespace has adopted ones in front, as they came. */
static size_t find_oldest(const struct request *q, const struct op *op, struct ordered *found,
                          bool *more)
{
    const struct registry *r = q->r;
    uint32_t i = q->space == 0 ? 0 : space_at(r, q->space)->live.first;
    size_t count = 0;
    for (size_t looks = 0; i != 0 && looks < PAGE_SCAN_MAX; looks++) {
        if (matches(q, op, i)) {
            found[count++] = (struct ordered){operation_at(r, i)->gen, i};
        }
        i = operation_at(r, i)->of_space.next;
    }
    *more = i != 0;
    qsort(found, count, sizeof *found, compare);
    return count;
}

/* These stand in the order of their cancels. */
static size_t find_unacknowledged(const struct request *q, const struct op *op,
                                  struct ordered *found, bool *more)
{
    const struct registry *r = q->r;
    uint32_t i = q->space == 0 ? 0 : space_at(r, q->space)->unacknowledged.first;
    size_t count = 0;
    for (size_t looks = 0; i != 0 && looks < PAGE_SCAN_MAX; looks++) {
        if (matches(q, op, i)) {
            found[count++] = (struct ordered){0, i};
        }
        i = operation_at(r, i)->of_space_unacknowledged.next;
    }
    *more = i != 0;
    return count;
}

static void list_in_order(struct request *q, const struct op *op, struct result *page)
{
    struct ordered found[PAGE_SCAN_MAX];
    bool more = false;
    size_t count = op->as.list.order == LIST_ORDER_OLDEST
                       ? find_oldest(q, op, found, &more)
                       : find_unacknowledged(q, op, found, &more);
    size_t room = page_room(q->room - q->used);
    size_t i = 0;
    while (i < count && page->operations_count < items_max_of(op) &&
           page_add(q->r, page, &room, found[i].operation)) {
        request_told(q, operation_at(q->r, found[i].operation)->cause);
        i++;
    }
    page->more = more || i < count;
}

void serve_list(struct request *q, const struct op *op)
{
    struct result page = {.answer = ANSWER_PAGE, .operations = q->r->info_items};
    if (op->as.list.order == LIST_ORDER_NONE) {
        list_by_place(q, op, &page);
    } else {
        list_in_order(q, op, &page);
    }
    request_tell(q, &page);
}

/* ---- count ---- */

static uint64_t of_states(const uint32_t states[STATE_END], uint32_t state)
{
    return state == STATE_UNSET ? (uint64_t) states[STATE_LIVE] + states[STATE_CANCELLING]
                                : states[state];
}

/* With an owner given: its operations alone are walked, not the table. */
static uint64_t count_of_owner(struct request *q, const struct op *op)
{
    const struct registry *r = q->r;
    uint32_t session = session_find(r, op->as.list.owner);
    uint64_t count = 0;
    uint32_t i = session == 0 ? 0 : session_at(r, session)->operations.first;
    for (; i != 0; i = operation_at(r, i)->of_owner.next, q->walked++) {
        count += matches(q, op, i);
    }
    return count;
}

/* The label that the fewest live operations have; 0 where one of them is not there at all. */
static uint32_t rarest_label(const struct request *q, struct labels labels)
{
    uint32_t rarest = 0;
    for (size_t i = 0; i < labels.count; i++) {
        uint32_t label = label_find(q->r, q->space, labels.items[i]);
        if (label == 0) {
            return 0;
        }
        if (rarest == 0 || label_at(q->r, label)->live.count < label_at(q->r, rarest)->live.count) {
            rarest = label;
        }
    }
    return rarest;
}

/* Of several labels. The chain of one has its live operations; ended ones are in the table alone. */
static uint64_t count_of_labels(struct request *q, const struct op *op)
{
    const struct registry *r = q->r;
    uint32_t label = rarest_label(q, op->as.list.labels);
    uint64_t count = 0;
    if (label == 0) {
        return 0;
    }
    if (op->as.list.state != STATE_ENDED) {
        for (uint32_t i = label_at(r, label)->live.first; i != 0;
             i = label_use_at(r, i)->of_label.next, q->walked++) {
            count += matches(q, op, label_use_at(r, i)->operation);
        }
        return count;
    }
    uint32_t end = slab_end(&r->operations);
    for (uint32_t i = 1; i < end; i++, q->walked++) {
        count += slab_is_live(&r->operations, i) && matches(q, op, i);
    }
    return count;
}

void serve_count(struct request *q, const struct op *op)
{
    struct result result = {.answer = ANSWER_COUNTED};
    struct labels labels = op->as.list.labels;
    bool walks = op->as.list.owner != 0 || labels.count > 1;
    if (walks && q->walked >= COUNT_WALK_MAX) {
        q->exhausted = true; /* others wait: so much for one frame */
        return;
    }
    if (op->as.list.owner != 0) {
        result.count = count_of_owner(q, op);
    } else if (labels.count > 1) {
        result.count = count_of_labels(q, op);
    } else if (labels.count == 1) {
        uint32_t label = label_find(q->r, q->space, labels.items[0]);
        result.count = label == 0 ? 0 : of_states(label_at(q->r, label)->states, op->as.list.state);
    } else if (q->space != 0) {
        result.count = of_states(space_at(q->r, q->space)->states, op->as.list.state);
    }
    request_tell(q, &result);
}

void serve_ping(struct request *q, const struct op *op)
{
    (void) op;
    request_tell(q, &(struct result){.answer = ANSWER_PONG});
}
