/* SPDX-License-Identifier: MIT */
/* The transport's word for who is at the other end: "uid:1000", "tcp:127.0.0.1", "tls:alice". Pure but
 * for NNG's struct of an address. */
#ifndef CANCELD_WIRE_ENDPOINT_PEER_H
#define CANCELD_WIRE_ENDPOINT_PEER_H

#include "base/bytes.h"
#include "base/limits.h"

#include <nng/nng.h>

struct endpoint_peer {
    char text[CAUSE_PEER_BYTES_MAX + 1];
};

struct endpoint_peer endpoint_peer_of_uid(uint64_t uid);

/* Of a TCP peer, without its port, which would be another one after each reconnect. Empty for other
 * families. */
struct endpoint_peer endpoint_peer_of_address(const nng_sockaddr *address);

/* The same of the system's address. */
struct sockaddr_storage;
struct endpoint_peer endpoint_peer_of_socket(const struct sockaddr_storage *address);

/* Of a TLS peer: "tls:NAME" by the common name in a certificate that our CA signed, "tls:verified"
 * where that name is not known, or would be mistaken for another word of ours; "tls:anonymous" where
 * there was no such certificate. `name` may be NULL. */
struct endpoint_peer endpoint_peer_of_certificate(bool verified, const char *name);

static inline struct bytes endpoint_peer_bytes(const struct endpoint_peer *peer)
{
    return bytes_of_string(peer->text);
}

#endif
