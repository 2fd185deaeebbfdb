/* SPDX-License-Identifier: MIT */
/* Another client: asks one thing after the other on a thread of its own and writes down when each ask
 * began and how long it took, so that afterwards the asks of one stretch of time can be told from those
 * of another. */
#ifndef CANCELD_BENCH_WATCHER_H
#define CANCELD_BENCH_WATCHER_H

#include "harness.h"

#include <pthread.h>
#include <stdatomic.h>

struct watcher_ask {
    uint64_t from_ticks;
    uint64_t took_ticks;
};

struct watcher {
    void (*ask)(void *client); /* one ask, answered */
    void *client;
    struct watcher_ask *asks;
    size_t asks_count; /* beyond what there is room for they are not written down */
    uint64_t begin_ticks;
    uint64_t begin_ns;
    atomic_bool stop;
    pthread_t thread;
};

void watcher_start(struct watcher *watcher, void (*ask)(void *client), void *client);

/* Waits for the end of the thread; what was written down stays until watcher_fini(). */
void watcher_stop(struct watcher *watcher);
void watcher_fini(struct watcher *watcher);

/* The asks that were under way in [from_ns, to_ns), monotonic. */
void watcher_between(const struct watcher *watcher, uint64_t from_ns, uint64_t to_ns,
                     struct histogram *histogram);

#endif
