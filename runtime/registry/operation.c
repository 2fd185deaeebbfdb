/* SPDX-License-Identifier: MIT */
/* The life of an operation: LIVE -> CANCELLING -> ended, or LIVE -> ended. Each change of state
 * goes through this file, so that counts, notices, timers and waiters cannot disagree with it. */
#include "registry/state.h"

/* For the key and the owner's list of an operation. */
#define OF_KEY(r) CHAIN(r, operations, operation, of_key)
#define OF_OWNER(r) CHAIN(r, operations, operation, of_owner)
#define OF_SPACE(r) CHAIN(r, operations, operation, of_space)

uint64_t gen_next(struct registry *r)
{
    if (r->counter_next > GEN_COUNTER_MAX) {
        uint64_t epoch;
        if (!r->port.next_epoch(r->port.context, &epoch)) {
            return 0;
        }
        ASSERT(epoch > r->epoch && epoch <= GEN_EPOCH_MAX);
        r->epoch = epoch;
        r->counter_next = 1;
    }
    return r->epoch << GEN_COUNTER_BITS | r->counter_next;
}

static void set_state(struct registry *r, uint32_t index, enum state state)
{
    struct operation *operation = operation_at(r, index);
    struct space *space = space_at(r, key_at(r, operation->key)->space);
    labels_state(r, index, (enum state) operation->state, state);
    if (operation->state != STATE_UNSET) {
        space->states[operation->state]--;
        r->states[operation->state]--;
    }
    operation->state = (uint8_t) state;
    if (state != STATE_UNSET) {
        space->states[state]++;
        r->states[state]++;
    }
}

static void count(struct registry *r, struct operation *operation, uint32_t index)
{
    operation->counted = true;
    space_at(r, key_at(r, operation->key)->space)->operations++;
    r->operations_counted++;
    if (operation->owner != 0) {
        chain_append(OF_OWNER(r), &session_at(r, operation->owner)->operations, index);
    }
}

static void uncount(struct registry *r, struct operation *operation, uint32_t index)
{
    if (!operation->counted) {
        return;
    }
    operation->counted = false;
    space_at(r, key_at(r, operation->key)->space)->operations--;
    r->operations_counted--;
    if (operation->owner != 0) {
        bulk_passes(r, index, BULK_OWNER);
        chain_remove(OF_OWNER(r), &session_at(r, operation->owner)->operations, index);
        operation->owner = 0;
    }
}

/* The chain of a key's live gens is by gen, the highest first; an adopted one may have to stand behind
 * others. There are at most KEY_GENS_MAX. */
static void add_to_key(struct registry *r, uint32_t key, uint32_t index)
{
    struct chain_ends *live = &key_at(r, key)->live;
    uint32_t after = 0;
    for (uint32_t i = live->first; i != 0 && operation_at(r, i)->gen > operation_at(r, index)->gen;
         i = operation_at(r, i)->of_key.next) {
        after = i;
    }
    chain_insert_after(OF_KEY(r), live, after, index);
}

uint32_t operation_make(struct registry *r, uint32_t key, uint32_t owner)
{
    uint64_t gen = gen_next(r);
    ASSERT(gen > r->gen_newest);
    r->gen_newest = gen;
    r->counter_next++;
    return operation_make_of(r, key, owner, gen);
}

/* By its owner: how many it has that live in its own namespace. */
static void count_live(struct registry *r, uint32_t index, int change)
{
    const struct operation *operation = operation_at(r, index);
    struct session *owner = operation->owner == 0 ? NULL : session_at(r, operation->owner);
    if (owner != NULL && key_at(r, operation->key)->space == owner->space) {
        owner->live += (uint32_t) change;
    }
}

/* Gens of this start are found by number, with the plain ones; there was room for it (store_full()). */
static void add_by_gen(struct registry *r, uint32_t index)
{
    uint64_t gen = operation_at(r, index)->gen;
    if (is_earlier(r, gen)) {
        hash_index_insert(&r->adopted_by_gen, index, gen);
        r->adopted_count++;
    } else {
        bool put = radix_tree_put(&r->by_number, gen - r->gen_first, index);
        ASSERT(put);
    }
}

static void remove_by_gen(struct registry *r, uint32_t index)
{
    uint64_t gen = operation_at(r, index)->gen;
    if (is_earlier(r, gen)) {
        hash_index_remove(&r->adopted_by_gen, index);
        r->adopted_count--;
    } else {
        radix_tree_remove(&r->by_number, gen - r->gen_first);
    }
}

/* Chains of whole operations are by gen as well as a few looks can do it: what rests on it is how they are
 * listed, and in which order they are lost. Bulk cancels that walk there are told (bulk_meets()). */
#define PLACE_LOOKS 64

static uint32_t place_in(const struct registry *r, struct chain_of of,
                         const struct chain_ends *ends, uint64_t gen)
{
    uint32_t after = ends->last;
    for (uint32_t looks = 0; after != 0 && operation_at(r, after)->gen > gen && looks < PLACE_LOOKS;
         looks++) {
        after = chain_previous(of, after);
    }
    return after;
}

uint32_t operation_promoted(struct registry *r, uint32_t key, const struct operation *from)
{
    uint32_t index = slab_take(&r->operations);
    ASSERT(index != 0);
    struct operation *operation = operation_at(r, index);
    *operation = *from;
    operation->key = key;
    operation->timer.kind = TIMER_OPERATION;
    operation->whole_number = ++r->whole_number;
    if (operation->state == STATE_ENDED) {
        key_add_ended(r, key, index);
        return index;
    }
    operation->counted = true;
    add_to_key(r, key, index);
    struct chain_ends *live = &space_at(r, key_at(r, key)->space)->live;
    struct chain_ends *owned = &session_at(r, operation->owner)->operations;
    chain_insert_after(OF_SPACE(r), live, place_in(r, OF_SPACE(r), live, operation->gen), index);
    chain_insert_after(OF_OWNER(r), owned, place_in(r, OF_OWNER(r), owned, operation->gen), index);
    bulk_meets(r, index);
    if (operation->ttl_end_ms != 0) {
        timer_heap_set(&r->timers, &operation->timer, operation->ttl_end_ms);
    }
    return index;
}

uint32_t operation_make_of(struct registry *r, uint32_t key, uint32_t owner, uint64_t gen)
{
    uint32_t index = slab_take(&r->operations);
    ASSERT(index != 0);
    struct operation *operation = operation_at(r, index);
    operation->gen = gen;
    operation->key = key;
    operation->owner = owner;
    operation->born_ms = r->now_ms;
    operation->timer.kind = TIMER_OPERATION;
    operation->whole_number = is_earlier(r, gen) ? 0 : ++r->whole_number;
    add_by_gen(r, index);
    add_to_key(r, key, index);
    struct chain_ends *live = &space_at(r, key_at(r, key)->space)->live;
    if (is_earlier(r, gen)) {
        chain_prepend(OF_SPACE(r), live, index);
    } else {
        chain_append(OF_SPACE(r), live, index);
    }
    set_state(r, index, STATE_LIVE);
    count(r, operation, index);
    count_live(r, index, 1);
    watch_note(r, index);
    return index;
}

/* A gen is given out once; but one of an earlier run is whatever its adopter says, so that there may be
 * one of the same number in another namespace. */
uint32_t operation_id(const struct registry *r, uint64_t gen)
{
    return is_earlier(r, gen) ? hash_index_first(&r->adopted_by_gen, gen)
                              : radix_tree_get(&r->by_number, gen - r->gen_first);
}

uint32_t operation_id_next(const struct registry *r, uint32_t id)
{
    bool earlier = (id & PLAIN_BIT) == 0 && is_earlier(r, operation_at(r, id)->gen);
    return earlier ? hash_index_next(&r->adopted_by_gen, id) : 0;
}

uint32_t operation_find(const struct registry *r, uint32_t key, uint64_t gen)
{
    uint32_t id = operation_id(r, gen);
    while (id != 0 && ((id & PLAIN_BIT) != 0 || operation_at(r, id)->key != key)) {
        id = operation_id_next(r, id);
    }
    return id;
}

static uint32_t space_of(const struct registry *r, uint32_t id)
{
    return (id & PLAIN_BIT) != 0 ? plain_space(r, plain_at(r, id & ~PLAIN_BIT))
                                 : key_at(r, operation_at(r, id)->key)->space;
}

static uint32_t id_in_space(const struct registry *r, uint32_t space, uint64_t gen)
{
    uint32_t id = operation_id(r, gen);
    while (id != 0 && space_of(r, id) != space) {
        id = operation_id_next(r, id);
    }
    return id;
}

uint32_t operation_look(const struct registry *r, uint32_t space, uint64_t gen)
{
    uint32_t id = id_in_space(r, space, gen);
    return (id & PLAIN_BIT) != 0 ? 0 : id;
}

uint32_t operation_in_space(struct registry *r, uint32_t space, uint64_t gen)
{
    uint32_t id = id_in_space(r, space, gen);
    return (id & PLAIN_BIT) != 0 ? plain_promote(r, id & ~PLAIN_BIT) : id;
}

void operation_ttl_set(struct registry *r, uint32_t index, uint64_t ttl_ms)
{
    struct operation *operation = operation_at(r, index);
    operation->stop_phase = false;
    operation->ttl_end_ms = time_after(r->now_ms, ttl_ms);
    timer_heap_set(&r->timers, &operation->timer, operation->ttl_end_ms);
}

void operation_ttl_replan(struct registry *r, uint32_t index)
{
    struct operation *operation = operation_at(r, index);
    if (operation->stop_phase) {
        bool reaps = operation->on_expiry == ON_EXPIRY_REAP;
        timer_heap_set(&r->timers, &operation->timer,
                       time_after(operation->ttl_end_ms, reaps ? 0 : operation->stop_grace_ms));
    }
}

/* A bulk cancel has a record of its own; but one of an earlier run may be settled before this operation
 * has ended. What nobody asked for is left out while the journal is behind or fails: a million ttls may
 * end at once, and a cancel that meets such an operation records it. */
static void record_cancel(struct registry *r, uint32_t index)
{
    const struct kept_cause *cause = cause_at(r, operation_at(r, index)->cause);
    bool unasked = cause->code == CAUSE_SUPERSEDED || cause->code == CAUSE_PARENT ||
                   (cause->code == CAUSE_DEADLINE && cause->peer.size == 0);
    if (cause->bulk != 0) {
        bulk_counts(r, cause->bulk, index);
    }
    if (cause->bulk == 0 ? !(unasked && journal_is_full(r)) : bulk_at(r, cause->bulk)->recovered) {
        journal_cancel(r, index);
    }
}

/* Of what was cancelled by a bulk: from now on the bulk's record does not stand for it. */
static void record_bulk_cancel(struct registry *r, uint32_t index)
{
    uint32_t cause = operation_at(r, index)->cause;
    if (cause != 0 && cause_at(r, cause)->bulk != 0 && !journal_is_full(r)) {
        journal_cancel(r, index);
    }
}

void operation_cancel(struct registry *r, uint32_t index, uint32_t cause)
{
    struct operation *operation = operation_at(r, index);
    ASSERT(operation->state == STATE_LIVE);
    set_state(r, index, STATE_CANCELLING);
    operation->cause = cause;
    operation->level = LEVEL_RECORDED;
    operation->cancelled_ms = r->now_ms;
    cause_at(r, cause)->references++;
    record_cancel(r, index);
    unacknowledged_add(r, index);
    watch_note(r, index);
    tree_cancelled(r, index);
    notice_add(r, index, NOTICE_CANCEL);
    operation_settle(r, index);
}

void operation_delivered(struct registry *r, uint32_t index)
{
    struct operation *operation = operation_at(r, index);
    if (operation->state == STATE_CANCELLING && operation->level < LEVEL_DELIVERED) {
        operation->level = LEVEL_DELIVERED;
        operation->delivered_ms = r->now_ms;
        r->counters.cancels_delivered++;
        histogram_add(r->counters.delivered_ms, r->now_ms - operation->cancelled_ms);
        unacknowledged_remove(r, index);
        operation_settle(r, index);
    }
}

void operation_end(struct registry *r, uint32_t index, enum outcome outcome, bool by_owner)
{
    struct operation *operation = operation_at(r, index);
    ASSERT(operation->state == STATE_LIVE || operation->state == STATE_CANCELLING);
    timer_heap_clear(&r->timers, &operation->timer);
    chain_remove(OF_KEY(r), &key_at(r, operation->key)->live, index);
    bulk_passes(r, index, BULK_SPACE);
    chain_remove(OF_SPACE(r), &space_at(r, key_at(r, operation->key)->space)->live, index);
    count_live(r, index, -1);
    unacknowledged_remove(r, index);
    set_state(r, index, STATE_ENDED);
    operation->outcome = (uint8_t) outcome;
    operation->ended_ms = r->now_ms;
    r->counters.outcomes[outcome]++;
    if (by_owner && operation->cause != 0) {
        if (operation->delivered_ms != 0) {
            histogram_add(r->counters.stopped_ms, r->now_ms - operation->delivered_ms);
        }
        operation->level = LEVEL_STOPPED;
        r->counters.cancels_stopped++;
    }
    if (!by_owner) {
        record_bulk_cancel(r, index); /* the owner may come back after the bulk is settled */
    }
    journal_end(r, index, by_owner);
    watch_note(r, index);
    tree_ended(r, index);
    r->drains_due = true;
    key_add_ended(r, operation->key, index);
    bool owner_is_told = operation->owner != 0 && !by_owner && outcome != OUTCOME_OWNER_LOST;
    if (owner_is_told) {
        notice_add(r, index, NOTICE_ENDED);
    } else {
        notice_drop(r, index, NOTICE_CANCEL);
        uncount(r, operation, index);
    }
    operation_settle(r, index);
    memory_add(r, index);
}

void operation_lose_owner(struct registry *r, uint32_t index)
{
    struct operation *operation = operation_at(r, index);
    if (operation->state == STATE_ENDED) {
        /* Its ENDED notice was all that held it to the session. */
        notice_drop(r, index, NOTICE_CANCEL);
        notice_drop(r, index, NOTICE_ENDED);
        operation_release(r, index);
        return;
    }
    if (operation->on_owner_loss == ON_OWNER_LOSS_REAP) {
        operation_end(r, index, OUTCOME_OWNER_LOST, false);
        return;
    }
    record_bulk_cancel(r, index); /* a bulk of its session would not find it again */
    /* Nor will one that is on its way to it, or the drain of its session. */
    uint32_t cause = drain_cause_of_session(r, key_at(r, operation->key)->space, operation->owner);
    cause = cause != 0 ? cause : bulk_cause_for(r, index, 0, false);
    notice_drop(r, index, NOTICE_CANCEL);
    bulk_passes(r, index, BULK_OWNER);
    chain_remove(OF_OWNER(r), &session_at(r, operation->owner)->operations, index);
    count_live(r, index, -1);
    operation->owner = 0;
    r->drains_due = true;
    operation_settle(r, index);
    if (operation->state == STATE_LIVE && cause != 0) {
        operation_cancel(r, index, cause);
    }
}

void operation_own(struct registry *r, uint32_t index, uint32_t session)
{
    struct operation *operation = operation_at(r, index);
    ASSERT(operation->owner == 0 && operation->state != STATE_ENDED);
    operation->owner = session;
    chain_append(OF_OWNER(r), &session_at(r, session)->operations, index);
    count_live(r, index, 1);
    if (operation->state == STATE_CANCELLING) {
        if (cause_at(r, operation->cause)->bulk != 0) {
            bulk_records(r, cause_at(r, operation->cause)->bulk, index);
        }
        notice_add(r, index, NOTICE_CANCEL);
    }
}

void operation_take_turn(struct registry *r, uint32_t index)
{
    const struct operation *operation = operation_at(r, index);
    if (operation->owner != 0 && session_at(r, operation->owner)->dying) {
        operation_lose_owner(r, index);
    }
}

void operation_expire(struct registry *r, uint32_t index)
{
    struct operation *operation = operation_at(r, index);
    operation_take_turn(r, index);
    if (operation->state == STATE_ENDED) {
        return;
    }
    if (operation->stop_phase || operation->on_expiry == ON_EXPIRY_REAP) {
        operation_end(r, index, OUTCOME_EXPIRED, false);
        return;
    }
    operation->stop_phase = true;
    timer_heap_set(&r->timers, &operation->timer,
                   time_after(operation->ttl_end_ms, operation->stop_grace_ms));
    if (operation->state == STATE_LIVE) {
        uint32_t cause = cause_keep(r, &(struct cause){.code = CAUSE_DEADLINE});
        operation_cancel(r, index, cause);
        cause_give(r, cause);
    }
}

void operation_release(struct registry *r, uint32_t index)
{
    struct operation *operation = operation_at(r, index);
    if (operation->state != STATE_ENDED) {
        return;
    }
    if (operation->notices[NOTICE_ENDED] == 0) {
        notice_drop(r, index, NOTICE_CANCEL);
        uncount(r, operation, index);
    }
    if (operation->in_memory || operation->counted || operation->ties.count > 0 ||
        operation->settling || tree_holds(r, index)) {
        return;
    }
    uint64_t over_ms = time_after(operation->ended_ms, r->limits.finished_ms);
    if (over_ms > r->now_ms) {
        /* Forgotten before its time: see cancel.c for what that means for an arm. */
        memory_dropped_early(r, over_ms);
    }
    uint32_t key = operation->key;
    tree_free(r, index);
    set_state(r, index, STATE_UNSET);
    labels_free(r, index);
    remove_by_gen(r, index);
    key_remove_ended(r, key, index);
    byte_heap_drop(&r->bytes, &operation->meta);
    cause_give(r, operation->cause);
    slab_give(&r->operations, index);
    key_release(r, key);
}

struct operation_info operation_describe(const struct registry *r, uint32_t index)
{
    const struct operation *operation = operation_at(r, index);
    const struct key *key = key_at(r, operation->key);
    bool live = operation->state != STATE_ENDED;
    struct operation_info info = {
        .space = space_name(r, key->space),
        .key = key_name(r, operation->key),
        .gen = operation->gen,
        .state = (enum state) operation->state,
        .outcome = (enum outcome) operation->outcome,
        .age_ms = r->now_ms - operation->born_ms,
        .ttl_left_ms =
            live && operation->ttl_end_ms > r->now_ms ? operation->ttl_end_ms - r->now_ms : 0,
        .meta = byte_heap_get(&r->bytes, operation->meta),
        .cause = cause_get(r, operation->cause),
        .level = (enum level) operation->level,
        .parent = tree_parent_gen(r, index),
        .cancelling_ms =
            operation->state == STATE_CANCELLING ? r->now_ms - operation->cancelled_ms : 0,
    };
    for (uint32_t i = operation->labels; i != 0; i = label_use_at(r, i)->next_of_operation) {
        info.labels[info.labels_count++] = label_name(r, label_use_at(r, i)->label);
    }
    if (operation->owner != 0) {
        const struct session *owner = session_at(r, operation->owner);
        info.owner = owner->number;
        info.owner_name = bytes_of(owner->name, owner->name_size);
    }
    return info;
}
