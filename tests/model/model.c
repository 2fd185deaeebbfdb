/* SPDX-License-Identifier: MIT */
/* Links, sessions and operations: what there is, and how it ends. */
#include "model/model_parts.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

#define MODEL_ARENA_BYTES ((size_t) 64 << 20)

struct model *model_new(const struct registry_config *config, const struct model_port *port)
{
    struct model *model = calloc(1, sizeof *model);
    ASSERT(model != NULL);
    model->config = *config;
    model->port = *port;
    model->now_ms = config->now_ms;
    model->epoch = config->epoch;
    model->counter = config->counter_first;
    model->gen_newest = (config->epoch << GEN_COUNTER_BITS) + config->counter_first - 1;
    list_init(&model->links, sizeof(struct model_link));
    list_init(&model->sessions, sizeof(struct model_session));
    list_init(&model->ops, sizeof(struct model_op));
    list_init(&model->armed, sizeof(struct model_armed));
    list_init(&model->parked, sizeof(struct model_parked));
    list_init(&model->numbers, sizeof(uint64_t));
    list_init(&model->bulks, sizeof(struct model_bulk));
    list_init(&model->drains, sizeof(struct model_drain));
    list_init(&model->recovered, sizeof(struct model_recovered));
    list_init(&model->adopted, sizeof(uint64_t));
    list_init(&model->events, sizeof(struct model_event));
    list_init(&model->held, sizeof(struct model_held));
    list_init(&model->untold, sizeof(struct model_untold));
    model->gen_first = model->gen_newest + 1;
    model->recovery_end_ms = config->now_ms + config->recovery_ms;
    arena_init(&model->arena, MODEL_ARENA_BYTES);
    return model;
}

static void answers_free(struct model_session *session)
{
    for (size_t i = 0; i < session->answers.count; i++) {
        free(((struct model_answer *) list_at(&session->answers, i))->data);
    }
    list_fini(&session->answers);
}

void model_free(struct model *model)
{
    if (model == NULL) {
        return;
    }
    for (size_t i = 0; i < model->sessions.count; i++) {
        answers_free(list_at(&model->sessions, i));
    }
    while (model->parked.count > 0) {
        model_parked_remove(model, 0);
    }
    list_fini(&model->links);
    list_fini(&model->sessions);
    list_fini(&model->ops);
    list_fini(&model->armed);
    list_fini(&model->parked);
    list_fini(&model->numbers);
    for (size_t i = 0; i < model->bulks.count; i++) {
        list_fini(&((struct model_bulk *) list_at(&model->bulks, i))->targets);
    }
    list_fini(&model->bulks);
    list_fini(&model->drains);
    list_fini(&model->recovered);
    list_fini(&model->adopted);
    list_fini(&model->events);
    for (size_t i = 0; i < model->held.count; i++) {
        free((void *) (uintptr_t) ((struct model_held *) list_at(&model->held, i))->encoded.data);
    }
    list_fini(&model->held);
    list_fini(&model->untold);
    arena_fini(&model->arena);
    free(model);
}

/* ---- links ---- */

struct model_link *model_find_link(const struct model *model, uint64_t link)
{
    for (size_t i = 0; i < model->links.count; i++) {
        struct model_link *found = list_at(&model->links, i);
        if (found->link == link) {
            return found;
        }
    }
    return NULL;
}

bool model_link_up(struct model *model, uint64_t link, struct bytes peer)
{
    if (model->links.count >= model->config.limits.connections) {
        return false;
    }
    struct model_link *added = list_push(&model->links);
    *added = (struct model_link){.link = link, .peer = peer};
    return true;
}

void model_link_down(struct model *model, uint64_t link, uint64_t now_ms)
{
    model->now_ms = now_ms;
    for (size_t i = model->parked.count; i > 0; i--) {
        const struct model_parked *parked = list_at(&model->parked, i - 1);
        if (parked->session == 0 && parked->to.link == link) {
            model_parked_remove(model, i - 1);
        }
    }
    for (size_t i = model->held.count; i > 0; i--) {
        const struct model_held *held = list_at(&model->held, i - 1);
        if (held->head.session == 0 && held->to.link == link) {
            free((void *) (uintptr_t) held->encoded.data);
            list_remove(&model->held, i - 1);
        }
    }
    for (size_t i = 0; i < model->sessions.count; i++) {
        struct model_session *session = list_at(&model->sessions, i);
        if (session->link != link) {
            continue;
        }
        session->link = 0;
        session->silence_end_ms = TIME_NEVER;
        if (session->grace_end_ms == TIME_NEVER) {
            session->grace_end_ms = now_ms + model->config.limits.grace_ms;
        }
    }
    for (size_t i = 0; i < model->links.count; i++) {
        if (((struct model_link *) list_at(&model->links, i))->link == link) {
            list_remove(&model->links, i);
            return;
        }
    }
}

void model_link_paused(struct model *model, uint64_t link, bool paused, uint64_t now_ms)
{
    struct model_link *found = model_find_link(model, link);
    model->now_ms = now_ms;
    if (found == NULL || found->paused == paused) {
        return;
    }
    found->paused = paused;
    for (size_t i = 0; i < model->sessions.count; i++) {
        struct model_session *session = list_at(&model->sessions, i);
        if (session->link != link || session->heartbeat_ms == 0 ||
            session->grace_end_ms != TIME_NEVER) {
            continue;
        }
        if (paused) {
            session->silence_left_ms = session->silence_end_ms - now_ms;
            session->silence_end_ms = TIME_NEVER;
        } else {
            session->silence_end_ms = now_ms + session->silence_left_ms;
        }
    }
}

bool model_link_opened(const struct model *model, uint64_t link)
{
    const struct model_link *found = model_find_link(model, link);
    return found != NULL && found->opened;
}

/* ---- operations ---- */

struct model_op *model_op_at(const struct model *model, size_t index)
{
    return list_at(&model->ops, index);
}

bool model_op_is_live(const struct model_op *op)
{
    return op->state != STATE_ENDED;
}

bool model_op_is_of(const struct model_op *op, struct bytes space, struct bytes key)
{
    return bytes_equal(op->key, key) && bytes_equal(op->space, space);
}

bool model_op_is_pinned(const struct model_op *op)
{
    return op->state == STATE_ENDED && op->owner != 0 && op->notice_ended != 0;
}

uint64_t model_op_owner(const struct model_op *op)
{
    return model_op_is_live(op) || model_op_is_pinned(op) ? op->owner : 0;
}

struct model_op *model_find_op(const struct model *model, struct bytes space, struct bytes key,
                               uint64_t gen)
{
    for (size_t i = 0; i < model->ops.count; i++) {
        struct model_op *op = model_op_at(model, i);
        if (op->gen == gen && model_op_is_of(op, space, key)) {
            return op;
        }
    }
    return NULL;
}

struct model_op *model_current(const struct model *model, struct bytes space, struct bytes key)
{
    for (size_t i = model->ops.count; i > 0; i--) {
        struct model_op *op = model_op_at(model, i - 1);
        if (model_op_is_live(op) && model_op_is_of(op, space, key)) {
            return op;
        }
    }
    return NULL;
}

struct model_op *model_newest_ended(const struct model *model, struct bytes space, struct bytes key,
                                    uint64_t above)
{
    for (size_t i = model->ops.count; i > 0; i--) {
        struct model_op *op = model_op_at(model, i - 1);
        if (!model_op_is_live(op) && op->gen > above && model_op_is_of(op, space, key)) {
            return op;
        }
    }
    return NULL;
}

static uint64_t *notice_of(struct model_op *op, enum notice_kind kind)
{
    return kind == NOTICE_CANCEL ? &op->notice_cancel : &op->notice_ended;
}

void model_notice_add(struct model *model, struct model_op *op, enum notice_kind kind)
{
    struct model_session *owner = model_find_session(model, op->owner);
    if (owner == NULL) {
        *notice_of(op, kind) = 0;
    } else if (op->told_after <= model->notices_kept) {
        *notice_of(op, kind) = ++owner->notices_last;
    } else {
        *notice_of(op, kind) = NOTICE_UNTOLD;
        *(struct model_untold *) list_push(&model->untold) =
            (struct model_untold){.space = op->space,
                                  .key = op->key,
                                  .gen = op->gen,
                                  .kind = kind,
                                  .after = op->told_after};
    }
}

static bool is_of(const struct model_untold *untold, const struct model_op *op)
{
    return untold->gen == op->gen && model_op_is_of(op, untold->space, untold->key);
}

void model_notice_drop(struct model *model, struct model_op *op, enum notice_kind kind)
{
    *notice_of(op, kind) = 0;
    for (size_t i = model->untold.count; i > 0; i--) {
        const struct model_untold *untold = list_at(&model->untold, i - 1);
        if (is_of(untold, op) && untold->kind == kind) {
            list_remove(&model->untold, i - 1);
        }
    }
}

void model_notices_journaled(struct model *model, uint64_t number)
{
    model->notices_kept = number;
    while (model->untold.count > 0) {
        struct model_untold untold = *(struct model_untold *) list_at(&model->untold, 0);
        if (untold.after > number) {
            return;
        }
        list_remove(&model->untold, 0);
        struct model_op *op = model_find_op(model, untold.space, untold.key, untold.gen);
        ASSERT(op != NULL && *notice_of(op, untold.kind) == NOTICE_UNTOLD);
        *notice_of(op, untold.kind) = ++model_find_session(model, op->owner)->notices_last;
    }
}

bool model_cancel(struct model *model, struct model_op *op, const struct cause *cause,
                  uint64_t record)
{
    ASSERT(model_op_is_live(op));
    if (op->state == STATE_CANCELLING) {
        return false;
    }
    op->state = STATE_CANCELLING;
    op->cause = *cause;
    op->level = LEVEL_RECORDED;
    model_notice_add(model, op, NOTICE_CANCEL);
    op->is_pending = false;
    op->cancelled_ms = model->now_ms;
    op->record = record;
    model_event(model, op);
    op->cancelled_revision = model->events.count;
    model_bulk_note_change(model, op);
    model_mark_descendants(model, op);
    return true;
}

/* The journal is told how those that it knows have ended. */
static void record_end(struct model *model, const struct model_op *op, bool by_owner)
{
    model_recovered_ended(model, op);
    if (op->is_recorded) {
        (void) model_record(
            model,
            &(struct journal_record){
                .kind = JOURNAL_END, .gen = op->gen, .outcome = op->outcome, .by_owner = by_owner},
            true);
    }
}

void model_end(struct model *model, struct model_op *op, enum outcome outcome, bool by_owner)
{
    ASSERT(model_op_is_live(op));
    if (by_owner && op->state == STATE_CANCELLING) {
        op->level = LEVEL_STOPPED;
    }
    op->state = STATE_ENDED;
    op->outcome = outcome;
    op->ended_ms = model->now_ms;
    op->ended_order = ++model->ended_count;
    if (!by_owner) {
        model_notice_add(model, op, NOTICE_ENDED);
    } else {
        model_notice_drop(model, op, NOTICE_CANCEL);
    }
    op->is_pending = false;
    model_event(model, op);
    record_end(model, op, by_owner);
    model_bulk_note_change(model, op);
    model_part_children(model, op);
    model_note_end(model, op);
    model_memory_trim(model);
}

/* Forgets it, and where that is before its time, notes that the memory is short of it. */
static void forget(struct model *model, size_t index)
{
    uint64_t until_ms = model_op_at(model, index)->ended_ms + model->config.limits.finished_ms;
    if (until_ms > model->now_ms && until_ms > model->dropped_until_ms) {
        model->dropped_until_ms = until_ms;
    }
    list_remove(&model->ops, index);
}

/* Index of the entry of the memory that ended first; their number in *count_out. */
static size_t oldest_ended(const struct model *model, size_t *count_out)
{
    size_t oldest = model->ops.count;
    *count_out = 0;
    for (size_t i = 0; i < model->ops.count; i++) {
        const struct model_op *op = model_op_at(model, i);
        if (model_op_is_live(op) || op->is_out_of_memory) {
            continue;
        }
        ++*count_out;
        if (oldest == model->ops.count ||
            op->ended_order < model_op_at(model, oldest)->ended_order) {
            oldest = i;
        }
    }
    return oldest;
}

/* Whether a parked cancel that was about it has not been answered yet. */
static bool is_tied(const struct model *model, const struct model_op *op)
{
    for (size_t i = 0; i < model->parked.count; i++) {
        const struct model_parked *parked = list_at(&model->parked, i);
        for (size_t j = 0; j < parked->targets.count; j++) {
            const struct model_target *target = list_at(&parked->targets, j);
            if (target->result.gen == op->gen) {
                return true;
            }
        }
    }
    return false;
}

/* One whose descendants' turns are still to come is known until then. */
static bool holds_children(const struct model *model, const struct model_op *op)
{
    for (size_t i = 0; i < model->ops.count; i++) {
        if (op->cause.code != CAUSE_UNSET && model_op_at(model, i)->is_pending) {
            return true;
        }
    }
    return false;
}

/* What is too old, or one too many, goes, unless something keeps it: an ack that is missing, or a parked
 * cancel that will tell of it. */
void model_memory_trim(struct model *model)
{
    size_t count = 0;
    size_t oldest = oldest_ended(model, &count);
    for (; count > 0; oldest = oldest_ended(model, &count)) {
        struct model_op *op = model_op_at(model, oldest);
        if (op->ended_ms + model->config.limits.finished_ms > model->now_ms &&
            count <= model->config.limits.finished) {
            break;
        }
        op->is_out_of_memory = true;
    }
    for (size_t i = model->ops.count; i > 0; i--) {
        const struct model_op *op = model_op_at(model, i - 1);
        if (op->is_out_of_memory && !model_op_is_pinned(op) && !is_tied(model, op) &&
            !holds_children(model, op)) {
            forget(model, i - 1);
        }
    }
}

struct model_armed *model_find_armed(const struct model *model, struct bytes space,
                                     struct bytes key)
{
    for (size_t i = 0; i < model->armed.count; i++) {
        struct model_armed *armed = list_at(&model->armed, i);
        if (bytes_equal(armed->key, key) && bytes_equal(armed->space, space)) {
            return armed;
        }
    }
    return NULL;
}

/* ---- sessions ---- */

struct model_session *model_find_session(const struct model *model, uint64_t number)
{
    for (size_t i = 0; number != 0 && i < model->sessions.count; i++) {
        struct model_session *session = list_at(&model->sessions, i);
        if (session->number == number) {
            return session;
        }
    }
    return NULL;
}

/* The next operation of the session that has not been seen to yet: as was observed, else the oldest. */
static struct model_op *next_owned(const struct model *model, uint64_t number)
{
    const struct model_event *observed = model_observed(model);
    struct model_op *seen = observed == NULL ? NULL : model_find_gen(model, observed->event.gen);
    if (seen != NULL && seen->owner == number && model_op_is_live(seen) &&
        observed->event.state == STATE_ENDED) {
        return seen;
    }
    for (size_t i = 0; i < model->ops.count; i++) {
        struct model_op *op = model_op_at(model, i);
        if (op->owner == number) {
            return op;
        }
    }
    return NULL;
}

static void remove_session(struct model *model, uint64_t number)
{
    for (size_t i = model->drains.count; i > 0; i--) {
        const struct model_drain *drain = list_at(&model->drains, i - 1);
        if (drain->scope == BULK_OWNER && drain->owner == number) {
            list_remove(&model->drains, i - 1);
        }
    }
    model_held_forget(model, number);
    for (size_t i = 0; i < model->sessions.count; i++) {
        struct model_session *session = list_at(&model->sessions, i);
        if (session->number == number) {
            answers_free(session);
            list_remove(&model->sessions, i);
            return;
        }
    }
}

/* One operation after the other, oldest first. */
void model_session_end(struct model *model, uint64_t number)
{
    model->session_ending = number;
    model_lose_parked(model, number, true);
    for (;;) {
        while (model_work_as_observed(model)) {
        }
        struct model_op *op = next_owned(model, number);
        if (op == NULL) {
            break;
        }
        op->owner = 0; /* nobody to give a notice to */
        op->last_owner = number;
        op->owner_name = (struct bytes){0};
        model_notice_drop(model, op, NOTICE_CANCEL);
        model_notice_drop(model, op, NOTICE_ENDED);
        if (model_op_is_live(op) && op->on_owner_loss == ON_OWNER_LOSS_REAP) {
            model_end(model, op, OUTCOME_OWNER_LOST, false);
        }
    }
    model_settle(model);
    model_lose_parked(model, number, false);
    model->session_ending = 0;
    remove_session(model, number);
    model_memory_trim(model);
}
