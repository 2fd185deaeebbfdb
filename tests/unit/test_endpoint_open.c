/* SPDX-License-Identifier: MIT */
/* Where an endpoint may listen, where not, and what it says then. And small parts of it. */
#include "base/check.h"
#include "testing.h"
#include "wire/endpoint.h"
#include "wire/endpoint_peer.h"
#include "wire/endpoint_url.h"
#include "wire/link_buffers.h"
#include "wire/link_output.h"

#include <nng/nng.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- URLs ---- */

struct url_case {
    const char *text;
    enum status status;
    const char *says; /* a part of the sentence */
    bool rep;
    enum endpoint_transport transport;
    uint32_t port;
};

static const struct url_case urls[] = {
    {"ipc:///run/canceld.sock", STATUS_OK, "", false, ENDPOINT_IPC, 0},
    {"ipc://relative", STATUS_OK, "", false, ENDPOINT_IPC, 0},
    {"tcp://127.0.0.1:7000", STATUS_OK, "", false, ENDPOINT_TCP, 7000},
    {"tcp://[::1]:0", STATUS_OK, "", false, ENDPOINT_TCP, 0},
    {"tcp://localhost:65535", STATUS_OK, "", false, ENDPOINT_TCP, 65535},
    {"nng+ipc:///p", STATUS_OK, "", false, ENDPOINT_IPC, 0},
    {"nng+tcp://127.0.0.1:1", STATUS_OK, "", false, ENDPOINT_TCP, 1},
    {"nng+inproc://name", STATUS_INVALID, "not one of", false, 0, 0},
    {"nng+rep+ipc:///p", STATUS_INVALID, "not one of", false, 0, 0},
    {"rep+inproc://name", STATUS_OK, "", true, ENDPOINT_INPROC, 0},
    {"rep+ipc:///p", STATUS_OK, "", true, ENDPOINT_IPC, 0},
    {"rep+tcp://127.0.0.1:1", STATUS_OK, "", true, ENDPOINT_TCP, 1},
    {"", STATUS_INVALID, "not one of", false, 0, 0},
    {"inproc://name", STATUS_INVALID, "not one of", false, 0, 0},
    {"rep+ws://h:1/", STATUS_INVALID, "not one of", false, 0, 0},
    {"http://h:1", STATUS_INVALID, "not one of", false, 0, 0},
    {"ipc://", STATUS_INVALID, "no path", false, 0, 0},
    {"rep+inproc://", STATUS_INVALID, "no path", false, 0, 0},
    {"tcp://127.0.0.1", STATUS_INVALID, "port", false, 0, 0},
    {"tcp://127.0.0.1:", STATUS_INVALID, "port", false, 0, 0},
    {"tcp://127.0.0.1:65536", STATUS_INVALID, "port", false, 0, 0},
    {"tcp://127.0.0.1:99999999999", STATUS_INVALID, "port", false, 0, 0},
    {"tcp://127.0.0.1:7000/x", STATUS_INVALID, "port", false, 0, 0},
    {"tcp://127.0.0.1:-1", STATUS_INVALID, "port", false, 0, 0},
    {"tcp://:7000", STATUS_INVALID, "address", false, 0, 0},
    {"tcp://*:7000", STATUS_INVALID, "address", false, 0, 0},
    {"tcp://::1:7000", STATUS_INVALID, "address", false, 0, 0},
    {"tcp://u@h:7000", STATUS_INVALID, "address", false, 0, 0},
};

static void urls_are_taken_apart(void)
{
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        struct endpoint_url url;
        char error[ENDPOINT_ERROR_BYTES] = "";
        CHECK_EQ(endpoint_url_parse(urls[i].text, &url, error), urls[i].status);
        CHECK(strstr(error, urls[i].says) != NULL);
        if (urls[i].status != STATUS_OK) {
            CHECK_GT(strlen(error), strlen(urls[i].text));
            continue;
        }
        CHECK_EQ(url.rep, urls[i].rep);
        CHECK_EQ(url.nng, strncmp(urls[i].text, "nng+", 4) == 0);
        CHECK_EQ(url.transport, urls[i].transport);
        CHECK_EQ(url.port, urls[i].port);
        char again[ENDPOINT_URL_BYTES];
        endpoint_url_print(&url, url.port, again);
        CHECK_STR_EQ(again, urls[i].text);
    }
}

static void long_paths_are_refused(void)
{
    char url[ENDPOINT_URL_BYTES] = "ipc:///";
    char error[ENDPOINT_ERROR_BYTES];
    struct endpoint_url parsed;
    memset(url + 7, 'x', 106);
    CHECK_EQ(endpoint_url_parse(url, &parsed, error), STATUS_OK);
    url[7 + 106] = 'x';
    CHECK_EQ(endpoint_url_parse(url, &parsed, error), STATUS_INVALID);
    CHECK(strstr(error, "108 bytes, a socket's can have 107") != NULL);
    char longer[400] = "ipc:///";
    memset(longer + 7, 'x', 300);
    CHECK_EQ(endpoint_url_parse(longer, &parsed, error), STATUS_INVALID);
    CHECK(strstr(error, "longer than 159 bytes") != NULL);
}

/* ---- listening ---- */

static bool refuse(void *context, uint64_t link, struct bytes peer)
{
    (void) context;
    (void) link;
    (void) peer;
    return false;
}

static const struct endpoint_handler handler = {.link_up = refuse};
static struct actor_system *rig_system;
static struct actor_loop *loop;
static struct limits limits;
static char error[ENDPOINT_ERROR_BYTES];

static void begin(void)
{
    const struct actor_options options = {.actors_max = 10, .mailbox_max = 10};
    nng_stream_listener *listener;
    CHECK_EQ(nng_stream_listener_alloc(&listener, "tcp://127.0.0.1:0"), 0);
    nng_stream_listener_free(listener);
    test_descriptors_mark();
    rig_system = actor_system_new(&options);
    CHECK(rig_system != NULL);
    loop = actor_loop_new(rig_system, "owner");
    CHECK(loop != NULL);
    limits = limits_default();
}

static void end(void)
{
    actor_loop_stop(loop, false);
    actor_system_free(rig_system);
}

static enum status open_with(struct endpoint_options options, struct endpoint **endpoint_out)
{
    options.limits = &limits;
    error[0] = '\0';
    return endpoint_open(loop, &options, &handler, endpoint_out, error);
}

static enum status open_url(const char *url, struct endpoint **endpoint_out)
{
    return open_with((struct endpoint_options){.url = url, .ipc_gid = -1}, endpoint_out);
}

static const char *path_in_directory(const char *name)
{
    static char url[200];
    (void) snprintf(url, sizeof url, "ipc://%s/%s", test_directory(), name);
    return url;
}

static void failures_are_told(void)
{
    begin();
    struct endpoint *first;
    struct endpoint *second = NULL;
    CHECK_EQ(open_url("tcp://127.0.0.1:0", &first), STATUS_OK);
    CHECK(strcmp(endpoint_url(first), "tcp://127.0.0.1:0") != 0);
    CHECK_EQ(open_url(endpoint_url(first), &second), STATUS_IN_USE);
    CHECK(strstr(error, "already") != NULL);
    CHECK_EQ(open_url("tcp://192.0.2.1:0", &second), STATUS_INVALID);
    CHECK_EQ(open_url("ipc:///nowhere/at/all/socket", &second), STATUS_SYSTEM);
    CHECK(strstr(error, "directory") != NULL);
    CHECK_EQ(open_url("tcp://no port", &second), STATUS_INVALID);
    CHECK(second == NULL);
    end();
    endpoint_free(first);
}

static void living_sockets_are_in_use(void)
{
    begin();
    struct endpoint *first;
    struct endpoint *second;
    CHECK_EQ(open_url(path_in_directory("s"), &first), STATUS_OK);
    CHECK_EQ(open_url(path_in_directory("s"), &second), STATUS_IN_USE);
    CHECK_EQ(access(path_in_directory("s") + 6, F_OK), 0); /* The first one's is left alone. */
    end();
    endpoint_free(first);
    CHECK_EQ(access(path_in_directory("s") + 6, F_OK), -1);
}

/* A socket file that nobody listens at. */
static void make_stale(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    CHECK_LT(snprintf(address.sun_path, sizeof address.sun_path, "%s", path),
             (int) sizeof address.sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_GE(fd, 0);
    CHECK_EQ(bind(fd, (const struct sockaddr *) &address, sizeof address), 0);
    (void) close(fd);
}

static void stale_sockets_are_replaced(void)
{
    begin();
    struct endpoint *endpoint;
    const char *url = path_in_directory("s");
    make_stale(url + 6);
    CHECK_EQ(open_with((struct endpoint_options){.url = url, .ipc_gid = -1, .unlink_stale = true},
                       &endpoint),
             STATUS_OK);
    end();
    endpoint_free(endpoint);
}

static void other_files_are_left_alone(void)
{
    begin();
    struct endpoint *endpoint;
    const char *url = path_in_directory("precious");
    FILE *file = fopen(url + 6, "w");
    CHECK(file != NULL);
    CHECK_EQ(fclose(file), 0);
    CHECK_EQ(open_with((struct endpoint_options){.url = url, .ipc_gid = -1, .unlink_stale = true},
                       &endpoint),
             STATUS_IN_USE);
    CHECK(strstr(error, "no socket") != NULL);
    CHECK_EQ(access(url + 6, F_OK), 0);
    end();
}

static void check_file(const char *url, mode_t mode, gid_t gid)
{
    struct stat file;
    CHECK_EQ(stat(url + 6, &file), 0);
    CHECK_EQ(file.st_mode & 0777, mode);
    CHECK_EQ(file.st_gid, gid);
}

static void modes_and_groups_are_set(void)
{
    begin();
    struct endpoint *endpoints[3];
    const char *url = path_in_directory("s");
    CHECK_EQ(open_url(url, &endpoints[0]), STATUS_OK);
    check_file(url, 0600, getegid());
    url = path_in_directory("m");
    CHECK_EQ(open_with((struct endpoint_options){.url = url, .ipc_mode = 0666, .ipc_gid = -1},
                       &endpoints[1]),
             STATUS_OK);
    check_file(url, 0666, getegid());
    /* Another group where we may, else our own. */
    gid_t gid = geteuid() == 0 ? 12345 : getegid();
    url = path_in_directory("g");
    CHECK_EQ(open_with((struct endpoint_options){.url = url, .ipc_mode = 0660, .ipc_gid = gid},
                       &endpoints[2]),
             STATUS_OK);
    check_file(url, 0660, gid);
    end();
    for (size_t i = 0; i < 3; i++) {
        endpoint_free(endpoints[i]);
    }
}

static void unsound_rep_is_refused(void)
{
    begin();
    struct endpoint *endpoint;
    enum status status = open_url("rep+tcp://127.0.0.1:0", &endpoint);
    if (strncmp(nng_version(), "1.5", 3) == 0) {
        CHECK_EQ(status, STATUS_UNSUPPORTED);
        CHECK(strstr(error, "NNG 1.9") != NULL);
        CHECK_EQ(open_url("rep+ipc:///tmp/never", &endpoint), STATUS_UNSUPPORTED);
        end();
    } else {
        CHECK_EQ(status, STATUS_OK);
        CHECK(strcmp(endpoint_url(endpoint), "rep+tcp://127.0.0.1:0") != 0);
        end();
        endpoint_free(endpoint);
    }
}

static void too_many_actors(void)
{
    begin();
    struct endpoint *endpoints[11];
    for (size_t i = 0; i < 10; i++) {
        CHECK_EQ(open_url("tcp://127.0.0.1:0", &endpoints[i]), STATUS_OK);
    }
    CHECK_EQ(open_url("tcp://127.0.0.1:0", &endpoints[10]), STATUS_FULL);
    CHECK_EQ(open_url("rep+inproc://full", &endpoints[10]), STATUS_FULL);
    end();
    for (size_t i = 0; i < 10; i++) {
        endpoint_free(endpoints[i]);
    }
}

/* ---- parts ---- */

static void buffers_are_lent_and_taken_back(void)
{
    struct link_buffers buffers;
    uint8_t *lent[40];
    CHECK(link_buffers_init(&buffers, 40));
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < 40; i++) {
            lent[i] = link_buffers_take(&buffers);
            CHECK(lent[i] != NULL);
            memset(lent[i], (int) i, LINK_BUFFER_BYTES);
        }
        CHECK(link_buffers_take(&buffers) == NULL);
        for (size_t i = 0; i < 40; i++) { /* No two are the same memory. */
            CHECK_EQ(lent[i][0], i);
            CHECK_EQ(lent[i][LINK_BUFFER_BYTES - 1], i);
        }
        for (size_t i = 0; i < 40; i++) {
            link_buffers_give(&buffers, lent[(i * 7) % 40]);
        }
    }
    /* A warm one comes first: its content shows that its memory was not handed back. */
    uint8_t *warm = link_buffers_take(&buffers);
    CHECK_NE(warm[0] + warm[LINK_BUFFER_BYTES - 1], 0);
    link_buffers_give(&buffers, warm);
    link_buffers_give(&buffers, NULL);
    link_buffers_fini(&buffers);
}

static void output_keeps_order_and_bounds(void)
{
    struct link_output output = {0};
    CHECK_EQ(link_output_next(&output).size, 0);
    CHECK_EQ(link_output_append(&output, bytes_of("ab", 2), bytes_of("c", 1), 10), STATUS_OK);
    link_output_count_frame(&output);
    struct bytes next = link_output_next(&output);
    CHECK_BYTES_EQ(next.data, next.size, "abc", 3);
    /* What is being sent does not move while more is queued. */
    CHECK_EQ(link_output_append(&output, bytes_of("defgh", 5), (struct bytes){0}, 10), STATUS_OK);
    link_output_count_frame(&output);
    CHECK_EQ(link_output_append(&output, bytes_of("ijk", 3), (struct bytes){0}, 10), STATUS_FULL);
    CHECK_EQ(link_output_append(&output, bytes_of("ijklmnopqrs", 11), (struct bytes){0}, 10),
             STATUS_FULL);
    CHECK(link_output_next(&output).data == next.data);
    link_output_sent(&output, 1);
    next = link_output_next(&output);
    CHECK_BYTES_EQ(next.data, next.size, "bc", 2);
    CHECK_EQ(link_output_bytes(&output), 7);
    CHECK_EQ(link_output_frames(&output), 2);
    link_output_sent(&output, 2);
    CHECK_EQ(link_output_frames(&output), 1);
    next = link_output_next(&output);
    CHECK_BYTES_EQ(next.data, next.size, "defgh", 5);
    link_output_sent(&output, 5);
    CHECK_EQ(link_output_bytes(&output), 0);
    CHECK_EQ(link_output_frames(&output), 0);
    CHECK_EQ(link_output_next(&output).size, 0);
    link_output_fini(&output);
}

/* ---- whom a certificate names ---- */

static void names_that_mean_something_else_are_not_taken_over(void)
{
    static const struct {
        bool verified;
        const char *name;
        const char *peer;
    } rows[] = {
        {true, "alice", "tls:alice"},
        {true, NULL, "tls:verified"},
        {true, "", "tls:verified"},
        {true, "*", "tls:verified"},
        {true, "anonymous", "tls:verified"},
        {true, "verified", "tls:verified"},
        {true, "a\nb", "tls:verified"},
        {true, "\xff", "tls:verified"},
        {true, "123456789012345678901234567890123456789012345678901234567890",
         "tls:123456789012345678901234567890123456789012345678901234567890"},
        {true, "1234567890123456789012345678901234567890123456789012345678901", "tls:verified"},
        {false, "alice", "tls:anonymous"},
        {false, NULL, "tls:anonymous"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct endpoint_peer peer =
            endpoint_peer_of_certificate(rows[i].verified, rows[i].name);
        CHECK_STR_EQ(peer.text, rows[i].peer);
    }
}

static const struct test_case cases[] = {
    {"URLs are taken apart", urls_are_taken_apart, 0},
    {"paths that no socket can have are refused", long_paths_are_refused, 0},
    {"failures to listen are told in a sentence", failures_are_told, 0},
    {"a living socket is in use and left alone", living_sockets_are_in_use, 0},
    {"a stale socket is replaced", stale_sockets_are_replaced, 0},
    {"a file that is no socket is left alone", other_files_are_left_alone, 0},
    {"mode and group of the socket are set", modes_and_groups_are_set, 0},
    {"a REP socket that would stop to serve is refused", unsound_rep_is_refused, 0},
    {"an endpoint too many leaves nothing behind", too_many_actors, 0},
    {"buffers are lent and taken back", buffers_are_lent_and_taken_back, 0},
    {"output keeps its order and its bounds", output_keeps_order_and_bounds, 0},
    {"names that mean something else are not taken over",
     names_that_mean_something_else_are_not_taken_over, 0},
};
TEST_MAIN(cases)
