/* SPDX-License-Identifier: MIT */
/* Delete and touch: what whoever has the owner's right may do to an operation by key and gen. */
#include "registry/state.h"

uint32_t find_live(struct request *q, const struct op *op)
{
    struct found found = find_by_gen(q, op);
    if (found.operation == 0) {
        request_tell_found(q, &found);
        return 0;
    }
    const struct operation *operation = operation_at(q->r, found.operation);
    if (operation->state != STATE_ENDED) {
        return found.operation;
    }
    request_told(q, operation->cause);
    struct result result = {
        .answer = ANSWER_ENDED,
        .gen = operation->gen,
        .outcome = (enum outcome) operation->outcome,
        .cause = cause_get(q->r, operation->cause),
    };
    request_tell(q, &result);
    return 0;
}

void serve_delete(struct request *q, const struct op *op)
{
    if (plain_serve(q, op)) {
        return;
    }
    uint32_t index = find_live(q, op);
    if (index == 0) {
        return;
    }
    const struct operation *operation = operation_at(q->r, index);
    bool by_owner = operation->owner == q->session;
    request_told(q, operation->cause);
    struct result result = {
        .answer = ANSWER_DELETED,
        .gen = operation->gen,
        .cancelled = operation->cause != 0,
        .cause = cause_get(q->r, operation->cause),
        .by_owner = by_owner,
    };
    if (request_put(q, &result)) {
        operation_end(q->r, index, (enum outcome) op->as.delete.outcome, by_owner);
    }
}

void serve_touch(struct request *q, const struct op *op)
{
    if (plain_serve(q, op)) {
        return;
    }
    uint32_t index = find_live(q, op);
    if (index == 0) {
        return;
    }
    const struct operation *operation = operation_at(q->r, index);
    if (operation->ttl_end_ms == 0) {
        request_field_error(q, "ttl_ms",
                            "ttl_ms cannot be given to an operation that was stored without");
        return;
    }
    bool cancelling = operation->state == STATE_CANCELLING;
    request_told(q, operation->cause);
    struct result result = {
        .answer = cancelling ? ANSWER_CANCELLING : ANSWER_TOUCHED,
        .gen = operation->gen,
        .cause = cause_get(q->r, operation->cause),
        .by_owner = operation->owner == q->session,
    };
    if (request_put(q, &result)) {
        operation_ttl_set(q->r, index, op->as.touch.ttl_ms);
    }
}
