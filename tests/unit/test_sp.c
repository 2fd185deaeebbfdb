/* SPDX-License-Identifier: MIT */
#include "testing.h"

#include "wire/sp.h"

#include <stdlib.h>
#include <string.h>

#define PAYLOAD_MAX 100
#define SCRIPT_BYTES_MAX 512

/* What a peer sends, and what the reader must make of it. */
struct script {
    const char *name;
    enum sp_role role;
    enum sp_framing framing;
    bool open; /* the handshake has been read */
    const char *bytes;
    size_t size;
    enum sp_found found;
    enum sp_violation violation;
    size_t consumed_or_needed;
    size_t shown_at; /* the number of bytes at which the answer must be known; 0: all of them */
};

#define BYTES(text) (text), sizeof(text) - 1
#define EIGHT_HOPS "\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5\0\0\0\6\0\0\0\7\0\0\0\10"

static const struct script scripts[] = {
    {"REP takes a REQ", SP_REP, SP_FRAMING_TCP, false, BYTES("\0SP\0\0\x30\0\0"), SP_OPENED, 0, 8,
     0},
    {"REQ takes a REP", SP_REQ, SP_FRAMING_IPC, false, BYTES("\0SP\0\0\x31\0\0"), SP_OPENED, 0, 8,
     0},
    {"nothing yet", SP_REP, SP_FRAMING_TCP, false, BYTES(""), SP_MORE, 0, 8, 0},
    {"half a handshake", SP_REP, SP_FRAMING_TCP, false, BYTES("\0SP\0"), SP_MORE, 0, 8, 0},
    {"REP refuses a REP", SP_REP, SP_FRAMING_TCP, false, BYTES("\0SP\0\0\x31\0\0"), SP_BROKEN,
     SP_VIOLATION_PROTOCOL, 0, 6},
    {"REQ refuses a REQ", SP_REQ, SP_FRAMING_TCP, false, BYTES("\0SP\0\0\x30\0\0"), SP_BROKEN,
     SP_VIOLATION_PROTOCOL, 0, 6},
    {"a protocol above 255", SP_REP, SP_FRAMING_TCP, false, BYTES("\0SP\0\1\x30\0\0"), SP_BROKEN,
     SP_VIOLATION_PROTOCOL, 0, 5},
    {"HTTP", SP_REP, SP_FRAMING_TCP, false, BYTES("GET / HTTP/1.1\r\n\r\n"), SP_BROKEN,
     SP_VIOLATION_NOT_SP, 0, 1},
    {"another SP version", SP_REP, SP_FRAMING_TCP, false, BYTES("\0SP\1\0\x30\0\0"), SP_BROKEN,
     SP_VIOLATION_NOT_SP, 0, 4},
    {"something in the reserved bytes", SP_REP, SP_FRAMING_TCP, false, BYTES("\0SP\0\0\x30\0\1"),
     SP_BROKEN, SP_VIOLATION_NOT_SP, 0, 8},

    {"no frame on TCP", SP_REP, SP_FRAMING_TCP, true, BYTES(""), SP_MORE, 0, 8, 0},
    {"no frame on IPC", SP_REP, SP_FRAMING_IPC, true, BYTES(""), SP_MORE, 0, 9, 0},
    {"half a length", SP_REP, SP_FRAMING_IPC, true, BYTES("\1\0\0\0\0"), SP_MORE, 0, 9, 0},
    {"a length alone", SP_REP, SP_FRAMING_IPC, true, BYTES("\1\0\0\0\0\0\0\0\6"), SP_MORE, 0, 15,
     0},
    {"all but one byte", SP_REP, SP_FRAMING_TCP, true, BYTES("\0\0\0\0\0\0\0\6\x80\0\0\1x"),
     SP_MORE, 0, 14, 0},
    {"a frame on TCP", SP_REP, SP_FRAMING_TCP, true, BYTES("\0\0\0\0\0\0\0\6\x80\0\0\1xy"),
     SP_FRAME, 0, 14, 0},
    {"a frame on IPC", SP_REP, SP_FRAMING_IPC, true, BYTES("\1\0\0\0\0\0\0\0\6\x80\0\0\1xy"),
     SP_FRAME, 0, 15, 0},
    {"an empty payload", SP_REP, SP_FRAMING_TCP, true, BYTES("\0\0\0\0\0\0\0\4\x80\0\0\1"),
     SP_FRAME, 0, 12, 0},
    {"a frame and the start of another", SP_REP, SP_FRAMING_TCP, true,
     BYTES("\0\0\0\0\0\0\0\4\x80\0\0\1\0\0"), SP_FRAME, 0, 12, 12},
    {"a reply", SP_REQ, SP_FRAMING_IPC, true, BYTES("\1\0\0\0\0\0\0\0\5\xff\xff\xff\xffz"),
     SP_FRAME, 0, 14, 0},
    {"a route of eight words", SP_REP, SP_FRAMING_TCP, true,
     BYTES("\0\0\0\0\0\0\0\x21"
           "\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5\0\0\0\6\0\0\0\7\x80\0\0\1!"),
     SP_FRAME, 0, 41, 0},
    {"a route of nine words", SP_REP, SP_FRAMING_TCP, true,
     BYTES("\0\0\0\0\0\0\0\x24" EIGHT_HOPS "\x80\0\0\1"), SP_IGNORE, 0, 44, 0},
    {"eight hops and an end", SP_REP, SP_FRAMING_TCP, true, BYTES("\0\0\0\0\0\0\0\x20" EIGHT_HOPS),
     SP_IGNORE, 0, 40, 0},
    {"an unknown type", SP_REP, SP_FRAMING_IPC, true, BYTES("\2\0\0\0\0\0\0\0\6"), SP_BROKEN,
     SP_VIOLATION_TYPE, 0, 1},
    {"TCP framing on IPC", SP_REP, SP_FRAMING_IPC, true, BYTES("\0\0\0\0\0\0\0\4"), SP_BROKEN,
     SP_VIOLATION_TYPE, 0, 1},
    {"a length of 0", SP_REP, SP_FRAMING_IPC, true, BYTES("\1\0\0\0\0\0\0\0\0"), SP_BROKEN,
     SP_VIOLATION_TOO_SHORT, 0, 9},
    {"a length of 3", SP_REP, SP_FRAMING_TCP, true, BYTES("\0\0\0\0\0\0\0\3abc"), SP_BROKEN,
     SP_VIOLATION_TOO_SHORT, 0, 8},
    {"the longest length", SP_REP, SP_FRAMING_TCP, true, BYTES("\0\0\0\0\0\0\0\x84"), SP_MORE, 0,
     140, 0},
    {"one byte too long", SP_REP, SP_FRAMING_TCP, true, BYTES("\0\0\0\0\0\0\0\x85"), SP_BROKEN,
     SP_VIOLATION_TOO_LONG, 0, 8},
    {"a length of 2^64 - 1", SP_REP, SP_FRAMING_IPC, true,
     BYTES("\1\xff\xff\xff\xff\xff\xff\xff\xff"), SP_BROKEN, SP_VIOLATION_TOO_LONG, 0, 9},
    {"no request id", SP_REP, SP_FRAMING_TCP, true, BYTES("\0\0\0\0\0\0\0\4\0\0\0\1"), SP_BROKEN,
     SP_VIOLATION_NO_REQUEST_ID, 0, 12},
    {"half a request id", SP_REP, SP_FRAMING_TCP, true, BYTES("\0\0\0\0\0\0\0\6\0\0\0\1\x80\0"),
     SP_BROKEN, SP_VIOLATION_NO_REQUEST_ID, 0, 14},
    {"a reply without a request id", SP_REQ, SP_FRAMING_TCP, true,
     BYTES("\0\0\0\0\0\0\0\4\0\0\0\1"), SP_BROKEN, SP_VIOLATION_NO_REQUEST_ID, 0, 12},
};

static struct sp_reader reader_of(const struct script *script)
{
    struct sp_reader reader;
    sp_reader_init(&reader, script->role, script->framing, PAYLOAD_MAX);
    reader.open = script->open;
    return reader;
}

/* Reads from a block of exactly this size, so that a sanitizer sees a read beyond it. */
static struct sp_step read_exactly(struct sp_reader *reader, const char *bytes, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    CHECK(copy != NULL);
    if (size > 0) {
        memcpy(copy, bytes, size);
    }
    struct sp_step step = sp_read(reader, copy, size);
    if (step.payload != NULL) {
        CHECK(step.payload >= copy && step.payload + step.payload_bytes <= copy + size);
        step.payload = NULL;
    }
    free(copy);
    return step;
}

static void check_script(const struct script *script, const struct sp_step *step)
{
    CHECK_EQ(step->found, script->found);
    CHECK_EQ(step->violation, script->violation);
    if (script->found == SP_MORE) {
        CHECK_EQ(step->needed, script->consumed_or_needed);
        CHECK_EQ(step->consumed, 0);
    } else {
        CHECK_EQ(step->consumed, script->consumed_or_needed);
    }
}

static void every_script_whole(void)
{
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        struct sp_reader reader = reader_of(&scripts[i]);
        struct sp_step step = read_exactly(&reader, scripts[i].bytes, scripts[i].size);
        check_script(&scripts[i], &step);
        CHECK_EQ(reader.open, scripts[i].open || scripts[i].found == SP_OPENED);
    }
}

/* One byte more each time: MORE until the answer, which comes at its first byte and stays. */
static void every_script_byte_by_byte(void)
{
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        const struct script *script = &scripts[i];
        size_t shown_at = script->shown_at > 0 ? script->shown_at : script->size;
        for (size_t size = 0; size <= script->size; size++) {
            struct sp_reader reader = reader_of(script);
            struct sp_step step = read_exactly(&reader, script->bytes, size);
            if (size >= shown_at) {
                check_script(script, &step);
                continue;
            }
            CHECK_EQ(step.found, SP_MORE);
            CHECK_GT(step.needed, size);
        }
    }
}

static void route_and_payload_are_told(void)
{
    struct sp_reader reader;
    sp_reader_init(&reader, SP_REP, SP_FRAMING_IPC, PAYLOAD_MAX);
    reader.open = true;
    const uint8_t frame[] = "\1\0\0\0\0\0\0\0\x0d\0\1\2\3\x80\xfe\0\1hello";
    struct sp_step step = sp_read(&reader, frame, sizeof frame - 1);
    CHECK_EQ(step.found, SP_FRAME);
    CHECK_EQ(step.route.words_count, 2);
    CHECK_EQ(step.route.words[0], 0x00010203);
    CHECK_EQ(step.route.words[1], 0x80fe0001);
    CHECK_BYTES_EQ(step.payload, step.payload_bytes, "hello", 5);
}

static void longest_payload(void)
{
    struct sp_reader reader;
    sp_reader_init(&reader, SP_REP, SP_FRAMING_IPC, PAYLOAD_MAX);
    reader.open = true;
    struct sp_route route = {.words = {[7] = SP_REQUEST_ID_BIT}, .words_count = 8};
    uint8_t frame[SP_HEAD_BYTES_MAX + PAYLOAD_MAX + 1] = {0};
    size_t head = sp_write_head(SP_FRAMING_IPC, &route, PAYLOAD_MAX, frame);
    CHECK_EQ(head, SP_HEAD_BYTES_MAX);
    CHECK_EQ(head + PAYLOAD_MAX, sp_frame_bytes_max(&reader));
    struct sp_step step = sp_read(&reader, frame, head + PAYLOAD_MAX);
    CHECK_EQ(step.found, SP_FRAME);
    CHECK_EQ(step.payload_bytes, PAYLOAD_MAX);

    /* With a short route the length alone does not show it, the whole frame does. */
    route = (struct sp_route){.words = {SP_REQUEST_ID_BIT}, .words_count = 1};
    head = sp_write_head(SP_FRAMING_IPC, &route, PAYLOAD_MAX + 1, frame);
    step = sp_read(&reader, frame, head + PAYLOAD_MAX + 1);
    CHECK_EQ(step.found, SP_BROKEN);
    CHECK_EQ(step.violation, SP_VIOLATION_TOO_LONG);
}

static void handshakes_fit_each_other(void)
{
    uint8_t handshake[SP_HANDSHAKE_BYTES];
    struct sp_reader reader;
    sp_write_handshake(SP_REQ, handshake);
    CHECK_BYTES_EQ(handshake, sizeof handshake, "\0SP\0\0\x30\0\0", 8);
    sp_reader_init(&reader, SP_REP, SP_FRAMING_TCP, PAYLOAD_MAX);
    CHECK_EQ(sp_read(&reader, handshake, sizeof handshake).found, SP_OPENED);
    sp_write_handshake(SP_REP, handshake);
    CHECK_BYTES_EQ(handshake, sizeof handshake, "\0SP\0\0\x31\0\0", 8);
    sp_reader_init(&reader, SP_REQ, SP_FRAMING_TCP, PAYLOAD_MAX);
    CHECK_EQ(sp_read(&reader, handshake, sizeof handshake).found, SP_OPENED);
}

static void heads_are_written_to_the_byte(void)
{
    uint8_t head[SP_HEAD_BYTES_MAX];
    const struct sp_route route = {.words = {0x00010203, 0x80fe0001}, .words_count = 2};
    size_t size = sp_write_head(SP_FRAMING_TCP, &route, 0x10005, head);
    CHECK_BYTES_EQ(head, size, "\0\0\0\0\0\1\0\x0d\0\1\2\3\x80\xfe\0\1", 16);
    size = sp_write_head(SP_FRAMING_IPC, &route, 5, head);
    CHECK_BYTES_EQ(head, size, "\1\0\0\0\0\0\0\0\x0d\0\1\2\3\x80\xfe\0\1", 17);
}

static void violations_have_texts(void)
{
    CHECK_STR_EQ(sp_violation_text(SP_VIOLATION_NONE), "none");
    CHECK_STR_EQ(sp_violation_text(SP_VIOLATION_NO_REQUEST_ID),
                 "the frame ends before a request id");
}

/* ---- random conversations, cut anywhere ---- */

#define TALK_FRAMES 200
#define TALK_BYTES_MAX (8 + TALK_FRAMES * (SP_HEAD_BYTES_MAX + PAYLOAD_MAX))

struct talk {
    enum sp_framing framing;
    uint64_t seed;
    struct sp_route routes[TALK_FRAMES];
    size_t payloads[TALK_FRAMES];
    uint8_t bytes[TALK_BYTES_MAX];
    size_t size;
};

static void talk_make(struct talk *talk)
{
    sp_write_handshake(SP_REQ, talk->bytes);
    talk->size = SP_HANDSHAKE_BYTES;
    for (size_t i = 0; i < TALK_FRAMES; i++) {
        struct sp_route *route = &talk->routes[i];
        route->words_count = 1 + (uint32_t) (test_random(&talk->seed) % SP_ROUTE_WORDS_MAX);
        for (uint32_t word = 0; word < route->words_count; word++) {
            route->words[word] = (uint32_t) test_random(&talk->seed) & ~SP_REQUEST_ID_BIT;
        }
        route->words[route->words_count - 1] |= SP_REQUEST_ID_BIT;
        talk->payloads[i] = (size_t) (test_random(&talk->seed) % (PAYLOAD_MAX + 1));
        talk->size +=
            sp_write_head(talk->framing, route, talk->payloads[i], talk->bytes + talk->size);
        memset(talk->bytes + talk->size, (int) i, talk->payloads[i]);
        talk->size += talk->payloads[i];
    }
}

static void talk_check_frame(const struct talk *talk, size_t number, const struct sp_step *step)
{
    CHECK_LT(number, TALK_FRAMES);
    const struct sp_route *route = &talk->routes[number];
    CHECK_EQ(step->route.words_count, route->words_count);
    CHECK(memcmp(step->route.words, route->words, sizeof(uint32_t) * route->words_count) == 0);
    CHECK_EQ(step->payload_bytes, talk->payloads[number]);
    for (size_t i = 0; i < step->payload_bytes; i++) {
        CHECK_EQ(step->payload[i], (uint8_t) number);
    }
}

/* Offers the talk in pieces of random size, as a connection would. */
static void talk_read(struct talk *talk, size_t piece_max)
{
    struct sp_reader reader;
    sp_reader_init(&reader, SP_REP, talk->framing, PAYLOAD_MAX);
    size_t at = 0;
    size_t there = 0;
    size_t frames = 0;
    while (at < talk->size) {
        there += 1 + (size_t) (test_random(&talk->seed) % piece_max);
        there = there > talk->size ? talk->size : there;
        struct sp_step step = sp_read(&reader, talk->bytes + at, there - at);
        while (step.found != SP_MORE) {
            CHECK(step.found == SP_FRAME || step.found == SP_OPENED);
            if (step.found == SP_FRAME) {
                talk_check_frame(talk, frames++, &step);
            }
            at += step.consumed;
            step = sp_read(&reader, talk->bytes + at, there - at);
        }
        CHECK_LE(step.needed, sp_frame_bytes_max(&reader));
    }
    CHECK_EQ(frames, TALK_FRAMES);
}

static void random_talks_in_random_pieces(void)
{
    struct talk *talk = calloc(1, sizeof *talk);
    CHECK(talk != NULL);
    talk->seed = test_seed();
    for (size_t round = 0; round < TEST_SCALE(200); round++) {
        talk->framing = round % 2 == 0 ? SP_FRAMING_TCP : SP_FRAMING_IPC;
        talk_make(talk);
        talk_read(talk, 1);
        talk_read(talk, 1 + (size_t) (test_random(&talk->seed) % 300));
        talk_read(talk, TALK_BYTES_MAX);
    }
    free(talk);
}

/* Rubbish after a good handshake is never read beyond its end, and never consumed beyond it. */
static void random_bytes_are_read_within_their_bounds(void)
{
    uint64_t seed = test_seed();
    for (size_t round = 0; round < TEST_SCALE(100000); round++) {
        char bytes[64];
        size_t size = (size_t) (test_random(&seed) % sizeof bytes);
        for (size_t i = 0; i < size; i++) {
            uint64_t chance = test_random(&seed);
            bytes[i] = (char) (chance % 3 == 0 ? 0 : chance >> 8);
        }
        if (size > 9 && test_random(&seed) % 2 == 0) {
            memcpy(bytes, "\1\0\0\0\0\0\0\0", 8);
            bytes[8] = (char) (test_random(&seed) % 60);
        }
        struct sp_reader reader;
        sp_reader_init(&reader, SP_REP, SP_FRAMING_IPC, PAYLOAD_MAX);
        reader.open = true;
        CHECK_LE(read_exactly(&reader, bytes, size).consumed, size);
    }
}

static const struct test_case cases[] = {
    {"each script reads as it should", every_script_whole, 0},
    {"each script read byte by byte gives its answer as early as it can", every_script_byte_by_byte,
     0},
    {"route and payload of a frame are told", route_and_payload_are_told, 0},
    {"the longest payload passes with the longest route, one byte more does not", longest_payload,
     0},
    {"the handshakes of both ends fit each other", handshakes_fit_each_other, 0},
    {"heads are written to the byte", heads_are_written_to_the_byte, 0},
    {"violations have texts", violations_have_texts, 0},
    {"random talks cut anywhere arrive whole", random_talks_in_random_pieces, 0},
    {"random bytes are read within their bounds", random_bytes_are_read_within_their_bounds, 0},
};
TEST_MAIN(cases)
