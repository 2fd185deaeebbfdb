/* SPDX-License-Identifier: MIT */
/* A hostile crowd: hostile_crowd URL SECONDS UNREAD DRIBBLE HALF FLOOD
 *
 *   unread   ask without a pause, and never read an answer
 *   dribble  send a frame a byte a second
 *   half     connect, and stop: half of them without a word, a quarter in the middle of the handshake,
 *            a quarter in the middle of a frame
 *   flood    ask without a pause, and read: rude, but within the rules, so they are not cut
 *
 * All of one process, together, until each bad one is cut and the seconds are over. It says "here" on
 * stdout when all have come. At its end there is a line for each kind, with how many were cut, and how
 * long the daemon bore with one at the most: since it stopped in the middle, since the first byte of
 * what it dribbles, since something that it says was taken. */
#include "e2e/sp_peer.h"
#include "testing.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_MAX 256
#define DRIBBLE_MS 1000
#define OVERTIME_MS 60000 /* then whoever is left is not cut at all */
#define REQUEST_BYTES_MAX 64
#define REQUESTS_AT_ONCE 64
#define LENGTH_CLAIMED 200 /* what a frame says that it has */

enum kind {
    KIND_UNREAD,
    KIND_DRIBBLE,
    KIND_SILENT,
    KIND_GREETING,
    KIND_FRAME,
    KIND_FLOOD,
    KIND_END
};

static const char *const kind_names[KIND_END] = {
    [KIND_UNREAD] = "unread",           [KIND_DRIBBLE] = "dribble",  [KIND_SILENT] = "silent",
    [KIND_GREETING] = "half-handshake", [KIND_FRAME] = "half-frame", [KIND_FLOOD] = "flood",
};

struct peer {
    int descriptor;
    enum kind kind;
    uint64_t bad_ms; /* since when; 0: not yet */
    size_t sent;     /* of the frame that is dribbled, or of a run of requests */
};

struct tally {
    uint32_t count;
    uint32_t cut_count;
    uint64_t longest_ms;
};

/* Requests of one kind, one behind the other. */
struct requests {
    uint8_t bytes[REQUESTS_AT_ONCE * REQUEST_BYTES_MAX];
    size_t size;
};

struct crowd {
    const char *url;
    bool is_ipc;
    struct peer *peers;
    size_t count;
    int epoll;
    struct requests pings; /* small answers, to flood with */
    struct requests stats; /* big ones, not to be read */
    struct tally tallies[KIND_END];
    uint64_t flood_bytes; /* of answers */
};

__attribute__((noreturn)) static void fail(const char *what)
{
    (void) fprintf(stderr, "hostile_crowd: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

/* ---- what they say ---- */

/* The length of a message, and for ipc its type before it; gives how many bytes these are. */
static size_t put_length(const struct crowd *crowd, uint8_t *out, uint8_t length)
{
    const size_t size = crowd->is_ipc ? 9 : 8;
    (void) memset(out, 0, size);
    out[0] = crowd->is_ipc ? 1 : 0;
    out[size - 1] = length;
    return size;
}

static void requests_fill(const struct crowd *crowd, struct requests *requests, Canceld__V1__Op *op)
{
    static const uint8_t request_id[4] = {0x80, 0, 0, 1};
    Canceld__V1__Frame frame = CANCELD__V1__FRAME__INIT;
    frame.version = 1;
    frame.n_ops = 1;
    frame.ops = &op;
    const size_t body_size = canceld__v1__frame__get_packed_size(&frame);
    requests->size = 0;
    for (size_t i = 0; i < REQUESTS_AT_ONCE; i++) {
        uint8_t *at = requests->bytes + requests->size;
        at += put_length(crowd, at, (uint8_t) (sizeof request_id + body_size));
        (void) memcpy(at, request_id, sizeof request_id);
        at += sizeof request_id;
        at += canceld__v1__frame__pack(&frame, at);
        requests->size = (size_t) (at - requests->bytes);
    }
}

static void crowd_prepare(struct crowd *crowd)
{
    Canceld__V1__Ping ping = CANCELD__V1__PING__INIT;
    Canceld__V1__Stats stats = CANCELD__V1__STATS__INIT;
    Canceld__V1__Op op = CANCELD__V1__OP__INIT;
    op.op_case = CANCELD__V1__OP__OP_PING;
    op.ping = &ping;
    requests_fill(crowd, &crowd->pings, &op);
    op.op_case = CANCELD__V1__OP__OP_STATS;
    op.stats = &stats;
    requests_fill(crowd, &crowd->stats, &op);
}

/* ---- how they come ---- */

static void say(const struct peer *peer, const uint8_t *bytes, size_t size)
{
    if (send(peer->descriptor, bytes, size, MSG_NOSIGNAL) != (ssize_t) size) {
        fail("cannot say the first words");
    }
}

static void peer_connect(const struct crowd *crowd, struct peer *peer)
{
    struct sp_peer sp;
    if (peer->kind == KIND_SILENT || peer->kind == KIND_GREETING) {
        sp_peer_connect(&sp, crowd->url);
    } else {
        sp_peer_open(&sp, crowd->url);
    }
    peer->descriptor = sp.descriptor;
}

/* Begins to be bad, as far as that is done at once. */
static void peer_begin(struct crowd *crowd, struct peer *peer)
{
    uint8_t length[9];
    peer_connect(crowd, peer);
    if (peer->kind == KIND_GREETING) {
        say(peer, (const uint8_t *) "\0SP", 3);
    }
    if (peer->kind == KIND_FRAME) {
        say(peer, length, put_length(crowd, length, LENGTH_CLAIMED));
    }
    if (peer->kind != KIND_UNREAD && peer->kind != KIND_DRIBBLE) {
        peer->bad_ms = test_now_ms();
    }
    if (fcntl(peer->descriptor, F_SETFL, O_NONBLOCK) != 0) {
        fail("no way not to block");
    }
    struct epoll_event event = {.events = EPOLLRDHUP, .data = {.ptr = peer}};
    event.events |= peer->kind == KIND_UNREAD || peer->kind == KIND_FLOOD ? EPOLLOUT : 0;
    event.events |= peer->kind == KIND_FLOOD ? EPOLLIN : 0;
    if (epoll_ctl(crowd->epoll, EPOLL_CTL_ADD, peer->descriptor, &event) != 0) {
        fail("epoll");
    }
    crowd->tallies[peer->kind].count++;
}

/* ---- what they do ---- */

static void peer_gone(struct crowd *crowd, struct peer *peer)
{
    struct tally *tally = &crowd->tallies[peer->kind];
    const uint64_t now_ms = test_now_ms();
    const uint64_t took_ms = peer->bad_ms == 0 ? 0 : now_ms - peer->bad_ms;
    tally->cut_count++;
    tally->longest_ms = took_ms > tally->longest_ms ? took_ms : tally->longest_ms;
    (void) close(peer->descriptor); /* and out of the epoll */
    peer->descriptor = -1;
}

/* Says as much as is taken, but not so much that others do not get their turn. */
static void peer_ask(struct peer *peer, const struct requests *requests)
{
    for (int i = 0; i < 4; i++) {
        const ssize_t count = send(peer->descriptor, requests->bytes + peer->sent,
                                   requests->size - peer->sent, MSG_NOSIGNAL);
        if (count <= 0) {
            return;
        }
        peer->bad_ms = test_now_ms(); /* it is served still */
        peer->sent = (peer->sent + (size_t) count) % requests->size;
    }
}

static void peer_read(struct crowd *crowd, const struct peer *peer)
{
    static uint8_t thrown_away[1 << 16];
    const ssize_t count = recv(peer->descriptor, thrown_away, sizeof thrown_away, 0);
    crowd->flood_bytes += count > 0 ? (uint64_t) count : 0;
}

static void on_event(struct crowd *crowd, const struct epoll_event *event)
{
    struct peer *peer = event->data.ptr;
    if ((event->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
        peer_gone(crowd, peer);
        return;
    }
    if ((event->events & EPOLLIN) != 0) {
        peer_read(crowd, peer);
    }
    if ((event->events & EPOLLOUT) != 0) {
        peer_ask(peer, peer->kind == KIND_FLOOD ? &crowd->pings : &crowd->stats);
    }
}

/* The next byte of each frame that is dribbled: its length, and then whatever. */
static void dribble(struct crowd *crowd)
{
    uint8_t length[9];
    const size_t length_bytes = put_length(crowd, length, LENGTH_CLAIMED);
    for (size_t i = 0; i < crowd->count; i++) {
        struct peer *peer = &crowd->peers[i];
        if (peer->kind == KIND_DRIBBLE && peer->descriptor >= 0) {
            peer->bad_ms = peer->sent == 0 ? test_now_ms() : peer->bad_ms;
            const uint8_t byte = peer->sent < length_bytes ? length[peer->sent] : 0x80;
            peer->sent += send(peer->descriptor, &byte, 1, MSG_NOSIGNAL) == 1 ? 1 : 0;
        }
    }
}

/* ---- the crowd ---- */

static bool all_are_cut(const struct crowd *crowd)
{
    for (size_t i = 0; i < KIND_FLOOD; i++) {
        if (crowd->tallies[i].cut_count < crowd->tallies[i].count) {
            return false;
        }
    }
    return true;
}

static void crowd_gather(struct crowd *crowd, char *const counts[4])
{
    size_t wanted[KIND_END] = {0};
    const size_t half = strtoul(counts[2], NULL, 10);
    wanted[KIND_UNREAD] = strtoul(counts[0], NULL, 10);
    wanted[KIND_DRIBBLE] = strtoul(counts[1], NULL, 10);
    wanted[KIND_GREETING] = half / 4;
    wanted[KIND_FRAME] = half / 4;
    wanted[KIND_SILENT] = half - half / 4 * 2;
    wanted[KIND_FLOOD] = strtoul(counts[3], NULL, 10);
    for (size_t kind = 0; kind < KIND_END; kind++) {
        crowd->count += wanted[kind];
    }
    crowd->peers = calloc(crowd->count + 1, sizeof *crowd->peers);
    if (crowd->peers == NULL) {
        fail("no memory");
    }
    struct peer *next = crowd->peers;
    for (size_t kind = 0; kind < KIND_END; kind++) {
        for (size_t i = 0; i < wanted[kind]; i++, next++) {
            next->kind = (enum kind) kind;
            peer_begin(crowd, next);
        }
    }
}

static void crowd_misbehave(struct crowd *crowd, uint64_t span_ms)
{
    struct epoll_event events[EVENTS_MAX];
    const uint64_t begin_ms = test_now_ms();
    uint64_t dribble_ms = begin_ms;
    uint64_t now_ms = begin_ms;
    while (now_ms < begin_ms + span_ms ||
           (!all_are_cut(crowd) && now_ms < begin_ms + span_ms + OVERTIME_MS)) {
        const int count = epoll_wait(crowd->epoll, events, EVENTS_MAX, 50);
        for (int i = 0; i < count; i++) {
            on_event(crowd, &events[i]);
        }
        now_ms = test_now_ms();
        if (now_ms >= dribble_ms) {
            dribble(crowd);
            dribble_ms += DRIBBLE_MS;
        }
    }
}

static void crowd_report(const struct crowd *crowd)
{
    for (size_t kind = 0; kind < KIND_END; kind++) {
        const struct tally *tally = &crowd->tallies[kind];
        (void) printf("%s %" PRIu32 " cut %" PRIu32 " longest %" PRIu64 "\n", kind_names[kind],
                      tally->count, tally->cut_count, tally->longest_ms);
    }
    (void) printf("flood-bytes %" PRIu64 "\n", crowd->flood_bytes);
}

int main(int argc, char **argv)
{
    struct crowd crowd = {.epoll = epoll_create1(EPOLL_CLOEXEC)};
    struct rlimit limit;
    if (argc != 7) {
        (void) fprintf(stderr, "usage: hostile_crowd URL SECONDS UNREAD DRIBBLE HALF FLOOD\n");
        return EXIT_FAILURE;
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void) setrlimit(RLIMIT_NOFILE, &limit);
    }
    crowd.url = argv[1];
    crowd.is_ipc = strncmp(argv[1], "ipc://", 6) == 0;
    crowd_prepare(&crowd);
    crowd_gather(&crowd, argv + 3);
    (void) printf("here\n");
    (void) fflush(stdout);
    crowd_misbehave(&crowd, strtoul(argv[2], NULL, 10) * 1000);
    crowd_report(&crowd);
    free(crowd.peers);
    (void) close(crowd.epoll);
    return EXIT_SUCCESS;
}
