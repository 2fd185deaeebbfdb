/* SPDX-License-Identifier: MIT */
/* Inside the registry: its records, and what its files do for each other. Not for other layers.
 *
 * Every record lives in a slab and is named by a 32-bit index, 0 for none. The chains:
 *
 *   namespace <- key -> live operations, newest first
 *                    -> ended operations that are remembered, in order of their end
 *   session   -> operations it counts (live, or ended with an unacknowledged notice)
 *             -> notices, in order of their numbers
 *             -> remembered answers, in order of their request ids
 *   operation -> ties -> parked requests that wait for it
 *   link      -> sessions bound to it, requests parked without a session
 *
 * Work that could be long (a dying session, many waiters of one operation) is put on a queue and
 * done by registry_advance() in steps. */
#ifndef CANCELD_REGISTRY_STATE_H
#define CANCELD_REGISTRY_STATE_H

#include "base/byte_heap.h"
#include "base/hash_index.h"
#include "base/slab.h"
#include "base/timer_heap.h"
#include "registry/registry.h"

/* What a timer is embedded in. */
enum timer_kind { TIMER_OPERATION, TIMER_SESSION, TIMER_PARKED, TIMER_ARMED };

/* Charged for a remembered answer on top of its bytes: its record. */
#define REMEMBERED_BYTES_EXTRA 64

/* At most this many waiters are told within the call that decided; the rest by registry_advance().
 */
#define SETTLE_BUDGET 256

/* A page of list or armed looks at so many records at the most. */
#define PAGE_SCAN_MAX 2048
#define PAGE_ITEMS_MAX 1000
#define NOTICES_MAX 1024

/* ---- records ---- */

/* A doubly linked list through records of a slab, by a struct chain at a fixed offset. */
struct chain {
    uint32_t next;
    uint32_t previous;
};

struct chain_ends {
    uint32_t first;
    uint32_t last;
    uint32_t count;
};

struct space {
    struct hash_link by_name;
    uint32_t references; /* keys and sessions */
    uint32_t operations; /* counted against the limit */
    uint32_t states[STATE_END];
    uint32_t name_size;
    uint8_t name[NAMESPACE_BYTES_MAX];
};

struct key {
    struct hash_link by_name;
    uint32_t space;
    uint32_t armed;
    struct kept_bytes name;
    struct chain_ends live;  /* newest gen first */
    struct chain_ends ended; /* first ended first */
    struct chain_ends peaks; /* see key.c: the first is the newest gen remembered */
};

struct kept_cause {
    uint32_t references;
    enum cause_code code;
    struct kept_bytes text;
    struct kept_bytes actor;
    struct kept_bytes peer;
};

struct operation {
    struct hash_link by_gen;
    uint64_t gen;
    uint64_t born_ms;
    uint64_t ended_ms;
    uint64_t stop_grace_ms;
    uint64_t ttl_end_ms; /* of the last ttl; 0: no ttl */
    struct timer timer;  /* the ttl's end, then the stop grace's */
    uint32_t key;
    uint32_t owner; /* a session, 0: none */
    uint32_t cause; /* struct kept_cause; 0: never cancelled */
    struct kept_bytes meta;
    struct chain of_key;    /* in live or ended */
    struct chain of_peaks;  /* while is_peak */
    struct chain of_owner;  /* while owner is not 0 */
    struct chain of_memory; /* while in_memory: the finished memory */
    struct chain of_settle; /* while settling: its ties have to be looked at */
    struct chain_ends ties;
    uint32_t settle_at;           /* while settling: the next tie to look at */
    uint32_t notices[NOTICE_END]; /* by kind: the unacknowledged one */
    uint8_t state;                /* enum state */
    uint8_t outcome;              /* enum outcome */
    uint8_t level;                /* enum level */
    uint8_t on_expiry;
    uint8_t on_owner_loss;
    bool counted; /* against the limits of operations */
    bool is_peak;
    bool in_memory;
    bool settling;
    bool stop_phase; /* the timer is the stop grace's end */
};

struct notice_record {
    struct chain of_session;
    uint64_t number;
    uint32_t operation;
    enum notice_kind kind;
};

struct armed {
    struct timer timer;
    uint32_t key;
    uint32_t cause;
};

struct session {
    struct hash_link by_number;
    uint64_t number;
    uint8_t secret[SECRET_BYTES];
    struct timer timer; /* silence while bound, then the grace's end */
    uint64_t heard_ms;
    uint32_t heartbeat_ms;
    uint32_t space;
    uint32_t link; /* 0: unbound */
    struct chain of_link;
    struct chain of_dying;
    struct chain of_polls; /* while poll_due */
    struct chain_ends operations;
    struct chain_ends notices;
    struct chain_ends parked;
    struct chain_ends remembered; /* by request id */
    struct chain_ends passed; /* those that answered_below passed and that stay: see remembered.c */
    uint64_t notice_number_last;
    uint64_t answered_below;
    uint64_t remembered_bytes;
    uint32_t marks_count;
    uint32_t poll; /* parked, 0: none */
    uint32_t name_size;
    bool in_grace;
    bool dying;
    bool poll_due;
    uint8_t name[CLIENT_NAME_BYTES_MAX];
};

/* What is known of a request id: its answer, that it is parked, or (neither) that it is a read which
 * answered_below had passed before it was decided: it is evaluated again until `answered` names it. */
struct remembered {
    struct hash_link by_id;
    struct chain of_session; /* in remembered or passed */
    uint64_t request_id;
    uint64_t digest;
    uint32_t session;
    uint32_t parked;  /* while undecided */
    uint32_t charged; /* bytes */
    bool parked_once;
    bool marks; /* a read that was passed and decided: nothing but its id is kept */
    bool passed;
    bool gives_way; /* passed after it was decided: kept while there is room */
    bool named;     /* in `answered`: the answer is gone, the id must not be done again */
    struct kept_bytes reply;
};

struct parked {
    struct reply_to to;
    struct timer timer;
    struct chain of_holder; /* the session's, or the link's */
    uint64_t request_id;
    uint64_t session_number; /* echoed; 0 for none */
    uint64_t after;          /* poll */
    uint32_t session;        /* 0: of the link */
    uint32_t link;           /* where session is 0 */
    uint32_t remembered;
    uint32_t ties; /* first, through tie.next_of_parked */
    uint32_t ties_unmet;
    enum op_kind kind;
    uint8_t level;  /* cancel: wanted */
    uint8_t until;  /* wait */
    uint8_t answer; /* cancel: REQUESTED or ALREADY_REQUESTED */
};

/* Between a parked request and one operation it is about, until the request is answered. */
struct tie {
    struct chain of_operation;
    uint64_t gen;
    uint32_t operation;
    uint32_t parked;
    uint32_t next_of_parked;
    uint8_t answer; /* cancel, of this gen */
    bool met;       /* what the request waits for has come for this operation */
};

struct link {
    struct hash_link by_address;
    uint64_t address;
    uint64_t paused_since_ms;
    struct chain_ends sessions;
    struct chain_ends parked;
    uint32_t peer_size;
    bool paused;
    bool opened;
    uint8_t peer[CAUSE_PEER_BYTES_MAX];
};

struct counters {
    uint64_t frames;
    uint64_t frames_refused;
    uint64_t replies_repeated;
    uint64_t ops[OP_END];
    uint64_t answers[ANSWER_END];
    uint64_t outcomes[OUTCOME_END];
    uint64_t cancels_delivered;
    uint64_t cancels_stopped;
    uint64_t armed_used;
    uint64_t armed_lapsed;
    uint64_t sessions_lost;
    uint64_t memory_dropped_early;
};

struct registry {
    struct limits limits;
    struct registry_port port;
    struct siphash_key table_key;
    struct siphash_key secret_key;
    uint64_t secrets_made;
    uint64_t epoch;
    uint64_t counter_next;
    uint64_t gen_newest;
    uint64_t now_ms;
    bool shut_down;

    struct slab spaces, keys, operations, causes, notices, armed, sessions, remembered, parked,
        ties, links;
    struct hash_index spaces_by_name, keys_by_name, operations_by_gen, sessions_by_number,
        remembered_by_id, links_by_address;
    struct byte_heap bytes;       /* keys and meta */
    struct byte_heap cause_bytes; /* sized so that no cancel is refused for its text */
    struct byte_heap reply_bytes;
    struct timer_heap timers;

    struct chain_ends memory; /* ended operations, first ended first */
    struct chain_ends settle; /* operations whose ties have to be looked at */
    struct chain_ends polls;  /* sessions whose poll can be answered */
    struct chain_ends dying;  /* sessions whose operations have to go */

    uint64_t memory_gap_until_ms; /* until then an arm could poison: see cancel.c */
    uint64_t remembered_bytes;
    uint32_t marks_count;
    uint32_t operations_counted;
    uint32_t links_opened;
    uint32_t states[STATE_END];
    struct counters counters;

    uint8_t reply[FRAME_BYTES_MAX];      /* of the frame being applied */
    uint8_t late_reply[FRAME_BYTES_MAX]; /* of a parked request, maybe meanwhile */
    struct gen_result gens[KEY_GENS_MAX];
    struct notice notice_items[NOTICES_MAX];
    struct operation_info info_items[PAGE_ITEMS_MAX];
    struct armed_key armed_items[PAGE_ITEMS_MAX];
    struct stat_row stat_items[STATS_MAX];
};

/* ---- look-ups of records (inline: they are everywhere) ---- */

#define RECORD_AT(type, name, table)                                                               \
    static inline struct type *name(const struct registry *r, uint32_t index)                      \
    {                                                                                              \
        return slab_at(&r->table, index);                                                          \
    }
RECORD_AT(space, space_at, spaces)
RECORD_AT(key, key_at, keys)
RECORD_AT(operation, operation_at, operations)
RECORD_AT(kept_cause, cause_at, causes)
RECORD_AT(notice_record, notice_at, notices)
RECORD_AT(armed, armed_at, armed)
RECORD_AT(session, session_at, sessions)
RECORD_AT(remembered, remembered_at, remembered)
RECORD_AT(parked, parked_at, parked)
RECORD_AT(tie, tie_at, ties)
RECORD_AT(link, link_at, links)
#undef RECORD_AT

/* Time never goes back here, though registry_advance() may be 1 ms behind. */
static inline void note_time(struct registry *r, uint64_t now_ms)
{
    r->now_ms = now_ms > r->now_ms ? now_ms : r->now_ms;
}

/* The chain of the named member, for the chain_* functions of chain.c. */
struct chain_of {
    const struct slab *slab;
    size_t offset;
};

#define CHAIN(r, table, type, member)                                                              \
    ((struct chain_of){&(r)->table, offsetof(struct type, member)})

void chain_append(struct chain_of of, struct chain_ends *ends, uint32_t index);
void chain_prepend(struct chain_of of, struct chain_ends *ends, uint32_t index);
void chain_insert_after(struct chain_of of, struct chain_ends *ends, uint32_t after,
                        uint32_t index); /* after 0: at the front */
void chain_remove(struct chain_of of, struct chain_ends *ends, uint32_t index);
void chain_check(struct chain_of of, const struct chain_ends *ends);

/* ---- the frame being applied ---- */

struct request {
    struct registry *r;
    const struct reply_to *from;
    const struct frame *frame;
    uint32_t link;
    uint32_t session;    /* 0: none */
    uint32_t remembered; /* of this very id: a read that is evaluated again; 0: none */
    uint32_t space;      /* of the op at hand, 0 where it does not exist yet */
    struct bytes space_name;
    size_t used; /* of r->reply */
    size_t room;
    size_t ops_left; /* after the one at hand */
    bool exhausted;  /* no room for a result: this op and all later ones are not applied */
    bool parked;     /* the answer comes later */
    bool closing;    /* a close was among the ops */
};

/* Encodes a result; false where it does not fit: then nothing may be applied. */
MUST_CHECK bool request_put(struct request *q, const struct result *result);

/* The same where nothing is to be applied: reads and refusals. */
void request_tell(struct request *q, const struct result *result);

/* The same for answers that need no more than their name, or a limit's. */
MUST_CHECK bool request_answer(struct request *q, enum answer answer);
void request_full(struct request *q, const char *limit);
void request_field_error(struct request *q, const char *field, const char *text);

/* ---- the files, one block each ---- */

/* space.c */
struct bytes space_name(const struct registry *r, uint32_t space);
uint32_t space_find(const struct registry *r, struct bytes name);
uint32_t space_take(struct registry *r,
                    struct bytes name); /* finds or makes, +1 reference; 0: full */
void space_give(struct registry *r, uint32_t space);

/* key.c */
struct bytes key_name(const struct registry *r, uint32_t key);
uint32_t key_find(const struct registry *r, uint32_t space, struct bytes name);
uint32_t key_make(struct registry *r, struct bytes space, struct bytes name); /* room was checked */
void key_release(struct registry *r, uint32_t key); /* frees it where nothing holds it */
void key_add_ended(struct registry *r, uint32_t key, uint32_t operation);
void key_remove_ended(struct registry *r, uint32_t key, uint32_t operation);
uint32_t key_newest_ended(const struct registry *r, uint32_t key);
uint64_t key_highest_gen(const struct registry *r, uint32_t key);
const char *key_full(const struct registry *r, struct bytes space, struct bytes name,
                     size_t more_bytes); /* the limit that making it would pass; NULL: none */

/* cause.c */
uint32_t cause_keep(struct registry *r, const struct cause *cause); /* one reference */
void cause_give(struct registry *r, uint32_t cause);
struct cause cause_get(const struct registry *r, uint32_t cause); /* 0: an unset one */

/* operation.c */
uint32_t operation_make(struct registry *r, uint32_t key, uint32_t owner);
uint32_t operation_find(const struct registry *r, uint32_t key, uint64_t gen);
void operation_cancel(struct registry *r, uint32_t operation, uint32_t cause);
void operation_end(struct registry *r, uint32_t operation, enum outcome outcome, bool by_owner);
void operation_lose_owner(struct registry *r, uint32_t operation);
void operation_take_turn(struct registry *r, uint32_t operation); /* where its owner is dying */
void operation_delivered(struct registry *r, uint32_t operation);
void operation_release(struct registry *r,
                       uint32_t operation); /* frees it where nothing holds it */
void operation_ttl_set(struct registry *r, uint32_t operation, uint64_t ttl_ms);
void operation_expire(struct registry *r, uint32_t operation);
struct operation_info operation_describe(const struct registry *r, uint32_t operation);
uint64_t gen_next(struct registry *r); /* 0: no epoch to be had */

/* The registry's answer to "by key and gen": see the contract. */
struct found {
    uint32_t key;       /* 0: unknown */
    uint32_t operation; /* live or remembered; 0: see answer */
    enum answer answer; /* STALE_EPOCH, STALE_GEN or NOT_FOUND where operation is 0 */
    uint64_t gen;       /* STALE_GEN */
};
struct found find_by_gen(struct request *q, const struct op *op);
struct found find_newest(struct request *q,
                         const struct op *op); /* current, else newest remembered */
struct found find_key(struct request *q,
                      const struct op *op); /* those whose owner died are ended */

/* notice.c */
void notice_add(struct registry *r, uint32_t operation, enum notice_kind kind);
void notice_drop(struct registry *r, uint32_t operation, enum notice_kind kind);
void serve_poll(struct request *q, const struct op *op);
void polls_answer(struct registry *r, uint32_t *budget);
void poll_answer_empty(struct registry *r, uint32_t parked);

/* memory.c: the finished memory */
void memory_add(struct registry *r, uint32_t operation);
void memory_expire(struct registry *r, uint64_t now_ms, uint32_t *budget);
uint64_t memory_next_ms(const struct registry *r);

/* armed.c */
uint32_t armed_make(struct registry *r, uint32_t key, uint32_t cause, uint64_t ttl_ms);
void armed_free(struct registry *r, uint32_t armed);
void serve_armed(struct request *q, const struct op *op);
void serve_disarm(struct request *q, const struct op *op);

/* parked.c */
/* answer_bytes: what the answer may need that has to be remembered; 0 for a read. */
uint32_t park(struct request *q, enum op_kind kind, uint64_t deadline_ms, size_t answer_bytes);
bool park_has_room(struct request *q, size_t ties_count, size_t answer_bytes); /* else: answered */
void park_tie(struct registry *r, uint32_t parked, uint32_t operation, enum answer answer);
void parked_free(struct registry *r, uint32_t parked);
void parked_refuse(struct registry *r, uint32_t parked, enum error_code code);
void parked_answer(struct registry *r, uint32_t parked, const struct result *result);
void parked_expire(struct registry *r, uint32_t parked);
void parked_settle(struct registry *r, uint32_t *budget);
void operation_settle(struct registry *r, uint32_t operation); /* puts it on the queue */

/* remembered.c: request ids */
uint32_t remembered_find(const struct registry *r, uint32_t session, uint64_t request_id);
uint32_t remembered_make(struct registry *r, uint32_t session, const struct frame *frame,
                         uint32_t charge);
void remembered_set(struct registry *r, uint32_t remembered, struct bytes reply);
void remembered_free(struct registry *r, uint32_t remembered);
void remembered_parked(struct registry *r, uint32_t remembered, uint32_t parked);
void remembered_decided(struct registry *r, uint32_t remembered); /* no longer parked */
void remembered_answered(struct registry *r, uint32_t session, const struct frame *frame);
bool remembered_give_way(struct registry *r, uint32_t session); /* whether there is more room now */
uint64_t remembered_room(const struct registry *r, uint32_t session);
const char *remembered_limit(const struct registry *r, uint32_t session);

/* session.c */
uint32_t session_find(const struct registry *r, uint64_t number);
void session_bind(struct registry *r, uint32_t session, uint32_t link);
bool session_secret_is(const struct session *session, struct bytes secret);
void session_heard(struct registry *r, uint32_t session);
void session_expire(struct registry *r, uint32_t session, uint64_t now_ms);
void session_die(struct registry *r, uint32_t session);
void sessions_bury(struct registry *r, uint32_t *budget);
void serve_open(struct request *q, const struct op *op);
void serve_close(struct request *q, const struct op *op);

/* session.c: links */
uint32_t link_find(const struct registry *r, uint64_t address);
struct bytes link_peer(const struct registry *r, uint32_t link);

/* the other handlers */
void serve_store(struct request *q, const struct op *op);
void serve_cancel(struct request *q, const struct op *op);
void serve_delete(struct request *q, const struct op *op);
void serve_touch(struct request *q, const struct op *op);
void serve_wait(struct request *q, const struct op *op);
void serve_get(struct request *q, const struct op *op);
void serve_list(struct request *q, const struct op *op);
void serve_count(struct request *q, const struct op *op);
void serve_ping(struct request *q, const struct op *op);
void serve_stats(struct request *q, const struct op *op);

/* cancel.c: what a parked cancel answers now */
void cancel_describe(struct registry *r, uint32_t parked, struct result *result);
/* wait.c */
void wait_describe(const struct registry *r, uint32_t operation, enum until until,
                   struct result *result);

/* check_op.c: the fields of an op; an error with its field where one is out of range */
struct error op_check(const struct registry *r, const struct op *op);

#endif
