/* SPDX-License-Identifier: MIT */
/* The owner's loop, and its sleep.
 *
 * `awake` says whether the owner sleeps, or is about to. Who gives it something writes that first and looks
 * at `awake` then; the owner clears `awake` first and looks for something to do then. As long as each
 * side's write comes before its look, one of the two sees the other, and no request is slept through.
 * That order costs a barrier on one side. With membarrier(2) the owner pays for both: before it sleeps it
 * makes every running thread pass one, so that clients write and look without. Where the system has no
 * such call (local->shared_barrier is false) both sides use sequentially consistent operations. A program may
 * also take the call away later, with a seccomp filter: then the owner clears shared_barrier, and from there on
 * it never sleeps for longer than LOCAL_UNSURE_MS at a time, for a client that has not seen that yet.
 *
 * Whoever waits for the owner (a lane's client, the thread of the callbacks) has a word `asleep` the other
 * way round: it swaps 1 in, looks once more, and sleeps. The owner looks at the word after it gave
 * something, without a barrier, for that is its common path, and may miss a 1 that comes at that very
 * moment. So it looks again in each sweep, and before its own sleep it swaps 0 in: of two swaps of one word
 * the later one sees all that was done before the earlier. */
#include "local/owner.h"

#include "base/clock.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Looks between two readings of the clock while there is nothing to do, and before a crowded processor is
 * given to others. */
#define SPIN_LOOKS 32
#define SPIN_LOOKS_CROWDED 8

/* ---- time ---- */

static void look_at_clock(struct canceld_local *local)
{
    local->now_ns = clock_now_ns(&clock_system);
    local->now_ms = local->now_ns / NS_PER_MS;
    local->since_clock = 0;
}

/* The registry counts in ms, and a reading costs as much as an op. */
static void age_clock(struct canceld_local *local, uint32_t ops)
{
    local->since_clock += ops;
    if (!local->inline_mode && local->since_clock >= LOCAL_CLOCK_OPS) {
        look_at_clock(local);
    }
}

/* ---- a turn ---- */

static uint32_t lanes_end(const struct canceld_local *local)
{
    /* Acquire, against the attach that raised it. */
    return atomic_load_explicit(&local->lanes_end, memory_order_acquire);
}

static uint32_t serve_lanes(struct canceld_local *local)
{
    const uint32_t end = lanes_end(local);
    uint32_t count = 0;
    local->lane_first = local->lane_first + 1 < end ? local->lane_first + 1 : 0;
    for (uint32_t i = 0, at = local->lane_first; i < end; i++, at = at + 1 < end ? at + 1 : 0) {
        struct canceld_lane *lane = &local->lanes[at];
        count += lane_serve(local, lane);
        lane_wake_client(lane, false);
    }
    return count;
}

static uint32_t serve_asks(struct canceld_local *local)
{
    struct message *messages[LOCAL_ASKS_SWEEP_MAX];
    if (mailbox_is_empty(&local->mailbox)) {
        return 0;
    }
    const uint32_t count = mailbox_pop(&local->mailbox, messages, LOCAL_ASKS_SWEEP_MAX);
    for (uint32_t i = 0; i < count; i++) {
        ask_serve(local, (struct ask *) messages[i]);
    }
    return count;
}

static void advance(struct canceld_local *local)
{
    if (local->more || registry_next_ms(local->registry) <= local->now_ms) {
        local->more = registry_advance(local->registry, local->now_ms, LOCAL_SWEEP_STEPS_MAX);
    }
}

/* The turn but for what is asked; `count`: how much of that there was. */
static bool sweep_rest(struct canceld_local *local, uint32_t count)
{
    if (callbacks_have_news(&local->callbacks)) {
        count++;
    }
    advance(local);
    callbacks_sweep(local);
    local->figures.sweeps++;
    age_clock(local, count + 1);
    return count > 0 || local->more;
}

bool owner_sweep(struct canceld_local *local)
{
    uint32_t count = serve_lanes(local);
    count += serve_asks(local);
    return sweep_rest(local, count);
}

void owner_end_callback_waits(struct canceld_local *local)
{
    struct ask **link = &local->waits;
    while (*link != NULL) {
        struct ask *ask = *link;
        if (ask->until > local->callbacks.told_count) {
            link = &ask->next;
            continue;
        }
        *link = ask->next;
        ask_end(ask);
    }
}

/* ---- between turns ---- */

static bool has_work(const struct canceld_local *local, memory_order order)
{
    const uint32_t end = lanes_end(local);
    for (uint32_t i = 0; i < end; i++) {
        if (lane_has_request(&local->lanes[i], order)) {
            return true;
        }
    }
    return !mailbox_is_empty(&local->mailbox) ||
           atomic_load_explicit(&local->callbacks.done, order) != local->callbacks.told ||
           atomic_load_explicit(&local->closed, memory_order_relaxed);
}

void owner_pause(const struct canceld_local *local, uint32_t i)
{
    if (i % SPIN_LOOKS == SPIN_LOOKS - 1 && owner_is_crowded(local)) {
        (void) sched_yield(); /* It cannot fail. */
    } else {
        owner_relax();
    }
}

/* Looks for work for as long as the budget is. Work that comes is a reason to spin as long again the
 * next time; none, for half as long. */
static bool spin(struct canceld_local *local)
{
    const bool crowded = owner_is_crowded(local);
    uint64_t end_ns = 0; /* of the budget, from the first look at the clock on */
    while (local->spin_ns > 0 && (end_ns == 0 || local->now_ns < end_ns)) {
        for (uint32_t i = 0; i < SPIN_LOOKS; i++) {
            if (has_work(local, memory_order_acquire)) {
                local->spin_ns = local->spin_us * UINT64_C(1000);
                return true;
            }
            if (crowded && i % SPIN_LOOKS_CROWDED == SPIN_LOOKS_CROWDED - 1) {
                (void) sched_yield(); /* It cannot fail. */
            } else {
                owner_relax();
            }
        }
        look_at_clock(local);
        end_ns = end_ns == 0 ? local->now_ns + local->spin_ns : end_ns;
        if (registry_next_ms(local->registry) <= local->now_ms) {
            return true;
        }
    }
    if (local->spin_auto) {
        local->spin_ns /= 2;
    }
    return false;
}

static void all_threads_pass_a_barrier(struct canceld_local *local)
{
    if (atomic_load_explicit(&local->shared_barrier, memory_order_relaxed) &&
        syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) != 0) {
        atomic_store_explicit(&local->shared_barrier, false, memory_order_seq_cst);
        local->barrier_refused = true;
    }
}

/* Who fell asleep at the very moment in which we gave him something. */
static void wake_all(struct canceld_local *local)
{
    const uint32_t end = lanes_end(local);
    for (uint32_t i = 0; i < end; i++) {
        lane_wake_client(&local->lanes[i], true);
    }
    callbacks_before_sleep(&local->callbacks);
}

static uint64_t sleep_ns(const struct canceld_local *local)
{
    const uint64_t longest_ns = local->barrier_refused ? LOCAL_UNSURE_MS * NS_PER_MS : TIME_NEVER;
    const uint64_t next_ms = registry_next_ms(local->registry);
    if (next_ms == TIME_NEVER) {
        return longest_ns;
    }
    const uint64_t next_ns = next_ms * NS_PER_MS;
    const uint64_t span_ns = next_ns > local->now_ns ? next_ns - local->now_ns : 0;
    return span_ns < longest_ns ? span_ns : longest_ns;
}

/* `closed`: the mailbox is, and cannot be slept on. */
static void sleep_once(struct canceld_local *local, bool closed)
{
    look_at_clock(local);
    const uint64_t before_ns = local->now_ns;
    atomic_store_explicit(&local->awake, 0, memory_order_seq_cst);
    all_threads_pass_a_barrier(local);
    const uint64_t timeout_ns = sleep_ns(local);
    wake_all(local);
    const bool idle = closed ? atomic_load_explicit(&local->callbacks.done, memory_order_seq_cst) ==
                                   local->callbacks.told
                             : !has_work(local, memory_order_seq_cst);
    if (idle && timeout_ns > 0) {
        local->figures.sleeps++;
        if (closed) {
            (void) wake_wait(&local->mailbox.wake, timeout_ns);
        } else {
            (void) mailbox_sleep(&local->mailbox, timeout_ns);
        }
    }
    atomic_store_explicit(&local->awake, 1, memory_order_relaxed);
    look_at_clock(local);
    /* Somebody comes in quick succession: to spin would have been the better choice. */
    if (local->spin_auto && local->now_ns - before_ns < 2 * local->spin_us * UINT64_C(1000)) {
        local->spin_ns = local->spin_us * UINT64_C(1000);
    }
}

void owner_wake_up(struct canceld_local *local)
{
    if (atomic_exchange_explicit(&local->awake, 1, memory_order_acq_rel) == 0) {
        wake_signal(&local->mailbox.wake);
    }
}

/* ---- the end ---- */

/* Until nothing is left of what was given before the registry was closed. */
static void finish_given(struct canceld_local *local)
{
    while (owner_sweep(local) || !mailbox_is_empty(&local->mailbox)) {
    }
}

static void cancel_all(struct canceld_local *local)
{
    struct ask *ask = local->stop_ask;
    ask->kind = ASK_FRAME;
    op_clear(&ask->op, OP_CANCEL);
    ask->op.as.cancel.cause_code = CAUSE_SHUTDOWN;
    ask->op.as.cancel.whole_namespace = true;
    ask_serve(local, ask);
    while (atomic_load_explicit(&ask->state, memory_order_relaxed) != ASK_DONE) {
        (void) sweep_rest(local, 0); /* Its answer is what we wait for. */
    }
}

/* Callbacks come back one by one, mostly soon after each other. */
static bool spin_for_callbacks(const struct canceld_local *local)
{
    for (uint32_t i = 0; i < local->client_spins; i++) {
        if (callbacks_have_news(&local->callbacks)) {
            return true;
        }
        owner_relax();
    }
    return false;
}

/* What comes to a lane after the first step is not done: its client sees `stopped`, and no answer. */
void owner_finish(struct canceld_local *local)
{
    finish_given(local);
    if (!local->leave_live) {
        cancel_all(local);
    }
    while (!callbacks_are_over(&local->callbacks) || local->more) {
        if (!sweep_rest(local, 0) && !callbacks_are_over(&local->callbacks)) {
            if (local->inline_mode) {
                (void) callbacks_run(local, LOCAL_CALLBACKS_MAX);
            } else if (!spin_for_callbacks(local)) {
                sleep_once(local, true);
            }
        }
    }
    registry_shut_down(local->registry, local->now_ms);
    atomic_store_explicit(&local->stopped, true, memory_order_seq_cst);
    wake_all(local);
}

void *owner_main(void *context)
{
    struct canceld_local *local = context;
    look_at_clock(local);
    while (!atomic_load_explicit(&local->closed, memory_order_acquire)) {
        if (owner_sweep(local)) {
            continue;
        }
        if (!spin(local) && !has_work(local, memory_order_acquire)) {
            sleep_once(local, false);
        }
    }
    owner_finish(local);
    return NULL;
}
