/* SPDX-License-Identifier: MIT */
#include "actor/promise.h"

#include "actor/loop.h"
#include "actor/system.h"

#include <stdlib.h>

enum status promise_new(struct actor_system *system, struct ask *ask, uint64_t timeout_ms,
                        struct promise **promise_out)
{
    if (!system_take(&system->asks_count, system->options.asks_max)) {
        return STATUS_FULL;
    }
    struct promise *promise = calloc(1, sizeof *promise);
    if (promise == NULL) {
        system_give(&system->asks_count);
        return STATUS_NO_MEMORY;
    }
    *promise = (struct promise){.system = system, .ask = ask, .deadline_ns = TIME_NEVER};
    atomic_init(&promise->shares, 2);
    if (timeout_ms <= UINT64_MAX / NS_PER_MS) {
        promise->deadline_ns =
            time_after(clock_now_ns(system->options.clock), timeout_ms * NS_PER_MS);
    }
    *promise_out = promise;
    return STATUS_OK;
}

void promise_free(struct promise *promise)
{
    if (promise != NULL) {
        system_give(&promise->system->asks_count);
        free(promise);
    }
}

void promise_drop(struct promise *promise)
{
    /* Release, so that what this side did to the promise is done before it is freed; acquire, so
     * that the one who frees it sees that of the other side. */
    if (atomic_fetch_sub_explicit(&promise->shares, 1, memory_order_acq_rel) == 1) {
        promise_free(promise);
    }
}

void promise_end(struct promise *promise, enum ask_end end, struct message *reply)
{
    /* The first of all enders, on any threads, gets false here, and has the ask. Relaxed is not
     * enough: acquire and release order the loser's later frees after the winner's look at the
     * record. */
    if (atomic_exchange_explicit(&promise->ended, true, memory_order_acq_rel)) {
        if (reply != NULL) {
            message_release(reply);
        }
        return;
    }
    struct ask *ask = promise->ask;
    /* Against a canceller on another thread: one of the two gets the asker's share, and gives it
     * back. Acquire and release: whoever it is stays out of *ask afterwards. */
    struct promise *share = atomic_exchange_explicit(&ask->promise, NULL, memory_order_acq_rel);
    ask->done(ask, end, reply);
    if (share != NULL) {
        promise_drop(share);
    }
}

void promise_arrive(struct promise *promise, struct actor *holder)
{
    ASSERT(promise->holder == NULL);
    promise->holder = holder;
    list_append(&holder->promises, &promise->of_holder);
    if (promise->deadline_ns != TIME_NEVER) {
        promise->timer.kind = LOOP_TIMER_PROMISE;
        timer_heap_set(&holder->loop->timers, &promise->timer, promise->deadline_ns);
    }
}

void promise_leave(struct promise *promise)
{
    if (promise->holder == NULL) {
        return;
    }
    ASSERT(loop_is_here(promise->holder->loop));
    timer_heap_clear(&promise->holder->loop->timers, &promise->timer);
    list_remove(&promise->of_holder);
    promise->holder = NULL;
}

void promise_settle(struct promise *promise, enum ask_end end, struct message *reply)
{
    promise_leave(promise);
    promise_end(promise, end, reply);
    promise_drop(promise);
}

void promise_fire(struct timer *timer)
{
    struct promise *promise = LIST_OWNER(timer, struct promise, timer);
    /* The answerer still holds its share, and its answer will be late. */
    promise_end(promise, ASK_TIMED_OUT, NULL);
}

void message_abandon(struct message *message)
{
    struct promise *promise = message->promise;
    message->promise = NULL;
    promise_settle(promise, ASK_DEAD, NULL);
}

struct promise *actor_defer(struct message *message)
{
    struct promise *promise = message->promise;
    message->promise = NULL;
    return promise;
}

void actor_reply(struct actor *self, struct promise *promise, struct message *reply)
{
    ASSERT(loop_is_here(self->loop));
    if (promise == NULL) {
        if (reply != NULL) {
            message_release(reply);
        }
        return;
    }
    ASSERT(promise->holder != NULL && promise->holder->loop == self->loop);
    if (reply != NULL) {
        ASSERT(!reply->queued);
        reply->promise = NULL;
    }
    promise_settle(promise, ASK_REPLY, reply);
}

enum status actor_forward(struct actor *self, uint64_t to, struct message *message)
{
    ASSERT(loop_is_here(self->loop));
    struct promise *promise = message->promise;
    struct actor *holder = promise != NULL ? promise->holder : NULL;
    if (promise != NULL) {
        /* Before the push: afterwards it is the other loop's. */
        promise_leave(promise);
    }
    enum status status = system_push(self->loop->system, to, message);
    if (status != STATUS_OK && promise != NULL) {
        promise_arrive(promise, holder);
    }
    return status;
}
