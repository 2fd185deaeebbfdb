/* SPDX-License-Identifier: MIT */
/* A command in a process group of its own, and the terminal that it may own meanwhile. */
#ifndef CANCELD_CLI_CHILD_H
#define CANCELD_CLI_CHILD_H

#include "signals.h"

#include <stdbool.h>
#include <sys/types.h>

struct child {
    pid_t pid;           /* of the command, and the number of its group */
    bool has_terminal;   /* it is given standard input's terminal while we are in the foreground */
    bool has_ended;      /* the command itself; others of its group may live on */
    int status;          /* ended: as of waitpid() */
    int stopped_by;      /* 0: it runs; else the signal that stopped it */
    bool stop_is_unseen; /* child_stop_take() has not told of it */
};

/* Starts it. 0, or the errno of the failure: ENOENT where there is no such command. Standard input,
 * if a terminal that we have in the foreground, goes over to it, unless standard output is a pipe:
 * what reads that may need the terminal too. Processes that the command leaves behind become ours,
 * so that child_group_is_gone() can tell when they have ended. */
int child_start(struct child *child, char **argv, const struct signals *signals);

/* Takes note of what became of it. Call it after each SIGCHLD, and before child_group_is_gone(). */
void child_reap(struct child *child);

/* The signal that stopped it, once for each stop; else 0. */
int child_stop_take(struct child *child);

/* Sends a signal to the whole group; to one that is stopped SIGCONT as well, where it could not see
 * the signal else. */
void child_signal(struct child *child, int number);

/* Whether nobody of the group is left. */
bool child_group_is_gone(const struct child *child);

/* Stops this process as the terminal's stop key would, with the terminal taken back, and returns
 * when it was continued, at once where nobody could continue it. The command is continued then. */
void child_stop_ourselves(struct child *child);

/* Continues the command; in the foreground with its terminal. */
void child_continue(struct child *child);

/* Takes the terminal back. */
void child_terminal_take(const struct child *child);

/* What a shell makes of the status: the exit status, or 128 + n. */
int child_exit_code(const struct child *child);

#endif
