/* SPDX-License-Identifier: MIT */
/* The inside of a loop and of an actor: for the files of this layer alone; everybody else uses
 * actor.h.
 *
 * A turn: the clock is read, one batch is popped and delivered, the timers that are due fire, the
 * sweeps run. No handler runs inside another one. An actor that exits during a handler is taken
 * apart right after it, so nobody's `self` goes away under him.
 *
 * The guard: `inside` names the thread that is in a turn, and a second one is an ASSERT; `owner`
 * names the thread that ran the last turn, and functions with a `self` ASSERT that they are called
 * there. */
#ifndef CANCELD_ACTOR_LOOP_H
#define CANCELD_ACTOR_LOOP_H

#include "actor/actor.h"
#include "actor/mailbox.h"
#include "base/limits.h"
#include "base/slab.h"

#include <stdatomic.h>

enum loop_timer_kind { LOOP_TIMER_ACTOR, LOOP_TIMER_PROMISE };

struct actor {
    struct actor_loop *loop;
    const struct actor_class *class;
    void *state;
    uint64_t address;
    uint64_t sweep_at_ns;
    bool exiting;  /* will be taken apart when the present handler returns */
    bool stopping; /* is being taken apart: no timer or monitor any more */
    struct list_link of_loop;
    struct list_link of_sweep; /* linked where the class has an on_sweep */
    struct list_link of_dying;
    struct list_link timers;   /* set actor timers */
    struct list_link promises; /* asks that it has not answered */
    struct list_link watchers; /* struct message_down that name this actor */
    struct list_link watching; /* struct message_down that this actor set */
};

/* Written by the loop's thread, read by any. */
struct loop_stats {
    _Atomic(uint64_t) delivered;
    _Atomic(uint64_t) bounced;
    _Atomic(uint64_t) sleeps;
    _Atomic(uint64_t) wakes;
    _Atomic(uint32_t) actors;
};

struct actor_loop {
    struct mailbox mailbox;
    _Atomic(uintptr_t) owner;
    _Atomic(uintptr_t) inside;
    _Atomic(bool) stop_now; /* deliver nothing more: set before the stop message is pushed */
    struct loop_stats stats;

    /* Fixed. */
    struct actor_system *system;
    const struct clock *clock;
    const char *name;
    uint32_t index; /* in the system, and in the addresses of its actors */
    uint32_t spin_us;
    uint32_t timers_max; /* actor timers */

    /* The one who starts and stops the loop. */
    pthread_t thread;
    struct wake started_wake;
    bool started;
    bool stopped;
    struct message stop_message;

    /* The loop's thread alone. */
    uint64_t now_ns;      /* when the present turn began */
    uint64_t sweep_at_ns; /* the earliest time at which an actor wants its sweep */
    bool handling;        /* a handler runs */
    bool ending;          /* the stop message came, or stop_now */
    bool fence_sent;
    uint32_t timers_count; /* actor timers that are set */
    uint32_t slots_retired;
    struct slab slots;         /* of struct actor */
    struct region generations; /* of uint64_t: each slot's, for the slab clears its records */
    struct timer_heap timers;
    struct list_link actors; /* in the order of their spawning */
    struct list_link sweeping;
    struct list_link *sweep_next; /* where the present pass goes on: moved by an exit */
    struct list_link dying;
    struct list_link downs_fenced; /* to be delivered when the fence comes back */
    struct list_link downs;        /* queued after that fence was sent */
    struct message fence;
    struct message *batch[ACTOR_BATCH_MAX];
};

/* ---- loop.c: turns ---- */

/* One turn; returns whether anything was done. The caller is the loop's thread from here on. */
bool loop_turn(struct actor_loop *loop, uint32_t messages_max);

/* Whether a turn would do anything now. */
bool loop_has_work(const struct actor_loop *loop);

/* Sleeps until a message may have come or the nearest timer or sweep is due. */
void loop_sleep(struct actor_loop *loop);

/* Around whatever runs handlers: the guard. */
void loop_enter(struct actor_loop *loop);
void loop_leave(struct actor_loop *loop);

/* Whether the caller is inside a turn of any loop of the system. */
bool loop_is_caller_in(const struct actor_system *system);

/* Whether the caller is the loop's thread, or nobody has run the loop yet. */
bool loop_is_here(const struct actor_loop *loop);

/* Whether the caller is inside a turn of this very loop. */
bool loop_is_inside(const struct actor_loop *loop);

/* Releases a message that finds nobody; its ask ends DEAD. */
void loop_bounce(struct actor_loop *loop, struct message *message);

/* ---- loop_life.c: making, running, ending ---- */

void loop_free(struct actor_loop *loop);

/* ---- actor.c ---- */

/* The actor that an address names, NULL where it is gone or going. The loop's thread. */
struct actor *loop_actor(const struct actor_loop *loop, uint64_t address);

/* Takes the actors apart that exited, now that no handler runs. */
void loop_reap(struct actor_loop *loop);

/* ---- monitor.c ---- */

/* Tells the watchers of an actor that ends. */
void monitor_notify(struct actor *actor);

/* Takes back what the actor watches. */
void monitor_clear(struct actor *actor);

/* The fence came back: the downs that it stands for are due. */
void monitor_fence(struct actor_loop *loop);

/* ---- actor_timer.c ---- */

void actor_timer_fire(struct timer *timer);
void actor_timer_clear_all(struct actor *actor);

static inline void stats_add(_Atomic(uint64_t) *figure, uint64_t by)
{
    /* Relaxed: one thread writes it, the others want a figure, and it orders nothing. */
    atomic_store_explicit(figure, atomic_load_explicit(figure, memory_order_relaxed) + by,
                          memory_order_relaxed);
}

#endif
