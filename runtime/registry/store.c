/* SPDX-License-Identifier: MIT */
#include "registry/state.h"

/* The bound that one more operation would pass, or NULL. */
static const char *store_full(const struct request *q, const struct op *op, uint32_t key)
{
    const struct registry *r = q->r;
    if (r->operations_counted >= r->limits.operations ||
        r->operations.count == r->operations.capacity) {
        return "operations";
    }
    if (q->space != 0 && space_at(r, q->space)->operations >= r->limits.operations_namespace) {
        return "operations_namespace";
    }
    if (session_at(r, q->session)->operations.count >= r->limits.operations_session) {
        return "operations_session";
    }
    if (key != 0 && key_at(r, key)->live.count >= KEY_GENS_MAX) {
        return "gens_of_key";
    }
    return key_full(r, q->space_name, op->key, op->as.store.meta.size);
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
            cause = cause_keep(
                r, &(struct cause){.code = CAUSE_SUPERSEDED, .peer = link_peer(r, q->link)});
        }
        operation_cancel(r, i, cause);
    }
    cause_give(r, cause);
}

static void apply(struct request *q, const struct op *op, uint64_t gen)
{
    struct registry *r = q->r;
    uint32_t key = key_make(r, q->space_name, op->key);
    if (op->as.store.policy == POLICY_SUPERSEDE) {
        supersede(q, key);
    }
    uint32_t index = operation_make(r, key, q->session);
    struct operation *operation = operation_at(r, index);
    ASSERT(operation->gen == gen);
    operation->on_expiry = (uint8_t) op->as.store.on_expiry;
    operation->on_owner_loss = (uint8_t) op->as.store.on_owner_loss;
    operation->stop_grace_ms =
        op->as.store.stop_grace_ms != 0 ? op->as.store.stop_grace_ms : r->limits.grace_ms;
    bool kept = byte_heap_keep(&r->bytes, op->as.store.meta, &operation->meta);
    ASSERT(kept); /* store_full() has looked */
    if (op->as.store.ttl_ms != 0) {
        operation_ttl_set(r, index, op->as.store.ttl_ms);
    }
    uint32_t armed = key_at(r, key)->armed;
    if (armed != 0) {
        r->counters.armed_used++;
        operation_cancel(r, index, armed_at(r, armed)->cause);
        armed_free(r, armed);
    }
}

void serve_store(struct request *q, const struct op *op)
{
    struct registry *r = q->r;
    uint32_t key = find_key(q, op).key;
    uint32_t live = key == 0 ? 0 : key_at(r, key)->live.first;
    if (live != 0 && op->as.store.policy == POLICY_REJECT) {
        const struct operation *operation = operation_at(r, live);
        struct result exists = {
            .answer = ANSWER_EXISTS, .gen = operation->gen, .state = (enum state) operation->state};
        request_tell(q, &exists);
        return;
    }
    const char *full = store_full(q, op, key);
    uint64_t gen = full != NULL ? 0 : gen_next(r);
    if (gen == 0) {
        request_full(q, full != NULL ? full : "generations");
        return;
    }
    struct result result = {.answer = ANSWER_STORED, .gen = gen};
    uint32_t armed = key == 0 ? 0 : key_at(r, key)->armed;
    if (armed != 0) {
        result.answer = ANSWER_BORN_CANCELLED;
        result.cause = cause_get(r, armed_at(r, armed)->cause);
    }
    if (request_put(q, &result)) {
        apply(q, op, gen);
    }
}
