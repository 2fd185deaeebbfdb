/* SPDX-License-Identifier: MIT */
/* The owner's side of lanes: a batch in passes, so that the memory of all its ops is fetched at once. */
#include "local/callbacks.h"
#include "local/lane.h"
#include "local/owner.h"
#include "local/state.h"

/* Whether the operation's callback was called for, and its return is not told yet. */
static bool is_pending(const struct canceld_local *local, const struct direct_op *op,
                       const struct direct_answer *answer)
{
    if (op->kind != OP_DELETE || callbacks_are_over(&local->callbacks)) {
        return false;
    }
    return answer->answer == ANSWER_ENDED ||
           (answer->answer == ANSWER_DELETED && answer->cancelled &&
            answer->level != LEVEL_DELIVERED);
}

void lane_serve_cell(struct canceld_local *local, const struct cell *cell, const uint8_t *beside,
                     struct answer_cell *answer)
{
    struct direct_op op;
    struct direct_answer direct;
    cell_read(cell, beside, &op);
    if (op.kind == OP_STORE && callbacks_are_full(&local->callbacks)) {
        answer_cell_full(answer, "callbacks");
        return;
    }
    registry_direct(local->registry, &op, local->now_ms, &direct);
    answer_cell_write(answer, &direct, is_pending(local, &op, &direct));
}

/* How many requests are there; the memory of their keys' places is on its way. */
static uint32_t look_ahead(const struct canceld_local *local, struct canceld_lane *lane)
{
    uint32_t count = 0;
    for (; count < LOCAL_LANE_BATCH_MAX; count++) {
        const uint32_t index = lane->taken + count;
        const struct cell *cell = &lane->cells[index & lane->taken_mask];
        /* Acquire, against the client's publishing: the cell, and what stands beside it, is there. */
        if (atomic_load_explicit(&cell->turn, memory_order_acquire) !=
            lane_turn(index, lane->taken_lap_shift)) {
            break;
        }
        if (index == 0) {
            lane->taken_mask = lane->mask;
            lane->taken_lap_shift = lane->lap_shift;
        }
        registry_direct_prefetch(local->registry, cell->hash,
                                 cell->op == CANCELD_OP_DELETE ? cell->of.gen : 0);
    }
    return count;
}

/* Its client is gone, and all it asked is done: as it was made. */
static void reset(struct canceld_local *local, struct canceld_lane *lane)
{
    lane->taken = 0;
    lane->taken_mask = 0;
    lane->taken_lap_shift = 0;
    for (uint32_t i = 0; i < CANCELD_LANE_WINDOW_MAX; i++) {
        atomic_store_explicit(&lane->cells[i].turn, 0, memory_order_relaxed);
        atomic_store_explicit(&lane->answers[i].turn, 0, memory_order_relaxed);
    }
    (void) atomic_fetch_sub_explicit(&local->lanes_count, 1, memory_order_relaxed);
    /* Release, against the next attach. */
    atomic_store_explicit(&lane->state, LANE_FREE, memory_order_release);
}

static void give_answers(struct canceld_lane *lane, uint32_t count)
{
    for (uint32_t i = count; i > 0; i--) {
        const uint32_t index = lane->taken + i - 1;
        struct answer_cell *answer = &lane->answers[index & lane->taken_mask];
        /* The first one last, so that who waits for it finds all. Release each, against a client that asks
         * and looks for its own answer alone. */
        atomic_store_explicit(&answer->turn, lane_turn(index, lane->taken_lap_shift),
                              memory_order_release);
    }
    lane->taken += count;
}

uint32_t lane_serve(struct canceld_local *local, struct canceld_lane *lane)
{
    uint32_t count = look_ahead(local, lane);
    if (count == 0) {
        return 0;
    }
    if (count > 1) {
        for (uint32_t i = 0; i < count; i++) {
            registry_direct_prefetch_record(local->registry,
                                            lane->cells[(lane->taken + i) & lane->taken_mask].hash);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t slot = (lane->taken + i) & lane->taken_mask;
        if (lane->cells[slot].op == CELL_OP_DETACH) {
            reset(local, lane); /* the last of its client's */
            return i + 1;
        }
        lane_serve_cell(local, &lane->cells[slot], lane->keys[slot], &lane->answers[slot]);
    }
    give_answers(lane, count);
    local->figures.batches++;
    local->figures.ops += count;
    return count;
}

void lane_wake_client(struct canceld_lane *lane, bool surely)
{
    if (!surely && atomic_load_explicit(&lane->asleep, memory_order_relaxed) == 0) {
        return;
    }
    if (atomic_exchange_explicit(&lane->asleep, 0, memory_order_acq_rel) != 0) {
        wake_signal(&lane->wake);
    }
}
