/* SPDX-License-Identifier: MIT */
/* Worlds, one after the other, by seed: see world.h.
 *
 *     sim [--quick | --full] [--seed N] [--worlds N] [--events N] [--seconds N] [--jobs N]
 *     sim --world SEED [--acts N] [--faults N] [--kill-output N]     one world alone, with its history
 *
 * Most worlds have all of the faults by chance. Each 64th is small and has one fault alone: it is played once
 * undisturbed, and then again for each of its outputs, at which the daemon dies.
 *
 * The result is one JSON object a line. Without a limit of time the hash of all worlds depends on the seed and the
 * number of worlds alone. */
#include "sim/shrink.h"
#include "sim/world.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ACTS_MAX 600
#define ACTS_SMALL 40
#define SWEEP_EVERY 64
#define JOBS_MAX 8
#define JUDGED_WORLDS 25000 /* fewer cannot be sure to see everything */
#define EVENTS_GOAL UINT64_C(1000000000)
/* By number, not by time: the same worlds each time, however fast the machine is, and enough for each counter. */
#define EVENTS_QUICK UINT64_C(100000000)
#define FAULTS_GOAL UINT64_C(10000000)
#define PROGRESS_S 3
#define SELDOM 10 /* what was seen less often is named */

struct options {
    uint64_t seed;
    uint64_t worlds;  /* of each job; 0: no such bound */
    uint64_t events;  /* of all; 0: no such bound */
    uint64_t seconds; /* 0: no such bound */
    uint64_t jobs;
    uint64_t part;  /* of the goals: one of so many */
    uint64_t world; /* 0: many */
    struct plan plan;
};

static const char *const sometimes_rules[] = {
#define RULE(name, rule) rule,
    SOMETIMES_TABLE(RULE)
#undef RULE
};

static const char *const fault_words[] = {
#define WORDS(name, words) words,
    FAULT_TABLE(WORDS)
#undef WORDS
};

/* ---- a worker ---- */

static uint64_t now_s(void)
{
    struct timespec now;
    (void) clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec;
}

static void play(struct world *world, const struct plan *plan)
{
    world->figures->world_seed = plan->seed;
    world->figures->world_output = plan->kill_output;
    (void) world_play(world, plan);
}

/* Dies at each output of the same small world. */
static void sweep(struct world *world, uint64_t seed)
{
    struct plan plan = {.seed = seed,
                        .acts_max = ACTS_SMALL,
                        .faults_max = UINT64_MAX,
                        .kill_output = OUTPUT_NEVER - 1};
    const uint64_t before = world->figures->outputs;
    play(world, &plan);
    const uint64_t count = world->figures->outputs - before;
    for (plan.kill_output = 1; plan.kill_output <= count; plan.kill_output++) {
        play(world, &plan);
    }
}

static uint64_t seed_of(const struct options *options, uint64_t job, uint64_t number)
{
    const uint64_t mixed =
        chance_mix(options->seed + (number * JOBS_MAX + job + 1) * UINT64_C(0x9e3779b97f4a7c15));
    return (mixed >> 16) + 1;
}

static void work(const struct options *options, struct figures *figures, uint64_t job)
{
    struct world *world = world_new(figures);
    const uint64_t until_s = options->seconds == 0 ? UINT64_MAX : now_s() + options->seconds;
    const uint64_t events = options->events / options->jobs;
    for (uint64_t i = 0; options->worlds == 0 || i < options->worlds; i++) {
        if ((events != 0 && figures->events >= events) || (i % 16 == 0 && now_s() >= until_s)) {
            break;
        }
        struct plan plan = options->plan;
        plan.seed = seed_of(options, job, i);
        if (i % SWEEP_EVERY == SWEEP_EVERY - 1) {
            sweep(world, plan.seed);
        } else {
            play(world, &plan);
        }
    }
    figures->done = 1;
    world_free(world);
}

/* ---- what came of it ---- */

static void sum_up(struct figures *sum, const struct figures *of, uint64_t jobs)
{
    memset(sum, 0, sizeof *sum);
    for (uint64_t i = 0; i < jobs; i++) {
        sum->worlds += of[i].worlds;
        sum->events += of[i].events;
        sum->faults += of[i].faults;
        sum->requests += of[i].requests;
        sum->answers += of[i].answers;
        sum->frames += of[i].frames;
        sum->outputs += of[i].outputs;
        sum->restarts += of[i].restarts;
        sum->checks += of[i].checks;
        sum->cancels_kept += of[i].cancels_kept;
        sum->virtual_ms += of[i].virtual_ms;
        sum->hash = i == 0 ? of[i].hash : chance_mix(sum->hash ^ of[i].hash);
        for (size_t j = 0; j < FAULT_COUNT; j++) {
            sum->fault[j] += of[i].fault[j];
        }
        for (size_t j = 0; j < SOMETIMES_COUNT; j++) {
            sum->sometimes[j] += of[i].sometimes[j];
        }
    }
}

static void figure(const struct options *options, const char *name, uint64_t value,
                   const char *rest)
{
    (void) printf("{\"part\": \"simulation\", \"figure\": \"%s\", \"value\": %" PRIu64
                  "%s, \"seed\": %" PRIu64 "}\n",
                  name, value, rest, options->seed);
}

static void figure_goal(const struct options *options, const char *name, uint64_t value,
                        uint64_t goal)
{
    char rest[80];
    (void) snprintf(rest, sizeof rest, ", \"goal\": %" PRIu64 ", \"sense\": \"%s\"", goal,
                    goal == 0 ? "==" : ">=");
    figure(options, name, value, rest);
}

/* What the worker's exit says of the violation: see world_violated(). */
static void print_figures(const struct options *options, const struct figures *sum, int violation)
{
    if (options->part != 0) {
        figure_goal(options, "events", sum->events, EVENTS_GOAL / options->part);
        figure_goal(options, "faults", sum->faults, FAULTS_GOAL / options->part);
    } else {
        figure(options, "events", sum->events, "");
        figure(options, "faults", sum->faults, "");
    }
    figure_goal(options, "lost answered cancels", violation == 1, 0);
    figure_goal(options, "double effects", violation == 2, 0);
    figure_goal(options, "wrong generations", violation == 3, 0);
    figure_goal(options, "other violations", violation != 0 && (violation < 1 || violation > 3), 0);
    figure(options, "worlds", sum->worlds, "");
    figure(options, "virtual hours", sum->virtual_ms / 3600000, "");
    figure(options, "daemon restarts", sum->restarts, "");
    figure(options, "requests", sum->requests, "");
    figure(options, "frames applied", sum->frames, "");
    figure(options, "outputs at which the daemon may die", sum->outputs, "");
    figure(options, "checks of the oracle", sum->checks, "");
    figure(options, "cancels seen to be known after healing", sum->cancels_kept, "");
    for (size_t i = 0; i < FAULT_COUNT; i++) {
        char name[80];
        (void) snprintf(name, sizeof name, "fault: %s", fault_words[i]);
        figure(options, name, sum->fault[i], "");
    }
    (void) printf("{\"part\": \"simulation\", \"figure\": \"hash\", \"value\": \"%016" PRIx64
                  "\", \"seed\": %" PRIu64 "}\n",
                  sum->hash, options->seed);
}

/* What never came about. */
static unsigned print_sometimes(const struct options *options, const struct figures *sum)
{
    unsigned zeros = 0;
    for (size_t i = 0; i < SOMETIMES_COUNT; i++) {
        zeros += sum->sometimes[i] == 0;
        if (sum->sometimes[i] < SELDOM) {
            (void) fprintf(stderr, "sim: seen %" PRIu64 " times: %s\n", sum->sometimes[i],
                           sometimes_rules[i]);
        }
    }
    for (size_t i = 0; i < FAULT_COUNT; i++) {
        zeros += sum->fault[i] == 0;
        if (sum->fault[i] < SELDOM) {
            (void) fprintf(stderr, "sim: seen %" PRIu64 " times: %s\n", sum->fault[i],
                           fault_words[i]);
        }
    }
    figure(options, "rules seen", SOMETIMES_COUNT + FAULT_COUNT - zeros, "");
    figure_goal(options, "rules never seen", zeros, 0);
    if (zeros > 0 && sum->worlds < JUDGED_WORLDS) {
        (void) fprintf(stderr, "sim: with %" PRIu64 " worlds that is no failure; with %d it is\n",
                       sum->worlds, JUDGED_WORLDS);
        return 0;
    }
    return zeros;
}

static void explain(const struct figures *figures, const struct options *options)
{
    struct plan plan = options->plan;
    plan.seed = figures->world_seed;
    plan.kill_output = figures->world_output;
    plan.acts_max = plan.kill_output == OUTPUT_NEVER ? options->plan.acts_max : ACTS_SMALL;
    (void) fprintf(stderr, "sim: making the world of seed %" PRIu64 " smaller\n", plan.seed);
    shrink(&plan);
    (void) shrink_try(&plan, true);
    (void) fprintf(stderr,
                   "sim: to see it again: sim --world %" PRIu64 " --acts %" PRIu64
                   " --faults %" PRIu64,
                   plan.seed, plan.acts_max, plan.faults_max);
    if (plan.kill_output != OUTPUT_NEVER) {
        (void) fprintf(stderr, " --kill-output %" PRIu64, plan.kill_output);
    }
    (void) fprintf(stderr, "\n");
}

/* ---- the workers' parent ---- */

static bool start(const struct options *options, struct figures *figures, pid_t *children)
{
    for (uint64_t i = 0; i < options->jobs; i++) {
        children[i] = fork();
        if (children[i] < 0) {
            (void) fprintf(stderr, "sim: fork: %s\n", strerror(errno));
            return false;
        }
        if (children[i] == 0) {
            work(options, &figures[i], i);
            _exit(EXIT_SUCCESS);
        }
    }
    return true;
}

static void progress(const struct options *options, const struct figures *figures, uint64_t began_s)
{
    struct figures sum;
    const uint64_t took_s = now_s() - began_s + 1;
    sum_up(&sum, figures, options->jobs);
    (void) fprintf(stderr,
                   "sim: %" PRIu64 " worlds, %" PRIu64 " events (%" PRIu64 "/s), %" PRIu64
                   " faults, %" PRIu64 " restarts\n",
                   sum.worlds, sum.events, sum.events / took_s, sum.faults, sum.restarts);
}

/* Waits for all; the first status that is no success, and whose it is. */
static int await(const struct options *options, const struct figures *figures,
                 const pid_t *children, uint64_t *failed_out)
{
    const struct timespec pause = {.tv_sec = PROGRESS_S};
    const uint64_t began_s = now_s();
    uint64_t left = options->jobs;
    sigset_t signals;
    int first = 0;
    (void) sigemptyset(&signals);
    (void) sigaddset(&signals, SIGCHLD);
    while (left > 0) {
        for (uint64_t i = 0; i < options->jobs; i++) {
            int status = 0;
            if (waitpid(children[i], &status, WNOHANG) != children[i]) {
                continue;
            }
            left--;
            if (status != 0 && first == 0) {
                first = status;
                *failed_out = i;
            }
        }
        if (left > 0 && sigtimedwait(&signals, NULL, &pause) < 0) {
            progress(options, figures, began_s);
        }
    }
    return first;
}

static int run(const struct options *options)
{
    struct figures *figures = mmap(NULL, JOBS_MAX * sizeof *figures, PROT_READ | PROT_WRITE,
                                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t children[JOBS_MAX];
    struct figures sum;
    uint64_t failed = 0;
    sigset_t signals;
    (void) sigemptyset(&signals);
    (void) sigaddset(&signals, SIGCHLD);
    (void) sigprocmask(SIG_BLOCK, &signals, NULL);
    if (figures == MAP_FAILED || !start(options, figures, children)) {
        return EXIT_FAILURE;
    }
    const int status = await(options, figures, children, &failed);
    sum_up(&sum, figures, options->jobs);
    const int violation = status == 0 ? 0 : WIFEXITED(status) ? WEXITSTATUS(status) - 10 : 9;
    print_figures(options, &sum, violation);
    const unsigned zeros = print_sometimes(options, &sum);
    if (status != 0) {
        explain(&figures[failed], options);
    }
    return status == 0 && zeros == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- options ---- */

struct flag {
    const char *name;
    uint64_t *value;
};

static bool read_flag(const struct flag *flags, const char *name, const char *value)
{
    for (; flags->name != NULL; flags++) {
        if (strcmp(flags->name, name) == 0 && value != NULL) {
            *flags->value = strtoull(value, NULL, 10);
            return true;
        }
    }
    return false;
}

static bool read_options(int argc, char **argv, struct options *options)
{
    const struct flag flags[] = {{"--seed", &options->seed},
                                 {"--worlds", &options->worlds},
                                 {"--events", &options->events},
                                 {"--seconds", &options->seconds},
                                 {"--jobs", &options->jobs},
                                 {"--world", &options->world},
                                 {"--acts", &options->plan.acts_max},
                                 {"--faults", &options->plan.faults_max},
                                 {"--kill-output", &options->plan.kill_output},
                                 {NULL, NULL}};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0) {
            options->part = 10;
            options->events = EVENTS_QUICK;
            options->seconds = 240;
        } else if (strcmp(argv[i], "--full") == 0) {
            options->part = 1;
            options->events = EVENTS_GOAL;
            options->seconds = 2400;
            options->jobs = 2;
        } else if (read_flag(flags, argv[i], i + 1 < argc ? argv[i + 1] : NULL)) {
            i++;
        } else {
            return false;
        }
    }
    return options->jobs >= 1 && options->jobs <= JOBS_MAX;
}

int main(int argc, char **argv)
{
    struct options options = {
        .seed = 1,
        .jobs = 1,
        .plan = {.acts_max = ACTS_MAX, .faults_max = UINT64_MAX, .kill_output = OUTPUT_NEVER}};
    if (!read_options(argc, argv, &options)) {
        (void) fprintf(stderr,
                       "usage: sim [--quick | --full] [--seed N] [--worlds N] [--events N] "
                       "[--seconds N] [--jobs N]\n"
                       "       sim --world SEED [--acts N] [--faults N] [--kill-output N]\n");
        return EXIT_FAILURE;
    }
    if (options.world != 0) {
        options.plan.seed = options.world;
        return shrink_try(&options.plan, true) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    (void) fprintf(stderr, "sim: seed %" PRIu64 "\n", options.seed);
    if (options.worlds == 0 && options.events == 0 && options.seconds == 0) {
        options.worlds = 1000;
    }
    return run(&options);
}
