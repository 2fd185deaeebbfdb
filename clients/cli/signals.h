/* SPDX-License-Identifier: MIT */
/* The signals of a process that stands before a command: they are read from a descriptor, so that
 * one loop sees them in turn with everything else. */
#ifndef CANCELD_CLI_SIGNALS_H
#define CANCELD_CLI_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

struct signals {
    int fd;               /* readable when signals_next() has one */
    sigset_t mask_before; /* for the command */
    bool pipe_is_default; /* SIGPIPE ended this process before signals_init() */
};

/* Blocks the signals that are to be read, for this thread and those it makes from now on. Those
 * that this process was told to ignore (nohup) are left so. False with errno where there is no
 * descriptor. There is no way back: the process ends with its command. */
bool signals_init(struct signals *signals);

/* The next signal, 0 where there is none now. */
int signals_next(const struct signals *signals);

#endif
