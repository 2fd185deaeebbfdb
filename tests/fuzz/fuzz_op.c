/* SPDX-License-Identifier: MIT */
/* For libFuzzer: any bytes as the message of each kind of op, in a frame that is sound around it. The first
 * byte says which kind, the rest is the message. Both ways of decoding agree, what was decoded is there to be
 * read, and a refused frame has a reply. */
#include "codec_equal.h"
#include "fuzz_cursor.h"
#include "testing.h"

#include <string.h>

#define BODY_BYTES_MAX ((size_t) 16384)
#define WIRE_LENGTH 2

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t *put_varint(uint8_t *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7) {
        *out++ = (uint8_t) (value | 0x80);
    }
    *out++ = (uint8_t) value;
    return out;
}

static size_t varint_size(uint64_t value)
{
    size_t size = 1;
    for (; value >= 0x80; value >>= 7) {
        size++;
    }
    return size;
}

/* Version 1, session 5, request id 6, one op; returns the size. */
static size_t frame_around(uint32_t kind, const uint8_t *data, size_t size, uint8_t *out)
{
    static const uint8_t start[] = {0x08, 1, 0x10, 5, 0x18, 6, 6 << 3 | WIRE_LENGTH};
    const uint64_t tag = (uint64_t) kind << 3 | WIRE_LENGTH;
    memcpy(out, start, sizeof start);
    uint8_t *at = put_varint(out + sizeof start, varint_size(tag) + varint_size(size) + size);
    at = put_varint(put_varint(at, tag), size);
    if (size > 0) {
        memcpy(at, data, size);
    }
    return (size_t) (at + size - out);
}

/* Every byte is there to be read: the sanitizer looks at both. */
static void check_bytes(struct bytes bytes)
{
    CHECK_BYTES_EQ(bytes.data, bytes.size, bytes.data, bytes.size);
}

static void check_frame(const struct frame *frame, uint32_t kind)
{
    CHECK_EQ(frame->version, 1);
    CHECK_EQ(frame->session, 5);
    CHECK_EQ(frame->request_id, 6);
    CHECK_EQ(frame->ops_count, 1);
    const struct op *op = &frame->ops[0];
    CHECK_EQ((uint32_t) op->kind, kind < OP_END ? kind : OP_UNKNOWN);
    check_bytes(op->space);
    check_bytes(op->key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct codec_pair pair;
    static uint8_t body[BODY_BYTES_MAX + 64];
    struct fuzz_cursor cursor = fuzz_cursor_of(data, size < BODY_BYTES_MAX ? size : BODY_BYTES_MAX);
    struct frame frame;
    if (pair.quick == NULL) {
        codec_pair_init(&pair);
    }
    const uint32_t kind = 1 + fuzz_below(&cursor, OP_END); /* one beyond the last is unknown */
    const struct bytes bytes = bytes_of(body, frame_around(kind, cursor.at, cursor.left, body));
    if (codec_pair_agree(&pair, bytes, &frame)) {
        check_frame(&frame, kind);
        return 0;
    }
    const enum error_code code = codec_decode_general(pair.general, bytes, &frame);
    if (code == ERROR_UNSET) {
        check_frame(&frame, kind);
    } else {
        uint8_t reply[CODEC_REFUSAL_BYTES_MAX];
        CHECK(code == ERROR_MALFORMED || code == ERROR_TOO_COMPLEX);
        CHECK_GT(codec_refuse(&frame, code, reply, sizeof reply), 0);
    }
    return 0;
}
