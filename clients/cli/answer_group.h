/* SPDX-License-Identifier: MIT */
/* Answers that speak of many operations, as several lines: a bulk cancel and a drain. People read a line
 * for what happened in all, then one for each operation that the answer names (the daemon names 100 at
 * the most), then how many there are beside them. In JSON it is one object. */
#ifndef CANCELD_CLI_ANSWER_GROUP_H
#define CANCELD_CLI_ANSWER_GROUP_H

#include "arguments.h"

#include <canceld/client.h>

#include <stdint.h>
#include <stdio.h>

/* A cancel of a label, a session or a namespace. */
void answer_bulk_tell(FILE *out, const struct arguments *arguments,
                      const struct canceld_result *result);

/* A drain that is over, `after_ms` after it was asked for: DRAINED, or TIMED_OUT with those that are
 * left; or any other answer. */
void answer_drain_tell(FILE *out, const struct arguments *arguments, uint64_t after_ms,
                       const struct canceld_result *result);

/* What a command is about, where that is no key: as in label=L, session=7, namespace=NS or daemon. */
struct line;
void answer_target_put(struct line *line, const struct arguments *arguments);

#endif
