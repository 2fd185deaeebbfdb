/* SPDX-License-Identifier: MIT */
/* Direct ops outside of what they may say, and at the edges between plain and whole: they are answered as
 * a frame's op would be. What they do in plenty is the embedded registry's tests' and the model's. */
#include "registry/direct.h"
#include "registry_rig.h"
#include "testing.h"

#include "base/siphash.h"

static struct rig rig;
static uint64_t session;

static void begin(void)
{
    rig_init(&rig, NULL, 1);
    session = registry_direct_open(rig.registry, rig.now_ms);
    CHECK_NE(session, 0);
}

static struct direct_answer serve(struct direct_op op)
{
    struct siphash_key table_key = {1, 2}; /* as the rig begins */
    struct direct_answer answer;
    op.hash = registry_direct_hash(&table_key, op.key);
    registry_direct(rig.registry, &op, rig.now_ms, &answer);
    registry_check(rig.registry);
    return answer;
}

static struct direct_op of_kind(enum op_kind kind, const char *key)
{
    return (struct direct_op){.kind = kind, .key = bytes_of_string(key)};
}

static void refused(struct direct_op op, const char *field)
{
    struct direct_answer answer = serve(op);
    CHECK_EQ(answer.answer, ANSWER_ERROR);
    CHECK_STR_EQ(answer.field, field);
}

static void a_key_is_1_to_256_bytes(void)
{
    begin();
    static char longest[KEY_BYTES_MAX + 2];
    memset(longest, 'k', KEY_BYTES_MAX + 1);
    refused(of_kind(OP_STORE, ""), "key");
    refused(of_kind(OP_STORE, longest), "key");
    CHECK_EQ(serve(of_kind(OP_STORE, longest + 1)).answer, ANSWER_STORED);
    rig_fini(&rig);
}

static void fields_of_a_store_are_in_their_range(void)
{
    begin();
    struct direct_op op = of_kind(OP_STORE, "k");
    op.ttl_ms = TTL_MS_MIN - 1;
    refused(op, "ttl_ms");
    op.ttl_ms = 0;
    op.policy = POLICY_END;
    refused(op, "policy");
    op.policy = POLICY_REJECT;
    op.on_expiry = ON_EXPIRY_END;
    refused(op, "on_expiry");
    op.on_expiry = ON_EXPIRY_REAP;
    op.on_owner_loss = ON_OWNER_LOSS_END;
    refused(op, "on_owner_loss");
    op.on_owner_loss = ON_OWNER_LOSS_KEEP;
    op.ttl_ms = TTL_MS_MIN;
    CHECK_EQ(serve(op).answer, ANSWER_STORED);
    op = of_kind(OP_STORE, "with a ttl");
    op.ttl_ms = TTL_MS_MIN;
    CHECK_EQ(serve(op).answer, ANSWER_STORED);
    op = of_kind(OP_STORE, "with meta");
    op.more = &(struct direct_more){.meta = bytes_of_string("meta")};
    CHECK_EQ(serve(op).answer, ANSWER_STORED);
    rig_fini(&rig);
}

static void an_outcome_is_one_that_an_owner_can_say(void)
{
    begin();
    struct direct_op op = of_kind(OP_DELETE, "k");
    op.gen = serve(of_kind(OP_STORE, "k")).gen;
    refused(op, "outcome");
    op.outcome = OUTCOME_EXPIRED;
    refused(op, "outcome");
    op.outcome = OUTCOME_CANCELLED;
    CHECK_EQ(serve(op).answer, ANSWER_DELETED);
    rig_fini(&rig);
}

static void a_cause_is_one_that_a_canceller_can_say(void)
{
    begin();
    struct direct_op op = of_kind(OP_CANCEL, "k");
    op.cause = CAUSE_SUPERSEDED;
    refused(op, "cause.code");
    op.cause = CAUSE_UNSET; /* which is USER */
    CHECK_EQ(serve(op).answer, ANSWER_NOT_FOUND);
    op.cause = CAUSE_DEADLINE;
    op.arm_ttl_ms = 1000;
    CHECK_EQ(serve(op).answer, ANSWER_ARMED);
    rig_fini(&rig);
}

static void a_touch_has_a_ttl(void)
{
    begin();
    struct direct_op op = of_kind(OP_TOUCH, "k");
    op.gen = serve(of_kind(OP_STORE, "k")).gen;
    refused(op, "ttl_ms");
    rig_fini(&rig);
}

static void without_a_gen_delete_and_touch_are_refused(void)
{
    begin();
    CHECK_EQ(serve(of_kind(OP_STORE, "k")).answer, ANSWER_STORED);
    struct direct_op op = of_kind(OP_DELETE, "k");
    op.outcome = OUTCOME_COMPLETED;
    refused(op, "gen");
    CHECK_EQ(serve(of_kind(OP_GET, "k")).state, STATE_LIVE);
    rig_fini(&rig);
}

/* Whoever ended stays so: a cancel or a touch by its gen says how it ended. */
static void what_has_ended_is_not_cancelled(void)
{
    begin();
    struct direct_op op = of_kind(OP_DELETE, "k");
    op.gen = serve(of_kind(OP_STORE, "k")).gen;
    op.outcome = OUTCOME_FAILED;
    CHECK_EQ(serve(op).answer, ANSWER_DELETED);
    op.kind = OP_TOUCH;
    op.ttl_ms = TTL_MS_MIN;
    CHECK_EQ(serve(op).answer, ANSWER_ENDED);
    CHECK_EQ(serve(op).outcome, OUTCOME_FAILED);
    op.kind = OP_CANCEL;
    op.cause = CAUSE_USER;
    struct direct_answer answer = serve(op);
    CHECK_EQ(answer.answer, ANSWER_FINISHED);
    CHECK_EQ(answer.outcome, OUTCOME_FAILED);
    rig_fini(&rig);
}

static void a_drained_namespace_takes_none(void)
{
    begin();
    struct op drain = {.kind = OP_DRAIN, .as.drain.owner = 0};
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, drain).answer, ANSWER_DRAINED);
    CHECK_EQ(serve(of_kind(OP_STORE, "k")).answer, ANSWER_DRAINING);
    rig_fini(&rig);
}

static void at_the_end_none_is_plain(void)
{
    begin();
    CHECK_EQ(serve(of_kind(OP_STORE, "k")).answer, ANSWER_STORED);
    registry_shut_down(rig.registry, rig.now_ms);
    CHECK_EQ(serve(of_kind(OP_GET, "k")).state, STATE_LIVE);
    rig_fini(&rig);
}

static void with_a_callback_the_owner_is_told(void)
{
    rig_begin(&rig, &(struct rig_options){.epoch = 7, .counter_first = 1, .told = true});
    session = registry_direct_open(rig.registry, rig.now_ms);
    uint64_t other = rig_open(&rig, 1, 0);
    uint64_t gen = serve(of_kind(OP_STORE, "k")).gen;
    CHECK_EQ(rig_do(&rig, other, rig_store("another's", POLICY_REJECT)).answer, ANSWER_STORED);
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, rig_cancel("another's", 0)).answer, ANSWER_REQUESTED);
    CHECK_EQ(rig.told, 0);
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, rig_cancel("k", 0)).answer, ANSWER_REQUESTED);
    CHECK_EQ(rig.told, 1);
    registry_direct_told(rig.registry, gen, NOTICE_CANCEL, rig.now_ms);
    CHECK_EQ(serve(of_kind(OP_GET, "k")).level, LEVEL_DELIVERED);
    rig_fini(&rig);
}

static void without_a_callback_notices_are_polled_for(void)
{
    begin();
    CHECK_EQ(serve(of_kind(OP_STORE, "k")).answer, ANSWER_STORED);
    struct direct_op op = of_kind(OP_CANCEL, "k");
    op.cause = CAUSE_USER;
    CHECK_EQ(serve(op).answer, ANSWER_REQUESTED);
    struct seen seen = rig_ask(&rig, DIRECT_LINK, session, 1, rig_poll(NULL, 0, 0));
    CHECK_EQ(seen.notices_count, 1);
    rig_fini(&rig);
}

static const struct test_case cases[] = {
    {"a direct op's key is 1 to 256 bytes", a_key_is_1_to_256_bytes},
    {"a direct store's fields are in their range", fields_of_a_store_are_in_their_range},
    {"a direct delete's outcome is one that an owner can say",
     an_outcome_is_one_that_an_owner_can_say},
    {"a direct cancel's cause is one that a canceller can say",
     a_cause_is_one_that_a_canceller_can_say},
    {"a direct touch has a ttl", a_touch_has_a_ttl},
    {"a direct delete without a gen is refused", without_a_gen_delete_and_touch_are_refused},
    {"what has ended is not cancelled by a direct op", what_has_ended_is_not_cancelled},
    {"a drained namespace takes no direct store", a_drained_namespace_takes_none},
    {"after the end of the registry a direct get still tells", at_the_end_none_is_plain},
    {"where there is a callback, it is told of direct ops alone",
     with_a_callback_the_owner_is_told},
    {"where there is no callback, the notices of direct ops are polled for",
     without_a_callback_notices_are_polled_for},
};
TEST_MAIN(cases)
