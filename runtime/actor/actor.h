/* SPDX-License-Identifier: MIT */
/* The actor runtime: actors that own their state, loops that run them, messages between them.
 *
 * An actor lives on one loop, and a loop is one thread, so at most one thread is ever inside an
 * actor: nothing in its state needs a lock. That is checked, not hoped for: entering an actor from
 * a second thread is an ASSERT. Several actors may share a loop (the registry and its connections
 * do); a call between them is then a plain function call, and their messages stay on one thread.
 *
 * An address carries its loop, so a sender on any thread needs no table and no lock; whether the
 * actor is still there is looked up by its own loop, at delivery. A message that finds nobody is
 * bounced: released on that loop, and its ask ends DEAD.
 *
 * Two ways lead to an actor, and the address alone decides: from within a turn of its own loop a
 * message goes into the loop's run queue, which costs no atomic; from anywhere else into the loop's
 * mailbox. Each turn begins by moving a batch of the mailbox behind what is in the run queue, and
 * delivers from there: what was there first comes first, and neither holds the other one up.
 *
 * Order: messages from one sender to one receiver arrive in the order of sending, nothing more.
 * Bounds: `mailbox_max` messages may wait in a loop's mailbox (a batch that the loop has in hand not
 * counted), and as many again of those that its own actors tell each other; one more is refused with
 * STATUS_FULL. So senders outside cannot take the room of those on the loop, nor the other way
 * round.
 * Messages marked `control` are never refused: each is embedded once in a sender that is itself
 * bounded.
 *
 * Functions that take a struct actor *self are for the actor's own loop; those that take a struct
 * actor_system * may be called on any thread, and never block unless they say so. */
#ifndef CANCELD_ACTOR_ACTOR_H
#define CANCELD_ACTOR_ACTOR_H

#include "actor/list.h"
#include "actor/message.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/status.h"
#include "base/timer_heap.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct actor_system;
struct actor_loop;
struct actor;

/* ---- systems and loops ---- */

struct actor_options {
    const struct clock *clock; /* NULL: clock_system */
    uint32_t actors_max;       /* actors at once, on all loops */
    uint32_t mailbox_max;      /* messages waiting on one loop, control messages not counted; and as
                                  many that its own actors told each other */
    uint32_t timers_max;     /* actor timers set on one loop; more is an ASSERT. 0: two an actor */
    uint32_t asks_max;       /* asks unanswered at once. 0: ACTOR_ASKS_MAX. Where it is
                            ACTOR_ASKS_STOCK_PART or more, each loop that asks keeps the right to up
                            to three of so many for itself */
    uint32_t spin_us;        /* how long an idle loop spins before it sleeps; 0: not at all */
    uint32_t source_spin_us; /* how long one with sources (source.h) looks at them before it sleeps,
                              * where that has paid of late; 0: not at all */
};

/* NULL where memory cannot be had. */
struct actor_system *actor_system_new(const struct actor_options *options);

/* Every loop that was started must have been stopped, and no other thread may be in a call on the
 * system. Takes NULL. */
void actor_system_free(struct actor_system *system);

/* A loop that nobody runs yet. It belongs to the system. `name` must stay. NULL where memory cannot
 * be had, or at ACTOR_LOOPS_MAX. From one thread at a time. */
struct actor_loop *actor_loop_new(struct actor_system *system, const char *name);

/* Gives the loop a thread of its own, with all signals blocked; returns when that thread runs.
 * STATUS_SYSTEM where it cannot be had; then the loop is as it was. */
MUST_CHECK enum status actor_loop_start(struct actor_loop *loop);

/* Ends the loop's thread and waits for it: with `drain` what stands in the mailbox now is delivered
 * first. The actors still on it are stopped (on_stop), the youngest first, and what remains is
 * bounced: asks end DEAD, messages are released; from then on tells answer STATUS_DEAD. From
 * outside the loop, one thread at a time. A loop that is run by hand ends on the calling thread.
 * Does nothing to a loop already stopped. */
void actor_loop_stop(struct actor_loop *loop, bool drain);

/* Runs a loop by hand, on the calling thread, which becomes the loop's: delivers at most
 * `messages_max` messages, runs the timers that are due and the sweeps, and returns whether
 * anything was done. For tests and simulations; never for a loop that was started. */
bool actor_loop_step(struct actor_loop *loop, uint32_t messages_max);

/* Steps one loop of the system that has work, chosen by the seed (a splitmix64 state, advanced),
 * one message at a time. False where no loop has any. */
bool actor_system_step(struct actor_system *system, uint64_t *seed);

/* ---- actors ---- */

struct actor_class {
    const char *name;
    /* One message, now the handler's (see message.h). */
    void (*on_message)(struct actor *self, struct message *message);
    /* Optional. Called once soon after the spawn, once after each batch of messages and timers of
     * the loop, and whenever the time it returned last has come: the place to flush output and to
     * advance bulk work by a budget. Returns when it wants to be called again at the latest (ns of
     * the system's clock; `now` or less: at once, after one look into the mailbox; TIME_NEVER: only
     * after a batch). A batch costs a call for each actor that has an on_sweep, and nothing for
     * those that have none. */
    uint64_t (*on_sweep)(struct actor *self, uint64_t now_ns);
    /* Optional. The actor's last call: give back what `state` holds. Its timers and monitors are
     * cleared already and must not be set again; deferred asks may still be answered. */
    void (*on_stop)(struct actor *self);
};

/* Puts an actor on a loop: from the loop's own thread, or from any before the loop runs. `state` is
 * what actor_state() gives. STATUS_FULL where actors_max are alive, STATUS_DEAD where the loop has
 * ended. */
MUST_CHECK enum status actor_spawn(struct actor_loop *loop, const struct actor_class *class,
                                   void *state, struct actor **actor_out);

void *actor_state(const struct actor *self);
uint64_t actor_self(const struct actor *self);
struct actor_loop *actor_loop_of(const struct actor *self);
struct actor_system *actor_system_of(const struct actor *self);

/* The time when the present batch began: one clock read a batch. */
uint64_t actor_now_ns(const struct actor *self);

/* Has the actor swept in this turn or the next, though nothing was delivered to it: whoever gives it work
 * by a call of its own, from another's sweep maybe, which may come behind its. By itself or a
 * neighbour; for one without an on_sweep it does nothing. */
void actor_sweep_soon(struct actor *self);

/* Ends the actor after the present handler (at once where none runs): its timers are cleared,
 * on_stop runs, asks that it still held end DEAD, monitors get one DOWN each, messages still coming
 * are bounced as for a dead address. By the actor itself or by a neighbour; afterwards the pointer
 * is void. Does nothing to an actor that is exiting already. */
void actor_exit(struct actor *self);

/* Whether an address names an actor that is alive and on the caller's loop, and its state. NULL
 * otherwise. The way to reach a neighbour on the same loop without a message. */
void *actor_neighbour(const struct actor *self, uint64_t address, const struct actor_class *class);

/* ---- tell, ask, reply ---- */

/* STATUS_OK, STATUS_FULL, or STATUS_DEAD where the loop of `to` has ended, or where the caller is
 * on that loop and the actor is gone. Accepted is not delivered: see "bounced" above. */
MUST_CHECK enum status actor_tell(struct actor_system *system, uint64_t to,
                                  struct message *message);

/* How an ask ended. Each ask that was accepted ends exactly once. */
enum ask_end { ASK_REPLY, ASK_TIMED_OUT, ASK_DEAD, ASK_CANCELLED };

/* The asker's record, zeroed but for `done`: it must stay where it is until `done` was called, and
 * is the asker's again when `done` begins. */
struct ask {
    /* Called once. On ASK_REPLY `reply` belongs to the callee of this (and may be NULL); otherwise
     * it is NULL. Runs on the thread that ended the ask (the answerer's loop, or the canceller),
     * and must not block. */
    void (*done)(struct ask *ask, enum ask_end end, struct message *reply);
    /* The runtime's. Taken by exchange, by whoever ends the ask or by a canceller, so that one of
     * them gives the asker's share of the promise back. */
    _Atomic(struct promise *) promise;
};

/* Sends `message` and waits for one answer, `timeout_ms` at most (counted from now, within a turn
 * from its actor_now_ns(), as an actor's timers are; looked at on the target's loop, so a target
 * that hangs delays the end; UINT64_MAX: no limit). STATUS_FULL
 * (mailbox or asks_max), STATUS_DEAD and STATUS_NO_MEMORY: not sent, done is not called. An ask
 * that ended is still delivered: it is a message like any other, and its answer is released. */
MUST_CHECK enum status actor_ask(struct actor_system *system, uint64_t to, struct message *message,
                                 uint64_t timeout_ms, struct ask *ask);

/* The asker gives up: done is called with ASK_CANCELLED, unless the ask ended before, and a late
 * answer is released. Any thread, for as long as the record is there: where `done` frees it, the
 * asker keeps the two apart. */
void actor_ask_cancel(struct ask *ask);

/* The same, blocking the calling thread, which must not be a loop of the system. The timeout is
 * kept by CLOCK_MONOTONIC. STATUS_OK with *reply_out, STATUS_TIMED_OUT, or STATUS_DEAD where nobody
 * will answer any more. STATUS_FULL and STATUS_NO_MEMORY: not sent, and the message is still the
 * caller's; in every other case it is not (where the loop had ended it was released here). */
MUST_CHECK enum status actor_ask_wait(struct actor_system *system, uint64_t to,
                                      struct message *message, uint64_t timeout_ms,
                                      struct message **reply_out);

/* The right to answer an ask, and the duty: opaque, the runtime's memory. It belongs to the actor
 * to which the message was delivered, and ends with it (ASK_DEAD after on_stop). */
struct promise;

/* Takes the promise out of a message, to answer later (a deferred reply): the message may then be
 * released. NULL where it was no ask, or where the promise was taken before. Whoever takes it owes
 * one actor_reply(). A message that is released with its promise in it ends the ask as ASK_DEAD. */
MUST_CHECK struct promise *actor_defer(struct message *message);

/* Answers the ask; `reply` may be NULL for a bare yes, and may be the very message that asked. Where
 * the ask has ended before, or `promise` is NULL, the reply is released. On the loop where the promise
 * was taken. */
void actor_reply(struct actor *self, struct promise *promise, struct message *reply);

/* Passes a message on, with its promise if it has one: the new receiver answers. STATUS_FULL or
 * STATUS_DEAD: the message is still the caller's, promise and all. */
MUST_CHECK enum status actor_forward(struct actor *self, uint64_t to, struct message *message);

/* ---- monitors and timers ---- */

/* What a monitor is told, once: the runtime's message inside the monitor's own record, zeroed
 * before its first use. */
struct message_down {
    struct message message; /* kind MESSAGE_DOWN */
    uint64_t address;       /* who is gone */
    /* The runtime's: */
    struct actor *watcher;
    struct list_link of_target;  /* in the target's watchers, later in the loop's downs */
    struct list_link of_watcher; /* in the watcher's own */
};

/* Has *down told to `self` when `address` ends (also where it is gone already), after every message
 * that it told before its end. The record stays with the runtime until it is delivered,
 * actor_demonitor() takes it back, or `self` ends (it is the actor's again in on_stop). Same loop
 * only. */
void actor_monitor(struct actor *self, uint64_t address, struct message_down *down);

/* Afterwards *down is the caller's and will not be delivered. Does nothing to one not set. */
void actor_demonitor(struct actor *self, struct message_down *down);

/* A timer of the actor, zeroed but for on_fire, which runs on the actor's loop, once a setting,
 * never early. */
struct actor_timer {
    struct timer timer;
    struct actor *actor;
    void (*on_fire)(struct actor *self, struct actor_timer *timer);
    struct list_link of_actor; /* the actor's set timers: the runtime's */
};

/* Sets the timer, or moves it. deadline_ns is on the system's clock. The caller owns it and clears
 * it before its memory goes; the actor's end clears it too. O(log n). */
void actor_timer_set(struct actor *self, struct actor_timer *timer, uint64_t deadline_ns);
void actor_timer_clear(struct actor *self, struct actor_timer *timer);

/* ---- seen from outside ---- */

struct actor_stats {
    uint64_t messages_delivered; /* and calls of sources: see source.h */
    uint64_t messages_refused;
    uint64_t messages_bounced;
    uint64_t sleeps;
    uint64_t wakes; /* sleeps that a sender ended; the others ended by their deadline */
    uint32_t actors;
};

/* Any thread; each figure is exact, all of them together are not. */
struct actor_stats actor_loop_stats(const struct actor_loop *loop);

#endif
