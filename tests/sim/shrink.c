/* SPDX-License-Identifier: MIT */
#include "sim/shrink.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Something found a bug in itself: what led to it is worth as much as what we find. */
static void on_abort(int number)
{
    world_trace_print();
    (void) number;
    _exit(EXIT_FAILURE);
}

static void silence(void)
{
    int nothing = open("/dev/null", O_WRONLY);
    if (nothing >= 0) {
        (void) dup2(nothing, STDERR_FILENO);
    }
}

int shrink_try(const struct plan *plan, bool is_loud)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        static struct figures figures;
        struct plan loud = *plan;
        loud.is_traced = is_loud;
        if (is_loud) {
            struct sigaction action = {.sa_handler = on_abort};
            (void) sigaction(SIGABRT, &action, NULL);
            (void) sigaction(SIGSEGV, &action, NULL);
        } else {
            silence();
        }
        (void) world_play(world_new(&figures), &loud);
        _exit(EXIT_SUCCESS);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        return -1;
    }
    return status;
}

/* The least value for which it fails; it fails for `high`. */
static uint64_t least(struct plan *plan, uint64_t *value, uint64_t high)
{
    uint64_t low = 0;
    while (low < high) {
        *value = low + (high - low) / 2;
        if (shrink_try(plan, false) != 0) {
            high = *value;
        } else {
            low = *value + 1;
        }
    }
    *value = high;
    return high;
}

#define FAULTS_BOUND UINT64_C(65536)

void shrink(struct plan *plan)
{
    struct plan smaller = *plan;
    (void) least(&smaller, &smaller.acts_max, smaller.acts_max);
    (void) least(&smaller, &smaller.faults_max,
                 smaller.faults_max < FAULTS_BOUND ? smaller.faults_max : FAULTS_BOUND);
    /* It may be that fewer faults fail in another way, or not at all. */
    if (shrink_try(&smaller, false) != 0) {
        *plan = smaller;
    }
}
