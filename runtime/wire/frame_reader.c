/* SPDX-License-Identifier: MIT */
#include "wire/frame_reader.h"

#include "wire/op_fields.h"

#include <endian.h>

/* The fields of message Frame, as their tags stand on the wire. */
enum frame_tag {
    TAG_VERSION = 1 << 3,
    TAG_SESSION = 2 << 3,
    TAG_REQUEST_ID = 3 << 3,
    TAG_ANSWERED_BELOW = 4 << 3,
    TAG_ANSWERED = 5 << 3 | 2, /* in a row; one at a time it is for protobuf-c */
    TAG_OPS = 6 << 3 | 2,
    TAG_SECRET = 7 << 3 | 2
};

#define PROTOCOL_VERSION 1
#define VARINT_BYTES_MAX 10
#define LENGTH_BYTES_MAX 3
#define WIRE_LENGTH 2

struct span {
    const uint8_t *at;
    const uint8_t *end;
};

/* A frame on its way. */
struct reading {
    const uint8_t *end; /* of the whole body */
    const struct op_digest_key *digest_key;
    const struct frame_room *room;
    struct frame *frame;
    bool acks; /* there was one */
};

/* ---- what is not given is zero ---- */

/* In runs that a compiler writes with a few stores each: for all of it at once it takes a string
 * instruction, which is dear to begin. */
#define RUN_BYTES ((size_t) 64)

static inline void clear_op(struct op *op)
{
    _Static_assert(sizeof *op >= 2 * RUN_BYTES && sizeof *op <= 3 * RUN_BYTES, "three runs do");
    uint8_t *at = (uint8_t *) op;
    memset(at, 0, RUN_BYTES);
    memset(at + RUN_BYTES, 0, RUN_BYTES);
    memset(at + sizeof *op - RUN_BYTES, 0, RUN_BYTES);
}

static inline void clear_frame(struct frame *frame)
{
    _Static_assert(sizeof *frame >= RUN_BYTES && sizeof *frame <= 2 * RUN_BYTES, "two runs do");
    uint8_t *at = (uint8_t *) frame;
    memset(at, 0, RUN_BYTES);
    memset(at + sizeof *frame - RUN_BYTES, 0, RUN_BYTES);
}

/* ---- numbers ---- */

static bool read_bytewise(struct span *span, uint64_t *value_out)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < VARINT_BYTES_MAX && span->at + i < span->end; i++) {
        value |= (uint64_t) (span->at[i] & 0x7f) << (7 * i);
        if ((span->at[i] & 0x80) == 0) {
            span->at += i + 1;
            *value_out = value;
            return true;
        }
    }
    return false;
}

/* The groups of 7 bits of up to 8 bytes, moved together by pairs, pairs of pairs, and so on. */
static inline uint64_t joined(uint64_t bits)
{
    bits = (bits & UINT64_C(0x007f007f007f007f)) | (bits & UINT64_C(0x7f007f007f007f00)) >> 1;
    bits = (bits & UINT64_C(0x00003fff00003fff)) | (bits & UINT64_C(0x3fff00003fff0000)) >> 2;
    return (bits & UINT64_C(0x000000000fffffff)) | (bits & UINT64_C(0x0fffffff00000000)) >> 4;
}

/* A number of more than one byte, from one load: without a branch for each byte. Where the body ends
 * soon there is none. Numbers of 9 and 10 bytes are not rare: a session's is random. */
static bool read_long_number(const struct reading *reading, struct span *span, uint64_t *value_out)
{
    const uint8_t *at = span->at;
    if (reading->end - at < VARINT_BYTES_MAX) {
        return read_bytewise(span, value_out);
    }
    uint64_t bits;
    memcpy(&bits, at, sizeof bits);
    bits = le64toh(bits);
    const uint64_t ends = ~bits & UINT64_C(0x8080808080808080);
    ptrdiff_t size;
    if (ends != 0) {
        size = __builtin_ctzll(ends) / 8 + 1;
        *value_out = joined(bits & (ends ^ (ends - 1)));
    } else {
        size = at[8] < 0x80 ? 9 : 10;
        *value_out = joined(bits) | (uint64_t) (at[8] & 0x7f) << 56 |
                     (size == 10 ? (uint64_t) at[9] << 63 : 0);
        if (size == 10 && at[9] >= 0x80) {
            return false;
        }
    }
    span->at = at + size;
    return span->at <= span->end;
}

static inline bool read_number(const struct reading *reading, struct span *span,
                               uint64_t *value_out)
{
    if (span->at < span->end && *span->at < 0x80) {
        *value_out = *span->at++;
        return true;
    }
    return read_long_number(reading, span, value_out);
}

/* A length in more bytes than any frame needs is one thing to one reader and another to the next. */
static inline bool read_length(struct span *span, size_t *length_out)
{
    size_t length = 0;
    for (unsigned i = 0; i < LENGTH_BYTES_MAX && span->at < span->end; i++) {
        const uint8_t byte = *span->at++;
        length |= (size_t) (byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *length_out = length;
            return true;
        }
    }
    return false;
}

static inline bool read_run(struct span *span, struct bytes *run_out)
{
    size_t length;
    if (!read_length(span, &length) || length > (size_t) (span->end - span->at)) {
        return false;
    }
    *run_out = bytes_of(span->at, length);
    span->at += length;
    return true;
}

/* As the registry gets them: of nothing there is no address. */
static inline struct bytes taken(struct bytes run)
{
    return run.size == 0 ? (struct bytes){.data = NULL} : run;
}

/* ---- the fields of an op ---- */

static bool read_fields(struct reading *reading, struct bytes message,
                        const struct message_fields *fields, void *to);

static bool read_label(struct reading *reading, struct bytes label, struct labels *labels)
{
    if (labels->items == NULL) {
        labels->items = arena_take(reading->room->arena, LABELS_MAX * sizeof *labels->items);
    }
    if (labels->items == NULL || labels->count == LABELS_MAX) {
        return false;
    }
    /* It is the arena's own, which is written here for the first time. */
    ((struct bytes *) (uintptr_t) labels->items)[labels->count++] = taken(label);
    return true;
}

/* Acks stand one behind the other in the arena, for nothing else is taken from it meanwhile: a poll
 * with acks is taken alone in its frame. */
static bool read_ack(struct reading *reading, struct bytes message, struct op *op)
{
    struct notice_ack *ack = arena_take(reading->room->arena, sizeof *ack);
    if (ack == NULL || op->as.poll.acks_count == POLL_ACKS_MAX) {
        return false;
    }
    *ack = (struct notice_ack){.gen = 0};
    if (op->as.poll.acks == NULL) {
        op->as.poll.acks = ack;
    }
    ASSERT(ack == op->as.poll.acks + op->as.poll.acks_count);
    op->as.poll.acks_count++;
    reading->acks = true;
    return read_fields(reading, message, &ack_fields, ack);
}

/* A field that is a run of bytes on the wire. */
static inline bool read_run_field(struct reading *reading, struct span *span,
                                  const struct field_row *row, uint8_t *to)
{
    struct bytes run;
    if (!read_run(span, &run)) {
        return false;
    }
    void *place = to + row->offset;
    switch ((enum field_form) row->form) {
    case FIELD_BYTES:
        *(struct bytes *) place = taken(run);
        return true;
    case FIELD_LABELS:
        return read_label(reading, run, place);
    case FIELD_CAUSE:
        return read_fields(reading, run, &cause_fields, place);
    case FIELD_ACKS:
        return read_ack(reading, run, (struct op *) (void *) to);
    default:
        return false;
    }
}

static inline bool read_number_field(const struct reading *reading, struct span *span,
                                     const struct field_row *row, uint8_t *to)
{
    uint64_t value;
    if (!read_number(reading, span, &value)) {
        return false;
    }
    void *place = to + row->offset;
    switch ((enum field_form) row->form) {
    case FIELD_U32:
        *(uint32_t *) place = (uint32_t) value;
        return value <= UINT32_MAX;
    case FIELD_U64:
        *(uint64_t *) place = value;
        return true;
    case FIELD_BOOL:
        *(bool *) place = value == 1;
        return value <= 1;
    default:
        return false;
    }
}

/* Fields that may come more than once. */
static inline bool is_list(const struct field_row *row)
{
    return row->form == FIELD_LABELS || row->form == FIELD_ACKS;
}

static bool read_fields(struct reading *reading, struct bytes message,
                        const struct message_fields *fields, void *to)
{
    struct span span = {.at = message.data, .end = message.data + message.size};
    uint32_t seen = 0;
    while (span.at < span.end) {
        const uint8_t tag = *span.at++;
        if (tag >= OP_FIELDS_MAX << 3) {
            return false;
        }
        const struct field_row *row = &fields->rows[tag >> 3];
        const uint32_t bit = UINT32_C(1) << (tag >> 3);
        if (row->tag != tag || ((seen & bit) != 0 && !is_list(row))) {
            return false;
        }
        seen |= bit;
        if (!((tag & 7) == WIRE_LENGTH ? read_run_field(reading, &span, row, to)
                                       : read_number_field(reading, &span, row, to))) {
            return false;
        }
    }
    return true;
}

/* ---- the fields of a frame ---- */

/* The number of the one field that an op has: its tag is of one byte, or of two from 16 on. */
static inline uint32_t read_kind(struct span *span)
{
    if (span->end - span->at < 2) {
        return OP_UNKNOWN;
    }
    uint32_t tag = *span->at++;
    if (tag >= 0x80) {
        tag = (tag & 0x7f) | (uint32_t) *span->at++ << 7;
    }
    const bool is_known = (tag & 7) == WIRE_LENGTH && tag >> 3 < OP_END && span->at < span->end;
    return is_known ? tag >> 3 : OP_UNKNOWN;
}

static bool read_op(struct reading *reading, struct bytes bytes)
{
    struct frame *frame = reading->frame;
    struct span span = {.at = bytes.data, .end = bytes.data + bytes.size};
    const uint32_t kind = read_kind(&span);
    struct bytes message;
    if (kind == OP_UNKNOWN || !read_run(&span, &message) || span.at != span.end ||
        frame->ops_count == FRAME_OPS_MAX) {
        return false;
    }
    struct op *op = &reading->room->ops[frame->ops_count++];
    clear_op(op);
    op->kind = (enum op_kind) kind;
    frame->holds_secret |= kind == OP_OPEN;
    frame->ops_digest = op_digest_add(reading->digest_key, frame->ops_digest, bytes);
    return read_fields(reading, message, &op_fields[kind], op);
}

static bool read_answered(struct reading *reading, struct bytes packed)
{
    struct frame *frame = reading->frame;
    struct span span = {.at = packed.data, .end = packed.data + packed.size};
    size_t count = 0;
    while (span.at < span.end) {
        if (count == FRAME_ANSWERED_MAX ||
            !read_number(reading, &span, &reading->room->answered[count])) {
            return false;
        }
        count++;
    }
    frame->answered = reading->room->answered;
    frame->answered_count = count;
    return true;
}

static inline bool read_frame_run(struct reading *reading, struct span *span, uint8_t tag)
{
    struct bytes run;
    if (!read_run(span, &run)) {
        return false;
    }
    switch (tag) {
    case TAG_OPS:
        return read_op(reading, run);
    case TAG_ANSWERED:
        return read_answered(reading, run);
    case TAG_SECRET:
        reading->frame->secret = taken(run);
        reading->frame->holds_secret = true;
        return true;
    default:
        return false;
    }
}

static inline bool read_frame_number(struct reading *reading, struct span *span, uint8_t tag)
{
    uint64_t value;
    if (!read_number(reading, span, &value)) {
        return false;
    }
    switch (tag) {
    case TAG_VERSION:
        reading->frame->version = (uint32_t) value;
        return true;
    case TAG_SESSION:
        reading->frame->session = value;
        return true;
    case TAG_REQUEST_ID:
        reading->frame->request_id = value;
        return true;
    case TAG_ANSWERED_BELOW:
        reading->frame->answered_below = value;
        return true;
    default:
        return false;
    }
}

static bool read_frame_fields(struct reading *reading, struct span span)
{
    uint32_t seen = 0;
    while (span.at < span.end) {
        const uint8_t tag = *span.at++;
        const uint32_t bit = UINT32_C(1) << (tag >> 3);
        if (tag != TAG_OPS && (seen & bit) != 0) {
            return false;
        }
        seen |= bit;
        if (!((tag & 7) == WIRE_LENGTH ? read_frame_run(reading, &span, tag)
                                       : read_frame_number(reading, &span, tag))) {
            return false;
        }
    }
    return true;
}

bool frame_read(struct bytes body, const struct op_digest_key *digest_key,
                const struct frame_room *room, struct frame *frame_out)
{
    /* Above the contract's bound protobuf-c may find that there is not enough memory for it. */
    if (body.size == 0 || body.size > FRAME_BYTES_MAX) {
        return false;
    }
    clear_frame(frame_out);
    frame_out->ops = room->ops;
    frame_out->ops_digest = OP_DIGEST_START;
    struct reading reading = {
        .end = body.data + body.size, .digest_key = digest_key, .room = room, .frame = frame_out};
    const struct span whole = {.at = body.data, .end = reading.end};
    return read_frame_fields(&reading, whole) && frame_out->version == PROTOCOL_VERSION &&
           frame_out->ops_count > 0 && (!reading.acks || frame_out->ops_count == 1);
}
