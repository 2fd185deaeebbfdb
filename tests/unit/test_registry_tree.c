/* SPDX-License-Identifier: MIT */
/* Parents and children: what a store under a parent answers, what a cancel reaches and in which
 * steps, what is cut, and what waits for a parent after a restart. */
#include "registry_rig.h"
#include "testing.h"

#include <inttypes.h>
#include <stdio.h>

#define EPOCH UINT64_C(7)
#define EARLIER_GEN(n) (((EPOCH - 1) << GEN_COUNTER_BITS) | (n))

static struct rig rig;
static uint64_t owner;

static void begin(void)
{
    rig_init(&rig, NULL, 1);
    owner = rig_open(&rig, 1, 0);
}

static void begin_after_restart(const struct journal_record *record)
{
    rig_begin(&rig, &(struct rig_options){.epoch = EPOCH, .counter_first = 1, .recovery_ms = 5000});
    CHECK(record == NULL || registry_recover(rig.registry, record));
    owner = rig_open(&rig, 1, 0);
}

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

/* A LIVE one. */
static uint64_t born(const char *key, uint64_t parent)
{
    struct seen seen = ask(store_under(key, parent));
    CHECK_EQ(seen.answer, ANSWER_STORED);
    return seen.gen;
}

static struct op detach(const char *key, uint64_t gen)
{
    return (struct op){.kind = OP_DETACH, .key = bytes_of_string(key), .gen = gen};
}

static struct op adopt(const char *key, uint64_t gen, uint64_t parent)
{
    return (struct op){
        .kind = OP_ADOPT, .key = bytes_of_string(key), .gen = gen, .as.store.parent = parent};
}

static struct op cancel_for(const char *key, const char *text)
{
    struct op op = rig_cancel(key, 0);
    op.as.cancel.cause =
        (struct cause){.text = bytes_of_string(text), .actor = bytes_of_string("somebody")};
    return op;
}

static void end(const char *key, uint64_t gen)
{
    CHECK_EQ(ask(rig_delete(key, gen, OUTCOME_COMPLETED)).answer, ANSWER_DELETED);
}

/* What `get` says. */
static struct rig_operation look(const char *key)
{
    struct op op = {.kind = OP_GET, .key = bytes_of_string(key)};
    CHECK_EQ(rig_do(&rig, 0, op).answer, ANSWER_FOUND);
    return rig.lists.operations[0];
}

static uint64_t count_of(enum state state)
{
    struct op op = {.kind = OP_COUNT, .as.list.state = (uint32_t) state};
    return rig_do(&rig, 0, op).count;
}

/* One sweep of so many steps. */
static void advance(uint32_t budget)
{
    bool more = registry_advance(rig.registry, rig.now_ms, budget);
    (void) more; /* the next one does it */
    registry_check(rig.registry);
}

/* ---- stores ---- */

static void a_child_of_a_cancelled_parent_is_born_cancelled(void)
{
    begin();
    uint64_t parent = born("p", 0);
    CHECK_EQ(rig_do(&rig, 0, cancel_for("p", "enough")).answer, ANSWER_REQUESTED);
    struct seen child = ask(store_under("c", parent));
    CHECK_EQ(child.answer, ANSWER_BORN_CANCELLED);
    CHECK_EQ(child.cause, CAUSE_PARENT);
    CHECK_STR_EQ(rig.lists.cause_text, "enough");
    CHECK_STR_EQ(rig.lists.cause_actor, "somebody");
    CHECK_STR_EQ(rig.lists.cause_peer, "uid:1");
    CHECK_EQ(look("c").state, STATE_CANCELLING);
    CHECK_EQ(look("c").parent, parent);
    end("p", parent);
    CHECK_EQ(look("c").parent, 0);
    CHECK_EQ(ask(store_under("d", parent)).answer, ANSWER_BORN_CANCELLED);
    CHECK_EQ(rig.last.cause, CAUSE_PARENT);
    CHECK_EQ(look("d").parent, 0);
    CHECK_EQ(ask(store_under("e", child.gen)).answer, ANSWER_BORN_CANCELLED);
    CHECK_STR_EQ(rig.lists.cause_text, "enough");
    rig_fini(&rig);
}

static void a_parent_that_is_none(void)
{
    begin();
    uint64_t parent = born("p", 0);
    CHECK_EQ(ask(store_under("c", parent + 1)).answer, ANSWER_STALE_EPOCH);
    CHECK_EQ(ask(store_under("c", parent - 1)).answer, ANSWER_PARENT_NOT_FOUND);
    struct op elsewhere = store_under("c", parent);
    elsewhere.space = bytes_of_string("elsewhere");
    CHECK_EQ(ask(elsewhere).answer, ANSWER_PARENT_NOT_FOUND);
    CHECK_EQ(ask(rig_delete("p", parent, OUTCOME_FAILED)).answer, ANSWER_DELETED);
    CHECK_EQ(ask(store_under("c", parent)).answer, ANSWER_PARENT_ENDED);
    CHECK_EQ(rig.last.outcome, OUTCOME_FAILED);
    CHECK_EQ(count_of(STATE_LIVE), 0);
    rig_pass(&rig, 60000, 100);
    CHECK_EQ(ask(store_under("c", parent)).answer, ANSWER_PARENT_NOT_FOUND);
    /* Whether the key is taken is looked at before, whether there is room after. */
    uint64_t taken = born("taken", 0);
    CHECK_EQ(ask(store_under("taken", parent)).answer, ANSWER_EXISTS);
    CHECK_EQ(ask(store_under("taken", taken + 1)).answer, ANSWER_STALE_EPOCH);
    rig_fini(&rig);
    struct limits limits = limits_default();
    limits.operations_session = 1;
    rig_init(&rig, &limits, 1);
    owner = rig_open(&rig, 1, 0);
    parent = born("p", 0);
    CHECK_EQ(ask(store_under("c", parent - 1)).answer, ANSWER_PARENT_NOT_FOUND);
    CHECK_EQ(ask(store_under("c", parent)).answer, ANSWER_FULL);
    rig_fini(&rig);
}

static void an_arm_wins_over_the_parent(void)
{
    begin();
    uint64_t parent = born("p", 0);
    struct op arm = cancel_for("c", "early");
    arm.as.cancel.arm_ttl_ms = 1000;
    CHECK_EQ(rig_do(&rig, 0, arm).answer, ANSWER_ARMED);
    (void) rig_do(&rig, 0, cancel_for("p", "enough"));
    CHECK_EQ(ask(store_under("c", parent)).answer, ANSWER_BORN_CANCELLED);
    CHECK_EQ(rig.last.cause, CAUSE_USER);
    CHECK_STR_EQ(rig.lists.cause_text, "early");
    CHECK_EQ(ask(store_under("d", parent)).cause, CAUSE_PARENT);
    rig_fini(&rig);
}

static void a_child_that_supersedes_its_parent(void)
{
    begin();
    uint64_t parent = born("k", 0);
    struct op op = store_under("k", parent);
    op.as.store.policy = POLICY_SUPERSEDE;
    CHECK_EQ(ask(op).answer, ANSWER_BORN_CANCELLED);
    CHECK_EQ(rig.last.cause, CAUSE_PARENT);
    CHECK_EQ(count_of(STATE_CANCELLING), 2);
    rig_fini(&rig);
}

/* ---- cancels ---- */

static void supersede_and_expiry_cancel_children(void)
{
    begin();
    uint64_t parent = born("p", 0);
    (void) born("c", parent);
    struct op op = rig_store("p", POLICY_SUPERSEDE);
    op.as.store.ttl_ms = 1000;
    uint64_t second = ask(op).gen;
    (void) born("d", second);
    rig_pass(&rig, 0, 2);
    CHECK_EQ(look("c").state, STATE_CANCELLING);
    CHECK_EQ(look("d").state, STATE_LIVE);
    rig_pass(&rig, 999, 2);
    CHECK_EQ(look("d").state, STATE_LIVE);
    rig_pass(&rig, 1, 2);
    CHECK_EQ(look("d").state, STATE_CANCELLING);
    CHECK_EQ(rig_do(&rig, 0, rig_cancel("d", 0)).answer, ANSWER_ALREADY_REQUESTED);
    rig_fini(&rig);
}

static void the_parents_end_does_not_stop_the_sweep(void)
{
    begin();
    uint64_t parent = born("p", 0);
    char key[16];
    for (unsigned i = 0; i < 10; i++) {
        (void) snprintf(key, sizeof key, "c%u", i);
        (void) born(key, parent);
    }
    (void) rig_do(&rig, 0, cancel_for("p", "enough"));
    advance(4); /* some of them */
    CHECK_GT(count_of(STATE_LIVE), 0);
    CHECK_GT(count_of(STATE_CANCELLING), 1);
    end("p", parent);
    CHECK_EQ(look("c9").parent, 0);
    rig_pass(&rig, 0, 3);
    CHECK_EQ(count_of(STATE_LIVE), 0);
    CHECK_EQ(count_of(STATE_CANCELLING), 10);
    struct seen seen = ask(rig_delete("c9", look("c9").gen, OUTCOME_COMPLETED));
    CHECK_EQ(seen.cause, CAUSE_PARENT);
    CHECK_STR_EQ(rig.lists.cause_text, "enough");
    rig_fini(&rig);
}

static void children_of_a_parent_that_ended_are_roots(void)
{
    begin();
    uint64_t root = born("r", 0);
    uint64_t parent = born("p", root);
    uint64_t child = born("c", parent);
    CHECK_EQ(look("c").parent, parent);
    end("p", parent);
    CHECK_EQ(look("c").parent, 0);
    (void) rig_do(&rig, 0, rig_cancel("r", 0)); /* the ties are not cut yet */
    CHECK_EQ(ask(detach("c", child)).answer, ANSWER_DETACHED);
    (void) born("d", child);
    rig_pass(&rig, 0, 1);
    CHECK_EQ(look("c").state, STATE_LIVE);
    CHECK_EQ(look("d").state, STATE_LIVE);
    CHECK_EQ(look("d").parent, child);
    rig_fini(&rig);
}

static void an_end_between_a_cancel_and_its_turn_frees_nobody(void)
{
    begin();
    uint64_t root = born("r", 0);
    uint64_t parent = born("p", root);
    (void) born("c", parent);
    uint64_t other = born("d", parent);
    (void) rig_do(&rig, 0, cancel_for("r", "all"));
    end("p", parent);
    CHECK_EQ(ask(detach("d", other)).answer, ANSWER_CANCELLING);
    CHECK_EQ(rig.last.cause, CAUSE_PARENT);
    CHECK_EQ(ask(store_under("e", parent)).answer, ANSWER_PARENT_ENDED);
    rig_pass(&rig, 0, 1);
    CHECK_EQ(look("c").state, STATE_CANCELLING);
    CHECK_EQ(count_of(STATE_LIVE), 0);
    rig_fini(&rig);
}

static uint64_t store_quickly(const char *key, uint64_t parent)
{
    struct seen seen = rig_do_quickly(&rig, owner, store_under(key, parent));
    CHECK_EQ(seen.answer, ANSWER_STORED);
    return seen.gen;
}

static uint64_t most_in_one_sweep(uint32_t budget)
{
    uint64_t most = 0;
    uint64_t before = count_of(STATE_CANCELLING);
    bool more = true;
    while (more) {
        more = registry_advance(rig.registry, rig.now_ms, budget);
        struct op op = {.kind = OP_COUNT, .as.list.state = STATE_CANCELLING};
        uint64_t now = rig_do_quickly(&rig, 0, op).count;
        most = now - before > most ? now - before : most;
        before = now;
    }
    registry_check(rig.registry);
    return most;
}

/* A chain, or children of one parent: cancelled, and let go, in bounded steps. */
static void a_big_tree(bool chain)
{
    const uint64_t size = TEST_SCALE(100000);
    begin();
    uint64_t root = born("root", 0);
    uint64_t parent = root;
    for (uint64_t i = 1; i < size; i++) {
        char key[32];
        (void) snprintf(key, sizeof key, "c%" PRIu64, i);
        uint64_t gen = store_quickly(key, parent);
        parent = chain ? gen : root;
    }
    (void) rig_do(&rig, 0, rig_cancel("root", 0));
    CHECK_EQ(count_of(STATE_CANCELLING), 1); /* decided at once, for the one that was named */
    end("root", root);
    uint64_t most = most_in_one_sweep(256);
    CHECK_GT(most, 32);
    CHECK_LE(most, 256);
    CHECK_EQ(count_of(STATE_LIVE), 0);
    CHECK_EQ(count_of(STATE_CANCELLING), size - 1);
    registry_link_down(rig.registry, 1, rig.now_ms);
    rig.now_ms += 10000;
    while (registry_advance(rig.registry, rig.now_ms, 4096)) {
    }
    registry_check(rig.registry);
    CHECK(registry_link_up(rig.registry, 1, bytes_of_string("uid:1")));
    CHECK_EQ(count_of(STATE_CANCELLING), 0);
    rig_fini(&rig);
}

static void a_long_chain(void)
{
    a_big_tree(true);
}

static void a_broad_family(void)
{
    a_big_tree(false);
}

/* Every one of a chain ends uncancelled, the lowest first or the highest, and nothing stays. */
static void a_chain_goes_from_either_end(void)
{
    enum { SIZE = 50 };

    for (unsigned down = 0; down < 2; down++) {
        begin();
        uint64_t gens[SIZE] = {0};
        char key[16];
        for (unsigned i = 0; i < SIZE; i++) {
            (void) snprintf(key, sizeof key, "c%u", i);
            gens[i] = born(key, i == 0 ? 0 : gens[i - 1]);
        }
        for (unsigned i = 0; i < SIZE; i++) {
            unsigned which = down ? i : SIZE - 1 - i;
            (void) snprintf(key, sizeof key, "c%u", which);
            end(key, gens[which]);
        }
        rig_pass(&rig, 60000, 3);
        CHECK_EQ(count_of(STATE_ENDED), 0);
        rig_fini(&rig);
    }
}

/* ---- detach ---- */

static void detach_cuts_the_tie(void)
{
    begin();
    uint64_t parent = born("p", 0);
    uint64_t child = born("c", parent);
    uint64_t late = born("d", parent);
    CHECK_EQ(ask(detach("p", parent)).answer, ANSWER_DETACHED);
    CHECK_EQ(ask(detach("c", child)).answer, ANSWER_DETACHED);
    CHECK_EQ(rig.last.gen, child);
    CHECK_EQ(look("c").parent, 0);
    CHECK_EQ(ask(detach("c", child)).answer, ANSWER_DETACHED);
    CHECK_EQ(ask(detach("c", parent)).answer, ANSWER_STALE_GEN);
    CHECK_EQ(ask(detach("x", child)).answer, ANSWER_NOT_FOUND);
    CHECK_EQ(ask(detach("c", late + 1)).answer, ANSWER_STALE_EPOCH);
    (void) rig_do(&rig, 0, cancel_for("p", "enough"));
    struct seen seen = ask(detach("d", late)); /* its turn had not come */
    CHECK_EQ(seen.answer, ANSWER_CANCELLING);
    CHECK_EQ(seen.cause, CAUSE_PARENT);
    CHECK_STR_EQ(rig.lists.cause_text, "enough");
    CHECK_EQ(look("d").parent, 0);
    rig_pass(&rig, 0, 1);
    CHECK_EQ(look("c").state, STATE_LIVE);
    end("c", child);
    CHECK_EQ(ask(detach("c", child)).answer, ANSWER_ENDED);
    CHECK_EQ(rig.last.outcome, OUTCOME_COMPLETED);
    rig_fini(&rig);
}

static void detach_looks_up_to_the_root(void)
{
    begin();
    uint64_t root = born("r", 0);
    uint64_t middle = born("m", root);
    uint64_t child = born("c", middle);
    (void) born("grandchild", child);
    (void) rig_do(&rig, 0, rig_cancel("r", 0));
    CHECK_EQ(ask(detach("c", child)).answer, ANSWER_CANCELLING);
    CHECK_EQ(look("m").state, STATE_LIVE); /* still: nothing was swept here */
    rig_pass(&rig, 0, 1);
    CHECK_EQ(look("grandchild").state, STATE_CANCELLING);
    CHECK_EQ(look("m").state, STATE_CANCELLING);
    rig_fini(&rig);
}

/* What a frame of detaches may look at is bounded; none of them is told a half truth. */
static void a_frame_of_long_walks(void)
{
    enum { DEPTH = 3000, OPS = 4 };

    begin();
    uint64_t gens[DEPTH];
    char key[16];
    for (unsigned i = 0; i < DEPTH; i++) {
        (void) snprintf(key, sizeof key, "c%u", i);
        gens[i] = store_quickly(key, i == 0 ? 0 : gens[i - 1]);
    }
    uint64_t other = born("other", 0);
    (void) born("of other", other);
    (void) rig_do(&rig, 0, rig_cancel("other", 0)); /* a sweep of somebody else */
    struct op ops[OPS];
    for (unsigned i = 0; i < OPS; i++) {
        static char keys[OPS][16];
        (void) snprintf(keys[i], sizeof keys[i], "c%u", DEPTH - 1 - i);
        ops[i] = detach(keys[i], gens[DEPTH - 1 - i]);
    }
    struct frame frame = {.version = 1,
                          .session = owner,
                          .request_id = ++rig.request_id,
                          .ops = ops,
                          .ops_count = OPS};
    rig_send(&rig, 1, &frame);
    CHECK_EQ(rig.results, OPS);
    CHECK_EQ(rig.answers[ANSWER_DETACHED], 2);
    CHECK_EQ(rig.answers[ANSWER_NOT_APPLIED], 2);
    CHECK_EQ(ask(ops[2]).answer, ANSWER_DETACHED);
    rig_fini(&rig);
}

/* ---- owners that are lost ---- */

/* Both orders of a parent's death and its own parent's cancel, before any of it is written down. */
static void death_and_cancel(bool death_first)
{
    begin();
    uint64_t root = born("r", 0);
    uint64_t mortal = rig_open(&rig, 1, 0);
    uint64_t parent = rig_do(&rig, mortal, store_under("p", root)).gen;
    uint64_t child = born("c", parent);
    (void) born("d", parent);
    for (unsigned i = 0; i < 2; i++) {
        if ((i == 0) == death_first) {
            CHECK_EQ(rig_do(&rig, mortal, (struct op){.kind = OP_CLOSE}).answer, ANSWER_CLOSED);
        } else {
            (void) rig_do(&rig, 0, rig_cancel("r", 0));
        }
    }
    CHECK_EQ(look("c").parent, 0);
    CHECK_EQ(ask(store_under("e", parent)).answer, ANSWER_PARENT_ENDED);
    CHECK_EQ(rig.last.outcome, OUTCOME_OWNER_LOST);
    enum answer expected = death_first ? ANSWER_DETACHED : ANSWER_CANCELLING;
    CHECK_EQ(ask(detach("c", child)).answer, expected);
    rig_pass(&rig, 0, 1);
    enum state state = death_first ? STATE_LIVE : STATE_CANCELLING;
    CHECK_EQ(look("c").state, state);
    CHECK_EQ(look("d").state, state);
    CHECK_EQ(look("p").state, STATE_ENDED);
    rig_fini(&rig);
}

static void a_parent_of_the_dead(void)
{
    death_and_cancel(true);
    death_and_cancel(false);
}

static void losing_an_owner_is_not_a_cancel(void)
{
    begin();
    uint64_t root = born("r", 0);
    uint64_t mortal = rig_open(&rig, 1, 0);
    (void) rig_do(&rig, mortal, store_under("c", root));
    (void) rig_do(&rig, 0, rig_cancel("r", 0));
    (void) rig_do(&rig, mortal, (struct op){.kind = OP_CLOSE});
    rig_pass(&rig, 0, 1);
    CHECK_EQ(look("c").state, STATE_ENDED);
    CHECK_EQ(rig_do(&rig, 0, rig_cancel("c", 0)).answer, ANSWER_OWNER_LOST);
    CHECK_EQ(rig.last.cause, CAUSE_UNSET);
    rig_fini(&rig);
}

/* ---- after a restart ---- */

static void a_child_comes_back_before_its_parent(void)
{
    begin_after_restart(NULL);
    uint64_t parent = EARLIER_GEN(1);
    CHECK_EQ(ask(store_under("x", parent)).answer, ANSWER_RECOVERING);
    CHECK_GT(rig.last.retry_ms, 0);
    char key[16];
    for (unsigned i = 0; i < 5; i++) {
        (void) snprintf(key, sizeof key, "c%u", i);
        CHECK_EQ(ask(adopt(key, EARLIER_GEN(2 + i), parent)).answer, ANSWER_ADOPTED);
        CHECK_EQ(look(key).parent, parent);
    }
    CHECK_EQ(ask(adopt("y", EARLIER_GEN(50), EARLIER_GEN(50))).error, ERROR_FIELD);
    end("c1", EARLIER_GEN(3));
    CHECK_EQ(ask(detach("c2", EARLIER_GEN(4))).answer, ANSWER_DETACHED);
    CHECK_EQ(look("c2").parent, 0);
    CHECK_EQ(ask(adopt("p", parent, 0)).answer, ANSWER_ADOPTED);
    CHECK_EQ(look("c0").parent, parent);
    CHECK_EQ(rig_do(&rig, 0, cancel_for("p", "enough")).answer, ANSWER_REQUESTED);
    CHECK_EQ(ask(detach("c0", EARLIER_GEN(2))).answer, ANSWER_CANCELLING); /* not tied yet */
    rig_pass(&rig, 0, 1);
    CHECK_EQ(look("c3").state, STATE_CANCELLING);
    CHECK_EQ(look("c4").state, STATE_CANCELLING);
    CHECK_EQ(look("c2").state, STATE_LIVE);
    CHECK_EQ(ask(adopt("c5", EARLIER_GEN(9), parent)).cause, CAUSE_PARENT);
    rig_fini(&rig);
}

static void a_parent_that_comes_back_and_ends(void)
{
    begin_after_restart(NULL);
    uint64_t parent = EARLIER_GEN(1);
    (void) ask(adopt("c", EARLIER_GEN(2), parent));
    (void) ask(adopt("d", EARLIER_GEN(3), EARLIER_GEN(2)));
    (void) ask(adopt("p", parent, 0));
    end("p", parent);
    CHECK_EQ(look("c").parent, 0);
    CHECK_EQ(look("d").parent, EARLIER_GEN(2));
    CHECK_EQ(ask(adopt("e", EARLIER_GEN(4), parent)).answer, ANSWER_ADOPTED);
    CHECK_EQ(look("e").parent, 0);
    rig_pass(&rig, 0, 1);
    CHECK_EQ(ask(detach("c", EARLIER_GEN(2))).answer, ANSWER_DETACHED);
    rig_pass(&rig, 70000, 10);
    CHECK_EQ(count_of(STATE_LIVE), 3);
    rig_fini(&rig);
}

static void a_parent_of_another_namespace_comes_back(void)
{
    begin_after_restart(NULL);
    (void) ask(adopt("c", EARLIER_GEN(2), EARLIER_GEN(1)));
    struct op op = adopt("p", EARLIER_GEN(1), 0);
    op.space = bytes_of_string("elsewhere");
    CHECK_EQ(ask(op).answer, ANSWER_ADOPTED);
    CHECK_EQ(look("c").parent, EARLIER_GEN(1)); /* its own is still waited for */
    rig_pass(&rig, 0, 1);
    CHECK_EQ(ask(adopt("d", EARLIER_GEN(3), EARLIER_GEN(1))).answer, ANSWER_ADOPTED);
    CHECK_EQ(look("d").parent, EARLIER_GEN(1));
    struct op cancel = rig_cancel("p", 0);
    cancel.space = bytes_of_string("elsewhere");
    CHECK_EQ(rig_do(&rig, 0, cancel).answer, ANSWER_REQUESTED);
    rig_pass(&rig, 0, 1);
    CHECK_EQ(count_of(STATE_LIVE), 2);
    rig_fini(&rig);
}

static void a_parent_whose_cancel_was_recorded(void)
{
    struct journal_record record = {
        .kind = JOURNAL_CANCEL,
        .space = bytes_of_string("default"),
        .key = bytes_of_string("p"),
        .gen = EARLIER_GEN(1),
        .cause = {.code = CAUSE_USER, .text = bytes_of_string("before")}};
    begin_after_restart(&record);
    CHECK_EQ(ask(adopt("c", EARLIER_GEN(2), EARLIER_GEN(1))).cause, CAUSE_PARENT);
    CHECK_STR_EQ(rig.lists.cause_text, "before");
    CHECK_EQ(ask(adopt("g", EARLIER_GEN(3), EARLIER_GEN(2))).cause, CAUSE_PARENT);
    CHECK_EQ(ask(adopt("p", EARLIER_GEN(1), 0)).cause, CAUSE_USER);
    CHECK_EQ(look("c").parent, EARLIER_GEN(1));
    rig_pass(&rig, 0, 1);
    CHECK_EQ(look("c").parent, EARLIER_GEN(1));
    end("p", EARLIER_GEN(1));
    CHECK_EQ(ask(adopt("d", EARLIER_GEN(4), EARLIER_GEN(1))).cause, CAUSE_PARENT);
    rig_fini(&rig);
}

static const struct test_case cases[] = {
    {"a child stored under a cancelled parent is born cancelled, after the parent's end too",
     a_child_of_a_cancelled_parent_is_born_cancelled},
    {"a parent that is unknown, forgotten, elsewhere, too new or ended is told apart",
     a_parent_that_is_none},
    {"an armed key is born with the arm's cause, not its parent's", an_arm_wins_over_the_parent},
    {"a store that supersedes its own parent is born cancelled",
     a_child_that_supersedes_its_parent},
    {"children are cancelled by SUPERSEDE and by expiry", supersede_and_expiry_cancel_children},
    {"the parent's end does not stop the sweep", the_parents_end_does_not_stop_the_sweep},
    {"children of a parent that ended uncancelled are roots at once",
     children_of_a_parent_that_ended_are_roots},
    {"an end between an ancestor's cancel and its turn frees nobody below",
     an_end_between_a_cancel_and_its_turn_frees_nobody},
    {"a long chain is cancelled in bounded steps", a_long_chain},
    {"a broad family is cancelled in bounded steps", a_broad_family},
    {"a chain that ends from above or from below leaves nothing", a_chain_goes_from_either_end},
    {"detach cuts the tie, and cancels first under a CANCELLING parent", detach_cuts_the_tie},
    {"detach looks up to the root", detach_looks_up_to_the_root},
    {"a frame of long walks applies what it may, and says so of the rest", a_frame_of_long_walks},
    {"a parent whose owner died has ended before it is written down", a_parent_of_the_dead},
    {"a child whose owner died first ends as OWNER_LOST, not cancelled",
     losing_an_owner_is_not_a_cancel},
    {"a child adopted before its parent waits for it", a_child_comes_back_before_its_parent},
    {"children that waited for a parent that ended are roots", a_parent_that_comes_back_and_ends},
    {"a parent that comes back in another namespace is none",
     a_parent_of_another_namespace_comes_back},
    {"a child whose parent's cancel was recorded is cancelled without it",
     a_parent_whose_cancel_was_recorded},
};
TEST_MAIN(cases)
