/* SPDX-License-Identifier: MIT */
/* The stream endpoint with peers that do not behave. */
#define _GNU_SOURCE /* POLLRDHUP */

#include "endpoint_rig.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Time limits that tests can wait for. */
#define SHORT_MS 200

static struct server server;

static void started(enum wire wire)
{
    server_init(&server);
    server_start(&server, wire_url(wire));
}

static void started_impatient(enum wire wire)
{
    server_init(&server);
    server.limits.handshake_ms = SHORT_MS;
    server.limits.stall_ms = SHORT_MS;
    server_start(&server, wire_url(wire));
}

static uint64_t cuts(enum endpoint_cut why)
{
    return server_stats(&server).cuts[why];
}

/* ---- rules ---- */

struct offence {
    const char *name;
    enum wire wire;
    const char *bytes;
    size_t size;
};

#define BYTES(text) (text), sizeof(text) - 1

static const struct offence offences[] = {
    {"a frame of 2^64 - 1 bytes", WIRE_IPC, BYTES("\1\xff\xff\xff\xff\xff\xff\xff\xff")},
    {"a frame of 2^64 - 1 bytes", WIRE_TCP, BYTES("\xff\xff\xff\xff\xff\xff\xff\xff")},
    {"a frame above the bound", WIRE_IPC, BYTES("\1\0\0\0\0\0\1\0\x21")},
    {"a frame above the bound", WIRE_TCP, BYTES("\0\0\0\0\0\1\0\x21")},
    {"a frame of 3 bytes", WIRE_IPC, BYTES("\1\0\0\0\0\0\0\0\3")},
    {"an unknown type", WIRE_IPC, BYTES("\2")},
    {"no request id", WIRE_TCP, BYTES("\0\0\0\0\0\0\0\4\0\0\0\1")},
};

static void offenders_are_cut_at_once(enum wire wire)
{
    started(wire);
    uint64_t expected = 0;
    for (size_t i = 0; i < sizeof offences / sizeof offences[0]; i++) {
        if (offences[i].wire != wire) {
            continue;
        }
        struct client client = client_open(&server);
        client_request(&client, 1, 'x', 10);
        client_expect(&client, 1, 'x', 10);
        client_send(&client, offences[i].bytes, offences[i].size);
        CHECK_EQ(client_expect_end(&client), 0);
        client_close(&client);
        CHECK_EVENTUALLY(cuts(ENDPOINT_CUT_RULES) == expected + 1);
        expected++;
    }
    CHECK_EQ(server_stats(&server).buffers, 0);
    server_check_serves(&server);
    server_end(&server);
}
OVER_ALL(offenders_are_cut_at_once)

static void strangers_are_cut_at_once(enum wire wire)
{
    static const char *const greetings[] = {"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01", "hello"};
    started(wire);
    for (size_t i = 0; i < sizeof greetings / sizeof greetings[0]; i++) {
        struct client client = client_connect(&server);
        client_send(&client, greetings[i], strlen(greetings[i]));
        CHECK_LE(client_expect_end(&client), SP_HANDSHAKE_BYTES);
        client_close(&client);
        CHECK_EVENTUALLY(cuts(ENDPOINT_CUT_RULES) == i + 1);
    }
    server_end(&server);
}
OVER_ALL(strangers_are_cut_at_once)

/* ---- deadlines ---- */

static void silent_newcomers_are_cut(enum wire wire)
{
    started_impatient(wire);
    uint64_t begin_ms = test_now_ms();
    struct client client = client_connect(&server);
    CHECK_EQ(client_expect_end(&client), SP_HANDSHAKE_BYTES);
    CHECK_GE(test_now_ms() - begin_ms, SHORT_MS - 10);
    CHECK_EVENTUALLY(cuts(ENDPOINT_CUT_HANDSHAKE) == 1);
    client_close(&client);
    server_end(&server);
}
OVER_ALL(silent_newcomers_are_cut)

/* Sends a byte every 10 ms, until the peer has had enough. Returns how many. */
static size_t dribble(struct client *client, const uint8_t *bytes, size_t size)
{
    for (size_t at = 0; at < size; at++) {
        if (send(client->fd, bytes + at, 1, MSG_NOSIGNAL) != 1) {
            return at;
        }
        struct pollfd end = {.fd = client->fd, .events = POLLRDHUP};
        if (poll(&end, 1, 10) == 1) {
            return at;
        }
    }
    return size;
}

static void dribbled_handshakes_are_cut(void)
{
    server_init(&server);
    server.limits.handshake_ms = 40;
    server_start(&server, wire_url(WIRE_IPC));
    struct client client = client_connect(&server);
    uint8_t handshake[SP_HANDSHAKE_BYTES];
    sp_write_handshake(SP_REQ, handshake);
    CHECK_LT(dribble(&client, handshake, sizeof handshake), sizeof handshake);
    CHECK_EVENTUALLY(cuts(ENDPOINT_CUT_HANDSHAKE) == 1);
    client_close(&client);
    server_end(&server);
}

static void dribbled_frames_are_cut(enum wire wire)
{
    started_impatient(wire);
    struct client client = client_open(&server);
    uint8_t request[2000];
    size_t size = request_write(client.framing, 1, 'd', 1900, request);
    uint64_t begin_ms = test_now_ms();
    size_t sent = dribble(&client, request, size);
    CHECK_LT(sent, SHORT_MS);
    CHECK_GE(test_now_ms() - begin_ms, SHORT_MS - 10);
    CHECK_EVENTUALLY(cuts(ENDPOINT_CUT_STALLED_INPUT) == 1);
    CHECK_EVENTUALLY(server_stats(&server).buffers == 0);
    client_close(&client);
    server_end(&server);
}
OVER_ALL(dribbled_frames_are_cut)

/* There is always half a frame waiting, but never the same one for long. */
static void slow_but_whole_frames_are_served(enum wire wire)
{
    started_impatient(wire);
    struct client client = client_open(&server);
    uint8_t request[128];
    size_t size = request_write(client.framing, 1, 's', 4, request);
    (void) request_write(client.framing, 1, 's', 4, request + size);
    uint64_t begin_ms = test_now_ms();
    client_send(&client, request, size / 2);
    while (test_now_ms() - begin_ms < 3 * SHORT_MS) {
        struct pollfd quiet = {.fd = client.fd, .events = POLLIN};
        CHECK_EQ(poll(&quiet, 1, SHORT_MS / 10), 0);
        client_send(&client, request + size / 2, size);
        client_expect(&client, 1, 's', 4);
    }
    client_send(&client, request + size / 2, size - size / 2);
    client_expect(&client, 1, 's', 4);
    struct pollfd quiet = {.fd = client.fd, .events = POLLIN};
    CHECK_EQ(poll(&quiet, 1, 2 * SHORT_MS), 0); /* An idle link is left in peace. */
    client_request(&client, 2, 's', 4);
    client_expect(&client, 2, 's', 4);
    client_close(&client);
    server_end(&server);
}
OVER_ALL(slow_but_whole_frames_are_served)

static void those_who_do_not_read_are_cut(enum wire wire)
{
    started_impatient(wire);
    struct client client = client_open(&server);
    for (uint32_t id = 0; id < 15; id++) {
        client_request(&client, id, 'P', 1);
    }
    CHECK_EVENTUALLY(server_parked(&server) == 15);
    server_answer_parked(&server, 65000);
    server_check_serves(&server);
    if (wire != WIRE_TCP) { /* The kernel may take all of it over TCP. */
        CHECK_EVENTUALLY(cuts(ENDPOINT_CUT_STALLED_OUTPUT) == 1);
    }
    client_close(&client);
    server_end(&server);
}
OVER_ALL(those_who_do_not_read_are_cut)

/* Reads a byte every 5 ms: progress, but not enough of it. */
static void those_who_sip_are_cut(void)
{
    started_impatient(WIRE_IPC);
    struct client client = client_open(&server);
    for (uint32_t id = 0; id < 15; id++) {
        client_request(&client, id, 'P', 1);
    }
    CHECK_EVENTUALLY(server_parked(&server) == 15);
    server_answer_parked(&server, 65000);
    uint64_t begin_ms = test_now_ms();
    char byte;
    while (cuts(ENDPOINT_CUT_STALLED_OUTPUT) == 0) {
        CHECK_EQ(recv(client.fd, &byte, 1, 0), 1);
        struct pollfd none = {.fd = -1};
        CHECK_EQ(poll(&none, 1, 5), 0);
        CHECK_LT(test_now_ms() - begin_ms, TEST_EVENTUALLY_MS);
    }
    client_close(&client);
    server_end(&server);
}

static void overflowing_links_are_cut(enum wire wire)
{
    server_init(&server);
    server.limits.output_bytes = 65536;
    server_start(&server, wire_url(wire));
    struct client client = client_open(&server);
    for (uint32_t id = 0; id < 400; id++) {
        client_request(&client, id, 'P', 1);
    }
    CHECK_EVENTUALLY(server_parked(&server) == 400);
    server_answer_parked(&server, 65000);
    CHECK_EVENTUALLY(cuts(ENDPOINT_CUT_OVERFLOW) == 1);
    client_close(&client);
    server_check_serves(&server);
    server_end(&server);
}
OVER_ALL(overflowing_links_are_cut)

/* ---- storms ---- */

static void bare_connects_do_no_harm(enum wire wire)
{
    started(wire);
    for (size_t i = 0; i < 500; i++) {
        struct client client = client_connect(&server);
        client_close(&client);
    }
    server_check_serves(&server);
    CHECK_EVENTUALLY(atomic_load(&server.downs) == 501);
    server_end(&server);
}
OVER_ALL(bare_connects_do_no_harm)

#define HITS 1000
#define HIT_REQUESTS 20

/* Twenty requests each, no reply read, then gone: by a close, in mid-frame, or by a reset. */
static void hit_and_run(struct client *client, size_t number)
{
    uint8_t talk[HIT_REQUESTS * 600];
    size_t size = 0;
    for (uint32_t id = 0; id < HIT_REQUESTS; id++) {
        size += request_write(client->framing, id, 'h', 500, talk + size);
    }
    if (send(client->fd, talk, size - (number % 3 == 1 ? 100 : 0), MSG_NOSIGNAL) < 0) {
        return;
    }
    if (number % 3 == 2) {
        const struct linger reset = {.l_onoff = 1, .l_linger = 0};
        (void) setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    }
}

static void hits_and_runs_do_no_harm(enum wire wire)
{
    started(wire);
    struct client honest = client_open(&server);
    size_t descriptors = test_descriptors_count();
    uint64_t slowest_ms = 0;
    for (size_t i = 0; i < HITS; i++) {
        struct client client = client_open(&server);
        hit_and_run(&client, i);
        client_close(&client);
        uint64_t begin_ms = test_now_ms();
        client_request(&honest, (uint32_t) i, 'x', 50);
        client_expect(&honest, (uint32_t) i, 'x', 50);
        uint64_t span_ms = test_now_ms() - begin_ms;
        slowest_ms = span_ms > slowest_ms ? span_ms : slowest_ms;
    }
    CHECK_LT(slowest_ms, 1000);
    CHECK_EVENTUALLY(atomic_load(&server.downs) == HITS);
    CHECK_EVENTUALLY(test_descriptors_count() == descriptors);
    CHECK_EVENTUALLY(server_stats(&server).buffers == 0);
    client_close(&honest);
    server_end(&server);
}
OVER_ALL(hits_and_runs_do_no_harm)

/* ---- bounds ---- */

static void connections_are_bounded(enum wire wire)
{
    server_init(&server);
    server.limits.connections = 3;
    server_start(&server, wire_url(wire));
    struct client clients[3];
    for (size_t i = 0; i < 3; i++) {
        clients[i] = client_open(&server);
    }
    struct client one_more = client_connect(&server);
    CHECK_EQ(client_expect_end(&one_more), 0);
    client_close(&one_more);
    CHECK_EQ(server_stats(&server).refused, 1);
    CHECK_EQ(atomic_load(&server.ups), 3);
    client_close(&clients[1]);
    CHECK_EVENTUALLY(atomic_load(&server.downs) == 1);
    server_check_serves(&server);
    client_close(&clients[0]);
    client_close(&clients[2]);
    server_end(&server);
}
OVER_ALL(connections_are_bounded)

static void unopened_connections_are_bounded(void)
{
    server_init(&server);
    server.limits.connections_unopened = 2;
    const struct endpoint_options options = {
        .url = wire_url(WIRE_IPC), .limits = &server.limits, .ipc_gid = -1};
    server_start_with(&server, &options, true);
    struct client clients[3];
    clients[0] = client_open(&server);
    clients[1] = client_open(&server);
    clients[2] = client_connect(&server);
    CHECK_EQ(client_expect_end(&clients[2]), 0);
    client_close(&clients[2]);

    atomic_store(&server.opens, true); /* with the next frame */
    client_request(&clients[0], 1, 'x', 1);
    client_expect(&clients[0], 1, 'x', 1);
    clients[2] = client_open(&server);
    for (size_t i = 0; i < 3; i++) {
        client_close(&clients[i]);
    }
    CHECK_EVENTUALLY(atomic_load(&server.downs) == 3);
    server_check_serves(&server);
    server_end(&server);
}

static void the_handler_may_refuse(enum wire wire)
{
    started(wire);
    atomic_store(&server.refuse, true);
    for (size_t i = 0; i < 20; i++) {
        struct client client = client_connect(&server);
        CHECK_EQ(client_expect_end(&client), 0);
        client_close(&client);
    }
    CHECK_EVENTUALLY(server_stats(&server).refused == 20);
    CHECK_EQ(server_stats(&server).links, 0);
    atomic_store(&server.refuse, false);
    server_check_serves(&server);
    server_end(&server);
}
OVER_ALL(the_handler_may_refuse)

/* Takes every descriptor that the process may have. Returns how many it took. */
static size_t take_descriptors(int taken[64])
{
    const struct rlimit few = {.rlim_cur = 64, .rlim_max = 64};
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    size_t count = 0;
    for (int fd = dup(0); fd >= 0; fd = dup(0)) {
        CHECK_LT(count, 64);
        taken[count++] = fd;
    }
    return count;
}

static void accept_comes_back_after_errors(void)
{
    TEST_NEEDS_LIMITS
    started(WIRE_IPC);
    int taken[64];
    size_t count = take_descriptors(taken);
    CHECK_GT(count, 2);
    (void) close(taken[--count]); /* The client's own; none is left for the server. */
    struct client client = client_connect(&server);
    CHECK_EVENTUALLY(server_stats(&server).accept_errors >= 2);
    CHECK_EQ(atomic_load(&server.ups), 0);
    while (count > 0) {
        (void) close(taken[--count]);
    }
    CHECK_EVENTUALLY(atomic_load(&server.ups) == 1);
    client_close(&client);
    server_check_serves(&server);
    server_end(&server);
}

static const struct test_case cases[] = {
    CASE_ALL("who breaks the rules is cut at once", offenders_are_cut_at_once),
    CASE_ALL("who speaks something else is cut at once", strangers_are_cut_at_once),
    CASE_ALL("who says nothing is cut", silent_newcomers_are_cut),
    {"who dribbles a handshake is cut", dribbled_handshakes_are_cut, 0},
    CASE_ALL("who dribbles a frame is cut", dribbled_frames_are_cut),
    CASE_ALL("who sends slowly but whole is served", slow_but_whole_frames_are_served),
    CASE_ALL("who does not read is cut", those_who_do_not_read_are_cut),
    {"who reads a byte at a time is cut", those_who_sip_are_cut, 0},
    CASE_ALL("who lets too many late replies wait is cut", overflowing_links_are_cut),
    CASE_ALL("500 bare connects do no harm", bare_connects_do_no_harm),
    CASE_ALL("1,000 peers with 20 unread requests do no harm", hits_and_runs_do_no_harm),
    CASE_ALL("connections are bounded", connections_are_bounded),
    {"connections that have not opened are bounded", unopened_connections_are_bounded, 0},
    CASE_ALL("the handler may refuse a link", the_handler_may_refuse),
    {"accept comes back after errors", accept_comes_back_after_errors, 0},
};
TEST_MAIN(cases)
