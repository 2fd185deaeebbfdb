/* SPDX-License-Identifier: MIT */
/* The life of an operation: LIVE -> CANCELLING -> ended, or LIVE -> ended. Each change of state
 * goes through this file, so that counts, notices, timers and waiters cannot disagree with it. */
#include "registry/state.h"

/* For the key and the owner's list of an operation. */
#define OF_KEY(r) CHAIN(r, operations, operation, of_key)
#define OF_OWNER(r) CHAIN(r, operations, operation, of_owner)

uint64_t gen_next(struct registry *r)
{
    if (r->counter_next > GEN_COUNTER_MAX) {
        uint64_t epoch;
        if (r->port.next_epoch == NULL || !r->port.next_epoch(r->port.context, &epoch)) {
            return 0;
        }
        ASSERT(epoch > r->epoch && epoch <= GEN_EPOCH_MAX);
        r->epoch = epoch;
        r->counter_next = 1;
    }
    return r->epoch << GEN_COUNTER_BITS | r->counter_next;
}

static void set_state(struct registry *r, struct operation *operation, enum state state)
{
    struct space *space = space_at(r, key_at(r, operation->key)->space);
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
        chain_remove(OF_OWNER(r), &session_at(r, operation->owner)->operations, index);
        operation->owner = 0;
    }
}

uint32_t operation_make(struct registry *r, uint32_t key, uint32_t owner)
{
    uint32_t index = slab_take(&r->operations);
    ASSERT(index != 0);
    struct operation *operation = operation_at(r, index);
    operation->gen = gen_next(r);
    ASSERT(operation->gen > r->gen_newest);
    r->gen_newest = operation->gen;
    r->counter_next++;
    operation->key = key;
    operation->owner = owner;
    operation->born_ms = r->now_ms;
    operation->timer.kind = TIMER_OPERATION;
    hash_index_insert(&r->operations_by_gen, index, operation->gen);
    chain_prepend(OF_KEY(r), &key_at(r, key)->live, index);
    set_state(r, operation, STATE_LIVE);
    count(r, operation, index);
    return index;
}

uint32_t operation_find(const struct registry *r, uint32_t key, uint64_t gen)
{
    uint32_t index = hash_index_first(&r->operations_by_gen, gen);
    return index != 0 && operation_at(r, index)->key == key ? index : 0;
}

void operation_ttl_set(struct registry *r, uint32_t index, uint64_t ttl_ms)
{
    struct operation *operation = operation_at(r, index);
    operation->stop_phase = false;
    operation->ttl_end_ms = time_after(r->now_ms, ttl_ms);
    timer_heap_set(&r->timers, &operation->timer, operation->ttl_end_ms);
}

void operation_cancel(struct registry *r, uint32_t index, uint32_t cause)
{
    struct operation *operation = operation_at(r, index);
    ASSERT(operation->state == STATE_LIVE);
    set_state(r, operation, STATE_CANCELLING);
    operation->cause = cause;
    operation->level = LEVEL_RECORDED;
    cause_at(r, cause)->references++;
    notice_add(r, index, NOTICE_CANCEL);
    operation_settle(r, index);
}

void operation_delivered(struct registry *r, uint32_t index)
{
    struct operation *operation = operation_at(r, index);
    if (operation->state == STATE_CANCELLING && operation->level < LEVEL_DELIVERED) {
        operation->level = LEVEL_DELIVERED;
        r->counters.cancels_delivered++;
        operation_settle(r, index);
    }
}

void operation_end(struct registry *r, uint32_t index, enum outcome outcome, bool by_owner)
{
    struct operation *operation = operation_at(r, index);
    ASSERT(operation->state == STATE_LIVE || operation->state == STATE_CANCELLING);
    timer_heap_clear(&r->timers, &operation->timer);
    chain_remove(OF_KEY(r), &key_at(r, operation->key)->live, index);
    set_state(r, operation, STATE_ENDED);
    operation->outcome = (uint8_t) outcome;
    operation->ended_ms = r->now_ms;
    r->counters.outcomes[outcome]++;
    if (by_owner && operation->cause != 0) {
        operation->level = LEVEL_STOPPED;
        r->counters.cancels_stopped++;
    }
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
    notice_drop(r, index, NOTICE_CANCEL);
    chain_remove(OF_OWNER(r), &session_at(r, operation->owner)->operations, index);
    operation->owner = 0;
    operation_settle(r, index);
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
        operation->settling) {
        return;
    }
    uint64_t over_ms = time_after(operation->ended_ms, r->limits.finished_ms);
    if (over_ms > r->now_ms) {
        /* Forgotten before its time: see cancel.c for what that means for an arm. */
        r->counters.memory_dropped_early++;
        r->memory_gap_until_ms =
            over_ms > r->memory_gap_until_ms ? over_ms : r->memory_gap_until_ms;
    }
    uint32_t key = operation->key;
    hash_index_remove(&r->operations_by_gen, index);
    key_remove_ended(r, key, index);
    set_state(r, operation, STATE_UNSET);
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
    };
    if (operation->owner != 0) {
        const struct session *owner = session_at(r, operation->owner);
        info.owner = owner->number;
        info.owner_name = bytes_of(owner->name, owner->name_size);
    }
    return info;
}
