/* SPDX-License-Identifier: MIT */
/* How many operations are left, told again and again on standard error: on a terminal one line that is
 * written over, else a line for each number that differs from the one before; in JSON an object. */
#ifndef CANCELD_CLI_PROGRESS_H
#define CANCELD_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct progress {
    FILE *out;
    bool is_json;
    bool is_terminal;
    bool is_told; /* `left` was told */
    uint64_t left;
};

void progress_init(struct progress *progress, FILE *out, bool is_json, bool is_terminal);

void progress_tell(struct progress *progress, uint64_t left, uint64_t after_ms);

/* Takes the line away, so that others may be written. */
void progress_end(struct progress *progress);

#endif
