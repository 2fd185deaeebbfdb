/* SPDX-License-Identifier: MIT */
/* The client library where there is no daemon: nobody, somebody else, and children of fork(). */
#include "testing.h"

#include <canceld/client.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char socket_path[200];
static char socket_url[220];

static void path_make(void)
{
    (void) snprintf(socket_path, sizeof socket_path, "%s/s", test_directory());
    (void) snprintf(socket_url, sizeof socket_url, "ipc://%s", socket_path);
}

/* Whether the number of descriptors has not changed for a while: NNG closes some a moment late. */
static bool descriptors_rest(void)
{
    static size_t count;
    static size_t same;

    same = test_descriptors_count() == count ? same + 1 : 0;
    count = test_descriptors_count();
    return same >= 20;
}

/* NNG keeps descriptors from its first use on; what comes after must leave none. */
static void nng_warm_up(void)
{
    struct canceld_options options = {.url = "ipc:///nowhere/at/all"};
    struct canceld_client *client = NULL;

    path_make();
    CHECK_EQ(canceld_connect(&options, 1000, &client), CANCELD_UNAVAILABLE);
    CHECK_EVENTUALLY(descriptors_rest());
    test_descriptors_mark();
}

static void nobody(void)
{
    struct canceld_options options = {0};
    struct canceld_client *client = NULL;
    uint64_t begun_ms = 0;

    nng_warm_up();
    options.url = socket_url;
    begun_ms = test_now_ms();
    CHECK_EQ(canceld_connect(&options, 60000, &client), CANCELD_UNAVAILABLE);
    CHECK_LT(test_now_ms() - begun_ms, 10000);
    options.await_daemon = true;
    begun_ms = test_now_ms();
    CHECK_EQ(canceld_connect(&options, 300, &client), CANCELD_UNAVAILABLE);
    CHECK_GE(test_now_ms() - begun_ms, 300);
    CHECK(client == NULL);
}

static void bad_options(void)
{
    struct canceld_options options = {0};
    struct canceld_client *client = NULL;
    char name[66];

    CHECK_EQ(canceld_connect(NULL, 0, &client), CANCELD_INVALID);
    CHECK_EQ(canceld_connect(&options, 0, &client), CANCELD_INVALID);
    options.url = "carrier-pigeon://coop";
    CHECK_EQ(canceld_connect(&options, 0, &client), CANCELD_INVALID);
    options.url = "tcp://";
    CHECK_NE(canceld_connect(&options, 100, &client), CANCELD_OK);
    options.url = "ipc:///nowhere";
    options.heartbeat_ms = 99;
    CHECK_EQ(canceld_connect(&options, 0, &client), CANCELD_INVALID);
    options.heartbeat_ms = 0;
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    options.client_name = name;
    CHECK_EQ(canceld_connect(&options, 0, &client), CANCELD_INVALID);
    CHECK_EQ(canceld_connect(&options, 0, NULL), CANCELD_INVALID);
    CHECK_EQ(canceld_ping(NULL, 0, NULL), CANCELD_INVALID);
    test_descriptors_mark(); /* "tcp://" has started NNG */
}

/* Takes one connection, writes these bytes, and holds on until the other end closes. */
struct peer {
    pthread_t thread;
    int listener;
    const char *bytes;
    size_t size;
};

static void *peer_run(void *arg)
{
    struct peer *peer = arg;
    char byte = 0;
    int link = accept(peer->listener, NULL, NULL);

    CHECK_GE(link, 0);
    CHECK_EQ(send(link, peer->bytes, peer->size, MSG_NOSIGNAL), peer->size);
    while (read(link, &byte, 1) > 0)
        ;
    (void) close(link);
    return NULL;
}

static void peer_start(struct peer *peer, const char *bytes, size_t size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    memcpy(address.sun_path, socket_path, strlen(socket_path));
    *peer = (struct peer){.bytes = bytes, .size = size};
    peer->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_EQ(bind(peer->listener, (struct sockaddr *) &address, sizeof address), 0);
    CHECK_EQ(listen(peer->listener, 4), 0);
    CHECK_EQ(pthread_create(&peer->thread, NULL, peer_run, peer), 0);
}

static void peer_stop(struct peer *peer)
{
    CHECK_EQ(pthread_join(peer->thread, NULL), 0);
    (void) close(peer->listener);
    (void) unlink(socket_path);
}

static void somebody_else(void)
{
    static const char http[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    struct canceld_options options = {.url = socket_url};
    struct canceld_client *client = NULL;
    struct peer peer;

    nng_warm_up();
    peer_start(&peer, http, sizeof http - 1);
    CHECK_EQ(canceld_connect(&options, 5000, &client), CANCELD_REFUSED);
    peer_stop(&peer);
    /* A handshake, and then a frame that is longer than any. */
    peer_start(&peer, "\0SP\0\0\x31\0\0\x01\xff\xff\xff\xff\xff\xff\xff\xff", 17);
    CHECK_NE(canceld_connect(&options, 5000, &client), CANCELD_OK);
    peer_stop(&peer);
    /* One that says nothing at all. */
    peer_start(&peer, "", 0);
    CHECK_EQ(canceld_connect(&options, 300, &client), CANCELD_UNAVAILABLE);
    peer_stop(&peer);
}

/* Without a session the handshake is all that a connection needs. */
static void forked(void)
{
    struct canceld_options options = {.url = socket_url, .sessionless = true};
    struct canceld_client *client = NULL;
    struct canceld_cancel_request cancel = {.key = canceld_string("k")};
    struct canceld_request request = {.op = CANCELD_OP_PING};
    struct canceld_result result;
    struct canceld_info info;
    struct peer peer;
    pid_t child = 0;
    int status = 0;

    nng_warm_up();
    peer_start(&peer, "\0SP\0\0\x31\0\0", 8);
    CHECK_EQ(canceld_connect(&options, 5000, &client), CANCELD_OK);
    child = fork();
    CHECK_GE(child, 0);
    if (child == 0) {
        struct canceld_client *second = NULL;

        CHECK_EQ(canceld_ping(client, 1000, &result), CANCELD_FORKED);
        CHECK_EQ(result.answer, CANCELD_ANSWER_UNSET);
        CHECK_EQ(canceld_cancel(client, &cancel, 1000, &result), CANCELD_FORKED);
        CHECK_EQ(canceld_submit(client, &request, 0, NULL, NULL), CANCELD_FORKED);
        CHECK_EQ(canceld_info(client, &info), CANCELD_FORKED);
        CHECK(canceld_is_degraded(client));
        CHECK_EQ(canceld_connect(&options, 1000, &second), CANCELD_FORKED);
        canceld_close(client, 1000);
        _exit(0);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(!canceld_is_degraded(client));
    /* Sent, and not answered. */
    CHECK_EQ(canceld_ping(client, 100, &result), CANCELD_TIMED_OUT);
    CHECK_EQ(canceld_info(client, &info), CANCELD_OK);
    CHECK_EQ(info.connections_count, 1);
    canceld_close(client, 100);
    peer_stop(&peer);
}

static void words(void)
{
    CHECK_STR_EQ(canceld_status_name(CANCELD_FORKED), "FORKED");
    CHECK_STR_EQ(canceld_answer_name(CANCELD_ANSWER_STATS), "STATS");
    CHECK_STR_EQ(canceld_answer_name(CANCELD_ANSWER_RECOVERING), "RECOVERING");
    CHECK_STR_EQ(canceld_answer_name(CANCELD_ANSWER_HISTORY), "HISTORY");
    CHECK_STR_EQ(canceld_answer_name((enum canceld_answer) 14), "?");
    CHECK_STR_EQ(canceld_answer_name((enum canceld_answer) 1000), "?");
    CHECK_STR_EQ(canceld_outcome_name(CANCELD_OUTCOME_OWNER_LOST), "OWNER_LOST");
    CHECK_STR_EQ(canceld_level_name(CANCELD_LEVEL_STOPPED), "STOPPED");
    CHECK_STR_EQ(canceld_state_name(CANCELD_STATE_CANCELLING), "CANCELLING");
    CHECK_STR_EQ(canceld_cause_code_name(CANCELD_CAUSE_PARENT), "PARENT");
    CHECK_STR_EQ(canceld_error_code_name(CANCELD_ERROR_JOURNAL), "JOURNAL");
    CHECK_STR_EQ(canceld_history_kind_name(CANCELD_HISTORY_BULK), "BULK");
    CHECK(strlen(canceld_status_text(CANCELD_UNKNOWN)) > 0);
    CHECK_NE(canceld_client_version()[0], '\0');
    canceld_result_clear(NULL);
    canceld_operation_free(NULL);
    canceld_operation_forget(NULL);
    canceld_close(NULL, 0);
    canceld_watcher_free(NULL);
}

static const struct test_case cases[] = {
    {"where nobody listens the daemon is UNAVAILABLE, at once or at the deadline", nobody},
    {"options that do not fit are INVALID", bad_options},
    {"whoever is no canceld is refused or given up", somebody_else},
    {"in a child after fork() everything is FORKED", forked},
    {"every word has its name", words},
};

TEST_MAIN(cases)
