/* SPDX-License-Identifier: MIT */
/* What each op does and answers: the table at the end, and what it calls. */
#include "base/check.h"
#include "model/model_parts.h"

#include <string.h>

bool model_answered(struct result *result, enum answer answer)
{
    result->answer = answer;
    return true;
}

struct bytes model_space(const struct model_request *request, const struct op *op)
{
    return op->space.size > 0 ? op->space : request->space;
}

/* What the real registry answered to this op, or NULL. */
const struct result *model_seen(const struct model_request *request)
{
    const struct reply *seen = request->seen;
    return seen != NULL && request->index < seen->results_count ? &seen->results[request->index]
                                                                : NULL;
}

/* Some answers may say which gen they are about, or leave it out, as the caller knows it. */
static uint64_t gen_as_seen(const struct model_request *request, uint64_t gen)
{
    const struct result *seen = model_seen(request);
    return seen == NULL || seen->gen == gen ? gen : 0;
}

/* ---- open, close, ping, stats ---- */

static bool opened(struct model *model, const struct model_session *session, bool resumed,
                   struct result *result)
{
    struct opened *out = arena_take(&model->arena, sizeof *out);
    *out = (struct opened){
        .session = session->number,
        .epoch = model->epoch,
        .grace_ms = (uint32_t) model->config.limits.grace_ms,
        .finished_ms = (uint32_t) model->config.limits.finished_ms,
        .parked_max = (uint32_t) model->config.limits.parked_session,
        .resumed = resumed,
        .space = session->space,
    };
    memcpy(out->secret, session->secret, SECRET_BYTES);
    result->opened = out;
    return model_answered(result, ANSWER_OPENED);
}

void model_bind_session(struct model *model, struct model_session *session, uint64_t link)
{
    session->link = link;
    session->grace_end_ms = TIME_NEVER;
    session->silence_end_ms =
        session->heartbeat_ms == 0 ? TIME_NEVER : model->now_ms + 3 * session->heartbeat_ms;
    model_find_link(model, link)->opened = true;
}

static bool resume(struct model *model, const struct model_request *request, const struct op *op,
                   struct result *result)
{
    struct model_session *session = model_find_session(model, op->as.open.resume_session);
    if (session == NULL ||
        memcmp(session->secret, op->as.open.resume_secret.data, SECRET_BYTES) != 0) {
        return model_answered(result, ANSWER_SESSION_LOST);
    }
    model_bind_session(model, session, request->from->link);
    return opened(model, session, true, result);
}

/* A number that was never given before, with a secret that is none of the others'. */
static bool is_fresh(const struct model *model, const struct opened *theirs)
{
    for (size_t i = 0; i < model->numbers.count; i++) {
        if (*(uint64_t *) list_at(&model->numbers, i) == theirs->session) {
            return false;
        }
    }
    for (size_t i = 0; i < model->sessions.count; i++) {
        const struct model_session *session = list_at(&model->sessions, i);
        if (memcmp(session->secret, theirs->secret, SECRET_BYTES) == 0) {
            return false;
        }
    }
    static const uint8_t none[SECRET_BYTES];
    return theirs->session != 0 && memcmp(none, theirs->secret, SECRET_BYTES) != 0;
}

static bool handle_open(struct model *model, struct model_request *request, const struct op *op,
                        struct result *result)
{
    const struct result *seen = model_seen(request);
    struct bytes peer = request->peer;
    if (op->as.open.resume_session != 0) {
        return resume(model, request, op, result);
    }
    if (op->as.open.token.size > 0 && model->port.token != NULL) {
        peer = model->port.token(model->port.context, op->as.open.token);
        if (peer.size == 0) {
            return model_answered(result, ANSWER_DENIED);
        }
    }
    if (model->port.roles != NULL &&
        model->port.roles(model->port.context, peer, model_space(request, op)) == 0) {
        return model_answered(result, ANSWER_DENIED);
    }
    if (model->sessions.count >= model->config.limits.sessions) {
        return model_full(result, "sessions");
    }
    const char *limit = model_full_as_seen(model, request, model_space(request, op));
    if (limit != NULL) {
        return model_full(result, limit);
    }
    struct model_session *session = list_push(&model->sessions);
    *session = (struct model_session){
        .space = model_space(request, op),
        .peer = peer,
        .name = op->as.open.client_name,
        .heartbeat_ms = op->as.open.heartbeat_ms,
    };
    if (seen != NULL && seen->opened != NULL && is_fresh(model, seen->opened)) {
        session->number = seen->opened->session;
        memcpy(session->secret, seen->opened->secret, SECRET_BYTES);
    }
    *(uint64_t *) list_push(&model->numbers) = session->number;
    list_init(&session->answers, sizeof(struct model_answer));
    model_bind_session(model, session, request->from->link);
    return opened(model, session, false, result);
}

static bool handle_close(struct model *model, struct model_request *request, const struct op *op,
                         struct result *result)
{
    (void) model;
    (void) op;
    request->closed = request->session;
    return model_answered(result, ANSWER_CLOSED);
}

static bool handle_ping(struct model *model, struct model_request *request, const struct op *op,
                        struct result *result)
{
    (void) model;
    (void) request;
    (void) op;
    return model_answered(result, ANSWER_PONG);
}

/* The rows are nobody's to compare, and left out of the encoded form; it wants to see one. */
static bool handle_stats(struct model *model, struct model_request *request, const struct op *op,
                         struct result *result)
{
    static const struct stat_row row = {.name = "rows"};
    (void) model;
    (void) request;
    (void) op;
    result->stats = &row;
    result->stats_count = 1;
    return model_answered(result, ANSWER_STATS);
}

/* ---- by key and gen ---- */

/* The highest gen of the key that is live or remembered, if it is above; 0 for none. */
static uint64_t higher_gen(const struct model *model, struct bytes space, const struct op *op)
{
    const struct model_op *live = model_current(model, space, op->key);
    const struct model_op *ended = model_newest_ended(model, space, op->key, op->gen);
    uint64_t highest = live != NULL && live->gen > op->gen ? live->gen : 0;
    return ended != NULL && ended->gen > highest ? ended->gen : highest;
}

/* The live operation of that gen; else NULL, and what there is to say: ENDED with its end, STALE_GEN,
 * NOT_FOUND or STALE_EPOCH. */
struct model_op *model_by_gen(const struct model *model, const struct model_request *request,
                              const struct op *op, struct result *result)
{
    struct bytes space = model_space(request, op);
    if (op->gen > model->gen_newest) {
        result->answer = ANSWER_STALE_EPOCH;
        return NULL;
    }
    struct model_op *found = model_find_op(model, space, op->key, op->gen);
    if (found != NULL && model_op_is_live(found)) {
        return found;
    }
    if (found != NULL) {
        *result = (struct result){.answer = ANSWER_ENDED,
                                  .gen = found->gen,
                                  .outcome = found->outcome,
                                  .cause = found->cause};
        return NULL;
    }
    const struct result *seen = model_seen(request);
    bool is_of_another = model_find_gen(model, op->gen) != NULL && op->gen < model->gen_first &&
                         model_is_recovering(model);
    if (model_may_come(model, op->gen) ||
        (is_of_another && seen != NULL && seen->answer == ANSWER_RECOVERING)) {
        (void) model_recovering(model, result);
        return NULL;
    }
    result->gen = higher_gen(model, space, op);
    result->answer = result->gen == 0 ? ANSWER_NOT_FOUND : ANSWER_STALE_GEN;
    return NULL;
}

static bool handle_delete(struct model *model, struct model_request *request, const struct op *op,
                          struct result *result)
{
    struct model_op *found = model_by_gen(model, request, op, result);
    if (found == NULL) {
        return true;
    }
    result->cancelled = found->state == STATE_CANCELLING;
    result->cause = found->cause;
    result->gen = gen_as_seen(request, found->gen);
    result->by_owner = found->owner == request->session;
    model_end(model, found, op->as.delete.outcome, result->by_owner);
    return model_answered(result, ANSWER_DELETED);
}

static bool handle_touch(struct model *model, struct model_request *request, const struct op *op,
                         struct result *result)
{
    struct model_op *found = model_by_gen(model, request, op, result);
    if (found == NULL) {
        return true;
    }
    if (found->ttl_end_ms == TIME_NEVER) {
        result->error = (struct error){.code = ERROR_FIELD, .field = "ttl_ms", .text = "ttl_ms"};
        return model_answered(result, ANSWER_ERROR);
    }
    found->ttl_end_ms = model->now_ms + op->as.touch.ttl_ms;
    result->by_owner = found->owner == request->session;
    if (found->state == STATE_CANCELLING) {
        result->gen = found->gen;
        result->cause = found->cause;
        return model_answered(result, ANSWER_CANCELLING);
    }
    result->gen = gen_as_seen(request, found->gen);
    return model_answered(result, ANSWER_TOUCHED);
}

/* The operation that get and wait mean; else NULL, and the answer. */
static struct model_op *meant(const struct model *model, const struct model_request *request,
                              const struct op *op, struct result *result)
{
    struct bytes space = model_space(request, op);
    struct model_op *found;
    if (op->gen == 0) {
        found = model_current(model, space, op->key);
        found = found != NULL ? found : model_newest_ended(model, space, op->key, 0);
        result->answer = ANSWER_NOT_FOUND;
        if (found == NULL && model_is_recovering(model)) {
            (void) model_recovering(model, result);
        }
        return found;
    }
    found = model_by_gen(model, request, op, result);
    return result->answer == ANSWER_ENDED ? model_find_op(model, space, op->key, op->gen) : found;
}

static bool handle_get(struct model *model, struct model_request *request, const struct op *op,
                       struct result *result)
{
    const struct model_op *found = meant(model, request, op, result);
    if (found == NULL) {
        return true;
    }
    struct operation_info *info = arena_take(&model->arena, sizeof *info);
    *info = model_info(model, found);
    *result = (struct result){
        .gen = gen_as_seen(request, found->gen), .operations = info, .operations_count = 1};
    return model_answered(result, ANSWER_FOUND);
}

/* The bound of parked requests that one more would break, NULL for none. */
const char *model_parked_full(const struct model *model, const struct model_request *request)
{
    if (model_parked_count(model, request->session, request->from->link) >=
        model->config.limits.parked_session) {
        return "parked_session";
    }
    return model->parked.count >= model->config.limits.parked ? "parked" : NULL;
}

/* Gens that parked requests wait for: with `at_most` those too that have ended, or need not be waited for
 * any more, for which a place may still be kept. */
static uint64_t awaited_gens(const struct model *model, bool at_most)
{
    uint64_t gens = 0;
    for (size_t i = 0; i < model->parked.count; i++) {
        const struct model_parked *parked = list_at(&model->parked, i);
        gens += parked->kind == OP_WAIT ? 1 : 0;
        for (size_t j = 0; j < parked->targets.count; j++) {
            const struct model_target *target = list_at(&parked->targets, j);
            bool waits =
                !target->settled && !target->no_owner && target->result.level < parked->level;
            gens += at_most || waits ? 1 : 0;
        }
    }
    return gens;
}

const char *model_gens_full(const struct model *model, const struct model_request *request,
                            size_t more)
{
    const struct result *seen = model_seen(request);
    bool named = seen != NULL && seen->limit != NULL && strcmp(seen->limit, "parked_gens") == 0;
    return awaited_gens(model, named) + more > model->config.limits.parked_gens ? "parked_gens"
                                                                                : NULL;
}

bool model_park(struct model *model, const struct model_parked *parked)
{
    *(struct model_parked *) list_push(&model->parked) = *parked;
    return false;
}

struct model_parked model_parked_of(const struct model *model, const struct model_request *request,
                                    const struct op *op, uint64_t wait_ms)
{
    return (struct model_parked){
        .kind = op->kind,
        .to = *request->from,
        .session = request->session,
        .request_id = request->frame->request_id,
        .deadline_ms = model->now_ms + wait_ms,
        .space = model_space(request, op),
        .key = op->key,
    };
}

static bool handle_wait(struct model *model, struct model_request *request, const struct op *op,
                        struct result *result)
{
    const struct model_op *found = meant(model, request, op, result);
    if (found == NULL) {
        return true;
    }
    struct model_parked wait = model_parked_of(model, request, op, op->as.wait.deadline_ms);
    wait.gen = found->gen;
    wait.until = op->as.wait.until;
    if (model_wait_result(model, &wait, result) || op->as.wait.deadline_ms == 0) {
        return true;
    }
    const char *limit = model_parked_full(model, request);
    limit = limit != NULL ? limit : model_gens_full(model, request, 1);
    return limit != NULL ? model_full(result, limit) : model_park(model, &wait);
}

/* ---- poll ---- */

static void acknowledge(struct model *model, uint64_t session, const struct notice_ack *ack)
{
    for (size_t i = 0; i < model->ops.count; i++) {
        struct model_op *op = model_op_at(model, i);
        if (op->gen != ack->gen || op->owner != session) {
            continue;
        }
        if (ack->kind == NOTICE_CANCEL && op->notice_cancel != 0 &&
            op->notice_cancel != NOTICE_UNTOLD) {
            op->notice_cancel = 0;
            op->level = model_op_is_live(op) ? LEVEL_DELIVERED : op->level;
        }
        if (ack->kind == NOTICE_ENDED && op->notice_ended != 0 &&
            op->notice_ended != NOTICE_UNTOLD) {
            op->notice_ended = 0;
            op->notice_cancel = 0;
        }
    }
}

static bool handle_poll(struct model *model, struct model_request *request, const struct op *op,
                        struct result *result)
{
    for (size_t i = 0; i < op->as.poll.acks_count; i++) {
        acknowledge(model, request->session, &op->as.poll.acks[i]);
    }
    model_memory_trim(model);
    for (size_t i = model->parked.count; i > 0; i--) {
        const struct model_parked *older = list_at(&model->parked, i - 1);
        if (older->kind == OP_POLL && older->session == request->session) {
            model_timed_out(model, i - 1);
        }
    }
    uint64_t wait_ms = op->as.poll.wait_ms < POLL_MS_MAX ? op->as.poll.wait_ms : POLL_MS_MAX;
    model_notices(model, request->session, op->as.poll.after, request->seen, result);
    if (result->notices_count > 0 || wait_ms == 0) {
        return true;
    }
    const char *limit = model_parked_full(model, request);
    if (limit != NULL) {
        return model_full(result, limit);
    }
    struct model_parked poll = model_parked_of(model, request, op, wait_ms);
    poll.after = op->as.poll.after;
    return model_park(model, &poll);
}

/* ---- the table ---- */

static const struct {
    bool (*handle)(struct model *model, struct model_request *request, const struct op *op,
                   struct result *result);
    bool needs_session;
    bool is_alone;
    bool is_mutating;
} rows[OP_END] = {
    [OP_OPEN] = {.handle = handle_open, .is_alone = true},
    [OP_STORE] = {.handle = model_handle_store, .needs_session = true, .is_mutating = true},
    [OP_CANCEL] = {.handle = model_handle_cancel, .is_mutating = true},
    [OP_DELETE] = {.handle = handle_delete, .needs_session = true, .is_mutating = true},
    [OP_TOUCH] = {.handle = handle_touch, .needs_session = true, .is_mutating = true},
    [OP_POLL] = {.handle = handle_poll, .needs_session = true, .is_alone = true},
    [OP_WAIT] = {.handle = handle_wait, .is_alone = true},
    [OP_GET] = {.handle = handle_get},
    [OP_LIST] = {.handle = model_handle_list, .is_alone = true},
    [OP_COUNT] = {.handle = model_handle_count},
    [OP_ARMED] = {.handle = model_handle_armed, .is_alone = true},
    [OP_DISARM] = {.handle = model_handle_disarm, .is_mutating = true},
    [OP_PING] = {.handle = handle_ping},
    [OP_STATS] = {.handle = handle_stats},
    [OP_CLOSE] = {.handle = handle_close, .needs_session = true, .is_mutating = true},
    [OP_ADOPT] = {.handle = model_handle_adopt, .needs_session = true, .is_mutating = true},
    [OP_DETACH] = {.handle = model_handle_detach, .needs_session = true, .is_mutating = true},
    [OP_WATCH] = {.handle = model_handle_watch, .is_alone = true},
    [OP_DRAIN] = {.handle = model_handle_drain, .is_alone = true, .is_mutating = true},
    [OP_UNDRAIN] = {.handle = model_handle_undrain, .is_mutating = true},
    [OP_HISTORY] = {.handle = model_handle_history, .is_alone = true},
};

bool model_op_must_be_alone(const struct op *op)
{
    return rows[op->kind].is_alone ||
           (op->kind == OP_CANCEL &&
            (op->as.cancel.level > LEVEL_RECORDED || op->as.cancel.label.size > 0 ||
             op->as.cancel.owner != 0 || op->as.cancel.whole_namespace));
}

bool model_op_is_mutating(const struct op *op)
{
    return rows[op->kind].is_mutating;
}

bool model_apply(struct model *model, struct model_request *request, const struct op *op,
                 struct result *result)
{
    enum error_code code = rows[op->kind].handle == NULL ? ERROR_UNKNOWN_OP
                           : rows[op->kind].needs_session && request->session == 0
                               ? ERROR_NEEDS_SESSION
                               : ERROR_UNSET;
    const char *field = code == ERROR_UNSET ? model_bad_field(model, op) : NULL;
    const struct result *seen = model_seen(request);
    *result = (struct result){0};
    /* Which of the two is told where both are so is open. */
    if (field != NULL && seen != NULL && seen->answer == ANSWER_DENIED &&
        !model_is_allowed(model, request, op)) {
        field = NULL;
    }
    field = code == ERROR_UNSET ? model_field_as_seen(model, op, seen, field) : NULL;
    if (field != NULL) {
        code = ERROR_FIELD;
    }
    if (code != ERROR_UNSET) {
        result->error = (struct error){
            .code = code, .field = field, .text = field == NULL ? "(a sentence)" : field};
        return model_answered(result, ANSWER_ERROR);
    }
    if (op->kind != OP_OPEN && !model_is_allowed(model, request, op)) {
        return model_answered(result, ANSWER_DENIED);
    }
    return rows[op->kind].handle(model, request, op, result);
}
