/* SPDX-License-Identifier: MIT */
/* A registry in the hand: frames go in as C structs, answers come out as C structs, time is a
 * number. */
#ifndef CANCELD_TESTS_REGISTRY_RIG_H
#define CANCELD_TESTS_REGISTRY_RIG_H

#include "registry/registry.h"

/* The n-th gen of epoch 1, an earlier one than the rig's. */
#define RIG_EARLIER(n) (UINT64_C(1) << GEN_COUNTER_BITS | (n))

#define RIG_NOTICES 4

/* What was seen of one result. */
struct seen {
    enum answer answer;
    uint64_t gen;
    enum state state;
    enum outcome outcome;
    enum level level;
    enum cause_code cause;
    bool no_owner;
    bool cancelled;
    bool by_owner;
    bool resumed;
    bool journaled;
    bool memory_incomplete;
    uint32_t retry_ms;
    uint64_t requested;
    uint64_t already_requested;
    uint64_t count;
    enum error_code error;
    const char *field; /* of the error */
    const char *limit;
    uint64_t session;
    uint8_t secret[SECRET_BYTES];
    size_t gens_count;
    size_t notices_count;
    uint64_t notice_gens[RIG_NOTICES];
    enum notice_kind notice_kinds[RIG_NOTICES];
    uint64_t notice_last;
};

/* The lists and texts of the result that was encoded last. */
#define RIG_ITEMS 1000
struct rig_event {
    uint64_t revision;
    uint64_t gen;
    enum state state;
    enum outcome outcome;
    enum cause_code cause;
    char text[16]; /* the key's and the cause's first bytes, one behind the other */
};
struct rig_lists {
    char cause_text[CAUSE_TEXT_BYTES_MAX + 1];
    char cause_actor[CAUSE_ACTOR_BYTES_MAX + 1];
    char cause_peer[CAUSE_PEER_BYTES_MAX + 1];
    bool more;
    uint64_t revision;
    uint64_t epoch;
    uint64_t next_cursor;
    size_t events_count;
    struct rig_event events[RIG_ITEMS];
    size_t operations_count;
    struct rig_operation {
        uint64_t gen;
        uint64_t parent;
        enum state state;
        size_t labels_count;
        char text[16]; /* of its cause, the first bytes */
    } operations[RIG_ITEMS];
    size_t gens_count;
    struct rig_gen {
        uint64_t gen;
        enum answer answer;
        enum state state;
        char key[16]; /* its first bytes */
    } gens[BULK_RESULTS_MAX];
};

struct rig_options {
    const struct limits *limits; /* NULL: the defaults */
    uint64_t counter_first;
    uint64_t epoch;
    uint64_t recovery_ms;
    bool journal; /* there is one; what it has kept is the test's to say */
    bool rights;  /* see rig.roles */
    bool told;    /* of direct ops: see rig.told */
};

struct rig {
    struct registry *registry;
    size_t records;                      /* given to the journal */
    size_t records_of[JOURNAL_KIND_END]; /* by kind */
    struct journal_record record;        /* the last one; its bytes are gone */
    uint64_t journal_pending;            /* what the journal says */
    bool history_fails;
    uint64_t ticket; /* of the last history asked for */
    size_t told;     /* notices of direct ops */
    unsigned roles;  /* of everybody in the namespace "mine"; none elsewhere */
    uint64_t now_ms;
    bool epochs_end;         /* next_epoch fails from now on */
    size_t replies;          /* since the start */
    size_t results;          /* in the last reply */
    enum error_code refused; /* the last reply's own error */
    const char *refused_limit;
    uint64_t last_request_id;
    struct seen last; /* the last result of the last reply */
    struct seen first;
    size_t answers[ANSWER_END]; /* how often each came */
    struct rig_lists lists;
    uint64_t request_id; /* of rig_do() */
};

/* With one link, number 1. `limits` NULL: the defaults. */
void rig_init(struct rig *rig, const struct limits *limits, uint64_t counter_first);
void rig_begin(struct rig *rig, const struct rig_options *options);
void rig_fini(struct rig *rig);

/* Sends a frame; the reply, if there is one now, is in *rig. Checks every invariant afterwards. */
void rig_send(struct rig *rig, uint64_t link, const struct frame *frame);

/* One op alone; gives what was answered. It has to be answered at once. */
struct seen rig_ask(struct rig *rig, uint64_t link, uint64_t session, uint64_t request_id,
                    struct op op);

/* The same on link 1, the request id counted here, which frees the answers before it. It must not be refused
 * whole. */
struct seen rig_do(struct rig *rig, uint64_t session, struct op op);

/* The same without a look at every invariant: for a great many. */
struct seen rig_do_quickly(struct rig *rig, uint64_t session, struct op op);

/* The same for an op that parks. */
void rig_park(struct rig *rig, uint64_t link, uint64_t session, uint64_t request_id, struct op op);

/* A row of the registry's figures; there has to be such a row. */
uint64_t rig_stat(const struct rig *rig, const char *row);

/* A new session on the link: its number. */
uint64_t rig_open(struct rig *rig, uint64_t link, uint32_t heartbeat_ms);

/* Lets time pass and does what is due, in steps of `budget`. */
void rig_pass(struct rig *rig, uint64_t ms, uint32_t budget);

struct op rig_store(const char *key, enum policy policy);
struct op rig_cancel(const char *key, uint64_t gen);
struct op rig_delete(const char *key, uint64_t gen, enum outcome outcome);
struct op rig_wait(const char *key, enum until until, uint32_t deadline_ms);
struct op rig_poll(const struct notice_ack *acks, size_t acks_count, uint32_t wait_ms);

#endif
