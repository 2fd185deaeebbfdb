/* SPDX-License-Identifier: MIT */
#include "data_limit.h"

#include "testing.h"

#include <stdio.h>

rlim_t test_data_bytes(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    unsigned long kib = 0;
    CHECK(file != NULL);
    while (fgets(line, sizeof line, file) != NULL && sscanf(line, "VmData: %lu", &kib) != 1) {
    }
    (void) fclose(file);
    CHECK_GT(kib, 0);
    return (rlim_t) kib * 1024;
}

void test_data_limit(rlim_t bytes)
{
    struct rlimit limit;
    CHECK_EQ(getrlimit(RLIMIT_DATA, &limit), 0);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    CHECK_EQ(setrlimit(RLIMIT_DATA, &limit), 0);
}
