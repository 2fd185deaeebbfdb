/* SPDX-License-Identifier: MIT */
/* Parked requests, and whatever comes with time. */
#include "base/check.h"
#include "model/model_parts.h"

#include <stdlib.h>

static struct model_parked *parked_at(const struct model *model, size_t index)
{
    return list_at(&model->parked, index);
}

void model_parked_remove(struct model *model, size_t index)
{
    list_fini(&parked_at(model, index)->targets);
    list_remove(&model->parked, index);
}

size_t model_parked_count(const struct model *model, uint64_t session, uint64_t link)
{
    size_t count = 0;
    for (size_t i = 0; i < model->parked.count; i++) {
        const struct model_parked *parked = parked_at(model, i);
        if (parked->session == session && (session != 0 || parked->to.link == link)) {
            count++;
        }
    }
    return count;
}

/* ---- what each answers ---- */

bool model_targets_update(const struct model *model, struct model_parked *parked)
{
    bool settled = true;
    for (size_t i = 0; i < parked->targets.count; i++) {
        struct model_target *target = list_at(&parked->targets, i);
        const struct model_op *op =
            target->settled ? NULL
                            : model_find_op(model, parked->space, parked->key, target->result.gen);
        if (op != NULL) {
            target->result.level = op->level;
            target->result.outcome = op->outcome;
            bool was_without = target->no_owner || target->was_without;
            target->no_owner = model_op_is_live(op) && op->owner == 0;
            target->was_without = was_without && !target->no_owner;
            target->settled = !model_op_is_live(op);
        }
        if (!target->settled && !target->no_owner && target->result.level < parked->level) {
            settled = false;
        }
    }
    return settled;
}

/* A session's operations end one after the other, and a parked cancel may be answered in the middle of
 * that: a gen that has the level already may be reported as not ended yet. */
static void follow_sweep(const struct model *model, const struct model_parked *parked,
                         const struct result *theirs, struct gen_result *gen)
{
    const struct model_op *op = model_find_op(model, parked->space, parked->key, gen->gen);
    bool just_lost = op != NULL && op->outcome == OUTCOME_OWNER_LOST &&
                     op->ended_ms == model->now_ms && gen->level >= parked->level;
    for (size_t i = 0; just_lost && i < theirs->gens_count; i++) {
        if (theirs->gens[i].gen == gen->gen && theirs->gens[i].outcome == OUTCOME_UNSET) {
            gen->outcome = OUTCOME_UNSET;
        }
    }
}

void model_cancel_result(struct model *model, const struct model_parked *parked,
                         struct result *result)
{
    size_t count = parked->targets.count;
    const struct reply *seen = model->port.seen(model->port.context, &parked->to);
    struct gen_result *gens = arena_take(&model->arena, count * sizeof *gens);
    *result = (struct result){
        .answer = parked->answer, .gens = gens, .gens_count = count, .level = LEVEL_STOPPED};
    result->journaled = model->port.has_journal;
    for (size_t i = 0; i < count; i++) {
        const struct model_target *target = list_at(&parked->targets, i);
        gens[i] = target->result;
        if (seen != NULL && seen->results_count == 1) {
            follow_sweep(model, parked, &seen->results[0], &gens[i]);
        }
        if (gens[i].level < result->level) {
            result->level = gens[i].level;
        }
        bool says = seen != NULL && seen->results_count == 1 && seen->results[0].no_owner;
        if ((target->no_owner || (target->was_without && says)) && parked->level > LEVEL_RECORDED) {
            result->no_owner = true;
        }
    }
    result->gen = gens[0].gen;
    if (count == 1) {
        result->outcome = gens[0].outcome;
    }
}

static void add_notice(struct notice *notices, size_t *count, const struct model_op *op,
                       enum notice_kind kind)
{
    uint64_t number = kind == NOTICE_CANCEL ? op->notice_cancel : op->notice_ended;
    size_t place = (*count)++;
    for (; place > 0 && notices[place - 1].number > number; place--) {
        notices[place] = notices[place - 1];
    }
    notices[place] = (struct notice){
        .number = number,
        .space = op->space,
        .key = op->key,
        .gen = op->gen,
        .kind = kind,
        .cause = op->cause,
        .outcome = kind == NOTICE_ENDED ? op->outcome : OUTCOME_UNSET,
    };
}

/* A reply may hold fewer notices than there are: what fits, or, for a parked poll, what was there when
 * the first came. */
static void cut_notices(const struct reply *seen, struct result *result)
{
    if (seen == NULL || seen->results_count != 1) {
        return;
    }
    const struct result *theirs = &seen->results[0];
    if (theirs->answer == ANSWER_NOTICES && theirs->notices_count > 0 &&
        theirs->notices_count < result->notices_count) {
        result->notices_count = theirs->notices_count;
        result->more = theirs->more;
    }
}

void model_notices(struct model *model, uint64_t session, uint64_t after, const struct reply *seen,
                   struct result *result)
{
    struct notice *notices = arena_take(&model->arena, 2 * model->ops.count * sizeof *notices);
    *result = (struct result){.answer = ANSWER_NOTICES, .notices = notices};
    for (size_t i = 0; i < model->ops.count; i++) {
        const struct model_op *op = model_op_at(model, i);
        if (op->owner != session) {
            continue;
        }
        if (op->notice_cancel > after && op->notice_cancel != NOTICE_UNTOLD) {
            add_notice(notices, &result->notices_count, op, NOTICE_CANCEL);
        }
        if (op->notice_ended > after && op->notice_ended != NOTICE_UNTOLD) {
            add_notice(notices, &result->notices_count, op, NOTICE_ENDED);
        }
    }
    cut_notices(seen, result);
}

bool model_wait_result(const struct model *model, const struct model_parked *wait,
                       struct result *result)
{
    if (wait->outcome != OUTCOME_UNSET) {
        *result = (struct result){.answer = ANSWER_ENDED,
                                  .gen = wait->gen,
                                  .outcome = wait->outcome,
                                  .cause = wait->cause};
        return true;
    }
    const struct model_op *op = model_find_op(model, wait->space, wait->key, wait->gen);
    ASSERT(op != NULL);
    *result = (struct result){.answer = ANSWER_TIMED_OUT, .gen = op->gen, .cause = op->cause};
    if (!model_op_is_live(op)) {
        result->answer = ANSWER_ENDED;
        result->outcome = op->outcome;
        return true;
    }
    if (op->state == STATE_CANCELLING && wait->until == UNTIL_CANCELLING) {
        result->answer = ANSWER_CANCELLING;
        return true;
    }
    result->state = op->state;
    return false;
}

/* ---- settling ---- */

/* With its result, or, where that is NULL, with the news that its session is lost. */
static void answer_parked(struct model *model, size_t index, struct result *result)
{
    struct model_parked parked = *parked_at(model, index);
    struct reply reply = {
        .head = {.session = parked.session, .request_id = parked.request_id},
        .results = result,
        .results_count = result == NULL ? 0 : 1,
    };
    if (result == NULL) {
        reply.head.error = (struct error){.code = ERROR_SESSION_LOST, .text = "(a sentence)"};
    }
    parked_at(model, index)->targets = (struct list){0};
    model_parked_remove(model, index);
    model_reply(model, &parked.to, &reply);
    list_fini(&parked.targets);
}

/* A frame that cancels an operation and closes its owner's session: whoever waits may be told of the one
 * or of the other. */
static bool saw_later_end(const struct model *model, const struct model_parked *wait,
                          const struct result *result)
{
    const struct reply *seen = model->port.seen(model->port.context, &wait->to);
    return result->answer == ANSWER_CANCELLING && seen != NULL && seen->results_count == 1 &&
           seen->results[0].answer == ANSWER_ENDED;
}

/* The other way round: it was told of the cancel in the middle of what a frame had begun, and the end came in the
 * same moment. */
static void follow_earlier_cancel(const struct model *model, const struct model_parked *wait,
                                  struct result *result)
{
    const struct reply *seen = model->port.seen(model->port.context, &wait->to);
    if (result->answer == ANSWER_ENDED && result->cause.code != CAUSE_UNSET &&
        wait->until == UNTIL_CANCELLING && seen != NULL && seen->results_count == 1 &&
        seen->results[0].answer == ANSWER_CANCELLING) {
        result->answer = ANSWER_CANCELLING;
        result->outcome = OUTCOME_UNSET;
    }
}

/* Likewise a cancel that has reached its level: the gens that live on now may have ended by then, or be
 * without their owner. */
static bool saw_later_losses(const struct model *model, const struct model_parked *cancel)
{
    const struct reply *seen = model->port.seen(model->port.context, &cancel->to);
    if (seen == NULL || seen->results_count != 1 ||
        seen->results[0].gens_count != cancel->targets.count) {
        return false;
    }
    bool was_without = false;
    for (size_t i = 0; i < cancel->targets.count; i++) {
        const struct model_target *target = list_at(&cancel->targets, i);
        if (!target->settled && seen->results[0].gens[i].outcome != OUTCOME_UNSET) {
            return true;
        }
        was_without = was_without || target->no_owner || target->was_without;
    }
    return seen->results[0].no_owner && !was_without;
}

/* A gen that had no owner was settled for what it was: whether it is waited for again, once somebody adopted
 * it, is open. */
static bool only_adopted_are_left(const struct model *model, const struct model_parked *cancel)
{
    for (size_t i = 0; i < cancel->targets.count; i++) {
        const struct model_target *target = list_at(&cancel->targets, i);
        bool waits = !target->settled && !target->no_owner && target->result.level < cancel->level;
        if (waits && !target->was_without) {
            return false;
        }
    }
    return model->port.seen(model->port.context, &cancel->to) != NULL;
}

/* Whether it is decided; then *result is its answer. */
static bool parked_is_decided(struct model *model, struct model_parked *parked,
                              struct result *result)
{
    switch (parked->kind) {
    case OP_WAIT:
        if (!model_wait_result(model, parked, result) || saw_later_end(model, parked, result)) {
            return false;
        }
        follow_earlier_cancel(model, parked, result);
        return true;
    case OP_POLL:
        model_notices(model, parked->session, parked->after,
                      model->port.seen(model->port.context, &parked->to), result);
        return result->notices_count > 0;
    case OP_WATCH:
        return model_watch_result(model, parked, true, result);
    case OP_DRAIN:
        return model_drain_result(model, parked, false, result);
    case OP_HISTORY:
        *result = (struct result){.answer = ANSWER_FULL, .limit = "journal"};
        return false;
    default:
        if (parked->bulk != 0) {
            return model_bulk_is_done(model, model_find_bulk(model, parked->bulk)) &&
                   model_bulk_result(model, parked, result);
        }
        if ((!model_targets_update(model, parked) && !only_adopted_are_left(model, parked)) ||
            saw_later_losses(model, parked)) {
            return false;
        }
        model_cancel_result(model, parked, result);
        return true;
    }
}

/* What a session's end, and what is decided in the same moment, do to its own parked requests: which comes
 * first is open. */
static bool was_lost(const struct model *model, const struct model_parked *parked)
{
    const struct reply *seen = model->port.seen(model->port.context, &parked->to);
    return seen == NULL || seen->head.error.code == ERROR_SESSION_LOST;
}

void model_lose_parked(struct model *model, uint64_t session, bool only_as_seen)
{
    for (size_t i = model->parked.count; i > 0; i--) {
        const struct model_parked *parked = parked_at(model, i - 1);
        if (parked->session == session && (!only_as_seen || was_lost(model, parked))) {
            answer_parked(model, i - 1, NULL);
        }
    }
}

bool model_session_is_dying(const struct model *model, uint64_t number)
{
    const struct model_session *session = model_find_session(model, number);
    return session != NULL && session->grace_end_ms <= model->now_ms;
}

void model_settle(struct model *model)
{
    for (size_t i = model->parked.count; i > 0; i--) {
        struct model_parked *parked = parked_at(model, i - 1);
        struct result result;
        model->needs = 0;
        if (model_session_is_dying(model, parked->session) && was_lost(model, parked)) {
            continue;
        }
        if (parked_is_decided(model, parked, &result)) {
            answer_parked(model, i - 1, &result);
        }
    }
}

void model_note_end(struct model *model, const struct model_op *op)
{
    for (size_t i = 0; i < model->parked.count; i++) {
        struct model_parked *parked = parked_at(model, i);
        if ((parked->kind != OP_CANCEL && parked->kind != OP_WAIT) || parked->bulk != 0 ||
            !model_op_is_of(op, parked->space, parked->key)) {
            continue;
        }
        if (parked->kind == OP_CANCEL) {
            (void) model_targets_update(model, parked);
        } else if (parked->gen == op->gen) {
            parked->outcome = op->outcome;
            parked->cause = op->cause;
        }
    }
}

void model_timed_out(struct model *model, size_t parked_index)
{
    struct model_parked *parked = parked_at(model, parked_index);
    struct result result;
    model->needs = 0;
    if (!parked_is_decided(model, parked, &result)) {
        if (parked->kind == OP_CANCEL) {
            model_cancel_result(model, parked, &result);
        } else if (parked->kind == OP_WATCH) {
            (void) model_watch_result(model, parked, false, &result);
        } else if (parked->kind == OP_DRAIN) {
            (void) model_drain_result(model, parked, true, &result);
        }
    }
    answer_parked(model, parked_index, &result);
}

void model_shut_down(struct model *model)
{
    model->is_shut_down = true;
    while (model->parked.count > 0) {
        struct result result = {.answer = ANSWER_SHUTTING_DOWN};
        answer_parked(model, model->parked.count - 1, &result);
    }
}

void model_history(struct model *model, uint64_t ticket, const struct history_entry *entries,
                   size_t entries_count, uint64_t next_cursor, bool failed)
{
    for (size_t i = 0; i < model->parked.count; i++) {
        const struct model_parked *parked = parked_at(model, i);
        if (parked->kind != OP_HISTORY || parked->ticket != ticket) {
            continue;
        }
        const struct reply *seen = model->port.seen(model->port.context, &parked->to);
        struct result result = {.answer = ANSWER_HISTORY,
                                .history = entries,
                                .history_count = entries_count,
                                .next_cursor = next_cursor};
        if (failed) {
            bool is_full =
                seen == NULL || seen->results_count != 1 || seen->results[0].answer != ANSWER_ERROR;
            result = is_full ? (struct result){.answer = ANSWER_FULL, .limit = "journal"}
                             : (struct result){.answer = ANSWER_ERROR};
            result.error = (struct error){.code = is_full ? ERROR_UNSET : ERROR_NO_JOURNAL,
                                          .text = "(a sentence)"};
        }
        answer_parked(model, i, &result);
        return;
    }
}

/* ---- time ---- */

static uint64_t op_due_ms(const struct model_op *op)
{
    if (!model_op_is_live(op) || op->ttl_end_ms == TIME_NEVER) {
        return TIME_NEVER;
    }
    bool lingers = op->on_expiry == ON_EXPIRY_CANCEL && op->state == STATE_CANCELLING;
    return op->ttl_end_ms + (lingers ? op->stop_grace_ms : 0);
}

static void op_due(struct model *model, struct model_op *op)
{
    if (op->on_expiry == ON_EXPIRY_CANCEL && op->state == STATE_LIVE) {
        struct cause cause = {.code = CAUSE_DEADLINE};
        (void) model_cancel(model, op, &cause, model_record_cancel(model, op, &cause, true));
        return;
    }
    model_end(model, op, OUTCOME_EXPIRED, false);
}

static uint64_t session_due_ms(const struct model_session *session)
{
    return session->grace_end_ms < session->silence_end_ms ? session->grace_end_ms
                                                           : session->silence_end_ms;
}

static void session_due(struct model *model, struct model_session *session)
{
    if (session->silence_end_ms != TIME_NEVER) {
        ASSERT(session->grace_end_ms == TIME_NEVER);
        session->grace_end_ms = session->silence_end_ms + model->config.limits.grace_ms;
        session->silence_end_ms = TIME_NEVER;
        return;
    }
    model_session_end(model, session->number);
}

bool model_due_as_observed(struct model *model)
{
    const struct model_event *observed = model_observed(model);
    struct model_op *op = observed == NULL ? NULL : model_find_gen(model, observed->event.gen);
    if (op == NULL || op_due_ms(op) > model->now_ms) {
        return false;
    }
    op_due(model, op);
    return true;
}

struct due {
    uint64_t time_ms;
    bool is_recovery_end;
    struct model_op *op;
    struct model_session *session;
    size_t parked; /* 1 + index */
};

static struct due next_due(const struct model *model)
{
    struct due due = {.time_ms = TIME_NEVER};
    for (size_t i = 0; i < model->ops.count; i++) {
        struct model_op *op = model_op_at(model, i);
        if (op_due_ms(op) < due.time_ms) {
            due = (struct due){.time_ms = op_due_ms(op), .op = op};
        }
    }
    for (size_t i = 0; i < model->sessions.count; i++) {
        struct model_session *session = list_at(&model->sessions, i);
        if (session_due_ms(session) < due.time_ms) {
            due = (struct due){.time_ms = session_due_ms(session), .session = session};
        }
    }
    for (size_t i = 0; i < model->parked.count; i++) {
        uint64_t deadline = parked_at(model, i)->deadline_ms;
        if (deadline < due.time_ms) {
            due = (struct due){.time_ms = deadline, .parked = i + 1};
        }
        bool awaits = parked_at(model, i)->kind == OP_DRAIN && model_is_recovering(model);
        if (awaits && model->recovery_end_ms < due.time_ms) {
            due = (struct due){.time_ms = model->recovery_end_ms, .is_recovery_end = true};
        }
    }
    /* Of several at one time, in whatever order, the one that was seen to come next. */
    const struct model_event *observed = model_observed(model);
    struct model_op *seen = observed == NULL ? NULL : model_find_gen(model, observed->event.gen);
    if (seen != NULL && due.time_ms != TIME_NEVER && op_due_ms(seen) == due.time_ms) {
        return (struct due){.time_ms = due.time_ms, .op = seen};
    }
    struct model_session *owner =
        seen == NULL ? NULL : model_find_session(model, model_op_owner(seen));
    if (owner != NULL && due.time_ms != TIME_NEVER && session_due_ms(owner) == due.time_ms) {
        return (struct due){.time_ms = due.time_ms, .session = owner};
    }
    return due;
}

uint64_t model_next_ms(const struct model *model)
{
    return next_due(model).time_ms;
}

void model_advance(struct model *model, uint64_t now_ms)
{
    struct due due = next_due(model);
    arena_reset(&model->arena);
    for (; due.time_ms <= now_ms; due = next_due(model)) {
        model->now_ms = due.time_ms > model->now_ms ? due.time_ms : model->now_ms;
        if (due.op != NULL) {
            op_due(model, due.op);
        } else if (due.session != NULL) {
            session_due(model, due.session);
        } else if (!due.is_recovery_end) {
            model_timed_out(model, due.parked - 1);
        }
        model_work(model, SIZE_MAX);
    }
    model->now_ms = now_ms;
    model_memory_trim(model);
    for (size_t i = model->armed.count; i > 0; i--) {
        const struct model_armed *armed = list_at(&model->armed, i - 1);
        if (armed->end_ms <= now_ms) {
            struct journal_record gone = {
                .kind = JOURNAL_ARM_GONE, .space = armed->space, .key = armed->key};
            (void) model_record(model, &gone, true);
            list_remove(&model->armed, i - 1);
        }
    }
}
