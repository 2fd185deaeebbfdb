/* SPDX-License-Identifier: MIT */
/* The registry on its caller's own loop: no thread, time as it is told, callbacks where it says. */
#include "local_rig.h"

static struct canceld_local *start_inline(uint64_t now_ms)
{
    return local_start(
        &(struct canceld_local_options){.mode = CANCELD_LOCAL_INLINE, .now_ms = now_ms});
}

static void settle(struct canceld_local *local, uint64_t now_ms)
{
    while (canceld_local_run_once(local, now_ms)) {
    }
}

static void time_is_what_the_caller_says(void)
{
    struct told told = {0};
    struct canceld_local *local = start_inline(1000);
    CHECK_EQ(canceld_local_fd(local), -1);
    struct canceld_local_request store = local_store_of("a", &told);
    store.ttl_ms = 500;
    const uint64_t gen = local_ask(local, store).gen;
    CHECK_EQ(local_ask(local, local_get_of("a")).ttl_left_ms, 500);
    CHECK_LE(canceld_local_next_ms(local), 1500);
    settle(local, 1499);
    CHECK_EQ(atomic_load(&told.cancels), 0);
    CHECK_EQ(local_ask(local, local_get_of("a")).ttl_left_ms, 1);
    CHECK_EQ(local_ask(local, local_get_of("a")).age_ms, 499);
    settle(local, 1501);
    CHECK_EQ(atomic_load(&told.cancels), 1);
    CHECK_EQ(atomic_load(&told.cause), CANCELD_CAUSE_DEADLINE);
    struct canceld_local_answer deleted = local_ask(local, local_delete_of("a", gen));
    CHECK(deleted.cancelled);
    CHECK(!deleted.callback_pending);
    canceld_local_free(local);
}

static void callbacks_run_where_the_caller_says(void)
{
    struct told told = {0};
    struct canceld_local *local = start_inline(0);
    const uint64_t gen = local_store(local, "a", &told);
    CHECK_EQ(local_ask(local, local_cancel_of("a", 0)).answer, CANCELD_ANSWER_REQUESTED);
    CHECK_EQ(canceld_local_next_ms(local), 0);
    CHECK_EQ(atomic_load(&told.cancels), 0);
    CHECK_EQ(local_ask(local, local_get_of("a")).level, CANCELD_LEVEL_RECORDED);
    CHECK_EQ(canceld_local_callback_wait(local, gen, 0), CANCELD_INVALID);
    CHECK_EQ(canceld_local_run_callbacks(local, 10), 1);
    CHECK_EQ(atomic_load(&told.cancels), 1);
    CHECK_EQ(local_ask(local, local_get_of("a")).level, CANCELD_LEVEL_DELIVERED);
    CHECK_EQ(canceld_local_run_callbacks(local, 10), 0);
    canceld_local_free(local);
    CHECK_EQ(atomic_load(&told.cancels), 1);
}

static void nobody_can_be_waited_for(void)
{
    struct canceld_local *local = start_inline(0);
    struct canceld_result result;
    (void) local_store(local, "a", NULL);
    struct canceld_wait_request wait = {
        .key = canceld_string("a"), .until = CANCELD_UNTIL_ENDED, .wait_ms = 1};
    CHECK_EQ(canceld_local_wait(local, &wait, 0, &result), CANCELD_INVALID);
    wait.wait_ms = 0;
    CHECK_EQ(canceld_local_wait(local, &wait, 0, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_TIMED_OUT);
    canceld_local_result_clear(&result);
    canceld_local_free(local);
}

/* A lane is a batch: nothing is done before it is flushed, all of it then. */
static void a_lane_is_a_batch(void)
{
    struct canceld_local *local = start_inline(0);
    struct canceld_lane *lane = local_attach(local, 8);
    char key[16];
    for (int i = 0; i < 8; i++) {
        (void) snprintf(key, sizeof key, "key-%d", i);
        struct canceld_local_request store = local_store_of(key, NULL);
        CHECK_EQ(canceld_lane_submit(lane, &store), CANCELD_OK);
    }
    CHECK_EQ(local_ask(local, local_get_of("key-0")).answer, CANCELD_ANSWER_NOT_FOUND);
    canceld_lane_flush(lane);
    CHECK_EQ(local_ask(local, local_get_of("key-7")).answer, CANCELD_ANSWER_FOUND);
    CHECK_EQ(local_stat(local, "local_batches"), 1);
    struct canceld_local_answer answer;
    for (int i = 0; i < 8; i++) {
        CHECK(canceld_lane_try_collect(lane, &answer));
        CHECK_EQ(answer.answer, CANCELD_ANSWER_STORED);
    }
    CHECK(!canceld_lane_try_collect(lane, &answer));
    canceld_lane_detach(lane);
    lane = local_attach(local, 1); /* the same one, at once */
    canceld_lane_detach(lane);
    canceld_local_free(local);
}

static void deadlines_are_given_in_their_order(void)
{
    static struct told told[64];
    struct canceld_local *local = start_inline(0);
    char key[16];
    for (uint32_t i = 0; i < 64; i++) {
        (void) snprintf(key, sizeof key, "key-%u", i);
        struct canceld_local_request store = local_store_of(key, &told[i]);
        store.ttl_ms = 1000 + 100 * i;
        store.on_expiry = CANCELD_ON_EXPIRY_REAP;
        CHECK_EQ(local_ask(local, store).answer, CANCELD_ANSWER_STORED);
    }
    for (uint32_t i = 0; i < 64; i++) {
        const uint64_t due_ms = 1000 + 100 * i;
        settle(local, due_ms - 1);
        CHECK_EQ(atomic_load(&told[i].ends), 0);
        CHECK_LE(canceld_local_next_ms(local), due_ms);
        settle(local, due_ms + 1);
        CHECK_EQ(atomic_load(&told[i].ends), 1);
        CHECK_EQ(atomic_load(&told[i].outcome), CANCELD_OUTCOME_EXPIRED);
    }
    canceld_local_free(local);
}

static const struct test_case cases[] = {
    {"time is what the caller says", time_is_what_the_caller_says},
    {"callbacks run where the caller says", callbacks_run_where_the_caller_says},
    {"nobody can be waited for", nobody_can_be_waited_for},
    {"a lane is a batch", a_lane_is_a_batch},
    {"deadlines are given in their order", deadlines_are_given_in_their_order},
};
TEST_MAIN(cases)
