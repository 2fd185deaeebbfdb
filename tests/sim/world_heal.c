/* SPDX-License-Identifier: MIT */
/* After the faults. Every link works, every process is there, the disk writes; then
 *
 *   - each operation that is held knows of its cancel, if anybody was answered that there is one (A1);
 *   - what its owner cannot reach any more goes by its ttl and by its session's grace (A5, the upper bound);
 *   - all calls end, all finishes are answered, and nothing is left in the registry (A6, A8);
 *
 * each within a time that follows from the world's own grace, recovery and ttls. */
#include "sim/daemon.h"
#include "sim/process.h"
#include "sim/world.h"

#include <inttypes.h>

#define DIALS_MS 5000  /* the pause between dials, a handshake, the journal's next attempt */
#define TTL_MS 10000   /* the longest ttl with its stop_grace, and some more */
#define CALLS_MS 20000 /* the longest call, and asking again */
#define OBSERVER 3     /* the process without a session */

static bool is_settled(struct world *world)
{
    for (unsigned i = 0; i < PROCESSES_COUNT; i++) {
        if (!process_is_settled(world, i)) {
            return false;
        }
    }
    return true;
}

static bool knows_all(struct world *world)
{
    for (unsigned i = 0; i < PROCESSES_COUNT; i++) {
        if (!process_knows(world, i)) {
            return false;
        }
    }
    return true;
}

static bool never(struct world *world)
{
    (void) world;
    return false;
}

static uint64_t count_out;

static bool is_counted(struct world *world)
{
    return process_counted(world, OBSERVER, &count_out);
}

static void faults_end(struct world *world)
{
    world->is_healing = true;
    world_wake(world, SLOT_CHANGE, AT_NEVER);
    net_heal(world);
    daemon_heal(world);
    for (unsigned i = 0; i < PROCESSES_COUNT; i++) {
        process_heal(world, i);
    }
}

static bool is_closed(struct world *world)
{
    for (unsigned i = 0; i < PROCESSES_COUNT; i++) {
        if (i != OBSERVER && !process_is_closed(world, i)) {
            return false;
        }
    }
    return true;
}

static void nothing_is_left(struct world *world)
{
    process_count(world, OBSERVER);
    if (!world_run(world, world->now_ns + CALLS_MS * MS, is_counted)) {
        world_violated(world, "healed: nobody answers");
    }
    if (count_out != 0) {
        world_violated(world, "healed: %" PRIu64 " operations are left that nobody holds",
                       count_out);
    }
}

void world_heal(struct world *world)
{
    const struct flavour *flavour = &world->flavour;
    const uint64_t lease_ms = flavour->grace_ms + 3 * flavour->heartbeat_ms;
    faults_end(world);
    (void) world_run(
        world, world->now_ns + (DIALS_MS + flavour->recovery_ms + lease_ms + TTL_MS) * MS, never);
    if (!knows_all(world)) {
        world_violated(world,
                       "A1: healed, and an owner does not know of a cancel that was answered");
    }
    for (unsigned i = 0; i < PROCESSES_COUNT; i++) {
        process_finish_all(world, i);
    }
    if (!world_run(world, world->now_ns + CALLS_MS * MS, is_settled)) {
        world_violated(world, "A6: healed, and not every call has ended");
    }
    if (!world->has_strays) {
        nothing_is_left(world);
    }
    for (unsigned i = 0; i < PROCESSES_COUNT; i++) {
        if (i != OBSERVER) {
            process_close(world, i);
        }
    }
    if (!world_run(world, world->now_ns + CALLS_MS * MS, is_closed)) {
        world_violated(world, "healed: a session cannot be closed");
    }
    (void) world_run(world, world->now_ns + 100 * MS, never);
    nothing_is_left(world);
    world_sometimes(world, SOMETIMES_CLOSED);
    world_sometimes(world, SOMETIMES_HEALED);
}
