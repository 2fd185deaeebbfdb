/* SPDX-License-Identifier: MIT */
#include "actor/loop.h"
#include "actor/promise.h"
#include "actor/system.h"

enum status actor_ask(struct actor_system *system, uint64_t to, struct message *message,
                      uint64_t timeout_ms, struct ask *ask)
{
    struct promise *promise;
    enum status status = promise_new(system, ask, timeout_ms, &promise);
    if (status != STATUS_OK) {
        return status;
    }
    /* Relaxed: the push hands it over, and a canceller is the asker's own matter. */
    atomic_store_explicit(&ask->promise, promise, memory_order_relaxed);
    message->promise = promise;
    status = system_push(system, to, message);
    if (status != STATUS_OK) {
        message->promise = NULL;
        atomic_store_explicit(&ask->promise, NULL, memory_order_relaxed);
        promise_free(promise);
    }
    return status;
}

void actor_ask_cancel(struct ask *ask)
{
    /* See promise_win(): with the share in hand the promise stays, whoever ends the ask. */
    struct promise *promise = atomic_exchange_explicit(&ask->promise, NULL, memory_order_acq_rel);
    if (promise == NULL) {
        return;
    }
    promise_end(promise, ASK_CANCELLED);
    promise_drop(promise);
}

struct ask_waiter {
    struct ask ask; /* first: done gets a pointer to it */
    struct wake wake;
    enum ask_end end;
    struct message *reply;
};

static void waiter_done(struct ask *ask, enum ask_end end, struct message *reply)
{
    struct ask_waiter *waiter = (struct ask_waiter *) ask;
    waiter->end = end;
    waiter->reply = reply;
    wake_signal(&waiter->wake);
}

static enum status waiter_wait(struct ask_waiter *waiter, uint64_t timeout_ms)
{
    static const enum status statuses[] = {[ASK_REPLY] = STATUS_OK,
                                           [ASK_TIMED_OUT] = STATUS_TIMED_OUT,
                                           [ASK_DEAD] = STATUS_DEAD,
                                           [ASK_CANCELLED] = STATUS_TIMED_OUT};

    uint64_t timeout_ns = TIME_NEVER;
    if (timeout_ms <= UINT64_MAX / NS_PER_MS) {
        timeout_ns = timeout_ms * NS_PER_MS;
    }
    if (!wake_wait(&waiter->wake, timeout_ns)) {
        actor_ask_cancel(&waiter->ask);
        /* Where the cancel came too late, whoever was first is about to signal. */
        bool woken = wake_wait(&waiter->wake, TIME_NEVER);
        ASSERT(woken);
    }
    return statuses[waiter->end];
}

enum status actor_ask_wait(struct actor_system *system, uint64_t to, struct message *message,
                           uint64_t timeout_ms, struct message **reply_out)
{
    ASSERT(loop_of_caller(system) == NULL);
    struct ask_waiter waiter = {.ask = {.done = waiter_done}};
    if (!wake_init(&waiter.wake)) {
        return STATUS_NO_MEMORY;
    }
    enum status status = actor_ask(system, to, message, UINT64_MAX, &waiter.ask);
    if (status == STATUS_DEAD) {
        message_release(message);
    } else if (status == STATUS_OK) {
        status = waiter_wait(&waiter, timeout_ms);
        if (status == STATUS_OK) {
            *reply_out = waiter.reply;
        }
    }
    wake_fini(&waiter.wake);
    return status;
}
