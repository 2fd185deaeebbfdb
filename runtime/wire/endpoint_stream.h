/* SPDX-License-Identifier: MIT */
/* The inside of the stream endpoint: for endpoint_stream.c and the two kinds of listener alone. */
#ifndef CANCELD_WIRE_ENDPOINT_STREAM_H
#define CANCELD_WIRE_ENDPOINT_STREAM_H

#include "actor/source.h"
#include "wire/endpoint_kind.h"
#include "wire/link.h"

#define ACCEPT_RETRY_MS 100
#define ACCEPTORS 16

struct nng_aio;
struct nng_stream_listener;
struct nng_tls_config;
struct endpoint_stream;

enum { STREAM_ACCEPTED = MESSAGE_KIND_FIRST, STREAM_FLUSH };

/* Where an endpoint's connections come from. Each gives what it accepts to link_start(). */
struct listener_kind {
    /* Listens, and says in `error` why not; free() follows in any case. */
    enum status (*listen)(struct endpoint_stream *stream, const struct endpoint_options *options,
                          const struct endpoint_url *url, char error[ENDPOINT_ERROR_BYTES]);
    /* Accepts, from now on or again: the endpoint's actor is there. False where it can't; tried again
     * ACCEPT_RETRY_MS later. */
    bool (*start)(struct endpoint_stream *stream);
    /* Accepts no more. */
    void (*close)(struct endpoint_stream *stream);
    /* Gives everything back, also what was only half made. */
    void (*free)(struct endpoint_stream *stream);
};

/* Through NNG: on its own threads, TLS included. */
extern const struct listener_kind listener_nng;
/* On the loop itself. */
extern const struct listener_kind listener_socket;

struct acceptor {
    struct message accepted; /* the callback's, while it is busy */
    struct endpoint_stream *stream;
    struct nng_aio *aio;
    bool busy; /* started, and its message not taken yet */
};

struct endpoint_stream {
    struct endpoint common; /* first: the two are cast into each other */

    /* Fixed, and read by callbacks. */
    struct actor_system *system;
    uint64_t address;

    /* The owner's alone. */
    struct link_host host;
    const struct listener_kind *listener;
    enum endpoint_transport transport;
    /* listener_nng: */
    struct nng_stream_listener *nng_listener;
    struct nng_tls_config
        *tls_config; /* NULL: no TLS. Held here, for NNG below 1.9 does not hold it */
    struct acceptor acceptors[ACCEPTORS];
    uint32_t busy_count; /* acceptors that are */
    /* listener_socket: */
    struct source source;
    int fd;     /* -1: none */
    char *path; /* of the socket file that goes with it; NULL: none */

    struct message flush;
    struct actor_timer accept_timer; /* until the next try */
    struct actor_timer flush_timer;  /* until links are closed with output waiting */
    bool stopped;                    /* accepts no more */
    bool flush_told;
};

/* Accepting failed: it is tried again after a while. */
void stream_accept_failed(struct endpoint_stream *stream);

/* Ends the endpoint that is closing, when nothing is left of it. */
void stream_end_when_empty(struct endpoint_stream *stream);

/* An acceptor's message. */
void listener_nng_take(struct endpoint_stream *stream, struct message *message);

#endif
