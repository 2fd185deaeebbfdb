/* SPDX-License-Identifier: MIT */
/* The embedded registry used as it must not be: each call is INVALID, FULL or CLOSED, and changes nothing. */
#include "base/limits.h"
#include "local_rig.h"

#include <pthread.h>

#define NAME_BYTES 2048

static uint8_t long_name[NAME_BYTES];

static struct canceld_bytes too_long(void)
{
    memset(long_name, 'x', sizeof long_name);
    return (struct canceld_bytes){long_name, sizeof long_name};
}

/* ---- the start ---- */

static void check_no_start(struct canceld_local_options options)
{
    struct canceld_local *local = NULL;
    CHECK_EQ(canceld_local_start(&options, &local), CANCELD_INVALID);
    CHECK(local == NULL);
}

static void options_out_of_their_bounds(void)
{
    static const struct canceld_local_limit bad[] = {
        {"operations", 0}, {"operations", UINT64_MAX}, {"no_such_limit", 1}, {NULL, 1}};
    CHECK_EQ(canceld_local_start(NULL, NULL), CANCELD_INVALID);
    check_no_start((struct canceld_local_options){.mode = (enum canceld_local_mode) 9});
    check_no_start((struct canceld_local_options){.callbacks = (enum canceld_local_callbacks) 9});
    check_no_start((struct canceld_local_options){.spin_us = LOCAL_SPIN_US_MAX + 1});
    check_no_start((struct canceld_local_options){.asks_max = LOCAL_ASKS_MAX + 1});
    check_no_start((struct canceld_local_options){.lanes_max = CANCELD_LOCAL_LANES_MAX + 1});
    check_no_start((struct canceld_local_options){.limits_count = 1});
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        check_no_start((struct canceld_local_options){.limits = &bad[i], .limits_count = 1});
    }
}

/* ---- arguments ---- */

static void no_argument_at_all(struct canceld_local *local)
{
    struct canceld_result result = {.answer = CANCELD_ANSWER_UNSET};
    struct canceld_local_answer answer;
    const struct canceld_local_request get = local_get_of("k");
    struct canceld_lane *lane = NULL;
    CHECK_EQ(canceld_local_store(local, NULL, 0, &result), CANCELD_INVALID);
    CHECK_EQ(canceld_local_cancel(local, NULL, 0, &result), CANCELD_INVALID);
    CHECK_EQ(canceld_local_wait(local, NULL, 0, &result), CANCELD_INVALID);
    CHECK_EQ(canceld_local_get(local, NULL, 0, &result), CANCELD_INVALID);
    CHECK_EQ(canceld_local_disarm(local, NULL, 0, &result), CANCELD_INVALID);
    CHECK_EQ(canceld_local_detach(local, NULL, 0, &result), CANCELD_INVALID);
    CHECK_EQ(canceld_local_list(local, NULL, 0, &result), CANCELD_INVALID);
    CHECK_EQ(canceld_local_drain(local, NULL, 0, &result), CANCELD_INVALID);
    CHECK_EQ(canceld_local_watch(local, NULL, 0, &result), CANCELD_INVALID);
    CHECK_EQ(canceld_local_stats(NULL, 0, &result), CANCELD_INVALID);
    CHECK_EQ(canceld_local_ask(NULL, &get, 0, &answer), CANCELD_INVALID);
    CHECK_EQ(canceld_local_ask(local, NULL, 0, &answer), CANCELD_INVALID);
    CHECK_EQ(canceld_local_ask(local, &get, 0, NULL), CANCELD_INVALID);
    CHECK_EQ(canceld_local_callback_wait(NULL, 1, 0), CANCELD_INVALID);
    CHECK_EQ(canceld_lane_attach(NULL, 4, &lane), CANCELD_INVALID);
    CHECK_EQ(canceld_lane_attach(local, 4, NULL), CANCELD_INVALID);
    CHECK_EQ(canceld_lane_attach(local, 0, &lane), CANCELD_INVALID);
    CHECK_EQ(canceld_lane_submit(NULL, &get), CANCELD_INVALID);
    canceld_lane_detach(NULL);
    canceld_local_free(NULL);
    canceld_local_result_clear(NULL);
}

static void arguments_out_of_their_bounds(struct canceld_local *local)
{
    struct canceld_result result = {.answer = CANCELD_ANSWER_UNSET};
    struct canceld_local_store_request store = {.key = {0}};
    struct canceld_list_request list = {.labels_count = CANCELD_LABELS_MAX + 1};
    CHECK_EQ(canceld_local_store(local, &store, 0, &result), CANCELD_INVALID);
    store.key = too_long();
    CHECK_EQ(canceld_local_store(local, &store, 0, &result), CANCELD_INVALID);
    store.key = canceld_string("k");
    store.labels_count = CANCELD_LABELS_MAX + 1;
    CHECK_EQ(canceld_local_store(local, &store, 0, &result), CANCELD_INVALID);
    CHECK_EQ(canceld_local_list(local, &list, 0, &result), CANCELD_INVALID);
    CHECK_EQ(canceld_local_count(local, &list, 0, &result), CANCELD_INVALID);
}

static void lane_arguments(struct canceld_local *local)
{
    struct canceld_lane *lane = local_attach(local, 4);
    struct canceld_local_request get = local_get_of("k");
    struct canceld_local_answer answer;
    CHECK_EQ(canceld_lane_submit(lane, NULL), CANCELD_INVALID);
    CHECK_EQ(canceld_lane_ask(lane, &get, 0, NULL), CANCELD_INVALID);
    get.key = too_long();
    CHECK_EQ(canceld_lane_ask(lane, &get, 0, &answer), CANCELD_INVALID);
    CHECK_EQ(canceld_lane_outstanding(lane), 0);
    CHECK_EQ(canceld_lane_collect(lane, 0, &answer), CANCELD_INVALID); /* nothing was submitted */
    canceld_lane_detach(lane);
}

static void arguments_that_are_none(void)
{
    struct canceld_local *local = local_start(NULL);
    no_argument_at_all(local);
    arguments_out_of_their_bounds(local);
    lane_arguments(local);
    CHECK_EQ(local_stat(local, "operations_live"), 0);
    canceld_local_free(local);
}

/* What only the registry can judge comes back as an ERROR that names the field. */
static void check_field(enum canceld_status status, struct canceld_result *result,
                        const char *field)
{
    CHECK_EQ(status, CANCELD_OK);
    CHECK_EQ(result->answer, CANCELD_ANSWER_ERROR);
    CHECK_STR_EQ(result->error.field, field);
    canceld_local_result_clear(result);
}

static void fields_name_themselves(void)
{
    struct canceld_local *local = local_start(NULL);
    struct canceld_result result;
    struct canceld_local_store_request store = {.key = canceld_string("k"), .ttl_ms = 1};
    struct canceld_cancel_request cancel = {.key = canceld_string("k")};
    struct canceld_wait_request wait = {.key = canceld_string("k")};
    struct canceld_list_request list = {.cursor = 0};
    check_field(canceld_local_store(local, &store, 0, &result), &result, "ttl_ms");
    store.ttl_ms = 0;
    store.meta = too_long();
    check_field(canceld_local_store(local, &store, 0, &result), &result, "meta");
    cancel.cause.text = too_long();
    check_field(canceld_local_cancel(local, &cancel, 0, &result), &result, "cause.text");
    cancel.cause.text = (struct canceld_bytes){0};
    cancel.label = too_long();
    check_field(canceld_local_cancel(local, &cancel, 0, &result), &result, "label");
    wait.key = too_long();
    check_field(canceld_local_wait(local, &wait, 0, &result), &result, "key");
    list.labels[0] = too_long();
    list.labels_count = 1;
    check_field(canceld_local_list(local, &list, 0, &result), &result, "labels");
    CHECK_EQ(local_stat(local, "operations_live"), 0);
    canceld_local_free(local);
}

/* ---- INLINE ---- */

static void what_inline_cannot_wait_for(void)
{
    struct canceld_local *local =
        local_start(&(struct canceld_local_options){.mode = CANCELD_LOCAL_INLINE});
    struct canceld_result result = {.answer = CANCELD_ANSWER_UNSET};
    const struct canceld_wait_request wait = {.key = canceld_string("k"), .wait_ms = 10};
    const uint64_t gen = local_store(local, "k", NULL);
    CHECK_EQ(canceld_local_wait(local, &wait, 0, &result), CANCELD_INVALID);
    CHECK_EQ(canceld_local_callback_wait(local, gen, 0), CANCELD_INVALID);
    canceld_local_stop(local);
    CHECK(!canceld_local_run_once(local, 5));
    struct canceld_local_answer answer;
    const struct canceld_local_request get = local_get_of("k");
    CHECK_EQ(canceld_local_ask(local, &get, 0, &answer), CANCELD_CLOSED);
    canceld_local_free(local);
    local = local_start(NULL);
    CHECK(!canceld_local_run_once(local, 5)); /* it has a thread for that */
    CHECK_EQ(canceld_local_run_callbacks(local, 5), 0);
    canceld_local_free(local);
}

/* ---- every ask taken ---- */

static void *wait_long(void *context)
{
    const struct canceld_wait_request wait = {
        .key = canceld_string("k"), .until = CANCELD_UNTIL_ENDED, .wait_ms = 60000};
    struct canceld_result result;
    enum canceld_status status;
    do { /* the other thread may just have the one ask that there is */
        status = canceld_local_wait(context, &wait, 0, &result);
    } while (status == CANCELD_FULL);
    CHECK_EQ(status, CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_ENDED);
    canceld_local_result_clear(&result);
    return NULL;
}

static void no_ask_is_left(void)
{
    struct canceld_local *local = local_start(&(struct canceld_local_options){.asks_max = 1});
    const uint64_t gen = local_store(local, "k", NULL);
    struct canceld_lane *lane = local_attach(local, 4);
    const struct canceld_local_request get = local_get_of("k");
    struct canceld_local_answer answer;
    struct canceld_result result = {.answer = CANCELD_ANSWER_UNSET};
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, wait_long, local), 0);
    CHECK_EVENTUALLY(canceld_local_ask(local, &get, 0, &answer) == CANCELD_FULL);
    CHECK_EQ(canceld_local_callback_wait(local, gen, 0), CANCELD_FULL);
    CHECK_EQ(canceld_local_stats(local, 0, &result), CANCELD_FULL);
    /* A lane has a place of its own. */
    CHECK_EQ(lane_ask(lane, local_delete_of("k", gen)).answer, CANCELD_ANSWER_DELETED);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(canceld_local_ask(local, &get, 0, &answer), CANCELD_OK);
    canceld_lane_detach(lane);
    canceld_local_free(local);
}

/* ---- after the stop ---- */

static void a_stopped_registry(void)
{
    struct canceld_local *local = local_start(NULL);
    struct canceld_lane *lane = local_attach(local, 4);
    struct canceld_lane *other = NULL;
    struct canceld_result result = {.answer = CANCELD_ANSWER_UNSET};
    const struct canceld_local_request get = local_get_of("k");
    struct canceld_local_answer answer;
    canceld_local_stop(local);
    canceld_local_stop(local); /* twice is once */
    CHECK_EQ(canceld_lane_submit(lane, &get), CANCELD_CLOSED);
    CHECK_EQ(canceld_lane_ask(lane, &get, 0, &answer), CANCELD_CLOSED);
    CHECK_EQ(canceld_lane_attach(local, 4, &other), CANCELD_CLOSED);
    CHECK_EQ(canceld_local_ask(local, &get, 0, &answer), CANCELD_CLOSED);
    CHECK_EQ(canceld_local_stats(local, 0, &result), CANCELD_CLOSED);
    CHECK_EQ(canceld_local_callback_wait(local, 1, 0), CANCELD_CLOSED);
    canceld_lane_detach(lane);
    canceld_local_free(local);
}

static const struct test_case cases[] = {
    {"options out of their bounds are INVALID", options_out_of_their_bounds},
    {"arguments that are none are INVALID", arguments_that_are_none},
    {"a field that only the registry can judge names itself", fields_name_themselves},
    {"INLINE never waits", what_inline_cannot_wait_for},
    {"with every ask taken the next is FULL, and lanes go on", no_ask_is_left},
    {"a stopped registry is CLOSED", a_stopped_registry},
};

TEST_MAIN(cases)
