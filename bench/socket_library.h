/* SPDX-License-Identifier: MIT */
/* The same work through the C client library (canceld/client.h): with one op on its way by its blocking
 * calls, with more by canceld_submit(). */
#ifndef CANCELD_BENCH_SOCKET_LIBRARY_H
#define CANCELD_BENCH_SOCKET_LIBRARY_H

#include "socket_server.h"

#include <stdint.h>

struct canceld_client;

struct canceld_client *library_open(const struct server *server);
void library_close(struct canceld_client *client);

/* Stores and deletes with so many ops on their way; returns the ops answered. */
uint64_t library_run(struct canceld_client *client, uint32_t depth, uint32_t slice_ms,
                     uint64_t seed);

#endif
