/* SPDX-License-Identifier: MIT */
#include "local/cell.h"

#define BITS_OUTCOME 2
#define BITS_CAUSE 2
#define BITS_ON_EXPIRY 4

/* A number that is too big for its place stays one that is out of its range. */
static uint8_t small(uint32_t number, uint32_t highest)
{
    return (uint8_t) (number < highest ? number : highest);
}

static uint8_t detail_of(const struct canceld_local_request *request)
{
    switch (request->op) {
    case CANCELD_OP_STORE:
        return (uint8_t) (small(request->policy, 15) |
                          (small(request->on_expiry, 15) << BITS_ON_EXPIRY));
    case CANCELD_OP_CANCEL:
        return small(request->cause, UINT8_MAX);
    case CANCELD_OP_DELETE:
        return small(request->outcome, UINT8_MAX);
    default:
        return 0;
    }
}

void cell_write(struct cell *cell, uint8_t *beside, const struct siphash_key *table_key,
                const struct canceld_local_request *request)
{
    const size_t size = request->key.size;
    cell->hash = registry_direct_hash(table_key, bytes_of(request->key.data, size));
    if (request->op == CANCELD_OP_STORE) {
        cell->of.on_cancel = request->on_cancel;
        cell->with.arg = request->arg;
    } else {
        cell->of.gen = request->gen;
        cell->with.arm_ttl_ms = request->arm_ttl_ms;
    }
    cell->ttl_ms = request->ttl_ms;
    cell->op = (uint8_t) request->op;
    cell->detail = detail_of(request);
    cell->key_size_1 = (uint8_t) (size - 1);
    memcpy(size <= CELL_KEY_BYTES ? cell->key : beside, request->key.data, size);
}

static void read_store(const struct cell *cell, struct direct_op *op)
{
    union cell_value value = {.of = {cell->of.on_cancel, cell->with.arg}};
    op->kind = OP_STORE;
    op->ttl_ms = cell->ttl_ms;
    op->policy = cell->detail & 15U;
    op->on_expiry = cell->detail >> BITS_ON_EXPIRY;
    op->value = value.value;
}

void cell_read(const struct cell *cell, const uint8_t *beside, struct direct_op *op)
{
    *op = (struct direct_op){
        .key = bytes_of(cell_key_is_beside(cell) ? beside : cell->key, cell->key_size_1 + 1U),
        .hash = cell->hash};
    if (cell->op == CANCELD_OP_STORE) {
        read_store(cell, op);
        return;
    }
    op->gen = cell->of.gen;
    switch (cell->op) {
    case CANCELD_OP_CANCEL:
        op->kind = OP_CANCEL;
        op->cause = cell->detail;
        op->arm_ttl_ms = cell->with.arm_ttl_ms;
        break;
    case CANCELD_OP_DELETE:
        op->kind = OP_DELETE;
        op->outcome = cell->detail;
        break;
    case CANCELD_OP_TOUCH:
        op->kind = OP_TOUCH;
        op->ttl_ms = cell->ttl_ms;
        break;
    default:
        ASSERT(cell->op == CANCELD_OP_GET);
        op->kind = OP_GET;
        break;
    }
}

void answer_cell_write(struct answer_cell *cell, const struct direct_answer *answer, bool pending)
{
    const union cell_value value = {.value = answer->value};
    cell->answer = (uint8_t) answer->answer;
    cell->state_outcome = (uint8_t) (answer->state | ((unsigned) answer->outcome << BITS_OUTCOME) |
                                     (answer->cancelled ? ANSWER_CELL_CANCELLED : 0U));
    cell->level_cause = (uint8_t) (answer->level | ((unsigned) answer->cause << BITS_CAUSE) |
                                   (pending ? ANSWER_CELL_PENDING : 0U));
    cell->ttl_left_ms = (uint32_t) answer->ttl_left_ms;
    cell->gen = answer->gen;
    cell->arg = value.of.arg;
    if (answer->answer == ANSWER_FULL) {
        cell->as.word = answer->limit;
    } else if (answer->answer == ANSWER_ERROR) {
        cell->as.word = answer->field;
    } else {
        cell->as.age_ms = answer->age_ms;
    }
}

void answer_cell_full(struct answer_cell *cell, const char *limit)
{
    answer_cell_write(cell, &(struct direct_answer){.answer = ANSWER_FULL, .limit = limit}, false);
}

void answer_cell_read(const struct answer_cell *cell, struct canceld_local_answer *answer_out)
{
    const bool worded = cell->answer == ANSWER_FULL || cell->answer == ANSWER_ERROR;
    *answer_out = (struct canceld_local_answer){
        .answer = (enum canceld_answer) cell->answer,
        .state = (enum canceld_state)(cell->state_outcome & 3U),
        .outcome = (enum canceld_outcome)((cell->state_outcome >> BITS_OUTCOME) & 7U),
        .level = (enum canceld_level)(cell->level_cause & 3U),
        .cause = (enum canceld_cause_code)((cell->level_cause >> BITS_CAUSE) & 7U),
        .cancelled = (cell->state_outcome & ANSWER_CELL_CANCELLED) != 0,
        .callback_pending = (cell->level_cause & ANSWER_CELL_PENDING) != 0,
        .ttl_left_ms = cell->ttl_left_ms,
        .gen = cell->gen,
        .age_ms = worded ? 0 : cell->as.age_ms,
        .arg = cell->arg,
        .word = worded ? cell->as.word : NULL,
    };
}
