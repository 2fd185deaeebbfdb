/* SPDX-License-Identifier: MIT */
/* The registry without a wire: for a program that has one in its own process (canceld/local.h), and for
 * benchmarks of the registry alone. The same decisions as by frames, one op at a time, by the owner's
 * thread; what a frame brings along (request ids, the encoding of an answer) falls away.
 *
 * A batch is fastest in three passes: registry_direct_prefetch() of each op, then _prefetch_record() of
 * each, then registry_direct() of each, so that the memory of all is fetched at once.
 *
 * What may have to wait (wait, poll, watch, drain, a cancel above RECORDED, a bulk cancel) goes through
 * registry_frame() and the port, by a frame of one op without a session. */
#ifndef CANCELD_REGISTRY_DIRECT_H
#define CANCELD_REGISTRY_DIRECT_H

#include "registry/registry.h"

/* What the embedding program keeps with an operation: nothing to the registry. */
struct direct_value {
    void *of[2];
};

/* What a store may bring besides, and rarely does. Borrowed for the call. */
struct direct_more {
    uint32_t stop_grace_ms;
    uint64_t parent;
    struct bytes meta;
    struct labels labels;
};

/* One of store, cancel (of a key, or a key and gen; answered at RECORDED), delete, touch, get. */
struct direct_op {
    enum op_kind kind;
    struct bytes key; /* 1 to KEY_BYTES_MAX; borrowed for the call */
    uint64_t hash;    /* registry_direct_hash(key) */
    uint64_t gen;     /* cancel and get: 0 means the key's */
    uint32_t ttl_ms;  /* store, touch */
    uint32_t arm_ttl_ms;
    uint8_t policy;                 /* store: enum policy */
    uint8_t on_expiry;              /* store: enum on_expiry */
    uint8_t on_owner_loss;          /* store: enum on_owner_loss */
    uint8_t outcome;                /* delete: enum outcome */
    uint8_t cause;                  /* cancel: enum cause_code */
    struct direct_value value;      /* store */
    const struct direct_more *more; /* store; NULL: none of it */
};

/* What became of it; what its answer does not call for is zero. */
struct direct_answer {
    enum answer answer;
    enum state state;          /* get, EXISTS */
    enum outcome outcome;      /* FINISHED, ENDED */
    enum level level;          /* of the operation's cancel; delete: as it was before */
    enum cause_code cause;     /* of the operation's cancel, if there was one */
    bool cancelled;            /* delete: a cancel had been recorded */
    uint64_t gen;              /* that the answer is about; a cancel of several: the newest */
    uint64_t ttl_left_ms;      /* get */
    uint64_t age_ms;           /* get */
    struct direct_value value; /* get, delete */
    const char *limit;         /* FULL */
    const char *field;         /* ERROR: the field that is out of range */
};

/* No connection has this address: they are counted from 1. For frames in the session of direct ops. */
#define DIRECT_LINK UINT64_MAX

/* Opens the one session that direct ops are of, with a link of its own that never goes silent, in the
 * namespace "default". 0 where a bound refuses it. Once, before the first direct op. */
MUST_CHECK uint64_t registry_direct_open(struct registry *registry, uint64_t now_ms);

/* The keyed hash of a key in that namespace: pure, so that any thread may work it out beforehand. */
uint64_t registry_direct_hash(const struct siphash_key *table_key, struct bytes key);

/* `gen`: what the op names, where it is a delete; else 0. */
void registry_direct_prefetch(const struct registry *registry, uint64_t hash, uint64_t gen);
void registry_direct_prefetch_record(const struct registry *registry, uint64_t hash);

/* Does one op at now_ms, which is the time of the batch. */
void registry_direct(struct registry *registry, const struct direct_op *op, uint64_t now_ms,
                     struct direct_answer *answer);

/* The operation's owner has been told (struct registry_port, told): its callback returned. */
void registry_direct_told(struct registry *registry, uint64_t gen, enum notice_kind kind,
                          uint64_t now_ms);

#endif
