/* SPDX-License-Identifier: MIT */
#include "actor/system.h"

#include "actor/address.h"
#include "actor/loop.h"

#include <stdlib.h>

_Static_assert(ACTOR_LOOPS_MAX == 1 << (64 - ADDRESS_GENERATION_BITS - ADDRESS_SLOT_BITS),
               "each loop has its bits in an address");
_Static_assert(ACTOR_SLOTS_MAX == ADDRESS_SLOT_MAX + 1, "each slot has its bits in an address");

struct actor_system *actor_system_new(const struct actor_options *options)
{
    ASSERT(options->actors_max > 0 && options->actors_max < ACTOR_SLOTS_MAX / 2);
    ASSERT(options->mailbox_max > 0);
    struct actor_system *system = calloc(1, sizeof *system);
    if (system == NULL) {
        return NULL;
    }
    system->options = *options;
    if (system->options.clock == NULL) {
        system->options.clock = &clock_system;
    }
    if (system->options.timers_max == 0) {
        system->options.timers_max = 2 * options->actors_max;
    }
    if (system->options.asks_max == 0) {
        system->options.asks_max = ACTOR_ASKS_MAX;
    }
    ASSERT(system->options.asks_max < UINT32_MAX / 2 &&
           system->options.timers_max < UINT32_MAX / 2);
    return system;
}

static struct actor_loop *system_loop(const struct actor_system *system, uint32_t index)
{
    return atomic_load_explicit(&system->loops[index], memory_order_acquire);
}

void actor_system_free(struct actor_system *system)
{
    if (system == NULL) {
        return;
    }
    uint32_t count = atomic_load_explicit(&system->loops_count, memory_order_relaxed);
    for (uint32_t i = 0; i < count; i++) {
        struct actor_loop *loop = system_loop(system, i);
        ASSERT(loop->stopped || !loop->started);
        actor_loop_stop(loop, false);
    }
    /* Only now: the ends of one loop's actors may still tell those of another. */
    for (uint32_t i = 0; i < count; i++) {
        loop_free(system_loop(system, i));
    }
    ASSERT(atomic_load_explicit(&system->actors_count, memory_order_relaxed) == 0);
    ASSERT(atomic_load_explicit(&system->asks_count, memory_order_relaxed) == 0);
    free(system);
}

enum status system_push(struct actor_system *system, uint64_t to, struct message *message)
{
    struct actor_loop *loop = system_loop(system, address_loop(to));
    if (loop == NULL || address_slot(to) == 0) {
        return STATUS_DEAD;
    }
    message->to = to;
    /* On the loop itself the answer is known at once; from elsewhere it is not until delivery. */
    if (loop_is_inside(loop)) {
        return loop_tell(loop, message);
    }
    return mailbox_push(&loop->mailbox, message);
}

enum status actor_tell(struct actor_system *system, uint64_t to, struct message *message)
{
    message->promise = NULL;
    return system_push(system, to, message);
}

bool system_take(_Atomic(uint32_t) *count, uint32_t by, uint32_t count_max)
{
    uint32_t before = atomic_fetch_add_explicit(count, by, memory_order_relaxed);
    if (before + by > count_max) {
        (void) atomic_fetch_sub_explicit(count, by, memory_order_relaxed);
        return false;
    }
    return true;
}

void system_give(_Atomic(uint32_t) *count, uint32_t by)
{
    uint32_t before = atomic_fetch_sub_explicit(count, by, memory_order_relaxed);
    ASSERT(before >= by);
}

/* S. Vigna's splitmix64: one word of state, and any seed will do. */
static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

bool actor_system_step(struct actor_system *system, uint64_t *seed)
{
    struct actor_loop *ready[ACTOR_LOOPS_MAX];
    uint32_t ready_count = 0;
    uint32_t count = atomic_load_explicit(&system->loops_count, memory_order_relaxed);
    for (uint32_t i = 0; i < count; i++) {
        struct actor_loop *loop = system_loop(system, i);
        if (!loop->stopped && loop_has_work(loop)) {
            ready[ready_count++] = loop;
        }
    }
    if (ready_count == 0) {
        return false;
    }
    return actor_loop_step(ready[splitmix64(seed) % ready_count], 1);
}
