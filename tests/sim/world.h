/* SPDX-License-Identifier: MIT */
/* One simulated world: a daemon, its disk, processes with a client each, and the links between them, under one
 * clock that only the world moves.
 *
 * Everything that is to happen has a slot with its time; a step takes the earliest (of equal ones the first) and
 * lets it happen. That is an event, and all of chance comes from the seed, so a world is the same each
 * time: its hash, of every event and of all bytes, shows it.
 *
 * First the faults and the applications' requests, until `acts` of them were made; then the world heals: no fault
 * any more, and within a bounded time everything has to settle (world_heal.c).
 *
 * What is violated is printed, and ends the process: one that wants to go on runs worlds in a child. */
#ifndef CANCELD_TESTS_SIM_WORLD_H
#define CANCELD_TESTS_SIM_WORLD_H

#include "sim/chance.h"
#include "sim/net.h"
#include "sim/oracle.h"
#include "sim/sometimes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MS UINT64_C(1000000)
#define AT_NEVER UINT64_MAX

#define PROCESSES_COUNT 5
#define OUTPUT_NEVER UINT64_MAX

/* What a slot is for; the daemon's is the first, so of what is due at once its sweep comes first: that is
 * the worst order for leases. */
enum slot {
    SLOT_DAEMON,
    SLOT_DISK,
    SLOT_CHANGE, /* the next of the faults that come by time */
    SLOT_LIFE,   /* a dead daemon starts */
    SLOT_IO,
    SLOT_APP = SLOT_IO + PROCESSES_COUNT,
    SLOT_CALLBACK = SLOT_APP + PROCESSES_COUNT,
    SLOT_BIRTH = SLOT_CALLBACK + PROCESSES_COUNT, /* a dead process starts */
    SLOT_UP = SLOT_BIRTH + PROCESSES_COUNT,       /* bytes come to the daemon */
    SLOT_DOWN = SLOT_UP + LINKS_MAX,              /* bytes come to a client */
    SLOT_END = SLOT_DOWN + LINKS_MAX,
    SLOT_COUNT = (SLOT_END + 7) / 8 * 8
};

/* What is counted over many worlds, by one worker; in memory that outlives it. */
struct figures {
    uint64_t worlds;
    uint64_t events;
    uint64_t faults;
    uint64_t fault[FAULT_COUNT];
    uint64_t sometimes[SOMETIMES_COUNT];
    uint64_t requests;
    uint64_t answers;
    uint64_t frames;
    uint64_t outputs;
    uint64_t restarts;
    uint64_t checks;       /* of the oracle */
    uint64_t cancels_kept; /* answered cancels whose owner was seen to know of them */
    uint64_t virtual_ms;
    uint64_t hash; /* of all worlds */
    /* where the worker is, should it not come back */
    uint64_t world_seed;
    uint64_t world_output;
    uint64_t done; /* it came to its end */
};

struct plan {
    uint64_t seed;
    uint64_t acts_max;
    uint64_t faults_max; /* those after the first so many are left out */
    uint64_t
        kill_output; /* the daemon dies at this output, and that is the only fault; OUTPUT_NEVER: at chance */
    bool is_traced;
};

/* What a world is like. */
struct flavour {
    bool has_journal;
    bool has_rights;
    bool is_tight; /* low limits */
    bool is_calm;  /* few faults */
    bool forgets;  /* operations are left in the registry */
    uint32_t heartbeat_ms;
    uint32_t recovery_ms;
    uint32_t grace_ms;
    uint32_t finished_ms;
    uint32_t pause_ms; /* between acts of a process, on average */
};

struct daemon;
struct process;

struct world {
    struct plan plan;
    struct figures *figures;
    struct flavour flavour;
    uint64_t now_ns;
    uint64_t slots[SLOT_COUNT];
    uint64_t hash;
    uint64_t events_count;
    uint64_t faults_count;
    uint64_t acts_count;
    bool is_healing;
    bool has_strays; /* operations were left in the registry on purpose, or may have been */
    struct chance net_chance;
    struct chance app_chance;
    struct chance fault_chance;
    struct chance life_chance;
    struct net net;
    struct daemon *daemon;
    struct process *processes[PROCESSES_COUNT];
    struct oracle oracle;
};

/* Memory for a world, to be used for one plan after the other. */
struct world *world_new(struct figures *figures);
void world_free(struct world *world);

/* Plays a world to its end; gives its hash. */
uint64_t world_play(struct world *world, const struct plan *plan);

/* ---- for its parts ---- */

static inline void world_wake(struct world *world, unsigned slot, uint64_t at_ns)
{
    world->slots[slot] = at_ns;
}

static inline void world_mix(struct world *world, uint64_t value)
{
    world->hash = (world->hash ^ value) * UINT64_C(0x9fb21c651e98df25);
    world->hash ^= world->hash >> 32;
}

void world_mix_bytes(struct world *world, const void *data, size_t size);

static inline void world_sometimes(struct world *world, enum sometimes which)
{
    world->figures->sometimes[which]++;
}

/* Whether the fault strikes now, so often in 100,000; counts it. Never while the world heals. */
bool world_fault(struct world *world, enum fault fault, uint64_t per_100k);

/* ---- world_trace.c ---- */

__attribute__((format(printf, 2, 3))) void world_trace(struct world *world, const char *format,
                                                       ...);

/* What the contract forbids has come about. */
__attribute__((noreturn, format(printf, 2, 3))) void world_violated(struct world *world,
                                                                    const char *format, ...);

#define WORLD_TRACE(world, ...)                                                                    \
    ((world)->plan.is_traced ? world_trace((world), __VA_ARGS__) : (void) 0)

/* Prints the last lines of the trace. */
void world_trace_print(void);

/* ---- world_heal.c ---- */

/* Lets everything settle, and looks whether it did. */
void world_heal(struct world *world);

/* Steps until that time, or until `done` says so; false where the time came first. */
bool world_run(struct world *world, uint64_t until_ns, bool (*done)(struct world *world));

/* ---- world_faults.c ---- */

/* Begins, and goes on with, the faults that come by time. */
void world_change(struct world *world);

#endif
