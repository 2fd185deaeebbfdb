/* SPDX-License-Identifier: MIT */
/* Names of one hash, which chance would not bring about in a lifetime: this program is linked with a siphash13()
 * that may give the same for all, and a siphash24() that may give what the test says. What has one hash
 * is told apart by what it is. */
#include "registry_rig.h"
#include "testing.h"

#include "base/siphash.h"

#define EPOCH UINT64_C(7)
#define EARLIER_GEN(n) (((EPOCH - 1) << GEN_COUNTER_BITS) | (n))
#define RECOVERY_MS 5000

/* How key.c mixes a namespace's place into the hash of a key. */
#define SPACE_FACTOR UINT64_C(0x9e3779b97f4a7c15)
/* How remembered.c makes the hash of a request id in a session's place. */
#define ID_FACTOR UINT64_C(0x9e3779b97f4a7c15)
#define SESSION_FACTOR UINT64_C(0xff51afd7ed558ccd)

static struct rig rig;
static bool all_alike;      /* every siphash13() is the same, but for the key "twin" */
static uint64_t draws[4];   /* what siphash24() gives next */
static unsigned draws_left; /* of them, from the last on */

uint64_t __real_siphash13(const struct siphash_key *key, struct bytes input);
uint64_t __wrap_siphash13(const struct siphash_key *key, struct bytes input);
uint64_t __real_siphash24(const struct siphash_key *key, struct bytes input);
uint64_t __wrap_siphash24(const struct siphash_key *key, struct bytes input);

uint64_t __wrap_siphash13(const struct siphash_key *key, struct bytes input)
{
    if (!all_alike) {
        return __real_siphash13(key, input);
    }
    /* In the namespace at place 2 it is what any other key is in that at place 1. */
    bool twin = bytes_equal(input, bytes_of_string("twin"));
    return 5 ^ (twin ? 1 * SPACE_FACTOR ^ 2 * SPACE_FACTOR : 0);
}

uint64_t __wrap_siphash24(const struct siphash_key *key, struct bytes input)
{
    return draws_left > 0 ? draws[--draws_left] : __real_siphash24(key, input);
}

static void begin(uint64_t recovery_ms)
{
    rig_begin(&rig, &(struct rig_options){
                        .epoch = EPOCH, .counter_first = 1, .recovery_ms = recovery_ms});
}

static struct op in(const char *space, struct op op)
{
    op.space = bytes_of_string(space);
    return op;
}

static struct op labelled(const char *key, const struct bytes *label)
{
    struct op op = rig_store(key, POLICY_REJECT);
    op.as.store.labels = (struct labels){.items = label, .count = 1};
    return op;
}

static uint64_t count_of(const char *space, const struct bytes *label)
{
    struct op op = {.kind = OP_COUNT, .space = bytes_of_string(space)};
    op.as.list.labels = (struct labels){.items = label, .count = label != NULL};
    return rig_ask(&rig, 1, 0, 0, op).count;
}

static enum state state_of(const char *space, const char *key)
{
    struct op op = {.kind = OP_GET, .space = bytes_of_string(space), .key = bytes_of_string(key)};
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, op).answer, ANSWER_FOUND);
    return rig.lists.operations[0].state;
}

static void namespaces_keys_and_labels_are_told_apart(void)
{
    begin(0);
    all_alike = true;
    struct bytes x = bytes_of_string("x");
    struct bytes y = bytes_of_string("y");
    struct op open = in("one", (struct op){.kind = OP_OPEN});
    uint64_t session = rig_ask(&rig, 1, 0, 0, open).session;
    uint64_t a = rig_do(&rig, session, labelled("a", &x)).gen;
    CHECK_EQ(rig_do(&rig, session, labelled("b", &y)).answer, ANSWER_STORED);
    CHECK_EQ(rig_do(&rig, session, in("two", labelled("a", &x))).answer, ANSWER_STORED);
    CHECK_EQ(rig_do(&rig, session, in("two", labelled("twin", &y))).answer, ANSWER_STORED);
    CHECK_EQ(count_of("one", &x), 1);
    CHECK_EQ(count_of("one", &y), 1);
    CHECK_EQ(count_of("two", &x), 1);
    CHECK_EQ(count_of("two", NULL), 2);
    CHECK_EQ(count_of("three", NULL), 0);
    CHECK_EQ(rig_do(&rig, session, rig_delete("a", a, OUTCOME_COMPLETED)).answer, ANSWER_DELETED);
    CHECK_EQ(state_of("one", "a"), STATE_ENDED);
    CHECK_EQ(state_of("one", "b"), STATE_LIVE);
    CHECK_EQ(state_of("two", "a"), STATE_LIVE);
    CHECK_EQ(state_of("two", "twin"), STATE_LIVE);
    rig_fini(&rig);
}

static struct op cancel_label(const char *space, const char *label)
{
    return in(space, (struct op){.kind = OP_CANCEL, .as.cancel.label = bytes_of_string(label)});
}

static struct op cancel_all(const char *space)
{
    return in(space, (struct op){.kind = OP_CANCEL, .as.cancel.whole_namespace = true});
}

/* The state that an operation with this label has, when it comes back. */
static enum state adopted(uint64_t session, const char *space, uint64_t gen, const char *label)
{
    struct bytes name = bytes_of_string(label);
    struct op op = in(space, labelled(label, &name));
    op.kind = OP_ADOPT;
    op.gen = gen;
    struct seen seen = rig_do(&rig, session, op);
    CHECK_EQ(seen.answer, ANSWER_ADOPTED);
    return seen.state;
}

static void bulk_cancels_are_told_apart(void)
{
    begin(RECOVERY_MS);
    all_alike = true;
    uint64_t session = rig_open(&rig, 1, 0);
    (void) rig_ask(&rig, 1, 0, 0, cancel_label("one", "x"));
    (void) rig_ask(&rig, 1, 0, 0, cancel_all("two"));
    (void) rig_ask(&rig, 1, 0, 0, cancel_label("three", "x"));
    (void) rig_ask(&rig, 1, 0, 0, cancel_label("three", "y"));
    (void) rig_ask(&rig, 1, 0, 0, cancel_label("three", "y")); /* the same target: the one stands */
    rig_pass(&rig, 1, 16);
    CHECK_EQ(adopted(session, "one", EARLIER_GEN(1), "x"), STATE_CANCELLING);
    CHECK_EQ(adopted(session, "one", EARLIER_GEN(2), "y"), STATE_LIVE);
    CHECK_EQ(adopted(session, "two", EARLIER_GEN(3), "z"), STATE_CANCELLING);
    CHECK_EQ(adopted(session, "three", EARLIER_GEN(4), "y"), STATE_CANCELLING);
    CHECK_EQ(adopted(session, "three", EARLIER_GEN(5), "z"), STATE_LIVE);
    CHECK_EQ(adopted(session, "four", EARLIER_GEN(6), "x"), STATE_LIVE);
    rig_fini(&rig);
}

static struct op child(const char *space, const char *key, uint64_t gen, uint64_t parent)
{
    struct op op = in(space, rig_store(key, POLICY_REJECT));
    op.kind = OP_ADOPT;
    op.gen = gen;
    op.as.store.parent = parent;
    return op;
}

static void children_that_wait_for_their_parents_are_told_apart(void)
{
    begin(RECOVERY_MS);
    all_alike = true;
    uint64_t session = rig_open(&rig, 1, 0);
    CHECK_EQ(rig_do(&rig, session, child("one", "a", EARLIER_GEN(10), EARLIER_GEN(1))).answer,
             ANSWER_ADOPTED);
    CHECK_EQ(rig_do(&rig, session, child("one", "b", EARLIER_GEN(11), EARLIER_GEN(2))).answer,
             ANSWER_ADOPTED);
    CHECK_EQ(rig_do(&rig, session, child("two", "c", EARLIER_GEN(12), EARLIER_GEN(1))).answer,
             ANSWER_ADOPTED);
    struct op parent = child("one", "parent", EARLIER_GEN(1), 0);
    parent.as.store.cause_code = CAUSE_USER;
    CHECK_EQ(rig_do(&rig, session, parent).state, STATE_CANCELLING);
    rig_pass(&rig, 1, 16);
    CHECK_EQ(state_of("one", "a"), STATE_CANCELLING);
    CHECK_EQ(state_of("one", "b"), STATE_LIVE);
    CHECK_EQ(state_of("two", "c"), STATE_LIVE);
    rig_fini(&rig);
}

/* The id whose hash in the session at `other` is that of `id` in the one at `place`. */
static uint64_t id_of_one_hash(uint64_t id, uint64_t place, uint64_t other)
{
    uint64_t inverse = ID_FACTOR;
    for (unsigned i = 0; i < 6; i++) {
        inverse *= 2 - ID_FACTOR * inverse; /* modulo 2^64, twice as many bits each time */
    }
    return (id * ID_FACTOR ^ place * SESSION_FACTOR ^ other * SESSION_FACTOR) * inverse;
}

static void request_ids_of_two_sessions_are_told_apart(void)
{
    begin(0);
    uint64_t first = rig_open(&rig, 1, 0);
    uint64_t second = rig_open(&rig, 1, 0);
    uint64_t id = id_of_one_hash(1, 1, 2);
    uint64_t a = rig_ask(&rig, 1, first, 1, rig_store("a", POLICY_REJECT)).gen;
    uint64_t b = rig_ask(&rig, 1, second, id, rig_store("b", POLICY_REJECT)).gen;
    CHECK_NE(a, b);
    CHECK_EQ(rig_ask(&rig, 1, first, 1, rig_store("a", POLICY_REJECT)).gen, a);
    CHECK_EQ(rig_ask(&rig, 1, second, id, rig_store("b", POLICY_REJECT)).gen, b);
    rig_fini(&rig);
}

static void a_session_number_that_is_no_good_is_drawn_again(void)
{
    begin(0);
    uint64_t taken = rig_open(&rig, 1, 0);
    draws[2] = 0;
    draws[1] = taken;
    draws[0] = 12345;
    draws_left = 3;
    CHECK_EQ(rig_open(&rig, 1, 0), 12345);
    CHECK_EQ(draws_left, 0);
    rig_fini(&rig);
}

static const struct test_case cases[] = {
    {"namespaces, keys and labels of one hash are told apart",
     namespaces_keys_and_labels_are_told_apart},
    {"bulk cancels of targets of one hash are told apart", bulk_cancels_are_told_apart},
    {"children that wait for parents of one hash are told apart",
     children_that_wait_for_their_parents_are_told_apart},
    {"request ids of one hash, of two sessions, are told apart",
     request_ids_of_two_sessions_are_told_apart},
    {"a session number that is 0 or taken is drawn again",
     a_session_number_that_is_no_good_is_drawn_again},
};
TEST_MAIN(cases)
