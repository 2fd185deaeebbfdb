/* SPDX-License-Identifier: MIT */
#include "stream.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FILE_BYTES_MAX ((size_t) 1 << 20) /* of PEM */

/* With the mutex. */
static void half_end(struct stream_half *half)
{
    half->busy = false;
    half->waits = false;
    half->done = true;
    alarm_ring(half->alarm);
}

static void half_done(void *arg)
{
    struct stream_half *half = arg;

    (void) pthread_mutex_lock(half->mutex);
    half_end(half);
    (void) pthread_mutex_unlock(half->mutex);
}

static bool half_init(struct stream_half *half, pthread_mutex_t *mutex, struct alarm *alarm,
                      bool by_nng)
{
    *half = (struct stream_half){.mutex = mutex, .alarm = alarm};
    return !by_nng || nng_aio_alloc(&half->aio, half_done, half) == 0;
}

/* ---- on a socket ---- */

static void half_moved(struct stream_half *half, size_t moved)
{
    (void) pthread_mutex_lock(half->mutex);
    half->moved = moved;
    half_end(half);
    (void) pthread_mutex_unlock(half->mutex);
}

static void half_wait(struct stream_half *half)
{
    (void) pthread_mutex_lock(half->mutex);
    half->waits = true;
    alarm_ring(half->alarm);
    (void) pthread_mutex_unlock(half->mutex);
}

static bool is_temporary(int failure)
{
    return failure == EAGAIN || failure == EWOULDBLOCK || failure == EINTR;
}

/* A daemon whose queue of connections is full (EAGAIN) is tried again like one that is not there. */
static int socket_dial(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(path);
    int fd = -1;

    ASSERT(size < sizeof address.sun_path); /* path_keep() */
    memcpy(address.sun_path, path, size);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *) &address, sizeof address) != 0) {
        (void) close(fd);
        return -1;
    }
    return fd;
}

static void socket_receive(struct stream *stream)
{
    ssize_t size = recv(stream->fd, stream->input, sizeof stream->input, 0);

    if (size >= 0 || !is_temporary(errno))
        half_moved(&stream->receive, size > 0 ? (size_t) size : 0);
}

static void socket_send(struct stream *stream, const uint8_t *data, size_t size)
{
    ssize_t sent = send(stream->fd, data, size, MSG_NOSIGNAL);

    if (sent >= 0 || !is_temporary(errno)) {
        half_moved(&stream->send, sent > 0 ? (size_t) sent : 0);
        return;
    }
    stream->send_data = data;
    stream->send_size = size;
    half_wait(&stream->send);
}

struct pollfd stream_awaits(const struct stream *stream)
{
    short events =
        (short) ((stream->receive.waits ? POLLIN : 0) | (stream->send.waits ? POLLOUT : 0));

    return (struct pollfd){.fd = events != 0 ? stream->fd : -1, .events = events};
}

/* Ready for reading, for writing, or broken, which reading and writing then find out. */
void stream_go_on(struct stream *stream, short revents)
{
    bool broken = (revents & (POLLERR | POLLHUP | POLLNVAL)) != 0;
    bool receives = false;
    bool sends = false;

    (void) pthread_mutex_lock(stream->receive.mutex);
    receives = stream->receive.waits && (broken || (revents & POLLIN) != 0);
    sends = stream->send.waits && (broken || (revents & POLLOUT) != 0);
    (void) pthread_mutex_unlock(stream->receive.mutex);
    if (receives)
        socket_receive(stream);
    if (sends)
        socket_send(stream, stream->send_data, stream->send_size);
}

/* ---- TLS ---- */

/* The file as a string; NULL where it cannot be read whole. */
static char *file_read(const char *path)
{
    FILE *file = fopen(path, "rbe");
    char *text = file == NULL ? NULL : malloc(FILE_BYTES_MAX + 1);
    size_t size = 0;

    if (text != NULL) {
        (void) setvbuf(file, NULL, _IONBF, 0); /* a buffer would keep what was a key */
        size = fread(text, 1, FILE_BYTES_MAX + 1, file);
        if (ferror(file) != 0 || size > FILE_BYTES_MAX) {
            explicit_bzero(text, size);
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

static void text_free(char *text)
{
    if (text != NULL)
        explicit_bzero(text, strlen(text));
    free(text);
}

static bool tls_certify(nng_tls_config *config, const struct canceld_tls *tls)
{
    char *cert = file_read(tls->cert_file);
    char *key = file_read(tls->key_file == NULL ? tls->cert_file : tls->key_file);
    bool done =
        cert != NULL && key != NULL && nng_tls_config_own_cert(config, cert, key, NULL) == 0;

    /* The certificate's file may hold the key too. */
    text_free(cert);
    text_free(key);
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

/* NULL where the address is none of a Unix socket with a name in the file system. */
static const char *path_of(const char *url)
{
    static const char *const schemes[] = {"ipc://", "unix://"};

    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
        if (strncmp(url, schemes[i], strlen(schemes[i])) == 0)
            return url + strlen(schemes[i]);
    return NULL;
}

static enum canceld_status path_keep(struct stream *stream, const char *path)
{
    const struct sockaddr_un *room = NULL;

    if (*path == '\0' || strlen(path) >= sizeof room->sun_path)
        return CANCELD_INVALID;
    stream->path = strdup(path);
    return stream->path == NULL ? CANCELD_NO_MEMORY : CANCELD_OK;
}

enum canceld_status stream_init(struct stream *stream, const char *url,
                                const struct canceld_tls *tls, pthread_mutex_t *mutex,
                                struct alarm *alarm)
{
    enum canceld_status status = CANCELD_NO_MEMORY;
    const char *path = path_of(url);
    bool by_nng = path == NULL;

    stream->dialer = NULL;
    stream->tls = NULL;
    stream->stream = NULL;
    stream->path = NULL;
    stream->fd = -1;
    stream->dial.aio = stream->receive.aio = stream->send.aio = NULL;
    if (half_init(&stream->dial, mutex, alarm, by_nng) &&
        half_init(&stream->receive, mutex, alarm, by_nng) &&
        half_init(&stream->send, mutex, alarm, by_nng))
        status = by_nng ? dialer_init(stream, url, tls) : path_keep(stream, path);
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
    free(stream->path);
    stream->path = NULL;
}

void stream_dial(struct stream *stream)
{
    if (stream->path != NULL) {
        stream->fd = socket_dial(stream->path);
        half_moved(&stream->dial, 0);
        return;
    }
    nng_stream_dialer_dial(stream->dialer, stream->dial.aio);
}

bool stream_open(struct stream *stream)
{
    if (stream->path != NULL)
        return stream->fd >= 0;
    if (nng_aio_result(stream->dial.aio) != 0)
        return false;
    stream->stream = nng_aio_get_output(stream->dial.aio, 0);
    return stream->stream != NULL;
}

void stream_receive(struct stream *stream)
{
    nng_iov iov = {.iov_buf = stream->input, .iov_len = sizeof stream->input};

    if (stream->path != NULL) {
        half_wait(&stream->receive);
        return;
    }
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

    if (stream->path != NULL) {
        socket_send(stream, data, size);
        return;
    }
    (void) nng_aio_set_iov(stream->send.aio, 1, &iov);
    nng_stream_send(stream->stream, stream->send.aio);
}

size_t stream_moved(const struct stream_half *half)
{
    if (half->aio == NULL)
        return half->moved;
    return nng_aio_result(half->aio) == 0 ? nng_aio_count(half->aio) : 0;
}

void stream_give_up(struct stream *stream)
{
    if (stream->fd >= 0)
        (void) shutdown(stream->fd, SHUT_RDWR);
    else if (stream->stream != NULL)
        nng_stream_close(stream->stream);
    else if (stream->dial.aio != NULL)
        nng_aio_cancel(stream->dial.aio);
}

void stream_close(struct stream *stream)
{
    if (stream->fd >= 0) {
        (void) close(stream->fd);
        stream->fd = -1;
    }
    if (stream->stream == NULL)
        return;
    nng_stream_close(stream->stream);
    nng_stream_free(stream->stream);
    stream->stream = NULL;
}
