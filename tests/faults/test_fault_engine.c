/* SPDX-License-Identifier: MIT */
/* What the engine of the client library does next where it has found no memory: it tries again, soon, and a daemon
 * whose replies it cannot take it troubles less and less. */
#include "engine.h"
#include "points.h"
#include "testing.h"

/* Each allocation of a sending fails, and each time the engine wants to be called again soon. */
static void retry_run(void)
{
    const struct engine_config config = {.framing = SP_FRAMING_IPC, .seed = 1};
    const uint64_t now_ns = NS_PER_MS;
    static struct engine engine;
    struct buffer output = {0};
    engine_init(&engine, &config, now_ns);
    engine_link_up(&engine, now_ns);
    points_arm();
    engine_send(&engine, &output, now_ns);
    const bool failed = points_disarm();
    CHECK_EQ(output.size == 0, failed);
    CHECK_EQ(engine_wake_ns(&engine, true) <= now_ns + ENGINE_RETRY_NS, failed);
    engine_send(&engine, &output, now_ns + ENGINE_RETRY_NS);
    CHECK_GT(output.size, 0);
    CHECK_GT(engine_wake_ns(&engine, true), now_ns + 2 * ENGINE_RETRY_NS);
    buffer_fini(&output);
    engine_close_all(&engine);
    engine_fini(&engine);
}

/* Again and again a reply ends the link, for want of memory or of sense: the daemon must not be flooded. */
static void pauses_grow(void)
{
    const struct engine_config config = {.framing = SP_FRAMING_IPC, .seed = 1, .sessionless = true};
    static struct engine engine;
    uint8_t greeting[SP_HANDSHAKE_BYTES];
    const uint8_t senseless[9] = {0xff};
    uint64_t now_ns = NS_PER_MS;
    sp_write_handshake(SP_REP, greeting);
    engine_init(&engine, &config, now_ns);
    for (int i = 0; i < 12; i++) {
        const uint64_t before_ns = now_ns;
        now_ns = engine_dial_ns(&engine) > now_ns ? engine_dial_ns(&engine) : now_ns;
        CHECK(i < 10 || now_ns - before_ns >= ENGINE_DIAL_LAST_NS / 2);
        engine_link_up(&engine, now_ns);
        CHECK(engine_receive(&engine, greeting, sizeof greeting, now_ns));
        CHECK(!engine_is_degraded(&engine));
        CHECK(!engine_receive(&engine, senseless, sizeof senseless, now_ns));
        engine_link_down(&engine, now_ns);
    }
    engine_close_all(&engine);
    engine_fini(&engine);
}

static void tries_again_soon(void)
{
    const struct points_scenario scenario = {"client sending", NULL, retry_run, NULL, 0};
    points_check(&scenario);
}

static const struct test_case cases[] = {
    {"what could not be sent for want of memory is tried again soon", tries_again_soon},
    {"a client that cannot take replies connects less and less often", pauses_grow},
};
TEST_MAIN(cases)
