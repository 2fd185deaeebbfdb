/* SPDX-License-Identifier: MIT */
#include "sim/world.h"

#include "sim/daemon.h"
#include "sim/process.h"

#include <stdlib.h>
#include <string.h>

/* Longer than any world takes; one that does goes in circles. */
#define EVENTS_MAX UINT64_C(3000000)

void world_mix_bytes(struct world *world, const void *data, size_t size)
{
    const uint8_t *at = data;
    uint64_t hash = world->hash ^ size;
    for (; size >= 8; size -= 8, at += 8) {
        uint64_t word = 0;
        memcpy(&word, at, 8);
        hash = (hash ^ word) * UINT64_C(0x9fb21c651e98df25);
        hash ^= hash >> 32;
    }
    for (; size > 0; size--, at++) {
        hash = (hash ^ *at) * UINT64_C(0x9fb21c651e98df25);
    }
    world->hash = hash ^ (hash >> 32);
}

bool world_fault(struct world *world, enum fault fault, uint64_t per_100k)
{
    if (world->is_healing || world->plan.kill_output != OUTPUT_NEVER) {
        return false;
    }
    if (!chance_strikes(&world->fault_chance,
                        world->flavour.is_calm && per_100k < 100000 ? per_100k / 4 : per_100k)) {
        return false;
    }
    if (world->faults_count >= world->plan.faults_max) {
        return false;
    }
    world->faults_count++;
    world->figures->faults++;
    world->figures->fault[fault]++;
    return true;
}

static struct flavour flavour_of(struct chance *chance)
{
    static const uint32_t pauses[] = {2, 8, 25, 80};
    static const uint32_t recoveries[] = {0, 1000, 3000};
    return (struct flavour){
        .has_journal = chance_below(chance, 8) != 0,
        .has_rights = chance_below(chance, 4) == 0,
        .is_tight = chance_below(chance, 8) == 0,
        .is_calm = chance_below(chance, 3) == 0,
        .forgets = chance_below(chance, 4) == 0,
        .heartbeat_ms = (uint32_t) chance_from(chance, 300, 1000),
        .recovery_ms = recoveries[chance_below(chance, 3)],
        .grace_ms = (uint32_t) chance_from(chance, 2500, 4500),
        .finished_ms = (uint32_t) chance_from(chance, 1000, 6000),
        .pause_ms = pauses[chance_below(chance, 4)],
    };
}

/* ---- events ---- */

static unsigned earliest(const struct world *world)
{
    unsigned at = 0;
    uint64_t first = world->slots[0];
    for (unsigned i = 1; i < SLOT_COUNT; i++) {
        if (world->slots[i] < first) {
            first = world->slots[i];
            at = i;
        }
    }
    return at;
}

static void happen(struct world *world, unsigned slot)
{
    if (slot >= SLOT_DOWN) {
        process_arrive(world, slot - SLOT_DOWN);
    } else if (slot >= SLOT_UP) {
        daemon_arrive(world, slot - SLOT_UP);
    } else if (slot >= SLOT_BIRTH) {
        process_birth(world, slot - SLOT_BIRTH);
    } else if (slot >= SLOT_CALLBACK) {
        process_callback(world, slot - SLOT_CALLBACK);
    } else if (slot >= SLOT_APP) {
        process_act(world, slot - SLOT_APP);
    } else if (slot >= SLOT_IO) {
        process_io(world, slot - SLOT_IO);
    } else if (slot == SLOT_DAEMON) {
        daemon_sweep(world);
    } else if (slot == SLOT_DISK) {
        daemon_commit(world);
    } else if (slot == SLOT_CHANGE) {
        world_change(world);
    } else {
        daemon_start(world);
    }
}

static void step(struct world *world, unsigned slot)
{
    world->now_ns = world->slots[slot] > world->now_ns ? world->slots[slot] : world->now_ns;
    world->events_count++;
    world->figures->events++;
    world_mix(world, world->now_ns << 8 | slot);
    if (world->events_count > EVENTS_MAX) {
        world_violated(world, "it does not come to rest");
    }
    happen(world, slot);
}

bool world_run(struct world *world, uint64_t until_ns, bool (*done)(struct world *world))
{
    for (;;) {
        if (done(world)) {
            return true;
        }
        const unsigned slot = earliest(world);
        if (world->slots[slot] > until_ns) {
            world->now_ns = until_ns;
            return false;
        }
        step(world, slot);
    }
}

static bool is_acted(struct world *world)
{
    return world->acts_count >= world->plan.acts_max;
}

static void begin(struct world *world, const struct plan *plan)
{
    struct chance chance = {.state = chance_mix(plan->seed)};
    world->plan = *plan;
    world->flavour = flavour_of(&chance);
    world->now_ns = 1000 * MS;
    world->hash = plan->seed;
    world->events_count = 0;
    world->faults_count = 0;
    world->acts_count = 0;
    world->is_healing = false;
    world->has_strays = false;
    world->net_chance.state = chance_next(&chance);
    world->app_chance.state = chance_next(&chance);
    world->fault_chance.state = chance_next(&chance);
    world->life_chance.state = chance_next(&chance);
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        world->slots[i] = AT_NEVER;
    }
    WORLD_TRACE(world, "journal %d, rights %d, tight %d, calm %d, recovery %u ms, grace %u ms",
                world->flavour.has_journal, world->flavour.has_rights, world->flavour.is_tight,
                world->flavour.is_calm, world->flavour.recovery_ms, world->flavour.grace_ms);
    net_begin(world);
    oracle_begin(world);
    daemon_begin(world);
    for (unsigned i = 0; i < PROCESSES_COUNT; i++) {
        process_birth(world, i);
    }
    world_wake(world, SLOT_CHANGE, world->now_ns + 200 * MS);
}

uint64_t world_play(struct world *world, const struct plan *plan)
{
    begin(world, plan);
    (void) world_run(world, AT_NEVER - 1, is_acted);
    world_heal(world);
    for (unsigned i = 0; i < PROCESSES_COUNT; i++) {
        process_end(world, i);
    }
    daemon_end(world);
    world->figures->worlds++;
    world->figures->virtual_ms += world->now_ns / MS;
    world->figures->hash = chance_mix(world->figures->hash ^ world->hash);
    return world->hash;
}

struct world *world_new(struct figures *figures)
{
    struct world *world = calloc(1, sizeof *world);
    if (world == NULL) {
        abort();
    }
    world->figures = figures;
    world->daemon = daemon_new();
    for (unsigned i = 0; i < PROCESSES_COUNT; i++) {
        world->processes[i] = process_new(i);
    }
    return world;
}

void world_free(struct world *world)
{
    for (unsigned i = 0; i < PROCESSES_COUNT; i++) {
        process_free(world->processes[i]);
    }
    daemon_free(world->daemon);
    net_fini(&world->net);
    free(world);
}
