/* SPDX-License-Identifier: MIT */
/* Plain operations: their records, and how one is made, ends, is forgotten and moves. */
#include "registry/state.h"

/* Handed back in one call, at most. */
#define VALUES_PIECE_BYTES ((size_t) 1048576)

/* ---- what a record says ---- */

static uint64_t hash_of(const void *context, uint32_t index)
{
    const struct registry *r = context;
    if ((index & WHOLE_BIT) != 0) {
        return key_at(r, index & ~WHOLE_BIT)->hash;
    }
    const struct plain *plain = plain_at(r, index);
    return key_hash(r, plain_space(r, plain), plain_name(r, plain));
}

static void prefetch(const void *context, uint32_t index)
{
    __builtin_prefetch(by_key_record(context, index));
}

bool plain_init(struct registry *r, uint32_t capacity, uint32_t keys_max)
{
    size_t values =
        r->port.told == NULL ? 0 : ((size_t) capacity + 1) * sizeof(struct direct_value);
    return packed_init(&r->plain, sizeof(struct plain), capacity) &&
           line_map_init(&r->by_key, capacity + keys_max, hash_of, prefetch, r) &&
           radix_tree_init(&r->by_number, capacity) &&
           wheel_init(&r->plain_timers, &r->plain, offsetof(struct plain, timer), r->now_ms) &&
           births_init(&r->births) && region_init(&r->plain_values, values);
}

void plain_fini(struct registry *r)
{
    region_fini(&r->plain_values);
    births_fini(&r->births);
    wheel_fini(&r->plain_timers);
    radix_tree_fini(&r->by_number);
    line_map_fini(&r->by_key);
    packed_fini(&r->plain);
}

struct bytes plain_name(const struct registry *r, const struct plain *plain)
{
    return plain->key_size != 0 ? bytes_of(plain->key, plain->key_size)
                                : byte_heap_get(&r->bytes, plain->kept);
}

uint32_t plain_space(const struct registry *r, const struct plain *plain)
{
    return plain_is_live(plain) ? session_at(r, plain->holder)->space : plain->holder;
}

/* The time nearest to now of which these are the low bits. */
static uint64_t time_of(const struct registry *r, uint32_t low_bits)
{
    return r->now_ms + (uint64_t) (int64_t) (int32_t) (low_bits - (uint32_t) r->now_ms);
}

uint64_t plain_ended_ms(const struct registry *r, const struct plain *plain)
{
    return time_of(r, plain->ended.ms);
}

uint64_t plain_deadline_ms(const struct registry *r, const struct plain *plain)
{
    return wheel_is_set(&plain->timer) ? time_of(r, plain->timer.deadline_ms) : 0;
}

uint64_t plain_ttl_left_ms(const struct registry *r, const struct plain *plain)
{
    uint64_t deadline_ms = plain_is_live(plain) ? plain_deadline_ms(r, plain) : 0;
    return deadline_ms > r->now_ms ? deadline_ms - r->now_ms : 0;
}

uint64_t plain_age_ms(const struct registry *r, const struct plain *plain)
{
    return r->now_ms - births_of(&r->births, plain_number(plain));
}

static struct direct_value *value_at(const struct registry *r, uint32_t index)
{
    return (struct direct_value *) r->plain_values.base + index;
}

struct direct_value plain_value(const struct registry *r, uint32_t index)
{
    return r->plain_values.base == NULL ? (struct direct_value){0} : *value_at(r, index);
}

static bool is_key(const struct registry *r, uint32_t index, uint32_t space, struct bytes name,
                   uint64_t hash)
{
    const struct key *key = key_at(r, index);
    return key->hash == hash && key->space == space && bytes_equal(key_name(r, index), name);
}

static bool is_of(const struct registry *r, const struct plain *plain, uint32_t space,
                  struct bytes key)
{
    return bytes_equal(plain_name(r, plain), key) && plain_space(r, plain) == space;
}

uint32_t plain_of_gen(const struct registry *r, uint32_t space, struct bytes key, uint64_t gen)
{
    uint32_t id = gen < r->gen_first ? 0 : radix_tree_get(&r->by_number, gen - r->gen_first);
    bool plain = (id & PLAIN_BIT) != 0 && is_of(r, plain_at(r, id & ~PLAIN_BIT), space, key);
    return plain ? id & ~PLAIN_BIT : 0;
}

static bool has_gen(const struct registry *r, uint32_t index, uint64_t gen)
{
    return index != 0 && r->gen_first + plain_number(plain_at(r, index)) == gen;
}

struct plain_found plain_find(const struct registry *r, uint32_t space, struct bytes key,
                              uint64_t hash, uint64_t gen)
{
    struct plain_found found = {0};
    struct line_walk walk;
    uint32_t index = line_map_first(&r->by_key, hash, &walk);
    for (; index != 0; index = line_map_next(&walk)) {
        if ((index & WHOLE_BIT) != 0) {
            found.whole =
                is_key(r, index & ~WHOLE_BIT, space, key, hash) ? index & ~WHOLE_BIT : found.whole;
            continue;
        }
        const struct plain *plain = plain_at(r, index);
        if (is_of(r, plain, space, key)) {
            *(plain_is_live(plain) ? &found.live : &found.ended) = index;
        }
    }
    if (has_gen(r, found.live, gen)) {
        found.wanted = found.live;
    } else if (has_gen(r, found.ended, gen)) {
        found.wanted = found.ended;
    } else if (gen != 0 && (found.ended != 0 || found.whole != 0)) {
        found.wanted = plain_of_gen(r, space, key, gen); /* an older one */
    }
    return found;
}

/* ---- the chain of its owner ---- */

static struct chain *chain_at(const struct registry *r, uint32_t index)
{
    return &plain_at(r, index)->of_owner;
}

static void own(struct registry *r, uint32_t session, uint32_t index)
{
    struct chain_ends *ends = &session_at(r, session)->plain;
    *chain_at(r, index) = (struct chain){.previous = ends->last};
    if (ends->last == 0) {
        ends->first = index;
    } else {
        chain_at(r, ends->last)->next = index;
    }
    ends->last = index;
    ends->count++;
}

/* Its neighbours are tied to whoever stands for it now: each other, or the place it moved to. */
static void retie(struct registry *r, struct chain_ends *ends, struct chain chain, uint32_t before,
                  uint32_t behind)
{
    if (chain.previous == 0) {
        ends->first = before;
    } else {
        chain_at(r, chain.previous)->next = before;
    }
    if (chain.next == 0) {
        ends->last = behind;
    } else {
        chain_at(r, chain.next)->previous = behind;
    }
}

void plain_disown(struct registry *r, uint32_t index)
{
    wheel_clear(&r->plain_timers, index);
    struct plain *plain = plain_at(r, index);
    struct session *session = session_at(r, plain->holder);
    retie(r, &session->plain, plain->of_owner, plain->of_owner.next, plain->of_owner.previous);
    plain->of_owner = (struct chain){0};
    session->plain.count--;
    space_at(r, session->space)->plain--;
}

/* ---- making one ---- */

/* A key's records share its bytes, which count once: they are the whole key's while there is one. */
static bool take_key(struct registry *r, uint32_t index, const struct plain_op *store,
                     const struct plain_found *others)
{
    struct plain *plain = plain_at(r, index);
    uint32_t other = others->live != 0 ? others->live : others->ended;
    bool kept = store->key.size > PLAIN_KEY_BYTES;
    if (!kept) {
        plain->key_size = (uint8_t) store->key.size;
        memcpy(plain->key, store->key.data, store->key.size);
    } else if (others->whole != 0) {
        plain->kept = key_at(r, others->whole)->name;
    } else if (other != 0) {
        plain->kept = plain_at(r, other)->kept;
    }
    if (other != 0 || others->whole != 0) {
        return true;
    }
    bool taken = kept ? byte_heap_keep(&r->bytes, store->key, &plain->kept)
                      : byte_heap_charge(&r->bytes, store->key.size);
    r->plain_keys += taken;
    return taken;
}

/* Of the last of a key's records. */
static void give_key(struct registry *r, struct plain *plain)
{
    r->plain_keys--;
    if (plain->key_size != 0) {
        byte_heap_discharge(&r->bytes, plain->key_size);
    } else {
        byte_heap_drop(&r->bytes, &plain->kept);
    }
}

struct kept_bytes plain_take_name(struct registry *r, uint32_t index)
{
    const struct plain *plain = plain_at(r, index);
    struct kept_bytes name = plain->kept;
    r->plain_keys--;
    if (plain->key_size != 0) {
        byte_heap_discharge(&r->bytes, plain->key_size);
        bool kept = byte_heap_keep(&r->bytes, plain_name(r, plain), &name);
        ASSERT(kept);
    }
    return name;
}

bool plain_takes_over(struct registry *r, uint32_t space, uint64_t hash, struct kept_bytes *name)
{
    struct plain_found found = plain_find(r, space, byte_heap_get(&r->bytes, *name), hash, 0);
    uint32_t either = found.live != 0 ? found.live : found.ended;
    if (either == 0) {
        return false;
    }
    r->plain_keys++;
    uint8_t size = plain_at(r, either)->key_size;
    if (size != 0) {
        byte_heap_drop(&r->bytes, name);
        bool charged = byte_heap_charge(&r->bytes, size);
        ASSERT(charged); /* so much was given back just now */
    }
    return true;
}

/* It is not in the key's table, or not any more: the key's bytes go where it was the last. */
static void leave_key(struct registry *r, uint32_t index, uint32_t space, uint64_t hash)
{
    struct plain *plain = plain_at(r, index);
    struct plain_found others = plain_find(r, space, plain_name(r, plain), hash, 0);
    if (others.live == 0 && others.ended == 0 && others.whole == 0) {
        give_key(r, plain);
    }
}

/* Into the tables; where one has no memory, out of those that had. */
static bool enter(struct registry *r, uint32_t index, uint64_t number, uint64_t hash)
{
    if (!radix_tree_put(&r->by_number, number, index | PLAIN_BIT)) {
        return false;
    }
    if (!line_map_insert(&r->by_key, hash, index)) {
        radix_tree_remove(&r->by_number, number);
        return false;
    }
    return true;
}

uint32_t plain_make(struct registry *r, const struct plain_op *store,
                    const struct plain_found *others, uint64_t gen)
{
    uint64_t number = gen - r->gen_first;
    uint32_t index = packed_take(&r->plain);
    if (index == 0) {
        return 0;
    }
    struct plain *plain = plain_at(r, index);
    plain->holder = store->session;
    plain->number_low = (uint32_t) number;
    plain->number_high = (uint16_t) (number >> 32);
    plain->flags = store->flags;
    if (!take_key(r, index, store, others)) {
        packed_give(&r->plain, index);
        return 0;
    }
    if (!enter(r, index, number, store->hash)) {
        leave_key(r, index, session_at(r, store->session)->space, store->hash);
        packed_give(&r->plain, index);
        return 0;
    }
    if (store->ttl_ms != 0) {
        wheel_set(&r->plain_timers, index, r->now_ms + store->ttl_ms, r->now_ms);
    }
    if (r->plain_values.base != NULL) {
        size_t end = ((size_t) index + 1) * sizeof(struct direct_value);
        r->plain_values_end = end > r->plain_values_end ? end : r->plain_values_end;
        *value_at(r, index) = store->value;
    }
    return index;
}

void plain_unmake(struct registry *r, uint32_t index, uint64_t hash)
{
    const struct plain *plain = plain_at(r, index);
    wheel_clear(&r->plain_timers, index);
    radix_tree_remove(&r->by_number, plain_number(plain));
    line_map_remove(&r->by_key, hash, index);
    leave_key(r, index, plain_space(r, plain), hash);
    packed_give(&r->plain, index);
}

void plain_made(struct registry *r, uint32_t index)
{
    const struct plain *plain = plain_at(r, index);
    struct session *session = session_at(r, plain->holder);
    struct space *space = space_at(r, session->space);
    r->gen_newest = r->gen_first + plain_number(plain);
    r->counter_next++;
    births_add(&r->births, plain_number(plain), r->now_ms);
    own(r, plain->holder, index);
    session->live++;
    space->references++;
    space->operations++;
    space->plain++;
    space->states[STATE_LIVE]++;
    r->states[STATE_LIVE]++;
    r->operations_counted++;
    watch_note_plain(r, index);
}

void plain_touch(struct registry *r, uint32_t index, uint32_t ttl_ms)
{
    wheel_set(&r->plain_timers, index, r->now_ms + ttl_ms, r->now_ms);
}

/* ---- its end ---- */

void plain_succeed(struct registry *r, uint32_t older, uint64_t hash)
{
    line_map_remove(&r->by_key, hash, older);
    plain_at(r, older)->flags &= (uint8_t) ~PLAIN_NEWEST;
}

void plain_end(struct registry *r, uint32_t index, uint32_t older, uint64_t hash,
               enum outcome outcome)
{
    struct plain *plain = plain_at(r, index);
    if (older != 0) {
        plain_succeed(r, older, hash);
    }
    struct session *session = session_at(r, plain->holder);
    struct space *space = space_at(r, session->space);
    plain_disown(r, index);
    session->live--;
    space->operations--;
    space->states[STATE_LIVE]--;
    space->states[STATE_ENDED]++;
    r->states[STATE_LIVE]--;
    r->states[STATE_ENDED]++;
    r->operations_counted--;
    r->counters.outcomes[outcome]++;
    plain->holder = session->space;
    plain->flags |=
        (uint8_t) (PLAIN_ENDED | PLAIN_NEWEST | (unsigned) outcome << PLAIN_OUTCOME_SHIFT);
    plain->ended.of_memory = (struct chain){0};
    plain->ended.ms = (uint32_t) r->now_ms;
    r->drains_due = true;
    watch_note_plain(r, index);
    memory_add(r, index | PLAIN_BIT);
}

void plain_forget(struct registry *r, uint32_t index)
{
    const struct plain *plain = plain_at(r, index);
    uint32_t space = plain->holder;
    uint64_t over_ms = time_after(plain_ended_ms(r, plain), r->limits.finished_ms);
    if (over_ms > r->now_ms) {
        memory_dropped_early(r, over_ms);
    }
    space_at(r, space)->states[STATE_ENDED]--;
    r->states[STATE_ENDED]--;
    radix_tree_remove(&r->by_number, plain_number(plain));
    if (plain_is_by_key(plain)) {
        uint64_t hash = hash_of(r, index);
        line_map_remove(&r->by_key, hash, index);
        leave_key(r, index, space, hash);
    }
    packed_give(&r->plain, index);
    space_give(r, space);
}

void plain_fetch(const struct registry *r, uint32_t index)
{
    const struct plain *plain = plain_at(r, index);
    if (plain_is_by_key(plain)) {
        line_map_prefetch(&r->by_key, hash_of(r, index));
    }
    radix_tree_prefetch(&r->by_number, plain_number(plain));
}

void plain_lose_owner(struct registry *r, uint32_t index)
{
    if ((plain_at(r, index)->flags & PLAIN_KEEPS) != 0) {
        operation_lose_owner(r, plain_promote(r, index));
        return;
    }
    const struct plain *plain = plain_at(r, index);
    uint64_t hash = hash_of(r, index);
    struct plain_found found = plain_find(r, plain_space(r, plain), plain_name(r, plain), hash, 0);
    plain_end(r, index, found.ended, hash, OUTCOME_OWNER_LOST);
}

void plain_expire(struct registry *r, uint32_t *budget)
{
    while (*budget > 0) {
        uint32_t index = wheel_expire(&r->plain_timers, r->due_ms, budget);
        if (index == 0) {
            return;
        }
        /* Whoever is told of it is told by a notice: it is plain no more. */
        uint64_t deadline_ms = time_of(r, plain_at(r, index)->timer.deadline_ms);
        uint32_t operation = plain_promote(r, index);
        operation_at(r, operation)->ttl_end_ms = deadline_ms;
        operation_expire(r, operation);
    }
}

/* ---- where it is ---- */

/* Everything that names a record follows it to its new place. */
static void move(struct registry *r, uint32_t from, uint32_t to)
{
    if (plain_is_by_key(plain_at(r, from))) {
        line_map_rename(&r->by_key, hash_of(r, from), from, to);
    }
    packed_move(&r->plain, from, to);
    const struct plain *plain = plain_at(r, to);
    radix_tree_set(&r->by_number, plain_number(plain), to | PLAIN_BIT);
    if (plain_is_live(plain)) {
        wheel_rename(&r->plain_timers, from, to);
        retie(r, &session_at(r, plain->holder)->plain, plain->of_owner, to, to);
    } else {
        memory_moved(r, to | PLAIN_BIT);
    }
    if (r->plain_values.base != NULL) {
        *value_at(r, to) = *value_at(r, from);
    }
}

/* The values go back as the records do, a piece a call. */
static void trim_values(struct registry *r)
{
    size_t used =
        ((size_t) r->plain.end * sizeof(struct direct_value) / REGION_GRAIN + 1) * REGION_GRAIN;
    size_t end = r->plain_values_end / REGION_GRAIN * REGION_GRAIN;
    if (end < used + 2 * REGION_GRAIN) {
        return;
    }
    size_t from = end - used > VALUES_PIECE_BYTES ? end - VALUES_PIECE_BYTES : used;
    region_hand_back(&r->plain_values, from, end - from);
    r->plain_values_end = from;
}

void plain_compact(struct registry *r, uint32_t moves_max)
{
    uint32_t from;
    uint32_t to;
    for (uint32_t moves = 0; moves < moves_max && packed_next_move(&r->plain, &from, &to);
         moves++) {
        move(r, from, to);
    }
    (void) radix_tree_compact(&r->by_number, moves_max);
    (void) packed_trim(&r->plain);
    if (r->plain_values.base != NULL) {
        trim_values(r);
    }
}

/* ---- seen from outside ---- */

struct operation_info plain_describe(const struct registry *r, uint32_t index)
{
    const struct plain *plain = plain_at(r, index);
    bool live = plain_is_live(plain);
    struct operation_info info = {
        .space = space_name(r, plain_space(r, plain)),
        .key = plain_name(r, plain),
        .gen = r->gen_first + plain_number(plain),
        .state = live ? STATE_LIVE : STATE_ENDED,
        .outcome = plain_outcome(plain),
        .age_ms = plain_age_ms(r, plain),
        .ttl_left_ms = plain_ttl_left_ms(r, plain),
    };
    if (live) {
        const struct session *owner = session_at(r, plain->holder);
        info.owner = owner->number;
        info.owner_name = bytes_of(owner->name, owner->name_size);
    }
    return info;
}

size_t plain_bytes(const struct registry *r)
{
    return packed_bytes(&r->plain) + line_map_bytes(&r->by_key) + radix_tree_bytes(&r->by_number);
}
