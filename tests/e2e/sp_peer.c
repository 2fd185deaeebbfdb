/* SPDX-License-Identifier: MIT */
#include "sp_peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SP_REQ 0x30
#define SP_REP 0x31
#define REQUEST_BIT UINT32_C(0x80000000)

static void require(bool good, const char *what)
{
    if (!good) {
        (void) fprintf(stderr, "sp_peer: %s (%s)\n", what, strerror(errno));
        exit(EXIT_FAILURE);
    }
}

static void put_be(uint8_t *out, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        out[i] = (uint8_t) (value >> 8 * (bytes - 1 - i));
    }
}

static uint64_t take_be(const uint8_t *in, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) {
        value = value << 8 | in[i];
    }
    return value;
}

static void write_all(struct sp_peer *peer, const uint8_t *data, size_t size)
{
    while (size > 0) {
        const ssize_t wrote = send(peer->descriptor, data, size, MSG_NOSIGNAL);
        require(wrote > 0, "the daemon takes nothing any more");
        data += wrote;
        size -= (size_t) wrote;
    }
}

static void read_all(struct sp_peer *peer, uint8_t *data, size_t size)
{
    while (size > 0) {
        const ssize_t got = recv(peer->descriptor, data, size, 0);
        require(got > 0, "the daemon closed the connection");
        data += got;
        size -= (size_t) got;
    }
}

static void connect_ipc(struct sp_peer *peer, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    require(strlen(path) < sizeof address.sun_path, "the path is too long");
    (void) memcpy(address.sun_path, path, strlen(path));
    peer->descriptor = socket(AF_UNIX, SOCK_STREAM, 0);
    require(connect(peer->descriptor, (struct sockaddr *) &address, sizeof address) == 0,
            "cannot connect");
}

static void connect_tcp(struct sp_peer *peer, const char *host_and_port)
{
    char host[64] = "";
    const char *colon = strrchr(host_and_port, ':');
    require(colon != NULL && (size_t) (colon - host_and_port) < sizeof host, "no such address");
    (void) memcpy(host, host_and_port, (size_t) (colon - host_and_port));
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_port = htons((uint16_t) strtoul(colon + 1, NULL, 10));
    require(inet_pton(AF_INET, host, &address.sin_addr) == 1, "no such address");
    peer->descriptor = socket(AF_INET, SOCK_STREAM, 0);
    require(connect(peer->descriptor, (struct sockaddr *) &address, sizeof address) == 0,
            "cannot connect");
    const int yes = 1;
    (void) setsockopt(peer->descriptor, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

void sp_peer_connect(struct sp_peer *peer, const char *url)
{
    peer->number = 0;
    peer->is_ipc = strncmp(url, "ipc://", 6) == 0;
    if (peer->is_ipc) {
        connect_ipc(peer, url + 6);
    } else {
        require(strncmp(url, "tcp://", 6) == 0, "neither ipc:// nor tcp://");
        connect_tcp(peer, url + 6);
    }
}

void sp_peer_open(struct sp_peer *peer, const char *url)
{
    static const uint8_t greeting[8] = {0, 'S', 'P', 0, 0, SP_REQ, 0, 0};
    static const uint8_t expected[8] = {0, 'S', 'P', 0, 0, SP_REP, 0, 0};
    uint8_t answer[8];
    sp_peer_connect(peer, url);
    write_all(peer, greeting, sizeof greeting);
    read_all(peer, answer, sizeof answer);
    require(memcmp(answer, expected, sizeof answer) == 0, "no REP socket");
}

void sp_peer_close(struct sp_peer *peer)
{
    (void) close(peer->descriptor);
    peer->descriptor = -1;
}

uint32_t sp_peer_send(struct sp_peer *peer, const Canceld__V1__Frame *frame)
{
    const size_t body_size = canceld__v1__frame__get_packed_size(frame);
    const size_t head_size = peer->is_ipc ? 9 : 8;
    require(head_size + 4 + body_size <= sizeof peer->message, "the frame is too big");
    peer->number = (peer->number + 1) & ~REQUEST_BIT;
    peer->message[0] = 1; /* overwritten by the length where the transport is not ipc */
    put_be(peer->message + head_size - 8, 4 + body_size, 8);
    put_be(peer->message + head_size, REQUEST_BIT | peer->number, 4);
    (void) canceld__v1__frame__pack(frame, peer->message + head_size + 4);
    write_all(peer, peer->message, head_size + 4 + body_size);
    return peer->number;
}

Canceld__V1__Reply *sp_peer_receive(struct sp_peer *peer, uint32_t number)
{
    uint8_t head[13];
    const size_t head_size = peer->is_ipc ? 9 : 8;
    read_all(peer, head, head_size + 4);
    require(!peer->is_ipc || head[0] == 1, "an ipc message of another kind");
    const uint64_t size = take_be(head + head_size - 8, 8);
    require(size >= 4 && size - 4 <= sizeof peer->message, "a reply of an impossible length");
    require(take_be(head + head_size, 4) == (REQUEST_BIT | number), "another request's reply");
    read_all(peer, peer->message, size - 4);
    Canceld__V1__Reply *reply = canceld__v1__reply__unpack(NULL, size - 4, peer->message);
    require(reply != NULL, "a reply that is none");
    if (reply->error != NULL && reply->error->code != CANCELD__V1__ERROR_CODE__ERROR_UNSET) {
        (void) fprintf(stderr, "sp_peer: the frame was refused: %d %s\n", (int) reply->error->code,
                       reply->error->text);
        exit(EXIT_FAILURE);
    }
    return reply;
}
