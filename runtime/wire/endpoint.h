/* SPDX-License-Identifier: MIT */
/* An endpoint: a place where clients connect, and their connections ("links").
 *
 *   ipc://PATH, tcp://HOST:PORT    SP framing of our own on sockets that the owner's loop watches
 *   tls+tcp://HOST:PORT            the same framing on NNG's streams, which do TLS
 *   nng+ipc://PATH, nng+tcp://...  the same on NNG's streams without need, for comparison
 *   rep+inproc://NAME,             NNG's REP socket with contexts behind the same interface, for
 *   rep+ipc://PATH, rep+tcp://...  comparison; the latter two from NNG 1.9 on
 *
 * An endpoint and its links are actors on one loop, the owner's: the handler is called there, and
 * every function here that does not say otherwise belongs there. A link's number is the address of
 * its actor, so it is never used again and a late reply finds nobody.
 *
 * For each link: frames come in the order of their arrival. A link is cut when its handshake takes
 * longer than handshake_ms; when a frame is not whole stall_ms after its first byte; when in
 * stall_ms neither all output nor 64 KiB of it went out; when it breaks the rules of SP. It is not
 * read while `outstanding` replies or output_bytes bytes wait for it; a parked request never stops
 * the reading. */
#ifndef CANCELD_WIRE_ENDPOINT_H
#define CANCELD_WIRE_ENDPOINT_H

#include "actor/actor.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

#define ENDPOINT_URL_BYTES 160   /* with the terminator */
#define ENDPOINT_ERROR_BYTES 256 /* likewise */
#define ENDPOINT_FLUSH_MS 2000

struct endpoint;
struct reply_to; /* registry/frame.h */

/* Who takes what the links bring. Each is called on the owner's loop, and may call
 * endpoint_reply(). */
struct endpoint_handler {
    void *context;

    /* A connection is there, its handshake is not yet. `peer` is the transport's word for who it
     * is: "uid:1000", "tcp:127.0.0.1", "tls:alice"; at most 64 bytes, may be empty. By TLS that is
     * known, and the connection made known, when TLS's own handshake is done and the first bytes
     * are there. False: it is closed, and nothing else is said of it. */
    bool (*link_up)(void *context, uint64_t link, struct bytes peer);

    /* One request. The body is borrowed for the call, which may wipe it. */
    void (*frame)(void *context, const struct reply_to *from, struct bytes body);

    /* The link is gone: once for each that is up, never within one of the other calls. */
    void (*link_down)(void *context, uint64_t link);

    /* The endpoint stops, or begins again, to read from the link. */
    void (*link_paused)(void *context, uint64_t link, bool paused);

    /* Optional: whether the link has opened a session. Asked after each frame until it has; with it
     * the endpoint closes newcomers while connections_unopened links have not. */
    bool (*link_opened)(void *context, uint64_t link);
};

/* For tls+tcp://, in PEM; borrowed until the endpoint is there. */
struct endpoint_tls {
    const char *cert; /* the certificate, and those that signed it */
    const char *key;
    const char *ca; /* clients may show a certificate that one of these signed; NULL: nobody asks */
    bool require_client_cert;
};

struct endpoint_options {
    const char *url;
    const struct endpoint_tls *tls; /* NULL: none, and no tls+tcp:// */
    const struct limits *limits;    /* copied */
    uint32_t ipc_mode;              /* of the socket file; 0: 0600 */
    int64_t ipc_gid;                /* the group of the socket file; -1: the process's */
    bool unlink_stale; /* the caller holds the lock of the path: whatever socket is there is dead */
};

/* Listens; accepts as soon as the loop runs. Before the loop runs, or on it. On failure `error`
 * holds a sentence for people, and the status is INVALID (the URL, a path over 107 bytes), IN_USE,
 * UNSUPPORTED (this URL with this NNG), NO_MEMORY, or SYSTEM (anything else, permission included).
 */
MUST_CHECK enum status endpoint_open(struct actor_loop *loop,
                                     const struct endpoint_options *options,
                                     const struct endpoint_handler *handler,
                                     struct endpoint **endpoint_out,
                                     char error[ENDPOINT_ERROR_BYTES]);

/* Whether a certificate, its key and a CA are such as tls+tcp:// takes, without listening. That the key
 * fits the certificate shows only when a client comes. */
MUST_CHECK enum status endpoint_tls_check(const struct endpoint_tls *tls,
                                          char error[ENDPOINT_ERROR_BYTES]);

/* After the loop was stopped, or after its actor has ended. Takes NULL. Links that are still up
 * when their loop is stopped are closed without a link_down. */
void endpoint_free(struct endpoint *endpoint);

/* Where it listens, as clients have to write it: with the port that the system gave for tcp port 0.
 * Any thread. */
const char *endpoint_url(const struct endpoint *endpoint);

/* Sends a reply, or drops it where the link is gone. Never blocks; the bytes are copied. `self` is
 * any actor of the loop. A body above FRAME_BYTES_MAX is our own bug. */
void endpoint_reply(struct actor *self, const struct reply_to *to, struct bytes body);

/* Accepts nobody from now on; the links stay as they are. */
void endpoint_stop_accepting(struct endpoint *endpoint);

/* Has *down told to `watcher` when the endpoint has ended: nothing is left of it then but what
 * endpoint_free() takes. On the loop. */
void endpoint_monitor(const struct endpoint *endpoint, struct actor *watcher,
                      struct message_down *down);

/* Stops accepting, closes each link when its output is gone and all of them after `flush_ms`, and
 * ends when nothing is left. Frames that come meanwhile are still handed over, for somebody has to
 * say that the daemon stops. Does not wait. Once. */
void endpoint_close(struct endpoint *endpoint, uint64_t flush_ms);

/* Why links were cut. */
#define ENDPOINT_CUT_TABLE(X)                                                                      \
    X(PEER, "closed by the peer")                                                                  \
    X(RULES, "broke the rules of SP")                                                              \
    X(HANDSHAKE, "no handshake in time")                                                           \
    X(STALLED_INPUT, "a frame was not whole in time")                                              \
    X(STALLED_OUTPUT, "replies were not read in time")                                             \
    X(OVERFLOW, "too many replies waited to be read")                                              \
    X(MEMORY, "no memory for it")                                                                  \
    X(CLOSED, "closed by us at the end")

enum endpoint_cut {

#define ENDPOINT_CUT_ENUM(name, text) ENDPOINT_CUT_##name,
    ENDPOINT_CUT_TABLE(ENDPOINT_CUT_ENUM)
#undef ENDPOINT_CUT_ENUM
        ENDPOINT_CUT_END
};

/* One clause for people: static storage. */
const char *endpoint_cut_text(enum endpoint_cut cut);

struct endpoint_stats {
    uint64_t links;    /* at present */
    uint64_t accepted; /* connections that became links */
    uint64_t refused;  /* connections that did not: a bound, or the handler said no */
    uint64_t accept_errors;
    uint64_t cuts[ENDPOINT_CUT_END];
    uint64_t pauses;
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t frames_in;
    uint64_t frames_ignored; /* routes that are too long */
    uint64_t frames_out;
    uint64_t buffers; /* of 64 KiB, in use at present */
};

const struct endpoint_stats *endpoint_stats(const struct endpoint *endpoint);

#endif
