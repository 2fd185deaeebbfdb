/* SPDX-License-Identifier: MIT */
/* One request and its reply, one at a time: what nobody can make shorter by doing more at once. */
#include "socket_rows.h"

#include "socket_client.h"
#include "socket_library.h"

#include <canceld/client.h>

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ECHO_BYTES 16

struct trip_peer {
    const char *name;
    const char *note;
    void (*once)(struct trip_peer *peer);
    struct client client;
    struct canceld_client *library;
    nng_socket socket;
    bool silent; /* it has stopped answering */
    struct histogram histogram;
};

#define NNG_PATIENCE_MS 1000

/* ---- bare NNG ---- */

void socket_serve_nng(const char *path)
{
    char url[SERVER_PATH_BYTES + 8];
    nng_socket socket;
    nng_msg *message = NULL;
    snprintf(url, sizeof url, "ipc://%s", path);
    if (nng_rep0_open(&socket) != 0 || nng_listen(socket, url, NULL, 0) != 0) {
        exit(1);
    }
    while (nng_recvmsg(socket, &message, 0) == 0) {
        if (nng_sendmsg(socket, message, 0) != 0) {
            nng_msg_free(message);
        }
    }
}

static void nng_begin(struct trip_peer *peer, const struct server *server)
{
    char url[SERVER_PATH_BYTES + 8];
    snprintf(url, sizeof url, "ipc://%s", server->path);
    if (nng_req0_open(&peer->socket) != 0 ||
        nng_socket_set_ms(peer->socket, NNG_OPT_RECVTIMEO, NNG_PATIENCE_MS) != 0 ||
        nng_dial(peer->socket, url, NULL, 0) != 0) {
        harness_fail("NNG cannot connect to %s", url);
    }
}

static void nng_once(struct trip_peer *peer)
{
    nng_msg *message = NULL;
    /* A ping of canceld's, which an echo takes like anything else. */
    static const uint8_t ping[ECHO_BYTES] = {8, 1, 50, 2, 106, 0};
    const size_t size = strcmp(peer->name, "nng") == 0 ? ECHO_BYTES : 6;
    if (nng_msg_alloc(&message, 0) != 0 || nng_msg_append(message, ping, size) != 0 ||
        nng_sendmsg(peer->socket, message, 0) != 0) {
        harness_fail("NNG's request failed");
    }
    if (nng_recvmsg(peer->socket, &message, 0) != 0) {
        peer->silent = true; /* which 1.5.2 does now and then: what was measured before stands */
        return;
    }
    nng_msg_free(message);
}

/* ---- the others ---- */

static void ours_once(struct trip_peer *peer)
{
    static const uint8_t ping[] = {50, 2, 106, 0};
    size_t size = 0;
    client_put_frame(&peer->client, ping, sizeof ping, 1);
    client_flush(&peer->client);
    peer->client.answered_below = peer->client.request_id;
    (void) client_await(&peer->client, &size);
}

static void library_once(struct trip_peer *peer)
{
    struct canceld_result result;
    if (canceld_ping(peer->library, 0, &result) != CANCELD_OK) {
        harness_fail("the client library's ping failed");
    }
    canceld_result_clear(&result);
}

static void redis_once(struct trip_peer *peer)
{
    uint8_t answer[64];
    size_t size = 0;
    server_write(peer->client.fd, "*1\r\n$4\r\nPING\r\n", 14);
    while (size < 7) {
        size += server_read(peer->client.fd, answer + size, sizeof answer - size);
    }
}

/* ---- the row ---- */

static void peer_measure(struct trip_peer *peer, uint32_t slice_ms)
{
    uint64_t end_ns = slice_now_ns() + slice_ms * UINT64_C(1000000);
    for (uint32_t i = 0; i < 20 && !peer->silent; i++) {
        peer->once(peer);
    }
    while (!peer->silent && slice_now_ns() < end_ns) {
        uint64_t begin = slice_ticks();
        peer->once(peer);
        uint64_t ticks = slice_ticks() - begin;
        if (!peer->silent) {
            histogram_add(&peer->histogram, slice_ticks_ns(ticks));
        }
    }
    if (peer->silent) {
        harness_progress("%s has stopped answering", peer->name);
    }
}

static void peer_row(const struct harness *harness, const struct trip_peer *peer)
{
    const uint64_t p50 = histogram_at(&peer->histogram, 0.5);
    harness_row(harness, &(struct harness_row){
                             .row = "round-trip",
                             .peer = peer->name,
                             .unit = "us",
                             .value = (double) p50 / 1000,
                             .note = peer->note,
                             .p50_ns = (double) p50,
                             .p99_ns = (double) histogram_at(&peer->histogram, 0.99),
                             .p999_ns = (double) histogram_at(&peer->histogram, 0.999),
                         });
}

static void peers_measure(const struct harness *harness, struct trip_peer *peers, size_t count)
{
    const uint64_t rounds = harness_pick(harness, 5, 15);
    for (size_t i = 0; i < count; i++) {
        histogram_init(&peers[i].histogram);
    }
    for (uint64_t round = 0; round < rounds; round++) {
        for (size_t i = 0; i < count; i++) {
            if (harness_wants_peer(harness, peers[i].name)) {
                peer_measure(&peers[i], 100);
            }
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (harness_wants_peer(harness, peers[i].name)) {
            peer_row(harness, &peers[i]);
        }
    }
}

static void row_run(const struct harness *harness)
{
    static struct trip_peer peers[] = {
        {.name = "ours", .once = ours_once, .note = "ping, straight on the socket"},
        {.name = "ours-nng-req", .once = nng_once, .note = "the same, asked by NNG's REQ socket"},
        {.name = "ours-nng-stream",
         .once = ours_once,
         .note = "nng+ipc://: the daemon behind NNG's streams"},
        {.name = "ours-client", .once = library_once, .note = "the C client library's ping"},
        {.name = "nng", .once = nng_once, .note = "bare NNG, REQ to REP, an echo of 16 bytes"},
        {.name = "redis", .once = redis_once, .note = "PING, straight on the socket"},
    };
    struct server ours;
    struct server streams;
    struct server echo;
    struct server redis;
    server_start_ours(&ours);
    server_start_ours_by(&streams, "streams", "nng+ipc");
    server_start_self(&echo, "echo", "--serve-nng");
    bool has_redis = server_start_redis(&redis);
    client_open(&peers[0].client, &client_ours, &ours, 0);
    nng_begin(&peers[1], &ours);
    client_open(&peers[2].client, &client_ours, &streams, 0);
    peers[3].library = library_open(&ours);
    nng_begin(&peers[4], &echo);
    if (has_redis) {
        client_open(&peers[5].client, &client_redis, &redis, 0);
    } else {
        harness_missing(harness, "round-trip", "redis", "redis-server is not installed");
    }
    peers_measure(harness, peers, has_redis ? 6 : 5);
    /* See endpoint.h: its REP sockets lose connections for good below NNG 1.9. */
    harness_missing(harness, "round-trip", "ours-rep",
                    "rep+ipc:// needs NNG 1.9, and is no way to run the daemon");
    library_close(peers[3].library);
    (void) nng_close(peers[1].socket);
    (void) nng_close(peers[4].socket);
    server_stop(&redis);
    server_stop(&echo);
    server_stop(&streams);
    server_stop(&ours);
}

void socket_trip(const struct harness *harness)
{
    if (harness_wants(harness, "round-trip")) {
        row_run(harness);
    }
}
