/* SPDX-License-Identifier: MIT */
/* Plain operations by the ten thousand: what they cost, how they become whole, and how their memory goes
 * back. What they answer is the model's to compare; here is what it has too few of to see. */
#include "data_limit.h"
#include "registry/direct.h"
#include "registry_rig.h"
#include "testing.h"

#include <stdio.h>
#include <string.h>

enum { MANY = 40000 };

static struct rig rig;
static uint64_t gens[MANY];

static struct bytes name(unsigned i, char out[40])
{
    int size = snprintf(out, 40, "operation-%08u-of-thirty-two..", i);
    return bytes_of(out, (size_t) size);
}

static uint64_t stat(const char *row)
{
    return rig_stat(&rig, row);
}

static struct seen store(uint64_t session, unsigned i, uint32_t ttl_ms)
{
    char key[40];
    struct op op = {.kind = OP_STORE, .key = name(i, key), .as.store.ttl_ms = ttl_ms};
    return rig_do_quickly(&rig, session, op);
}

static struct seen delete (uint64_t session, unsigned i)
{
    char key[40];
    struct op op = {.kind = OP_DELETE,
                    .key = name(i, key),
                    .gen = gens[i],
                    .as.delete.outcome = OUTCOME_COMPLETED};
    return rig_do_quickly(&rig, session, op);
}

static void begin(uint64_t finished)
{
    struct limits limits = limits_default();
    limits.finished = finished;
    rig_init(&rig, &limits, 1);
}

static uint64_t store_many(void)
{
    uint64_t session = rig_open(&rig, 1, 0);
    for (unsigned i = 0; i < MANY; i++) {
        struct seen seen = store(session, i, i % 2 == 0 ? 60000 : 0);
        CHECK_EQ(seen.answer, ANSWER_STORED);
        gens[i] = seen.gen;
    }
    return session;
}

/* 64 bytes of record, about 9 of its key's place and 4 of its gen's: nothing else is held. */
static void an_operation_takes_less_than_eighty_bytes(void)
{
    begin(16);
    (void) store_many();
    CHECK_EQ(stat("operations_plain"), MANY);
    CHECK_EQ(stat("keys_whole"), 0);
    CHECK_LE(stat("plain_bytes"), MANY * UINT64_C(80) + (UINT64_C(3) << 16));
    registry_check(rig.registry);
    rig_fini(&rig);
}

static unsigned listed(uint64_t *lowest)
{
    unsigned count = 0;
    struct op op = {.kind = OP_LIST};
    uint64_t last = 0;
    do {
        CHECK_EQ(rig_do_quickly(&rig, 0, op).answer, ANSWER_PAGE);
        for (size_t i = 0; i < rig.lists.operations_count; i++) {
            CHECK_GT(rig.lists.operations[i].gen, last); /* in order, so each once */
            last = rig.lists.operations[i].gen;
            *lowest = count == 0 ? last : *lowest;
            count++;
        }
        op.as.list.cursor = rig.lists.next_cursor;
    } while (op.as.list.cursor != 0);
    return count;
}

/* Records move to where there are holes; everything that names them follows. */
static void after_a_mass_deletion_the_memory_goes_back(void)
{
    begin(16);
    uint64_t session = store_many();
    uint64_t full = stat("plain_bytes");
    unsigned left = 0;
    for (unsigned i = 0; i < MANY; i++) {
        if (i * 2654435761U >> 25 != 0) { /* all but one in 128, here and there */
            CHECK_EQ(delete (session, i).answer, ANSWER_DELETED);
        } else {
            left++;
        }
        if (i % 5000 == 0) {
            registry_check(rig.registry);
        }
    }
    for (unsigned i = 0; i < 100; i++) {
        rig_pass(&rig, 0, 1);
    }
    registry_check(rig.registry);
    CHECK_GT(stat("plain_moves"), 0);
    CHECK_LE(stat("plain_bytes"), full / 20 + (UINT64_C(7) << 16));
    uint64_t lowest = 0;
    CHECK_EQ(listed(&lowest), left);
    for (unsigned i = 0; i < MANY; i++) {
        if (i * 2654435761U >> 25 == 0) {
            CHECK_EQ(delete (session, i).answer, ANSWER_DELETED);
        }
    }
    rig_fini(&rig);
}

static void a_cancel_makes_it_whole_and_its_key_alone(void)
{
    begin(16);
    uint64_t session = store_many();
    char key[40];
    struct op op = {.kind = OP_CANCEL, .key = name(7, key), .as.cancel.cause_code = CAUSE_USER};
    op.as.cancel.level = LEVEL_RECORDED;
    CHECK_EQ(rig_do(&rig, 0, op).answer, ANSWER_REQUESTED);
    CHECK_EQ(stat("operations_plain"), MANY - 1);
    CHECK_EQ(stat("keys_whole"), 1);
    CHECK_EQ(delete (session, 7).cancelled, true);
    CHECK_EQ(delete (session, 8).cancelled, false);
    rig_fini(&rig);
}

enum { AGAIN = 1000 };

static struct op of_key(enum op_kind kind, struct bytes key, uint64_t gen)
{
    struct op op = {.kind = kind, .key = key, .gen = gen};
    if (kind == OP_DELETE) {
        op.as.delete.outcome = OUTCOME_FAILED;
    } else if (kind == OP_CANCEL) {
        op.as.cancel.cause_code = CAUSE_USER;
        op.as.cancel.level = LEVEL_RECORDED;
    }
    return op;
}

/* A thousand remembered gens, and one that lives. */
static uint64_t store_again_and_again(struct bytes key)
{
    uint64_t session = rig_open(&rig, 1, 0);
    for (unsigned i = 0; i <= AGAIN; i++) {
        struct seen seen = rig_do_quickly(&rig, session, of_key(OP_STORE, key, 0));
        CHECK_EQ(seen.answer, ANSWER_STORED);
        gens[i] = seen.gen;
        if (i < AGAIN) {
            seen = rig_do_quickly(&rig, session, of_key(OP_DELETE, key, gens[i]));
            CHECK_EQ(seen.answer, ANSWER_DELETED);
        }
    }
    return session;
}

static void expect_remembered(uint64_t session, struct bytes key, unsigned i)
{
    struct seen seen = rig_do_quickly(&rig, session, of_key(OP_DELETE, key, gens[i]));
    CHECK_EQ(seen.answer, ANSWER_ENDED);
    CHECK_EQ(seen.outcome, OUTCOME_FAILED);
}

/* However many gens of it are remembered; and a cancel makes whole what speaks for the key, no more. */
static void one_key_again_and_again(struct bytes key)
{
    begin(AGAIN * 2);
    uint64_t session = store_again_and_again(key);
    for (unsigned i = 0; i < AGAIN; i += 111) {
        expect_remembered(session, key, i);
    }
    registry_check(rig.registry);
    CHECK_EQ(stat("operations_plain"), AGAIN + 1);
    CHECK_EQ(stat("keys"), 1);
    CHECK_EQ(stat("keys_whole"), 0);
    CHECK_EQ(stat("bytes"), key.size);

    CHECK_EQ(rig_do(&rig, 0, of_key(OP_CANCEL, key, 0)).answer, ANSWER_REQUESTED);
    CHECK_EQ(stat("operations_plain"), AGAIN);
    CHECK_EQ(stat("bytes"), key.size);
    registry_check(rig.registry);
    expect_remembered(session, key, AGAIN - 1);
    expect_remembered(session, key, 7);
    CHECK_EQ(rig_do(&rig, 0, of_key(OP_CANCEL, key, gens[7])).answer, ANSWER_FINISHED);
    expect_remembered(session, key, 7);
    CHECK_EQ(stat("operations_plain"), AGAIN - 1);

    /* The next one is plain again, and speaks for all. */
    CHECK_EQ(rig_do(&rig, session, of_key(OP_DELETE, key, gens[AGAIN])).answer, ANSWER_DELETED);
    uint64_t next = rig_do(&rig, session, of_key(OP_STORE, key, 0)).gen;
    CHECK_EQ(stat("operations_plain"), AGAIN);
    CHECK_EQ(stat("keys"), 1);
    CHECK_EQ(stat("bytes"), key.size);
    CHECK_EQ(rig_do(&rig, session, of_key(OP_DELETE, key, gens[AGAIN])).answer, ANSWER_ENDED);
    struct seen seen = rig_do(&rig, session, of_key(OP_DELETE, key, next + 1));
    CHECK_EQ(seen.answer, ANSWER_STALE_EPOCH);
    CHECK_EQ(rig_do(&rig, 0, of_key(OP_CANCEL, key, next)).answer, ANSWER_REQUESTED);
    CHECK_EQ(rig_do(&rig, session, of_key(OP_DELETE, key, next)).answer, ANSWER_DELETED);

    for (unsigned i = 0; i < AGAIN && stat("operations_remembered") > 0; i++) {
        rig_pass(&rig, 1000, 1);
        registry_check(rig.registry);
    }
    CHECK_EQ(stat("operations_plain"), 0);
    CHECK_EQ(stat("keys"), 0);
    CHECK_EQ(stat("bytes"), 0);
    rig_fini(&rig);
}

static void a_key_stored_again_and_again_stays_plain(void)
{
    char key[40];
    one_key_again_and_again(name(1, key));
    one_key_again_and_again(
        bytes_of_string("a name that is longer than what a record has room for"));
}

/* Those of its own namespace are plain until somebody cancels them; then they stand among the others. */
static void what_becomes_whole_does_not_end_a_bulk_cancel(void)
{
    enum { PAIRS = 6 };

    rig_init(&rig, NULL, 1);
    uint64_t session = rig_open(&rig, 1, 0);
    char keys[PAIRS][8];
    for (unsigned i = 0; i < PAIRS; i++) {
        (void) snprintf(keys[i], sizeof keys[i], "k%u", i);
        struct op elsewhere = rig_store(keys[i], POLICY_REJECT);
        elsewhere.space = bytes_of_string("elsewhere");
        CHECK_EQ(rig_do(&rig, session, rig_store(keys[i], POLICY_REJECT)).answer, ANSWER_STORED);
        CHECK_EQ(rig_do(&rig, session, elsewhere).answer, ANSWER_STORED);
    }
    struct op bulk = {.kind = OP_CANCEL, .as.cancel.owner = session};
    bulk.space = bytes_of_string("elsewhere");
    rig_park(&rig, 1, 0, 0, bulk);
    for (unsigned i = 0; i < PAIRS; i++) {
        CHECK(registry_advance(rig.registry, rig.now_ms, 1));
        /* from the last one on: ahead of the walk */
        CHECK_EQ(rig_do(&rig, 0, rig_cancel(keys[PAIRS - 1 - i], 0)).answer, ANSWER_REQUESTED);
    }
    rig_pass(&rig, 0, 1);
    CHECK_EQ(rig.last.requested, PAIRS);
    CHECK_EQ(stat("operations_cancelling"), 2 * PAIRS);
    rig_fini(&rig);
}

/* It stands by its gen: in front of those that were whole, where the bulk cancel began. */
static void what_becomes_whole_is_not_passed_by(bool of_owner)
{
    enum { PLAIN = 3 };

    rig_init(&rig, NULL, 1);
    uint64_t session = rig_open(&rig, 1, 0);
    char keys[PLAIN][8];
    for (unsigned i = 0; i < PLAIN; i++) {
        (void) snprintf(keys[i], sizeof keys[i], "k%u", i);
        CHECK_EQ(rig_do(&rig, session, rig_store(keys[i], POLICY_REJECT)).answer, ANSWER_STORED);
    }
    CHECK_EQ(rig_do(&rig, session, rig_store("whole", POLICY_REJECT)).answer, ANSWER_STORED);
    CHECK_EQ(rig_do(&rig, 0, rig_cancel("whole", 0)).answer, ANSWER_REQUESTED);
    CHECK_EQ(stat("operations_plain"), PLAIN);
    struct op bulk = {.kind = OP_CANCEL, .as.cancel.whole_namespace = !of_owner};
    bulk.as.cancel.owner = of_owner ? session : 0;
    rig_park(&rig, 1, 0, 0, bulk);
    static const unsigned order[PLAIN] = {2, 0, 1};
    for (unsigned i = 0; i < PLAIN; i++) {
        struct op wait = rig_wait(keys[order[i]], UNTIL_ENDED, 0);
        CHECK_EQ(rig_do(&rig, 0, wait).answer, ANSWER_TIMED_OUT);
    }
    CHECK_EQ(stat("operations_plain"), 0);
    rig_pass(&rig, 0, 1);
    CHECK_EQ(rig.last.requested, PLAIN);
    CHECK_EQ(rig.last.already_requested, 1);
    CHECK_EQ(stat("operations_cancelling"), PLAIN + 1);
    rig_fini(&rig);
}

static void what_becomes_whole_meanwhile_is_cancelled_too(void)
{
    what_becomes_whole_is_not_passed_by(false);
    what_becomes_whole_is_not_passed_by(true);
}

/* In a sweep's steps, and none of them twice. */
static void the_death_of_their_owner_ends_them_in_steps(void)
{
    begin(16);
    uint64_t session = store_many();
    CHECK_EQ(rig_do_quickly(&rig, session, (struct op){.kind = OP_CLOSE}).answer, ANSWER_CLOSED);
    unsigned sweeps = 0;
    while (registry_advance(rig.registry, rig.now_ms, 256)) {
        sweeps++;
        CHECK_LE(sweeps, MANY);
    }
    CHECK_GE(sweeps, MANY / 256);
    CHECK_EQ(stat("operations_live"), 0);
    CHECK_EQ(stat("ended_owner_lost"), MANY);
    registry_check(rig.registry);
    rig_fini(&rig);
}

/* A page may end anywhere; records move and become whole before the next. */
static void a_list_meets_each_that_stays_once(void)
{
    begin(MANY);
    uint64_t session = store_many();
    struct op op = {.kind = OP_LIST, .as.list.page_size = 500};
    unsigned count = 0;
    uint64_t last = 0;
    unsigned next = 0;
    do {
        CHECK_EQ(rig_do_quickly(&rig, 0, op).answer, ANSWER_PAGE);
        for (size_t i = 0; i < rig.lists.operations_count; i++) {
            CHECK_GT(rig.lists.operations[i].gen, last);
            last = rig.lists.operations[i].gen;
            count += last % 8 == 5;
        }
        op.as.list.cursor = rig.lists.next_cursor;
        for (unsigned i = 0; i < 2000 && next < MANY; i++, next++) {
            char key[40];
            if (gens[next] % 8 == 5) { /* these stay: whole from now on, some of them */
                struct op wait = {.kind = OP_CANCEL, .key = name(next, key)};
                wait.as.cancel.cause_code = CAUSE_USER;
                wait.as.cancel.level = LEVEL_RECORDED;
                CHECK_EQ(rig_do_quickly(&rig, 0, wait).answer, ANSWER_REQUESTED);
            } else {
                CHECK_EQ(delete (session, next).answer, ANSWER_DELETED);
            }
        }
        rig_pass(&rig, 0, 4);
    } while (op.as.list.cursor != 0);
    CHECK_EQ(count, MANY / 8);
    rig_fini(&rig);
}

static void no_memory_is_full(void)
{
    TEST_NEEDS_LIMITS
    begin(16);
    uint64_t session = rig_open(&rig, 1, 0);
    test_data_limit(test_data_bytes() + (4 << 20));
    struct seen seen = {.answer = ANSWER_STORED};
    unsigned stored = 0;
    for (; stored < 400000 && seen.answer == ANSWER_STORED; stored++) {
        seen = store(session, stored, 0);
    }
    CHECK_EQ(seen.answer, ANSWER_FULL);
    CHECK_STR_EQ(seen.limit, "operations");
    CHECK_EQ(stat("operations_live"), stored - 1);
    test_data_limit(RLIM_INFINITY);
    CHECK_EQ(store(session, stored, 0).answer, ANSWER_STORED); /* there is room again */
    registry_check(rig.registry);
    rig_fini(&rig);
}

static const struct test_case cases[] = {
    {"an operation takes less than eighty bytes", an_operation_takes_less_than_eighty_bytes},
    {"after a mass deletion the memory goes back", after_a_mass_deletion_the_memory_goes_back},
    {"a cancel makes an operation whole, and its key alone",
     a_cancel_makes_it_whole_and_its_key_alone},
    {"a key stored again and again stays plain", a_key_stored_again_and_again_stays_plain},
    {"what becomes whole does not end a bulk cancel",
     what_becomes_whole_does_not_end_a_bulk_cancel},
    {"what becomes whole while a bulk cancel is at work is cancelled too",
     what_becomes_whole_meanwhile_is_cancelled_too},
    {"the death of their owner ends them in steps", the_death_of_their_owner_ends_them_in_steps},
    {"a list meets each that stays once", a_list_meets_each_that_stays_once},
    {"no memory is FULL, and nothing is lost by it", no_memory_is_full},
};
TEST_MAIN(cases)
