/* SPDX-License-Identifier: MIT */
/* canceld's protocol by hand: SP frames (wire/sp.h) around canceld.proto's. */
#include "socket_client.h"

#include "harness.h"

#include <string.h>

/* Of canceld.proto; every one is a varint, or a run of bytes. */
#define TAG(field, type) (uint8_t)((field) << 3 | (type))
#define VARINT 0
#define BYTES 2
#define ANSWER_OPENED 10
#define ANSWER_STORED 20
#define ANSWER_DELETED 40

#define SP_HEAD_BYTES 13 /* 01, a length of 8 bytes, a request id */
#define OP_BYTES_MAX 64

static const uint8_t handshake[] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};

/* ---- writing ---- */

static void put_big_endian(uint8_t *at, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        at[i] = (uint8_t) (value >> (8 * (size - 1 - i)));
    }
}

/* The head of a frame of SP and of protobuf's; the ops go behind it, and then frame_end(). */
static uint8_t *frame_begin(struct client *client, uint32_t word)
{
    uint8_t *at = client->output + client->output_bytes;
    at[0] = 1;
    put_big_endian(at + 9, UINT32_C(0x80000000) | word, 4);
    at += SP_HEAD_BYTES;
    *at++ = TAG(1, VARINT);
    *at++ = 1;
    if (client->session != 0) {
        *at++ = TAG(2, VARINT);
        at = put_varint(at, client->session);
        *at++ = TAG(3, VARINT);
        at = put_varint(at, ++client->request_id);
        *at++ = TAG(4, VARINT);
        at = put_varint(at, client->answered_below);
    }
    return at;
}

static void frame_end(struct client *client, const uint8_t *end)
{
    uint8_t *begin = client->output + client->output_bytes;
    put_big_endian(begin + 1, (uint64_t) (end - begin) - 9, 8);
    client->output_bytes += (size_t) (end - begin);
    ASSERT(client->output_bytes < CLIENT_BUFFER_BYTES);
}

void client_put_frame(struct client *client, const uint8_t *ops, size_t ops_bytes, uint32_t word)
{
    uint8_t *at = frame_begin(client, word);
    memcpy(at, ops, ops_bytes);
    frame_end(client, at + ops_bytes);
}

static uint8_t *put_key(uint8_t *at, uint64_t number)
{
    *at++ = TAG(2, BYTES);
    *at++ = CLIENT_KEY_BYTES;
    client_key(number, at);
    return at + CLIENT_KEY_BYTES;
}

static uint8_t *put_op(uint8_t *at, const struct client_slot *slot, uint32_t i)
{
    uint8_t fields[OP_BYTES_MAX];
    uint8_t *field = put_key(fields, slot->keys[i]);
    if (slot->stored) {
        *field++ = TAG(3, VARINT);
        field = put_varint(field, slot->gens[i]);
        *field++ = TAG(4, VARINT);
        *field++ = 1; /* COMPLETED */
    } else {
        *field++ = TAG(4, VARINT);
        field = put_varint(field, CLIENT_TTL_MS);
    }
    size_t size = (size_t) (field - fields);
    *at++ = TAG(6, BYTES);
    *at++ = (uint8_t) (size + 2);
    *at++ = slot->stored ? TAG(4, BYTES) : TAG(2, BYTES);
    *at++ = (uint8_t) size;
    memcpy(at, fields, size);
    return at + size;
}

static void ours_put(struct client *client, struct client_slot *slots, uint32_t slot)
{
    uint8_t *at = frame_begin(client, slot);
    for (uint32_t i = 0; i < slots[slot].ops_count; i++) {
        at = put_op(at, &slots[slot], i);
    }
    frame_end(client, at);
}

/* ---- reading ---- */

static uint64_t read_big_endian(const uint8_t *at, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++) {
        value = value << 8 | at[i];
    }
    return value;
}

static const uint8_t *read_varint(const uint8_t *at, uint64_t *value_out)
{
    uint64_t value = 0;
    unsigned shift = 0;
    while ((*at & 0x80) != 0 && shift < 63) {
        value |= (uint64_t) (*at++ & 0x7f) << shift;
        shift += 7;
    }
    *value_out = value | (uint64_t) *at << shift;
    return at + 1;
}

static void take_result(const uint8_t *at, const uint8_t *end, struct client_slot *slot, uint32_t i)
{
    uint64_t answer = 0;
    while (at < end) {
        uint8_t tag = *at++;
        uint64_t value = 0;
        at = read_varint(at, &value);
        if (tag == TAG(1, VARINT)) {
            answer = value;
        } else if (tag == TAG(2, VARINT) && !slot->stored) {
            slot->gens[i] = value;
        } else if ((tag & 7) == BYTES) {
            at += value;
        }
    }
    if (answer != (slot->stored ? ANSWER_DELETED : ANSWER_STORED)) {
        harness_fail("canceld answered %u", (unsigned) answer);
    }
}

static void take_results(struct client *client, const uint8_t *at, const uint8_t *end,
                         struct client_slot *slot)
{
    uint32_t count = 0;
    while (at < end) {
        uint8_t tag = *at++;
        uint64_t value = 0;
        at = read_varint(at, &value);
        if (tag == TAG(3, VARINT)) {
            /* Answers of plain ops come in the order of their frames. */
            client->answered_below = value + 1;
        } else if (tag == TAG(5, BYTES) && count < slot->ops_count) {
            take_result(at, at + value, slot, count++);
        }
        at += (tag & 7) == BYTES ? value : 0;
    }
    if (count != slot->ops_count) {
        harness_fail("canceld refused a frame");
    }
}

/* The whole of the first reply in `data`; 0: it is not all there. */
static size_t reply_bytes(const uint8_t *data, size_t size)
{
    if (size < SP_HEAD_BYTES) {
        return 0;
    }
    uint64_t whole = 9 + read_big_endian(data + 1, 8);
    ASSERT(data[0] == 1 && whole < CLIENT_BUFFER_BYTES);
    return size < whole ? 0 : (size_t) whole;
}

static size_t ours_take(struct client *client, const uint8_t *data, size_t size,
                        struct client_slot *slots, uint32_t *slot_out)
{
    size_t whole = reply_bytes(data, size);
    if (whole > 0) {
        *slot_out = (uint32_t) read_big_endian(data + 9, 4) & UINT32_C(0x7fffffff);
        take_results(client, data + SP_HEAD_BYTES, data + whole, &slots[*slot_out]);
    }
    return whole;
}

const uint8_t *client_await(struct client *client, size_t *size_out)
{
    size_t whole = 0;
    memmove(client->input, client->input + client->awaited_bytes,
            client->input_bytes - client->awaited_bytes);
    client->input_bytes -= client->awaited_bytes;
    while ((whole = reply_bytes(client->input, client->input_bytes)) == 0) {
        client->input_bytes += server_read(client->fd, client->input + client->input_bytes,
                                           CLIENT_BUFFER_BYTES - client->input_bytes);
    }
    client->awaited_bytes = whole;
    *size_out = whole - SP_HEAD_BYTES;
    return client->input + SP_HEAD_BYTES;
}

/* ---- the session ---- */

bool client_find_field(const uint8_t *at, const uint8_t *end, uint8_t wanted, uint64_t *value_out,
                       const uint8_t **bytes_out)
{
    while (at < end) {
        uint8_t tag = *at++;
        at = read_varint(at, value_out);
        if (tag == wanted) {
            *bytes_out = at;
            return true;
        }
        at += (tag & 7) == BYTES ? *value_out : 0;
    }
    return false;
}

void client_open_session(struct client *client, uint32_t heartbeat_ms)
{
    uint8_t op[16] = {TAG(6, BYTES), 2, TAG(1, BYTES), 0};
    size_t op_bytes = 4;
    if (heartbeat_ms != 0) {
        op[op_bytes++] = TAG(3, VARINT);
        op_bytes = (size_t) (put_varint(op + op_bytes, heartbeat_ms) - op);
        op[1] = (uint8_t) (op_bytes - 2);
        op[3] = (uint8_t) (op_bytes - 4);
    }
    client->session = 0;
    client->request_id = 0;
    client->answered_below = 1;
    client_put_frame(client, op, op_bytes, 0);
    client_flush(client);
    size_t size = 0;
    uint64_t value = 0;
    const uint8_t *at = client_await(client, &size);
    /* Reply.results[0].opened.session */
    if (!client_find_field(at, at + size, TAG(5, BYTES), &value, &at) ||
        !client_find_field(at, at + value, TAG(13, BYTES), &value, &at) ||
        !client_find_field(at, at + value, TAG(1, VARINT), &client->session, &at)) {
        harness_fail("canceld opened no session");
    }
    client->input_bytes -= client->awaited_bytes;
    ASSERT(client->input_bytes == 0);
    client->awaited_bytes = 0;
}

static void ours_greet(struct client *client)
{
    uint8_t theirs[sizeof handshake];
    size_t size = 0;
    server_write(client->fd, handshake, sizeof handshake);
    while (size < sizeof theirs) {
        size += server_read(client->fd, theirs + size, sizeof theirs - size);
    }
    client_open_session(client, 0);
}

const struct client_kind client_ours = {.greet = ours_greet, .put = ours_put, .take = ours_take};
