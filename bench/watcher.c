/* SPDX-License-Identifier: MIT */
#include "watcher.h"

#include <stdlib.h>

#define ASKS_MAX ((size_t) 16 << 20)

static void *watcher_main(void *argument)
{
    struct watcher *watcher = argument;
    team_pin(0);
    while (!atomic_load_explicit(&watcher->stop, memory_order_relaxed)) {
        uint64_t from = slice_ticks();
        watcher->ask(watcher->client);
        uint64_t took = slice_ticks() - from;
        if (watcher->asks_count < ASKS_MAX) {
            watcher->asks[watcher->asks_count++] = (struct watcher_ask){from, took};
        }
    }
    return NULL;
}

void watcher_start(struct watcher *watcher, void (*ask)(void *client), void *client)
{
    *watcher = (struct watcher){.ask = ask, .client = client};
    watcher->asks = malloc(ASKS_MAX * sizeof watcher->asks[0]);
    ASSERT(watcher->asks != NULL);
    watcher->begin_ns = slice_now_ns();
    watcher->begin_ticks = slice_ticks();
    ASSERT(pthread_create(&watcher->thread, NULL, watcher_main, watcher) == 0);
}

void watcher_stop(struct watcher *watcher)
{
    atomic_store(&watcher->stop, true);
    pthread_join(watcher->thread, NULL);
}

void watcher_fini(struct watcher *watcher)
{
    free(watcher->asks);
}

void watcher_between(const struct watcher *watcher, uint64_t from_ns, uint64_t to_ns,
                     struct histogram *histogram)
{
    histogram_init(histogram);
    for (size_t i = 0; i < watcher->asks_count; i++) {
        uint64_t at = watcher->asks[i].from_ticks - watcher->begin_ticks;
        uint64_t begun_ns = watcher->begin_ns + slice_ticks_ns(at);
        uint64_t took_ns = slice_ticks_ns(watcher->asks[i].took_ticks);
        if (begun_ns + took_ns > from_ns && begun_ns < to_ns) {
            histogram_add(histogram, took_ns);
        }
    }
}
