/* SPDX-License-Identifier: MIT */
/* The inside of a process: for process.c (its shell), app.c (its application) and process_heal.c. */
#ifndef CANCELD_TESTS_SIM_PROCESS_STATE_H
#define CANCELD_TESTS_SIM_PROCESS_STATE_H

#include "engine.h"
#include "sim/process.h"
#include "sim/world.h"

#define CALLS_MAX 24
#define OPERATIONS_MAX 16

struct sim_call {
    struct call call;
    bool is_used;
    uint32_t request;               /* of the oracle */
    struct sim_operation *finishes; /* a finish: whose */
    bool counts;                    /* the heal's question */
};

/* An operation in the application's hands. */
struct sim_operation {
    struct canceld_operation *operation; /* NULL: the place is free */
    uint64_t gen;
    uint8_t told;         /* what it was told, as seen here */
    uint64_t callback_ns; /* when its callback returns; AT_NEVER: none runs */
    bool is_finishing;    /* its finish is on its way: nothing is told any more */
};

struct process {
    unsigned number;
    bool is_alive;
    bool owns; /* stores */
    bool cancels;
    bool is_disturbed;
    bool is_healing;
    uint64_t skew_ns;
    uint64_t stalled_until_ns;
    uint64_t stalled_ns;       /* in all */
    unsigned link;             /* LINKS_MAX: none */
    uint64_t dialled_until_ns; /* a dial that nobody answers; 0: none */
    uint64_t degraded_ns;      /* when its last link was lost, and when it was had again */
    uint64_t resumed_ns;
    bool has_count;
    uint64_t count;
    struct buffer output;
    struct sim_call calls[CALLS_MAX];
    unsigned calls_count;
    struct sim_operation operations[OPERATIONS_MAX];
    unsigned operations_count;
    struct engine engine;
};

static inline uint64_t process_clock_ns(const struct world *world, const struct process *process)
{
    return world->now_ns + process->skew_ns;
}

/* ---- process.c ---- */

/* After anything was done to the engine: takes what came of it, sends, and plans. */
void process_step(struct world *world, struct process *process);

/* Hands a request over; false where there is no room. `finishes` may be NULL. */
bool process_submit(struct world *world, struct process *process,
                    const struct canceld_request *request, const struct request_fact *fact,
                    struct sim_operation *finishes);

/* Lets go of an operation. */
void process_let_go(struct world *world, struct process *process, struct sim_operation *operation);

/* Whether the slot has to wait: it is dead, or stalled. */
bool process_is_away(struct world *world, struct process *process, unsigned slot);

/* ---- app.c ---- */

/* One request, or whatever else an application does. */
void app_act(struct world *world, struct process *process);

/* An operation's callback returns: what it does about it. */
void app_told(struct world *world, struct process *process, struct sim_operation *operation);

/* Ends it by its owner. */
bool app_finish(struct world *world, struct process *process, struct sim_operation *operation,
                enum canceld_outcome outcome);

/* The text by which a request is known. */
#define TEXT_BYTES 16
struct canceld_bytes app_text(char text[TEXT_BYTES], uint32_t request);

#endif
