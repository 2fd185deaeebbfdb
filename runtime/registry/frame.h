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
    OP_END
};

struct notice_ack {
    uint64_t gen;
    uint32_t kind; /* enum notice_kind, unchecked */
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
        } open;

        struct {
            uint32_t policy;
            uint32_t ttl_ms;
            uint32_t on_expiry;
            uint32_t stop_grace_ms;
            uint32_t on_owner_loss;
            struct bytes meta;
        } store;

        struct {
            uint32_t cause_code;
            struct cause cause; /* code unset; peer as it came, which has to be empty */
            uint32_t level;
            uint32_t deadline_ms;
            uint32_t arm_ttl_ms;
            uint64_t after_gen;
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
        } list; /* count and armed too */
    } as;
};

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
};

/* The head of a reply; with an error there are no results. */
struct reply_head {
    uint64_t session;
    uint64_t request_id;
    struct error error;
};

#endif
