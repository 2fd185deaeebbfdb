/* SPDX-License-Identifier: MIT */
/* Every invariant of every table, for tests to assert after each step. */
#include "registry/state.h"

static void check_operation(const struct registry *r, uint32_t index)
{
    const struct operation *operation = operation_at(r, index);
    bool live = operation->state == STATE_LIVE || operation->state == STATE_CANCELLING;
    ASSERT(slab_is_live(&r->keys, operation->key));
    ASSERT(live || operation->state == STATE_ENDED);
    ASSERT((operation->state == STATE_LIVE) <= (operation->cause == 0));
    ASSERT(operation->state != STATE_CANCELLING || operation->cause != 0);
    ASSERT((operation->cause != 0) == (operation->level >= LEVEL_RECORDED));
    ASSERT(live == (operation->outcome == OUTCOME_UNSET));
    ASSERT(!live || operation->counted);
    ASSERT(operation->counted || operation->owner == 0);
    ASSERT(timer_is_set(&operation->timer) == (live && operation->ttl_end_ms != 0));
    ASSERT(live || operation->in_memory || operation->counted || operation->ties.count > 0 ||
           operation->settling || tree_holds(r, index));
    ASSERT(operation->gen <= r->gen_newest);
    ASSERT(operation_find(r, operation->key, operation->gen) == index);
    for (unsigned kind = NOTICE_CANCEL; kind < NOTICE_END; kind++) {
        uint32_t notice = operation->notices[kind];
        ASSERT(notice == 0 || notice_at(r, notice)->operation == index);
        ASSERT(notice == 0 || operation->owner != 0);
    }
    chain_check(CHAIN(r, ties, tie, of_operation), &operation->ties);
}

static void check_key(const struct registry *r, uint32_t index)
{
    const struct key *key = key_at(r, index);
    ASSERT(key->live.count + key->ended.count + key->bulks.count > 0 || key->armed != 0);
    ASSERT(key->live.count <= KEY_GENS_MAX);
    ASSERT((key->ended.count > 0) == (key->peaks.count > 0));
    ASSERT(key_look(r, key->space, key_name(r, index)) == index);
    chain_check(CHAIN(r, operations, operation, of_key), &key->live);
    chain_check(CHAIN(r, operations, operation, of_key), &key->ended);
    chain_check(CHAIN(r, operations, operation, of_peaks), &key->peaks);
    uint64_t above = UINT64_MAX;
    for (uint32_t i = key->live.first; i != 0; i = operation_at(r, i)->of_key.next) {
        ASSERT(operation_at(r, i)->gen < above && operation_at(r, i)->key == index);
        above = operation_at(r, i)->gen;
    }
    uint64_t newest = 0;
    for (uint32_t i = key->ended.first; i != 0; i = operation_at(r, i)->of_key.next) {
        newest = operation_at(r, i)->gen > newest ? operation_at(r, i)->gen : newest;
    }
    uint32_t peak = key_newest_ended(r, index);
    ASSERT(newest == (peak == 0 ? 0 : operation_at(r, peak)->gen));
}

static void check_session(const struct registry *r, uint32_t index)
{
    const struct session *session = session_at(r, index);
    ASSERT(session->dying || session_find(r, session->number) == index);
    ASSERT(!session->dying || session->link == 0);
    ASSERT(session->dying || session->link != 0 || session->in_grace);
    ASSERT(session->parked.count <= r->limits.parked_session);
    ASSERT(session->remembered_bytes <= r->limits.replies_session_bytes);
    chain_check(CHAIN(r, operations, operation, of_owner), &session->operations);
    chain_check(CHAIN(r, notices, notice_record, of_session), &session->notices);
    chain_check(CHAIN(r, parked, parked, of_holder), &session->parked);
    chain_check(CHAIN(r, remembered, remembered, of_session), &session->remembered);
    chain_check(CHAIN(r, remembered, remembered, of_session), &session->passed);
    uint64_t number = 0;
    for (uint32_t i = session->notices.first; i != 0; i = notice_at(r, i)->of_session.next) {
        ASSERT(!notice_at(r, i)->untold && notice_at(r, i)->number > number);
        number = notice_at(r, i)->number;
    }
    uint64_t id = 0;
    for (uint32_t i = session->remembered.first; i != 0; i = remembered_at(r, i)->of_session.next) {
        ASSERT(remembered_at(r, i)->request_id > id && !remembered_at(r, i)->passed);
        id = remembered_at(r, i)->request_id;
    }
}

static void check_parked(const struct registry *r, uint32_t index)
{
    const struct parked *parked = parked_at(r, index);
    uint32_t unmet = 0;
    for (uint32_t i = parked->ties; i != 0; i = tie_at(r, i)->next_of_parked) {
        ASSERT(tie_at(r, i)->parked == index);
        ASSERT(slab_is_live(&r->operations, tie_at(r, i)->operation));
        unmet += !tie_at(r, i)->met;
    }
    ASSERT(unmet == parked->ties_unmet);
    ASSERT(timer_is_set(&parked->timer));
    ASSERT((parked->kind != OP_CANCEL && parked->kind != OP_WAIT) || parked->bulk != 0 ||
           unmet > 0);
    ASSERT((parked->session != 0) == (parked->remembered != 0));
    ASSERT(parked->session == 0 || remembered_at(r, parked->remembered)->parked == index);
}

/* Calls `check` for each live record; returns how many there are. */
static uint32_t each(const struct registry *r, const struct slab *slab,
                     void (*check)(const struct registry *r, uint32_t index))
{
    uint32_t count = 0;
    uint32_t end = slab_end(slab);
    for (uint32_t i = 1; i < end; i++) {
        if (slab_is_live(slab, i)) {
            check(r, i);
            count++;
        }
    }
    return count;
}

static void check_sums(const struct registry *r)
{
    uint32_t states = r->states[STATE_LIVE] + r->states[STATE_CANCELLING] + r->states[STATE_ENDED];
    ASSERT(states == r->operations.count + r->plain.count);
    ASSERT(r->operations_counted <= r->limits.operations);
    ASSERT(r->memory.count <= r->limits.finished);
    ASSERT(r->remembered_bytes <= r->limits.replies_bytes);
    uint32_t counted = 0;
    uint32_t end = slab_end(&r->operations);
    for (uint32_t i = 1; i < end; i++) {
        counted += slab_is_live(&r->operations, i) && operation_at(r, i)->counted;
    }
    for (uint32_t i = 1; i < slab_end(&r->spaces); i++) {
        counted += slab_is_live(&r->spaces, i) ? space_at(r, i)->plain : 0;
    }
    ASSERT(counted == r->operations_counted);
}

void registry_check(const struct registry *r)
{
    ASSERT(each(r, &r->operations, check_operation) == r->operations.count);
    ASSERT(each(r, &r->keys, check_key) == r->keys.count);
    ASSERT(each(r, &r->sessions, check_session) == r->sessions.count);
    ASSERT(each(r, &r->parked, check_parked) == r->parked.count);
    check_sums(r);
    const struct slab *slabs[] = {
        &r->spaces,     &r->keys,       &r->operations, &r->causes,    &r->notices, &r->armed,
        &r->sessions,   &r->remembered, &r->parked,     &r->ties,      &r->links,   &r->labels,
        &r->label_uses, &r->bulks,      &r->drains,     &r->recovered, &r->held};
    for (size_t i = 0; i < sizeof slabs / sizeof slabs[0]; i++) {
        slab_check(slabs[i]);
    }
    hash_index_check(&r->spaces_by_name);
    hash_index_check(&r->adopted_by_gen);
    check_plain(r);
    check_memory(r);
    hash_index_check(&r->sessions_by_number);
    hash_index_check(&r->remembered_by_id);
    hash_index_check(&r->links_by_address);
    hash_index_check(&r->labels_by_name);
    hash_index_check(&r->recovered_by_gen);
    hash_index_check(&r->operations_by_parent);
    byte_heap_check(&r->held_bytes);
    check_labels(r);
    check_bulks(r);
    check_drains(r);
    check_unacknowledged(r);
    check_tree(r);
    check_watch(r);
    check_held(r);
    check_untold(r);
    byte_heap_check(&r->bytes);
    byte_heap_check(&r->cause_bytes);
    byte_heap_check(&r->reply_bytes);
    timer_heap_check(&r->timers);
    chain_check(CHAIN(r, operations, operation, of_settle), &r->settle);
    chain_check(CHAIN(r, sessions, session, of_dying), &r->dying);
    chain_check(CHAIN(r, sessions, session, of_polls), &r->polls);
}
