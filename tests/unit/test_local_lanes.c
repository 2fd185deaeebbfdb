/* SPDX-License-Identifier: MIT */
/* Lanes: windows, order, what is full, what is given up, and what a lane leaves behind. Where the owner has to be
 * late the test holds it within an op. */
#include "local_rig.h"
#include "registry/direct.h"

#include <sched.h>

/* ---- no allocation ---- */

static _Atomic(uint64_t) allocations;

#if !TEST_SANITIZED && defined(__GLIBC__)
#define COUNTS_ALLOCATIONS 1
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);

void *malloc(size_t size)
{
    atomic_fetch_add(&allocations, 1);
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    atomic_fetch_add(&allocations, 1);
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    atomic_fetch_add(&allocations, 1);
    return __libc_realloc(memory, size);
}
#else
#define COUNTS_ALLOCATIONS 0
#endif

/* ---- an owner that is late ---- */

void __real_registry_direct(struct registry *registry, const struct direct_op *op, uint64_t now_ms,
                            struct direct_answer *answer);
void __wrap_registry_direct(struct registry *registry, const struct direct_op *op, uint64_t now_ms,
                            struct direct_answer *answer);

static _Atomic(bool) hold;
static _Atomic(bool) held;

/* The linker puts it where the owner's code calls registry_direct(). */
void __wrap_registry_direct(struct registry *registry, const struct direct_op *op, uint64_t now_ms,
                            struct direct_answer *answer)
{
    while (atomic_load(&hold)) {
        atomic_store(&held, true);
        (void) sched_yield();
    }
    atomic_store(&held, false);
    __real_registry_direct(registry, op, now_ms, answer);
}

/* From the next op on. */
static void hold_owner(void)
{
    atomic_store(&hold, true);
}

/* The owner may be later than the asker's deadline: what was asked stands in its queue, so it comes there. */
static void let_owner_go(void)
{
    CHECK_EVENTUALLY(atomic_load(&held));
    atomic_store(&hold, false);
}

/* ---- windows ---- */

static const char *key_of(char *key, uint32_t number)
{
    (void) snprintf(key, 300, "key-%u", number);
    if (number % 3 == 0) { /* one that does not fit its cell */
        (void) snprintf(key, 300, "key-%u-%0*d", number, (int) (40 + number % 200), 0);
    }
    return key;
}

static void fill_and_collect(struct canceld_lane *lane, uint32_t window, uint32_t count)
{
    char key[300];
    uint32_t submitted = 0;
    uint32_t collected = 0;
    uint64_t before = 0;
    while (collected < count) {
        struct canceld_local_request store = local_store_of(key_of(key, submitted), NULL);
        store.arg = (void *) (uintptr_t) (submitted + 1);
        if (submitted < count) {
            enum canceld_status status = canceld_lane_submit(lane, &store);
            CHECK_EQ(status, submitted - collected < window ? CANCELD_OK : CANCELD_FULL);
            submitted += status == CANCELD_OK;
            CHECK_EQ(canceld_lane_outstanding(lane), submitted - collected);
            if (status == CANCELD_OK) {
                continue;
            }
        }
        struct canceld_local_answer answer;
        CHECK_EQ(canceld_lane_collect(lane, 0, &answer), CANCELD_OK);
        CHECK_EQ(answer.answer, CANCELD_ANSWER_STORED);
        CHECK_GT(answer.gen, before); /* in the order of submission */
        before = answer.gen;
        struct canceld_local_answer extra;
        if (++collected == submitted) {
            CHECK(!canceld_lane_try_collect(lane, &extra));
        }
    }
    CHECK_EQ(canceld_lane_collect(lane, 0, NULL), CANCELD_INVALID);
}

static void check_and_delete(struct canceld_lane *lane, uint32_t count)
{
    char key[300];
    for (uint32_t i = 0; i < count; i++) {
        struct canceld_local_answer found = lane_ask(lane, local_get_of(key_of(key, i)));
        CHECK_EQ(found.answer, CANCELD_ANSWER_FOUND);
        CHECK_EQ((uintptr_t) found.arg, i + 1);
        CHECK_EQ(lane_ask(lane, local_delete_of(key_of(key, i), found.gen)).answer,
                 CANCELD_ANSWER_DELETED);
    }
}

static void every_window(void)
{
    for (int mode = 0; mode < 2; mode++) {
        struct canceld_local *local = local_start(&(struct canceld_local_options){
            .mode = (enum canceld_local_mode) mode, .lanes_max = 1});
        for (uint32_t window = 1; window <= CANCELD_LANE_WINDOW_MAX;
             window += window < 20 ? 1 : 59) {
            struct canceld_lane *lane = NULL;
            /* The one lane is free again once the owner came to the end of the last. */
            CHECK_EVENTUALLY(canceld_lane_attach(local, window, &lane) == CANCELD_OK);
            fill_and_collect(lane, window, 3 * window + 5);
            check_and_delete(lane, 3 * window + 5);
            canceld_lane_detach(lane);
        }
        canceld_local_free(local);
    }
}

static void windows_and_lanes_have_bounds(void)
{
    struct canceld_local *local = local_start(&(struct canceld_local_options){.lanes_max = 2});
    struct canceld_lane *lane = NULL;
    CHECK_EQ(canceld_lane_attach(local, 0, &lane), CANCELD_INVALID);
    CHECK_EQ(canceld_lane_attach(local, CANCELD_LANE_WINDOW_MAX + 1, &lane), CANCELD_INVALID);
    struct canceld_lane *first = local_attach(local, 1);
    struct canceld_lane *second = local_attach(local, CANCELD_LANE_WINDOW_MAX);
    CHECK_EQ(canceld_lane_attach(local, 1, &lane), CANCELD_FULL);
    canceld_lane_detach(first);
    CHECK_EVENTUALLY(canceld_lane_attach(local, 1, &first) == CANCELD_OK);
    CHECK_EQ(lane_ask(first, local_store_of("a", NULL)).answer, CANCELD_ANSWER_STORED);
    CHECK_EQ(lane_ask(second, local_store_of("a", NULL)).answer, CANCELD_ANSWER_EXISTS);
    canceld_lane_detach(first);
    canceld_lane_detach(second);
    canceld_local_free(local);
}

/* ---- answers given to a function, and taken out of their turn ---- */

struct done {
    struct canceld_lane *lane;
    uint64_t gens[8];
    uint32_t count;
};

static void on_done(void *arg, const struct canceld_local_answer *answer)
{
    struct done *done = arg;
    CHECK_LT(done->count, 8);
    done->gens[done->count++] = answer->gen;
    if (done->count == 1) { /* it may ask */
        CHECK_EQ(lane_ask(done->lane, local_get_of("one")).answer, CANCELD_ANSWER_FOUND);
    }
}

static void answers_find_their_way(void)
{
    struct canceld_local *local = local_start(NULL);
    struct canceld_lane *lane = local_attach(local, 8);
    struct done done = {.lane = lane};
    struct canceld_local_answer answer;
    struct canceld_local_request store = local_store_of("one", NULL);
    store.on_done = on_done;
    store.done_arg = &done;
    CHECK_EQ(canceld_lane_submit(lane, &store), CANCELD_OK);
    struct canceld_local_request plain = local_store_of("two", NULL);
    CHECK_EQ(canceld_lane_submit(lane, &plain), CANCELD_OK);
    store.key = canceld_string("three");
    CHECK_EQ(canceld_lane_submit(lane, &store), CANCELD_OK);

    /* An ask goes behind them and comes back before they are collected. */
    CHECK_EQ(lane_ask(lane, local_get_of("three")).answer, CANCELD_ANSWER_FOUND);
    CHECK_EQ(done.count, 0);
    CHECK_EQ(canceld_lane_collect(lane, 0, &answer), CANCELD_OK);
    CHECK_EQ(done.count, 1);
    CHECK_EQ(answer.gen, done.gens[0] + 1);
    CHECK_EQ(canceld_lane_collect(lane, 0, &answer), CANCELD_INVALID);
    CHECK_EQ(done.count, 2);
    CHECK_EQ(done.gens[1], done.gens[0] + 2);
    CHECK_EQ(canceld_lane_outstanding(lane), 0);
    canceld_lane_detach(lane);
    canceld_local_free(local);
}

/* ---- deadlines ---- */

static void a_late_answer_is_dropped(void)
{
    for (uint32_t window = 1; window <= 4; window += 3) {
        struct canceld_local *local = local_start(NULL);
        struct canceld_lane *lane = local_attach(local, window);
        struct canceld_local_answer answer;
        const uint64_t gen = local_store(local, "known", NULL);
        hold_owner();
        const uint64_t before_ms = test_now_ms();
        struct canceld_local_request get = local_get_of("unknown");
        CHECK_EQ(canceld_lane_ask(lane, &get, 30, &answer), CANCELD_TIMED_OUT);
        CHECK_GE(test_now_ms() - before_ms, 29);
        CHECK_EQ(canceld_lane_outstanding(lane), 1);
        struct canceld_local_request next = local_get_of("known");
        if (window == 1) {
            CHECK_EQ(canceld_lane_ask(lane, &next, 30, &answer), CANCELD_FULL);
        }
        let_owner_go();
        enum canceld_status status = CANCELD_FULL;
        CHECK_EVENTUALLY((status = canceld_lane_ask(lane, &next, 0, &answer)) != CANCELD_FULL);
        CHECK_EQ(status, CANCELD_OK);
        CHECK_EQ(answer.answer, CANCELD_ANSWER_FOUND);
        CHECK_EQ(answer.gen, gen);
        CHECK(!canceld_lane_try_collect(lane, &answer));
        CHECK_EQ(canceld_lane_outstanding(lane), 0);
        canceld_lane_detach(lane);
        canceld_local_free(local);
    }
}

static void a_collect_that_ran_out_of_time_loses_nothing(void)
{
    struct canceld_local *local = local_start(NULL);
    struct canceld_lane *lane = local_attach(local, 4);
    struct canceld_local_answer answer;
    hold_owner();
    struct canceld_local_request store = local_store_of("a", NULL);
    CHECK_EQ(canceld_lane_submit(lane, &store), CANCELD_OK);
    CHECK_EQ(canceld_lane_collect(lane, 20, &answer), CANCELD_TIMED_OUT);
    CHECK(!canceld_lane_try_collect(lane, &answer));
    let_owner_go();
    CHECK_EQ(canceld_lane_collect(lane, 0, &answer), CANCELD_OK);
    CHECK_EQ(answer.answer, CANCELD_ANSWER_STORED);
    canceld_lane_detach(lane);
    canceld_local_free(local);
}

static void an_ask_given_up_frees_its_place_once_it_is_answered(void)
{
    struct canceld_local *local = local_start(&(struct canceld_local_options){.asks_max = 1});
    struct canceld_local_answer answer;
    struct canceld_result result;
    hold_owner();
    struct canceld_local_request store = local_store_of("a", NULL);
    CHECK_EQ(canceld_local_ask(local, &store, 20, &answer), CANCELD_TIMED_OUT);
    CHECK_EQ(canceld_local_ask(local, &store, 20, &answer), CANCELD_FULL);
    CHECK_EQ(canceld_local_stats(local, 20, &result), CANCELD_FULL);
    let_owner_go();
    enum canceld_status status = CANCELD_FULL;
    CHECK_EVENTUALLY((status = canceld_local_ask(local, &store, 0, &answer)) != CANCELD_FULL);
    CHECK_EQ(status, CANCELD_OK);
    CHECK_EQ(answer.answer, CANCELD_ANSWER_EXISTS); /* it was done */
    canceld_local_free(local);
}

static void a_result_given_up_is_freed_by_the_owner(void)
{
    struct canceld_local *local = local_start(NULL);
    struct canceld_result result;
    struct canceld_local_answer answer;
    struct canceld_local_request get = local_get_of("a");
    hold_owner();
    CHECK_EQ(canceld_local_ask(local, &get, 20, &answer), CANCELD_TIMED_OUT);
    CHECK_EQ(canceld_local_stats(local, 20, &result), CANCELD_TIMED_OUT);
    CHECK(result.memory == NULL);
    let_owner_go();
    CHECK_GT(local_stat(local, "local_sweeps"), 0);
    canceld_local_free(local);
}

/* ---- the end of a lane ---- */

static void a_detached_lane_has_done_what_it_was_given(void)
{
    struct canceld_local *local = local_start(&(struct canceld_local_options){.lanes_max = 1});
    char key[300];
    for (uint32_t round = 0; round < 50; round++) {
        struct canceld_lane *lane = NULL;
        CHECK_EVENTUALLY(canceld_lane_attach(local, 8, &lane) == CANCELD_OK);
        for (uint32_t i = 0; i < 8; i++) {
            struct canceld_local_request store = local_store_of(key_of(key, round * 8 + i), NULL);
            CHECK_EQ(canceld_lane_submit(lane, &store), CANCELD_OK);
        }
        canceld_lane_detach(lane);
    }
    struct canceld_list_request all = {0};
    uint64_t count = 0;
    for (int i = 0; i < 1000 && count != 400; i++) {
        struct canceld_result result;
        CHECK_EQ(canceld_local_count(local, &all, 0, &result), CANCELD_OK);
        count = result.count;
        canceld_local_result_clear(&result);
    }
    CHECK_EQ(count, 400);
    canceld_local_free(local);
}

static void a_lane_of_a_stopped_registry_is_closed(void)
{
    struct canceld_local *local = local_start(NULL);
    struct canceld_lane *lane = local_attach(local, 4);
    struct canceld_local_answer answer;
    struct canceld_local_request store = local_store_of("a", NULL);
    CHECK_EQ(canceld_lane_submit(lane, &store), CANCELD_OK);
    canceld_lane_flush(lane);
    canceld_local_stop(local);
    canceld_local_stop(local);
    CHECK_EQ(canceld_lane_submit(lane, &store), CANCELD_CLOSED);
    CHECK_EQ(canceld_lane_ask(lane, &store, 0, &answer), CANCELD_CLOSED);
    CHECK_EQ(canceld_local_ask(local, &store, 0, &answer), CANCELD_CLOSED);
    CHECK_EQ(canceld_local_stats(local, 0, NULL), CANCELD_CLOSED);
    CHECK_EQ(canceld_lane_collect(lane, 0, &answer), CANCELD_OK); /* given before the stop */
    CHECK_EQ(answer.answer, CANCELD_ANSWER_STORED);
    struct canceld_lane *other = NULL;
    CHECK_EQ(canceld_lane_attach(local, 1, &other), CANCELD_CLOSED);
    canceld_lane_detach(lane);
    canceld_local_free(local);
}

/* ---- memory ---- */

static void churn(struct canceld_local *local, struct canceld_lane *lane, uint32_t rounds)
{
    char key[300];
    struct canceld_local_answer answer;
    for (uint32_t i = 0; i < rounds; i++) {
        struct canceld_local_request store = local_store_of(key_of(key, i % 100), NULL);
        CHECK_EQ(canceld_lane_submit(lane, &store), CANCELD_OK);
        struct canceld_local_request cancel = local_cancel_of(key, 0);
        CHECK_EQ(canceld_lane_submit(lane, &cancel), CANCELD_OK);
        CHECK_EQ(canceld_lane_collect(lane, 0, &answer), CANCELD_OK);
        const uint64_t gen = answer.gen;
        CHECK_EQ(canceld_lane_collect(lane, 0, NULL), CANCELD_OK);
        CHECK_EQ(lane_ask(lane, local_delete_of(key, gen)).answer, CANCELD_ANSWER_DELETED);
        CHECK_EQ(local_ask(local, local_get_of(key)).answer, CANCELD_ANSWER_FOUND);
    }
}

static void nothing_is_allocated_after_the_start(void)
{
    struct canceld_local *local = local_start(NULL);
    struct canceld_lane *lane = local_attach(local, 4);
    const uint64_t before = atomic_load(&allocations);
    churn(local, lane, 2000);
    CHECK_EQ(atomic_load(&allocations), before);
    CHECK(!COUNTS_ALLOCATIONS || before > 0); /* they are counted */
    canceld_lane_detach(lane);
    canceld_local_free(local);
}

static const struct test_case cases[] = {
    {"every window holds so many requests, and answers them in their order", every_window},
    {"windows and lanes have bounds", windows_and_lanes_have_bounds},
    {"answers go to who collects, to on_done, or to who asked", answers_find_their_way},
    {"an ask whose deadline passes is TIMED_OUT, and its late answer is nobody's",
     a_late_answer_is_dropped},
    {"a collect whose deadline passes loses nothing", a_collect_that_ran_out_of_time_loses_nothing},
    {"an ask that was given up frees its place once it is answered",
     an_ask_given_up_frees_its_place_once_it_is_answered},
    {"a result that was given up is freed", a_result_given_up_is_freed_by_the_owner},
    {"what a detached lane was given is done", a_detached_lane_has_done_what_it_was_given},
    {"a lane of a stopped registry is closed", a_lane_of_a_stopped_registry_is_closed},
    {"nothing is allocated after the start", nothing_is_allocated_after_the_start},
};
TEST_MAIN(cases)
