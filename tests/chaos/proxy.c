/* SPDX-License-Identifier: MIT */
/* The chaos proxy: chaos_proxy TARGET LISTEN SEED [EVERY_MS [FAULT,FAULT...]]
 *
 * Passes on what comes at LISTEN to TARGET, both ipc:///path or tcp://ADDRESS:PORT, with a fault every EVERY_MS or
 * so (30): all of them, or those named. Says `ready URL`, and when its standard input ends what it has done. The
 * exit code is 1 where a fault of the plan never took effect. See proxy.h. */
#include "proxy.h"
#include "testing.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define EVERY_MS 30
#define EVERY_MS_MAX 600000
#define BACKLOG 128
#define IPC "ipc://"
#define TCP "tcp://"

__attribute__((noreturn)) static void fail(const char *what)
{
    (void) fprintf(stderr, "chaos_proxy: %s: %s\n", what, strerror(errno));
    exit(2);
}

static uint64_t now_us(void)
{
    struct timespec now;
    (void) clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000;
}

/* ---- addresses ---- */

union address {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_un un;
};

static bool is_ipc(const char *url)
{
    return strncmp(url, IPC, strlen(IPC)) == 0;
}

static socklen_t address_of(const char *url, union address *out)
{
    char host[64];
    unsigned port;
    memset(out, 0, sizeof *out);
    if (is_ipc(url)) {
        out->un.sun_family = AF_UNIX;
        (void) snprintf(out->un.sun_path, sizeof out->un.sun_path, "%s", url + strlen(IPC));
        return sizeof out->un;
    }
    if (sscanf(url, TCP "%63[0-9.]:%u", host, &port) != 2 || port > UINT16_MAX ||
        inet_pton(AF_INET, host, &out->in.sin_addr) != 1) {
        errno = EINVAL;
        fail(url);
    }
    out->in.sin_family = AF_INET;
    out->in.sin_port = htons((uint16_t) port);
    return sizeof out->in;
}

static void say_ready(const char *url, int listener)
{
    union address bound;
    char host[INET_ADDRSTRLEN];
    socklen_t size = sizeof bound;
    if (is_ipc(url)) {
        (void) printf("ready %s\n", url);
    } else if (getsockname(listener, &bound.any, &size) != 0 ||
               inet_ntop(AF_INET, &bound.in.sin_addr, host, sizeof host) == NULL) {
        fail("no address");
    } else {
        (void) printf("ready " TCP "%s:%u\n", host, ntohs(bound.in.sin_port));
    }
    (void) fflush(stdout);
}

static int listen_at(const char *url)
{
    union address address;
    const socklen_t size = address_of(url, &address);
    const int fd = socket(address.any.sa_family, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, &address.any, size) != 0 || listen(fd, BACKLOG) != 0) {
        fail(url);
    }
    return fd;
}

/* ---- links ---- */

static void without_delay(int fd)
{
    const int on = 1;
    (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* no matter on a unix one */
}

/* A daemon that is away refuses, and so do we. */
static int dial(const struct chaos_proxy *proxy)
{
    union address address;
    const socklen_t size = address_of(proxy->target, &address);
    const int fd = socket(address.any.sa_family, SOCK_STREAM, 0);
    if (fd >= 0 && connect(fd, &address.any, size) != 0) {
        (void) close(fd);
        return -1;
    }
    without_delay(fd);
    return fd;
}

static void let_in(struct chaos_proxy *proxy, uint64_t now)
{
    const int client = accept(proxy->listener, NULL, NULL);
    if (client < 0) {
        return;
    }
    const bool refused = now < proxy->refuse_until_us;
    const bool has_room = proxy->links_count < CHAOS_LINKS_MAX;
    const int daemon = refused || !has_room ? -1 : dial(proxy);
    proxy->counts.of[CHAOS_REFUSE] += refused;
    struct chaos_link *link =
        daemon < 0 ? NULL : chaos_link_new(client, daemon, is_ipc(proxy->target));
    if (link == NULL) {
        (void) close(client);
        if (daemon >= 0) {
            (void) close(daemon);
        }
        return;
    }
    without_delay(client);
    proxy->counts.links++;
    proxy->links[proxy->links_count++] = link;
}

static void pump_all(struct chaos_proxy *proxy, uint64_t now)
{
    for (size_t i = 0; i < proxy->links_count;) {
        bool reset = false;
        if (chaos_link_pump(proxy, proxy->links[i], now, &reset)) {
            i++;
            continue;
        }
        chaos_link_free(proxy->links[i], reset);
        proxy->links[i] = proxy->links[--proxy->links_count];
    }
}

/* Waits for bytes, or for the next moment at which something is to be done. False: standard input has ended. */
static bool wait_for_work(struct chaos_proxy *proxy, uint64_t now)
{
    struct pollfd ready[2 * CHAOS_LINKS_MAX + 2] = {{.fd = STDIN_FILENO, .events = POLLIN},
                                                    {.fd = proxy->listener, .events = POLLIN}};
    bool soon = false;
    nfds_t count = 2;
    for (size_t i = 0; i < proxy->links_count; i++) {
        short events[2];
        soon = chaos_link_wants(proxy->links[i], now, events) || soon;
        for (int end = 0; end < 2;
             end++) { /* one with nothing to wait for would say that it hung up */
            const int fd = events[end] == 0 ? -1 : proxy->links[i]->fds[end];
            ready[count++] = (struct pollfd){.fd = fd, .events = events[end]};
        }
    }
    const uint64_t left_us = proxy->next_fault_us > now ? proxy->next_fault_us - now : 0;
    (void) poll(ready, count, soon ? 1 : (int) (left_us / 1000 + 1));
    if (ready[1].revents != 0) {
        let_in(proxy, now);
    }
    return ready[0].revents == 0;
}

static void run(struct chaos_proxy *proxy)
{
    bool goes_on = true;
    proxy->next_fault_us = now_us() + proxy->every_us;
    while (goes_on) {
        const uint64_t now = now_us();
        if (now >= proxy->next_fault_us) {
            chaos_fault_begin(proxy, now);
            proxy->next_fault_us = now + 1 + test_random(&proxy->random) % (2 * proxy->every_us);
        }
        pump_all(proxy, now);
        goes_on = wait_for_work(proxy, now);
    }
    while (proxy->links_count > 0) {
        chaos_link_free(proxy->links[--proxy->links_count], false);
    }
}

int main(int argc, char **argv)
{
    if (argc < 4 || argc > 6) {
        (void) fprintf(stderr,
                       "usage: chaos_proxy TARGET LISTEN SEED [EVERY_MS [FAULT,FAULT...]]\n");
        return 2;
    }
    static struct chaos_proxy proxy;
    const uint64_t seed = strtoull(argv[3], NULL, 10);
    const uint64_t every_ms = argc > 4 ? strtoull(argv[4], NULL, 10) : EVERY_MS;
    proxy.target = argv[1];
    proxy.random = seed;
    proxy.every_us = 1000 * every_ms;
    const char *all = "delay,end,reset,dribble,hold,swallow,late,refuse,all";
    if (every_ms == 0 || every_ms > EVERY_MS_MAX ||
        !chaos_fault_plan(&proxy, argc > 5 ? argv[5] : all)) {
        errno = EINVAL;
        fail("faults");
    }
    proxy.listener = listen_at(argv[2]);
    say_ready(argv[2], proxy.listener);
    run(&proxy);
    return chaos_fault_report(&proxy, seed) ? EXIT_SUCCESS : EXIT_FAILURE;
}
