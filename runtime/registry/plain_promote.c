/* SPDX-License-Identifier: MIT */
/* From plain to whole: all operations of a key at once, so that a key is never half of each. */
#include "registry/state.h"

/* The records of a key, by gen. */
struct records {
    uint32_t space;
    struct bytes key; /* in name */
    uint64_t hash;
    uint32_t count;
    uint32_t indexes[PLAIN_GENS_MAX];
    uint8_t name[KEY_BYTES_MAX];
};

static void insert_by_gen(const struct registry *r, struct records *records, uint32_t index)
{
    ASSERT(records->count < PLAIN_GENS_MAX);
    uint64_t number = plain_number(plain_at(r, index));
    uint32_t at = records->count++;
    for (; at > 0 && plain_number(plain_at(r, records->indexes[at - 1])) > number; at--) {
        records->indexes[at] = records->indexes[at - 1];
    }
    records->indexes[at] = index;
}

static void collect(const struct registry *r, struct records *records, uint32_t space,
                    struct bytes key)
{
    struct line_walk walk;
    records->space = space;
    records->hash = key_hash(r, space, key);
    records->count = 0;
    memcpy(records->name, key.data, key.size);
    records->key = bytes_of(records->name, key.size);
    uint32_t index = line_map_first(&r->by_key, records->hash, &walk);
    for (; index != 0; index = line_map_next(&walk)) {
        if ((index & WHOLE_BIT) != 0) {
            continue;
        }
        const struct plain *plain = plain_at(r, index);
        if (bytes_equal(plain_name(r, plain), key) && plain_space(r, plain) == space) {
            insert_by_gen(r, records, index);
        }
    }
}

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

/* All of them; the whole operation that `wanted` has become. */
static uint32_t promote_all(struct registry *r, struct records *records, uint32_t wanted)
{
    for (uint32_t i = 0; i < records->count; i++) {
        plain_leave_key(r, records->indexes[i], records->space, records->hash);
    }
    uint32_t key = key_make_in(r, records->space, records->key);
    uint32_t result = 0;
    for (uint32_t i = 0; i < records->count; i++) {
        uint32_t operation = promote(r, records->indexes[i], key);
        result = records->indexes[i] == wanted ? operation : result;
    }
    return result;
}

uint32_t plain_promote(struct registry *r, uint32_t index)
{
    struct records records;
    const struct plain *plain = plain_at(r, index);
    collect(r, &records, plain_space(r, plain), plain_name(r, plain));
    return promote_all(r, &records, index);
}

void plain_promote_key(struct registry *r, uint32_t space, struct bytes key)
{
    struct records records;
    if (r->plain.count == 0) {
        return;
    }
    collect(r, &records, space, key);
    if (records.count > 0) {
        (void) promote_all(r, &records, 0);
    }
}
