/* SPDX-License-Identifier: MIT */
#include "client_relay.h"

#include "testing.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define RELAY_LINKS_MAX 16

struct relay_links {
    int ends[RELAY_LINKS_MAX][2];
    size_t count;
    bool closed;
};

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    CHECK_LT(strlen(path), sizeof address.sun_path);
    memcpy(address.sun_path, path, strlen(path));
    return address;
}

static void link_close(struct relay_links *links, size_t index)
{
    (void) close(links->ends[index][0]);
    (void) close(links->ends[index][1]);
    links->count--;
    memmove(&links->ends[index], &links->ends[links->count], sizeof links->ends[0]);
}

static void links_close(struct relay_links *links)
{
    while (links->count > 0)
        link_close(links, 0);
}

static void link_accept(const struct relay *relay, struct relay_links *links)
{
    struct sockaddr_un address = address_of(relay->to);
    int here = accept(relay->listener, NULL, NULL);
    int there = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (here < 0 || links->closed || links->count == RELAY_LINKS_MAX ||
        connect(there, (struct sockaddr *) &address, sizeof address) != 0) {
        (void) close(here);
        (void) close(there);
        return;
    }
    links->ends[links->count][0] = here;
    links->ends[links->count][1] = there;
    links->count++;
}

/* False at the end of the link. */
static bool bytes_pass(int from, int to)
{
    char bytes[65536];
    ssize_t size = read(from, bytes, sizeof bytes);

    for (ssize_t at = 0; at < size;) {
        ssize_t sent = send(to, bytes + at, (size_t) (size - at), MSG_NOSIGNAL);

        if (sent <= 0)
            return false;
        at += sent;
    }
    return size > 0;
}

/* False when the relay is to end. */
static bool word_take(const struct relay *relay, struct relay_links *links)
{
    char word = 0;

    if (read(relay->wake[0], &word, 1) != 1 || word == 'e')
        return false;
    links->closed = word == 'c';
    if (links->closed)
        links_close(links);
    return true;
}

static void links_pass(struct relay_links *links, const struct pollfd *polled, size_t count)
{
    for (size_t i = count; i-- > 0;) {
        bool whole = true;

        for (size_t end = 0; end < 2 && whole; end++)
            if (polled[2 + 2 * i + end].revents != 0)
                whole = bytes_pass(links->ends[i][end], links->ends[i][1 - end]);
        if (!whole)
            link_close(links, i);
    }
}

static void *relay_run(void *arg)
{
    struct relay *relay = arg;
    struct relay_links links = {.count = 0};
    bool more = true;

    while (more) {
        struct pollfd polled[2 + 2 * RELAY_LINKS_MAX];
        size_t count = links.count;

        polled[0] = (struct pollfd){.fd = relay->wake[0], .events = POLLIN};
        polled[1] = (struct pollfd){.fd = relay->listener, .events = POLLIN};
        for (size_t i = 0; i < 2 * count; i++)
            polled[2 + i] = (struct pollfd){.fd = links.ends[i / 2][i % 2], .events = POLLIN};
        CHECK_GE(poll(polled, 2 + 2 * count, -1), 0);
        links_pass(&links, polled, count);
        if (polled[1].revents != 0)
            link_accept(relay, &links);
        if (polled[0].revents != 0)
            more = word_take(relay, &links);
    }
    links_close(&links);
    return NULL;
}

void relay_start(struct relay *relay, const char *at, const char *to)
{
    struct sockaddr_un address = address_of(at);

    CHECK_LT(strlen(to), sizeof relay->to);
    memcpy(relay->to, to, strlen(to) + 1);
    relay->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_EQ(bind(relay->listener, (struct sockaddr *) &address, sizeof address), 0);
    CHECK_EQ(listen(relay->listener, 16), 0);
    CHECK_EQ(pipe(relay->wake), 0);
    CHECK_EQ(pthread_create(&relay->thread, NULL, relay_run, relay), 0);
}

static void word_say(struct relay *relay, char word)
{
    CHECK_EQ(write(relay->wake[1], &word, 1), 1);
}

void relay_stop(struct relay *relay)
{
    word_say(relay, 'e');
    CHECK_EQ(pthread_join(relay->thread, NULL), 0);
    (void) close(relay->listener);
    (void) close(relay->wake[0]);
    (void) close(relay->wake[1]);
}

void relay_cut(struct relay *relay)
{
    word_say(relay, 'c');
}

void relay_go_on(struct relay *relay)
{
    word_say(relay, 'g');
}
