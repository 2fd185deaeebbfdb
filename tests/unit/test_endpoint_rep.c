/* SPDX-License-Identifier: MIT */
/* The endpoint on NNG's REP socket: the same server behind it, NNG's REQ socket in front. */
#include "endpoint_rig.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdio.h>
#include <stdlib.h>

#define REP_URL "inproc://endpoint"
#define CONTEXTS 500 /* more than the endpoint has at first */

static struct server server;

static void started(void)
{
    server_init(&server);
    server_start(&server, "rep+" REP_URL);
}

/* A REQ socket with many requests at once. */
struct asker {
    nng_socket socket;
    nng_ctx contexts[CONTEXTS];
    nng_aio *aios[CONTEXTS];
};

static struct asker asker_open(void)
{
    struct asker asker;
    CHECK_EQ(nng_req0_open(&asker.socket), 0);
    CHECK_EQ(nng_dial(asker.socket, REP_URL, NULL, 0), 0);
    for (size_t i = 0; i < CONTEXTS; i++) {
        CHECK_EQ(nng_ctx_open(&asker.contexts[i], asker.socket), 0);
        CHECK_EQ(nng_aio_alloc(&asker.aios[i], NULL, NULL), 0);
    }
    return asker;
}

static void asker_close(struct asker *asker)
{
    CHECK_EQ(nng_close(asker->socket), 0);
    for (size_t i = 0; i < CONTEXTS; i++) {
        nng_aio_free(asker->aios[i]);
    }
}

static void asker_send(struct asker *asker, size_t number, int fill, size_t size)
{
    nng_msg *message;
    CHECK_EQ(nng_msg_alloc(&message, size), 0);
    memset(nng_msg_body(message), fill, size);
    nng_aio_set_msg(asker->aios[number], message);
    nng_ctx_send(asker->contexts[number], asker->aios[number]);
    nng_aio_wait(asker->aios[number]);
    CHECK_EQ(nng_aio_result(asker->aios[number]), 0);
}

static void asker_expect(struct asker *asker, size_t number, int fill, size_t size)
{
    nng_ctx_recv(asker->contexts[number], asker->aios[number]);
    nng_aio_wait(asker->aios[number]);
    CHECK_EQ(nng_aio_result(asker->aios[number]), 0);
    nng_msg *message = nng_aio_get_msg(asker->aios[number]);
    CHECK_EQ(nng_msg_len(message), size);
    const uint8_t *body = nng_msg_body(message);
    for (size_t i = 0; i < size; i++) {
        CHECK(body[i] == (uint8_t) fill);
    }
    nng_msg_free(message);
}

/* Of the last reply on a connection NNG says that it is sent when it has taken it: closed right then, it is lost. */
static void asker_may_get(struct asker *asker, size_t number)
{
    nng_aio_set_timeout(asker->aios[number], 1000);
    nng_ctx_recv(asker->contexts[number], asker->aios[number]);
    nng_aio_wait(asker->aios[number]);
    const int result = nng_aio_result(asker->aios[number]);
    CHECK(result == 0 || result == NNG_ETIMEDOUT);
    if (result == 0) {
        nng_msg_free(nng_aio_get_msg(asker->aios[number]));
    } else {
        (void) printf("  the last reply was lost by NNG\n");
    }
}

static void requests_are_answered(void)
{
    started();
    CHECK_STR_EQ(server.url, "rep+" REP_URL);
    struct asker asker = asker_open();
    for (size_t round = 0; round < 1000; round++) {
        asker_send(&asker, round % CONTEXTS, 'a', round * 60);
        asker_expect(&asker, round % CONTEXTS, 'a', round * 60);
    }
    CHECK_EQ(server_stats(&server).frames_in, 1000);
    CHECK_EQ(server_stats(&server).frames_out, 1000);
    CHECK_EQ(server_stats(&server).links, 1);
    CHECK_STR_EQ(server.peer, "");
    asker_close(&asker);
    CHECK_EVENTUALLY(atomic_load(&server.downs) == 1);
    server_end(&server);
}

/* More of them than there are contexts at first, answered later. */
static void parked_requests_stop_nothing(void)
{
    started();
    struct asker asker = asker_open();
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 1; i < CONTEXTS; i++) {
            asker_send(&asker, i, 'P', 1);
        }
        CHECK_EVENTUALLY(server_parked(&server) == CONTEXTS - 1);
        asker_send(&asker, 0, 'n', 10);
        asker_expect(&asker, 0, 'n', 10);
        server_answer_parked(&server, 33);
        for (size_t i = 1; i < CONTEXTS; i++) {
            asker_expect(&asker, i, 'p', 33);
        }
    }
    asker_close(&asker);
    server_end(&server);
}

static void late_replies_are_dropped(void)
{
    started();
    struct asker asker = asker_open();
    for (size_t i = 0; i < 100; i++) {
        asker_send(&asker, i, 'P', 1);
    }
    CHECK_EVENTUALLY(server_parked(&server) == 100);
    asker_close(&asker);
    CHECK_EVENTUALLY(atomic_load(&server.downs) == 1);
    server_answer_parked(&server, 10);
    CHECK_EQ(server_stats(&server).frames_out, 0);
    asker = asker_open();
    asker_send(&asker, 0, 'x', 10);
    asker_expect(&asker, 0, 'x', 10);
    asker_close(&asker);
    server_end(&server);
}

static void too_long_bodies_are_cut(void)
{
    started();
    struct asker asker = asker_open();
    asker_send(&asker, 0, 'x', 65536);
    asker_expect(&asker, 0, 'x', 65536);
    asker_send(&asker, 1, 'x', 65537);
    CHECK_EVENTUALLY(server_stats(&server).cuts[ENDPOINT_CUT_RULES] >= 1);
    asker_close(&asker);
    server_end(&server);
}

static void connections_are_bounded(void)
{
    server_init(&server);
    server.limits.connections = 2;
    server_start(&server, "rep+" REP_URL);
    nng_socket sockets[3];
    for (size_t i = 0; i < 3; i++) {
        CHECK_EQ(nng_req0_open(&sockets[i]), 0);
        CHECK_EQ(nng_dial(sockets[i], REP_URL, NULL, i == 2 ? NNG_FLAG_NONBLOCK : 0), 0);
        CHECK_EVENTUALLY(atomic_load(&server.ups) >= (i < 2 ? i + 1 : 2));
    }
    CHECK_EVENTUALLY(server_stats(&server).refused >= 1);
    CHECK_EQ(server_stats(&server).links, 2);
    for (size_t i = 0; i < 3; i++) {
        CHECK_EQ(nng_close(sockets[i]), 0);
    }
    server_end(&server);
}

/* With requests held, replies on their way and receives in flight. */
static void the_loop_may_stop_at_any_time(void)
{
    for (size_t round = 0; round < TEST_SCALE(40); round++) {
        started();
        struct asker asker = asker_open();
        for (size_t i = 0; i < 100; i++) {
            asker_send(&asker, i, i % 2 == 0 ? 'P' : 'x', 500);
        }
        server_end_hard(&server);
        asker_close(&asker);
    }
}

static void close_answers_what_was_replied(void)
{
    started();
    struct asker asker = asker_open();
    for (size_t i = 0; i < 200; i++) {
        asker_send(&asker, i, 'P', 1);
    }
    CHECK_EVENTUALLY(server_parked(&server) == 200);
    server_answer_parked(&server, 40);
    server_close(&server, 5000);
    for (size_t i = 0; i < 199; i++) {
        asker_expect(&asker, i, 'p', 40);
    }
    asker_may_get(&asker, 199);
    CHECK_EVENTUALLY(atomic_load(&server.closed));
    CHECK_EQ(atomic_load(&server.downs), 1);
    asker_close(&asker);
    server_end_hard(&server);
}

/* ---- over sockets, where NNG is sound enough ---- */

static bool nng_is_sound(void)
{
    return strncmp(nng_version(), "1.5", 3) != 0;
}

static void sockets_are_served_alike(enum wire wire)
{
    if (!nng_is_sound()) {
        (void) printf("left out: NNG %s\n", nng_version());
        return;
    }
    char url[ENDPOINT_URL_BYTES];
    (void) snprintf(url, sizeof url, "rep+%s", wire_url(wire));
    server_init(&server);
    server.limits.stall_ms = 300;
    server_start(&server, url);
    struct client honest = client_open(&server);
    size_t descriptors = test_descriptors_count();
    for (uint32_t i = 0; i < 200; i++) {
        struct client hit = client_open(&server);
        for (uint32_t id = 0; id < 20; id++) {
            client_request(&hit, id, i % 2 == 0 ? 'x' : 'P', 500);
        }
        client_close(&hit);
        client_request(&honest, i, 'h', 50);
        client_expect(&honest, i, 'h', 50);
        CHECK_EVENTUALLY(atomic_load(&server.downs) == i + 1);
        server_answer_parked(&server, 10);
    }
    CHECK_EVENTUALLY(test_descriptors_count() == descriptors);
    CHECK(strncmp(server.peer, wire == WIRE_IPC ? "uid:" : "tcp:127", 4) == 0);
    client_close(&honest);
    server_end(&server);
}

static void sockets_are_served_alike_by_ipc(void)
{
    sockets_are_served_alike(WIRE_IPC);
}

static void sockets_are_served_alike_by_tcp(void)
{
    sockets_are_served_alike(WIRE_TCP);
}

static void those_who_do_not_read_are_cut(void)
{
    if (!nng_is_sound()) {
        (void) printf("left out: NNG %s\n", nng_version());
        return;
    }
    char url[ENDPOINT_URL_BYTES];
    (void) snprintf(url, sizeof url, "rep+%s", wire_url(WIRE_IPC));
    server_init(&server);
    server.limits.stall_ms = 300;
    server_start(&server, url);
    struct client client = client_open(&server);
    for (uint32_t id = 0; id < 50; id++) {
        client_request(&client, id, 'P', 1);
    }
    CHECK_EVENTUALLY(server_parked(&server) == 50);
    server_answer_parked(&server, 65000);
    CHECK_EVENTUALLY(server_stats(&server).cuts[ENDPOINT_CUT_STALLED_OUTPUT] == 1);
    client_close(&client);
    server_check_serves(&server);
    server_end(&server);
}

static const struct test_case cases[] = {
    {"requests are answered", requests_are_answered, 0},
    {"parked requests stop nothing", parked_requests_stop_nothing, 0},
    {"late replies are dropped", late_replies_are_dropped, 0},
    {"a body that is too long is cut", too_long_bodies_are_cut, 0},
    {"connections are bounded", connections_are_bounded, 0},
    {"the loop may stop at any time", the_loop_may_stop_at_any_time, 0},
    {"a close waits for replies on their way", close_answers_what_was_replied, 0},
    {"bare sockets are served alike over ipc", sockets_are_served_alike_by_ipc, 0},
    {"bare sockets are served alike over tcp", sockets_are_served_alike_by_tcp, 0},
    {"who does not read is cut", those_who_do_not_read_are_cut, 0},
};
TEST_MAIN(cases)
