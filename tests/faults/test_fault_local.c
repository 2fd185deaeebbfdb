/* SPDX-License-Identifier: MIT */
/* The embedded registry without memory: each allocation of its own, each page and thread, fails once, and from then on. */
#include "local_rig.h"
#include "points.h"

#include <stdlib.h>

static bool is_want(enum canceld_status status)
{
    return status == CANCELD_NO_MEMORY || status == CANCELD_SYSTEM;
}

/* It works: a cancel is told. */
static void check_works(struct canceld_local *local)
{
    struct told told = {0};
    const uint64_t gen = local_store(local, "works", &told);
    CHECK_EQ(local_ask(local, local_cancel_of("works", gen)).answer, CANCELD_ANSWER_REQUESTED);
    CHECK(local_ask(local, local_delete_of("works", gen)).cancelled);
    while (canceld_local_run_callbacks(local, 100) > 0) {
    }
    CHECK_EVENTUALLY(atomic_load(&told.cancels) == 1);
}

static void start_with(const struct canceld_local_options *options)
{
    struct canceld_local *local = NULL;
    points_arm();
    enum canceld_status status = canceld_local_start(options, &local);
    const bool failed = points_disarm();
    if (status != CANCELD_OK) {
        CHECK(failed && is_want(status) && local == NULL);
        local = local_start(options);
    }
    check_works(local);
    canceld_local_free(local);
}

static void start_run(void)
{
    start_with(&(struct canceld_local_options){0});
}

static void start_polled_run(void)
{
    start_with(&(struct canceld_local_options){.callbacks = CANCELD_LOCAL_CALLBACKS_POLLED,
                                               .lanes_max = 3});
}

static void start_inline_run(void)
{
    start_with(&(struct canceld_local_options){.mode = CANCELD_LOCAL_INLINE});
}

/* One operation that is cancelled while memory fails, and what was said of it. */
struct subject {
    struct told told;
    uint64_t gen;
    bool answered; /* that its cancel is recorded */
};

/* The state that the registry has it in. */
static enum canceld_state state_of(struct canceld_local *local, const char *key)
{
    return local_ask(local, local_get_of(key)).state;
}

static void subject_store(struct subject *subject, struct canceld_local *local)
{
    struct canceld_local_store_request store = {
        .key = canceld_string("subject"),
        .meta = canceld_string("meta"),
        .labels = {canceld_string("one"), canceld_string("two")},
        .labels_count = 2,
        .on_cancel = local_tell,
        .arg = &subject->told};
    struct canceld_result result;
    if (canceld_local_store(local, &store, 0, &result) == CANCELD_OK &&
        result.answer == CANCELD_ANSWER_STORED) {
        subject->gen = result.gen;
    }
    canceld_local_result_clear(&result);
}

static void subject_cancel(struct subject *subject, struct canceld_local *local)
{
    struct canceld_cancel_request cancel = {
        .label = canceld_string("two"),
        .cause = {.code = CANCELD_CAUSE_POLICY, .text = canceld_string("because")}};
    struct canceld_result result;
    subject->answered = canceld_local_cancel(local, &cancel, 0, &result) == CANCELD_OK &&
                        result.answer == CANCELD_ANSWER_REQUESTED;
    canceld_local_result_clear(&result);
}

static void subject_check(struct subject *subject, struct canceld_local *local)
{
    if (subject->gen == 0) {
        CHECK(!subject->answered);
        return;
    }
    const enum canceld_state state = state_of(local, "subject");
    CHECK(state == CANCELD_STATE_CANCELLING || (state == CANCELD_STATE_LIVE && !subject->answered));
    struct canceld_local_answer ended = local_ask(local, local_delete_of("subject", subject->gen));
    CHECK_EQ(ended.answer, CANCELD_ANSWER_DELETED);
    CHECK_EQ(ended.cancelled, state == CANCELD_STATE_CANCELLING);
    while (canceld_local_run_callbacks(local, 100) > 0) {
    }
    CHECK_EVENTUALLY((int) atomic_load(&subject->told.cancels) == (ended.cancelled ? 1 : 0));
}

/* Whatever status: that it comes, and gives back what it has. */
static void ask_around(struct canceld_local *local)
{
    struct canceld_result result;
    const struct canceld_list_request list = {.labels = {canceld_string("one")}, .labels_count = 1};
    const struct canceld_get_request get = {.key = canceld_string("subject")};
    const struct canceld_wait_request wait = {.key = canceld_string("subject"),
                                              .until = CANCELD_UNTIL_ENDED};
    const struct canceld_watch_request watch = {.revision = 0};
    const struct canceld_drain_request drain = {.text = canceld_string("enough")};
    (void) !canceld_local_get(local, &get, 0, &result);
    canceld_local_result_clear(&result);
    (void) !canceld_local_list(local, &list, 0, &result);
    canceld_local_result_clear(&result);
    (void) !canceld_local_count(local, &list, 0, &result);
    canceld_local_result_clear(&result);
    (void) !canceld_local_armed(local, &list, 0, &result);
    canceld_local_result_clear(&result);
    (void) !canceld_local_wait(local, &wait, 0, &result);
    canceld_local_result_clear(&result);
    (void) !canceld_local_watch(local, &watch, 0, &result);
    canceld_local_result_clear(&result);
    (void) !canceld_local_stats(local, 0, &result);
    canceld_local_result_clear(&result);
    (void) !canceld_local_drain(local, &drain, 0, &result);
    canceld_local_result_clear(&result);
}

static void undrained(struct canceld_local *local)
{
    const struct canceld_drain_request drain = {.daemon = false};
    struct canceld_result result;
    CHECK_EQ(canceld_local_undrain(local, &drain, 0, &result), CANCELD_OK);
    canceld_local_result_clear(&result);
}

static void verbs_with(enum canceld_local_mode mode)
{
    struct canceld_local *local = local_start(&(struct canceld_local_options){.mode = mode});
    struct subject subject = {.gen = 0};
    points_arm();
    subject_store(&subject, local);
    struct canceld_lane *lane = NULL;
    (void) !canceld_lane_attach(local, 16, &lane);
    subject_cancel(&subject, local);
    ask_around(local);
    canceld_lane_detach(lane);
    (void) points_disarm();
    undrained(local);
    subject_check(&subject, local);
    check_works(local);
    canceld_local_free(local);
}

static void verbs_run(void)
{
    verbs_with(CANCELD_LOCAL_THREADED);
}

static void verbs_inline_run(void)
{
    verbs_with(CANCELD_LOCAL_INLINE);
}

/* So many that every table grows, in small steps of its pages, and shrinks again. */
#define MANY 30000U
static uint64_t gens[MANY];

static struct canceld_local_answer ask_nth(struct canceld_local *local, enum canceld_op op,
                                           uint32_t n)
{
    char key[24];
    (void) snprintf(key, sizeof key, "many-%u", n);
    return local_ask(local,
                     (struct canceld_local_request){.op = op,
                                                    .key = canceld_string(key),
                                                    .gen = op == CANCELD_OP_STORE ? 0 : gens[n],
                                                    .outcome = CANCELD_OUTCOME_COMPLETED});
}

static bool is_time_more(struct canceld_local *local)
{
    return canceld_local_run_once(local, 1);
}

static void growth_run(void)
{
    struct canceld_local *local =
        local_start(&(struct canceld_local_options){.mode = CANCELD_LOCAL_INLINE});
    uint32_t stored = 0;
    uint32_t full = 0;
    points_arm();
    for (uint32_t i = 0; i < MANY; i++) {
        struct canceld_local_answer answer = ask_nth(local, CANCELD_OP_STORE, i);
        gens[i] = answer.answer == CANCELD_ANSWER_STORED ? answer.gen : 0;
        stored += gens[i] != 0 ? 1 : 0;
        full += answer.answer == CANCELD_ANSWER_FULL ? 1 : 0;
        /* Every tenth one is cancelled, which makes a whole record of it. */
        if (gens[i] != 0 && i % 10 == 0) {
            answer = ask_nth(local, CANCELD_OP_CANCEL, i);
            full += answer.answer == CANCELD_ANSWER_FULL ? 1 : 0;
            gens[i] |= answer.answer == CANCELD_ANSWER_REQUESTED ? UINT64_C(1) << 63 : 0;
        }
    }
    const bool failed = points_disarm();
    CHECK(failed || (stored == MANY && full == 0));
    uint32_t lost = 0;
    for (uint32_t i = 0; i < MANY; i++) {
        const bool cancelled = (gens[i] >> 63) != 0;
        gens[i] &= UINT64_MAX >> 1;
        if (gens[i] != 0) {
            struct canceld_local_answer answer = ask_nth(local, CANCELD_OP_DELETE, i);
            CHECK_EQ(answer.answer, CANCELD_ANSWER_DELETED);
            lost += cancelled && !answer.cancelled ? 1 : 0;
        }
    }
    CHECK_EQ(lost, 0);
    while (is_time_more(local)) {
    }
    check_works(local);
    canceld_local_free(local);
}

/* A cancel of all at once, and the end of the registry, while memory fails. */
static void life_run(void)
{
    struct canceld_local *local = NULL;
    struct told told[8] = {0};
    uint32_t stored = 0;
    points_arm();
    enum canceld_status status = canceld_local_start(NULL, &local);
    for (size_t i = 0; status == CANCELD_OK && i < 8; i++) {
        char key[] = {'k', (char) ('0' + i), '\0'};
        struct canceld_local_request store = local_store_of(key, &told[i]);
        struct canceld_local_answer answer = {.answer = CANCELD_ANSWER_UNSET};
        (void) !canceld_local_ask(local, &store, 0, &answer);
        stored += answer.answer == CANCELD_ANSWER_STORED ? 1 : 0;
    }
    canceld_local_free(local); /* cancels what is live, and waits for each callback */
    const bool failed = points_disarm();
    CHECK(status == CANCELD_OK || (failed && is_want(status)));
    uint32_t cancels = 0;
    for (size_t i = 0; i < 8; i++) {
        cancels += atomic_load(&told[i].cancels);
    }
    CHECK_EQ(cancels, stored);
}

static void the_embedded_registry_starts(void)
{
    const struct points_scenario threaded = {.name = "local start", .run = start_run};
    const struct points_scenario polled = {.name = "local start polled", .run = start_polled_run};
    const struct points_scenario alone = {.name = "local start inline", .run = start_inline_run};
    points_check(&threaded);
    points_check(&polled);
    points_check(&alone);
}

static void the_embedded_registry_is_asked(void)
{
    const struct points_scenario threaded = {.name = "local verbs", .run = verbs_run};
    const struct points_scenario alone = {.name = "local verbs inline", .run = verbs_inline_run};
    points_check(&threaded);
    points_check(&alone);
}

static void the_embedded_registry_grows(void)
{
    const struct points_scenario scenario = {.name = "local growth", .run = growth_run};
    points_check(&scenario);
}

static void the_embedded_registry_lives_and_ends(void)
{
    const struct points_scenario scenario = {.name = "local life", .run = life_run};
    points_check(&scenario);
}

#define CASE_MS 300000

static const struct test_case cases[] = {
    {"an embedded registry starts whole or not at all", the_embedded_registry_starts, CASE_MS},
    {"each verb of an embedded registry survives, and no answered cancel is lost",
     the_embedded_registry_is_asked, CASE_MS},
    {"where a table cannot grow nothing that was answered is lost", the_embedded_registry_grows,
     CASE_MS},
    {"an embedded registry ends without memory too, and each cancel is told",
     the_embedded_registry_lives_and_ends, CASE_MS},
};
TEST_MAIN(cases)
