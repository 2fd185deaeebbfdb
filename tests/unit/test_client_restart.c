/* SPDX-License-Identifier: MIT */
/* The client library and a daemon that is killed and started again over the same state: operations are adopted, and
 * nobody who asks meanwhile is told anything but the truth. */
#include "canceld_program.h"
#include "client_relay.h"
#include "testing.h"

#include <canceld/client.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define FLAGS "--listen ipc://@/s --state-dir @/state --recovery 2000"
#define FLAGS_PATIENT "--listen ipc://@/s --state-dir @/state --recovery 60000"

#define MANY 3000

static atomic_int events[8];

static void on_event(struct canceld_client *client, enum canceld_event event, void *arg)
{
    (void) client;
    (void) arg;
    atomic_fetch_add(&events[event], 1);
}

static void killed(struct program *daemon)
{
    CHECK_EQ(kill(daemon->pid, SIGKILL), 0);
    CHECK_EQ(program_wait(daemon), 128 + SIGKILL);
}

static void begin(struct program *daemon, const char *flags)
{
    (void) program_start_ready(daemon, flags);
}

static void end(struct program *daemon)
{
    program_stop(daemon);
    test_descriptors_mark(); /* of NNG */
}

static void restarted(struct program *daemon, const char *flags)
{
    killed(daemon);
    begin(daemon, flags);
}

static struct canceld_client *connected(const char *name, bool sessionless)
{
    char url[700];
    struct canceld_options options = {.url = url,
                                      .sessionless = sessionless,
                                      .await_daemon = true,
                                      .on_event = sessionless ? NULL : on_event};
    struct canceld_client *client = NULL;

    (void) snprintf(url, sizeof url, "ipc://%s", test_path(name));
    CHECK_EQ(canceld_connect(&options, 0, &client), CANCELD_OK);
    return client;
}

static struct canceld_operation *stored(struct canceld_client *client, const char *key)
{
    struct canceld_store_request store = {.key = canceld_string(key),
                                          .meta = canceld_string("meta"),
                                          .labels = {canceld_string("label")},
                                          .labels_count = 1};
    struct canceld_operation *operation = NULL;
    struct canceld_result result;

    CHECK_EQ(canceld_store(client, &store, 0, &operation, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_STORED);
    canceld_result_clear(&result);
    return operation;
}

static enum canceld_answer cancelled(struct canceld_client *client, const char *key, uint64_t gen,
                                     uint32_t deadline_ms)
{
    struct canceld_cancel_request cancel = {
        .key = canceld_string(key),
        .gen = gen,
        .cause = {.code = CANCELD_CAUSE_POLICY, .text = canceld_string("enough")}};
    enum canceld_answer answer = CANCELD_ANSWER_UNSET;
    struct canceld_result result;

    CHECK_EQ(canceld_cancel(client, &cancel, deadline_ms, &result), CANCELD_OK);
    answer = result.answer;
    canceld_result_clear(&result);
    return answer;
}

static enum canceld_answer finished(struct canceld_operation *operation)
{
    enum canceld_answer answer = CANCELD_ANSWER_UNSET;
    struct canceld_result result;

    CHECK_EQ(canceld_operation_finish(operation, CANCELD_OUTCOME_COMPLETED, 0, &result),
             CANCELD_OK);
    answer = result.answer;
    canceld_result_clear(&result);
    return answer;
}

static void adopted(void)
{
    struct program daemon;
    struct canceld_client *client;
    struct canceld_operation *operation;
    struct canceld_notice notice;
    struct canceld_info before;
    struct canceld_info after;
    struct canceld_get_request get = {.key = canceld_string("k")};
    struct canceld_result result;

    begin(&daemon, FLAGS);
    client = connected("s", false);
    operation = stored(client, "k");
    CHECK_EQ(canceld_info(client, &before), CANCELD_OK);
    killed(&daemon);
    CHECK_EVENTUALLY(canceld_is_degraded(client));
    CHECK_EQ(canceld_ping(client, 100, &result), CANCELD_UNAVAILABLE);
    begin(&daemon, FLAGS);
    CHECK_EVENTUALLY(atomic_load(&events[CANCELD_EVENT_ADOPTED]) == 1);
    CHECK_EQ(atomic_load(&events[CANCELD_EVENT_NEW_EPOCH]), 1);
    CHECK_EQ(canceld_info(client, &after), CANCELD_OK);
    CHECK_GT(after.epoch, before.epoch);
    CHECK_EQ(canceld_operation_notice(operation, &notice), CANCELD_OK);
    CHECK(!notice.lost_possible && !notice.lost && !notice.cancelled);
    get.gen = canceld_operation_gen(operation);
    CHECK_EQ(canceld_get(client, &get, 0, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_FOUND);
    CHECK_EQ(result.operations[0].owner, after.session);
    CHECK_BYTES_EQ(result.operations[0].meta.data, result.operations[0].meta.size, "meta", 4);
    CHECK_EQ(result.operations[0].labels_count, 1);
    canceld_result_clear(&result);
    CHECK_EQ(cancelled(client, "k", get.gen, 0), CANCELD_ANSWER_REQUESTED);
    CHECK_EVENTUALLY(canceld_operation_should_stop(operation));
    CHECK_EQ(finished(operation), CANCELD_ANSWER_DELETED);
    canceld_close(client, 0);
    end(&daemon);
}

/* SIGTERM cancels nothing: an upgrade costs no operation. A call that is under way waits for the next daemon. */
static void upgraded(void)
{
    struct program daemon;
    struct canceld_client *client;
    struct canceld_operation *operations[2];
    struct canceld_notice notice;

    begin(&daemon, FLAGS);
    client = connected("s", false);
    operations[0] = stored(client, "a");
    operations[1] = stored(client, "b");
    program_stop(&daemon);
    CHECK_EVENTUALLY(canceld_is_degraded(client));
    begin(&daemon, FLAGS);
    CHECK_EQ(finished(operations[0]), CANCELD_ANSWER_DELETED);
    CHECK_EQ(canceld_operation_notice(operations[1], &notice), CANCELD_OK);
    CHECK(!notice.lost_possible && !notice.lost && !notice.cancelled && !notice.ended);
    CHECK_EQ(finished(operations[1]), CANCELD_ANSWER_DELETED);
    canceld_close(client, 0);
    end(&daemon);
}

/* The owner is away when the cancel is recorded, and when the daemon is killed. */
static void cancelled_before_the_kill(void)
{
    struct program daemon;
    struct relay relay;
    struct canceld_client *owner;
    struct canceld_client *canceller;
    struct canceld_operation *operation;
    struct canceld_notice notice;

    begin(&daemon, FLAGS);
    relay_start(&relay, test_path("r"), test_path("s"));
    owner = connected("r", false);
    canceller = connected("s", true);
    operation = stored(owner, "k");
    relay_cut(&relay);
    CHECK_EVENTUALLY(canceld_is_degraded(owner));
    CHECK_EQ(cancelled(canceller, "k", canceld_operation_gen(operation), 0),
             CANCELD_ANSWER_REQUESTED);
    restarted(&daemon, FLAGS);
    CHECK(!canceld_operation_should_stop(operation));
    relay_go_on(&relay);
    CHECK_EVENTUALLY(canceld_operation_should_stop(operation));
    CHECK_EQ(canceld_operation_notice(operation, &notice), CANCELD_OK);
    CHECK(notice.cancelled && !notice.lost);
    CHECK_EQ(notice.cause.code, CANCELD_CAUSE_POLICY);
    CHECK_BYTES_EQ(notice.cause.text.data, notice.cause.text.size, "enough", 6);
    CHECK_EQ(finished(operation), CANCELD_ANSWER_DELETED);
    canceld_close(owner, 0);
    canceld_close(canceller, 0);
    relay_stop(&relay);
    end(&daemon);
}

/* A finish that nobody waits for any more when the daemon is back. */
static void finished_while_away(void)
{
    struct program daemon;
    struct canceld_client *owner;
    struct canceld_client *other;
    struct canceld_operation *operation;
    struct canceld_wait_request wait = {
        .key = canceld_string("k"), .until = CANCELD_UNTIL_ENDED, .wait_ms = 5000};
    struct canceld_result result;

    begin(&daemon, FLAGS);
    owner = connected("s", false);
    operation = stored(owner, "k");
    wait.gen = canceld_operation_gen(operation);
    killed(&daemon);
    CHECK_EVENTUALLY(canceld_is_degraded(owner));
    CHECK_EQ(canceld_operation_finish(operation, CANCELD_OUTCOME_COMPLETED, 50, NULL),
             CANCELD_UNAVAILABLE);
    begin(&daemon, FLAGS);
    other = connected("s", true);
    CHECK_EQ(canceld_wait(other, &wait, 0, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_ENDED);
    CHECK_EQ(result.outcome, CANCELD_OUTCOME_COMPLETED);
    canceld_result_clear(&result);
    canceld_close(owner, 0);
    canceld_close(other, 0);
    end(&daemon);
}

static void many_and_many_kills(void)
{
    struct program daemon;
    struct canceld_client *client;
    struct canceld_operation **operations = calloc(MANY, sizeof(struct canceld_operation *));
    size_t count = TEST_SCALE(MANY);
    struct canceld_list_request all = {.owner = 0};
    struct canceld_notice notice;
    struct canceld_result result;
    char key[32];

    CHECK(operations != NULL);
    begin(&daemon, FLAGS);
    client = connected("s", false);
    for (size_t i = 0; i < count; i++) {
        (void) snprintf(key, sizeof key, "k%zu", i);
        operations[i] = stored(client, key);
    }
    /* The later kills may well hit the adoption. */
    for (size_t i = 0; i < 4; i++)
        restarted(&daemon, FLAGS);
    CHECK_EQ(canceld_count(client, &all, 0, &result), CANCELD_OK); /* waits for the adoption */
    CHECK_EQ(result.count, count);
    canceld_result_clear(&result);
    for (size_t i = 0; i < count; i++) {
        CHECK_EQ(canceld_operation_notice(operations[i], &notice), CANCELD_OK);
        CHECK(!notice.lost && !notice.lost_possible && !notice.cancelled);
        CHECK_EQ(finished(operations[i]), CANCELD_ANSWER_DELETED);
    }
    CHECK_EVENTUALLY(atomic_load(&events[CANCELD_EVENT_ADOPTED]) >= 1);
    free(operations);
    canceld_close(client, 0);
    end(&daemon);
}

struct late_cancel {
    pthread_t thread;
    uint64_t gen;
    enum canceld_answer answer;
};

static void *cancel_run(void *arg)
{
    struct late_cancel *late = arg;
    struct canceld_client *canceller = connected("s", true);

    late->answer = cancelled(canceller, "k", late->gen, 0);
    canceld_close(canceller, 0);
    return NULL;
}

/* Who asks before the owner is back is not told NOT_FOUND. */
static void asked_while_recovering(void)
{
    struct program daemon;
    struct relay relay;
    struct canceld_client *owner;
    struct canceld_client *canceller;
    struct canceld_operation *operation;
    struct late_cancel late = {.answer = CANCELD_ANSWER_UNSET};

    begin(&daemon, FLAGS_PATIENT);
    relay_start(&relay, test_path("r"), test_path("s"));
    owner = connected("r", false);
    operation = stored(owner, "k");
    late.gen = canceld_operation_gen(operation);
    relay_cut(&relay);
    restarted(&daemon, FLAGS_PATIENT);
    canceller = connected("s", true);
    CHECK_EQ(cancelled(canceller, "k", late.gen, 300), CANCELD_ANSWER_RECOVERING);
    CHECK_EQ(cancelled(canceller, "k", 0, 300), CANCELD_ANSWER_RECOVERING);
    CHECK_EQ(pthread_create(&late.thread, NULL, cancel_run, &late), 0);
    relay_go_on(&relay);
    CHECK_EQ(pthread_join(late.thread, NULL), 0);
    CHECK_EQ(late.answer, CANCELD_ANSWER_REQUESTED);
    CHECK_EVENTUALLY(canceld_operation_should_stop(operation));
    CHECK_EQ(finished(operation), CANCELD_ANSWER_DELETED);
    canceld_close(owner, 0);
    canceld_close(canceller, 0);
    relay_stop(&relay);
    end(&daemon);
}

/* A ttl begins anew with the adoption, as long as it was touched to last. */
static void touched(void)
{
    struct program daemon;
    struct canceld_client *client;
    struct canceld_operation *operation;
    struct canceld_store_request store = {.key = canceld_string("k"), .ttl_ms = 600000};
    struct canceld_get_request get = {.key = canceld_string("k")};
    struct canceld_result result;

    begin(&daemon, FLAGS);
    client = connected("s", false);
    CHECK_EQ(canceld_store(client, &store, 0, &operation, NULL), CANCELD_OK);
    CHECK_EQ(canceld_operation_touch(operation, 1200000, 0, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_TOUCHED);
    canceld_result_clear(&result);
    restarted(&daemon, FLAGS);
    CHECK_EVENTUALLY(atomic_load(&events[CANCELD_EVENT_ADOPTED]) == 1);
    CHECK_EQ(canceld_get(client, &get, 0, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_FOUND);
    CHECK_GT(result.operations[0].ttl_left_ms, 900000);
    canceld_result_clear(&result);
    /* Also where the touch was told of a cancel: it has renewed the ttl all the same. */
    CHECK_EQ(cancelled(client, "k", canceld_operation_gen(operation), 0), CANCELD_ANSWER_REQUESTED);
    CHECK_EQ(canceld_operation_touch(operation, 2400000, 0, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_CANCELLING);
    canceld_result_clear(&result);
    restarted(&daemon, FLAGS);
    CHECK_EVENTUALLY(atomic_load(&events[CANCELD_EVENT_ADOPTED]) == 2);
    CHECK_EQ(canceld_get(client, &get, 0, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_FOUND);
    CHECK_GT(result.operations[0].ttl_left_ms, 1800000);
    canceld_result_clear(&result);
    canceld_operation_free(operation);
    canceld_close(client, 0);
    end(&daemon);
}

static const struct test_case cases[] = {
    {"an operation lives on under its gen when the daemon is killed and started", adopted},
    {"a daemon that is stopped and started costs no operation", upgraded},
    {"a cancel of before the kill is told with the adoption", cancelled_before_the_kill},
    {"a finish that was given up reaches the daemon that is started", finished_while_away},
    {"thousands of operations outlive kill after kill", many_and_many_kills},
    {"a cancel in the recovery time waits for the owner", asked_while_recovering},
    {"a touched ttl is adopted as touched", touched},
};

TEST_MAIN(cases)
