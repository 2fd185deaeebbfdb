/* SPDX-License-Identifier: MIT */
/* The generations of the kill loop. */
#include "kill_loop.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static int compare_gens(const void *a, const void *b)
{
    const uint64_t left = *(const uint64_t *) a;
    const uint64_t right = *(const uint64_t *) b;
    return left < right ? -1 : left > right;
}

uint64_t kill_loop_count_reused(const struct shared *shared)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < OWNERS; i++) {
        count += shared->owners[i].stored;
    }
    uint64_t *gens = calloc(count + 1, sizeof *gens);
    if (gens == NULL) {
        (void) fprintf(stderr, "kill_loop: no memory for %" PRIu64 " generations\n", count);
        exit(EXIT_FAILURE);
    }
    uint64_t used = 0;
    for (unsigned i = 0; i < OWNERS; i++) {
        for (uint64_t at = 0; at < shared->owners[i].stored; at++) {
            if (shared->owners[i].records[at].gen != 0) {
                gens[used++] = shared->owners[i].records[at].gen;
            }
        }
    }
    qsort(gens, used, sizeof *gens, compare_gens);
    uint64_t reused = 0;
    for (uint64_t i = 1; i < used; i++) {
        reused += gens[i] == gens[i - 1];
    }
    free(gens);
    return reused;
}
