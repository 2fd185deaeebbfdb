/* SPDX-License-Identifier: MIT */
#include "actor/address.h"
#include "actor/loop.h"
#include "actor/system.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#ifdef __linux__
#include <sys/prctl.h>
#endif

static void loop_init_lists(struct actor_loop *loop)
{
    list_init(&loop->due);
    list_init(&loop->actors);
    list_init(&loop->sweeping);
    list_init(&loop->dying);
    list_init(&loop->downs);
    list_init(&loop->downs_fenced);
}

/* Every table of the loop at its full size; memory comes as they fill. */
static bool loop_init_tables(struct actor_loop *loop, const struct actor_options *options)
{
    if (!slab_init(&loop->slots, sizeof(struct actor), options->actors_max)) {
        return false;
    }
    size_t slots_max = (size_t) loop->slots.chunks_count * loop->slots.chunk_records;
    ASSERT(slots_max <= ACTOR_SLOTS_MAX);
    loop->slots_end = (uint32_t) slots_max;
    promise_stock_init(&loop->stock, options->asks_max);
    return region_init(&loop->generations, slots_max * sizeof(uint64_t)) &&
           region_init(&loop->living, slots_max * sizeof(struct actor *)) &&
           timer_heap_init(&loop->timers, options->timers_max + options->asks_max);
}

/* Takes a loop that is half made. */
static void loop_fini_tables(struct actor_loop *loop)
{
    timer_heap_fini(&loop->timers);
    region_fini(&loop->living);
    region_fini(&loop->generations);
    slab_fini(&loop->slots);
}

static bool loop_init(struct actor_loop *loop, const struct actor_options *options)
{
    loop_init_lists(loop);
    if (!loop_init_tables(loop, options)) {
        goto no_tables;
    }
    if (!wake_init(&loop->started_wake)) {
        goto no_tables;
    }
    if (!mailbox_init(&loop->mailbox, options->mailbox_max)) {
        goto no_mailbox;
    }
    return true;

no_mailbox:
    wake_fini(&loop->started_wake);
no_tables:
    loop_fini_tables(loop);
    return false;
}

struct actor_loop *actor_loop_new(struct actor_system *system, const char *name)
{
    uint32_t index = atomic_load_explicit(&system->loops_count, memory_order_relaxed);
    if (index == ACTOR_LOOPS_MAX) {
        return NULL;
    }
    /* malloc() does not promise the mailbox's cache lines. */
    struct actor_loop *loop = aligned_alloc(MAILBOX_LINE_BYTES, sizeof *loop);
    if (loop == NULL) {
        return NULL;
    }
    memset(loop, 0, sizeof *loop);
    loop->system = system;
    loop->clock = system->options.clock;
    loop->spin_us = system->options.spin_us;
    loop->sources.spin_us = system->options.source_spin_us;
    loop->timers_max = system->options.timers_max;
    loop->name = name;
    loop->index = index;
    loop->now_ns = clock_now_ns(loop->clock);
    loop->sweep_at_ns = TIME_NEVER;
    loop->stop_message = (struct message){.kind = MESSAGE_STOP, .control = true};
    loop->fence = (struct message){.kind = MESSAGE_FENCE, .control = true};
    if (!loop_init(loop, &system->options)) {
        free(loop);
        return NULL;
    }
    /* Release, against the acquire of whoever takes an address apart. */
    atomic_store_explicit(&system->loops[index], loop, memory_order_release);
    atomic_store_explicit(&system->loops_count, index + 1, memory_order_relaxed);
    return loop;
}

void loop_free(struct actor_loop *loop)
{
    ASSERT(loop->stopped);
    promise_stock_fini(loop);
    mailbox_fini(&loop->mailbox);
    source_set_fini(loop);
    wake_fini(&loop->started_wake);
    loop_fini_tables(loop);
    free(loop);
}

/* What is in hand and in the mailbox when nobody is left to read it. */
static void bounce_all(struct actor_loop *loop)
{
    struct message *message;
    while ((message = run_queue_take(&loop->run_queue)) != NULL) {
        loop_bounce(loop, message);
    }
    while (!mailbox_is_empty(&loop->mailbox)) {
        uint32_t count = mailbox_pop(&loop->mailbox, loop->batch, ACTOR_BATCH_MAX);
        for (uint32_t i = 0; i < count; i++) {
            loop_bounce(loop, loop->batch[i]);
        }
        if (count == 0) {
            (void) sched_yield(); /* A sender is half through its push: let it finish. */
        }
    }
}

static void loop_end(struct actor_loop *loop)
{
    loop_enter(loop);
    /* First: what actors tell each other in their on_stop is refused, so this comes to an end. */
    mailbox_close(&loop->mailbox);
    loop->closed = true;
    for (struct list_link *link = list_last(&loop->actors); link != NULL;
         link = list_last(&loop->actors)) {
        actor_exit(LIST_OWNER(link, struct actor, of_loop));
    }
    bounce_all(loop);
    ASSERT(loop->timers.count == 0 && loop->timers_count == 0);
    ASSERT(run_queue_is_empty(&loop->run_queue) && list_first(&loop->due) == NULL);
    ASSERT(loop->slots.count == loop->slots_retired);
    ASSERT(list_first(&loop->downs) == NULL && list_first(&loop->downs_fenced) == NULL);
    loop_leave(loop);
}

static void loop_run(struct actor_loop *loop)
{
    while (!loop->ending) {
        if (!loop_turn(loop, ACTOR_BATCH_MAX) && !loop->ending) {
            loop_sleep(loop);
        }
    }
    loop_end(loop);
}

static void *loop_thread(void *argument)
{
    struct actor_loop *loop = argument;
#ifdef __linux__
    (void) prctl(PR_SET_NAME, loop->name); /* For people and debuggers; nothing hangs on it. */
#endif
    /* Takes the loop for this thread before anybody is told that it runs. */
    loop_enter(loop);
    loop_leave(loop);
    wake_signal(&loop->started_wake);
    loop_run(loop);
    return NULL;
}

enum status actor_loop_start(struct actor_loop *loop)
{
    ASSERT(!loop->started && !loop->stopped);
    sigset_t all;
    sigset_t before;
    (void) sigfillset(&all);
    /* The new thread inherits the mask: a signal goes to a thread that waits for signals. */
    int failed = pthread_sigmask(SIG_SETMASK, &all, &before);
    ASSERT(!failed);
    int refused = pthread_create(&loop->thread, NULL, loop_thread, loop);
    failed = pthread_sigmask(SIG_SETMASK, &before, NULL);
    ASSERT(!failed);
    if (refused != 0) {
        return STATUS_SYSTEM;
    }
    loop->started = true;
    bool woken = wake_wait(&loop->started_wake, TIME_NEVER);
    ASSERT(woken);
    return STATUS_OK;
}

void actor_loop_stop(struct actor_loop *loop, bool drain)
{
    if (loop->stopped) {
        return;
    }
    ASSERT(!loop_is_inside(loop)); /* It would wait for itself. */
    if (!drain) {
        atomic_store_explicit(&loop->stop_now, true, memory_order_relaxed);
    }
    /* Behind all that stands there now, which is what a drain delivers. */
    enum status status = mailbox_push(&loop->mailbox, &loop->stop_message);
    ASSERT(status == STATUS_OK);
    if (loop->started) {
        int failed = pthread_join(loop->thread, NULL);
        ASSERT(!failed);
    } else {
        loop_run(loop);
    }
    loop->stopped = true;
}
