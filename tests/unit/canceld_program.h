/* SPDX-License-Identifier: MIT */
/* The daemon as a process of its own, started, watched and ended by a test case. Flags are words apart
 * by one space each, in which @ stands for the case's directory. */
#ifndef CANCELD_TESTS_CANCELD_PROGRAM_H
#define CANCELD_TESTS_CANCELD_PROGRAM_H

#include <stdbool.h>
#include <sys/types.h>

struct program {
    pid_t pid;
    int out;          /* what it writes to standard output */
    char errors[600]; /* the file that takes what it writes to standard error */
};

bool path_is_there(const char *path);

/* What a file holds; empty where there is none. Valid until the next call. */
const char *file_text(const char *path);

/* Starts it and waits for nothing; the second form without a standard output. */
struct program program_start(const char *flags);
struct program program_start_closed(const char *flags);

/* Starts it and waits until it serves; gives the ready line, valid until the next line. */
const char *program_start_ready(struct program *program, const char *flags);

/* One line of its standard output without its end; empty at the end of file. */
const char *program_line(const struct program *program);

/* Waits for its end; gives its exit status, or 128 + n where signal n ended it. */
int program_wait(struct program *program);

/* Ends it by SIGTERM; its status has to be 0. */
void program_stop(struct program *program);

/* Started with these flags it ends by itself with this status, and what it says holds `word`. */
void program_check_fails(const char *flags, int status, const char *word);

#endif
