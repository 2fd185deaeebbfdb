/* SPDX-License-Identifier: MIT */
#include "wire/endpoint_peer.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>

struct endpoint_peer endpoint_peer_of_uid(uint64_t uid)
{
    struct endpoint_peer peer;
    (void) snprintf(peer.text, sizeof peer.text, "uid:%" PRIu64, uid);
    return peer;
}

struct endpoint_peer endpoint_peer_of_address(const nng_sockaddr *address)
{
    struct endpoint_peer peer = {.text = ""};
    char host[INET6_ADDRSTRLEN];
    const char *printed = NULL;
    if (address->s_family == NNG_AF_INET) {
        printed = inet_ntop(AF_INET, &address->s_in.sa_addr, host, sizeof host);
    } else if (address->s_family == NNG_AF_INET6) {
        printed = inet_ntop(AF_INET6, address->s_in6.sa_addr, host, sizeof host);
    }
    if (printed != NULL) {
        (void) snprintf(peer.text, sizeof peer.text, "tcp:%s", printed);
    }
    return peer;
}
