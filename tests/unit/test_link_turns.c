/* SPDX-License-Identifier: MIT */
/* Whose turn it is, of many connections that all have something to say (link_read.c, decision 0013): a loop
 * that is stepped by hand, and a clock that stands still, so each batch is known to the frame. */
#include "endpoint_rig.h"

#include "registry/frame.h"
#include "wire/link_state.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>

enum { FLOODS = 8, FLOOD_FRAMES = 1000, QUIET = FLOODS, CLIENTS, BODY = 8 };

struct bed {
    uint64_t now_ns;
    struct actor_system *system;
    struct actor_loop *loop;
    struct actor *self;
    struct endpoint *endpoint;
    struct server server; /* its url and limits alone: what clients connect to */
    struct client clients[CLIENTS];
    size_t frames;             /* of all */
    size_t frames_of[CLIENTS]; /* by the first byte of each */
    size_t before_quiet;       /* of all, when the quiet one was heard last */
    bool quiet_is_owed;        /* its answer was made, and no other frame was seen since */
    bool quiet_had_answer;     /* by the time of the frame behind its own */
};

static struct bed bed;

/* ---- the handler ---- */

static bool on_link_up(void *context, uint64_t link, struct bytes peer)
{
    (void) context;
    (void) link;
    (void) peer;
    return true;
}

static bool can_read(const struct client *client)
{
    struct pollfd readable = {.fd = client->fd, .events = POLLIN};
    return poll(&readable, 1, 0) == 1;
}

/* The quiet one alone is answered: whose answers are not read is not read either. */
static void on_frame(void *context, const struct reply_to *from, struct bytes body)
{
    (void) context;
    const size_t who = body.data[0];
    CHECK_LT(who, CLIENTS);
    if (who == QUIET) {
        bed.before_quiet = bed.frames;
        bed.quiet_is_owed = true;
        endpoint_reply(bed.self, from, body);
    } else if (bed.quiet_is_owed) {
        bed.quiet_is_owed = false;
        bed.quiet_had_answer = can_read(&bed.clients[QUIET]);
    }
    bed.frames++;
    bed.frames_of[who]++;
}

static void on_link_down(void *context, uint64_t link)
{
    (void) context;
    (void) link;
}

static void on_link_paused(void *context, uint64_t link, bool paused)
{
    (void) context;
    (void) link;
    CHECK(!paused);
}

/* ---- the bed ---- */

static uint64_t bed_now_ns(void *context)
{
    return ((const struct bed *) context)->now_ns;
}

static void take_nothing(struct actor *self, struct message *message)
{
    (void) self;
    message_release(message);
}

static const struct actor_class bed_class = {.name = "bed", .on_message = take_nothing};

static void step(void)
{
    (void) actor_loop_step(bed.loop, 1000);
}

static void say(size_t who, size_t frames)
{
    static uint8_t talk[FLOOD_FRAMES * (BODY + SP_HEAD_BYTES_MAX)];
    size_t size = 0;
    for (size_t i = 0; i < frames; i++) {
        size += request_write(bed.clients[who].framing, (uint32_t) i, (int) who, BODY, talk + size);
    }
    client_send(&bed.clients[who], talk, size);
}

static void shake_hands(size_t who)
{
    uint8_t handshake[SP_HANDSHAKE_BYTES];
    bed.clients[who] = client_connect(&bed.server);
    sp_write_handshake(SP_REQ, handshake);
    client_send(&bed.clients[who], handshake, sizeof handshake);
    CHECK_EVENTUALLY((step(), can_read(&bed.clients[who])));
    CHECK_EQ(recv(bed.clients[who].fd, handshake, sizeof handshake, 0), sizeof handshake);
}

/* All connections are there and have been quiet for long. */
static void bed_begin(void)
{
    static struct clock clock = {.now_ns = bed_now_ns, .context = &bed};
    const struct actor_options system = {.actors_max = 100, .mailbox_max = 100, .clock = &clock};
    const struct endpoint_handler handler = {.link_up = on_link_up,
                                             .frame = on_frame,
                                             .link_down = on_link_down,
                                             .link_paused = on_link_paused};
    char error[ENDPOINT_ERROR_BYTES] = "";
    bed = (struct bed){.now_ns = 1000 * NS_PER_MS, .server.limits = limits_default()};
    const struct endpoint_options options = {
        .url = wire_url(WIRE_IPC), .limits = &bed.server.limits, .ipc_gid = -1};
    bed.system = actor_system_new(&system);
    CHECK(bed.system != NULL);
    bed.loop = actor_loop_new(bed.system, "by hand");
    CHECK(bed.loop != NULL);
    CHECK_EQ(actor_spawn(bed.loop, &bed_class, &bed, &bed.self), STATUS_OK);
    CHECK_EQ(endpoint_open(bed.loop, &options, &handler, &bed.endpoint, error), STATUS_OK);
    memcpy(bed.server.url, endpoint_url(bed.endpoint), sizeof bed.server.url);
    for (size_t i = 0; i < CLIENTS; i++) {
        shake_hands(i);
    }
    bed.now_ns += 1000 * NS_PER_MS;
}

static void bed_end(void)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        client_close(&bed.clients[i]);
    }
    actor_loop_stop(bed.loop, false);
    endpoint_free(bed.endpoint);
    actor_system_free(bed.system);
}

/* They were all new once, and have had their first turns; the first of them one more. */
static void flood(void)
{
    for (size_t i = 0; i < FLOODS; i++) {
        say(i, FLOOD_FRAMES);
    }
    step();
    CHECK_EQ(bed.frames, (FLOODS + 1) * LINK_TURN_FRAMES);
}

/* ---- cases ---- */

static void one_that_was_quiet_is_served_before_all_that_flood(void)
{
    bed_begin();
    flood();
    for (unsigned i = 0; i < 5; i++) {
        const size_t before = bed.frames;
        say(QUIET, 1);
        step();
        CHECK_EQ(bed.frames_of[QUIET], i + 1);
        CHECK_EQ(bed.before_quiet, before);
        CHECK(bed.quiet_had_answer);
        CHECK_EQ(bed.frames, before + 1 + LINK_TURN_FRAMES); /* the floods have one turn together */
    }
    bed_end();
}

/* Which of the floods had the one turn of a batch. */
static size_t turn_of(void)
{
    size_t before[CLIENTS];
    size_t who = CLIENTS;
    memcpy(before, bed.frames_of, sizeof before);
    step();
    for (size_t i = 0; i < FLOODS; i++) {
        if (bed.frames_of[i] != before[i]) {
            CHECK_EQ(who, CLIENTS);
            CHECK_EQ(bed.frames_of[i], before[i] + LINK_TURN_FRAMES);
            who = i;
        }
    }
    CHECK_LT(who, CLIENTS);
    return who;
}

/* The order is that in which they came, and stays. */
static void those_that_flood_take_turns(void)
{
    size_t order[FLOODS];
    unsigned seen = 0;
    bed_begin();
    flood();
    for (size_t i = 0; i < FLOODS; i++) {
        order[i] = turn_of();
        seen |= 1U << order[i];
    }
    CHECK_EQ(seen, (1U << FLOODS) - 1);
    for (size_t turn = 0; turn < (size_t) 4 * FLOODS; turn++) {
        CHECK_EQ(turn_of(), order[turn % FLOODS]);
    }
    bed_end();
}

static void who_has_had_half_a_turn_waits_like_the_others(void)
{
    enum { HALF = LINK_TURN_FRAMES / 2 };
    bed_begin();
    flood();
    say(QUIET, HALF);
    step();
    CHECK_EQ(bed.frames_of[QUIET], HALF);
    say(QUIET, 1);
    for (size_t i = 0; i < FLOODS; i++) {
        step();
        CHECK_EQ(bed.frames_of[QUIET], HALF);
    }
    step();
    CHECK_EQ(bed.frames_of[QUIET], HALF + 1);
    bed_end();
}

static void half_a_turn_is_forgotten_after_a_while(void)
{
    bed_begin();
    flood();
    say(QUIET, LINK_TURN_FRAMES);
    step();
    CHECK_EQ(bed.frames_of[QUIET], LINK_TURN_FRAMES);
    bed.now_ns += LINK_SHARE_MS * NS_PER_MS;
    const size_t before = bed.frames;
    say(QUIET, 1);
    step();
    CHECK_EQ(bed.before_quiet, before);
    bed_end();
}

static const struct test_case cases[] = {
    {"one that was quiet is served before all that flood, and answered",
     one_that_was_quiet_is_served_before_all_that_flood, 0},
    {"those that flood take turns, one in a batch", those_that_flood_take_turns, 0},
    {"who has had half a turn of late waits like the others",
     who_has_had_half_a_turn_waits_like_the_others, 0},
    {"half a turn is forgotten after a while", half_a_turn_is_forgotten_after_a_while, 0},
};

TEST_MAIN(cases)
