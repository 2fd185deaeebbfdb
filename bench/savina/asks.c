/* SPDX-License-Identifier: MIT */
/* An asker on another loop than the answerer's has its answer there, in `done`, and tells itself to go
 * on: so an ask is two messages between threads, as it is for the peers. */
#include "savina.h"

#define ASKER_GO MESSAGE_KIND_FIRST

struct asker {
    struct message question;
    struct message go;
    struct ask ask;
    struct stage *stage;
    uint64_t self;
    uint64_t answerer;
    uint64_t left;
    uint64_t timeout_ms;
    bool here; /* the answerer is on the asker's loop */
};

static void next(struct asker *asker);

static void asker_done(struct ask *ask, enum ask_end end, struct message *reply)
{
    struct asker *asker = (void *) ((char *) ask - offsetof(struct asker, ask));
    ASSERT(end == ASK_REPLY && reply == &asker->question);
    if (asker->here) {
        next(asker);
        return;
    }
    const enum status status = actor_tell(asker->stage->system, asker->self, &asker->go);
    ASSERT(status == STATUS_OK);
}

static void next(struct asker *asker)
{
    if (asker->left == 0) {
        stage_end(asker->stage);
        return;
    }
    asker->left--;
    const enum status status = actor_ask(asker->stage->system, asker->answerer, &asker->question,
                                         asker->timeout_ms, &asker->ask);
    ASSERT(status == STATUS_OK);
}

static void asker_on_message(struct actor *self, struct message *message)
{
    (void) message;
    next(actor_state(self));
}

static void answerer_on_message(struct actor *self, struct message *message)
{
    actor_reply(self, actor_defer(message), message);
}

static void run_with(struct stage *stage, uint64_t size, uint64_t timeout_ms)
{
    static const struct actor_class asker_class = {.name = "asker", .on_message = asker_on_message};
    static const struct actor_class answerer_class = {.name = "answerer",
                                                      .on_message = answerer_on_message};
    struct asker asker = {.question = {.kind = MESSAGE_KIND_FIRST},
                          .go = {.kind = ASKER_GO},
                          .ask = {.done = asker_done},
                          .stage = stage,
                          .left = size,
                          .timeout_ms = timeout_ms,
                          .here = stage->loops_count == 1};
    asker.self = actor_self(stage_spawn(stage, 0, &asker_class, &asker));
    asker.answerer = actor_self(stage_spawn(stage, 1, &answerer_class, &asker));
    const enum status status = actor_tell(stage->system, asker.self, &asker.go);
    ASSERT(status == STATUS_OK);
    stage_play(stage);
}

static void run(struct stage *stage, uint64_t size, uint64_t seed)
{
    (void) seed;
    run_with(stage, size, UINT64_MAX);
}

static void run_deadline(struct stage *stage, uint64_t size, uint64_t seed)
{
    (void) seed;
    run_with(stage, size, 5000);
}

static uint64_t ops(uint64_t size)
{
    return size;
}

const struct program program_ask = {
    .row = "ask", .unit = "ns/op", .size = 200000, .size_2_loops = 20000, .run = run, .ops = ops};
const struct program program_ask_deadline = {.row = "ask-deadline",
                                             .unit = "ns/op",
                                             .size = 200000,
                                             .size_2_loops = 20000,
                                             .run = run_deadline,
                                             .ops = ops};
