/* SPDX-License-Identifier: MIT */
/* The registry alone, without wire and threads, as registry/direct.h offers it: one session, batches
 * with prefetch. For rows that speak of the registry itself. One thread. */
#ifndef CANCELD_BENCH_OURS_H
#define CANCELD_BENCH_OURS_H

#include "registry/direct.h"
#include "registry/registry.h"

#include <stddef.h>
#include <stdint.h>

#define OURS_BATCH 64
#define OURS_TOLD_MAX 4096

struct ours {
    struct registry *registry;
    struct siphash_key table_key;
    struct direct_op ops[OURS_BATCH];
    struct direct_answer answers[OURS_BATCH];
    size_t ops_count;
    struct {
        uint64_t gen;
        enum notice_kind kind;
        struct direct_value value;
    } told[OURS_TOLD_MAX]; /* owners that are still to be told; beyond that nobody is */
    size_t told_count;
    uint64_t told_lost;
};

/* From now on ours_new() makes registries as the daemon has them, that keep no callbacks. */
void ours_without_callbacks(bool without);

/* Every limit that counts operations is `operations`. Heap: it is large. */
struct ours *ours_new(uint64_t operations, struct siphash_key table_key);
void ours_free(struct ours *ours);

/* The next op of the batch, all zero but for the hash; the key must stay until ours_run(). */
struct direct_op *ours_add(struct ours *ours, struct bytes key, uint64_t hash);

/* Does the batch, and the callbacks that it called for; answers[] are in the order of ops[], until the
 * next ours_add(). */
void ours_run(struct ours *ours, uint64_t now_ms);

/* One sweep of what is due, and the callbacks that it called for. True where more is left to do now. */
bool ours_advance(struct ours *ours, uint64_t now_ms);

/* Calls the cancel function of each value in told[] (of[0]; with of[1]), and says so. */
void ours_tell(struct ours *ours, uint64_t now_ms);

uint64_t ours_now_ms(void);

#endif
