/* SPDX-License-Identifier: MIT */
#include "actor/loop.h"

void actor_timer_set(struct actor *self, struct actor_timer *timer, uint64_t deadline_ns)
{
    struct actor_loop *loop = self->loop;
    ASSERT(loop_is_here(loop));
    ASSERT(!self->stopping);
    if (!timer_is_set(&timer->timer)) {
        /* The other part of the heap is for the deadlines of asks. */
        ASSERT(loop->timers_count < loop->timers_max);
        loop->timers_count++;
        timer->actor = self;
        timer->timer.kind = LOOP_TIMER_ACTOR;
        list_append(&self->timers, &timer->of_actor);
    }
    ASSERT(timer->actor == self);
    timer_heap_set(&loop->timers, &timer->timer, deadline_ns);
}

/* It is out of the heap, and is the actor's again. */
static void forget(struct actor_timer *timer)
{
    list_remove(&timer->of_actor);
    timer->actor->loop->timers_count--;
}

void actor_timer_clear(struct actor *self, struct actor_timer *timer)
{
    ASSERT(loop_is_here(self->loop));
    if (!timer_is_set(&timer->timer)) {
        return;
    }
    ASSERT(timer->actor == self);
    timer_heap_clear(&self->loop->timers, &timer->timer);
    forget(timer);
}

void actor_timer_clear_all(struct actor *actor)
{
    for (struct list_link *link = list_first(&actor->timers); link != NULL;
         link = list_first(&actor->timers)) {
        actor_timer_clear(actor, LIST_OWNER(link, struct actor_timer, of_actor));
    }
}

void actor_timer_fire(struct timer *timer)
{
    struct actor_timer *fired = LIST_OWNER(timer, struct actor_timer, timer);
    forget(fired);
    fired->on_fire(fired->actor, fired);
}
