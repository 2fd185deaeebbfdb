/* SPDX-License-Identifier: MIT */
/* Callbacks: once each, on the right thread, and never after a delete has returned. */
#include "base/limits.h"
#include "local_rig.h"

#include <poll.h>
#include <pthread.h>

/* ---- whose thread ---- */

struct place {
    pthread_t thread;
    _Atomic(bool) called;
    _Atomic(bool) open; /* the callback waits for it */
    _Atomic(bool) returned;
    struct canceld_local *local;
    uint64_t gen;
};

static void note_place(void *arg, const struct canceld_local_notice *notice)
{
    struct place *place = arg;
    (void) notice;
    place->thread = pthread_self();
    atomic_store(&place->called, true);
    CHECK_EVENTUALLY(atomic_load(&place->open));
    atomic_store(&place->returned, true);
}

static uint64_t store_place(struct canceld_local *local, const char *key, struct place *place)
{
    struct canceld_local_request store = local_store_of(key, NULL);
    store.on_cancel = note_place;
    store.arg = place;
    return local_ask(local, store).gen;
}

static void the_owner_goes_on_while_a_callback_hangs(void)
{
    struct place place = {.called = false};
    struct canceld_local *local = local_start(NULL);
    (void) store_place(local, "a", &place);
    (void) local_ask(local, local_cancel_of("a", 0));
    CHECK_EVENTUALLY(atomic_load(&place.called));
    CHECK(!pthread_equal(place.thread, pthread_self()));
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(local_ask(local, local_get_of("a")).level, CANCELD_LEVEL_RECORDED);
    }
    atomic_store(&place.open, true);
    CHECK_EVENTUALLY(local_ask(local, local_get_of("a")).level == CANCELD_LEVEL_DELIVERED);
    canceld_local_free(local);
}

static void *open_it(void *arg)
{
    struct place *place = arg;
    CHECK_EVENTUALLY(atomic_load(&place->called));
    /* The deleting thread has been answered by the registry, and is kept waiting. */
    CHECK_EVENTUALLY(local_ask(place->local, local_cancel_of("a", place->gen)).answer ==
                     CANCELD_ANSWER_FINISHED);
    CHECK(!atomic_load(&place->returned));
    atomic_store(&place->open, true);
    return NULL;
}

static void run_delete_waits(bool by_lane)
{
    pthread_t thread;
    struct place place = {.called = false};
    place.local = local_start(NULL);
    struct canceld_lane *lane = by_lane ? local_attach(place.local, 4) : NULL;
    place.gen = store_place(place.local, "a", &place);
    (void) local_ask(place.local, local_cancel_of("a", 0));
    CHECK_EQ(pthread_create(&thread, NULL, open_it, &place), 0);
    const struct canceld_local_request delete = local_delete_of("a", place.gen);
    struct canceld_local_answer answer =
        by_lane ? lane_ask(lane, delete) : local_ask(place.local, delete);
    CHECK(atomic_load(&place.returned));
    CHECK_EQ(answer.answer, CANCELD_ANSWER_DELETED);
    CHECK(answer.cancelled);
    CHECK(!answer.callback_pending);
    CHECK(answer.arg == &place);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    canceld_lane_detach(lane);
    canceld_local_free(place.local);
}

static void a_delete_returns_after_the_callback(void)
{
    run_delete_waits(false);
    run_delete_waits(true);
}

static void a_pipelined_delete_says_that_a_callback_may_run(void)
{
    struct place place = {.called = false};
    struct canceld_local *local = local_start(NULL);
    struct canceld_lane *lane = local_attach(local, 4);
    struct canceld_local_answer answer;
    const uint64_t gen = store_place(local, "a", &place);
    (void) local_ask(local, local_cancel_of("a", 0));
    CHECK_EVENTUALLY(atomic_load(&place.called));
    struct canceld_local_request delete = local_delete_of("a", gen);
    CHECK_EQ(canceld_lane_submit(lane, &delete), CANCELD_OK);
    CHECK_EQ(canceld_lane_collect(lane, 0, &answer), CANCELD_OK);
    CHECK(answer.cancelled);
    CHECK(answer.callback_pending);
    CHECK_EQ(canceld_local_callback_wait(local, gen, 20), CANCELD_TIMED_OUT);
    atomic_store(&place.open, true);
    CHECK_EQ(canceld_local_callback_wait(local, gen, 0), CANCELD_OK);
    CHECK(atomic_load(&place.returned));
    CHECK_EQ(canceld_local_callback_wait(local, gen, 0), CANCELD_OK);
    CHECK_EQ(canceld_local_callback_wait(local, 12345, 0), CANCELD_OK);
    /* A deadline that passes while the callback runs: deleted, and still pending. */
    struct place other = {.called = false};
    const uint64_t second = store_place(local, "b", &other);
    (void) local_ask(local, local_cancel_of("b", 0));
    CHECK_EVENTUALLY(atomic_load(&other.called));
    delete = local_delete_of("b", second);
    CHECK_EQ(canceld_lane_ask(lane, &delete, 20, &answer), CANCELD_OK);
    CHECK(answer.callback_pending);
    atomic_store(&other.open, true);
    canceld_lane_detach(lane);
    canceld_local_free(local);
}

/* ---- back into the registry ---- */

struct again {
    struct canceld_local *local;
    struct told next;
    _Atomic(uint32_t) done;
};

static void ask_from_within(void *arg, const struct canceld_local_notice *notice)
{
    struct again *again = arg;
    /* It ends its own operation, and is not waited for by itself. */
    struct canceld_local_answer deleted =
        local_ask(again->local, local_delete_of("self", notice->gen));
    CHECK_EQ(deleted.answer, CANCELD_ANSWER_DELETED);
    CHECK(deleted.cancelled);
    CHECK(deleted.callback_pending);
    (void) local_store(again->local, "next", &again->next);
    CHECK_EQ(local_ask(again->local, local_cancel_of("next", 0)).answer, CANCELD_ANSWER_REQUESTED);
    CHECK_EQ(canceld_local_callback_wait(again->local, notice->gen, 0), CANCELD_INVALID);
    CHECK_EQ(canceld_local_run_callbacks(again->local, 1), 0);
    struct canceld_lane *lane = local_attach(again->local, 1);
    CHECK_EQ(lane_ask(lane, local_get_of("next")).answer, CANCELD_ANSWER_FOUND);
    canceld_lane_detach(lane);
    atomic_fetch_add(&again->done, 1);
}

static void run_again(const struct canceld_local_options *options)
{
    struct again again = {.local = local_start(options)};
    struct canceld_local_request store = local_store_of("self", NULL);
    store.on_cancel = ask_from_within;
    store.arg = &again;
    (void) local_ask(again.local, store);
    (void) local_ask(again.local, local_cancel_of("self", 0));
    CHECK_EVENTUALLY(canceld_local_run_callbacks(again.local, 1) + 1 > 0 &&
                     atomic_load(&again.next.cancels) == 1);
    CHECK_EQ(atomic_load(&again.done), 1);
    canceld_local_free(again.local);
    CHECK_EQ(atomic_load(&again.next.cancels), 1);
}

static void a_callback_may_ask_the_registry(void)
{
    run_again(NULL);
    run_again(&(struct canceld_local_options){.callbacks = CANCELD_LOCAL_CALLBACKS_POLLED});
    run_again(&(struct canceld_local_options){.mode = CANCELD_LOCAL_INLINE});
}

/* ---- many ---- */

static struct told many[5 * LOCAL_CALLBACKS_MAX];

static void more_than_the_ring_holds(void)
{
    const uint32_t count = sizeof many / sizeof many[0];
    struct place place = {.called = false};
    struct canceld_local *local = local_start(NULL);
    struct canceld_result result;
    (void) store_place(local, "first", &place);
    (void) local_ask(local, local_cancel_of("first", 0));
    CHECK_EVENTUALLY(atomic_load(&place.called));
    char key[32];
    for (uint32_t i = 0; i < count; i++) {
        (void) snprintf(key, sizeof key, "key-%u", i);
        (void) local_store(local, key, &many[i]);
    }
    struct canceld_cancel_request all = {.whole_namespace = true};
    CHECK_EQ(canceld_local_cancel(local, &all, 0, &result), CANCELD_OK);
    CHECK_EQ(result.requested, count);
    canceld_local_result_clear(&result);
    const uint64_t gen = local_ask(local, local_get_of("key-7")).gen;
    CHECK_EQ(canceld_local_callback_wait(local, gen, 20), CANCELD_TIMED_OUT);
    CHECK_EQ(atomic_load(&many[7].cancels), 0);
    atomic_store(&place.open, true);
    CHECK_EQ(canceld_local_callback_wait(local, gen, 0), CANCELD_OK);
    for (uint32_t i = 0; i < count; i++) {
        CHECK_EVENTUALLY(atomic_load(&many[i].cancels) == 1);
    }
    canceld_local_free(local);
    for (uint32_t i = 0; i < count; i++) {
        CHECK_EQ(atomic_load(&many[i].cancels), 1);
        CHECK_EQ(atomic_load(&many[i].ends), 0);
    }
}

static void a_backlog_refuses_stores_before_it_outgrows_its_bound(void)
{
    const struct canceld_local_limit limits[] = {{"operations", 16}};
    struct canceld_local *local = local_start(&(struct canceld_local_options){
        .callbacks = CANCELD_LOCAL_CALLBACKS_POLLED, .limits = limits, .limits_count = 1});
    struct told told = {0};
    uint32_t stored = 0;
    struct canceld_local_answer answer = {0};
    /* Nobody runs the callbacks, and operations come and go. */
    for (uint32_t i = 0; i < 2 * LOCAL_CALLBACKS_MAX; i++) {
        answer = local_ask(local, local_store_of("k", &told));
        if (answer.answer != CANCELD_ANSWER_STORED) {
            break;
        }
        stored++;
        (void) local_ask(local, local_cancel_of("k", 0));
        (void) local_ask(local, local_delete_of("k", answer.gen));
    }
    CHECK_EQ(answer.answer, CANCELD_ANSWER_FULL);
    CHECK_STR_EQ(answer.word, "callbacks");
    CHECK_GE(stored, LOCAL_CALLBACKS_MAX);
    CHECK_EVENTUALLY(canceld_local_run_callbacks(local, 100) == 0 &&
                     atomic_load(&told.cancels) == stored);
    CHECK_EVENTUALLY(local_ask(local, local_store_of("k", NULL)).answer == CANCELD_ANSWER_STORED);
    canceld_local_free(local);
    CHECK_EQ(atomic_load(&told.cancels), stored);
}

/* ---- polled ---- */

static void callbacks_are_polled_by_a_descriptor(void)
{
    struct told told[3] = {0};
    struct canceld_local *local =
        local_start(&(struct canceld_local_options){.callbacks = CANCELD_LOCAL_CALLBACKS_POLLED});
    struct pollfd ready = {.fd = canceld_local_fd(local), .events = POLLIN};
    CHECK_GE(ready.fd, 0);
    CHECK_EQ(poll(&ready, 1, 0), 0);
    (void) local_store(local, "a", &told[0]);
    (void) local_store(local, "b", &told[1]);
    const uint64_t gen = local_store(local, "c", &told[2]);
    (void) local_ask(local, local_cancel_of("a", 0));
    (void) local_ask(local, local_cancel_of("b", 0));
    (void) local_ask(local, local_cancel_of("c", 0));
    CHECK_EQ(poll(&ready, 1, 5000), 1);
    CHECK_EQ(atomic_load(&told[0].cancels), 0);
    struct canceld_local_answer deleted = local_ask(local, local_delete_of("c", gen));
    CHECK(deleted.cancelled);
    CHECK(deleted.callback_pending); /* who polls waits for himself */
    CHECK_EVENTUALLY(canceld_local_run_callbacks(local, 1) == 1);
    CHECK_EQ(poll(&ready, 1, 5000), 1); /* there are others */
    uint32_t count = 1;
    CHECK_EVENTUALLY((count += canceld_local_run_callbacks(local, 10)) == 3);
    CHECK_EVENTUALLY(canceld_local_run_callbacks(local, 10) == 0 && poll(&ready, 1, 0) == 0);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(atomic_load(&told[i].cancels), 1);
    }
    CHECK_EVENTUALLY(local_ask(local, local_get_of("a")).level == CANCELD_LEVEL_DELIVERED);
    canceld_local_free(local);
}

/* ---- ends ---- */

static void an_expiry_is_told(void)
{
    struct told reaped = {0};
    struct told cancelled = {0};
    struct canceld_local *local = local_start(NULL);
    struct canceld_local_request store = local_store_of("reaped", &reaped);
    store.ttl_ms = 100;
    store.on_expiry = CANCELD_ON_EXPIRY_REAP;
    const uint64_t gen = local_ask(local, store).gen;
    store = local_store_of("cancelled", &cancelled);
    store.ttl_ms = 100;
    (void) local_ask(local, store);
    CHECK_EVENTUALLY(atomic_load(&reaped.ends) == 1);
    CHECK_EQ(atomic_load(&reaped.cancels), 0);
    CHECK_EQ(atomic_load(&reaped.gen), gen);
    CHECK_EQ(atomic_load(&reaped.outcome), CANCELD_OUTCOME_EXPIRED);
    CHECK_EVENTUALLY(atomic_load(&cancelled.cancels) == 1);
    CHECK_EQ(atomic_load(&cancelled.cause), CANCELD_CAUSE_DEADLINE);
    struct canceld_local_answer late = local_ask(local, local_delete_of("reaped", gen));
    CHECK_EQ(late.answer, CANCELD_ANSWER_ENDED);
    CHECK_EQ(late.outcome, CANCELD_OUTCOME_EXPIRED);
    CHECK(!late.callback_pending);
    canceld_local_free(local);
}

static void a_stop_cancels_what_is_live(void)
{
    struct told told[2] = {0};
    struct canceld_local *local = local_start(NULL);
    (void) local_store(local, "a", &told[0]);
    const uint64_t gen = local_store(local, "b", &told[1]);
    (void) local_ask(local, local_delete_of("b", gen));
    canceld_local_stop(local);
    CHECK_EQ(atomic_load(&told[0].cancels), 1);
    CHECK_EQ(atomic_load(&told[0].cause), CANCELD_CAUSE_SHUTDOWN);
    CHECK_EQ(atomic_load(&told[1].cancels), 0);
    canceld_local_free(local);
    CHECK_EQ(atomic_load(&told[0].cancels), 1);

    static const struct canceld_local_options leaves[] = {
        {.leave_live = true}, {.leave_live = true, .mode = CANCELD_LOCAL_INLINE}};
    for (int i = 0; i < 2; i++) {
        struct told left = {0};
        local = local_start(&leaves[i]);
        (void) local_store(local, "a", &left);
        canceld_local_free(local);
        CHECK_EQ(atomic_load(&left.cancels), 0);
    }
}

static const struct test_case cases[] = {
    {"the owner answers while a callback hangs", the_owner_goes_on_while_a_callback_hangs},
    {"a delete returns after the callback has", a_delete_returns_after_the_callback},
    {"a pipelined delete says that a callback may run",
     a_pipelined_delete_says_that_a_callback_may_run},
    {"a callback may ask the registry", a_callback_may_ask_the_registry},
    {"more callbacks than the ring holds are each run once", more_than_the_ring_holds},
    {"stores are refused before the callbacks outgrow their bound",
     a_backlog_refuses_stores_before_it_outgrows_its_bound},
    {"callbacks are polled by a descriptor", callbacks_are_polled_by_a_descriptor},
    {"an expiry is told", an_expiry_is_told},
    {"a stop cancels what is live, unless it is to leave it", a_stop_cancels_what_is_live},
};
TEST_MAIN(cases)
