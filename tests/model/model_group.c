/* SPDX-License-Identifier: MIT */
/* Bulk cancels: what they cover, in which steps, and what they answer. */
#include "base/check.h"
#include "model/model_parts.h"

#include <string.h>

static bool has_label(const struct model_op *op, struct bytes label)
{
    for (size_t i = 0; i < op->labels_count; i++) {
        if (bytes_equal(op->labels[i], label)) {
            return true;
        }
    }
    return false;
}

bool model_bulk_covers(const struct model_bulk *bulk, const struct model_op *op)
{
    if (op->gen > bulk->fence || (bulk->scope != BULK_DAEMON && bulk->space.size > 0 &&
                                  !bytes_equal(op->space, bulk->space))) {
        return false;
    }
    switch (bulk->scope) {
    case BULK_LABEL:
        return has_label(op, bulk->label);
    case BULK_OWNER:
        return op->owner == bulk->owner || op->previous_session == bulk->owner;
    case BULK_KEY:
        return bytes_equal(op->key, bulk->key) && op->gen > bulk->after_gen;
    default:
        return true;
    }
}

struct model_bulk *model_find_bulk(const struct model *model, uint64_t number)
{
    for (size_t i = 0; i < model->bulks.count; i++) {
        struct model_bulk *bulk = list_at(&model->bulks, i);
        if (bulk->number == number) {
            return bulk;
        }
    }
    return NULL;
}

static bool is_to_be_reached(const struct model *model, const struct model_target *target)
{
    if (target->was_reached || target->settled) {
        return false;
    }
    const struct model_op *op = model_find_gen(model, target->result.gen);
    return op != NULL && op->state == STATE_LIVE;
}

static bool cause_equal(const struct cause *a, const struct cause *b)
{
    return a->code == b->code && bytes_equal(a->text, b->text) && bytes_equal(a->actor, b->actor) &&
           bytes_equal(a->peer, b->peer);
}

struct model_bulk *model_bulk_for(const struct model *model, const struct model_event *event,
                                  struct model_target **target_out)
{
    for (size_t i = 0; i < model->bulks.count; i++) {
        struct model_bulk *bulk = list_at(&model->bulks, i);
        for (size_t j = 0; bulk->is_working && j < bulk->targets.count; j++) {
            struct model_target *target = list_at(&bulk->targets, j);
            bool fits = event == NULL || (target->result.gen == event->event.gen &&
                                          cause_equal(&bulk->cause, &event->event.cause));
            if (fits && is_to_be_reached(model, target)) {
                *target_out = target;
                return bulk;
            }
        }
    }
    return NULL;
}

bool model_bulk_is_done(const struct model *model, const struct model_bulk *bulk)
{
    for (size_t i = 0; i < bulk->targets.count; i++) {
        if (is_to_be_reached(model, list_at(&bulk->targets, i))) {
            return false;
        }
    }
    return true;
}

/* Which of two at work with the same cause was there first cannot be seen: their answers say it. */
static void note_shared(const struct model *model, const struct model_bulk *bulk,
                        struct model_target *target)
{
    for (size_t i = 0; i < model->bulks.count; i++) {
        struct model_bulk *other = list_at(&model->bulks, i);
        for (size_t j = 0; other != bulk && other->is_working && j < other->targets.count; j++) {
            struct model_target *theirs = list_at(&other->targets, j);
            if (theirs->result.gen == target->result.gen && !theirs->settled &&
                cause_equal(&other->cause, &bulk->cause)) {
                theirs->is_shared = true;
                target->is_shared = true;
            }
        }
    }
}

/* Gives a shared target to the one, or to the other. */
static void flip(const struct model *model, struct model_target *target)
{
    target->was_reached = !target->was_reached;
    for (size_t i = 0; i < model->bulks.count; i++) {
        struct model_bulk *other = list_at(&model->bulks, i);
        for (size_t j = 0; j < other->targets.count; j++) {
            struct model_target *theirs = list_at(&other->targets, j);
            if (theirs != target && theirs->is_shared && theirs->result.gen == target->result.gen) {
                theirs->was_reached = !target->was_reached;
            }
        }
    }
}

static uint64_t count_requested(const struct model_bulk *bulk)
{
    uint64_t count = 0;
    for (size_t i = 0; i < bulk->targets.count; i++) {
        count += ((struct model_target *) list_at(&bulk->targets, i))->was_reached;
    }
    return count;
}

/* What the answer says of it: REQUESTED, ALREADY_REQUESTED, or nothing (UNSET). */
static enum answer said_of(const struct model_target *target, const struct result *seen)
{
    for (size_t i = 0; i < seen->gens_count; i++) {
        enum answer answer = seen->gens[i].answer;
        if (seen->gens[i].gen == target->result.gen &&
            (answer == ANSWER_REQUESTED || answer == ANSWER_ALREADY_REQUESTED)) {
            return answer;
        }
    }
    return ANSWER_UNSET;
}

void model_bulk_follow(const struct model *model, struct model_bulk *bulk,
                       const struct result *seen)
{
    for (size_t i = 0; seen != NULL && i < bulk->targets.count; i++) {
        struct model_target *target = list_at(&bulk->targets, i);
        enum answer said = target->is_shared ? said_of(target, seen) : ANSWER_UNSET;
        if (said != ANSWER_UNSET && (said == ANSWER_REQUESTED) != target->was_reached) {
            flip(model, target);
        }
    }
    /* Those that it does not name, because they are too many, it counts. */
    for (size_t i = 0; seen != NULL && i < bulk->targets.count; i++) {
        struct model_target *target = list_at(&bulk->targets, i);
        uint64_t count = count_requested(bulk);
        bool more = count < seen->requested && !target->was_reached;
        bool fewer = count > seen->requested && target->was_reached;
        if (target->is_shared && said_of(target, seen) == ANSWER_UNSET && (more || fewer)) {
            flip(model, target);
        }
    }
}

void model_bulk_reach(struct model *model, struct model_bulk *bulk, struct model_target *target)
{
    struct model_op *op = model_find_gen(model, target->result.gen);
    struct cause cause = bulk->cause;
    target->was_reached = true;
    note_shared(model, bulk, target);
    (void) model_cancel(model, op, &cause, bulk->record);
}

void model_bulk_note_drained(struct model *model, const struct model_op *op,
                             const struct cause *cause)
{
    for (size_t i = 0; i < model->bulks.count; i++) {
        struct model_bulk *bulk = list_at(&model->bulks, i);
        for (size_t j = 0; bulk->is_drain && bulk->is_working && j < bulk->targets.count; j++) {
            struct model_target *target = list_at(&bulk->targets, j);
            if (target->result.gen == op->gen && cause_equal(&bulk->cause, cause)) {
                target->was_reached = true;
                note_shared(model, bulk, target);
            }
        }
    }
}

void model_bulk_note_change(struct model *model, const struct model_op *op)
{
    for (size_t i = 0; i < model->bulks.count; i++) {
        struct model_bulk *bulk = list_at(&model->bulks, i);
        for (size_t j = 0; bulk->is_working && j < bulk->targets.count; j++) {
            struct model_target *target = list_at(&bulk->targets, j);
            if (target->result.gen == op->gen && !model_op_is_live(op)) {
                target->settled = true;
                target->may_be_counted = !target->was_reached && op->cause.code != CAUSE_UNSET;
                target->result.outcome = op->outcome;
                target->result.level = op->level;
            }
        }
    }
}

/* ---- how many there are ---- */

static bool is_drain_there(const struct model *model, const struct model_bulk *bulk)
{
    for (size_t i = 0; i < model->parked.count; i++) {
        if (((struct model_parked *) list_at(&model->parked, i))->bulk == bulk->number) {
            return true;
        }
    }
    return model_drain_of(model, bulk->space, bulk->owner, bulk->scope) != NULL;
}

static bool is_kept(const struct model *model, const struct model_bulk *bulk, bool at_most)
{
    if (bulk->is_covering || bulk->is_recovered || bulk->is_working) {
        return true;
    }
    /* A drain may keep its own as long as it is in force, or waited for. */
    if (bulk->is_drain && at_most && is_drain_there(model, bulk)) {
        return true;
    }
    for (size_t i = 0; i < bulk->targets.count; i++) {
        const struct model_target *target = list_at(&bulk->targets, i);
        const struct model_op *op = model_find_gen(model, target->result.gen);
        if (op != NULL && (at_most || (target->was_reached && model_op_is_live(op)))) {
            return true;
        }
    }
    return false;
}

static size_t count_bulks(const struct model *model, bool at_most)
{
    size_t count = 0;
    for (size_t i = 0; i < model->bulks.count; i++) {
        count += is_kept(model, list_at(&model->bulks, i), at_most);
    }
    return count;
}

static void forget_bulks(struct model *model)
{
    for (size_t i = model->bulks.count; i > 0; i--) {
        struct model_bulk *bulk = list_at(&model->bulks, i - 1);
        if (!is_kept(model, bulk, true)) {
            list_fini(&bulk->targets);
            list_remove(&model->bulks, i - 1);
        }
    }
}

/* Whether the real registry may, or has to, say that there are too many. */
bool model_bulks_are_full(struct model *model, bool was_seen)
{
    forget_bulks(model);
    uint64_t limit = model->config.limits.bulks;
    return count_bulks(model, false) >= limit || (was_seen && count_bulks(model, true) >= limit);
}

/* ---- acceptance ---- */

/* An earlier cancel of the key that covers all of it already, NULL for none. */
static const struct model_bulk *covered_already(const struct model *model,
                                                const struct model_bulk *bulk)
{
    for (size_t i = 0; i < model->bulks.count && bulk->scope == BULK_KEY; i++) {
        const struct model_bulk *older = list_at(&model->bulks, i);
        if (older->scope == BULK_KEY && older->is_covering && older->number < bulk->number &&
            bytes_equal(older->space, bulk->space) && bytes_equal(older->key, bulk->key) &&
            older->after_gen <= bulk->after_gen) {
            return older;
        }
    }
    return NULL;
}

struct model_bulk *model_add_bulk(struct model *model, const struct model_bulk *wanted)
{
    struct model_bulk *bulk = list_push(&model->bulks);
    *bulk = *wanted;
    bulk->number = ++model->bulks_given;
    bulk->is_working = true;
    bulk->fence = model->gen_newest;
    bulk->is_covering = bulk->is_covering || model_is_recovering(model);
    list_init(&bulk->targets, sizeof(struct model_target));
    for (size_t i = 0; i < model->ops.count; i++) {
        const struct model_op *op = model_op_at(model, i);
        if (model_op_is_live(op) && op->owner == 0 && bulk->scope == BULK_OWNER) {
            continue;
        }
        if (model_op_is_live(op) && model_bulk_covers(bulk, op)) {
            ((struct model_target *) list_push(&bulk->targets))->result.gen = op->gen;
        }
    }
    struct journal_record record = {
        .kind = JOURNAL_BULK,
        .space = bulk->space,
        .key = bulk->key,
        .label = bulk->label,
        .scope = bulk->scope,
        .owner = bulk->owner,
        .fence = bulk->fence,
        .after_gen = bulk->after_gen,
        .cause = bulk->cause,
    };
    const struct model_bulk *older = covered_already(model, bulk);
    bool must = bulk->targets.count > 0 || model_is_recovering(model);
    bulk->record = model_record(model, &record, must && older == NULL);
    if (bulk->record == 0 && older != NULL) {
        bulk->record = older->record;
    }
    return bulk;
}

static struct model_bulk wanted_bulk(const struct model_request *request, const struct op *op)
{
    struct model_bulk wanted = {
        .scope = op->as.cancel.label.size > 0 ? BULK_LABEL
                 : op->as.cancel.owner != 0   ? BULK_OWNER
                                              : BULK_SPACE,
        .space = model_space(request, op),
        .label = op->as.cancel.label,
        .owner = op->as.cancel.owner,
        .cause = model_cause_of(request, op->as.cancel.cause_code, &op->as.cancel.cause),
    };
    return wanted;
}

static bool was_full_of(const struct model_request *request, const char *limit)
{
    const struct result *seen = model_seen(request);
    return seen != NULL && seen->answer == ANSWER_FULL && seen->limit != NULL &&
           strcmp(seen->limit, limit) == 0;
}

/* A bound that the real registry met, and might: what is parked for no time may park or not. */
static const char *parks_full_as_seen(struct model *model, const struct model_request *request)
{
    const char *limit = model_parked_full(model, request);
    return limit != NULL && was_full_of(request, limit) ? limit : NULL;
}

/* Whether there will be something to keep it for. */
static bool is_kept_on(const struct model *model, const struct model_bulk *wanted)
{
    struct model_bulk bulk = *wanted;
    bulk.fence = model->gen_newest;
    for (size_t i = 0; i < model->ops.count; i++) {
        const struct model_op *op = model_op_at(model, i);
        if (op->state == STATE_LIVE && model_bulk_covers(&bulk, op) &&
            (op->owner != 0 || bulk.scope != BULK_OWNER)) {
            return true;
        }
    }
    return model_is_recovering(model);
}

bool model_cancel_bulk(struct model *model, struct model_request *request, const struct op *op,
                       struct result *result)
{
    struct model_bulk wanted = wanted_bulk(request, op);
    const char *limit = model_journal_limit(model, request, true);
    limit = limit != NULL ? limit : parks_full_as_seen(model, request);
    if (limit != NULL) {
        return model_full(result, limit);
    }
    const struct result *seen = model_seen(request);
    bool was_refused =
        was_full_of(request, "bulks") || (seen != NULL && seen->answer == ANSWER_RECOVERING);
    if (model_bulks_are_full(model, was_refused) && (was_refused || is_kept_on(model, &wanted))) {
        return model_is_recovering(model) ? model_recovering(model, result)
                                          : model_full(result, "bulks");
    }
    struct model_bulk *bulk = model_add_bulk(model, &wanted);
    struct model_parked parked = model_parked_of(model, request, op, 0);
    parked.deadline_ms = TIME_NEVER;
    parked.bulk = bulk->number;
    return model_park(model, &parked);
}

/* ---- the answer ---- */

struct bulk_count {
    uint64_t requested;
    uint64_t already;
    uint64_t already_maybe;
};

static struct bulk_count count_bulk(const struct model_bulk *bulk)
{
    struct bulk_count count = {0};
    for (size_t i = 0; i < bulk->targets.count; i++) {
        const struct model_target *target = list_at(&bulk->targets, i);
        count.requested += target->was_reached;
        count.already += !target->was_reached && !target->settled;
        count.already_maybe += target->may_be_counted;
    }
    return count;
}

static const struct model_target *target_of(const struct model_bulk *bulk, uint64_t gen)
{
    for (size_t i = 0; i < bulk->targets.count; i++) {
        const struct model_target *target = list_at(&bulk->targets, i);
        if (target->result.gen == gen) {
            return target;
        }
    }
    return NULL;
}

/* Whether it is what the bulk cancel found there. */
static bool gen_is_true(const struct model *model, const struct model_bulk *bulk,
                        const struct gen_result *gen)
{
    const struct model_target *target = target_of(bulk, gen->gen);
    const struct model_op *op = model_find_gen(model, gen->gen);
    if (target == NULL || (op != NULL && gen->key.size > 0 && !bytes_equal(gen->key, op->key)) ||
        (op != NULL && model_op_is_live(op) && gen->key.size == 0)) {
        return false;
    }
    bool counted = target->was_reached || !target->settled || target->may_be_counted;
    enum answer answer = target->was_reached ? ANSWER_REQUESTED : ANSWER_ALREADY_REQUESTED;
    enum outcome outcome = op != NULL ? op->outcome : target->result.outcome;
    enum level level = op != NULL ? op->level : target->result.level;
    return counted && gen->answer == answer && gen->level >= LEVEL_RECORDED &&
           gen->level <= level && (gen->outcome == OUTCOME_UNSET || gen->outcome == outcome) &&
           gen->state == STATE_UNSET;
}

static bool gens_are_true(const struct model *model, const struct model_bulk *bulk,
                          const struct result *seen)
{
    uint64_t sum = seen->requested + seen->already_requested;
    if (seen->gens_count != (sum < BULK_RESULTS_MAX ? sum : BULK_RESULTS_MAX)) {
        return false;
    }
    for (size_t i = 0; i < seen->gens_count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (seen->gens[i].gen == seen->gens[j].gen) {
                return false;
            }
        }
        if (!gen_is_true(model, bulk, &seen->gens[i])) {
            return false;
        }
    }
    return true;
}

/* The gens of a bulk cancel, as the model would list them. */
static void list_gens(struct model *model, const struct model_bulk *bulk, struct result *result)
{
    struct gen_result *gens = arena_take(&model->arena, bulk->targets.count * sizeof *gens);
    result->gens = gens;
    for (size_t i = 0; i < bulk->targets.count && result->gens_count < BULK_RESULTS_MAX; i++) {
        const struct model_target *target = list_at(&bulk->targets, i);
        const struct model_op *op = model_find_gen(model, target->result.gen);
        if (op != NULL && (target->was_reached || !target->settled)) {
            gens[result->gens_count++] = (struct gen_result){
                .gen = op->gen,
                .answer = target->was_reached ? ANSWER_REQUESTED : ANSWER_ALREADY_REQUESTED,
                .level = op->level,
                .outcome = op->outcome,
                .key = op->key,
            };
        }
    }
}

/* Somebody is told of these cancels by a cancel: of one that has no record of its own, it is made now. */
static void note_told(struct model *model, const struct model_bulk *bulk)
{
    for (size_t i = 0; i < bulk->targets.count; i++) {
        const struct model_target *target = list_at(&bulk->targets, i);
        struct model_op *op = model_find_gen(model, target->result.gen);
        if (op != NULL && op->state == STATE_CANCELLING) {
            op->is_told = true;
        }
    }
}

void model_bulk_finish(struct model *model, struct model_bulk *bulk)
{
    struct journal_record record = {.kind = JOURNAL_BULK_DONE,
                                    .requested = count_bulk(bulk).requested};
    bool is_shared = false;
    for (size_t i = 0; i < bulk->targets.count; i++) {
        is_shared = is_shared || ((struct model_target *) list_at(&bulk->targets, i))->is_shared;
    }
    (void) model_record(model, &record, bulk->record != 0 && !is_shared);
    bulk->is_working = false;
}

bool model_bulk_result(struct model *model, const struct model_parked *parked,
                       struct result *result)
{
    struct model_bulk *bulk = model_find_bulk(model, parked->bulk);
    const struct reply *reply = model->port.seen(model->port.context, &parked->to);
    const struct result *seen =
        reply != NULL && reply->results_count == 1 ? &reply->results[0] : NULL;
    model_bulk_follow(model, bulk, seen);
    struct bulk_count count = count_bulk(bulk);
    *result = (struct result){.requested = count.requested,
                              .already_requested = count.already,
                              .level = LEVEL_RECORDED,
                              .journaled = model->port.has_journal};
    bool fits = seen != NULL && seen->already_requested >= count.already &&
                seen->already_requested <= count.already + count.already_maybe &&
                seen->requested == count.requested && gens_are_true(model, bulk, seen);
    if (fits) {
        result->gens = seen->gens;
        result->gens_count = seen->gens_count;
        result->already_requested = seen->already_requested;
    } else {
        list_gens(model, bulk, result);
    }
    note_told(model, bulk);
    result->answer = result->requested > 0           ? ANSWER_REQUESTED
                     : result->already_requested > 0 ? ANSWER_ALREADY_REQUESTED
                                                     : ANSWER_NOT_FOUND;
    if (result->answer == ANSWER_NOT_FOUND) {
        result->level = LEVEL_NONE;
        /* In the recovery time it is kept for what is adopted later. */
        result->journaled =
            result->journaled && model_is_recovering(model) && seen != NULL && seen->journaled;
    }
    return true;
}

/* ---- drains ---- */

static struct model_drain *find_drain(const struct model *model, enum bulk_scope scope,
                                      struct bytes space, uint64_t owner)
{
    for (size_t i = 0; i < model->drains.count; i++) {
        struct model_drain *drain = list_at(&model->drains, i);
        if (drain->scope == scope && (scope == BULK_DAEMON || bytes_equal(drain->space, space)) &&
            (scope != BULK_OWNER || drain->owner == owner)) {
            return drain;
        }
    }
    return NULL;
}

const struct model_drain *model_drain_of(const struct model *model, struct bytes space,
                                         uint64_t session, enum bulk_scope scope)
{
    return find_drain(model, scope, space, session);
}

bool model_is_drained(const struct model *model, struct bytes space, uint64_t session)
{
    return find_drain(model, BULK_SPACE, space, 0) != NULL ||
           find_drain(model, BULK_OWNER, space, session) != NULL ||
           find_drain(model, BULK_DAEMON, space, 0) != NULL;
}
