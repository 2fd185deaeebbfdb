/* SPDX-License-Identifier: MIT */
/* A lane: requests of one thread to the owner, and their answers, in two rings.
 *
 * Index i of either stands at i modulo the ring. A cell is there once its turn is that of i's lap. The
 * client gives a whole batch at once by writing the turn of its first cell last; the owner reads cells
 * in their order, so it cannot come to the others before. Answers go back the same way. Neither side
 * needs the other's index, nor a read-modify-write: a slot is used again only after its answer was
 * collected, and that is younger than all that was read of the slot. */
#ifndef CANCELD_LOCAL_LANE_H
#define CANCELD_LOCAL_LANE_H

#include "actor/wake.h"
#include "local/cell.h"

#include <canceld/local.h>

enum lane_state {
    LANE_FREE,
    LANE_ATTACHED,
    LANE_LEAVING, /* its client is gone; the owner frees it */
};

/* Whose an answer is: who collects, or has one given to on_done; or who asked, and took it out of its turn,
 * or gave it up. */
enum lane_fate { LANE_COLLECT, LANE_ASKED };

struct lane_slot {
    void (*on_done)(void *done_arg, const struct canceld_local_answer *answer);
    void *done_arg;
};

struct canceld_lane {
    /* The client; the rest of the line is fixed while attached. */
    _Alignas(64) uint32_t submitted;
    uint32_t flushed;   /* those below it are there for the owner */
    uint32_t collected; /* those below it are done with */
    uint32_t window;
    uint32_t mask; /* of the ring, its size less 1 */
    uint32_t lap_shift;
    uint32_t flush_at;
    struct canceld_local *local;

    /* Both. */
    _Alignas(64) _Atomic(uint32_t) state; /* enum lane_state; release when it is made FREE */
    _Atomic(uint32_t) asleep;             /* the client sleeps, or is about to: see owner.c */
    struct wake wake;

    /* The owner. */
    _Alignas(64) uint32_t taken;
    uint32_t taken_mask;
    uint32_t taken_lap_shift;

    _Alignas(64) struct cell cells[CANCELD_LANE_WINDOW_MAX];
    _Alignas(64) struct answer_cell answers[CANCELD_LANE_WINDOW_MAX];
    uint8_t keys[CANCELD_LANE_WINDOW_MAX][KEY_BYTES_MAX]; /* that do not fit into their cells */
    /* The client. */
    struct lane_slot slots[CANCELD_LANE_WINDOW_MAX];
    uint8_t fates[CANCELD_LANE_WINDOW_MAX];
};

static inline uint8_t lane_turn(uint32_t index, uint32_t lap_shift)
{
    return (uint8_t) (1U + ((index >> lap_shift) & 1U));
}

/* ---- the owner ---- */

/* Whether there is a request. `order`: acquire, or with the owner's word on its sleep seq_cst. */
static inline bool lane_has_request(const struct canceld_lane *lane, memory_order order)
{
    const struct cell *cell = &lane->cells[lane->taken & lane->taken_mask];
    return atomic_load_explicit(&cell->turn, order) ==
           lane_turn(lane->taken, lane->taken_lap_shift);
}

/* Does up to LOCAL_LANE_BATCH_MAX requests and gives their answers; returns how many. */
uint32_t lane_serve(struct canceld_local *local, struct canceld_lane *lane);

/* Wakes the client if it sleeps. `surely`: also one that comes to sleep at this very moment and has not
 * seen what was given before. */
void lane_wake_client(struct canceld_lane *lane, bool surely);

/* Does one request that came another way. */
void lane_serve_cell(struct canceld_local *local, const struct cell *cell, const uint8_t *beside,
                     struct answer_cell *answer);

#endif
