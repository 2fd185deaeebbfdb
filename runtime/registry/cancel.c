/* SPDX-License-Identifier: MIT */
/* Cancel. Decided here, at one point, on the one thread that also decides deletes: that is why a
 * canceller and an owner can never be told different things.
 *
 * A cancel that finds nothing may be armed for the next store of the key. It must not be where the
 * key's newest gen has ended: then the caller is late, and its cancel would hit the successor. The
 * finished memory knows that; so an arm lives no longer than the memory, and where the memory had
 * to forget an operation before its time, nothing can be armed until that time is over. */
#include "registry/state.h"

/* Bytes that a cancel's answer takes at most, by the number of its gens. */
#define ANSWER_BYTES(gens) (128 + 40 * (gens))

static struct result describe_ended(struct request *q, uint32_t index)
{
    const struct registry *r = q->r;
    const struct operation *operation = operation_at(r, index);
    request_told(q, operation->cause);
    bool lost = operation->outcome == OUTCOME_OWNER_LOST;
    return (struct result){
        .answer = lost ? ANSWER_OWNER_LOST : ANSWER_FINISHED,
        .gen = operation->gen,
        .outcome = (enum outcome) operation->outcome,
        .level = (enum level) operation->level,
        .cause = cause_get(r, operation->cause),
    };
}

static struct gen_result describe_gen(const struct operation *operation, enum answer answer)
{
    enum level level =
        operation->level > LEVEL_RECORDED ? (enum level) operation->level : LEVEL_RECORDED;
    return (struct gen_result){.gen = operation->gen, .answer = answer, .level = level};
}

/* The live gens that the cancel is about, newest first, as they will be answered: into r->gens. */
static size_t select_gens(struct registry *r, uint32_t key, uint32_t only, uint64_t after_gen)
{
    size_t count = 0;
    uint32_t i = only != 0 ? only : key_at(r, key)->live.first;
    while (i != 0 && operation_at(r, i)->gen > after_gen) {
        const struct operation *operation = operation_at(r, i);
        bool live = operation->state == STATE_LIVE;
        r->gens[count++] =
            describe_gen(operation, live ? ANSWER_REQUESTED : ANSWER_ALREADY_REQUESTED);
        i = only != 0 ? 0 : operation->of_key.next;
    }
    return count;
}

/* Outcome, level and end of the whole, from r->gens. */
static struct result sum_up(const struct registry *r, size_t count)
{
    struct result result = {.answer = ANSWER_ALREADY_REQUESTED,
                            .gen = r->gens[0].gen,
                            .level = LEVEL_STOPPED,
                            .gens = r->gens,
                            .gens_count = count};
    for (size_t i = 0; i < count; i++) {
        if (r->gens[i].answer == ANSWER_REQUESTED) {
            result.answer = ANSWER_REQUESTED;
        }
        if (r->gens[i].level < result.level) {
            result.level = r->gens[i].level;
        }
    }
    if (count == 1) {
        result.outcome = r->gens[0].outcome;
    }
    result.journaled = journal_is_there(r);
    return result;
}

struct cause cancel_cause(const struct request *q, const struct op *op)
{
    struct cause cause = op->as.cancel.cause;
    cause.code = op->as.cancel.cause_code == CAUSE_UNSET
                     ? CAUSE_USER
                     : (enum cause_code) op->as.cancel.cause_code;
    cause.peer = request_peer(q);
    return cause;
}

/* One reference. */
static uint32_t keep_given_cause(struct request *q, const struct op *op)
{
    struct cause cause = cancel_cause(q, op);
    return cause_keep(q->r, &cause);
}

/* Those cancelled before may have been so by a ttl, a parent or a newer gen: what is answered now has
 * to be found again after a crash. A bulk cancel has its own record. */
static void record_all(struct registry *r, uint32_t key, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t index = operation_find(r, key, r->gens[i].gen);
        if (cause_at(r, operation_at(r, index)->cause)->bulk == 0) {
            journal_cancel(r, index);
        }
    }
}

/* Earlier gens of the key may yet be adopted: they are meant too. A cancel that covers as much already
 * was first, and its cause stands. */
static bool is_covered(const struct registry *r, uint32_t key, uint64_t after_gen)
{
    uint32_t i = key_at(r, key)->bulks.first;
    while (i != 0 && (bulk_at(r, i)->recovered || bulk_at(r, i)->after_gen > after_gen)) {
        i = bulk_at(r, i)->of_holder.next;
    }
    return i != 0;
}

static void cover_later(struct request *q, const struct op *op, uint32_t key)
{
    struct registry *r = q->r;
    if (is_covered(r, key, op->as.cancel.after_gen)) {
        return;
    }
    uint32_t cause = keep_given_cause(q, op);
    uint32_t bulk = bulk_cover(q, key, op->as.cancel.after_gen, cause);
    ASSERT(bulk != 0); /* cancel_live() has looked */
    cause_give(r, cause);
}

static void apply(struct request *q, const struct op *op, uint32_t key, size_t count)
{
    struct registry *r = q->r;
    uint32_t cause = 0;
    for (size_t i = 0; i < count; i++) {
        if (r->gens[i].answer != ANSWER_REQUESTED) {
            continue;
        }
        if (cause == 0) {
            cause = keep_given_cause(q, op);
        }
        operation_cancel(r, operation_find(r, key, r->gens[i].gen), cause);
    }
    cause_give(r, cause);
    record_all(r, key, count);
    if (op->gen == 0 && is_recovering(r)) {
        cover_later(q, op, key);
    }
}

static bool gen_waits(const struct registry *r, uint32_t index, enum level level)
{
    const struct operation *operation = operation_at(r, index);
    return operation->owner != 0 && operation->level < level;
}

/* Whether any of the gens can still come to the level that is asked for. */
static bool has_to_wait(const struct registry *r, const struct op *op, uint32_t key, size_t count)
{
    if (op->as.cancel.level <= LEVEL_RECORDED || op->as.cancel.deadline_ms == 0) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (gen_waits(r, operation_find(r, key, r->gens[i].gen),
                      (enum level) op->as.cancel.level)) {
            return true;
        }
    }
    return false;
}

static void cancel_parked(struct request *q, const struct op *op, uint32_t key, size_t count)
{
    struct registry *r = q->r;
    if (!park_has_room(q, count, ANSWER_BYTES(count))) {
        return;
    }
    uint32_t index = park(q, OP_CANCEL, op->as.cancel.deadline_ms, ANSWER_BYTES(count));
    parked_at(r, index)->level = (uint8_t) op->as.cancel.level;
    for (size_t i = count; i > 0; i--) { /* they come out in reverse */
        const struct gen_result *gen = &r->gens[i - 1];
        park_tie(r, index, operation_find(r, key, gen->gen), gen->answer);
    }
    apply(q, op, key, count);
    for (uint32_t number = parked_at(r, index)->ties; number != 0;
         number = tie_at(r, number)->next_of_parked) {
        operation_settle(r, tie_at(r, number)->operation); /* some may be met already */
    }
}

static void cancel_live(struct request *q, const struct op *op, uint32_t key, size_t count)
{
    struct registry *r = q->r;
    if (journal_is_full(r)) {
        request_full(q, "journal");
        return;
    }
    if (op->gen == 0 && is_recovering(r) && covers_are_full(r) &&
        !is_covered(r, key, op->as.cancel.after_gen)) {
        request_recovering(q);
        return;
    }
    if (has_to_wait(r, op, key, count)) {
        cancel_parked(q, op, key, count);
        return;
    }
    struct result result = sum_up(r, count);
    if (op->as.cancel.level > LEVEL_RECORDED) {
        for (size_t i = 0; i < count; i++) {
            uint32_t index = operation_find(r, key, r->gens[i].gen);
            result.no_owner = result.no_owner || operation_at(r, index)->owner == 0;
        }
    }
    if (request_put(q, &result)) {
        apply(q, op, key, count);
    }
}

void cancel_describe(struct registry *r, uint32_t parked, struct result *result)
{
    size_t count = 0;
    bool no_owner = false;
    for (uint32_t number = parked_at(r, parked)->ties; number != 0;
         number = tie_at(r, number)->next_of_parked) {
        const struct tie *tie = tie_at(r, number);
        const struct operation *operation = operation_at(r, tie->operation);
        r->gens[count++] = (struct gen_result){.gen = tie->gen,
                                               .answer = (enum answer) tie->answer,
                                               .level = (enum level) operation->level,
                                               .outcome = (enum outcome) operation->outcome};
        no_owner = no_owner || (operation->owner == 0 && operation->state != STATE_ENDED);
    }
    *result = sum_up(r, count);
    result->no_owner = no_owner;
}

/* The bound that an arm would pass, or NULL. */
static const char *arm_full(const struct request *q, const struct op *op, uint32_t key)
{
    const struct registry *r = q->r;
    if (r->memory_gap_until_ms > r->now_ms) {
        return "finished_memory";
    }
    if (journal_is_full(r)) {
        return "journal";
    }
    if (key != 0 && key_at(r, key)->armed != 0) {
        return NULL;
    }
    if (r->armed.count == r->armed.capacity) {
        return "armed";
    }
    return key_full(r, q->space_name, op->key, 0);
}

/* An end of just before the start is not known here, so the arm may come too late. */
static bool is_memory_incomplete(const struct registry *r)
{
    return r->epoch_first > 1 && r->now_ms < time_after(r->started_ms, r->limits.finished_ms);
}

static void arm(struct request *q, const struct op *op, uint32_t key)
{
    struct registry *r = q->r;
    const char *full = arm_full(q, op, key);
    if (full != NULL) {
        request_full(q, full);
        return;
    }
    struct result result = {.answer = ANSWER_ARMED,
                            .level = LEVEL_RECORDED,
                            .journaled = journal_is_there(r),
                            .memory_incomplete = is_memory_incomplete(r)};
    if (!request_put(q, &result)) {
        return;
    }
    key = key_make(r, q->space_name, op->key);
    uint32_t armed = key_at(r, key)->armed;
    if (armed != 0) {
        /* The first cause stays; the time may grow. */
        uint64_t deadline = time_after(r->now_ms, op->as.cancel.arm_ttl_ms);
        if (deadline > armed_at(r, armed)->timer.deadline) {
            timer_heap_set(&r->timers, &armed_at(r, armed)->timer, deadline);
            journal_arm(r, armed, op->as.cancel.arm_ttl_ms);
        }
        return;
    }
    uint32_t kept = keep_given_cause(q, op);
    armed = armed_make(r, key, kept, op->as.cancel.arm_ttl_ms);
    journal_arm(r, armed, op->as.cancel.arm_ttl_ms);
    cause_give(r, kept);
}

static void cancel_of_gen(struct request *q, const struct op *op)
{
    struct found found = find_by_gen(q, op);
    if (found.operation == 0) {
        request_tell_found(q, &found);
        return;
    }
    if (operation_at(q->r, found.operation)->state == STATE_ENDED) {
        struct result result = describe_ended(q, found.operation);
        request_tell(q, &result);
        return;
    }
    size_t count = select_gens(q->r, found.key, found.operation, 0);
    cancel_live(q, op, found.key, count);
}

void serve_cancel(struct request *q, const struct op *op)
{
    struct registry *r = q->r;
    if (bulk_is(op)) {
        serve_bulk(q, op);
        return;
    }
    if (op->gen != 0) {
        cancel_of_gen(q, op);
        return;
    }
    uint64_t after = op->as.cancel.after_gen;
    if (after > r->gen_newest) {
        request_tell(q, &(struct result){.answer = ANSWER_STALE_EPOCH});
        return;
    }
    uint32_t key = find_key(q, op).key;
    size_t count = key == 0 ? 0 : select_gens(r, key, 0, after);
    uint32_t ended = key == 0 ? 0 : key_newest_ended(r, key);
    if (count > 0) {
        cancel_live(q, op, key, count);
    } else if (ended != 0 && operation_at(r, ended)->gen > after) {
        struct result result = describe_ended(q, ended);
        request_tell(q, &result);
    } else if (is_recovering(r)) {
        request_recovering(q);
    } else if (op->as.cancel.arm_ttl_ms > 0) {
        arm(q, op, key);
    } else {
        request_tell(q, &(struct result){.answer = ANSWER_NOT_FOUND});
    }
}
