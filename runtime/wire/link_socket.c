/* SPDX-License-Identifier: MIT */
/* A link on a socket that the owner's loop watches itself: one thread takes a request off the wire and
 * puts its reply there, and nobody has to be woken in between.
 *
 * A big buffer is lent for each read and given back at once, unless a part of a frame stays in it: so
 * an idle link has none, and whatever the socket holds, up to 68 KiB, comes in one read. */
#include "wire/link_state.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void watch(struct link *link)
{
    if (!link->cut) {
        source_set(&link->source,
                   (link->receiving ? SOURCE_READ : 0) | (link->sending ? SOURCE_WRITE : 0));
    }
}

static bool is_temporary(int failure)
{
    return failure == EAGAIN || failure == EWOULDBLOCK || failure == EINTR;
}

static void read_now(struct link *link)
{
    if (!link_take_buffer(link)) {
        link_cut(link, ENDPOINT_CUT_MEMORY);
        return;
    }
    ssize_t size = recv(link->connection.fd, link->input + link->input_bytes,
                        LINK_BUFFER_BYTES - link->input_bytes, MSG_DONTWAIT);
    if (size > 0) {
        link->receiving = false;
        link_received(link, (size_t) size);
    } else if (size == 0 || !is_temporary(errno)) {
        link_cut(link, ENDPOINT_CUT_PEER);
    }
}

/* A paused link watches for nothing and so hears only that the peer is gone for good. What such a peer had
 * said before is heard first, as long as it has turns. */
static void ready_to_read(struct link *link)
{
    if (link->receiving && link_must_wait(link)) {
        link->receiving = false; /* else each batch would hear of it */
        link->unread = true;
        link_wait(link);
    } else if (link->receiving) {
        read_now(link);
    } else if (!link_waits(link)) {
        link_cut(link, ENDPOINT_CUT_PEER);
    }
}

/* Returns the bytes that are gone; a link whose peer is gone is doomed. */
static size_t send_now(struct link *link, struct bytes next)
{
    ssize_t size = send(link->connection.fd, next.data, next.size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (size >= 0) {
        return (size_t) size;
    }
    if (!is_temporary(errno)) {
        link->doomed = ENDPOINT_CUT_PEER;
    }
    return 0;
}

static void ready_to_write(struct link *link)
{
    struct bytes next = link_output_next(&link->output);
    size_t size = send_now(link, next);
    if (link->doomed != LINK_NOT_DOOMED) {
        link_cut(link, link->doomed);
    } else if (size > 0) {
        link->sending = false;
        link_sent(link, size);
    }
}

static void on_ready(struct actor *self, struct source *source, uint32_t events)
{
    (void) source;
    struct link *link = actor_state(self);
    link->host->in_batch = true;
    if ((events & SOURCE_WRITE) != 0 && link->sending) {
        ready_to_write(link);
    }
    if ((events & SOURCE_READ) != 0 && !link->cut) {
        ready_to_read(link);
    }
    watch(link);
}

/* ---- the carrier ---- */

static bool socket_open(struct link *link)
{
    link->source.on_ready = on_ready;
    return source_add(link->actor, &link->source, link->connection.fd, 0) == STATUS_OK;
}

static void socket_receive(struct link *link)
{
    link->receiving = true;
    link->cool_by_ns = TIME_NEVER;
    watch(link);
}

static void socket_read(struct link *link)
{
    link->receiving = true;
    read_now(link);
    watch(link);
}

static size_t socket_send(struct link *link, struct bytes next)
{
    size_t size = send_now(link, next);
    link->sending = size == 0 && link->doomed == LINK_NOT_DOOMED;
    watch(link);
    return size;
}

static void socket_end(struct link *link)
{
    source_remove(&link->source);
    link->receiving = false;
    link->sending = false;
    if (link->connection.fd >= 0) {
        (void) close(link->connection.fd);
        link->connection.fd = -1;
    }
}

static void socket_take(struct link *link, struct message *message)
{
    (void) link; /* Nobody tells it anything. */
    message_release(message);
}

const struct link_carrier link_by_socket = {.open = socket_open,
                                            .receive = socket_receive,
                                            .read = socket_read,
                                            .send = socket_send,
                                            .close = socket_end,
                                            .free = socket_end,
                                            .take = socket_take};
