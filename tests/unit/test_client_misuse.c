/* SPDX-License-Identifier: MIT */
/* The library used as it must not be, and where the machine does not play along: each call says so by its status, gives
 * back nothing, and leaves the client as it was. */
#include "canceld_program.h"
#include "testing.h"

#include <canceld/client.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define FLAGS "--listen ipc://@/s --ephemeral --recovery 0"

static struct program daemon_;
static char url[700];

static struct canceld_client *connected(const char *name_space)
{
    struct canceld_options options = {.url = url, .name_space = name_space, .await_daemon = true};
    struct canceld_client *client = NULL;

    CHECK_EQ(canceld_connect(&options, 0, &client), CANCELD_OK);
    return client;
}

static struct canceld_client *begin(void)
{
    (void) program_start_ready(&daemon_, FLAGS);
    (void) snprintf(url, sizeof url, "ipc://%s", test_path("s"));
    return connected(NULL);
}

static void end(struct canceld_client *client)
{
    canceld_close(client, 0);
    program_stop(&daemon_);
}

static struct canceld_operation *stored(struct canceld_client *client, const char *key)
{
    const struct canceld_store_request store = {.key = canceld_string(key)};
    struct canceld_operation *operation = NULL;
    struct canceld_result result;

    CHECK_EQ(canceld_store(client, &store, 0, &operation, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_STORED);
    canceld_result_clear(&result);
    return operation;
}

static void cancelled(struct canceld_client *client, const char *key)
{
    const struct canceld_cancel_request cancel = {.key = canceld_string(key)};
    struct canceld_result result;

    CHECK_EQ(canceld_cancel(client, &cancel, 0, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_REQUESTED);
    canceld_result_clear(&result);
}

static void finished(struct canceld_operation *operation)
{
    CHECK_EQ(canceld_operation_finish(operation, CANCELD_OUTCOME_COMPLETED, 0, NULL), CANCELD_OK);
}

/* ---- options ---- */

static void check_invalid(struct canceld_options options)
{
    struct canceld_client *client = NULL;

    CHECK_EQ(canceld_connect(&options, 100, &client), CANCELD_INVALID);
    CHECK(client == NULL);
}

static void options_out_of_their_bounds(void)
{
    static uint8_t token[257];
    static const char long_name[] =
        "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn";
    const char *ipc = "ipc:///nowhere";

    CHECK_EQ(sizeof long_name - 1, 65);
    check_invalid((struct canceld_options){.url = ipc, .name_space = long_name});
    check_invalid((struct canceld_options){.url = ipc, .client_name = long_name});
    check_invalid((struct canceld_options){.url = ipc, .token = {token, sizeof token}});
    check_invalid((struct canceld_options){.url = ipc, .token = {token, 1}, .sessionless = true});
    check_invalid((struct canceld_options){.url = ipc, .heartbeat_ms = 99});
    check_invalid((struct canceld_options){.url = ipc, .heartbeat_ms = 86400001});
    check_invalid((struct canceld_options){.url = "ipc://"});
}

/* A name that no socket can have is none that a daemon may yet come to. */
static void paths_that_no_socket_has(void)
{
    const struct sockaddr_un *room = NULL;
    const size_t size = strlen("ipc:///") + sizeof room->sun_path;
    struct canceld_client *client = NULL;
    struct canceld_options options = {.url = url};

    memset(url, 'p', size);
    memcpy(url, "ipc:///", strlen("ipc:///"));
    url[size - 1] =
        '\0'; /* its path has as many bytes as there is room for, without a terminator */
    CHECK_EQ(strlen(url) - strlen("ipc://"), sizeof room->sun_path);
    check_invalid(options);
    url[size - 2] = '\0';
    CHECK_EQ(canceld_connect(&options, 100, &client), CANCELD_UNAVAILABLE);
}

static void write_text(const char *name, size_t size)
{
    FILE *file = fopen(test_path(name), "we");

    CHECK(file != NULL);
    for (size_t i = 0; i < size; i++)
        CHECK_NE(fputc('x', file), EOF);
    CHECK_EQ(fclose(file), 0);
}

static void tls_files_that_are_none(void)
{
    struct canceld_options options = {.url = "tls+tcp://localhost:1"};

    check_invalid(options);
    options.tls.ca_file = test_path("none");
    check_invalid(options);
    options.tls.ca_file = test_directory(); /* can be opened, and not read */
    check_invalid(options);
    write_text("empty", 0);
    options.tls.ca_file = test_path("empty");
    check_invalid(options);
    write_text("big", (1 << 20) + 1);
    options.tls.ca_file = test_path("big");
    check_invalid(options);
    test_descriptors_mark(); /* NNG's */
}

/* ---- arguments ---- */

static void calls_without_a_place_for_their_answer(void)
{
    struct canceld_client *client = begin();
    struct canceld_operation *operation = stored(client, "k");
    const struct canceld_request ping = {.op = CANCELD_OP_PING};
    struct canceld_watcher *watcher = NULL;
    struct canceld_options options = {.url = url};
    uint8_t byte = 'n';

    CHECK_EQ(canceld_connect(&options, 0, NULL), CANCELD_INVALID);
    CHECK_EQ(canceld_info(client, NULL), CANCELD_INVALID);
    CHECK_EQ(canceld_submit(client, &ping, 0, NULL, NULL), CANCELD_INVALID);
    CHECK_EQ(canceld_watcher_new(client, (struct canceld_bytes){0}, NULL), CANCELD_INVALID);
    CHECK_EQ(canceld_watcher_new(client, (struct canceld_bytes){&byte, SIZE_MAX / 2}, &watcher),
             CANCELD_INVALID);
    CHECK(watcher == NULL);
    /* An answer that nobody wants is given back. */
    CHECK_EQ(canceld_operation_touch(operation, 60000, 0, NULL), CANCELD_OK);
    finished(operation);
    end(client);
}

/* ---- notices ---- */

static _Atomic(int) told;

static void on_notice(struct canceld_operation *operation, void *arg)
{
    (void) operation;
    (void) arg;
    atomic_fetch_add(&told, 1);
}

static void notices_asked_for_late(void)
{
    struct canceld_client *client = begin();
    struct canceld_operation *early = stored(client, "early");
    struct canceld_operation *late = stored(client, "late");
    struct canceld_operation *never = stored(client, "never");

    CHECK_EQ(canceld_operation_on_notice(early, on_notice, NULL), CANCELD_OK);
    CHECK_EQ(canceld_operation_on_notice(never, on_notice, NULL), CANCELD_OK);
    CHECK_EQ(canceld_operation_on_notice(never, NULL, NULL), CANCELD_OK);
    cancelled(client, "early");
    CHECK_EVENTUALLY(atomic_load(&told) == 1);
    cancelled(client, "late");
    cancelled(client, "never");
    CHECK_EVENTUALLY(canceld_operation_should_stop(late) && canceld_operation_should_stop(never));
    CHECK_EQ(atomic_load(&told), 1);
    CHECK_EQ(canceld_operation_on_notice(late, on_notice, NULL), CANCELD_OK);
    CHECK_EVENTUALLY(atomic_load(&told) == 2);
    /* A touch of one that is cancelled is no touch of one that goes on. */
    CHECK_EQ(canceld_operation_touch(late, 60000, 0, NULL), CANCELD_OK);
    finished(early);
    finished(late);
    finished(never);
    end(client);
    CHECK_EQ(atomic_load(&told), 2);
}

/* ---- watchers ---- */

static void a_watch_of_another_namespace(void)
{
    struct canceld_client *client = begin();
    struct canceld_client *other = connected("other");
    struct canceld_operation *mine = stored(client, "mine");
    struct canceld_operation *theirs = stored(other, "theirs");
    struct canceld_watcher *watcher = NULL;
    struct canceld_watch_item item = {.kind = CANCELD_WATCH_NOTHING};

    CHECK_EQ(canceld_watcher_new(client, canceld_string("other"), &watcher), CANCELD_OK);
    CHECK_EQ(canceld_watcher_next(watcher, UINT32_MAX, 0, &item), CANCELD_OK);
    CHECK_EQ(item.kind, CANCELD_WATCH_SNAPSHOT);
    CHECK_BYTES_EQ(item.operation->key.data, item.operation->key.size, "theirs", 6);
    CHECK_EQ(canceld_watcher_next(watcher, 0, 0, &item), CANCELD_OK);
    CHECK_EQ(item.kind, CANCELD_WATCH_CURRENT);
    cancelled(client, "mine");
    cancelled(other, "theirs");
    CHECK_EQ(canceld_watcher_next(watcher, UINT32_MAX, 0, &item), CANCELD_OK);
    CHECK_EQ(item.kind, CANCELD_WATCH_EVENT);
    CHECK_BYTES_EQ(item.event->key.data, item.event->key.size, "theirs", 6);
    canceld_watcher_free(watcher);
    /* One that the daemon will not have is answered, not lost. */
    CHECK_EQ(canceld_watcher_new(client, canceld_string("no space"), &watcher), CANCELD_OK);
    CHECK_EQ(canceld_watcher_next(watcher, 0, 0, &item), CANCELD_OK);
    CHECK_EQ(item.kind, CANCELD_WATCH_ANSWER);
    CHECK_EQ(item.result->answer, CANCELD_ANSWER_ERROR);
    CHECK_STR_EQ(item.result->error.field, "namespace");
    canceld_watcher_free(watcher);
    finished(mine);
    finished(theirs);
    canceld_close(other, 0);
    end(client);
}

/* ---- a daemon that is gone ---- */

static void a_daemon_that_is_gone(void)
{
    struct canceld_client *client = begin();
    struct canceld_operation *operation = stored(client, "k");
    struct canceld_watcher *watcher = NULL;
    struct canceld_watch_item item;
    struct canceld_info info = {0};

    CHECK_EQ(canceld_watcher_new(client, (struct canceld_bytes){0}, &watcher), CANCELD_OK);
    CHECK_EQ(kill(daemon_.pid, SIGKILL), 0);
    CHECK_EQ(program_wait(&daemon_), 128 + SIGKILL);
    CHECK_EVENTUALLY(canceld_is_degraded(client));
    CHECK_EVENTUALLY(canceld_info(client, &info) == CANCELD_OK && info.degraded_ms > 0);
    CHECK(info.degraded);
    CHECK_NE(canceld_watcher_next(watcher, 0, 50, &item), CANCELD_OK);
    CHECK_EQ(item.kind, CANCELD_WATCH_NOTHING);
    CHECK_NE(canceld_operation_touch(operation, 1000, 50, NULL), CANCELD_OK);
    canceld_watcher_free(watcher);
    canceld_close(client, 50);
    /* The handle is its holder's still. */
    CHECK_EQ(canceld_operation_on_notice(operation, on_notice, NULL), CANCELD_CLOSED);
    canceld_operation_free(operation);
}

/* ---- in a child ---- */

static void call_in_child(struct canceld_client *client, struct canceld_operation *operation,
                          struct canceld_watcher *watcher)
{
    const struct canceld_store_request store = {.key = canceld_string("child")};
    struct canceld_operation *made = operation;
    struct canceld_watcher *other = NULL;
    struct canceld_watch_item item;
    struct canceld_notice notice;
    struct canceld_result result;

    CHECK_EQ(canceld_store(client, &store, 100, &made, &result), CANCELD_FORKED);
    CHECK(made == NULL && result.answer == CANCELD_ANSWER_UNSET);
    CHECK_EQ(canceld_operation_notice(operation, &notice), CANCELD_FORKED);
    CHECK_EQ(canceld_operation_on_notice(operation, on_notice, NULL), CANCELD_FORKED);
    CHECK_EQ(canceld_operation_touch(operation, 1000, 100, NULL), CANCELD_FORKED);
    CHECK_EQ(canceld_operation_fd(operation), -1);
    CHECK_EQ(errno, EBADF);
    CHECK_EQ(canceld_operation_finish(operation, CANCELD_OUTCOME_FAILED, 100, &result),
             CANCELD_FORKED);
    CHECK_EQ(canceld_watcher_new(client, (struct canceld_bytes){0}, &other), CANCELD_FORKED);
    CHECK_EQ(canceld_watcher_next(watcher, 0, 100, &item), CANCELD_FORKED);
    CHECK_EQ(item.kind, CANCELD_WATCH_NOTHING);
    /* Nothing, and so nothing that the parent would see. */
    canceld_operation_free(operation);
    canceld_operation_forget(operation);
    canceld_close(client, 100);
}

static void a_child_of_fork(void)
{
    struct canceld_client *client = begin();
    struct canceld_operation *operation = stored(client, "k");
    struct canceld_watcher *watcher = NULL;
    struct canceld_list_request all = {.order = CANCELD_LIST_ORDER_OLDEST};
    struct canceld_result result;
    int status = 0;

    CHECK_EQ(canceld_watcher_new(client, (struct canceld_bytes){0}, &watcher), CANCELD_OK);
    pid_t child = fork();
    CHECK_GE(child, 0);
    if (child == 0) {
        call_in_child(client, operation, watcher);
        _exit(0);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    CHECK_EQ(canceld_list(client, &all, 0, &result), CANCELD_OK);
    CHECK_EQ(result.operations_count, 1);
    canceld_result_clear(&result);
    canceld_watcher_free(watcher);
    finished(operation);
    end(client);
}

static const struct test_case cases[] = {
    {"options out of their bounds are INVALID", options_out_of_their_bounds},
    {"a path that no socket can have is INVALID", paths_that_no_socket_has},
    {"a TLS file that cannot be read whole, or is none, is INVALID", tls_files_that_are_none},
    {"a call without a place for its answer is INVALID", calls_without_a_place_for_their_answer},
    {"a callback that is set late is called, and one that was taken away is not",
     notices_asked_for_late},
    {"a watch sees the namespace that it names", a_watch_of_another_namespace},
    {"calls to a daemon that is gone end, and handles stay valid", a_daemon_that_is_gone},
    {"in a child after fork() handles do nothing", a_child_of_fork},
};

TEST_MAIN(cases)
