/* SPDX-License-Identifier: MIT */
/* The stream endpoint with peers that behave. */
#include "endpoint_rig.h"
#include "wire/link_state.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static struct server server;

static void started(enum wire wire)
{
    server_init(&server);
    server_start(&server, wire_url(wire));
}

/* With a route of one word. */
static size_t head_bytes(const struct client *client)
{
    return client->framing == SP_FRAMING_IPC ? 13 : 12;
}

static void requests_are_answered(enum wire wire)
{
    started(wire);
    struct client client = client_open(&server);
    for (uint32_t id = 0; id < 100; id++) {
        client_request(&client, id, 'a', id);
        client_expect(&client, id, 'a', id);
    }
    struct endpoint_stats stats = server_stats(&server);
    CHECK_EQ(stats.links, 1);
    CHECK_EQ(stats.frames_in, 100);
    CHECK_EQ(stats.frames_out, 100);
    CHECK_EQ(stats.bytes_in, SP_HANDSHAKE_BYTES + 100 * head_bytes(&client) + 99 * 50);
    CHECK_EVENTUALLY(server_stats(&server).bytes_out == stats.bytes_in);
    CHECK_EQ(stats.buffers, 0);
    client_close(&client);
    CHECK_EVENTUALLY(atomic_load(&server.downs) == 1);
    CHECK_EQ(server_stats(&server).cuts[ENDPOINT_CUT_PEER], 1);
    server_end(&server);
}
OVER_ALL(requests_are_answered)

static void peers_are_named(void)
{
    started(WIRE_IPC);
    server_check_serves(&server);
    char expected[40];
    (void) snprintf(expected, sizeof expected, "uid:%u", (unsigned) geteuid());
    CHECK_STR_EQ(server.peer, expected);
    server_end(&server);
    started(WIRE_TCP);
    server_check_serves(&server);
    CHECK_STR_EQ(server.peer, "tcp:127.0.0.1");
    server_end(&server);
}

static void every_size_passes(enum wire wire)
{
    static const size_t sizes[] = {0,    1,    255,   256,   257,   1000,  1007,  1008,
                                   1023, 1024, 1025,  4096,  65000, 65485, 65522, 65523,
                                   0,    7,    65535, 65536, 1,     65536};
    started(wire);
    struct client client = client_open(&server);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        client_request(&client, (uint32_t) i, 'a' + (int) i, sizes[i]);
        client_expect(&client, (uint32_t) i, 'a' + (int) i, sizes[i]);
    }
    CHECK_EVENTUALLY(server_stats(&server).buffers == 0);
    client_request(&client, 100, 'z', 65536); /* Taking the buffer away did it no harm. */
    client_expect(&client, 100, 'z', 65536);
    client_close(&client);
    server_end(&server);
}
OVER_ALL(every_size_passes)

/* Frames in pieces of every size, also the handshake: they arrive whole and in order. */
static void pieces_are_put_together(enum wire wire)
{
    started(wire);
    uint64_t seed = test_seed();
    struct client client = client_connect(&server);
    uint8_t *talk = malloc(400 * 3000);
    CHECK(talk != NULL);
    sp_write_handshake(SP_REQ, talk);
    size_t size = SP_HANDSHAKE_BYTES;
    size_t bodies[400];
    for (uint32_t id = 0; id < 400; id++) {
        bodies[id] = (size_t) (test_random(&seed) % (id % 8 == 0 ? 2900 : 90));
        size += request_write(client.framing, id, (int) (id % 50), bodies[id], talk + size);
    }
    for (size_t at = 0; at < size;) {
        size_t piece = 1 + (size_t) (test_random(&seed) % (at < 2000 ? 3 : 3000));
        piece = piece > size - at ? size - at : piece;
        client_send(&client, talk + at, piece);
        at += piece;
    }
    uint8_t handshake[SP_HANDSHAKE_BYTES];
    CHECK_EQ(recv(client.fd, handshake, sizeof handshake, MSG_WAITALL), sizeof handshake);
    for (uint32_t id = 0; id < 400; id++) {
        client_expect(&client, id, (int) (id % 50), bodies[id]);
    }
    free(talk);
    client_close(&client);
    server_end(&server);
}
OVER_ALL(pieces_are_put_together)

/* The server comes to read when all requests are there. */
static void first_answers_leave_before_the_last_request_is_looked_at(void)
{
    enum { REQUESTS = 200, BODY = 40 };

    started(WIRE_IPC);
    struct client client = client_open(&server);
    client_request(&client, 0, 'a', 1);
    client_expect(&client, 0, 'a', 1);
    uint64_t before = server_stats(&server).bytes_out;
    uint8_t talk[REQUESTS * (BODY + SP_HEAD_BYTES_MAX)];
    size_t size = 0;
    for (uint32_t id = 1; id <= REQUESTS; id++) {
        size += request_write(client.framing, id, id == REQUESTS ? 'E' : 'a', BODY, talk + size);
    }
    server_hold(&server);
    client_send(&client, talk, size);
    for (uint32_t id = 1; id <= REQUESTS; id++) {
        client_expect(&client, id, id == REQUESTS ? 'E' : 'a', BODY);
    }
    CHECK_GT(atomic_load(&server.bytes_out_then), before);
    client_close(&client);
    server_end(&server);
}

/* Both have sent all they have when the server comes to read, the one with many first. */
static void one_with_many_requests_takes_turns_with_others(enum wire wire)
{
    enum { REQUESTS = 1000, BODY = 40 };

    started(wire);
    struct client many = client_open(&server);
    struct client other = client_open(&server);
    client_request(&many, 0, 'a', 1);
    client_expect(&many, 0, 'a', 1);
    client_request(&other, 0, 'a', 1);
    client_expect(&other, 0, 'a', 1);
    uint64_t before = server_stats(&server).frames_in;
    static uint8_t talk[REQUESTS * (BODY + SP_HEAD_BYTES_MAX)];
    size_t size = 0;
    for (uint32_t id = 1; id <= REQUESTS; id++) {
        size += request_write(many.framing, id, 'a', BODY, talk + size);
    }
    server_hold(&server);
    client_send(&many, talk, size);
    client_request(&other, 1, 'E', BODY);
    client_expect(&other, 1, 'E', BODY);
    CHECK_LE(atomic_load(&server.frames_then), before + 3 * LINK_TURN_FRAMES);
    for (uint32_t id = 1; id <= REQUESTS; id++) {
        client_expect(&many, id, 'a', BODY);
    }
    client_close(&many);
    client_close(&other);
    server_end(&server);
}
OVER_ALL(one_with_many_requests_takes_turns_with_others)

static void routes_go_back_as_they_came(enum wire wire)
{
    started(wire);
    struct client client = client_open(&server);
    struct sp_route route = {.words = {1, 2, 0x7fffffff, 4, 5, 6, 7, 0x80000009}, .words_count = 8};
    uint8_t frame[SP_HEAD_BYTES_MAX];
    uint8_t reply[SP_HEAD_BYTES_MAX];
    size_t size = sp_write_head(client.framing, &route, 0, frame);
    client_send(&client, frame, size);
    CHECK_EQ(recv(client.fd, reply, size, MSG_WAITALL), size);
    CHECK_BYTES_EQ(reply, size, frame, size);

    /* One word more is passed over, and what follows is served. */
    static const uint8_t hops[4 * 8] = {0};
    uint8_t longer[64] = {0};
    size = sp_write_head(client.framing, &(struct sp_route){.words_count = 0}, 36, longer);
    memcpy(longer + size, hops, sizeof hops);
    memcpy(longer + size + sizeof hops, "\x80\0\0\1", 4);
    client_send(&client, longer, size + 36);
    client_request(&client, 3, 'x', 4);
    client_expect(&client, 3, 'x', 4);
    CHECK_EQ(server_stats(&server).frames_ignored, 1);
    client_close(&client);
    server_end(&server);
}
OVER_ALL(routes_go_back_as_they_came)

static void set_nonblocking(int fd)
{
    CHECK_EQ(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), 0);
}

/* Whether the server has stopped to read, for good while nobody takes its replies: what the kernel still took
 * of them would have let it go on. */
static bool is_paused(void)
{
    uint64_t bytes_in = server_stats(&server).bytes_in;
    (void) poll(NULL, 0, 50);
    return atomic_load(&server.paused) == 1 && server_stats(&server).bytes_in == bytes_in;
}

/* Writes until nothing more gets in, or nothing is left (TCP's buffers may take all of it), and the server has
 * stopped to read. Returns the bytes written. */
static size_t write_until_paused(struct client *client, const uint8_t *data, size_t size)
{
    size_t at = 0;
    set_nonblocking(client->fd);
    struct test_wait wait = test_wait_begin(TEST_EVENTUALLY_MS);
    for (;;) {
        ssize_t sent = at < size ? send(client->fd, data + at, size - at, MSG_NOSIGNAL) : 0;
        at += sent > 0 ? (size_t) sent : 0;
        if (sent <= 0 && is_paused()) {
            return at;
        }
        CHECK(sent > 0 || test_wait_more(&wait));
    }
}

/* The rest goes in as the replies are read. */
static void write_and_expect(struct client *client, const uint8_t *data, size_t size,
                             uint32_t requests, size_t body)
{
    size_t at = 0;
    for (uint32_t id = 0; id < requests; id++) {
        while (at < size) {
            ssize_t sent = send(client->fd, data + at, size - at, MSG_NOSIGNAL);
            if (sent <= 0) {
                CHECK(errno == EAGAIN);
                break;
            }
            at += (size_t) sent;
        }
        client_expect(client, id, (int) (id % 50), body);
    }
    CHECK_EQ(at, size);
}

#define MAILBOX_LINKS 600 /* more than a batch has messages */
#define UNREAD_REQUESTS 5000
#define UNREAD_BODY ((size_t) 2000)

static void unread_replies_stop_the_reading(enum wire wire)
{
    started(wire);
    struct client client = client_open(&server);
    uint8_t *talk = malloc(UNREAD_REQUESTS * (UNREAD_BODY + SP_HEAD_BYTES_MAX));
    CHECK(talk != NULL);
    size_t size = 0;
    for (uint32_t id = 0; id < UNREAD_REQUESTS; id++) {
        size += request_write(client.framing, id, (int) (id % 50), UNREAD_BODY, talk + size);
    }
    size_t written = write_until_paused(&client, talk, size);
    struct endpoint_stats stats = server_stats(&server);
    CHECK_LT(stats.frames_in, UNREAD_REQUESTS);
    /* What it holds: its bound, and one frame beyond. */
    size_t frame_bytes = UNREAD_BODY + head_bytes(&client);
    CHECK_LT(SP_HANDSHAKE_BYTES + stats.frames_out * frame_bytes - stats.bytes_out,
             server.limits.output_bytes + frame_bytes);
    CHECK_LE(stats.bytes_in, written);
    (void) poll(NULL, 0, 400);
    struct endpoint_stats later = server_stats(&server);
    CHECK_EQ(later.bytes_in, stats.bytes_in); /* Nothing is read while it is paused. */

    write_and_expect(&client, talk + written, size - written, UNREAD_REQUESTS, UNREAD_BODY);
    CHECK_EQ(atomic_load(&server.paused), 0);
    CHECK_EQ(server_stats(&server).frames_in, UNREAD_REQUESTS);
    CHECK_EVENTUALLY(server_stats(&server).buffers == 0);
    free(talk);
    client_close(&client);
    server_end(&server);
}
OVER_ALL(unread_replies_stop_the_reading)

static void too_many_replies_stop_the_reading(enum wire wire)
{
    server_init(&server);
    server.limits.outstanding = 16;
    server_start(&server, wire_url(wire));
    struct client client = client_open(&server);
    uint8_t talk[1000 * 20];
    size_t size = 0;
    for (uint32_t id = 0; id < 1000; id++) {
        size += request_write(client.framing, id, (int) (id % 50), 3, talk + size);
    }
    client_send(&client, talk, size);
    for (uint32_t id = 0; id < 1000; id++) {
        client_expect(&client, id, (int) (id % 50), 3);
    }
    CHECK_GE(server_stats(&server).pauses, 10);
    CHECK_EQ(atomic_load(&server.paused), 0);
    client_close(&client);
    server_end(&server);
}
OVER_ALL(too_many_replies_stop_the_reading)

static void parked_requests_stop_nothing(enum wire wire)
{
    server_init(&server);
    server.limits.outstanding = 4;
    server_start(&server, wire_url(wire));
    struct client client = client_open(&server);
    for (uint32_t id = 0; id < 1000; id++) {
        client_request(&client, id, 'P', 1);
    }
    client_request(&client, 5000, 'n', 9);
    client_expect(&client, 5000, 'n', 9);
    CHECK_EQ(server_parked(&server), 1000);
    server_answer_parked(&server, 20);
    for (uint32_t id = 0; id < 1000; id++) {
        client_expect(&client, id, 'p', 20);
    }
    client_close(&client);
    server_end(&server);
}
OVER_ALL(parked_requests_stop_nothing)

static void replies_may_come_from_a_sweep(enum wire wire)
{
    started(wire);
    struct client client = client_open(&server);
    client_request(&client, 1, 'P', 1);
    CHECK_EVENTUALLY(server_parked(&server) == 1);
    uint64_t begin_ms = test_now_ms();
    server_answer_parked_later(&server, 50);
    client_expect(&client, 1, 'p', 50);
    CHECK_LT(test_now_ms() - begin_ms, 2000); /* No other event had to push it out. */
    client_close(&client);
    server_end(&server);
}
OVER_ALL(replies_may_come_from_a_sweep)

static void late_replies_are_dropped(enum wire wire)
{
    started(wire);
    struct client client = client_open(&server);
    client_request(&client, 1, 'P', 1);
    CHECK_EVENTUALLY(server_parked(&server) == 1);
    client_close(&client);
    CHECK_EVENTUALLY(atomic_load(&server.downs) == 1);
    struct client other = client_open(&server);
    server_answer_parked(&server, 100);
    client_request(&other, 1, 'o', 5);
    client_expect(&other, 1, 'o', 5); /* and not the reply that was another's */
    CHECK_EQ(server_stats(&server).frames_out, 1);
    client_close(&other);
    server_end(&server);
}
OVER_ALL(late_replies_are_dropped)

/* ---- the end ---- */

static void close_flushes_first(enum wire wire)
{
    started(wire);
    struct client client = client_open(&server);
    for (uint32_t id = 0; id < 12; id++) {
        client_request(&client, id, 'P', 1);
    }
    CHECK_EVENTUALLY(server_parked(&server) == 12);
    server_answer_parked(&server, 60000); /* more than the kernel takes at once */
    server_close(&server, 30000);
    for (uint32_t id = 0; id < 12; id++) {
        client_expect(&client, id, 'p', 60000);
    }
    CHECK_EQ(client_expect_end(&client), 0);
    CHECK_EVENTUALLY(atomic_load(&server.closed));
    CHECK_EQ(atomic_load(&server.downs), 1);
    client_close(&client);
    server_end_hard(&server);
}
OVER_ALL(close_flushes_first)

static void close_waits_no_longer_than_told(enum wire wire)
{
    started(wire);
    struct client client = client_open(&server);
    for (uint32_t id = 0; id < 15; id++) {
        client_request(&client, id, 'P', 1);
    }
    CHECK_EVENTUALLY(server_parked(&server) == 15);
    server_answer_parked(&server, 60000);
    uint64_t begin_ms = test_now_ms();
    server_close(&server, 200);
    CHECK_EVENTUALLY(atomic_load(&server.closed));
    CHECK_GE(test_now_ms() - begin_ms, wire != WIRE_TCP ? 190 : 0); /* TCP may take all of it */
    CHECK_EQ(endpoint_stats(server.endpoint)->cuts[ENDPOINT_CUT_CLOSED], 1);
    client_close(&client);
    server_end_hard(&server);
}
OVER_ALL(close_waits_no_longer_than_told)

static void stop_accepting_leaves_links_alone(enum wire wire)
{
    started(wire);
    struct client client = client_open(&server);
    server_stop_accepting(&server);
    client_request(&client, 1, 'x', 1000);
    client_expect(&client, 1, 'x', 1000);
    if (wire != WIRE_TCP) {
        CHECK_EQ(access(server_dial_url(&server) + strlen("ipc://"), F_OK), -1);
    }
    CHECK_EQ(server_stats(&server).links, 1);
    client_close(&client);
    server_end(&server);
}
OVER_ALL(stop_accepting_leaves_links_alone)

/* With reads, writes, half frames and an accept in flight. */
static void the_loop_may_stop_at_any_time(enum wire wire)
{
    for (size_t round = 0; round < TEST_SCALE(100); round++) {
        started(wire);
        struct client clients[10];
        for (size_t i = 0; i < 10; i++) {
            clients[i] = i % 3 == 0 ? client_connect(&server) : client_open(&server);
            for (uint32_t id = 0; i % 3 != 0 && id < 20; id++) {
                client_request(&clients[i], id, i % 3 == 1 ? 'P' : 'x', 500);
            }
            if (i % 3 == 2) {
                client_send(&clients[i], "\1\0\0\0", 4);
            }
        }
        server_end_hard(&server);
        for (size_t i = 0; i < 10; i++) {
            (void) client_expect_end(&clients[i]);
            client_close(&clients[i]);
        }
    }
}
OVER_ALL(the_loop_may_stop_at_any_time)

/* So many words of NNG's wait in the mailbox that the loop ends before it has seen them all. */
static void the_loop_may_stop_on_a_full_mailbox(void)
{
    started(WIRE_IPC);
    static struct client clients[MAILBOX_LINKS];
    for (size_t i = 0; i < MAILBOX_LINKS; i++) {
        clients[i] = client_open(&server);
    }
    server_hold(&server);
    for (size_t i = 0; i < MAILBOX_LINKS; i++) {
        client_request(&clients[i], 1, 'x', 100);
    }
    server_end_hard(&server);
    for (size_t i = 0; i < MAILBOX_LINKS; i++) {
        (void) client_expect_end(&clients[i]);
        client_close(&clients[i]);
    }
}

/* Who says something and goes is heard. */
static void what_was_said_before_a_close_is_heard(enum wire wire)
{
    started(wire);
    struct client client = client_open(&server);
    for (uint32_t id = 0; id < 40; id++) {
        client_request(&client, id, 'P', 1000); /* parked: nothing is written to who is gone */
    }
    client_close(&client);
    CHECK_EVENTUALLY(atomic_load(&server.downs) == 1);
    CHECK_EQ(atomic_load(&server.frames), 40);
    server_end(&server);
}

static void what_was_said_before_a_close_is_heard_ipc(void)
{
    what_was_said_before_a_close_is_heard(WIRE_IPC);
}

static void what_was_said_before_a_close_is_heard_tcp(void)
{
    what_was_said_before_a_close_is_heard(WIRE_TCP);
}

static const struct test_case cases[] = {
    {"what was said before a close is heard over ipc", what_was_said_before_a_close_is_heard_ipc,
     0},
    {"what was said before a close is heard over tcp", what_was_said_before_a_close_is_heard_tcp,
     0},
    CASE_ALL("requests are answered", requests_are_answered),
    {"peers are named by uid and by address", peers_are_named, 0},
    CASE_ALL("bodies of every size pass", every_size_passes),
    CASE_ALL("a talk in pieces is put together", pieces_are_put_together),
    {"the first answers leave before the last request is looked at",
     first_answers_leave_before_the_last_request_is_looked_at, 0},
    CASE_ALL("one with many requests takes turns with others",
             one_with_many_requests_takes_turns_with_others),
    CASE_ALL("routes go back as they came", routes_go_back_as_they_came),
    CASE_ALL("5,000 unread replies stop the reading and none is lost",
             unread_replies_stop_the_reading),
    CASE_ALL("too many replies stop the reading", too_many_replies_stop_the_reading),
    CASE_ALL("parked requests stop nothing", parked_requests_stop_nothing),
    CASE_ALL("a reply may come from a sweep", replies_may_come_from_a_sweep),
    CASE_ALL("late replies are dropped", late_replies_are_dropped),
    CASE_ALL("a close flushes first", close_flushes_first),
    CASE_ALL("a close waits no longer than told", close_waits_no_longer_than_told),
    CASE_ALL("an endpoint that accepts no more serves its links",
             stop_accepting_leaves_links_alone),
    CASE_ALL("the loop may stop at any time", the_loop_may_stop_at_any_time),
    {"the loop may stop on a full mailbox", the_loop_may_stop_on_a_full_mailbox, 0},
};
TEST_MAIN(cases)
