/* SPDX-License-Identifier: MIT */
/* The client as a state machine without I/O, threads and clock. Its shell gives it bytes, time, and word of the
 * link; it gives back bytes to send, calls that are done, operations that were told something, and events.
 *
 *              link up           handshake            opened
 *   AWAY ------------> GREETING ----------> OPENING ----------> READY
 *    ^                                                            | the daemon says SESSION_LOST
 *    +------------ link down, from any                            v
 *                                          OPENING <--------- LOSING: until all frames on the way are
 *                                                             answered, so that no answer is thrown away
 *
 * Sessionless, READY follows on the handshake. A request waits in `queue` until it is packed into a frame with
 * others; the frame keeps its request id until it is answered, over any number of links of one session, and is
 * sent again under it on the next link: the daemon tells repeats by the id. When the session is lost there is
 * no such memory, and only what is harmless to do twice is sent again.
 *
 * answered_below tells the daemon which answers it may forget. It is the lowest id without an answer, except
 * that frames which park are passed over once a later frame's answer shows that they arrived; their own
 * answers, and those of polls, are named singly.
 *
 * In a session of a restarted daemon, the operations of the session before are adopted first (engine_adopt.c): no
 * request leaves the queue until then. What the daemon puts off waits in `later`, and frames that its journal does
 * not have yet in `unjournaled` (engine_retry.c).
 *
 * Everything here belongs to the client's mutex. Times are nanoseconds of a monotonic clock. */
#ifndef CANCELD_CLIENT_ENGINE_H
#define CANCELD_CLIENT_ENGINE_H

#include "buffer.h"
#include "deadlines.h"
#include "gen_map.h"
#include "operation.h"
#include "request.h"

#include <canceld.pb-c.h>
#include <wire/sp.h>

#define NS_PER_MS UINT64_C(1000000)
#define NEVER UINT64_MAX

/* A fuzzer has an engine with less room, for it to run out. */
#ifndef ENGINE_FRAMES_MAX
#define ENGINE_FRAMES_MAX 1024 /* what the daemon takes from a connection before it stops reading */
#define ENGINE_FRAMES_CALLS                                                                        \
    1000                      /* of them for requests; the rest for pings, polls, open and close */
#define ENGINE_PARKED_MAX 960 /* of them parked, so that others still find a frame */
#define ENGINE_OPS_MAX                                                                             \
    1024 /* on their way and not parked, so that their answers fit what the daemon
                                  * remembers of a session */
#define ENGINE_PARKED_ANSWERS_MAX 2048
#define ENGINE_ASKS_MAX 64    /* operations asked for at a time, after a loss */
#define ENGINE_ADOPTS_MAX 512 /* operations adopted at a time, after a restart */
#define ENGINE_SKIPPED_MAX 64
#define ENGINE_ACKS_MAX 1024
#endif
#define ENGINE_FRAME_OPS 64 /* ops that are sent together: few enough for one reply */
#define ENGINE_FRAME_BYTES 16384
#define ENGINE_OUTPUT_BYTES 65536 /* packed ahead of the link */
#define ENGINE_EVENTS_MAX 32
#define ENGINE_ANSWERED_MAX 64 /* single ids a frame names */
#define ENGINE_POLL_MS 25000
#define ENGINE_POLLS_MAX 2 /* a parked one, and a newer one that brings acks */
#define ENGINE_REPLY_BYTES_MAX 65536
/* Before a frame goes again that was refused for want of room, or what had no memory. */
#define ENGINE_RETRY_NS (5 * NS_PER_MS)
#define ENGINE_RECOVER_NS (1000 * NS_PER_MS)     /* at most, whatever the daemon says */
#define ENGINE_JOURNAL_FIRST_NS (50 * NS_PER_MS) /* before a frame is asked for again, doubled */
#define ENGINE_JOURNAL_LAST_NS (1000 * NS_PER_MS)
/* The pause before the second attempt, and its growth: see dial_plan(). */
#define ENGINE_DIAL_FIRST_NS (5 * NS_PER_MS)
#define ENGINE_DIAL_SHARE 4 /* while nobody answers, longer by a quarter each time, else doubled */
#define ENGINE_DIAL_LAST_NS (1000 * NS_PER_MS)
#define ENGINE_DIAL_GRACES 8 /* while the session may be saved, at most such a part of its grace */
/* What one attempt may take, a dial or the silence of a handshake: see attempt_ns() in engine.c. */
#define ENGINE_ATTEMPT_GRACES 4 /* such a part of the grace, doubled each time */
#define ENGINE_ATTEMPT_MIN_NS (250 * NS_PER_MS)
#define ENGINE_ATTEMPT_LAST_NS (5000 * NS_PER_MS)
#define ENGINE_DRIBBLE_GRACES 4 /* a link without a whole reply may cost such a part of the grace */
#define ENGINE_SILENCE_MIN_NS (1000 * NS_PER_MS) /* no daemon is given up for less */

enum engine_phase {
    ENGINE_AWAY,
    ENGINE_GREETING,
    ENGINE_OPENING,
    ENGINE_READY,
    ENGINE_LOSING,
    ENGINE_CLOSED
};

enum frame_kind { FRAME_CALLS, FRAME_OPEN, FRAME_PING, FRAME_POLL, FRAME_CLOSE };

struct frame {
    struct link link;        /* in engine.open or engine.parked, by id; alone unless FRAME_CALLS */
    struct link resend_link; /* in engine.resend, or engine.unjournaled */
    struct link requests;
    enum frame_kind kind;
    bool busy; /* the slot is taken */
    bool sent; /* on this link */
    bool parks;
    uint32_t sends_count;
    uint32_t word; /* of SP: the slot, below a number that is new each time it is sent */
    uint32_t ops_count;
    uint64_t id;         /* 0 without a session */
    uint64_t send_order; /* on this link */
    uint64_t journal_ns; /* in engine.unjournaled: when to send it again */
    uint64_t journal_pause_ns;
};

/* An answer of a parked frame, to be named to the daemon. */
struct parked_answer {
    uint64_t id;
    uint64_t carrier_id; /* the frame that named it last; 0: none on this link */
};

struct engine_config {
    struct canceld_bytes name_space;
    struct canceld_bytes client_name;
    struct canceld_bytes token;
    uint32_t heartbeat_ms; /* as on the wire */
    bool sessionless;
    bool stop_on_lost;
    enum sp_framing framing;
    uint64_t seed; /* for the pauses between attempts */
};

struct engine {
    struct engine_config config; /* its bytes outlive the engine */
    enum engine_phase phase;
    /* the link */
    struct sp_reader reader;
    struct buffer input;
    bool broken; /* the link has to be cut */
    bool greeted;
    uint64_t dial_ns;       /* when to try next */
    uint64_t dialled_ns;    /* when the dial under way began; NEVER: there is none */
    uint32_t attempts_hung; /* in a row: nothing came of them in the time they had */
    bool misunderstood;     /* a reply ended the link; until the next one is ready */
    uint64_t dial_pause_ns;
    uint64_t attempts_failed;
    uint64_t connections_count;
    uint64_t received_ns; /* any byte */
    uint64_t replied_ns;  /* a whole reply */
    uint64_t sent_ns;
    uint64_t pinged_ns; /* the oldest ping without an answer; NEVER: none */
    uint64_t send_order;
    /* the session */
    uint64_t session;
    uint8_t secret[16];
    uint64_t epoch;
    bool had_session; /* at any time before this one */
    uint32_t grace_ms;
    uint32_t finished_ms;
    uint32_t parked_max;
    uint64_t id_next;
    uint64_t degraded_ns; /* since when; NEVER: it is not */
    bool lost_possible;
    bool closing;
    bool closed_asked;             /* the close op is on its way */
    bool open_asked;               /* the open op is */
    struct canceld_result refusal; /* why open was refused last; answer UNSET: it was not */
    bool refused;
    /* requests */
    struct link queue;
    struct link parked_queue; /* held back: too many are parked */
    struct link again;        /* LOSING: those that go first in the next session */
    struct link later;        /* RECOVERING: to be asked again */
    uint64_t later_ns;        /* not before */
    struct deadlines deadlines;
    uint32_t requests_count; /* that somebody waits for */
    /* frames */
    struct frame frames[ENGINE_FRAMES_MAX];
    uint16_t free_slots[ENGINE_FRAMES_MAX];
    uint32_t free_count;
    uint32_t word_number;
    struct link open;   /* FRAME_CALLS without an answer, by id */
    struct link parked; /* those among them that arrived and park, by id */
    struct link resend;
    struct link unjournaled; /* frames whose answers the daemon's journal could not keep */
    uint64_t resend_ns;      /* not before */
    bool starved;            /* something could not be sent for want of memory */
    uint64_t starved_ns;     /* when it is tried again; NEVER: nothing is */
    uint32_t frames_count;   /* FRAME_CALLS */
    uint32_t parked_count;
    uint32_t ops_count;    /* on their way and not parked */
    uint32_t births_count; /* without an answer: a notice of an unknown gen may be of one */
    struct parked_answer answers[ENGINE_PARKED_ANSWERS_MAX];
    size_t answers_count;
    /* operations and notices */
    struct gen_map gens;
    struct gen_map claims; /* of the application's adopts that have no answer */
    struct link operations;
    struct link to_ask;
    uint32_t asks_count;
    struct link to_adopt;
    struct link adopts;    /* requests that are to go before the queue */
    uint32_t adopts_count; /* without an answer */
    uint32_t
        adopts_unjournaled; /* of them: the daemon has adopted, but its journal does not know */
    bool adopting;          /* and EVENT_ADOPTED is yet to be told */
    struct buffer acks;     /* of struct notice_ack */
    uint64_t poll_after;
    uint32_t polls_count;
    bool poll_again;
    uint64_t poll_ns;                     /* not before */
    uint64_t skipped[ENGINE_SKIPPED_MAX]; /* gens of notices that nobody was there for yet */
    size_t skipped_count;                 /* beyond the array: any gen may be */
    /* what the shell takes */
    struct link done; /* struct call */
    struct link told; /* struct canceld_operation */
    enum canceld_event events[ENGINE_EVENTS_MAX];
    size_t events_count;
};

struct notice_ack {
    uint64_t gen;
    uint32_t kind;
};

/* A request, and what is to become of it. */
struct submission {
    const struct canceld_request *request;
    uint32_t deadline_ms;                /* 0: the default */
    struct call *call;                   /* NULL: nobody waits, there is no deadline */
    struct canceld_operation *operation; /* birth: taken over, also on failure */
    struct canceld_operation *ends;      /* delete: by its owner, who will let go of it */
    bool persists;                       /* is not given up with its call */
};

void engine_init(struct engine *engine, const struct engine_config *config, uint64_t now_ns);

/* After engine_close_all(). Operations that were handed out are left alone, marked closed. */
void engine_fini(struct engine *engine);

/* ---- the link ---- */

/* When to dial: NEVER while there is a link. */
uint64_t engine_dial_ns(const struct engine *engine);

/* A dial begins; engine_link_up() or engine_link_down() ends it. Until then: when it is to be given up. */
void engine_dial_begin(struct engine *engine, uint64_t now_ns);
uint64_t engine_dial_end_ns(const struct engine *engine);

void engine_link_up(struct engine *engine, uint64_t now_ns);

/* The link is gone, or could not be had. */
void engine_link_down(struct engine *engine, uint64_t now_ns);

/* Bytes came. False: the peer broke the rules, cut the link. */
MUST_CHECK bool engine_receive(struct engine *engine, const uint8_t *data, size_t size,
                               uint64_t now_ns);

/* Appends what is to be sent, up to about ENGINE_OUTPUT_BYTES. */
void engine_send(struct engine *engine, struct buffer *output, uint64_t now_ns);

/* Whether the link has to be cut: the daemon is silent, or a reply was not to be understood. */
bool engine_wants_cut(const struct engine *engine);

/* ---- time ---- */

/* When to come again if nothing happens before; with a link that takes no bytes now, not for sending. */
uint64_t engine_wake_ns(const struct engine *engine, bool can_send);
void engine_tick(struct engine *engine, uint64_t now_ns);

/* ---- requests ---- */

/* Takes a request. On failure nothing was taken, but the operation is freed. */
MUST_CHECK enum canceld_status engine_submit(struct engine *engine,
                                             const struct submission *submission, uint64_t now_ns);

/* Sends the queue out, and then the session's close. Done when engine_is_closed() says so. */
void engine_close(struct engine *engine);
bool engine_is_closed(const struct engine *engine);

/* Ends every call with CLOSED and lets go of every operation. */
void engine_close_all(struct engine *engine);

/* ---- operations ---- */

/* What was told so far, `bits`, has reached the application. */
void engine_delivered(struct engine *engine, struct canceld_operation *operation, uint8_t bits);

/* The application lets go of an operation: nothing is told to it any more. True: it is the engine's now, which
 * frees it when its delete is answered; else the caller's. Its descriptor is the caller's in any case. */
MUST_CHECK bool engine_forget(struct engine *engine, struct canceld_operation *operation);

/* ---- what comes out ---- */

struct call *engine_take_done(struct engine *engine);
struct canceld_operation *engine_take_told(struct engine *engine);
bool engine_take_event(struct engine *engine, enum canceld_event *event_out);

static inline bool engine_is_degraded(const struct engine *engine)
{
    return engine->degraded_ns != NEVER;
}

/* Asserts every invariant. For tests. */
void engine_check(const struct engine *engine);

#endif
