/* SPDX-License-Identifier: MIT */
/* A registry in the hand: frames go in as C structs, answers come out as C structs, time is a
 * number. */
#ifndef CANCELD_TESTS_REGISTRY_RIG_H
#define CANCELD_TESTS_REGISTRY_RIG_H

#include "registry/registry.h"

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
    enum error_code error;
    const char *limit;
    uint64_t session;
    uint8_t secret[SECRET_BYTES];
    size_t gens_count;
    size_t notices_count;
    uint64_t notice_gens[RIG_NOTICES];
    enum notice_kind notice_kinds[RIG_NOTICES];
    uint64_t notice_last;
};

struct rig {
    struct registry *registry;
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
};

/* With one link, number 1. `limits` NULL: the defaults. */
void rig_init(struct rig *rig, const struct limits *limits, uint64_t counter_first);
void rig_fini(struct rig *rig);

/* Sends a frame; the reply, if there is one now, is in *rig. Checks every invariant afterwards. */
void rig_send(struct rig *rig, uint64_t link, const struct frame *frame);

/* One op alone; gives what was answered. It has to be answered at once. */
struct seen rig_ask(struct rig *rig, uint64_t link, uint64_t session, uint64_t request_id,
                    struct op op);

/* The same for an op that parks. */
void rig_park(struct rig *rig, uint64_t link, uint64_t session, uint64_t request_id, struct op op);

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
