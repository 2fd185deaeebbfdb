/* SPDX-License-Identifier: MIT */
/* A listening socket that the owner's loop watches itself, with the rules of NNG's: a socket file that
 * nobody listens on any more is replaced, its mode is set before anybody can connect, and it goes with
 * the listener. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* accept4() and SO_PEERCRED, which are Linux's own */
#endif
#include "wire/endpoint_peer.h"
#include "wire/endpoint_socket.h"
#include "wire/endpoint_stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define QUEUE_MAX 128
#define ACCEPTS_MAX 4 /* in a turn, for a crowd of newcomers must not keep others waiting */
#define HOST_BYTES ENDPOINT_URL_BYTES
#define SOCKET_FLAGS (SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK)

/* ---- ipc ---- */

/* A file of a socket without a listener goes away: what a daemon that was killed leaves. */
static void remove_stale(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCKET_FLAGS, 0);
    if (fd < 0) {
        return;
    }
    if (connect(fd, (const struct sockaddr *) address, sizeof *address) != 0 &&
        errno == ECONNREFUSED) {
        (void) unlink(address->sun_path);
    }
    (void) close(fd);
}

static bool bind_path(int fd, const struct sockaddr_un *address)
{
    if (bind(fd, (const struct sockaddr *) address, sizeof *address) == 0) {
        return true;
    }
    if (errno != EADDRINUSE) {
        return false;
    }
    remove_stale(address);
    return bind(fd, (const struct sockaddr *) address, sizeof *address) == 0;
}

/* Returns an errno; 0: it listens. */
static int listen_ipc(struct endpoint_stream *stream, const struct endpoint_url *url, int mode)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(url->rest);
    ASSERT(size < sizeof address.sun_path); /* endpoint_url_parse() has seen to it */
    memcpy(address.sun_path, url->rest, size);
    stream->fd = socket(AF_UNIX, SOCKET_FLAGS, 0);
    if (stream->fd < 0 || !bind_path(stream->fd, &address)) {
        return errno;
    }
    stream->path = strdup(url->rest);
    if (stream->path == NULL) {
        (void) unlink(url->rest);
        return ENOMEM;
    }
    if (chmod(url->rest, (mode_t) mode) != 0 || listen(stream->fd, QUEUE_MAX) != 0) {
        return errno;
    }
    return 0;
}

/* ---- tcp ---- */

/* The first address of the host's name; NULL: there is none. */
static struct addrinfo *resolve(const struct endpoint_url *url)
{
    const struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
                                   .ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM};
    const bool in_brackets = url->rest[0] == '[';
    char host[HOST_BYTES];
    char port[8];
    struct addrinfo *found = NULL;
    (void) snprintf(host, sizeof host, "%.*s", (int) (url->host_bytes - (in_brackets ? 2 : 0)),
                    url->rest + (in_brackets ? 1 : 0));
    (void) snprintf(port, sizeof port, "%u", (unsigned) url->port);
    return getaddrinfo(host, port, &hints, &found) == 0 ? found : NULL;
}

static int listen_at(struct endpoint_stream *stream, const struct addrinfo *at)
{
    const int on = 1;
    stream->fd = socket(at->ai_family, SOCKET_FLAGS, 0);
    if (stream->fd < 0 || setsockopt(stream->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(stream->fd, at->ai_addr, at->ai_addrlen) != 0 || listen(stream->fd, QUEUE_MAX) != 0) {
        return errno;
    }
    return 0;
}

/* With the port that the system gave. */
static void print_url(struct endpoint_stream *stream, const struct endpoint_url *url)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    if (getsockname(stream->fd, (struct sockaddr *) &address, &size) != 0) {
        return;
    }
    const in_port_t port = address.ss_family == AF_INET6
                               ? ((struct sockaddr_in6 *) (void *) &address)->sin6_port
                               : ((struct sockaddr_in *) (void *) &address)->sin_port;
    endpoint_url_print(url, ntohs(port), stream->common.url);
}

static int listen_tcp(struct endpoint_stream *stream, const struct endpoint_url *url)
{
    struct addrinfo *at = resolve(url);
    if (at == NULL) {
        return EADDRNOTAVAIL;
    }
    int failure = listen_at(stream, at);
    freeaddrinfo(at);
    if (failure == 0) {
        print_url(stream, url);
    }
    return failure;
}

/* ---- who is there ---- */

static struct endpoint_peer socket_peer(struct link_host *host, const struct link_connection *of)
{
    (void) host;
    struct endpoint_peer peer = {.text = ""};
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    if (getpeername(of->fd, (struct sockaddr *) &address, &size) != 0) {
        return peer;
    }
    if (address.ss_family == AF_UNIX) {
        struct ucred who;
        size = sizeof who;
        if (getsockopt(of->fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0) {
            peer = endpoint_peer_of_uid(who.uid);
        }
        return peer;
    }
    return endpoint_peer_of_socket(&address);
}

/* ---- accepting ---- */

/* What the system keeps for a peer that does not read, which it doubles: as much as a Unix socket has. Left to
 * itself it would keep 4 MiB for each. */
#define TCP_SEND_BYTES 131072

static void connection_prepare(const struct endpoint_stream *stream, int fd)
{
    const int on = 1;
    const int send_bytes = TCP_SEND_BYTES;
    if (stream->transport == ENDPOINT_TCP) {
        /* They cannot fail on a socket of this kind; a link works without them, too. */
        (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        (void) setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
        (void) setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof send_bytes);
    }
}

/* A connection that is gone again before it was taken is none of ours. */
static bool is_passing(int failure)
{
    return failure == EAGAIN || failure == EWOULDBLOCK || failure == EINTR ||
           failure == ECONNABORTED || failure == EPROTO || failure == EPERM;
}

static void on_connections(struct actor *self, struct source *source, uint32_t events)
{
    (void) events;
    struct endpoint_stream *stream = actor_state(self);
    stream->host.in_batch = true;
    for (uint32_t i = 0; i < ACCEPTS_MAX; i++) {
        int fd = accept4(stream->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            connection_prepare(stream, fd);
            link_start(&stream->host, &(struct link_connection){.fd = fd});
            continue;
        }
        if (!is_passing(errno)) {
            source_set(source, 0);
            stream_accept_failed(stream);
        }
        return;
    }
}

/* ---- the kind ---- */

static enum status tell_failure(const struct endpoint_url *url, int failure,
                                char error[ENDPOINT_ERROR_BYTES])
{
    switch (failure) {
    case EADDRINUSE:
        return endpoint_fail(error, STATUS_IN_USE, "%s: somebody listens there already", url->text);
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
        return endpoint_fail(error, STATUS_INVALID, "%s: no address to listen at", url->text);
    case ENOMEM:
        return endpoint_fail(error, STATUS_NO_MEMORY, "%s: no memory", url->text);
    case EACCES:
    case EPERM:
        return endpoint_fail(error, STATUS_SYSTEM, "%s: permission denied", url->text);
    case ENOENT:
        return endpoint_fail(error, STATUS_SYSTEM, "%s: the directory does not exist", url->text);
    default:
        return endpoint_fail(error, STATUS_SYSTEM, "%s: %s", url->text, strerror(failure));
    }
}

static enum status socket_listen(struct endpoint_stream *stream,
                                 const struct endpoint_options *options,
                                 const struct endpoint_url *url, char error[ENDPOINT_ERROR_BYTES])
{
    stream->host.carrier = &link_by_socket;
    stream->host.peer = socket_peer;
    stream->source.on_ready = on_connections;
    int failure = url->transport == ENDPOINT_IPC
                      ? listen_ipc(stream, url, endpoint_socket_mode(options))
                      : listen_tcp(stream, url);
    return failure == 0 ? STATUS_OK : tell_failure(url, failure, error);
}

static bool socket_start(struct endpoint_stream *stream)
{
    if (stream->source.watched) {
        source_set(&stream->source, SOURCE_READ);
        return true;
    }
    return source_add(stream->common.actor, &stream->source, stream->fd, SOURCE_READ) == STATUS_OK;
}

static void socket_shut(struct endpoint_stream *stream)
{
    source_remove(&stream->source);
    if (stream->fd >= 0) {
        (void) close(stream->fd);
        stream->fd = -1;
    }
    if (stream->path != NULL) {
        (void) unlink(stream->path);
        free(stream->path);
        stream->path = NULL;
    }
}

const struct listener_kind listener_socket = {
    .listen = socket_listen, .start = socket_start, .close = socket_shut, .free = socket_shut};
