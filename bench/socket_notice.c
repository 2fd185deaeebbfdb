/* SPDX-License-Identifier: MIT */
/* From a cancel, as it is written, to its owner's hearing of it; beside a message that is published to
 * one subscriber. Both ends are in this process: what is timed is the way through the server. */
#include "socket_rows.h"

#include "socket_client.h"
#include "socket_library.h"

#include <canceld/client.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TAG(field, type) (uint8_t)((field) << 3 | (type))
#define VARINT 0
#define BYTES 2
#define LINE_BYTES 512

struct notice_peer {
    const char *name;
    const char *note;
    /* One cancel or message; returns how long it took, in ticks. */
    uint64_t (*once)(struct notice_peer *peer);
    struct client owner;
    struct client canceller;
    struct canceld_client *library;
    uint64_t keys;
    uint64_t notice;    /* the number of the last one */
    uint64_t acked_gen; /* its gen; 0: none to acknowledge */
    struct histogram histogram;
};

/* ---- canceld, by hand ---- */

/* One op as a field `ops` of the frame. */
static size_t op_wrap(uint8_t *out, uint8_t op_field, const uint8_t *fields, size_t size)
{
    out[0] = TAG(6, BYTES);
    out[1] = (uint8_t) (size + 2);
    out[2] = TAG(op_field, BYTES);
    out[3] = (uint8_t) size;
    memcpy(out + 4, fields, size);
    return size + 4;
}

static uint8_t *put_key_gen(uint8_t *at, uint64_t key, uint64_t gen)
{
    *at++ = TAG(2, BYTES);
    *at++ = CLIENT_KEY_BYTES;
    client_key(key, at);
    at += CLIENT_KEY_BYTES;
    if (gen != 0) {
        *at++ = TAG(3, VARINT);
        at = put_varint(at, gen);
    }
    return at;
}

static void put_op(struct client *client, uint8_t op_field, const uint8_t *fields,
                   const uint8_t *end)
{
    uint8_t op[128];
    size_t size = op_wrap(op, op_field, fields, (size_t) (end - fields));
    client_put_frame(client, op, size, 1);
}

/* The value of the first field `wanted` of the first result; 0: it is not there. */
static uint64_t result_field(const uint8_t *reply, size_t size, uint8_t wanted,
                             const uint8_t **bytes_out)
{
    const uint8_t *at = NULL;
    uint64_t value = 0;
    if (!client_find_field(reply, reply + size, TAG(5, BYTES), &value, &at) ||
        !client_find_field(at, at + value, wanted, &value, bytes_out)) {
        return 0;
    }
    return value;
}

static uint64_t ask_gen(struct client *client)
{
    const uint8_t *ignored = NULL;
    size_t size = 0;
    client_flush(client);
    const uint8_t *reply = client_await(client, &size);
    client->answered_below = client->request_id + 1;
    return result_field(reply, size, TAG(2, VARINT), &ignored);
}

/* Stores the next key; returns its gen. */
static uint64_t ours_store(struct notice_peer *peer)
{
    uint8_t fields[64];
    put_op(&peer->owner, 2, fields, put_key_gen(fields, ++peer->keys, 0));
    uint64_t gen = ask_gen(&peer->owner);
    if (gen == 0) {
        harness_fail("canceld stored nothing");
    }
    return gen;
}

/* A poll that waits, with the acknowledgement of the last notice. The ping behind it is answered when
 * the poll is parked. */
static void ours_poll(struct notice_peer *peer)
{
    uint8_t ack[24];
    uint8_t fields[64];
    uint8_t *at = fields;
    if (peer->acked_gen != 0) {
        ack[0] = TAG(1, VARINT);
        uint8_t *end = put_varint(ack + 1, peer->acked_gen);
        *end++ = TAG(2, VARINT);
        *end++ = 1; /* CANCEL */
        *at++ = TAG(1, BYTES);
        *at++ = (uint8_t) (end - ack);
        memcpy(at, ack, (size_t) (end - ack));
        at += end - ack;
    }
    *at++ = TAG(2, VARINT);
    at = put_varint(at, peer->notice);
    *at++ = TAG(3, VARINT);
    at = put_varint(at, 25000);
    put_op(&peer->owner, 6, fields, at);
    put_op(&peer->owner, 13, fields, fields);
    size_t size = 0;
    client_flush(&peer->owner);
    (void) client_await(&peer->owner, &size);
}

static void ours_delete(struct notice_peer *peer, uint64_t gen)
{
    uint8_t fields[64];
    uint8_t *at = put_key_gen(fields, peer->keys, gen);
    size_t size = 0;
    *at++ = TAG(4, VARINT);
    *at++ = 3; /* CANCELLED */
    put_op(&peer->owner, 4, fields, at);
    client_flush(&peer->owner);
    (void) client_await(&peer->owner, &size);
}

static void ours_cancel(struct notice_peer *peer, uint64_t gen)
{
    uint8_t fields[64];
    peer->canceller.answered_below = peer->canceller.request_id + 1;
    put_op(&peer->canceller, 3, fields, put_key_gen(fields, peer->keys, gen));
    client_flush(&peer->canceller);
}

static uint64_t ours_once(struct notice_peer *peer)
{
    uint64_t gen = ours_store(peer);
    const uint8_t *notice = NULL;
    const uint8_t *ignored = NULL;
    size_t size = 0;
    ours_poll(peer);
    uint64_t begin = slice_ticks();
    ours_cancel(peer, gen);
    const uint8_t *reply = client_await(&peer->owner, &size);
    uint64_t ticks = slice_ticks() - begin;
    uint64_t bytes = result_field(reply, size, TAG(14, BYTES), &notice);
    uint64_t told = 0;
    if (bytes == 0 ||
        !client_find_field(notice, notice + bytes, TAG(1, VARINT), &peer->notice, &ignored) ||
        !client_find_field(notice, notice + bytes, TAG(3, VARINT), &told, &ignored) ||
        told != gen) {
        harness_fail("canceld told the owner of another operation");
    }
    peer->acked_gen = gen;
    (void) client_await(&peer->canceller, &size);
    ours_delete(peer, gen);
    return ticks;
}

/* ---- canceld, the owner by the client library ---- */

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t told;
    uint64_t at; /* ticks; 0: not yet */
} heard = {.mutex = PTHREAD_MUTEX_INITIALIZER, .told = PTHREAD_COND_INITIALIZER};

static void on_notice(struct canceld_operation *operation, void *arg)
{
    (void) operation;
    (void) arg;
    uint64_t now = slice_ticks();
    pthread_mutex_lock(&heard.mutex);
    heard.at = now;
    pthread_cond_signal(&heard.told);
    pthread_mutex_unlock(&heard.mutex);
}

static uint64_t library_once(struct notice_peer *peer)
{
    uint8_t key[CLIENT_KEY_BYTES];
    struct canceld_operation *operation = NULL;
    size_t size = 0;
    client_key(++peer->keys, key);
    const struct canceld_store_request store = {.key = {.data = key, .size = sizeof key},
                                                .on_notice = on_notice};
    if (canceld_store(peer->library, &store, 0, &operation, NULL) != CANCELD_OK) {
        harness_fail("the client library stores nothing");
    }
    heard.at = 0;
    uint64_t begin = slice_ticks();
    ours_cancel(peer, canceld_operation_gen(operation));
    pthread_mutex_lock(&heard.mutex);
    while (heard.at == 0) {
        pthread_cond_wait(&heard.told, &heard.mutex);
    }
    uint64_t ticks = heard.at - begin;
    pthread_mutex_unlock(&heard.mutex);
    (void) client_await(&peer->canceller, &size);
    if (canceld_operation_finish(operation, CANCELD_OUTCOME_CANCELLED, 0, NULL) != CANCELD_OK) {
        harness_fail("the client library finishes nothing");
    }
    return ticks;
}

/* ---- those that publish ---- */

/* Reads until `text` stands in what came. */
static void await_text(int fd, const char *text)
{
    char line[LINE_BYTES + 1];
    size_t size = 0;
    do {
        size += server_read(fd, line + size, LINE_BYTES - size);
        line[size] = '\0';
    } while (strstr(line, text) == NULL);
}

static uint64_t redis_once(struct notice_peer *peer)
{
    static const char publish[] = "*3\r\n$7\r\nPUBLISH\r\n$7\r\ncancels\r\n$32\r\n"
                                  "operation:0000000000000000000001\r\n";
    uint64_t begin = slice_ticks();
    server_write(peer->canceller.fd, publish, sizeof publish - 1);
    await_text(peer->owner.fd, "0001\r\n");
    uint64_t ticks = slice_ticks() - begin;
    await_text(peer->canceller.fd, ":1\r\n");
    return ticks;
}

static uint64_t nats_once(struct notice_peer *peer)
{
    static const char publish[] = "PUB cancels 32\r\noperation:0000000000000000000001\r\n";
    uint64_t begin = slice_ticks();
    server_write(peer->canceller.fd, publish, sizeof publish - 1);
    await_text(peer->owner.fd, "0001\r\n");
    return slice_ticks() - begin;
}

static int nats_connect(uint16_t port)
{
    const int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *) &address, sizeof address) != 0) {
        harness_fail("nats-server: %s", strerror(errno));
    }
    (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    await_text(fd, "INFO");
    server_write(fd, "CONNECT {\"verbose\":false}\r\nPING\r\n", 33);
    await_text(fd, "PONG\r\n");
    return fd;
}

/* ---- the row ---- */

static void peer_row(const struct harness *harness, const struct notice_peer *peer)
{
    const uint64_t p50 = histogram_at(&peer->histogram, 0.5);
    harness_row(harness, &(struct harness_row){
                             .row = "cancel-notice",
                             .peer = peer->name,
                             .unit = "us",
                             .value = (double) p50 / 1000,
                             .note = peer->note,
                             .p50_ns = (double) p50,
                             .p99_ns = (double) histogram_at(&peer->histogram, 0.99),
                             .p999_ns = (double) histogram_at(&peer->histogram, 0.999),
                         });
}

static void peers_measure(const struct harness *harness, struct notice_peer *peers, size_t count)
{
    const uint64_t rounds = harness_pick(harness, 10, 30);
    for (size_t i = 0; i < count; i++) {
        histogram_init(&peers[i].histogram);
    }
    for (uint64_t round = 0; round < rounds * count; round++) {
        struct notice_peer *peer = &peers[round % count];
        for (uint32_t i = 0; i < 300 && harness_wants_peer(harness, peer->name); i++) {
            uint64_t ticks = peer->once(peer);
            if (i >= 20) {
                histogram_add(&peer->histogram, slice_ticks_ns(ticks));
            }
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (harness_wants_peer(harness, peers[i].name)) {
            peer_row(harness, &peers[i]);
        }
    }
}

static void open_ours(struct notice_peer *peer, const struct server *server)
{
    peer->once = ours_once;
    client_open(&peer->owner, &client_ours, server, 0);
    client_open(&peer->canceller, &client_ours, server, 0);
    peer->keys = 1;
}

static void open_library(struct notice_peer *peer, const struct server *server)
{
    peer->once = library_once;
    peer->library = library_open(server);
    client_open(&peer->canceller, &client_ours, server, 0);
    peer->keys = UINT64_C(1) << 32;
}

static void open_redis(struct notice_peer *peer, const struct server *server)
{
    peer->once = redis_once;
    client_open(&peer->owner, &client_redis, server, 0);
    client_open(&peer->canceller, &client_redis, server, 0);
    server_write(peer->owner.fd, "*2\r\n$9\r\nSUBSCRIBE\r\n$7\r\ncancels\r\n", 33);
    await_text(peer->owner.fd, ":1\r\n");
}

static void open_nats(struct notice_peer *peer, uint16_t port)
{
    peer->once = nats_once;
    peer->owner.fd = nats_connect(port);
    peer->canceller.fd = nats_connect(port);
    server_write(peer->owner.fd, "SUB cancels 1\r\nPING\r\n", 21);
    await_text(peer->owner.fd, "PONG\r\n");
}

void socket_notice(const struct harness *harness)
{
    static struct notice_peer peers[4];
    struct server ours;
    struct server redis;
    struct server nats;
    uint16_t port = 0;
    size_t count = 2;
    if (!harness_wants(harness, "cancel-notice")) {
        return;
    }
    server_start_ours(&ours);
    peers[0] = (struct notice_peer){.name = "ours", .note = "the owner's poll is answered"};
    open_ours(&peers[0], &ours);
    peers[1] = (struct notice_peer){.name = "ours-client",
                                    .note = "the callback of the owner's client library begins"};
    open_library(&peers[1], &ours);
    if (server_start_redis(&redis)) {
        peers[count] = (struct notice_peer){.name = "redis", .note = "PUBLISH to one subscriber"};
        open_redis(&peers[count++], &redis);
    } else {
        harness_missing(harness, "cancel-notice", "redis", "redis-server is not installed");
    }
    if (server_start_nats(&nats, &port)) {
        peers[count] = (struct notice_peer){
            .name = "nats", .note = "PUB to one subscriber; over TCP, for it has no Unix socket"};
        open_nats(&peers[count++], port);
    } else {
        harness_missing(harness, "cancel-notice", "nats", "nats-server is not installed");
    }
    peers_measure(harness, peers, count);
    library_close(peers[1].library);
    server_stop(&nats);
    server_stop(&redis);
    server_stop(&ours);
}
