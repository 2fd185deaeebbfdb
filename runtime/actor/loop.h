/* SPDX-License-Identifier: MIT */
/* The inside of a loop and of an actor: for the files of this layer alone; everybody else uses
 * actor.h.
 *
 * A turn: the clock is read, one batch is popped behind what the run queue holds, one batch of that
 * is delivered, the timers that are due fire, the sweeps run. No handler runs inside another one. An actor that exits during a handler is taken
 * apart right after it, so nobody's `self` goes away under him.
 *
 * The guard: `inside` names the thread that is in a turn, and a second one is an ASSERT; `owner`
 * names the thread that ran the last turn, and functions with a `self` ASSERT that they are called
 * there. */
#ifndef CANCELD_ACTOR_LOOP_H
#define CANCELD_ACTOR_LOOP_H

#include "actor/actor.h"
#include "actor/address.h"
#include "actor/mailbox.h"
#include "actor/message_returns.h"
#include "actor/promise_stock.h"
#include "actor/run_queue.h"
#include "actor/source_set.h"
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
    _Atomic(uint64_t) refused; /* tells on the loop itself; the mailbox counts the others */
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
    bool closed;          /* nothing gets into the run queue any more */
    bool fence_sent;
    uint32_t timers_count; /* actor timers that are set */
    uint32_t slots_retired;
    struct slab slots;         /* of struct actor */
    struct region generations; /* of uint64_t: each slot's, for the slab clears its records */
    struct region living;      /* of struct actor *: each slot's, NULL where it is not there */
    uint32_t slots_end;        /* slots that the two regions have room for */
    struct run_queue run_queue;
    struct source_set sources;
    struct promise_stock stock;
    struct message_returns returns;
    struct timer_heap timers;
    /* Deadlines of asks that came in the order of their deadlines, as they do where timeouts are
     * alike; the others stand in `timers`. */
    struct list_link due;
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

/* The loop in whose turn the calling thread is, NULL for none. Its address names the thread. */
extern _Thread_local struct actor_loop *loop_here;

static inline uintptr_t loop_thread_id(void)
{
    return (uintptr_t) &loop_here;
}

/* The loop of this system in whose turn the caller is, NULL where it is in none. */
static inline struct actor_loop *loop_of_caller(const struct actor_system *system)
{
    return loop_here != NULL && loop_here->system == system ? loop_here : NULL;
}

/* Whether the caller is the loop's thread, or nobody has run the loop yet. */
static inline bool loop_is_here(const struct actor_loop *loop)
{
    if (loop_here == loop) {
        return true;
    }
    /* Relaxed: it orders nothing. A thread always reads what it wrote itself, and whatever another
     * one reads here is not that other one's name. */
    uintptr_t owner = atomic_load_explicit(&loop->owner, memory_order_relaxed);
    return owner == 0 || owner == loop_thread_id();
}

/* Whether the caller is inside a turn of this very loop. */
static inline bool loop_is_inside(const struct actor_loop *loop)
{
    return loop_here == loop;
}

/* From within a turn of the loop, to one of its own actors: into the run queue. */
MUST_CHECK enum status loop_tell(struct actor_loop *loop, struct message *message);

/* Releases a message that finds nobody; its ask ends DEAD. */
void loop_bounce(struct actor_loop *loop, struct message *message);

/* ---- loop_life.c: making, running, ending ---- */

void loop_free(struct actor_loop *loop);

/* ---- actor.c ---- */

/* The actor that an address names, NULL where it is gone or going. The loop's thread. */
static inline struct actor *loop_actor(const struct actor_loop *loop, uint64_t address)
{
    uint32_t slot = address_slot(address);
    if (address_loop(address) != loop->index || slot >= loop->slots_end) {
        return NULL;
    }
    struct actor *actor = ((struct actor *const *) loop->living.base)[slot];
    return actor != NULL && actor->address == address ? actor : NULL;
}

/* Takes the actors apart that exited. */
void loop_reap_dying(struct actor_loop *loop);

/* After each handler: no one runs any more. */
static inline void loop_reap(struct actor_loop *loop)
{
    if (list_first(&loop->dying) != NULL) {
        loop_reap_dying(loop);
    }
    loop->handling = false;
}

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
