/* SPDX-License-Identifier: MIT */
/* Adopt: an owner brings back an operation under the gen that it has. It applies no policy; what it
 * has to see to is that no cancel is forgotten on the way, whoever knew of it. */
#include "registry/state.h"

/* What an answer takes at most: one cause and a gen. */
#define ANSWER_BYTES (CAUSE_TEXT_BYTES_MAX + CAUSE_ACTOR_BYTES_MAX + CAUSE_PEER_BYTES_MAX + 128)

/* The cause that its owner brings, kept: one reference. 0: none. */
static uint32_t keep_brought(struct registry *r, const struct op *op)
{
    if (op->as.store.cause_code == CAUSE_UNSET) {
        return 0;
    }
    struct cause cause = op->as.store.cause;
    cause.code = (enum cause_code) op->as.store.cause_code;
    return cause_keep(r, &cause);
}

/* The first cause of all that are known, as one reference; 0: none. The arm is used here. */
static uint32_t first_cause(struct request *q, uint32_t index, const struct op *op)
{
    struct registry *r = q->r;
    struct operation *operation = operation_at(r, index);
    uint64_t previous = op->as.store.previous_session;
    /* Where the journal cannot take more, what it had before the restart and what the owner brings, who
     * will bring it again, has to do. */
    operation->journaled = journal_is_full(r);
    uint32_t cause = cause_share(r, recovered_cause(r, index));
    cause = cause != 0 ? cause : cause_share(r, bulk_cause_for(r, index, previous, true));
    cause = cause != 0 ? cause : keep_brought(r, op);
    cause = cause != 0 ? cause : cause_share(r, bulk_cause_for(r, index, previous, false));
    uint32_t armed = key_at(r, operation->key)->armed;
    if (cause == 0 && armed != 0) {
        journal_arm_used(r, armed, index);
        return cause_share(r, armed_at(r, armed)->cause);
    }
    uint32_t space = key_at(r, operation->key)->space;
    cause = cause != 0 ? cause : cause_share(r, drain_cause_of(r, space, q->session));
    return cause != 0 ? cause : tree_birth_cause(q, op->as.store.parent);
}

/* Whoever comes back, the key's arm was for its next birth. */
static void drop_arm(struct registry *r, uint32_t index)
{
    uint32_t armed = key_at(r, operation_at(r, index)->key)->armed;
    if (armed == 0) {
        return;
    }
    if (operation_at(r, index)->cause == armed_at(r, armed)->cause) {
        r->counters.armed_used++;
    } else {
        journal_arm_gone(r, armed);
    }
    armed_free(r, armed);
}

/* Of two live gens of a key, neither JOIN, the older is superseded. */
static void supersede_older(struct request *q, uint32_t key)
{
    struct registry *r = q->r;
    bool newest = true;
    uint32_t cause = 0;
    for (uint32_t i = key_at(r, key)->live.first; i != 0; i = operation_at(r, i)->of_key.next) {
        if (operation_at(r, i)->joins) {
            continue;
        }
        if (!newest && operation_at(r, i)->state == STATE_LIVE) {
            if (cause == 0) {
                cause = cause_keep(
                    r, &(struct cause){.code = CAUSE_SUPERSEDED, .peer = request_peer(q)});
            }
            operation_cancel(r, i, cause);
        }
        newest = false;
    }
    cause_give(r, cause);
}

static void tell_adopted(struct request *q, uint32_t index)
{
    const struct operation *operation = operation_at(q->r, index);
    if (operation->cause != 0 && cause_at(q->r, operation->cause)->bulk == 0 &&
        !journal_is_full(q->r)) {
        journal_cancel(q->r, index); /* it is told of, whatever it was cancelled by */
    }
    if (operation->cause != 0) {
        request_waits(q, cause_at(q->r, operation->cause)->told_after);
    }
    struct result result = {.answer = ANSWER_ADOPTED,
                            .gen = operation->gen,
                            .state = (enum state) operation->state,
                            .cause = cause_get(q->r, operation->cause)};
    bool put = request_put(q, &result);
    ASSERT(put); /* there was room for the longest */
}

/* An operation of an earlier run, that is not here yet. */
static void make(struct request *q, const struct op *op)
{
    struct registry *r = q->r;
    uint32_t key = key_make(r, q->space_name, op->key);
    uint32_t index = operation_make_of(r, key, q->session, op->gen);
    store_fields(r, index, op);
    store_belongings(r, index, op);
    if (op->as.store.parent != 0) {
        tree_tie(r, index, op->as.store.parent);
    }
    uint32_t cause = first_cause(q, index, op);
    if (cause != 0) {
        operation_cancel(r, index, cause);
    }
    drop_arm(r, index);
    cause_give(r, cause);
    recovered_take(r, index);
    tree_adopted(r, index);
    supersede_older(q, key);
    r->counters.adopted++;
    tell_adopted(q, index);
}

/* A kept one, whose owner was lost. */
static void take_over(struct request *q, uint32_t index, const struct op *op)
{
    struct registry *r = q->r;
    operation_own(r, index, q->session);
    store_fields(r, index, op);
    if (operation_at(r, index)->state == STATE_LIVE) {
        uint32_t space = key_at(r, operation_at(r, index)->key)->space;
        uint32_t cause = keep_brought(r, op);
        cause = cause != 0 ? cause : cause_share(r, drain_cause_of(r, space, q->session));
        if (cause != 0) {
            operation_cancel(r, index, cause);
            cause_give(r, cause);
        }
    }
    supersede_older(q, operation_at(r, index)->key);
    r->counters.adopted++;
    tell_adopted(q, index);
}

static void adopt_known(struct request *q, uint32_t index, const struct op *op)
{
    struct registry *r = q->r;
    const struct operation *operation = operation_at(r, index);
    if (operation->state == STATE_ENDED) {
        struct result ended = {.answer = ANSWER_ENDED,
                               .gen = operation->gen,
                               .outcome = (enum outcome) operation->outcome,
                               .cause = cause_get(r, operation->cause)};
        request_tell(q, &ended);
    } else if (operation->owner == 0) {
        if (session_operations(r, q->session) >=
            space_limits_of(r, q->space, q->space_name).operations_session) {
            request_full(q, "operations_session");
        } else if (request_has_room(q, ANSWER_BYTES)) {
            take_over(q, index, op);
        }
    } else if (operation->owner != q->session) {
        request_tell(q, &(struct result){.answer = ANSWER_EXISTS,
                                         .gen = operation->gen,
                                         .state = (enum state) operation->state});
    } else if (request_has_room(q, ANSWER_BYTES)) {
        tell_adopted(q, index);
    }
}

void serve_adopt(struct request *q, const struct op *op)
{
    struct registry *r = q->r;
    if (op->as.store.parent >= op->gen) {
        request_field_error(q, "parent", "parent must be below the gen: it was there before");
        return;
    }
    struct found found = find_known(q, op);
    if (found.operation != 0) {
        adopt_known(q, found.operation, op);
        return;
    }
    /* It may be there under another key of the namespace, which is not the one that it has. */
    uint32_t elsewhere = operation_in_space(r, q->space, op->gen);
    if (elsewhere != 0 && operation_at(r, elsewhere)->state != STATE_ENDED) {
        found = (struct found){.answer = ANSWER_NOT_FOUND};
    }
    if (elsewhere != 0 || found.answer == ANSWER_STALE_EPOCH || !is_earlier(r, op->gen)) {
        request_tell(q, &(struct result){.answer = found.answer, .gen = found.gen});
        return;
    }
    const char *full = store_full(q, op, found.key);
    if (full != NULL) {
        request_full(q, full);
    } else if (request_has_room(q, ANSWER_BYTES)) {
        make(q, op);
    }
}
