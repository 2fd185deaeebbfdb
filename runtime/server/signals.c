/* SPDX-License-Identifier: MIT */
#include "server/signals.h"

#include "base/check.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

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
    (void) sigaddset(&set, SIGRTMIN);
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

int signals_wait(bool hangup_reloads, int *value_out)
{
    sigset_t set = ends_set(hangup_reloads);

    for (;;) {
        siginfo_t info;
        int number = sigwaitinfo(&set, &info);

        if (number == SIGRTMIN && info.si_code == SI_QUEUE && info.si_pid == getpid()) {
            *value_out = info.si_value.sival_int;
            return SIGNALS_TOLD;
        }
        if (number > 0 && number != SIGRTMIN) { /* else interrupted, or it is none of ours */
            return number;
        }
    }
}

void signals_tell(int value)
{
    (void) sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = value});
}

void signals_arm(bool hangup_reloads)
{
    const struct sigaction as_ever = {.sa_handler = SIG_DFL};
    sigset_t set = ends_set(hangup_reloads);

    if (hangup_reloads) {
        /* Who wants a reload does not want a hasty end. */
        (void) sigdelset(&set, SIGHUP);
    }
    (void) sigdelset(&set, SIGRTMIN); /* a word that comes too late must not end the process */
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
