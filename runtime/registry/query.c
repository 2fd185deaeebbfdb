/* SPDX-License-Identifier: MIT */
/* Reads that answer at once: get, list, count, ping. */
#include "registry/state.h"

#include <stdlib.h>

/* Of a page, around what it lists. */
#define PAGE_BYTES_EXTRA 64

void serve_get(struct request *q, const struct op *op)
{
    if (plain_serve(q, op)) {
        return;
    }
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

static bool plain_matches(const struct request *q, const struct op *op, uint32_t index)
{
    const struct plain *plain = plain_at(q->r, index);
    uint32_t wanted = op->as.list.state == STATE_UNSET ? STATE_LIVE : op->as.list.state;
    if (wanted != (plain_is_live(plain) ? STATE_LIVE : STATE_ENDED) ||
        op->as.list.labels.count > 0 || plain_space(q->r, plain) != q->space) {
        return false;
    }
    return op->as.list.owner == 0 ||
           (plain_is_live(plain) && session_at(q->r, plain->holder)->number == op->as.list.owner);
}

static bool matches(const struct request *q, const struct op *op, uint32_t index)
{
    if ((index & PLAIN_BIT) != 0) {
        return plain_matches(q, op, index & ~PLAIN_BIT);
    }
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

bool page_add(struct registry *r, struct result *page, size_t *room, uint32_t id)
{
    struct operation_info info =
        (id & PLAIN_BIT) != 0 ? plain_describe(r, id & ~PLAIN_BIT) : operation_describe(r, id);
    size_t bytes = 128 + info.space.size + info.key.size + info.owner_name.size + info.meta.size +
                   info.cause.text.size + info.cause.actor.size + info.cause.peer.size;
    for (size_t i = 0; i < info.labels_count; i++) {
        bytes += 4 + info.labels[i].size;
    }
    if (bytes > *room) {
        return false;
    }
    *room -= bytes;
    ASSERT(page->operations_count < PAGE_ITEMS_MAX); /* so many have no room in a frame */
    r->info_items[page->operations_count++] = info;
    return true;
}

static size_t items_max_of(const struct op *op)
{
    return op->as.list.page_size == 0 ? PAGE_ITEMS_MAX : op->as.list.page_size;
}

/* A cursor is a place in the table of whole operations, for the earlier gens, which are all adopted and
 * whole; then a gen of this start. A place is below every gen. */
bool table_look(const struct registry *r, uint64_t *cursor, uint32_t *id_out)
{
    *id_out = 0;
    if (*cursor < r->gen_first) {
        uint32_t place = r->adopted_count == 0 ? UINT32_MAX : (uint32_t) *cursor;
        if (place < slab_end(&r->operations)) {
            bool there =
                slab_is_live(&r->operations, place) && is_earlier(r, operation_at(r, place)->gen);
            *id_out = there ? place : 0;
            (*cursor)++;
            return true;
        }
        *cursor = r->gen_first;
    }
    uint64_t number;
    *id_out = radix_tree_next(&r->by_number, *cursor - r->gen_first, &number);
    *cursor = *id_out == 0 ? 0 : r->gen_first + number + 1;
    return *id_out != 0;
}

/* Whose cancel an item of a page tells of. */
static void tell_of(struct request *q, uint32_t id)
{
    if ((id & PLAIN_BIT) == 0) {
        request_told(q, operation_at(q->r, id)->cause);
    }
}

static void list_all(struct request *q, const struct op *op, struct result *page)
{
    struct registry *r = q->r;
    uint64_t cursor = op->as.list.cursor;
    size_t room = page_room(q->room - q->used);
    page->next_cursor = q->space == 0 ? 0 : cursor;
    for (uint32_t looks = 0; q->space != 0 && looks < PAGE_SCAN_MAX; looks++) {
        uint32_t id;
        bool more = page->operations_count < items_max_of(op) && table_look(r, &cursor, &id);
        if (more && id != 0 && matches(q, op, id)) {
            if (!page_add(r, page, &room, id)) {
                return;
            }
            tell_of(q, id);
        }
        page->next_cursor = cursor;
        if (!more) {
            return;
        }
    }
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

/* What is looked at for the oldest of a namespace. */
struct looks {
    const struct request *q;
    const struct op *op;
    struct ordered *found;
    size_t count;
    size_t left;
};

static uint64_t gen_of(const struct registry *r, uint32_t id)
{
    return (id & PLAIN_BIT) != 0 ? r->gen_first + plain_number(plain_at(r, id & ~PLAIN_BIT))
                                 : operation_at(r, id)->gen;
}

static void look_at(struct looks *looks, uint32_t id)
{
    looks->left--;
    if (matches(looks->q, looks->op, id)) {
        looks->found[looks->count++] = (struct ordered){gen_of(looks->q->r, id), id};
    }
}

/* Whole ones: the adopted stand in front, as they came. */
static bool look_at_whole(struct looks *looks)
{
    const struct registry *r = looks->q->r;
    uint32_t i = space_at(r, looks->q->space)->live.first;
    for (; i != 0 && looks->left > 0; i = operation_at(r, i)->of_space.next) {
        look_at(looks, i);
    }
    return i == 0;
}

static bool look_at_plain(struct looks *looks)
{
    const struct registry *r = looks->q->r;
    uint32_t session = space_at(r, looks->q->space)->sessions.first;
    uint32_t hops = PAGE_SCAN_MAX;
    for (; session != 0 && hops > 0; session = session_at(r, session)->of_space.next, hops--) {
        uint32_t i = session_at(r, session)->plain.first;
        for (; i != 0 && looks->left > 0; i = plain_at(r, i)->of_owner.next) {
            look_at(looks, i | PLAIN_BIT);
        }
        if (i != 0) {
            return false;
        }
    }
    return session == 0;
}

/* Where the namespace has too many to look at them all: in the order of gens, whoever has them. */
static void look_by_gen(struct looks *looks)
{
    uint64_t cursor = 0;
    uint32_t id;
    looks->count = 0;
    looks->left = PAGE_SCAN_MAX;
    while (looks->left > 0 && table_look(looks->q->r, &cursor, &id)) {
        if (id == 0) {
            looks->left--;
        } else {
            look_at(looks, id);
        }
    }
}

static size_t find_oldest(const struct request *q, const struct op *op, struct ordered *found,
                          bool *more)
{
    if (q->space == 0) {
        return 0;
    }
    struct looks looks = {.q = q, .op = op, .found = found, .left = PAGE_SCAN_MAX};
    if (!look_at_whole(&looks) || !look_at_plain(&looks)) {
        look_by_gen(&looks);
        *more = true;
    }
    qsort(found, looks.count, sizeof *found, compare);
    return looks.count;
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
        tell_of(q, found[i].operation);
        i++;
    }
    page->more = more || i < count;
}

void serve_list(struct request *q, const struct op *op)
{
    struct result page = {.answer = ANSWER_PAGE, .operations = q->r->info_items};
    if (op->as.list.order == LIST_ORDER_NONE) {
        list_all(q, op, &page);
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
    if (session != 0 && session_at(r, session)->plain.first != 0) {
        /* They are all alike: what is asked for is the first or none. */
        bool all = matches(q, op, session_at(r, session)->plain.first | PLAIN_BIT);
        count += all ? session_at(r, session)->plain.count : 0;
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
