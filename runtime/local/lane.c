/* SPDX-License-Identifier: MIT */
/* The client's side of a lane. */
#include "local/lane.h"

#include "base/clock.h"
#include "local/owner.h"
#include "local/state.h"

/* After so many the owner may begin, though nobody flushed: while it works on them the client goes on. INLINE
 * it is a whole batch. */
#define FLUSH_AT 16

/* ---- attach and detach ---- */

static bool claim(struct canceld_lane *lane)
{
    uint32_t state = LANE_FREE;
    /* Acquire, against the owner's freeing. */
    return atomic_load_explicit(&lane->state, memory_order_relaxed) == LANE_FREE &&
           atomic_compare_exchange_strong_explicit(&lane->state, &state, LANE_ATTACHED,
                                                   memory_order_acquire, memory_order_relaxed);
}

/* Release, for the owner looks only at lanes below it. */
static void raise_end(struct canceld_local *local, uint32_t end)
{
    uint32_t before = atomic_load_explicit(&local->lanes_end, memory_order_relaxed);
    while (before < end &&
           !atomic_compare_exchange_weak_explicit(&local->lanes_end, &before, end,
                                                  memory_order_release, memory_order_relaxed)) {
    }
}

static uint32_t log2_above(uint32_t number)
{
    uint32_t bits = 0;
    while ((UINT32_C(1) << bits) < number) {
        bits++;
    }
    return bits;
}

enum canceld_status canceld_lane_attach(struct canceld_local *local, uint32_t window,
                                        struct canceld_lane **lane_out)
{
    if (local == NULL || lane_out == NULL || window == 0 || window > CANCELD_LANE_WINDOW_MAX) {
        return CANCELD_INVALID;
    }
    if (atomic_load_explicit(&local->closed, memory_order_acquire)) {
        return CANCELD_CLOSED;
    }
    for (uint32_t i = 0; i < local->lanes_max; i++) {
        struct canceld_lane *lane = &local->lanes[i];
        if (!claim(lane)) {
            continue;
        }
        lane->submitted = 0;
        lane->flushed = 0;
        lane->collected = 0;
        lane->window = window;
        lane->lap_shift = log2_above(window);
        lane->mask = (UINT32_C(1) << lane->lap_shift) - 1;
        lane->flush_at = local->inline_mode ? LOCAL_LANE_BATCH_MAX : FLUSH_AT;
        lane->local = local;
        (void) atomic_fetch_add_explicit(&local->lanes_count, 1, memory_order_relaxed);
        raise_end(local, i + 1);
        *lane_out = lane;
        return CANCELD_OK;
    }
    return CANCELD_FULL;
}

/* ---- indexes ---- */

static uint8_t turn_of(const struct canceld_lane *lane, uint32_t index)
{
    return lane_turn(index, lane->lap_shift);
}

static bool is_answered(const struct canceld_lane *lane, uint32_t index)
{
    /* Acquire, against the owner's giving. */
    return atomic_load_explicit(&lane->answers[index & lane->mask].turn, memory_order_acquire) ==
           turn_of(lane, index);
}

/* What was asked, or given up, and is answered stands in nobody's way. */
static void forget_asked(struct canceld_lane *lane)
{
    while (lane->collected != lane->flushed &&
           lane->fates[lane->collected & lane->mask] != LANE_COLLECT &&
           is_answered(lane, lane->collected)) {
        lane->collected++;
    }
}

/* ---- giving ---- */

void canceld_lane_flush(struct canceld_lane *lane)
{
    const uint32_t first = lane->flushed;
    if (first == lane->submitted) {
        return;
    }
    struct canceld_local *local = lane->local;
    struct cell *cell = &lane->cells[first & lane->mask];
    lane->flushed = lane->submitted;
    /* This one store gives the whole batch. Its order against the look at the owner's sleep: owner.c. */
    /* Relaxed: whoever learns late that it is false is seen by the owner's next look, see owner.c. */
    if (atomic_load_explicit(&local->shared_barrier, memory_order_relaxed)) {
        atomic_store_explicit(&cell->turn, turn_of(lane, first), memory_order_release);
        atomic_signal_fence(memory_order_seq_cst);
    } else {
        atomic_store_explicit(&cell->turn, turn_of(lane, first), memory_order_seq_cst);
    }
    if (local->inline_mode) {
        while (lane_serve(local, lane) > 0) {
        }
        return;
    }
    owner_wake(local);
}

/* The cell is written, and is the last of a batch that is not given yet. */
static void add(struct canceld_lane *lane)
{
    const uint32_t index = lane->submitted++;
    if (index != lane->flushed) {
        /* Relaxed: the owner comes to it by way of the batch's first alone. */
        atomic_store_explicit(&lane->cells[index & lane->mask].turn, turn_of(lane, index),
                              memory_order_relaxed);
    }
    if (lane->submitted - lane->flushed >= lane->flush_at) {
        canceld_lane_flush(lane);
    }
}

static enum canceld_status put(struct canceld_lane *lane,
                               const struct canceld_local_request *request, enum lane_fate fate)
{
    if (lane == NULL || request == NULL || !cell_takes(request)) {
        return CANCELD_INVALID;
    }
    if (lane->submitted - lane->collected >= lane->window) {
        forget_asked(lane);
        if (lane->submitted - lane->collected >= lane->window) {
            return CANCELD_FULL;
        }
    }
    if (atomic_load_explicit(&lane->local->closed, memory_order_relaxed)) {
        return CANCELD_CLOSED;
    }
    const uint32_t slot = lane->submitted & lane->mask;
    cell_write(&lane->cells[slot], lane->keys[slot], &lane->local->table_key, request);
    lane->slots[slot] = (struct lane_slot){request->on_done, request->done_arg};
    lane->fates[slot] = (uint8_t) fate;
    add(lane);
    return CANCELD_OK;
}

enum canceld_status canceld_lane_submit(struct canceld_lane *lane,
                                        const struct canceld_local_request *request)
{
    return put(lane, request, LANE_COLLECT);
}

uint32_t canceld_lane_outstanding(const struct canceld_lane *lane)
{
    return lane->submitted - lane->collected;
}

/* ---- waiting ---- */

/* One sleep, unless the answer is there, or will never be. */
static void sleep_once(struct canceld_lane *lane, uint32_t index, uint64_t timeout_ns)
{
    (void) atomic_exchange_explicit(&lane->asleep, 1, memory_order_acq_rel);
    if (!is_answered(lane, index) &&
        !atomic_load_explicit(&lane->local->stopped, memory_order_seq_cst)) {
        (void) wake_wait(&lane->wake, timeout_ns);
    }
    atomic_store_explicit(&lane->asleep, 0, memory_order_relaxed);
}

static enum canceld_status await_asleep(struct canceld_lane *lane, uint32_t index,
                                        uint32_t deadline_ms)
{
    uint64_t now_ns = deadline_ms == 0 ? 0 : clock_now_ns(&clock_system);
    const uint64_t end_ns =
        deadline_ms == 0 ? TIME_NEVER : time_after(now_ns, deadline_ms * NS_PER_MS);
    for (;;) {
        const bool stopped = atomic_load_explicit(&lane->local->stopped, memory_order_seq_cst);
        if (is_answered(lane, index)) {
            return CANCELD_OK;
        }
        if (stopped) {
            return CANCELD_CLOSED;
        }
        if (now_ns >= end_ns) {
            return CANCELD_TIMED_OUT;
        }
        sleep_once(lane, index, end_ns == TIME_NEVER ? TIME_NEVER : end_ns - now_ns);
        now_ns = deadline_ms == 0 ? 0 : clock_now_ns(&clock_system);
    }
}

/* OK: the answer is there. The clock is not read before it comes to a sleep. */
static enum canceld_status await(struct canceld_lane *lane, uint32_t index, uint32_t deadline_ms)
{
    canceld_lane_flush(lane);
    const uint32_t spins = lane->local->client_spins;
    for (uint32_t i = 0; i < spins; i++) {
        if (is_answered(lane, index)) {
            return CANCELD_OK;
        }
        owner_pause(lane->local, i);
    }
    return await_asleep(lane, index, deadline_ms);
}

/* ---- taking ---- */

/* Takes away what stands before the next answer that is to be collected: what was asked, given up, or is
 * for an on_done. Whether that next one is there. */
static bool clear_way(struct canceld_lane *lane)
{
    while (lane->collected != lane->flushed && is_answered(lane, lane->collected)) {
        const uint32_t slot = lane->collected & lane->mask;
        const struct lane_slot done = lane->slots[slot];
        if (lane->fates[slot] == LANE_COLLECT && done.on_done == NULL) {
            return true;
        }
        struct canceld_local_answer answer;
        answer_cell_read(&lane->answers[slot], &answer);
        lane->collected++;
        if (lane->fates[slot] == LANE_COLLECT) {
            done.on_done(done.done_arg, &answer);
        }
    }
    return false;
}

static void collect_next(struct canceld_lane *lane, struct canceld_local_answer *answer_out)
{
    if (answer_out != NULL) {
        answer_cell_read(&lane->answers[lane->collected & lane->mask], answer_out);
    }
    lane->collected++;
}

bool canceld_lane_try_collect(struct canceld_lane *lane, struct canceld_local_answer *answer_out)
{
    if (!clear_way(lane)) {
        canceld_lane_flush(lane);
        if (!clear_way(lane)) {
            return false;
        }
    }
    collect_next(lane, answer_out);
    return true;
}

enum canceld_status canceld_lane_collect(struct canceld_lane *lane, uint32_t deadline_ms,
                                         struct canceld_local_answer *answer_out)
{
    while (!clear_way(lane)) {
        if (lane->collected == lane->submitted) {
            return CANCELD_INVALID;
        }
        const enum canceld_status status = await(lane, lane->collected, deadline_ms);
        if (status != CANCELD_OK) {
            return status;
        }
    }
    collect_next(lane, answer_out);
    return CANCELD_OK;
}

static void await_callback(struct canceld_lane *lane, uint32_t deadline_ms,
                           struct canceld_local_answer *answer)
{
    struct canceld_local *local = lane->local;
    if (answer->callback_pending && local->callbacks.threaded &&
        !callbacks_is_runner(&local->callbacks) &&
        canceld_local_callback_wait(local, answer->gen, deadline_ms) == CANCELD_OK) {
        answer->callback_pending = false;
    }
}

enum canceld_status canceld_lane_ask(struct canceld_lane *lane,
                                     const struct canceld_local_request *request,
                                     uint32_t deadline_ms, struct canceld_local_answer *answer_out)
{
    if (answer_out == NULL) {
        return CANCELD_INVALID;
    }
    enum canceld_status status = put(lane, request, LANE_ASKED);
    if (status != CANCELD_OK) {
        return status;
    }
    const uint32_t index = lane->submitted - 1;
    status = await(lane, index, deadline_ms);
    if (status != CANCELD_OK) {
        return status; /* A late answer comes to a slot that nobody looks at. */
    }
    answer_cell_read(&lane->answers[index & lane->mask], answer_out);
    if (index == lane->collected) {
        lane->collected++;
    }
    if (answer_out->callback_pending) {
        answer_out->gen = request->gen;
        await_callback(lane, deadline_ms, answer_out);
    }
    return CANCELD_OK;
}

/* ---- detach ---- */

void canceld_lane_detach(struct canceld_lane *lane)
{
    if (lane == NULL) {
        return;
    }
    struct canceld_local *local = lane->local;
    while (lane->submitted - lane->collected > lane->mask) {
        if (await(lane, lane->collected, 0) != CANCELD_OK) {
            break; /* stopped */
        }
        lane->collected++;
    }
    if (atomic_load_explicit(&local->stopped, memory_order_seq_cst)) {
        (void) atomic_fetch_sub_explicit(&local->lanes_count, 1, memory_order_relaxed);
        atomic_store_explicit(&lane->state, LANE_FREE, memory_order_release);
        return;
    }
    /* A batch of its own: once that is given the lane may be another's. */
    canceld_lane_flush(lane);
    atomic_store_explicit(&lane->state, LANE_LEAVING, memory_order_relaxed);
    struct cell *cell = &lane->cells[lane->submitted & lane->mask];
    cell->hash = 0;
    cell->op = CELL_OP_DETACH;
    lane->submitted++;
    canceld_lane_flush(lane);
}
