/* SPDX-License-Identifier: MIT */
/* cancel, and what it arms. */
#include "model/model.h"

#include <string.h>

static bool finished(const struct model_op *op, struct result *result)
{
    *result = (struct result){
        .gen = op->gen, .outcome = op->outcome, .level = op->level, .cause = op->cause};
    return model_answered(result,
                          op->outcome == OUTCOME_OWNER_LOST ? ANSWER_OWNER_LOST : ANSWER_FINISHED);
}

static struct cause cause_of(const struct model_request *request, const struct op *op)
{
    struct cause cause = op->as.cancel.cause;
    cause.code = op->as.cancel.cause_code == CAUSE_UNSET
                     ? CAUSE_USER
                     : (enum cause_code) op->as.cancel.cause_code;
    cause.peer = request->peer;
    return cause;
}

static bool arm(struct model *model, const struct model_request *request, const struct op *op,
                struct result *result)
{
    struct bytes space = model_space(request, op);
    struct model_armed *armed = model_find_armed(model, space, op->key);
    const struct result *seen = model_seen(request);
    bool named_armed = seen != NULL && seen->limit != NULL && strcmp(seen->limit, "armed") == 0;
    bool armed_full = armed == NULL && model->armed.count >= model->config.limits.armed;
    if (model->now_ms < model->dropped_until_ms && !(armed_full && named_armed)) {
        return model_full(result, "finished_memory");
    }
    if (armed_full) {
        return model_full(result, "armed");
    }
    const char *limit = model_full_as_seen(model, request, space);
    if (limit != NULL) {
        return model_full(result, limit);
    }
    if (armed == NULL) {
        armed = list_push(&model->armed);
        *armed =
            (struct model_armed){.space = space, .key = op->key, .cause = cause_of(request, op)};
    }
    uint64_t end_ms = model->now_ms + op->as.cancel.arm_ttl_ms;
    armed->end_ms = end_ms > armed->end_ms ? end_ms : armed->end_ms;
    result->level = LEVEL_RECORDED;
    return model_answered(result, ANSWER_ARMED);
}

/* No live gen is meant. */
static bool cancel_nothing(struct model *model, const struct model_request *request,
                           const struct op *op, struct result *result)
{
    struct bytes space = model_space(request, op);
    const struct model_op *ended;
    if (op->gen != 0) {
        (void) model_by_gen(model, request, op, result);
        if (result->answer != ANSWER_ENDED) {
            return true;
        }
        ended = model_find_op(model, space, op->key, op->gen);
    } else {
        ended = model_newest_ended(model, space, op->key, op->as.cancel.after_gen);
    }
    if (ended != NULL) {
        return finished(ended, result);
    }
    return op->as.cancel.arm_ttl_ms > 0 ? arm(model, request, op, result)
                                        : model_answered(result, ANSWER_NOT_FOUND);
}

static bool is_meant(const struct model_op *found, struct bytes space, const struct op *op)
{
    return model_op_is_live(found) && model_op_is_of(found, space, op->key) &&
           (op->gen == 0 || found->gen == op->gen) && found->gen > op->as.cancel.after_gen;
}

/* The live gens that the cancel means, newest first, before it is done. */
static void add_targets(const struct model *model, const struct op *op, struct model_parked *parked)
{
    list_init(&parked->targets, sizeof(struct model_target));
    parked->answer = ANSWER_ALREADY_REQUESTED;
    for (size_t i = model->ops.count; i > 0; i--) {
        const struct model_op *found = model_op_at(model, i - 1);
        if (!is_meant(found, parked->space, op)) {
            continue;
        }
        struct model_target *target = list_push(&parked->targets);
        target->result.gen = found->gen;
        target->result.answer =
            found->state == STATE_LIVE ? ANSWER_REQUESTED : ANSWER_ALREADY_REQUESTED;
        if (found->state == STATE_LIVE) {
            parked->answer = ANSWER_REQUESTED;
        }
    }
}

/* Whether it will have to wait once it is recorded. */
static bool cancel_would_park(const struct model *model, const struct op *op,
                              const struct model_parked *parked)
{
    for (size_t i = 0; i < model->ops.count; i++) {
        const struct model_op *found = model_op_at(model, i);
        enum level level = found->state == STATE_LIVE ? LEVEL_RECORDED : found->level;
        if (is_meant(found, parked->space, op) && found->owner != 0 && level < parked->level) {
            return op->as.cancel.deadline_ms > 0;
        }
    }
    return false;
}

static void cancel_targets(struct model *model, const struct model_request *request,
                           const struct op *op, const struct model_parked *parked)
{
    struct cause cause = cause_of(request, op);
    for (size_t i = 0; i < parked->targets.count; i++) {
        const struct model_target *target = list_at(&parked->targets, i);
        (void) model_cancel(
            model, model_find_op(model, parked->space, parked->key, target->result.gen), &cause);
    }
}

bool model_handle_cancel(struct model *model, struct model_request *request, const struct op *op,
                         struct result *result)
{
    if (op->gen > model->gen_newest || op->as.cancel.after_gen > model->gen_newest) {
        return model_answered(result, ANSWER_STALE_EPOCH);
    }
    struct model_parked cancel = model_parked_of(model, request, op, op->as.cancel.deadline_ms);
    cancel.level =
        op->as.cancel.level == LEVEL_NONE ? LEVEL_RECORDED : (enum level) op->as.cancel.level;
    add_targets(model, op, &cancel);
    if (cancel.targets.count == 0) {
        list_fini(&cancel.targets);
        return cancel_nothing(model, request, op, result);
    }
    const char *limit = NULL;
    bool parks = cancel_would_park(model, op, &cancel);
    if (parks) {
        limit = model_parked_full(model, request);
        limit = limit != NULL ? limit : model_gens_full(model, request, cancel.targets.count);
    }
    if (limit == NULL) {
        cancel_targets(model, request, op, &cancel);
        (void) model_targets_update(model, &cancel);
        if (parks) {
            return model_park(model, &cancel);
        }
        model_cancel_result(model, &cancel, result);
    }
    list_fini(&cancel.targets);
    return limit == NULL || model_full(result, limit);
}
