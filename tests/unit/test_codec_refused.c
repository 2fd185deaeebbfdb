/* SPDX-License-Identifier: MIT */
/* Requests that are not: what is refused, why, and at what cost. */
#include "codec_rig.h"

#include <stdio.h>

/* ---- requests that are refused ---- */

/* Bytes behind frame_start, and why they are no Frame. */
static const struct {
    const char *why;
    const char *data;
    size_t size;
} malformed[] = {

#define BAD(why, data)                                                                             \
    {                                                                                              \
        why, data, sizeof(data) - 1                                                                \
    }
    BAD("a tag that ends within", "\x80"),
    BAD("a number that ends within", "\x20\xff"),
    BAD("a number of eleven bytes", "\x20\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
    BAD("a length beyond the end", "\x32\x05\x12\x00"),
    BAD("a length of 2^64-1", "\x32\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
    BAD("a group", "\x33\x34"),
    BAD("a wire type that there is not", "\x37"),
    BAD("field number 0", "\x00\x01"),
    BAD("field number 2^29", "\x80\x80\x80\x80\x10\x01"),
    BAD("a fixed64 cut short", "\xb9\x06\x01\x02\x03"),
    BAD("a version that is bytes", "\x0a\x01\x01"),
    BAD("ops that are a number", "\x30\x01"),
    BAD("answered that is a fixed32", "\x2d\x01\x02\x03\x04"),
    BAD("a packed list cut within", "\x2a\x01\xff"),
    BAD("an op that is not a message", "\x32\x01\xff"),
    BAD("a store that is a number", "\x32\x02\x10\x01"),
    BAD("a key that is a number", "\x32\x04\x42\x02\x10\x01"),
    BAD("a key beyond the end of its op", "\x32\x04\x42\x02\x12\x05"),
    BAD("a gen that is bytes", "\x32\x05\x42\x03\x1a\x01\x01"),
    BAD("an ack that is not a message", "\x32\x05\x32\x03\x0a\x01\xff"),
    BAD("a label that is a number", "\x32\x04\x12\x02\x50\x01"),
    BAD("a label beyond the end of its op", "\x32\x04\x12\x02\x52\x05"),
    BAD("an adopt's cause that is a number", "\x32\x05\x82\x01\x02\x60\x01"),
    BAD("a watch that is a number", "\x32\x03\x90\x01\x01"),
#undef BAD
};

static void malformed_frames(void)
{
    struct codec *codec = codec_of_case();
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        struct frame frame;
        begin_request();
        put(malformed[i].data, malformed[i].size);
        const enum error_code error = decode(codec, &frame);
        if (error != ERROR_MALFORMED) {
            (void) fprintf(stderr, "%s\n", malformed[i].why);
        }
        CHECK_EQ(error, ERROR_MALFORMED);
        CHECK_EQ(frame.version, 1);
        CHECK_EQ(frame.session, 5);
        CHECK_EQ(frame.request_id, 6);
        CHECK_EQ(frame.ops_count, 0);
        CHECK_EQ(frame.answered_count, 0);
    }
    codec_free(codec);
}

static void too_many_ops(void)
{
    struct codec *codec = codec_of_case();
    struct frame frame;
    put_bare_ops(FRAME_OPS_MAX + 1, 13, false);
    CHECK_EQ(decode(codec, &frame), ERROR_OP_COUNT);
    CHECK_EQ(frame.session, 5);
    CHECK_EQ(frame.request_id, 6);
    CHECK_EQ(frame.ops_count, 0);
    /* 64 KiB of empty ops would take far more memory than a frame may: still told by their number.
     */
    begin_request();
    while (request_size + 2 <= FRAME_BYTES_MAX) {
        put("\x32\x00", 2);
    }
    CHECK_EQ(decode(codec, &frame), ERROR_OP_COUNT);
    codec_free(codec);
}

static void too_many_answered(void)
{
    struct codec *codec = codec_of_case();
    struct frame frame;
    static const uint8_t ids[FRAME_ANSWERED_MAX + 1] = {0};
    for (size_t count = FRAME_ANSWERED_MAX; count <= FRAME_ANSWERED_MAX + 1; count++) {
        const bool over = count > FRAME_ANSWERED_MAX;
        begin_request();
        put_varint(5 << 3 | 2);
        put_varint(count);
        put(ids, count);
        CHECK_EQ(decode(codec, &frame), over ? ERROR_ANSWERED : ERROR_UNSET);
        CHECK_EQ(frame.answered_count, over ? 0 : FRAME_ANSWERED_MAX);
        begin_request();
        for (size_t i = 0; i < count; i++) {
            put("\x28\x01", 2);
        }
        CHECK_EQ(decode(codec, &frame), over ? ERROR_ANSWERED : ERROR_UNSET);
        CHECK_EQ(frame.request_id, 6);
    }
    codec_free(codec);
}

static void bombs(void)
{
    struct codec *codec = codec_of_case();
    struct frame frame;
    begin_request();
    while (request_size + 2 <= FRAME_BYTES_MAX) {
        put("\x78\x00", 2); /* unknown numbers in the frame */
    }
    CHECK_EQ(decode(codec, &frame), ERROR_TOO_COMPLEX);
    CHECK_EQ(frame.request_id, 6);
    CHECK_EQ(frame.ops_count, 0);

    /* In the place of an op, of a poll and of its acks. The sizes are three bytes each. */
    static const char *const heads[] = {"\x32\xe0\xff\x03", "\x32\xe0\xff\x03\x32\xdc\xff\x03"};
    static const char *const fillings[] = {"\x78\x00", "\x0a\x00"};
    for (size_t i = 0; i < 2; i++) {
        begin_request();
        put(heads[i], strlen(heads[i]));
        for (size_t filled = 0; filled < 65504 - i * 4; filled += 2) {
            put(fillings[i], 2);
        }
        CHECK_LE(request_size, FRAME_BYTES_MAX);
        CHECK_EQ(decode(codec, &frame), ERROR_TOO_COMPLEX);
        CHECK_EQ(frame.request_id, 6);
    }
    /* What comes after a bomb is judged by itself. */
    begin_request();
    put("\x32\x01\xff", 3);
    CHECK_EQ(decode(codec, &frame), ERROR_MALFORMED);
    put_bare_ops(1, 13, false);
    CHECK_EQ(decode(codec, &frame), ERROR_UNSET);
    codec_free(codec);
}

static void other_versions(void)
{
    struct codec *codec = codec_of_case();
    struct frame frame;
    CHECK_EQ(codec_decode(codec, bytes_of(NULL, 0), &frame), ERROR_UNSET);
    CHECK_EQ(frame.version, 0);
    CHECK_EQ(frame.ops_count, 0);
    /* Version 2 may mean something else by its ops; this one is none of version 1. */
    request_size = 0;
    put("\x08\x02\x18\x09\x32\x01\xff", 7);
    CHECK_EQ(decode(codec, &frame), ERROR_UNSET);
    CHECK_EQ(frame.version, 2);
    CHECK_EQ(frame.request_id, 9);
    CHECK_EQ(frame.ops_count, 0);
    codec_free(codec);
}

/* ---- chance ---- */

static uint64_t sum_of(struct bytes bytes)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        sum += bytes.data[i];
    }
    return sum;
}

static uint64_t sum_of_cause(const struct cause *cause)
{
    return sum_of(cause->text) + sum_of(cause->actor) + sum_of(cause->peer);
}

static uint64_t sum_of_labels(const struct labels *labels)
{
    uint64_t sum = 0;
    CHECK_LE(labels->count, LABELS_MAX + 1);
    for (size_t i = 0; i < labels->count; i++) {
        sum += sum_of(labels->items[i]);
    }
    return sum;
}

/* Reads every byte that the frame promises. */
static uint64_t read_all(const struct frame *frame)
{
    uint64_t sum = frame->version;
    CHECK(frame->ops_count <= FRAME_OPS_MAX && frame->answered_count <= FRAME_ANSWERED_MAX);
    for (size_t i = 0; i < frame->answered_count; i++) {
        sum += frame->answered[i];
    }
    for (size_t i = 0; i < frame->ops_count; i++) {
        const struct op *op = &frame->ops[i];
        CHECK(op->kind < OP_END);
        sum += sum_of(op->space) + sum_of(op->key);
        if (op->kind == OP_STORE || op->kind == OP_ADOPT) {
            sum += sum_of(op->as.store.meta) + sum_of_labels(&op->as.store.labels) +
                   sum_of_cause(&op->as.store.cause);
        } else if (op->kind == OP_LIST || op->kind == OP_COUNT) {
            sum += sum_of_labels(&op->as.list.labels);
        } else if (op->kind == OP_DRAIN) {
            sum += sum_of_cause(&op->as.drain.cause);
        } else if (op->kind == OP_OPEN) {
            sum += sum_of(op->as.open.client_name) + sum_of(op->as.open.resume_secret) +
                   sum_of(op->as.open.token);
        } else if (op->kind == OP_CANCEL) {
            sum += sum_of_cause(&op->as.cancel.cause) + sum_of(op->as.cancel.label);
        } else if (op->kind == OP_POLL) {
            CHECK_LE(op->as.poll.acks_count, POLL_ACKS_MAX + 1);
            for (size_t k = 0; k < op->as.poll.acks_count; k++) {
                sum += op->as.poll.acks[k].gen + op->as.poll.acks[k].kind;
            }
        }
    }
    return sum;
}

/* Decodes a copy whose end is the end of its memory. Returns whether it was a frame. */
static bool decode_exactly(struct codec *codec)
{
    struct frame frame;
    uint8_t *copy = malloc(request_size == 0 ? 1 : request_size);
    CHECK(copy != NULL);
    memcpy(copy, request, request_size);
    const enum error_code error = codec_decode(codec, bytes_of(copy, request_size), &frame);
    CHECK(error == ERROR_UNSET || error == ERROR_MALFORMED || error == ERROR_TOO_COMPLEX ||
          error == ERROR_OP_COUNT || error == ERROR_ANSWERED);
    CHECK(error == ERROR_UNSET || frame.ops_count == 0);
    static volatile uint64_t sink;
    sink = sink + read_all(&frame);
    free(copy);
    return error == ERROR_UNSET;
}

static void noise(void)
{
    uint64_t seed = test_seed();
    struct codec *codec = codec_of_case();
    for (size_t round = 0; round < TEST_SCALE(200000); round++) {
        begin_request();
        const size_t size = test_random(&seed) % (round % 64 == 0 ? 4096 : 48);
        for (size_t i = 0; i < size; i++) {
            put(&(uint8_t){(uint8_t) test_random(&seed)}, 1);
        }
        (void) decode_exactly(codec); /* any answer is right, no crash is */
    }
    codec_free(codec);
}

/* A frame with a bit of everything, to be spoilt. */
static void put_rich_frame(uint64_t *seed)
{
    begin_request();
    const size_t count = 1 + test_random(seed) % 8;
    for (size_t i = 0; i < count; i++) {
        /* cancel{namespace "n", key "key", gen, cause{code, text "t", actor "a"}, level, arm_ttl},
         * poll{acks{gen, kind}, acks{}, after}, store{key, ttl, meta, labels "x", "yy"}, adopt{key,
         * labels "z", gen, cause{peer "p"}}, list{labels "l", "", order}, drain{text "t"} */
        static const char rich[] =
            "\x32\x1b\x1a\x19\x0a\x01n\x12\x03key\x18\x81\x01\x22\x08\x08\x01\x12\x01t\x1a\x01\x61"
            "\x28\x01\x38\x05"
            "\x32\x0c\x32\x0a\x0a\x04\x08\x09\x10\x01\x0a\x00\x10\x03"
            "\x32\x12\x12\x10\x12\x01s\x20\x64\x42\x02mm\x52\x01x\x52\x02yy"
            "\x32\x10\x82\x01\x0d\x12\x01k\x52\x01z\x58\x05\x62\x03\x22\x01p"
            "\x32\x09\x4a\x07\x32\x01l\x32\x00\x38\x01"
            "\x32\x06\x9a\x01\x03\x2a\x01t";
        put(rich, sizeof rich - 1);
    }
    put("\x2a\x02\x01\x02", 4);
}

static void spoil(uint64_t *seed)
{
    const size_t changes = test_random(seed) % 4;
    for (size_t i = 0; i < changes; i++) {
        const size_t at = test_random(seed) % request_size;
        switch (test_random(seed) % 4) {
        case 0:
            request[at] ^= (uint8_t) (1U << test_random(seed) % 8);
            break;
        case 1:
            request[at] = (uint8_t) test_random(seed);
            break;
        case 2:
            request_size = at + 1;
            break;
        default:
            memmove(request + at, request + at + 1, request_size - at - 1);
            request_size -= request_size > 1 ? 1 : 0;
            break;
        }
    }
}

static void spoilt_frames(void)
{
    uint64_t seed = test_seed();
    struct codec *codec = codec_of_case();
    size_t good = 0;
    const size_t rounds = TEST_SCALE(200000);
    put_rich_frame(&seed);
    CHECK(decode_exactly(codec));
    for (size_t round = 0; round < rounds; round++) {
        put_rich_frame(&seed);
        spoil(&seed);
        good += decode_exactly(codec) ? 1 : 0;
    }
    CHECK_GT(good, rounds / 5);
    CHECK_LT(good, rounds);
    codec_free(codec);
}

static const struct test_case cases[] = {
    {"a malformed frame is refused and echoed", malformed_frames, 0},
    {"more than 1024 ops are told apart from a frame too complex", too_many_ops, 0},
    {"more than 64 answered ids are refused", too_many_answered, 0},
    {"a frame that would cost too much memory is refused as too complex", bombs, 0},
    {"a frame of another version comes without ops", other_versions, 0},
    {"random bytes do no harm", noise, 0},
    {"spoilt frames do no harm", spoilt_frames, 0},
};
TEST_MAIN(cases)
