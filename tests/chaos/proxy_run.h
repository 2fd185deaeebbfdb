/* SPDX-License-Identifier: MIT */
/* The chaos proxy of a program that has one between its clients and its daemon: see proxy.h. It ends when the
 * program does. What cannot be done ends the program with a sentence. */
#ifndef CANCELD_TESTS_CHAOS_PROXY_RUN_H
#define CANCELD_TESTS_CHAOS_PROXY_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define CHAOS_URL_BYTES 256

struct chaos_proxy_run {
    const char *whose; /* the program's name, for its sentences */
    const char *program;
    pid_t pid;
    int in;
    int out;
};

/* Starts it before the daemon at `target`, and writes where clients may connect to `url`: CHAOS_URL_BYTES. For an
 * ipc one its socket stands beside the daemon's. */
void chaos_proxy_start(struct chaos_proxy_run *run, const char *target, char *url, uint64_t seed);

/* Ends it, and passes its figures on to standard output; false where it says that it was not put to use. */
bool chaos_proxy_stop(struct chaos_proxy_run *run);

#endif
