/* SPDX-License-Identifier: MIT */
/* The endpoint on streams of bytes: takes connections from a listener and makes links of them.
 *
 * One actor on the owner's loop. ipc:// and tcp:// are sockets that this loop watches itself; tls+tcp://
 * and nng+... come through NNG. Whatever accept fails with, it is tried again after a while: the
 * listener ends only when we close it.
 *
 * The end: no accept in flight, no link left, no message of ours in the mailbox; then the actor
 * exits and the listener is given back. */
#include "wire/endpoint_stream.h"
#include "wire/endpoint_socket.h"

#include <stdlib.h>

static struct endpoint_stream *stream_of(struct endpoint *endpoint)
{
    return (struct endpoint_stream *) (void *) endpoint;
}

static struct endpoint_stream *stream_of_host(struct link_host *host)
{
    return LIST_OWNER(host, struct endpoint_stream, host);
}

void stream_end_when_empty(struct endpoint_stream *stream)
{
    if (stream->common.closing && stream->busy_count == 0 && !stream->flush_told &&
        list_first(&stream->host.links) == NULL) {
        actor_exit(stream->common.actor);
    }
}

/* ---- accepting ---- */

void stream_accept_failed(struct endpoint_stream *stream)
{
    stream->common.stats.accept_errors++;
    actor_timer_set(stream->common.actor, &stream->accept_timer,
                    actor_now_ns(stream->common.actor) + ACCEPT_RETRY_MS * NS_PER_MS);
}

static void stream_accept(struct actor *self, struct actor_timer *timer)
{
    (void) timer;
    struct endpoint_stream *stream = actor_state(self);
    stream->host.in_batch = true;
    if (!stream->listener->start(stream)) {
        stream_accept_failed(stream);
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
        [STREAM_ACCEPTED] = listener_nng_take, [STREAM_FLUSH] = stream_take_flush};
    struct endpoint_stream *stream = actor_state(self);
    stream->host.in_batch = true;
    takes[message->kind](stream, message);
}

static uint64_t stream_sweep(struct actor *self, uint64_t now_ns)
{
    struct endpoint_stream *stream = actor_state(self);
    return link_host_flush(&stream->host) ? now_ns : TIME_NEVER;
}

static void stream_on_stop(struct actor *self)
{
    struct endpoint_stream *stream = actor_state(self);
    stream->listener->free(stream);
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
    stream->fd = -1;
    return &stream->common;
}

static void stream_free(struct endpoint *endpoint)
{
    struct endpoint_stream *stream = stream_of(endpoint);
    link_host_fini(&stream->host);
    free(stream);
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
    stream->listener =
        url->nng || url->transport == ENDPOINT_TLS ? &listener_nng : &listener_socket;
    stream->host.endpoint = endpoint;
    stream->host.framing = url->transport == ENDPOINT_IPC ? SP_FRAMING_IPC : SP_FRAMING_TCP;
    stream->host.is_tls = url->transport == ENDPOINT_TLS;
    stream->host.wake = stream_wake;
    stream->host.link_ended = stream_link_ended;
    enum status status = endpoint_socket_clear(url, options, error);
    if (status != STATUS_OK) {
        return status;
    }
    if (!link_host_init(&stream->host, (uint32_t) endpoint->limits.connections)) {
        return endpoint_fail(error, STATUS_NO_MEMORY, "%s: no memory", url->text);
    }
    status = stream->listener->listen(stream, options, url, error);
    if (status == STATUS_OK) {
        status = endpoint_socket_grant(url, options, error);
    }
    if (status == STATUS_OK) {
        status = stream_spawn(stream);
        if (status == STATUS_OK) {
            return STATUS_OK;
        }
        (void) endpoint_fail(error, status, "%s: too many actors", url->text);
    }
    stream->listener->free(stream);
    return status;
}

static void stream_stop_accepting(struct endpoint *endpoint)
{
    struct endpoint_stream *stream = stream_of(endpoint);
    stream->stopped = true;
    actor_timer_clear(endpoint->actor, &stream->accept_timer);
    stream->listener->close(stream);
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
