/* SPDX-License-Identifier: MIT */
/* The leanest client that can be: a blocking socket that speaks SP REQ and the messages of
 * canceld.proto, for tests that need many requests a second and a second opinion on the wire. It
 * shares nothing with the client library. Whatever goes wrong ends the process with a sentence. */
#ifndef CANCELD_TESTS_SP_PEER_H
#define CANCELD_TESTS_SP_PEER_H

#include "canceld.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

#define SP_PEER_MESSAGE_MAX 70000

struct sp_peer {
    int descriptor;
    bool is_ipc;
    uint32_t number; /* of the last request */
    uint8_t message[SP_PEER_MESSAGE_MAX];
};

/* Connects to ipc://PATH or tcp://ADDRESS:PORT, without a word. */
void sp_peer_connect(struct sp_peer *peer, const char *url);

/* Connects and shakes hands. */
void sp_peer_open(struct sp_peer *peer, const char *url);
void sp_peer_close(struct sp_peer *peer);

/* Sends a request and gives its number. */
uint32_t sp_peer_send(struct sp_peer *peer, const Canceld__V1__Frame *frame);

/* Takes the next reply, which must be that of the number and no frame error: the caller frees it
 * with canceld__v1__reply__free_unpacked(reply, NULL). */
Canceld__V1__Reply *sp_peer_receive(struct sp_peer *peer, uint32_t number);

#endif
