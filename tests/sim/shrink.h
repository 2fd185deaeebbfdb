/* SPDX-License-Identifier: MIT */
/* A world in which something is violated, made smaller: the fewest acts, then the fewest faults with which it still
 * is. Chance is not touched by either, so up to where it is cut the world stays as it was. */
#ifndef CANCELD_TESTS_SIM_SHRINK_H
#define CANCELD_TESTS_SIM_SHRINK_H

#include "sim/world.h"

/* Plays it in a process of its own; the wait status. `is_loud`: with its history and its words on stderr. */
int shrink_try(const struct plan *plan, bool is_loud);

/* Makes *plan smaller, which fails. */
void shrink(struct plan *plan);

#endif
