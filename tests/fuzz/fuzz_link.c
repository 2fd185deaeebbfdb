/* SPDX-License-Identifier: MIT */
/* For libFuzzer: the daemon's links, with a carrier and a clock of the fuzzer's own. The input says how the bytes
 * of a peer come in pieces, what is answered when, how much of the output the peer takes, and how time passes.
 * What the link hands over is what sp_read() finds in all that came, in its order; what it sends are replies to
 * that; a link that breaks the rules, or is too slow, is cut once and gives everything back. */
#include "fuzz_cursor.h"
#include "registry/frame.h"
#include "testing.h"
#include "wire/link_state.h"

#include <stdlib.h>
#include <string.h>

#define FRAMES_MAX 64
#define INPUT_BYTES_MAX ((size_t) 16384)
#define OUTPUT_BYTES_MAX ((size_t) 1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
    uint64_t now_ns;
    struct actor_loop *loop;
    struct endpoint endpoint;
    struct link_host host;
    /* of this input */
    struct link *link; /* NULL: it has ended */
    bool is_down;
    uint64_t address;
    uint8_t input[INPUT_BYTES_MAX]; /* all that was received */
    size_t input_bytes;
    struct sp_reader reader; /* reads it again */
    size_t read_bytes;
    struct reply_to asked[FRAMES_MAX]; /* frames without a reply */
    size_t asked_count;
    uint8_t output[OUTPUT_BYTES_MAX];
    size_t output_bytes;
    size_t replies_count;
    size_t window; /* bytes that the peer takes at once */
} world;

/* ---- the carrier ---- */

static bool carrier_open(struct link *link)
{
    world.link = link;
    return true;
}

static void carrier_receive(struct link *link)
{
    link->receiving = true;
    link->cool_by_ns = TIME_NEVER; /* there is no receive of NNG's to be aborted */
}

static size_t take_output(struct bytes next)
{
    const size_t size = next.size < world.window ? next.size : world.window;
    CHECK_LE(size, OUTPUT_BYTES_MAX - world.output_bytes);
    memcpy(world.output + world.output_bytes, next.data, size);
    world.output_bytes += size;
    world.window -= size;
    return size;
}

static size_t carrier_send(struct link *link, struct bytes next)
{
    CHECK(!link->sending && next.size > 0);
    const size_t size = take_output(next);
    link->sending = size == 0;
    return size;
}

static void carrier_close(struct link *link)
{
    link->receiving = false;
    link->sending = false;
}

static void carrier_free(struct link *link)
{
    if (world.link == link) {
        world.link = NULL;
    }
}

static void carrier_take(struct link *link, struct message *message)
{
    (void) link;
    (void) message;
    test_failed(__FILE__, __LINE__, "nobody tells a link anything here");
}

static const struct link_carrier carrier = {.open = carrier_open,
                                            .receive = carrier_receive,
                                            .send = carrier_send,
                                            .close = carrier_close,
                                            .free = carrier_free,
                                            .take = carrier_take};

/* ---- the handler ---- */

static bool peer_up(void *context, uint64_t link, struct bytes peer)
{
    (void) context;
    CHECK(bytes_equal(peer, bytes_of_string("uid:5")));
    world.address = link;
    return true;
}

/* The next step in all that came, those that are passed over left out. */
static struct sp_step next_step(void)
{
    struct sp_step step;
    do {
        step = sp_read(&world.reader, world.input + world.read_bytes,
                       world.input_bytes - world.read_bytes);
        world.read_bytes += step.consumed;
    } while (step.found == SP_OPENED || step.found == SP_IGNORE);
    return step;
}

static void frame(void *context, const struct reply_to *from, struct bytes body)
{
    (void) context;
    const struct sp_step step = next_step();
    CHECK(!world.is_down && from->link == world.address);
    CHECK_EQ(step.found, SP_FRAME);
    CHECK_BYTES_EQ(body.data, body.size, step.payload, step.payload_bytes);
    CHECK_EQ(from->route_words, step.route.words_count);
    CHECK_BYTES_EQ(from->route, 4 * (size_t) from->route_words, step.route.words,
                   4 * (size_t) from->route_words);
    if (world.asked_count < FRAMES_MAX) {
        world.asked[world.asked_count++] = *from;
    }
}

static void peer_down(void *context, uint64_t link)
{
    (void) context;
    CHECK(!world.is_down && link == world.address);
    world.is_down = true;
}

static void peer_paused(void *context, uint64_t link, bool paused)
{
    (void) context;
    (void) paused;
    CHECK(!world.is_down && link == world.address);
}

static bool peer_opened(void *context, uint64_t link)
{
    (void) context;
    return link == world.address;
}

/* ---- life ---- */

static uint64_t now_ns(void *context)
{
    (void) context;
    return world.now_ns;
}

static struct endpoint_peer peer(struct link_host *host, const struct link_connection *connection)
{
    (void) host;
    (void) connection;
    return endpoint_peer_of_uid(5);
}

static void wake(struct link_host *host)
{
    (void) host; /* each step ends in a flush */
}

static void link_ended(struct link_host *host)
{
    (void) host;
}

static void world_begin(void)
{
    static const struct clock clock = {.now_ns = now_ns};
    const struct actor_options options = {.clock = &clock, .actors_max = 8, .mailbox_max = 8};
    struct actor_system *system = actor_system_new(&options);
    CHECK(system != NULL);
    world.now_ns = NS_PER_MS;
    world.loop = actor_loop_new(system, "fuzz");
    CHECK(world.loop != NULL);
    world.endpoint.loop = world.loop;
    world.endpoint.handler = (struct endpoint_handler){.link_up = peer_up,
                                                       .frame = frame,
                                                       .link_down = peer_down,
                                                       .link_paused = peer_paused,
                                                       .link_opened = peer_opened};
    world.endpoint.limits = limits_default();
    world.endpoint.limits.outstanding = 5;
    world.endpoint.limits.output_bytes = 65536;
    world.host.endpoint = &world.endpoint;
    world.host.carrier = &carrier;
    world.host.peer = peer;
    world.host.wake = wake;
    world.host.link_ended = link_ended;
    CHECK(link_host_init(&world.host, 4));
}

static void link_begin(uint8_t mode)
{
    const struct link_connection connection = {.fd = -1};
    world.host.framing = (mode & 1) != 0 ? SP_FRAMING_IPC : SP_FRAMING_TCP;
    world.is_down = false;
    world.input_bytes = 0;
    world.read_bytes = 0;
    world.asked_count = 0;
    world.output_bytes = 0;
    world.replies_count = 0;
    world.window = (mode & 2) != 0 ? 0 : 65536;
    sp_reader_init(&world.reader, SP_REP, world.host.framing, FRAME_BYTES_MAX);
    world.host.in_batch = true;
    link_start(&world.host, &connection);
    CHECK(world.link != NULL);
}

/* ---- steps ---- */

static void do_receive(struct fuzz_cursor *cursor)
{
    struct link *link = world.link;
    const struct bytes bytes = fuzz_bytes(cursor, 2048);
    if (!link->receiving) {
        return;
    }
    const size_t room = link_input_room(link) - link->input_bytes;
    size_t size = bytes.size < room ? bytes.size : room;
    size = size < INPUT_BYTES_MAX - world.input_bytes ? size : INPUT_BYTES_MAX - world.input_bytes;
    if (size == 0) {
        return;
    }
    memcpy(link->input + link->input_bytes, bytes.data, size);
    memcpy(world.input + world.input_bytes, bytes.data, size);
    world.input_bytes += size;
    link->receiving = false;
    link_received(link, size);
}

static void do_reply(struct fuzz_cursor *cursor)
{
    static uint8_t body[FRAME_BYTES_MAX];
    const size_t which = fuzz_byte(cursor);
    const size_t size = (size_t) fuzz_number(cursor) % 65536;
    if (world.asked_count > 0) {
        const struct reply_to to = world.asked[which % world.asked_count];
        CHECK(link_reply(world.link->actor, &to, bytes_of(body, size)));
        world.asked[which % world.asked_count] = world.asked[world.asked_count - 1];
        world.asked_count--;
        world.replies_count++;
    }
}

/* The peer takes some more. */
static void do_take(struct fuzz_cursor *cursor)
{
    struct link *link = world.link;
    world.window = (size_t) fuzz_number(cursor) % 70000;
    if (link->sending && world.window > 0) {
        const size_t size = take_output(link_output_next(&link->output));
        link->sending = false;
        link_sent(link, size);
    }
}

static void do_time(struct fuzz_cursor *cursor)
{
    static const uint64_t spans_ms[] = {0, 1, 100, 4000, 6000, 11000};
    world.now_ns += spans_ms[fuzz_below(cursor, 6)] * NS_PER_MS;
    (void) actor_loop_step(world.loop, 1);
}

static void do_finish(struct fuzz_cursor *cursor)
{
    if (fuzz_byte(cursor) == 0xff) {
        link_finish(world.link);
    }
}

static void do_cut(struct fuzz_cursor *cursor)
{
    if (fuzz_byte(cursor) == 0xff) {
        link_cut(world.link, ENDPOINT_CUT_PEER);
    }
}

static void (*const steps[])(struct fuzz_cursor *cursor) = {
    do_receive, do_receive, do_receive, do_receive, do_reply,
    do_reply,   do_take,    do_time,    do_finish,  do_cut,
};

/* What the peer got are a handshake and replies. */
static void check_output(void)
{
    struct sp_reader reader;
    size_t at = 0;
    size_t replies = 0;
    sp_reader_init(&reader, SP_REQ, world.host.framing, FRAME_BYTES_MAX);
    for (;;) {
        const struct sp_step step = sp_read(&reader, world.output + at, world.output_bytes - at);
        if (step.found == SP_MORE) {
            break;
        }
        CHECK(step.found == SP_OPENED || step.found == SP_FRAME);
        replies += step.found == SP_FRAME;
        at += step.consumed;
    }
    CHECK_LE(replies, world.replies_count);
}

/* The end of a batch; all of them or one, where links wait for another turn. */
static void flush(bool is_one)
{
    size_t count = 0;
    while (link_host_flush(&world.host) && !is_one) {
        CHECK_LT(count++, INPUT_BYTES_MAX);
    }
}

static void link_finally(void)
{
    if (world.link != NULL) {
        CHECK_EQ(world.link->cut, world.is_down);
        link_cut(world.link, ENDPOINT_CUT_CLOSED);
        flush(false);
    }
    while (actor_loop_step(world.loop, 1)) {
    }
    CHECK(world.link == NULL && world.is_down);
    CHECK(list_first(&world.host.links) == NULL && list_first(&world.host.dirty) == NULL);
    CHECK(world.host.alive_count == 0 && world.host.unopened_count == 0);
    CHECK(world.host.buffers.lent_count == 0 && world.endpoint.stats.buffers == 0);
    check_output();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_cursor cursor = fuzz_cursor_of(data, size);
    if (world.loop == NULL) {
        world_begin();
    }
    link_begin(fuzz_byte(&cursor));
    while (cursor.left > 0 && world.link != NULL && !world.link->cut) {
        world.host.in_batch = true;
        steps[fuzz_below(&cursor, sizeof steps / sizeof steps[0])](&cursor);
        flush(cursor.left % 4 == 0);
    }
    link_finally();
    return 0;
}
