/* SPDX-License-Identifier: MIT */
#include "socket_client.h"

#include "harness.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void client_key(uint64_t number, uint8_t key[CLIENT_KEY_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    memcpy(key, "operation:000000", 16);
    for (size_t i = 0; i < 16; i++) {
        key[31 - i] = (uint8_t) digits[number >> (4 * i) & 15];
    }
}

void client_open(struct client *client, const struct client_kind *kind, const struct server *server,
                 uint64_t seed)
{
    *client = (struct client){.kind = kind, .key_next = seed << 40, .fd = server_connect(server)};
    client->input = malloc(CLIENT_BUFFER_BYTES);
    client->output = malloc(CLIENT_BUFFER_BYTES);
    ASSERT(client->input != NULL && client->output != NULL);
    kind->greet(client);
}

void client_close(struct client *client)
{
    close(client->fd);
    free(client->input);
    free(client->output);
}

void client_flush(struct client *client)
{
    if (client->output_bytes > 0) {
        server_write(client->fd, client->output, client->output_bytes);
        client->output_bytes = 0;
    }
}

static void client_read(struct client *client)
{
    client->input_bytes += server_read(client->fd, client->input + client->input_bytes,
                                       CLIENT_BUFFER_BYTES - client->input_bytes);
}

static void client_forget(struct client *client, size_t bytes)
{
    client->input_bytes -= bytes;
    if (client->input_bytes > 0) {
        memmove(client->input, client->input + bytes, client->input_bytes);
    }
}

static void slot_renew(struct client *client, struct client_slot *slot)
{
    for (uint32_t i = 0; i < slot->ops_count; i++) {
        slot->keys[i] = client->key_next++;
    }
    slot->stored = false;
}

static void slot_put(struct client *client, struct client_slot *slots, uint32_t slot)
{
    client->kind->put(client, slots, slot);
    client->slots_busy++;
}

/* Takes all answers that are there; while `going`, each slot goes on. Returns the slots answered. */
static uint32_t client_step(struct client *client, struct client_slot *slots, bool going)
{
    uint32_t count = 0;
    uint32_t slot = 0;
    size_t at = 0;
    size_t size = 0;
    while ((size = client->kind->take(client, client->input + at, client->input_bytes - at, slots,
                                      &slot)) > 0) {
        at += size;
        count++;
        client->slots_busy--;
        slots[slot].stored = !slots[slot].stored;
        if (!slots[slot].stored) {
            slot_renew(client, &slots[slot]);
        }
        /* What was stored is deleted, also at the end. */
        if (going || slots[slot].stored) {
            slot_put(client, slots, slot);
        }
    }
    client_forget(client, at);
    return count;
}

uint64_t client_run(struct client *client, uint32_t slots_count, uint32_t ops_count,
                    uint32_t slice_ms)
{
    struct client_slot *slots = calloc(slots_count, sizeof *slots);
    ASSERT(slots != NULL && ops_count <= CLIENT_OPS_MAX);
    for (uint32_t i = 0; i < slots_count; i++) {
        slots[i].ops_count = ops_count;
        slot_renew(client, &slots[i]);
        slot_put(client, slots, i);
    }
    uint64_t answered = 0;
    uint64_t end_ns = slice_now_ns() + slice_ms * UINT64_C(1000000);
    while (client->slots_busy > 0) {
        client_flush(client);
        client_read(client);
        answered += client_step(client, slots, slice_now_ns() < end_ns);
    }
    free(slots);
    return answered * ops_count;
}

void client_fill(struct client *client, uint64_t keys_count)
{
    struct client_slot slot = {.ops_count = CLIENT_OPS_MAX};
    for (uint64_t i = 0; i < keys_count; i += CLIENT_OPS_MAX) {
        slot_renew(client, &slot);
        slot_put(client, &slot, 0);
        client_flush(client);
        uint32_t of = 0;
        size_t size = 0;
        while (size == 0) {
            client_read(client);
            size = client->kind->take(client, client->input, client->input_bytes, &slot, &of);
        }
        client_forget(client, size);
        client->slots_busy--;
    }
}
