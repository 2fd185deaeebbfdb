/* SPDX-License-Identifier: MIT */
/* A decoded request frame and the results it gets: the registry's side of the wire, without the
 * wire. All bytes are borrowed: a frame's for the call of registry_frame(), a result's for the call
 * of the port that takes it. */
#ifndef CANCELD_REGISTRY_FRAME_H
#define CANCELD_REGISTRY_FRAME_H

#include "base/bytes.h"
#include "base/limits.h"
#include "registry/answer.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Where an answer goes: a link (a connection's address, never reused, never 0) and the route that
 * the transport gave the request, of no meaning here. */
struct reply_to {
    uint64_t link;
    uint32_t route[8];
    uint32_t route_words;
};

struct cause {
    enum cause_code code; /* CAUSE_UNSET: there is none */
    struct bytes text;
    struct bytes actor;
    struct bytes peer;
};

/* ---- requests ---- */

enum op_kind {
    OP_UNKNOWN, /* none that we know */
    OP_OPEN,
    OP_STORE,
    OP_CANCEL,
    OP_DELETE,
    OP_TOUCH,
    OP_POLL,
    OP_WAIT,
    OP_GET,
    OP_LIST,
    OP_COUNT,
    OP_ARMED,
    OP_DISARM,
    OP_PING,
    OP_STATS,
    OP_CLOSE,
    OP_ADOPT,
    OP_DETACH,
    OP_WATCH,
    OP_DRAIN,
    OP_UNDRAIN,
    OP_HISTORY,
    OP_END
};

struct notice_ack {
    uint64_t gen;
    uint32_t kind; /* enum notice_kind, unchecked */
};

/* Labels as they came: unchecked, any number of them. */
struct labels {
    const struct bytes *items;
    size_t count;
};

/* One op as it came. Numbers that stand for an enum are unchecked until the registry has looked at
 * them, so they are uint32_t here. */
struct op {
    enum op_kind kind;
    struct bytes space; /* the namespace; empty: the session's */
    struct bytes key;
    uint64_t gen;

    union {
        struct {
            struct bytes client_name;
            uint32_t heartbeat_ms;
            uint64_t resume_session;
            struct bytes resume_secret;
            struct bytes token;
        } open;

        struct {
            uint32_t policy;
            uint32_t ttl_ms;
            uint32_t on_expiry;
            uint32_t stop_grace_ms;
            uint32_t on_owner_loss;
            struct bytes meta;
            uint64_t parent;
            struct labels labels;
            uint32_t cause_code; /* adopt alone, as are the two below */
            struct cause cause;  /* code unset; its peer may be set */
            uint64_t previous_session;
        } store; /* adopt too: its gen is op.gen */

        struct {
            uint32_t cause_code;
            struct cause cause; /* code unset; peer as it came, which has to be empty */
            uint32_t level;
            uint32_t deadline_ms;
            uint32_t arm_ttl_ms;
            uint64_t after_gen;
            struct bytes label;
            uint64_t owner;
            bool whole_namespace;
        } cancel;

        struct {
            uint32_t outcome;
        } delete;

        struct {
            uint32_t ttl_ms;
        } touch;

        struct {
            const struct notice_ack *acks;
            size_t acks_count;
            uint64_t after;
            uint32_t wait_ms;
        } poll;

        struct {
            uint32_t until;
            uint32_t deadline_ms;
        } wait;

        struct {
            uint32_t state;
            uint64_t owner;
            uint64_t cursor;
            uint32_t page_size;
            struct labels labels;
            uint32_t order;
        } list; /* count, armed and history too */

        struct {
            uint64_t epoch;
            uint64_t revision;
            uint64_t cursor;
            uint32_t wait_ms;
        } watch;

        struct {
            uint64_t owner;
            bool daemon;
            uint32_t deadline_ms;
            struct cause cause; /* its text and actor alone */
        } drain;                /* undrain too */
    } as;
};

/* All zero but for its kind. An initializer is not enough: of the union it need set no more than the first
 * member. */
static inline void op_clear(struct op *op, enum op_kind kind)
{
    memset(op, 0, sizeof *op);
    op->kind = kind;
}

struct frame {
    uint32_t version;
    uint64_t session;
    uint64_t request_id;
    uint64_t answered_below;
    const uint64_t *answered;
    size_t answered_count;
    const struct op *ops;
    size_t ops_count;
    struct bytes secret; /* empty, or the session's: binds it to the link first */
    uint64_t ops_digest; /* of the ops alone, keyed: tells a repeat from a reused id */
    bool holds_secret;   /* what it was read from, and its reply, do not stay in memory */
};

/* ---- results ---- */

struct error {
    enum error_code code; /* ERROR_UNSET: none */
    const char *field;    /* static storage, or NULL */
    const char *text;     /* likewise */
    const char *limit;    /* likewise */
};

struct gen_result {
    uint64_t gen;
    enum answer answer;
    enum level level;
    enum outcome outcome;
    enum state state; /* drain */
    struct bytes key; /* bulk cancel and drain; empty: no longer known */
};

struct opened {
    uint64_t session;
    uint8_t secret[SECRET_BYTES];
    uint64_t epoch;
    uint32_t grace_ms;
    uint32_t finished_ms;
    uint32_t parked_max;
    bool resumed;
    struct bytes space;
};

struct notice {
    uint64_t number;
    struct bytes space;
    struct bytes key;
    uint64_t gen;
    enum notice_kind kind;
    struct cause cause;
    enum outcome outcome;
};

struct operation_info {
    struct bytes space;
    struct bytes key;
    uint64_t gen;
    enum state state;
    enum outcome outcome;
    uint64_t age_ms;
    uint64_t ttl_left_ms;
    uint64_t owner;
    struct bytes owner_name;
    struct bytes meta;
    struct cause cause;
    enum level level;
    uint64_t parent;
    uint64_t cancelling_ms;
    struct bytes labels[LABELS_MAX];
    size_t labels_count;
};

struct event {
    uint64_t revision;
    struct bytes key;
    uint64_t gen;
    enum state state;
    enum outcome outcome;
    struct cause cause;
};

struct history_entry {
    enum history_kind kind;
    uint64_t at_unix_ms;
    struct bytes space;
    struct bytes key;
    uint64_t gen;
    struct cause cause;
    enum outcome outcome;
    bool by_owner;
    bool delivered;
    uint64_t delivered_after_ms;
    uint64_t ended_after_ms;
    struct bytes label;
    uint64_t owner;
    uint64_t requested;
};

struct armed_key {
    struct bytes space;
    struct bytes key;
    struct cause cause;
    uint64_t ttl_left_ms;
};

struct stat_row {
    const char *name; /* static storage */
    uint64_t value;
};

/* What one op gets. Only what its answer calls for is set; the rest is zero. */
struct result {
    enum answer answer;
    uint64_t gen;
    enum state state;
    enum outcome outcome;
    enum level level;
    struct cause cause;
    bool no_owner;
    bool cancelled;
    bool by_owner;
    bool more;
    const char *limit;
    struct error error;
    const struct opened *opened; /* NULL: none; so with each list below */
    const struct gen_result *gens;
    size_t gens_count;
    const struct notice *notices;
    size_t notices_count;
    const struct operation_info *operations;
    size_t operations_count;
    const struct armed_key *armed;
    size_t armed_count;
    const struct stat_row *stats;
    size_t stats_count;
    uint64_t next_cursor;
    uint64_t count;
    uint32_t retry_ms;
    uint64_t requested;
    uint64_t already_requested;
    bool journaled;
    bool memory_incomplete;
    const struct event *events;
    size_t events_count;
    uint64_t revision;
    uint64_t epoch;
    const struct history_entry *history;
    size_t history_count;
};

/* The head of a reply; with an error there are no results. */
struct reply_head {
    uint64_t session;
    uint64_t request_id;
    struct error error;
};

#endif
