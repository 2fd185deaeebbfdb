/* SPDX-License-Identifier: MIT */
/* The least that a client has to do, in C, straight on the socket: for canceld and for Redis, built
 * alike. Requests gather in one buffer and go out in one write; what a read brings is taken apart in
 * place. A wrong answer ends the program. Not thread-safe. */
#ifndef CANCELD_BENCH_SOCKET_CLIENT_H
#define CANCELD_BENCH_SOCKET_CLIENT_H

#include "socket_server.h"

#include <stdint.h>

#define CLIENT_KEY_BYTES 32
#define CLIENT_TTL_MS 60000
#define CLIENT_BUFFER_BYTES ((size_t) 262144)
#define CLIENT_OPS_MAX 32 /* of one frame */

/* A store, and then the delete of what was stored, of so many keys at once: a frame, or as many
 * commands in a row. */
struct client_slot {
    uint64_t keys[CLIENT_OPS_MAX]; /* a key is its number, written out */
    uint64_t gens[CLIENT_OPS_MAX]; /* canceld's answer to the store */
    uint32_t ops_count;
    bool stored; /* the delete is due */
};

struct client {
    const struct client_kind *kind;
    int fd;
    uint8_t *input;
    size_t input_bytes;
    uint8_t *output;
    size_t output_bytes;
    uint64_t key_next;
    uint32_t slots_busy;
    /* canceld's */
    uint64_t session;
    uint64_t request_id;
    uint64_t answered_below;
    size_t awaited_bytes; /* of the input: the reply that client_await() gave last */
    /* Redis's, which answers in order and names nothing: the slots, in a ring. */
    uint32_t order[1024];
    uint32_t order_first;
    uint32_t order_last;
};

struct client_kind {
    /* On a new connection, blocking. */
    void (*greet)(struct client *client);
    /* Appends what the slot's step has to send. */
    void (*put)(struct client *client, struct client_slot *slots, uint32_t slot);
    /* Takes the answers of one slot off `data`; returns their bytes, 0 where they are not all there. */
    size_t (*take)(struct client *client, const uint8_t *data, size_t size,
                   struct client_slot *slots, uint32_t *slot_out);
};

extern const struct client_kind client_ours;
extern const struct client_kind client_redis;

void client_open(struct client *client, const struct client_kind *kind, const struct server *server,
                 uint64_t seed);
void client_close(struct client *client);

/* Sends what has gathered. */
void client_flush(struct client *client);

/* Keeps `slots_count` slots of `ops_count` each on their way for so long; returns the ops answered. */
uint64_t client_run(struct client *client, uint32_t slots_count, uint32_t ops_count,
                    uint32_t slice_ms);

/* Stores so many keys that stay. */
void client_fill(struct client *client, uint64_t keys_count);

/* ---- parts of the wire, for the other rows ---- */

static inline uint8_t *put_varint(uint8_t *at, uint64_t value)
{
    while (value >= 0x80) {
        *at++ = (uint8_t) (value | 0x80);
        value >>= 7;
    }
    *at++ = (uint8_t) value;
    return at;
}

/* Appends a frame with the ops given (fields 6 of Frame), under the slot's number as request id of SP. */
void client_put_frame(struct client *client, const uint8_t *ops, size_t ops_bytes, uint32_t word);

/* Blocks until one whole reply is there; its body is borrowed until the next call. */
const uint8_t *client_await(struct client *client, size_t *size_out);

/* Finds a field by its tag in a message of protobuf's: its number, or the size of its bytes and where they
 * stand. False where it is not there. */
bool client_find_field(const uint8_t *at, const uint8_t *end, uint8_t wanted, uint64_t *value_out,
                       const uint8_t **bytes_out);

/* Opens a session of canceld's. */
void client_open_session(struct client *client, uint32_t heartbeat_ms);

/* The first 32-byte key of a number. */
void client_key(uint64_t number, uint8_t key[CLIENT_KEY_BYTES]);

#endif
