/* SPDX-License-Identifier: MIT */
/* What applications do. A row of the table below is one thing to do, with its weight; each makes a request, and the
 * fact of it that the oracle is to know. The gens that are named are any that anybody has seen: old, ended and
 * foreign ones as well. */
#include "sim/process_state.h"

#include <stdio.h>
#include <string.h>

static const char *const keys[KEYS_COUNT] = {"k0", "k1", "k2", "k3"};
static const char *const labels[LABELS_COUNT] = {"l0", "l1"};

/* A request in the making. */
struct making {
    struct world *world;
    struct process *process;
    struct canceld_request request;
    struct request_fact fact;
    char text[TEXT_BYTES];
};

static uint64_t below(const struct making *making, uint64_t n)
{
    return chance_below(&making->world->app_chance, n);
}

static uint32_t any_of(const struct making *making, const uint32_t *values, size_t count)
{
    return values[below(making, count)];
}

struct canceld_bytes app_text(char text[TEXT_BYTES], uint32_t request)
{
    int size = snprintf(text, TEXT_BYTES, "r%u", request);

    return (struct canceld_bytes){.data = text, .size = (size_t) size};
}

static struct canceld_bytes key_any(struct making *making)
{
    making->fact.key = (int) below(making, KEYS_COUNT);
    return canceld_string(keys[making->fact.key]);
}

/* Any gen with its key; of none that is known a gen that was never given out. */
static struct canceld_bytes gen_any(struct making *making)
{
    uint64_t gen = oracle_any_gen(making->world, chance_next(&making->world->app_chance) >> 8);
    const struct gen_fact *fact = NULL;

    if (gen == 0 || below(making, 64) == 0) {
        making->fact.gen = (UINT64_C(1) << 60) + 1;
        return key_any(making);
    }
    fact = oracle_gen(making->world, gen);
    making->fact.gen = gen;
    making->fact.key = fact->key >= 0 ? fact->key : 0;
    return canceld_string(keys[making->fact.key]);
}

static uint32_t wait_any(const struct making *making)
{
    static const uint32_t waits[] = {0, 20, 200, 1000, 3000};

    return any_of(making, waits, sizeof waits / sizeof waits[0]);
}

static struct canceld_bytes text_of(struct making *making)
{
    return app_text(making->text, making->world->oracle.requests_count);
}

/* ---- owners ---- */

static void labels_fill(struct canceld_store_request *store, unsigned set)
{
    for (unsigned i = 0; i < LABELS_COUNT; i++)
        if ((set & 1U << i) != 0)
            store->labels[store->labels_count++] = canceld_string(labels[i]);
}

static void birth_make(struct making *making, struct canceld_store_request *store)
{
    static const uint32_t ttls[] = {0, 0, 0, 300, 1500, 8000};
    struct birth *birth = &making->fact.birth;

    birth->policy = (enum canceld_policy)(below(making, 5) % 3);
    birth->ttl_ms = any_of(making, ttls, 6);
    birth->on_expiry = (enum canceld_on_expiry) below(making, 2);
    birth->keeps = birth->ttl_ms > 0 && below(making, 2) == 0;
    birth->parent =
        below(making, 4) == 0
            ? oracle_any_gen(making->world, chance_next(&making->world->app_chance) >> 8)
            : 0;
    birth->labels = (unsigned) below(making, 1U << LABELS_COUNT);
    store->policy = birth->policy;
    store->ttl_ms = birth->ttl_ms;
    store->on_expiry = birth->on_expiry;
    store->stop_grace_ms = birth->ttl_ms > 0 ? 100 + (uint32_t) below(making, 1000) : 0;
    store->on_owner_loss = birth->keeps ? CANCELD_ON_OWNER_LOSS_KEEP : CANCELD_ON_OWNER_LOSS_REAP;
    store->parent = birth->parent;
    labels_fill(store, birth->labels);
}

static unsigned births_under_way(const struct process *process, const struct world *world)
{
    unsigned count = 0;

    for (unsigned i = 0; i < CALLS_MAX; i++)
        if (process->calls[i].is_used)
            count += op_is_birth(world->oracle.requests[process->calls[i].request].op);
    return count;
}

static bool has_room(const struct making *making)
{
    return making->process->operations_count + births_under_way(making->process, making->world) <
           OPERATIONS_MAX / 2;
}

static bool make_store(struct making *making)
{
    struct canceld_store_request *store = &making->request.of.store;

    making->request.op = CANCELD_OP_STORE;
    store->key = key_any(making);
    birth_make(making, store);
    return has_room(making);
}

/* Of a kept one, whose owner may be gone. */
static bool make_adopt(struct making *making)
{
    struct canceld_adopt_request *adopt = &making->request.of.adopt;
    const struct gen_fact *fact = NULL;

    making->request.op = CANCELD_OP_ADOPT;
    adopt->store.key = gen_any(making);
    adopt->gen = making->fact.gen;
    if (making->fact.gen >> 60 != 0 || !has_room(making))
        return false;
    fact = oracle_gen(making->world, making->fact.gen);
    /* What has ended must not be adopted: a daemon that was restarted would not know. */
    if (!fact->is_known || !fact->birth.keeps || !fact->is_over || fact->deleters != 0 ||
        fact->ended_epoch != 0)
        return false;
    making->fact.birth = fact->birth;
    adopt->store.policy = fact->birth.policy;
    adopt->store.ttl_ms = fact->birth.ttl_ms;
    adopt->store.on_expiry = fact->birth.on_expiry;
    adopt->store.on_owner_loss = CANCELD_ON_OWNER_LOSS_KEEP;
    labels_fill(&adopt->store, fact->birth.labels);
    return true;
}

static struct sim_operation *operation_any(const struct making *making)
{
    unsigned at = (unsigned) below(making, OPERATIONS_MAX);

    for (unsigned i = 0; i < OPERATIONS_MAX; i++) {
        struct sim_operation *operation = &making->process->operations[(at + i) % OPERATIONS_MAX];

        if (operation->operation != NULL && !operation->is_finishing)
            return operation;
    }
    return NULL;
}

bool app_finish(struct world *world, struct process *process, struct sim_operation *operation,
                enum canceld_outcome outcome)
{
    const struct canceld_operation *held = operation->operation;
    struct canceld_request request = {.op = CANCELD_OP_DELETE};
    struct request_fact fact = {.op = CANCELD_OP_DELETE,
                                .process = process->number,
                                .is_finish = true,
                                .key = oracle_gen(world, operation->gen)->key,
                                .label = -1,
                                .gen = operation->gen,
                                .outcome = outcome,
                                .deadline_ms = 3000};

    if (process->calls_count == CALLS_MAX)
        return false;
    WORLD_TRACE(world, "p%u: request %u finishes gen %llx", process->number,
                world->oracle.requests_count, (unsigned long long) operation->gen);
    request.of.delete_ = (struct canceld_delete_request){.name_space = held->stored.name_space,
                                                         .key = held->stored.key,
                                                         .gen = operation->gen,
                                                         .outcome = outcome};
    operation->is_finishing = true;
    return process_submit(world, process, &request, &fact, operation);
}

static bool act_finish(struct making *making)
{
    struct sim_operation *operation = operation_any(making);

    if (operation == NULL)
        return false;
    (void) app_finish(making->world, making->process, operation,
                      below(making, 2) == 0 ? CANCELD_OUTCOME_COMPLETED : CANCELD_OUTCOME_FAILED);
    return false; /* all is done */
}

/* Leaves it in the registry. */
static bool act_forget(struct making *making)
{
    struct sim_operation *operation = operation_any(making);

    if (operation == NULL || !making->world->flavour.forgets)
        return false;
    making->world->has_strays = true;
    process_let_go(making->world, making->process, operation);
    return false;
}

static bool make_touch(struct making *making)
{
    struct sim_operation *operation = operation_any(making);
    const struct gen_fact *fact = NULL;

    if (operation == NULL)
        return false;
    fact = oracle_gen(making->world, operation->gen);
    making->request.op = CANCELD_OP_TOUCH;
    making->fact.gen = operation->gen;
    making->fact.key = fact->key;
    making->request.of.touch =
        (struct canceld_touch_request){.key = canceld_string(keys[fact->key]),
                                       .gen = operation->gen,
                                       .ttl_ms = fact->birth.ttl_ms};
    return fact->birth.ttl_ms > 0;
}

static bool make_detach(struct making *making)
{
    making->request.op = CANCELD_OP_DETACH;
    making->request.of.detach.key = gen_any(making);
    making->request.of.detach.gen = making->fact.gen;
    return true;
}

static bool make_foreign_delete(struct making *making)
{
    struct canceld_delete_request *delete = &making->request.of.delete_;

    making->request.op = CANCELD_OP_DELETE;
    delete->key = gen_any(making);
    delete->gen = making->fact.gen;
    delete->outcome = CANCELD_OUTCOME_CANCELLED;
    making->fact.outcome = CANCELD_OUTCOME_CANCELLED;
    return true;
}

/* ---- cancellers ---- */

static struct canceld_cancel_request *cancel_make(struct making *making)
{
    struct canceld_cancel_request *cancel = &making->request.of.cancel;

    making->request.op = CANCELD_OP_CANCEL;
    cancel->cause.code = CANCELD_CAUSE_USER;
    cancel->cause.text = text_of(making);
    return cancel;
}

static void level_make(struct making *making, struct canceld_cancel_request *cancel)
{
    if (below(making, 3) != 0)
        return;
    cancel->level = below(making, 2) == 0 ? CANCELD_LEVEL_DELIVERED : CANCELD_LEVEL_STOPPED;
    cancel->wait_ms = wait_any(making);
    making->fact.level = cancel->level;
    making->fact.wait_ms = cancel->wait_ms;
}

static bool make_cancel_key(struct making *making)
{
    struct canceld_cancel_request *cancel = cancel_make(making);

    cancel->key = key_any(making);
    if (below(making, 3) == 0) {
        cancel->after_gen = oracle_any_gen(making->world, below(making, 1U << 20));
        making->fact.after_gen = cancel->after_gen;
    }
    level_make(making, cancel);
    return true;
}

static bool make_cancel_gen(struct making *making)
{
    struct canceld_cancel_request *cancel = cancel_make(making);

    cancel->key = gen_any(making);
    cancel->gen = making->fact.gen;
    level_make(making, cancel);
    return true;
}

static bool make_arm(struct making *making)
{
    struct canceld_cancel_request *cancel = cancel_make(making);

    cancel->key = key_any(making);
    cancel->arm_ttl_ms = 100 + (uint32_t) below(making, making->world->flavour.finished_ms - 100);
    making->fact.arm_ttl_ms = cancel->arm_ttl_ms;
    return true;
}

static bool make_bulk(struct making *making)
{
    struct canceld_cancel_request *cancel = cancel_make(making);

    if (below(making, 3) == 0) {
        cancel->whole_namespace = true;
        making->fact.whole = true;
    } else if (below(making, 2) == 0) {
        making->fact.label = (int) below(making, LABELS_COUNT);
        cancel->label = canceld_string(labels[making->fact.label]);
    } else {
        cancel->owner = making->world->oracle.alive[below(making, PROCESSES_COUNT)].session;
        making->fact.owner = cancel->owner;
        return cancel->owner != 0;
    }
    return true;
}

static bool make_drain(struct making *making)
{
    struct canceld_drain_request *drain = &making->request.of.drain;

    making->request.op = below(making, 3) == 0 ? CANCELD_OP_DRAIN : CANCELD_OP_UNDRAIN;
    if (making->request.op == CANCELD_OP_DRAIN) {
        drain->wait_ms = wait_any(making);
        drain->text = text_of(making);
        making->fact.wait_ms = drain->wait_ms;
    }
    return true;
}

static bool make_wait(struct making *making)
{
    struct canceld_wait_request *wait = &making->request.of.wait;

    making->request.op = CANCELD_OP_WAIT;
    wait->key = below(making, 3) == 0 ? key_any(making) : gen_any(making);
    wait->gen = making->fact.gen;
    wait->until = below(making, 2) == 0 ? CANCELD_UNTIL_CANCELLING : CANCELD_UNTIL_ENDED;
    wait->wait_ms = wait_any(making);
    making->fact.until = wait->until;
    making->fact.wait_ms = wait->wait_ms;
    return true;
}

static bool make_get(struct making *making)
{
    making->request.op = CANCELD_OP_GET;
    making->request.of.get.key = below(making, 3) == 0 ? key_any(making) : gen_any(making);
    making->request.of.get.gen = making->fact.gen;
    return true;
}

static bool make_disarm(struct making *making)
{
    making->request.op = CANCELD_OP_DISARM;
    making->request.of.get.key = key_any(making);
    return true;
}

static bool make_list(struct making *making)
{
    static const enum canceld_op ops[] = {CANCELD_OP_LIST, CANCELD_OP_COUNT, CANCELD_OP_ARMED,
                                          CANCELD_OP_PING};

    making->request.op = ops[below(making, 4)];
    return true;
}

static bool make_watch(struct making *making)
{
    struct canceld_watch_request *watch = &making->request.of.watch;

    making->request.op = CANCELD_OP_WATCH;
    watch->epoch = below(making, 2) == 0 ? 0 : making->process->engine.epoch;
    watch->revision = watch->epoch == 0 ? 0 : 1 + below(making, 40);
    watch->wait_ms = wait_any(making);
    making->fact.wait_ms = watch->wait_ms;
    return true;
}

/* Where nobody has a right. */
static bool make_denied(struct making *making)
{
    making->fact.is_denied = making->world->flavour.has_rights;
    if (!making->fact.is_denied)
        return false;
    if (below(making, 2) == 0)
        (void) make_cancel_gen(making);
    else
        (void) make_cancel_key(making);
    making->request.of.cancel.name_space = canceld_string("x");
    return true;
}

static const struct {
    unsigned weight;
    bool owns;
    bool cancels;
    bool (*act)(struct making *making);
} acts[] = {
    {30, true, false, make_store},        {14, true, false, act_finish},
    {1, true, false, act_forget},         {8, true, false, make_touch},
    {2, true, false, make_detach},        {4, true, false, make_adopt},
    {1, true, true, make_foreign_delete}, {12, false, true, make_cancel_key},
    {14, false, true, make_cancel_gen},   {8, false, true, make_arm},
    {2, false, true, make_bulk},          {2, false, true, make_drain},
    {8, true, true, make_wait},           {6, true, true, make_get},
    {1, false, true, make_disarm},        {2, true, true, make_list},
    {1, false, true, make_watch},         {1, false, true, make_denied},
};
#define ACTS_COUNT (sizeof acts / sizeof acts[0])

static size_t act_choose(struct world *world, const struct process *process)
{
    unsigned sum = 0;
    uint64_t at = 0;
    size_t i = 0;

    for (i = 0; i < ACTS_COUNT; i++)
        if ((acts[i].owns && process->owns) || (acts[i].cancels && process->cancels))
            sum += acts[i].weight;
    at = chance_below(&world->app_chance, sum);
    for (i = 0; i < ACTS_COUNT; i++) {
        if (!((acts[i].owns && process->owns) || (acts[i].cancels && process->cancels)))
            continue;
        if (at < acts[i].weight)
            return i;
        at -= acts[i].weight;
    }
    return ACTS_COUNT - 1;
}

/* Without a session there is nothing to own. */
static bool is_allowed(const struct making *making)
{
    enum canceld_op op = making->request.op;
    bool owns = op_is_birth(op) || op == CANCELD_OP_DELETE || op == CANCELD_OP_TOUCH ||
                op == CANCELD_OP_DETACH;

    return !owns || !making->process->engine.config.sessionless;
}

static void act_one(struct world *world, struct process *process)
{
    static const uint32_t deadlines[] = {300, 1000, 4000};
    struct making making = {.world = world, .process = process};
    size_t at = act_choose(world, process);

    making.fact = (struct request_fact){.process = process->number, .key = -1, .label = -1};
    making.fact.deadline_ms = any_of(&making, deadlines, 3);
    if (!acts[at].act(&making) || !is_allowed(&making))
        return;
    making.fact.op = making.request.op;
    WORLD_TRACE(world, "p%u: request %u of kind %d, key %d, gen %llx after %llx", process->number,
                world->oracle.requests_count, (int) making.request.op, making.fact.key,
                (unsigned long long) making.fact.gen, (unsigned long long) making.fact.after_gen);
    (void) process_submit(world, process, &making.request, &making.fact, NULL);
}

void app_act(struct world *world, struct process *process)
{
    uint64_t pause_ns = chance_below(&world->app_chance, 2 * world->flavour.pause_ms + 1) * MS;
    unsigned burst = chance_strikes(&world->app_chance, 10000) ? 4 : 1;

    for (; burst > 0 && process->calls_count < CALLS_MAX - OPERATIONS_MAX; burst--) {
        act_one(world, process);
        world->acts_count++;
    }
    world_wake(world, SLOT_APP + process->number,
               world->is_healing ? AT_NEVER : world->now_ns + pause_ns + MS / 10);
}

void app_told(struct world *world, struct process *process, struct sim_operation *operation)
{
    uint64_t chance = chance_below(&world->app_chance, 10);

    if ((operation->told & (TOLD_CANCEL | TOLD_ENDED | TOLD_LOST)) == 0 || world->is_healing)
        return;
    /* Some stop at once, some go on for a while, some do not care. */
    if (chance < 6)
        (void) app_finish(world, process, operation,
                          chance < 4 ? CANCELD_OUTCOME_CANCELLED : CANCELD_OUTCOME_COMPLETED);
}
