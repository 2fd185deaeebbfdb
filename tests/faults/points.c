/* SPDX-License-Identifier: MIT */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* dladdr() */
#endif
#include "points.h"

#include "testing.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE ((unsigned) TEST_PATIENCE)
#define HANG_S 20U
#define WARM_RUNS 3 /* until what is allocated once and kept is there */
#define TOLD_MAX 20 /* failures of a scenario that are told */
#define LEAKED_STATUS 77

/* Shared by the process that counts and the one that runs. */
struct progress {
    uint64_t point;  /* in work */
    uint64_t stride; /* to the next one */
    uint64_t points;
    uint64_t survived;
    bool warm;
    bool finished;
    bool for_ever;
    struct fault_control control; /* of the process that runs */
};

static struct progress *progress;

/* ---- the process that runs ---- */

void points_arm(void)
{
    fault_arm(progress->warm ? progress->point : 0, progress->for_ever);
}

bool points_disarm(void)
{
    return fault_disarm() > 0;
}

bool points_for_ever(void)
{
    return progress->for_ever;
}

/* What a run has to come back to, or below: memory that another thread gives back a little later is none that
 * is lost. */
struct rest {
    int64_t live;
    size_t descriptors;
};

static struct rest rest_now(void)
{
    return (struct rest){.live = fault_live(), .descriptors = test_descriptors_count()};
}

/* The less of both counts from then on; `spared` blocks more are none of ours. */
static bool comes_to_rest(struct rest *rest, uint32_t spared)
{
    struct test_wait wait = test_wait_begin(2000);
    struct rest now = rest_now();
    while (now.live > rest->live + spared || now.descriptors > rest->descriptors) {
        if (!test_wait_more(&wait)) {
            (void) fprintf(stderr,
                           "%" PRId64 " blocks and %zu descriptors, %" PRId64 " and %zu before\n",
                           now.live, now.descriptors, rest->live, rest->descriptors);
            return false;
        }
        now = rest_now();
    }
    *rest = now;
    return true;
}

/* SIGALRM ends a run that takes longer. */
static void watch_run(const struct points_scenario *scenario)
{
    (void) alarm(PATIENCE * (scenario->hang_s == 0 ? HANG_S : scenario->hang_s));
}

static uint64_t points_max(void)
{
    const char *given = getenv("CANCELD_FAULT_POINTS");
    const uint64_t most = given == NULL ? 0 : strtoull(given, NULL, 10);
    return most == 0 ? UINT64_MAX : most;
}

/* Nothing fails in these. */
static struct rest warm_up(const struct points_scenario *scenario)
{
    for (int i = 0; i < WARM_RUNS; i++) {
        watch_run(scenario);
        scenario->run();
    }
    progress->warm = true;
    return rest_now();
}

/* True: something failed, as it should. */
static bool run_one(const struct points_scenario *scenario, struct rest *rest)
{
    watch_run(scenario);
    scenario->run();
    (void) alarm(0);
    if (!comes_to_rest(rest, scenario->spared)) {
        _exit(LEAKED_STATUS);
    }
    return fault_control()->failed > 0;
}

static void run_process(const struct points_scenario *scenario)
{
    fault_control_move(&progress->control);
    if (scenario->begin != NULL) {
        scenario->begin();
    }
    struct rest rest = warm_up(scenario);
    const uint64_t count = fault_control()->allocations;
    if (progress->stride == 0) {
        progress->stride = 1 + count / points_max();
    }
    /* Threads make the number vary: it is over where two in a row were not reached, late enough. */
    for (int missed = 0; missed < 2 || progress->point <= count;
         progress->point += progress->stride) {
        const bool failed = run_one(scenario, &rest);
        missed = failed ? 0 : missed + 1;
        progress->points += failed ? 1 : 0;
        progress->survived += failed ? 1 : 0;
    }
    watch_run(scenario);
    if (scenario->end != NULL) {
        scenario->end();
    }
    progress->finished = true;
    exit(EXIT_SUCCESS); /* runs the leak check of the address sanitizer */
}

/* ---- the process that counts ---- */

static const char *classify(int status, struct points_count *count)
{
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
        count->hung++;
        return "hangs";
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == LEAKED_STATUS) {
        count->leaked++;
        return "leaks";
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_FAILURE) {
        count->wrong++;
        return "goes wrong";
    }
    count->crashed++;
    return "crashes";
}

/* All processes have the same addresses, for one makes the others by fork(). */
static void tell(const struct points_scenario *scenario, const char *how)
{
    Dl_info found = {0};
    void *place = (void *) (uintptr_t) progress->control.place;
    if (dladdr(place, &found) == 0) {
        found.dli_fbase = place;
    }
    (void) fprintf(stderr, "%s: allocation %" PRIu64 " failing %s %s: %s+0x%tx %s\n",
                   scenario->name, progress->point, progress->for_ever ? "for ever" : "once", how,
                   found.dli_fname == NULL ? "?" : found.dli_fname,
                   (char *) place - (char *) found.dli_fbase,
                   found.dli_sname == NULL ? "" : found.dli_sname);
}

/* One process: all points, or up to the first that is not survived. */
static void process_run(const struct points_scenario *scenario, struct points_count *count)
{
    int status = 0;
    progress->warm = false;
    progress->control.place = 0;
    (void) fflush(NULL);
    const pid_t pid = fork();
    CHECK_GE(pid, 0);
    if (pid == 0) {
        run_process(scenario);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    if (progress->finished && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return;
    }
    const uint64_t failures = count->crashed + count->hung + count->leaked + count->wrong;
    const char *how = classify(status, count);
    if (failures < TOLD_MAX) {
        tell(scenario, how);
    }
    progress->points++;
    progress->point += progress->stride == 0 ? 1 : progress->stride;
    CHECK(progress->warm); /* else it goes wrong where nothing fails */
}

static void print_row(const struct points_scenario *scenario, const struct points_count *count)
{
    (void) printf("{\"scenario\": \"%s\", \"fails\": \"%s\", \"points\": %" PRIu64
                  ", \"survived\": %" PRIu64 ", \"crashed\": %" PRIu64 ", \"hung\": %" PRIu64
                  ", \"leaked\": %" PRIu64 ", \"wrong\": %" PRIu64 "}\n",
                  scenario->name, progress->for_ever ? "for ever" : "once", count->points,
                  count->survived, count->crashed, count->hung, count->leaked, count->wrong);
    (void) fflush(stdout);
}

static struct points_count run_kind(const struct points_scenario *scenario, bool for_ever)
{
    struct points_count count = {0};
    progress->point = 1;
    progress->stride = progress->points = progress->survived = 0;
    progress->finished = false;
    progress->for_ever = for_ever;
    while (!progress->finished) {
        process_run(scenario, &count);
    }
    count.points = progress->points;
    count.survived = progress->survived;
    print_row(scenario, &count);
    return count;
}

struct points_count points_run(const struct points_scenario *scenario)
{
    progress =
        mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(progress != MAP_FAILED);
    struct points_count sum = run_kind(scenario, false);
    const struct points_count ever = run_kind(scenario, true);
    sum.points += ever.points;
    sum.survived += ever.survived;
    sum.crashed += ever.crashed;
    sum.hung += ever.hung;
    sum.leaked += ever.leaked;
    sum.wrong += ever.wrong;
    CHECK_EQ(munmap(progress, sizeof *progress), 0);
    return sum;
}

void points_check(const struct points_scenario *scenario)
{
    const struct points_count count = points_run(scenario);
    CHECK_GT(count.points, 0);
    CHECK_EQ(count.points, count.survived);
}
