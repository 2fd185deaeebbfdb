/* SPDX-License-Identifier: MIT */
/* Operations by number: "name-1", "name-2", ..., stored and ended without a look at every invariant. */
#ifndef CANCELD_TESTS_REGISTRY_MANY_H
#define CANCELD_TESTS_REGISTRY_MANY_H

#include "registry_rig.h"
#include "testing.h"

#include <stdio.h>

static inline struct bytes many_name(unsigned i, char out[24])
{
    int size = snprintf(out, 24, "name-%u", i);
    return bytes_of(out, (size_t) size);
}

static inline struct op op_in(const char *space, struct op op)
{
    op.space = bytes_of_string(space);
    return op;
}

static inline uint64_t many_store(struct rig *rig, uint64_t session, unsigned i)
{
    char key[24];
    struct op op = {.kind = OP_STORE, .key = many_name(i, key)};
    struct seen seen = rig_do_quickly(rig, session, op);
    CHECK_EQ(seen.answer, ANSWER_STORED);
    return seen.gen;
}

/* One with a label is whole from its birth. */
static inline uint64_t many_store_whole(struct rig *rig, uint64_t session, const char *space,
                                        unsigned i)
{
    char key[24];
    struct bytes label = bytes_of_string("x");
    struct op op = {.kind = OP_STORE, .key = many_name(i, key), .space = bytes_of_string(space)};
    op.as.store.labels = (struct labels){.items = &label, .count = 1};
    struct seen seen = rig_do_quickly(rig, session, op);
    CHECK_EQ(seen.answer, ANSWER_STORED);
    return seen.gen;
}

static inline void many_end(struct rig *rig, uint64_t session, unsigned i, uint64_t gen)
{
    char key[24];
    struct op op = {.kind = OP_DELETE, .key = many_name(i, key), .gen = gen};
    op.as.delete.outcome = OUTCOME_COMPLETED;
    CHECK_EQ(rig_do_quickly(rig, session, op).answer, ANSWER_DELETED);
}

#endif
