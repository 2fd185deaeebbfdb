/* SPDX-License-Identifier: MIT */
/* The shell of the engine, as client_io.c is it: what came, the clock, what is to be cut; then what comes out is handed
 * on, and only then is anything sent, for handing on makes acks. */
#include "sim/process.h"

#include "sim/daemon.h"
#include "sim/process_state.h"

#include <inttypes.h>
#include <string.h>

static struct process *of(struct world *world, unsigned number)
{
    return world->processes[number];
}

/* ---- what comes out of the engine ---- */

void process_let_go(struct world *world, struct process *process, struct sim_operation *operation)
{
    struct canceld_operation *held = operation->operation;
    oracle_release(world, operation->gen);
    operation->operation = NULL;
    process->operations_count--;
    if (!engine_forget(&process->engine, held))
        operation_free(held);
}

static void operation_take(struct world *world, struct process *process,
                           struct canceld_operation *operation)
{
    for (unsigned i = 0; i < OPERATIONS_MAX; i++) {
        struct sim_operation *place = &process->operations[i];

        if (place->operation != NULL)
            continue;
        *place = (struct sim_operation){
            .operation = operation, .gen = operation->gen, .callback_ns = AT_NEVER};
        process->operations_count++;
        oracle_hold(world, operation->gen, operation->session, process->number);
        return;
    }
    world_violated(world, "no place for an operation that was asked for");
}

static uint64_t link_epoch(const struct world *world, const struct process *process)
{
    return process->link == LINKS_MAX ? 0 : world->net.links[process->link].epoch;
}

static void call_take(struct world *world, struct process *process, struct call *done)
{
    struct sim_call *call = (struct sim_call *) (void *) done;
    struct reply_seen seen = {.status = done->status,
                              .result = &done->result,
                              .epoch = link_epoch(world, process),
                              .session = process->engine.session,
                              .stalled_ns = process->stalled_ns};

    WORLD_TRACE(
        world, "p%u: request %u is answered: status %s, answer %s, gen %" PRIx64 " cause %d %.*s",
        process->number, call->request, canceld_status_name(done->status),
        canceld_answer_name(done->result.answer), done->result.gen, (int) done->result.cause.code,
        (int) done->result.cause.text.size,
        done->result.cause.text.size == 0 ? "" : (const char *) done->result.cause.text.data);
    world_mix(world, (uint64_t) done->status << 32 | (uint64_t) done->result.answer);
    oracle_done(world, call->request, &seen);
    if (call->counts && done->status == CANCELD_OK) {
        process->has_count = true;
        process->count = done->result.count;
    }
    if (done->operation != NULL)
        operation_take(world, process, done->operation);
    if (call->finishes != NULL)
        process_let_go(world, process, call->finishes);
    canceld_result_clear(&done->result);
    call->is_used = false;
    process->calls_count--;
}

static void callback_plan(struct world *world, struct process *process)
{
    uint64_t first = AT_NEVER;

    for (unsigned i = 0; i < OPERATIONS_MAX; i++)
        if (process->operations[i].operation != NULL && process->operations[i].callback_ns < first)
            first = process->operations[i].callback_ns;
    world_wake(world, SLOT_CALLBACK + process->number, first);
}

static struct sim_operation *find(struct process *process,
                                  const struct canceld_operation *operation)
{
    for (unsigned i = 0; i < OPERATIONS_MAX; i++)
        if (process->operations[i].operation == operation)
            return &process->operations[i];
    return NULL;
}

static void told_count(struct world *world, const struct process *process,
                       const struct canceld_operation *told, uint8_t fresh)
{
    uint64_t asked_ns = oracle_asked_ns(world, &told->cause);

    if ((fresh & TOLD_CANCEL) != 0 && asked_ns > process->degraded_ns &&
        asked_ns < process->resumed_ns)
        world_sometimes(world, SOMETIMES_TEST_8);
    if ((fresh & TOLD_CANCEL) != 0 && process->engine.adopting)
        world_sometimes(world, SOMETIMES_ADOPTED_CANCELLED);
    if ((fresh & TOLD_LOST_POSSIBLE) != 0)
        world_sometimes(world, SOMETIMES_LOST_POSSIBLE);
    if ((fresh & TOLD_LOST) != 0) {
        world_sometimes(world, SOMETIMES_LOST);
        if (told->outcome == CANCELD_OUTCOME_OWNER_LOST)
            world_sometimes(world, SOMETIMES_TEST_7);
    }
}

static void told_take(struct world *world, struct process *process, struct canceld_operation *told)
{
    struct sim_operation *operation = find(process, told);
    uint8_t fresh = 0;
    struct telling telling;

    if (operation == NULL)
        world_violated(world, "an operation is told that nobody holds");
    fresh = (uint8_t) (told->given & ~operation->told);
    WORLD_TRACE(world, "p%u: gen %" PRIx64 " is told %x, new %x", process->number, told->gen,
                (unsigned) told->given, (unsigned) fresh);
    world->figures->checks++;
    if (fresh == 0)
        world_violated(world, "A2: gen %" PRIx64 " is told again what it was told", told->gen);
    operation->told = told->given;
    told_count(world, process, told, fresh);
    telling = (struct telling){.gen = told->gen,
                               .cancelled = (fresh & TOLD_CANCEL) != 0,
                               .ended = (fresh & TOLD_ENDED) != 0,
                               .lost = (fresh & TOLD_LOST) != 0,
                               .outcome = told->outcome,
                               .cause = &told->cause};
    oracle_told(world, &telling);
    world_mix(world, told->gen ^ fresh);
    if (operation->callback_ns == AT_NEVER)
        operation->callback_ns = world->now_ns + (chance_strikes(&world->app_chance, 60000)
                                                      ? 0
                                                      : chance_below(&world->app_chance, 400) * MS);
}

/* LOST_POSSIBLE is taken back in silence, and may be told again. */
static void told_recede(struct process *process)
{
    for (unsigned i = 0; i < OPERATIONS_MAX; i++)
        if (process->operations[i].operation != NULL)
            process->operations[i].told &= process->operations[i].operation->given;
}

static void event_take(struct world *world, struct process *process, enum canceld_event event)
{
    WORLD_TRACE(world, "p%u: event %d, session %" PRIx64, process->number, (int) event,
                process->engine.session);
    if (event == CANCELD_EVENT_DEGRADED)
        process->degraded_ns = world->now_ns;
    if (event == CANCELD_EVENT_RESUMED) {
        world_sometimes(world, SOMETIMES_RESUMED);
        process->resumed_ns = world->now_ns;
    }
    if (event == CANCELD_EVENT_SESSION_LOST) {
        world_sometimes(world, SOMETIMES_SESSION_LOST);
        if (!process->is_disturbed)
            world_violated(world,
                           "A5: the session of process %u is lost, whose link and clock were "
                           "never touched",
                           process->number);
    }
    if (event == CANCELD_EVENT_ADOPTED && process->operations_count > 0)
        world_sometimes(world, SOMETIMES_TEST_15);
    if (event == CANCELD_EVENT_CONNECTED || event == CANCELD_EVENT_SESSION_LOST ||
        event == CANCELD_EVENT_NEW_EPOCH)
        process->is_disturbed = false;
}

static void drain(struct world *world, struct process *process)
{
    struct call *call = NULL;
    struct canceld_operation *told = NULL;
    enum canceld_event event;

    told_recede(process);
    while ((call = engine_take_done(&process->engine)) != NULL)
        call_take(world, process, call);
    while ((told = engine_take_told(&process->engine)) != NULL)
        told_take(world, process, told);
    while (engine_take_event(&process->engine, &event))
        event_take(world, process, event);
}

/* Adopted by the library itself: in whose session it is now. */
static void sessions_note(struct world *world, struct process *process)
{
    for (unsigned i = 0; i < OPERATIONS_MAX; i++)
        if (process->operations[i].operation != NULL)
            oracle_gen(world, process->operations[i].gen)->session =
                process->operations[i].operation->session;
}

/* ---- the link ---- */

static void link_end(struct world *world, struct process *process)
{
    unsigned link = process->link;

    if (link == LINKS_MAX)
        return;
    WORLD_TRACE(world, "p%u: its link ends", process->number);
    process->link = LINKS_MAX;
    engine_link_down(&process->engine, process_clock_ns(world, process));
    net_end(world, link, TO_DAEMON);
    net_forget(world, link, TO_CLIENT);
}

static void dial(struct world *world, struct process *process)
{
    uint64_t now_ns = process_clock_ns(world, process);

    if (process->dialled_until_ns != 0) {
        if (world->now_ns < process->dialled_until_ns)
            return;
        process->dialled_until_ns = 0;
        engine_link_down(&process->engine, now_ns);
        return;
    }
    if (process->link != LINKS_MAX || engine_dial_ns(&process->engine) > now_ns)
        return;
    if (world_fault(world, FAULT_DIAL_LOST, 1000)) {
        process->is_disturbed = true;
        engine_dial_begin(&process->engine, now_ns);
        process->dialled_until_ns = engine_dial_end_ns(&process->engine) - process->skew_ns;
        return;
    }
    process->link = daemon_is_up(world) ? net_open(world, process->number) : LINKS_MAX;
    if (process->link == LINKS_MAX)
        engine_link_down(&process->engine, now_ns);
    else
        engine_link_up(&process->engine, now_ns);
}

static void send_out(struct world *world, struct process *process)
{
    if (process->link == LINKS_MAX)
        return;
    engine_send(&process->engine, &process->output, process_clock_ns(world, process));
    net_write(world, process->link, TO_DAEMON, process->output.data, process->output.size);
    process->output.size = 0;
}

static void plan(struct world *world, struct process *process)
{
    const struct engine *engine = &process->engine;
    uint64_t wake = engine_wake_ns(engine, true);
    uint64_t dial_ns = process->dialled_until_ns != 0 ? process->dialled_until_ns + process->skew_ns
                                                      : engine_dial_ns(engine);

    wake = dial_ns < wake ? dial_ns : wake;
    if (wake != NEVER)
        wake = wake > process_clock_ns(world, process) ? wake - process->skew_ns : world->now_ns;
    world_wake(world, SLOT_IO + process->number, wake);
    callback_plan(world, process);
}

void process_step(struct world *world, struct process *process)
{
    dial(world, process);
    engine_tick(&process->engine, process_clock_ns(world, process));
    if (process->link != LINKS_MAX && engine_wants_cut(&process->engine)) {
        if (process->engine.refused)
            world_violated(world, "the daemon refuses process %u", process->number);
        link_end(world, process);
    }
    drain(world, process);
    send_out(world, process);
    plan(world, process);
}

bool process_is_away(struct world *world, struct process *process, unsigned slot)
{
    if (!process->is_alive) {
        world_wake(world, slot, AT_NEVER);
        return true;
    }
    if (world->now_ns < process->stalled_until_ns) {
        world_wake(world, slot, process->stalled_until_ns);
        return true;
    }
    return false;
}

void process_io(struct world *world, unsigned number)
{
    struct process *process = of(world, number);

    if (!process_is_away(world, process, SLOT_IO + number))
        process_step(world, process);
}

void process_arrive(struct world *world, unsigned link)
{
    struct process *process = of(world, world->net.links[link].process);
    struct arrival arrival;

    if (process_is_away(world, process, SLOT_DOWN + link))
        return;
    arrival = net_read(world, link, TO_CLIENT);
    if (process->link != link || (!arrival.is_end && arrival.size == 0))
        return;
    if (arrival.is_end || !engine_receive(&process->engine, arrival.data, arrival.size,
                                          process_clock_ns(world, process))) {
        if (!arrival.is_end && !process->engine.broken)
            world_violated(world, "the library does not understand the daemon");
        /* What was answered before it was not understood is handed out first. */
        drain(world, process);
        link_end(world, process);
    }
    process_step(world, process);
    sessions_note(world, process);
}

/* ---- requests ---- */

bool process_submit(struct world *world, struct process *process,
                    const struct canceld_request *request, const struct request_fact *fact,
                    struct sim_operation *finishes)
{
    struct submission submission = {.request = request, .deadline_ms = fact->deadline_ms};
    struct sim_call *call = process->calls;
    enum canceld_status status = CANCELD_OK;

    ASSERT(process->calls_count < CALLS_MAX);
    while (call->is_used)
        call++;
    *call = (struct sim_call){.is_used = true, .finishes = finishes};
    call->counts = request->op == CANCELD_OP_COUNT && process->is_healing;
    call->call.result = (struct canceld_result){.limit = "", .error = {.field = "", .text = ""}};
    link_init(&call->call.link);
    submission.call = &call->call;
    submission.ends = finishes == NULL ? NULL : finishes->operation;
    submission.persists = finishes != NULL;
    if (op_is_birth(request->op))
        submission.operation = operation_new(
            request->op == CANCELD_OP_STORE ? &request->of.store : &request->of.adopt.store,
            process->engine.config.name_space);
    call->request = oracle_submit(world, fact, process->stalled_ns);
    world->figures->requests++;
    status = engine_submit(&process->engine, &submission, process_clock_ns(world, process));
    if (status != CANCELD_OK) {
        struct reply_seen seen = {.status = CANCELD_UNAVAILABLE, .stalled_ns = process->stalled_ns};

        oracle_done(world, call->request, &seen);
        call->is_used = false;
        return false;
    }
    process->calls_count++;
    return true;
}

/* ---- callbacks ---- */

void process_callback(struct world *world, unsigned number)
{
    struct process *process = of(world, number);

    if (process_is_away(world, process, SLOT_CALLBACK + number))
        return;
    for (unsigned i = 0; i < OPERATIONS_MAX; i++) {
        struct sim_operation *operation = &process->operations[i];

        if (operation->operation == NULL || operation->callback_ns > world->now_ns)
            continue;
        operation->callback_ns = AT_NEVER;
        if (operation->is_finishing)
            continue;
        if ((operation->told & TOLD_CANCEL) != 0)
            oracle_gen(world, operation->gen)->is_called = true;
        engine_delivered(&process->engine, operation->operation, operation->told);
        app_told(world, process, operation);
    }
    process_step(world, process);
}

void process_act(struct world *world, unsigned number)
{
    struct process *process = of(world, number);

    if (process_is_away(world, process, SLOT_APP + number))
        return;
    app_act(world, process);
    if (process->is_alive)
        process_step(world, process);
}

/* ---- life ---- */

void process_birth(struct world *world, unsigned number)
{
    struct process *process = of(world, number);
    struct engine_config config = {.name_space = canceld_string("a"),
                                   .client_name = canceld_string("sim"),
                                   .heartbeat_ms = world->flavour.heartbeat_ms,
                                   .sessionless = number == 3,
                                   .framing = SP_FRAMING_IPC,
                                   .seed = chance_next(&world->life_chance)};

    process->is_alive = true;
    process->owns = number != 2 && number != 3;
    process->cancels = number >= 2;
    process->is_disturbed = false;
    process->link = LINKS_MAX;
    process->dialled_until_ns = 0;
    process->stalled_until_ns = 0;
    process->calls_count = 0;
    process->operations_count = 0;
    process->output.size = 0;
    memset(process->calls, 0, sizeof process->calls);
    memset(process->operations, 0, sizeof process->operations);
    engine_init(&process->engine, &config, process_clock_ns(world, process));
    world_wake(world, SLOT_BIRTH + number, AT_NEVER);
    world_wake(world, SLOT_IO + number, world->now_ns);
    if (!process->is_healing)
        world_wake(world, SLOT_APP + number, world->now_ns);
}

/* Nobody is told anything any more. */
static void bury(struct process *process)
{
    struct call *call = NULL;

    engine_close_all(&process->engine);
    while ((call = engine_take_done(&process->engine)) != NULL) {
        operation_free(call->operation);
        canceld_result_clear(&call->result);
    }
    for (unsigned i = 0; i < OPERATIONS_MAX; i++)
        operation_free(process->operations[i].operation);
    memset(process->operations, 0, sizeof process->operations);
    engine_fini(&process->engine);
    process->is_alive = false;
}

void process_kill(struct world *world, unsigned number)
{
    struct process *process = of(world, number);

    if (!process->is_alive)
        return;
    WORLD_TRACE(world, "p%u: killed", number);
    for (unsigned i = 0; i < OPERATIONS_MAX; i++)
        if (process->operations[i].operation != NULL)
            oracle_release(world, process->operations[i].gen);
    oracle_died(world, number);
    if (process->stalled_until_ns > world->now_ns)
        process->stalled_ns -= process->stalled_until_ns - world->now_ns;
    bury(process);
    if (process->link != LINKS_MAX) {
        net_end(world, process->link, TO_DAEMON);
        net_forget(world, process->link, TO_CLIENT);
        process->link = LINKS_MAX;
    }
    world_wake(world, SLOT_IO + number, AT_NEVER);
    world_wake(world, SLOT_APP + number, AT_NEVER);
    world_wake(world, SLOT_CALLBACK + number, AT_NEVER);
    world_wake(world, SLOT_BIRTH + number,
               world->now_ns + chance_below(&world->life_chance, 3000) * MS);
}

void process_stall(struct world *world, unsigned number, uint64_t until_ns)
{
    struct process *process = of(world, number);

    WORLD_TRACE(world, "p%u: stalls for %" PRIu64 " ms", number, (until_ns - world->now_ns) / MS);
    if (process->stalled_until_ns > world->now_ns)
        return;
    process->stalled_until_ns = until_ns;
    process->stalled_ns += until_ns - world->now_ns;
    process->is_disturbed = true;
}

void process_jump(struct world *world, unsigned number, uint64_t ns)
{
    WORLD_TRACE(world, "p%u: its clock jumps by %" PRIu64 " ms", number, ns / MS);
    of(world, number)->skew_ns += ns;
    of(world, number)->is_disturbed = true;
    world_wake(world, SLOT_IO + number, world->now_ns);
}

bool process_is_alive(const struct world *world, unsigned number)
{
    return world->processes[number]->is_alive;
}

unsigned process_link(const struct world *world, unsigned number)
{
    return world->processes[number]->link;
}

void process_disturb(struct world *world, unsigned number)
{
    of(world, number)->is_disturbed = true;
}

struct process *process_new(unsigned number)
{
    struct process *process = calloc(1, sizeof *process);

    ASSERT(process != NULL);
    process->number = number;
    return process;
}

void process_free(struct process *process)
{
    buffer_fini(&process->output);
    free(process);
}

void process_end(struct world *world, unsigned number)
{
    struct process *process = of(world, number);

    if (process->is_alive) {
        engine_check(&process->engine);
        bury(process);
    }
    process->skew_ns = 0;
    process->stalled_ns = 0;
    process->is_healing = false;
    process->has_count = false;
}
