/* SPDX-License-Identifier: MIT */
/* One outgoing connection: a Unix socket of our own for ipc://, NNG's stream for all else.
 *
 * Three things may be under way on it: a dial, a receive, a send. Who begins one claims its half first, with the
 * mutex, and then calls without it; a half is done when `done` is set, with the mutex again. All calls are the I/O
 * thread's, but for stream_send() on a socket, which is for whoever has claimed that half.
 *
 * By NNG: its callbacks only take the mutex, say that they are done, and wake the I/O thread. So no aio is ever
 * started and cancelled by two threads, and none is freed in a callback. NNG's own timeouts are not used, for in
 * 1.5.2 they hang on the wall clock.
 *
 * On a socket: a receive, and a send that found no room, wait until the I/O thread sees the socket ready. */
#ifndef CANCELD_CLIENT_STREAM_H
#define CANCELD_CLIENT_STREAM_H

#include "alarm.h"
#include "check.h"

#include <canceld/client.h>
#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>
#include <pthread.h>

#define STREAM_INPUT_BYTES 65536

struct stream_half {
    nng_aio *aio; /* NULL on a socket */
    pthread_mutex_t *mutex;
    struct alarm *alarm;
    size_t moved; /* on a socket: once it is done */
    bool busy;    /* the mutex: claimed, and not done */
    bool done;    /* the mutex: completed, and not looked at yet */
    bool waits;   /* the mutex: for the socket to be ready */
};

struct stream {
    nng_stream_dialer *dialer;
    nng_tls_config *tls; /* NULL: the url is not of TLS */
    nng_stream *stream;
    char *path;               /* of the Unix socket; NULL: by NNG */
    int fd;                   /* -1: none */
    const uint8_t *send_data; /* of a send that waits */
    size_t send_size;
    struct stream_half dial;
    struct stream_half receive;
    struct stream_half send;
    uint8_t input[STREAM_INPUT_BYTES];
};

/* OK, INVALID for an address that NNG does not take or TLS files that it cannot use, or NO_MEMORY. `tls` counts for
 * tls+tcp:// alone. */
MUST_CHECK enum canceld_status stream_init(struct stream *stream, const char *url,
                                           const struct canceld_tls *tls, pthread_mutex_t *mutex,
                                           struct alarm *alarm);

/* No half may be busy. NULL parts are fine. */
void stream_fini(struct stream *stream);

/* With the mutex, before what it is for. */
static inline void stream_claim(struct stream_half *half)
{
    ASSERT(!half->busy && !half->done);
    half->busy = true;
}

/* Each starts something; the half is busy until it is done. stream_open() takes what dialling has made. */
void stream_dial(struct stream *stream);
MUST_CHECK bool stream_open(struct stream *stream);
void stream_receive(struct stream *stream);
void stream_send(struct stream *stream, const uint8_t *data, size_t size);

/* What a half that is done has brought: bytes moved, 0 for an end or an error. */
size_t stream_moved(const struct stream_half *half);

/* With the mutex: what the socket is to be waited for; an fd of -1: for nothing. */
struct pollfd stream_awaits(const struct stream *stream);

/* The socket is ready for something of that: goes on with it. Without the mutex. */
void stream_go_on(struct stream *stream, short revents);

/* Makes busy halves end soon. */
void stream_give_up(struct stream *stream);

/* Frees the connection, once neither half is busy; the dialer stays for the next one. */
void stream_close(struct stream *stream);

#endif
