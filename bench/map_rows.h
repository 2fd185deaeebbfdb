/* SPDX-License-Identifier: MIT */
/* The rows of the program: each function prints its own, where they are asked for. */
#ifndef CANCELD_BENCH_MAP_ROWS_H
#define CANCELD_BENCH_MAP_ROWS_H

#include "harness.h"

void map_rows_mix(const struct harness *harness);
void map_rows_delete(const struct harness *harness);

#endif
