/* SPDX-License-Identifier: MIT */
#include "server/address.h"

#include "base/bytes.h"
#include "base/utf8.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static const char ipc_scheme[] = "ipc://";
static const char tcp_scheme[] = "tcp://";
static const char tls_scheme[] = "tls+tcp://";
static const char rep_prefix[] = "rep+";
static const char nng_prefix[] = "nng+";

_Static_assert(sizeof rep_prefix == sizeof nng_prefix, "either has the room of the other");

#define HOST_BYTES_MAX 255

_Static_assert(sizeof rep_prefix - 1 + sizeof ipc_scheme - 1 + ADDRESS_PATH_BYTES_MAX <=
                   ADDRESS_URL_BYTES_MAX,
               "an ipc address of the longest path has room");

static bool begins_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

const char *address_path(const struct address *address)
{
    ASSERT(address->kind == ADDRESS_IPC);
    return address->url + address->rest;
}

static bool path_check(const char *url, size_t rest, struct refusal *refusal)
{
    const char *path = url + rest;
    size_t size = strlen(path);

    if (path[0] != '/') {
        return refuse(refusal, REFUSAL_ADDRESS_MALFORMED,
                      "the path has to be absolute, as in ipc:///run/canceld.sock");
    }
    if (size > ADDRESS_PATH_BYTES_MAX) {
        return refuse(refusal, REFUSAL_ADDRESS_TOO_LONG,
                      "the path of a socket has %d bytes at most, this one has %zu",
                      ADDRESS_PATH_BYTES_MAX, size);
    }
    if (path[size - 1] == '/') {
        return refuse(refusal, REFUSAL_ADDRESS_MALFORMED, "that is a directory");
    }
    return true;
}

/* ---- tcp ---- */

struct host_port {
    char host[HOST_BYTES_MAX + 1]; /* without brackets; empty: every address of the machine */
    const char *port;
};

/* HOST:PORT or [HOST]:PORT. */
static bool host_port_split(const char *text, struct host_port *split_out)
{
    const char *colon = strrchr(text, ':');
    const char *start = text;
    size_t size;

    if (colon == NULL) {
        return false;
    }
    size = (size_t) (colon - text);
    if (text[0] == '[') {
        if (size < 2 || colon[-1] != ']') {
            return false;
        }
        start++;
        size -= 2;
    } else if (memchr(text, ':', size) != NULL) {
        return false; /* an IPv6 address without its brackets */
    }
    if (size > HOST_BYTES_MAX) {
        return false;
    }
    memcpy(split_out->host, start, size);
    split_out->host[size] = '\0';
    split_out->port = colon + 1;
    return true;
}

static bool port_is_good(const char *port)
{
    unsigned value = 0;
    size_t size = strlen(port);

    if (size == 0 || size > 5 || strspn(port, "0123456789") != size) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        value = value * 10 + (unsigned) (port[i] - '0');
    }
    return value <= 65535;
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *) (const void *) address;

        return (ntohl(in->sin_addr.s_addr) >> 24) == 127;
    }
    if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *) (const void *) address;

        return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
    }
    return false;
}

/* Every address that the name stands for has to be a loopback one: which of them is listened on is
 * the transport's choice. */
static bool host_check_loopback(const char *host, struct refusal *refusal)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    bool all_loopback = true;
    int failure;

    if (host[0] == '\0' || strcmp(host, "*") == 0) {
        all_loopback = false;
    } else if ((failure = getaddrinfo(host, NULL, &hints, &found)) != 0) {
        return refuse(refusal, REFUSAL_ADDRESS_UNKNOWN_HOST, "the host %s: %s", host,
                      gai_strerror(failure));
    }
    for (const struct addrinfo *info = found; info != NULL; info = info->ai_next) {
        all_loopback = all_loopback && is_loopback(info->ai_addr);
    }
    if (found != NULL) {
        freeaddrinfo(found);
    }
    if (!all_loopback) {
        return refuse(refusal, REFUSAL_ADDRESS_NOT_LOOPBACK,
                      "it would let other machines in, unencrypted and whoever they are: say "
                      "--insecure-tcp if you mean it, or use tls+tcp://");
    }
    return true;
}

static bool tcp_check(const struct address *address, const char *url, bool insecure_tcp,
                      struct refusal *refusal)
{
    struct host_port split;

    if (!host_port_split(url + address->rest, &split) || !port_is_good(split.port)) {
        return refuse(refusal, REFUSAL_ADDRESS_MALFORMED,
                      "a TCP address is tcp://HOST:PORT, or tcp://[IPV6]:PORT, with a port of 0 to "
                      "65535");
    }
    if (strlen(url) > ADDRESS_URL_BYTES_MAX) {
        return refuse(refusal, REFUSAL_ADDRESS_TOO_LONG, "an address has %d bytes at most",
                      ADDRESS_URL_BYTES_MAX);
    }
    return address->kind == ADDRESS_TLS || insecure_tcp || host_check_loopback(split.host, refusal);
}

/* ---- all ---- */

/* What stands before the path, or before host and port; 0 for a scheme that is none of ours. */
static size_t scheme_size(const char *url, enum address_kind *kind_out)
{
    size_t prefix_size =
        begins_with(url, rep_prefix) || begins_with(url, nng_prefix) ? strlen(rep_prefix) : 0;

    if (begins_with(url + prefix_size, ipc_scheme)) {
        *kind_out = ADDRESS_IPC;
        return prefix_size + strlen(ipc_scheme);
    }
    if (begins_with(url + prefix_size, tcp_scheme)) {
        *kind_out = ADDRESS_TCP;
        return prefix_size + strlen(tcp_scheme);
    }
    if (begins_with(url, tls_scheme)) {
        *kind_out = ADDRESS_TLS;
        return strlen(tls_scheme);
    }
    return 0;
}

bool address_parse(const char *url, bool insecure_tcp, struct address *address_out,
                   struct refusal *refusal)
{
    struct address address = {.kind = ADDRESS_IPC};

    address.rest = scheme_size(url, &address.kind);
    if (address.rest == 0) {
        return refuse(refusal, REFUSAL_ADDRESS_SCHEME,
                      "the address has to begin with ipc://, tcp:// or tls+tcp://");
    }
    /* It goes into the ready line, where a line break would be a lie. */
    if (!utf8_is_text(bytes_of_string(url))) {
        return refuse(refusal, REFUSAL_ADDRESS_MALFORMED,
                      "the address is no UTF-8, or holds a control character");
    }
    if (address.kind == ADDRESS_IPC ? !path_check(url, address.rest, refusal)
                                    : !tcp_check(&address, url, insecure_tcp, refusal)) {
        return false;
    }
    memcpy(address.url, url, strlen(url) + 1);
    *address_out = address;
    return true;
}

bool address_default(const struct environment *environment, struct address *address_out,
                     struct refusal *refusal)
{
    /* Longer than any address: what is too long is refused by its length, not cut. */
    char url[8192];
    struct refusal reason;
    enum address_directory directory = ADDRESS_DIRECTORY_THEIRS;
    const char *tmp_dir = environment->tmp_dir != NULL ? environment->tmp_dir : "/tmp";

    if (environment->uid == 0) {
        (void) snprintf(url, sizeof url, "%s/run/canceld/canceld.sock", ipc_scheme);
        directory = ADDRESS_DIRECTORY_SYSTEM;
    } else if (environment->runtime_dir != NULL) {
        (void) snprintf(url, sizeof url, "%s%s/canceld.sock", ipc_scheme, environment->runtime_dir);
    } else {
        (void) snprintf(url, sizeof url, "%s%s/canceld-%ju/canceld.sock", ipc_scheme, tmp_dir,
                        (uintmax_t) environment->uid);
        directory = ADDRESS_DIRECTORY_PRIVATE;
    }
    if (!address_parse(url, false, address_out, &reason)) {
        return refuse(refusal, reason.code, "the default address %.150s: %s", url, reason.text);
    }
    address_out->directory = directory;
    return true;
}
