/* SPDX-License-Identifier: MIT */
/* A clean-up takes a quarter of all entries away while a worker works; told is what the worker's ops
 * took. Designs with a lock have a function that does it; where entries have a ttl (ours, janitor), all
 * that is to go expires in the same instant. */
#ifndef CANCELD_BENCH_MAP_CLEANUP_H
#define CANCELD_BENCH_MAP_CLEANUP_H

#include "map_bed.h"

/* Prints the row of this bed's design, unless it has none. */
void map_cleanup(const struct harness *harness, const char *row, struct map_bed *bed);

#endif
