/* SPDX-License-Identifier: MIT */
/* A cancel whose target is no key: its acceptance, and its answer. */
#include "registry/state.h"

bool bulk_is(const struct op *op)
{
    ASSERT(op->kind == OP_CANCEL);
    return op->as.cancel.label.size > 0 || op->as.cancel.owner != 0 ||
           op->as.cancel.whole_namespace;
}

/* ---- its answer ---- */

static size_t describe_results(struct registry *r, const struct bulk *bulk)
{
    for (uint32_t i = 0; i < bulk->results_count; i++) {
        uint64_t gen = bulk->results[i].gen;
        uint32_t operation =
            bulk->space != 0 ? operation_in_space(r, bulk->space, gen) : operation_id(r, gen);
        r->gens[i] = (struct gen_result){
            .gen = gen, .answer = (enum answer) bulk->results[i].answer, .level = LEVEL_RECORDED};
        if (operation != 0) {
            r->gens[i].key = key_name(r, operation_at(r, operation)->key);
            r->gens[i].outcome = (enum outcome) operation_at(r, operation)->outcome;
        }
    }
    return bulk->results_count;
}

/* Room was set aside for those that were there at the acceptance. What was adopted since takes what there is: not
 * when it is adopted, for then the room is promised to the answer of that. */
static void take_room(struct registry *r, struct bulk *bulk)
{
    uint32_t remembered = parked_at(r, bulk->parked)->remembered;
    while (bulk->results_max < bulk->results_count &&
           (remembered == 0 || remembered_grow(r, remembered, BULK_RESULT_BYTES))) {
        bulk->results_max++;
    }
    if (bulk->results_count > bulk->results_max) {
        bulk->results_count = bulk->results_max;
    }
}

struct result bulk_describe(struct registry *r, struct bulk *bulk)
{
    struct result result = {.answer = ANSWER_NOT_FOUND,
                            .requested = bulk->requested,
                            .already_requested = bulk->already_requested,
                            .journaled = bulk->lasting && journal_is_there(r)};
    if (bulk->requested + bulk->already_requested > 0) {
        result.answer = bulk->requested > 0 ? ANSWER_REQUESTED : ANSWER_ALREADY_REQUESTED;
        result.level = LEVEL_RECORDED;
        result.journaled = journal_is_there(r);
        take_room(r, bulk);
        result.gens = r->gens;
        result.gens_count = describe_results(r, bulk);
    }
    return result;
}

/* ---- a cancel whose target is no key ---- */

/* How many it may cover, at the most. */
static uint32_t reach_of(const struct registry *r, const struct journal_record *selector)
{
    uint32_t space = space_find(r, selector->space);
    uint32_t label = selector->scope == BULK_LABEL ? label_find(r, space, selector->label) : 0;
    uint32_t session = selector->scope == BULK_OWNER ? session_find(r, selector->owner) : 0;
    if (selector->scope == BULK_SPACE) {
        return space == 0 ? 0 : space_at(r, space)->live.count + space_at(r, space)->plain;
    }
    if (label != 0) {
        return label_at(r, label)->live.count;
    }
    return session == 0 ? 0 : session_operations(r, session);
}

static struct journal_record selector_of(const struct request *q, const struct op *op)
{
    struct journal_record selector = {
        .scope = BULK_SPACE, .space = q->space_name, .fence = q->r->gen_newest};
    if (op->as.cancel.label.size > 0) {
        selector.scope = BULK_LABEL;
        selector.label = op->as.cancel.label;
    } else if (op->as.cancel.owner != 0) {
        selector.scope = BULK_OWNER;
        selector.owner = op->as.cancel.owner;
    }
    return selector;
}

/* Nothing is there yet; those that are adopted later are meant all the same. */
static void start_for_adopts(struct request *q, const struct journal_record *selector,
                             const struct cause *cause)
{
    struct result result = {.answer = ANSWER_NOT_FOUND, .journaled = journal_is_there(q->r)};
    if (request_put(q, &result)) {
        (void) bulk_start(q, selector, cause);
    }
}

static void start_parked(struct request *q, const struct journal_record *selector,
                         const struct cause *cause, uint32_t reach)
{
    struct registry *r = q->r;
    /* What is adopted meanwhile may be among the results too. */
    uint32_t results = is_recovering(r) || reach > BULK_RESULTS_MAX ? BULK_RESULTS_MAX : reach;
    if (!park_has_room(q, 0, BULK_ANSWER_BYTES(results))) {
        return;
    }
    uint32_t parked = park(q, OP_CANCEL, TIME_NEVER, BULK_ANSWER_BYTES(results));
    uint32_t index = bulk_start(q, selector, cause);
    bulk_at(r, index)->results_max = results;
    bulk_at(r, index)->parked = parked;
    parked_at(r, parked)->bulk = index;
}

void serve_bulk(struct request *q, const struct op *op)
{
    struct registry *r = q->r;
    struct journal_record selector = selector_of(q, op);
    uint32_t reach = reach_of(r, &selector);
    if (reach == 0 && !is_recovering(r)) {
        request_tell(q, &(struct result){.answer = ANSWER_NOT_FOUND});
        return;
    }
    const char *full = journal_is_full(r) ? "journal" : bulk_full(r, &selector);
    struct cause cause = cancel_cause(q, op);
    if (full != NULL && is_recovering(r) && covers_are_full(r)) {
        request_recovering(q);
    } else if (full != NULL) {
        request_full(q, full);
    } else if (reach == 0) {
        start_for_adopts(q, &selector, &cause);
    } else {
        start_parked(q, &selector, &cause, reach);
    }
}
