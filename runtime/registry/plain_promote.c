/* SPDX-License-Identifier: MIT */
/* From plain to whole: what speaks for a key at once; an older one when it is asked for. */
#include "registry/state.h"

static struct operation whole_of(const struct registry *r, uint32_t index)
{
    const struct plain *plain = plain_at(r, index);
    bool live = plain_is_live(plain);
    return (struct operation){
        .gen = r->gen_first + plain_number(plain),
        .born_ms = births_of(&r->births, plain_number(plain)),
        .owner = live ? plain->holder : 0,
        .ttl_end_ms = live ? plain_deadline_ms(r, plain) : 0,
        .ended_ms = live ? 0 : plain_ended_ms(r, plain),
        .stop_grace_ms = r->limits.grace_ms,
        .on_expiry = (plain->flags & PLAIN_REAPS) != 0 ? ON_EXPIRY_REAP : ON_EXPIRY_CANCEL,
        .on_owner_loss =
            (plain->flags & PLAIN_KEEPS) != 0 ? ON_OWNER_LOSS_KEEP : ON_OWNER_LOSS_REAP,
        .joins = (plain->flags & PLAIN_JOINS) != 0,
        .state = live ? STATE_LIVE : STATE_ENDED,
        .outcome = (uint8_t) plain_outcome(plain),
        .value = plain_value(r, index),
    };
}

/* One of them; its record is free afterwards. */
static uint32_t promote(struct registry *r, uint32_t index, uint32_t key)
{
    struct operation whole = whole_of(r, index);
    uint32_t space = plain_space(r, plain_at(r, index));
    if (whole.state == STATE_LIVE) {
        plain_disown(r, index);
    }
    uint32_t operation = operation_promoted(r, key, &whole);
    if (whole.state == STATE_ENDED) {
        memory_replace(r, index | PLAIN_BIT, operation);
    }
    radix_tree_set(&r->by_number, whole.gen - r->gen_first, operation);
    packed_give(&r->plain, index);
    space_give(r, space); /* its key has the namespace too */
    return operation;
}

/* The one that speaks for its key: the live one, else the newest that ended. */
static uint32_t promote_key(struct registry *r, uint32_t space, uint64_t hash,
                            const struct plain_found *found)
{
    uint32_t speaks = found->live != 0 ? found->live : found->ended;
    if (found->ended != 0) {
        plain_succeed(r, found->ended, hash);
    }
    if (found->live != 0) {
        line_map_remove(&r->by_key, hash, found->live);
    }
    uint32_t key =
        found->whole != 0 ? found->whole : key_make_of(r, space, plain_take_name(r, speaks), hash);
    (void) promote(r, speaks, key);
    return key;
}

uint32_t plain_promote_key(struct registry *r, uint32_t space, struct bytes name)
{
    uint64_t hash = key_hash(r, space, name);
    struct plain_found found = plain_find(r, space, name, hash, 0);
    bool is_plain = found.live != 0 || found.ended != 0;
    return is_plain ? promote_key(r, space, hash, &found) : found.whole;
}

uint32_t plain_promote(struct registry *r, uint32_t index)
{
    const struct plain *plain = plain_at(r, index);
    uint64_t number = plain_number(plain);
    uint32_t key = plain_promote_key(r, plain_space(r, plain), plain_name(r, plain));
    uint32_t id = radix_tree_get(&r->by_number, number);
    return (id & PLAIN_BIT) != 0 ? promote(r, index, key) : id;
}

uint32_t plain_promote_of(struct registry *r, uint32_t key, uint64_t gen)
{
    uint32_t operation = operation_find(r, key, gen);
    if (operation != 0) {
        return operation;
    }
    uint32_t index = plain_of_gen(r, key_at(r, key)->space, key_name(r, key), gen);
    return index != 0 ? promote(r, index, key) : 0;
}
