/* SPDX-License-Identifier: MIT */
/* One op, and its answer, on its way between a thread and the owner: in a lane, or in an ask.
 *
 * Each begins its life by its `turn`: whoever writes it makes it 1 in an odd lap of its ring and 2 in
 * an even one, as the last of its bytes, so a reader knows by one look whether it is there. */
#ifndef CANCELD_LOCAL_CELL_H
#define CANCELD_LOCAL_CELL_H

#include "base/bytes.h"
#include "base/check.h"
#include "registry/direct.h"

#include <canceld/local.h>
#include <stdatomic.h>

#define CELL_KEY_BYTES 32

/* Ops that are no request. */
#define CELL_OP_DETACH 255

/* A cache line. */
struct cell {
    uint64_t hash;

    union {
        uint64_t gen;
        void (*on_cancel)(void *arg, const struct canceld_local_notice *notice); /* store */
    } of;

    union {
        void *arg;           /* store */
        uint32_t arm_ttl_ms; /* cancel */
    } with;

    uint32_t ttl_ms;
    uint8_t op;         /* enum canceld_op */
    uint8_t detail;     /* store: policy and, above it, on_expiry; delete: outcome; cancel: cause */
    uint8_t key_size_1; /* its size less 1 */
    _Atomic(uint8_t) turn;
    uint8_t key[CELL_KEY_BYTES]; /* where it fits; else it stands beside the cell */
};

/* Half a cache line. */
struct answer_cell {
    uint8_t answer;
    uint8_t state_outcome; /* state, outcome << 2, ANSWER_CELL_CANCELLED */
    uint8_t level_cause;   /* level, cause << 2, ANSWER_CELL_PENDING */
    _Atomic(uint8_t) turn;
    uint32_t ttl_left_ms;
    uint64_t gen;
    void *arg;

    union {
        uint64_t age_ms;  /* FOUND */
        const char *word; /* FULL, ERROR */
    } as;
};

#define ANSWER_CELL_CANCELLED 0x80
#define ANSWER_CELL_PENDING 0x80

_Static_assert(sizeof(struct cell) == 64, "a cell is a cache line");
_Static_assert(sizeof(struct answer_cell) == 32, "two answers are a cache line");

/* The owner's view of what a direct op's value holds. */
union cell_value {
    struct direct_value value;

    struct {
        void (*on_cancel)(void *arg, const struct canceld_local_notice *notice);
        void *arg;
    } of;
};

_Static_assert(sizeof(union cell_value) == sizeof(struct direct_value), "a value holds both");

/* Whether the request is one of the five, with a key of a size that may be. */
static inline bool cell_takes(const struct canceld_local_request *request)
{
    return request->key.size - 1 < KEY_BYTES_MAX && request->key.data != NULL &&
           (request->op == CANCELD_OP_STORE || request->op == CANCELD_OP_CANCEL ||
            request->op == CANCELD_OP_DELETE || request->op == CANCELD_OP_TOUCH ||
            request->op == CANCELD_OP_GET);
}

static inline bool cell_key_is_beside(const struct cell *cell)
{
    return cell->key_size_1 >= CELL_KEY_BYTES;
}

/* Everything but the turn. A key that does not fit goes to `beside`, KEY_BYTES_MAX bytes. */
void cell_write(struct cell *cell, uint8_t *beside, const struct siphash_key *table_key,
                const struct canceld_local_request *request);

/* Borrows the key from the cell or from beside it. */
void cell_read(const struct cell *cell, const uint8_t *beside, struct direct_op *op);

/* Everything but the turn. `pending`: its callback may not have returned. */
void answer_cell_write(struct answer_cell *cell, const struct direct_answer *answer, bool pending);
void answer_cell_full(struct answer_cell *cell, const char *limit);
void answer_cell_read(const struct answer_cell *cell, struct canceld_local_answer *answer_out);

#endif
