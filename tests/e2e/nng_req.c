/* SPDX-License-Identifier: MIT */
/* NNG's own REQ socket as a client: nng_req URL. Takes messages from stdin, each behind its length
 * in 4 bytes, big endian; sends one after another down one socket, and writes the replies to stdout
 * in the same form. It knows nothing of canceld. */
#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define MESSAGE_BYTES_MAX 70000

static uint8_t buffer[MESSAGE_BYTES_MAX];

static void check(int error, const char *what)
{
    if (error != 0) {
        (void) fprintf(stderr, "nng_req: %s: %s\n", what, nng_strerror(error));
        exit(EXIT_FAILURE);
    }
}

/* False at the end of stdin. */
static int read_message(size_t *size_out)
{
    uint8_t head[4];
    if (fread(head, 1, sizeof head, stdin) != sizeof head) {
        return 0;
    }
    const size_t size =
        (size_t) head[0] << 24 | (size_t) head[1] << 16 | (size_t) head[2] << 8 | head[3];
    if (size > sizeof buffer || fread(buffer, 1, size, stdin) != size) {
        (void) fprintf(stderr, "nng_req: a message of %zu bytes that is not there\n", size);
        exit(EXIT_FAILURE);
    }
    *size_out = size;
    return 1;
}

static void write_message(const void *data, size_t size)
{
    const uint8_t head[4] = {(uint8_t) (size >> 24), (uint8_t) (size >> 16), (uint8_t) (size >> 8),
                             (uint8_t) size};
    (void) fwrite(head, 1, sizeof head, stdout);
    (void) fwrite(data, 1, size, stdout);
}

int main(int argc, char **argv)
{
    nng_socket socket;
    size_t size = 0;
    if (argc != 2) {
        (void) fprintf(stderr, "usage: nng_req URL\n");
        return 2;
    }
    check(nng_req0_open(&socket), "open");
    check(nng_socket_set_ms(socket, NNG_OPT_RECVTIMEO, 20000), "receive timeout");
    check(nng_dial(socket, argv[1], NULL, 0), "dial");
    while (read_message(&size)) {
        void *reply = NULL;
        size_t reply_size = 0;
        check(nng_send(socket, buffer, size, 0), "send");
        check(nng_recv(socket, &reply, &reply_size, NNG_FLAG_ALLOC), "receive");
        write_message(reply, reply_size);
        nng_free(reply, reply_size);
    }
    check(nng_close(socket), "close");
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
