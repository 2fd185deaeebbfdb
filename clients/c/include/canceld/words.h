/* SPDX-License-Identifier: MIT */
/* The words that canceld/client.h (the registry in a daemon) and canceld/local.h (the registry in your
 * own process) have in common: statuses, answers, results and requests. Include one of those two. */
#ifndef CANCELD_WORDS_H
#define CANCELD_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CANCELD_API __attribute__((visibility("default")))
#define CANCELD_MUST_CHECK __attribute__((warn_unused_result))

/* ---- Words --------------------------------------------------------------------------------------
 */

/* How a call ended. X(name, text) */
#define CANCELD_STATUS_TABLE(X)                                                                    \
    X(OK, "there is an answer")                                                                    \
    X(TIMED_OUT,                                                                                   \
      "no answer within the deadline; it may or may not have been done, or be done yet")           \
    X(UNAVAILABLE, "the daemon could not be reached; the request was never sent")                  \
    X(UNKNOWN, "the request was sent and its answer is lost for good; it may have been done")      \
    X(FULL, "too many requests are outstanding here; nothing was sent")                            \
    X(INVALID, "an argument is missing or does not fit; nothing was sent")                         \
    X(REFUSED, "the daemon refused the frame or the session; nothing was done")                    \
    X(CLOSED, "the client is closed; the request may or may not have been done")                   \
    X(FORKED, "a client, or the library, was used in a child after fork()")                        \
    X(NO_MEMORY, "memory could not be had")                                                        \
    X(SYSTEM, "a system call failed; see errno")

enum canceld_status {

#define CANCELD_STATUS_ENUM(name, text) CANCELD_##name,
    CANCELD_STATUS_TABLE(CANCELD_STATUS_ENUM)
#undef CANCELD_STATUS_ENUM
};

/* What the daemon answered: the numbers and the meaning are those of canceld.proto. A newer daemon
 * may send others. X(name, number) */
#define CANCELD_ANSWER_TABLE(X)                                                                    \
    X(UNSET, 0)                                                                                    \
    X(ERROR, 1)       /* result.error: nothing was applied */                                      \
    X(NOT_APPLIED, 2) /* never seen here: the library sends again */                               \
    X(FULL, 3)        /* result.limit names the bound */                                           \
    X(STALE_EPOCH, 4) /* the gen is above the newest given out */                                  \
    X(NOT_FOUND, 5)                                                                                \
    X(STALE_GEN, 6)     /* gen: a higher one of the key */                                         \
    X(SHUTTING_DOWN, 7) /* the daemon stopped while the request was parked */                      \
    X(DENIED, 8)        /* who asks has no right to it here, whatever there may be */              \
    X(RECOVERING, 9)    /* nothing was done; the call's deadline came first: see above */          \
    X(OPENED, 10)                                                                                  \
    X(SESSION_LOST, 11)                                                                            \
    X(CLOSED, 12)                                                                                  \
    X(PONG, 13)                                                                                    \
    X(STORED, 20)         /* gen */                                                                \
    X(BORN_CANCELLED, 21) /* gen, cause: it exists, CANCELLING; its owner finishes it */           \
    X(EXISTS, 22)         /* gen, state: of the current one; adopt: of that which another owns */  \
    X(DRAINING, 23)       /* nothing is stored here until undrain */                               \
    X(PARENT_ENDED, 24)   /* outcome: the parent ended, and not by a cancel */                     \
    X(PARENT_NOT_FOUND, 25)                                                                        \
    X(ADOPTED, 26)           /* gen, state; cause, if it is CANCELLING */                          \
    X(REQUESTED, 30)         /* level, gens */                                                     \
    X(ALREADY_REQUESTED, 31) /* level, gens */                                                     \
    X(ARMED, 32)                                                                                   \
    X(FINISHED, 33)   /* gen, outcome; cause, if a cancel was recorded before the end */           \
    X(OWNER_LOST, 34) /* gen; cause, likewise */                                                   \
    X(DELETED, 40)    /* cancelled, cause, by_owner */                                             \
    X(TOUCHED, 41)    /* by_owner */                                                               \
    X(CANCELLING, 42) /* gen, cause */                                                             \
    X(ENDED, 43)      /* gen, outcome; cause, if a cancel was recorded */                          \
    X(TIMED_OUT, 44) /* wait: gen, state, cause if CANCELLING. drain: count, gens: what is left */ \
    X(DETACHED, 45)  /* gen */                                                                     \
    X(DRAINED, 46)   /* requested, already_requested */                                            \
    X(UNDRAINED, 47)                                                                               \
    X(NOTICES, 50)                                                                                 \
    X(FOUND, 51)      /* operations[0] */                                                          \
    X(PAGE, 52)       /* operations, next_cursor */                                                \
    X(COUNTED, 53)    /* count */                                                                  \
    X(ARMED_KEYS, 54) /* armed, next_cursor */                                                     \
    X(DISARMED, 55)                                                                                \
    X(STATS, 56)    /* stats */                                                                    \
    X(EVENTS, 57)   /* events, epoch, revision, more */                                            \
    X(SNAPSHOT, 58) /* operations, next_cursor, epoch, revision */                                 \
    X(HISTORY, 59)  /* history, next_cursor */

enum canceld_answer {

#define CANCELD_ANSWER_ENUM(name, number) CANCELD_ANSWER_##name = number,
    CANCELD_ANSWER_TABLE(CANCELD_ANSWER_ENUM)
#undef CANCELD_ANSWER_ENUM
};

/* What result.error blames: the numbers and the meaning are those of canceld.proto. The library sees
 * to most of those that refuse a frame itself. X(name, number) */
#define CANCELD_ERROR_TABLE(X)                                                                     \
    X(UNSET, 0)                                                                                    \
    X(MALFORMED, 1)                                                                                \
    X(TOO_COMPLEX, 2)                                                                              \
    X(VERSION, 3)                                                                                  \
    X(OP_COUNT, 4)                                                                                 \
    X(NOT_ALONE, 5)                                                                                \
    X(REQUEST_ID, 6)                                                                               \
    X(REQUEST_ID_REUSED, 7)                                                                        \
    X(TOO_OLD, 8)                                                                                  \
    X(SESSION_LOST, 9)                                                                             \
    X(NOT_BOUND, 10)                                                                               \
    X(ANSWERED, 11)                                                                                \
    X(FULL, 12)                                                                                    \
    X(SHUTTING_DOWN, 13)                                                                           \
    X(UNKNOWN_OP, 14)    /* the daemon is older than this library */                               \
    X(NEEDS_SESSION, 15) /* the client is sessionless */                                           \
    X(FIELD, 16)         /* `field` is out of its range; nothing was done */                       \
    X(JOURNAL, 17)       /* with CANCELD_UNKNOWN: done, and owners told, but not journaled */      \
    X(NO_JOURNAL, 18)    /* history: the daemon keeps none */

enum canceld_error_code {

#define CANCELD_ERROR_ENUM(name, number) CANCELD_ERROR_##name = number,
    CANCELD_ERROR_TABLE(CANCELD_ERROR_ENUM)
#undef CANCELD_ERROR_ENUM
};

enum canceld_state {
    CANCELD_STATE_UNSET = 0,
    CANCELD_STATE_LIVE = 1,
    CANCELD_STATE_CANCELLING = 2,
    CANCELD_STATE_ENDED = 3,
};

enum canceld_outcome {
    CANCELD_OUTCOME_UNSET = 0,
    CANCELD_OUTCOME_COMPLETED = 1,
    CANCELD_OUTCOME_FAILED = 2,
    CANCELD_OUTCOME_CANCELLED = 3,
    CANCELD_OUTCOME_EXPIRED = 4,    /* the daemon's */
    CANCELD_OUTCOME_OWNER_LOST = 5, /* the daemon's */
};

enum canceld_level {
    CANCELD_LEVEL_NONE = 0,
    CANCELD_LEVEL_RECORDED = 1,  /* the daemon has the cancel */
    CANCELD_LEVEL_DELIVERED = 2, /* its owner's flag was set, or its owner's callback returned */
    CANCELD_LEVEL_STOPPED = 3,   /* its owner finished it */
};

enum canceld_cause_code {
    CANCELD_CAUSE_UNSET = 0, /* in a request: USER */
    CANCELD_CAUSE_USER = 1,
    CANCELD_CAUSE_POLICY = 2,
    CANCELD_CAUSE_SHUTDOWN = 3,
    CANCELD_CAUSE_DEADLINE = 4,
    CANCELD_CAUSE_SUPERSEDED = 5, /* the daemon's */
    CANCELD_CAUSE_PARENT = 6,     /* the daemon's */
};

enum canceld_policy {
    CANCELD_POLICY_REJECT = 0,    /* a live gen of the key: EXISTS */
    CANCELD_POLICY_SUPERSEDE = 1, /* every LIVE gen of the key is cancelled with SUPERSEDED */
    CANCELD_POLICY_JOIN = 2,      /* several live gens under one key */
};

enum canceld_on_expiry {
    CANCELD_ON_EXPIRY_CANCEL = 0, /* cancelled with DEADLINE; EXPIRED stop_grace_ms later */
    CANCELD_ON_EXPIRY_REAP = 1,   /* EXPIRED at once */
};

enum canceld_on_owner_loss {
    CANCELD_ON_OWNER_LOSS_REAP = 0, /* ends as OWNER_LOST */
    CANCELD_ON_OWNER_LOSS_KEEP = 1, /* stays until its ttl, which must be above 0 */
};

enum canceld_until {
    CANCELD_UNTIL_UNSET = 0,
    CANCELD_UNTIL_CANCELLING = 1, /* CANCELLING or ended */
    CANCELD_UNTIL_ENDED = 2,
};

/* The first page, and no other, of: */
enum canceld_list_order {
    CANCELD_LIST_ORDER_NONE = 0,           /* no such thing: all pages */
    CANCELD_LIST_ORDER_OLDEST = 1,         /* live ones, the oldest first */
    CANCELD_LIST_ORDER_UNACKNOWLEDGED = 2, /* cancels that their owner has not acknowledged, the
                                            * oldest cancel first */
};

enum canceld_history_kind {
    CANCELD_HISTORY_UNSET = 0,
    CANCELD_HISTORY_CANCEL = 1, /* of one gen */
    CANCELD_HISTORY_BULK = 2,   /* one for all gens of it */
    CANCELD_HISTORY_ARM = 3,    /* a cancel that waited, or waits, for a store */
};

/* "OK", "NOT_FOUND", ...; "?" for a number that has no name here. Static storage, any thread. */
CANCELD_API const char *canceld_status_name(enum canceld_status status);
CANCELD_API const char *canceld_answer_name(enum canceld_answer answer);
CANCELD_API const char *canceld_state_name(enum canceld_state state);
CANCELD_API const char *canceld_outcome_name(enum canceld_outcome outcome);
CANCELD_API const char *canceld_level_name(enum canceld_level level);
CANCELD_API const char *canceld_cause_code_name(enum canceld_cause_code code);
CANCELD_API const char *canceld_error_code_name(enum canceld_error_code code);
CANCELD_API const char *canceld_history_kind_name(enum canceld_history_kind kind);
/* One clause for people. Static storage, any thread. */
CANCELD_API const char *canceld_status_text(enum canceld_status status);
/* A run of bytes, not terminated. Keys, meta and every text of the wire are such. data may be NULL
 * when size is 0. In a request the library copies what it needs before the call returns. */
struct canceld_bytes {
    const void *data;
    size_t size;
};

/* The bytes of a C string, without its terminator; NULL is the empty run. */
static inline struct canceld_bytes canceld_string(const char *text)
{
    struct canceld_bytes bytes = {text, text == NULL ? 0 : strlen(text)};
    return bytes;
}

/* Why an operation is cancelled. In a request: text up to 256 bytes and actor up to 64, both UTF-8
 * without control characters; peer must be empty, it is the daemon's word for who called. */
struct canceld_cause {
    enum canceld_cause_code code;
    struct canceld_bytes text;
    struct canceld_bytes actor;
    struct canceld_bytes peer;
};

/* ---- Results ------------------------------------------------------------------------------------
 */

/* One gen that a cancel concerned. */
struct canceld_gen_result {
    uint64_t gen;
    enum canceld_answer answer; /* REQUESTED, ALREADY_REQUESTED, FINISHED or OWNER_LOST */
    enum canceld_level level;
    enum canceld_outcome outcome; /* if it ended */
    struct canceld_bytes key;     /* bulk cancel and drain: of the gen, where it is still known */
    enum canceld_state state;     /* drain: of those that are left */
};

/* What get, list and the snapshot of a watch tell of an operation. */
struct canceld_operation_info {
    struct canceld_bytes name_space; /* `namespace` is a word of C++ */
    struct canceld_bytes key;
    uint64_t gen;
    enum canceld_state state;
    enum canceld_outcome outcome; /* ENDED */
    uint64_t age_ms;
    uint64_t ttl_left_ms; /* 0: no ttl */
    uint64_t owner;       /* a session; 0: none */
    struct canceld_bytes owner_name;
    struct canceld_bytes meta;
    struct canceld_cause cause;
    enum canceld_level level; /* reached by its cancel */
    const struct canceld_bytes *labels;
    size_t labels_count;
    uint64_t parent;        /* a gen; 0: none */
    uint64_t cancelling_ms; /* CANCELLING: since when */
};

/* One change in a namespace. It carries the state that it led to. */
struct canceld_watch_event {
    uint64_t revision;
    struct canceld_bytes key;
    uint64_t gen;
    enum canceld_state state;     /* LIVE: stored or adopted */
    enum canceld_outcome outcome; /* ENDED */
    struct canceld_cause cause;   /* CANCELLING; ENDED, if a cancel was recorded */
};

/* One line of the audit trail. */
struct canceld_history_entry {
    enum canceld_history_kind kind;
    uint64_t at_unix_ms; /* when it was recorded, by the daemon's wall clock */
    struct canceld_bytes name_space;
    struct canceld_bytes key; /* CANCEL, ARM */
    uint64_t gen;             /* CANCEL; ARM: that used it; BULK: the newest gen that it covers */
    struct canceld_cause cause;
    enum canceld_outcome outcome; /* CANCEL: how it ended; UNSET: it has not, as far as is known */
    bool by_owner;                /* its owner said so itself */
    bool delivered;
    uint64_t delivered_after_ms; /* from the cancel to the acknowledgement; with `delivered` */
    uint64_t ended_after_ms;     /* from the cancel to the end; with `outcome` */
    struct canceld_bytes label;  /* BULK: of a label */
    uint64_t owner;              /* BULK: of a session; neither: of the namespace */
    uint64_t requested;          /* BULK: how many were LIVE */
};

struct canceld_armed_key {
    struct canceld_bytes name_space;
    struct canceld_bytes key;
    struct canceld_cause cause;
    uint64_t ttl_left_ms;
};

struct canceld_stat {
    const char *name;
    uint64_t value;
};

/* One answer. Everything a pointer in it leads to belongs to the result and lives until
 * canceld_result_clear() (of canceld/local.h:
 * canceld_local_result_clear()). Fields that the answer does not speak of are 0. */
struct canceld_result {
    enum canceld_answer answer;
    uint64_t gen;
    enum canceld_state state;
    enum canceld_outcome outcome;
    struct canceld_cause cause;
    enum canceld_level level; /* cancel: the highest reached; of several gens, the lowest */
    bool no_owner;            /* cancel: a kept operation without an owner */
    bool cancelled;           /* DELETED: a cancel was recorded first */
    bool by_owner;            /* DELETED, TOUCHED */
    const struct canceld_gen_result *gens;
    size_t gens_count;

    struct {
        uint32_t code;     /* an enum canceld_error_code; 0: no error */
        const char *field; /* the field to blame, or "" */
        const char *text;  /* a sentence for people */
    } error; /* ANSWER_ERROR; with CANCELD_REFUSED; with CANCELD_UNKNOWN by the journal */

    const char *limit; /* FULL: the bound's name; else "" */
    const struct canceld_operation_info *operations;
    size_t operations_count;
    uint64_t next_cursor; /* PAGE, ARMED_KEYS, SNAPSHOT, HISTORY: 0: that was the last page */
    uint64_t count;
    const struct canceld_armed_key *armed;
    size_t armed_count;
    const struct canceld_stat *stats;
    size_t stats_count;
    uint64_t requested;         /* bulk cancel, DRAINED: how many were LIVE */
    uint64_t already_requested; /* and how many were CANCELLING already */
    bool journaled;             /* cancel: it is in the journal too */
    bool memory_incomplete;     /* ARMED: the daemon started less than its memory time ago, and may
                                 * not know of a late end */
    bool more;                  /* EVENTS: there are more now. PAGE in an order: there may be
                                 * others */
    uint64_t epoch;             /* EVENTS, SNAPSHOT: of the revision */
    uint64_t revision;          /* EVENTS, SNAPSHOT: to go on from */
    const struct canceld_watch_event *events;
    size_t events_count;
    const struct canceld_history_entry *history;
    size_t history_count;
    void *memory; /* the library's */
};

/* ---- Requests -----------------------------------------------------------------------------------
 *
 * In each: name_space empty means the client's. key is 1 to 256 bytes of anything. Fields have the
 * names, units and bounds of canceld.proto; the registry checks them, and answers ANSWER_ERROR with
 * the field. */

#define CANCELD_LABELS_MAX 8

/* The target is just one of: key (with or without gen), label, owner, whole_namespace. The last
 * three are bulk: they cover what is live of it in the namespace. Level, wait, arm and after_gen do
 * not go with them. */
struct canceld_cancel_request {
    struct canceld_bytes name_space;
    struct canceld_bytes key;
    uint64_t gen; /* 0: every live gen of the key. A request by gen survives a lost session. */
    struct canceld_cause cause;
    enum canceld_level level;   /* NONE: RECORDED */
    uint32_t wait_ms;           /* how long the daemon waits for the level; 0: it answers at once */
    uint32_t arm_ttl_ms;        /* 0: do not arm. Not with gen. */
    uint64_t after_gen;         /* 0: none; else only gens above this one. Not with gen. */
    struct canceld_bytes label; /* all operations with this label */
    uint64_t owner;             /* all operations of this session */
    bool whole_namespace;       /* all operations */
};

struct canceld_delete_request {
    struct canceld_bytes name_space;
    struct canceld_bytes key;
    uint64_t gen;                 /* required */
    enum canceld_outcome outcome; /* COMPLETED, FAILED or CANCELLED */
};

struct canceld_touch_request {
    struct canceld_bytes name_space;
    struct canceld_bytes key;
    uint64_t gen;    /* required */
    uint32_t ttl_ms; /* from now; 100 to 86400000 */
};

struct canceld_wait_request {
    struct canceld_bytes name_space;
    struct canceld_bytes key;
    uint64_t gen; /* 0: the current one, or with none live the newest remembered */
    enum canceld_until until;
    uint32_t wait_ms; /* how long the daemon waits; 0: it answers at once; at most 86400000 */
};

/* get and disarm (which takes no gen). */
struct canceld_get_request {
    struct canceld_bytes name_space;
    struct canceld_bytes key;
    uint64_t gen; /* 0: the current one, or with none live the newest remembered */
};

/* list, count (which takes no cursor, page_size and order) and armed (namespace and cursor alone). */
struct canceld_list_request {
    struct canceld_bytes name_space;
    enum canceld_state state; /* UNSET: LIVE and CANCELLING */
    uint64_t owner;           /* a session; 0: any */
    uint64_t cursor;          /* 0: from the start; else next_cursor of the page before */
    uint32_t page_size;       /* 0: what fits a reply; at most 1000 */
    struct canceld_bytes labels[CANCELD_LABELS_MAX]; /* those that have all of them */
    size_t labels_count;
    enum canceld_list_order order; /* but for NONE there is no cursor */
};

struct canceld_detach_request {
    struct canceld_bytes name_space;
    struct canceld_bytes key;
    uint64_t gen; /* required */
};

/* drain, and undrain (which takes no wait_ms, text and actor). */
struct canceld_drain_request {
    struct canceld_bytes name_space;
    uint64_t owner;   /* a session of the namespace; 0: the namespace */
    bool daemon;      /* all of it; then name_space (also the client's) and owner do not count */
    uint32_t wait_ms; /* how long the daemon waits for the last one; 0: it answers at once */
    struct canceld_bytes text; /* of the cause, as is actor */
    struct canceld_bytes actor;
};

/* Give back what the answer before said: epoch and revision always, cursor with SNAPSHOT. */
struct canceld_watch_request {
    struct canceld_bytes name_space;
    uint64_t epoch;
    uint64_t revision; /* 0: none seen yet */
    uint64_t cursor;   /* next_cursor of a SNAPSHOT; else 0 */
    uint32_t wait_ms;  /* how long the daemon waits for an event; at most 25000 */
};

enum canceld_op {
    CANCELD_OP_STORE = 1,
    CANCELD_OP_CANCEL,
    CANCELD_OP_DELETE,
    CANCELD_OP_TOUCH,
    CANCELD_OP_WAIT,
    CANCELD_OP_GET,
    CANCELD_OP_LIST,
    CANCELD_OP_COUNT,
    CANCELD_OP_ARMED,
    CANCELD_OP_DISARM,
    CANCELD_OP_PING,
    CANCELD_OP_STATS,
    CANCELD_OP_DETACH,
    CANCELD_OP_DRAIN,
    CANCELD_OP_UNDRAIN,
    CANCELD_OP_WATCH,
    CANCELD_OP_HISTORY,
    CANCELD_OP_ADOPT,
};

#ifdef __cplusplus
}
#endif

#endif
