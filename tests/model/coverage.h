/* SPDX-License-Identifier: MIT */
/* Which answers were seen to which ops. The list of those that the contract allows is written by hand;
 * one that was never seen fails the test, and so does one that is not on the list. */
#ifndef CANCELD_TESTS_MODEL_COVERAGE_H
#define CANCELD_TESTS_MODEL_COVERAGE_H

#include "registry/frame.h"

#include <stdbool.h>
#include <stdio.h>

struct coverage {
    uint64_t pairs[OP_END][ANSWER_END];
    uint64_t op_errors[ERROR_END];
    uint64_t frame_errors[ERROR_END];
    uint64_t limits[48];
    uint64_t fields[48];
};

/* False where the contract knows no such answer to such an op. */
bool coverage_note(struct coverage *coverage, enum op_kind kind, const struct result *result);
bool coverage_note_refusal(struct coverage *coverage, const struct error *error);

/* Prints the table; false where a place is empty that the contract fills. */
bool coverage_report(const struct coverage *coverage, FILE *file);

#endif
