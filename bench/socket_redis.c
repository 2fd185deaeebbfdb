/* SPDX-License-Identifier: MIT */
/* Redis's protocol (RESP 2) by hand: SET key value NX PX, and DEL. */
#include "socket_client.h"

#include "harness.h"

#include <stdio.h>
#include <string.h>

#define ORDER_MAX (sizeof((struct client *) 0)->order / sizeof(uint32_t))

static uint8_t *put_text(uint8_t *at, const char *text, size_t size)
{
    memcpy(at, text, size);
    return at + size;
}

#define PUT_TEXT(at, text) put_text(at, text, sizeof(text) - 1)

static uint8_t *put_command(uint8_t *at, const struct client_slot *slot, uint32_t i)
{
    at = slot->stored ? PUT_TEXT(at, "*2\r\n$3\r\nDEL\r\n$32\r\n")
                      : PUT_TEXT(at, "*6\r\n$3\r\nSET\r\n$32\r\n");
    client_key(slot->keys[i], at);
    at += CLIENT_KEY_BYTES;
    /* The value stands for the owner. */
    return slot->stored
               ? PUT_TEXT(at, "\r\n")
               : PUT_TEXT(at, "\r\n$8\r\nowner001\r\n$2\r\nNX\r\n$2\r\nPX\r\n$5\r\n60000\r\n");
}

static void redis_put(struct client *client, struct client_slot *slots, uint32_t slot)
{
    uint8_t *at = client->output + client->output_bytes;
    for (uint32_t i = 0; i < slots[slot].ops_count; i++) {
        at = put_command(at, &slots[slot], i);
    }
    client->output_bytes = (size_t) (at - client->output);
    ASSERT(client->output_bytes < CLIENT_BUFFER_BYTES);
    client->order[client->order_last++ % ORDER_MAX] = slot;
}

/* "+OK" for a store, ":1" for a delete; returns its bytes, 0 where it is not all there. */
static size_t take_line(const uint8_t *data, size_t size, bool stored)
{
    const char *expected = stored ? ":1\r\n" : "+OK\r\n";
    size_t length = stored ? 4 : 5;
    if (size < length) {
        return 0;
    }
    if (memcmp(data, expected, length) != 0) {
        harness_fail("Redis answered %.*s", (int) length, (const char *) data);
    }
    return length;
}

static size_t redis_take(struct client *client, const uint8_t *data, size_t size,
                         struct client_slot *slots, uint32_t *slot_out)
{
    if (client->order_first == client->order_last) {
        return 0;
    }
    uint32_t slot = client->order[client->order_first % ORDER_MAX];
    size_t at = 0;
    for (uint32_t i = 0; i < slots[slot].ops_count; i++) {
        size_t length = take_line(data + at, size - at, slots[slot].stored);
        if (length == 0) {
            return 0;
        }
        at += length;
    }
    client->order_first++;
    *slot_out = slot;
    return at;
}

static void redis_greet(struct client *client)
{
    uint8_t answer[7];
    size_t size = 0;
    server_write(client->fd, "*1\r\n$4\r\nPING\r\n", 14);
    while (size < sizeof answer) {
        size += server_read(client->fd, answer + size, sizeof answer - size);
    }
}

const struct client_kind client_redis = {
    .greet = redis_greet, .put = redis_put, .take = redis_take};
