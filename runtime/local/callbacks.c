/* SPDX-License-Identifier: MIT */
#include "local/callbacks.h"

#include "local/owner.h"
#include "local/state.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define RING_MASK (LOCAL_CALLBACKS_MAX - 1)

_Static_assert((LOCAL_CALLBACKS_MAX & RING_MASK) == 0, "the ring's indexes wrap");

bool callbacks_init(struct callbacks *callbacks, uint64_t operations)
{
    /* Each live operation may be told twice, later. */
    const uint64_t capacity = 4 * operations + LOCAL_CALLBACKS_MAX;
    callbacks->fd = -1;
    callbacks->waiting_max = (uint32_t) (2 * operations);
    return wake_init(&callbacks->wake) &&
           slab_init(&callbacks->waiting, sizeof(struct callback), (uint32_t) capacity);
}

void callbacks_fini(struct callbacks *callbacks)
{
    if (callbacks->fd >= 0) {
        (void) close(callbacks->fd); /* Nothing is left to be lost by it. */
    }
    slab_fini(&callbacks->waiting);
    wake_fini(&callbacks->wake);
}

bool callbacks_open(struct callbacks *callbacks)
{
    callbacks->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return callbacks->fd >= 0;
}

/* ---- the owner ---- */

static void raise_descriptor(struct callbacks *callbacks)
{
    const uint64_t one = 1;
    if (atomic_exchange_explicit(&callbacks->raised, 1, memory_order_acq_rel) == 0) {
        ssize_t written = write(callbacks->fd, &one, sizeof one);
        ASSERT(written == (ssize_t) sizeof one);
    }
}

/* The runner is there to be woken: its thread, or the descriptor. */
static void wake_runner(struct callbacks *callbacks)
{
    if (callbacks->threaded) {
        if (atomic_load_explicit(&callbacks->asleep, memory_order_relaxed) != 0 &&
            atomic_exchange_explicit(&callbacks->asleep, 0, memory_order_acq_rel) != 0) {
            wake_signal(&callbacks->wake);
        }
    } else if (callbacks->fd >= 0) {
        raise_descriptor(callbacks);
    }
}

static bool ring_has_room(const struct callbacks *callbacks)
{
    return atomic_load_explicit(&callbacks->pushed, memory_order_relaxed) - callbacks->told <
           LOCAL_CALLBACKS_MAX;
}

static void push(struct callbacks *callbacks, const struct callback *callback)
{
    const uint32_t pushed = atomic_load_explicit(&callbacks->pushed, memory_order_relaxed);
    callbacks->ring[pushed & RING_MASK] = *callback;
    atomic_store_explicit(&callbacks->pushed, pushed + 1, memory_order_release);
}

static struct callback *waiting_at(const struct callbacks *callbacks, uint32_t index)
{
    return slab_at(&callbacks->waiting, index);
}

void callbacks_add(struct canceld_local *local, const struct callback *callback)
{
    struct callbacks *callbacks = &local->callbacks;
    local->figures.callbacks++;
    if (callbacks->waiting_first == 0 && ring_has_room(callbacks)) {
        push(callbacks, callback);
        return;
    }
    const uint32_t index = slab_take(&callbacks->waiting);
    ASSERT(index != 0); /* stores are refused long before */
    *waiting_at(callbacks, index) = *callback;
    waiting_at(callbacks, index)->next = 0;
    if (callbacks->waiting_first == 0) {
        callbacks->waiting_first = index;
    } else {
        waiting_at(callbacks, callbacks->waiting_last)->next = index;
    }
    callbacks->waiting_last = index;
}

static void tell_registry(struct canceld_local *local, uint32_t done)
{
    struct callbacks *callbacks = &local->callbacks;
    for (; callbacks->told != done; callbacks->told++) {
        const struct callback *callback = &callbacks->ring[callbacks->told & RING_MASK];
        callbacks->told_count++;
        registry_direct_told(local->registry, callback->gen, (enum notice_kind) callback->kind,
                             local->now_ms);
    }
}

void callbacks_sweep(struct canceld_local *local)
{
    struct callbacks *callbacks = &local->callbacks;
    const uint32_t done = atomic_load_explicit(&callbacks->done, memory_order_acquire);
    if (done != callbacks->told) {
        tell_registry(local, done);
        owner_end_callback_waits(local);
    }
    while (callbacks->waiting_first != 0 && ring_has_room(callbacks)) {
        const uint32_t index = callbacks->waiting_first;
        push(callbacks, waiting_at(callbacks, index));
        callbacks->waiting_first = waiting_at(callbacks, index)->next;
        slab_give(&callbacks->waiting, index);
    }
    const uint32_t pushed = atomic_load_explicit(&callbacks->pushed, memory_order_relaxed);
    if (pushed != callbacks->shown) {
        callbacks->shown = pushed;
        wake_runner(callbacks);
    }
}

bool callbacks_are_over(const struct callbacks *callbacks)
{
    return callbacks->waiting_first == 0 &&
           atomic_load_explicit(&callbacks->pushed, memory_order_relaxed) == callbacks->told;
}

bool callbacks_of(const struct callbacks *callbacks, uint64_t gen, uint64_t *until_out)
{
    const uint32_t pushed = atomic_load_explicit(&callbacks->pushed, memory_order_relaxed);
    const uint32_t in_ring = pushed - callbacks->told;
    if (callbacks->waiting_first != 0) {
        *until_out = callbacks->told_count + in_ring + callbacks->waiting.count;
        return true;
    }
    for (uint32_t i = in_ring; i > 0; i--) {
        if (callbacks->ring[(callbacks->told + i - 1) & RING_MASK].gen == gen) {
            *until_out = callbacks->told_count + i;
            return true;
        }
    }
    return false;
}

void callbacks_before_sleep(struct callbacks *callbacks)
{
    /* A read-modify-write even where nobody sleeps: a runner that comes to its own after this one sees
     * what was pushed, and one that came before is seen here. */
    if (callbacks->threaded &&
        atomic_exchange_explicit(&callbacks->asleep, 0, memory_order_acq_rel) != 0) {
        wake_signal(&callbacks->wake);
    }
}

/* ---- the runner ---- */

static void run(const struct callback *callback)
{
    const bool ended = callback->kind == NOTICE_ENDED;
    callback->on_cancel(
        callback->arg,
        &(struct canceld_local_notice){.gen = callback->gen,
                                       .ended = ended,
                                       .cause = (enum canceld_cause_code) callback->cause,
                                       .outcome = ended ? (enum canceld_outcome) callback->outcome
                                                        : CANCELD_OUTCOME_UNSET});
}

uint32_t callbacks_run(struct canceld_local *local, uint32_t callbacks_max)
{
    struct callbacks *callbacks = &local->callbacks;
    uint32_t done = atomic_load_explicit(&callbacks->done, memory_order_relaxed);
    uint32_t count = 0;
    while (count < callbacks_max) {
        /* Acquire, against push(): what is called is there. */
        if (done == atomic_load_explicit(&callbacks->pushed, memory_order_acquire)) {
            break;
        }
        const struct callback callback = callbacks->ring[done & RING_MASK];
        atomic_store_explicit(&callbacks->runner, (uintptr_t) pthread_self(), memory_order_relaxed);
        run(&callback);
        atomic_store_explicit(&callbacks->runner, 0, memory_order_relaxed);
        done++;
        count++;
        /* Sequentially consistent, with the look at the owner's sleep: see owner.h. */
        atomic_store_explicit(&callbacks->done, done, memory_order_seq_cst);
        owner_wake(local);
    }
    return count;
}

void callbacks_lower(struct callbacks *callbacks)
{
    uint64_t count;
    if (atomic_load_explicit(&callbacks->raised, memory_order_relaxed) == 0) {
        return;
    }
    /* Where the owner has not written yet: it is readable for nothing once. */
    ssize_t got = read(callbacks->fd, &count, sizeof count);
    ASSERT(got == (ssize_t) sizeof count || errno == EAGAIN);
    /* Acquire and release: what was pushed before the owner saw a 1 here is seen by the run. */
    (void) atomic_exchange_explicit(&callbacks->raised, 0, memory_order_acq_rel);
}

void callbacks_raise_again(struct callbacks *callbacks)
{
    if (atomic_load_explicit(&callbacks->done, memory_order_relaxed) !=
        atomic_load_explicit(&callbacks->pushed, memory_order_acquire)) {
        raise_descriptor(callbacks);
    }
}

bool callbacks_is_runner(const struct callbacks *callbacks)
{
    /* Relaxed: only the thread itself can have written its own name there. */
    return atomic_load_explicit(&callbacks->runner, memory_order_relaxed) ==
           (uintptr_t) pthread_self();
}

static bool runner_is_needed(const struct callbacks *callbacks)
{
    return atomic_load_explicit(&callbacks->done, memory_order_relaxed) !=
               atomic_load_explicit(&callbacks->pushed, memory_order_acquire) ||
           atomic_load_explicit(&callbacks->closing, memory_order_acquire);
}

static void *runner_main(void *context)
{
    struct canceld_local *local = context;
    struct callbacks *callbacks = &local->callbacks;
    for (;;) {
        if (callbacks_run(local, LOCAL_CALLBACKS_MAX) > 0) {
            continue;
        }
        if (atomic_load_explicit(&callbacks->closing, memory_order_acquire)) {
            return NULL;
        }
        (void) atomic_exchange_explicit(&callbacks->asleep, 1, memory_order_acq_rel);
        if (!runner_is_needed(callbacks)) {
            (void) wake_wait(&callbacks->wake, TIME_NEVER);
        }
        atomic_store_explicit(&callbacks->asleep, 0, memory_order_relaxed);
    }
}

bool callbacks_start(struct canceld_local *local)
{
    /* Set before the thread is there to read it. */
    local->callbacks.threaded = true;
    if (pthread_create(&local->callbacks.thread, NULL, runner_main, local) != 0) {
        local->callbacks.threaded = false;
    }
    return local->callbacks.threaded;
}

void callbacks_stop(struct callbacks *callbacks)
{
    if (!callbacks->threaded) {
        return;
    }
    atomic_store_explicit(&callbacks->closing, true, memory_order_release);
    wake_signal(&callbacks->wake);
    int failed = pthread_join(callbacks->thread, NULL);
    ASSERT(!failed);
}
