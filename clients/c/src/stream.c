/* SPDX-License-Identifier: MIT */
#include "stream.h"

#include <string.h>

#define FILE_BYTES_MAX ((size_t) 1 << 20) /* of PEM */

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

/* ---- TLS ---- */

/* The file as a string; NULL where it cannot be read whole. */
static char *file_read(const char *path)
{
    FILE *file = fopen(path, "rbe");
    char *text = file == NULL ? NULL : malloc(FILE_BYTES_MAX + 1);
    size_t size = 0;

    if (text != NULL) {
        size = fread(text, 1, FILE_BYTES_MAX + 1, file);
        if (ferror(file) != 0 || size > FILE_BYTES_MAX) {
            free(text);
            text = NULL;
        }
    }
    if (file != NULL)
        (void) fclose(file);
    if (text != NULL)
        text[size] = '\0';
    return text;
}

static bool tls_certify(nng_tls_config *config, const struct canceld_tls *tls)
{
    char *cert = file_read(tls->cert_file);
    char *key = file_read(tls->key_file == NULL ? tls->cert_file : tls->key_file);
    bool done =
        cert != NULL && key != NULL && nng_tls_config_own_cert(config, cert, key, NULL) == 0;

    free(cert);
    free(key);
    return done;
}

static bool tls_fill(nng_tls_config *config, const struct canceld_tls *tls, const char *host)
{
    const char *server_name = tls->server_name == NULL ? host : tls->server_name;
    char *ca = tls->ca_file == NULL ? NULL : file_read(tls->ca_file);
    bool done = ca != NULL && nng_tls_config_ca_chain(config, ca, NULL) == 0 &&
                nng_tls_config_auth_mode(config, NNG_TLS_AUTH_MODE_REQUIRED) == 0 &&
                nng_tls_config_server_name(config, server_name) == 0 &&
                (tls->cert_file == NULL || tls_certify(config, tls));

    free(ca);
    return done;
}

/* NNG takes a reference of its own only from 1.9 on, so ours stays for as long as the dialer. */
static enum canceld_status tls_set(struct stream *stream, const char *url,
                                   const struct canceld_tls *tls)
{
    enum canceld_status status = CANCELD_INVALID;
    nng_url *parts = NULL;

    if (nng_tls_config_alloc(&stream->tls, NNG_TLS_MODE_CLIENT) != 0)
        return CANCELD_NO_MEMORY;
    if (nng_url_parse(&parts, url) != 0)
        return CANCELD_INVALID;
    if (tls_fill(stream->tls, tls, parts->u_hostname) &&
        nng_stream_dialer_set_ptr(stream->dialer, NNG_OPT_TLS_CONFIG, stream->tls) == 0)
        status = CANCELD_OK;
    nng_url_free(parts);
    return status;
}

static enum canceld_status dialer_init(struct stream *stream, const char *url,
                                       const struct canceld_tls *tls)
{
    int failure = nng_stream_dialer_alloc(&stream->dialer, url);

    if (failure != 0) {
        stream->dialer = NULL;
        return failure == NNG_ENOMEM ? CANCELD_NO_MEMORY : CANCELD_INVALID;
    }
    return strncmp(url, "tls+tcp://", strlen("tls+tcp://")) == 0 ? tls_set(stream, url, tls)
                                                                 : CANCELD_OK;
}

enum canceld_status stream_init(struct stream *stream, const char *url,
                                const struct canceld_tls *tls, pthread_mutex_t *mutex,
                                pthread_cond_t *wake)
{
    enum canceld_status status = CANCELD_NO_MEMORY;

    stream->dialer = NULL;
    stream->tls = NULL;
    stream->stream = NULL;
    stream->dial.aio = stream->receive.aio = stream->send.aio = NULL;
    if (half_init(&stream->dial, mutex, wake) && half_init(&stream->receive, mutex, wake) &&
        half_init(&stream->send, mutex, wake))
        status = dialer_init(stream, url, tls);
    if (status != CANCELD_OK)
        stream_fini(stream);
    return status;
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
    if (stream->tls != NULL)
        nng_tls_config_free(stream->tls);
    stream->tls = NULL;
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
