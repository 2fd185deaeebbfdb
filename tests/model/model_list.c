/* SPDX-License-Identifier: MIT */
/* What there is: operations, one by one, in pages and counted, and armed keys. */
#include "model/model_parts.h"

#include <string.h>

struct operation_info model_info(const struct model *model, const struct model_op *op)
{
    bool counts_down = model_op_is_live(op) && op->ttl_end_ms != TIME_NEVER;
    struct operation_info info = {
        .space = op->space,
        .key = op->key,
        .gen = op->gen,
        .state = op->state,
        .outcome = op->outcome,
        .age_ms = model->now_ms - op->stored_ms,
        .ttl_left_ms =
            counts_down && op->ttl_end_ms > model->now_ms ? op->ttl_end_ms - model->now_ms : 0,
        .owner = model_op_owner(op),
        .owner_name = model_op_owner(op) == 0 ? (struct bytes){0} : op->owner_name,
        .meta = op->meta,
        .cause = op->cause,
        .level = op->level,
        .parent = op->parent,
        .cancelling_ms = op->state == STATE_CANCELLING ? model->now_ms - op->cancelled_ms : 0,
        .labels_count = op->labels_count,
    };
    memcpy(info.labels, op->labels, sizeof info.labels);
    return info;
}

static bool has_labels(const struct model_op *op, const struct labels *labels)
{
    for (size_t i = 0; i < labels->count; i++) {
        bool found = false;
        for (size_t j = 0; j < op->labels_count; j++) {
            found = found || bytes_equal(op->labels[j], labels->items[i]);
        }
        if (!found) {
            return false;
        }
    }
    return true;
}

bool model_is_listed(const struct model_op *op, struct bytes space, const struct op *request)
{
    uint32_t state = request->as.list.state;
    uint64_t owner = request->as.list.owner;
    bool fits = state == STATE_UNSET ? model_op_is_live(op) : op->state == (enum state) state;
    if (request->kind == OP_LIST && request->as.list.order == LIST_ORDER_OLDEST) {
        fits = fits && model_op_is_live(op);
    }
    if (request->kind == OP_LIST && request->as.list.order == LIST_ORDER_UNACKNOWLEDGED) {
        fits = fits && op->state == STATE_CANCELLING && op->level < LEVEL_DELIVERED;
    }
    return fits && (owner == 0 || model_op_owner(op) == owner) && bytes_equal(op->space, space) &&
           has_labels(op, &request->as.list.labels);
}

bool model_handle_count(struct model *model, struct model_request *request, const struct op *op,
                        struct result *result)
{
    for (size_t i = 0; i < model->ops.count; i++) {
        result->count += model_is_listed(model_op_at(model, i), model_space(request, op), op);
    }
    /* What the full memory has to drop for an op of this frame may be dropped behind the frame. */
    const struct result *seen = model_seen(request);
    if (seen != NULL && op->as.list.state == STATE_ENDED && seen->count > result->count &&
        seen->count - result->count <= request->index) {
        result->count = seen->count;
    }
    return model_answered(result, ANSWER_COUNTED);
}

static bool info_equal(const struct operation_info *a, const struct operation_info *b)
{
    uint8_t encoded[2][4096];
    size_t sizes[2];
    for (int i = 0; i < 2; i++) {
        struct result result = {
            .answer = ANSWER_FOUND, .operations = i == 0 ? a : b, .operations_count = 1};
        sizes[i] = reply_write_result(&result, encoded[i], sizeof encoded[i]);
    }
    return sizes[0] == sizes[1] && memcmp(encoded[0], encoded[1], sizes[0]) == 0;
}

/* Whether each operation of the page is there, as it is, and once. */
static bool page_is_true(const struct model *model, struct bytes space, const struct op *op,
                         const struct result *page)
{
    for (size_t i = 0; i < page->operations_count; i++) {
        const struct operation_info *info = &page->operations[i];
        const struct model_op *found = model_find_op(model, space, info->key, info->gen);
        if (found == NULL || !model_is_listed(found, space, op)) {
            return false;
        }
        struct operation_info expected = model_info(model, found);
        if (!info_equal(info, &expected)) {
            return false;
        }
        for (size_t j = 0; j < i; j++) {
            if (page->operations[j].gen == info->gen) {
                return false;
            }
        }
    }
    return true;
}

static size_t count_listed(const struct model *model, struct bytes space, const struct op *op)
{
    size_t count = 0;
    for (size_t i = 0; i < model->ops.count; i++) {
        count += model_is_listed(model_op_at(model, i), space, op);
    }
    return count;
}

/* Where one page holds everything, it must be everything; a script checks those that do not. */
static bool page_is_complete(const struct model *model, struct bytes space, const struct op *op,
                             const struct result *page)
{
    size_t count = count_listed(model, space, op);
    if (op->as.list.page_size > 0 && page->operations_count > op->as.list.page_size) {
        return false;
    }
    if (op->as.list.order != LIST_ORDER_NONE) {
        return page->next_cursor == 0 &&
               (page->operations_count == count ||
                page->operations_count == op->as.list.page_size ||
                (page->operations_count >= 40 && page->operations_count < count));
    }
    return op->as.list.cursor != 0 || page->next_cursor != 0 || page->operations_count == count;
}

/* How long it has been what the order is about: the oldest is the one with the lowest gen, whoever adopted it
 * since. */
static uint64_t waiting_ms(const struct operation_info *info, uint32_t order)
{
    return order == LIST_ORDER_OLDEST ? UINT64_MAX - info->gen : info->cancelling_ms;
}

/* Whether none comes before one that has waited longer, and none that is left out had waited longer. */
static bool page_is_ordered(const struct model *model, struct bytes space, const struct op *op,
                            const struct result *page)
{
    uint32_t order = op->as.list.order;
    if (order == LIST_ORDER_NONE || page->operations_count == 0) {
        return true;
    }
    for (size_t i = 1; i < page->operations_count; i++) {
        if (waiting_ms(&page->operations[i - 1], order) < waiting_ms(&page->operations[i], order)) {
            return false;
        }
    }
    uint64_t least = waiting_ms(&page->operations[page->operations_count - 1], order);
    size_t longer = 0;
    size_t listed_longer = 0;
    for (size_t i = 0; i < model->ops.count; i++) {
        const struct model_op *found = model_op_at(model, i);
        struct operation_info info = model_info(model, found);
        longer += model_is_listed(found, space, op) && waiting_ms(&info, order) > least;
    }
    for (size_t i = 0; i < page->operations_count; i++) {
        listed_longer += waiting_ms(&page->operations[i], order) > least;
    }
    return longer == listed_longer;
}

bool model_handle_list(struct model *model, struct model_request *request, const struct op *op,
                       struct result *result)
{
    const struct result *page = model_seen(request);
    struct bytes space = model_space(request, op);
    if (page != NULL && page->answer == ANSWER_PAGE && page_is_true(model, space, op, page) &&
        page_is_complete(model, space, op, page) && page_is_ordered(model, space, op, page)) {
        result->operations = page->operations;
        result->operations_count = page->operations_count;
        result->next_cursor = page->next_cursor;
        result->more = op->as.list.order != LIST_ORDER_NONE &&
                       page->operations_count < count_listed(model, space, op);
        return model_answered(result, ANSWER_PAGE);
    }
    struct operation_info *infos = arena_take(&model->arena, model->ops.count * sizeof *infos);
    for (size_t i = 0; i < model->ops.count; i++) {
        if (model_is_listed(model_op_at(model, i), space, op) && result->operations_count < 40) {
            infos[result->operations_count++] = model_info(model, model_op_at(model, i));
        }
    }
    result->operations = infos;
    return model_answered(result, ANSWER_PAGE);
}

static struct armed_key armed_info(const struct model *model, const struct model_armed *armed)
{
    return (struct armed_key){
        .space = armed->space,
        .key = armed->key,
        .cause = armed->cause,
        .ttl_left_ms = armed->end_ms - model->now_ms,
    };
}

/* The armed keys all fit a reply; their order is open. Follows the order of the real registry. */
static size_t armed_place(const struct result *seen, const struct armed_key *armed, size_t last)
{
    for (size_t i = 0; seen != NULL && i < seen->armed_count; i++) {
        if (bytes_equal(seen->armed[i].key, armed->key)) {
            return i;
        }
    }
    return last;
}

bool model_handle_armed(struct model *model, struct model_request *request, const struct op *op,
                        struct result *result)
{
    const struct result *seen = model_seen(request);
    size_t places = model->armed.count + (seen == NULL ? 0 : seen->armed_count);
    struct armed_key *keys = arena_take(&model->arena, places * sizeof *keys);
    for (size_t i = 0; i < model->armed.count; i++) {
        const struct model_armed *armed = list_at(&model->armed, i);
        if (bytes_equal(armed->space, model_space(request, op))) {
            struct armed_key key = armed_info(model, armed);
            keys[armed_place(seen, &key, result->armed_count)] = key;
            result->armed_count++;
        }
    }
    result->armed = keys;
    return model_answered(result, ANSWER_ARMED_KEYS);
}

bool model_handle_disarm(struct model *model, struct model_request *request, const struct op *op,
                         struct result *result)
{
    struct model_armed *armed = model_find_armed(model, model_space(request, op), op->key);
    if (armed == NULL) {
        return model_answered(result, ANSWER_NOT_FOUND);
    }
    const char *limit = model_journal_limit(model, request, true);
    if (limit != NULL) {
        return model_full(result, limit);
    }
    struct journal_record gone = {
        .kind = JOURNAL_ARM_GONE, .space = armed->space, .key = armed->key};
    (void) model_record(model, &gone, true);
    list_remove(&model->armed, (size_t) (armed - (struct model_armed *) model->armed.items));
    return model_answered(result, ANSWER_DISARMED);
}
