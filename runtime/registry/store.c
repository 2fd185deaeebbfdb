/* SPDX-License-Identifier: MIT */
#include "registry/state.h"

/* The bound that one more operation would pass, or NULL. */
const char *store_full(struct request *q, const struct op *op, uint32_t key)
{
    struct registry *r = q->r;
    if (r->operations_counted >= r->limits.operations ||
        r->operations.count + r->plain.count >= r->operations.capacity ||
        !radix_tree_reserve(&r->by_number) || !line_map_reserve(&r->by_key)) {
        return "operations";
    }
    struct space_limits limits = space_limits_of(r, q->space, q->space_name);
    if (q->space != 0 && space_at(r, q->space)->operations >= limits.operations) {
        return "operations_namespace";
    }
    if (session_operations(r, q->session) >= limits.operations_session) {
        return "operations_session";
    }
    if (key != 0 && key_at(r, key)->live.count >= KEY_GENS_MAX) {
        return "gens_of_key";
    }
    const char *full = labels_full(r, q->space_name, op->as.store.labels);
    return full != NULL ? full
                        : key_full(r, q->space_name, op->key,
                                   op->as.store.meta.size +
                                       labels_bytes(r, q->space_name, op->as.store.labels));
}

/* Cancels every LIVE gen of the key for the one that comes after them. */
static void supersede(struct request *q, uint32_t key)
{
    struct registry *r = q->r;
    uint32_t cause = 0;
    for (uint32_t i = key_at(r, key)->live.first; i != 0; i = operation_at(r, i)->of_key.next) {
        if (operation_at(r, i)->state != STATE_LIVE) {
            continue;
        }
        if (cause == 0) {
            cause =
                cause_keep(r, &(struct cause){.code = CAUSE_SUPERSEDED, .peer = request_peer(q)});
        }
        operation_cancel(r, i, cause);
    }
    cause_give(r, cause);
}

/* What the new operation is cancelled with at its birth, as one reference; 0: it is born LIVE. */
static uint32_t birth_cause(struct request *q, const struct op *op, uint32_t key)
{
    struct registry *r = q->r;
    uint32_t armed = key == 0 ? 0 : key_at(r, key)->armed;
    uint64_t parent = op->as.store.parent;
    if (armed != 0) {
        return cause_share(r, armed_at(r, armed)->cause);
    }
    uint32_t cause = parent == 0 ? 0 : tree_birth_cause(q, parent);
    if (cause == 0 && op->as.store.policy == POLICY_SUPERSEDE && parent != 0 && key != 0 &&
        operation_find(r, key, parent) != 0) {
        /* It is about to supersede its own parent. */
        cause = cause_keep(r, &(struct cause){.code = CAUSE_PARENT, .peer = request_peer(q)});
    }
    return cause;
}

void store_fields(struct registry *r, uint32_t index, const struct op *op)
{
    struct operation *operation = operation_at(r, index);
    operation->joins = op->as.store.policy == POLICY_JOIN;
    operation->on_expiry = (uint8_t) op->as.store.on_expiry;
    operation->on_owner_loss = (uint8_t) op->as.store.on_owner_loss;
    operation->stop_grace_ms =
        op->as.store.stop_grace_ms != 0 ? op->as.store.stop_grace_ms : r->limits.grace_ms;
    if (op->as.store.ttl_ms != 0) {
        operation_ttl_set(r, index, op->as.store.ttl_ms);
    } else {
        operation_ttl_replan(r, index);
    }
}

void store_belongings(struct registry *r, uint32_t index, const struct op *op)
{
    bool kept = byte_heap_keep(&r->bytes, op->as.store.meta, &operation_at(r, index)->meta);
    ASSERT(kept); /* store_full() has looked */
    labels_keep(r, index, op->as.store.labels);
}

static void apply(struct request *q, const struct op *op, uint64_t gen, uint32_t cause)
{
    struct registry *r = q->r;
    uint32_t key = key_make(r, q->space_name, op->key);
    uint32_t armed = key_at(r, key)->armed;
    if (op->as.store.policy == POLICY_SUPERSEDE) {
        supersede(q, key);
    }
    uint32_t index = operation_make(r, key, q->session);
    ASSERT(operation_at(r, index)->gen == gen);
    operation_at(r, index)->value = q->value;
    store_fields(r, index, op);
    store_belongings(r, index, op);
    if (armed != 0) {
        r->counters.armed_used++;
        journal_arm_used(r, armed, index);
    }
    if (cause != 0) {
        operation_cancel(r, index, cause);
    }
    if (armed != 0) {
        armed_free(r, armed);
    }
    if (op->as.store.parent != 0) {
        tree_tie(r, index, op->as.store.parent);
    }
}

static void store(struct request *q, const struct op *op, uint32_t key)
{
    struct registry *r = q->r;
    const char *full = store_full(q, op, key);
    if (full == NULL && key != 0 && key_at(r, key)->armed != 0 && journal_is_full(r)) {
        full = "journal"; /* the arm's use has to be recorded */
    }
    uint64_t gen = full != NULL ? 0 : gen_next(r);
    if (gen == 0) {
        request_full(q, full != NULL ? full : "generations");
        return;
    }
    uint32_t cause = birth_cause(q, op, key);
    struct result result = {.answer = cause != 0 ? ANSWER_BORN_CANCELLED : ANSWER_STORED,
                            .gen = gen,
                            .cause = cause_get(r, cause)};
    if (request_put(q, &result)) {
        apply(q, op, gen, cause);
    }
    cause_give(r, cause);
}

void serve_store(struct request *q, const struct op *op)
{
    struct registry *r = q->r;
    if (op->as.store.parent > r->gen_newest) {
        request_tell(q, &(struct result){.answer = ANSWER_STALE_EPOCH});
        return;
    }
    if (drain_cause_of(r, q->space, q->session) != 0) {
        request_tell(q, &(struct result){.answer = ANSWER_DRAINING});
        return;
    }
    if (plain_serve(q, op)) {
        return;
    }
    uint32_t key = find_key(q, op).key;
    uint32_t live = key == 0 ? 0 : key_at(r, key)->live.first;
    if (live != 0 && op->as.store.policy == POLICY_REJECT) {
        const struct operation *operation = operation_at(r, live);
        struct result exists = {
            .answer = ANSWER_EXISTS, .gen = operation->gen, .state = (enum state) operation->state};
        request_tell(q, &exists);
        return;
    }
    struct result refusal;
    if (op->as.store.parent != 0 && tree_check(q, op, &refusal) != ANSWER_UNSET) {
        request_tell(q, &refusal);
        return;
    }
    /* Looking at the parent may have ended it, and that may have made the memory forget the key. */
    store(q, op, op->as.store.parent != 0 ? find_key(q, op).key : key);
}
