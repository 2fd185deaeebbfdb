/* SPDX-License-Identifier: MIT */
/* Pages of more than one look: what a list, a drain or a snapshot tells where there are thousands. */
#include "registry_many.h"

enum { MANY = 2100 }; /* more than one look at a table takes (2,048 records) */

static struct rig rig;

static struct op oldest(void)
{
    return (struct op){.kind = OP_LIST, .as.list.order = LIST_ORDER_OLDEST};
}

/* What is left of the namespace, or of one session's, or of all: answered at once. */
static struct seen drain(uint64_t owner, bool daemon)
{
    struct op op = {.kind = OP_DRAIN, .as.drain = {.owner = owner, .daemon = daemon}};
    struct seen seen = rig_ask(&rig, 1, 0, 0, op);
    CHECK_EQ(seen.answer, ANSWER_TIMED_OUT);
    return seen;
}

static void a_page_of_the_oldest_is_a_frame_at_most(void)
{
    rig_init(&rig, NULL, 1);
    uint64_t session = rig_open(&rig, 1, 0);
    static uint8_t meta[META_BYTES_MAX];
    uint64_t first = 0;
    for (unsigned i = 0; i < 100; i++) {
        char key[24];
        struct op op = {.kind = OP_STORE, .key = many_name(i, key)};
        op.as.store.meta = bytes_of(meta, sizeof meta);
        uint64_t gen = rig_do_quickly(&rig, session, op).gen;
        first = first == 0 ? gen : first;
    }
    (void) rig_ask(&rig, 1, 0, 0, oldest());
    CHECK(rig.lists.more);
    CHECK_GT(rig.lists.operations_count, 40);
    CHECK_LT(rig.lists.operations_count, 100);
    CHECK_EQ(rig.lists.operations[0].gen, first);
    rig_fini(&rig);
}

static void the_oldest_of_many_whole_ones_are_found(void)
{
    rig_init(&rig, NULL, 1);
    uint64_t session = rig_open(&rig, 1, 0);
    uint64_t first = many_store_whole(&rig, session, "default", 0);
    for (unsigned i = 1; i < MANY; i++) {
        (void) many_store_whole(&rig, session, "default", i);
    }
    (void) rig_ask(&rig, 1, 0, 0, oldest());
    CHECK(rig.lists.more);
    CHECK_EQ(rig.lists.operations[0].gen, first);
    rig_fini(&rig);
}

/* Sessions come before operations, and are looked at too. */
static void a_namespace_of_many_sessions(void)
{
    rig_init(&rig, NULL, 1);
    uint64_t first = rig_open(&rig, 1, 0);
    for (unsigned i = 1; i < MANY; i++) {
        (void) rig_do_quickly(&rig, 0, (struct op){.kind = OP_OPEN});
    }
    uint64_t gen = many_store_whole(&rig, first, "default", 0);
    (void) rig_ask(&rig, 1, 0, 0, oldest());
    CHECK(rig.lists.more);
    CHECK_EQ(rig.lists.operations_count, 1);
    CHECK_EQ(rig.lists.operations[0].gen, gen);
    CHECK_EQ(drain(0, false).count, 1);
    CHECK_EQ(rig.lists.gens_count, 0); /* it was not come to */
    rig_fini(&rig);
}

/* What a drain tells of those left: a look at 2,048 records, and 100 of them. */
static void a_drain_looks_at_so_much(void)
{
    enum { EMPTY = 2000, LEFT = 60 };
    rig_init(&rig, NULL, 1);
    for (unsigned i = 0; i < EMPTY; i++) {
        (void) rig_do_quickly(&rig, 0, (struct op){.kind = OP_OPEN});
    }
    uint64_t session = rig_do_quickly(&rig, 0, (struct op){.kind = OP_OPEN}).session;
    for (unsigned i = 0; i < LEFT; i++) {
        (void) many_store(&rig, session, i);
    }
    CHECK_EQ(drain(0, false).count, LEFT);
    CHECK_EQ(rig.lists.gens_count, 2048 - EMPTY);
    CHECK_EQ(drain(session, false).count, LEFT);
    CHECK_EQ(rig.lists.gens_count, LEFT);
    rig_fini(&rig);
}

static void a_drain_tells_of_a_hundred(void)
{
    rig_init(&rig, NULL, 1);
    uint64_t session = rig_open(&rig, 1, 0);
    for (unsigned i = 0; i < 150; i++) {
        (void) many_store(&rig, session, i);
    }
    CHECK_EQ(drain(session, false).count, 150);
    CHECK_EQ(rig.lists.gens_count, BULK_RESULTS_MAX);
    CHECK_EQ(drain(0, true).count, 150);
    CHECK_EQ(rig.lists.gens_count, BULK_RESULTS_MAX);
    rig_fini(&rig);
}

/* Those of a session in other namespaces do not count, but are looked at. */
static void a_drain_of_a_session_of_many_namespaces(void)
{
    rig_init(&rig, NULL, 1);
    uint64_t session = rig_open(&rig, 1, 0);
    for (unsigned i = 0; i < MANY; i++) {
        (void) many_store_whole(&rig, session, "other", i);
    }
    (void) many_store_whole(&rig, session, "default", MANY);
    CHECK_EQ(drain(session, false).count, 1);
    CHECK_EQ(rig.lists.gens_count, 0);
    rig_fini(&rig);
}

static void a_drain_of_all_looks_past_those_that_ended(void)
{
    rig_init(&rig, NULL, 1);
    uint64_t session = rig_open(&rig, 1, 0);
    for (unsigned i = 0; i < MANY; i++) {
        many_end(&rig, session, i, many_store(&rig, session, i));
    }
    (void) many_store(&rig, session, MANY);
    CHECK_EQ(drain(0, true).count, 1);
    CHECK_EQ(rig.lists.gens_count, 0);
    rig_fini(&rig);
}

static void arms_of_another_namespace_are_looked_at_page_by_page(void)
{
    rig_init(&rig, NULL, 1);
    for (unsigned i = 0; i < MANY; i++) {
        char key[24];
        struct op op = op_in("other", (struct op){.kind = OP_CANCEL, .key = many_name(i, key)});
        op.as.cancel.arm_ttl_ms = 1000;
        CHECK_EQ(rig_do_quickly(&rig, 0, op).answer, ANSWER_ARMED);
    }
    struct op op = {.kind = OP_ARMED, .as.list.cursor = 0};
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, op).answer, ANSWER_ARMED_KEYS);
    CHECK_NE(rig.lists.next_cursor, 0);
    op.as.list.cursor = rig.lists.next_cursor;
    (void) rig_ask(&rig, 1, 0, 0, op);
    CHECK_EQ(rig.lists.next_cursor, 0);
    rig_fini(&rig);
}

static void a_snapshot_looks_at_so_much(void)
{
    rig_init(&rig, NULL, 1);
    uint64_t session = rig_open(&rig, 1, 0);
    for (unsigned i = 0; i < MANY; i++) {
        (void) many_store_whole(&rig, session, "other", i);
    }
    uint64_t gen = many_store(&rig, session, MANY);
    struct op op = {.kind = OP_WATCH, .as.watch.epoch = 7};
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, op).answer, ANSWER_SNAPSHOT);
    CHECK_EQ(rig.lists.operations_count, 0);
    CHECK_NE(rig.lists.next_cursor, 0);
    op.as.watch.revision = rig.lists.revision;
    op.as.watch.cursor = rig.lists.next_cursor;
    (void) rig_ask(&rig, 1, 0, 0, op);
    CHECK_EQ(rig.lists.operations_count, 1);
    CHECK_EQ(rig.lists.operations[0].gen, gen);
    rig_fini(&rig);
}

static void nobody_has_no_operations(void)
{
    rig_init(&rig, NULL, 1);
    struct op op = {.kind = OP_COUNT, .as.list.owner = 12345};
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, op).count, 0);
    rig_fini(&rig);
}

/* Those of another namespace come first. */
static void a_list_looks_at_so_much(void)
{
    rig_init(&rig, NULL, 1);
    uint64_t session = rig_open(&rig, 1, 0);
    for (unsigned i = 0; i < MANY; i++) {
        (void) many_store_whole(&rig, session, "default", i);
    }
    uint64_t gen = many_store_whole(&rig, session, "other", 0);
    struct op op = {.kind = OP_LIST, .space = bytes_of_string("other")};
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, op).answer, ANSWER_PAGE);
    CHECK_EQ(rig.lists.operations_count, 0);
    CHECK_NE(rig.lists.next_cursor, 0);
    op.as.list.cursor = rig.lists.next_cursor;
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, op).answer, ANSWER_PAGE);
    CHECK_EQ(rig.lists.operations_count, 1);
    CHECK_EQ(rig.lists.operations[0].gen, gen);
    CHECK_EQ(rig.lists.next_cursor, 0);
    rig_fini(&rig);
}

static const struct test_case cases[] = {
    {"a page of the oldest is a frame at most", a_page_of_the_oldest_is_a_frame_at_most},
    {"the oldest of many whole operations are found", the_oldest_of_many_whole_ones_are_found},
    {"a list looks at so many records", a_list_looks_at_so_much},
    {"in a namespace of many sessions a list and a drain end", a_namespace_of_many_sessions},
    {"a drain looks at so many records", a_drain_looks_at_so_much},
    {"a drain tells of a hundred operations", a_drain_tells_of_a_hundred},
    {"a drain of a session looks past other namespaces", a_drain_of_a_session_of_many_namespaces},
    {"a drain of the daemon looks past those that ended",
     a_drain_of_all_looks_past_those_that_ended},
    {"armed keys of another namespace are looked at page by page",
     arms_of_another_namespace_are_looked_at_page_by_page},
    {"a snapshot looks at so many records", a_snapshot_looks_at_so_much},
    {"a session that is not there has no operations", nobody_has_no_operations},
};
TEST_MAIN(cases)
