/* SPDX-License-Identifier: MIT */
#include "actor/promise.h"

#include "actor/system.h"

#include <stdlib.h>

static enum status promise_take(struct actor_system *system, struct actor_loop *home,
                                struct promise **promise_out)
{
    if (home != NULL) {
        bool full;
        *promise_out = promise_stock_take(home, &full);
        return *promise_out != NULL ? STATUS_OK : full ? STATUS_FULL : STATUS_NO_MEMORY;
    }
    if (!system_take(&system->asks_count, 1, system->options.asks_max)) {
        return STATUS_FULL;
    }
    *promise_out = calloc(1, sizeof **promise_out);
    if (*promise_out == NULL) {
        system_give(&system->asks_count, 1);
        return STATUS_NO_MEMORY;
    }
    return STATUS_OK;
}

enum status promise_new(struct actor_system *system, struct ask *ask, uint64_t timeout_ms,
                        struct promise **promise_out)
{
    struct actor_loop *here = loop_of_caller(system);
    struct actor_loop *home = here != NULL && here->stock.chunk > 0 ? here : NULL;
    enum status status = promise_take(system, home, promise_out);
    if (status != STATUS_OK) {
        return status;
    }
    struct promise *promise = *promise_out;
    *promise =
        (struct promise){.system = system, .home = home, .ask = ask, .deadline_ns = TIME_NEVER};
    atomic_init(&promise->shares, 2);
    if (timeout_ms <= UINT64_MAX / NS_PER_MS) {
        /* In a turn the time is the turn's: a clock read costs more than the rest of an ask. */
        uint64_t now_ns = here != NULL ? here->now_ns : clock_now_ns(system->options.clock);
        promise->deadline_ns = time_after(now_ns, timeout_ms * NS_PER_MS);
    }
    return STATUS_OK;
}

void promise_free(struct promise *promise)
{
    struct actor_system *system = promise->system;
    struct actor_loop *here = loop_of_caller(system);
    if (promise->home != NULL && here != NULL) {
        promise_stock_give(here, promise);
        return;
    }
    system_give(&system->asks_count, 1);
    free(promise);
}

void promise_drop(struct promise *promise)
{
    /* Release, so that what this side did to the promise is done before it is freed; acquire, so
     * that the one who frees it sees that of the other side. */
    if (atomic_fetch_sub_explicit(&promise->shares, 1, memory_order_acq_rel) == 1) {
        promise_free(promise);
    }
}

/* Takes the ask, for who ends it first: NULL for the others. *share_out: whether the asker's share
 * came along, and is the caller's to give back. */
static struct ask *promise_win(struct promise *promise, bool *share_out)
{
    *share_out = false;
    /* The first of all enders, on any threads, gets false here, and has the ask. Relaxed is not
     * enough: acquire and release order the loser's later frees after the winner's look at the
     * record. */
    if (atomic_exchange_explicit(&promise->ended, true, memory_order_acq_rel)) {
        return NULL;
    }
    struct ask *ask = promise->ask;
    /* Against a canceller on another thread: one of the two gets the asker's share, and gives it
     * back. Acquire and release: whoever it is stays out of *ask afterwards. */
    *share_out = atomic_exchange_explicit(&ask->promise, NULL, memory_order_acq_rel) != NULL;
    return ask;
}

/* Calls done for the one who won; the others' replies come too late. */
static void ask_done(struct ask *ask, enum ask_end end, struct message *reply)
{
    if (ask != NULL) {
        ask->done(ask, end, reply);
    } else if (reply != NULL) {
        message_release(reply);
    }
}

void promise_end(struct promise *promise, enum ask_end end)
{
    bool share;
    struct ask *ask = promise_win(promise, &share);
    ask_done(ask, end, NULL);
    if (share) {
        promise_drop(promise);
    }
}

void promise_arrive(struct promise *promise, struct actor *holder)
{
    ASSERT(promise->holder == NULL);
    promise->holder = holder;
    list_append(&holder->promises, &promise->of_holder);
    if (promise->deadline_ns == TIME_NEVER) {
        return;
    }
    struct actor_loop *loop = holder->loop;
    struct list_link *last = list_last(&loop->due);
    if (last == NULL ||
        LIST_OWNER(last, struct promise, of_due)->deadline_ns <= promise->deadline_ns) {
        list_append(&loop->due, &promise->of_due);
        return;
    }
    promise->timer.kind = LOOP_TIMER_PROMISE;
    timer_heap_set(&loop->timers, &promise->timer, promise->deadline_ns);
}

void promise_leave(struct promise *promise)
{
    if (promise->holder == NULL) {
        return;
    }
    ASSERT(loop_is_here(promise->holder->loop));
    timer_heap_clear(&promise->holder->loop->timers, &promise->timer);
    list_remove(&promise->of_due);
    list_remove(&promise->of_holder);
    promise->holder = NULL;
}

void promise_settle(struct promise *promise, enum ask_end end, struct message *reply)
{
    promise_leave(promise);
    bool share;
    struct ask *ask = promise_win(promise, &share);
    /* Before done: what it asks next may have this very promise again. */
    if (share) {
        promise_free(promise); /* Both shares are here: nobody else can reach it. */
    } else {
        promise_drop(promise);
    }
    ask_done(ask, end, reply);
}

void promise_fire(struct timer *timer)
{
    struct promise *promise = LIST_OWNER(timer, struct promise, timer);
    /* The answerer still holds its share, and its answer will be late. */
    promise_end(promise, ASK_TIMED_OUT);
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
