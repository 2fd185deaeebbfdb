/* SPDX-License-Identifier: MIT */
/* How a bulk cancel walks.
 *
 * It goes along a chain of live operations (those of its namespace, its label, its session) and
 * decides each when it is reached, a few in each call. Nothing is copied: while it stands in the
 * chain, operations may end, be stored, be adopted. So
 * - what leaves a chain tells those that stand on it first, and they go on to the next;
 * - plain operations come first: each is made whole, and so leaves those that are plain, which hang from
 *   their owners by gen. Whoever becomes whole until then goes to the place of its gen: where that is right
 *   in front of the first that the walk will see, it will see this one first;
 * - what is stored, or becomes whole, meanwhile has a gen above its fence by then and stands behind all
 *   that were there (whole_number): at the first such it is done;
 * - what is adopted stands in front of all others, or is not in the walk's way in some other place:
 *   adopt covers it itself, by bulk_cause_for(), and the walk leaves alone what has its cause.
 * That of the whole daemon goes through all gens, then through the table by place.
 *
 * Those that walk take turns of a few steps. An operation that leaves looks at each of them, so only
 * so many walk at once; the others begin when one is done. */
#include "registry/state.h"

#define OF_RUNNING(r) CHAIN(r, bulks, bulk, of_running)
#define TURN_STEPS 16

/* ---- cursors ---- */

static uint32_t first_of(const struct registry *r, const struct bulk *bulk)
{
    switch (bulk->scope) {
    case BULK_SPACE:
        return space_at(r, bulk->space)->live.first;
    case BULK_LABEL:
        return label_at(r, bulk->label)->live.first;
    case BULK_OWNER:
        return bulk->session_at == 0 ? 0 : session_at(r, bulk->session_at)->operations.first;
    case BULK_DAEMON:
        return slab_end(&r->operations) > 1 ? 1 : 0;
    default:
        return 0;
    }
}

static uint32_t next_of(const struct registry *r, const struct bulk *bulk)
{
    switch (bulk->scope) {
    case BULK_SPACE:
        return operation_at(r, bulk->at)->of_space.next;
    case BULK_LABEL:
        return label_use_at(r, bulk->at)->of_label.next;
    case BULK_OWNER:
        return operation_at(r, bulk->at)->of_owner.next;
    default:
        return bulk->at + 1 < slab_end(&r->operations) ? bulk->at + 1 : 0;
    }
}

static uint32_t operation_here(const struct registry *r, const struct bulk *bulk)
{
    if (bulk->scope == BULK_LABEL) {
        return label_use_at(r, bulk->at)->operation;
    }
    return bulk->scope != BULK_DAEMON || slab_is_live(&r->operations, bulk->at) ? bulk->at : 0;
}

static void pass(struct registry *r, uint32_t at, enum bulk_scope scope)
{
    for (uint32_t i = r->running.first; i != 0; i = bulk_at(r, i)->of_running.next) {
        struct bulk *bulk = bulk_at(r, i);
        if (bulk->at == at && bulk->scope == scope) {
            bulk->at = next_of(r, bulk);
        }
    }
}

void bulk_passes(struct registry *r, uint32_t operation, enum bulk_scope chain)
{
    pass(r, operation, chain);
}

void bulk_use_passes(struct registry *r, uint32_t label_use)
{
    pass(r, label_use, BULK_LABEL);
}

static bool stands_before(const struct registry *r, uint32_t operation, const struct bulk *bulk)
{
    return bulk->at != 0 &&
           ((bulk->scope == BULK_SPACE && operation_at(r, operation)->of_space.next == bulk->at) ||
            (bulk->scope == BULK_OWNER && operation_at(r, operation)->of_owner.next == bulk->at));
}

void bulk_meets(struct registry *r, uint32_t operation)
{
    for (uint32_t i = r->running.first; i != 0; i = bulk_at(r, i)->of_running.next) {
        struct bulk *bulk = bulk_at(r, i);
        if (!bulk->plain_done && stands_before(r, operation, bulk)) {
            bulk->at = operation;
        }
    }
}

/* ---- one step ---- */

static bool is_live(const struct operation *operation)
{
    return operation->state == STATE_LIVE || operation->state == STATE_CANCELLING;
}

/* Whether an operation of the chain is meant: a session's may be in other namespaces, and it may have lost
 * its owner just now. */
static bool is_meant(const struct registry *r, const struct bulk *bulk,
                     const struct operation *operation)
{
    if (!is_live(operation) || operation->gen > bulk->fence) {
        return false;
    }
    if (bulk->scope != BULK_OWNER) {
        return true;
    }
    return operation->owner != 0 && key_at(r, operation->key)->space == bulk->space;
}

static void note(struct bulk *bulk, uint64_t gen, enum answer answer)
{
    if (bulk->parked != 0 && bulk->results_count < BULK_RESULTS_MAX) {
        bulk->results[bulk->results_count].gen = gen;
        bulk->results[bulk->results_count].answer = (uint8_t) answer;
        bulk->results_count++;
    }
}

/* Whether its record in the journal would find the operation again, whoever brings it back: one of a
 * session goes by the session that has it now. */
static bool is_recorded(const struct registry *r, const struct bulk *bulk,
                        const struct operation *operation)
{
    if (operation->gen > bulk->fence) {
        return false;
    }
    ASSERT(bulk->space == 0 || key_at(r, operation->key)->space == bulk->space);
    return bulk->scope != BULK_OWNER ||
           (operation->owner != 0 && session_at(r, operation->owner)->number == bulk->owner);
}

void bulk_records(struct registry *r, uint32_t index, uint32_t operation)
{
    if (!is_recorded(r, bulk_at(r, index), operation_at(r, operation))) {
        journal_cancel(r, operation);
    }
}

void bulk_counts(struct registry *r, uint32_t index, uint32_t operation)
{
    struct bulk *bulk = bulk_at(r, index);
    if (bulk->running) {
        bulk->requested++;
        note(bulk, operation_at(r, operation)->gen, ANSWER_REQUESTED);
    }
    bulk_records(r, index, operation);
}

/* One that was cancelled before. Of a parent's cancel, or where the journal was full, there may be no
 * record of its own; told of, it needs one. While there is no room for it this one's has to do. */
static void note_already(struct registry *r, struct bulk *bulk, uint32_t index)
{
    const struct operation *operation = operation_at(r, index);
    bulk->already_requested++;
    note(bulk, operation->gen, ANSWER_ALREADY_REQUESTED);
    if (operation->journaled || cause_at(r, operation->cause)->bulk != 0) {
        return;
    }
    if (journal_is_full(r)) {
        bulk->stands_in = true;
    } else {
        journal_cancel(r, index);
    }
}

static void decide(struct registry *r, struct bulk *bulk, uint32_t index)
{
    const struct operation *operation = operation_at(r, index);
    if (!is_meant(r, bulk, operation)) {
        return;
    }
    operation_take_turn(r, index);
    if (!is_meant(r, bulk, operation)) {
        return;
    }
    if (operation->state == STATE_LIVE) {
        operation_cancel(r, index, bulk->cause);
    } else if (operation->cause != bulk->cause) {
        note_already(r, bulk, index);
    }
}

/* ---- plain operations ---- */

static bool is_fenced(const struct registry *r, const struct bulk *bulk, uint32_t plain)
{
    return plain != 0 && r->gen_first + plain_number(plain_at(r, plain)) <= bulk->fence;
}

static uint32_t plain_of_owner(struct registry *r, struct bulk *bulk)
{
    uint32_t session = bulk->session_at;
    bool own = session != 0 && session_at(r, session)->space == bulk->space;
    uint32_t plain = own ? session_at(r, session)->plain.first : 0;
    bulk->plain_done = !is_fenced(r, bulk, plain);
    return bulk->plain_done ? 0 : plain;
}

static uint32_t plain_of_space(struct registry *r, struct bulk *bulk)
{
    if (bulk->session_at == 0) {
        bulk->plain_done = true;
        return 0;
    }
    const struct session *session = session_at(r, bulk->session_at);
    if (is_fenced(r, bulk, session->plain.first)) {
        return session->plain.first;
    }
    bulk->session_at = session->of_space.next;
    return 0;
}

static uint32_t plain_of_daemon(struct registry *r, struct bulk *bulk)
{
    uint64_t number;
    uint32_t id = radix_tree_next(&r->by_number, bulk->number_at, &number);
    if (id == 0 || r->gen_first + number > bulk->fence) {
        bulk->plain_done = true;
        return 0;
    }
    bulk->number_at = number + 1;
    bool live = (id & PLAIN_BIT) != 0 && plain_is_live(plain_at(r, id & ~PLAIN_BIT));
    return live ? id & ~PLAIN_BIT : 0;
}

/* The one to decide now; 0: none, but there may be others, unless plain_done is set. */
static uint32_t plain_here(struct registry *r, struct bulk *bulk)
{
    switch (bulk->scope) {
    case BULK_SPACE:
        return plain_of_space(r, bulk);
    case BULK_OWNER:
        return plain_of_owner(r, bulk);
    case BULK_DAEMON:
        return plain_of_daemon(r, bulk);
    default:
        bulk->plain_done = true;
        return 0;
    }
}

/* Looks at one plain operation; false where none is left and no other either. */
static bool plain_step(struct registry *r, uint32_t index)
{
    struct bulk *bulk = bulk_at(r, index);
    uint32_t plain = plain_here(r, bulk);
    if (plain != 0) {
        decide(r, bulk, plain_promote(r, plain));
    }
    if (!bulk->plain_done) {
        return true;
    }
    bulk->whole_fence = r->whole_number;
    if (bulk->at == 0) {
        /* Nothing was whole when it began, or is still: whoever is adopted there came meanwhile. */
        bulk->at = first_of(r, bulk);
        bulk->skips_adopted = bulk->scope == BULK_SPACE || bulk->scope == BULK_LABEL;
    }
    return bulk->at != 0;
}

void bulk_session_passes(struct registry *r, uint32_t session)
{
    for (uint32_t i = r->running.first; i != 0; i = bulk_at(r, i)->of_running.next) {
        struct bulk *bulk = bulk_at(r, i);
        if (bulk->session_at == session) {
            bulk->session_at =
                bulk->scope == BULK_SPACE ? session_at(r, session)->of_space.next : 0;
        }
    }
}

/* Became whole since, and is newer: so is whatever stands behind it in its chain. One that is older may
 * have become whole in the midst of those that are meant: a session's operations in its own namespace do,
 * while those in another one are cancelled. */
static bool is_behind_all(const struct bulk *bulk, const struct operation *operation)
{
    return operation->whole_number > bulk->whole_fence && operation->gen > bulk->fence;
}

/* Looks at one record; false where it was the last. */
static bool step(struct registry *r, uint32_t index)
{
    struct bulk *bulk = bulk_at(r, index);
    if (!bulk->plain_done) {
        return plain_step(r, index);
    }
    uint32_t operation = operation_here(r, bulk);
    if (bulk->scope != BULK_DAEMON && is_behind_all(bulk, operation_at(r, operation))) {
        bulk->at = 0;
        return false;
    }
    bulk->at = next_of(r, bulk); /* first, for deciding may end the operation */
    bool skipped = bulk->skips_adopted && is_earlier(r, operation_at(r, operation)->gen);
    if (operation != 0 && !skipped) {
        decide(r, bulk, operation);
    }
    return bulk->at != 0;
}

/* ---- turns ---- */

static void begin(struct registry *r, uint32_t index)
{
    struct bulk *bulk = bulk_at(r, index);
    bulk->walks = true;
    if (bulk->scope == BULK_SPACE) {
        bulk->session_at = space_at(r, bulk->space)->sessions.first;
    } else if (bulk->scope == BULK_OWNER) {
        bulk->session_at = session_find(r, bulk->owner);
    }
    bulk->at = first_of(r, bulk);
    chain_append(OF_RUNNING(r), &r->running, index);
}

void bulk_run(struct registry *r, uint32_t index)
{
    bulk_at(r, index)->running = true;
    if (r->running.count < BULKS_AT_ONCE) {
        begin(r, index);
    } else {
        chain_append(OF_RUNNING(r), &r->bulks_waiting, index);
    }
}

static void end(struct registry *r, uint32_t index)
{
    struct bulk *bulk = bulk_at(r, index);
    chain_remove(OF_RUNNING(r), &r->running, index);
    bulk->running = false;
    bulk->walks = false;
    uint32_t next = r->bulks_waiting.first;
    if (next != 0) {
        chain_remove(OF_RUNNING(r), &r->bulks_waiting, next);
        begin(r, next);
    }
    bulk_done(r, index);
}

/* A few steps of the first; it then goes behind the others, or is done. */
static uint32_t turn(struct registry *r, uint32_t steps_max)
{
    uint32_t index = r->running.first;
    for (uint32_t steps = 1; steps <= steps_max; steps++) {
        if (!step(r, index)) {
            end(r, index);
            return steps;
        }
    }
    chain_remove(OF_RUNNING(r), &r->running, index);
    chain_append(OF_RUNNING(r), &r->running, index);
    return steps_max;
}

void bulks_step(struct registry *r, uint32_t *budget)
{
    uint64_t all = 0;
    while (*budget > 0 && r->running.first != 0) {
        uint32_t steps = turn(r, *budget < TURN_STEPS ? *budget : TURN_STEPS);
        *budget -= steps;
        all += steps;
    }
    struct counters *counters = &r->counters;
    counters->bulk_steps += all;
    counters->bulk_steps_most = all > counters->bulk_steps_most ? all : counters->bulk_steps_most;
}

void check_bulk_runs(const struct registry *r)
{
    chain_check(OF_RUNNING(r), &r->running);
    chain_check(OF_RUNNING(r), &r->bulks_waiting);
    ASSERT(r->running.count <= BULKS_AT_ONCE);
    ASSERT(r->bulks_waiting.count == 0 || r->running.count == BULKS_AT_ONCE);
    for (uint32_t i = r->running.first; i != 0; i = bulk_at(r, i)->of_running.next) {
        const struct bulk *bulk = bulk_at(r, i);
        ASSERT(bulk->running && bulk->walks);
        if (bulk->at == 0 || bulk->scope == BULK_DAEMON) {
            continue;
        }
        ASSERT(slab_is_live(bulk->scope == BULK_LABEL ? &r->label_uses : &r->operations, bulk->at));
        const struct operation *operation = operation_at(r, operation_here(r, bulk));
        ASSERT(bulk->scope == BULK_OWNER ? operation->owner != 0 : is_live(operation));
        ASSERT(bulk->scope != BULK_LABEL || label_use_at(r, bulk->at)->label == bulk->label);
    }
    for (uint32_t i = r->bulks_waiting.first; i != 0; i = bulk_at(r, i)->of_running.next) {
        ASSERT(bulk_at(r, i)->running && !bulk_at(r, i)->walks && bulk_at(r, i)->at == 0);
    }
}
