/* SPDX-License-Identifier: MIT */
/* Tables that grow from nothing, one insert after the other, each timed: what is looked for is the
 * worst, for that is how long everybody waits. No lock, no thread: the tables themselves, each in a
 * process of its own, with the memory that they ask for as they grow. Time that the kernel gave to
 * others (run delay) is taken off an insert's, and each grows several times: what stalls it every time is
 * the table's own. */
#ifndef CANCELD_BENCH_GROW_H
#define CANCELD_BENCH_GROW_H

#include "harness.h"

/* Prints a row for each table. */
void grow_row(const struct harness *harness, const char *row, uint32_t entries);

#endif
