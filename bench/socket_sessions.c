/* SPDX-License-Identifier: MIT */
/* Sessions that do nothing: what they hold, and what they cost meanwhile. */
#include "socket_rows.h"

#include "socket_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define SESSIONS 10000
#define SESSIONS_A_CONNECTION 100
#define DESCRIPTORS_SPARE 200

static uint64_t cpu_of(pid_t pid)
{
    clockid_t clock;
    struct timespec used = {0};
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0) {
        harness_fail("the server is gone");
    }
    return (uint64_t) used.tv_sec * UINT64_C(1000000000) + (uint64_t) used.tv_nsec;
}

struct holder {
    const char *row;
    const char *row_cpu;
    const char *peer;
    const char *note;
    const struct server *server;
    void (*add)(const struct server *server, int *fd_out, uint32_t connection);
    uint32_t connections;
};

static void add_sessions(const struct server *server, int *fd_out, uint32_t connection)
{
    (void) connection;
    struct client client;
    client_open(&client, &client_ours, server, 0);
    for (uint32_t i = 1; i < SESSIONS_A_CONNECTION; i++) {
        client_open_session(&client, 0);
    }
    *fd_out = client.fd;
    free(client.input);
    free(client.output);
}

static void add_session(const struct server *server, int *fd_out, uint32_t connection)
{
    (void) connection;
    struct client client;
    client_open(&client, &client_ours, server, 0);
    *fd_out = client.fd;
    free(client.input);
    free(client.output);
}

/* The handshake of SP alone: NNG knows no session. */
static void add_nng(const struct server *server, int *fd_out, uint32_t connection)
{
    (void) connection;
    static const uint8_t handshake[] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};
    uint8_t theirs[8];
    size_t size = 0;
    *fd_out = server_connect(server);
    server_write(*fd_out, handshake, sizeof handshake);
    while (size < sizeof theirs) {
        size += server_read(*fd_out, theirs + size, sizeof theirs - size);
    }
}

static void add_redis(const struct server *server, int *fd_out, uint32_t connection)
{
    (void) connection;
    uint8_t answer[7];
    size_t size = 0;
    *fd_out = server_connect(server);
    server_write(*fd_out, "*1\r\n$4\r\nPING\r\n", 14);
    while (size < sizeof answer) {
        size += server_read(*fd_out, answer + size, sizeof answer - size);
    }
}

static void hold(const struct harness *harness, const struct holder *holder)
{
    const uint32_t idle_ms = (uint32_t) harness_pick(harness, 1000, 5000);
    const pid_t pid = holder->server->pid;
    int *fds = calloc(holder->connections, sizeof *fds);
    ASSERT(fds != NULL);
    uint64_t before = memory_resident_of(pid);
    for (uint32_t i = 0; i < holder->connections; i++) {
        holder->add(holder->server, &fds[i], i);
    }
    usleep(500000); /* what follows the last of them is none of the idling */
    uint64_t grown = memory_resident_of(pid) - before;
    uint64_t cpu = cpu_of(pid);
    uint64_t begin = slice_now_ns();
    usleep(idle_ms * 1000);
    cpu = cpu_of(pid) - cpu;
    uint64_t wall = slice_now_ns() - begin;
    harness_row(harness, &(struct harness_row){.row = holder->row,
                                               .peer = holder->peer,
                                               .unit = "MiB",
                                               .value = (double) grown / 1048576,
                                               .note = holder->note});
    harness_row(harness, &(struct harness_row){.row = holder->row_cpu,
                                               .peer = holder->peer,
                                               .unit = "percent",
                                               .value = 100 * (double) cpu / (double) wall,
                                               .note = holder->note});
    for (uint32_t i = 0; i < holder->connections; i++) {
        close(fds[i]);
    }
    free(fds);
    usleep(300000);
}

/* As many connections as there may be, 10,000 at the most; servers take the limit over at their start. */
static uint32_t connections_possible(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return 0;
    }
    limit.rlim_cur = limit.rlim_max;
    (void) setrlimit(RLIMIT_NOFILE, &limit);
    rlim_t most = limit.rlim_max - DESCRIPTORS_SPARE;
    return most < SESSIONS ? (uint32_t) most : SESSIONS;
}

static void rows_run(const struct harness *harness)
{
    const uint32_t connections = connections_possible();
    char note[128];
    char note_bare[128];
    struct server ours;
    struct server wide;
    struct server echo;
    struct server redis = {0};
    snprintf(note, sizeof note, "%u connections with a session each", connections);
    snprintf(note_bare, sizeof note_bare, "%u connections, without sessions", connections);
    server_start_ours(&ours);
    server_start_ours_by(&wide, "wide", "ipc");
    server_start_self(&echo, "echo", "--serve-nng");
    const struct holder holders[] = {
        {"sessions-10k", "sessions-10k-cpu", "ours", "100 connections with 100 sessions each",
         &ours, add_sessions, SESSIONS / SESSIONS_A_CONNECTION},
        {"connections-10k", "connections-10k-cpu", "ours", note, &wide, add_session, connections},
        {"connections-10k", "connections-10k-cpu", "nng", note_bare, &echo, add_nng, connections},
        {"connections-10k", "connections-10k-cpu", "redis", note_bare, &redis, add_redis,
         connections},
    };
    size_t count = sizeof holders / sizeof holders[0];
    bool has_redis = !harness->quick; /* no goal stands beside it */
    if (has_redis && !server_start_redis(&redis)) {
        harness_missing(harness, "connections-10k", "redis", "redis-server is not installed");
        has_redis = false;
    }
    count -= !has_redis;
    for (size_t i = 0; i < count; i++) {
        if (harness_wants_peer(harness, holders[i].peer)) {
            hold(harness, &holders[i]);
        }
    }
    server_stop(&redis);
    server_stop(&echo);
    server_stop(&wide);
    server_stop(&ours);
}

void socket_sessions(const struct harness *harness)
{
    if (harness_wants(harness, "sessions-10k")) {
        rows_run(harness);
    }
}
