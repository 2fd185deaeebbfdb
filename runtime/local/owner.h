/* SPDX-License-Identifier: MIT */
/* The owner: the one thread that touches the registry. In INLINE mode that is the caller's, and of what is
 * here only owner_sweep() and the ends of asks are used. */
#ifndef CANCELD_LOCAL_OWNER_H
#define CANCELD_LOCAL_OWNER_H

#include "local/state.h"

/* A turn: lanes, returned callbacks, the mailbox, what is due. Returns whether anything was done. */
bool owner_sweep(struct canceld_local *local);

/* The thread's function. */
void *owner_main(void *local);

/* Everything up to the last callback, in order: see canceld_local_stop(). INLINE: called by that. */
void owner_finish(struct canceld_local *local);

/* Ends asks that waited for callbacks which have now returned. */
void owner_end_callback_waits(struct canceld_local *local);

/* ---- any thread ---- */

void owner_wake_up(struct canceld_local *local);

/* To be called after something was put where the owner looks, by a sequentially consistent store (a
 * release one will do with local->shared_barrier): see owner.c for why no sleep is missed. */
static inline void owner_wake(struct canceld_local *local)
{
    if (atomic_load_explicit(&local->awake, memory_order_seq_cst) == 0) {
        owner_wake_up(local);
    }
}

/* Whether somebody whose work is awaited may be waiting for the processor that spinning takes. */
static inline bool owner_is_crowded(const struct canceld_local *local)
{
    /* Relaxed: a hint. */
    return atomic_load_explicit(&local->lanes_count, memory_order_relaxed) >= local->cpus;
}

/* The pause after the i-th look of a thread that waits for its answer. */
void owner_pause(const struct canceld_local *local, uint32_t i);

static inline void owner_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
