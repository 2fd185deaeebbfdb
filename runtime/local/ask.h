/* SPDX-License-Identifier: MIT */
/* An ask without a lane: a record from a table that is as big as the number of asks that may be
 * outstanding, sent to the owner's mailbox.
 *
 * Two hold it: the thread that asks, until it has its answer or gives up, and the owner, until it has
 * answered. One word decides who is the last, and frees it:
 *
 *     FREE -> TAKEN -> WAITING (<-> SLEEPING) -> DONE -> FREE      answered, then collected
 *                              \-> ABANDONED -> FREE               given up, then answered */
#ifndef CANCELD_LOCAL_ASK_H
#define CANCELD_LOCAL_ASK_H

#include "actor/message.h"
#include "actor/wake.h"
#include "local/cell.h"
#include "registry/frame.h"

enum ask_state { ASK_FREE, ASK_TAKEN, ASK_WAITING, ASK_SLEEPING, ASK_DONE, ASK_ABANDONED };

enum ask_kind {
    ASK_QUICK,     /* one of the five: cell, answer */
    ASK_STORE,     /* a store with everything: direct, more; result */
    ASK_FRAME,     /* any other op: op; result */
    ASK_STATS,     /* result */
    ASK_CALLBACKS, /* a gen's callbacks are over: gen */
};

/* All bytes that a request of some size in all its fields may bring, each one more than its bound, so that
 * what is too long is still so. */
#define ASK_INPUT_BYTES                                                                            \
    (NAMESPACE_BYTES_MAX + KEY_BYTES_MAX + META_BYTES_MAX + CAUSE_TEXT_BYTES_MAX +                 \
     CAUSE_ACTOR_BYTES_MAX + (LABELS_MAX + 1) * LABEL_BYTES_MAX + 16)

struct ask {
    struct message message; /* first: the mailbox gives it back */
    _Atomic(uint32_t) state;
    uint32_t kind;
    struct wake wake;
    enum canceld_status status; /* how it ended */

    struct cell cell;
    struct answer_cell answer;
    uint64_t gen;
    uint64_t until;   /* ASK_CALLBACKS: of callbacks.told_count */
    struct ask *next; /* likewise, of those that wait */

    struct op op;
    union cell_value value; /* ASK_STORE */
    struct bytes labels[LABELS_MAX];
    struct canceld_result result;
    uint8_t *block; /* what the result points to; NULL: none */
    size_t block_bytes;
    size_t block_used;
    size_t input_used;
    uint8_t input[ASK_INPUT_BYTES]; /* what the op, or the cell, points to */
};

MUST_CHECK bool ask_init(struct ask *ask);
void ask_fini(struct ask *ask);

/* A free record, TAKEN; NULL where there is none. Any thread. */
struct ask *ask_take(struct canceld_local *local);

/* Sends it and waits. OK: the answer is there, and the record still the caller's, to ask_free(). Else the
 * record is gone: TIMED_OUT, CLOSED. */
MUST_CHECK enum canceld_status ask_wait(struct canceld_local *local, struct ask *ask,
                                        uint64_t timeout_ms);

/* TAKEN or DONE, and nobody else has it. */
void ask_free(struct ask *ask);

/* The owner: it is answered. */
void ask_end(struct ask *ask);

/* The owner, and INLINE the caller: does it. It may be answered later. */
void ask_serve(struct canceld_local *local, struct ask *ask);

/* The registry's port, for the answers of frames. */
void ask_port(struct registry_port *port);

#endif
