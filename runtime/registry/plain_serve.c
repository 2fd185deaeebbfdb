/* SPDX-License-Identifier: MIT */
/* What is done to plain operations as they are: decided by plain_plan(), done by plain_apply(), for
 * frames and direct ops alike. What is not for them answers UNSET: then the key's operations become
 * whole, and the op goes the long way. */
#include "registry/state.h"

/* ---- store ---- */

uint8_t plain_flags(uint32_t policy, uint32_t on_expiry, uint32_t on_owner_loss)
{
    unsigned flags = 0;
    flags |= on_expiry == ON_EXPIRY_REAP ? PLAIN_REAPS : 0U;
    flags |= on_owner_loss == ON_OWNER_LOSS_KEEP ? PLAIN_KEEPS : 0U;
    flags |= policy == POLICY_JOIN ? PLAIN_JOINS : 0U;
    return (uint8_t) flags;
}

/* The bound that one more operation of the session, in its own namespace, would pass; NULL: none. */
static const char *full_of(const struct registry *r, const struct plain_op *op, size_t more_bytes)
{
    const struct space *space = space_at(r, op->space);
    if (r->operations_counted >= r->limits.operations ||
        r->operations.count + r->plain.count >= r->operations.capacity) {
        return "operations";
    }
    if (space->operations >= space->limits.operations) {
        return "operations_namespace";
    }
    if (session_operations(r, op->session) >= space->limits.operations_session) {
        return "operations_session";
    }
    return r->bytes.bytes + more_bytes > r->bytes.bytes_max ? "bytes" : NULL;
}

/* Of a key without a live one. Takes its memory at once: when the answer is written, the store cannot fail
 * any more. */
static enum answer plan_new(struct registry *r, const struct plain_op *op,
                            const struct plain_found *others, struct plain_answer *answer)
{
    bool known = others->ended != 0 || others->whole != 0;
    answer->full = full_of(r, op, known ? 0 : op->key.size);
    if (answer->full != NULL) {
        return ANSWER_FULL;
    }
    answer->gen = gen_next(r);
    if (answer->gen == 0) {
        answer->full = "generations";
        return ANSWER_FULL;
    }
    if (answer->gen - r->gen_first > PLAIN_NUMBER_MAX) {
        return ANSWER_UNSET;
    }
    answer->index = plain_make(r, op, others, answer->gen);
    answer->full = "operations";
    return answer->index != 0 ? ANSWER_STORED : ANSWER_FULL;
}

static enum answer plan_store(struct registry *r, const struct plain_op *op,
                              struct plain_answer *answer)
{
    struct plain_found found = plain_find(r, op->space, op->key, op->hash, 0);
    if (session_at(r, op->session)->space != op->space ||
        (found.whole != 0 && !key_takes_plain(r, found.whole))) {
        return ANSWER_UNSET;
    }
    if (found.live == 0) {
        return plan_new(r, op, &found, answer);
    }
    const struct plain *live = plain_at(r, found.live);
    if (op->policy != POLICY_REJECT || session_at(r, live->holder)->dying) {
        return ANSWER_UNSET;
    }
    answer->gen = r->gen_first + plain_number(live);
    return ANSWER_EXISTS;
}

/* ---- by key and gen ---- */

static enum answer plan_live(const struct registry *r, const struct plain_op *op,
                             const struct plain *plain)
{
    switch (op->kind) {
    case OP_DELETE: /* of another's: its owner has to be told */
        return plain->holder == op->session ? ANSWER_DELETED : ANSWER_UNSET;
    case OP_TOUCH: /* without a ttl: which is an error */
        return wheel_is_set(&plain->timer) ? ANSWER_TOUCHED : ANSWER_UNSET;
    default:
        (void) r;
        return op->kind == OP_GET ? ANSWER_FOUND : ANSWER_UNSET;
    }
}

static enum answer plan_of(struct registry *r, const struct plain_op *op,
                           struct plain_answer *answer)
{
    struct plain_found found = plain_find(r, op->space, op->key, op->hash, op->gen);
    uint32_t newest = found.live != 0 ? found.live : found.ended;
    if (newest == 0 && found.whole == 0 && !is_recovering(r)) {
        return op->gen > r->gen_newest ? ANSWER_STALE_EPOCH : ANSWER_NOT_FOUND;
    }
    uint32_t index = op->gen == 0 && op->kind == OP_GET ? newest : found.wanted;
    if (index == 0) {
        return ANSWER_UNSET;
    }
    const struct plain *plain = plain_at(r, index);
    answer->index = index;
    answer->older = found.ended;
    answer->gen = r->gen_first + plain_number(plain);
    answer->by_owner = plain_is_live(plain) && plain->holder == op->session;
    if (plain_is_live(plain)) {
        bool dying = session_at(r, plain->holder)->dying; /* which has to be looked at first */
        return dying ? ANSWER_UNSET : plan_live(r, op, plain);
    }
    if (op->kind == OP_GET) {
        return ANSWER_FOUND;
    }
    answer->outcome = plain_outcome(plain);
    return op->kind == OP_DELETE || op->kind == OP_TOUCH ? ANSWER_ENDED : ANSWER_UNSET;
}

/* ---- both ---- */

enum answer plain_plan(struct registry *r, const struct plain_op *op, struct plain_answer *answer)
{
    *answer = (struct plain_answer){0};
    if (op->kind == OP_STORE) {
        return plan_store(r, op, answer);
    }
    return plan_of(r, op, answer);
}

void plain_apply(struct registry *r, const struct plain_op *op, enum answer planned,
                 const struct plain_answer *answer)
{
    switch (planned) {
    case ANSWER_STORED:
        plain_made(r, answer->index);
        break;
    case ANSWER_DELETED:
        plain_end(r, answer->index, answer->older, op->hash, (enum outcome) op->outcome);
        break;
    case ANSWER_TOUCHED:
        plain_touch(r, answer->index, op->ttl_ms);
        break;
    default:
        break;
    }
}

/* ---- by a frame ---- */

/* False where it asks for more than a plain operation has. */
static bool op_of(const struct request *q, const struct op *op, struct plain_op *plain)
{
    *plain = (struct plain_op){
        .kind = op->kind, .session = q->session, .space = q->space, .key = op->key, .gen = op->gen};
    if (q->space == 0) {
        return false;
    }
    switch (op->kind) {
    case OP_STORE:
        plain->policy = (uint8_t) op->as.store.policy;
        plain->flags =
            plain_flags(op->as.store.policy, op->as.store.on_expiry, op->as.store.on_owner_loss);
        plain->ttl_ms = op->as.store.ttl_ms;
        plain->value = q->value;
        return op->as.store.labels.count == 0 && op->as.store.meta.size == 0 &&
               op->as.store.parent == 0 && op->as.store.stop_grace_ms == 0;
    case OP_DELETE:
        plain->outcome = (uint8_t) op->as.delete.outcome;
        return true;
    case OP_TOUCH:
        plain->ttl_ms = op->as.touch.ttl_ms;
        return true;
    default:
        return true;
    }
}

/* Of the session's own namespace: what is not, is hashed when it is served. */
static bool is_hashed_ahead(const struct op *op)
{
    bool kind =
        op->kind == OP_STORE || op->kind == OP_DELETE || op->kind == OP_TOUCH || op->kind == OP_GET;
    return kind && op->space.size == 0;
}

static void fetch_gen(const struct registry *r, const struct op *op)
{
    if (op->kind == OP_DELETE && op->gen >= r->gen_first) {
        radix_tree_prefetch(&r->by_number, op->gen - r->gen_first);
    }
}

void plain_prefetch(struct request *q, size_t from)
{
    const struct registry *r = q->r;
    const struct frame *frame = q->frame;
    size_t left = frame->ops_count - from;
    size_t count = left < PLAIN_BATCH ? left : PLAIN_BATCH;
    uint32_t space = session_at(r, q->session)->space;
    for (size_t i = 0; i < count; i++) {
        const struct op *op = &frame->ops[from + i];
        if (is_hashed_ahead(op)) {
            q->hashes[i] = key_hash(r, space, op->key);
            line_map_prefetch(&r->by_key, q->hashes[i]);
            fetch_gen(r, op);
        }
    }
    for (size_t i = 0; i < count; i++) {
        struct line_walk walk;
        const struct op *op = &frame->ops[from + i];
        uint32_t index = is_hashed_ahead(op) ? line_map_first(&r->by_key, q->hashes[i], &walk) : 0;
        if (index != 0) {
            __builtin_prefetch(by_key_record(r, index));
        }
    }
    q->hashed_from = from;
    q->hashed_end = from + count;
}

static uint64_t hash_of(const struct request *q, const struct op *op)
{
    if (q->hashed_end > 0 && is_hashed_ahead(op)) {
        size_t at = (size_t) (op - q->frame->ops);
        ASSERT(at >= q->hashed_from && at < q->hashed_end);
        return q->hashes[at - q->hashed_from];
    }
    return key_hash(q->r, q->space, op->key);
}

bool plain_serve(struct request *q, const struct op *op)
{
    struct registry *r = q->r;
    struct plain_op plain;
    struct plain_answer answer;
    if (!op_of(q, op, &plain)) {
        return false;
    }
    plain.hash = hash_of(q, op);
    enum answer planned = plain_plan(r, &plain, &answer);
    if (planned == ANSWER_UNSET) {
        return false;
    }
    if (planned == ANSWER_FULL) {
        request_full(q, answer.full);
        return true;
    }
    struct result result = {.answer = planned,
                            .gen = answer.gen,
                            .outcome = answer.outcome,
                            .state = planned == ANSWER_EXISTS ? STATE_LIVE : STATE_UNSET,
                            .by_owner = answer.by_owner && planned != ANSWER_FOUND};
    struct operation_info info;
    if (planned == ANSWER_FOUND) {
        info = plain_describe(r, answer.index);
        result.operations = &info;
        result.operations_count = 1;
    }
    if (request_put(q, &result)) {
        plain_apply(r, &plain, planned, &answer);
    } else if (planned == ANSWER_STORED) {
        plain_unmake(r, answer.index, plain.hash);
    }
    return true;
}
