/* SPDX-License-Identifier: MIT */
/* "By key and gen, the first that fits" of the contract. */
#include "registry/state.h"

/* A dying session's operations are ended in steps; whoever looks one up before its turn must not
 * find it live. So the look-up takes the turn forward. */
static void end_those_of_the_dead(struct registry *r, uint32_t key)
{
    uint32_t next;
    for (uint32_t i = key_at(r, key)->live.first; i != 0; i = next) {
        next = operation_at(r, i)->of_key.next;
        operation_take_turn(r, i);
    }
}

struct found find_key(struct request *q, const struct op *op)
{
    struct found found = {.answer = ANSWER_NOT_FOUND};
    found.key = key_find(q->r, q->space, op->key);
    if (found.key != 0 && q->r->dying.first != 0) {
        end_those_of_the_dead(q->r, found.key);
    }
    return found;
}

struct found find_by_gen(struct request *q, const struct op *op)
{
    if (op->gen > q->r->gen_newest) {
        return (struct found){.answer = ANSWER_STALE_EPOCH};
    }
    struct found found = find_key(q, op);
    if (found.key == 0) {
        return found;
    }
    found.operation = operation_find(q->r, found.key, op->gen);
    uint64_t highest = key_highest_gen(q->r, found.key);
    if (found.operation == 0 && highest > op->gen) {
        found.answer = ANSWER_STALE_GEN;
        found.gen = highest;
    }
    return found;
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
    return found;
}
