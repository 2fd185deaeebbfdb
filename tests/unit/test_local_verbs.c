/* SPDX-License-Identifier: MIT */
/* Every verb of the embedded registry, and each of its answers that can be had in one process, by each of
 * the ways to ask: the mailbox, a lane, inline. */
#include "local_rig.h"

#include <pthread.h>

/* One registry, and how it is asked. */
struct rig {
    struct canceld_local *local;
    struct canceld_lane *lane; /* NULL: the mailbox */
};

static struct canceld_local_answer ask(const struct rig *rig, struct canceld_local_request request)
{
    return rig->lane != NULL ? lane_ask(rig->lane, request) : local_ask(rig->local, request);
}

/* INLINE: what is left to be done is. */
static void settle(const struct rig *rig)
{
    while (canceld_local_run_once(rig->local, 1)) {
    }
}

static void on_each_way(void (*run)(const struct rig *rig))
{
    static const struct canceld_local_options ways[] = {
        {.mode = CANCELD_LOCAL_THREADED},
        {.mode = CANCELD_LOCAL_THREADED, .spin_us = CANCELD_LOCAL_SPIN_NONE},
        {.mode = CANCELD_LOCAL_INLINE},
    };
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        for (int with_lane = 0; with_lane < 2; with_lane++) {
            struct rig rig = {.local = local_start(&ways[i])};
            rig.lane = with_lane ? local_attach(rig.local, 4) : NULL;
            run(&rig);
            canceld_lane_detach(rig.lane);
            canceld_local_free(rig.local);
        }
    }
}

/* ---- the five ---- */

static void run_store(const struct rig *rig)
{
    struct canceld_local_answer first = ask(rig, local_store_of("a", NULL));
    CHECK_EQ(first.answer, CANCELD_ANSWER_STORED);
    struct canceld_local_answer second = ask(rig, local_store_of("a", NULL));
    CHECK_EQ(second.answer, CANCELD_ANSWER_EXISTS);
    CHECK_EQ(second.gen, first.gen);
    CHECK_EQ(second.state, CANCELD_STATE_LIVE);

    struct canceld_local_request join = local_store_of("a", NULL);
    join.policy = CANCELD_POLICY_JOIN;
    struct canceld_local_answer joined = ask(rig, join);
    CHECK_EQ(joined.answer, CANCELD_ANSWER_STORED);
    CHECK_GT(joined.gen, first.gen);

    struct canceld_local_request supersede = local_store_of("a", NULL);
    supersede.policy = CANCELD_POLICY_SUPERSEDE;
    CHECK_EQ(ask(rig, supersede).answer, CANCELD_ANSWER_STORED);
    struct canceld_local_answer ended = ask(rig, local_delete_of("a", first.gen));
    CHECK_EQ(ended.answer, CANCELD_ANSWER_DELETED);
    CHECK(ended.cancelled);
    CHECK_EQ(ended.cause, CANCELD_CAUSE_SUPERSEDED);
}

static void store_and_its_policies(void)
{
    on_each_way(run_store);
}

static void run_cancel(const struct rig *rig)
{
    CHECK_EQ(ask(rig, local_cancel_of("b", 0)).answer, CANCELD_ANSWER_NOT_FOUND);
    const uint64_t gen = ask(rig, local_store_of("b", NULL)).gen;
    CHECK_EQ(ask(rig, local_cancel_of("b", gen + 1000)).answer, CANCELD_ANSWER_STALE_EPOCH);
    struct canceld_local_request policy = local_cancel_of("b", gen);
    policy.cause = CANCELD_CAUSE_POLICY;
    struct canceld_local_answer requested = ask(rig, policy);
    CHECK_EQ(requested.answer, CANCELD_ANSWER_REQUESTED);
    CHECK_EQ(requested.gen, gen);
    CHECK_EQ(requested.level, CANCELD_LEVEL_RECORDED);
    CHECK_EQ(ask(rig, local_cancel_of("b", 0)).answer, CANCELD_ANSWER_ALREADY_REQUESTED);
    struct canceld_local_answer deleted = ask(rig, local_delete_of("b", gen));
    CHECK_EQ(deleted.answer, CANCELD_ANSWER_DELETED);
    CHECK(deleted.cancelled);
    CHECK_EQ(deleted.cause, CANCELD_CAUSE_POLICY);
    struct canceld_local_answer late = ask(rig, local_cancel_of("b", gen));
    CHECK_EQ(late.answer, CANCELD_ANSWER_FINISHED);
    CHECK_EQ(late.outcome, CANCELD_OUTCOME_COMPLETED);
}

static void cancel_and_its_answers(void)
{
    on_each_way(run_cancel);
}

static void run_arm(const struct rig *rig)
{
    struct canceld_local_request arm = local_cancel_of("later", 0);
    arm.arm_ttl_ms = 5000;
    CHECK_EQ(ask(rig, arm).answer, CANCELD_ANSWER_ARMED);
    struct told told = {0};
    struct canceld_local_answer born = ask(rig, local_store_of("later", &told));
    CHECK_EQ(born.answer, CANCELD_ANSWER_BORN_CANCELLED);
    CHECK_EQ(ask(rig, local_delete_of("later", born.gen)).answer, CANCELD_ANSWER_DELETED);
    while (canceld_local_run_callbacks(rig->local, 10) > 0) {
    }
    CHECK_EQ(atomic_load(&told.cancels), 1);
}

static void a_cancel_that_comes_first_meets_the_store(void)
{
    on_each_way(run_arm);
}

static void run_delete(const struct rig *rig)
{
    int mine;
    struct canceld_local_request store = local_store_of("c", NULL);
    store.arg = &mine;
    const uint64_t gen = ask(rig, store).gen;
    CHECK_EQ(ask(rig, local_delete_of("c", gen + 1)).answer, CANCELD_ANSWER_STALE_EPOCH);
    CHECK_EQ(ask(rig, local_delete_of("d", gen)).answer, CANCELD_ANSWER_NOT_FOUND);
    struct canceld_local_answer deleted = ask(rig, local_delete_of("c", gen));
    CHECK_EQ(deleted.answer, CANCELD_ANSWER_DELETED);
    CHECK(!deleted.cancelled);
    CHECK(!deleted.callback_pending);
    CHECK(deleted.arg == &mine);
    struct canceld_local_answer again = ask(rig, local_delete_of("c", gen));
    CHECK_EQ(again.answer, CANCELD_ANSWER_ENDED);
    CHECK_EQ(again.outcome, CANCELD_OUTCOME_COMPLETED);
    struct canceld_local_request odd = local_delete_of("c", gen);
    odd.outcome = CANCELD_OUTCOME_EXPIRED;
    struct canceld_local_answer refused = ask(rig, odd);
    CHECK_EQ(refused.answer, CANCELD_ANSWER_ERROR);
    CHECK_STR_EQ(refused.word, "outcome");
}

static void delete_and_its_answers(void)
{
    on_each_way(run_delete);
}

static void run_touch_and_get(const struct rig *rig)
{
    int mine;
    struct canceld_local_request store = local_store_of("e", NULL);
    store.ttl_ms = 60000;
    store.arg = &mine;
    const uint64_t gen = ask(rig, store).gen;
    struct canceld_local_answer found = ask(rig, local_get_of("e"));
    CHECK_EQ(found.answer, CANCELD_ANSWER_FOUND);
    CHECK_EQ(found.gen, gen);
    CHECK_EQ(found.state, CANCELD_STATE_LIVE);
    CHECK_GT(found.ttl_left_ms, 50000);
    CHECK_LE(found.ttl_left_ms, 60000);
    CHECK(found.arg == &mine);
    CHECK(found.word == NULL);
    struct canceld_local_request touch = {
        .op = CANCELD_OP_TOUCH, .key = canceld_string("e"), .gen = gen, .ttl_ms = 600000};
    CHECK_EQ(ask(rig, touch).answer, CANCELD_ANSWER_TOUCHED);
    CHECK_GT(ask(rig, local_get_of("e")).ttl_left_ms, 500000);
    touch.ttl_ms = 1;
    struct canceld_local_answer refused = ask(rig, touch);
    CHECK_EQ(refused.answer, CANCELD_ANSWER_ERROR);
    CHECK_STR_EQ(refused.word, "ttl_ms");
    CHECK_EQ(ask(rig, local_get_of("nobody")).answer, CANCELD_ANSWER_NOT_FOUND);
    CHECK_EQ(ask(rig, local_cancel_of("e", gen)).answer, CANCELD_ANSWER_REQUESTED);
    touch.ttl_ms = 60000;
    CHECK_EQ(ask(rig, touch).answer, CANCELD_ANSWER_CANCELLING);
    found = ask(rig, local_get_of("e"));
    CHECK_EQ(found.state, CANCELD_STATE_CANCELLING);
    CHECK_EQ(found.cause, CANCELD_CAUSE_USER);
}

static void touch_and_get_and_their_answers(void)
{
    on_each_way(run_touch_and_get);
}

static void run_key_sizes(const struct rig *rig)
{
    char key[257];
    uint64_t gens[257];
    memset(key, 'k', sizeof key);
    for (size_t size = 1; size <= 256; size++) {
        struct canceld_local_request store = {.op = CANCELD_OP_STORE, .key = {key, size}};
        struct canceld_local_answer answer = ask(rig, store);
        CHECK_EQ(answer.answer, CANCELD_ANSWER_STORED);
        gens[size] = answer.gen;
    }
    for (size_t size = 1; size <= 256; size++) {
        struct canceld_local_request get = {.op = CANCELD_OP_GET, .key = {key, size}};
        struct canceld_local_answer answer = ask(rig, get);
        CHECK_EQ(answer.answer, CANCELD_ANSWER_FOUND);
        CHECK_EQ(answer.gen, gens[size]);
    }
    struct canceld_local_answer answer;
    struct canceld_local_request get = {.op = CANCELD_OP_GET, .key = {key, 257}};
    CHECK_EQ(canceld_local_ask(rig->local, &get, 0, &answer), CANCELD_INVALID);
    get.key.size = 0;
    CHECK_EQ(canceld_local_ask(rig->local, &get, 0, &answer), CANCELD_INVALID);
    get = local_get_of("k");
    get.op = CANCELD_OP_LIST;
    CHECK_EQ(canceld_local_ask(rig->local, &get, 0, &answer), CANCELD_INVALID);
}

static void keys_of_every_size(void)
{
    on_each_way(run_key_sizes);
}

static void limits_are_the_registrys(void)
{
    const struct canceld_local_limit limits[] = {{"operations", 2}};
    struct canceld_local *local =
        local_start(&(struct canceld_local_options){.limits = limits, .limits_count = 1});
    (void) local_store(local, "a", NULL);
    const uint64_t gen = local_store(local, "b", NULL);
    struct canceld_local_answer full = local_ask(local, local_store_of("c", NULL));
    CHECK_EQ(full.answer, CANCELD_ANSWER_FULL);
    CHECK(full.word != NULL && strncmp(full.word, "operations", 10) == 0);
    CHECK_EQ(local_ask(local, local_delete_of("b", gen)).answer, CANCELD_ANSWER_DELETED);
    (void) local_store(local, "c", NULL);
    canceld_local_free(local);
}

static void bad_options_start_nothing(void)
{
    const struct canceld_local_limit unknown[] = {{"no_such_thing", 2}};
    const struct canceld_local_limit outside[] = {{"operations", 0}};
    const struct canceld_local_options bad[] = {
        {.limits = unknown, .limits_count = 1},
        {.limits = outside, .limits_count = 1},
        {.limits = NULL, .limits_count = 1},
        {.spin_us = 1000001},
        {.asks_max = 65537},
        {.lanes_max = CANCELD_LOCAL_LANES_MAX + 1},
        {.mode = (enum canceld_local_mode) 7},
        {.callbacks = (enum canceld_local_callbacks) 7},
    };
    struct canceld_local *local = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_EQ(canceld_local_start(&bad[i], &local), CANCELD_INVALID);
        CHECK(local == NULL);
    }
    CHECK_EQ(canceld_local_start(NULL, NULL), CANCELD_INVALID);
    canceld_local_free(NULL);
    canceld_lane_detach(NULL);
    canceld_local_result_clear(NULL);
}

/* ---- the others ---- */

static void store_labelled(struct canceld_local *local, const char *key, const char *label,
                           struct told *told)
{
    struct canceld_result result;
    struct canceld_local_store_request store = {.key = canceld_string(key),
                                                .meta = canceld_string("meta"),
                                                .labels = {canceld_string(label)},
                                                .labels_count = 1,
                                                .on_cancel = local_tell,
                                                .arg = told};
    CHECK_EQ(canceld_local_store(local, &store, 0, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_STORED);
    canceld_local_result_clear(&result);
}

static void run_labels(const struct rig *rig)
{
    static struct told told[3]; /* its last callback comes with the stop */
    struct canceld_result result;
    memset(told, 0, sizeof told);
    store_labelled(rig->local, "x", "tenant-1", &told[0]);
    store_labelled(rig->local, "y", "tenant-1", &told[1]);
    store_labelled(rig->local, "z", "tenant-2", &told[2]);

    struct canceld_list_request list = {.labels = {canceld_string("tenant-1")}, .labels_count = 1};
    CHECK_EQ(canceld_local_count(rig->local, &list, 0, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_COUNTED);
    CHECK_EQ(result.count, 2);
    canceld_local_result_clear(&result);

    CHECK_EQ(canceld_local_list(rig->local, &list, 0, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_PAGE);
    CHECK_EQ(result.operations_count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct canceld_operation_info *info = &result.operations[i];
        CHECK_BYTES_EQ(info->meta.data, info->meta.size, "meta", 4);
        CHECK_EQ(info->labels_count, 1);
        CHECK_BYTES_EQ(info->labels[0].data, info->labels[0].size, "tenant-1", 8);
        CHECK_BYTES_EQ(info->name_space.data, info->name_space.size, "default", 7);
    }
    canceld_local_result_clear(&result);

    struct canceld_cancel_request cancel = {
        .label = canceld_string("tenant-1"),
        .cause = {.code = CANCELD_CAUSE_POLICY, .text = canceld_string("the tenant is gone")}};
    CHECK_EQ(canceld_local_cancel(rig->local, &cancel, 0, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_REQUESTED);
    CHECK_EQ(result.requested, 2);
    CHECK_EQ(result.gens_count, 2);
    canceld_local_result_clear(&result);

    struct canceld_get_request get = {.key = canceld_string("x")};
    CHECK_EQ(canceld_local_get(rig->local, &get, 0, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_FOUND);
    CHECK_EQ(result.operations_count, 1);
    CHECK_EQ(result.operations[0].state, CANCELD_STATE_CANCELLING);
    CHECK_EQ(result.operations[0].cause.code, CANCELD_CAUSE_POLICY);
    CHECK_BYTES_EQ(result.operations[0].cause.text.data, result.operations[0].cause.text.size,
                   "the tenant is gone", 18);
    canceld_local_result_clear(&result);
    settle(rig);
    CHECK_EVENTUALLY(atomic_load(&told[0].cancels) == 1 && atomic_load(&told[1].cancels) == 1);
    CHECK_EQ(atomic_load(&told[0].cause), CANCELD_CAUSE_POLICY);
    CHECK_EQ(atomic_load(&told[2].cancels), 0);
}

static void labels_lists_and_a_bulk_cancel(void)
{
    on_each_way(run_labels);
}

static void run_families(const struct rig *rig)
{
    static struct told told;
    struct canceld_result result;
    const uint64_t parent = ask(rig, local_store_of("parent", NULL)).gen;
    struct canceld_local_store_request child = {
        .key = canceld_string("child"), .parent = parent, .on_cancel = local_tell, .arg = &told};
    struct canceld_local_store_request other = {.key = canceld_string("other"), .parent = parent};
    CHECK_EQ(canceld_local_store(rig->local, &child, 0, NULL), CANCELD_OK);
    CHECK_EQ(canceld_local_store(rig->local, &other, 0, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_STORED);
    struct canceld_detach_request detach = {.key = canceld_string("other"), .gen = result.gen};
    canceld_local_result_clear(&result);
    CHECK_EQ(canceld_local_detach(rig->local, &detach, 0, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_DETACHED);
    canceld_local_result_clear(&result);
    CHECK_EQ(canceld_local_detach(rig->local, &detach, 0, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_DETACHED);
    canceld_local_result_clear(&result);

    CHECK_EQ(ask(rig, local_cancel_of("parent", 0)).answer, CANCELD_ANSWER_REQUESTED);
    settle(rig);
    CHECK_EVENTUALLY(ask(rig, local_get_of("child")).state == CANCELD_STATE_CANCELLING);
    CHECK_EQ(ask(rig, local_get_of("child")).cause, CANCELD_CAUSE_PARENT);
    CHECK_EQ(ask(rig, local_get_of("other")).state, CANCELD_STATE_LIVE);
}

static void a_parents_cancel_is_its_childrens(void)
{
    on_each_way(run_families);
}

static void run_arms_and_drain(const struct rig *rig)
{
    struct canceld_result result;
    struct canceld_local_request arm = local_cancel_of("soon", 0);
    arm.arm_ttl_ms = 5000;
    CHECK_EQ(ask(rig, arm).answer, CANCELD_ANSWER_ARMED);
    CHECK_EQ(canceld_local_armed(rig->local, &(struct canceld_list_request){0}, 0, &result),
             CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_ARMED_KEYS);
    CHECK_EQ(result.armed_count, 1);
    CHECK_BYTES_EQ(result.armed[0].key.data, result.armed[0].key.size, "soon", 4);
    canceld_local_result_clear(&result);
    struct canceld_get_request disarm = {.key = canceld_string("soon")};
    CHECK_EQ(canceld_local_disarm(rig->local, &disarm, 0, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_DISARMED);
    canceld_local_result_clear(&result);

    const uint64_t gen = ask(rig, local_store_of("soon", NULL)).gen;
    struct canceld_drain_request drain = {.text = canceld_string("we close")};
    CHECK_EQ(canceld_local_drain(rig->local, &drain, 0, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_TIMED_OUT);
    canceld_local_result_clear(&result);
    CHECK_EQ(ask(rig, local_store_of("more", NULL)).answer, CANCELD_ANSWER_DRAINING);
    settle(rig);
    CHECK(ask(rig, local_delete_of("soon", gen)).cancelled);
    CHECK_EQ(canceld_local_drain(rig->local, &drain, 0, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_DRAINED);
    canceld_local_result_clear(&result);
    CHECK_EQ(canceld_local_undrain(rig->local, &drain, 0, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_UNDRAINED);
    canceld_local_result_clear(&result);
    CHECK_EQ(ask(rig, local_store_of("more", NULL)).answer, CANCELD_ANSWER_STORED);
}

static void arms_are_listed_and_a_drain_closes(void)
{
    on_each_way(run_arms_and_drain);
}

static void run_watch(const struct rig *rig)
{
    struct canceld_result result;
    struct canceld_watch_request watch = {0};
    CHECK_EQ(canceld_local_watch(rig->local, &watch, 0, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_SNAPSHOT);
    watch.epoch = result.epoch;
    watch.revision = result.revision;
    canceld_local_result_clear(&result);
    (void) ask(rig, local_store_of("seen", NULL));
    CHECK_EQ(canceld_local_watch(rig->local, &watch, 0, &result), CANCELD_OK);
    if (result.answer == CANCELD_ANSWER_EVENTS) {
        CHECK_EQ(result.events_count, 1);
        CHECK_BYTES_EQ(result.events[0].key.data, result.events[0].key.size, "seen", 4);
    } else {
        CHECK_EQ(result.answer, CANCELD_ANSWER_SNAPSHOT); /* events before the first watch */
    }
    canceld_local_result_clear(&result);
}

static void a_watch_sees_what_changes(void)
{
    on_each_way(run_watch);
}

static void a_long_field_is_refused_by_its_name(void)
{
    struct canceld_local *local = local_start(NULL);
    struct canceld_result result;
    char text[3000];
    memset(text, 'x', sizeof text);
    struct canceld_local_store_request store = {.key = canceld_string("k"), .meta = {text, 3000}};
    CHECK_EQ(canceld_local_store(local, &store, 0, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_ERROR);
    CHECK_STR_EQ(result.error.field, "meta");
    canceld_local_result_clear(&result);
    struct canceld_cancel_request cancel = {.key = canceld_string("k"),
                                            .cause = {.text = {text, 3000}}};
    CHECK_EQ(canceld_local_cancel(local, &cancel, 0, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_ERROR);
    CHECK_STR_EQ(result.error.field, "cause.text");
    canceld_local_result_clear(&result);
    CHECK_EQ(canceld_local_get(local, NULL, 0, &result), CANCELD_INVALID);
    canceld_local_free(local);
}

/* ---- what waits ---- */

struct waiter {
    struct canceld_local *local;
    _Atomic(int) answer;
};

static void cancel_and_wait(struct waiter *waiter, enum canceld_level level)
{
    struct canceld_result result;
    struct canceld_cancel_request cancel = {
        .key = canceld_string("work"), .level = level, .wait_ms = 20000};
    CHECK_EQ(canceld_local_cancel(waiter->local, &cancel, 0, &result), CANCELD_OK);
    CHECK(result.answer == CANCELD_ANSWER_REQUESTED ||
          result.answer == CANCELD_ANSWER_ALREADY_REQUESTED);
    CHECK_GE(result.level, level);
    canceld_local_result_clear(&result);
}

static void delivered_is_the_callbacks_return(void)
{
    struct told told = {0};
    struct waiter waiter = {.local = local_start(NULL)};
    const uint64_t gen = local_store(waiter.local, "work", &told);
    cancel_and_wait(&waiter, CANCELD_LEVEL_DELIVERED);
    CHECK_EQ(atomic_load(&told.cancels), 1);
    CHECK_EQ(atomic_load(&told.gen), gen);
    CHECK_EQ(local_ask(waiter.local, local_get_of("work")).level, CANCELD_LEVEL_DELIVERED);
    canceld_local_free(waiter.local);
}

static void *stop_it(void *arg)
{
    struct waiter *waiter = arg;
    cancel_and_wait(waiter, CANCELD_LEVEL_STOPPED);
    atomic_store(&waiter->answer, 1);
    return NULL;
}

static void stopped_is_the_owners_delete(void)
{
    struct told told = {0};
    pthread_t thread;
    struct waiter waiter = {.local = local_start(NULL)};
    const uint64_t gen = local_store(waiter.local, "work", &told);
    CHECK_EQ(pthread_create(&thread, NULL, stop_it, &waiter), 0);
    CHECK_EVENTUALLY(atomic_load(&told.cancels) == 1);
    CHECK_EQ(atomic_load(&waiter.answer), 0);
    CHECK(local_ask(waiter.local, local_delete_of("work", gen)).cancelled);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(atomic_load(&waiter.answer), 1);
    canceld_local_free(waiter.local);
}

static void a_wait_ends_with_its_time(void)
{
    struct canceld_local *local = local_start(NULL);
    struct canceld_result result;
    (void) local_store(local, "long", NULL);
    struct canceld_wait_request wait = {
        .key = canceld_string("long"), .until = CANCELD_UNTIL_ENDED, .wait_ms = 30};
    const uint64_t before_ms = test_now_ms();
    CHECK_EQ(canceld_local_wait(local, &wait, 10000, &result), CANCELD_OK);
    CHECK_GE(test_now_ms() - before_ms, 29);
    CHECK_EQ(result.answer, CANCELD_ANSWER_TIMED_OUT);
    CHECK_EQ(result.state, CANCELD_STATE_LIVE);
    canceld_local_result_clear(&result);
    canceld_local_free(local);
}

static void *wait_for_end(void *arg)
{
    struct waiter *waiter = arg;
    struct canceld_result result;
    struct canceld_wait_request wait = {
        .key = canceld_string("long"), .until = CANCELD_UNTIL_ENDED, .wait_ms = 600000};
    enum canceld_status status = canceld_local_wait(waiter->local, &wait, 0, &result);
    CHECK(status == CANCELD_OK || status == CANCELD_CLOSED);
    atomic_store(&waiter->answer, status == CANCELD_OK ? (int) result.answer : -1);
    canceld_local_result_clear(&result);
    return NULL;
}

static void a_stop_ends_what_waits(void)
{
    pthread_t thread;
    struct waiter waiter = {.local =
                                local_start(&(struct canceld_local_options){.leave_live = true})};
    (void) local_store(waiter.local, "long", NULL);
    CHECK_EQ(pthread_create(&thread, NULL, wait_for_end, &waiter), 0);
    CHECK_EVENTUALLY(local_stat(waiter.local, "parked") == 1);
    canceld_local_stop(waiter.local);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(atomic_load(&waiter.answer), CANCELD_ANSWER_SHUTTING_DOWN);
    canceld_local_free(waiter.local);
}

static const struct test_case cases[] = {
    {"store answers STORED, EXISTS and by its policies", store_and_its_policies},
    {"cancel answers NOT_FOUND, STALE_EPOCH, REQUESTED, ALREADY_REQUESTED and FINISHED",
     cancel_and_its_answers},
    {"a cancel that comes before its store is armed", a_cancel_that_comes_first_meets_the_store},
    {"delete answers DELETED, ENDED, NOT_FOUND and ERROR", delete_and_its_answers},
    {"touch and get tell the ttl, the state and the argument", touch_and_get_and_their_answers},
    {"keys of every size from 1 to 256 are told apart", keys_of_every_size},
    {"a bound of the registry answers FULL with its name", limits_are_the_registrys},
    {"options out of their range start nothing", bad_options_start_nothing},
    {"labels select for list, count and a bulk cancel", labels_lists_and_a_bulk_cancel},
    {"a parent's cancel is its children's, until they are detached",
     a_parents_cancel_is_its_childrens},
    {"armed keys are listed and disarmed, and a drain closes until undrain",
     arms_are_listed_and_a_drain_closes},
    {"a watch answers a snapshot, then events", a_watch_sees_what_changes},
    {"a field that is too long is an error with its name", a_long_field_is_refused_by_its_name},
    {"DELIVERED is true once the callback has returned", delivered_is_the_callbacks_return},
    {"STOPPED is true once the owner has deleted", stopped_is_the_owners_delete},
    {"a wait ends when its time is over", a_wait_ends_with_its_time},
    {"a stop answers a wait with SHUTTING_DOWN", a_stop_ends_what_waits},
};
TEST_MAIN(cases)
