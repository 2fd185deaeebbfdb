/* SPDX-License-Identifier: MIT */
/* The stream endpoint with clients of other makes: NNG's REQ socket, nngcat, and nanocat, which shares no
 * code with NNG. */
#include "endpoint_rig.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct server server;

static void started(enum wire wire)
{
    server_init(&server);
    server_start(&server, wire_url(wire));
}

static void echo_once(nng_socket socket, size_t number, size_t size)
{
    nng_msg *message;
    CHECK_EQ(nng_msg_alloc(&message, size), 0);
    memset(nng_msg_body(message), (int) (number % 50), size);
    CHECK_EQ(nng_sendmsg(socket, message, 0), 0);
    CHECK_EQ(nng_recvmsg(socket, &message, 0), 0);
    CHECK_EQ(nng_msg_len(message), size);
    const uint8_t *body = nng_msg_body(message);
    for (size_t i = 0; i < size; i++) {
        CHECK(body[i] == number % 50);
    }
    nng_msg_free(message);
}

static void req_sockets_are_served(enum wire wire)
{
    static const size_t sizes[] = {0, 1, 1000, 1024, 65536};
    started(wire);
    nng_socket socket;
    CHECK_EQ(nng_req0_open(&socket), 0);
    CHECK_EQ(nng_dial(socket, server_dial_url(&server), NULL, 0), 0);
    for (size_t i = 0; i < 500; i++) {
        echo_once(socket, i, sizes[i % (sizeof sizes / sizeof sizes[0])]);
    }
    CHECK_EQ(nng_close(socket), 0);
    CHECK_EVENTUALLY(atomic_load(&server.downs) == 1);
    server_end(&server);
}
OVER_ALL(req_sockets_are_served)

#define CONTEXTS 64

/* Many requests of one socket at once, each a few times. */
static void req_contexts_are_served(enum wire wire)
{
    started(wire);
    nng_socket socket;
    nng_ctx contexts[CONTEXTS];
    nng_aio *aios[CONTEXTS];
    CHECK_EQ(nng_req0_open(&socket), 0);
    CHECK_EQ(nng_dial(socket, server_dial_url(&server), NULL, 0), 0);
    for (size_t i = 0; i < CONTEXTS; i++) {
        CHECK_EQ(nng_ctx_open(&contexts[i], socket), 0);
        CHECK_EQ(nng_aio_alloc(&aios[i], NULL, NULL), 0);
    }
    for (uint32_t round = 0; round < TEST_SCALE(100); round++) {
        for (uint32_t i = 0; i < CONTEXTS; i++) {
            nng_msg *message;
            CHECK_EQ(nng_msg_alloc(&message, 0), 0);
            CHECK_EQ(nng_msg_append_u32(message, round * CONTEXTS + i), 0);
            nng_aio_set_msg(aios[i], message);
            nng_ctx_send(contexts[i], aios[i]);
        }
        for (uint32_t i = 0; i < CONTEXTS; i++) {
            nng_aio_wait(aios[i]);
            CHECK_EQ(nng_aio_result(aios[i]), 0);
            nng_ctx_recv(contexts[i], aios[i]);
        }
        for (uint32_t i = 0; i < CONTEXTS; i++) {
            uint32_t number;
            nng_aio_wait(aios[i]);
            CHECK_EQ(nng_aio_result(aios[i]), 0);
            nng_msg *message = nng_aio_get_msg(aios[i]);
            CHECK_EQ(nng_msg_trim_u32(message, &number), 0);
            CHECK_EQ(number, round * CONTEXTS + i);
            nng_msg_free(message);
        }
    }
    for (size_t i = 0; i < CONTEXTS; i++) {
        CHECK_EQ(nng_ctx_close(contexts[i]), 0);
        nng_aio_free(aios[i]);
    }
    CHECK_EQ(nng_close(socket), 0);
    server_end(&server);
}
OVER_ALL(req_contexts_are_served)

static void check_echo(const char *program)
{
    char line[400];
    char printed[100] = "";
    (void) snprintf(line, sizeof line, "%s --req --connect %s --data hello --ascii", program,
                    server_dial_url(&server));
    FILE *output = popen(line, "r");
    CHECK(output != NULL);
    CHECK(fgets(printed, sizeof printed, output) != NULL);
    CHECK_EQ(pclose(output), 0);
    printed[strcspn(printed, "\n")] = '\0'; /* One of them prints it, the other does not. */
    CHECK_STR_EQ(printed, "hello");
}

static void command_lines_are_served(enum wire wire)
{
    started(wire);
    check_echo("nngcat");
    check_echo("nanocat");
    CHECK_EVENTUALLY(atomic_load(&server.downs) == 2);
    server_end(&server);
}
OVER_ALL(command_lines_are_served)

static const struct test_case cases[] = {
    CASE_ALL("NNG's REQ socket is served", req_sockets_are_served),
    CASE_ALL("NNG's REQ contexts are served", req_contexts_are_served),
    CASE_ALL("nngcat and nanocat are served", command_lines_are_served),
};
TEST_MAIN(cases)
