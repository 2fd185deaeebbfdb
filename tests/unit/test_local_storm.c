/* SPDX-License-Identifier: MIT */
/* Many threads on one registry, each its own way, with an oracle for each gen: its store, its one cancel or none,
 * its delete and its callback have to tell the same story, and the memory that a delete says is free is freed. */
#include "local_rig.h"

#include <pthread.h>

#define KEYS 16
#define WORKERS 4
#define CANCELLERS 3
#define GENS_MAX 400000

/* What became of each gen, by its counter. */
struct fate {
    _Atomic(uint32_t) requested; /* cancels that were answered REQUESTED */
    _Atomic(uint32_t) called;
    _Atomic(uint32_t) deleted;
    _Atomic(uint32_t) deleted_cancelled;
};

struct storm {
    struct canceld_local *local;
    struct fate *fates;
    _Atomic(uint32_t) workers_left;
    uint32_t rounds;
    uint64_t seed;
    _Atomic(bool) stopping;
};

struct party {
    struct storm *storm;
    uint32_t number;
    bool by_lane;
};

static struct fate *fate_of(struct storm *storm, uint64_t gen)
{
    const uint64_t counter = gen & ((UINT64_C(1) << 40) - 1);
    CHECK_LT(counter, GENS_MAX);
    return &storm->fates[counter];
}

/* An operation's argument, of its own memory: used after it is freed if a callback comes too late. */
struct work {
    struct storm *storm;
    _Atomic(uint32_t) calls;
};

static void on_cancel(void *arg, const struct canceld_local_notice *notice)
{
    struct work *work = arg;
    atomic_fetch_add(&work->calls, 1);
    atomic_fetch_add(&fate_of(work->storm, notice->gen)->called, 1);
}

/* ---- asking, one way or the other ---- */

static enum canceld_status ask(struct party *party, struct canceld_lane *lane,
                               struct canceld_local_request request,
                               struct canceld_local_answer *answer)
{
    enum canceld_status status = lane != NULL
                                     ? canceld_lane_ask(lane, &request, 0, answer)
                                     : canceld_local_ask(party->storm->local, &request, 0, answer);
    CHECK(status == CANCELD_OK ||
          (status == CANCELD_CLOSED && atomic_load(&party->storm->stopping)));
    return status;
}

static struct canceld_lane *lane_of(struct party *party)
{
    struct canceld_lane *lane = NULL;
    if (party->by_lane &&
        canceld_lane_attach(party->storm->local, 1 + party->number % 5, &lane) != CANCELD_OK) {
        CHECK(atomic_load(&party->storm->stopping));
    }
    return lane;
}

/* ---- those who store and delete ---- */

/* What a stop left to its callbacks: freed after it. */
static void *leaked[2 * WORKERS * 8];
static _Atomic(uint32_t) leaked_count;

static void leave(void *memory)
{
    leaked[atomic_fetch_add(&leaked_count, 1)] = memory;
}

static bool work_once(struct party *party, struct canceld_lane *lane, uint64_t *random)
{
    struct storm *storm = party->storm;
    char key[32];
    struct canceld_local_answer answer;
    struct work *work = calloc(1, sizeof *work);
    CHECK(work != NULL);
    work->storm = storm;
    (void) snprintf(key, sizeof key, "key-%u", (uint32_t) (test_random(random) % KEYS));
    struct canceld_local_request store = local_store_of(key, NULL);
    store.policy = CANCELD_POLICY_JOIN;
    store.on_cancel = on_cancel;
    store.arg = work;
    if (ask(party, lane, store, &answer) != CANCELD_OK) {
        free(work);
        return false;
    }
    CHECK_EQ(answer.answer, CANCELD_ANSWER_STORED);
    const uint64_t gen = answer.gen;
    for (uint64_t i = test_random(random) % 4; i > 0; i--) {
        if (ask(party, lane, local_get_of(key), &answer) != CANCELD_OK) {
            break;
        }
    }
    if (ask(party, lane, local_delete_of(key, gen), &answer) != CANCELD_OK) {
        leave(work); /* the stop cancels it */
        return false;
    }
    CHECK_EQ(answer.answer, CANCELD_ANSWER_DELETED);
    CHECK(answer.arg == work);
    if (answer.callback_pending) {
        CHECK(atomic_load(&storm->stopping)); /* then nobody waits but the stop */
        leave(work);
    } else {
        CHECK_EQ(atomic_load(&work->calls), answer.cancelled);
        free(work);
    }
    atomic_fetch_add(&fate_of(storm, gen)->deleted, 1);
    atomic_fetch_add(&fate_of(storm, gen)->deleted_cancelled, answer.cancelled);
    return true;
}

static void *work(void *arg)
{
    struct party *party = arg;
    uint64_t random = party->storm->seed + party->number;
    struct canceld_lane *lane = lane_of(party);
    for (uint32_t i = 0; i < party->storm->rounds; i++) {
        if (!work_once(party, lane, &random)) {
            break;
        }
    }
    canceld_lane_detach(lane);
    atomic_fetch_sub(&party->storm->workers_left, 1);
    return NULL;
}

/* ---- those who cancel ---- */

static void *cancel(void *arg)
{
    struct party *party = arg;
    uint64_t random = party->storm->seed + 1000 + party->number;
    struct canceld_lane *lane = lane_of(party);
    char key[32];
    while (atomic_load(&party->storm->workers_left) > 0) {
        struct canceld_local_answer found;
        struct canceld_local_answer answer;
        (void) snprintf(key, sizeof key, "key-%u", (uint32_t) (test_random(&random) % KEYS));
        if (ask(party, lane, local_get_of(key), &found) != CANCELD_OK) {
            break;
        }
        if (found.answer != CANCELD_ANSWER_FOUND) {
            continue;
        }
        if (ask(party, lane, local_cancel_of(key, found.gen), &answer) != CANCELD_OK) {
            break;
        }
        if (answer.answer == CANCELD_ANSWER_REQUESTED) {
            CHECK_EQ(answer.gen, found.gen);
            atomic_fetch_add(&fate_of(party->storm, found.gen)->requested, 1);
        } else {
            CHECK(answer.answer == CANCELD_ANSWER_ALREADY_REQUESTED ||
                  answer.answer == CANCELD_ANSWER_FINISHED ||
                  answer.answer == CANCELD_ANSWER_NOT_FOUND);
        }
    }
    canceld_lane_detach(lane);
    return NULL;
}

/* ---- the storm ---- */

static void check_fates(struct storm *storm, bool all_deleted)
{
    uint64_t gens = 0;
    uint64_t cancelled = 0;
    for (uint32_t i = 0; i < GENS_MAX; i++) {
        const struct fate *fate = &storm->fates[i];
        const uint32_t deleted = atomic_load(&fate->deleted);
        CHECK_LE(atomic_load(&fate->requested), 1);
        CHECK_LE(atomic_load(&fate->called), 1);
        CHECK_LE(deleted, 1);
        if (deleted == 1) {
            CHECK_EQ(atomic_load(&fate->deleted_cancelled), atomic_load(&fate->requested));
        }
        if (all_deleted || deleted == 1) {
            CHECK_EQ(atomic_load(&fate->called), atomic_load(&fate->requested));
        }
        gens += deleted;
        cancelled += atomic_load(&fate->called);
    }
    printf("%llu gens, %llu of them cancelled\n", (unsigned long long) gens,
           (unsigned long long) cancelled);
    CHECK_GT(gens, 0);
}

struct team {
    pthread_t threads[WORKERS + CANCELLERS];
    struct party parties[WORKERS + CANCELLERS];
};

static void start_team(struct team *team, struct storm *storm)
{
    atomic_store(&storm->workers_left, WORKERS);
    for (uint32_t i = 0; i < WORKERS + CANCELLERS; i++) {
        team->parties[i] = (struct party){.storm = storm, .number = i, .by_lane = i % 2 == 0};
        CHECK_EQ(
            pthread_create(&team->threads[i], NULL, i < WORKERS ? work : cancel, &team->parties[i]),
            0);
    }
}

static void join_team(struct team *team)
{
    for (uint32_t i = 0; i < WORKERS + CANCELLERS; i++) {
        CHECK_EQ(pthread_join(team->threads[i], NULL), 0);
    }
}

static void make_storm(struct storm *storm, const struct canceld_local_options *options,
                       uint32_t rounds)
{
    *storm = (struct storm){.local = local_start(options), .rounds = rounds, .seed = test_seed()};
    storm->fates = calloc(GENS_MAX, sizeof *storm->fates);
    CHECK(storm->fates != NULL);
}

static void run_storm(const struct canceld_local_options *options)
{
    struct storm storm;
    struct team team;
    make_storm(&storm, options, TEST_SCALE(8000));
    start_team(&team, &storm);
    join_team(&team);
    check_fates(&storm, true);
    canceld_local_free(storm.local);
    free(storm.fates);
}

static void lanes_and_asks_at_once(void)
{
    run_storm(NULL);
}

static void the_same_without_spinning(void)
{
    run_storm(&(struct canceld_local_options){.spin_us = CANCELD_LOCAL_SPIN_NONE});
}

static void the_same_with_long_spins(void)
{
    run_storm(&(struct canceld_local_options){.spin_us = 200});
}

/* ---- several ---- */

static void registries_know_nothing_of_each_other(void)
{
    enum { COUNT = 3 };
    /* Three of the default size are more address space than valgrind has. */
    const struct canceld_local_limit few[] = {
        {"operations", 20000}, {"parked_gens", 20000}, {"recovered", 20000}};
    const struct canceld_local_options options = {.limits = few,
                                                  .limits_count = sizeof few / sizeof few[0]};
    struct storm storms[COUNT];
    struct team teams[COUNT];
    for (int i = 0; i < COUNT; i++) {
        make_storm(&storms[i], &options, TEST_SCALE(1500));
    }
    for (int i = 0; i < COUNT; i++) {
        start_team(&teams[i], &storms[i]);
    }
    for (int i = 0; i < COUNT; i++) {
        join_team(&teams[i]);
        check_fates(&storms[i], true);
        canceld_local_free(storms[i].local);
        free(storms[i].fates);
    }
}

/* ---- a stop in the midst ---- */

static void a_stop_under_load(void)
{
    for (int round = 0; round < 5; round++) {
        struct storm storm;
        struct team team;
        make_storm(&storm, NULL, UINT32_MAX);
        start_team(&team, &storm);
        CHECK_EVENTUALLY(local_stat(storm.local, "local_callbacks") > 20);
        atomic_store(&storm.stopping, true);
        canceld_local_stop(storm.local);
        join_team(&team);
        check_fates(&storm, false);
        canceld_local_free(storm.local);
        free(storm.fates);
        for (uint32_t i = atomic_exchange(&leaked_count, 0); i > 0; i--) {
            free(leaked[i - 1]);
        }
    }
}

static const struct test_case cases[] = {
    {"lanes and asks at once: each gen is cancelled or finished first, and all agree",
     lanes_and_asks_at_once, 240000},
    {"the same where the owner never spins", the_same_without_spinning, 240000},
    {"the same where it spins long", the_same_with_long_spins, 240000},
    {"registries know nothing of each other", registries_know_nothing_of_each_other, 240000},
    {"a stop under load answers or refuses everything, and leaves nobody behind", a_stop_under_load,
     240000},
};
TEST_MAIN(cases)
