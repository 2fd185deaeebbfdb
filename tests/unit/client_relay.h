/* SPDX-License-Identifier: MIT */
/* Stands between a client and the daemon on Unix sockets and passes bytes both ways on a thread of its own, until
 * the link is cut. */
#ifndef CANCELD_TESTS_CLIENT_RELAY_H
#define CANCELD_TESTS_CLIENT_RELAY_H

#include <pthread.h>
#include <stdbool.h>

struct relay {
    pthread_t thread;
    int listener;
    int wake[2]; /* a pipe: one byte is one word */
    char to[108];
};

/* Listens at `at` and connects each one on to `to`. */
void relay_start(struct relay *relay, const char *at, const char *to);
void relay_stop(struct relay *relay);

/* Closes all links; until it is let go on, new ones are closed at once. */
void relay_cut(struct relay *relay);
void relay_go_on(struct relay *relay);

#endif
