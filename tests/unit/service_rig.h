/* SPDX-License-Identifier: MIT */
/* A whole service on a loop of its own, and clients that are nothing but a socket, the SP wire and
 * protobuf-c. */
#ifndef CANCELD_TESTS_SERVICE_RIG_H
#define CANCELD_TESTS_SERVICE_RIG_H

#include "testing.h"
#include "wire/service.h"
#include "wire/sp.h"

#include "canceld.pb-c.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- the service ---- */

struct rig {
    struct actor_system *system;
    struct actor_loop *loop;
    struct service *service;
    const char *journal_directory; /* NULL: there is no journal; it is closed by the case */
    struct journal *journal;
    struct limits limits;
    uint64_t counter_first; /* 0: 1 */
    char url[ENDPOINT_URL_BYTES];
};

static inline bool rig_next_epoch(void *context, uint64_t *epoch_out)
{
    (void) context;
    *epoch_out = 8;
    return true;
}

static inline uint64_t rig_wall_ms(void)
{
    return 1;
}

static inline void rig_journal_open(struct rig *rig)
{
    const struct journal_options options = {
        .file = {.directory = rig->journal_directory, .epoch = 7},
        .bytes_max = rig->limits.journal_bytes,
        .wall_ms = rig_wall_ms};
    char error[JOURNAL_ERROR_BYTES] = "";
    CHECK_EQ(journal_open(rig->system, &options, &rig->journal, error), STATUS_OK);
}

static inline void rig_compose(struct rig *rig)
{
    const struct actor_options options = {.actors_max = 4096, .mailbox_max = 4096};
    struct service_config config = {.limits = rig->limits,
                                    .epoch = 7,
                                    .counter_first =
                                        rig->counter_first == 0 ? 1 : rig->counter_first,
                                    .next_epoch = rig_next_epoch,
                                    .secret_key = {.k0 = 1, .k1 = 2}};
    rig->system = actor_system_new(&options);
    CHECK(rig->system != NULL);
    rig->loop = actor_loop_new(rig->system, "owner");
    CHECK(rig->loop != NULL);
    if (rig->journal_directory != NULL) {
        rig_journal_open(rig);
        config.journal = rig->journal;
    }
    CHECK_EQ(service_new(rig->loop, &config, &rig->service), STATUS_OK);
}

static inline void rig_listen(struct rig *rig, const char *url)
{
    char error[ENDPOINT_ERROR_BYTES] = "";
    const struct endpoint_options options = {.url = url, .ipc_gid = -1};
    const enum status status = service_listen(rig->service, &options, error);
    (void) fputs(error, stderr);
    CHECK_EQ(status, STATUS_OK);
}

static inline void rig_free(struct rig *rig)
{
    actor_loop_stop(rig->loop, false);
    service_free(rig->service);
    actor_system_free(rig->system);
}

/* Listens on a path of the case's own and runs. What NNG opens for good is there already when the
 * descriptors are counted. */
static inline void rig_init(struct rig *rig, const struct limits *limits)
{
    char warm[sizeof rig->url];
    rig->limits = *limits;
    (void) snprintf(warm, sizeof warm, "ipc://%s/warm", test_directory());
    rig_compose(rig);
    rig_listen(rig, warm);
    rig_free(rig);
    test_descriptors_mark();
    (void) snprintf(rig->url, sizeof rig->url, "ipc://%s/s", test_directory());
    rig_compose(rig);
    rig_listen(rig, rig->url);
    CHECK_STR_EQ(service_url(rig->service, 0), rig->url);
}

static inline void rig_start(struct rig *rig)
{
    const struct limits limits = limits_default();
    rig_init(rig, &limits);
    CHECK_EQ(actor_loop_start(rig->loop), STATUS_OK);
}

static inline void rig_end(struct rig *rig)
{
    CHECK_EQ(service_shut_down(rig->service), STATUS_OK);
    rig_free(rig);
}

/* ---- a client ---- */

#define CLIENT_BYTES ((size_t) 262144)
#define CLIENT_PATIENCE_MS (10000 * TEST_PATIENCE)

struct client {
    int fd;
    enum sp_framing framing;
    struct sp_reader reader;
    uint32_t sent; /* request ids of the wire, from 1 */
    size_t size;
    uint8_t input[CLIENT_BYTES];
};

static inline bool client_try(struct client *client, const struct sockaddr *address, socklen_t size,
                              enum sp_framing framing)
{
    uint8_t handshake[SP_HANDSHAKE_BYTES];
    client->fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    client->framing = framing;
    client->sent = 0;
    client->size = 0;
    CHECK(client->fd >= 0);
    sp_reader_init(&client->reader, SP_REQ, framing, FRAME_BYTES_MAX);
    sp_write_handshake(SP_REQ, handshake);
    /* Whom nobody had accepted when the listener went has no peer any more. */
    if (connect(client->fd, address, size) != 0 ||
        send(client->fd, handshake, sizeof handshake, MSG_NOSIGNAL) != (ssize_t) sizeof handshake) {
        (void) close(client->fd);
        return false;
    }
    return true;
}

static inline bool client_try_ipc(struct client *client, const char *url)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    CHECK_LT(snprintf(address.sun_path, sizeof address.sun_path, "%s", url + strlen("ipc://")),
             (int) sizeof address.sun_path);
    return client_try(client, (const struct sockaddr *) &address, sizeof address, SP_FRAMING_IPC);
}

static inline struct client *client_new(const char *url)
{
    struct client *client = calloc(1, sizeof *client);
    CHECK(client != NULL);
    if (strncmp(url, "ipc://", 6) == 0) {
        CHECK(client_try_ipc(client, url));
    } else {
        const char *port = strrchr(url, ':');
        CHECK(port != NULL);
        const struct sockaddr_in address = {.sin_family = AF_INET,
                                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                            .sin_port =
                                                htons((uint16_t) strtoul(port + 1, NULL, 10))};
        CHECK(
            client_try(client, (const struct sockaddr *) &address, sizeof address, SP_FRAMING_TCP));
    }
    return client;
}

static inline void client_free(struct client *client)
{
    (void) close(client->fd);
    free(client);
}

/* Sends a request and gives its id on the wire. */
static inline uint32_t client_send(struct client *client, const uint8_t *body, size_t size)
{
    static uint8_t frame[SP_HEAD_BYTES_MAX + FRAME_BYTES_MAX];
    const uint32_t id = ++client->sent;
    const struct sp_route route = {.words = {SP_REQUEST_ID_BIT | id}, .words_count = 1};
    const size_t head = sp_write_head(client->framing, &route, size, frame);
    CHECK_LE(size, FRAME_BYTES_MAX);
    memcpy(frame + head, body, size);
    CHECK_EQ(send(client->fd, frame, head + size, MSG_NOSIGNAL), head + size);
    return id;
}

/* Reads more; false at the end of the stream. */
static inline bool client_read(struct client *client)
{
    struct pollfd waiting = {.fd = client->fd, .events = POLLIN};
    CHECK_EQ(poll(&waiting, 1, CLIENT_PATIENCE_MS), 1);
    const ssize_t got =
        read(client->fd, client->input + client->size, sizeof client->input - client->size);
    if (got <= 0) {
        CHECK(got == 0 || errno == ECONNRESET);
        return false;
    }
    client->size += (size_t) got;
    return true;
}

/* The next reply, and to what; NULL at the end of the stream. To be freed by reply_free(). */
static inline Canceld__V1__Reply *client_next(struct client *client, uint32_t *id_out)
{
    for (;;) {
        const struct sp_step step = sp_read(&client->reader, client->input, client->size);
        Canceld__V1__Reply *reply = NULL;
        CHECK(step.found != SP_BROKEN && step.found != SP_IGNORE);
        if (step.found == SP_FRAME) {
            reply = canceld__v1__reply__unpack(NULL, step.payload_bytes, step.payload);
            CHECK(reply != NULL);
            *id_out = step.route.words[0] & ~SP_REQUEST_ID_BIT;
        }
        memmove(client->input, client->input + step.consumed, client->size - step.consumed);
        client->size -= step.consumed;
        if (reply != NULL) {
            return reply;
        }
        if (step.found == SP_MORE && !client_read(client)) {
            return NULL;
        }
    }
}

static inline void reply_free(Canceld__V1__Reply *reply)
{
    canceld__v1__reply__free_unpacked(reply, NULL);
}

/* The reply to what was sent last. */
static inline Canceld__V1__Reply *client_reply(struct client *client)
{
    uint32_t id;
    Canceld__V1__Reply *reply = client_next(client, &id);
    CHECK(reply != NULL);
    CHECK_EQ(id, client->sent);
    return reply;
}

/* ---- requests ---- */

/* One op of a session (0: none) with this request id. */
static inline uint32_t client_ask(struct client *client, uint64_t session, uint64_t request_id,
                                  Canceld__V1__Op *op)
{
    static uint8_t body[FRAME_BYTES_MAX];
    Canceld__V1__Op *ops[] = {op};
    Canceld__V1__Frame frame;
    canceld__v1__frame__init(&frame);
    frame.version = 1;
    frame.session = session;
    frame.request_id = request_id;
    frame.n_ops = 1;
    frame.ops = ops;
    const size_t size = canceld__v1__frame__get_packed_size(&frame);
    CHECK_LE(size, sizeof body);
    (void) canceld__v1__frame__pack(&frame, body);
    return client_send(client, body, size);
}

/* Asks, and gives the answer to the one op. */
static inline Canceld__V1__Reply *client_call(struct client *client, uint64_t session,
                                              uint64_t request_id, Canceld__V1__Op *op)
{
    (void) client_ask(client, session, request_id, op);
    Canceld__V1__Reply *reply = client_reply(client);
    if (reply->error != NULL) {
        (void) fprintf(stderr, "error %d: %s\n", (int) reply->error->code, reply->error->text);
    }
    CHECK(reply->error == NULL);
    CHECK_EQ(reply->n_results, 1);
    CHECK_EQ(reply->session, session);
    CHECK_EQ(reply->request_id, request_id);
    return reply;
}

static inline ProtobufCBinaryData data_of(const char *text)
{
    return (ProtobufCBinaryData){.len = strlen(text), .data = (uint8_t *) (uintptr_t) text};
}

/* Declares `op`, of the kind and with an empty message `name` in it. */
#define OP_OF(name, NAME, field)                                                                   \
    Canceld__V1__Op op;                                                                            \
    canceld__v1__op__init(&op);                                                                    \
    canceld__v1__##name##__init(&name);                                                            \
    op.op_case = CANCELD__V1__OP__OP_##NAME;                                                       \
    op.field = &name

static inline uint64_t client_open(struct client *client)
{
    Canceld__V1__Open open;
    OP_OF(open, OPEN, open);
    open.client_name = data_of("test");
    Canceld__V1__Reply *reply = client_call(client, 0, 1, &op);
    CHECK_EQ(reply->results[0]->answer, ANSWER_OPENED);
    const uint64_t session = reply->results[0]->opened->session;
    CHECK(session != 0);
    CHECK_EQ(reply->results[0]->opened->epoch, 7);
    reply_free(reply);
    return session;
}

/* A key, as the only field of interest. */
static inline Canceld__V1__Reply *client_store(struct client *client, uint64_t session,
                                               uint64_t request_id, uint32_t ttl_ms)
{
    Canceld__V1__Store store;
    OP_OF(store, STORE, store);
    store.key = data_of("key");
    store.ttl_ms = ttl_ms;
    return client_call(client, session, request_id, &op);
}

static inline Canceld__V1__Reply *client_cancel(struct client *client)
{
    Canceld__V1__Cancel cancel;
    OP_OF(cancel, CANCEL, cancel);
    cancel.key = data_of("key");
    return client_call(client, 0, 0, &op);
}

static inline Canceld__V1__Reply *client_ping(struct client *client)
{
    Canceld__V1__Ping ping;
    OP_OF(ping, PING, ping);
    return client_call(client, 0, 99, &op);
}

static inline void client_wait_for(struct client *client, Canceld__V1__Until until)
{
    Canceld__V1__Wait wait;
    OP_OF(wait, WAIT, wait);
    wait.key = data_of("key");
    wait.until = until;
    wait.deadline_ms = 60000;
    (void) client_ask(client, 0, 50, &op);
}

#endif
