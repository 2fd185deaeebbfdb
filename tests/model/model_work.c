/* SPDX-License-Identifier: MIT */
/* What is done in bounded steps: the descendants of what was cancelled, and what bulk cancels cover. In which
 * order is nobody's promise, so it is the one that the real registry's watchers saw. */
#include "model/model_parts.h"

static bool cause_equal(const struct cause *a, const struct cause *b)
{
    return a->code == b->code && bytes_equal(a->text, b->text) && bytes_equal(a->actor, b->actor) &&
           bytes_equal(a->peer, b->peer);
}

bool model_work_as_observed(struct model *model)
{
    const struct model_event *observed = model_observed(model);
    struct model_op *op = observed == NULL || observed->event.state != STATE_CANCELLING
                              ? NULL
                              : model_find_gen(model, observed->event.gen);
    struct model_target *target;
    if (op == NULL || op->state != STATE_LIVE) {
        return false;
    }
    if (op->is_pending && cause_equal(&op->pending_cause, &observed->event.cause)) {
        model_cancel_pending(model, op);
        return true;
    }
    struct model_bulk *bulk = model_bulk_for(model, observed, &target);
    if (bulk != NULL) {
        model_bulk_reach(model, bulk, target);
    }
    return bulk != NULL;
}

/* Where nothing was observed, or not what there is to do: something. */
static bool work_anyhow(struct model *model)
{
    struct model_target *target;
    for (size_t i = 0; i < model->ops.count; i++) {
        struct model_op *op = model_op_at(model, i);
        if (op->is_pending) {
            model_cancel_pending(model, op);
            return true;
        }
    }
    struct model_bulk *bulk = model_bulk_for(model, NULL, &target);
    if (bulk != NULL) {
        model_bulk_reach(model, bulk, target);
    }
    return bulk != NULL;
}

bool model_has_work(const struct model *model)
{
    struct model_target *target;
    for (size_t i = 0; i < model->ops.count; i++) {
        if (model_op_at(model, i)->is_pending) {
            return true;
        }
    }
    for (size_t i = 0; i < model->bulks.count; i++) {
        if (((struct model_bulk *) list_at(&model->bulks, i))->is_working) {
            return true;
        }
    }
    return model_bulk_for(model, NULL, &target) != NULL;
}

static void finish_work(struct model *model)
{
    for (size_t i = 0; i < model->bulks.count; i++) {
        struct model_bulk *bulk = list_at(&model->bulks, i);
        if (bulk->is_working) {
            model_bulk_finish(model, bulk);
        }
    }
}

void model_work(struct model *model, size_t events_max)
{
    for (;;) {
        if (model->events.count - model->observed_from >= events_max) {
            return;
        }
        if (!model_work_as_observed(model) && !model_due_as_observed(model) &&
            !work_anyhow(model)) {
            break;
        }
    }
    if (events_max == SIZE_MAX) {
        finish_work(model);
        model_settle(model);
        model_memory_trim(model);
    }
}
