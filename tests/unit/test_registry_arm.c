/* SPDX-License-Identifier: MIT */
/* An arm is used once, whatever a crash forgets: nobody hears of its use before the journal has it. */
#include "registry_rig.h"
#include "testing.h"

#define EPOCH UINT64_C(7)
#define EARLIER_GEN(n) (((EPOCH - 1) << GEN_COUNTER_BITS) | (n))

static struct rig rig;
static uint64_t owner;

static struct op adopt(const char *key, uint64_t gen)
{
    return (struct op){.kind = OP_ADOPT, .key = bytes_of_string(key), .gen = gen};
}

/* After a restart: the journal brought back an arm of "k". */
static void begin(void)
{
    rig_begin(&rig, &(struct rig_options){.epoch = EPOCH, .counter_first = 1, .journal = true});
    struct journal_record arm = {.kind = JOURNAL_ARM,
                                 .space = bytes_of_string("default"),
                                 .key = bytes_of_string("k"),
                                 .ttl_ms = 5000,
                                 .cause = {.code = CAUSE_USER, .text = bytes_of_string("why")}};
    CHECK(registry_recover(rig.registry, &arm));
    owner = rig_open(&rig, 1, 0);
}

static size_t notices(uint64_t session, uint64_t request_id)
{
    return rig_ask(&rig, 1, session, request_id, rig_poll(NULL, 0, 0)).notices_count;
}

static void keep_all(void)
{
    registry_journal_kept(rig.registry, rig.records, rig.now_ms);
    registry_check(rig.registry);
}

static void an_adopter_hears_of_it_when_it_is_kept(void)
{
    begin();
    rig_park(&rig, 1, owner, 1, adopt("k", EARLIER_GEN(5)));
    CHECK_EQ(rig.records_of[JOURNAL_ARM_USED], 1);
    CHECK_EQ(rig.record.gen, EARLIER_GEN(5));
    CHECK_EQ(notices(owner, 2), 0);
    rig_park(&rig, 1, owner, 3, adopt("k", EARLIER_GEN(5))); /* nor if he asks again */
    rig_park(&rig, 1, owner, 4, rig_poll(NULL, 0, 1000));
    size_t replies = rig.replies;
    keep_all();
    CHECK_EQ(rig.replies, replies + 2);
    CHECK_EQ(rig.answers[ANSWER_ADOPTED], 2);
    CHECK_EQ(rig.last.state, STATE_CANCELLING);
    rig_pass(&rig, 0, 10);
    CHECK_EQ(rig.last.answer, ANSWER_NOTICES);
    CHECK_EQ(rig.last.notices_count, 1);
    CHECK_EQ(rig.last.notice_gens[0], EARLIER_GEN(5));
    CHECK_EQ(rig.last.notice_last, 1);
    rig_fini(&rig);
}

static void a_store_that_it_meets_is_told_of_likewise(void)
{
    begin();
    rig_park(&rig, 1, owner, 1, rig_store("k", POLICY_REJECT));
    CHECK_EQ(notices(owner, 2), 0);
    keep_all();
    CHECK_EQ(rig.last.answer, ANSWER_BORN_CANCELLED);
    CHECK_EQ(notices(owner, 3), 1);
    rig_fini(&rig);
}

static void others_are_told_meanwhile(void)
{
    begin();
    (void) rig_ask(&rig, 1, owner, 1, rig_store("other", POLICY_REJECT));
    rig_park(&rig, 1, owner, 2, adopt("k", EARLIER_GEN(5)));
    registry_journal_failed(rig.registry, rig.now_ms);
    CHECK_EQ(rig.refused, ERROR_JOURNAL); /* to the adopt: it is done, and may be forgotten */
    struct op ttl = rig_store("late", POLICY_REJECT);
    ttl.as.store.ttl_ms = 100;
    (void) rig_ask(&rig, 1, owner, 3, ttl);
    rig_pass(&rig, 100, 10);
    CHECK_EQ(notices(owner, 4), 1); /* of the ttl's end */
    CHECK(rig.last.notice_gens[0] != EARLIER_GEN(5));
    CHECK_EQ(rig.last.notice_last, 1);
    keep_all();
    CHECK_EQ(notices(owner, 5), 2);
    CHECK_EQ(rig.last.notice_gens[1], EARLIER_GEN(5));
    CHECK_EQ(rig.last.notice_last, 2);
    rig_fini(&rig);
}

static void children_are_told_with_it(void)
{
    begin();
    struct op child = adopt("child", EARLIER_GEN(6));
    child.as.store.parent = EARLIER_GEN(5);
    (void) rig_ask(&rig, 1, owner, 1, child);
    rig_park(&rig, 1, owner, 2, adopt("k", EARLIER_GEN(5)));
    rig_pass(&rig, 0, 10);
    struct op of_both = {.kind = OP_COUNT, .as.list.state = STATE_CANCELLING};
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, of_both).count, 2);
    CHECK_EQ(notices(owner, 3), 0);
    keep_all();
    CHECK_EQ(notices(owner, 4), 2);
    rig_fini(&rig);
}

static void an_ack_of_what_was_not_told_is_none(void)
{
    begin();
    rig_park(&rig, 1, owner, 1, adopt("k", EARLIER_GEN(5)));
    struct notice_ack early = {.gen = EARLIER_GEN(5), .kind = NOTICE_CANCEL};
    CHECK_EQ(rig_ask(&rig, 1, owner, 2, rig_poll(&early, 1, 0)).notices_count, 0);
    keep_all();
    CHECK_EQ(notices(owner, 3), 1);
    CHECK_EQ(rig_ask(&rig, 1, owner, 4, rig_poll(&early, 1, 0)).notices_count, 0);
    rig_fini(&rig);
}

static void an_end_meanwhile_is_told_behind_it(void)
{
    begin();
    rig_park(&rig, 1, owner, 1, adopt("k", EARLIER_GEN(5)));
    uint64_t other = rig_open(&rig, 1, 0);
    rig_park(&rig, 1, other, 1, rig_delete("k", EARLIER_GEN(5), OUTCOME_FAILED));
    CHECK_EQ(notices(owner, 2), 0);
    keep_all();
    CHECK_EQ(notices(owner, 3), 2);
    CHECK_EQ(rig.last.notice_kinds[0], NOTICE_CANCEL);
    CHECK_EQ(rig.last.notice_kinds[1], NOTICE_ENDED);
    rig_fini(&rig);
}

static void who_is_gone_by_then_is_not_told(void)
{
    begin();
    rig_park(&rig, 1, owner, 1, adopt("k", EARLIER_GEN(5)));
    rig_park(&rig, 1, owner, 2, rig_delete("k", EARLIER_GEN(5), OUTCOME_CANCELLED));
    uint64_t other = rig_open(&rig, 1, 0);
    struct op arm = rig_cancel("l", 0);
    arm.as.cancel.arm_ttl_ms = 1000;
    rig_park(&rig, 1, 0, 0, arm);
    rig_park(&rig, 1, other, 1, rig_store("l", POLICY_REJECT));
    (void) rig_ask(&rig, 1, other, 2, (struct op){.kind = OP_CLOSE});
    rig_pass(&rig, 0, 100);
    keep_all();
    CHECK_EQ(notices(owner, 3), 0);
    CHECK_EQ(rig_stat(&rig, "notices_unacknowledged"), 0);
    rig_fini(&rig);
}

static void a_kept_one_tells_its_next_owner_when_it_is_kept(void)
{
    begin();
    struct op kept = adopt("k", EARLIER_GEN(5));
    kept.as.store.ttl_ms = 5000;
    kept.as.store.on_owner_loss = ON_OWNER_LOSS_KEEP;
    rig_park(&rig, 1, owner, 1, kept);
    (void) rig_ask(&rig, 1, owner, 2, (struct op){.kind = OP_CLOSE});
    rig_pass(&rig, 0, 100);
    uint64_t other = rig_open(&rig, 1, 0);
    rig_park(&rig, 1, other, 1, kept);
    CHECK_EQ(notices(other, 2), 0);
    keep_all();
    CHECK_EQ(rig.last.answer, ANSWER_ADOPTED);
    CHECK_EQ(notices(other, 3), 1);
    rig_fini(&rig);
}

static const struct test_case cases[] = {
    {"an adopter hears of an arm's use when it is kept", an_adopter_hears_of_it_when_it_is_kept},
    {"a store that it meets is told of likewise", a_store_that_it_meets_is_told_of_likewise},
    {"others are told meanwhile", others_are_told_meanwhile},
    {"children are told with it", children_are_told_with_it},
    {"an ack of what was not told is none", an_ack_of_what_was_not_told_is_none},
    {"an end meanwhile is told behind it", an_end_meanwhile_is_told_behind_it},
    {"who is gone by then is not told", who_is_gone_by_then_is_not_told},
    {"a kept one tells its next owner when it is kept",
     a_kept_one_tells_its_next_owner_when_it_is_kept},
};
TEST_MAIN(cases)
