/* SPDX-License-Identifier: MIT */
/* What the tests of the embedded registry have in common. */
#ifndef CANCELD_TESTS_LOCAL_RIG_H
#define CANCELD_TESTS_LOCAL_RIG_H

#include "testing.h"

#include <canceld/local.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* The argument of an operation: what its callback was told. */
struct told {
    _Atomic(uint32_t) cancels;
    _Atomic(uint32_t) ends;
    _Atomic(uint64_t) gen;
    _Atomic(uint32_t) cause;
    _Atomic(uint32_t) outcome;
};

static inline void local_tell(void *arg, const struct canceld_local_notice *notice)
{
    struct told *told = arg;
    atomic_store(&told->gen, notice->gen);
    atomic_store(&told->cause, (uint32_t) notice->cause);
    atomic_store(&told->outcome, (uint32_t) notice->outcome);
    atomic_fetch_add(notice->ended ? &told->ends : &told->cancels, 1);
}

static inline struct canceld_local *local_start(const struct canceld_local_options *options)
{
    struct canceld_local *local = NULL;
    CHECK_EQ(canceld_local_start(options, &local), CANCELD_OK);
    CHECK(local != NULL);
    return local;
}

static inline struct canceld_lane *local_attach(struct canceld_local *local, uint32_t window)
{
    struct canceld_lane *lane = NULL;
    CHECK_EQ(canceld_lane_attach(local, window, &lane), CANCELD_OK);
    return lane;
}

/* ---- requests ---- */

static inline struct canceld_local_request local_store_of(const char *key, struct told *told)
{
    return (struct canceld_local_request){.op = CANCELD_OP_STORE,
                                          .key = canceld_string(key),
                                          .on_cancel = told == NULL ? NULL : local_tell,
                                          .arg = told};
}

static inline struct canceld_local_request local_cancel_of(const char *key, uint64_t gen)
{
    return (struct canceld_local_request){
        .op = CANCELD_OP_CANCEL, .key = canceld_string(key), .gen = gen};
}

static inline struct canceld_local_request local_delete_of(const char *key, uint64_t gen)
{
    return (struct canceld_local_request){.op = CANCELD_OP_DELETE,
                                          .key = canceld_string(key),
                                          .gen = gen,
                                          .outcome = CANCELD_OUTCOME_COMPLETED};
}

static inline struct canceld_local_request local_get_of(const char *key)
{
    return (struct canceld_local_request){.op = CANCELD_OP_GET, .key = canceld_string(key)};
}

/* ---- asks that have to be answered ---- */

static inline struct canceld_local_answer local_ask(struct canceld_local *local,
                                                    struct canceld_local_request request)
{
    struct canceld_local_answer answer;
    CHECK_EQ(canceld_local_ask(local, &request, 0, &answer), CANCELD_OK);
    return answer;
}

static inline struct canceld_local_answer lane_ask(struct canceld_lane *lane,
                                                   struct canceld_local_request request)
{
    struct canceld_local_answer answer;
    CHECK_EQ(canceld_lane_ask(lane, &request, 0, &answer), CANCELD_OK);
    return answer;
}

static inline uint64_t local_store(struct canceld_local *local, const char *key, struct told *told)
{
    struct canceld_local_answer answer = local_ask(local, local_store_of(key, told));
    CHECK_EQ(answer.answer, CANCELD_ANSWER_STORED);
    CHECK_NE(answer.gen, 0);
    return answer.gen;
}

/* A row of the statistics. */
static inline uint64_t local_stat(struct canceld_local *local, const char *name)
{
    struct canceld_result result;
    CHECK_EQ(canceld_local_stats(local, 0, &result), CANCELD_OK);
    for (size_t i = 0; i < result.stats_count; i++) {
        if (strcmp(result.stats[i].name, name) == 0) {
            const uint64_t value = result.stats[i].value;
            canceld_local_result_clear(&result);
            return value;
        }
    }
    test_failed(__FILE__, __LINE__, name);
}

#endif
