/* SPDX-License-Identifier: MIT */
#include "wire/prescan.h"

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_LENGTH = 2, WIRE_FIXED32 = 5 };

/* The fields of message Frame that are of interest here. */
enum frame_field {
    FIELD_VERSION = 1,
    FIELD_SESSION = 2,
    FIELD_REQUEST_ID = 3,
    FIELD_ANSWERED = 5,
    FIELD_OPS = 6
};

#define VARINT_BYTES_MAX 10
#define FIELD_NUMBER_MAX ((UINT64_C(1) << 29) - 1)

struct cursor {
    const uint8_t *at;
    const uint8_t *end;
};

/* One field as it stands on the wire: a number, or a run of bytes. */
struct field {
    uint32_t number;
    enum wire_type type;
    uint64_t varint;
    struct bytes payload;
};

static bool read_varint(struct cursor *cursor, uint64_t *value_out)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < VARINT_BYTES_MAX && cursor->at + i < cursor->end; i++) {
        value |= (uint64_t) (cursor->at[i] & 0x7f) << (7 * i);
        if ((cursor->at[i] & 0x80) == 0) {
            cursor->at += i + 1;
            *value_out = value;
            return true;
        }
    }
    return false;
}

static bool read_payload(struct cursor *cursor, uint64_t size, struct field *field)
{
    if (size > (uint64_t) (cursor->end - cursor->at)) {
        return false;
    }
    field->payload = bytes_of(cursor->at, (size_t) size);
    cursor->at += size;
    return true;
}

static bool read_field(struct cursor *cursor, struct field *field)
{
    uint64_t tag;
    if (!read_varint(cursor, &tag) || tag >> 3 == 0 || tag >> 3 > FIELD_NUMBER_MAX) {
        return false;
    }
    *field = (struct field){.number = (uint32_t) (tag >> 3), .type = (enum wire_type)(tag & 7)};
    switch (field->type) {
    case WIRE_VARINT:
        return read_varint(cursor, &field->varint);
    case WIRE_FIXED64:
        return read_payload(cursor, 8, field);
    case WIRE_FIXED32:
        return read_payload(cursor, 4, field);
    case WIRE_LENGTH: {
        uint64_t size;
        return read_varint(cursor, &size) && read_payload(cursor, size, field);
    }
    }
    return false; /* a group, or a type that there is not */
}

/* Of numbers in a row, each ends with the only one of its bytes that is below 0x80. */
static size_t packed_count(struct bytes packed)
{
    size_t count = 0;
    for (size_t i = 0; i < packed.size; i++) {
        count += packed.data[i] < 0x80 ? 1 : 0;
    }
    return count;
}

static void take_number(const struct field *field, struct prescan *prescan)
{
    switch (field->number) {
    case FIELD_VERSION:
        prescan->version = (uint32_t) field->varint;
        break;
    case FIELD_SESSION:
        prescan->session = field->varint;
        break;
    case FIELD_REQUEST_ID:
        prescan->request_id = field->varint;
        break;
    case FIELD_ANSWERED:
        prescan->answered_count++;
        break;
    default:
        break;
    }
}

bool prescan_frame(struct bytes body, const struct op_digest_key *digest_key,
                   struct prescan *prescan_out)
{
    struct prescan prescan = {.ops_digest = OP_DIGEST_START};
    struct cursor cursor = {.at = body.data, .end = body.data + body.size};
    bool sound = true;
    while (sound && cursor.at < cursor.end) {
        struct field field;
        sound = read_field(&cursor, &field);
        if (sound && field.type == WIRE_VARINT) {
            take_number(&field, &prescan);
        } else if (sound && field.type == WIRE_LENGTH && field.number == FIELD_OPS) {
            prescan.ops_count++;
            prescan.ops_digest = op_digest_add(digest_key, prescan.ops_digest, field.payload);
        } else if (sound && field.type == WIRE_LENGTH && field.number == FIELD_ANSWERED) {
            prescan.answered_count += packed_count(field.payload);
        }
    }
    *prescan_out = prescan;
    return sound;
}
