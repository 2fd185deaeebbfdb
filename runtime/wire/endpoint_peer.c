/* SPDX-License-Identifier: MIT */
#include "wire/endpoint_peer.h"

#include "base/utf8.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

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

struct endpoint_peer endpoint_peer_of_socket(const struct sockaddr_storage *address)
{
    struct endpoint_peer peer = {.text = ""};
    char host[INET6_ADDRSTRLEN];
    const char *printed = NULL;
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *) (const void *) address;
        printed = inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
    } else if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *) (const void *) address;
        printed = inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
    }
    if (printed != NULL) {
        (void) snprintf(peer.text, sizeof peer.text, "tcp:%s", printed);
    }
    return peer;
}

/* A name that a rule could take for something else, or that cannot stand in a cause. */
static bool name_is_usable(const char *name)
{
    static const char *const words[] = {"", "*", "anonymous", "verified"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(name, words[i]) == 0) {
            return false;
        }
    }
    return strlen("tls:") + strlen(name) <= CAUSE_PEER_BYTES_MAX &&
           utf8_is_text(bytes_of_string(name));
}

struct endpoint_peer endpoint_peer_of_certificate(bool verified, const char *name)
{
    struct endpoint_peer peer;
    const char *word = "anonymous";
    if (verified) {
        word = name != NULL && name_is_usable(name) ? name : "verified";
    }
    (void) snprintf(peer.text, sizeof peer.text, "tls:%s", word);
    return peer;
}
