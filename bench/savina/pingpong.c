/* SPDX-License-Identifier: MIT */
#include "savina.h"

struct player {
    struct stage *stage;
    uint64_t other;
    uint64_t left; /* the first one's: rounds to go */
};

static void pass(const struct player *player, struct message *message)
{
    const enum status status = actor_tell(player->stage->system, player->other, message);
    ASSERT(status == STATUS_OK);
}

static void ping_on_message(struct actor *self, struct message *message)
{
    struct player *player = actor_state(self);
    if (player->left == 0) {
        stage_end(player->stage);
        return;
    }
    player->left--;
    pass(player, message);
}

static void pong_on_message(struct actor *self, struct message *message)
{
    pass(actor_state(self), message);
}

static void run(struct stage *stage, uint64_t size, uint64_t seed)
{
    static const struct actor_class ping_class = {.name = "ping", .on_message = ping_on_message};
    static const struct actor_class pong_class = {.name = "pong", .on_message = pong_on_message};
    (void) seed;
    struct player ping = {.stage = stage, .left = size};
    struct player pong = {.stage = stage};
    struct message ball = {.kind = MESSAGE_KIND_FIRST};
    pong.other = actor_self(stage_spawn(stage, 0, &ping_class, &ping));
    ping.other = actor_self(stage_spawn(stage, 1, &pong_class, &pong));
    const enum status status = actor_tell(stage->system, pong.other, &ball);
    ASSERT(status == STATUS_OK);
    stage_play(stage);
}

static uint64_t ops(uint64_t size)
{
    return 2 * size;
}

const struct program program_pingpong = {.row = "pingpong",
                                         .unit = "ns/op",
                                         .size = 40000,
                                         .size_2_loops = 10000,
                                         .run = run,
                                         .ops = ops};
const struct program program_pingpong_long = {.row = "pingpong-300k",
                                              .unit = "ns/op",
                                              .size = 300000,
                                              .size_2_loops = 10000,
                                              .run = run,
                                              .ops = ops};
