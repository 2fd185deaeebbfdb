/* SPDX-License-Identifier: MIT */
/* "By key and gen, the first that fits" of the contract.
 *
 * A dying session's operations are ended and let go in steps; whoever looks one up before its turn must
 * find what it will be afterwards. So the look-up takes the turn forward, which may forget operations
 * and, with the last of them, the key. */
#include "registry/state.h"

static bool is_of_the_dead(const struct registry *r, uint32_t operation)
{
    uint32_t owner = operation == 0 ? 0 : operation_at(r, operation)->owner;
    return owner != 0 && session_at(r, owner)->dying;
}

/* The live ones; none of them is forgotten by this, so the key stays. */
static void end_the_live(struct registry *r, uint32_t key)
{
    uint32_t next;
    for (uint32_t i = key_at(r, key)->live.first; i != 0; i = next) {
        next = operation_at(r, i)->of_key.next;
        operation_take_turn(r, i);
    }
}

struct found find_key(struct request *q, const struct op *op)
{
    struct registry *r = q->r;
    struct found found = {.answer = ANSWER_NOT_FOUND, .key = key_find(r, q->space, op->key)};
    if (found.key == 0 || r->dying.first == 0) {
        return found;
    }
    end_the_live(r, found.key);
    while (found.key != 0 && is_of_the_dead(r, key_newest_ended(r, found.key))) {
        operation_take_turn(r, key_newest_ended(r, found.key));
        q->space = space_find(r, q->space_name);
        found.key = key_find(r, q->space, op->key);
    }
    return found;
}

struct found find_known(struct request *q, const struct op *op)
{
    struct registry *r = q->r;
    if (op->gen > r->gen_newest) {
        return (struct found){.answer = ANSWER_STALE_EPOCH};
    }
    struct found found = find_key(q, op);
    if (found.key == 0) {
        return found;
    }
    found.operation = plain_promote_of(r, found.key, op->gen);
    if (is_of_the_dead(r, found.operation)) {
        operation_take_turn(r, found.operation);
        return find_known(q, op); /* once: now it is nobody's, or forgotten */
    }
    uint64_t highest = key_highest_gen(r, found.key);
    if (found.operation == 0 && highest > op->gen) {
        found.answer = ANSWER_STALE_GEN;
        found.gen = highest;
    }
    return found;
}

struct found find_by_gen(struct request *q, const struct op *op)
{
    struct found found = find_known(q, op);
    if (found.operation == 0 && is_recovering(q->r) && is_earlier(q->r, op->gen)) {
        found.answer = ANSWER_RECOVERING; /* its owner may yet bring it */
        found.gen = 0;
    }
    return found;
}

void request_tell_found(struct request *q, const struct found *found)
{
    if (found->answer == ANSWER_RECOVERING) {
        request_recovering(q);
    } else {
        request_tell(q, &(struct result){.answer = found->answer, .gen = found->gen});
    }
}

struct found find_newest(struct request *q, const struct op *op)
{
    if (op->gen != 0) {
        return find_by_gen(q, op);
    }
    struct found found = find_key(q, op);
    if (found.key != 0) {
        uint32_t live = key_at(q->r, found.key)->live.first;
        found.operation = live != 0 ? live : key_newest_ended(q->r, found.key);
    }
    if (found.operation == 0 && is_recovering(q->r)) {
        found.answer = ANSWER_RECOVERING;
    }
    return found;
}
