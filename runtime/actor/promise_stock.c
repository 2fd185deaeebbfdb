/* SPDX-License-Identifier: MIT */
#include "actor/promise_stock.h"

#include "actor/promise.h"
#include "actor/system.h"

#include <stdlib.h>

void promise_stock_init(struct promise_stock *stock, uint32_t asks_max)
{
    *stock = (struct promise_stock){.chunk = asks_max / ACTOR_ASKS_STOCK_PART};
    if (stock->chunk > ACTOR_ASKS_STOCK_MAX) {
        stock->chunk = ACTOR_ASKS_STOCK_MAX;
    }
}

static void chain_add(struct promise_chain *chain, struct promise *promise)
{
    promise->next_spare = chain->first;
    chain->first = promise;
    chain->count++;
}

static struct promise *chain_take(struct promise_chain *chain)
{
    struct promise *promise = chain->first;
    if (promise != NULL) {
        chain->first = promise->next_spare;
        chain->count--;
    }
    return promise;
}

/* Frees `count` of the chain, and the right to so many asks. */
static void chain_free(struct actor_system *system, struct promise_chain *chain, uint32_t count)
{
    if (count == 0) {
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        free(chain_take(chain));
    }
    system_give(&system->asks_count, count);
}

/* A chain of those that other loops gave back. */
static void fetch(struct promise_stock *stock)
{
    /* Relaxed: a look without taking the line away from those who put something in. */
    if (atomic_load_explicit(&stock->returned, memory_order_relaxed) == NULL) {
        return;
    }
    struct promise *promise =
        atomic_exchange_explicit(&stock->returned, NULL, memory_order_acquire);
    stock->free.first = promise;
    for (; promise != NULL; promise = promise->next_spare) {
        stock->free.count++;
    }
}

/* From the heap: a chunk of them, or one where there is no room for that many. */
static bool refill(struct actor_loop *loop, bool *full_out)
{
    struct actor_system *system = loop->system;
    uint32_t count = loop->stock.chunk;
    if (!system_take(&system->asks_count, count, system->options.asks_max)) {
        count = 1;
        if (!system_take(&system->asks_count, count, system->options.asks_max)) {
            *full_out = true;
            return false;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        struct promise *promise = malloc(sizeof *promise);
        if (promise == NULL) {
            system_give(&system->asks_count, count - i);
            break;
        }
        chain_add(&loop->stock.free, promise);
    }
    return loop->stock.free.first != NULL;
}

struct promise *promise_stock_take(struct actor_loop *loop, bool *full_out)
{
    struct promise_stock *stock = &loop->stock;
    *full_out = false;
    if (stock->free.first == NULL) {
        fetch(stock);
    }
    if (stock->free.first == NULL && !refill(loop, full_out)) {
        return NULL;
    }
    return chain_take(&stock->free);
}

void promise_stock_flush(struct actor_loop *loop)
{
    struct promise_stock *stock = &loop->stock;
    if (stock->foreign.first == NULL) {
        return;
    }
    struct promise *none = NULL;
    /* Release, against the owner's acquire in fetch(). */
    if (atomic_compare_exchange_strong_explicit(&stock->foreign_home->stock.returned, &none,
                                                stock->foreign.first, memory_order_release,
                                                memory_order_relaxed)) {
        stock->foreign = (struct promise_chain){0};
    } else {
        /* It has not asked since it got the last ones: it has no need of these. */
        chain_free(loop->system, &stock->foreign, stock->foreign.count);
    }
}

void promise_stock_give(struct actor_loop *loop, struct promise *promise)
{
    struct promise_stock *stock = &loop->stock;
    if (promise->home == loop) {
        chain_add(&stock->free, promise);
        if (stock->free.count > 2 * stock->chunk) {
            chain_free(loop->system, &stock->free, stock->chunk);
        }
        return;
    }
    if (stock->foreign_home != promise->home) {
        promise_stock_flush(loop);
        stock->foreign_home = promise->home;
    }
    chain_add(&stock->foreign, promise);
    if (stock->foreign.count >= stock->chunk) {
        promise_stock_flush(loop);
    }
}

void promise_stock_fini(struct actor_loop *loop)
{
    struct promise_stock *stock = &loop->stock;
    ASSERT(stock->foreign.first == NULL);
    chain_free(loop->system, &stock->free, stock->free.count);
    fetch(stock);
    chain_free(loop->system, &stock->free, stock->free.count);
}
