/* SPDX-License-Identifier: MIT */
/* A host program that refuses membarrier(2): before the registry is started, and while it serves. No request may
 * be slept through in either. */
#include "local/state.h"
#include "local_rig.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/membarrier.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CLIENTS 3
#define ROUNDS TEST_SCALE(400)

/* As an application's sandbox does, for all threads and for good. */
static void refuse_membarrier(void)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {.len = sizeof rules / sizeof rules[0], .filter = rules};

    CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    CHECK_EQ(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program), 0);
    CHECK_EQ(syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0), -1);
    CHECK_EQ(errno, EPERM);
}

static bool has_membarrier(void)
{
    const long found = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
    return found >= 0 && (found & MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0;
}

/* It spins for so short a time that it sleeps between requests. */
static struct canceld_local *start_sleepy(void)
{
    return local_start(&(struct canceld_local_options){.spin_us = 1});
}

static void *ask_often(void *context)
{
    struct canceld_lane *lane = local_attach(context, 8);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        struct canceld_local_answer answer;
        const struct canceld_local_request request = local_get_of("nobody's");
        /* The deadline is far beyond what a request takes that was seen. */
        CHECK_EQ(canceld_lane_ask(lane, &request, 10000 * TEST_PATIENCE, &answer), CANCELD_OK);
        CHECK_EQ(answer.answer, CANCELD_ANSWER_NOT_FOUND);
    }
    canceld_lane_detach(lane);
    return NULL;
}

static void ask_from_all_sides(struct canceld_local *local)
{
    pthread_t threads[CLIENTS];
    for (size_t i = 0; i < CLIENTS; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, ask_often, local), 0);
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    }
}

static void check_cancel(struct canceld_local *local)
{
    struct told told = {0};
    const uint64_t gen = local_store(local, "k", &told);
    CHECK_EQ(local_ask(local, local_cancel_of("k", 0)).answer, CANCELD_ANSWER_REQUESTED);
    CHECK_EVENTUALLY(atomic_load(&told.cancels) == 1);
    CHECK_EQ(atomic_load(&told.gen), gen);
    CHECK_EQ(local_ask(local, local_delete_of("k", gen)).answer, CANCELD_ANSWER_DELETED);
}

static void refused_before_the_start(void)
{
    refuse_membarrier();
    struct canceld_local *local = start_sleepy();
    ask_from_all_sides(local);
    check_cancel(local);
    canceld_local_free(local);
}

static void refused_while_it_serves(void)
{
    struct canceld_local *local = start_sleepy();
    CHECK(!has_membarrier() || atomic_load(&local->shared_barrier));
    struct canceld_lane *lane = local_attach(local, 8);
    CHECK_EQ(lane_ask(lane, local_get_of("k")).answer, CANCELD_ANSWER_NOT_FOUND);
    refuse_membarrier();
    CHECK_EQ(lane_ask(lane, local_get_of("k")).answer, CANCELD_ANSWER_NOT_FOUND);
    /* Its next sleep finds out. */
    CHECK_EVENTUALLY(!atomic_load(&local->shared_barrier));
    ask_from_all_sides(local);
    check_cancel(local);
    CHECK_EQ(lane_ask(lane, local_get_of("none")).answer, CANCELD_ANSWER_NOT_FOUND);
    canceld_lane_detach(lane);
    canceld_local_free(local);
}

static void refused_while_it_is_idle(void)
{
    struct canceld_local *local = start_sleepy();
    struct canceld_lane *lane = local_attach(local, 8);
    refuse_membarrier();
    /* Without any call: the first request after a sleep in which nobody passed a barrier. */
    ask_from_all_sides(local);
    canceld_lane_detach(lane);
    canceld_local_stop(local);
    canceld_local_free(local);
}

static const struct test_case cases[] = {
    {"a registry serves where membarrier was refused before its start", refused_before_the_start},
    {"a registry goes on where membarrier is refused while it serves", refused_while_it_serves},
    {"a registry goes on where membarrier is refused while it is idle", refused_while_it_is_idle},
};

TEST_MAIN(cases)
