/* SPDX-License-Identifier: MIT */
/* store, and the bounds that it can meet. */
#include "model/model_parts.h"

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
        for (size_t j = 0; j < op->labels_count; j++) {
            sum += op->labels[j].size;
        }
    }
    for (size_t i = 0; i < model->bulks.count; i++) {
        const struct model_bulk *bulk = list_at(&model->bulks, i);
        sum += bulk->space.size + bulk->key.size + bulk->label.size;
    }
    for (size_t i = 0; i < model->recovered.count; i++) {
        const struct model_recovered *recovered = list_at(&model->recovered, i);
        sum += recovered->space.size + recovered->key.size;
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
#define OP_BYTES_MOST                                                                              \
    (KEY_BYTES_MAX + META_BYTES_MAX + NAMESPACE_BYTES_MAX + CLIENT_NAME_BYTES_MAX +                \
     LABELS_MAX * LABEL_BYTES_MAX)

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
    for (size_t i = 0; at_most && i < model->drains.count; i++) {
        add_space(spaces, ((struct model_drain *) list_at(&model->drains, i))->space);
    }
    for (size_t i = 0; at_most && i < model->bulks.count; i++) {
        add_space(spaces, ((struct model_bulk *) list_at(&model->bulks, i))->space);
    }
    for (size_t i = 0; at_most && i < model->recovered.count; i++) {
        add_space(spaces, ((struct model_recovered *) list_at(&model->recovered, i))->space);
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

/* Labels in use, and how many different ones: of what is live, or of all that is known; those of the store too. */
static bool labels_are_full(const struct model *model, const struct model_request *request,
                            bool at_most, bool different)
{
    const struct op *op = &request->frame->ops[request->index];
    struct list used;
    uint64_t uses = op->as.store.labels.count;
    size_t more = 0;
    list_init(&used, sizeof(struct bytes));
    for (size_t i = 0; i < model->ops.count; i++) {
        const struct model_op *found = model_op_at(model, i);
        for (size_t j = 0; (at_most || model_op_is_live(found)) && j < found->labels_count; j++) {
            add_space(&used, found->labels[j]);
            uses++;
            /* The same label in two namespaces may be two. */
            more += at_most && !bytes_equal(found->space, model_space(request, op));
        }
    }
    for (size_t i = 0; at_most && i < model->bulks.count; i++) {
        const struct model_bulk *bulk = list_at(&model->bulks, i);
        if (bulk->label.size > 0) {
            add_space(&used, bulk->label);
        }
    }
    for (size_t i = 0; i < op->as.store.labels.count; i++) {
        add_space(&used, op->as.store.labels.items[i]);
    }
    bool full = different ? used.count + more > model->config.limits.labels
                          : uses > model->config.limits.label_uses;
    list_fini(&used);
    return full && op->as.store.labels.count > 0;
}

static struct space_limits limits_of(const struct model *model, struct bytes space)
{
    struct space_limits limits = {.operations = model->config.limits.operations_namespace,
                                  .operations_session = model->config.limits.operations_session};
    if (model->port.space_limits != NULL) {
        model->port.space_limits(model->port.context, space, &limits);
    }
    return limits;
}

/* Whether the bound of that name is reached for the store, or, where `at_most`, can be. */
static bool store_is_full(const struct model *model, const struct model_request *request,
                          const char *limit, bool at_most)
{
    const struct op *op = &request->frame->ops[request->index];
    const struct limits *limits = &model->config.limits;
    struct bytes space = model_space(request, op);
    struct bytes any = {0};
    struct space_limits own = limits_of(model, space);
    return (strcmp(limit, "labels") == 0 && labels_are_full(model, request, at_most, true)) ||
           (strcmp(limit, "label_uses") == 0 && labels_are_full(model, request, at_most, false)) ||
           (strcmp(limit, "gens_of_key") == 0 &&
            count_ops(model, space, op->key, false) >= KEY_GENS_MAX) ||
           (strcmp(limit, "operations_session") == 0 &&
            (count_owned(model, request->session) >= limits->operations_session ||
             count_owned(model, request->session) >= own.operations_session)) ||
           (strcmp(limit, "operations_namespace") == 0 &&
            count_ops(model, space, any, at_most) >= own.operations) ||
           (strcmp(limit, "operations") == 0 &&
            count_ops(model, any, any, at_most) >= limits->operations);
}

/* The bound that is reached, NULL for none; of several the one that the real registry names. */
const char *model_store_limit(const struct model *model, const struct model_request *request,
                              const struct op *op)
{
    static const char *const limits[] = {
        "gens_of_key", "operations_session", "operations_namespace", "operations",
        "labels",      "label_uses"};
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

/* A place for the gen, by its rank among the others. */
static struct model_op *add_place(struct model *model, uint64_t gen)
{
    (void) list_push(&model->ops);
    size_t place = model->ops.count - 1;
    for (; place > 0 && model_op_at(model, place - 1)->gen > gen; place--) {
        *model_op_at(model, place) = *model_op_at(model, place - 1);
    }
    return model_op_at(model, place);
}

struct model_op *model_add_op(struct model *model, const struct model_request *request,
                              const struct op *op, uint64_t gen)
{
    const struct model_session *session = model_find_session(model, request->session);
    uint64_t stop_grace = op->as.store.stop_grace_ms;
    struct model_op *added = add_place(model, gen);
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
        .policy = op->as.store.policy,
        .parent = op->as.store.parent,
        .previous_session = op->as.store.previous_session,
    };
    for (size_t i = 0; i < op->as.store.labels.count; i++) {
        added->labels[added->labels_count++] = op->as.store.labels.items[i];
    }
    return added;
}

static void supersede(struct model *model, const struct model_request *request, struct bytes space,
                      struct bytes key)
{
    struct cause cause = {.code = CAUSE_SUPERSEDED, .peer = request->peer};
    for (size_t i = model->ops.count; i > 0; i--) {
        struct model_op *op = model_op_at(model, i - 1);
        if (op->state == STATE_LIVE && model_op_is_of(op, space, key)) {
            uint64_t record = model_record_cancel(model, op, &cause, true);
            (void) model_cancel(model, op, &cause, record);
        }
    }
}

bool model_use_arm(struct model *model, const struct model_op *op, bool is_first,
                   struct cause *cause_out, uint64_t *record_out)
{
    struct model_armed *armed = model_find_armed(model, op->space, op->key);
    if (armed == NULL) {
        return false;
    }
    struct journal_record used = {.kind = JOURNAL_ARM_USED,
                                  .space = op->space,
                                  .key = op->key,
                                  .gen = op->gen,
                                  .cause = armed->cause};
    struct journal_record gone = {.kind = JOURNAL_ARM_GONE, .space = op->space, .key = op->key};
    *cause_out = armed->cause;
    /* Where another cause comes first, it is used as well, but not for this. */
    uint64_t gone_number = is_first ? 0 : model_record(model, &gone, false);
    *record_out = is_first ? model_record(model, &used, true) : gone_number;
    if (*record_out == 0) {
        *record_out = model_record(model, &used, true);
    }
    list_remove(&model->armed, (size_t) (armed - (struct model_armed *) model->armed.items));
    model->arm_was_used = *record_out != 0 && *record_out != gone_number;
    return true;
}

static bool stored(struct model *model, struct model_op *op, struct result *result)
{
    const struct model_op *parent = model_find_gen(model, op->parent);
    struct cause cause = {0};
    uint64_t record = 0;
    result->gen = op->gen;
    model_event(model, op);
    if (model_use_arm(model, op, true, &cause, &record)) {
        op->is_recorded = record != 0;
        op->told_after = record;
    } else if (parent != NULL && parent->cause.code != CAUSE_UNSET) {
        cause = model_cause_of_parent(&parent->cause);
        record = model_record_cancel(model, op, &cause, false);
        record = record == 0 ? parent->record : record;
        op->told_after = parent->told_after;
    } else if (parent != NULL && parent->is_pending) {
        op->is_pending = true;
        op->pending_cause = parent->pending_cause;
        op->pending_record = parent->pending_record;
        op->pending_told_after = parent->pending_told_after;
    }
    op->parent = parent != NULL && model_op_is_live(parent) ? op->parent : 0;
    if (cause.code == CAUSE_UNSET) {
        return model_answered(result, ANSWER_STORED);
    }
    (void) model_cancel(model, op, &cause, record);
    model->needs = record > model->needs ? record : model->needs;
    result->cause = op->cause;
    return model_answered(result, ANSWER_BORN_CANCELLED);
}

/* Whether a parent that is not there, or is no more, stops the store; then the answer. */
static bool parent_stops(struct model *model, const struct model_request *request,
                         const struct op *op, struct result *result)
{
    const struct model_op *parent = model_find_gen(model, op->as.store.parent);
    const struct result *seen = model_seen(request);
    if (op->as.store.parent == 0) {
        return false;
    }
    if (parent == NULL || !bytes_equal(parent->space, model_space(request, op))) {
        /* What there is in another namespace is nobody's to learn here. */
        if (model_is_recovering(model) && op->as.store.parent < model->gen_first) {
            return model_recovering(model, result);
        }
        return model_answered(result, ANSWER_PARENT_NOT_FOUND);
    }
    if (model_op_is_live(parent) || parent->cause.code != CAUSE_UNSET) {
        return false;
    }
    result->outcome = parent->outcome;
    result->gen = seen != NULL && seen->gen == parent->gen ? parent->gen : 0;
    return model_answered(result, ANSWER_PARENT_ENDED);
}

bool model_handle_store(struct model *model, struct model_request *request, const struct op *op,
                        struct result *result)
{
    struct bytes space = model_space(request, op);
    const struct model_op *current = model_current(model, space, op->key);
    bool is_armed = model_find_armed(model, space, op->key) != NULL;
    if (op->as.store.parent > model->gen_newest) {
        return model_answered(result, ANSWER_STALE_EPOCH);
    }
    if (model_is_drained(model, space, request->session)) {
        return model_answered(result, ANSWER_DRAINING);
    }
    if (current != NULL && op->as.store.policy == POLICY_REJECT) {
        result->gen = current->gen;
        result->state = current->state;
        return model_answered(result, ANSWER_EXISTS);
    }
    if (parent_stops(model, request, op, result)) {
        return true;
    }
    const char *limit = model_store_limit(model, request, op);
    limit = limit == NULL && is_armed ? model_journal_limit(model, request, true) : limit;
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
    return stored(model, model_add_op(model, request, op, gen), result);
}
