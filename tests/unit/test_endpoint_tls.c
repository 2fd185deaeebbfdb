/* SPDX-License-Identifier: MIT */
/* tls+tcp:// as endpoint.h promises it. The well-behaved client is NNG's own TLS, the others are bare
 * sockets; openssl(1) makes the certificates. */
#include "endpoint_rig.h"

#include "wire/endpoint_url.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PEM_BYTES 8192
#define ANY_PORT "tls+tcp://127.0.0.1:0"
#define HANDSHAKE "\0SP\0\0\x30\0"
#define ANSWER "\0SP\0\0\x31\0"

/* What NNG below 1.6 cannot tell. */
#ifdef NNG_OPT_TLS_PEER_CN
#define ALICE "tls:alice"
#else
#define ALICE "tls:verified"
#endif

/* ---- certificates ---- */

static void certificates_make(void)
{
    const pid_t pid = fork();
    int ended;
    CHECK_GE(pid, 0);
    if (pid == 0) {
        (void) execl(CANCELD_CERTIFICATES, CANCELD_CERTIFICATES, test_directory(), (char *) NULL);
        _exit(127);
    }
    CHECK_EQ(waitpid(pid, &ended, 0), pid);
    CHECK_EQ(ended, 0);
}

static char *pem(const char *name)
{
    FILE *file = fopen(test_path(name), "r");
    char *text = calloc(1, PEM_BYTES);
    CHECK(file != NULL && text != NULL);
    CHECK_GT(fread(text, 1, PEM_BYTES - 1, file), 0);
    (void) fclose(file);
    return text;
}

/* ---- the server ---- */

enum asks { ASKS_NOBODY, ASKS_ANYBODY, ASKS_ALL };

static void start_on(struct server *server, enum asks asks, bool counts)
{
    char *cert;
    char *key;
    char *ca;
    certificates_make();
    cert = pem("server.crt");
    key = pem("server.key");
    ca = pem("ca.crt");
    const struct endpoint_tls tls = {.cert = cert,
                                     .key = key,
                                     .ca = asks == ASKS_NOBODY ? NULL : ca,
                                     .require_client_cert = asks == ASKS_ALL};
    const struct endpoint_options options = {
        .url = ANY_PORT, .tls = &tls, .limits = &server->limits, .ipc_gid = -1};
    server_start_with(server, &options, counts);
    CHECK_EQ(strncmp(server->url, "tls+tcp://127.0.0.1:", 20), 0);
    CHECK_NE(strcmp(server->url, ANY_PORT), 0);
    free(cert);
    free(key);
    free(ca);
}

static uint64_t ups(struct server *server)
{
    return atomic_load(&server->ups);
}

static bool is_cut(struct server *server, enum endpoint_cut why, uint64_t count)
{
    const struct endpoint_stats stats = server_stats(server);
    return stats.links == 0 && stats.cuts[why] == count;
}

/* ---- clients ---- */

struct secure {
    nng_stream_dialer *dialer;
    nng_tls_config *config;
    nng_stream *stream;
    nng_aio *aio;
};

/* `cert` and `key` are names of files; NULL: none is shown. */
static void secure_init(struct secure *secure, const struct server *server, const char *cert,
                        const char *key)
{
    CHECK_EQ(nng_aio_alloc(&secure->aio, NULL, NULL), 0);
    CHECK_EQ(nng_tls_config_alloc(&secure->config, NNG_TLS_MODE_CLIENT), 0);
    char *ca = pem("ca.crt");
    CHECK_EQ(nng_tls_config_ca_chain(secure->config, ca, NULL), 0);
    free(ca);
    CHECK_EQ(nng_tls_config_server_name(secure->config, "localhost"), 0);
    if (cert != NULL) {
        char *cert_pem = pem(cert);
        char *key_pem = pem(key);
        CHECK_EQ(nng_tls_config_own_cert(secure->config, cert_pem, key_pem, NULL), 0);
        free(cert_pem);
        free(key_pem);
    }
    CHECK_EQ(nng_stream_dialer_alloc(&secure->dialer, server->url), 0);
    CHECK_EQ(nng_stream_dialer_set_ptr(secure->dialer, NNG_OPT_TLS_CONFIG, secure->config), 0);
    nng_stream_dialer_dial(secure->dialer, secure->aio);
    nng_aio_wait(secure->aio);
    CHECK_EQ(nng_aio_result(secure->aio), 0);
    secure->stream = nng_aio_get_output(secure->aio, 0);
}

static int secure_move(struct secure *secure, void *data, size_t size, bool out)
{
    size_t done = 0;
    while (done < size) {
        nng_iov iov = {.iov_buf = (char *) data + done, .iov_len = size - done};
        CHECK_EQ(nng_aio_set_iov(secure->aio, 1, &iov), 0);
        (out ? nng_stream_send : nng_stream_recv)(secure->stream, secure->aio);
        nng_aio_wait(secure->aio);
        if (nng_aio_result(secure->aio) != 0) {
            return nng_aio_result(secure->aio);
        }
        done += nng_aio_count(secure->aio);
    }
    return 0;
}

static void secure_handshake(struct secure *secure)
{
    char got[8];
    CHECK_EQ(secure_move(secure, (char[]){HANDSHAKE}, 8, true), 0);
    CHECK_EQ(secure_move(secure, got, 8, false), 0);
    CHECK_BYTES_EQ(got, 8, ANSWER, 8);
}

/* Begins a receive that brings nothing, and ends with the connection. It has to be in flight before anything
 * can have ended that: by NNG's TLS (1.5.2 and 1.10.1, tls_tcp_error()) a receive that begins later is never
 * heard of, where the peer's close_notify is lost; as it is where the peer closes before the callback
 * of its last send has run (tls_close() leaves the alert to that send). */
static void secure_listen(struct secure *secure, nng_aio *aio, char got[1])
{
    nng_iov iov = {.iov_buf = got, .iov_len = 1};
    CHECK_EQ(nng_aio_set_iov(aio, 1, &iov), 0);
    nng_stream_recv(secure->stream, aio);
}

/* For whom the end may have come first: whatever the receive has seen, it ends with our own close. */
static void secure_hang_up(struct secure *secure)
{
    nng_stream_close(secure->stream);
    nng_aio_wait(secure->aio);
    CHECK_NE(nng_aio_result(secure->aio), 0);
}

static void secure_fini(struct secure *secure)
{
    nng_stream_close(secure->stream);
    nng_stream_free(secure->stream);
    nng_stream_dialer_free(secure->dialer);
    nng_tls_config_free(secure->config);
    nng_aio_free(secure->aio);
}

/* A request of `size` bytes and its echo. */
static void secure_echo(struct secure *secure, uint32_t id, size_t size)
{
    uint8_t *request = malloc(SP_HEAD_BYTES_MAX + size);
    uint8_t *reply = malloc(SP_HEAD_BYTES_MAX + size);
    CHECK(request != NULL && reply != NULL);
    const size_t total = request_write(SP_FRAMING_TCP, id, 'x', size, request);
    CHECK_EQ(secure_move(secure, request, total, true), 0);
    CHECK_EQ(secure_move(secure, reply, total, false), 0);
    CHECK_BYTES_EQ(reply, total, request, total);
    free(request);
    free(reply);
}

static int bare_connect(const struct server *server)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    name.sin_port = htons((uint16_t) strtol(strrchr(server->url, ':') + 1, NULL, 10));
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_GE(fd, 0);
    CHECK_EQ(connect(fd, (const struct sockaddr *) (const void *) &name, sizeof name), 0);
    return fd;
}

static void bare_send(int fd, const void *data, size_t size)
{
    CHECK_EQ(send(fd, data, size, MSG_NOSIGNAL), size);
}

/* The server closes, and what it says before that begins with none of SP's bytes. */
static void bare_expect_end(int fd)
{
    char got[4096];
    ssize_t size;
    do {
        struct pollfd readable = {.fd = fd, .events = POLLIN};
        CHECK_EQ(poll(&readable, 1, TEST_EVENTUALLY_MS), 1);
        size = recv(fd, got, sizeof got, 0);
        CHECK(size <= 0 || got[0] != '\0');
    } while (size > 0);
    (void) close(fd);
}

/* ---- who it is ---- */

static void check_peer(enum asks asks, const char *cert, const char *key, const char *peer)
{
    struct server server;
    struct secure secure;
    server_init(&server);
    start_on(&server, asks, false);
    secure_init(&secure, &server, cert, key);
    secure_handshake(&secure);
    CHECK_EQ(ups(&server), 1);
    CHECK_STR_EQ(server.peer, peer);
    secure_echo(&secure, 0x80000001, 3);
    secure_fini(&secure);
    CHECK_EVENTUALLY(atomic_load(&server.downs) == 1);
    server_end(&server);
}

static void a_client_without_a_certificate_is_anonymous(void)
{
    check_peer(ASKS_NOBODY, NULL, NULL, "tls:anonymous");
}

static void a_certificate_that_nobody_asked_for_counts_nothing(void)
{
    check_peer(ASKS_NOBODY, "client.crt", "client.key", "tls:anonymous");
}

static void a_client_may_show_none_where_one_is_optional(void)
{
    check_peer(ASKS_ANYBODY, NULL, NULL, "tls:anonymous");
}

static void a_client_with_our_certificate_is_verified(void)
{
    check_peer(ASKS_ANYBODY, "client.crt", "client.key", ALICE);
}

static void a_strangers_certificate_is_none(void)
{
    check_peer(ASKS_ANYBODY, "stranger.crt", "stranger.key", "tls:anonymous");
}

static void a_required_certificate_is_enough(void)
{
    check_peer(ASKS_ALL, "client.crt", "client.key", ALICE);
}

static void check_kept_out(const char *cert, const char *key)
{
    struct server server;
    struct secure secure;
    char got[1];
    server_init(&server);
    start_on(&server, ASKS_ALL, false);
    secure_init(&secure, &server, cert, key);
    secure_listen(&secure, secure.aio, got);
    CHECK_EVENTUALLY(is_cut(&server, ENDPOINT_CUT_PEER, 1));
    CHECK_EQ(ups(&server), 0);
    CHECK_EQ(atomic_load(&server.downs), 0);
    secure_hang_up(&secure);
    secure_fini(&secure);
    server_end(&server);
}

static void without_a_required_certificate_nobody_comes_in(void)
{
    check_kept_out(NULL, NULL);
}

static void with_a_strangers_certificate_nobody_comes_in(void)
{
    check_kept_out("stranger.crt", "stranger.key");
}

/* ---- traffic ---- */

static void frames_of_every_size_come_back(void)
{
    static const size_t sizes[] = {0, 1, 1000, 1024, 16384, 20000, FRAME_BYTES_MAX};
    struct server server;
    struct secure secure;
    server_init(&server);
    start_on(&server, ASKS_NOBODY, false);
    secure_init(&secure, &server, NULL, NULL);
    secure_handshake(&secure);
    for (uint32_t round = 0; round < 20; round++) {
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            secure_echo(&secure, 0x80000000 | (round << 8 | (uint32_t) i), sizes[i]);
        }
    }
    secure_fini(&secure);
    server_end(&server);
}

/* Of a size that fills more than the small buffer with its last record. */
static void a_link_that_fell_silent_goes_on(void)
{
    struct server server;
    struct secure secure;
    server_init(&server);
    start_on(&server, ASKS_NOBODY, false);
    secure_init(&secure, &server, NULL, NULL);
    secure_handshake(&secure);
    secure_echo(&secure, 0x80000001, 20000);
    CHECK_EVENTUALLY(server_stats(&server).buffers == 0);
    const uint64_t silent_until_ms = test_now_ms() + 600; /* longer than a big buffer is left */
    CHECK_EVENTUALLY(test_now_ms() >= silent_until_ms);
    secure_echo(&secure, 0x80000002, 100);
    secure_echo(&secure, 0x80000003, FRAME_BYTES_MAX);
    CHECK_EQ(server_stats(&server).links, 1);
    secure_fini(&secure);
    server_end(&server);
}

/* The end of the connection is there before the owner starts to receive again: several times, for it
 * may come a moment too late. */
static void clients_that_ask_and_go_at_once_are_missed(void)
{
    struct server server;
    uint8_t request[64];
    server_init(&server);
    start_on(&server, ASKS_NOBODY, false);
    for (uint64_t round = 1; round <= 5; round++) {
        struct secure secure;
        secure_init(&secure, &server, NULL, NULL);
        secure_handshake(&secure);
        secure_echo(&secure, 0x80000001, 3);
        server_hold(&server);
        const size_t size = request_write(SP_FRAMING_TCP, 0x80000002, 'P', 3, request);
        CHECK_EQ(secure_move(&secure, request, size, true), 0);
        secure_fini(&secure);
        CHECK_EVENTUALLY(is_cut(&server, ENDPOINT_CUT_PEER, round));
        CHECK_EQ(atomic_load(&server.downs), round);
    }
    server_end(&server);
}

static void several_clients_are_served_at_once(void)
{
    struct server server;
    struct secure secure[10];
    server_init(&server);
    start_on(&server, ASKS_ANYBODY, false);
    for (size_t i = 0; i < 10; i++) {
        secure_init(&secure[i], &server, i % 2 == 0 ? "client.crt" : NULL, "client.key");
        secure_handshake(&secure[i]);
    }
    for (uint32_t i = 0; i < 100; i++) {
        secure_echo(&secure[i % 10], 0x80000000 | i, i * 100);
    }
    CHECK_EQ(ups(&server), 10);
    for (size_t i = 0; i < 10; i++) {
        secure_fini(&secure[i]);
    }
    CHECK_EVENTUALLY(atomic_load(&server.downs) == 10);
    server_end(&server);
}

/* ---- who says nothing, or nonsense ---- */

static void a_connection_without_a_word_is_cut_in_time_and_never_up(void)
{
    struct server server;
    server_init(&server);
    server.limits.handshake_ms = 300;
    start_on(&server, ASKS_ANYBODY, false);
    const int silent = bare_connect(&server);
    const int half = bare_connect(&server);
    /* the beginning of a ClientHello that is to have 512 bytes */
    bare_send(half, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);
    bare_expect_end(silent);
    bare_expect_end(half);
    CHECK_EVENTUALLY(is_cut(&server, ENDPOINT_CUT_HANDSHAKE, 2));
    CHECK_EQ(ups(&server), 0);
    CHECK_EQ(atomic_load(&server.downs), 0);
    server_end(&server);
}

/* TLS's handshake is done, SP's never begins. */
static void a_client_that_stops_behind_tls_is_cut_in_time(void)
{
    struct server server;
    struct secure secure;
    char got[1];
    server_init(&server);
    server.limits.handshake_ms = 500;
    start_on(&server, ASKS_NOBODY, false);
    secure_init(&secure, &server, NULL, NULL);
    secure_listen(&secure, secure.aio, got);
    CHECK_EVENTUALLY(is_cut(&server, ENDPOINT_CUT_HANDSHAKE, 1));
    CHECK_EQ(ups(&server), 0);
    secure_hang_up(&secure);
    secure_fini(&secure);
    server_end(&server);
}

static void what_is_no_tls_is_cut_and_never_up(void)
{
    static const char http[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    struct server server;
    server_init(&server);
    start_on(&server, ASKS_ANYBODY, false);
    const int browser = bare_connect(&server);
    bare_send(browser, http, sizeof http - 1);
    bare_expect_end(browser);
    const int plain = bare_connect(&server);
    bare_send(plain, HANDSHAKE, 8);
    bare_expect_end(plain);
    for (int i = 0; i < 20; i++) {
        (void) close(bare_connect(&server));
    }
    CHECK_EVENTUALLY(is_cut(&server, ENDPOINT_CUT_PEER, 22));
    CHECK_EQ(ups(&server), 0);
    CHECK_EQ(atomic_load(&server.downs), 0);
    server_end(&server);
}

static void who_has_not_shaken_hands_counts_against_the_bound(void)
{
    struct server server;
    struct secure secure;
    int silent[3];
    server_init(&server);
    server.limits.connections_unopened = 3;
    server.limits.handshake_ms = 1000;
    start_on(&server, ASKS_NOBODY, true);
    for (size_t i = 0; i < 3; i++) {
        silent[i] = bare_connect(&server);
    }
    CHECK_EVENTUALLY(server_stats(&server).links == 3);
    bare_expect_end(bare_connect(&server));
    CHECK_EQ(server_stats(&server).refused, 1);
    for (size_t i = 0; i < 3; i++) {
        bare_expect_end(silent[i]);
    }
    CHECK_EVENTUALLY(server_stats(&server).links == 0);
    secure_init(&secure, &server, NULL, NULL);
    secure_handshake(&secure);
    CHECK_EQ(ups(&server), 1);
    secure_fini(&secure);
    server_end(&server);
}

static void a_handler_that_refuses_hears_nothing_more(void)
{
    struct server server;
    struct secure secure;
    nng_aio *listening;
    char got[1];
    server_init(&server);
    CHECK_EQ(nng_aio_alloc(&listening, NULL, NULL), 0);
    atomic_store(&server.refuse, true);
    start_on(&server, ASKS_NOBODY, false);
    secure_init(&secure, &server, NULL, NULL);
    secure_listen(&secure, listening, got);
    (void) secure_move(&secure, (char[]){HANDSHAKE}, 8, true);
    nng_aio_wait(listening);
    CHECK_NE(nng_aio_result(listening), 0);
    nng_aio_free(listening);
    CHECK_EVENTUALLY(server_stats(&server).refused == 1);
    CHECK_EQ(server_stats(&server).accepted, 0);
    CHECK_EQ(server_stats(&server).links, 0);
    CHECK_EQ(atomic_load(&server.downs), 0);
    secure_fini(&secure);
    server_end(&server);
}

static void it_can_be_stopped_in_the_middle(void)
{
    struct server server;
    struct secure secure;
    int silent;
    server_init(&server);
    start_on(&server, ASKS_NOBODY, false);
    silent = bare_connect(&server);
    secure_init(&secure, &server, NULL, NULL);
    secure_handshake(&secure);
    server_end_hard(&server);
    (void) close(silent);
    secure_fini(&secure);
}

/* ---- what is refused at the start ---- */

static void check_refused(const struct endpoint_tls *tls, const char *word)
{
    char error[ENDPOINT_ERROR_BYTES] = "";
    CHECK_EQ(endpoint_tls_check(tls, error), STATUS_INVALID);
    if (strstr(error, word) == NULL) {
        (void) fprintf(stderr, "%s\n", error);
        CHECK(false);
    }
}

static void bad_certificates_are_refused(void)
{
    char error[ENDPOINT_ERROR_BYTES] = "";
    struct server server;
    server_init(&server); /* NNG is there from here on */
    free(server.parked);
    certificates_make();
    char *cert = pem("server.crt");
    char *key = pem("server.key");
    CHECK_EQ(endpoint_tls_check(&(struct endpoint_tls){.cert = cert, .key = key}, error),
             STATUS_OK);
    check_refused(NULL, "no certificate");
    check_refused(&(struct endpoint_tls){.cert = cert}, "no key");
    check_refused(&(struct endpoint_tls){.cert = "nonsense", .key = key}, "the certificate or");
    check_refused(&(struct endpoint_tls){.cert = cert, .key = "nonsense"}, "its key is not taken");
    check_refused(&(struct endpoint_tls){.cert = key, .key = cert}, "the certificate or its key");
    check_refused(&(struct endpoint_tls){.cert = cert, .key = key, .ca = key}, "the CA of");
    free(cert);
    free(key);
}

static void only_streams_have_tls(void)
{
    char error[ENDPOINT_ERROR_BYTES] = "";
    struct endpoint_url url;
    CHECK_EQ(endpoint_url_parse("rep+tls+tcp://127.0.0.1:0", &url, error), STATUS_INVALID);
    CHECK_EQ(endpoint_url_parse("tls+tcp://127.0.0.1", &url, error), STATUS_INVALID);
    CHECK_EQ(endpoint_url_parse("tls+tcp://[::1]:7", &url, error), STATUS_OK);
    CHECK_EQ(url.transport, ENDPOINT_TLS);
    CHECK_EQ(url.port, 7);
}

static const struct test_case cases[] = {
    {"a client without a certificate is anonymous", a_client_without_a_certificate_is_anonymous, 0},
    {"a certificate that nobody asked for counts nothing",
     a_certificate_that_nobody_asked_for_counts_nothing, 0},
    {"a client may show none where one is optional", a_client_may_show_none_where_one_is_optional,
     0},
    {"a client with our certificate is verified", a_client_with_our_certificate_is_verified, 0},
    {"a stranger's certificate is none", a_strangers_certificate_is_none, 0},
    {"a required certificate is enough", a_required_certificate_is_enough, 0},
    {"without a required certificate nobody comes in",
     without_a_required_certificate_nobody_comes_in, 0},
    {"with a stranger's certificate nobody comes in", with_a_strangers_certificate_nobody_comes_in,
     0},
    {"frames of every size come back", frames_of_every_size_come_back, 0},
    {"a link that fell silent goes on", a_link_that_fell_silent_goes_on, 0},
    {"clients that ask and go at once are missed", clients_that_ask_and_go_at_once_are_missed, 0},
    {"several clients are served at once", several_clients_are_served_at_once, 0},
    {"a connection without a word is cut in time and never up",
     a_connection_without_a_word_is_cut_in_time_and_never_up, 0},
    {"a client that stops behind TLS is cut in time", a_client_that_stops_behind_tls_is_cut_in_time,
     0},
    {"what is no TLS is cut and never up", what_is_no_tls_is_cut_and_never_up, 0},
    {"who has not shaken hands counts against the bound",
     who_has_not_shaken_hands_counts_against_the_bound, 0},
    {"a handler that refuses hears nothing more", a_handler_that_refuses_hears_nothing_more, 0},
    {"it can be stopped in the middle", it_can_be_stopped_in_the_middle, 0},
    {"bad certificates are refused", bad_certificates_are_refused, 0},
    {"only streams have TLS", only_streams_have_tls, 0},
};

TEST_MAIN(cases)
