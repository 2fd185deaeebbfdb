/* SPDX-License-Identifier: MIT */
/* Direct ops: the same servers as a frame's, with the answer left as it is instead of encoded. */
#include "registry/state.h"

static const struct reply_to nobody = {.link = DIRECT_LINK};

static void serve(struct registry *r, const struct op *op, const struct direct_value *value,
                  struct result *result)
{
    uint32_t session = r->direct_session;
    struct frame frame = {.session = session == 0 ? 0 : session_at(r, session)->number};
    struct request q = {.r = r,
                        .from = &nobody,
                        .frame = &frame,
                        .link = link_find(r, DIRECT_LINK),
                        .session = session,
                        .direct = result,
                        .value = *value};
    request_serve(&q, op);
}

uint64_t registry_direct_open(struct registry *r, uint64_t now_ms)
{
    ASSERT(r->direct_session == 0);
    note_time(r, now_ms);
    if (!registry_link_up(r, DIRECT_LINK, bytes_of_string("direct"))) {
        return 0;
    }
    struct result result = {0};
    struct op open;
    op_clear(&open, OP_OPEN);
    serve(r, &open, &(struct direct_value){0}, &result);
    if (result.answer != ANSWER_OPENED) {
        registry_link_down(r, DIRECT_LINK, now_ms);
        return 0;
    }
    r->direct_session = link_at(r, link_find(r, DIRECT_LINK))->sessions.first;
    return session_at(r, r->direct_session)->number;
}

uint64_t registry_direct_hash(const struct siphash_key *table_key, struct bytes key)
{
    return siphash13(table_key, key);
}

static uint64_t hash_in(const struct registry *r, uint64_t hash)
{
    return key_hash_in(session_at(r, r->direct_session)->space, hash);
}

void registry_direct_prefetch(const struct registry *r, uint64_t hash, uint64_t gen)
{
    if (gen >= r->gen_first) {
        radix_tree_prefetch(&r->by_number, gen - r->gen_first);
    }
    line_map_prefetch(&r->by_key, hash_in(r, hash));
}

void registry_direct_prefetch_record(const struct registry *r, uint64_t hash)
{
    struct line_walk walk;
    uint32_t index = line_map_first(&r->by_key, hash_in(r, hash), &walk);
    if (index != 0) {
        __builtin_prefetch(by_key_record(r, index));
        if (r->plain_values.base != NULL) {
            __builtin_prefetch((struct direct_value *) r->plain_values.base + (index & ~WHOLE_BIT));
        }
    }
}

/* As a frame would bring it. */
static struct op op_of(const struct direct_op *direct)
{
    struct op op;
    op_clear(&op, direct->kind);
    op.key = direct->key;
    op.gen = direct->gen;
    switch (direct->kind) {
    case OP_STORE:
        op.as.store.policy = direct->policy;
        op.as.store.ttl_ms = direct->ttl_ms;
        op.as.store.on_expiry = direct->on_expiry;
        op.as.store.on_owner_loss = direct->on_owner_loss;
        if (direct->more != NULL) {
            op.as.store.stop_grace_ms = direct->more->stop_grace_ms;
            op.as.store.parent = direct->more->parent;
            op.as.store.meta = direct->more->meta;
            op.as.store.labels = direct->more->labels;
        }
        break;
    case OP_CANCEL:
        op.as.cancel.cause_code = direct->cause;
        op.as.cancel.level = LEVEL_RECORDED;
        op.as.cancel.arm_ttl_ms = direct->arm_ttl_ms;
        break;
    case OP_DELETE:
        op.as.delete.outcome = direct->outcome;
        break;
    case OP_TOUCH:
        op.as.touch.ttl_ms = direct->ttl_ms;
        break;
    default:
        ASSERT(direct->kind == OP_GET);
        break;
    }
    return op;
}

/* The operation that the answer is about, where it is still there. */
static uint32_t find(const struct registry *r, const struct direct_op *op, uint64_t gen)
{
    uint32_t space = session_at(r, r->direct_session)->space;
    uint32_t key = gen == 0 ? 0 : key_look(r, space, op->key);
    return key == 0 ? 0 : operation_find(r, key, gen);
}

static void describe(const struct registry *r, const struct direct_op *op,
                     const struct result *result, struct direct_answer *answer)
{
    *answer = (struct direct_answer){.answer = result->answer,
                                     .state = result->state,
                                     .outcome = result->outcome,
                                     .level = result->level,
                                     .cause = result->cause.code,
                                     .cancelled = result->cancelled,
                                     .gen = result->gen,
                                     .limit = result->limit,
                                     .field = result->error.field};
    if (result->gens_count > 0) {
        answer->gen = result->gens[0].gen;
        answer->outcome = result->gens[0].outcome;
        answer->level = result->level;
    }
    if (result->operations_count > 0) {
        answer->state = result->operations[0].state;
        answer->outcome = result->operations[0].outcome;
        answer->level = result->operations[0].level;
        answer->cause = result->operations[0].cause.code;
        answer->ttl_left_ms = result->operations[0].ttl_left_ms;
        answer->age_ms = result->operations[0].age_ms;
    }
    if (op->kind == OP_GET || op->kind == OP_DELETE) {
        uint32_t operation = find(r, op, answer->gen);
        answer->value =
            operation == 0 ? (struct direct_value){0} : operation_at(r, operation)->value;
    }
}

static void serve_whole(struct registry *r, const struct direct_op *direct,
                        struct direct_answer *answer)
{
    uint32_t before = direct->kind == OP_DELETE ? find(r, direct, direct->gen) : 0;
    enum level level = before == 0 ? LEVEL_NONE : (enum level) operation_at(r, before)->level;
    struct op op = op_of(direct);
    struct result result = {0};
    r->bans_walk_left = BAN_WALK_MAX;
    serve(r, &op, &direct->value, &result);
    describe(r, direct, &result, answer);
    if (direct->kind == OP_DELETE) {
        answer->level = level;
    }
}

/* ---- the short way ---- */

/* What a frame's op would be refused for, or treated in some other way. */
static bool is_plain(const struct registry *r, const struct direct_op *op, uint32_t space)
{
    if (op->key.size == 0 || op->key.size > KEY_BYTES_MAX || r->shut_down) {
        return false;
    }
    bool ttl = op_ttl_is_good(op->ttl_ms);
    switch (op->kind) {
    case OP_STORE:
        return op->more == NULL && (ttl || op->ttl_ms == 0) && op->policy < POLICY_END &&
               op->on_expiry < ON_EXPIRY_END && op->on_owner_loss == ON_OWNER_LOSS_REAP &&
               drain_cause_of(r, space, r->direct_session) == 0;
    case OP_DELETE:
        return op->outcome >= OUTCOME_COMPLETED && op->outcome <= OUTCOME_CANCELLED;
    case OP_TOUCH:
        return ttl;
    case OP_CANCEL: /* of a key that is not there; else it is whole from now on */
        return op->arm_ttl_ms == 0 && op->cause >= CAUSE_USER && op->cause <= CAUSE_DEADLINE;
    default:
        return op->kind == OP_GET;
    }
}

static void tell(const struct registry *r, enum answer planned, const struct plain_answer *plain,
                 struct direct_answer *answer)
{
    *answer = (struct direct_answer){.answer = planned,
                                     .gen = plain->gen,
                                     .outcome = plain->outcome,
                                     .limit = planned == ANSWER_FULL ? plain->full : NULL};
    if (planned == ANSWER_DELETED || planned == ANSWER_FOUND) {
        answer->value = plain_value(r, plain->index);
    }
    if (planned == ANSWER_EXISTS) {
        answer->state = STATE_LIVE;
    }
    if (planned == ANSWER_FOUND) {
        const struct plain *found = plain_at(r, plain->index);
        answer->state = plain_is_live(found) ? STATE_LIVE : STATE_ENDED;
        answer->outcome = plain_outcome(found);
        answer->ttl_left_ms = plain_ttl_left_ms(r, found);
        answer->age_ms = plain_age_ms(r, found);
    }
}

static bool serve_plain(struct registry *r, const struct direct_op *op,
                        struct direct_answer *answer)
{
    uint32_t space = session_at(r, r->direct_session)->space;
    if (!is_plain(r, op, space)) {
        return false;
    }
    struct plain_op plain = {
        .kind = op->kind,
        .policy = op->policy,
        .flags = plain_flags(op->policy, op->on_expiry, op->on_owner_loss),
        .outcome = op->outcome,
        .ttl_ms = op->ttl_ms,
        .session = r->direct_session,
        .space = space,
        .key = op->key,
        .hash = key_hash_in(space, op->hash),
        .gen = op->gen,
        .value = op->value,
    };
    struct plain_answer planned;
    enum answer what = plain_plan(r, &plain, &planned);
    if (what == ANSWER_UNSET) {
        return false;
    }
    r->counters.ops[op->kind]++;
    r->counters.answers[what]++;
    if (what == ANSWER_FULL) {
        limit_reached(r, planned.full);
    }
    tell(r, what, &planned, answer);
    plain_apply(r, &plain, what, &planned);
    return true;
}

void registry_direct(struct registry *r, const struct direct_op *op, uint64_t now_ms,
                     struct direct_answer *answer)
{
    ASSERT(r->direct_session != 0);
    note_time(r, now_ms);
    if (!serve_plain(r, op, answer)) {
        recovery_expire(r, now_ms);
        serve_whole(r, op, answer);
    }
    if (op->kind == OP_DELETE || op->kind == OP_STORE) {
        plain_compact(r, MOVES_OF_OP); /* a store drops what the memory has no room for */
    }
}

void registry_direct_told(struct registry *r, uint64_t gen, enum notice_kind kind, uint64_t now_ms)
{
    note_time(r, now_ms);
    notice_acknowledge(r, r->direct_session,
                       &(struct notice_ack){.gen = gen, .kind = (uint32_t) kind});
}
