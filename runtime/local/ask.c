/* SPDX-License-Identifier: MIT */
#include "local/ask.h"

#include "base/clock.h"
#include "local/owner.h"
#include "local/state.h"

#include <pthread.h>
#include <stdlib.h>

bool ask_init(struct ask *ask)
{
    ask->message.control = true; /* the table is the bound */
    return wake_init(&ask->wake);
}

void ask_fini(struct ask *ask)
{
    ASSERT(atomic_load_explicit(&ask->state, memory_order_relaxed) == ASK_FREE);
    wake_fini(&ask->wake);
}

/* Threads begin to look at different places. */
static uint32_t first_place(const struct canceld_local *local)
{
    const uint64_t thread = (uint64_t) (uintptr_t) pthread_self();
    return (uint32_t) (((thread >> 8) * UINT64_C(0x9e3779b97f4a7c15)) >> 40) % local->asks_max;
}

struct ask *ask_take(struct canceld_local *local)
{
    uint32_t place = first_place(local);
    for (uint32_t i = 0; i < local->asks_max; i++, place++) {
        struct ask *ask = &local->asks[place < local->asks_max ? place : place - local->asks_max];
        uint32_t state = ASK_FREE;
        /* Acquire, against ask_free(): its last holder is done with it. */
        if (atomic_load_explicit(&ask->state, memory_order_relaxed) == ASK_FREE &&
            atomic_compare_exchange_strong_explicit(&ask->state, &state, ASK_TAKEN,
                                                    memory_order_acquire, memory_order_relaxed)) {
            ask->status = CANCELD_OK;
            ask->block = NULL;
            ask->block_bytes = 0;
            ask->input_used = 0;
            return ask;
        }
    }
    return NULL;
}

void ask_free(struct ask *ask)
{
    free(ask->block);
    ask->block = NULL;
    atomic_store_explicit(&ask->state, ASK_FREE, memory_order_release);
}

void ask_end(struct ask *ask)
{
    /* Acquire and release: the answer is there for the asker, and where he gave up his part of the record
     * is ours. */
    const uint32_t before = atomic_exchange_explicit(&ask->state, ASK_DONE, memory_order_acq_rel);
    if (before == ASK_SLEEPING) {
        /* He may have the record back already, or another have it: then this wakes somebody for
         * nothing. */
        wake_signal(&ask->wake);
    } else if (before == ASK_ABANDONED) {
        ask_free(ask);
    }
}

static bool is_done(const struct ask *ask)
{
    return atomic_load_explicit(&ask->state, memory_order_acquire) == ASK_DONE;
}

/* False: given up. */
static bool sleep_until_done(struct ask *ask, uint64_t end_ns)
{
    uint32_t state = ASK_WAITING;
    if (!atomic_compare_exchange_strong_explicit(&ask->state, &state, ASK_SLEEPING,
                                                 memory_order_acq_rel, memory_order_acquire)) {
        return true;
    }
    for (;;) {
        const uint64_t now_ns = end_ns == TIME_NEVER ? 0 : clock_now_ns(&clock_system);
        if (now_ns >= end_ns) {
            break;
        }
        (void) wake_wait(&ask->wake, end_ns == TIME_NEVER ? TIME_NEVER : end_ns - now_ns);
        if (is_done(ask)) {
            return true;
        }
    }
    state = ASK_SLEEPING;
    return !atomic_compare_exchange_strong_explicit(&ask->state, &state, ASK_ABANDONED,
                                                    memory_order_acq_rel, memory_order_acquire);
}

enum canceld_status ask_wait(struct canceld_local *local, struct ask *ask, uint64_t timeout_ms)
{
    /* Relaxed: the mailbox hands the record over. */
    atomic_store_explicit(&ask->state, ASK_WAITING, memory_order_relaxed);
    if (mailbox_push(&local->mailbox, &ask->message) != STATUS_OK) {
        ask_free(ask);
        return CANCELD_CLOSED;
    }
    for (uint32_t i = 0; i < local->client_spins; i++) {
        if (is_done(ask)) {
            return CANCELD_OK;
        }
        owner_pause(local, i);
    }
    const uint64_t end_ns = timeout_ms == 0
                                ? TIME_NEVER
                                : time_after(clock_now_ns(&clock_system), timeout_ms * NS_PER_MS);
    return sleep_until_done(ask, end_ns) ? CANCELD_OK : CANCELD_TIMED_OUT;
}
