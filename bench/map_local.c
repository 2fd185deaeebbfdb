/* SPDX-License-Identifier: MIT */
/* The embedded registry (canceld/local.h): the owner's thread on one processor, those that ask on
 * another, each by a lane with a window: so many ops are under way at once. With window 1 an op is asked
 * and waited for. Cancel functions are called by a thread that asks, as with a lock. Inline there is no
 * owner's thread: the lane is a batch. */
#include "map.h"

#include <canceld/local.h>
#include <stdlib.h>

#define WINDOW_MAX 64
#define CALLBACKS_MAX 64
#define SETTLE_NS UINT64_C(1000000000)

struct local_map {
    struct canceld_local *local;
    uint32_t window;
    bool is_inline;
    atomic_bool has_caller; /* somebody runs the callbacks */
};

struct local_client {
    struct local_map *map;
    struct canceld_lane *lane;
    bool is_caller;
    struct map_op ops[WINDOW_MAX]; /* under way, in the order of their answers */
    uint32_t first;
    uint32_t count;
};

static void cancelled(void *argument, const struct canceld_local_notice *notice)
{
    (void) notice;
    map_cancelled(argument);
}

/* The threads of the registry run where this one does when it starts them: on the last processor. */
static void *local_new(const struct map_config *config, uint32_t window, bool is_inline)
{
    struct local_map *map = calloc(1, sizeof *map);
    ASSERT(map != NULL);
    map->window = window;
    map->is_inline = is_inline;
    const struct canceld_local_limit limits[] = {{"operations", config->capacity},
                                                 {"operations_namespace", config->capacity},
                                                 {"operations_session", config->capacity},
                                                 {"bytes", UINT64_C(1) << 36}};
    struct canceld_local_options options = {.mode = is_inline ? CANCELD_LOCAL_INLINE
                                                              : CANCELD_LOCAL_THREADED,
                                            .callbacks = CANCELD_LOCAL_CALLBACKS_POLLED,
                                            .now_ms = slice_now_ns() / 1000000,
                                            .limits = limits,
                                            .limits_count = sizeof limits / sizeof limits[0],
                                            .leave_live = true};
    team_pin(team_processors() - 1);
    enum canceld_status status = canceld_local_start(&options, &map->local);
    team_unpin();
    if (status != CANCELD_OK) {
        harness_fail("canceld_local_start: %s", canceld_status_text(status));
    }
    return map;
}

static void *local_new_1(const struct map_config *config)
{
    return local_new(config, 1, false);
}

static void *local_new_8(const struct map_config *config)
{
    return local_new(config, 8, false);
}

static void *local_new_64(const struct map_config *config)
{
    return local_new(config, 64, false);
}

static void *local_new_inline(const struct map_config *config)
{
    return local_new(config, 64, true);
}

static void local_free(void *argument)
{
    struct local_map *map = argument;
    canceld_local_free(map->local);
    free(map);
}

static void *local_attach(void *argument)
{
    struct local_map *map = argument;
    struct local_client *client = calloc(1, sizeof *client);
    ASSERT(client != NULL);
    client->map = map;
    client->is_caller = !atomic_exchange(&map->has_caller, true);
    enum canceld_status status = canceld_lane_attach(map->local, map->window, &client->lane);
    if (status != CANCELD_OK) {
        harness_fail("canceld_lane_attach: %s", canceld_status_text(status));
    }
    return client;
}

static void local_detach(void *argument)
{
    struct local_client *client = argument;
    canceld_lane_detach(client->lane);
    if (client->is_caller) {
        atomic_store(&client->map->has_caller, false);
    }
    free(client);
}

static struct canceld_local_request request_of(const struct map_op *op)
{
    static const enum canceld_op kinds[] = {[MAP_STORE] = CANCELD_OP_STORE,
                                            [MAP_DELETE] = CANCELD_OP_DELETE,
                                            [MAP_GET] = CANCELD_OP_GET,
                                            [MAP_CANCEL] = CANCELD_OP_CANCEL};
    return (struct canceld_local_request){.op = kinds[op->kind],
                                          .key = {op->key, MAP_KEY_BYTES},
                                          .gen = op->gen,
                                          .ttl_ms = op->ttl_ms,
                                          .on_expiry = CANCELD_ON_EXPIRY_REAP,
                                          .outcome = CANCELD_OUTCOME_COMPLETED,
                                          .on_cancel = cancelled};
}

static bool is_hit(const struct canceld_local_answer *answer)
{
    return answer->answer == CANCELD_ANSWER_STORED || answer->answer == CANCELD_ANSWER_DELETED ||
           answer->answer == CANCELD_ANSWER_FOUND || answer->answer == CANCELD_ANSWER_REQUESTED ||
           answer->answer == CANCELD_ANSWER_ALREADY_REQUESTED;
}

static void check(enum canceld_status status)
{
    if (status != CANCELD_OK) {
        harness_fail("a lane: %s", canceld_status_text(status));
    }
}

/* Inline; what is left to do comes with the next sweep. */
static void sweep(struct local_map *map)
{
    bool more = canceld_local_run_once(map->local, slice_now_ns() / 1000000);
    (void) more;
}

static void run_callbacks(struct local_client *client)
{
    struct local_map *map = client->map;
    if (map->is_inline) {
        sweep(map);
    }
    if (client->is_caller) {
        (void) canceld_local_run_callbacks(map->local,
                                           CALLBACKS_MAX); /* how many does not matter */
    }
}

static void collect(struct local_client *client, struct map_stream *stream)
{
    struct canceld_local_answer answer;
    check(canceld_lane_collect(client->lane, 0, &answer));
    map_stream_done(stream, &client->ops[client->first], is_hit(&answer), answer.gen);
    client->first = (client->first + 1) % client->map->window;
    client->count--;
}

static void run_window(struct local_client *client, struct map_stream *stream)
{
    uint32_t window = client->map->window;
    bool more = true;
    while (more || client->count > 0) {
        while (client->count < window) {
            struct map_op *op = &client->ops[(client->first + client->count) % window];
            more = more && map_stream_next(stream, op);
            if (!more) {
                break;
            }
            struct canceld_local_request request = request_of(op);
            check(canceld_lane_submit(client->lane, &request));
            client->count++;
        }
        canceld_lane_flush(client->lane);
        uint32_t keep = more ? window / 2 : 0;
        while (client->count > keep) {
            collect(client, stream);
        }
        run_callbacks(client);
    }
}

static void run_asks(struct local_client *client, struct map_stream *stream)
{
    struct map_op op;
    uint32_t asked = 0;
    while (map_stream_next(stream, &op)) {
        struct canceld_local_request request = request_of(&op);
        struct canceld_local_answer answer;
        check(canceld_lane_ask(client->lane, &request, 0, &answer));
        map_stream_done(stream, &op, is_hit(&answer), answer.gen);
        if (++asked % WINDOW_MAX == 0) {
            run_callbacks(client);
        }
    }
}

static void local_run(void *argument, struct map_stream *stream)
{
    struct local_client *client = argument;
    if (client->map->window == 1) {
        run_asks(client, stream);
    } else {
        run_window(client, stream);
    }
}

static void local_settle(void *argument)
{
    struct local_map *map = argument;
    uint64_t until_ns = slice_now_ns() + SETTLE_NS;
    do {
        if (map->is_inline) {
            sweep(map);
        } else {
            team_rest(10);
        }
    } while (slice_now_ns() < until_ns);
}

#define LOCAL_DESIGN                                                                               \
    .free = local_free, .attach = local_attach, .detach = local_detach, .run = local_run,          \
    .settle = local_settle

const struct map_design map_designs_local[] = {
    {.peer = "ours-window-1",
     .note = "2 threads: the owner and one that asks, one op at a time",
     .workers = 1,
     .make = local_new_1,
     LOCAL_DESIGN},
    {.peer = "ours-window-8",
     .note = "2 threads: the owner and one that asks, 8 ops under way",
     .workers = 1,
     .make = local_new_8,
     LOCAL_DESIGN},
    {.peer = "ours-window-64",
     .note = "2 threads: the owner and one that asks, 64 ops under way",
     .weigh_quick = true,
     .workers = 1,
     .make = local_new_64,
     LOCAL_DESIGN},
    {.peer = "ours-window-64-3-clients",
     .note = "4 threads: the owner on one processor, three that ask on the other, 64 ops each",
     .full_only = true,
     .workers = 3,
     .processors = 1,
     .no_clean = true,
     .make = local_new_64,
     LOCAL_DESIGN},
    {.peer = "ours-inline",
     .note = "1 thread: the registry on the thread that asks, batches of 64",
     .workers = 1,
     .make = local_new_inline,
     LOCAL_DESIGN},
    {.peer = NULL},
};
