/* SPDX-License-Identifier: MIT */
#include "ours.h"

#include "harness.h"

#include <stdlib.h>
#include <string.h>

#define BYTES_MAX (UINT64_C(1) << 36)

static void swallow(void *context, const struct reply_to *to, struct bytes reply)
{
    (void) context;
    (void) to;
    (void) reply;
}

/* Nothing is encoded: there are no frames. */
static size_t no_head(void *context, const struct reply_head *head, uint8_t *out, size_t room)
{
    (void) context;
    (void) head;
    (void) out;
    (void) room;
    return 0;
}

static size_t no_result(void *context, const struct result *result, uint8_t *out, size_t room)
{
    (void) context;
    (void) result;
    (void) out;
    (void) room;
    return 0;
}

static bool next_epoch(void *context, uint64_t *epoch_out)
{
    (void) context;
    (void) epoch_out;
    return false;
}

static void told(void *context, const struct notice *notice, const struct direct_value *value)
{
    struct ours *ours = context;
    if (ours->told_count == OURS_TOLD_MAX) {
        ours->told_lost++;
        return;
    }
    ours->told[ours->told_count].gen = notice->gen;
    ours->told[ours->told_count].kind = notice->kind;
    ours->told[ours->told_count++].value = *value;
}

uint64_t ours_now_ms(void)
{
    return slice_now_ns() / NS_PER_MS;
}

/* Weighed as the daemon has it: whoever is told there polls. */
static bool without_callbacks;

void ours_without_callbacks(bool without)
{
    without_callbacks = without;
}

struct ours *ours_new(uint64_t operations, struct siphash_key table_key)
{
    struct ours *ours = calloc(1, sizeof *ours);
    ASSERT(ours != NULL);
    ours->table_key = table_key;
    struct registry_config config = {.limits = limits_default(),
                                     .epoch = 1,
                                     .counter_first = 1,
                                     .table_key = table_key,
                                     .secret_key = {1, 2},
                                     .now_ms = ours_now_ms()};
    config.limits.operations = operations;
    config.limits.operations_namespace = operations;
    config.limits.operations_session = operations;
    config.limits.bytes = BYTES_MAX;
    struct registry_port port = {.context = ours,
                                 .send = swallow,
                                 .head = no_head,
                                 .result = no_result,
                                 .next_epoch = next_epoch,
                                 .told = without_callbacks ? NULL : told};
    ours->registry = registry_new(&config, &port);
    if (ours->registry == NULL || registry_direct_open(ours->registry, ours_now_ms()) == 0) {
        harness_fail("no registry for %llu operations", (unsigned long long) operations);
    }
    return ours;
}

void ours_free(struct ours *ours)
{
    registry_free(ours->registry);
    free(ours);
}

struct direct_op *ours_add(struct ours *ours, struct bytes key, uint64_t hash)
{
    ASSERT(ours->ops_count < OURS_BATCH);
    struct direct_op *op = &ours->ops[ours->ops_count++];
    memset(op, 0, sizeof *op);
    op->key = key;
    op->hash = hash;
    return op;
}

void ours_run(struct ours *ours, uint64_t now_ms)
{
    size_t count = ours->ops_count;
    for (size_t i = 0; i < count; i++) {
        const struct direct_op *op = &ours->ops[i];
        registry_direct_prefetch(ours->registry, op->hash, op->kind == OP_DELETE ? op->gen : 0);
    }
    for (size_t i = 0; i < count; i++) {
        registry_direct_prefetch_record(ours->registry, ours->ops[i].hash);
    }
    for (size_t i = 0; i < count; i++) {
        registry_direct(ours->registry, &ours->ops[i], now_ms, &ours->answers[i]);
    }
    ours->ops_count = 0;
    ours_tell(ours, now_ms);
}

void ours_tell(struct ours *ours, uint64_t now_ms)
{
    for (size_t i = 0; i < ours->told_count; i++) {
        void (*cancel)(void *argument);
        memcpy(&cancel, &ours->told[i].value.of[0], sizeof cancel);
        if (cancel != NULL) {
            cancel(ours->told[i].value.of[1]);
        }
        registry_direct_told(ours->registry, ours->told[i].gen, ours->told[i].kind, now_ms);
    }
    ours->told_count = 0;
}

bool ours_advance(struct ours *ours, uint64_t now_ms)
{
    bool more = registry_advance(ours->registry, now_ms, SWEEP_STEPS_MAX);
    ours_tell(ours, now_ms);
    return more;
}
