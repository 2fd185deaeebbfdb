/* SPDX-License-Identifier: MIT */
/* Restart, journal and rights: what an answer waits for, what comes back, and who may ask. */
#include "registry_rig.h"
#include "testing.h"

#define EPOCH UINT64_C(7)
#define EARLIER_GEN(n) (((EPOCH - 1) << GEN_COUNTER_BITS) | (n))
#define RECOVERY_MS 5000

static struct rig rig;

static void begin(uint64_t recovery_ms, bool journal)
{
    rig_begin(&rig, &(struct rig_options){.epoch = EPOCH,
                                          .counter_first = 1,
                                          .recovery_ms = recovery_ms,
                                          .journal = journal});
}

static struct op adopt(const char *key, uint64_t gen)
{
    return (struct op){.kind = OP_ADOPT, .key = bytes_of_string(key), .gen = gen};
}

static const struct cause given = {.code = CAUSE_USER, .text = {(const uint8_t *) "why", 3}};

/* ---- answers that wait for the journal ---- */

static void an_answer_of_a_cancel_waits_for_the_journal(void)
{
    begin(0, true);
    uint64_t session = rig_open(&rig, 1, 0);
    (void) rig_ask(&rig, 1, session, 1, rig_store("k", POLICY_REJECT));
    size_t replies = rig.replies;
    rig_park(&rig, 1, 0, 5, rig_cancel("k", 0));
    CHECK_EQ(rig.records_of[JOURNAL_CANCEL], 1);
    /* The owner is told at once, and nobody else has to wait. */
    struct seen notices = rig_ask(&rig, 1, session, 2, rig_poll(NULL, 0, 0));
    CHECK_EQ(notices.notices_count, 1);
    CHECK_EQ(rig_ask(&rig, 1, session, 3, rig_store("other", POLICY_REJECT)).answer, ANSWER_STORED);
    /* Who reads of the cancel waits as well. */
    rig_park(&rig, 1, 0, 6, rig_wait("k", UNTIL_CANCELLING, 1000));
    CHECK_EQ(rig.replies, replies + 2);
    registry_journal_kept(rig.registry, 1, rig.now_ms);
    registry_check(rig.registry);
    CHECK_EQ(rig.replies, replies + 4);
    CHECK_EQ(rig.answers[ANSWER_REQUESTED], 1);
    CHECK_EQ(rig.answers[ANSWER_CANCELLING], 1);
    rig_fini(&rig);
}

static void a_repeat_waits_as_its_first_did(void)
{
    begin(0, true);
    uint64_t session = rig_open(&rig, 1, 0);
    (void) rig_ask(&rig, 1, session, 1, rig_store("k", POLICY_REJECT));
    rig_park(&rig, 1, session, 2, rig_cancel("k", 0));
    rig_park(&rig, 1, session, 2, rig_cancel("k", 0));
    CHECK_EQ(rig.records_of[JOURNAL_CANCEL], 1);
    registry_journal_kept(rig.registry, 1, rig.now_ms);
    CHECK_EQ(rig.answers[ANSWER_REQUESTED], 1); /* to the one who asked last */
    CHECK_EQ(rig_ask(&rig, 1, session, 2, rig_cancel("k", 0)).answer, ANSWER_REQUESTED);
    CHECK(rig.last.journaled);
    rig_fini(&rig);
}

static void a_journal_that_fails_acknowledges_nothing(void)
{
    begin(0, true);
    uint64_t session = rig_open(&rig, 1, 0);
    (void) rig_ask(&rig, 1, session, 1, rig_store("k", POLICY_REJECT));
    (void) rig_ask(&rig, 1, session, 2, rig_store("l", POLICY_REJECT));
    rig_park(&rig, 1, session, 3, rig_cancel("k", 0));
    size_t replies = rig.replies;
    registry_journal_failed(rig.registry, rig.now_ms);
    CHECK_EQ(rig.replies, replies + 1);
    CHECK_EQ(rig.refused, ERROR_JOURNAL);
    CHECK_EQ(rig.last_request_id, 3);
    /* Nothing new that would need it; what needs nothing goes on. */
    struct seen full = rig_ask(&rig, 1, 0, 0, rig_cancel("l", 0));
    CHECK_EQ(full.answer, ANSWER_FULL);
    CHECK_STR_EQ(full.limit, "journal");
    struct op arm = rig_cancel("unknown", 0);
    arm.as.cancel.arm_ttl_ms = 1000;
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, arm).answer, ANSWER_FULL);
    CHECK_EQ(rig_ask(&rig, 1, session, 4, rig_store("m", POLICY_REJECT)).answer, ANSWER_STORED);
    (void) rig_ask(&rig, 1, session, 3, rig_cancel("k", 0));
    CHECK_EQ(rig.refused, ERROR_JOURNAL);
    registry_journal_kept(rig.registry, rig.records, rig.now_ms);
    CHECK_EQ(rig_ask(&rig, 1, session, 3, rig_cancel("k", 0)).answer, ANSWER_REQUESTED);
    rig_fini(&rig);
}

static void a_journal_that_is_behind_is_a_bound(void)
{
    begin(0, true);
    uint64_t session = rig_open(&rig, 1, 0);
    (void) rig_ask(&rig, 1, session, 1, rig_store("k", POLICY_REJECT));
    rig.journal_pending = limits_default().journal_bytes;
    CHECK_STR_EQ(rig_ask(&rig, 1, 0, 0, rig_cancel("k", 0)).limit, "journal");
    rig.journal_pending--;
    rig_park(&rig, 1, 0, 0, rig_cancel("k", 0));
    rig_fini(&rig);
}

static void an_arm_and_its_use_are_recorded(void)
{
    begin(0, true);
    uint64_t session = rig_open(&rig, 1, 0);
    struct op arm = rig_cancel("k", 0);
    arm.as.cancel.arm_ttl_ms = 1000;
    rig_park(&rig, 1, 0, 0, arm);
    CHECK_EQ(rig.record.kind, JOURNAL_ARM);
    CHECK_EQ(rig.record.ttl_ms, 1000);
    registry_journal_kept(rig.registry, 1, rig.now_ms);
    CHECK_EQ(rig.last.answer, ANSWER_ARMED);
    CHECK(rig.last.journaled && rig.last.memory_incomplete);
    rig_park(&rig, 1, session, 1, rig_store("k", POLICY_REJECT));
    CHECK_EQ(rig.record.kind, JOURNAL_ARM_USED);
    CHECK_EQ(rig.records, 2);
    registry_journal_kept(rig.registry, 2, rig.now_ms);
    CHECK_EQ(rig.last.answer, ANSWER_BORN_CANCELLED);
    CHECK_EQ(rig.record.gen, rig.last.gen);
    (void) rig_ask(&rig, 1, session, 2, rig_delete("k", rig.last.gen, OUTCOME_CANCELLED));
    CHECK_EQ(rig.record.kind, JOURNAL_END); /* which nobody waits for */
    CHECK(rig.record.by_owner && rig.record.outcome == OUTCOME_CANCELLED);
    registry_journal_kept(rig.registry, 3, rig.now_ms);
    arm.key = bytes_of_string("never stored");
    rig_park(&rig, 1, 0, 0, arm);
    rig_pass(&rig, 1000, 10);
    CHECK_EQ(rig.record.kind, JOURNAL_ARM_GONE);
    rig_fini(&rig);
}

static void a_cancel_by_a_ttl_is_recorded_too(void)
{
    begin(0, true);
    uint64_t session = rig_open(&rig, 1, 0);
    struct op store = rig_store("k", POLICY_REJECT);
    store.as.store.ttl_ms = 100;
    (void) rig_ask(&rig, 1, session, 1, store);
    rig_pass(&rig, 100, 10);
    CHECK_EQ(rig.records_of[JOURNAL_CANCEL], 1);
    rig_park(&rig, 1, 0, 0, rig_cancel("k", 0));
    CHECK_EQ(rig.records, 1); /* once is enough */
    registry_journal_kept(rig.registry, 1, rig.now_ms);
    CHECK_EQ(rig.last.answer, ANSWER_ALREADY_REQUESTED);
    rig_fini(&rig);
}

static void what_is_kept_is_told_while_the_journal_fails(void)
{
    begin(0, true);
    uint64_t session = rig_open(&rig, 1, 0);
    (void) rig_ask(&rig, 1, session, 1, rig_store("k", POLICY_REJECT));
    (void) rig_ask(&rig, 1, session, 2, rig_store("l", POLICY_REJECT));
    rig_park(&rig, 1, 0, 0, rig_cancel("k", 0));
    registry_journal_kept(rig.registry, 1, rig.now_ms);
    rig_park(&rig, 1, 0, 0, rig_cancel("l", 0));
    struct op get = {.kind = OP_GET, .key = bytes_of_string("k")};
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, get).answer,
             ANSWER_FOUND); /* the other one's record is not its */
    registry_journal_failed(rig.registry, rig.now_ms);
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, get).answer, ANSWER_FOUND);
    get.key = bytes_of_string("l");
    (void) rig_ask(&rig, 1, 0, 0, get);
    CHECK_EQ(rig.refused, ERROR_JOURNAL);
    rig_fini(&rig);
}

static void a_descendants_cancel_has_a_record(void)
{
    begin(0, true);
    uint64_t session = rig_open(&rig, 1, 0);
    uint64_t parent = rig_ask(&rig, 1, session, 1, rig_store("p", POLICY_REJECT)).gen;
    struct op child = rig_store("c", POLICY_REJECT);
    child.as.store.parent = parent;
    uint64_t gen = rig_ask(&rig, 1, session, 2, child).gen;
    rig_park(&rig, 1, 0, 0, rig_cancel("p", 0));
    rig.journal_pending = limits_default().journal_bytes; /* the sweep rests, and is not lost */
    rig_pass(&rig, 0, 10);
    CHECK_EQ(rig.records_of[JOURNAL_CANCEL], 1);
    rig.journal_pending = 0;
    rig_pass(&rig, 0, 10);
    CHECK_EQ(rig.records_of[JOURNAL_CANCEL], 2);
    CHECK_EQ(rig.record.gen, gen);
    CHECK_EQ(rig.record.cause.code, CAUSE_PARENT);
    rig_fini(&rig);
}

/* ---- adopt ---- */

/* Adopts p, and stores c under it: the gen of c. */
static uint64_t store_child(uint64_t session)
{
    CHECK_EQ(rig_do(&rig, session, adopt("p", EARLIER_GEN(5))).answer, ANSWER_ADOPTED);
    struct op child = rig_store("c", POLICY_REJECT);
    child.as.store.parent = EARLIER_GEN(5);
    struct seen stored = rig_do(&rig, session, child);
    CHECK_EQ(stored.answer, ANSWER_STORED);
    return stored.gen;
}

/* p ends, its end is forgotten, and its gen is adopted once more. */
static void parent_comes_again(uint64_t session)
{
    struct op end = rig_delete("p", EARLIER_GEN(5), OUTCOME_COMPLETED);
    CHECK_EQ(rig_do(&rig, session, end).answer, ANSWER_DELETED);
    CHECK_EQ(rig_do(&rig, session, adopt("p", EARLIER_GEN(5))).answer, ANSWER_ENDED);
    rig_pass(&rig, limits_default().finished_ms + 10000, 10);
    CHECK_EQ(rig_do(&rig, session, adopt("p", EARLIER_GEN(5))).answer, ANSWER_ADOPTED);
}

/* What get shows as the parent of c. */
static uint64_t parent_shown(uint64_t gen)
{
    struct op get = {.kind = OP_GET, .key = bytes_of_string("c"), .gen = gen};
    CHECK_EQ(rig_do(&rig, 0, get).answer, ANSWER_FOUND);
    return rig.lists.operations[0].parent;
}

/* Those that were its children are nobody's by then. */
static void a_parent_that_is_adopted_after_its_end_has_no_children(void)
{
    begin(0, false);
    uint64_t session = rig_open(&rig, 1, 0);
    (void) store_child(session);
    CHECK_EQ(parent_shown(0), EARLIER_GEN(5));
    parent_comes_again(session);
    CHECK_EQ(parent_shown(0), 0);
    rig_fini(&rig);
}

/* What is shown of one that ended is what it ended under, and that has ended since. */
static void a_parent_that_is_adopted_after_its_end_has_no_ended_children(void)
{
    begin(0, false);
    uint64_t session = rig_open(&rig, 1, 0);
    uint64_t gen = store_child(session);
    /* Its owner does not acknowledge that another ended it: it is remembered for longer. */
    uint64_t other = rig_open(&rig, 1, 0);
    CHECK_EQ(rig_do(&rig, other, rig_delete("c", gen, OUTCOME_FAILED)).answer, ANSWER_DELETED);
    CHECK_EQ(parent_shown(gen), EARLIER_GEN(5));
    parent_comes_again(session);
    CHECK_EQ(parent_shown(gen), 0);
    rig_fini(&rig);
}

/* It ended before its parent was adopted, for the first time. */
static void a_parent_that_was_awaited_is_shown_of_one_that_ended(void)
{
    begin(RECOVERY_MS, false);
    uint64_t session = rig_open(&rig, 1, 0);
    struct op child = adopt("c", EARLIER_GEN(6));
    child.as.store.parent = EARLIER_GEN(5);
    CHECK_EQ(rig_do(&rig, session, child).answer, ANSWER_ADOPTED);
    uint64_t other = rig_open(&rig, 1, 0);
    struct op end = rig_delete("c", EARLIER_GEN(6), OUTCOME_FAILED);
    CHECK_EQ(rig_do(&rig, other, end).answer, ANSWER_DELETED);
    CHECK_EQ(parent_shown(EARLIER_GEN(6)), EARLIER_GEN(5));
    CHECK_EQ(rig_do(&rig, session, adopt("p", EARLIER_GEN(5))).answer, ANSWER_ADOPTED);
    rig_pass(&rig, 1, 10); /* its children are looked for */
    CHECK_EQ(parent_shown(EARLIER_GEN(6)), EARLIER_GEN(5));
    parent_comes_again(session);
    CHECK_EQ(parent_shown(EARLIER_GEN(6)), 0);
    rig_fini(&rig);
}

static void an_operation_comes_back_under_its_gen(void)
{
    begin(RECOVERY_MS, false);
    uint64_t session = rig_open(&rig, 1, 0);
    CHECK_EQ(rig_ask(&rig, 1, session, 1, adopt("k", EARLIER_GEN(5))).answer, ANSWER_ADOPTED);
    CHECK_EQ(rig.last.state, STATE_LIVE);
    CHECK_EQ(rig.last.gen, EARLIER_GEN(5));
    CHECK_EQ(rig_ask(&rig, 1, session, 2, adopt("k", EARLIER_GEN(5))).answer, ANSWER_ADOPTED);
    uint64_t other = rig_open(&rig, 1, 0);
    CHECK_EQ(rig_ask(&rig, 1, other, 1, adopt("k", EARLIER_GEN(5))).answer, ANSWER_EXISTS);
    CHECK_EQ(rig_ask(&rig, 1, other, 2, adopt("l", EARLIER_GEN(5))).answer, ANSWER_NOT_FOUND);
    CHECK_EQ(rig_ask(&rig, 1, other, 3, adopt("k", (EPOCH + 1) << GEN_COUNTER_BITS)).answer,
             ANSWER_STALE_EPOCH);
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, rig_cancel("k", EARLIER_GEN(5))).answer, ANSWER_REQUESTED);
    struct op end = rig_delete("k", EARLIER_GEN(5), OUTCOME_COMPLETED);
    CHECK(rig_ask(&rig, 1, session, 3, end).cancelled);
    CHECK_EQ(rig_ask(&rig, 1, session, 4, adopt("k", EARLIER_GEN(5))).answer, ANSWER_ENDED);
    rig_fini(&rig);
}

static void of_two_gens_the_older_is_superseded(void)
{
    begin(0, false);
    uint64_t session = rig_open(&rig, 1, 0);
    uint64_t gen = rig_ask(&rig, 1, session, 1, rig_store("k", POLICY_REJECT)).gen;
    CHECK_GT(gen, EARLIER_GEN(9));
    struct seen older = rig_ask(&rig, 1, session, 2, adopt("k", EARLIER_GEN(9)));
    CHECK_EQ(older.state, STATE_CANCELLING);
    CHECK_EQ(older.cause, CAUSE_SUPERSEDED);
    struct op joins = adopt("k", EARLIER_GEN(8));
    joins.as.store.policy = POLICY_JOIN;
    CHECK_EQ(rig_ask(&rig, 1, session, 3, joins).state, STATE_LIVE);
    CHECK_EQ(rig_ask(&rig, 1, session, 4, rig_store("k", POLICY_REJECT)).gen, gen); /* current */
    rig_fini(&rig);
}

static void the_journals_cause_wins(void)
{
    begin(RECOVERY_MS, true);
    struct journal_record record = {.kind = JOURNAL_CANCEL,
                                    .space = bytes_of_string("default"),
                                    .key = bytes_of_string("k"),
                                    .gen = EARLIER_GEN(5),
                                    .cause = given};
    CHECK(registry_recover(rig.registry, &record));
    CHECK(!registry_is_idle(rig.registry));
    uint64_t session = rig_open(&rig, 1, 0);
    struct op op = adopt("k", EARLIER_GEN(5));
    op.as.store.cause_code = CAUSE_DEADLINE;
    struct seen adopted = rig_ask(&rig, 1, session, 1, op);
    CHECK_EQ(adopted.state, STATE_CANCELLING);
    CHECK_EQ(adopted.cause, CAUSE_USER);
    CHECK_EQ(rig.records_of[JOURNAL_CANCEL], 1); /* again, for this run */
    CHECK_EQ(rig_ask(&rig, 1, session, 2, rig_poll(NULL, 0, 0)).notices_count, 1);
    op = adopt("l", EARLIER_GEN(6));
    op.as.store.cause_code = CAUSE_DEADLINE;
    CHECK_EQ(rig_ask(&rig, 1, session, 3, op).cause, CAUSE_DEADLINE);
    CHECK_EQ(rig.records_of[JOURNAL_CANCEL], 2); /* what its owner knew */
    rig_fini(&rig);
}

/* It ended it, and may not have had the answer. */
static void a_finish_is_repeated_after_a_restart(void)
{
    begin(RECOVERY_MS, true);
    struct journal_record record = {.kind = JOURNAL_CANCEL,
                                    .space = bytes_of_string("default"),
                                    .key = bytes_of_string("k"),
                                    .gen = EARLIER_GEN(5),
                                    .cause = given,
                                    .by_owner = true};
    CHECK(registry_recover(rig.registry, &record));
    record.key = bytes_of_string("l");
    record.gen = EARLIER_GEN(6);
    CHECK(registry_recover(rig.registry, &record));
    CHECK(registry_is_idle(rig.registry)); /* nobody was told that it goes on */
    uint64_t session = rig_open(&rig, 1, 0);
    struct seen adopted = rig_ask(&rig, 1, session, 1, adopt("k", EARLIER_GEN(5)));
    CHECK_EQ(adopted.state, STATE_CANCELLING);
    CHECK_EQ(adopted.cause, CAUSE_USER);
    CHECK_EQ(rig.records_of[JOURNAL_CANCEL], 1);
    CHECK(!registry_is_idle(rig.registry));
    struct op end = rig_delete("k", EARLIER_GEN(5), OUTCOME_COMPLETED);
    rig_park(&rig, 1, session, 2, end);
    registry_journal_kept(rig.registry, rig.records, rig.now_ms);
    CHECK_EQ(rig.last.answer, ANSWER_DELETED);
    CHECK(rig.last.cancelled);
    CHECK_EQ(rig.last.cause, CAUSE_USER);
    CHECK_EQ(rig.record.kind, JOURNAL_END);
    CHECK(rig.record.by_owner);
    CHECK(registry_is_idle(rig.registry));
    registry_check(rig.registry);
    rig_fini(&rig);
}

static void nobody_takes_anothers_cancel(void)
{
    begin(RECOVERY_MS, false);
    struct journal_record record = {.kind = JOURNAL_CANCEL,
                                    .space = bytes_of_string("alice"),
                                    .key = bytes_of_string("k"),
                                    .gen = EARLIER_GEN(5),
                                    .cause = given};
    CHECK(registry_recover(rig.registry, &record));
    uint64_t session = rig_open(&rig, 1, 0);
    struct op mine = adopt("k", EARLIER_GEN(5));
    mine.space = bytes_of_string("bob");
    CHECK_EQ(rig_ask(&rig, 1, session, 1, mine).state, STATE_LIVE);
    struct op child = adopt("c", EARLIER_GEN(6));
    child.space = bytes_of_string("bob");
    child.as.store.parent = EARLIER_GEN(5);
    CHECK_EQ(rig_ask(&rig, 1, session, 2, child).state, STATE_LIVE);
    struct op hers = adopt("k", EARLIER_GEN(5));
    hers.space = bytes_of_string("alice");
    struct seen adopted = rig_ask(&rig, 1, session, 3, hers);
    CHECK_EQ(adopted.answer, ANSWER_ADOPTED);
    CHECK_EQ(adopted.cause, CAUSE_USER);
    rig_fini(&rig);
}

static void a_recovered_arm_meets_its_store(void)
{
    begin(0, true);
    struct journal_record arm = {.kind = JOURNAL_ARM,
                                 .space = bytes_of_string("default"),
                                 .key = bytes_of_string("k"),
                                 .ttl_ms = 500,
                                 .cause = given};
    CHECK(registry_recover(rig.registry, &arm));
    arm.key = bytes_of_string("l");
    CHECK(registry_recover(rig.registry, &arm));
    uint64_t session = rig_open(&rig, 1, 0);
    rig_park(&rig, 1, session, 1, rig_store("k", POLICY_REJECT));
    rig_pass(&rig, 500, 10);
    CHECK_EQ(rig_ask(&rig, 1, session, 2, rig_store("l", POLICY_REJECT)).answer, ANSWER_STORED);
    registry_journal_kept(rig.registry, rig.records, rig.now_ms);
    CHECK_EQ(rig.last.answer, ANSWER_BORN_CANCELLED);
    rig_fini(&rig);
}

/* ---- the recovery time ---- */

static void what_may_come_back_is_not_denied_meanwhile(void)
{
    begin(RECOVERY_MS, false);
    uint64_t session = rig_open(&rig, 1, 0);
    struct seen seen = rig_ask(&rig, 1, 0, 0, rig_cancel("k", 0));
    CHECK_EQ(seen.answer, ANSWER_RECOVERING);
    CHECK(seen.retry_ms > 0 && seen.retry_ms <= 200);
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, rig_cancel("k", EARLIER_GEN(1))).answer, ANSWER_RECOVERING);
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, rig_wait("k", UNTIL_ENDED, 1000)).answer, ANSWER_RECOVERING);
    struct op end = rig_delete("k", EARLIER_GEN(1), OUTCOME_FAILED);
    CHECK_EQ(rig_ask(&rig, 1, session, 1, end).answer, ANSWER_RECOVERING);
    uint64_t gen = rig_ask(&rig, 1, session, 2, rig_store("k", POLICY_REJECT)).gen;
    /* A gen of this start is known or not; an earlier one may yet come, though a higher is here. */
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, rig_cancel("l", gen)).answer, ANSWER_NOT_FOUND);
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, rig_cancel("k", EARLIER_GEN(1))).answer, ANSWER_RECOVERING);
    rig_pass(&rig, RECOVERY_MS, 10);
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, rig_cancel("k", EARLIER_GEN(1))).answer, ANSWER_STALE_GEN);
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, rig_cancel("l", 0)).answer, ANSWER_NOT_FOUND);
    rig_fini(&rig);
}

static void a_keyed_cancel_covers_who_comes_back_later(void)
{
    begin(RECOVERY_MS, false);
    uint64_t session = rig_open(&rig, 1, 0);
    (void) rig_ask(&rig, 1, session, 1, rig_store("k", POLICY_REJECT));
    struct op cancel = rig_cancel("k", 0);
    cancel.as.cancel.after_gen = EARLIER_GEN(3);
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, cancel).answer, ANSWER_REQUESTED);
    struct op joins = adopt("k", EARLIER_GEN(4));
    joins.as.store.policy = POLICY_JOIN;
    CHECK_EQ(rig_ask(&rig, 1, session, 2, joins).cause, CAUSE_USER);
    joins.gen = EARLIER_GEN(3);
    CHECK_EQ(rig_ask(&rig, 1, session, 3, joins).state, STATE_LIVE);
    rig_fini(&rig);
}

/* Whether an earlier gen is live elsewhere is nobody's to know here. */
static void an_earlier_parent_of_another_namespace_is_as_unknown(void)
{
    begin(RECOVERY_MS, false);
    uint64_t session = rig_open(&rig, 1, 0);
    struct op there = adopt("p", EARLIER_GEN(5));
    there.space = bytes_of_string("elsewhere");
    CHECK_EQ(rig_ask(&rig, 1, session, 1, there).answer, ANSWER_ADOPTED);
    struct op child = rig_store("c", POLICY_REJECT);
    child.as.store.parent = EARLIER_GEN(5);
    CHECK_EQ(rig_ask(&rig, 1, session, 2, child).answer, ANSWER_RECOVERING);
    child.as.store.parent = EARLIER_GEN(6);
    CHECK_EQ(rig_ask(&rig, 1, session, 3, child).answer, ANSWER_RECOVERING);
    rig_pass(&rig, RECOVERY_MS, 100);
    CHECK_EQ(rig_ask(&rig, 1, session, 4, child).answer, ANSWER_PARENT_NOT_FOUND);
    child.as.store.parent = EARLIER_GEN(5);
    CHECK_EQ(rig_ask(&rig, 1, session, 5, child).answer, ANSWER_PARENT_NOT_FOUND);
    rig_fini(&rig);
}

/* ---- history and rights ---- */

static void a_page_of_history_finds_who_asked(void)
{
    begin(0, true);
    struct op op = {.kind = OP_HISTORY};
    rig_park(&rig, 1, 0, 1, op);
    uint64_t first = rig.ticket;
    rig_park(&rig, 1, 0, 2, op);
    registry_history(rig.registry, rig.ticket, NULL, 0, 0, false, rig.now_ms);
    CHECK_EQ(rig.last_request_id, 2);
    registry_history(rig.registry, rig.ticket, NULL, 0, 0, false, rig.now_ms); /* nobody */
    registry_history(rig.registry, first, NULL, 0, 0, true, rig.now_ms);
    CHECK_EQ(rig.last.answer, ANSWER_FULL);
    CHECK_EQ(rig.answers[ANSWER_HISTORY], 1);
    rig.history_fails = true;
    CHECK_EQ(rig_ask(&rig, 1, 0, 3, op).answer, ANSWER_FULL);
    rig_fini(&rig);
    begin(0, false);
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, op).error, ERROR_NO_JOURNAL);
    rig_fini(&rig);
}

static void a_right_is_looked_at_before_the_key(void)
{
    rig_begin(&rig, &(struct rig_options){.epoch = EPOCH, .counter_first = 1, .rights = true});
    struct op open = {.kind = OP_OPEN, .space = bytes_of_string("mine")};
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, open).answer, ANSWER_DENIED);
    rig.roles = ROLE_OWNER;
    uint64_t owner = rig_ask(&rig, 1, 0, 0, open).session;
    uint64_t gen = rig_ask(&rig, 1, owner, 1, rig_store("k", POLICY_REJECT)).gen;
    CHECK_EQ(rig_ask(&rig, 1, owner, 2, rig_cancel("k", gen)).answer, ANSWER_DENIED);
    CHECK_EQ(rig_ask(&rig, 1, owner, 3, rig_cancel("unknown", 0)).answer, ANSWER_DENIED);
    struct op there = rig_store("k", POLICY_REJECT);
    there.space = bytes_of_string("theirs");
    CHECK_EQ(rig_ask(&rig, 1, owner, 4, there).answer, ANSWER_DENIED);
    rig.roles = ROLE_CANCELLER; /* as after a reload */
    registry_rights_changed(rig.registry);
    CHECK_EQ(rig_ask(&rig, 1, owner, 5, rig_cancel("k", gen)).answer, ANSWER_REQUESTED);
    struct op end = rig_delete("k", gen, OUTCOME_FAILED);
    CHECK_EQ(rig_ask(&rig, 1, owner, 6, end).answer, ANSWER_DENIED);
    open.as.open.token = bytes_of_string("a guess");
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, open).answer, ANSWER_DENIED);
    open.as.open.token = bytes_of_string("a secret");
    uint64_t admin = rig_ask(&rig, 1, 0, 0, open).session;
    CHECK_EQ(rig_ask(&rig, 1, admin, 1, end).answer, ANSWER_DELETED);
    rig_fini(&rig);
}

static const struct test_case cases[] = {
    {"an answer that tells of a cancel waits for the journal; the owner does not",
     an_answer_of_a_cancel_waits_for_the_journal},
    {"a repeat of its request waits as its first did", a_repeat_waits_as_its_first_did},
    {"a journal that fails acknowledges nothing, and refuses what would need it",
     a_journal_that_fails_acknowledges_nothing},
    {"a journal that is too far behind is a bound", a_journal_that_is_behind_is_a_bound},
    {"an arm, its use and its lapse are recorded", an_arm_and_its_use_are_recorded},
    {"a cancel by a ttl's end is recorded, once", a_cancel_by_a_ttl_is_recorded_too},
    {"what is kept is told, also while the journal fails",
     what_is_kept_is_told_while_the_journal_fails},
    {"a descendant's cancel has a record of its own", a_descendants_cancel_has_a_record},
    {"a cancel of an earlier run is its own operation's alone", nobody_takes_anothers_cancel},
    {"a parent that is adopted after its end was forgotten has no children",
     a_parent_that_is_adopted_after_its_end_has_no_children},
    {"a parent that is adopted after its end was forgotten has no ended children",
     a_parent_that_is_adopted_after_its_end_has_no_ended_children},
    {"a parent that was awaited is shown of a child that ended",
     a_parent_that_was_awaited_is_shown_of_one_that_ended},
    {"an operation comes back under its gen", an_operation_comes_back_under_its_gen},
    {"of two gens of a key the older is superseded", of_two_gens_the_older_is_superseded},
    {"the journal's cause wins over the owner's", the_journals_cause_wins},
    {"a finish that is repeated after a restart is told of the cancel again",
     a_finish_is_repeated_after_a_restart},
    {"an arm of an earlier run meets its store, or lapses", a_recovered_arm_meets_its_store},
    {"in the recovery time nothing is denied that may come back",
     what_may_come_back_is_not_denied_meanwhile},
    {"a keyed cancel of the recovery time covers who comes back later",
     a_keyed_cancel_covers_who_comes_back_later},
    {"an earlier parent of another namespace is as unknown as one that is nowhere",
     an_earlier_parent_of_another_namespace_is_as_unknown},
    {"a page of history finds who asked for it", a_page_of_history_finds_who_asked},
    {"rights are looked at before the key", a_right_is_looked_at_before_the_key},
};
TEST_MAIN(cases)
