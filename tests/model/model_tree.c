/* SPDX-License-Identifier: MIT */
/* Parents and children. A cancel marks the descendants that are LIVE; their turns come in steps. */
#include "model/model_parts.h"

struct model_op *model_find_gen(const struct model *model, uint64_t gen)
{
    for (size_t i = 0; gen != 0 && i < model->ops.count; i++) {
        if (model_op_at(model, i)->gen == gen) {
            return model_op_at(model, i);
        }
    }
    return NULL;
}

struct cause model_cause_of_parent(const struct cause *cause)
{
    struct cause own = *cause;
    own.code = CAUSE_PARENT;
    return own;
}

static bool is_child(const struct model_op *op, const struct model_op *parent)
{
    return op->parent == parent->gen && model_op_is_live(op) &&
           bytes_equal(op->space, parent->space);
}

static void mark(struct model *model, const struct model_op *parent, const struct cause *cause,
                 const struct model_op *first)
{
    for (size_t i = 0; i < model->ops.count; i++) {
        struct model_op *op = model_op_at(model, i);
        if (!is_child(op, parent) || op->state != STATE_LIVE || op->is_pending) {
            continue;
        }
        op->is_pending = true;
        op->pending_cause = *cause;
        op->pending_record = first->record;
        op->pending_told_after = first->told_after;
        mark(model, op, cause, first);
    }
}

void model_mark_descendants(struct model *model, const struct model_op *op)
{
    struct cause cause = model_cause_of_parent(&op->cause);
    mark(model, op, &cause, op);
}

void model_part_children(struct model *model, const struct model_op *parent)
{
    for (size_t i = 0; i < model->ops.count; i++) {
        struct model_op *op = model_op_at(model, i);
        if (op->parent == parent->gen) {
            op->parent = 0;
        }
    }
}

void model_cancel_pending(struct model *model, struct model_op *op)
{
    struct cause cause = op->pending_cause;
    op->told_after = op->pending_told_after;
    (void) model_cancel(model, op, &cause, op->pending_record);
}

bool model_handle_detach(struct model *model, struct model_request *request, const struct op *op,
                         struct result *result)
{
    struct model_op *found = model_by_gen(model, request, op, result);
    if (found == NULL) {
        return true;
    }
    if (found->is_pending) {
        model_cancel_pending(model, found);
    }
    found->parent = 0;
    result->gen = found->gen;
    if (found->state != STATE_CANCELLING) {
        return model_answered(result, ANSWER_DETACHED);
    }
    result->cause = found->cause;
    return model_answered(result, ANSWER_CANCELLING);
}
