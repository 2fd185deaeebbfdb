/* SPDX-License-Identifier: MIT */
/* The rows of the program: each function prints its own, where they are asked for. */
#ifndef CANCELD_BENCH_SCALE_ROWS_H
#define CANCELD_BENCH_SCALE_ROWS_H

#include "harness.h"

void scale_rows_memory(const struct harness *harness);
void scale_rows_ops(const struct harness *harness);
void scale_rows_ends(const struct harness *harness);

#endif
