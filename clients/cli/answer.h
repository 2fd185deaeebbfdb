/* SPDX-License-Identifier: MIT */
/* What the daemon said, as lines. */
#ifndef CANCELD_CLI_ANSWER_H
#define CANCELD_CLI_ANSWER_H

#include "line.h"

#include <canceld/client.h>

/* The fields of an answer: its word, the key that was asked about (none: empty), and what it speaks
 * of. Not the rows of pages and stats. */
void answer_put(struct line *line, struct canceld_bytes key, const struct canceld_result *result);

/* The fields of one operation. */
void answer_operation_put(struct line *line, const struct canceld_operation_info *info);

/* The fields of one armed key. */
void answer_armed_put(struct line *line, const struct canceld_armed_key *armed);

/* The fields of one line of the audit trail. */
void answer_history_put(struct line *line, const struct canceld_history_entry *entry);

/* The fields of one item of a watch, but for NOTHING and ANSWER. Events begin with their state. */
void answer_watch_put(struct line *line, const struct canceld_watch_item *item);

#endif
