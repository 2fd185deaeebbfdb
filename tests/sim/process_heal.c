/* SPDX-License-Identifier: MIT */
#include "sim/process_state.h"

#include <inttypes.h>

void process_heal(struct world *world, unsigned number)
{
    struct process *process = world->processes[number];

    process->is_healing = true;
    if (process->stalled_until_ns > world->now_ns) {
        process->stalled_ns -= process->stalled_until_ns - world->now_ns;
        process->stalled_until_ns = world->now_ns;
    }
    world_wake(world, SLOT_APP + number, AT_NEVER);
    world_wake(world, process->is_alive ? SLOT_IO + number : SLOT_BIRTH + number, world->now_ns);
    if (process->dialled_until_ns != 0)
        process->dialled_until_ns = world->now_ns;
}

bool process_knows(struct world *world, unsigned number)
{
    const struct process *process = world->processes[number];

    for (unsigned i = 0; i < OPERATIONS_MAX; i++) {
        const struct sim_operation *operation = &process->operations[i];
        const struct gen_fact *fact = NULL;

        if (operation->operation == NULL || operation->is_finishing)
            continue;
        fact = oracle_gen(world, operation->gen);
        if ((fact->deleters & 1U << number) != 0)
            continue; /* its own delete, by name, told it */
        if (!(fact->is_cancelled && fact->cancelled_epoch == process->engine.epoch) &&
            !(fact->is_promised && oracle_lasts(world, fact->promised_epoch, 0)))
            continue;
        if ((operation->told & (TOLD_CANCEL | TOLD_ENDED | TOLD_LOST)) == 0) {
            WORLD_TRACE(world, "p%u: does not know of the cancel of gen %" PRIx64, number,
                        operation->gen);
            return false;
        }
        world->figures->cancels_kept++;
    }
    return true;
}

void process_finish_all(struct world *world, unsigned number)
{
    struct process *process = world->processes[number];

    for (unsigned i = 0; i < OPERATIONS_MAX; i++) {
        struct sim_operation *operation = &process->operations[i];

        if (operation->operation != NULL && !operation->is_finishing)
            (void) app_finish(world, process, operation, CANCELD_OUTCOME_COMPLETED);
    }
    if (process->is_alive)
        process_step(world, process);
}

bool process_is_settled(const struct world *world, unsigned number)
{
    const struct process *process = world->processes[number];

    return process->is_alive && process->operations_count == 0 && process->calls_count == 0 &&
           process->engine.phase == ENGINE_READY;
}

void process_count(struct world *world, unsigned number)
{
    struct process *process = world->processes[number];
    struct canceld_request request = {.op = CANCELD_OP_COUNT};
    struct request_fact fact = {
        .op = CANCELD_OP_COUNT, .process = number, .key = -1, .label = -1, .deadline_ms = 3000};

    process->has_count = false;
    if (process_submit(world, process, &request, &fact, NULL))
        process_step(world, process);
}

bool process_counted(const struct world *world, unsigned number, uint64_t *count_out)
{
    *count_out = world->processes[number]->count;
    return world->processes[number]->has_count;
}

void process_close(struct world *world, unsigned number)
{
    struct process *process = world->processes[number];

    if (!process->is_alive)
        return;
    world->oracle.alive[number].is_closing = true;
    engine_close(&process->engine);
    process_step(world, process);
}

bool process_is_closed(const struct world *world, unsigned number)
{
    const struct process *process = world->processes[number];

    return !process->is_alive || engine_is_closed(&process->engine);
}
