/* SPDX-License-Identifier: MIT */
/* The client library and the daemon, each as it is shipped: the three ways an owner hears of its cancel, links that
 * are cut, daemons that are stopped, killed and started anew. */
#include "canceld_program.h"
#include "client_relay.h"
#include "testing.h"

#include <canceld/client.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FLAGS "--listen ipc://@/s --state-dir @/state --limit-grace-ms 400"

/* What a callback has heard; read by the case's own thread. */
struct heard {
    atomic_int notices;
    atomic_int cancels;
    atomic_int losts;
    atomic_int lost_possibles;
    atomic_int ends;
    atomic_int events[8];
    atomic_int hold; /* callbacks wait while it is set */
    atomic_int held; /* one is waiting */
    atomic_int done; /* pipelined calls */
    atomic_int done_oks;
};

static struct heard heard;

static void on_notice(struct canceld_operation *operation, void *arg)
{
    struct canceld_notice notice;

    (void) arg;
    CHECK_EQ(canceld_operation_notice(operation, &notice), CANCELD_OK);
    atomic_store(&heard.cancels, notice.cancelled);
    atomic_store(&heard.losts, notice.lost);
    atomic_store(&heard.lost_possibles, notice.lost_possible);
    atomic_store(&heard.ends, notice.ended);
    atomic_fetch_add(&heard.notices, 1);
    atomic_store(&heard.held, 1);
    CHECK_EVENTUALLY(atomic_load(&heard.hold) == 0);
}

static void on_event(struct canceld_client *client, enum canceld_event event, void *arg)
{
    (void) client;
    (void) arg;
    atomic_fetch_add(&heard.events[event], 1);
}

static const char *url_of(const char *name)
{
    static char urls[4][300];
    static size_t turn;
    char *url = urls[turn++ % 4];

    (void) snprintf(url, sizeof urls[0], "ipc://%s", test_path(name));
    return url;
}

static struct canceld_client *connected(const char *url, bool sessionless, uint32_t heartbeat_ms)
{
    struct canceld_options options = {.url = url,
                                      .client_name = "test",
                                      .heartbeat_ms = heartbeat_ms,
                                      .sessionless = sessionless,
                                      .await_daemon = true,
                                      .on_event = on_event};
    struct canceld_client *client = NULL;

    CHECK_EQ(canceld_connect(&options, 0, &client), CANCELD_OK);
    return client;
}

static struct canceld_operation *stored(struct canceld_client *client, const char *key, bool calls)
{
    struct canceld_store_request store = {.key = canceld_string(key)};
    struct canceld_operation *operation = NULL;
    struct canceld_result result;

    if (calls)
        store.on_notice = on_notice;
    CHECK_EQ(canceld_store(client, &store, 0, &operation, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_STORED);
    CHECK(operation != NULL);
    CHECK_EQ(canceld_operation_gen(operation), result.gen);
    canceld_result_clear(&result);
    return operation;
}

static enum canceld_level cancelled(struct canceld_client *client, const char *key,
                                    enum canceld_level level, uint32_t wait_ms)
{
    struct canceld_cancel_request cancel = {
        .key = canceld_string(key),
        .cause = {.code = CANCELD_CAUSE_POLICY, .text = canceld_string("enough")},
        .level = level,
        .wait_ms = wait_ms};
    struct canceld_result result;
    enum canceld_level reached;

    CHECK_EQ(canceld_cancel(client, &cancel, 0, &result), CANCELD_OK);
    CHECK(result.answer == CANCELD_ANSWER_REQUESTED ||
          result.answer == CANCELD_ANSWER_ALREADY_REQUESTED);
    CHECK_EQ(result.gens_count, 1);
    reached = result.level;
    canceld_result_clear(&result);
    return reached;
}

static void finished(struct canceld_operation *operation, enum canceld_outcome outcome,
                     enum canceld_answer answer)
{
    struct canceld_result result;

    CHECK_EQ(canceld_operation_finish(operation, outcome, 0, &result), CANCELD_OK);
    CHECK_EQ(result.answer, answer);
    canceld_result_clear(&result);
}

/* Started NNG, so that its descriptors are not taken for ours. */
static void begin(struct program *daemon, const char *flags)
{
    (void) program_start_ready(daemon, flags);
}

static void end(struct program *daemon)
{
    program_stop(daemon);
    /* Of NNG; the cases without a daemon count them. */
    test_descriptors_mark();
}

static bool readable(int descriptor)
{
    struct pollfd polled = {.fd = descriptor, .events = POLLIN};

    return poll(&polled, 1, 0) == 1 && (polled.revents & POLLIN) != 0;
}

static void three_ways(void)
{
    struct program daemon;
    struct canceld_client *owner;
    struct canceld_client *canceller;
    struct canceld_operation *operation;
    struct canceld_notice notice;
    const uint32_t *flag;
    int descriptor;

    begin(&daemon, FLAGS);
    owner = connected(url_of("s"), false, 0);
    canceller = connected(url_of("s"), true, 0);
    operation = stored(owner, "k", true);
    flag = canceld_operation_flag(operation);
    descriptor = canceld_operation_fd(operation);
    CHECK_GE(descriptor, 0);
    CHECK_EQ(canceld_operation_fd(operation), descriptor);
    CHECK_EQ(canceld_flag_load(flag), 0);
    CHECK(!readable(descriptor));
    /* Not delivered while the callback runs. */
    atomic_store(&heard.hold, 1);
    CHECK_EQ(cancelled(canceller, "k", CANCELD_LEVEL_DELIVERED, 300), CANCELD_LEVEL_RECORDED);
    CHECK_EVENTUALLY(atomic_load(&heard.held) == 1);
    CHECK_EQ(canceld_flag_load(flag), CANCELD_STOP_CANCEL);
    CHECK(readable(descriptor));
    atomic_store(&heard.hold, 0);
    CHECK_EQ(cancelled(canceller, "k", CANCELD_LEVEL_DELIVERED, 10000), CANCELD_LEVEL_DELIVERED);
    CHECK_EQ(atomic_load(&heard.notices), 1);
    CHECK_EQ(canceld_operation_notice(operation, &notice), CANCELD_OK);
    CHECK(notice.cancelled && !notice.ended && !notice.lost);
    CHECK_EQ(notice.cause.code, CANCELD_CAUSE_POLICY);
    CHECK_BYTES_EQ(notice.cause.text.data, notice.cause.text.size, "enough", 6);
    finished(operation, CANCELD_OUTCOME_CANCELLED, CANCELD_ANSWER_DELETED);
    canceld_close(owner, 0);
    canceld_close(canceller, 0);
    end(&daemon);
}

static void set_late(struct canceld_operation *operation, void *arg)
{
    struct canceld_result result;

    (void) arg;
    /* Its own callback may finish it. */
    CHECK_EQ(canceld_operation_finish(operation, CANCELD_OUTCOME_CANCELLED, 0, &result),
             CANCELD_OK);
    CHECK(result.cancelled);
    canceld_result_clear(&result);
    atomic_fetch_add(&heard.done, 1);
}

static void late_callbacks(void)
{
    struct program daemon;
    struct canceld_client *client;
    struct canceld_operation *operation;

    begin(&daemon, FLAGS);
    client = connected(url_of("s"), false, 0);
    operation = stored(client, "k", false);
    CHECK_EQ(cancelled(client, "k", CANCELD_LEVEL_DELIVERED, 10000), CANCELD_LEVEL_DELIVERED);
    CHECK(canceld_operation_should_stop(operation));
    CHECK(readable(canceld_operation_fd(operation)));
    CHECK_EQ(canceld_operation_on_notice(operation, set_late, NULL), CANCELD_OK);
    CHECK_EVENTUALLY(atomic_load(&heard.done) == 1);
    canceld_close(client, 0);
    end(&daemon);
}

static void drop_guard(void)
{
    struct program daemon;
    struct canceld_client *client;
    struct canceld_get_request get = {.key = canceld_string("k")};
    struct canceld_result result;

    begin(&daemon, FLAGS);
    client = connected(url_of("s"), false, 0);
    canceld_operation_free(stored(client, "k", false));
    CHECK_EQ(canceld_get(client, &get, 0, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_FOUND);
    CHECK_EQ(result.operations_count, 1);
    CHECK_EQ(result.operations[0].state, CANCELD_STATE_ENDED);
    CHECK_EQ(result.operations[0].outcome, CANCELD_OUTCOME_FAILED);
    canceld_result_clear(&result);
    canceld_close(client, 0);
    end(&daemon);
}

/* ---- pipelining ---- */

#define PIPELINE_THREADS 4
#define PIPELINE_CALLS 5000

static void on_done(enum canceld_status status, const struct canceld_result *result,
                    struct canceld_operation *operation, void *arg)
{
    bool *seen = arg;

    CHECK(!*seen);
    *seen = true;
    if (status == CANCELD_OK && result->answer == CANCELD_ANSWER_STORED && operation != NULL)
        atomic_fetch_add(&heard.done_oks, 1);
    canceld_operation_free(operation);
    atomic_fetch_add(&heard.done, 1);
}

static struct canceld_client *pipeline_client;

static void *pipeline_run(void *arg)
{
    bool *seen = arg;

    for (size_t i = 0; i < TEST_SCALE(PIPELINE_CALLS); i++) {
        struct canceld_request request = {.op = CANCELD_OP_STORE};
        enum canceld_status status = CANCELD_FULL;
        char key[32];

        (void) snprintf(key, sizeof key, "%p-%zu", arg, i);
        request.of.store = (struct canceld_store_request){.key = canceld_string(key)};
        CHECK_EVENTUALLY((status = canceld_submit(pipeline_client, &request, 0, on_done,
                                                  &seen[i])) != CANCELD_FULL);
        CHECK_EQ(status, CANCELD_OK);
    }
    return NULL;
}

static void pipelines(void)
{
    static bool seen[PIPELINE_THREADS][PIPELINE_CALLS];
    struct canceld_options options = {.url = NULL, .requests_max = 2000};
    struct program daemon;
    pthread_t threads[PIPELINE_THREADS];
    struct canceld_list_request all = {.state = CANCELD_STATE_UNSET};
    struct canceld_result result;
    int total = (int) (PIPELINE_THREADS * TEST_SCALE(PIPELINE_CALLS));

    begin(&daemon, FLAGS);
    options.url = url_of("s");
    CHECK_EQ(canceld_connect(&options, 0, &pipeline_client), CANCELD_OK);
    for (size_t i = 0; i < PIPELINE_THREADS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, pipeline_run, seen[i]), 0);
    for (size_t i = 0; i < PIPELINE_THREADS; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    CHECK_EVENTUALLY(atomic_load(&heard.done) == total);
    CHECK_EQ(atomic_load(&heard.done_oks), total);
    /* Requests go in order, so every drop guard was there before. */
    CHECK_EQ(canceld_count(pipeline_client, &all, 0, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_COUNTED);
    CHECK_EQ(result.count, 0);
    canceld_result_clear(&result);
    canceld_close(pipeline_client, 0);
    end(&daemon);
}

/* A callback that hangs for many heartbeats and graces. */
static void hanging_callback(void)
{
    struct program daemon;
    struct canceld_client *client;
    struct canceld_operation *operation;
    struct canceld_info info;
    uint64_t begun_ms;

    begin(&daemon, FLAGS);
    client = connected(url_of("s"), false, 100);
    operation = stored(client, "k", true);
    atomic_store(&heard.hold, 1);
    CHECK_EQ(cancelled(client, "k", CANCELD_LEVEL_RECORDED, 0), CANCELD_LEVEL_RECORDED);
    CHECK_EVENTUALLY(atomic_load(&heard.held) == 1);
    begun_ms = test_now_ms();
    CHECK_EVENTUALLY(test_now_ms() - begun_ms > 1500);
    CHECK_EQ(canceld_info(client, &info), CANCELD_OK);
    CHECK_EQ(info.connections_count, 1);
    CHECK(!info.degraded);
    atomic_store(&heard.hold, 0);
    finished(operation, CANCELD_OUTCOME_COMPLETED, CANCELD_ANSWER_DELETED);
    canceld_close(client, 0);
    end(&daemon);
}

/* ---- links ---- */

static void cut_and_resumed(void)
{
    struct program daemon;
    struct relay relay;
    struct canceld_client *owner;
    struct canceld_client *canceller;
    struct canceld_operation *operation;

    begin(&daemon, "--listen ipc://@/s --state-dir @/state --limit-grace-ms 10000");
    relay_start(&relay, test_path("r"), test_path("s"));
    owner = connected(url_of("r"), false, 0);
    canceller = connected(url_of("s"), true, 0);
    operation = stored(owner, "k", true);
    relay_cut(&relay);
    CHECK_EVENTUALLY(canceld_is_degraded(owner));
    CHECK_EQ(cancelled(canceller, "k", CANCELD_LEVEL_DELIVERED, 100), CANCELD_LEVEL_RECORDED);
    CHECK_EQ(atomic_load(&heard.notices), 0);
    relay_go_on(&relay);
    CHECK_EQ(cancelled(canceller, "k", CANCELD_LEVEL_DELIVERED, 10000), CANCELD_LEVEL_DELIVERED);
    /* And again: nothing new is told. */
    relay_cut(&relay);
    CHECK_EVENTUALLY(canceld_is_degraded(owner));
    relay_go_on(&relay);
    CHECK_EVENTUALLY(!canceld_is_degraded(owner));
    CHECK_EVENTUALLY(atomic_load(&heard.events[CANCELD_EVENT_RESUMED]) == 2);
    CHECK_EQ(atomic_load(&heard.notices), 1);
    finished(operation, CANCELD_OUTCOME_CANCELLED, CANCELD_ANSWER_DELETED);
    canceld_close(owner, 0);
    canceld_close(canceller, 0);
    relay_stop(&relay);
    end(&daemon);
}

static bool has_ended(struct canceld_client *client, const char *key)
{
    struct canceld_get_request get = {.key = canceld_string(key)};
    struct canceld_result result;
    bool ended;

    CHECK_EQ(canceld_get(client, &get, 0, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_FOUND);
    ended = result.operations[0].outcome == CANCELD_OUTCOME_OWNER_LOST;
    canceld_result_clear(&result);
    return ended;
}

static void cut_and_lost(void)
{
    struct program daemon;
    struct relay relay;
    struct canceld_client *owner;
    struct canceld_client *canceller;
    struct canceld_operation *operation;
    struct canceld_notice notice;

    begin(&daemon, FLAGS);
    relay_start(&relay, test_path("r"), test_path("s"));
    owner = connected(url_of("r"), false, 0);
    canceller = connected(url_of("s"), true, 0);
    operation = stored(owner, "k", true);
    relay_cut(&relay);
    CHECK_EVENTUALLY(canceld_is_degraded(owner));
    CHECK_EQ(cancelled(canceller, "k", CANCELD_LEVEL_RECORDED, 0), CANCELD_LEVEL_RECORDED);
    CHECK_EVENTUALLY(atomic_load(&heard.lost_possibles) == 1);
    CHECK_EQ(canceld_flag_load(canceld_operation_flag(operation)), 0);
    CHECK_EVENTUALLY(has_ended(canceller, "k"));
    relay_go_on(&relay);
    CHECK_EVENTUALLY(atomic_load(&heard.losts) == 1);
    CHECK_EQ(atomic_load(&heard.events[CANCELD_EVENT_SESSION_LOST]), 1);
    CHECK_EQ(canceld_operation_notice(operation, &notice), CANCELD_OK);
    CHECK(notice.lost && notice.cancelled);
    CHECK_EQ(notice.outcome, CANCELD_OUTCOME_OWNER_LOST);
    CHECK_BYTES_EQ(notice.cause.text.data, notice.cause.text.size, "enough", 6);
    CHECK_EQ(canceld_flag_load(canceld_operation_flag(operation)), CANCELD_STOP_CANCEL);
    CHECK_EQ(atomic_load(&heard.notices), 2);
    finished(operation, CANCELD_OUTCOME_CANCELLED, CANCELD_ANSWER_ENDED);
    canceld_close(owner, 0);
    canceld_close(canceller, 0);
    relay_stop(&relay);
    end(&daemon);
}

/* ---- daemons ---- */

static void *stopped_ping(void *arg)
{
    struct canceld_result result;
    enum canceld_status status = canceld_ping(arg, 20000, &result);

    canceld_result_clear(&result);
    CHECK_EQ(status, CANCELD_OK);
    return NULL;
}

static void stopped_and_continued(void)
{
    struct program daemon;
    struct canceld_client *client;
    struct canceld_result result;
    pthread_t thread;
    uint64_t begun_ms;
    int stopped = 0;

    begin(&daemon, FLAGS);
    client = connected(url_of("s"), false, 100);
    CHECK_EQ(kill(daemon.pid, SIGSTOP), 0);
    CHECK_EQ(waitpid(daemon.pid, &stopped, WUNTRACED), daemon.pid); /* it takes a moment */
    CHECK(WIFSTOPPED(stopped));
    begun_ms = test_now_ms();
    CHECK_EQ(canceld_ping(client, 200, &result), CANCELD_TIMED_OUT);
    CHECK_GE(test_now_ms() - begun_ms, 200);
    CHECK_EQ(pthread_create(&thread, NULL, stopped_ping, client), 0);
    /* A daemon that is silent for three heartbeats is taken for gone. */
    CHECK_EVENTUALLY(canceld_is_degraded(client));
    CHECK_EQ(kill(daemon.pid, SIGCONT), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    canceld_close(client, 0);
    end(&daemon);
}

static void await_info(struct canceld_client *client, bool lost_possible, bool degraded)
{
    struct canceld_info info;

    do {
        (void) poll(NULL, 0, 1);
        CHECK_EQ(canceld_info(client, &info), CANCELD_OK);
    } while (info.lost_possible != lost_possible || info.degraded != degraded);
}

/* While one callback hangs, LOST_POSSIBLE comes and is over, for a daemon that is stopped gives no session up. */
static void nothing_new(void)
{
    static const char *const keys[] = {"told", "never told", "last"};
    struct program daemon;
    struct relay relay;
    struct canceld_client *owner;
    struct canceld_client *canceller;
    struct canceld_operation *operations[3];

    begin(&daemon, "--listen ipc://@/s --state-dir @/state --limit-grace-ms 1000");
    relay_start(&relay, test_path("r"), test_path("s"));
    owner = connected(url_of("r"), false, 0);
    canceller = connected(url_of("s"), true, 0);
    for (size_t i = 0; i < 3; i++)
        operations[i] = stored(owner, keys[i], true);
    atomic_store(&heard.hold, 1);
    CHECK_EQ(cancelled(canceller, keys[0], CANCELD_LEVEL_RECORDED, 0), CANCELD_LEVEL_RECORDED);
    CHECK_EVENTUALLY(atomic_load(&heard.held) == 1);
    CHECK_EQ(kill(daemon.pid, SIGSTOP), 0);
    CHECK_EQ(waitpid(daemon.pid, NULL, WUNTRACED), daemon.pid);
    relay_cut(&relay);
    await_info(owner, true, true);
    CHECK_EQ(kill(daemon.pid, SIGCONT), 0);
    relay_go_on(&relay);
    await_info(owner, false, false);
    atomic_store(&heard.hold, 0);
    CHECK_EQ(cancelled(canceller, keys[2], CANCELD_LEVEL_DELIVERED, 10000),
             CANCELD_LEVEL_DELIVERED);
    CHECK_EQ(atomic_load(&heard.notices), 2);
    for (size_t i = 0; i < 3; i++)
        finished(operations[i], CANCELD_OUTCOME_COMPLETED, CANCELD_ANSWER_DELETED);
    canceld_close(owner, 0);
    canceld_close(canceller, 0);
    relay_stop(&relay);
    end(&daemon);
}

static void closed_first(void)
{
    struct program daemon;
    struct canceld_client *client;
    struct canceld_client *other;
    struct canceld_operation *kept;
    struct canceld_operation *finished_late;
    struct canceld_notice notice;
    struct canceld_result result;

    begin(&daemon, FLAGS);
    client = connected(url_of("s"), false, 0);
    other = connected(url_of("s"), true, 0);
    kept = stored(client, "k", true);
    finished_late = stored(client, "l", false);
    canceld_close(client, 0);
    CHECK(has_ended(other, "k"));
    CHECK_EQ(canceld_operation_touch(kept, 1000, 0, &result), CANCELD_CLOSED);
    CHECK_EQ(canceld_operation_notice(kept, &notice), CANCELD_OK);
    CHECK(!notice.cancelled);
    CHECK_EQ(canceld_operation_on_notice(kept, on_notice, NULL), CANCELD_CLOSED);
    canceld_operation_free(kept);
    CHECK_EQ(canceld_operation_finish(finished_late, CANCELD_OUTCOME_COMPLETED, 0, &result),
             CANCELD_CLOSED);
    canceld_close(other, 0);
    end(&daemon);
}

/* Kept by its ttl when its session closes: what `cancelctl store` does. */
static void kept_behind(void)
{
    struct program daemon;
    struct canceld_client *client;
    struct canceld_store_request store = {
        .key = canceld_string("k"), .ttl_ms = 60000, .on_owner_loss = CANCELD_ON_OWNER_LOSS_KEEP};
    struct canceld_get_request get = {.key = canceld_string("k")};
    struct canceld_result result;

    begin(&daemon, FLAGS);
    client = connected(url_of("s"), false, 0);
    CHECK_EQ(canceld_store(client, &store, 0, NULL, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_STORED);
    canceld_result_clear(&result);
    canceld_close(client, 0);
    client = connected(url_of("s"), true, 0);
    CHECK_EQ(canceld_get(client, &get, 0, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_FOUND);
    CHECK_EQ(result.operations[0].state, CANCELD_STATE_LIVE);
    CHECK_EQ(result.operations[0].owner, 0);
    CHECK_LE(result.operations[0].ttl_left_ms, 60000);
    canceld_result_clear(&result);
    canceld_close(client, 0);
    end(&daemon);
}

static void bad_fields(void)
{
    struct program daemon;
    struct canceld_client *client;
    struct canceld_store_request store = {.ttl_ms = 1};
    struct canceld_delete_request huge = {.gen = 1};
    struct canceld_operation *operation = NULL;
    struct canceld_result result;
    char *key = calloc(1, 100000);

    CHECK(key != NULL);
    begin(&daemon, FLAGS);
    client = connected(url_of("s"), false, 0);
    CHECK_EQ(canceld_store(client, &store, 0, &operation, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_ERROR);
    CHECK_STR_EQ(result.error.field, "key");
    CHECK(operation == NULL);
    canceld_result_clear(&result);
    store.key = (struct canceld_bytes){key, 257};
    CHECK_EQ(canceld_store(client, &store, 0, &operation, &result), CANCELD_OK);
    CHECK_STR_EQ(result.error.field, "key");
    canceld_result_clear(&result);
    huge.key = (struct canceld_bytes){key, 100000};
    CHECK_EQ(canceld_delete(client, &huge, 0, &result), CANCELD_INVALID);
    free(key);
    canceld_close(client, 0);
    end(&daemon);
}

static const struct test_case cases[] = {
    {"a cancel is heard by flag, callback and descriptor, then DELIVERED", three_ways},
    {"a callback set late hears at once, and may finish its operation", late_callbacks},
    {"an operation that is dropped ends as FAILED", drop_guard},
    {"thousands of pipelined calls of several threads are each done once", pipelines},
    {"a callback that hangs holds up no heartbeat", hanging_callback},
    {"a cancel recorded while the link is cut is heard once", cut_and_resumed},
    {"a link cut for longer than the grace costs the session, and LOST is heard", cut_and_lost},
    {"a daemon that is stopped costs time and nothing else", stopped_and_continued},
    {"nobody is called back where there is nothing new any more", nothing_new},
    {"operations may outlive their client", closed_first},
    {"an operation to be kept outlives its session", kept_behind},
    {"a field out of its range is named", bad_fields},
};

TEST_MAIN(cases)
