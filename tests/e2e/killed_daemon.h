/* SPDX-License-Identifier: MIT */
/* The daemon of a program that kills it: with a journal, and dead when the program is. What cannot be done ends
 * the program with a sentence. */
#ifndef CANCELD_TESTS_KILLED_DAEMON_H
#define CANCELD_TESTS_KILLED_DAEMON_H

#include <sys/types.h>

#define KILLED_DAEMON_URL_BYTES 256

struct killed_daemon {
    const char *whose; /* the program's name, for its sentences */
    const char *program;
    const char *state_directory;
    const char *recovery_ms; /* NULL: the daemon's default */
    pid_t pid;
    int out;
};

/* Starts it and waits until it serves. `url` is where it is to listen, and then where it does:
 * KILLED_DAEMON_URL_BYTES of it. */
void killed_daemon_start(struct killed_daemon *daemon, char *url);

/* By SIGKILL; returns when it is gone. */
void killed_daemon_kill(struct killed_daemon *daemon);

#endif
