/* SPDX-License-Identifier: MIT */
#include "signals.h"

#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* Read, and but for SIGCHLD passed on. */
static const int numbers_read[] = {SIGCHLD, SIGHUP,  SIGINT,  SIGQUIT, SIGTERM,
                                   SIGALRM, SIGUSR1, SIGUSR2, SIGTSTP, SIGCONT};

static bool is_ignored(int number)
{
    struct sigaction action;

    return sigaction(number, NULL, &action) == 0 && (action.sa_flags & SA_SIGINFO) == 0 &&
           action.sa_handler == SIG_IGN;
}

bool signals_init(struct signals *signals)
{
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    const struct sigaction fall_back = {.sa_handler = SIG_DFL};
    sigset_t read_set, blocked;

    /* A command that nobody may wait for has no status. */
    (void) sigaction(SIGCHLD, &fall_back, NULL);
    (void) sigemptyset(&read_set);
    for (size_t i = 0; i < sizeof numbers_read / sizeof numbers_read[0]; i++) {
        if (!is_ignored(numbers_read[i])) {
            (void) sigaddset(&read_set, numbers_read[i]);
        }
    }
    blocked = read_set;
    /* Else giving the terminal back, from the background, would stop this process. */
    (void) sigaddset(&blocked, SIGTTOU);
    (void) sigprocmask(SIG_BLOCK, &blocked, &signals->mask_before);
    /* Nobody reading what cancelctl says is no reason to leave the command alone. */
    signals->pipe_is_default = !is_ignored(SIGPIPE);
    (void) sigaction(SIGPIPE, &ignore, NULL);
    signals->fd = signalfd(-1, &read_set, SFD_NONBLOCK | SFD_CLOEXEC);
    return signals->fd >= 0;
}

int signals_next(const struct signals *signals)
{
    struct signalfd_siginfo info;

    return read(signals->fd, &info, sizeof info) == (ssize_t) sizeof info ? (int) info.ssi_signo
                                                                          : 0;
}
