/* SPDX-License-Identifier: MIT */
/* adopt, the recovery time, and what an earlier run left. */
#include "model/model_parts.h"

#include <string.h>

bool model_is_recovering(const struct model *model)
{
    return model->now_ms < model->recovery_end_ms;
}

bool model_may_come(const struct model *model, uint64_t gen)
{
    return model_is_recovering(model) && gen < model->gen_first &&
           model_find_gen(model, gen) == NULL;
}

bool model_recovering(const struct model *model, struct result *result)
{
    uint64_t left = model->recovery_end_ms - model->now_ms;
    *result = (struct result){.retry_ms = (uint32_t) (left < 200 ? left : 200)};
    return model_answered(result, ANSWER_RECOVERING);
}

void model_recover(struct model *model, const struct journal_record *record)
{
    if (record->kind == JOURNAL_CANCEL) {
        struct model_recovered *added = list_push(&model->recovered);
        *added = (struct model_recovered){.space = record->space,
                                          .key = record->key,
                                          .gen = record->gen,
                                          .cause = record->cause,
                                          .is_finished = record->by_owner};
    } else if (record->kind == JOURNAL_ARM) {
        struct model_armed *armed = list_push(&model->armed);
        *armed = (struct model_armed){.space = record->space,
                                      .key = record->key,
                                      .cause = record->cause,
                                      .end_ms = model->now_ms + record->ttl_ms};
    } else {
        struct model_bulk *bulk = list_push(&model->bulks);
        *bulk = (struct model_bulk){.scope = record->scope,
                                    .space = record->space,
                                    .key = record->key,
                                    .label = record->label,
                                    .owner = record->owner,
                                    .fence = record->fence,
                                    .after_gen = record->after_gen,
                                    .cause = record->cause,
                                    .number = ++model->bulks_given,
                                    .is_covering = true,
                                    .is_recovered = true};
        list_init(&bulk->targets, sizeof(struct model_target));
    }
}

/* By gen, and by the namespace and the key that it was recorded with. */
static struct model_recovered *recovered_of(const struct model *model, uint64_t gen,
                                            struct bytes space, struct bytes key)
{
    for (size_t i = 0; i < model->recovered.count; i++) {
        struct model_recovered *recovered = list_at(&model->recovered, i);
        if (recovered->gen == gen && bytes_equal(recovered->space, space) &&
            bytes_equal(recovered->key, key)) {
            return recovered;
        }
    }
    return NULL;
}

bool model_was_adopted(const struct model *model, uint64_t gen)
{
    for (size_t i = 0; i < model->adopted.count; i++) {
        if (*(uint64_t *) list_at(&model->adopted, i) == gen) {
            return model_find_gen(model, gen) == NULL;
        }
    }
    return false;
}

void model_recovered_ended(struct model *model, const struct model_op *op)
{
    struct model_recovered *recovered = recovered_of(model, op->gen, op->space, op->key);
    if (recovered != NULL) {
        list_remove(&model->recovered,
                    (size_t) (recovered - (struct model_recovered *) model->recovered.items));
    }
}

const struct cause *model_recovered_cause(const struct model *model, const struct model_op *op)
{
    const struct model_recovered *recovered = recovered_of(model, op->gen, op->space, op->key);
    if (recovered != NULL) {
        return &recovered->cause;
    }
    for (size_t i = 0; i < model->bulks.count; i++) {
        const struct model_bulk *bulk = list_at(&model->bulks, i);
        if (bulk->is_recovered && model_bulk_covers(bulk, op)) {
            return &bulk->cause;
        }
    }
    return NULL;
}

bool model_is_idle(const struct model *model, bool *is_open_out)
{
    bool idle = model->armed.count == 0;
    *is_open_out = false;
    for (size_t i = 0; i < model->ops.count; i++) {
        idle = idle && !model_op_is_live(model_op_at(model, i));
    }
    for (size_t i = 0; i < model->recovered.count; i++) {
        const struct model_recovered *recovered = list_at(&model->recovered, i);
        idle = idle && (recovered->is_finished || recovered->is_adopted);
    }
    /* Whether a bulk cancel of an earlier run, or of the recovery time, still waits is nobody's to know. */
    for (size_t i = 0; i < model->bulks.count; i++) {
        *is_open_out = true;
    }
    return idle;
}

/* ---- the causes of an adopted operation, in the order of their rank ---- */

struct causes {
    struct cause first; /* the one of the highest rank; UNSET: none */
    uint64_t record;
    uint64_t told_after;
    struct cause maybe[8]; /* others that may stand before it, by readings that are as good */
    size_t maybe_count;
    bool is_recorded;
    bool wants_record; /* of its own: nothing else that is kept tells of it */
};

static void add_cause(struct causes *causes, const struct cause *cause, uint64_t record)
{
    if (causes->first.code == CAUSE_UNSET) {
        causes->first = *cause;
        causes->record = record;
    }
}

static void add_maybe(struct causes *causes, const struct cause *cause)
{
    if (causes->first.code == CAUSE_UNSET && causes->maybe_count < 8) {
        causes->maybe[causes->maybe_count++] = *cause;
    }
}

static void add_accepted(const struct model *model, const struct model_op *op,
                         struct causes *causes)
{
    for (size_t i = 0; i < model->bulks.count; i++) {
        const struct model_bulk *bulk = list_at(&model->bulks, i);
        /* One that is at work, and is not of a recovery time, may come upon it, or not. */
        if ((!bulk->is_covering && !bulk->is_working) || bulk->is_recovered ||
            !model_bulk_covers(bulk, op)) {
            continue;
        }
        bool sure = bulk->is_covering && !bulk->is_drain &&
                    (bulk->scope != BULK_OWNER || op->previous_session == bulk->owner);
        if (sure) {
            add_cause(causes, &bulk->cause, bulk->record);
        } else {
            add_maybe(causes, &bulk->cause);
        }
    }
}

static void add_drains(const struct model *model, const struct model_op *op, struct causes *causes)
{
    static const enum bulk_scope scopes[] = {BULK_SPACE, BULK_OWNER, BULK_DAEMON};
    const struct model_drain *first = NULL;
    for (size_t i = 0; i < 3; i++) {
        const struct model_drain *drain = model_drain_of(model, op->space, op->owner, scopes[i]);
        if (drain != NULL && first != NULL) {
            add_maybe(causes, &drain->cause);
        }
        first = first == NULL ? drain : first;
    }
    if (first != NULL) {
        add_cause(causes, &first->cause, 0);
    }
}

/* The oldest kept cancel of the parent's gen. One gen may have been adopted under two keys, by whoever's
 * word, and both were cancelled: which of them the parent was is open. */
static const struct cause *recovered_parent_cause(const struct model *model,
                                                  const struct model_op *op, struct causes *causes)
{
    const struct cause *oldest = NULL;
    for (size_t i = 0; i < model->recovered.count; i++) {
        const struct model_recovered *recovered = list_at(&model->recovered, i);
        if (recovered->gen != op->parent || !bytes_equal(recovered->space, op->space)) {
            continue;
        }
        if (oldest != NULL) {
            struct cause other = model_cause_of_parent(&recovered->cause);
            add_maybe(causes, &other);
        }
        oldest = oldest == NULL ? &recovered->cause : oldest;
    }
    return oldest;
}

static void add_parent(const struct model *model, const struct model_op *op, struct causes *causes)
{
    const struct model_op *parent = model_find_gen(model, op->parent);
    const struct cause *cause = NULL;
    if (parent != NULL && bytes_equal(parent->space, op->space)) {
        cause = parent->cause.code == CAUSE_UNSET ? NULL : &parent->cause;
    } else if (op->parent != 0) {
        cause = recovered_parent_cause(model, op, causes);
    }
    if (cause != NULL) {
        struct cause own = model_cause_of_parent(cause);
        if (causes->first.code == CAUSE_UNSET && parent != NULL) {
            causes->told_after = parent->told_after;
        }
        add_cause(causes, &own, parent == NULL ? 0 : parent->record);
    }
}

/* Whether a live gen of the key makes this one the older of two that do not go together. */
static bool is_superseded(const struct model *model, const struct model_op *op)
{
    for (size_t i = 0; i < model->ops.count; i++) {
        const struct model_op *other = model_op_at(model, i);
        if (model_op_is_live(other) && other->gen > op->gen &&
            model_op_is_of(other, op->space, op->key) && other->policy != POLICY_JOIN &&
            op->policy != POLICY_JOIN) {
            return true;
        }
    }
    return false;
}

static struct causes causes_of(struct model *model, const struct model_request *request,
                               const struct op *op, const struct model_op *adopted)
{
    struct causes causes = {0};
    struct cause armed;
    uint64_t record = 0;
    const struct cause *recovered = model_recovered_cause(model, adopted);
    if (recovered != NULL) {
        add_cause(&causes, recovered, 0);
        causes.is_recorded =
            recovered_of(model, adopted->gen, adopted->space, adopted->key) != NULL;
    }
    if (op->as.store.cause_code != CAUSE_UNSET) {
        struct cause own = op->as.store.cause;
        own.code = (enum cause_code) op->as.store.cause_code;
        causes.wants_record = causes.first.code == CAUSE_UNSET;
        add_cause(&causes, &own, 0);
    }
    add_accepted(model, adopted, &causes);
    bool is_first = causes.first.code == CAUSE_UNSET;
    if (model_use_arm(model, adopted, is_first && causes.maybe_count == 0, &armed, &record)) {
        add_cause(&causes, &armed, record);
        causes.is_recorded = causes.is_recorded || (is_first && model->arm_was_used);
        causes.told_after = is_first && model->arm_was_used ? record : 0;
    }
    add_drains(model, adopted, &causes);
    bool is_none = causes.first.code == CAUSE_UNSET;
    add_parent(model, adopted, &causes);
    if (is_superseded(model, adopted)) {
        struct cause superseded = {.code = CAUSE_SUPERSEDED, .peer = request->peer};
        add_cause(&causes, &superseded, 0);
    }
    causes.wants_record = causes.wants_record || (is_none && causes.first.code != CAUSE_UNSET);
    return causes;
}

static bool cause_equal(const struct cause *a, const struct cause *b)
{
    return a->code == b->code && bytes_equal(a->text, b->text) && bytes_equal(a->actor, b->actor) &&
           bytes_equal(a->peer, b->peer);
}

/* The cause that the real registry told, where it is one of several that it may be. */
static struct cause chosen_cause(const struct model_request *request, const struct causes *causes)
{
    const struct result *seen = model_seen(request);
    for (size_t i = 0; seen != NULL && i < causes->maybe_count; i++) {
        if (cause_equal(&seen->cause, &causes->maybe[i])) {
            return causes->maybe[i];
        }
    }
    return causes->first;
}

/* ---- adopting ---- */

static void supersede_others(struct model *model, const struct model_request *request,
                             const struct model_op *adopted)
{
    struct cause cause = {.code = CAUSE_SUPERSEDED, .peer = request->peer};
    for (size_t i = model->ops.count; i > 0; i--) {
        struct model_op *op = model_op_at(model, i - 1);
        if (op->state == STATE_LIVE && op->gen < adopted->gen && op->policy != POLICY_JOIN &&
            adopted->policy != POLICY_JOIN && model_op_is_of(op, adopted->space, adopted->key)) {
            uint64_t record = model_record_cancel(model, op, &cause, true);
            (void) model_cancel(model, op, &cause, record);
        }
    }
}

static bool adopted(struct model *model, const struct model_op *op, struct result *result)
{
    model->needs = op->told_after > model->needs ? op->told_after : model->needs;
    result->gen = op->gen;
    result->state = op->state;
    result->cause = op->cause;
    return model_answered(result, ANSWER_ADOPTED);
}

static bool is_target(const struct model_bulk *bulk, uint64_t gen)
{
    for (size_t i = 0; i < bulk->targets.count; i++) {
        if (((struct model_target *) list_at(&bulk->targets, i))->result.gen == gen) {
            return true;
        }
    }
    return false;
}

/* Bulk cancels at work may come upon it, or not. */
static void note_working_bulks(struct model *model, const struct model_op *op)
{
    for (size_t i = 0; i < model->bulks.count; i++) {
        struct model_bulk *bulk = list_at(&model->bulks, i);
        if (bulk->is_working && model_bulk_covers(bulk, op) && !is_target(bulk, op->gen)) {
            struct model_target *target = list_push(&bulk->targets);
            target->result.gen = op->gen;
            target->settled = true;
            target->may_be_counted = true;
            target->is_shared = true;
        }
    }
}

static bool adopt_new(struct model *model, struct model_request *request, const struct op *op,
                      struct result *result)
{
    const struct result *seen = model_seen(request);
    const char *limit = model_store_limit(model, request, op);
    if (limit == NULL && seen != NULL && seen->answer == ANSWER_FULL) {
        limit = model_journal_limit(model, request, false);
    }
    if (limit != NULL) {
        return model_full(result, limit);
    }
    struct model_op *added = model_add_op(model, request, op, op->gen);
    const struct model_op *parent = model_find_gen(model, added->parent);
    struct causes causes = causes_of(model, request, op, added);
    struct cause cause = chosen_cause(request, &causes);
    struct model_recovered *recovered =
        recovered_of(model, op->gen, model_space(request, op), op->key);
    if (parent != NULL && !model_op_is_live(parent)) {
        added->parent = 0;
    }
    if (recovered != NULL) {
        recovered->is_adopted = true;
    }
    *(uint64_t *) list_push(&model->adopted) = op->gen;
    model_event(model, added);
    note_working_bulks(model, added);
    if (cause.code != CAUSE_UNSET) {
        bool wants = causes.wants_record && cause_equal(&cause, &causes.first);
        uint64_t record = causes.record;
        if (wants || record == 0) {
            uint64_t own = model_record_cancel(model, added, &cause, wants);
            record = own == 0 ? record : own;
        }
        added->told_after = cause_equal(&cause, &causes.first) ? causes.told_after : 0;
        (void) model_cancel(model, added, &cause, record);
        added->is_recorded = added->is_recorded || causes.is_recorded;
    }
    supersede_others(model, request, added);
    return adopted(model, added, result);
}

/* One that is LIVE takes the cause that its owner knows, or falls under what that one is drained by. */
static void cancel_kept(struct model *model, const struct model_request *request,
                        struct model_op *kept, const struct cause *own)
{
    struct causes causes = {0};
    struct causes drains = {0};
    if (own != NULL) {
        add_cause(&causes, own, 0);
    }
    add_drains(model, kept, &drains);
    causes = causes.first.code == CAUSE_UNSET ? drains : causes;
    if (causes.first.code != CAUSE_UNSET) {
        struct cause cause = chosen_cause(request, &causes);
        uint64_t record = model_record_cancel(model, kept, &cause, own != NULL);
        model_bulk_note_drained(model, kept, &cause);
        (void) model_cancel(model, kept, &cause, record);
    }
}

/* A kept one, that nobody owns. */
static bool adopt_kept(struct model *model, struct model_request *request, const struct op *op,
                       struct model_op *kept, struct result *result)
{
    const struct model_session *session = model_find_session(model, request->session);
    const struct result *seen = model_seen(request);
    const char *limit =
        seen != NULL && seen->answer == ANSWER_FULL ? model_store_limit(model, request, op) : NULL;
    if (limit != NULL) {
        return model_full(result, limit);
    }
    kept->owner = request->session;
    kept->owner_name = session->name;
    note_working_bulks(model, kept);
    kept->on_expiry = op->as.store.on_expiry;
    kept->on_owner_loss = op->as.store.on_owner_loss;
    kept->stop_grace_ms = op->as.store.stop_grace_ms == 0 ? model->config.limits.grace_ms
                                                          : op->as.store.stop_grace_ms;
    if (op->as.store.ttl_ms != 0) {
        kept->ttl_end_ms = model->now_ms + op->as.store.ttl_ms;
    }
    if (kept->state == STATE_CANCELLING) {
        model_notice_add(model, kept, NOTICE_CANCEL);
    } else if (op->as.store.cause_code != CAUSE_UNSET) {
        struct cause own = op->as.store.cause;
        own.code = (enum cause_code) op->as.store.cause_code;
        cancel_kept(model, request, kept, &own);
    } else {
        cancel_kept(model, request, kept, NULL);
    }
    return adopted(model, kept, result);
}

bool model_handle_adopt(struct model *model, struct model_request *request, const struct op *op,
                        struct result *result)
{
    struct model_op *found = model_find_gen(model, op->gen);
    struct bytes space = model_space(request, op);
    if (op->gen > model->gen_newest || op->as.store.parent > model->gen_newest) {
        return model_answered(result, ANSWER_STALE_EPOCH);
    }
    /* What there is in another namespace is nobody's to learn here. */
    if (found != NULL && model_op_is_live(found) && bytes_equal(found->space, space) &&
        !bytes_equal(found->key, op->key)) {
        return model_answered(result, ANSWER_NOT_FOUND);
    }
    if (found == NULL && op->gen < model->gen_first) {
        return adopt_new(model, request, op, result);
    }
    found = model_by_gen(model, request, op, result);
    if (found == NULL) {
        return true;
    }
    if (found->owner == request->session) {
        return adopted(model, found, result);
    }
    if (found->owner == 0) {
        return adopt_kept(model, request, op, found, result);
    }
    result->gen = found->gen;
    result->state = found->state;
    return model_answered(result, ANSWER_EXISTS);
}
