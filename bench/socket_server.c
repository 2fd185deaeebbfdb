/* SPDX-License-Identifier: MIT */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sched_setaffinity() */
#endif
#include "socket_server.h"

#include "harness.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_MS 10000
#define LOOK_US 2000
#define NOT_INSTALLED 127

static char directory[64];

const char *server_directory(void)
{
    if (directory[0] == '\0') {
        snprintf(directory, sizeof directory, "/tmp/canceld-bench-XXXXXX");
        if (mkdtemp(directory) == NULL) {
            harness_fail("%s: %s", directory, strerror(errno));
        }
    }
    return directory;
}

void server_directory_remove(void)
{
    DIR *files = directory[0] == '\0' ? NULL : opendir(directory);
    if (files == NULL) {
        return;
    }
    for (struct dirent *file = readdir(files); file != NULL; file = readdir(files)) {
        (void) unlinkat(dirfd(files), file->d_name, 0);
    }
    closedir(files);
    if (rmdir(directory) != 0) {
        harness_progress("%s is left behind", directory);
    }
    directory[0] = '\0';
}

/* ---- connections ---- */

static int connect_port(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *) &address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static int connect_path(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%.*s", (int) sizeof address.sun_path - 1,
             path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *) &address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static int connect_once(const struct server *server)
{
    return server->port != 0 ? connect_port(server->port) : connect_path(server->path);
}

int server_connect(const struct server *server)
{
    int fd = connect_once(server);
    if (fd < 0) {
        harness_fail("%s: %s", server->path, strerror(errno));
    }
    return fd;
}

void server_write(int fd, const void *data, size_t size)
{
    const char *at = data;
    while (size > 0) {
        ssize_t written = send(fd, at, size, MSG_NOSIGNAL);
        if (written < 0) {
            harness_fail("write: %s", strerror(errno));
        }
        at += written;
        size -= (size_t) written;
    }
}

size_t server_read(int fd, void *data, size_t room)
{
    ssize_t size = recv(fd, data, room, 0);
    if (size <= 0) {
        harness_fail("read: %s", size == 0 ? "the server closed the connection" : strerror(errno));
    }
    return (size_t) size;
}

/* ---- processes ---- */

static bool pinned;

static void pin_to(unsigned processor)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    (void) sched_setaffinity(0, sizeof set, &set);
}

void server_pin(void)
{
    pinned = sysconf(_SC_NPROCESSORS_ONLN) > 1;
    if (pinned) {
        pin_to(1);
    }
}

static void child_begin(void)
{
    (void) prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (pinned) {
        pin_to(0);
    }
    if (getppid() == 1) {
        _exit(1);
    }
}

/* Its output would stand among the rows. */
static void child_exec(const char *const *arguments)
{
    child_begin();
    int nothing = open("/dev/null", O_RDWR);
    (void) dup2(nothing, STDIN_FILENO);
    (void) dup2(nothing, STDOUT_FILENO);
    if (getenv("BENCH_VERBOSE") == NULL) {
        (void) dup2(nothing, STDERR_FILENO);
    }
    execvp(arguments[0], (char *const *) (uintptr_t) arguments);
    _exit(NOT_INSTALLED);
}

static bool connects(const struct server *server)
{
    int fd = connect_once(server);
    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

/* Bound is not yet listened on: a moment lies between. */
static bool is_there(const struct server *server)
{
    if (access(server->path, F_OK) != 0) {
        return false;
    }
    usleep(50 * LOOK_US);
    return true;
}

/* False where it ended at once, for it is not installed. */
static bool server_await(struct server *server, const char *name)
{
    for (uint64_t waited_us = 0; waited_us < START_MS * UINT64_C(1000); waited_us += LOOK_US) {
        int status = 0;
        if (server->shy ? is_there(server) : connects(server)) {
            return true;
        }
        if (waitpid(server->pid, &status, WNOHANG) == server->pid) {
            server->pid = 0;
            if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_INSTALLED) {
                return false;
            }
            harness_fail("%s ended at its start (BENCH_VERBOSE=1 shows what it says)", name);
        }
        usleep(LOOK_US);
    }
    harness_fail("%s does not listen", name);
}

static void server_name(struct server *server, const char *socket)
{
    *server = (struct server){.pid = 0};
    snprintf(server->path, sizeof server->path, "%s/%s", server_directory(), socket);
}

static bool server_run(struct server *server, const char *const *arguments)
{
    server->pid = fork();
    if (server->pid < 0) {
        harness_fail("fork: %s", strerror(errno));
    }
    if (server->pid == 0) {
        child_exec(arguments);
    }
    return server_await(server, arguments[0]);
}

bool server_start(struct server *server, const char *socket, const char *const *arguments)
{
    server_name(server, socket);
    return server_run(server, arguments);
}

void server_stop(struct server *server)
{
    if (server->pid != 0) {
        (void) kill(server->pid, SIGTERM);
        (void) waitpid(server->pid, NULL, 0);
        server->pid = 0;
    }
}

/* ---- the ones that we know ---- */

/* Beside this program, where the build puts it. */
static const char *ours_program(void)
{
    static char path[512];
    ssize_t size = readlink("/proc/self/exe", path, sizeof path - sizeof "/canceld");
    if (getenv("BENCH_CANCELD") != NULL) {
        return getenv("BENCH_CANCELD");
    }
    ASSERT(size > 0);
    path[size] = '\0';
    char *slash = strrchr(path, '/');
    ASSERT(slash != NULL);
    memcpy(slash, "/canceld", sizeof "/canceld");
    return path;
}

void server_start_ours_by(struct server *server, const char *socket, const char *scheme)
{
    char url[SERVER_PATH_BYTES + 16];
    snprintf(url, sizeof url, "%s://%s/%s", scheme, server_directory(), socket);
    const char *const arguments[] = {ours_program(),
                                     "--ephemeral",
                                     "--recovery",
                                     "0",
                                     "--log-level",
                                     "error",
                                     "--limit-connections",
                                     "20000",
                                     "--limit-connections-unopened",
                                     "20000",
                                     "--limit-sessions",
                                     "20000",
                                     "--listen",
                                     url,
                                     NULL};
    if (!server_start(server, socket, arguments)) {
        harness_fail("%s: there is no such program: build canceld first", arguments[0]);
    }
}

void server_start_ours(struct server *server)
{
    server_start_ours_by(server, "canceld", "ipc");
}

void server_start_self(struct server *server, const char *socket, const char *option)
{
    char path[SERVER_PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", server_directory(), socket);
    const char *const arguments[] = {"/proc/self/exe", option, path, NULL};
    server_name(server, socket);
    server->shy = true;
    if (!server_run(server, arguments)) {
        harness_fail("this program cannot be run again");
    }
}

bool server_start_redis(struct server *server)
{
    char path[SERVER_PATH_BYTES];
    snprintf(path, sizeof path, "%s/redis", server_directory());
    const char *const arguments[] = {"redis-server", "--port",       "0",     "--unixsocket",
                                     path,           "--save",       "",      "--appendonly",
                                     "no",           "--maxclients", "20000", NULL};
    return server_start(server, "redis", arguments);
}

/* It has no Unix socket: a port that is free now, and its pid file says when it serves. */
bool server_start_nats(struct server *server, uint16_t *port_out)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    char port[8];
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *) &address, sizeof address) != 0 ||
        getsockname(fd, (struct sockaddr *) &address, &size) != 0) {
        harness_fail("no port: %s", strerror(errno));
    }
    close(fd);
    snprintf(port, sizeof port, "%u", (unsigned) ntohs(address.sin_port));
    *port_out = ntohs(address.sin_port);
    const char *const arguments[] = {"nats-server", "-a", "127.0.0.1", "-p", port, NULL};
    server_name(server, "nats");
    server->port = *port_out;
    return server_run(server, arguments);
}
