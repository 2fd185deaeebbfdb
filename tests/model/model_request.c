/* SPDX-License-Identifier: MIT */
/* What each op does and answers: the table at the end, and what it calls. */
#include "base/check.h"
#include "model/model.h"

#include <string.h>

static bool answered(struct result *result, enum answer answer)
{
    result->answer = answer;
    return true;
}

static bool full(struct result *result, const char *limit)
{
    *result = (struct result){.answer = ANSWER_FULL, .limit = limit};
    return true;
}

static struct bytes space_of(const struct model_request *request, const struct op *op)
{
    return op->space.size > 0 ? op->space : request->space;
}

/* What the real registry answered to this op, or NULL. */
static const struct result *seen_result(const struct model_request *request)
{
    const struct reply *seen = request->seen;
    return seen != NULL && request->index < seen->results_count ? &seen->results[request->index]
                                                                : NULL;
}

/* Some answers may say which gen they are about, or leave it out, as the caller knows it. */
static uint64_t gen_as_seen(const struct model_request *request, uint64_t gen)
{
    const struct result *seen = seen_result(request);
    return seen != NULL && seen->gen == gen ? gen : 0;
}

/* ---- bounds that are counted in more than one way ---- */

/* All the bytes that a registry may have kept, each string counted wherever it may stand. */
static uint64_t bytes_most(const struct model *model)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < model->ops.count; i++) {
        const struct model_op *op = model_op_at(model, i);
        sum += op->key.size + op->meta.size + op->cause.text.size + op->cause.actor.size +
               op->cause.peer.size + op->space.size;
    }
    for (size_t i = 0; i < model->armed.count; i++) {
        const struct model_armed *armed = list_at(&model->armed, i);
        sum += armed->key.size + armed->space.size + armed->cause.text.size +
               armed->cause.actor.size + armed->cause.peer.size;
    }
    for (size_t i = 0; i < model->sessions.count; i++) {
        const struct model_session *session = list_at(&model->sessions, i);
        sum += session->name.size + session->space.size;
    }
    return sum;
}

/* What one op can add to that. */
#define OP_BYTES_MOST                                                                              \
    (KEY_BYTES_MAX + META_BYTES_MAX + CAUSE_TEXT_BYTES_MAX + CAUSE_ACTOR_BYTES_MAX +               \
     CAUSE_PEER_BYTES_MAX + NAMESPACE_BYTES_MAX + CLIENT_NAME_BYTES_MAX)

static bool bytes_may_be_full(const struct model *model, size_t gens)
{
    return bytes_most(model) + gens * OP_BYTES_MOST > model->config.limits.bytes;
}

static bool is_new(const struct list *spaces, struct bytes space)
{
    for (size_t i = 0; i < spaces->count; i++) {
        if (bytes_equal(*(struct bytes *) list_at(spaces, i), space)) {
            return false;
        }
    }
    return true;
}

static void add_space(struct list *spaces, struct bytes space)
{
    if (is_new(spaces, space)) {
        *(struct bytes *) list_push(spaces) = space;
    }
}

/* The namespaces in use: those that something live or armed needs, or, at the most, those that anything
 * at all is in. */
static void collect_spaces(const struct model *model, bool at_most, struct list *spaces)
{
    list_init(spaces, sizeof(struct bytes));
    for (size_t i = 0; i < model->ops.count; i++) {
        if (at_most || model_op_is_live(model_op_at(model, i))) {
            add_space(spaces, model_op_at(model, i)->space);
        }
    }
    for (size_t i = 0; i < model->armed.count; i++) {
        add_space(spaces, ((struct model_armed *) list_at(&model->armed, i))->space);
    }
    for (size_t i = 0; at_most && i < model->sessions.count; i++) {
        add_space(spaces, ((struct model_session *) list_at(&model->sessions, i))->space);
    }
}

/* Whether `space` would be one too many. */
static bool spaces_are_full(const struct model *model, struct bytes space, bool at_most)
{
    struct list used;
    struct list counted;
    collect_spaces(model, false, &used);
    collect_spaces(model, at_most, &counted);
    bool full = is_new(&used, space) && counted.count >= model->config.limits.namespaces;
    list_fini(&used);
    list_fini(&counted);
    return full;
}

/* The bound of bytes or of namespaces, where the real registry saw one and could. */
static const char *full_as_seen(const struct model *model, const struct model_request *request,
                                struct bytes space, size_t gens)
{
    const struct result *seen = seen_result(request);
    if (spaces_are_full(model, space, false)) {
        return "namespaces";
    }
    if (seen == NULL || seen->answer != ANSWER_FULL || seen->limit == NULL) {
        return NULL;
    }
    if (strcmp(seen->limit, "bytes") == 0 && bytes_may_be_full(model, gens)) {
        return "bytes";
    }
    if (strcmp(seen->limit, "namespaces") == 0 && spaces_are_full(model, space, true)) {
        return "namespaces";
    }
    return NULL;
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
    return answered(result, ANSWER_OPENED);
}

static void bind_session(struct model *model, struct model_session *session, uint64_t link)
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
        return answered(result, ANSWER_SESSION_LOST);
    }
    bind_session(model, session, request->from->link);
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
    const struct result *seen = seen_result(request);
    if (op->as.open.resume_session != 0) {
        return resume(model, request, op, result);
    }
    if (model->sessions.count >= model->config.limits.sessions) {
        return full(result, "sessions");
    }
    const char *limit = full_as_seen(model, request, space_of(request, op), 1);
    if (limit != NULL) {
        return full(result, limit);
    }
    struct model_session *session = list_push(&model->sessions);
    *session = (struct model_session){
        .space = space_of(request, op),
        .name = op->as.open.client_name,
        .heartbeat_ms = op->as.open.heartbeat_ms,
    };
    if (seen != NULL && seen->opened != NULL && is_fresh(model, seen->opened)) {
        session->number = seen->opened->session;
        memcpy(session->secret, seen->opened->secret, SECRET_BYTES);
    }
    *(uint64_t *) list_push(&model->numbers) = session->number;
    list_init(&session->answers, sizeof(struct model_answer));
    bind_session(model, session, request->from->link);
    return opened(model, session, false, result);
}

static bool handle_close(struct model *model, struct model_request *request, const struct op *op,
                         struct result *result)
{
    (void) op;
    model_session_end(model, request->session);
    request->session = 0;
    request->space = bytes_of_string("default");
    return answered(result, ANSWER_CLOSED);
}

static bool handle_ping(struct model *model, struct model_request *request, const struct op *op,
                        struct result *result)
{
    (void) model;
    (void) request;
    (void) op;
    return answered(result, ANSWER_PONG);
}

/* The rows are nobody's to compare, and left out of the encoded form; it wants to see one. */
static bool handle_stats(struct model *model, struct model_request *request, const struct op *op,
                         struct result *result)
{
    static const struct stat row = {.name = "rows"};
    (void) model;
    (void) request;
    (void) op;
    result->stats = &row;
    result->stats_count = 1;
    return answered(result, ANSWER_STATS);
}

/* ---- by key and gen ---- */

/* The live operation of that gen; else NULL, and what there is to say: ENDED with its end, STALE_GEN,
 * NOT_FOUND or STALE_EPOCH. */
static struct model_op *by_gen(const struct model *model, struct bytes space, const struct op *op,
                               struct result *result)
{
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
    const struct model_op *higher = model_current(model, space, op->key);
    if (higher == NULL || higher->gen < op->gen) {
        higher = model_newest_ended(model, space, op->key, op->gen);
    }
    result->answer = higher == NULL ? ANSWER_NOT_FOUND : ANSWER_STALE_GEN;
    result->gen = higher == NULL ? 0 : higher->gen;
    return NULL;
}

static bool handle_delete(struct model *model, struct model_request *request, const struct op *op,
                          struct result *result)
{
    struct model_op *found = by_gen(model, space_of(request, op), op, result);
    if (found == NULL) {
        return true;
    }
    result->cancelled = found->state == STATE_CANCELLING;
    result->cause = found->cause;
    result->gen = gen_as_seen(request, found->gen);
    result->by_owner = found->owner == request->session;
    model_end(model, found, op->as.delete.outcome, result->by_owner);
    return answered(result, ANSWER_DELETED);
}

static bool handle_touch(struct model *model, struct model_request *request, const struct op *op,
                         struct result *result)
{
    struct model_op *found = by_gen(model, space_of(request, op), op, result);
    if (found == NULL) {
        return true;
    }
    if (found->ttl_end_ms == TIME_NEVER) {
        result->error = (struct error){
            .code = ERROR_FIELD, .field = "ttl_ms", .text = "ttl_ms: there is none"};
        return answered(result, ANSWER_ERROR);
    }
    found->ttl_end_ms = model->now_ms + op->as.touch.ttl_ms;
    if (found->state == STATE_CANCELLING) {
        result->gen = found->gen;
        result->cause = found->cause;
        return answered(result, ANSWER_CANCELLING);
    }
    result->gen = gen_as_seen(request, found->gen);
    result->by_owner = found->owner == request->session;
    return answered(result, ANSWER_TOUCHED);
}

/* The operation that get and wait mean; else NULL, and the answer. */
static struct model_op *meant(const struct model *model, struct bytes space, const struct op *op,
                              struct result *result)
{
    struct model_op *found;
    if (op->gen == 0) {
        found = model_current(model, space, op->key);
        found = found != NULL ? found : model_newest_ended(model, space, op->key, 0);
        result->answer = ANSWER_NOT_FOUND;
        return found;
    }
    found = by_gen(model, space, op, result);
    return result->answer == ANSWER_ENDED ? model_find_op(model, space, op->key, op->gen) : found;
}

static struct operation_info info_of(const struct model *model, const struct model_op *op)
{
    bool counts_down = model_op_is_live(op) && op->ttl_end_ms != TIME_NEVER;
    return (struct operation_info){
        .space = op->space,
        .key = op->key,
        .gen = op->gen,
        .state = op->state,
        .outcome = op->outcome,
        .age_ms = model->now_ms - op->stored_ms,
        .ttl_left_ms = counts_down && op->ttl_end_ms > model->now_ms
                           ? op->ttl_end_ms - model->now_ms
                           : 0,
        .owner = op->owner,
        .owner_name = op->owner_name,
        .meta = op->meta,
        .cause = op->cause,
        .level = op->level,
    };
}

static bool handle_get(struct model *model, struct model_request *request, const struct op *op,
                       struct result *result)
{
    const struct model_op *found = meant(model, space_of(request, op), op, result);
    if (found == NULL) {
        return true;
    }
    struct operation_info *info = arena_take(&model->arena, sizeof *info);
    *info = info_of(model, found);
    *result = (struct result){
        .gen = gen_as_seen(request, found->gen), .operations = info, .operations_count = 1};
    return answered(result, ANSWER_FOUND);
}

/* The bound of parked requests that one more would break, NULL for none. */
static const char *parked_full(const struct model *model, const struct model_request *request)
{
    if (model_parked_count(model, request->session, request->from->link) >=
        model->config.limits.parked_session) {
        return "parked_session";
    }
    return model->parked.count >= model->config.limits.parked ? "parked" : NULL;
}

static bool park(struct model *model, const struct model_parked *parked)
{
    *(struct model_parked *) list_push(&model->parked) = *parked;
    return false;
}

static struct model_parked parked_of(const struct model *model,
                                     const struct model_request *request, const struct op *op,
                                     uint64_t wait_ms)
{
    return (struct model_parked){
        .kind = op->kind,
        .to = *request->from,
        .session = request->session,
        .request_id = request->frame->request_id,
        .deadline_ms = model->now_ms + wait_ms,
        .space = space_of(request, op),
        .key = op->key,
    };
}

static bool handle_wait(struct model *model, struct model_request *request, const struct op *op,
                        struct result *result)
{
    const struct model_op *found = meant(model, space_of(request, op), op, result);
    if (found == NULL) {
        return true;
    }
    struct model_parked wait = parked_of(model, request, op, op->as.wait.deadline_ms);
    wait.gen = found->gen;
    wait.until = op->as.wait.until;
    if (model_wait_result(model, &wait, result) || op->as.wait.deadline_ms == 0) {
        return true;
    }
    const char *limit = parked_full(model, request);
    return limit != NULL ? full(result, limit) : park(model, &wait);
}

/* ---- poll ---- */

static void acknowledge(struct model *model, uint64_t session, const struct notice_ack *ack)
{
    for (size_t i = 0; i < model->ops.count; i++) {
        struct model_op *op = model_op_at(model, i);
        if (op->gen != ack->gen || op->owner != session) {
            continue;
        }
        if (ack->kind == NOTICE_CANCEL && op->notice_cancel != 0) {
            op->notice_cancel = 0;
            op->level = model_op_is_live(op) ? LEVEL_DELIVERED : op->level;
        }
        if (ack->kind == NOTICE_ENDED && op->notice_ended != 0) {
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
    model_settle(model);
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
    const char *limit = parked_full(model, request);
    if (limit != NULL) {
        return full(result, limit);
    }
    struct model_parked poll = parked_of(model, request, op, wait_ms);
    poll.after = op->as.poll.after;
    return park(model, &poll);
}

/* ---- store ---- */

static uint64_t count_live(const struct model *model, struct bytes space, struct bytes key)
{
    uint64_t count = 0;
    for (size_t i = 0; i < model->ops.count; i++) {
        const struct model_op *op = model_op_at(model, i);
        bool fits = (space.size == 0 || bytes_equal(op->space, space)) &&
                    (key.size == 0 || bytes_equal(op->key, key));
        count += fits && model_op_is_live(op);
    }
    return count;
}

static uint64_t count_owned(const struct model *model, uint64_t session)
{
    uint64_t count = 0;
    for (size_t i = 0; i < model->ops.count; i++) {
        const struct model_op *op = model_op_at(model, i);
        count += op->owner == session && (model_op_is_live(op) || model_op_is_pinned(op));
    }
    return count;
}

/* Whether the bound of that name is reached for the store. */
static bool store_is_full(const struct model *model, const struct model_request *request,
                          const struct op *op, const char *limit)
{
    const struct limits *limits = &model->config.limits;
    struct bytes space = space_of(request, op);
    struct bytes any = {0};
    return (strcmp(limit, "gens_of_key") == 0 &&
            count_live(model, space, op->key) >= KEY_GENS_MAX) ||
           (strcmp(limit, "operations_session") == 0 &&
            count_owned(model, request->session) >= limits->operations_session) ||
           (strcmp(limit, "operations_namespace") == 0 &&
            count_live(model, space, any) >= limits->operations_namespace) ||
           (strcmp(limit, "operations") == 0 &&
            count_live(model, any, any) >= limits->operations);
}

/* The bound that is reached, NULL for none; of several the one that the real registry names. */
static const char *store_limit(const struct model *model, const struct model_request *request,
                               const struct op *op)
{
    static const char *const limits[] = {"gens_of_key", "operations_session",
                                         "operations_namespace", "operations"};
    const struct result *seen = seen_result(request);
    const char *reached = NULL;
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        if (!store_is_full(model, request, op, limits[i])) {
            continue;
        }
        bool named = seen != NULL && seen->limit != NULL && strcmp(seen->limit, limits[i]) == 0;
        reached = reached == NULL || named ? limits[i] : reached;
    }
    return reached != NULL ? reached : full_as_seen(model, request, space_of(request, op), 1);
}

static bool next_gen(struct model *model, uint64_t *gen_out)
{
    if (model->counter > GEN_COUNTER_MAX) {
        if (!model->port.next_epoch(model->port.context, &model->epoch)) {
            return false;
        }
        model->counter = 1;
    }
    *gen_out = (model->epoch << GEN_COUNTER_BITS) + model->counter++;
    model->gen_newest = *gen_out;
    return true;
}

static struct model_op *add_op(struct model *model, const struct model_request *request,
                               const struct op *op, uint64_t gen)
{
    const struct model_session *session = model_find_session(model, request->session);
    uint64_t stop_grace = op->as.store.stop_grace_ms;
    struct model_op *added = list_push(&model->ops);
    *added = (struct model_op){
        .space = space_of(request, op),
        .key = op->key,
        .gen = gen,
        .state = STATE_LIVE,
        .owner = request->session,
        .owner_name = session->name,
        .meta = op->as.store.meta,
        .stored_ms = model->now_ms,
        .ttl_end_ms =
            op->as.store.ttl_ms == 0 ? TIME_NEVER : model->now_ms + op->as.store.ttl_ms,
        .stop_grace_ms = stop_grace == 0 ? model->config.limits.grace_ms : stop_grace,
        .on_expiry = op->as.store.on_expiry,
        .on_owner_loss = op->as.store.on_owner_loss,
    };
    return added;
}

static void supersede(struct model *model, struct bytes space, struct bytes key)
{
    static const struct cause cause = {.code = CAUSE_SUPERSEDED};
    for (size_t i = 0; i < model->ops.count; i++) {
        struct model_op *op = model_op_at(model, i);
        if (model_op_is_live(op) && model_op_is_of(op, space, key)) {
            (void) model_cancel(model, op, &cause);
        }
    }
}

static bool stored(struct model *model, struct model_op *op, struct result *result)
{
    struct model_armed *armed = model_find_armed(model, op->space, op->key);
    result->gen = op->gen;
    if (armed == NULL) {
        return answered(result, ANSWER_STORED);
    }
    (void) model_cancel(model, op, &armed->cause);
    list_remove(&model->armed, (size_t) (armed - (struct model_armed *) model->armed.items));
    result->cause = op->cause;
    return answered(result, ANSWER_BORN_CANCELLED);
}

static bool handle_store(struct model *model, struct model_request *request, const struct op *op,
                         struct result *result)
{
    struct bytes space = space_of(request, op);
    const struct model_op *current = model_current(model, space, op->key);
    if (current != NULL && op->as.store.policy == POLICY_REJECT) {
        result->gen = current->gen;
        result->state = current->state;
        return answered(result, ANSWER_EXISTS);
    }
    const char *limit = store_limit(model, request, op);
    uint64_t gen;
    if (limit == NULL && !next_gen(model, &gen)) {
        limit = "generations";
    }
    if (limit != NULL) {
        return full(result, limit);
    }
    if (op->as.store.policy == POLICY_SUPERSEDE) {
        supersede(model, space, op->key);
    }
    return stored(model, add_op(model, request, op, gen), result);
}

/* ---- cancel ---- */

static bool finished(struct model *model, const struct model_op *op, struct result *result)
{
    struct gen_result *gen = arena_take(&model->arena, sizeof *gen);
    enum answer answer =
        op->outcome == OUTCOME_OWNER_LOST ? ANSWER_OWNER_LOST : ANSWER_FINISHED;
    *gen = (struct gen_result){
        .gen = op->gen, .answer = answer, .level = op->level, .outcome = op->outcome};
    *result = (struct result){
        .gen = op->gen,
        .outcome = op->outcome,
        .level = op->level,
        .cause = op->cause,
        .gens = gen,
        .gens_count = 1,
    };
    return answered(result, answer);
}

static struct cause cause_of(const struct model_request *request, const struct op *op)
{
    struct cause cause = op->as.cancel.cause;
    cause.code = op->as.cancel.cause_code == CAUSE_UNSET ? CAUSE_USER
                                                          : (enum cause_code) op->as.cancel.cause_code;
    cause.peer = request->peer;
    return cause;
}

static bool arm(struct model *model, const struct model_request *request, const struct op *op,
                struct result *result)
{
    struct bytes space = space_of(request, op);
    struct model_armed *armed = model_find_armed(model, space, op->key);
    const struct result *seen = seen_result(request);
    bool named_armed = seen != NULL && seen->limit != NULL && strcmp(seen->limit, "armed") == 0;
    bool armed_full = armed == NULL && model->armed.count >= model->config.limits.armed;
    if (model->now_ms < model->dropped_until_ms && !(armed_full && named_armed)) {
        return full(result, "finished_memory");
    }
    if (armed_full) {
        return full(result, "armed");
    }
    const char *limit = full_as_seen(model, request, space, 1);
    if (limit != NULL) {
        return full(result, limit);
    }
    if (armed == NULL) {
        armed = list_push(&model->armed);
        *armed = (struct model_armed){
            .space = space, .key = op->key, .cause = cause_of(request, op)};
    }
    uint64_t end_ms = model->now_ms + op->as.cancel.arm_ttl_ms;
    armed->end_ms = end_ms > armed->end_ms ? end_ms : armed->end_ms;
    result->level = LEVEL_RECORDED;
    return answered(result, ANSWER_ARMED);
}

/* No live gen is meant. */
static bool cancel_nothing(struct model *model, const struct model_request *request,
                           const struct op *op, struct result *result)
{
    struct bytes space = space_of(request, op);
    const struct model_op *ended;
    if (op->gen != 0) {
        (void) by_gen(model, space, op, result);
        if (result->answer != ANSWER_ENDED) {
            return true;
        }
        ended = model_find_op(model, space, op->key, op->gen);
    } else {
        ended = model_newest_ended(model, space, op->key, op->as.cancel.after_gen);
    }
    if (ended != NULL) {
        return finished(model, ended, result);
    }
    return op->as.cancel.arm_ttl_ms > 0 ? arm(model, request, op, result)
                                        : answered(result, ANSWER_NOT_FOUND);
}

static bool is_meant(const struct model_op *found, struct bytes space, const struct op *op)
{
    return model_op_is_live(found) && model_op_is_of(found, space, op->key) &&
           (op->gen == 0 || found->gen == op->gen) && found->gen > op->as.cancel.after_gen;
}

/* The live gens that the cancel means, before it is done. */
static void add_targets(const struct model *model, const struct op *op,
                        struct model_parked *parked)
{
    list_init(&parked->targets, sizeof(struct model_target));
    parked->answer = ANSWER_ALREADY_REQUESTED;
    for (size_t i = 0; i < model->ops.count; i++) {
        const struct model_op *found = model_op_at(model, i);
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

static bool handle_cancel(struct model *model, struct model_request *request, const struct op *op,
                          struct result *result)
{
    if (op->gen > model->gen_newest || op->as.cancel.after_gen > model->gen_newest) {
        return answered(result, ANSWER_STALE_EPOCH);
    }
    struct model_parked cancel = parked_of(model, request, op, op->as.cancel.deadline_ms);
    cancel.level = op->as.cancel.level == LEVEL_NONE ? LEVEL_RECORDED
                                                     : (enum level) op->as.cancel.level;
    add_targets(model, op, &cancel);
    if (cancel.targets.count == 0) {
        list_fini(&cancel.targets);
        return cancel_nothing(model, request, op, result);
    }
    const char *limit = NULL;
    bool parks = cancel_would_park(model, op, &cancel);
    if (parks) {
        limit = parked_full(model, request);
    }
    if (limit == NULL) {
        limit = full_as_seen(model, request, cancel.space, cancel.targets.count);
    }
    if (limit == NULL) {
        cancel_targets(model, request, op, &cancel);
        (void) model_targets_update(model, &cancel);
        if (parks) {
            return park(model, &cancel);
        }
        model_cancel_result(model, &cancel, result);
    }
    list_fini(&cancel.targets);
    return limit == NULL || full(result, limit);
}

/* ---- lists ---- */

static bool is_listed(const struct model_op *op, struct bytes space, const struct op *request)
{
    uint32_t state = request->as.list.state;
    uint64_t owner = request->as.list.owner;
    bool fits = state == STATE_UNSET ? model_op_is_live(op) : op->state == (enum state) state;
    return fits && (owner == 0 || op->owner == owner) && bytes_equal(op->space, space);
}

static bool handle_count(struct model *model, struct model_request *request, const struct op *op,
                         struct result *result)
{
    for (size_t i = 0; i < model->ops.count; i++) {
        result->count += is_listed(model_op_at(model, i), space_of(request, op), op);
    }
    return answered(result, ANSWER_COUNTED);
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
        if (found == NULL || !is_listed(found, space, op)) {
            return false;
        }
        struct operation_info expected = info_of(model, found);
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

/* Where one page holds everything, it must be everything; a script checks those that do not. */
static bool page_is_complete(const struct model *model, struct bytes space, const struct op *op,
                             const struct result *page)
{
    size_t count = 0;
    for (size_t i = 0; i < model->ops.count; i++) {
        count += is_listed(model_op_at(model, i), space, op);
    }
    if (op->as.list.page_size > 0 && page->operations_count > op->as.list.page_size) {
        return false;
    }
    return op->as.list.cursor != 0 || page->next_cursor != 0 || page->operations_count == count;
}

static bool handle_list(struct model *model, struct model_request *request, const struct op *op,
                        struct result *result)
{
    const struct result *page = seen_result(request);
    struct bytes space = space_of(request, op);
    if (page != NULL && page->answer == ANSWER_PAGE && page_is_true(model, space, op, page) &&
        page_is_complete(model, space, op, page)) {
        result->operations = page->operations;
        result->operations_count = page->operations_count;
        result->next_cursor = page->next_cursor;
        return answered(result, ANSWER_PAGE);
    }
    struct operation_info *infos = arena_take(&model->arena, model->ops.count * sizeof *infos);
    for (size_t i = 0; i < model->ops.count; i++) {
        if (is_listed(model_op_at(model, i), space, op) && result->operations_count < 40) {
            infos[result->operations_count++] = info_of(model, model_op_at(model, i));
        }
    }
    result->operations = infos;
    return answered(result, ANSWER_PAGE);
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

static bool handle_armed(struct model *model, struct model_request *request, const struct op *op,
                         struct result *result)
{
    const struct result *seen = seen_result(request);
    size_t places = model->armed.count + (seen == NULL ? 0 : seen->armed_count);
    struct armed_key *keys = arena_take(&model->arena, places * sizeof *keys);
    for (size_t i = 0; i < model->armed.count; i++) {
        const struct model_armed *armed = list_at(&model->armed, i);
        if (bytes_equal(armed->space, space_of(request, op))) {
            struct armed_key key = armed_info(model, armed);
            keys[armed_place(seen, &key, result->armed_count)] = key;
            result->armed_count++;
        }
    }
    result->armed = keys;
    return answered(result, ANSWER_ARMED_KEYS);
}

static bool handle_disarm(struct model *model, struct model_request *request, const struct op *op,
                          struct result *result)
{
    struct model_armed *armed = model_find_armed(model, space_of(request, op), op->key);
    if (armed == NULL) {
        return answered(result, ANSWER_NOT_FOUND);
    }
    list_remove(&model->armed, (size_t) (armed - (struct model_armed *) model->armed.items));
    return answered(result, ANSWER_DISARMED);
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
    [OP_STORE] = {.handle = handle_store, .needs_session = true, .is_mutating = true},
    [OP_CANCEL] = {.handle = handle_cancel, .is_mutating = true},
    [OP_DELETE] = {.handle = handle_delete, .needs_session = true, .is_mutating = true},
    [OP_TOUCH] = {.handle = handle_touch, .needs_session = true, .is_mutating = true},
    [OP_POLL] = {.handle = handle_poll, .needs_session = true, .is_alone = true},
    [OP_WAIT] = {.handle = handle_wait, .is_alone = true},
    [OP_GET] = {.handle = handle_get},
    [OP_LIST] = {.handle = handle_list, .is_alone = true},
    [OP_COUNT] = {.handle = handle_count},
    [OP_ARMED] = {.handle = handle_armed, .is_alone = true},
    [OP_DISARM] = {.handle = handle_disarm, .is_mutating = true},
    [OP_PING] = {.handle = handle_ping},
    [OP_STATS] = {.handle = handle_stats},
    [OP_CLOSE] = {.handle = handle_close, .needs_session = true, .is_mutating = true},
};

bool model_op_must_be_alone(const struct op *op)
{
    return rows[op->kind].is_alone ||
           (op->kind == OP_CANCEL && op->as.cancel.level > LEVEL_RECORDED);
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
    *result = (struct result){0};
    if (field != NULL) {
        code = ERROR_FIELD;
    }
    if (code != ERROR_UNSET) {
        result->error = (struct error){
            .code = code, .field = field, .text = field == NULL ? "(a sentence)" : field};
        return answered(result, ANSWER_ERROR);
    }
    return rows[op->kind].handle(model, request, op, result);
}
