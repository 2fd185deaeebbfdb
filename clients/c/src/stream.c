/* SPDX-License-Identifier: MIT */
#include "stream.h"

static void half_done(void *arg)
{
    struct stream_half *half = arg;

    (void) pthread_mutex_lock(half->mutex);
    half->busy = false;
    half->done = true;
    (void) pthread_cond_signal(half->wake);
    (void) pthread_mutex_unlock(half->mutex);
}

static bool half_init(struct stream_half *half, pthread_mutex_t *mutex, pthread_cond_t *wake)
{
    *half = (struct stream_half){.mutex = mutex, .wake = wake};
    return nng_aio_alloc(&half->aio, half_done, half) == 0;
}

/* Marks the half before NNG has it: its callback may be quicker than the caller's next line. */
static void half_start(struct stream_half *half)
{
    (void) pthread_mutex_lock(half->mutex);
    ASSERT(!half->busy);
    half->busy = true;
    half->done = false;
    (void) pthread_mutex_unlock(half->mutex);
}

enum canceld_status stream_init(struct stream *stream, const char *url, pthread_mutex_t *mutex,
                                pthread_cond_t *wake)
{
    int failure = 0;

    stream->dialer = NULL;
    stream->stream = NULL;
    stream->dial.aio = stream->receive.aio = stream->send.aio = NULL;
    if (!half_init(&stream->dial, mutex, wake) || !half_init(&stream->receive, mutex, wake) ||
        !half_init(&stream->send, mutex, wake)) {
        stream_fini(stream);
        return CANCELD_NO_MEMORY;
    }
    failure = nng_stream_dialer_alloc(&stream->dialer, url);
    if (failure == 0)
        return CANCELD_OK;
    stream->dialer = NULL;
    stream_fini(stream);
    return failure == NNG_ENOMEM ? CANCELD_NO_MEMORY : CANCELD_INVALID;
}

void stream_fini(struct stream *stream)
{
    struct stream_half *halves[] = {&stream->dial, &stream->receive, &stream->send};

    stream_close(stream);
    if (stream->dialer != NULL) {
        nng_stream_dialer_close(stream->dialer);
        nng_stream_dialer_free(stream->dialer);
    }
    stream->dialer = NULL;
    for (size_t i = 0; i < 3; i++) {
        if (halves[i]->aio != NULL)
            nng_aio_free(halves[i]->aio);
        halves[i]->aio = NULL;
    }
}

void stream_dial(struct stream *stream)
{
    half_start(&stream->dial);
    nng_stream_dialer_dial(stream->dialer, stream->dial.aio);
}

bool stream_open(struct stream *stream)
{
    if (nng_aio_result(stream->dial.aio) != 0)
        return false;
    stream->stream = nng_aio_get_output(stream->dial.aio, 0);
    return stream->stream != NULL;
}

void stream_receive(struct stream *stream)
{
    nng_iov iov = {.iov_buf = stream->input, .iov_len = sizeof stream->input};

    half_start(&stream->receive);
    /* One vector always fits. */
    (void) nng_aio_set_iov(stream->receive.aio, 1, &iov);
    nng_stream_recv(stream->stream, stream->receive.aio);
}

void stream_send(struct stream *stream, const uint8_t *data, size_t size)
{
    union {
        const uint8_t *from;
        void *to;
    } place = {.from = data}; /* NNG only reads it */
    nng_iov iov = {.iov_buf = place.to, .iov_len = size};

    half_start(&stream->send);
    (void) nng_aio_set_iov(stream->send.aio, 1, &iov);
    nng_stream_send(stream->stream, stream->send.aio);
}

size_t stream_moved(const struct stream_half *half)
{
    return nng_aio_result(half->aio) == 0 ? nng_aio_count(half->aio) : 0;
}

void stream_give_up(struct stream *stream)
{
    if (stream->stream != NULL)
        nng_stream_close(stream->stream);
    else
        nng_aio_cancel(stream->dial.aio);
}

void stream_close(struct stream *stream)
{
    if (stream->stream == NULL)
        return;
    nng_stream_close(stream->stream);
    nng_stream_free(stream->stream);
    stream->stream = NULL;
}
