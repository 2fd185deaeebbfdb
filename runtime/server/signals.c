/* SPDX-License-Identifier: MIT */
#include "server/signals.h"

#include "base/check.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>

static const struct {
    int number;
    const char *name;
} ends[] = {{SIGTERM, "SIGTERM"}, {SIGINT, "SIGINT"}, {SIGHUP, "SIGHUP"}};

#define ENDS_COUNT (sizeof ends / sizeof ends[0])

static sigset_t ends_set(bool hangup_reloads)
{
    struct sigaction hangup;
    sigset_t set;

    (void) sigemptyset(&set);
    for (size_t i = 0; i < ENDS_COUNT; i++) {
        (void) sigaddset(&set, ends[i].number);
    }
    if (!hangup_reloads && sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler == SIG_IGN) {
        (void) sigdelset(&set, SIGHUP);
    }
    return set;
}

void signals_block(bool hangup_reloads)
{
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigset_t set = ends_set(hangup_reloads);

    ASSERT(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
    (void) sigaction(SIGPIPE, &ignore, NULL);
}

int signals_wait(bool hangup_reloads)
{
    sigset_t set = ends_set(hangup_reloads);
    int number;

    while (sigwait(&set, &number) != 0) {
        /* It fails for an invalid set alone, and for a debugger's interruption on old kernels. */
    }
    return number;
}

void signals_arm(bool hangup_reloads)
{
    const struct sigaction as_ever = {.sa_handler = SIG_DFL};
    sigset_t set = ends_set(hangup_reloads);

    if (hangup_reloads) {
        /* Who wants a reload does not want a hasty end. */
        (void) sigdelset(&set, SIGHUP);
    }
    for (size_t i = 0; i < ENDS_COUNT; i++) {
        if (sigismember(&set, ends[i].number) == 1) {
            /* SIGINT is ignored in what a shell starts in the background. */
            (void) sigaction(ends[i].number, &as_ever, NULL);
        }
    }
    ASSERT(pthread_sigmask(SIG_UNBLOCK, &set, NULL) == 0);
}

const char *signals_name(int number)
{
    for (size_t i = 0; i < ENDS_COUNT; i++) {
        if (ends[i].number == number) {
            return ends[i].name;
        }
    }
    return "a signal";
}
