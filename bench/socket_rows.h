/* SPDX-License-Identifier: MIT */
/* The rows of the group `socket`, a file each. Each starts the servers that it needs and stops them. */
#ifndef CANCELD_BENCH_SOCKET_ROWS_H
#define CANCELD_BENCH_SOCKET_ROWS_H

#include "harness.h"

void socket_ops(const struct harness *harness);
void socket_trip(const struct harness *harness);
void socket_notice(const struct harness *harness);
void socket_sessions(const struct harness *harness);

/* The bare server that NNG makes, in a process of its own: does not return. */
void socket_serve_nng(const char *path);

#endif
