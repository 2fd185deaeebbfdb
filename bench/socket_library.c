/* SPDX-License-Identifier: MIT */
#include "socket_library.h"

#include "harness.h"
#include "socket_client.h"

#include <canceld/client.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 1024

/* One op on its way at a time: a store, then the delete of what it stored. The callback thread's. */
struct lane {
    struct run *run;
    uint64_t key_next;
    uint8_t key[CLIENT_KEY_BYTES];
};

struct run {
    struct canceld_client *client;
    uint64_t end_ns;
    uint64_t answered;
    struct lane lanes[DEPTH_MAX];
    /* Under the mutex: */
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    uint32_t lanes_busy;
};

struct canceld_client *library_open(const struct server *server)
{
    char url[SERVER_PATH_BYTES + 8];
    struct canceld_client *client = NULL;
    snprintf(url, sizeof url, "ipc://%s", server->path);
    const struct canceld_options options = {.url = url};
    if (canceld_connect(&options, 0, &client) != CANCELD_OK) {
        harness_fail("the client library cannot connect to %s", url);
    }
    return client;
}

void library_close(struct canceld_client *client)
{
    canceld_close(client, 0);
}

static void expect(enum canceld_status status, const struct canceld_result *result,
                   enum canceld_answer answer)
{
    if (status != CANCELD_OK || result->answer != answer) {
        harness_fail("the client library: status %d", (int) status);
    }
}

/* ---- one at a time ---- */

static uint64_t run_blocking(struct canceld_client *client, uint32_t slice_ms, uint64_t seed)
{
    uint64_t end_ns = slice_now_ns() + slice_ms * UINT64_C(1000000);
    uint64_t answered = 0;
    uint8_t key[CLIENT_KEY_BYTES];
    while (slice_now_ns() < end_ns) {
        client_key(seed << 40 | answered, key);
        const struct canceld_store_request store = {.key = {.data = key, .size = sizeof key},
                                                    .ttl_ms = CLIENT_TTL_MS};
        struct canceld_operation *operation = NULL;
        struct canceld_result result;
        enum canceld_status status = canceld_store(client, &store, 0, &operation, &result);
        expect(status, &result, CANCELD_ANSWER_STORED);
        canceld_result_clear(&result);
        status = canceld_operation_finish(operation, CANCELD_OUTCOME_COMPLETED, 0, &result);
        expect(status, &result, CANCELD_ANSWER_DELETED);
        canceld_result_clear(&result);
        answered += 2;
    }
    return answered;
}

/* ---- pipelined ---- */

static void lane_store(struct lane *lane);

static void lane_ends(struct lane *lane)
{
    struct run *run = lane->run;
    pthread_mutex_lock(&run->mutex);
    if (--run->lanes_busy == 0) {
        pthread_cond_signal(&run->ended);
    }
    pthread_mutex_unlock(&run->mutex);
}

static void on_deleted(enum canceld_status status, const struct canceld_result *result,
                       struct canceld_operation *operation, void *arg)
{
    (void) operation;
    struct lane *lane = arg;
    expect(status, result, CANCELD_ANSWER_DELETED);
    lane->run->answered += 2;
    if (slice_now_ns() < lane->run->end_ns) {
        lane_store(lane);
    } else {
        lane_ends(lane);
    }
}

static void on_stored(enum canceld_status status, const struct canceld_result *result,
                      struct canceld_operation *operation, void *arg)
{
    struct lane *lane = arg;
    expect(status, result, CANCELD_ANSWER_STORED);
    const struct canceld_request request = {
        .op = CANCELD_OP_DELETE,
        .of.delete_ = {.key = {.data = lane->key, .size = sizeof lane->key},
                       .gen = result->gen,
                       .outcome = CANCELD_OUTCOME_COMPLETED}};
    canceld_operation_forget(operation);
    if (canceld_submit(lane->run->client, &request, 0, on_deleted, lane) != CANCELD_OK) {
        harness_fail("the client library takes no delete");
    }
}

static void lane_store(struct lane *lane)
{
    client_key(lane->key_next++, lane->key);
    const struct canceld_request request = {
        .op = CANCELD_OP_STORE,
        .of.store = {.key = {.data = lane->key, .size = sizeof lane->key},
                     .ttl_ms = CLIENT_TTL_MS}};
    if (canceld_submit(lane->run->client, &request, 0, on_stored, lane) != CANCELD_OK) {
        harness_fail("the client library takes no store");
    }
}

uint64_t library_run(struct canceld_client *client, uint32_t depth, uint32_t slice_ms,
                     uint64_t seed)
{
    static struct run run;
    ASSERT(depth <= DEPTH_MAX);
    if (depth == 1) {
        return run_blocking(client, slice_ms, seed);
    }
    run.client = client;
    run.end_ns = slice_now_ns() + slice_ms * UINT64_C(1000000);
    run.answered = 0;
    run.lanes_busy = depth;
    pthread_mutex_init(&run.mutex, NULL);
    pthread_cond_init(&run.ended, NULL);
    for (uint32_t i = 0; i < depth; i++) {
        run.lanes[i].run = &run;
        run.lanes[i].key_next = seed << 44 | (uint64_t) (i + 1) << 32;
        lane_store(&run.lanes[i]);
    }
    pthread_mutex_lock(&run.mutex);
    while (run.lanes_busy > 0) {
        pthread_cond_wait(&run.ended, &run.mutex);
    }
    pthread_mutex_unlock(&run.mutex);
    pthread_cond_destroy(&run.ended);
    pthread_mutex_destroy(&run.mutex);
    return run.answered;
}
