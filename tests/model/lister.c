/* SPDX-License-Identifier: MIT */
#include "model/lister.h"

void lister_init(struct lister *lister)
{
    *lister = (struct lister){0};
    list_init(&lister->there, sizeof(uint64_t));
    list_init(&lister->listed, sizeof(uint64_t));
}

void lister_fini(struct lister *lister)
{
    list_fini(&lister->there);
    list_fini(&lister->listed);
}

static bool has(const struct list *gens, uint64_t gen)
{
    for (size_t i = 0; i < gens->count; i++) {
        if (*(uint64_t *) list_at(gens, i) == gen) {
            return true;
        }
    }
    return false;
}

static bool is_listed(const struct lister *lister, const struct model_op *op)
{
    uint32_t state = lister->op.as.list.state;
    bool fits = state == STATE_UNSET ? model_op_is_live(op) : op->state == (enum state) state;
    uint64_t owner = lister->op.as.list.owner;
    return fits && (owner == 0 || model_op_owner(op) == owner) &&
           bytes_equal(op->space, lister->op.space);
}

void lister_begin(struct lister *lister, const struct model *model, const struct op *op)
{
    lister->op = *op;
    lister->op.as.list.cursor = 0;
    lister->is_walking = true;
    list_clear(&lister->there);
    list_clear(&lister->listed);
    for (size_t i = 0; i < model->ops.count; i++) {
        if (is_listed(lister, model_op_at(model, i))) {
            *(uint64_t *) list_push(&lister->there) = model_op_at(model, i)->gen;
        }
    }
}

static bool all_were_listed(const struct lister *lister, const struct model *model)
{
    for (size_t i = 0; i < model->ops.count; i++) {
        const struct model_op *op = model_op_at(model, i);
        if (is_listed(lister, op) && has(&lister->there, op->gen) &&
            !has(&lister->listed, op->gen)) {
            return false;
        }
    }
    return true;
}

bool lister_take(struct lister *lister, const struct model *model, const struct result *page)
{
    if (page->answer != ANSWER_PAGE) {
        lister->is_walking = false;
        return page->answer == ANSWER_DENIED;
    }
    for (size_t i = 0; i < page->operations_count; i++) {
        if (has(&lister->listed, page->operations[i].gen)) {
            return false;
        }
        *(uint64_t *) list_push(&lister->listed) = page->operations[i].gen;
    }
    lister->op.as.list.cursor = page->next_cursor;
    lister->is_walking = page->next_cursor != 0;
    return lister->is_walking || all_were_listed(lister, model);
}
