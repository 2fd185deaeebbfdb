/* SPDX-License-Identifier: MIT */
/* A link: one connection of the stream endpoint, an actor on the owner's loop.
 *
 * A carrier moves its bytes: link_socket.c on the owner's loop, or link_nng.c by NNG's threads. All else
 * happens on the owner's loop in any case: frames are read off the input buffer, replies gather in
 * the output, and one send a link goes out at the end of each batch. */
#ifndef CANCELD_WIRE_LINK_H
#define CANCELD_WIRE_LINK_H

#include "wire/endpoint_kind.h"
#include "wire/endpoint_peer.h"
#include "wire/link_buffers.h"
#include "wire/sp.h"

struct nng_stream;
struct link;
struct link_carrier; /* link_state.h */

/* What a link is made of: one of the two. */
struct link_connection {
    struct nng_stream *stream; /* NULL: fd */
    int fd;
};

/* Whether NNG's streams carry the link's bytes, or the owner's loop itself does, on a socket. */
extern const struct link_carrier link_by_nng;
extern const struct link_carrier link_by_socket;

/* Replies to parked requests may come while the reading is stopped already, so output may grow
 * beyond output_bytes; at this many times that the link is cut. */
#define LINK_OUTPUT_OVERFLOW 4

/* What a peer has to move in stall_ms, in either direction: the longest frame, about. */
#define LINK_PROGRESS_BYTES ((size_t) FRAME_BYTES_MAX)

/* What links need of their endpoint: a part of it. */
struct link_host {
    struct endpoint *endpoint;
    const struct link_carrier *carrier;
    enum sp_framing framing;
    struct link_buffers buffers;
    struct list_link links;     /* all that have not ended */
    struct list_link dirty;     /* those with something to flush */
    struct list_link waiting;   /* those that wait for a turn, the next one first */
    struct list_link condemned; /* those that have missed a deadline, and are to be cut */
    size_t turns_cost;       /* what those had that had turns in this batch, but for who is quiet */
    bool in_turns;           /* they have them just now */
    uint32_t alive_count;    /* links that are not cut */
    uint32_t unopened_count; /* of those, links without a session */
    bool in_batch;           /* link_host_flush() will be called before the loop sleeps */
    bool is_tls;             /* with what endpoint_tls.h says of that */
    /* The transport's word for who is at the other end. */
    struct endpoint_peer (*peer)(struct link_host *host, const struct link_connection *connection);
    /* Has link_host_flush() called soon. */
    void (*wake)(struct link_host *host);
    /* A link has ended. */
    void (*link_ended)(struct link_host *host);
};

/* The address space for the links' buffers. */
MUST_CHECK bool link_host_init(struct link_host *host, uint32_t links_max);
void link_host_fini(struct link_host *host);

/* Gives turns to those that wait, about one whole turn together, sends what has gathered, and cuts the links
 * that have to be. At the end of a batch. True: one waits still. */
MUST_CHECK bool link_host_flush(struct link_host *host);

/* Makes a link of a connection, which is the callee's from here on, also where there is no room
 * for it. */
void link_start(struct link_host *host, const struct link_connection *connection);

/* Queues a reply; never calls the handler. False where there is no such link. */
bool link_reply(struct actor *self, const struct reply_to *to, struct bytes body);

/* Closes the link as soon as nothing waits to go out. */
void link_finish(struct link *link);

/* Closes the link now: the handler hears of it at once, the link ends when NNG is done with it. */
void link_cut(struct link *link, enum endpoint_cut why);

/* Of the list `links`. */
struct link *link_of(struct list_link *of_host);

#endif
