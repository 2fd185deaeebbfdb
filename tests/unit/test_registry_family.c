/* SPDX-License-Identifier: MIT */
/* A family of operations, by chance: stores, cancels, ends, detaches and deaths, with a few steps between
 * them. Whatever the steps have come to, everybody has to see what would be if each cancel took all
 * descendants at once. */
#include "registry_rig.h"
#include "testing.h"

#include <stdio.h>

static struct rig rig;
static uint64_t owner;

static struct seen ask(struct op op)
{
    return rig_do(&rig, owner, op);
}

static struct op store_under(const char *key, uint64_t parent)
{
    struct op op = rig_store(key, POLICY_REJECT);
    op.as.store.parent = parent;
    return op;
}

static struct op detach(const char *key, uint64_t gen)
{
    return (struct op){.kind = OP_DETACH, .key = bytes_of_string(key), .gen = gen};
}

static struct op cancel_for(const char *key, const char *text)
{
    struct op op = rig_cancel(key, 0);
    op.as.cancel.cause =
        (struct cause){.text = bytes_of_string(text), .actor = bytes_of_string("somebody")};
    return op;
}

/* What `get` says. */
static struct rig_operation look(const char *key)
{
    struct op op = {.kind = OP_GET, .key = bytes_of_string(key)};
    CHECK_EQ(rig_do(&rig, 0, op).answer, ANSWER_FOUND);
    return rig.lists.operations[0];
}

/* One sweep of so many steps. */
static void advance(uint32_t budget)
{
    bool more = registry_advance(rig.registry, rig.now_ms, budget);
    (void) more; /* the next one does it */
    registry_check(rig.registry);
}

enum { FAMILY = 12, OWNERS = 3 };

/* What must be true of one operation, said without any step: a cancel covers all descendants at once. */
struct member {
    uint64_t gen; /* 0: there is none */
    unsigned owner;
    unsigned parent;
    bool has_parent;
    bool cancelled;
    bool covered;   /* by a cancel that has not come to it yet */
    unsigned cause; /* the number of the cancel, of either */
};

static struct member family[FAMILY];
static char names[FAMILY][8];
static uint64_t owners[OWNERS];

static unsigned cancels;

static void cover(unsigned parent, unsigned cause)
{
    for (unsigned i = 0; i < FAMILY; i++) {
        if (family[i].gen != 0 && family[i].has_parent && family[i].parent == parent &&
            !family[i].cancelled && !family[i].covered) {
            family[i].covered = true;
            family[i].cause = cause;
            cover(i, cause);
        }
    }
}

static void store_by_chance(unsigned which, unsigned parent, unsigned session)
{
    uint64_t parent_gen = family[parent].gen;
    struct seen seen = rig_do(&rig, owners[session], store_under(names[which], parent_gen));
    bool born_cancelled = seen.answer == ANSWER_BORN_CANCELLED;
    if (parent_gen != 0) {
        CHECK(family[parent].cancelled <= born_cancelled);
        CHECK(born_cancelled <= (family[parent].cancelled || family[parent].covered));
        family[parent].cancelled = family[parent].cancelled || born_cancelled;
    }
    family[which] = (struct member){.gen = seen.gen,
                                    .owner = session,
                                    .parent = parent,
                                    .has_parent = parent_gen != 0,
                                    .cancelled = born_cancelled,
                                    .covered = parent_gen != 0 && family[parent].covered,
                                    .cause = family[parent].cause};
}

static void leave(unsigned which)
{
    family[which].gen = 0;
    for (unsigned i = 0; i < FAMILY; i++) {
        family[i].has_parent = family[i].has_parent && family[i].parent != which;
    }
}

static void end_by_chance(unsigned which)
{
    struct seen seen = ask(rig_delete(names[which], family[which].gen, OUTCOME_COMPLETED));
    CHECK(family[which].cancelled <= seen.cancelled);
    CHECK(seen.cancelled <= (family[which].cancelled || family[which].covered));
    leave(which);
}

static void die_by_chance(unsigned session)
{
    struct op op = {.kind = OP_CLOSE};
    CHECK_EQ(rig_do(&rig, owners[session], op).answer, ANSWER_CLOSED);
    owners[session] = rig_open(&rig, 1, 0);
    for (unsigned i = 0; i < FAMILY; i++) {
        if (family[i].gen != 0 && family[i].owner == session) {
            leave(i);
        }
    }
}

static void detach_by_chance(unsigned which)
{
    bool cancelled = family[which].cancelled || family[which].covered;
    struct seen seen = ask(detach(names[which], family[which].gen));
    CHECK_EQ(seen.answer, cancelled ? ANSWER_CANCELLING : ANSWER_DETACHED);
    family[which].has_parent = false;
    family[which].cancelled = cancelled;
}

static void cancel_by_chance(unsigned which)
{
    char text[16];
    (void) snprintf(text, sizeof text, "%u", ++cancels);
    struct seen seen = rig_do(&rig, 0, cancel_for(names[which], text));
    CHECK((seen.answer == ANSWER_ALREADY_REQUESTED) >= family[which].cancelled);
    CHECK((seen.answer == ANSWER_ALREADY_REQUESTED) <=
          (family[which].cancelled || family[which].covered));
    if (seen.answer == ANSWER_REQUESTED) {
        cover(which, family[which].covered ? family[which].cause : cancels);
        family[which].cause = cancels;
    }
    family[which].cancelled = true;
}

static void look_at_all(bool settled)
{
    for (unsigned i = 0; i < FAMILY; i++) {
        if (family[i].gen == 0) {
            continue;
        }
        struct rig_operation seen = look(names[i]);
        if (seen.state == STATE_CANCELLING) {
            char text[16];
            (void) snprintf(text, sizeof text, "%u", family[i].cause);
            CHECK_STR_EQ(seen.text, text);
            CHECK(family[i].cancelled || family[i].covered);
        } else {
            CHECK(!family[i].cancelled);
            CHECK(!settled || !family[i].covered);
        }
        CHECK_EQ(seen.parent, family[i].has_parent ? family[family[i].parent].gen : 0);
    }
}

static uint64_t random_state;

static unsigned below(unsigned bound)
{
    return (unsigned) (test_random(&random_state) % bound);
}

static void act_by_chance(void)
{
    unsigned which = below(FAMILY);
    unsigned chance = below(100);
    if (chance < 25) {
        advance(below(5));
    } else if (chance < 29) {
        die_by_chance(below(OWNERS));
    } else if (family[which].gen == 0) {
        store_by_chance(which, below(FAMILY), below(OWNERS));
    } else if (chance < 55) {
        end_by_chance(which);
    } else if (chance < 75) {
        cancel_by_chance(which);
    } else if (chance < 90) {
        detach_by_chance(which);
    } else {
        look_at_all(false);
    }
}

static void by_chance(void)
{
    struct limits limits = limits_default();
    limits.finished = 30; /* for the checks' sake */
    random_state = test_seed();
    rig_init(&rig, &limits, 1);
    owner = rig_open(&rig, 1, 0);
    for (unsigned i = 0; i < OWNERS; i++) {
        owners[i] = rig_open(&rig, 1, 0);
    }
    for (unsigned i = 0; i < FAMILY; i++) {
        (void) snprintf(names[i], sizeof names[i], "m%u", i);
    }
    for (unsigned round = 0; round < TEST_SCALE(200); round++) {
        for (unsigned i = 0; i < FAMILY; i++) {
            store_by_chance(i, i == 0 ? 0 : i - 1 - below(i < 3 ? i : 3), below(OWNERS));
        }
        unsigned acts = below(25);
        for (unsigned i = 0; i < acts; i++) {
            act_by_chance();
        }
        look_at_all(false);
        rig_pass(&rig, 0, 1 + below(5));
        look_at_all(true);
        for (unsigned i = 0; i < FAMILY; i++) {
            if (family[i].gen != 0) {
                end_by_chance(i);
            }
        }
    }
    rig_fini(&rig);
}

static const struct test_case cases[] = {
    {"a family by chance, step by step, is as if each cancel were whole at once", by_chance,
     .deadline_ms = 180000},
};
TEST_MAIN(cases)
