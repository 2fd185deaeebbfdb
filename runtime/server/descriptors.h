/* SPDX-License-Identifier: MIT */
/* How many descriptors the process may have, against how many connections it is to serve. */
#ifndef CANCELD_SERVER_DESCRIPTORS_H
#define CANCELD_SERVER_DESCRIPTORS_H

#include "base/check.h"
#include "server/refusal.h"

#include <stdbool.h>
#include <stdint.h>

/* Those that are no connections: listeners, locks, pollers, the log, and a few to spare. */
#define DESCRIPTORS_RESERVED 64

/* Opens /dev/null where standard input, output or error is closed: else the next file that is opened,
 * a lock or a client's connection, would take its number, and what is printed would go there. False
 * where that cannot be had. */
MUST_CHECK bool descriptors_fill_standard(void);

/* Raises the soft limit to the hard one and gives it. */
MUST_CHECK bool descriptors_raise(uint64_t *descriptors_out, struct refusal *refusal);

/* The connections that `descriptors` leave room for, `wanted` at most. Refused where that is none.
 */
MUST_CHECK bool descriptors_fit(uint64_t descriptors, uint64_t wanted, uint64_t *connections_out,
                                struct refusal *refusal);

#endif
