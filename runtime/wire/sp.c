/* SPDX-License-Identifier: MIT */
#include "wire/sp.h"

#include <string.h>

/* Where the protocol stands in the handshake; the rest of it is the same for all. */
#define HANDSHAKE_PROTOCOL_AT 4
#define HANDSHAKE_PROTOCOL_BYTES 2
#define TYPE_MESSAGE 1
#define LENGTH_BYTES 8
#define WORD_BYTES 4

static const uint8_t handshakes[][SP_HANDSHAKE_BYTES] = {
    [SP_REQ] = {0, 'S', 'P', 0, 0, 0x30, 0, 0},
    [SP_REP] = {0, 'S', 'P', 0, 0, 0x31, 0, 0},
};

const char *sp_violation_text(enum sp_violation violation)
{
    static const char *const texts[] = {
#define SP_VIOLATION_TEXT(name, text) text,
        SP_VIOLATION_TABLE(SP_VIOLATION_TEXT)
#undef SP_VIOLATION_TEXT
    };
    return texts[violation];
}

void sp_reader_init(struct sp_reader *reader, enum sp_role role, enum sp_framing framing,
                    size_t payload_max)
{
    *reader = (struct sp_reader){.role = role, .framing = framing, .payload_max = payload_max};
}

static struct sp_step step_broken(enum sp_violation violation)
{
    return (struct sp_step){.found = SP_BROKEN, .violation = violation};
}

static struct sp_step step_more(size_t needed)
{
    return (struct sp_step){.found = SP_MORE, .needed = needed};
}

static struct sp_step read_handshake(struct sp_reader *reader, const uint8_t *data, size_t size)
{
    const uint8_t *expected = handshakes[reader->role == SP_REQ ? SP_REP : SP_REQ];
    for (size_t i = 0; i < size && i < SP_HANDSHAKE_BYTES; i++) {
        if (data[i] == expected[i]) {
            continue;
        }
        bool names_protocol =
            i >= HANDSHAKE_PROTOCOL_AT && i < HANDSHAKE_PROTOCOL_AT + HANDSHAKE_PROTOCOL_BYTES;
        return step_broken(names_protocol ? SP_VIOLATION_PROTOCOL : SP_VIOLATION_NOT_SP);
    }
    if (size < SP_HANDSHAKE_BYTES) {
        return step_more(SP_HANDSHAKE_BYTES);
    }
    reader->open = true;
    return (struct sp_step){.found = SP_OPENED, .consumed = SP_HANDSHAKE_BYTES};
}

/* Written out, compilers make one load of each. */
static uint32_t read_word(const uint8_t *data)
{
    return (uint32_t) data[0] << 24 | (uint32_t) data[1] << 16 | (uint32_t) data[2] << 8 | data[3];
}

static uint64_t read_length(const uint8_t *data)
{
    return (uint64_t) read_word(data) << 32 | read_word(data + WORD_BYTES);
}

/* The whole frame is there: `rest` bytes behind its length. */
static struct sp_step read_route(const struct sp_reader *reader, const uint8_t *data, size_t rest)
{
    struct sp_step step = {.found = SP_FRAME};
    size_t at = 0;
    uint32_t word = 0;
    while ((word & SP_REQUEST_ID_BIT) == 0) {
        if (step.route.words_count == SP_ROUTE_WORDS_MAX) {
            return (struct sp_step){.found = SP_IGNORE};
        }
        if (rest - at < WORD_BYTES) {
            return step_broken(SP_VIOLATION_NO_REQUEST_ID);
        }
        word = read_word(data + at);
        step.route.words[step.route.words_count++] = word;
        at += WORD_BYTES;
    }
    step.payload = data + at;
    step.payload_bytes = rest - at;
    return step.payload_bytes > reader->payload_max ? step_broken(SP_VIOLATION_TOO_LONG) : step;
}

static struct sp_step read_frame(const struct sp_reader *reader, const uint8_t *data, size_t size)
{
    size_t type_bytes = reader->framing == SP_FRAMING_IPC ? 1 : 0;
    size_t before = type_bytes + LENGTH_BYTES;
    if (type_bytes > 0 && size > 0 && data[0] != TYPE_MESSAGE) {
        return step_broken(SP_VIOLATION_TYPE);
    }
    if (size < before) {
        return step_more(before);
    }
    uint64_t rest = read_length(data + type_bytes);
    if (rest < WORD_BYTES) {
        return step_broken(SP_VIOLATION_TOO_SHORT);
    }
    if (rest > SP_ROUTE_BYTES_MAX + (uint64_t) reader->payload_max) {
        return step_broken(SP_VIOLATION_TOO_LONG);
    }
    size_t whole = before + (size_t) rest;
    if (size < whole) {
        return step_more(whole);
    }
    struct sp_step step = read_route(reader, data + before, (size_t) rest);
    step.consumed = step.found == SP_BROKEN ? 0 : whole;
    return step;
}

struct sp_step sp_read(struct sp_reader *reader, const uint8_t *data, size_t size)
{
    return reader->open ? read_frame(reader, data, size) : read_handshake(reader, data, size);
}

size_t sp_frame_bytes_max(const struct sp_reader *reader)
{
    return SP_HEAD_BYTES_MAX + reader->payload_max;
}

void sp_write_handshake(enum sp_role role, uint8_t out[SP_HANDSHAKE_BYTES])
{
    memcpy(out, handshakes[role], SP_HANDSHAKE_BYTES);
}

static uint8_t *write_word(uint8_t *out, uint32_t value)
{
    out[0] = (uint8_t) (value >> 24);
    out[1] = (uint8_t) (value >> 16);
    out[2] = (uint8_t) (value >> 8);
    out[3] = (uint8_t) value;
    return out + WORD_BYTES;
}

static uint8_t *write_length(uint8_t *out, uint64_t value)
{
    return write_word(write_word(out, (uint32_t) (value >> 32)), (uint32_t) value);
}

size_t sp_write_head(enum sp_framing framing, const struct sp_route *route, size_t payload_bytes,
                     uint8_t out[SP_HEAD_BYTES_MAX])
{
    uint8_t *at = out;
    if (framing == SP_FRAMING_IPC) {
        *at++ = TYPE_MESSAGE;
    }
    at = write_length(at, (uint64_t) WORD_BYTES * route->words_count + payload_bytes);
    for (uint32_t i = 0; i < route->words_count; i++) {
        at = write_word(at, route->words[i]);
    }
    return (size_t) (at - out);
}
