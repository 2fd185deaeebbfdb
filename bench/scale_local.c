/* SPDX-License-Identifier: MIT */
/* A million operations of the embedded registry expire in the same instant. */
#include "map.h"
#include "scale_ends.h"
#include "watcher.h"

#include <canceld/local.h>
#include <string.h>

#define WINDOW 64
#define LEAD_FIRST_NS UINT64_C(3000000000)
#define MARGIN_NS UINT64_C(1000000000)
#define POLL_MS 5

static const uint8_t other_key[] = "another client's operation";

static void check(enum canceld_status status)
{
    if (status != CANCELD_OK) {
        harness_fail("canceld_local: %s", canceld_status_text(status));
    }
}

static struct canceld_local *start(void)
{
    const struct canceld_local_limit limits[] = {{"operations", ENDS_COUNT + 1000},
                                                 {"operations_namespace", ENDS_COUNT + 1000},
                                                 {"operations_session", ENDS_COUNT + 1000}};
    struct canceld_local_options options = {.callbacks = CANCELD_LOCAL_CALLBACKS_POLLED,
                                            .limits = limits,
                                            .limits_count = sizeof limits / sizeof limits[0],
                                            .leave_live = true};
    struct canceld_local *local = NULL;
    team_pin(team_processors() - 1);
    check(canceld_local_start(&options, &local));
    team_unpin();
    return local;
}

/* All with the same end, which is until_ns. */
static void fill(struct canceld_lane *lane, uint64_t until_ns)
{
    struct canceld_local_answer answer;
    uint64_t now_ns = slice_now_ns();
    for (uint32_t i = 0; i < ENDS_COUNT; i++) {
        uint8_t key[MAP_KEY_BYTES];
        map_key(i, 0, key);
        now_ns = i % WINDOW == 0 ? slice_now_ns() : now_ns;
        uint64_t left_ms = until_ns > now_ns ? (until_ns - now_ns) / 1000000 : 0;
        struct canceld_local_request store = {.op = CANCELD_OP_STORE,
                                              .key = {key, sizeof key},
                                              .ttl_ms = left_ms < 100 ? 100 : (uint32_t) left_ms,
                                              .on_expiry = CANCELD_ON_EXPIRY_REAP};
        if (canceld_lane_outstanding(lane) == WINDOW) {
            check(canceld_lane_collect(lane, 0, &answer));
        }
        check(canceld_lane_submit(lane, &store));
    }
    while (canceld_lane_outstanding(lane) > 0) {
        check(canceld_lane_collect(lane, 0, &answer));
    }
}

static void ask(void *client)
{
    struct canceld_local_request get = {.op = CANCELD_OP_GET, .key = {other_key, sizeof other_key}};
    struct canceld_local_answer answer;
    check(canceld_lane_ask(client, &get, 0, &answer));
}

static uint64_t live(struct canceld_local *local)
{
    uint64_t count = 0;
    struct canceld_result result;
    check(canceld_local_stats(local, 0, &result));
    for (size_t i = 0; i < result.stats_count; i++) {
        if (strcmp(result.stats[i].name, "operations_live") == 0) {
            count = result.stats[i].value;
        }
    }
    canceld_local_result_clear(&result);
    return count;
}

/* False: storing took longer than there was time for. */
static bool expire(struct canceld_local *local, uint64_t until_ns, struct ends *ends)
{
    struct canceld_lane *filler = NULL;
    struct canceld_lane *other = NULL;
    struct watcher watcher;
    check(canceld_lane_attach(local, WINDOW, &filler));
    check(canceld_lane_attach(local, 1, &other));
    struct canceld_local_request store = {.op = CANCELD_OP_STORE,
                                          .key = {other_key, sizeof other_key}};
    struct canceld_local_answer answer;
    check(canceld_lane_ask(other, &store, 0, &answer));
    fill(filler, until_ns);
    bool in_time = slice_now_ns() + MARGIN_NS < until_ns;
    if (in_time) {
        watcher_start(&watcher, ask, other);
        while (slice_now_ns() < until_ns) {
            team_rest(1);
        }
        while (live(local) > 1) {
            (void) canceld_local_run_callbacks(local, UINT32_MAX); /* there are none to be called */
            team_rest(POLL_MS);
        }
        ends->took_ns = slice_now_ns() - until_ns;
        watcher_stop(&watcher);
        watcher_between(&watcher, until_ns - ENDS_QUIET_NS - 50000000, until_ns - 50000000,
                        &ends->quiet);
        watcher_between(&watcher, until_ns, until_ns + ends->took_ns, &ends->during);
        watcher_fini(&watcher);
    }
    canceld_lane_detach(filler);
    canceld_lane_detach(other);
    return in_time;
}

void scale_local_expire(struct ends *ends)
{
    bool done = false;
    for (uint64_t lead_ns = LEAD_FIRST_NS; !done; lead_ns *= 2) {
        struct canceld_local *local = start();
        done = expire(local, slice_now_ns() + lead_ns, ends);
        canceld_local_free(local);
    }
}
