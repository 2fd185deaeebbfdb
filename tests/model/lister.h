/* SPDX-License-Identifier: MIT */
/* One walk through a list, page by page, while the world goes on: each operation that is there from the
 * first page to the last must be in exactly one of them. */
#ifndef CANCELD_TESTS_MODEL_LISTER_H
#define CANCELD_TESTS_MODEL_LISTER_H

#include "model/model_parts.h"

#include <stdbool.h>

struct lister {
    struct op op;      /* a list; its cursor moves on */
    struct list there; /* gens that were there when it began */
    struct list listed;
    bool is_walking;
};

void lister_init(struct lister *lister);
void lister_fini(struct lister *lister);

/* Begins a walk for such a list; its own cursor does not matter. */
void lister_begin(struct lister *lister, const struct model *model, const struct op *op);

/* Takes a page of it; false where one was listed twice, or, at the end, not at all. */
bool lister_take(struct lister *lister, const struct model *model, const struct result *page);

#endif
