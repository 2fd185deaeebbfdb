/* SPDX-License-Identifier: MIT */
#include "scale_ends.h"

#include "map.h"
#include "ours.h"
#include "scale_rows.h"

#include <stdio.h>
#include <stdlib.h>

#define DIRECT_TTL_MS 60000

void scale_direct_expire(struct ends_advance *advance, uint64_t seed)
{
    uint64_t random = seed;
    struct siphash_key key = {harness_random(&random), harness_random(&random)};
    struct map_config config = {.table_key = key};
    struct ours *ours = ours_new(ENDS_COUNT, key);
    uint64_t now_ms = ours_now_ms();
    static uint8_t keys[OURS_BATCH][MAP_KEY_BYTES];
    for (uint32_t i = 0; i < ENDS_COUNT; i++) {
        uint8_t *name = keys[i % OURS_BATCH];
        map_key(i, 0, name);
        struct direct_op *op =
            ours_add(ours, (struct bytes){name, MAP_KEY_BYTES}, map_hash(&config, name));
        op->kind = OP_STORE;
        op->ttl_ms = DIRECT_TTL_MS;
        op->on_expiry = ON_EXPIRY_REAP;
        if (i % OURS_BATCH == OURS_BATCH - 1) {
            ours_run(ours, now_ms);
        }
    }
    *advance = (struct ends_advance){0};
    now_ms += DIRECT_TTL_MS + 1000;
    bool more = true;
    while (more) {
        uint64_t from_ns = slice_now_ns();
        more = registry_advance(ours->registry, now_ms, SWEEP_STEPS_MAX);
        uint64_t took_ns = slice_now_ns() - from_ns;
        advance->worst_ns = took_ns > advance->worst_ns ? took_ns : advance->worst_ns;
        advance->sum_ns += took_ns;
        advance->calls++;
        ours_tell(ours, now_ms);
    }
    ours_free(ours);
}

static void print(const struct harness *harness, const char *row, const char *peer,
                  const struct ends *ends, const char *note)
{
    if (ends->during.count == 0 || ends->quiet.count == 0) {
        harness_missing(harness, row, peer, "there was no ask meanwhile");
        return;
    }
    harness_row(harness, &(struct harness_row){
                             .row = row,
                             .peer = peer,
                             .unit = "us",
                             .value = (double) histogram_at(&ends->during, 0.99) / 1e3,
                             .p50_ns = (double) histogram_at(&ends->during, 0.5),
                             .p99_ns = (double) histogram_at(&ends->during, 0.99),
                             .p999_ns = (double) histogram_at(&ends->during, 0.999),
                             .worst_ns = (double) ends->during.worst,
                             .quiet_ns = (double) histogram_at(&ends->quiet, 0.99),
                             .note = note,
                         });
}

/* A quick run has no time for it: the daemon's is the row that decides a goal. */
static void expire_embedded_row(const struct harness *harness, struct ends *ends)
{
    char note[256];
    struct ends_advance advance;
    scale_direct_expire(&advance, harness->seed);
    scale_local_expire(ends);
    snprintf(
        note, sizeof note,
        "another lane's asks, one at a time; all had expired after %.0f ms; the registry alone: "
        "%.0f ms in %llu calls of registry_advance(), the longest %.2f ms",
        (double) ends->took_ns / 1e6, (double) advance.sum_ns / 1e6,
        (unsigned long long) advance.calls, (double) advance.worst_ns / 1e6);
    print(harness, "expire-1M", "ours-embedded", ends, note);
}

static void expire_row(const struct harness *harness, struct ends *ends)
{
    char note[256];
    if (!harness->quick) {
        expire_embedded_row(harness, ends);
    }
    scale_socket_expire(ends);
    snprintf(
        note, sizeof note,
        "another client's asks over a Unix socket, one at a time; all had expired after %.0f ms",
        (double) ends->took_ns / 1e6);
    print(harness, "expire-1M", "ours", ends, note);
}

void scale_rows_ends(const struct harness *harness)
{
    struct ends *ends = calloc(1, sizeof *ends);
    ASSERT(ends != NULL);
    if (harness_wants(harness, "expire-1M") && harness_wants_peer(harness, "ours")) {
        expire_row(harness, ends);
    }
    if (harness_wants(harness, "death-1M") && harness_wants_peer(harness, "ours")) {
        char note[256];
        scale_socket_death(ends);
        snprintf(note, sizeof note,
                 "another client's asks over a Unix socket, one at a time; all had ended %.0f ms "
                 "after the owner's grace",
                 (double) ends->took_ns / 1e6);
        print(harness, "death-1M", "ours", ends, note);
    }
    free(ends);
}
