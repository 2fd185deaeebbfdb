/* SPDX-License-Identifier: MIT */
/* drain and undrain. */
#include "model/model_parts.h"

#include <string.h>

static enum bulk_scope scope_of(const struct op *op)
{
    return op->as.drain.daemon ? BULK_DAEMON : op->as.drain.owner != 0 ? BULK_OWNER : BULK_SPACE;
}

/* A session is drained by whoever names its own namespace, and in that one alone: who may do it there may have no
 * right to any other. */
static bool is_there(const struct model *model, const struct model_request *request,
                     const struct op *op)
{
    const struct model_session *session = model_find_session(model, op->as.drain.owner);
    return scope_of(op) != BULK_OWNER ||
           (session != NULL && bytes_equal(session->space, model_space(request, op)));
}

static bool is_in(const struct model_op *op, enum bulk_scope scope, struct bytes space,
                  uint64_t owner)
{
    return model_op_is_live(op) && (scope == BULK_DAEMON || bytes_equal(op->space, space)) &&
           (scope != BULK_OWNER || op->owner == owner);
}

static size_t count_left(const struct model *model, enum bulk_scope scope, struct bytes space,
                         uint64_t owner)
{
    size_t count = 0;
    for (size_t i = 0; i < model->ops.count; i++) {
        count += is_in(model_op_at(model, i), scope, space, owner);
    }
    return count;
}

/* ---- the answer ---- */

static bool straggler_is_true(const struct model *model, const struct model_parked *drain,
                              const struct gen_result *gen)
{
    const struct model_op *op = model_find_gen(model, gen->gen);
    if (op == NULL || !is_in(op, drain->scope, drain->space, drain->owner)) {
        return false;
    }
    /* One that is CANCELLING now may have been asked before its turn. */
    bool now = gen->state == op->state && gen->level == op->level;
    bool before = gen->state == STATE_LIVE && !drain->has_time;
    return (now || before) && bytes_equal(gen->key, op->key) && gen->outcome == OUTCOME_UNSET;
}

static bool stragglers_are_true(const struct model *model, const struct model_parked *drain,
                                const struct result *seen, size_t left)
{
    if (seen->gens_count != (left < BULK_RESULTS_MAX ? left : BULK_RESULTS_MAX)) {
        return false;
    }
    for (size_t i = 0; i < seen->gens_count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (seen->gens[i].gen == seen->gens[j].gen) {
                return false;
            }
        }
        if (!straggler_is_true(model, drain, &seen->gens[i])) {
            return false;
        }
    }
    return true;
}

static void list_stragglers(struct model *model, const struct model_parked *drain, size_t left,
                            struct result *result)
{
    struct gen_result *gens = arena_take(&model->arena, left * sizeof *gens);
    result->gens = gens;
    for (size_t i = 0; i < model->ops.count && result->gens_count < BULK_RESULTS_MAX; i++) {
        const struct model_op *op = model_op_at(model, i);
        if (is_in(op, drain->scope, drain->space, drain->owner)) {
            gens[result->gens_count++] = (struct gen_result){
                .gen = op->gen, .state = op->state, .level = op->level, .key = op->key};
        }
    }
}

/* How many it found LIVE and CANCELLING: exact, but for those that ended before their turn. */
static void fill_counts(const struct model *model, const struct model_parked *drain,
                        const struct result *seen, struct result *result)
{
    struct model_bulk *bulk = model_find_bulk(model, drain->bulk);
    uint64_t maybe = 0;
    if (bulk != NULL) {
        model_bulk_follow(model, bulk, seen);
    }
    for (size_t i = 0; bulk != NULL && i < bulk->targets.count; i++) {
        const struct model_target *target = list_at(&bulk->targets, i);
        result->requested += target->was_reached;
        result->already_requested += !target->was_reached && !target->settled;
        maybe += target->may_be_counted;
    }
    if (seen != NULL && seen->already_requested >= result->already_requested &&
        seen->already_requested <= result->already_requested + maybe) {
        result->already_requested = seen->already_requested;
    }
    /* One who does not wait is told of what was reached by then. */
    if (seen != NULL && !drain->has_time && bulk != NULL &&
        seen->requested + seen->already_requested <= bulk->targets.count) {
        result->requested = seen->requested;
        result->already_requested = seen->already_requested;
    }
}

bool model_drain_result(struct model *model, const struct model_parked *drain, bool is_late,
                        struct result *result)
{
    size_t left = count_left(model, drain->scope, drain->space, drain->owner);
    const struct reply *reply = model->port.seen(model->port.context, &drain->to);
    const struct result *seen =
        reply != NULL && reply->results_count == 1 ? &reply->results[0] : NULL;
    *result = (struct result){.answer = ANSWER_DRAINED};
    /* Nobody comes back to a session that is lost. */
    bool is_gone = drain->scope == BULK_OWNER && (drain->owner == model->session_ending ||
                                                  model_find_session(model, drain->owner) == NULL);
    if (left == 0 && (!model_is_recovering(model) || is_gone)) {
        fill_counts(model, drain, seen, result);
        return true;
    }
    if (!is_late) {
        return false;
    }
    result->answer = ANSWER_TIMED_OUT;
    result->count = left;
    fill_counts(model, drain, seen, result);
    if (seen != NULL && seen->answer == ANSWER_TIMED_OUT &&
        stragglers_are_true(model, drain, seen, left)) {
        result->gens = seen->gens;
        result->gens_count = seen->gens_count;
        return true;
    }
    list_stragglers(model, drain, left, result);
    return true;
}

/* ---- acceptance ---- */

static void close_stores(struct model *model, const struct op *op, struct bytes space,
                         const struct cause *cause)
{
    const struct model_drain *found =
        model_drain_of(model, space, op->as.drain.owner, scope_of(op));
    struct model_drain *drain = (struct model_drain *) (uintptr_t) found;
    if (drain == NULL) {
        drain = list_push(&model->drains);
        *drain = (struct model_drain){
            .scope = scope_of(op), .space = space, .owner = op->as.drain.owner};
    }
    drain->cause = *cause;
}

static bool was_full_of(const struct result *seen, const char *limit)
{
    return seen != NULL && seen->answer == ANSWER_FULL && seen->limit != NULL && limit != NULL &&
           strcmp(seen->limit, limit) == 0;
}

/* The bound that was met, if it was one that could be. */
static const char *drain_limit(struct model *model, const struct model_request *request,
                               const struct op *op)
{
    const struct result *seen = model_seen(request);
    const char *limit = model_parked_full(model, request);
    size_t waiting = 0;
    for (size_t i = 0; i < model->parked.count; i++) {
        waiting += ((struct model_parked *) list_at(&model->parked, i))->kind == OP_DRAIN;
    }
    bool parks =
        op->as.drain.deadline_ms > 0 &&
        (model_is_recovering(model) ||
         count_left(model, scope_of(op), model_space(request, op), op->as.drain.owner) > 0);
    if (was_full_of(seen, "bulks") && model_bulks_are_full(model, true)) {
        return "bulks";
    }
    if (was_full_of(seen, limit) || (parks && limit != NULL && !was_full_of(seen, "drains"))) {
        return limit;
    }
    bool drains_are_full = waiting >= model->config.limits.drains;
    if (drains_are_full && (parks || was_full_of(seen, "drains"))) {
        return "drains";
    }
    if (model_bulks_are_full(model, was_full_of(seen, "bulks"))) {
        return "bulks";
    }
    return scope_of(op) == BULK_SPACE && seen != NULL && seen->answer == ANSWER_FULL
               ? model_full_as_seen(model, request, model_space(request, op))
               : NULL;
}

bool model_handle_drain(struct model *model, struct model_request *request, const struct op *op,
                        struct result *result)
{
    struct bytes space = op->as.drain.daemon ? (struct bytes){0} : model_space(request, op);
    struct cause cause = model_cause_of(request, CAUSE_SHUTDOWN, &op->as.drain.cause);
    if (!is_there(model, request, op)) {
        return model_answered(result, ANSWER_NOT_FOUND);
    }
    const char *limit = model_journal_limit(model, request, true);
    limit = limit != NULL ? limit : drain_limit(model, request, op);
    if (limit != NULL) {
        return model_full(result, limit);
    }
    close_stores(model, op, space, &cause);
    struct model_bulk wanted = {.scope = scope_of(op),
                                .space = space,
                                .owner = op->as.drain.owner,
                                .cause = cause,
                                .is_drain = true};
    struct model_parked drain = model_parked_of(model, request, op, op->as.drain.deadline_ms);
    drain.space = space;
    drain.scope = scope_of(op);
    drain.owner = op->as.drain.owner;
    drain.bulk = model_add_bulk(model, &wanted)->number;
    drain.has_time = op->as.drain.deadline_ms > 0;
    if (model_drain_result(model, &drain, !drain.has_time, result)) {
        return true;
    }
    return model_park(model, &drain);
}

bool model_handle_undrain(struct model *model, struct model_request *request, const struct op *op,
                          struct result *result)
{
    const struct model_drain *drain =
        model_drain_of(model, model_space(request, op), op->as.drain.owner, scope_of(op));
    if (drain == NULL || !is_there(model, request, op)) {
        return model_answered(result, ANSWER_NOT_FOUND);
    }
    list_remove(&model->drains, (size_t) (drain - (struct model_drain *) model->drains.items));
    return model_answered(result, ANSWER_UNDRAINED);
}
