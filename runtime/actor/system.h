/* SPDX-License-Identifier: MIT */
/* The inside of a system: for the files of this layer alone. */
#ifndef CANCELD_ACTOR_SYSTEM_H
#define CANCELD_ACTOR_SYSTEM_H

#include "actor/actor.h"
#include "base/limits.h"

#include <stdatomic.h>

struct actor_system {
    struct actor_options options; /* with every default filled in */
    /* Written once each. Release and acquire: who finds a loop here finds it made. */
    _Atomic(struct actor_loop *) loops[ACTOR_LOOPS_MAX];
    /* Loops in all; relaxed, for whoever makes and steps them is one thread. */
    _Atomic(uint32_t) loops_count;
    /* Bounds that all loops share. Relaxed: they count, and order nothing. */
    _Atomic(uint32_t) actors_count;
    _Atomic(uint32_t) asks_count;
};

/* Puts a message whose promise is set (or NULL) into the mailbox of its address. Any thread. */
MUST_CHECK enum status system_push(struct actor_system *system, uint64_t to,
                                   struct message *message);

/* Takes `by` of a bounded number, all or none: false at the bound. system_give() takes them back.
 * Any thread. */
MUST_CHECK bool system_take(_Atomic(uint32_t) *count, uint32_t by, uint32_t count_max);
void system_give(_Atomic(uint32_t) *count, uint32_t by);

#endif
