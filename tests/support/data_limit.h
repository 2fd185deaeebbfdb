/* SPDX-License-Identifier: MIT */
/* A process that may have no more memory, for a while: what RLIMIT_DATA counts, and its limit. */
#ifndef CANCELD_TESTS_DATA_LIMIT_H
#define CANCELD_TESTS_DATA_LIMIT_H

#include <sys/resource.h>

/* Bytes that count at present. */
rlim_t test_data_bytes(void);

/* RLIM_INFINITY: as many as there may be. */
void test_data_limit(rlim_t bytes);

#endif
