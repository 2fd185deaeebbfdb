/* SPDX-License-Identifier: MIT */
/* A server that a bench program starts as a process of its own, in a temporary directory, and stops
 * again; and a connection to it over a Unix socket. What goes wrong ends the program with a sentence,
 * but for a server that is not installed. Not thread-safe. */
#ifndef CANCELD_BENCH_SOCKET_SERVER_H
#define CANCELD_BENCH_SOCKET_SERVER_H

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SERVER_PATH_BYTES 108 /* of a Unix socket, with the terminator */

/* The directory where all sockets of this program are; made at the first call, gone with
 * server_directory_remove(). */
const char *server_directory(void);
void server_directory_remove(void);

struct server {
    pid_t pid; /* 0: it does not run */
    char path[SERVER_PATH_BYTES];
    uint16_t port; /* 0: the path counts */
    bool shy;      /* see server_start_self() */
};

/* Servers that are started after this run on the first processor, and the calling thread, with all that it
 * starts, on the second: where both are is else the scheduler's whim, and a reply that has to wake another
 * processor takes ten times as long as one that has not. Nothing where there is one processor alone. */
void server_pin(void);

/* Runs arguments[0] (found by PATH, NULL at the end) and waits until `socket` in the directory takes
 * connections. False where there is no such program. It gets SIGTERM when this program ends. */
MUST_CHECK bool server_start(struct server *server, const char *socket,
                             const char *const *arguments);

/* This very program with an option and the path. It is not tried by a connection that says nothing, which
 * NNG below 1.6 takes ill: once the socket is there, it is there. */
void server_start_self(struct server *server, const char *socket, const char *option);

/* Ends it and waits for its end. Nothing where it does not run. */
void server_stop(struct server *server);

/* canceld of this build, with --ephemeral --recovery 0 and limits for the rows that need many of
 * everything. */
void server_start_ours(struct server *server);

/* The same under another name, and by another scheme: "ipc", "nng+ipc". */
void server_start_ours_by(struct server *server, const char *socket, const char *scheme);

/* redis-server without persistence. */
MUST_CHECK bool server_start_redis(struct server *server);

/* nats-server, which listens on a port of 127.0.0.1. */
MUST_CHECK bool server_start_nats(struct server *server, uint16_t *port_out);

/* ---- connections ---- */

/* A blocking stream socket. */
MUST_CHECK int server_connect(const struct server *server);
void server_write(int fd, const void *data, size_t size);

/* At least one byte. */
MUST_CHECK size_t server_read(int fd, void *data, size_t room);

#endif
