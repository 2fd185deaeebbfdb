/* SPDX-License-Identifier: MIT */
/* The corners of the registry, each alone. What it does in general is the model test's to show. */
#include "registry_rig.h"
#include "testing.h"

#include <stdio.h>

static struct rig rig;

static void finish_and_cancel_agree(void)
{
    rig_init(&rig, NULL, 1);
    uint64_t session = rig_open(&rig, 1, 0);
    uint64_t gen = rig_ask(&rig, 1, session, 1, rig_store("k", POLICY_REJECT)).gen;
    CHECK_EQ(gen, UINT64_C(7) << GEN_COUNTER_BITS | 1);
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, rig_cancel("k", 0)).answer, ANSWER_REQUESTED);
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, rig_cancel("k", gen)).answer, ANSWER_ALREADY_REQUESTED);
    struct seen deleted = rig_ask(&rig, 1, session, 2, rig_delete("k", gen, OUTCOME_COMPLETED));
    CHECK_EQ(deleted.answer, ANSWER_DELETED);
    CHECK(deleted.cancelled && deleted.by_owner);
    CHECK_EQ(deleted.cause, CAUSE_USER);
    struct seen late = rig_ask(&rig, 1, 0, 0, rig_cancel("k", 0));
    CHECK_EQ(late.answer, ANSWER_FINISHED);
    CHECK_EQ(late.outcome, OUTCOME_COMPLETED);
    CHECK_EQ(late.level, LEVEL_STOPPED);
    rig_fini(&rig);
}

static void many_waiters_are_told_in_steps(void)
{
    enum { WAITERS = 900 };

    rig_init(&rig, NULL, 1);
    uint64_t session = rig_open(&rig, 1, 0);
    uint64_t gen = rig_ask(&rig, 1, session, 1, rig_store("k", POLICY_REJECT)).gen;
    for (uint64_t i = 0; i < WAITERS; i++) {
        rig_park(&rig, 1, session, 10 + i,
                 rig_wait("k", i % 2 == 0 ? UNTIL_ENDED : UNTIL_CANCELLING, 60000));
    }
    (void) rig_ask(&rig, 1, 0, 0, rig_cancel("k", 0));
    CHECK_LT(rig.answers[ANSWER_CANCELLING], WAITERS / 2); /* not all within the one call */
    rig_pass(&rig, 0, 7);
    CHECK_EQ(rig.answers[ANSWER_CANCELLING], WAITERS / 2);
    CHECK_EQ(rig.answers[ANSWER_ENDED], 0);
    (void) rig_ask(&rig, 1, session, 2, rig_delete("k", gen, OUTCOME_CANCELLED));
    rig_pass(&rig, 0, 7);
    CHECK_EQ(rig.answers[ANSWER_ENDED], WAITERS / 2);
    rig_fini(&rig);
}

static void the_newest_remembered_is_the_highest(void)
{
    rig_init(&rig, NULL, 1);
    uint64_t session = rig_open(&rig, 1, 0);
    uint64_t gens[3];
    for (unsigned i = 0; i < 3; i++) {
        gens[i] = rig_ask(&rig, 1, session, 1 + i, rig_store("k", POLICY_JOIN)).gen;
    }
    static const unsigned order[3] = {1, 2, 0};
    for (unsigned i = 0; i < 3; i++) {
        rig_pass(&rig, 1000, 100);
        (void) rig_ask(&rig, 1, session, 10 + i,
                       rig_delete("k", gens[order[i]], OUTCOME_COMPLETED));
    }
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, rig_cancel("k", 0)).gen, gens[2]);
    rig_pass(&rig, 58500, 100); /* the middle one, which ended first, is forgotten */
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, rig_cancel("k", gens[1])).answer, ANSWER_STALE_GEN);
    rig_pass(&rig, 1000, 100); /* and the highest */
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, rig_cancel("k", 0)).gen, gens[0]);
    rig_pass(&rig, 1000, 100);
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, rig_cancel("k", 0)).answer, ANSWER_NOT_FOUND);
    rig_fini(&rig);
}

static void no_arm_after_a_gap_in_the_memory(void)
{
    struct limits limits = limits_default();
    limits.finished = 2;
    rig_init(&rig, &limits, 1);
    uint64_t session = rig_open(&rig, 1, 0);
    static const char *const keys[3] = {"a", "b", "c"};
    for (unsigned i = 0; i < 3; i++) {
        uint64_t gen = rig_ask(&rig, 1, session, 2 * i + 1, rig_store(keys[i], POLICY_REJECT)).gen;
        (void) rig_ask(&rig, 1, session, 2 * i + 2, rig_delete(keys[i], gen, OUTCOME_COMPLETED));
    }
    struct op arm = rig_cancel("a", 0);
    arm.as.cancel.arm_ttl_ms = 1000;
    struct seen seen = rig_ask(&rig, 1, 0, 0, arm);
    CHECK_EQ(seen.answer, ANSWER_FULL);
    CHECK_STR_EQ(seen.limit, "finished_memory");
    rig_pass(&rig, 60000, 100);
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, arm).answer, ANSWER_ARMED);
    CHECK_EQ(rig_ask(&rig, 1, session, 9, rig_store("a", POLICY_REJECT)).answer,
             ANSWER_BORN_CANCELLED);
    rig_fini(&rig);
}

static void what_does_not_fit_is_not_applied(void)
{
    static struct op ops[FRAME_OPS_MAX];
    static char names[FRAME_OPS_MAX][8];
    rig_init(&rig, NULL, 1);
    uint64_t session = rig_open(&rig, 1, 0);
    for (unsigned i = 0; i < FRAME_OPS_MAX; i++) {
        (void) snprintf(names[i], sizeof names[i], "k%u", i);
        ops[i] = rig_store(names[i], POLICY_REJECT);
    }
    struct frame frame = {
        .version = 1, .session = session, .request_id = 1, .ops = ops, .ops_count = FRAME_OPS_MAX};
    rig_send(&rig, 1, &frame);
    CHECK_EQ(rig.results, FRAME_OPS_MAX);
    CHECK_EQ(rig.last.answer, ANSWER_NOT_APPLIED);
    size_t stored = rig.answers[ANSWER_STORED];
    CHECK_EQ(stored + rig.answers[ANSWER_NOT_APPLIED], FRAME_OPS_MAX);
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, rig_cancel(names[stored], 0)).answer, ANSWER_NOT_FOUND);
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, rig_cancel(names[stored - 1], 0)).answer, ANSWER_REQUESTED);
    rig_fini(&rig);
}

static void an_answer_that_cannot_be_remembered_refuses_the_frame(void)
{
    struct limits limits = limits_default();
    limits.replies_session_bytes = 65536;
    rig_init(&rig, &limits, 1);
    uint64_t session = rig_open(&rig, 1, 0);
    uint64_t id = 1;
    do {
        (void) rig_ask(&rig, 1, session, id++, rig_store("k", POLICY_JOIN));
    } while (rig.refused == ERROR_UNSET);
    CHECK_EQ(rig.refused, ERROR_FULL);
    CHECK_STR_EQ(rig.refused_limit, "replies_session_bytes");
    struct op store = rig_store("k", POLICY_JOIN);
    struct frame again = {.version = 1,
                          .session = session,
                          .request_id = id - 1,
                          .answered_below = id - 1,
                          .ops = &store,
                          .ops_count = 1};
    rig_send(&rig, 1, &again);
    CHECK_EQ(rig.refused, ERROR_UNSET);
    CHECK_EQ(rig.last.answer, ANSWER_STORED);
    again.request_id = 1;
    rig_send(&rig, 1, &again);
    CHECK_EQ(rig.refused, ERROR_TOO_OLD);
    rig_fini(&rig);
}

static void an_answer_that_crossed_with_answered_below_is_kept(void)
{
    rig_init(&rig, NULL, 1);
    uint64_t session = rig_open(&rig, 1, 0);
    (void) rig_ask(&rig, 1, session, 1, rig_store("k", POLICY_REJECT));
    struct op cancel = rig_cancel("k", 0);
    cancel.as.cancel.level = LEVEL_STOPPED;
    cancel.as.cancel.deadline_ms = 1000;
    rig_park(&rig, 1, session, 2, cancel);
    rig_pass(&rig, 1000, 10);
    CHECK_EQ(rig.last.answer, ANSWER_REQUESTED); /* and this reply is lost */
    struct op ping = {.kind = OP_PING};
    struct frame frame = {.version = 1,
                          .session = session,
                          .request_id = 3,
                          .answered_below = 3,
                          .ops = &ping,
                          .ops_count = 1};
    rig_send(&rig, 1, &frame);
    CHECK_EQ(rig_ask(&rig, 1, session, 2, cancel).answer, ANSWER_REQUESTED);
    CHECK_EQ(rig.refused, ERROR_UNSET);
    uint64_t two = 2;
    frame.answered = &two;
    frame.answered_count = 1;
    frame.request_id = 4;
    rig_send(&rig, 1, &frame);
    (void) rig_ask(&rig, 1, session, 2, cancel);
    CHECK_EQ(rig.refused, ERROR_TOO_OLD);
    rig_fini(&rig);
}

static void a_close_stands_though_a_second_one_has_no_room(void)
{
    struct limits limits = limits_default();
    limits.replies_session_bytes = 64 + sizeof(struct reply_head) + sizeof(struct seen) + 4;
    rig_init(&rig, &limits, 1);
    uint64_t session = rig_open(&rig, 1, 0);
    struct op ops[2] = {{.kind = OP_CLOSE}, {.kind = OP_CLOSE}};
    struct frame frame = {
        .version = 1, .session = session, .request_id = 1, .ops = ops, .ops_count = 2};
    rig_send(&rig, 1, &frame);
    CHECK_EQ(rig.first.answer, ANSWER_CLOSED);
    CHECK_EQ(rig.last.answer, ANSWER_NOT_APPLIED);
    frame.request_id = 2;
    rig_send(&rig, 1, &frame);
    CHECK_EQ(rig.refused, ERROR_SESSION_LOST);
    rig_fini(&rig);
}

static void a_dead_owner_is_seen_before_its_turn(void)
{
    rig_init(&rig, NULL, 1);
    CHECK(registry_link_up(rig.registry, 2, (struct bytes){0}));
    uint64_t session = rig_open(&rig, 2, 0);
    (void) rig_ask(&rig, 2, session, 1, rig_store("a", POLICY_REJECT));
    (void) rig_ask(&rig, 2, session, 2, rig_store("b", POLICY_REJECT));
    registry_link_down(rig.registry, 2, rig.now_ms);
    rig_pass(&rig, 4999, 100);
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, rig_cancel("a", 0)).answer, ANSWER_REQUESTED);
    rig.now_ms += 1;
    CHECK(registry_advance(rig.registry, rig.now_ms, 1)); /* dead, and nothing buried yet */
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, rig_cancel("b", 0)).answer, ANSWER_OWNER_LOST);
    struct seen lost = rig_ask(&rig, 1, 0, 0, rig_cancel("a", 0));
    CHECK_EQ(lost.answer, ANSWER_OWNER_LOST);
    CHECK_EQ(lost.cause, CAUSE_USER);
    rig_pass(&rig, 0, 1);
    rig_fini(&rig);
}

static void the_counter_ends_and_the_epoch_rises(void)
{
    rig_init(&rig, NULL, GEN_COUNTER_MAX);
    uint64_t session = rig_open(&rig, 1, 0);
    uint64_t last = rig_ask(&rig, 1, session, 1, rig_store("a", POLICY_REJECT)).gen;
    CHECK_EQ(last & GEN_COUNTER_MAX, GEN_COUNTER_MAX);
    rig.epochs_end = true;
    struct seen full = rig_ask(&rig, 1, session, 2, rig_store("b", POLICY_REJECT));
    CHECK_EQ(full.answer, ANSWER_FULL);
    CHECK_STR_EQ(full.limit, "generations");
    rig.epochs_end = false;
    uint64_t next = rig_ask(&rig, 1, session, 3, rig_store("b", POLICY_REJECT)).gen;
    CHECK_EQ(next, UINT64_C(8) << GEN_COUNTER_BITS | 1);
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, rig_cancel("b", next + 1)).answer, ANSWER_STALE_EPOCH);
    rig_fini(&rig);
}

static void a_frame_with_the_secret_moves_its_session(void)
{
    rig_init(&rig, NULL, 1);
    CHECK(registry_link_up(rig.registry, 2, (struct bytes){0}));
    struct op open = {.kind = OP_OPEN};
    struct seen opened = rig_ask(&rig, 1, 0, 0, open);
    struct op store = rig_store("k", POLICY_REJECT);
    struct frame frame = {
        .version = 1, .session = opened.session, .request_id = 1, .ops = &store, .ops_count = 1};
    rig_send(&rig, 2, &frame);
    CHECK_EQ(rig.refused, ERROR_NOT_BOUND);
    frame.secret = bytes_of(opened.secret, SECRET_BYTES - 1);
    rig_send(&rig, 2, &frame);
    CHECK_EQ(rig.refused, ERROR_SESSION_LOST);
    frame.secret = bytes_of(opened.secret, SECRET_BYTES);
    rig_send(&rig, 2, &frame);
    CHECK_EQ(rig.last.answer, ANSWER_STORED);
    frame.secret = (struct bytes){0};
    rig_send(&rig, 1, &frame);
    CHECK_EQ(rig.refused, ERROR_NOT_BOUND);
    rig_fini(&rig);
}

static void a_parked_cancel_learns_that_the_owner_is_gone(void)
{
    rig_init(&rig, NULL, 1);
    CHECK(registry_link_up(rig.registry, 2, (struct bytes){0}));
    uint64_t session = rig_open(&rig, 2, 0);
    struct op store = rig_store("k", POLICY_REJECT);
    store.as.store.ttl_ms = 60000;
    store.as.store.on_owner_loss = ON_OWNER_LOSS_KEEP;
    (void) rig_ask(&rig, 2, session, 1, store);
    struct op cancel = rig_cancel("k", 0);
    cancel.as.cancel.level = LEVEL_STOPPED;
    cancel.as.cancel.deadline_ms = 30000;
    rig_park(&rig, 1, 0, 0, cancel);
    registry_link_down(rig.registry, 2, rig.now_ms);
    rig_pass(&rig, 5000, 3);
    CHECK_EQ(rig.last.answer, ANSWER_REQUESTED);
    CHECK_EQ(rig.last.level, LEVEL_RECORDED);
    CHECK(rig.last.no_owner);
    CHECK_EQ(rig.last.outcome, OUTCOME_UNSET);
    rig_fini(&rig);
}

static void silence_is_not_counted_while_nobody_listens(void)
{
    rig_init(&rig, NULL, 1);
    uint64_t session = rig_open(&rig, 1, 1000);
    rig_pass(&rig, 2000, 10);
    registry_link_paused(rig.registry, 1, true, rig.now_ms);
    rig_pass(&rig, 100000, 10);
    registry_link_paused(rig.registry, 1, false, rig.now_ms);
    rig_pass(&rig, 1000 + 4999, 10); /* the rest of three intervals, and the grace but 1 ms */
    CHECK_EQ(rig_ask(&rig, 1, session, 1, rig_store("k", POLICY_REJECT)).answer, ANSWER_STORED);
    rig_pass(&rig, 3000 + 5000, 10);
    (void) rig_ask(&rig, 1, session, 2, rig_store("l", POLICY_REJECT));
    CHECK_EQ(rig.refused, ERROR_SESSION_LOST);
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, rig_cancel("k", 0)).answer, ANSWER_OWNER_LOST);
    rig_fini(&rig);
}

static void notices_come_until_they_are_acknowledged(void)
{
    rig_init(&rig, NULL, 1);
    uint64_t owner = rig_open(&rig, 1, 0);
    uint64_t other = rig_open(&rig, 1, 0);
    uint64_t gen = rig_ask(&rig, 1, owner, 1, rig_store("k", POLICY_REJECT)).gen;
    rig_park(&rig, 1, owner, 2, rig_poll(NULL, 0, 20000));
    (void) rig_ask(&rig, 1, other, 1, rig_delete("k", gen, OUTCOME_FAILED));
    CHECK_EQ(rig.last.answer, ANSWER_NOTICES);
    CHECK_EQ(rig.last.notices_count, 1);
    CHECK_EQ(rig.last.notice_kinds[0], NOTICE_ENDED);
    rig_pass(&rig, 120000, 10); /* past the memory: it stays for its notice */
    CHECK_EQ(rig_ask(&rig, 1, owner, 3, rig_poll(NULL, 0, 0)).notices_count, 1);
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, rig_cancel("k", gen)).answer, ANSWER_FINISHED);
    struct notice_ack ack = {.gen = gen, .kind = NOTICE_ENDED};
    CHECK_EQ(rig_ask(&rig, 1, other, 2, rig_poll(&ack, 1, 0)).notices_count, 0);
    CHECK_EQ(rig_ask(&rig, 1, owner, 4, rig_poll(NULL, 0, 0)).notices_count, 1);
    CHECK_EQ(rig_ask(&rig, 1, owner, 5, rig_poll(&ack, 1, 0)).notices_count, 0);
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, rig_cancel("k", gen)).answer, ANSWER_NOT_FOUND);
    rig_fini(&rig);
}

static const struct test_case cases[] = {
    {"a delete after a cancel and a cancel after a delete tell the same story",
     finish_and_cancel_agree},
    {"many waiters of one operation are told in steps, and each of them",
     many_waiters_are_told_in_steps},
    {"the newest gen remembered is the highest, in whatever order they ended",
     the_newest_remembered_is_the_highest},
    {"nothing can be armed while the memory has a gap", no_arm_after_a_gap_in_the_memory},
    {"an op whose result has no room is not applied", what_does_not_fit_is_not_applied},
    {"a frame whose answer cannot be remembered is refused, and may come again",
     an_answer_that_cannot_be_remembered_refuses_the_frame},
    {"an answer that crossed with answered_below on its way is kept until it is named",
     an_answer_that_crossed_with_answered_below_is_kept},
    {"a close stands, though a second one in its frame has no room",
     a_close_stands_though_a_second_one_has_no_room},
    {"an operation of a dead owner is OWNER_LOST before it is buried",
     a_dead_owner_is_seen_before_its_turn},
    {"when the counter ends the epoch rises, or stores answer FULL",
     the_counter_ends_and_the_epoch_rises},
    {"a frame with the session's secret binds it to its link",
     a_frame_with_the_secret_moves_its_session},
    {"a parked cancel is answered NO_OWNER when a kept operation loses its owner",
     a_parked_cancel_learns_that_the_owner_is_gone},
    {"silence is not counted while the link is not read",
     silence_is_not_counted_while_nobody_listens},
    {"a notice comes until its own session acknowledges it, past the memory time too",
     notices_come_until_they_are_acknowledged},
};
TEST_MAIN(cases)
