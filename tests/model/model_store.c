/* SPDX-License-Identifier: MIT */
/* store, and the bounds that it can meet. */
#include "model/model.h"

#include <string.h>

bool model_full(struct result *result, const char *limit)
{
    *result = (struct result){.answer = ANSWER_FULL, .limit = limit};
    return true;
}

/* ---- bounds that are counted in more than one way ---- */

/* All the bytes of keys and meta, each string counted wherever it may stand. */
static uint64_t bytes_most(const struct model *model)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < model->ops.count; i++) {
        const struct model_op *op = model_op_at(model, i);
        sum += op->key.size + op->meta.size + op->space.size;
    }
    for (size_t i = 0; i < model->armed.count; i++) {
        const struct model_armed *armed = list_at(&model->armed, i);
        sum += armed->key.size + armed->space.size;
    }
    for (size_t i = 0; i < model->sessions.count; i++) {
        const struct model_session *session = list_at(&model->sessions, i);
        sum += session->name.size + session->space.size;
    }
    return sum;
}

/* What one op can add to that. */
#define OP_BYTES_MOST (KEY_BYTES_MAX + META_BYTES_MAX + NAMESPACE_BYTES_MAX + CLIENT_NAME_BYTES_MAX)

static bool bytes_may_be_full(const struct model *model)
{
    return bytes_most(model) + OP_BYTES_MOST > model->config.limits.bytes;
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
const char *model_full_as_seen(const struct model *model, const struct model_request *request,
                               struct bytes space)
{
    const struct result *seen = model_seen(request);
    if (spaces_are_full(model, space, false)) {
        return "namespaces";
    }
    if (seen == NULL || seen->answer != ANSWER_FULL || seen->limit == NULL) {
        return NULL;
    }
    if (strcmp(seen->limit, "bytes") == 0 && bytes_may_be_full(model)) {
        return "bytes";
    }
    if (strcmp(seen->limit, "namespaces") == 0 && spaces_are_full(model, space, true)) {
        return "namespaces";
    }
    return NULL;
}

/* ---- store ---- */

/* Live operations of the namespace and key (empty: of any); with those that wait for their ack too, where
 * `with_pinned`: only for the session's bound the contract says that they count. */
static uint64_t count_ops(const struct model *model, struct bytes space, struct bytes key,
                          bool with_pinned)
{
    uint64_t count = 0;
    for (size_t i = 0; i < model->ops.count; i++) {
        const struct model_op *op = model_op_at(model, i);
        bool fits = (space.size == 0 || bytes_equal(op->space, space)) &&
                    (key.size == 0 || bytes_equal(op->key, key));
        count += fits && (model_op_is_live(op) || (with_pinned && model_op_is_pinned(op)));
    }
    return count;
}

static uint64_t count_owned(const struct model *model, uint64_t session)
{
    uint64_t count = 0;
    for (size_t i = 0; i < model->ops.count; i++) {
        count += model_op_owner(model_op_at(model, i)) == session;
    }
    return count;
}

/* Whether the bound of that name is reached for the store, or, where `at_most`, can be. */
static bool store_is_full(const struct model *model, const struct model_request *request,
                          const char *limit, bool at_most)
{
    const struct op *op = &request->frame->ops[request->index];
    const struct limits *limits = &model->config.limits;
    struct bytes space = model_space(request, op);
    struct bytes any = {0};
    return (strcmp(limit, "gens_of_key") == 0 &&
            count_ops(model, space, op->key, false) >= KEY_GENS_MAX) ||
           (strcmp(limit, "operations_session") == 0 &&
            count_owned(model, request->session) >= limits->operations_session) ||
           (strcmp(limit, "operations_namespace") == 0 &&
            count_ops(model, space, any, at_most) >= limits->operations_namespace) ||
           (strcmp(limit, "operations") == 0 &&
            count_ops(model, any, any, at_most) >= limits->operations);
}

/* The bound that is reached, NULL for none; of several the one that the real registry names. */
static const char *store_limit(const struct model *model, const struct model_request *request,
                               const struct op *op)
{
    static const char *const limits[] = {"gens_of_key", "operations_session",
                                         "operations_namespace", "operations"};
    const struct result *seen = model_seen(request);
    const char *reached = NULL;
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        bool named = seen != NULL && seen->limit != NULL && strcmp(seen->limit, limits[i]) == 0;
        if (store_is_full(model, request, limits[i], named)) {
            reached = reached == NULL || named ? limits[i] : reached;
        }
    }
    return reached != NULL ? reached : model_full_as_seen(model, request, model_space(request, op));
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
        .space = model_space(request, op),
        .key = op->key,
        .gen = gen,
        .state = STATE_LIVE,
        .owner = request->session,
        .owner_name = session->name,
        .meta = op->as.store.meta,
        .stored_ms = model->now_ms,
        .ttl_end_ms = op->as.store.ttl_ms == 0 ? TIME_NEVER : model->now_ms + op->as.store.ttl_ms,
        .stop_grace_ms = stop_grace == 0 ? model->config.limits.grace_ms : stop_grace,
        .on_expiry = op->as.store.on_expiry,
        .on_owner_loss = op->as.store.on_owner_loss,
    };
    return added;
}

static void supersede(struct model *model, const struct model_request *request, struct bytes space,
                      struct bytes key)
{
    struct cause cause = {.code = CAUSE_SUPERSEDED, .peer = request->peer};
    for (size_t i = model->ops.count; i > 0; i--) {
        struct model_op *op = model_op_at(model, i - 1);
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
        return model_answered(result, ANSWER_STORED);
    }
    (void) model_cancel(model, op, &armed->cause);
    list_remove(&model->armed, (size_t) (armed - (struct model_armed *) model->armed.items));
    result->cause = op->cause;
    return model_answered(result, ANSWER_BORN_CANCELLED);
}

bool model_handle_store(struct model *model, struct model_request *request, const struct op *op,
                        struct result *result)
{
    struct bytes space = model_space(request, op);
    const struct model_op *current = model_current(model, space, op->key);
    if (current != NULL && op->as.store.policy == POLICY_REJECT) {
        result->gen = current->gen;
        result->state = current->state;
        return model_answered(result, ANSWER_EXISTS);
    }
    const char *limit = store_limit(model, request, op);
    uint64_t gen;
    if (limit == NULL && !next_gen(model, &gen)) {
        limit = "generations";
    }
    if (limit != NULL) {
        return model_full(result, limit);
    }
    if (op->as.store.policy == POLICY_SUPERSEDE) {
        supersede(model, request, space, op->key);
    }
    return stored(model, add_op(model, request, op, gen), result);
}
