/* SPDX-License-Identifier: MIT */
/* One outgoing connection by NNG. Every call is made by one thread, the client's I/O thread, without the mutex;
 * NNG's callbacks only take the mutex, say that they are done, and wake that thread. So no aio is ever started
 * and cancelled by two threads, and none is freed in a callback. NNG's own timeouts are not used, for in 1.5.2
 * they hang on the wall clock. */
#ifndef CANCELD_CLIENT_STREAM_H
#define CANCELD_CLIENT_STREAM_H

#include "check.h"

#include <canceld/client.h>
#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>
#include <pthread.h>

#define STREAM_INPUT_BYTES 65536

/* An aio and whether NNG has it. */
struct stream_half {
    nng_aio *aio;
    pthread_mutex_t *mutex;
    pthread_cond_t *wake;
    bool busy; /* the mutex */
    bool done; /* the mutex: completed, and not looked at yet */
};

struct stream {
    nng_stream_dialer *dialer;
    nng_tls_config *tls; /* NULL: the url is not of TLS */
    nng_stream *stream;
    struct stream_half dial;
    struct stream_half receive;
    struct stream_half send;
    uint8_t input[STREAM_INPUT_BYTES];
};

/* OK, INVALID for an address that NNG does not take or TLS files that it cannot use, or NO_MEMORY. `tls` counts for
 * tls+tcp:// alone. */
MUST_CHECK enum canceld_status stream_init(struct stream *stream, const char *url,
                                           const struct canceld_tls *tls, pthread_mutex_t *mutex,
                                           pthread_cond_t *wake);

/* No half may be busy. NULL parts are fine. */
void stream_fini(struct stream *stream);

/* Each starts something; the half is busy until it is done. stream_open() takes what dialling has made. */
void stream_dial(struct stream *stream);
MUST_CHECK bool stream_open(struct stream *stream);
void stream_receive(struct stream *stream);
void stream_send(struct stream *stream, const uint8_t *data, size_t size);

/* What a half that is done has brought: bytes moved, 0 for an end or an error. */
size_t stream_moved(const struct stream_half *half);

/* Makes busy halves end soon. */
void stream_give_up(struct stream *stream);

/* Frees the connection, once neither half is busy; the dialer stays for the next one. */
void stream_close(struct stream *stream);

#endif
