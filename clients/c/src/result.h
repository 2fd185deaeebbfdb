/* SPDX-License-Identifier: MIT */
/* From a Result of the wire to a canceld_result. */
#ifndef CANCELD_CLIENT_RESULT_H
#define CANCELD_CLIENT_RESULT_H

#include "check.h"

#include <canceld.pb-c.h>
#include <canceld/client.h>

/* An empty result, whose texts are "". */
void result_init(struct canceld_result *result);

/* Makes *result_out of `wire` and takes it over, also on failure: without memory, false, and an empty
 * result. `wire` must have come from malloc. */
MUST_CHECK bool result_take(struct canceld_result *result_out, Canceld__V1__Result *wire);

/* The cause, borrowing from `wire`, which may be NULL. */
struct canceld_cause cause_of(const Canceld__V1__Cause *wire);

#endif
