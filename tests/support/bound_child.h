/* SPDX-License-Identifier: MIT */
/* A process that a test program starts and that never outlives it, however that ends. */
#ifndef CANCELD_TESTS_BOUND_CHILD_H
#define CANCELD_TESTS_BOUND_CHILD_H

#include <sys/types.h>

/* As fork(), but the child is killed when the thread that called this ends, also where it ended before the child
 * could ask for that. What the child executes is bound in the same way. */
pid_t bound_child_fork(void);

#endif
