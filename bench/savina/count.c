/* SPDX-License-Identifier: MIT */
/* Count: the mailbox is bounded, so the producer goes on in its sweep when it was told FULL. */
#include "savina.h"

#include "actor/message_pool.h"

#define COUNT_INCREMENT MESSAGE_KIND_FIRST
#define COUNT_RETRIEVE (MESSAGE_KIND_FIRST + 1)

struct increment {
    struct message message;
    uint64_t by;
};

struct count {
    struct stage *stage;
    struct message_pool *pool;
    uint64_t counter; /* the address */
    uint64_t left;
    struct message *refused;
    bool retrieved;
    struct message retrieve;
    uint64_t value;
    uint64_t size;
};

static void counter_on_message(struct actor *self, struct message *message)
{
    struct count *count = actor_state(self);
    if (message->kind == COUNT_INCREMENT) {
        count->value += ((struct increment *) message)->by;
        message_release(message);
        return;
    }
    ASSERT(count->value == count->size);
    stage_end(count->stage);
}

static bool produce_one(struct count *count)
{
    struct message *message = count->refused;
    if (message == NULL) {
        message = message_pool_take(count->pool);
        if (message == NULL) {
            return false; /* All are on their way. */
        }
        message->kind = COUNT_INCREMENT;
        ((struct increment *) message)->by = 1;
    }
    const enum status status = actor_tell(count->stage->system, count->counter, message);
    count->refused = status == STATUS_OK ? NULL : message;
    return status == STATUS_OK;
}

static uint64_t producer_on_sweep(struct actor *self, uint64_t now_ns)
{
    struct count *count = actor_state(self);
    while (count->left > 0 && produce_one(count)) {
        count->left--;
    }
    if (count->left > 0) {
        return now_ns;
    }
    if (!count->retrieved) {
        count->retrieved = true;
        count->retrieve = (struct message){.kind = COUNT_RETRIEVE, .control = true};
        const enum status status =
            actor_tell(count->stage->system, count->counter, &count->retrieve);
        ASSERT(status == STATUS_OK);
    }
    return TIME_NEVER;
}

static void producer_on_message(struct actor *self, struct message *message)
{
    (void) self;
    message_release(message);
}

static void run(struct stage *stage, uint64_t size, uint64_t seed)
{
    static const struct actor_class counter_class = {.name = "counter",
                                                     .on_message = counter_on_message};
    static const struct actor_class producer_class = {
        .name = "producer", .on_message = producer_on_message, .on_sweep = producer_on_sweep};
    (void) seed;
    struct count count = {.stage = stage, .left = size, .size = size};
    count.pool = message_pool_new(stage->loops[0], sizeof(struct increment), 4096);
    ASSERT(count.pool != NULL);
    count.counter = actor_self(stage_spawn(stage, 1, &counter_class, &count));
    (void) stage_spawn(stage, 0, &producer_class, &count);
    stage_play(stage);
    message_pool_free(count.pool);
}

static uint64_t ops(uint64_t size)
{
    return size;
}

const struct program program_count = {.row = "count",
                                      .unit = "ns/op",
                                      .size = 1000000,
                                      .size_2_loops = 1000000,
                                      .run = run,
                                      .ops = ops};
