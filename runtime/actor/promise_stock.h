/* SPDX-License-Identifier: MIT */
/* Promises that a loop keeps for its next asks, so that an ask from a loop neither allocates nor
 * counts on what all threads share. For the files of this layer alone.
 *
 * A promise in a stock is counted in the system's asks_count as one that is in use: it is the right
 * to one ask, already taken. So a stock is small, by a fixed part of asks_max (ACTOR_ASKS_STOCK_PART,
 * which leaves four fifths of all asks free with ACTOR_LOOPS_MAX stocks): three chunks at most (`free`
 * two, `returned` one), and what other loops have in hand until their turn ends. Where
 * asks_max is so small that a chunk is none, nothing is kept at all.
 *
 * A promise that ends on another loop than its own goes back in chains: that loop gathers those of
 * one stock and hands the chain over when its turn ends, if the last one was fetched meanwhile;
 * else they are freed. What ends outside of any loop's turn is freed as well. */
#ifndef CANCELD_ACTOR_PROMISE_STOCK_H
#define CANCELD_ACTOR_PROMISE_STOCK_H

#include "base/check.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct actor_loop;
struct promise;

/* Promises linked by their `next_spare`. */
struct promise_chain {
    struct promise *first;
    uint32_t count;
};

struct promise_stock {
    /* The loop's thread alone, within a turn. */
    struct promise_chain free;
    struct promise_chain foreign; /* promises of another loop, on their way home */
    struct actor_loop *foreign_home;
    uint32_t chunk; /* 0: there is no stock */
    /* A whole chain, or NULL. Release where another loop puts it in, in exchange for NULL; acquire
     * where the owner takes it out: that hands over the promises in it. */
    _Alignas(64) _Atomic(struct promise *) returned;
};

void promise_stock_init(struct promise_stock *stock, uint32_t asks_max);

/* When no thread is left that could give one back. */
void promise_stock_fini(struct actor_loop *loop);

/* Both within a turn of the loop, which need not be the promise's own for the second. NULL at
 * asks_max, or where memory cannot be had; *full_out says which. */
MUST_CHECK struct promise *promise_stock_take(struct actor_loop *loop, bool *full_out);
void promise_stock_give(struct actor_loop *loop, struct promise *promise);

/* The loop's turn ends: what it gathered goes home. */
void promise_stock_flush(struct actor_loop *loop);

#endif
