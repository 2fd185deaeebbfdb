/* SPDX-License-Identifier: MIT */
/* cancel, and what it arms. */
#include "model/model_parts.h"

#include <string.h>

static bool finished(const struct model_op *op, struct result *result)
{
    *result = (struct result){
        .gen = op->gen, .outcome = op->outcome, .level = op->level, .cause = op->cause};
    return model_answered(result,
                          op->outcome == OUTCOME_OWNER_LOST ? ANSWER_OWNER_LOST : ANSWER_FINISHED);
}

struct cause model_cause_of(const struct model_request *request, uint32_t code,
                            const struct cause *words)
{
    struct cause cause = *words;
    cause.code = code == CAUSE_UNSET ? CAUSE_USER : (enum cause_code) code;
    cause.peer = request->peer;
    return cause;
}

static struct cause cause_of(const struct model_request *request, const struct op *op)
{
    return model_cause_of(request, op->as.cancel.cause_code, &op->as.cancel.cause);
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
    limit = limit != NULL ? limit : model_journal_limit(model, request, true);
    if (limit != NULL) {
        return model_full(result, limit);
    }
    bool is_later = armed == NULL || model->now_ms + op->as.cancel.arm_ttl_ms > armed->end_ms;
    if (armed == NULL) {
        armed = list_push(&model->armed);
        *armed =
            (struct model_armed){.space = space, .key = op->key, .cause = cause_of(request, op)};
    }
    uint64_t end_ms = model->now_ms + op->as.cancel.arm_ttl_ms;
    armed->end_ms = end_ms > armed->end_ms ? end_ms : armed->end_ms;
    if (is_later) {
        struct journal_record record = {.kind = JOURNAL_ARM,
                                        .space = space,
                                        .key = op->key,
                                        .cause = armed->cause,
                                        .ttl_ms = op->as.cancel.arm_ttl_ms};
        armed->record = model_record(model, &record, true);
    }
    model->needs = armed->record > model->needs ? armed->record : model->needs;
    result->level = LEVEL_RECORDED;
    result->journaled = model->port.has_journal;
    result->memory_incomplete =
        model->epoch > 1 && model->now_ms < model->config.now_ms + model->config.limits.finished_ms;
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
        if (ended->cause.code == CAUSE_PARENT && !ended->is_recorded) {
            (void) model_record_cancel(model, ended, &ended->cause, false);
        }
        return finished(ended, result);
    }
    const struct result *seen = model_seen(request);
    bool none_may_come = op->as.cancel.after_gen + 1 >= model->gen_first;
    if (op->gen == 0 && model_is_recovering(model) &&
        (!none_may_come || (seen != NULL && seen->answer == ANSWER_RECOVERING))) {
        return model_recovering(model, result);
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
                           const struct op *op, const struct model_parked *parked, uint64_t record)
{
    struct cause cause = cause_of(request, op);
    for (size_t i = 0; i < parked->targets.count; i++) {
        const struct model_target *target = list_at(&parked->targets, i);
        struct model_op *found =
            model_find_op(model, parked->space, parked->key, target->result.gen);
        bool must = record == 0;
        if (found->state == STATE_LIVE) {
            uint64_t own = model_record_cancel(model, found, &cause, must);
            (void) model_cancel(model, found, &cause, own == 0 ? record : own);
        } else if (!found->is_recorded) {
            bool is_own = found->gen >= model->gen_first;
            bool is_open = found->cause.code == CAUSE_PARENT ||
                           (found->record == 0 && found->cause.code >= CAUSE_DEADLINE && is_own);
            uint64_t own = model_record_cancel(model, found, &found->cause, must && is_open);
            found->record = own == 0 ? found->record : own;
        }
        found->is_told = true;
        model->needs = found->record > model->needs ? found->record : model->needs;
    }
}

/* In the recovery time the cancel covers what is adopted later. False where there are too many such. */
static bool cover(struct model *model, const struct model_request *request, const struct op *op,
                  uint64_t *record_out)
{
    struct model_bulk wanted = {.scope = BULK_KEY,
                                .space = model_space(request, op),
                                .key = op->key,
                                .after_gen = op->as.cancel.after_gen,
                                .cause = cause_of(request, op),
                                .is_covering = true};
    const struct result *seen = model_seen(request);
    *record_out = 0;
    if (op->gen != 0 || !model_is_recovering(model) ||
        op->as.cancel.after_gen + 1 >= model->gen_first) {
        return true;
    }
    if (model_bulks_are_full(model, seen != NULL && seen->answer == ANSWER_RECOVERING)) {
        return false;
    }
    struct model_bulk *bulk = model_add_bulk(model, &wanted);
    *record_out = bulk->record;
    bulk->is_working = false;
    return true;
}

/* Whether one of them is LIVE, or was not told of: then the journal has to take a record. */
static bool needs_record(const struct model *model, const struct model_parked *parked)
{
    (void) model;
    return parked->answer == ANSWER_REQUESTED;
}

bool model_handle_cancel(struct model *model, struct model_request *request, const struct op *op,
                         struct result *result)
{
    if (op->gen > model->gen_newest || op->as.cancel.after_gen > model->gen_newest) {
        return model_answered(result, ANSWER_STALE_EPOCH);
    }
    if (op->key.size == 0) {
        return model_cancel_bulk(model, request, op, result);
    }
    struct model_parked cancel = model_parked_of(model, request, op, op->as.cancel.deadline_ms);
    cancel.level =
        op->as.cancel.level == LEVEL_NONE ? LEVEL_RECORDED : (enum level) op->as.cancel.level;
    add_targets(model, op, &cancel);
    if (cancel.targets.count == 0) {
        list_fini(&cancel.targets);
        return cancel_nothing(model, request, op, result);
    }
    const char *limit = model_journal_limit(model, request, needs_record(model, &cancel));
    bool parks = cancel_would_park(model, op, &cancel);
    if (limit == NULL && parks) {
        limit = model_parked_full(model, request);
        limit = limit != NULL ? limit : model_gens_full(model, request, cancel.targets.count);
    }
    uint64_t record = 0;
    if (limit == NULL && !cover(model, request, op, &record)) {
        list_fini(&cancel.targets);
        return model_recovering(model, result);
    }
    if (limit == NULL) {
        cancel_targets(model, request, op, &cancel, record);
        (void) model_targets_update(model, &cancel);
        if (parks) {
            return model_park(model, &cancel);
        }
        model_cancel_result(model, &cancel, result);
    }
    list_fini(&cancel.targets);
    return limit == NULL || model_full(result, limit);
}
