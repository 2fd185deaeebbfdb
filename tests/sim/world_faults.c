/* SPDX-License-Identifier: MIT */
/* The faults that come by time, one after the other. */
#include "sim/daemon.h"
#include "sim/process.h"
#include "sim/world.h"

static uint64_t span_ms(struct world *world, uint64_t most)
{
    /* Short ones more often than long ones. */
    uint64_t bound = 1 + chance_below(&world->fault_chance, most);
    return 1 + chance_below(&world->fault_chance, bound);
}

static unsigned process_any(struct world *world)
{
    return (unsigned) chance_below(&world->fault_chance, PROCESSES_COUNT);
}

/* One that is in use, or LINKS_MAX. */
static unsigned link_any(struct world *world)
{
    unsigned at = (unsigned) chance_below(&world->fault_chance, LINKS_MAX);
    for (unsigned i = 0; i < LINKS_MAX; i++) {
        unsigned link = (at + i) % LINKS_MAX;
        if (world->net.links[link].is_used) {
            process_disturb(world, world->net.links[link].process);
            return link;
        }
    }
    return LINKS_MAX;
}

static void change_cut(struct world *world, enum fault fault)
{
    unsigned link = link_any(world);
    if (link < LINKS_MAX) {
        WORLD_TRACE(world, "net: link of p%u is cut", world->net.links[link].process);
        net_cut(world, link, fault == FAULT_DROP);
    }
}

static void change_dark(struct world *world, enum fault fault)
{
    unsigned link = link_any(world);
    (void) fault;
    if (link < LINKS_MAX) {
        WORLD_TRACE(world, "net: link of p%u is half open", world->net.links[link].process);
        net_darken(world, link);
    }
}

static void change_clog(struct world *world, enum fault fault)
{
    unsigned link = link_any(world);
    (void) fault;
    if (link < LINKS_MAX) {
        WORLD_TRACE(world, "net: link of p%u is clogged", world->net.links[link].process);
        net_clog(world, link, world->now_ns + span_ms(world, 6000) * MS);
    }
}

static void change_daemon_stop(struct world *world, enum fault fault)
{
    (void) fault;
    daemon_stop(world);
}

static void change_daemon_stall(struct world *world, enum fault fault)
{
    (void) fault;
    daemon_stall(world, world->now_ns + span_ms(world, 15000) * MS);
}

static void change_daemon_jump(struct world *world, enum fault fault)
{
    (void) fault;
    for (unsigned i = 0; i < PROCESSES_COUNT; i++) {
        process_disturb(world, i);
    }
    daemon_jump(world, span_ms(world, 20000) * MS);
}

static void change_client_kill(struct world *world, enum fault fault)
{
    (void) fault;
    process_kill(world, process_any(world));
}

static void change_client_stall(struct world *world, enum fault fault)
{
    unsigned number = process_any(world);
    (void) fault;
    if (process_is_alive(world, number)) {
        /* Often until just after its session is lost, while that is remembered. */
        const struct flavour *flavour = &world->flavour;
        const uint64_t lease_ms = flavour->grace_ms + 3 * flavour->heartbeat_ms;
        const bool is_fatal = chance_below(&world->fault_chance, 3) == 0;
        process_stall(world, number,
                      world->now_ns +
                          (is_fatal ? lease_ms + span_ms(world, 1500) : span_ms(world, 12000)) *
                              MS);
    }
}

static void change_client_jump(struct world *world, enum fault fault)
{
    unsigned number = process_any(world);
    (void) fault;
    if (process_is_alive(world, number)) {
        process_jump(world, number, span_ms(world, 8000) * MS);
    }
}

static const struct {
    enum fault fault;
    unsigned weight;
    void (*change)(struct world *world, enum fault fault);
} changes[] = {
    {FAULT_CUT, 30, change_cut},
    {FAULT_DROP, 30, change_cut},
    {FAULT_HALF_OPEN, 12, change_dark},
    {FAULT_CLOG, 14, change_clog},
    {FAULT_DAEMON_STOPPED, 2, change_daemon_stop},
    {FAULT_DAEMON_STALLED, 5, change_daemon_stall},
    {FAULT_DAEMON_JUMPED, 1, change_daemon_jump},
    {FAULT_CLIENT_KILLED, 5, change_client_kill},
    {FAULT_CLIENT_STALLED, 8, change_client_stall},
    {FAULT_CLIENT_JUMPED, 3, change_client_jump},
};
#define CHANGES_COUNT (sizeof changes / sizeof changes[0])

static size_t change_choose(struct world *world)
{
    unsigned sum = 0;
    for (size_t i = 0; i < CHANGES_COUNT; i++) {
        sum += changes[i].weight;
    }
    uint64_t at = chance_below(&world->fault_chance, sum);
    for (size_t i = 0; i < CHANGES_COUNT; i++) {
        if (at < changes[i].weight) {
            return i;
        }
        at -= changes[i].weight;
    }
    return 0;
}

void world_change(struct world *world)
{
    const uint64_t pause_ms =
        (uint64_t) world->flavour.pause_ms * (world->flavour.is_calm ? 50 : 9);
    const size_t i = change_choose(world);
    if (world->is_healing) {
        world_wake(world, SLOT_CHANGE, AT_NEVER);
        return;
    }
    if (world_fault(world, changes[i].fault, 100000)) {
        changes[i].change(world, changes[i].fault);
    }
    world_wake(world, SLOT_CHANGE,
               world->now_ns + (1 + chance_below(&world->fault_chance, 2 * pause_ms)) * MS);
}
