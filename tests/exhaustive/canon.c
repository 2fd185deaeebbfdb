/* SPDX-License-Identifier: MIT */
/* The state without its names: gens become their rank among the gens of their key, times what is left of
 * them, and of the namings of keys, owners and cancellers that differ by symmetry alone the one with the
 * lowest hash stands for all.
 *
 * What is hashed: all that the oracle knows (which was just compared with what the registry says), what
 * the journal has and has not kept, and how many records of each kind the registry holds: so a plain
 * operation and a whole one are two states, though nobody outside can tell them apart. Whether that is
 * all that matters for what comes after is checked by example: see search.c. */
#include "registry/state.h"

#include "world.h"

#include <string.h>

#define BYTES_MAX 2048

struct naming {
    uint8_t key[KEYS]; /* the key that is called so */
    uint8_t name_of_key[KEYS];
    uint8_t actor[ACTORS];
    uint8_t name_of_actor[ACTORS + 1];
    uint8_t rank[GENS_MAX]; /* 0: left out */
};

static uint8_t bytes[BYTES_MAX];
static size_t bytes_count;

static void put(uint64_t value)
{
    bytes[bytes_count++] = (uint8_t) value;
}

static void put_bits(const bool bits[8])
{
    unsigned byte = 0;
    for (unsigned i = 0; i < 8; i++) {
        byte |= (bits[i] ? 1u : 0u) << i;
    }
    put(byte);
}

static void put_time(uint64_t at_ms)
{
    const uint64_t left = at_ms == 0 ? 0 : at_ms + 4 * STEP_MS - world.now_ms;
    put(left);
    put(left >> 8);
}

static uint64_t hash(void)
{
    uint64_t sum = UINT64_C(0x9e3779b97f4a7c15) ^ bytes_count;
    while (bytes_count % sizeof(uint64_t) != 0) {
        bytes[bytes_count++] = 0;
    }
    for (size_t i = 0; i < bytes_count; i += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, bytes + i, sizeof word);
        sum = (sum ^ word) * UINT64_C(0xff51afd7ed558ccd);
        sum ^= sum >> 32;
    }
    sum *= UINT64_C(0xc4ceb9fe1a85ec53);
    return sum ^ sum >> 29;
}

/* A gen that is gone, and that nobody who acts here knows of, is as if it had never been. */
static bool is_left_out(const struct gen *gen)
{
    return gen->state == STATE_UNSET && !gen->known && !gen->recovered;
}

/* 0: the journal was not given its end; 1: that is kept; 2: it is not kept yet. */
static unsigned end_of(const struct gen *gen)
{
    for (uint32_t i = 0; i < world.log_count; i++) {
        if (world.log[i].kind == JOURNAL_END && world.log[i].gen == gen->number) {
            return i < world.kept ? 1 : 2;
        }
    }
    return 0;
}

static void put_gen(const struct naming *naming, const struct gen *gen)
{
    const uint32_t record = oracle_record_of(gen->number);
    put(naming->name_of_actor[gen->owner]);
    put((unsigned) gen->state | (unsigned) gen->outcome << 3 | (unsigned) gen->owned << 6);
    put((unsigned) gen->cause | (unsigned) gen->level << 4);
    put(naming->name_of_actor[gen->by]);
    put_bits((const bool[]){gen->due[1], gen->due[2], gen->seen[1] != 0, gen->seen[2] != 0,
                            gen->unacked[1], gen->unacked[2], gen->recovered, gen->known});
    put_bits(
        (const bool[]){gen->finished, gen->promised, gen->told[1] != 0, gen->told[2] != 0,
                       gen->number >> GEN_COUNTER_BITS<world.epoch, record != 0, record> world.kept,
                       gen->has_ttl, !oracle_is_told(gen)});
    put(end_of(gen));
    put_time(gen->ttl_end_ms);
    put_time(gen->stop_end_ms);
    put_time(gen->state == STATE_ENDED ? gen->ended_ms : 0);
}

/* Once the ended one is out of its time only that is left of it. */
static void put_key(struct naming *naming, uint32_t name)
{
    const uint32_t key = naming->key[name];
    uint8_t rank = 0;
    for (uint32_t i = 0; i < world.gens_count; i++) {
        if (world.gens[i].key == key && !is_left_out(&world.gens[i])) {
            naming->rank[i] = ++rank;
            put_gen(naming, &world.gens[i]);
        }
    }
    put(255);
    put_time(world.arms[key].due_ms);
    put(naming->name_of_actor[world.arms[key].due_ms != 0 ? world.arms[key].by : NOBODY]);
    put(world.covers[key] == 0 ? NOBODY + 1u : naming->name_of_actor[world.covers[key] - 1]);
}

static void put_ask(const struct naming *naming, const struct ask *ask)
{
    const struct expected *expected = &ask->expected;
    uint8_t told = 0;
    for (uint32_t i = 0; i < world.gens_count; i++) {
        told = world.gens[i].number == expected->gen ? naming->rank[i] : told;
    }
    put((unsigned) ask->event | (unsigned) ask->mode << 4);
    put((ask->key < KEYS && ask->event != EVENT_POLL) ? naming->name_of_key[ask->key] : KEYS);
    put(ask->gen == NOBODY_GEN ? 0u : naming->rank[ask->gen]);
    put_bits((const bool[8]){ask->decided, ask->lost, ask->emitted});
    put_time(ask->due_ms);
    put(expected->answer);
    put((unsigned) expected->state | (unsigned) expected->outcome << 3);
    put(expected->cancelled);
    put((unsigned) expected->level | (unsigned) expected->cause << 4);
    put(expected->cause == CAUSE_UNSET ? NOBODY : naming->name_of_actor[expected->by]);
    put(told);
    put(ask->ties_count);
    for (uint32_t i = 0; i < ask->ties_count; i++) {
        put(naming->rank[ask->ties[i]]);
        put(ask->tie_answers[i]);
    }
    put(ask->acks_count);
    put(ask->event == EVENT_POLL && ask->after < world.actors[ask->actor].after);
}

static void put_actor(const struct naming *naming, uint32_t name)
{
    const struct actor *actor = &world.actors[naming->actor[name]];
    put_bits((const bool[8]){actor->is_cut, actor->is_lost});
    put_time(actor->grace_ms);
    for (uint32_t i = 0; i < world.asks_count; i++) {
        if (world.asks[i].actor == naming->actor[name]) {
            put_ask(naming, &world.asks[i]);
        }
    }
    put(255);
}

/* Whose arm of a key the journal has, after so many records. What it has of a gen stands with the gen. */
static uint8_t armed_after(const struct naming *naming, uint32_t key, uint32_t records)
{
    uint8_t by = NOBODY + 1;
    for (uint32_t i = 0; i < records; i++) {
        const struct log_entry *entry = &world.log[i];
        if (entry->key == key && entry->kind == JOURNAL_ARM) {
            by = naming->name_of_actor[entry->by];
        } else if (entry->key == key &&
                   (entry->kind == JOURNAL_ARM_USED || entry->kind == JOURNAL_ARM_GONE)) {
            by = NOBODY + 1;
        }
    }
    return by;
}

/* What the registry holds, counted: the same under every naming. */
static void put_counts(void)
{
    const struct registry *r = world.registry;
    const struct slab *slabs[] = {&r->keys,  &r->operations, &r->causes, &r->notices,
                                  &r->armed, &r->parked,     &r->ties,   &r->sessions,
                                  &r->bulks, &r->recovered,  &r->held};
    for (size_t i = 0; i < sizeof slabs / sizeof slabs[0]; i++) {
        put(slabs[i]->count);
    }
    put(r->plain.count);
    put(r->memory.count);
    put(r->timers.count);
}

static uint64_t hash_named(struct naming *naming)
{
    bytes_count = 0;
    memset(naming->rank, 0, sizeof naming->rank);
    for (uint32_t name = 0; name < KEYS; name++) {
        put_key(naming, name);
    }
    for (uint32_t name = 0; name < ACTORS; name++) {
        put_actor(naming, name);
    }
    for (uint32_t name = 0; name < KEYS && !world.crashed; name++) {
        put(armed_after(naming, naming->key[name], world.kept));
        put(armed_after(naming, naming->key[name], world.log_count));
    }
    put(world.kept < world.log_count);
    put_bits((const bool[8]){world.loss_used, world.lose_next, world.crashed});
    put_time(world.recovery_end_ms);
    put_counts();
    return hash();
}

uint64_t canon_hash(void)
{
    uint64_t lowest = UINT64_MAX;
    for (uint8_t which = 0; which < 8; which++) {
        const uint8_t k = which & 1, o = which >> 1 & 1, c = which >> 2;
        struct naming naming = {
            .key = {k, 1 - k},
            .name_of_key = {k, 1 - k},
            .actor = {o, 1 - o, (uint8_t) (OWNERS + c), (uint8_t) (OWNERS + 1 - c)},
            .name_of_actor = {o, 1 - o, (uint8_t) (OWNERS + c), (uint8_t) (OWNERS + 1 - c),
                              NOBODY}};
        const uint64_t hashed = hash_named(&naming);
        lowest = hashed < lowest ? hashed : lowest;
    }
    return lowest == 0 ? 1 : lowest;
}
