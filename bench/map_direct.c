/* SPDX-License-Identifier: MIT */
/* The registry itself, on the one thread that asks: batches of 64 with prefetch, and nobody else. */
#include "map.h"
#include "ours.h"

#include <string.h>

/* What ended is remembered for a minute; then it is forgotten. */
#define MEMORY_OVER_MS 61000

static void *direct_new(const struct map_config *config)
{
    return ours_new(config->capacity, config->table_key);
}

static void direct_free(void *map)
{
    ours_free(map);
}

static void put(struct ours *ours, const struct map_op *op)
{
    static const enum op_kind kinds[] = {[MAP_STORE] = OP_STORE,
                                         [MAP_DELETE] = OP_DELETE,
                                         [MAP_GET] = OP_GET,
                                         [MAP_CANCEL] = OP_CANCEL};
    struct direct_op *direct = ours_add(ours, (struct bytes){op->key, MAP_KEY_BYTES}, op->hash);
    void (*cancel)(void *argument) = map_cancelled;
    direct->kind = kinds[op->kind];
    direct->gen = op->gen;
    direct->ttl_ms = op->ttl_ms;
    direct->on_expiry = ON_EXPIRY_REAP;
    direct->outcome = OUTCOME_COMPLETED;
    direct->cause = CAUSE_USER;
    memcpy(&direct->value.of[0], &cancel, sizeof cancel);
}

static bool is_hit(const struct direct_answer *answer)
{
    return answer->answer == ANSWER_STORED || answer->answer == ANSWER_DELETED ||
           answer->answer == ANSWER_FOUND || answer->answer == ANSWER_REQUESTED ||
           answer->answer == ANSWER_ALREADY_REQUESTED;
}

static void direct_run(void *client, struct map_stream *stream)
{
    struct ours *ours = client;
    struct map_op ops[OURS_BATCH];
    bool more = true;
    while (more) {
        uint32_t count = 0;
        while (count < OURS_BATCH && (more = map_stream_next(stream, &ops[count]))) {
            put(ours, &ops[count++]);
        }
        uint64_t now_ms = ours_now_ms();
        ours_run(ours, now_ms);
        for (uint32_t i = 0; i < count; i++) {
            map_stream_done(stream, &ops[i], is_hit(&ours->answers[i]), ours->answers[i].gen);
        }
        ours_advance(ours, now_ms);
    }
}

static void direct_settle(void *map)
{
    struct ours *ours = map;
    while (ours_advance(ours, ours_now_ms() + MEMORY_OVER_MS)) {
    }
}

const struct map_design map_designs_direct[] = {
    {.peer = "ours-direct",
     .note = "1 thread: the registry itself, batches of 64",
     .weigh_quick = true,
     .workers = 1,
     .make = direct_new,
     .free = direct_free,
     .run = direct_run,
     .settle = direct_settle},
    {.peer = NULL},
};
