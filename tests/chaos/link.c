/* SPDX-License-Identifier: MIT */
#include "proxy.h"
#include "testing.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HANDSHAKE_BYTES 8
#define IPC_HEAD_BYTES 9
#define TCP_HEAD_BYTES 8
#define DRIBBLE_PAUSE_US 400
#define LATE_MOST_US 300000

/* ---- frames ---- */

static void meter_byte(struct chaos_meter *meter, uint8_t byte)
{
    if (meter->left > 0) {
        meter->frames += --meter->left == 0;
        return;
    }
    meter->length = meter->length << 8 | byte; /* the kind of ipc is shifted out */
    if (++meter->head == meter->head_size) {
        meter->left = meter->length;
        meter->frames += meter->left == 0;
        meter->head = 0;
        meter->length = 0;
    }
}

static void meter_add(struct chaos_meter *meter, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (meter->left > 1) { /* all of a body but its last byte at once */
            const size_t more = size - i < meter->left - 1 ? size - i : (size_t) (meter->left - 1);
            meter->left -= more;
            i += more - 1;
        } else {
            meter_byte(meter, bytes[i]);
        }
    }
}

static bool is_inside(const struct chaos_meter *meter)
{
    return meter->head > 0 || meter->left > 0;
}

/* ---- a link ---- */

struct chaos_link *chaos_link_new(int client, int daemon, bool is_ipc)
{
    struct chaos_link *link = calloc(1, sizeof *link);
    if (link != NULL) {
        link->fds[0] = client;
        link->fds[1] = daemon;
        for (int i = 0; i < 2; i++) {
            link->streams[i].meter.left = HANDSHAKE_BYTES;
            link->streams[i].meter.head_size = is_ipc ? IPC_HEAD_BYTES : TCP_HEAD_BYTES;
        }
    }
    return link;
}

static void close_end(int *fd, bool reset)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    if (*fd >= 0 && reset) {
        (void) setsockopt(*fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
    if (*fd >= 0) {
        (void) close(*fd);
    }
    *fd = -1;
}

void chaos_link_free(struct chaos_link *link, bool reset)
{
    close_end(&link->fds[0], reset);
    close_end(&link->fds[1], reset);
    free(link);
}

/* ---- its bytes ---- */

static void read_more(struct chaos_proxy *proxy, struct chaos_stream *stream, int fd,
                      uint64_t now_us)
{
    const ssize_t got = recv(fd, stream->data, sizeof stream->data, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got <= 0) {
        stream->has_ended = true;
        return;
    }
    stream->size = (size_t) got;
    if (stream->swallow_until_us > 0) {
        proxy->counts.swallowed += stream->size;
        proxy->counts.of[CHAOS_SWALLOW] += stream->has_held ? 0 : 1;
        stream->has_held = true;
        stream->size = 0;
    } else if (now_us < stream->hold_until_us) {
        proxy->counts.delayed += stream->size;
        proxy->counts.of[stream->held_for] += stream->has_held ? 0 : 1;
        stream->has_held = true;
    }
}

/* How many bytes may go now. */
static size_t may_send(struct chaos_proxy *proxy, const struct chaos_stream *stream,
                       uint64_t now_us)
{
    if (now_us < stream->hold_until_us) {
        return 0;
    }
    if (now_us < stream->dribble_until_us && stream->size > 0) {
        return now_us >= stream->next_byte_us ? 1 : 0;
    }
    return stream->is_cutting && stream->size > 0
               ? 1 + (size_t) (test_random(&proxy->random) % stream->size)
               : stream->size;
}

static void send_some(struct chaos_proxy *proxy, struct chaos_stream *stream, int fd,
                      uint64_t now_us)
{
    const size_t wanted = may_send(proxy, stream, now_us);
    if (wanted == 0) {
        return;
    }
    const ssize_t sent = send(fd, stream->data, wanted, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) {
        stream->has_ended = stream->has_ended || (errno != EAGAIN && errno != EINTR);
        stream->size = stream->has_ended ? 0 : stream->size;
        return;
    }
    const uint64_t frames = stream->meter.frames;
    meter_add(&stream->meter, stream->data, (size_t) sent);
    proxy->counts.frames += stream->meter.frames - frames;
    proxy->counts.bytes += (uint64_t) sent;
    stream->size -= (size_t) sent;
    memmove(stream->data, stream->data + sent, stream->size);
    if (now_us < stream->dribble_until_us && stream->size > 0) {
        proxy->counts.of[CHAOS_DRIBBLE] += stream->has_dribbled ? 0 : 1;
        stream->has_dribbled = true;
        stream->next_byte_us = now_us + test_random(&proxy->random) % DRIBBLE_PAUSE_US;
    }
}

/* The client is told that its link is gone, what it has just sent stays on its way. */
static void part_from_client(struct chaos_proxy *proxy, struct chaos_link *link, uint64_t now_us)
{
    if (link->is_late && link->fds[0] >= 0 && link->streams[0].size > 0) {
        close_end(&link->fds[0], true);
        link->streams[0].hold_until_us = now_us + 1 + test_random(&proxy->random) % LATE_MOST_US;
        link->streams[0].has_ended = true;
        proxy->counts.of[CHAOS_LATE]++;
        proxy->counts.cut++;
    }
}

/* Whether a fault or an end of its ends it now. */
static bool is_over(struct chaos_proxy *proxy, const struct chaos_stream *stream, uint64_t now_us,
                    bool *reset_out)
{
    if (stream->is_cutting && is_inside(&stream->meter) && stream->meter.frames > 0) {
        proxy->counts.of[stream->cut]++;
        proxy->counts.cut++;
        *reset_out = stream->cut == CHAOS_RESET;
        return true;
    }
    if (stream->swallow_until_us > 0 && now_us >= stream->swallow_until_us) {
        proxy->counts.cut++;
        *reset_out = true;
        return true;
    }
    *reset_out = false;
    return stream->has_ended && stream->size == 0;
}

bool chaos_link_pump(struct chaos_proxy *proxy, struct chaos_link *link, uint64_t now_us,
                     bool *reset_out)
{
    for (int i = 0; i < 2; i++) {
        struct chaos_stream *stream = &link->streams[i];
        if (stream->size == 0 && !stream->has_ended && link->fds[i] >= 0 && link->fds[1 - i] >= 0) {
            read_more(proxy, stream, link->fds[i], now_us);
        }
        if (i == 0) {
            part_from_client(proxy, link, now_us);
        }
        if (link->fds[1 - i] >= 0) {
            send_some(proxy, stream, link->fds[1 - i], now_us);
        }
        if (is_over(proxy, stream, now_us, reset_out)) {
            return false;
        }
    }
    return true;
}

bool chaos_link_wants(const struct chaos_link *link, uint64_t now_us, short events[2])
{
    bool soon = link->fds[0] < 0;
    events[0] = events[1] = 0;
    for (int i = 0; i < 2; i++) {
        const struct chaos_stream *stream = &link->streams[i];
        const bool waits = now_us < stream->hold_until_us || now_us < stream->dribble_until_us;
        soon = soon || waits || stream->swallow_until_us > 0;
        if (stream->size == 0) {
            events[i] |= stream->has_ended || link->fds[0] < 0 ? 0 : POLLIN;
        } else if (!waits) {
            events[1 - i] |= POLLOUT;
        }
    }
    return soon;
}
