/* SPDX-License-Identifier: MIT */
#include "actor/actor.h"

#include "actor/address.h"
#include "actor/loop.h"
#include "actor/promise.h"
#include "actor/system.h"

static uint64_t *generation_at(const struct actor_loop *loop, uint32_t slot)
{
    return (uint64_t *) loop->generations.base + slot;
}

static struct actor **living_at(const struct actor_loop *loop, uint32_t slot)
{
    return (struct actor **) loop->living.base + slot;
}

static struct actor *slot_at(const struct actor_loop *loop, uint32_t slot)
{
    return slab_at(&loop->slots, slot);
}

enum status actor_spawn(struct actor_loop *loop, const struct actor_class *class, void *state,
                        struct actor **actor_out)
{
    ASSERT(loop_is_here(loop));
    ASSERT(class->on_message != NULL);
    if (loop->ending || loop->stopped) {
        return STATUS_DEAD;
    }
    struct actor_system *system = loop->system;
    if (!system_take(&system->actors_count, 1, system->options.actors_max)) {
        return STATUS_FULL;
    }
    uint32_t slot = slab_take(&loop->slots);
    if (slot == 0) {
        system_give(&system->actors_count, 1); /* Retired slots count too. */
        return STATUS_FULL;
    }
    struct actor *actor = slot_at(loop, slot);
    *actor = (struct actor){.loop = loop, .class = class, .state = state};
    actor->address = address_of(loop->index, slot, ++*generation_at(loop, slot));
    *living_at(loop, slot) = actor;
    list_init(&actor->timers);
    list_init(&actor->promises);
    list_init(&actor->watchers);
    list_init(&actor->watching);
    list_append(&loop->actors, &actor->of_loop);
    if (class->on_sweep != NULL) {
        list_append(&loop->sweeping, &actor->of_sweep);
        loop->sweep_at_ns = 0;
    }
    (void) atomic_fetch_add_explicit(&loop->stats.actors, 1, memory_order_relaxed);
    *actor_out = actor;
    return STATUS_OK;
}

/* The slot's next actor gets another generation; without one left the slot stays taken for good. */
static void slot_give(struct actor_loop *loop, uint64_t address)
{
    uint32_t slot = address_slot(address);
    if (address_generation(address) == ADDRESS_GENERATION_MAX) {
        slot_at(loop, slot)->address = ACTOR_NONE;
        loop->slots_retired++;
        return;
    }
    slab_give(&loop->slots, slot);
}

static void actor_end(struct actor *actor)
{
    struct actor_loop *loop = actor->loop;
    /* Timers and monitors stand in memory of the state's, which on_stop gives back. */
    actor->stopping = true;
    actor_timer_clear_all(actor);
    monitor_clear(actor);
    if (actor->class->on_stop != NULL) {
        actor->class->on_stop(actor);
    }
    for (struct list_link *link = list_first(&actor->promises); link != NULL;
         link = list_first(&actor->promises)) {
        promise_settle(LIST_OWNER(link, struct promise, of_holder), ASK_DEAD, NULL);
    }
    monitor_notify(actor);
    if (loop->sweep_next == &actor->of_sweep) {
        loop->sweep_next = list_after(&loop->sweeping, &actor->of_sweep);
    }
    list_remove(&actor->of_sweep);
    list_remove(&actor->of_loop);
    (void) atomic_fetch_sub_explicit(&loop->stats.actors, 1, memory_order_relaxed);
    system_give(&loop->system->actors_count, 1);
    slot_give(loop, actor->address);
}

void loop_reap_dying(struct actor_loop *loop)
{
    /* Until none is left: an on_stop may end a neighbour. */
    loop->handling = true;
    for (struct list_link *link = list_first(&loop->dying); link != NULL;
         link = list_first(&loop->dying)) {
        list_remove(link);
        actor_end(LIST_OWNER(link, struct actor, of_dying));
    }
}

void actor_exit(struct actor *self)
{
    struct actor_loop *loop = self->loop;
    ASSERT(loop_is_here(loop));
    if (self->exiting) {
        return;
    }
    self->exiting = true;
    *living_at(loop, address_slot(self->address)) = NULL;
    list_append(&loop->dying, &self->of_dying);
    if (!loop->handling) {
        loop_reap(loop);
    }
}

void *actor_neighbour(const struct actor *self, uint64_t address, const struct actor_class *class)
{
    ASSERT(loop_is_here(self->loop));
    const struct actor *actor = loop_actor(self->loop, address);
    return actor != NULL && actor->class == class ? actor->state : NULL;
}

void *actor_state(const struct actor *self)
{
    return self->state;
}

uint64_t actor_self(const struct actor *self)
{
    return self->address;
}

struct actor_loop *actor_loop_of(const struct actor *self)
{
    return self->loop;
}

struct actor_system *actor_system_of(const struct actor *self)
{
    return self->loop->system;
}

void actor_sweep_soon(struct actor *self)
{
    ASSERT(loop_is_here(self->loop));
    self->sweep_at_ns = 0;
    self->loop->sweep_at_ns = 0;
}

uint64_t actor_now_ns(const struct actor *self)
{
    ASSERT(loop_is_here(self->loop));
    return self->loop->now_ns;
}
