/* SPDX-License-Identifier: MIT */
/* What the tests of endpoints share: a server that echoes on a loop of its own, and clients that are
 * bare sockets.
 *
 * The server answers each request with its body, but for bodies that begin with 'P': those are parked
 * until server_answer_parked(). What it saw may be read on any thread. */
#ifndef CANCELD_TESTS_ENDPOINT_RIG_H
#define CANCELD_TESTS_ENDPOINT_RIG_H

#include "testing.h"
#include "wire/endpoint.h"
#include "wire/sp.h"

#include <stdatomic.h>

#define SERVER_PARKED_MAX 2000

/* The transports that the stream endpoint has, and NNG's streams in place of its own sockets: most cases
 * run over all of them. */
enum wire { WIRE_IPC, WIRE_TCP, WIRE_NNG };

/* Three cases out of a function that takes the transport, and their rows in the table. */
#define OVER_ALL(name)                                                                             \
    static void name##_ipc(void)                                                                   \
    {                                                                                              \
        name(WIRE_IPC);                                                                            \
    }                                                                                              \
    static void name##_tcp(void)                                                                   \
    {                                                                                              \
        name(WIRE_TCP);                                                                            \
    }                                                                                              \
    static void name##_nng(void)                                                                   \
    {                                                                                              \
        name(WIRE_NNG);                                                                            \
    }
#define CASE_ALL(sentence, function)                                                               \
    {sentence " over ipc", function##_ipc, 0}, {sentence " over tcp", function##_tcp, 0},          \
    {                                                                                              \
        sentence " over NNG's ipc", function##_nng, 0                                              \
    }

struct server {
    struct actor_system *system;
    struct actor_loop *loop;
    struct endpoint *endpoint;
    struct limits limits;
    char url[ENDPOINT_URL_BYTES]; /* where it really is */

    /* Written on the loop. */
    struct actor *self;
    uint64_t address;
    struct reply_to *parked; /* SERVER_PARKED_MAX of them */
    size_t parked_count;
    uint64_t answer_at_ns; /* TIME_NEVER: not later */
    size_t answer_size;
    char peer[CAUSE_PEER_BYTES_MAX + 1];
    uint64_t last_link;
    _Atomic(uint64_t) ups;
    _Atomic(uint64_t) downs;
    _Atomic(uint64_t) frames;
    _Atomic(uint64_t) bytes_out_then; /* had left when a body that begins with 'E' came */
    _Atomic(uint64_t) frames_then;    /* had come, this one included */
    _Atomic(uint64_t) paused;         /* links that are at present */
    _Atomic(bool) refuse;             /* what link_up says */
    _Atomic(bool) opens;              /* what link_opened says */
    struct message_down down;         /* of the endpoint */
    _Atomic(bool) closed;
};

/* Fills in limits that tests can wait for; change them before server_start(). */
void server_init(struct server *server);

/* Listens and runs the loop. */
void server_start(struct server *server, const char *url);
void server_start_with(struct server *server, const struct endpoint_options *options, bool counts);

/* Where clients of any make connect to it. */
const char *server_dial_url(const struct server *server);

/* A URL for the transport, in the case's own directory where it is a path. */
const char *wire_url(enum wire wire);

/* Closes the endpoint, waits for it, stops the loop, gives everything back. */
void server_end(struct server *server);

/* Stops the loop under whatever is going on. */
void server_end_hard(struct server *server);

/* Begins the orderly end, and returns at once: `closed` becomes true. */
void server_close(struct server *server, uint64_t flush_ms);

void server_stop_accepting(struct server *server);

/* Answers whatever is parked with `size` bytes of 'p', also for links that are gone. */
void server_answer_parked(struct server *server, size_t size);

/* The same a moment later, from a sweep that no message comes before. */
void server_answer_parked_later(struct server *server, size_t size);

/* Has the loop do nothing for a while, from about now on. */
void server_hold(struct server *server);

size_t server_parked(struct server *server);

struct endpoint_stats server_stats(struct server *server);

/* ---- bare clients ---- */

struct client {
    int fd;
    enum sp_framing framing;
    uint8_t *buffer; /* read and not looked at yet */
    size_t size;
};

/* Connects without a word. */
struct client client_connect(const struct server *server);

/* Connects and shakes hands. */
struct client client_open(const struct server *server);
void client_close(struct client *client);

/* Sends the bytes, all of them. */
void client_send(struct client *client, const void *data, size_t size);

/* Sends a request whose route is the id alone; the body is `size` bytes of `fill`. */
void client_request(struct client *client, uint32_t id, int fill, size_t size);

/* Reads a reply and checks its id and that it is `size` bytes of `fill`. */
void client_expect(struct client *client, uint32_t id, int fill, size_t size);

/* Reads until the peer closes, for at most the time of a CHECK_EVENTUALLY. Whatever comes is thrown
 * away; returns how much. */
size_t client_expect_end(struct client *client);

/* Writes a request to `out`, which has room for it; returns its size. */
size_t request_write(enum sp_framing framing, uint32_t id, int fill, size_t size, uint8_t *out);

/* A request and its reply, on a connection of its own: the server serves. */
void server_check_serves(const struct server *server);

#endif
