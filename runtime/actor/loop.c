/* SPDX-License-Identifier: MIT */
#include "actor/loop.h"

#include "actor/promise.h"

#include <sched.h>

/* At the mailbox, between two at the clock. */
#define SPIN_LOOKS 32

_Thread_local struct actor_loop *loop_here;

void loop_enter(struct actor_loop *loop)
{
    /* Acquire, against the release in loop_leave(): a loop that two threads run by hand in turns is
     * handed over whole. */
    uintptr_t before =
        atomic_exchange_explicit(&loop->inside, loop_thread_id(), memory_order_acquire);
    ASSERT(before == 0); /* else two threads are inside one actor */
    /* Relaxed: see loop_is_here(). */
    atomic_store_explicit(&loop->owner, loop_thread_id(), memory_order_relaxed);
    loop_here = loop;
}

void loop_leave(struct actor_loop *loop)
{
    promise_stock_flush(loop);
    message_returns_flush(&loop->returns);
    loop_here = NULL;
    atomic_store_explicit(&loop->inside, 0, memory_order_release);
}

enum status loop_tell(struct actor_loop *loop, struct message *message)
{
    ASSERT(!message->queued);
    if (loop->closed || loop_actor(loop, message->to) == NULL) {
        return STATUS_DEAD;
    }
    if (!message->control && loop->run_queue.told_count >= loop->mailbox.messages_max) {
        stats_add(&loop->stats.refused, 1);
        return STATUS_FULL;
    }
    run_queue_add(&loop->run_queue, message, true);
    return STATUS_OK;
}

void loop_bounce(struct actor_loop *loop, struct message *message)
{
    if (address_slot(message->to) == 0) {
        return; /* the loop's own: it has no more use for them */
    }
    stats_add(&loop->stats.bounced, 1);
    message_release(message);
}

static void loop_deliver(struct actor_loop *loop, struct message *message)
{
    if (message->kind == MESSAGE_STOP) {
        loop->ending = true;
        return;
    }
    if (message->kind == MESSAGE_FENCE) {
        monitor_fence(loop);
        return;
    }
    struct actor *actor = loop_actor(loop, message->to);
    if (actor == NULL) {
        loop_bounce(loop, message);
        return;
    }
    if (message->promise != NULL) {
        promise_arrive(message->promise, actor);
    }
    stats_add(&loop->stats.delivered, 1);
    loop->handling = true;
    actor->class->on_message(actor, message);
    loop_reap(loop);
}

/* From the mailbox behind what is in hand: up to a batch of it, so that what stands in the run queue
 * stays bounded however much its actors tell each other. */
static void take_mail(struct actor_loop *loop, uint32_t count_max)
{
    if (loop->run_queue.mailed_count >= count_max) {
        return;
    }
    uint32_t count =
        mailbox_pop(&loop->mailbox, loop->batch, count_max - loop->run_queue.mailed_count);
    for (uint32_t i = 0; i < count; i++) {
        run_queue_add(&loop->run_queue, loop->batch[i], false);
    }
}

static uint32_t deliver_batch(struct actor_loop *loop, uint32_t messages_max)
{
    uint32_t count_max = messages_max < ACTOR_BATCH_MAX ? messages_max : ACTOR_BATCH_MAX;
    take_mail(loop, count_max);
    uint32_t count = 0;
    while (count < count_max && !run_queue_is_empty(&loop->run_queue)) {
        /* Relaxed: the stop message comes behind it in any case. This only makes it soon. */
        if (atomic_load_explicit(&loop->stop_now, memory_order_relaxed)) {
            loop->ending = true;
        }
        if (loop->ending) {
            break; /* The end bounces what is left. */
        }
        loop_deliver(loop, run_queue_take(&loop->run_queue));
        count++;
    }
    return count;
}

/* Asks whose time is over, of those whose deadlines came in order. */
static uint32_t end_due_asks(struct actor_loop *loop)
{
    uint32_t count = 0;
    struct promise *promise;
    while ((promise = promise_due(loop)) != NULL && promise->deadline_ns <= loop->now_ns) {
        list_remove(&promise->of_due);
        count++;
        loop->handling = true;
        promise_end(promise, ASK_TIMED_OUT);
        loop_reap(loop);
    }
    return count;
}

static uint32_t fire_timers(struct actor_loop *loop)
{
    static void (*const fire[])(struct timer *) = {
        [LOOP_TIMER_ACTOR] = actor_timer_fire, [LOOP_TIMER_PROMISE] = promise_fire};
    /* A timer that is set anew to the past waits for the next turn, so messages get theirs. */
    uint32_t left = loop->timers.count;
    uint32_t count = end_due_asks(loop);
    for (; left > 0; left--) {
        struct timer *timer = timer_heap_first(&loop->timers);
        if (timer == NULL || timer->deadline > loop->now_ns) {
            break;
        }
        timer_heap_clear(&loop->timers, timer);
        count++;
        loop->handling = true;
        fire[timer->kind](timer);
        loop_reap(loop);
    }
    return count;
}

static void sweep_one(struct actor_loop *loop, struct actor *actor)
{
    loop->handling = true;
    actor->sweep_at_ns = actor->class->on_sweep(actor, loop->now_ns);
}

static uint32_t sweep(struct actor_loop *loop, bool after_batch)
{
    if (!after_batch && loop->sweep_at_ns > loop->now_ns) {
        return 0;
    }
    uint32_t count = 0;
    loop->sweep_at_ns = TIME_NEVER;
    loop->sweep_next = list_first(&loop->sweeping);
    while (loop->sweep_next != NULL) {
        struct actor *actor = LIST_OWNER(loop->sweep_next, struct actor, of_sweep);
        loop->sweep_next = list_after(&loop->sweeping, &actor->of_sweep);
        if (after_batch || actor->sweep_at_ns <= loop->now_ns) {
            sweep_one(loop, actor);
            count++;
        }
        if (actor->sweep_at_ns < loop->sweep_at_ns) {
            loop->sweep_at_ns = actor->sweep_at_ns;
        }
        loop_reap(loop); /* may move sweep_next */
    }
    return count;
}

bool loop_turn(struct actor_loop *loop, uint32_t messages_max)
{
    loop_enter(loop);
    loop->now_ns = clock_now_ns(loop->clock);
    uint32_t count = deliver_batch(loop, messages_max);
    if (!loop->ending) {
        count += source_set_deliver(loop);
    }
    if (!atomic_load_explicit(&loop->stop_now, memory_order_relaxed)) {
        count += fire_timers(loop);
        count += sweep(loop, count > 0);
    }
    loop_leave(loop);
    return count > 0;
}

/* When a timer or a sweep is due. */
static uint64_t loop_deadline(const struct actor_loop *loop)
{
    const struct timer *timer = timer_heap_first(&loop->timers);
    uint64_t deadline = timer == NULL ? TIME_NEVER : timer->deadline;
    const struct promise *promise = promise_due(loop);
    if (promise != NULL && promise->deadline_ns < deadline) {
        deadline = promise->deadline_ns;
    }
    return loop->sweep_at_ns < deadline ? loop->sweep_at_ns : deadline;
}

bool loop_has_work(const struct actor_loop *loop)
{
    return !run_queue_is_empty(&loop->run_queue) || !mailbox_is_empty(&loop->mailbox) ||
           loop_deadline(loop) <= clock_now_ns(loop->clock);
}

/* Lets a neighbour on the same core go ahead. */
static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Looks for messages for a while; returns whether there are any. By the real clock: another one may
 * stand still while nobody turns it. A look at the clock or at the descriptors takes longer than
 * many at the mailbox. What is not there after these may be with a sender who waits for this very
 * processor: he gets it before he would by a sleep, and a loop that has it alone loses little. */
static bool spin(struct actor_loop *loop, uint64_t span_ns)
{
    uint64_t end_ns = time_after(clock_now_ns(&clock_system), span_ns);
    do {
        for (uint32_t i = 0; i < SPIN_LOOKS; i++) {
            if (!mailbox_is_empty(&loop->mailbox)) {
                return true;
            }
            relax();
        }
        if (loop->sources.open && source_set_wait(loop, 0)) {
            return true;
        }
        (void) sched_yield();
    } while (clock_now_ns(&clock_system) < end_ns);
    return false;
}

/* As mailbox_sleep(), on the loop's descriptors too. */
static enum mailbox_sleep sleep_on_sources(struct actor_loop *loop, uint64_t span_ns)
{
    if (!mailbox_doze(&loop->mailbox)) {
        return MAILBOX_NOT_EMPTY;
    }
    bool woken = source_set_wait(loop, span_ns);
    mailbox_rouse(&loop->mailbox);
    return woken ? MAILBOX_WOKEN : MAILBOX_TIMED_OUT;
}

void loop_sleep(struct actor_loop *loop)
{
    ASSERT(run_queue_is_empty(&loop->run_queue)); /* A turn that did nothing has emptied it. */
    uint64_t deadline_ns = loop_deadline(loop);
    uint64_t span_ns = TIME_NEVER;
    if (deadline_ns != TIME_NEVER) {
        span_ns = deadline_ns > loop->now_ns ? deadline_ns - loop->now_ns : 0;
    }
    if (source_set_spin(loop, span_ns)) {
        return;
    }
    uint64_t spin_ns = (uint64_t) loop->spin_us * 1000;
    if (spin_ns > 0 && span_ns > spin_ns && spin(loop, spin_ns)) {
        return;
    }
    enum mailbox_sleep end = loop->sources.open ? sleep_on_sources(loop, span_ns)
                                                : mailbox_sleep(&loop->mailbox, span_ns);
    if (end == MAILBOX_NOT_EMPTY) {
        /* A message came just now, or its sender was interrupted half through: let it finish. */
        (void) sched_yield();
        return;
    }
    stats_add(&loop->stats.sleeps, 1);
    stats_add(&loop->stats.wakes, end == MAILBOX_WOKEN);
}

bool actor_loop_step(struct actor_loop *loop, uint32_t messages_max)
{
    ASSERT(!loop->started && !loop->stopped);
    return loop_turn(loop, messages_max);
}

struct actor_stats actor_loop_stats(const struct actor_loop *loop)
{
    const struct loop_stats *stats = &loop->stats;
    return (struct actor_stats){
        .messages_delivered = atomic_load_explicit(&stats->delivered, memory_order_relaxed),
        .messages_refused = mailbox_refused(&loop->mailbox) +
                            atomic_load_explicit(&stats->refused, memory_order_relaxed),
        .messages_bounced = atomic_load_explicit(&stats->bounced, memory_order_relaxed),
        .sleeps = atomic_load_explicit(&stats->sleeps, memory_order_relaxed),
        .wakes = atomic_load_explicit(&stats->wakes, memory_order_relaxed),
        .actors = atomic_load_explicit(&stats->actors, memory_order_relaxed)};
}
