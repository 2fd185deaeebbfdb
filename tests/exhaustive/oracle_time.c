/* SPDX-License-Identifier: MIT */
/* What happens by itself: ends of ttls, graces, deadlines, arms, the memory and the recovery time; and the
 * end of the daemon. */
#include "world.h"

#include <string.h>

static void sooner(uint64_t *next, uint64_t at_ms)
{
    *next = at_ms != 0 && at_ms < *next ? at_ms : *next;
}

static bool is_held_by_notice(const struct gen *gen)
{
    return gen->due[NOTICE_ENDED];
}

uint64_t oracle_next_ms(void)
{
    uint64_t next = TIME_NEVER;
    sooner(&next, world.recovery_end_ms);
    for (uint32_t i = 0; i < world.gens_count; i++) {
        const struct gen *gen = &world.gens[i];
        sooner(&next, gen->stop_end_ms != 0 ? gen->stop_end_ms : gen->ttl_end_ms);
        if (gen->state == STATE_ENDED && gen->ended_ms + MEMORY_MS > world.now_ms) {
            sooner(&next, gen->ended_ms + MEMORY_MS);
        }
    }
    for (uint32_t i = 0; i < ACTORS; i++) {
        sooner(&next, world.actors[i].grace_ms);
    }
    for (uint32_t i = 0; i < KEYS; i++) {
        sooner(&next, world.arms[i].due_ms);
    }
    for (uint32_t i = 0; i < world.asks_count; i++) {
        sooner(&next, world.asks[i].due_ms);
    }
    return next;
}

void oracle_drop_asks(uint32_t actor)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < world.asks_count; i++) {
        if (world.asks[i].actor != actor) {
            world.asks[kept++] = world.asks[i];
        }
    }
    world.asks_count = kept;
}

static void lose_session(uint32_t actor)
{
    world.actors[actor].grace_ms = 0;
    world.actors[actor].is_lost = true;
    oracle_drop_asks(actor);
    for (uint32_t i = 0; i < world.gens_count; i++) {
        struct gen *gen = &world.gens[i];
        if (gen->owner != actor || !gen->owned) {
            continue;
        }
        if (gen->state == STATE_LIVE || gen->state == STATE_CANCELLING) {
            oracle_end_gen(gen, OUTCOME_OWNER_LOST, false);
        }
        gen->owned = false;
        gen->due[NOTICE_CANCEL] = false;
        gen->due[NOTICE_ENDED] = false;
    }
}

static void ttl_ends(struct gen *gen)
{
    if (gen->stop_end_ms != 0) {
        oracle_end_gen(gen, OUTCOME_EXPIRED, false);
        return;
    }
    gen->stop_end_ms = gen->ttl_end_ms + GRACE_TIME_MS;
    if (gen->state == STATE_LIVE) {
        oracle_cancel_gen(gen, CAUSE_DEADLINE, NOBODY);
    }
}

static void gens_advance(void)
{
    for (uint32_t i = 0; i < world.gens_count; i++) {
        struct gen *gen = &world.gens[i];
        uint64_t due_ms = gen->stop_end_ms != 0 ? gen->stop_end_ms : gen->ttl_end_ms;
        if (due_ms != 0 && due_ms <= world.now_ms) {
            ttl_ends(gen);
        }
    }
}

/* A deadline that ends says what is there. */
static void asks_advance(void)
{
    for (uint32_t i = 0; i < world.asks_count; i++) {
        struct ask *ask = &world.asks[i];
        if (ask->due_ms != 0 && ask->due_ms <= world.now_ms) {
            ask->due_ms = 0;
            ask->decided = true;
            ask->expected = oracle_late(ask);
        }
    }
}

/* Once nobody has to be told of it any more. */
static void memory_advance(void)
{
    for (uint32_t i = 0; i < world.gens_count; i++) {
        struct gen *gen = &world.gens[i];
        if (gen->state == STATE_ENDED && gen->ended_ms + MEMORY_MS <= world.now_ms &&
            !is_held_by_notice(gen)) {
            gen->state = STATE_UNSET;
        }
    }
}

void oracle_advance(uint64_t now_ms)
{
    world.now_ms = now_ms;
    if (world.recovery_end_ms != 0 && world.recovery_end_ms <= now_ms) {
        world.recovery_end_ms = 0;
    }
    gens_advance();
    oracle_decide_parked();
    for (uint32_t i = 0; i < ACTORS; i++) {
        if (world.actors[i].grace_ms != 0 && world.actors[i].grace_ms <= now_ms) {
            lose_session(i);
        }
    }
    oracle_decide_parked();
    asks_advance();
    for (uint32_t i = 0; i < KEYS; i++) {
        if (world.arms[i].due_ms != 0 && world.arms[i].due_ms <= now_ms) {
            world.arms[i].due_ms = 0;
        }
    }
    memory_advance();
}

void oracle_cut(uint32_t actor)
{
    world.actors[actor].is_cut = true;
    world.actors[actor].grace_ms = world.now_ms + GRACE_TIME_MS;
}

/* ---- the daemon is killed ---- */

static bool has_end(uint64_t gen, uint32_t kept)
{
    for (uint32_t i = 0; i < kept; i++) {
        if (world.log[i].gen == gen && world.log[i].kind == JOURNAL_END && world.log[i].by_owner) {
            return true;
        }
    }
    return false;
}

static void crash_gen(struct gen *gen, uint32_t kept)
{
    uint32_t record = oracle_record_of(gen->number);
    bool is_kept = record != 0 && record <= kept;
    EXPECT(!gen->promised || is_kept || gen->finished || gen->state == STATE_ENDED ||
               gen->state == STATE_UNSET,
           "a cancel of gen %u was answered and its record was not kept",
           (unsigned) (gen - world.gens));
    EXPECT(!gen->of_arm || gen->told[NOTICE_CANCEL] == 0 || is_kept,
           "the owner of gen %u was told of an arm's use whose record was not kept",
           (unsigned) (gen - world.gens));
    gen->of_arm = false;
    gen->recovered = is_kept;
    gen->repeats = has_end(gen->number, kept);
    if (is_kept) {
        gen->cause = world.log[record - 1].cause;
        gen->by = world.log[record - 1].by;
    }
    gen->state = STATE_UNSET;
    gen->owned = false;
    gen->outcome = OUTCOME_UNSET;
    gen->ended_ms = 0; /* nobody remembers, and its owner may not know */
    gen->ttl_end_ms = 0;
    gen->stop_end_ms = 0;
    for (uint32_t kind = 0; kind < NOTICE_END; kind++) {
        gen->due[kind] = false;
        gen->seen[kind] = 0;
    }
}

void oracle_crash(uint32_t kept)
{
    for (uint32_t i = 0; i < world.gens_count; i++) {
        crash_gen(&world.gens[i], kept);
    }
    for (uint32_t i = 0; i < world.asks_count; i++) {
        if (world.asks[i].event != EVENT_DELETE) {
            continue;
        }
        world.gens[world.asks[i].gen].finished =
            false; /* not answered: it is adopted, and ended then */
    }
    world.asks_count = 0;
    for (uint32_t key = 0; key < KEYS; key++) {
        world.arms[key].due_ms = 0;
    }
    for (uint32_t i = 0; i < kept; i++) {
        const struct log_entry *entry = &world.log[i];
        struct arm *arm = &world.arms[entry->key];
        if (entry->kind == JOURNAL_ARM) {
            arm->due_ms = world.now_ms + ARM_TTL_MS;
            arm->by = entry->by;
        } else if (entry->kind == JOURNAL_ARM_USED || entry->kind == JOURNAL_ARM_GONE) {
            arm->due_ms = 0;
        }
    }
    world.epoch++;
    world.counter = 0;
    world.recovery_end_ms = world.now_ms + RECOVERY_TIME_MS;
    world.crashed = true;
}
