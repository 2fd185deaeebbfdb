/* SPDX-License-Identifier: MIT */
#include "endpoint_rig.h"

#include "registry/frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nng/nng.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define READ_BYTES ((size_t) 65536)
#define BUFFER_BYTES (SP_HEAD_BYTES_MAX + FRAME_BYTES_MAX + READ_BYTES)

/* ---- the handler ---- */

static bool on_link_up(void *context, uint64_t link, struct bytes peer)
{
    struct server *server = context;
    if (atomic_load(&server->refuse)) {
        return false;
    }
    CHECK_LE(peer.size, CAUSE_PEER_BYTES_MAX);
    memcpy(server->peer, peer.data, peer.size);
    server->peer[peer.size] = '\0';
    CHECK_NE(link, server->last_link);
    server->last_link = link;
    (void) atomic_fetch_add(&server->ups, 1);
    return true;
}

static void on_frame(void *context, const struct reply_to *from, struct bytes body)
{
    struct server *server = context;
    (void) atomic_fetch_add(&server->frames, 1);
    if (body.size > 0 && body.data[0] == 'E') {
        atomic_store(&server->bytes_out_then, endpoint_stats(server->endpoint)->bytes_out);
        atomic_store(&server->frames_then, endpoint_stats(server->endpoint)->frames_in);
    }
    if (body.size > 0 && body.data[0] == 'P') {
        CHECK_LT(server->parked_count, SERVER_PARKED_MAX);
        server->parked[server->parked_count++] = *from;
        return;
    }
    endpoint_reply(server->self, from, body);
}

static void on_link_down(void *context, uint64_t link)
{
    struct server *server = context;
    CHECK_NE(link, ACTOR_NONE);
    (void) atomic_fetch_add(&server->downs, 1);
}

static void on_link_paused(void *context, uint64_t link, bool paused)
{
    struct server *server = context;
    CHECK_NE(link, ACTOR_NONE);
    (void) atomic_fetch_add(&server->paused, paused ? 1 : UINT64_MAX);
}

static bool on_link_opened(void *context, uint64_t link)
{
    struct server *server = context;
    CHECK_NE(link, ACTOR_NONE);
    return atomic_load(&server->opens);
}

/* ---- orders: functions that are run on the loop ---- */

struct order {
    struct message message;
    void (*run)(struct server *server, struct order *order);
    size_t size;
    struct endpoint_stats stats;
};

static void take_order(struct actor *self, struct message *message)
{
    if (message->kind == MESSAGE_DOWN) {
        struct server *server = actor_state(self);
        atomic_store(&server->closed, true);
        return;
    }
    struct order *order = LIST_OWNER(message, struct order, message);
    order->run(actor_state(self), order);
    actor_reply(self, actor_defer(message), NULL);
}

static void answer_parked(struct server *server, size_t size)
{
    static uint8_t body[FRAME_BYTES_MAX];
    memset(body, 'p', sizeof body);
    for (size_t i = 0; i < server->parked_count; i++) {
        endpoint_reply(server->self, &server->parked[i], bytes_of(body, size));
    }
    server->parked_count = 0;
}

static uint64_t sweep(struct actor *self, uint64_t now_ns)
{
    struct server *server = actor_state(self);
    if (server->answer_at_ns <= now_ns) {
        server->answer_at_ns = TIME_NEVER;
        answer_parked(server, server->answer_size);
    }
    return server->answer_at_ns;
}

static const struct actor_class server_class = {
    .name = "server", .on_message = take_order, .on_sweep = sweep};

static void order_run(struct server *server, struct order *order)
{
    struct message *reply;
    order->message.kind = MESSAGE_KIND_FIRST;
    enum status status =
        actor_ask_wait(server->system, server->address, &order->message, 30000, &reply);
    CHECK_EQ(status, STATUS_OK);
}

static void run_answer_parked(struct server *server, struct order *order)
{
    answer_parked(server, order->size);
}

static void run_answer_later(struct server *server, struct order *order)
{
    server->answer_at_ns = actor_now_ns(server->self) + 20 * NS_PER_MS;
    server->answer_size = order->size;
}

void server_answer_parked_later(struct server *server, size_t size)
{
    order_run(server, &(struct order){.run = run_answer_later, .size = size});
}

void server_answer_parked(struct server *server, size_t size)
{
    order_run(server, &(struct order){.run = run_answer_parked, .size = size});
}

static void run_hold(struct server *server, struct order *order)
{
    (void) server;
    (void) order;
    struct pollfd none = {.fd = -1};
    CHECK_EQ(poll(&none, 1, 300), 0);
}

void server_hold(struct server *server)
{
    static struct order order; /* Nobody waits for its end. */
    order = (struct order){.run = run_hold, .message.kind = MESSAGE_KIND_FIRST};
    CHECK_EQ(actor_tell(server->system, server->address, &order.message), STATUS_OK);
}

static void run_parked(struct server *server, struct order *order)
{
    order->size = server->parked_count;
}

size_t server_parked(struct server *server)
{
    struct order order = {.run = run_parked};
    order_run(server, &order);
    return order.size;
}

static void run_stats(struct server *server, struct order *order)
{
    order->stats = *endpoint_stats(server->endpoint);
}

struct endpoint_stats server_stats(struct server *server)
{
    struct order order = {.run = run_stats};
    order_run(server, &order);
    return order.stats;
}

static void run_close(struct server *server, struct order *order)
{
    endpoint_monitor(server->endpoint, server->self, &server->down);
    endpoint_close(server->endpoint, order->size);
}

void server_close(struct server *server, uint64_t flush_ms)
{
    order_run(server, &(struct order){.run = run_close, .size = (size_t) flush_ms});
}

static void run_stop_accepting(struct server *server, struct order *order)
{
    (void) order;
    endpoint_stop_accepting(server->endpoint);
}

void server_stop_accepting(struct server *server)
{
    order_run(server, &(struct order){.run = run_stop_accepting});
}

/* ---- its life ---- */

const char *server_dial_url(const struct server *server)
{
    const bool has_prefix =
        strncmp(server->url, "rep+", 4) == 0 || strncmp(server->url, "nng+", 4) == 0;
    return server->url + (has_prefix ? 4 : 0);
}

const char *wire_url(enum wire wire)
{
    static char url[ENDPOINT_URL_BYTES];
    if (wire == WIRE_TCP) {
        return "tcp://127.0.0.1:0";
    }
    (void) snprintf(url, sizeof url, "%sipc://%s/socket", wire == WIRE_NNG ? "nng+" : "",
                    test_directory());
    return url;
}

/* NNG keeps the descriptors of its poller to the end: they are no leak. */
static void warm_nng(void)
{
    static bool warm;
    nng_stream_listener *listener;
    if (!warm) {
        warm = true;
        CHECK_EQ(nng_stream_listener_alloc(&listener, "tcp://127.0.0.1:0"), 0);
        nng_stream_listener_free(listener);
        test_descriptors_mark();
    }
}

void server_init(struct server *server)
{
    memset(server, 0, sizeof *server);
    server->limits = limits_default();
    server->answer_at_ns = TIME_NEVER;
    warm_nng();
    server->parked = calloc(SERVER_PARKED_MAX, sizeof *server->parked);
    CHECK(server->parked != NULL);
}

void server_start_with(struct server *server, const struct endpoint_options *options, bool counts)
{
    const struct endpoint_handler handler = {.context = server,
                                             .link_up = on_link_up,
                                             .frame = on_frame,
                                             .link_down = on_link_down,
                                             .link_paused = on_link_paused,
                                             .link_opened = counts ? on_link_opened : NULL};
    const struct actor_options system = {.actors_max = 3000, .mailbox_max = 3000};
    char error[ENDPOINT_ERROR_BYTES] = "";
    server->system = actor_system_new(&system);
    CHECK(server->system != NULL);
    server->loop = actor_loop_new(server->system, "owner");
    CHECK(server->loop != NULL);
    CHECK_EQ(actor_spawn(server->loop, &server_class, server, &server->self), STATUS_OK);
    server->address = actor_self(server->self);
    enum status status = endpoint_open(server->loop, options, &handler, &server->endpoint, error);
    CHECK_STR_EQ(error, "");
    CHECK_EQ(status, STATUS_OK);
    (void) snprintf(server->url, sizeof server->url, "%s", endpoint_url(server->endpoint));
    CHECK_EQ(actor_loop_start(server->loop), STATUS_OK);
}

void server_start(struct server *server, const char *url)
{
    const struct endpoint_options options = {.url = url, .limits = &server->limits, .ipc_gid = -1};
    server_start_with(server, &options, false);
}

static void server_free(struct server *server)
{
    actor_loop_stop(server->loop, false);
    endpoint_free(server->endpoint);
    actor_system_free(server->system);
    free(server->parked);
}

void server_end(struct server *server)
{
    server_close(server, 0);
    CHECK_EVENTUALLY(atomic_load(&server->closed));
    CHECK_EQ(atomic_load(&server->ups), atomic_load(&server->downs));
    CHECK_EQ(endpoint_stats(server->endpoint)->buffers, 0);
    CHECK_EQ(endpoint_stats(server->endpoint)->links, 0);
    server_free(server);
}

void server_end_hard(struct server *server)
{
    server_free(server);
}

/* ---- bare clients ---- */

static int connect_ipc(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_GE(fd, 0);
    CHECK_LT(strlen(path), sizeof address.sun_path);
    memcpy(address.sun_path, path, strlen(path));
    CHECK_EQ(connect(fd, (const struct sockaddr *) &address, sizeof address), 0);
    return fd;
}

static int connect_tcp(const char *host_and_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const char *colon = strrchr(host_and_port, ':');
    CHECK(colon != NULL);
    address.sin_port = htons((uint16_t) strtoul(colon + 1, NULL, 10));
    CHECK_NE(address.sin_port, 0);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_GE(fd, 0);
    CHECK_EQ(connect(fd, (const struct sockaddr *) &address, sizeof address), 0);
    CHECK_EQ(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)), 0);
    return fd;
}

struct client client_connect(const struct server *server)
{
    const char *url = server_dial_url(server);
    bool ipc = strncmp(url, "ipc://", 6) == 0;
    return (struct client){.fd = ipc ? connect_ipc(url + 6) : connect_tcp(url + 6),
                           .framing = ipc ? SP_FRAMING_IPC : SP_FRAMING_TCP};
}

void client_close(struct client *client)
{
    (void) close(client->fd);
    free(client->buffer);
    *client = (struct client){.fd = -1};
}

void client_send(struct client *client, const void *data, size_t size)
{
    const uint8_t *at = data;
    while (size > 0) {
        ssize_t sent = send(client->fd, at, size, MSG_NOSIGNAL);
        CHECK_GT(sent, 0);
        at += sent;
        size -= (size_t) sent;
    }
}

/* Waits for more and reads it; 0 at the end of the connection. */
static size_t client_read(struct client *client)
{
    if (client->buffer == NULL) {
        client->buffer = malloc(BUFFER_BYTES);
        CHECK(client->buffer != NULL);
    }
    struct pollfd wait = {.fd = client->fd, .events = POLLIN};
    CHECK_EQ(poll(&wait, 1, TEST_EVENTUALLY_MS * TEST_PATIENCE), 1);
    CHECK_LE(client->size + READ_BYTES, BUFFER_BYTES);
    ssize_t count = recv(client->fd, client->buffer + client->size, READ_BYTES, 0);
    CHECK(count >= 0 || errno == ECONNRESET);
    client->size += count > 0 ? (size_t) count : 0;
    return count > 0 ? (size_t) count : 0;
}

size_t client_expect_end(struct client *client)
{
    size_t count = 0;
    for (size_t more = client_read(client); more > 0; more = client_read(client)) {
        count += more;
        client->size = 0;
    }
    return count;
}

/* One thing that the server sent, whole. The step's payload stays until the next read. */
static struct sp_step client_step(struct client *client, bool open)
{
    struct sp_reader reader;
    sp_reader_init(&reader, SP_REQ, client->framing, FRAME_BYTES_MAX);
    reader.open = open;
    struct sp_step step = sp_read(&reader, client->buffer, client->size);
    while (step.found == SP_MORE) {
        CHECK_GT(client_read(client), 0);
        step = sp_read(&reader, client->buffer, client->size);
    }
    return step;
}

static void client_forget(struct client *client, size_t size)
{
    memmove(client->buffer, client->buffer + size, client->size - size);
    client->size -= size;
}

struct client client_open(const struct server *server)
{
    struct client client = client_connect(server);
    uint8_t handshake[SP_HANDSHAKE_BYTES];
    sp_write_handshake(SP_REQ, handshake);
    client_send(&client, handshake, sizeof handshake);
    struct sp_step step = client_step(&client, false);
    CHECK_EQ(step.found, SP_OPENED);
    client_forget(&client, step.consumed);
    return client;
}

size_t request_write(enum sp_framing framing, uint32_t id, int fill, size_t size, uint8_t *out)
{
    const struct sp_route route = {.words = {id | SP_REQUEST_ID_BIT}, .words_count = 1};
    size_t head = sp_write_head(framing, &route, size, out);
    memset(out + head, fill, size);
    return head + size;
}

void client_request(struct client *client, uint32_t id, int fill, size_t size)
{
    uint8_t *request = malloc(SP_HEAD_BYTES_MAX + size);
    CHECK(request != NULL);
    client_send(client, request, request_write(client->framing, id, fill, size, request));
    free(request);
}

void client_expect(struct client *client, uint32_t id, int fill, size_t size)
{
    struct sp_step step = client_step(client, true);
    CHECK_EQ(step.found, SP_FRAME);
    CHECK_EQ(step.route.words_count, 1);
    CHECK_EQ(step.route.words[0], id | SP_REQUEST_ID_BIT);
    CHECK_EQ(step.payload_bytes, size);
    for (size_t i = 0; i < size; i++) {
        CHECK(step.payload[i] == (uint8_t) fill);
    }
    client_forget(client, step.consumed);
}

void server_check_serves(const struct server *server)
{
    struct client client = client_open(server);
    client_request(&client, 77, 'e', 10);
    client_expect(&client, 77, 'e', 10);
    client_close(&client);
}
