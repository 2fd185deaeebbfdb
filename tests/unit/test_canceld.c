/* SPDX-License-Identifier: MIT */
/* The daemon as a program: what it prints, what it leaves behind, and how it ends. The peer is made of
 * plain sockets and bytes, so that nothing of ours is between the test and the wire. */
#include "canceld_program.h"
#include "server/descriptors.h"
#include "testing.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- a peer ---- */

static void give(int fd, const void *data, size_t size)
{
    CHECK_EQ(send(fd, data, size, MSG_NOSIGNAL), size);
}

static void take(int fd, void *data, size_t size)
{
    CHECK_EQ(recv(fd, data, size, MSG_WAITALL), size);
}

static void handshake(int fd)
{
    static const uint8_t request[] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};
    static const uint8_t reply[] = {0, 'S', 'P', 0, 0, 0x31, 0, 0};
    uint8_t got[8];

    give(fd, request, sizeof request);
    take(fd, got, sizeof got);
    CHECK_BYTES_EQ(got, sizeof got, reply, sizeof reply);
}

static int connect_ipc(const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(name.sun_path, path, strlen(path) + 1);
    CHECK_EQ(connect(fd, (const struct sockaddr *) (const void *) &name, sizeof name), 0);
    handshake(fd);
    return fd;
}

static int connect_tcp(const char *url)
{
    struct sockaddr_in name = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                               .sin_port =
                                   htons((uint16_t) strtol(strrchr(url, ':') + 1, NULL, 10))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK_EQ(connect(fd, (const struct sockaddr *) (const void *) &name, sizeof name), 0);
    handshake(fd);
    return fd;
}

/* Sends a body of less than 128 bytes as request `number`. */
static void request(int fd, bool is_ipc, uint8_t number, const void *body, size_t size)
{
    uint8_t head[13] = {1, 0, 0, 0, 0, 0, 0, 0, (uint8_t) (size + 4), 0x80, 0, 0, number};

    give(fd, is_ipc ? head : head + 1, is_ipc ? 13 : 12);
    give(fd, body, size);
}

/* Takes a reply of less than 128 bytes; gives its size. */
static size_t reply(int fd, bool is_ipc, uint8_t number, uint8_t *body)
{
    uint8_t head[13];

    take(fd, is_ipc ? head : head + 1, is_ipc ? 13 : 12);
    CHECK_EQ(head[12], number);
    CHECK_GE(head[8], 4);
    CHECK_LT(head[8], 132);
    take(fd, body, head[8] - 4u);
    return head[8] - 4u;
}

/* version 1; ops {ping {}} */
static const uint8_t ping[] = {0x08, 1, 0x32, 2, 0x6a, 0};

static void check_pong(int fd, bool is_ipc)
{
    static const uint8_t pong[] = {0x08, 1, 0x2a, 2, 0x08, 13};
    uint8_t body[128];

    request(fd, is_ipc, 7, ping, sizeof ping);
    size_t size = reply(fd, is_ipc, 7, body);
    CHECK_BYTES_EQ(body, size, pong, sizeof pong);
}

static void check_serves_ipc(const char *path)
{
    int fd = connect_ipc(path);

    check_pong(fd, true);
    (void) close(fd);
}

#define LISTEN "--listen ipc://@/s --ephemeral "

/* ---- the life of a daemon ---- */

static void it_serves_says_so_and_ends_on_sigterm(void)
{
    struct program program;
    char expected[700];
    const char *line = program_start_ready(&program, LISTEN "--listen tcp://127.0.0.1:0");
    int fd;

    (void) snprintf(expected, sizeof expected,
                    "ready ipc://%s/s tcp://127.0.0.1:", test_directory());
    CHECK_EQ(strncmp(line, expected, strlen(expected)), 0);
    CHECK_NE(strtol(strrchr(line, ':') + 1, NULL, 10), 0);
    fd = connect_tcp(line);
    check_pong(fd, false);
    check_serves_ipc(test_path("s"));
    CHECK_EQ(kill(program.pid, SIGTERM), 0);
    CHECK_STR_EQ(program_line(&program), ""); /* it has nothing more to say */
    CHECK_EQ(program_wait(&program), 0);
    CHECK(!path_is_there(test_path("s")));
    (void) close(fd);
}

static void it_ends_on_sigint(void)
{
    struct program program;

    (void) program_start_ready(&program, LISTEN);
    CHECK_EQ(kill(program.pid, SIGINT), 0);
    CHECK_EQ(program_wait(&program), 0);
    CHECK(!path_is_there(test_path("s")));
}

static void other_signals_do_not_cost_the_socket_file(void)
{
    struct program program;

    (void) program_start_ready(&program, LISTEN);
    CHECK_EQ(kill(program.pid, SIGPIPE), 0);
    check_serves_ipc(test_path("s"));
    CHECK_EQ(kill(program.pid, SIGHUP), 0);
    CHECK_EQ(program_wait(&program), 0);
    CHECK(!path_is_there(test_path("s")));
}

static void a_second_daemon_is_refused_and_the_first_goes_on(void)
{
    struct program program;
    char word[64];
    int fd;

    (void) program_start_ready(&program, LISTEN);
    fd = connect_ipc(test_path("s"));
    (void) snprintf(word, sizeof word, "another canceld (process %jd)", (intmax_t) program.pid);
    program_check_fails(LISTEN, 1, word);
    program_check_fails("--ephemeral --listen tcp://127.0.0.1:0 --listen ipc://@/s", 1, word);
    CHECK(path_is_there(test_path("s")));
    check_pong(fd, true);
    check_serves_ipc(test_path("s"));
    (void) close(fd);
    program_stop(&program);
}

static void a_socket_left_by_a_killed_daemon_is_taken_over(void)
{
    struct program program;

    for (int i = 0; i < 3; i++) {
        (void) program_start_ready(&program, LISTEN);
        check_serves_ipc(test_path("s"));
        CHECK_EQ(kill(program.pid, SIGKILL), 0);
        CHECK_EQ(program_wait(&program), 128 + SIGKILL);
        CHECK(path_is_there(test_path("s")));
    }
    (void) program_start_ready(&program, LISTEN);
    check_serves_ipc(test_path("s"));
    program_stop(&program);
}

static void each_start_in_a_state_directory_raises_the_epoch(void)
{
    struct program program;

    for (int i = 1; i <= 3; i++) {
        char expected[64];

        (void) program_start_ready(&program, "--listen ipc://@/s --state-dir @/state");
        (void) snprintf(expected, sizeof expected, "canceld epoch %d check ", i);
        CHECK_EQ(strncmp(file_text(test_path("state/epoch")), expected, strlen(expected)), 0);
        program_stop(&program);
    }
    /* a daemon that is refused for its socket leaves the epoch alone */
    (void) program_start_ready(&program, LISTEN);
    program_check_fails("--listen ipc://@/s --state-dir @/state", 1, "another canceld");
    CHECK_EQ(strncmp(file_text(test_path("state/epoch")), "canceld epoch 3 ", 16), 0);
    program_stop(&program);
}

static void what_cannot_start_says_why_and_leaves_nothing(void)
{
    FILE *file;

    CHECK_EQ(mkdir(test_path("state"), 0700), 0);
    file = fopen(test_path("state/epoch"), "w");
    CHECK(file != NULL);
    (void) fputs("17\n", file);
    (void) fclose(file);
    program_check_fails("--listen ipc://@/s --state-dir @/state", 1, "EPOCH_DAMAGED");
    CHECK(!path_is_there(test_path("s")));
    program_check_fails("--listen ipc://@/none/s --ephemeral", 1, "/none/s.lock");
    program_check_fails("--listen ipc://@/s --ephemeral --limit-operations 0", 2,
                        "--limit-operations");
    program_check_fails("--listen tcp://0.0.0.0:0 --ephemeral", 2, "--insecure-tcp");
    program_check_fails("--listen=tcp://192.0.2.1:1 --insecure-tcp --ephemeral", 1, "192.0.2.1");
    program_check_fails("--nonsense", 2, "nonsense");
    CHECK(!path_is_there(test_path("s")));
}

static void a_tcp_port_in_use_is_refused_and_its_user_goes_on(void)
{
    struct program program;
    char flags[128];
    char url[64];
    int fd;

    (void) snprintf(url, sizeof url, "%s",
                    program_start_ready(&program, "--ephemeral --listen tcp://127.0.0.1:0") + 6);
    (void) snprintf(flags, sizeof flags, LISTEN "--listen %s", url);
    program_check_fails(flags, 1, url);
    CHECK(!path_is_there(test_path("s")));
    fd = connect_tcp(url);
    check_pong(fd, false);
    (void) close(fd);
    program_stop(&program);
}

static void the_socket_has_the_mode_and_group_that_were_asked_for(void)
{
    /* Root may give it to any group, others to their own alone. */
    const gid_t group = geteuid() == 0 ? 1 : getegid();
    const struct {
        const char *flags;
        bool with_group;
        mode_t mode;
    } rows[] = {
        {"", false, 0600},
        {"--ipc-mode 0666", false, 0666},
        {"", true, 0660},
        {"--ipc-mode 0620", true, 0620},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct program program;
        struct stat found;
        char flags[256];
        mode_t before = umask(077);

        (void) snprintf(flags, sizeof flags, LISTEN "%s", rows[i].flags);
        if (rows[i].with_group) {
            (void) snprintf(flags, sizeof flags, LISTEN "%s --ipc-group %u", rows[i].flags,
                            (unsigned) group);
        }
        (void) program_start_ready(&program, flags);
        (void) umask(before);
        CHECK_EQ(lstat(test_path("s"), &found), 0);
        CHECK_EQ(found.st_mode & 0777, rows[i].mode);
        CHECK_EQ(found.st_gid, rows[i].with_group ? group : getegid());
        program_stop(&program);
    }
}

static void the_service_manager_is_told_of_start_and_end(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    struct program program;
    char text[1024];
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ssize_t size;

    memcpy(name.sun_path, test_path("notify"), strlen(test_path("notify")) + 1);
    CHECK_EQ(bind(fd, (const struct sockaddr *) (const void *) &name, sizeof name), 0);
    CHECK_EQ(setenv("NOTIFY_SOCKET", test_path("notify"), 1), 0);
    (void) program_start_ready(&program, LISTEN);
    size = recv(fd, text, sizeof text - 1, 0);
    CHECK_GT(size, 0);
    text[size] = '\0';
    CHECK_EQ(strncmp(text, "READY=1\n", 8), 0);
    CHECK(strstr(text, test_path("s")) != NULL);
    program_stop(&program);
    size = recv(fd, text, sizeof text, 0);
    CHECK_BYTES_EQ(text, (size_t) size, "STOPPING=1", 10);
    (void) close(fd);
}

static void too_few_descriptors_lower_the_connections_and_are_logged(void)
{
    TEST_NEEDS_LIMITS
    struct program program;
    struct rlimit before;
    struct rlimit low = {.rlim_cur = 80, .rlim_max = DESCRIPTORS_RESERVED + 100};

    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
    (void) program_start_ready(&program, LISTEN "--log-format json");
    CHECK(strstr(file_text(program.errors), "\"level\":\"warn\"") != NULL);
    CHECK(strstr(file_text(program.errors), "--limit-connections 1024 is lowered to 100") != NULL);
    program_stop(&program);
}

static void a_closed_standard_output_does_no_harm(void)
{
    struct program program = program_start_closed(LISTEN);

    CHECK_EVENTUALLY(strstr(file_text(program.errors), "serving in epoch") != NULL);
    check_serves_ipc(test_path("s"));
    program_stop(&program);
    CHECK(strstr(file_text(test_path("s.lock")), "ready") == NULL);
}

/* ---- the end of it ---- */

/* A session with a parked poll. The reply to open {} is version 1; results {answer OPENED; opened
 * {session ...}}, and the session is a varint that goes into the poll as it is. */
static int parked_poll(void)
{
    static const uint8_t open_frame[] = {0x08, 1, 0x32, 2, 0x0a, 0};
    uint8_t poll_frame[32] = {0x08, 1, 0x10};
    uint8_t body[256];
    int fd = connect_ipc(test_path("s"));
    size_t size = 3;
    size_t at = 9;

    request(fd, true, 1, open_frame, sizeof open_frame);
    (void) reply(fd, true, 1, body);
    CHECK_BYTES_EQ(body + 4, 3, ((uint8_t[]){0x08, 10, 0x6a}), 3);
    CHECK_EQ(body[8], 0x08);
    do { /* the number is a varint */
        poll_frame[size++] = body[at];
    } while ((body[at++] & 0x80) != 0);
    static const uint8_t rest[] = {0x18, 1, 0x32, 5, 0x32, 3, 0x18, 0xa8, 0x46};
    /* request_id 1; ops {poll {wait_ms 9000}} */
    memcpy(poll_frame + size, rest, sizeof rest);
    request(fd, true, 2, poll_frame, size + sizeof rest);
    return fd;
}

static void a_parked_request_is_answered_at_the_end(void)
{
    struct program program;
    uint8_t body[256];
    int fd;
    size_t size;

    (void) program_start_ready(&program, LISTEN);
    fd = parked_poll();
    check_serves_ipc(test_path("s")); /* so that the poll was parked before */
    CHECK_EQ(kill(program.pid, SIGTERM), 0);
    size = reply(fd, true, 2, body);
    CHECK_GT(size, 4);
    /* results {answer SHUTTING_DOWN} at the end of the reply */
    static const uint8_t result[] = {0x2a, 2, 0x08, 7};
    CHECK_BYTES_EQ(body + size - 4, 4, result, 4);
    CHECK_EQ(recv(fd, body, 1, 0), 0);
    (void) close(fd);
    CHECK_EQ(program_wait(&program), 0);
}

/* Whether the daemon has stopped to read some link, for what it owes does not go out: the row
 * wire_pauses of its stats, which is there with a value only above 0. */
static bool has_paused_a_link(void)
{
    static const uint8_t stats[] = {0x08, 1, 0x32, 2, 0x72, 0}; /* version 1; ops {stats {}} */
    static const uint8_t row[] = {0x0a, 11,  'w', 'i', 'r', 'e', '_',
                                  'p',  'a', 'u', 's', 'e', 's', 0x10};
    static uint8_t body[65536];
    uint8_t head[13];
    int fd = connect_ipc(test_path("s"));

    request(fd, true, 3, stats, sizeof stats);
    take(fd, head, sizeof head);
    size_t size = ((size_t) head[7] << 8 | head[8]) - 4;
    take(fd, body, size);
    (void) close(fd);
    for (size_t i = 0; i + sizeof row <= size; i++) {
        if (memcmp(body + i, row, sizeof row) == 0) {
            return true;
        }
    }
    return false;
}

/* A peer that asks for more than fits into any buffer and never reads: it keeps the flush waiting. */
static int deaf_peer(void)
{
    static const uint8_t stats[] = {1, 0, 0, 0,    0, 0,    0, 0,    10, 0x80,
                                    0, 0, 1, 0x08, 1, 0x32, 2, 0x72, 0};
    const int tiny = 4096;
    int fd = connect_ipc(test_path("s"));

    CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &tiny, sizeof tiny), 0);
    while (send(fd, stats, sizeof stats, MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
        /* The last one may be cut: it is not for being answered. */
    }
    CHECK_EQ(errno, EAGAIN);
    CHECK_EVENTUALLY(has_paused_a_link());
    return fd;
}

static void the_end_takes_two_seconds_at_most(void)
{
    struct program program;
    uint64_t began_ms;
    int fd;

    (void) program_start_ready(&program, LISTEN);
    fd = deaf_peer();
    check_serves_ipc(test_path("s"));
    began_ms = test_now_ms();
    CHECK_EQ(kill(program.pid, SIGTERM), 0);
    CHECK_EQ(program_wait(&program), 0);
    CHECK_GE(test_now_ms() - began_ms, 1500);
    CHECK_LE(test_now_ms() - began_ms, 3500 * TEST_PATIENCE);
    (void) close(fd);
}

static void a_second_signal_ends_it_at_once(void)
{
    struct program program;
    uint64_t began_ms;
    int fd;

    (void) program_start_ready(&program, LISTEN);
    fd = deaf_peer();
    check_serves_ipc(test_path("s"));
    began_ms = test_now_ms();
    CHECK_EQ(kill(program.pid, SIGTERM), 0);
    CHECK_EVENTUALLY(strstr(file_text(program.errors), "SIGTERM") != NULL);
    CHECK_EQ(kill(program.pid, SIGINT), 0);
    CHECK_EQ(program_wait(&program), 128 + SIGINT);
    CHECK_LT(test_now_ms() - began_ms, 1500);
    (void) close(fd);
    /* what it left behind does not hinder the next one */
    (void) program_start_ready(&program, LISTEN);
    program_stop(&program);
}

static const struct test_case cases[] = {
    {"it serves, says so, and ends on SIGTERM", it_serves_says_so_and_ends_on_sigterm, 0},
    {"it ends on SIGINT", it_ends_on_sigint, 0},
    {"other signals do not cost the socket file", other_signals_do_not_cost_the_socket_file, 0},
    {"a second daemon is refused and the first goes on",
     a_second_daemon_is_refused_and_the_first_goes_on, 0},
    {"a socket left by a killed daemon is taken over",
     a_socket_left_by_a_killed_daemon_is_taken_over, 0},
    {"each start in a state directory raises the epoch",
     each_start_in_a_state_directory_raises_the_epoch, 0},
    {"what cannot start says why and leaves nothing", what_cannot_start_says_why_and_leaves_nothing,
     0},
    {"a tcp port in use is refused and its user goes on",
     a_tcp_port_in_use_is_refused_and_its_user_goes_on, 0},
    {"the socket has the mode and group that were asked for",
     the_socket_has_the_mode_and_group_that_were_asked_for, 0},
    {"the service manager is told of start and end", the_service_manager_is_told_of_start_and_end,
     0},
    {"too few descriptors lower the connections and are logged",
     too_few_descriptors_lower_the_connections_and_are_logged, 0},
    {"a closed standard output does no harm", a_closed_standard_output_does_no_harm, 0},
    {"a parked request is answered at the end", a_parked_request_is_answered_at_the_end, 0},
    {"the end takes two seconds at most", the_end_takes_two_seconds_at_most, 0},
    {"a second signal ends it at once", a_second_signal_ends_it_at_once, 0},
};

TEST_MAIN(cases)
