/* SPDX-License-Identifier: MIT */
/* The callbacks of one registry, on their way from its owner to whoever runs them, and the news of their
 * return on its way back.
 *
 * They stand in one ring of LOCAL_CALLBACKS_MAX; those for which it has no room stand in a list of the
 * owner's, in their order. A callback that has returned is told to the registry (registry_direct_told())
 * by the owner, in its next sweep. */
#ifndef CANCELD_LOCAL_CALLBACKS_H
#define CANCELD_LOCAL_CALLBACKS_H

#include "actor/wake.h"
#include "base/limits.h"
#include "base/slab.h"
#include "local/cell.h"

#include <pthread.h>

struct canceld_local;

struct callback {
    void (*on_cancel)(void *arg, const struct canceld_local_notice *notice);
    void *arg;
    uint64_t gen;
    uint8_t kind; /* enum notice_kind */
    uint8_t cause;
    uint8_t outcome;
    uint32_t next; /* in the list of those without a place in the ring */
};

struct callbacks {
    /* The owner, and the runner by `pushed`. */
    _Alignas(64) _Atomic(uint32_t) pushed; /* release: the callbacks below it are there */
    /* The runner, and the owner by `done`. */
    _Alignas(64) _Atomic(uint32_t) done; /* release: those below it have returned */
    _Atomic(uint32_t) asleep;            /* the runner's thread sleeps, or is about to */
    _Atomic(uint32_t) raised;            /* the descriptor is readable, or about to be */
    _Atomic(uintptr_t) runner;           /* the thread in a callback; 0: none */
    _Atomic(bool) closing;               /* the thread ends once it has run all */
    struct wake wake;
    pthread_t thread;
    bool threaded; /* fixed at the start */
    int fd;        /* POLLED: an eventfd; -1: none */
    /* The owner. */
    _Alignas(64) uint32_t told; /* those below it were told to the registry */
    uint32_t shown;             /* the runner was woken for those below it */
    uint64_t told_count;        /* since the start */
    struct slab waiting;        /* of struct callback */
    uint32_t waiting_first;
    uint32_t waiting_last;
    uint32_t waiting_max; /* above it stores are refused */
    struct callback ring[LOCAL_CALLBACKS_MAX];
};

/* Room for every callback that `operations` live operations and those before them may call for. */
MUST_CHECK bool callbacks_init(struct callbacks *callbacks, uint64_t operations);
void callbacks_fini(struct callbacks *callbacks);

/* Their own thread, or a descriptor. */
MUST_CHECK bool callbacks_start(struct canceld_local *local);
MUST_CHECK bool callbacks_open(struct callbacks *callbacks);

/* Ends the thread once all callbacks have returned. */
void callbacks_stop(struct callbacks *callbacks);

/* ---- the owner ---- */

void callbacks_add(struct canceld_local *local, const struct callback *callback);

/* Tells the registry of those that returned; fills the ring. */
void callbacks_sweep(struct canceld_local *local);

/* Whether any returned since. */
static inline bool callbacks_have_news(const struct callbacks *callbacks)
{
    return atomic_load_explicit(&callbacks->done, memory_order_acquire) != callbacks->told;
}

/* Whether none is due or running. */
bool callbacks_are_over(const struct callbacks *callbacks);

/* Whether the list is so long that it could outgrow its bound. */
static inline bool callbacks_are_full(const struct callbacks *callbacks)
{
    return callbacks->waiting.count > callbacks->waiting_max;
}

/* Up to which number of `told` somebody has to wait who waits for the gen's callbacks; false: for none. */
bool callbacks_of(const struct callbacks *callbacks, uint64_t gen, uint64_t *until_out);

/* Before the owner sleeps: a runner that fell asleep meanwhile is woken if there is work for it. */
void callbacks_before_sleep(struct callbacks *callbacks);

/* ---- the runner ---- */

/* Runs up to `callbacks_max`; returns how many. */
uint32_t callbacks_run(struct canceld_local *local, uint32_t callbacks_max);

/* POLLED: the descriptor is made unreadable before a run, and readable after it if some are left. */
void callbacks_lower(struct callbacks *callbacks);
void callbacks_raise_again(struct callbacks *callbacks);

/* Whether the calling thread is in a callback. */
bool callbacks_is_runner(const struct callbacks *callbacks);

#endif
