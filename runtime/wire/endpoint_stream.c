/* SPDX-License-Identifier: MIT */
/* The endpoint on NNG's streams: accepts connections and makes links of them.
 *
 * One actor on the owner's loop. Its accept is in flight at most once; the callback tells the
 * actor, which takes the connection and accepts again, so a flood of connections waits in the
 * kernel while the owner is busy. Whatever accept fails with, it is tried again after a while: the
 * listener ends only when we close it.
 *
 * NNG frees a stream on a thread of its own, so closing a connection never blocks the owner.
 *
 * The end: no accept in flight, no link left, no message of ours in the mailbox; then the actor
 * exits and the listener is given back. */
#include "wire/endpoint_kind.h"
#include "wire/endpoint_peer.h"
#include "wire/endpoint_socket.h"
#include "wire/endpoint_tls.h"
#include "wire/link.h"

#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>
#include <stdlib.h>

#define ACCEPT_RETRY_MS 100
#define ACCEPTORS 16

enum { STREAM_ACCEPTED = MESSAGE_KIND_FIRST, STREAM_FLUSH };

struct acceptor {
    struct message accepted; /* the callback's, while it is busy */
    struct endpoint_stream *stream;
    nng_aio *aio;
    bool busy; /* started, and its message not taken yet */
};

struct endpoint_stream {
    struct endpoint common; /* first: the two are cast into each other */

    /* Fixed, and read by callbacks. */
    struct actor_system *system;
    uint64_t address;

    /* The owner's alone. */
    struct link_host host;
    enum endpoint_transport transport;
    nng_stream_listener *listener;
    nng_tls_config *tls_config; /* NULL: no TLS. Held here, for NNG below 1.9 does not hold it */
    struct acceptor acceptors[ACCEPTORS];
    uint32_t busy_count; /* acceptors that are */
    struct message flush;
    struct actor_timer accept_timer; /* until the next try */
    struct actor_timer flush_timer;  /* until links are closed with output waiting */
    bool stopped;                    /* accepts no more */
    bool flush_told;
};

static struct endpoint_stream *stream_of(struct endpoint *endpoint)
{
    return (struct endpoint_stream *) (void *) endpoint;
}

static struct endpoint_stream *stream_of_host(struct link_host *host)
{
    return LIST_OWNER(host, struct endpoint_stream, host);
}

static void stream_end_when_empty(struct endpoint_stream *stream)
{
    if (stream->common.closing && stream->busy_count == 0 && !stream->flush_told &&
        list_first(&stream->host.links) == NULL) {
        actor_exit(stream->common.actor);
    }
}

/* ---- accepting ---- */

/* On a thread of NNG's. */
static void on_accept(void *argument)
{
    struct acceptor *acceptor = argument;
    struct endpoint_stream *stream = acceptor->stream;
    /* Refused only where the loop has ended; then acceptor_stop() looks at the aio itself. */
    (void) !actor_tell(stream->system, stream->address, &acceptor->accepted);
}

static void acceptor_start(struct acceptor *acceptor)
{
    acceptor->busy = true;
    acceptor->stream->busy_count++;
    nng_stream_listener_accept(acceptor->stream->listener, acceptor->aio);
}

static void stream_accept(struct actor *self, struct actor_timer *timer)
{
    (void) timer;
    struct endpoint_stream *stream = actor_state(self);
    for (size_t i = 0; i < ACCEPTORS; i++) {
        if (!stream->acceptors[i].busy) {
            acceptor_start(&stream->acceptors[i]);
        }
    }
}

/* Waits for the callback; a connection that it brought too late is closed. */
static void acceptor_stop(struct acceptor *acceptor)
{
    nng_aio_stop(acceptor->aio);
    if (acceptor->busy && nng_aio_result(acceptor->aio) == 0) {
        nng_stream *connection = nng_aio_get_output(acceptor->aio, 0);
        nng_stream_close(connection);
        nng_stream_free(connection);
    }
}

static void stream_free_tls(struct endpoint_stream *stream)
{
    if (stream->tls_config != NULL) {
        nng_tls_config_free(stream->tls_config);
        stream->tls_config = NULL;
    }
}

/* Takes those that were not made, too. */
static void stream_free_acceptors(struct endpoint_stream *stream)
{
    for (size_t i = 0; i < ACCEPTORS; i++) {
        nng_aio_free(stream->acceptors[i].aio);
    }
}

static bool stream_new_acceptors(struct endpoint_stream *stream)
{
    for (size_t i = 0; i < ACCEPTORS; i++) {
        struct acceptor *acceptor = &stream->acceptors[i];
        acceptor->stream = stream;
        acceptor->accepted = (struct message){.kind = STREAM_ACCEPTED, .control = true};
        if (nng_aio_alloc(&acceptor->aio, on_accept, acceptor) != 0) {
            acceptor->aio = NULL;
            stream_free_acceptors(stream);
            return false;
        }
    }
    return true;
}

static struct endpoint_peer stream_peer(struct link_host *host, nng_stream *connection)
{
    const struct endpoint_stream *stream = stream_of_host(host);
    struct endpoint_peer peer = {.text = ""};
    uint64_t uid;
    nng_sockaddr address;
    if (stream->transport == ENDPOINT_TLS) {
        return endpoint_tls_peer(connection);
    }
    if (stream->transport == ENDPOINT_IPC) {
        if (nng_stream_get_uint64(connection, NNG_OPT_IPC_PEER_UID, &uid) == 0) {
            peer = endpoint_peer_of_uid(uid);
        }
    } else if (nng_stream_get_addr(connection, NNG_OPT_REMADDR, &address) == 0) {
        peer = endpoint_peer_of_address(&address);
    }
    return peer;
}

static void stream_take_accepted(struct endpoint_stream *stream, struct message *message)
{
    struct acceptor *acceptor = LIST_OWNER(message, struct acceptor, accepted);
    int failure = nng_aio_result(acceptor->aio);
    acceptor->busy = false;
    stream->busy_count--;
    if (failure == 0) {
        nng_stream *connection = nng_aio_get_output(acceptor->aio, 0);
        link_start(&stream->host, connection);
    }
    if (stream->stopped) {
        stream_end_when_empty(stream);
    } else if (failure == 0) {
        acceptor_start(acceptor);
    } else {
        stream->common.stats.accept_errors++;
        actor_timer_set(stream->common.actor, &stream->accept_timer,
                        actor_now_ns(stream->common.actor) + ACCEPT_RETRY_MS * NS_PER_MS);
    }
}

/* ---- the actor ---- */

static void stream_take_flush(struct endpoint_stream *stream, struct message *message)
{
    (void) message;
    stream->flush_told = false;
    stream_end_when_empty(stream);
}

static void stream_take(struct actor *self, struct message *message)
{
    static void (*const takes[])(struct endpoint_stream *, struct message *) = {
        [STREAM_ACCEPTED] = stream_take_accepted, [STREAM_FLUSH] = stream_take_flush};
    struct endpoint_stream *stream = actor_state(self);
    stream->host.in_batch = true;
    takes[message->kind](stream, message);
}

static uint64_t stream_sweep(struct actor *self, uint64_t now_ns)
{
    (void) now_ns;
    struct endpoint_stream *stream = actor_state(self);
    link_host_flush(&stream->host);
    return TIME_NEVER;
}

static void stream_on_stop(struct actor *self)
{
    struct endpoint_stream *stream = actor_state(self);
    nng_stream_listener_close(stream->listener);
    for (size_t i = 0; i < ACCEPTORS; i++) {
        acceptor_stop(&stream->acceptors[i]);
    }
    stream_free_acceptors(stream);
    nng_stream_listener_free(stream->listener);
    stream_free_tls(stream);
    stream->common.actor = NULL;
}

static const struct actor_class stream_class = {.name = "endpoint",
                                                .on_message = stream_take,
                                                .on_sweep = stream_sweep,
                                                .on_stop = stream_on_stop};

/* The sweep comes after each batch, and this makes a batch. */
static void stream_wake(struct link_host *host)
{
    struct endpoint_stream *stream = stream_of_host(host);
    if (!stream->flush_told) {
        stream->flush_told =
            actor_tell(stream->system, stream->address, &stream->flush) == STATUS_OK;
    }
}

static void stream_link_ended(struct link_host *host)
{
    stream_end_when_empty(stream_of_host(host));
}

/* ---- the kind ---- */

static struct endpoint *stream_new(void)
{
    struct endpoint_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) {
        return NULL;
    }
    list_init(&stream->host.links);
    return &stream->common;
}

static void stream_free(struct endpoint *endpoint)
{
    struct endpoint_stream *stream = stream_of(endpoint);
    link_host_fini(&stream->host);
    free(stream);
}

/* Everything an option can say is said before the listener starts. */
static int stream_listen_nng(struct endpoint_stream *stream, const struct endpoint_url *url,
                             int ipc_mode)
{
    int failure = nng_stream_listener_alloc(&stream->listener, url->nng_url);
    if (failure != 0) {
        return failure;
    }
    if (url->transport == ENDPOINT_IPC) {
        failure = nng_stream_listener_set_int(stream->listener, NNG_OPT_IPC_PERMISSIONS, ipc_mode);
    } else {
        failure = nng_stream_listener_set_bool(stream->listener, NNG_OPT_TCP_NODELAY, true);
        if (failure == 0) {
            failure = nng_stream_listener_set_bool(stream->listener, NNG_OPT_TCP_KEEPALIVE, true);
        }
    }
    if (failure == 0 && stream->tls_config != NULL) {
        failure =
            nng_stream_listener_set_ptr(stream->listener, NNG_OPT_TLS_CONFIG, stream->tls_config);
    }
    return failure != 0 ? failure : nng_stream_listener_listen(stream->listener);
}

static void stream_print_url(struct endpoint_stream *stream, const struct endpoint_url *url)
{
    int port;
    if (url->transport != ENDPOINT_IPC &&
        nng_stream_listener_get_int(stream->listener, NNG_OPT_TCP_BOUND_PORT, &port) == 0) {
        endpoint_url_print(url, (uint32_t) port, stream->common.url);
    }
}

static enum status stream_spawn(struct endpoint_stream *stream)
{
    enum status status =
        actor_spawn(stream->common.loop, &stream_class, stream, &stream->common.actor);
    if (status == STATUS_OK) {
        stream->system = actor_system_of(stream->common.actor);
        stream->address = actor_self(stream->common.actor);
        stream->flush = (struct message){.kind = STREAM_FLUSH, .control = true};
        stream->accept_timer.on_fire = stream_accept;
        stream_accept(stream->common.actor, &stream->accept_timer);
    }
    return status;
}

static enum status stream_listen(struct endpoint *endpoint, const struct endpoint_options *options,
                                 const struct endpoint_url *url, char error[ENDPOINT_ERROR_BYTES])
{
    struct endpoint_stream *stream = stream_of(endpoint);
    stream->transport = url->transport;
    stream->host.endpoint = endpoint;
    stream->host.framing = url->transport == ENDPOINT_IPC ? SP_FRAMING_IPC : SP_FRAMING_TCP;
    stream->host.is_tls = url->transport == ENDPOINT_TLS;
    stream->host.peer = stream_peer;
    stream->host.wake = stream_wake;
    stream->host.link_ended = stream_link_ended;
    enum status status = endpoint_socket_clear(url, options, error);
    if (status != STATUS_OK) {
        return status;
    }
    if (!link_host_init(&stream->host, (uint32_t) endpoint->limits.connections) ||
        !stream_new_acceptors(stream)) {
        return endpoint_fail(error, STATUS_NO_MEMORY, "%s: no memory", url->text);
    }
    if (url->transport == ENDPOINT_TLS) {
        status = endpoint_tls_config(options->tls, url->text, &stream->tls_config, error);
        if (status != STATUS_OK) {
            goto out;
        }
    }
    const int failure = stream_listen_nng(stream, url, endpoint_socket_mode(options));
    if (failure != 0) {
        status = endpoint_nng_fail(url, failure, error);
        goto out;
    }
    status = endpoint_socket_grant(url, options, error);
    if (status != STATUS_OK) {
        goto out;
    }
    stream_print_url(stream, url);
    status = stream_spawn(stream);
    if (status == STATUS_OK) {
        return STATUS_OK;
    }
    (void) endpoint_fail(error, status, "%s: too many actors", url->text);
out:
    nng_stream_listener_free(stream->listener);
    stream_free_tls(stream);
    stream_free_acceptors(stream);
    return status;
}

static void stream_stop_accepting(struct endpoint *endpoint)
{
    struct endpoint_stream *stream = stream_of(endpoint);
    stream->stopped = true;
    actor_timer_clear(endpoint->actor, &stream->accept_timer);
    nng_stream_listener_close(stream->listener);
}

static void stream_cut_all(struct actor *self, struct actor_timer *timer)
{
    (void) timer;
    struct endpoint_stream *stream = actor_state(self);
    stream->host.in_batch = true;
    struct list_link *next;
    for (struct list_link *link = list_first(&stream->host.links); link != NULL; link = next) {
        next = list_after(&stream->host.links, link);
        link_cut(link_of(link), ENDPOINT_CUT_CLOSED);
    }
}

static void stream_close(struct endpoint *endpoint, uint64_t flush_ms)
{
    struct endpoint_stream *stream = stream_of(endpoint);
    stream_stop_accepting(endpoint);
    for (struct list_link *link = list_first(&stream->host.links); link != NULL;
         link = list_after(&stream->host.links, link)) {
        link_finish(link_of(link));
    }
    stream->flush_timer.on_fire = stream_cut_all;
    actor_timer_set(endpoint->actor, &stream->flush_timer,
                    time_after(actor_now_ns(endpoint->actor), flush_ms * NS_PER_MS));
    stream_end_when_empty(stream);
}

const struct endpoint_kind endpoint_stream_kind = {.new = stream_new,
                                                   .listen = stream_listen,
                                                   .stop_accepting = stream_stop_accepting,
                                                   .close = stream_close,
                                                   .reply = link_reply,
                                                   .free = stream_free};
