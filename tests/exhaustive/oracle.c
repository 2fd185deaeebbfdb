/* SPDX-License-Identifier: MIT */
/* What each request does and is answered, by the contract's words and nothing else. */
#include "world.h"

#include <string.h>

static bool is_live(const struct gen *gen)
{
    return gen->state == STATE_LIVE || gen->state == STATE_CANCELLING;
}

bool oracle_is_here(const struct gen *gen)
{
    return gen->state != STATE_UNSET;
}

static bool is_earlier(const struct gen *gen)
{
    return gen->number >> GEN_COUNTER_BITS < world.epoch;
}

static bool is_recovering(void)
{
    return world.recovery_end_ms != 0;
}

/* The next gen of the key below `below`, of those that `is` says; NULL: none. */
static struct gen *next_of_key(uint32_t key, uint64_t below, bool (*is)(const struct gen *gen))
{
    struct gen *found = NULL;
    for (uint32_t i = 0; i < world.gens_count; i++) {
        struct gen *gen = &world.gens[i];
        if (gen->key == key && gen->number < below && is(gen) &&
            (found == NULL || gen->number > found->number)) {
            found = gen;
        }
    }
    return found;
}

static uint8_t index_of(const struct gen *gen)
{
    return (uint8_t) (gen - world.gens);
}

uint32_t oracle_record_of(uint64_t gen)
{
    for (uint32_t i = 0; i < world.log_count; i++) {
        const struct log_entry *entry = &world.log[i];
        if (entry->gen == gen &&
            (entry->kind == JOURNAL_CANCEL || entry->kind == JOURNAL_ARM_USED)) {
            return i + 1;
        }
    }
    return 0;
}

/* ---- changes of an operation ---- */

void oracle_cancel_gen(struct gen *gen, uint8_t cause, uint8_t by)
{
    EXPECT(gen->state == STATE_LIVE, "the oracle cancels what is not LIVE");
    gen->state = STATE_CANCELLING;
    gen->cause = cause;
    gen->by = by;
    gen->level = LEVEL_RECORDED;
    gen->due[NOTICE_CANCEL] = gen->owned;
    gen->seen[NOTICE_CANCEL] = 0;
}

void oracle_end_gen(struct gen *gen, uint8_t outcome, bool by_owner)
{
    gen->state = STATE_ENDED;
    gen->outcome = outcome;
    gen->ended_ms = world.now_ms;
    gen->ttl_end_ms = 0;
    gen->stop_end_ms = 0;
    if (by_owner && gen->cause != CAUSE_UNSET) {
        gen->level = LEVEL_STOPPED;
    }
    if (gen->owned && !by_owner && outcome != OUTCOME_OWNER_LOST) {
        gen->due[NOTICE_ENDED] = true;
        gen->seen[NOTICE_ENDED] = 0;
    } else {
        gen->due[NOTICE_CANCEL] = false;
    }
}

/* ---- store and adopt ---- */

static void set_ttl(struct gen *gen)
{
    gen->ttl_end_ms = gen->has_ttl ? world.now_ms + TTL_MS : 0;
    gen->stop_end_ms = 0;
}

static void apply_store(struct ask *ask)
{
    struct gen *live = next_of_key(ask->key, UINT64_MAX, is_live);
    struct arm *arm = &world.arms[ask->key];
    if (live != NULL && ask->mode == STORE_REJECT) {
        ask->expected =
            (struct expected){.answer = ANSWER_EXISTS, .gen = live->number, .state = live->state};
        return;
    }
    for (; live != NULL; live = next_of_key(ask->key, live->number, is_live)) {
        if (live->state == STATE_LIVE) {
            oracle_cancel_gen(live, CAUSE_SUPERSEDED, NOBODY);
        }
    }
    EXPECT(world.gens_count < GENS_MAX, "too many gens for the oracle");
    struct gen *gen = &world.gens[world.gens_count++];
    *gen = (struct gen){.number = world.epoch << GEN_COUNTER_BITS | ++world.counter,
                        .key = ask->key,
                        .owner = ask->actor,
                        .owned = true,
                        .state = STATE_LIVE,
                        .by = NOBODY,
                        .has_ttl = ask->mode == STORE_SUPERSEDE_TTL};
    set_ttl(gen);
    ask->gen = index_of(gen);
    ask->expected = (struct expected){.answer = ANSWER_STORED, .gen = gen->number};
    if (arm->due_ms != 0) {
        oracle_cancel_gen(gen, CAUSE_USER, arm->by);
        gen->of_arm = true;
        ask->expected.answer = ANSWER_BORN_CANCELLED;
        ask->expected.cause = gen->cause;
        ask->expected.by = gen->by;
        arm->due_ms = 0;
    }
}

/* Of two live gens of a key the older is superseded. */
static void supersede_older(uint32_t key)
{
    struct gen *gen = next_of_key(key, UINT64_MAX, is_live);
    while (gen != NULL && (gen = next_of_key(key, gen->number, is_live)) != NULL) {
        if (gen->state == STATE_LIVE) {
            oracle_cancel_gen(gen, CAUSE_SUPERSEDED, NOBODY);
        }
    }
}

static void apply_adopt(struct ask *ask)
{
    struct gen *gen = &world.gens[ask->gen];
    struct arm *arm = &world.arms[gen->key];
    uint8_t cause = CAUSE_UNSET;
    uint8_t by = NOBODY;
    gen->of_arm = false;
    if (gen->recovered || gen->told[NOTICE_CANCEL] > 0) {
        cause = gen->cause;
        by = gen->by;
    } else if (world.covers[gen->key] != 0) {
        cause = CAUSE_USER;
        by = (uint8_t) (world.covers[gen->key] - 1);
    } else if (arm->due_ms != 0) {
        cause = CAUSE_USER;
        by = arm->by;
        gen->of_arm = true;
    }
    gen->recovered = false;
    gen->state = STATE_LIVE;
    gen->owned = true;
    gen->cause = CAUSE_UNSET;
    gen->by = NOBODY;
    gen->level = LEVEL_NONE;
    set_ttl(gen);
    if (cause != CAUSE_UNSET) {
        oracle_cancel_gen(gen, cause, by);
    }
    arm->due_ms = 0;
    supersede_older(gen->key);
    ask->expected = (struct expected){.answer = ANSWER_ADOPTED,
                                      .gen = gen->number,
                                      .state = gen->state,
                                      .cause = gen->cause,
                                      .by = gen->by};
}

/* ---- what is not live ---- */

static struct expected of_ended(const struct gen *gen, enum answer answer)
{
    return (struct expected){.answer = (uint8_t) answer,
                             .gen = gen->number,
                             .outcome = gen->outcome,
                             .cause = gen->cause,
                             .by = gen->by};
}

/* By key and gen, of one that is neither live nor remembered. */
static struct expected of_absent(const struct gen *gen)
{
    const struct gen *higher = next_of_key(gen->key, UINT64_MAX, oracle_is_here);
    if (is_recovering() && is_earlier(gen)) {
        return (struct expected){.answer = ANSWER_RECOVERING};
    }
    if (higher != NULL && higher->number > gen->number) {
        return (struct expected){.answer = ANSWER_STALE_GEN, .gen = higher->number};
    }
    return (struct expected){.answer = ANSWER_NOT_FOUND};
}

static struct expected of_ended_cancel(const struct gen *gen)
{
    struct expected expected =
        of_ended(gen, gen->outcome == OUTCOME_OWNER_LOST ? ANSWER_OWNER_LOST : ANSWER_FINISHED);
    expected.level = gen->level;
    return expected;
}

/* ---- delete ---- */

static void apply_delete(struct ask *ask)
{
    struct gen *gen = &world.gens[ask->gen];
    if (gen->state == STATE_UNSET) {
        ask->expected = of_absent(gen);
        return;
    }
    if (gen->state == STATE_ENDED) {
        ask->expected = of_ended(gen, ANSWER_ENDED);
        return;
    }
    ask->expected = (struct expected){.answer = ANSWER_DELETED,
                                      .gen = gen->number,
                                      .cause = gen->cause,
                                      .by = gen->by,
                                      .cancelled = gen->cause != CAUSE_UNSET};
    oracle_end_gen(gen, OUTCOME_COMPLETED, gen->owned && gen->owner == ask->actor);
}

/* ---- cancel ---- */

static struct expected sum_up(const struct ask *ask)
{
    struct expected sum = {.answer = ANSWER_ALREADY_REQUESTED,
                           .gen = world.gens[ask->ties[0]].number,
                           .level = LEVEL_STOPPED};
    for (uint32_t i = 0; i < ask->ties_count; i++) {
        const struct gen *gen = &world.gens[ask->ties[i]];
        if (ask->tie_answers[i] == ANSWER_REQUESTED) {
            sum.answer = ANSWER_REQUESTED;
        }
        sum.level = gen->level < sum.level ? gen->level : sum.level;
        if (ask->ties_count == 1) {
            sum.outcome = gen->state == STATE_ENDED ? gen->outcome : OUTCOME_UNSET;
        }
    }
    return sum;
}

static bool tie_is_met(const struct ask *ask, uint32_t tie)
{
    const struct gen *gen = &world.gens[ask->ties[tie]];
    return gen->state != STATE_LIVE &&
           (gen->state != STATE_CANCELLING ||
            (ask->event == EVENT_CANCEL && gen->level >= LEVEL_DELIVERED));
}

static bool ties_are_met(const struct ask *ask)
{
    for (uint32_t i = 0; i < ask->ties_count; i++) {
        if (!tie_is_met(ask, i)) {
            return false;
        }
    }
    return true;
}

static void cancel_live(struct ask *ask, struct gen *live)
{
    for (; live != NULL;
         live = ask->gen != NOBODY_GEN ? NULL : next_of_key(ask->key, live->number, is_live)) {
        ask->ties[ask->ties_count] = index_of(live);
        ask->tie_answers[ask->ties_count++] =
            live->state == STATE_LIVE ? ANSWER_REQUESTED : ANSWER_ALREADY_REQUESTED;
        if (live->state == STATE_LIVE) {
            oracle_cancel_gen(live, CAUSE_USER, ask->actor);
        }
    }
    if (ask->gen == NOBODY_GEN && is_recovering() && world.covers[ask->key] == 0) {
        world.covers[ask->key] = (uint8_t) (ask->actor + 1);
    }
    ask->decided = ask->mode != CANCEL_DELIVERED || ties_are_met(ask);
    ask->due_ms = ask->decided ? 0 : world.now_ms + DEADLINE_TIME_MS;
    ask->expected = sum_up(ask);
}

static void cancel_absent(struct ask *ask)
{
    const struct gen *ended = next_of_key(ask->key, UINT64_MAX, oracle_is_here);
    struct arm *arm = &world.arms[ask->key];
    if (ended != NULL) {
        ask->expected = of_ended_cancel(ended);
    } else if (is_recovering()) {
        ask->expected = (struct expected){.answer = ANSWER_RECOVERING};
    } else if (ask->mode == CANCEL_ARM) {
        ask->expected = (struct expected){.answer = ANSWER_ARMED, .level = LEVEL_RECORDED};
        arm->by = arm->due_ms == 0 ? ask->actor : arm->by;
        arm->due_ms = world.now_ms + ARM_TTL_MS;
    } else {
        ask->expected = (struct expected){.answer = ANSWER_NOT_FOUND};
    }
}

static void apply_cancel(struct ask *ask)
{
    struct gen *named = ask->gen == NOBODY_GEN ? NULL : &world.gens[ask->gen];
    struct gen *live = named != NULL ? (is_live(named) ? named : NULL)
                                     : next_of_key(ask->key, UINT64_MAX, is_live);
    if (live != NULL) {
        cancel_live(ask, live);
    } else if (named == NULL) {
        cancel_absent(ask);
    } else {
        ask->expected = named->state == STATE_ENDED ? of_ended_cancel(named) : of_absent(named);
    }
}

/* ---- wait and poll ---- */

static void apply_wait(struct ask *ask)
{
    struct gen *gen = next_of_key(ask->key, UINT64_MAX, is_live);
    gen = gen != NULL ? gen : next_of_key(ask->key, UINT64_MAX, oracle_is_here);
    ask->ties_count = 0;
    if (gen == NULL) {
        ask->expected =
            (struct expected){.answer = is_recovering() ? ANSWER_RECOVERING : ANSWER_NOT_FOUND};
        return;
    }
    ask->ties[ask->ties_count++] = index_of(gen);
    ask->decided = gen->state == STATE_ENDED;
    ask->due_ms = ask->decided ? 0 : world.now_ms + DEADLINE_TIME_MS;
    ask->expected = oracle_late(ask);
}

bool oracle_is_told(const struct gen *gen)
{
    const uint32_t record = oracle_record_of(gen->number);
    return !gen->of_arm || (record != 0 && record <= world.kept);
}

/* A notice for that poll: one above the highest that its owner had seen when it asked. */
bool oracle_is_news(const struct gen *gen, uint32_t kind, const struct ask *poll)
{
    return gen->owner == poll->actor && gen->due[kind] && oracle_is_told(gen) &&
           (gen->seen[kind] == 0 || gen->seen[kind] > poll->after);
}

static bool has_news(const struct ask *poll)
{
    for (uint32_t i = 0; i < world.gens_count; i++) {
        const struct gen *gen = &world.gens[i];
        for (uint32_t kind = NOTICE_CANCEL; kind < NOTICE_END; kind++) {
            if (oracle_is_news(gen, kind, poll)) {
                return true;
            }
        }
    }
    return false;
}

static void acknowledge(uint8_t ack)
{
    struct gen *gen = &world.gens[ack / NOTICE_END];
    uint32_t kind = ack % NOTICE_END;
    if (!gen->due[kind]) {
        return;
    }
    gen->due[kind] = false;
    if (kind == NOTICE_CANCEL && gen->state == STATE_CANCELLING && gen->level < LEVEL_DELIVERED) {
        gen->level = LEVEL_DELIVERED;
    }
    if (gen->state == STATE_ENDED && !gen->due[NOTICE_ENDED]) {
        gen->due[NOTICE_CANCEL] = false;
        if (gen->ended_ms + MEMORY_MS <= world.now_ms) {
            gen->state = STATE_UNSET; /* its notice was all that kept it so long */
        }
    }
}

static void apply_poll(struct ask *ask)
{
    for (uint32_t i = 0; i < ask->acks_count; i++) {
        acknowledge(ask->acks[i]);
    }
    for (uint32_t i = 0; i < world.asks_count; i++) {
        struct ask *older = &world.asks[i];
        if (older != ask && older->event == EVENT_POLL && older->actor == ask->actor &&
            !older->decided) {
            older->decided = true;
            older->mode = 1; /* it is answered empty */
        }
    }
    ask->mode = 0;
    ask->decided = has_news(ask);
}

/* ---- all of them ---- */

void oracle_apply(struct ask *ask)
{
    static void (*const apply[EVENT_KINDS])(struct ask * ask) = {
        [EVENT_STORE] = apply_store, [EVENT_DELETE] = apply_delete, [EVENT_POLL] = apply_poll,
        [EVENT_ADOPT] = apply_adopt, [EVENT_CANCEL] = apply_cancel, [EVENT_WAIT] = apply_wait};
    ask->decided = true;
    ask->order = ++world.order_last;
    apply[ask->event](ask);
    oracle_decide_parked();
}

/* Reads that were answered are evaluated again; all else is as it was. */
void oracle_again(struct ask *ask)
{
    if (ask->decided && (ask->event == EVENT_POLL || ask->event == EVENT_WAIT)) {
        oracle_apply(ask);
    }
}

struct expected oracle_late(const struct ask *ask)
{
    if (ask->event == EVENT_CANCEL) {
        return sum_up(ask);
    }
    const struct gen *gen = &world.gens[ask->ties[0]];
    struct expected expected = of_ended(gen, ANSWER_ENDED);
    if (gen->state != STATE_ENDED) {
        expected.answer = ANSWER_TIMED_OUT;
        expected.state = gen->state;
    }
    return expected;
}

void oracle_decide_parked(void)
{
    for (uint32_t i = 0; i < world.asks_count; i++) {
        struct ask *ask = &world.asks[i];
        if (ask->decided) {
            continue;
        }
        if (ask->event == EVENT_POLL) {
            ask->decided = has_news(ask);
        } else if (ties_are_met(ask)) {
            ask->decided = true;
            ask->due_ms = 0;
            ask->expected = oracle_late(ask);
        }
    }
}
