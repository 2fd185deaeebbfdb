/* SPDX-License-Identifier: MIT */
/* A listener of NNG's. ACCEPTORS accepts are in flight; the callback of each tells the endpoint's actor,
 * which takes the connection and accepts again, so a flood of connections waits in the kernel while the
 * owner is busy. */
#include "wire/endpoint_peer.h"
#include "wire/endpoint_socket.h"
#include "wire/endpoint_stream.h"
#include "wire/endpoint_tls.h"

#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>

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
    nng_stream_listener_accept(acceptor->stream->nng_listener, acceptor->aio);
}

static bool nng_start(struct endpoint_stream *stream)
{
    for (size_t i = 0; i < ACCEPTORS; i++) {
        if (!stream->acceptors[i].busy) {
            acceptor_start(&stream->acceptors[i]);
        }
    }
    return true;
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

/* Those that were made, and the idle ones among them too. */
static void stream_free_acceptors(struct endpoint_stream *stream)
{
    for (size_t i = 0; i < ACCEPTORS && stream->acceptors[i].aio != NULL; i++) {
        acceptor_stop(&stream->acceptors[i]);
        nng_aio_free(stream->acceptors[i].aio);
        stream->acceptors[i].aio = NULL;
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
            return false;
        }
    }
    return true;
}

static struct endpoint_peer nng_peer(struct link_host *host, const struct link_connection *of)
{
    const struct endpoint_stream *stream = LIST_OWNER(host, struct endpoint_stream, host);
    nng_stream *connection = of->stream;
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

void listener_nng_take(struct endpoint_stream *stream, struct message *message)
{
    struct acceptor *acceptor = LIST_OWNER(message, struct acceptor, accepted);
    int failure = nng_aio_result(acceptor->aio);
    acceptor->busy = false;
    stream->busy_count--;
    if (failure == 0) {
        nng_stream *connection = nng_aio_get_output(acceptor->aio, 0);
        link_start(&stream->host, &(struct link_connection){.stream = connection, .fd = -1});
    }
    if (stream->stopped) {
        stream_end_when_empty(stream);
    } else if (failure == 0) {
        acceptor_start(acceptor);
    } else {
        stream_accept_failed(stream);
    }
}

/* Everything an option can say is said before the listener starts. */
static int stream_listen_nng(struct endpoint_stream *stream, const struct endpoint_url *url,
                             int ipc_mode)
{
    int failure = nng_stream_listener_alloc(&stream->nng_listener, url->nng_url);
    if (failure != 0) {
        return failure;
    }
    if (url->transport == ENDPOINT_IPC) {
        failure =
            nng_stream_listener_set_int(stream->nng_listener, NNG_OPT_IPC_PERMISSIONS, ipc_mode);
    } else {
        failure = nng_stream_listener_set_bool(stream->nng_listener, NNG_OPT_TCP_NODELAY, true);
        if (failure == 0) {
            failure =
                nng_stream_listener_set_bool(stream->nng_listener, NNG_OPT_TCP_KEEPALIVE, true);
        }
    }
    if (failure == 0 && stream->tls_config != NULL) {
        failure = nng_stream_listener_set_ptr(stream->nng_listener, NNG_OPT_TLS_CONFIG,
                                              stream->tls_config);
    }
    return failure != 0 ? failure : nng_stream_listener_listen(stream->nng_listener);
}

static void stream_print_url(struct endpoint_stream *stream, const struct endpoint_url *url)
{
    int port;
    if (url->transport != ENDPOINT_IPC &&
        nng_stream_listener_get_int(stream->nng_listener, NNG_OPT_TCP_BOUND_PORT, &port) == 0) {
        endpoint_url_print(url, (uint32_t) port, stream->common.url);
    }
}

static enum status nng_listen_at(struct endpoint_stream *stream,
                                 const struct endpoint_options *options,
                                 const struct endpoint_url *url, char error[ENDPOINT_ERROR_BYTES])
{
    stream->host.carrier = &link_by_nng;
    stream->host.peer = nng_peer;
    if (!stream_new_acceptors(stream)) {
        return endpoint_fail(error, STATUS_NO_MEMORY, "%s: no memory", url->text);
    }
    if (url->transport == ENDPOINT_TLS) {
        enum status status =
            endpoint_tls_config(options->tls, url->text, &stream->tls_config, error);
        if (status != STATUS_OK) {
            return status;
        }
    }
    const int failure = stream_listen_nng(stream, url, endpoint_socket_mode(options));
    if (failure != 0) {
        return endpoint_nng_fail(url, failure, error);
    }
    stream_print_url(stream, url);
    return STATUS_OK;
}

static void nng_shut(struct endpoint_stream *stream)
{
    nng_stream_listener_close(stream->nng_listener);
}

static void nng_give(struct endpoint_stream *stream)
{
    if (stream->nng_listener != NULL) {
        nng_stream_listener_close(stream->nng_listener);
    }
    stream_free_acceptors(stream);
    nng_stream_listener_free(stream->nng_listener);
    stream->nng_listener = NULL;
    stream_free_tls(stream);
}

const struct listener_kind listener_nng = {
    .listen = nng_listen_at, .start = nng_start, .close = nng_shut, .free = nng_give};
