/* SPDX-License-Identifier: MIT */
/* Drains: of a namespace, a session, or the daemon. One is in force from its acceptance to undrain:
 * it is the cause (of its bulk cancel) that its target holds, that stores look for and adopts are
 * cancelled with. Apart from that it may be waited for, until nothing is left or its deadline. */
#include "registry/state.h"

#define OF_DRAINS(r) CHAIN(r, drains, drain, of_drains)

/* ---- its target ---- */

/* Where the target holds the cause of what drains it. */
static uint32_t *cause_slot(struct registry *r, uint32_t space, uint64_t owner)
{
    if (owner != 0) {
        return &session_at(r, session_find(r, owner))->drain_cause;
    }
    return space != 0 ? &space_at(r, space)->drain_cause : &r->drain_cause;
}

/* A session's drain is about its own namespace: its asker may have no right to any other. */
uint32_t drain_cause_of_session(const struct registry *r, uint32_t space, uint32_t session)
{
    bool own = session_at(r, session)->space == space;
    return own ? session_at(r, session)->drain_cause : 0;
}

uint32_t drain_cause_of(const struct registry *r, uint32_t space, uint32_t session)
{
    if (r->drain_cause != 0) {
        return r->drain_cause;
    }
    if (space != 0 && space_at(r, space)->drain_cause != 0) {
        return space_at(r, space)->drain_cause;
    }
    return drain_cause_of_session(r, space, session);
}

/* A session that may be drained in this namespace: one of its own. */
static bool has_session(const struct request *q, uint64_t number)
{
    uint32_t session = session_find(q->r, number);
    return session != 0 && session_at(q->r, session)->space == q->space;
}

static uint64_t left_of(const struct registry *r, uint32_t space, uint64_t owner)
{
    if (owner != 0) {
        uint32_t session = session_find(r, owner);
        return session == 0 ? 0 : session_at(r, session)->live;
    }
    if (space != 0) {
        return (uint64_t) space_at(r, space)->live.count + space_at(r, space)->plain;
    }
    return (uint64_t) r->states[STATE_LIVE] + r->states[STATE_CANCELLING];
}

/* Whether nothing is left of it, and nothing will come back. */
static bool is_empty(const struct registry *r, uint32_t space, uint64_t owner)
{
    if (owner != 0 && session_find(r, owner) == 0) {
        return true;
    }
    return left_of(r, space, owner) == 0 && !is_recovering(r);
}

/* ---- what is left, for an answer: a look at so many records at the most ---- */

static void add_left(struct registry *r, uint32_t index, struct result *result)
{
    const struct operation *operation = operation_at(r, index);
    if (operation->state != STATE_LIVE && operation->state != STATE_CANCELLING) {
        return;
    }
    r->gens[result->gens_count++] = (struct gen_result){.gen = operation->gen,
                                                        .level = (enum level) operation->level,
                                                        .state = (enum state) operation->state,
                                                        .key = key_name(r, operation->key)};
}

static void add_plain_left(struct registry *r, uint32_t index, struct result *result)
{
    const struct plain *plain = plain_at(r, index);
    if (!plain_is_live(plain)) {
        return;
    }
    r->gens[result->gens_count++] = (struct gen_result){.gen = r->gen_first + plain_number(plain),
                                                        .level = LEVEL_NONE,
                                                        .state = STATE_LIVE,
                                                        .key = plain_name(r, plain)};
}

static void list_all(struct registry *r, struct result *result)
{
    uint64_t cursor = 0;
    uint32_t id;
    for (uint32_t looks = 0; looks < PAGE_SCAN_MAX && result->gens_count < BULK_RESULTS_MAX &&
                             table_look(r, &cursor, &id);
         looks++) {
        if ((id & PLAIN_BIT) != 0) {
            add_plain_left(r, id & ~PLAIN_BIT, result);
        } else if (id != 0) {
            add_left(r, id, result);
        }
    }
}

static void list_plain_of(struct registry *r, uint32_t session, uint32_t *looks,
                          struct result *result)
{
    uint32_t i = session_at(r, session)->plain.first;
    for (; i != 0 && *looks < PAGE_SCAN_MAX && result->gens_count < BULK_RESULTS_MAX;
         i = plain_at(r, i)->of_owner.next, (*looks)++) {
        add_plain_left(r, i, result);
    }
}

static void list_plain(struct registry *r, uint32_t space, uint32_t session, uint32_t *looks,
                       struct result *result)
{
    if (session != 0) {
        list_plain_of(r, session, looks, result); /* a drained one is of this namespace */
        return;
    }
    uint32_t i = space_at(r, space)->sessions.first;
    for (; i != 0 && *looks < PAGE_SCAN_MAX; i = session_at(r, i)->of_space.next, (*looks)++) {
        list_plain_of(r, i, looks, result);
    }
}

/* Of a session: it is there, for else nothing is left. */
static void list_left(struct registry *r, uint32_t space, uint64_t owner, struct result *result)
{
    uint32_t session = owner == 0 ? 0 : session_find(r, owner);
    uint32_t looks = 0;
    if (space == 0) {
        list_all(r, result);
        return;
    }
    list_plain(r, space, session, &looks, result);
    uint32_t i =
        owner == 0 ? space_at(r, space)->live.first : session_at(r, session)->operations.first;
    for (; i != 0 && looks < PAGE_SCAN_MAX && result->gens_count < BULK_RESULTS_MAX; looks++) {
        const struct operation *operation = operation_at(r, i);
        if (key_at(r, operation->key)->space == space) {
            add_left(r, i, result);
        }
        i = owner == 0 ? operation->of_space.next : operation->of_owner.next;
    }
}

static struct result describe(struct registry *r, uint32_t space, uint64_t owner)
{
    if (is_empty(r, space, owner)) {
        return (struct result){.answer = ANSWER_DRAINED};
    }
    struct result result = {
        .answer = ANSWER_TIMED_OUT, .count = left_of(r, space, owner), .gens = r->gens};
    list_left(r, space, owner, &result);
    return result;
}

/* ---- those that are waited for ---- */

void drain_describe(struct registry *r, uint32_t parked, struct result *result)
{
    const struct drain *drain = drain_at(r, parked_at(r, parked)->drain);
    *result = describe(r, drain->space, drain->owner);
    const struct bulk *bulk = drain->bulk == 0 ? NULL : bulk_at(r, drain->bulk);
    result->requested = bulk != NULL ? bulk->requested : drain->requested;
    result->already_requested = bulk != NULL ? bulk->already_requested : drain->already_requested;
}

void drain_parked_gone(struct registry *r, uint32_t index)
{
    uint32_t space = drain_at(r, index)->space;
    chain_remove(OF_DRAINS(r), &r->drains_waiting, index);
    slab_give(&r->drains, index);
    if (space != 0) {
        space_give(r, space);
    }
}

void drain_bulk_done(struct registry *r, uint32_t bulk)
{
    for (uint32_t i = r->drains_waiting.first; i != 0; i = drain_at(r, i)->of_drains.next) {
        struct drain *drain = drain_at(r, i);
        if (drain->bulk == bulk) {
            drain->bulk = 0;
            drain->requested = bulk_at(r, bulk)->requested;
            drain->already_requested = bulk_at(r, bulk)->already_requested;
        }
    }
    r->drains_due = true;
}

void drain_session_gone(struct registry *r, uint32_t session)
{
    cause_give(r, session_at(r, session)->drain_cause);
    session_at(r, session)->drain_cause = 0;
}

static bool is_over(const struct registry *r, const struct drain *drain)
{
    return drain->bulk == 0 && is_empty(r, drain->space, drain->owner);
}

/* Looks at each once; those looked at go to the end, so that the next call goes on with the others. */
void drains_answer(struct registry *r, uint32_t *budget)
{
    if (r->drains_due) {
        r->drains_due = false;
        r->drains_left = r->drains_waiting.count;
    }
    for (; r->drains_left > 0 && r->drains_waiting.first != 0 && *budget > 0; (*budget)--) {
        r->drains_left--;
        uint32_t index = r->drains_waiting.first;
        uint32_t parked = drain_at(r, index)->parked;
        if (is_over(r, drain_at(r, index))) {
            struct result result;
            drain_describe(r, parked, &result);
            parked_answer(r, parked, &result);
        } else {
            chain_remove(OF_DRAINS(r), &r->drains_waiting, index);
            chain_append(OF_DRAINS(r), &r->drains_waiting, index);
        }
    }
}

/* ---- drain and undrain ---- */

static struct journal_record selector_of(const struct request *q, const struct op *op)
{
    struct journal_record selector = {
        .scope = BULK_SPACE, .space = q->space_name, .fence = q->r->gen_newest};
    if (op->as.drain.daemon) {
        selector.scope = BULK_DAEMON;
        selector.space = (struct bytes){0};
    } else if (op->as.drain.owner != 0) {
        selector.scope = BULK_OWNER;
        selector.owner = op->as.drain.owner;
    }
    return selector;
}

/* Begins to drain; the bulk cancel that does it. The target holds its cause. */
static uint32_t begin(struct request *q, const struct op *op, const struct journal_record *selector)
{
    struct registry *r = q->r;
    struct cause cause = op->as.drain.cause;
    cause.code = CAUSE_SHUTDOWN;
    cause.peer = request_peer(q);
    uint32_t bulk = bulk_start(q, selector, &cause);
    bulk_at(r, bulk)->drains = true;
    uint32_t *slot = cause_slot(r, bulk_at(r, bulk)->space, selector->owner);
    uint32_t before = *slot;
    if (before == 0 && selector->scope == BULK_SPACE) {
        space_at(r, bulk_at(r, bulk)->space)->references++; /* until undrain */
    }
    *slot = bulk_at(r, bulk)->cause;
    cause_at(r, *slot)->references++;
    cause_give(r, before);
    return bulk;
}

static void begin_parked(struct request *q, const struct op *op,
                         const struct journal_record *selector, uint32_t space)
{
    struct registry *r = q->r;
    if (r->drains.count == r->drains.capacity) {
        request_full(q, "drains");
        return;
    }
    if (!park_has_room(q, 0, BULK_ANSWER_BYTES(BULK_RESULTS_MAX))) {
        return;
    }
    uint32_t parked =
        park(q, OP_DRAIN, op->as.drain.deadline_ms, BULK_ANSWER_BYTES(BULK_RESULTS_MAX));
    uint32_t index = slab_take(&r->drains);
    ASSERT(index != 0);
    struct drain *drain = drain_at(r, index);
    drain->bulk = begin(q, op, selector);
    drain->owner = selector->owner;
    drain->parked = parked;
    drain->space = space;
    if (space != 0) {
        space_at(r, space)->references++;
    }
    chain_append(OF_DRAINS(r), &r->drains_waiting, index);
    parked_at(r, parked)->drain = index;
}

static void drain(struct request *q, const struct op *op, const struct journal_record *selector,
                  uint32_t space)
{
    if (op->as.drain.deadline_ms != 0 && !is_empty(q->r, space, selector->owner)) {
        begin_parked(q, op, selector, space);
        return;
    }
    struct result result = describe(q->r, space, selector->owner);
    if (request_put(q, &result)) {
        (void) begin(q, op, selector);
    }
}

void serve_drain(struct request *q, const struct op *op)
{
    struct registry *r = q->r;
    struct journal_record selector = selector_of(q, op);
    if (selector.scope == BULK_OWNER && !has_session(q, selector.owner)) {
        request_tell(q, &(struct result){.answer = ANSWER_NOT_FOUND});
        return;
    }
    const char *full = journal_is_full(r) ? "journal" : bulk_full(r, &selector);
    if (full != NULL && is_recovering(r) && covers_are_full(r)) {
        request_recovering(q);
        return;
    }
    if (full != NULL) {
        request_full(q, full);
        return;
    }
    uint32_t space = selector.scope == BULK_DAEMON ? 0 : space_take(r, selector.space);
    drain(q, op, &selector, space);
    if (space != 0) {
        space_give(r, space); /* by now the drain holds it */
    }
}

void serve_undrain(struct request *q, const struct op *op)
{
    struct registry *r = q->r;
    uint64_t owner = op->as.drain.owner;
    bool known = op->as.drain.daemon || (owner != 0 ? has_session(q, owner) : q->space != 0);
    uint32_t space = op->as.drain.daemon ? 0 : q->space;
    uint32_t *slot = known ? cause_slot(r, space, owner) : NULL;
    if (slot == NULL || *slot == 0) {
        request_tell(q, &(struct result){.answer = ANSWER_NOT_FOUND});
        return;
    }
    if (!request_answer(q, ANSWER_UNDRAINED)) {
        return;
    }
    uint32_t cause = *slot;
    *slot = 0;
    cause_give(r, cause);
    if (space != 0 && owner == 0) {
        space_give(r, space);
    }
}

/* ---- invariants ---- */

void check_drains(const struct registry *r)
{
    chain_check(OF_DRAINS(r), &r->drains_waiting);
    ASSERT(r->drains_waiting.count == r->drains.count);
    for (uint32_t i = r->drains_waiting.first; i != 0; i = drain_at(r, i)->of_drains.next) {
        const struct drain *drain = drain_at(r, i);
        ASSERT(parked_at(r, drain->parked)->drain == i);
        ASSERT(drain->space == 0 || slab_is_live(&r->spaces, drain->space));
        ASSERT(drain->bulk == 0 ||
               (slab_is_live(&r->bulks, drain->bulk) && bulk_at(r, drain->bulk)->drains &&
                bulk_at(r, drain->bulk)->running));
        ASSERT(drain->bulk != 0 || r->drains_due || r->drains_left > 0 || !is_over(r, drain));
    }
}
