/* SPDX-License-Identifier: MIT */
/* The daemon put together: in which order its parts start, and in which they end.
 *
 * Start: the rules and tokens are read; the descriptors are counted; the socket files are claimed, so
 * that a second daemon on the same path is refused before it touches anything; the epoch is raised and
 * durable; the journal is opened; the registry and its endpoints are made, and the registry takes what
 * an earlier run left unsettled; the sandbox closes (sandbox.h); the journal's thread and the owner's
 * run. Whatever refuses, all before it is given back. Stop: the service answers and flushes, the owner's
 * loop ends, the journal keeps what is left, the socket files go, and with them the locks, so that the
 * next daemon finds the path free the moment it can have it.
 *
 * All of it on the main thread; the epoch is handed to the owner thread while that runs. */
#ifndef CANCELD_SERVER_DAEMON_H
#define CANCELD_SERVER_DAEMON_H

#include "base/check.h"
#include "server/log.h"
#include "server/options.h"
#include "server/refusal.h"
#include "server/rights.h"

#include <stdbool.h>
#include <stddef.h>

struct daemon;

/* Serves when it returns true. `options` and `log` have to outlive the daemon. */
MUST_CHECK bool daemon_start(const struct options *options, struct log *log,
                             struct daemon **daemon_out, struct refusal *refusal);

/* "ready URL...": each address as clients have to write it. Borrowed until the stop. */
const char *daemon_ready_line(const struct daemon *daemon);

/* Who may do what from now on. The rights are the daemon's own then; on refusal they are still the
 * caller's, and nothing has changed. Where there are rules, rights without any are refused: a file that
 * is just being written, and empty for a moment, must not open everything to everybody. */
MUST_CHECK bool daemon_rights_set(struct daemon *daemon, struct rights *rights,
                                  struct refusal *refusal);

/* What the daemon told main by signals_tell(): the journal fails, or works again. Goes to the log. */
void daemon_told(struct daemon *daemon, int value);

/* Answers what is parked, flushes for 2 s at most, and gives everything back. Cancels nothing. */
void daemon_stop(struct daemon *daemon);

#endif
