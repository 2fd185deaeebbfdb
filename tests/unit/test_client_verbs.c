/* SPDX-License-Identifier: MIT */
/* Trees, groups, drains, watches and the history, through the library and the daemon as they are shipped. */
#include "canceld_program.h"
#include "testing.h"

#include <canceld/client.h>
#include <signal.h>
#include <stdio.h>

#define FLAGS "--listen ipc://@/s --state-dir @/state --recovery 0"

static struct program daemon_;
static struct canceld_client *client;

static struct canceld_client *connected(void)
{
    char url[700];
    struct canceld_options options = {.url = url, .await_daemon = true};
    struct canceld_client *new_client = NULL;

    (void) snprintf(url, sizeof url, "ipc://%s", test_path("s"));
    CHECK_EQ(canceld_connect(&options, 0, &new_client), CANCELD_OK);
    return new_client;
}

static void begin(const char *flags)
{
    (void) program_start_ready(&daemon_, flags);
    client = connected();
}

static void end(void)
{
    canceld_close(client, 0);
    program_stop(&daemon_);
    test_descriptors_mark(); /* of NNG */
}

static struct canceld_operation *stored(const char *key, const char *label, uint64_t parent,
                                        enum canceld_answer answer)
{
    struct canceld_store_request store = {.key = canceld_string(key), .parent = parent};
    struct canceld_operation *operation = NULL;
    struct canceld_result result;

    if (label != NULL)
        store.labels[store.labels_count++] = canceld_string(label);
    CHECK_EQ(canceld_store(client, &store, 0, &operation, &result), CANCELD_OK);
    CHECK_EQ(result.answer, answer);
    canceld_result_clear(&result);
    return operation;
}

static void cancelled(const struct canceld_cancel_request *cancel, enum canceld_answer answer,
                      uint64_t requested)
{
    struct canceld_result result;

    CHECK_EQ(canceld_cancel(client, cancel, 0, &result), CANCELD_OK);
    CHECK_EQ(result.answer, answer);
    CHECK_EQ(result.requested, requested);
    CHECK_EQ(result.gens_count, requested);
    canceld_result_clear(&result);
}

static enum canceld_cause_code cause_of(const struct canceld_operation *operation)
{
    struct canceld_notice notice;

    CHECK_EQ(canceld_operation_notice(operation, &notice), CANCELD_OK);
    return notice.cause.code;
}

static void trees(void)
{
    struct canceld_operation *parent;
    struct canceld_operation *child;
    struct canceld_operation *detached;
    struct canceld_operation *late;
    struct canceld_cancel_request cancel = {.key = canceld_string("parent")};
    struct canceld_detach_request detach = {.key = canceld_string("detached")};
    struct canceld_result result;

    begin(FLAGS);
    parent = stored("parent", NULL, 0, CANCELD_ANSWER_STORED);
    child = stored("child", NULL, canceld_operation_gen(parent), CANCELD_ANSWER_STORED);
    detached = stored("detached", NULL, canceld_operation_gen(parent), CANCELD_ANSWER_STORED);
    detach.gen = canceld_operation_gen(detached);
    CHECK_EQ(canceld_detach(client, &detach, 0, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_DETACHED);
    canceld_result_clear(&result);
    CHECK_EQ(canceld_cancel(client, &cancel, 0, NULL), CANCELD_OK);
    CHECK_EVENTUALLY(canceld_operation_should_stop(child));
    CHECK_EQ(cause_of(child), CANCELD_CAUSE_PARENT);
    CHECK(!canceld_operation_should_stop(detached));
    late = stored("late", NULL, canceld_operation_gen(parent), CANCELD_ANSWER_BORN_CANCELLED);
    canceld_operation_free(late);
    canceld_operation_free(child);
    canceld_operation_free(parent);
    CHECK_EQ(canceld_operation_finish(detached, CANCELD_OUTCOME_COMPLETED, 0, NULL), CANCELD_OK);
    late = stored("later", NULL, detach.gen, CANCELD_ANSWER_PARENT_ENDED);
    CHECK(late == NULL);
    end();
}

static void groups(void)
{
    struct canceld_operation *operations[3];
    struct canceld_cancel_request by_label = {.label = canceld_string("red")};
    struct canceld_cancel_request by_owner = {.owner = 0};
    struct canceld_cancel_request all = {.whole_namespace = true};
    struct canceld_list_request list = {.labels = {canceld_string("red")}, .labels_count = 1};
    struct canceld_info info;
    struct canceld_result result;

    begin(FLAGS);
    operations[0] = stored("a", "red", 0, CANCELD_ANSWER_STORED);
    operations[1] = stored("b", "blue", 0, CANCELD_ANSWER_STORED);
    CHECK_EQ(canceld_list(client, &list, 0, &result), CANCELD_OK);
    CHECK_EQ(result.operations_count, 1);
    CHECK_EQ(result.operations[0].labels_count, 1);
    CHECK_BYTES_EQ(result.operations[0].labels[0].data, result.operations[0].labels[0].size, "red",
                   3);
    canceld_result_clear(&result);
    cancelled(&by_label, CANCELD_ANSWER_REQUESTED, 1);
    CHECK_EVENTUALLY(canceld_operation_should_stop(operations[0]));
    CHECK(!canceld_operation_should_stop(operations[1]));
    CHECK_EQ(canceld_info(client, &info), CANCELD_OK);
    by_owner.owner = info.session;
    CHECK_EQ(canceld_cancel(client, &by_owner, 0, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_REQUESTED);
    CHECK_EQ(result.requested, 1);
    CHECK_EQ(result.already_requested, 1);
    canceld_result_clear(&result);
    operations[2] = stored("c", NULL, 0, CANCELD_ANSWER_STORED);
    CHECK_EQ(canceld_cancel(client, &all, 0, &result), CANCELD_OK);
    CHECK_EQ(result.requested, 1);
    CHECK_EQ(result.already_requested, 2);
    canceld_result_clear(&result);
    for (size_t i = 0; i < 3; i++)
        CHECK_EQ(canceld_operation_finish(operations[i], CANCELD_OUTCOME_CANCELLED, 0, NULL),
                 CANCELD_OK);
    by_label.label = canceld_string("none");
    cancelled(&by_label, CANCELD_ANSWER_NOT_FOUND, 0);
    end();
}

static void drains(void)
{
    struct canceld_operation *operation;
    struct canceld_drain_request drain = {.wait_ms = 100, .text = canceld_string("maintenance")};
    struct canceld_result result;

    begin(FLAGS);
    operation = stored("a", NULL, 0, CANCELD_ANSWER_STORED);
    CHECK_EQ(canceld_drain(client, &drain, 0, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_TIMED_OUT);
    CHECK_EQ(result.count, 1);
    CHECK_EQ(result.gens_count, 1);
    CHECK_EQ(result.gens[0].state, CANCELD_STATE_CANCELLING);
    CHECK_BYTES_EQ(result.gens[0].key.data, result.gens[0].key.size, "a", 1);
    canceld_result_clear(&result);
    CHECK_EQ(cause_of(operation), CANCELD_CAUSE_SHUTDOWN);
    CHECK(stored("b", NULL, 0, CANCELD_ANSWER_DRAINING) == NULL);
    CHECK_EQ(canceld_operation_finish(operation, CANCELD_OUTCOME_CANCELLED, 0, NULL), CANCELD_OK);
    CHECK_EQ(canceld_drain(client, &drain, 0, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_DRAINED);
    canceld_result_clear(&result);
    CHECK_EQ(canceld_undrain(client, &drain, 0, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_UNDRAINED);
    canceld_result_clear(&result);
    CHECK_EQ(canceld_undrain(client, &drain, 0, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_NOT_FOUND);
    canceld_result_clear(&result);
    drain = (struct canceld_drain_request){.daemon = true};
    CHECK_EQ(canceld_drain(client, &drain, 0, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_DRAINED);
    canceld_result_clear(&result);
    CHECK(stored("c", NULL, 0, CANCELD_ANSWER_DRAINING) == NULL);
    end();
}

static struct canceld_watch_item next(struct canceld_watcher *watcher, enum canceld_watch_kind kind)
{
    struct canceld_watch_item item;

    CHECK_EQ(canceld_watcher_next(watcher, 5000, 0, &item), CANCELD_OK);
    CHECK_EQ(item.kind, kind);
    return item;
}

static void watches(void)
{
    struct canceld_watcher *watcher = NULL;
    struct canceld_watch_item item;
    struct canceld_operation *operation;
    struct canceld_cancel_request cancel = {.key = canceld_string("a")};
    uint64_t revision = 0;

    begin(FLAGS);
    operation = stored("a", NULL, 0, CANCELD_ANSWER_STORED);
    CHECK_EQ(canceld_watcher_new(client, (struct canceld_bytes){0}, &watcher), CANCELD_OK);
    item = next(watcher, CANCELD_WATCH_SNAPSHOT); /* the first one is no gap */
    CHECK_EQ(item.operation->gen, canceld_operation_gen(operation));
    (void) next(watcher, CANCELD_WATCH_CURRENT);
    CHECK_EQ(canceld_watcher_next(watcher, 10, 0, &item), CANCELD_OK);
    CHECK_EQ(item.kind, CANCELD_WATCH_NOTHING);
    CHECK_EQ(canceld_cancel(client, &cancel, 0, NULL), CANCELD_OK);
    CHECK_EQ(canceld_operation_finish(operation, CANCELD_OUTCOME_CANCELLED, 0, NULL), CANCELD_OK);
    item = next(watcher, CANCELD_WATCH_EVENT);
    CHECK_EQ(item.event->state, CANCELD_STATE_CANCELLING);
    CHECK_EQ(item.event->cause.code, CANCELD_CAUSE_USER);
    revision = item.revision;
    item = next(watcher, CANCELD_WATCH_EVENT);
    CHECK_EQ(item.event->state, CANCELD_STATE_ENDED);
    CHECK_EQ(item.event->outcome, CANCELD_OUTCOME_CANCELLED);
    CHECK_EQ(item.revision, revision + 1);
    canceld_watcher_free(watcher);
    end();
}

/* More operations than fit a page, and a daemon that is restarted, or runs ahead: never silently. */
static void gaps(void)
{
    struct canceld_watcher *watcher = NULL;
    struct canceld_watch_item item;
    struct canceld_operation *operations[1500];
    size_t seen = 0;
    char key[32];

    begin(FLAGS " --limit-watch-events 16");
    for (size_t i = 0; i < 1500; i++) {
        (void) snprintf(key, sizeof key, "k%zu", i);
        operations[i] = stored(key, NULL, 0, CANCELD_ANSWER_STORED);
    }
    CHECK_EQ(canceld_watcher_new(client, (struct canceld_bytes){0}, &watcher), CANCELD_OK);
    for (;;) {
        CHECK_EQ(canceld_watcher_next(watcher, 5000, 0, &item), CANCELD_OK);
        if (item.kind == CANCELD_WATCH_CURRENT)
            break;
        CHECK_EQ(item.kind, CANCELD_WATCH_SNAPSHOT);
        seen++;
    }
    CHECK_EQ(seen, 1500);
    for (size_t i = 0; i < 1499; i++)
        CHECK_EQ(canceld_operation_finish(operations[i], CANCELD_OUTCOME_COMPLETED, 0, NULL),
                 CANCELD_OK);
    (void) next(watcher, CANCELD_WATCH_GAP);
    item = next(watcher, CANCELD_WATCH_SNAPSHOT);
    CHECK_EQ(item.operation->gen, canceld_operation_gen(operations[1499]));
    (void) next(watcher, CANCELD_WATCH_CURRENT);
    CHECK_EQ(kill(daemon_.pid, SIGKILL), 0);
    (void) program_wait(&daemon_);
    (void) program_start_ready(&daemon_, FLAGS);
    (void) next(watcher, CANCELD_WATCH_GAP);
    canceld_watcher_free(watcher);
    canceld_operation_free(operations[1499]);
    end();
}

static void histories(void)
{
    struct canceld_operation *operation;
    struct canceld_cancel_request cancel = {
        .key = canceld_string("a"),
        .cause = {.text = canceld_string("enough"), .actor = canceld_string("me")}};
    struct canceld_history_request history = {.key = canceld_string("a")};
    struct canceld_result result;

    begin(FLAGS);
    operation = stored("a", NULL, 0, CANCELD_ANSWER_STORED);
    CHECK_EQ(canceld_cancel(client, &cancel, 0, &result), CANCELD_OK);
    CHECK(result.journaled);
    canceld_result_clear(&result);
    CHECK_EQ(canceld_operation_finish(operation, CANCELD_OUTCOME_CANCELLED, 0, NULL), CANCELD_OK);
    CHECK_EQ(canceld_history(client, &history, 0, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_HISTORY);
    CHECK_EQ(result.history_count, 1);
    CHECK_EQ(result.history[0].kind, CANCELD_HISTORY_CANCEL);
    CHECK_BYTES_EQ(result.history[0].cause.text.data, result.history[0].cause.text.size, "enough",
                   6);
    CHECK_EQ(result.history[0].outcome, CANCELD_OUTCOME_CANCELLED);
    CHECK(result.history[0].by_owner);
    canceld_result_clear(&result);
    end();
}

static void no_history(void)
{
    struct canceld_history_request history = {.key = canceld_string("a")};
    struct canceld_result result;

    begin("--listen ipc://@/s --ephemeral");
    CHECK_EQ(canceld_history(client, &history, 0, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_ERROR);
    CHECK_EQ(result.error.code, CANCELD_ERROR_NO_JOURNAL);
    canceld_result_clear(&result);
    end();
}

static const struct test_case cases[] = {
    {"a parent's cancel is its children's, unless they were detached", trees},
    {"a label, a session and a namespace are cancelled as one", groups},
    {"a drain closes for stores, cancels, and tells what is left", drains},
    {"a watcher is given the snapshot and then each event", watches},
    {"a watcher that was left behind is told a gap", gaps},
    {"the history says who cancelled what and how it ended", histories},
    {"without a journal there is no history", no_history},
};

TEST_MAIN(cases)
