/* SPDX-License-Identifier: MIT */
/* The inside of a link: for link.c (its life), link_read.c and link_write.c alone. */
#ifndef CANCELD_WIRE_LINK_STATE_H
#define CANCELD_WIRE_LINK_STATE_H

#include "actor/source.h"
#include "wire/link.h"
#include "wire/link_output.h"

#include <nng/nng.h>

/* Enough for most requests, so an idle or a quiet link needs no big buffer. */
#define LINK_SMALL_BYTES ((size_t) 1024)

/* About as many answers as the wake-up of a peer is worth: 16 of single ops. */
#define LINK_EARLY_BYTES ((size_t) 512)

/* What a link gets in a turn, beyond its first frame: then all others have theirs, however much of it has come
 * already, and however fast it reads its answers. */
#define LINK_TURN_FRAMES 64
#define LINK_TURN_INPUT_BYTES ((size_t) 8192)
#define LINK_TURN_OUTPUT_BYTES ((size_t) 4096)

/* The same in one number: a whole turn's frames, bytes in or bytes out, whichever is the most of it. */
#define LINK_TURN_COST ((size_t) 8192)

/* A link that has had half a turn within so long stands behind those that have not. */
#define LINK_SHARE_COST (LINK_TURN_COST / 2)
#define LINK_SHARE_MS 4

/* Of those that have missed a deadline, so many are cut in a batch. */
#define LINK_CUTS_MAX 8

/* A link that fell silent keeps its big buffer for so long: taking it and giving it back with every
 * burst would double the reads. */
#define LINK_COOL_MS 250

/* How often a link over TLS is looked at. */
#define LINK_LOOK_MS 1000

#define LINK_NOT_DOOMED ENDPOINT_CUT_END

/* What a callback tells its link. */
struct link_signal {
    struct message message;
    struct link *link;
    bool told; /* the message is in the mailbox; the callback's while the aio is busy */
};

/* Who moves a link's bytes. All of it on the owner's loop. */
struct link_carrier {
    /* Takes hold of link->connection. False: no room; then free() is what follows. */
    bool (*open)(struct link *link);
    /* Has the buffer filled: sets `receiving`, and link_received() or a cut follows later. */
    void (*receive)(struct link *link);
    /* Now is the turn of a link that is `unread`: reads what is there, with link_received() or a cut. NULL where
     * bytes come by themselves. */
    void (*read)(struct link *link);
    /* Sends; returns how many bytes are gone. 0: `sending` is set, and link_sent() or a cut follows
     * later; or the link is doomed. */
    size_t (*send)(struct link *link, struct bytes next);
    /* The connection's end: clears `receiving` and `sending`, or has link_end_when_idle() called when
     * they are cleared. */
    void (*close)(struct link *link);
    /* Gives back everything, also what was only half opened. */
    void (*free)(struct link *link);
    /* What the actor of the link is told. */
    void (*take)(struct link *link, struct message *message);
};

struct link {
    /* Fixed, and read by callbacks. */
    struct link_host *host;
    struct actor_system *system;
    uint64_t address;

    /* The callbacks', while their aio is busy. */
    struct link_signal received;
    struct link_signal sent;

    /* The owner's alone. */
    struct list_link of_host;
    struct list_link of_dirty;
    struct list_link of_waiting; /* or of the condemned */
    struct actor *actor;
    struct link_connection connection;
    nng_aio *receive_aio;
    nng_aio *send_aio;
    struct source source;     /* link_by_socket */
    struct actor_timer timer; /* for the nearest of the deadlines below; may be early */
    struct sp_reader reader;
    bool receiving; /* started, and its message not taken yet */
    bool sending;   /* likewise */
    bool up;        /* the handler knows of it */
    bool opened;    /* has a session, as far as the handler said */
    bool paused;
    bool unread; /* waits for its turn with the bytes still where they came */
    bool finishing;
    bool cut;
    bool ended;
    bool cooling;             /* its receive was aborted, to take the big buffer away */
    enum endpoint_cut doomed; /* why it has to be cut, or LINK_NOT_DOOMED */
    uint64_t handshake_by_ns;
    uint64_t input_since_ns;  /* when the incomplete frame began; TIME_NEVER: there is none */
    uint64_t output_since_ns; /* when output_due was set; TIME_NEVER: no output */
    uint64_t cool_by_ns;      /* when the big buffer is taken back; TIME_NEVER: not yet */
    uint64_t look_by_ns;      /* TLS: when to see whether it is gone; TIME_NEVER: no need to */
    uint64_t share_since_ns;  /* since when it has had this: */
    size_t share_cost;
    size_t output_due; /* bytes that still have to go out in time */
    uint8_t *input;    /* `small`, or a big buffer */
    size_t input_bytes;
    size_t read_bytes; /* what the last receive brought */
    bool read_full;    /* it filled the whole buffer */
    struct link_output output;
    uint8_t small[LINK_SMALL_BYTES];
};

_Static_assert(sizeof(struct link) < 2048, "an idle link is small");

extern const struct actor_class link_class;

static inline const struct limits *link_limits(const struct link *link)
{
    return &link->host->endpoint->limits;
}

static inline struct endpoint_stats *link_stats(const struct link *link)
{
    return &link->host->endpoint->stats;
}

static inline const struct endpoint_handler *link_handler(const struct link *link)
{
    return &link->host->endpoint->handler;
}

/* ---- link.c ---- */

/* Sets the timer where a deadline comes before it. */
void link_watch(struct link *link);

/* Makes it known to the handler. False where the handler will not have it: then it is on its way out. */
bool link_raise(struct link *link);

/* The last step of a cut link: it goes when nothing is under way. */
void link_end_when_idle(struct link *link);

/* Gives the memory back, unless a message of its own is still on its way. */
void link_free(struct link *link);

/* ---- link_read.c ---- */

/* So many bytes have come behind those that were there. */
void link_received(struct link *link, size_t count);

/* Hands over the frames that are there, then has more received unless the link is paused. */
void link_read(struct link *link);

/* Whether what has come has to wait for its turn: the link has had its share of late, and there are others, or
 * the turns of this batch are over. */
bool link_must_wait(const struct link *link);

/* It has its turn when those have had theirs that wait already: in this batch, or in one of the next, which
 * come at once. */
void link_wait(struct link *link);
static inline bool link_waits(const struct link *link)
{
    return list_is_linked(&link->of_waiting);
}

/* Whether so much waits to go out that the reading has to stop. */
bool link_is_over(const struct link *link);

void link_give_buffer(struct link *link);

/* Where the link has its small buffer still: takes a big one. False where there is none. */
MUST_CHECK bool link_take_buffer(struct link *link);

static inline size_t link_input_room(const struct link *link)
{
    return link->input == link->small ? LINK_SMALL_BYTES : LINK_BUFFER_BYTES;
}

/* Takes the big buffer away from a receive that waits in vain. */
void link_cool(struct link *link);

/* ---- link_write.c ---- */

/* Queues bytes; where that fails the link is doomed. */
void link_append(struct link *link, struct bytes head, struct bytes body);

/* So many bytes have gone out. */
void link_sent(struct link *link, size_t count);

/* Starts a send of what is queued, unless one is under way. */
void link_send(struct link *link);

/* Has link_host_flush() look at it. */
void link_mark_dirty(struct link *link);

#endif
