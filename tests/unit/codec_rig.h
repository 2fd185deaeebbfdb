/* SPDX-License-Identifier: MIT */
/* What the tests of the codec share: a codec, and requests made by protobuf-c or byte by byte. */
#ifndef CANCELD_TESTS_CODEC_RIG_H
#define CANCELD_TESTS_CODEC_RIG_H

#include "testing.h"
#include "wire/codec.h"

#include "canceld.pb-c.h"

#include <stdlib.h>
#include <string.h>

#define BUFFER_BYTES ((size_t) 262144)

static const struct siphash_key digest_key = {.k0 = 7, .k1 = 11};

static inline struct codec *codec_of_case(void)
{
    struct codec *codec = codec_new(&digest_key);
    CHECK(codec != NULL);
    return codec;
}

/* ---- making requests ---- */

static uint8_t request[BUFFER_BYTES];
static size_t request_size;

static inline ProtobufCBinaryData data_of(const char *text, size_t size)
{
    static uint8_t room[4096];
    static size_t used;
    used = used + size > sizeof room ? 0 : used;
    memcpy(room + used, text, size);
    used += size;
    return (ProtobufCBinaryData){.len = size, .data = room + used - size};
}

#define DATA(text) data_of("" text, sizeof(text) - 1)

static inline struct bytes pack_frame(const Canceld__V1__Frame *frame)
{
    request_size = canceld__v1__frame__get_packed_size(frame);
    CHECK(request_size <= sizeof request);
    CHECK_EQ(canceld__v1__frame__pack(frame, request), request_size);
    return bytes_of(request, request_size);
}

/* A frame of `count` ops, each the same. */
static inline struct bytes pack_ops(Canceld__V1__Op *op, size_t count)
{
    static Canceld__V1__Op *ops[4096];
    CHECK(count <= 4096);
    for (size_t i = 0; i < count; i++) {
        ops[i] = op;
    }
    Canceld__V1__Frame frame;
    canceld__v1__frame__init(&frame);
    frame.version = 1;
    frame.session = 5;
    frame.request_id = 6;
    frame.n_ops = count;
    frame.ops = ops;
    return pack_frame(&frame);
}

/* Raw bytes, written by hand. */
static inline void put(const void *data, size_t size)
{
    CHECK(request_size + size <= sizeof request);
    memcpy(request + request_size, data, size);
    request_size += size;
}

static inline void put_varint(uint64_t value)
{
    for (; value >= 0x80; value >>= 7) {
        put(&(uint8_t){(uint8_t) (value | 0x80)}, 1);
    }
    put(&(uint8_t){(uint8_t) value}, 1);
}

/* Version 1, session 5, request id 6. */
static const uint8_t frame_start[] = {0x08, 1, 0x10, 5, 0x18, 6};

static inline void begin_request(void)
{
    request_size = 0;
    put(frame_start, sizeof frame_start);
}

static inline enum error_code decode(struct codec *codec, struct frame *frame)
{
    return codec_decode(codec, bytes_of(request, request_size), frame);
}

/* The one op of a frame, decoded. */
static inline struct op decode_one(struct codec *codec, Canceld__V1__Op *op)
{
    struct frame frame;
    CHECK_EQ(codec_decode(codec, pack_ops(op, 1), &frame), ERROR_UNSET);
    CHECK_EQ(frame.ops_count, 1);
    return frame.ops[0];
}

#define CHECK_TEXT(bytes_, text)                                                                   \
    CHECK_BYTES_EQ((bytes_).data, (bytes_).size, text, sizeof(text) - 1)

/* A frame of `count` ops whose field `number` is an empty message; for a cancel with an empty
 * cause. */
static inline void put_bare_ops(size_t count, uint64_t number, bool with_cause)
{
    begin_request();
    for (size_t i = 0; i < count; i++) {
        put_varint(6 << 3 | 2);
        put_varint((number < 16 ? 2U : 3U) + (with_cause ? 2U : 0U)); /* a tag of one byte or two */
        put_varint(number << 3 | 2);
        put_varint(with_cause ? 2 : 0);
        if (with_cause) {
            put("\x22\x00", 2);
        }
    }
}

#endif
