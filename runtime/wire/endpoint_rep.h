/* SPDX-License-Identifier: MIT */
/* The inside of the endpoint on NNG's REP socket: for endpoint_rep.c (its life), endpoint_rep_link.c
 * (pipes) and endpoint_rep_context.c (requests) alone.
 *
 * Callbacks tell the endpoint's actor what happened and do nothing else: a pipe came or went (a
 * message of its own, allocated there), a context's receive or send is done (a message embedded in the
 * context). A link stands for a pipe, from NNG's "before it is added" to its "after it is removed",
 * the only two events whose order can be trusted.
 *
 * A context serves one request at a time: it receives, is held until the reply, sends. So that parked
 * requests do not stop the others, held contexts are replaced, up to a bound; what was made is
 * kept. REP reads from a pipe only when a context is free, which is its back-pressure. */
#ifndef CANCELD_WIRE_ENDPOINT_REP_H
#define CANCELD_WIRE_ENDPOINT_REP_H

#include "base/region.h"
#include "wire/endpoint_kind.h"
#include "wire/endpoint_peer.h"

/* Contexts that receive: the depth of the pipelining. */
#define REP_RECEIVING_MIN 64
/* Over and above the requests that may be parked. */
#define REP_CONTEXTS_SPARE 1024
#define REP_LINK_BUCKETS 256

enum {
    REP_PIPE_ADDED = MESSAGE_KIND_FIRST,
    REP_PIPE_REMOVED,
    REP_CONTEXT_DONE,
};

struct rep_link {
    struct endpoint_rep *rep;
    struct actor *actor;
    uint64_t address;
    nng_pipe pipe;
    struct list_link of_bucket;
    struct list_link contexts; /* that are held or send for it */
    uint64_t sending_count;
    bool opened;
    bool closing;          /* its pipe was closed by us */
    enum endpoint_cut why; /* PEER, unless closing */
};

enum rep_context_state { REP_RECEIVING, REP_HELD, REP_SENDING, REP_CLOSED };

struct rep_context {
    /* The callback's, while the aio is busy. */
    struct message done;
    struct endpoint_rep *rep;

    /* The owner's. */
    enum rep_context_state state;
    bool busy; /* receiving or sending, and its message not taken yet */
    uint32_t index;
    uint32_t serial; /* one more for each request, so that a late reply is recognised */
    nng_ctx ctx;
    nng_aio *aio;
    struct rep_link *link;
    struct list_link of_link;
    uint64_t since_ns; /* when it began to send */
};

/* NNG says of the last reply on a connection that it is sent once it has taken it. A close gives it this long. */
#define REP_LINGER_MS 20

struct endpoint_rep {
    struct endpoint common; /* first: the two are cast into each other */

    /* Fixed, and read by callbacks. */
    struct actor_system *system;
    uint64_t address;
    enum endpoint_transport transport;

    /* The owner's alone. */
    nng_socket socket;
    bool socket_open;
    bool refusing;
    struct list_link buckets[REP_LINK_BUCKETS]; /* of links, by pipe */
    uint64_t unopened_count;
    struct region contexts; /* of struct rep_context * */
    uint32_t contexts_max;
    uint32_t contexts_count;
    uint32_t receiving_count;
    uint32_t sending_count;
    uint32_t busy_count;
    struct actor_timer stall_timer;
    struct actor_timer flush_timer;
    bool lingering; /* closing, and all is sent, for all that NNG says */
};

/* ---- endpoint_rep.c ---- */

/* Goes on with the end, where the endpoint is being closed. */
void rep_close_when_flushed(struct endpoint_rep *rep);

/* ---- endpoint_rep_link.c ---- */

/* Has pipes announced; before listening. Gives NNG's error. */
MUST_CHECK int rep_watch_pipes(struct endpoint_rep *rep);

void rep_take_added(struct endpoint_rep *rep, struct message *message);
void rep_take_removed(struct endpoint_rep *rep, struct message *message);

/* NULL: the pipe is gone, or was refused. */
struct rep_link *rep_link_of_pipe(struct endpoint_rep *rep, nng_pipe pipe);

/* Closes the pipe; the link goes when NNG says that it is removed. */
void rep_link_close(struct rep_link *link, enum endpoint_cut why);

/* Ends every link, without waiting for NNG. */
void rep_links_end(struct endpoint_rep *rep);

bool rep_reply(struct actor *self, const struct reply_to *to, struct bytes body);

/* ---- endpoint_rep_context.c ---- */

/* Makes contexts until enough of them receive; false where there is none at all. */
bool rep_contexts_refill(struct endpoint_rep *rep);

void rep_take_context(struct endpoint_rep *rep, struct message *message);

/* Sends `body` for a held context. */
void rep_context_reply(struct rep_context *context, struct bytes body);

/* The context that the reply is for, while it is held; NULL otherwise. */
struct rep_context *rep_context_of(struct rep_link *link, const struct reply_to *to);

/* The link is going: what is held for it is given up. */
void rep_contexts_leave(struct rep_link *link);

/* Closes the links whose replies have been on their way for stall_ms. */
void rep_contexts_check_stall(struct endpoint_rep *rep, uint64_t now_ns);

/* After the socket was closed: waits for callbacks, and gives back what NNG holds for them. */
void rep_contexts_stop(struct endpoint_rep *rep);

void rep_contexts_free(struct endpoint_rep *rep);

#endif
