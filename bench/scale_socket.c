/* SPDX-License-Identifier: MIT */
/* A million operations of a daemon end at once: by their ttl, or with their owner. The other client asks
 * for a key, one request at a time, over a Unix socket of its own. */
#include "scale_ends.h"
#include "socket_client.h"
#include "watcher.h"

#include <string.h>

#define FRAME_OPS 32
#define GRACE_NS UINT64_C(5000000000) /* the limit grace_ms as it is by default */
#define LEAD_FIRST_NS UINT64_C(7000000000)
#define MARGIN_NS UINT64_C(1000000000)
#define POLL_MS 5
#define OP_BYTES 64

static void ask(void *argument)
{
    struct client *client = argument;
    uint8_t op[OP_BYTES] = {0x32, 4 + CLIENT_KEY_BYTES, 0x42, 2 + CLIENT_KEY_BYTES,
                            0x12, CLIENT_KEY_BYTES}; /* Frame.ops, Op.get, Get.key */
    size_t size = 0;
    client_key(UINT64_MAX, op + 6);
    client->answered_below = client->request_id;
    client_put_frame(client, op, 6 + CLIENT_KEY_BYTES, 0);
    client_flush(client);
    (void) client_await(client, &size);
}

/* The row "operations_live" of stats: its value is the field behind its name. */
static uint64_t live(struct client *client)
{
    static const char name[] = "operations_live";
    const uint8_t op[] = {0x32, 2, 0x72, 0}; /* Frame.ops, Op.stats */
    size_t size = 0;
    client->answered_below = client->request_id;
    client_put_frame(client, op, sizeof op, 0);
    client_flush(client);
    const uint8_t *at = client_await(client, &size);
    for (size_t i = 0; i + sizeof name < size; i++) {
        if (memcmp(at + i, name, sizeof name - 1) == 0) {
            uint64_t value = 0;
            const uint8_t *stat = at + i + sizeof name - 1;
            const uint8_t *unused = NULL;
            bool found = client_find_field(stat, stat + 8, 0x10, &value, &unused);
            return found ? value : 0;
        }
    }
    harness_fail("the stats have no %s", name);
}

static uint8_t *put_store(uint8_t *at, uint64_t number, uint32_t ttl_ms)
{
    uint8_t *begin = at;
    *at++ = 0x32; /* Frame.ops */
    *at++ = 0;
    *at++ = 0x12; /* Op.store */
    *at++ = 0;
    *at++ = 0x12; /* Store.key */
    *at++ = CLIENT_KEY_BYTES;
    client_key(number, at);
    at += CLIENT_KEY_BYTES;
    *at++ = 0x20; /* Store.ttl_ms */
    at = put_varint(at, ttl_ms);
    *at++ = 0x30; /* Store.on_expiry: reap */
    *at++ = 1;
    begin[1] = (uint8_t) (at - begin - 2);
    begin[3] = (uint8_t) (at - begin - 4);
    return at;
}

static void fill_until(struct client *client, uint64_t until_ns)
{
    uint8_t ops[FRAME_OPS * OP_BYTES];
    for (uint64_t i = 0; i < ENDS_COUNT; i += FRAME_OPS) {
        uint64_t now_ns = slice_now_ns();
        uint64_t left_ms = until_ns > now_ns ? (until_ns - now_ns) / 1000000 : 0;
        uint8_t *at = ops;
        for (uint64_t j = i; j < i + FRAME_OPS; j++) {
            at = put_store(at, j, left_ms < 100 ? 100 : (uint32_t) left_ms);
        }
        size_t size = 0;
        client->answered_below = client->request_id;
        client_put_frame(client, ops, (size_t) (at - ops), 0);
        client_flush(client);
        (void) client_await(client, &size);
    }
}

/* Asks from now until all have ended, which they begin to do at instant_ns. */
static void watch(const struct server *server, uint64_t instant_ns, struct ends *ends)
{
    struct client other;
    struct client control;
    struct watcher watcher;
    client_open(&other, &client_ours, server, 2);
    client_open(&control, &client_ours, server, 3);
    if (live(&control) != ENDS_COUNT) {
        harness_fail("not all operations were stored");
    }
    watcher_start(&watcher, ask, &other);
    while (slice_now_ns() < instant_ns) {
        team_rest(1);
    }
    while (live(&control) > 0) {
        team_rest(POLL_MS);
    }
    ends->took_ns = slice_now_ns() - instant_ns;
    watcher_stop(&watcher);
    watcher_between(&watcher, instant_ns - ENDS_QUIET_NS - 50000000, instant_ns - 50000000,
                    &ends->quiet);
    watcher_between(&watcher, instant_ns, instant_ns + ends->took_ns, &ends->during);
    watcher_fini(&watcher);
    client_close(&other);
    client_close(&control);
}

void scale_socket_expire(struct ends *ends)
{
    bool done = false;
    for (uint64_t lead_ns = LEAD_FIRST_NS; !done; lead_ns *= 2) {
        struct server server;
        struct client owner;
        server_start_ours(&server);
        client_open(&owner, &client_ours, &server, 1);
        uint64_t until_ns = slice_now_ns() + lead_ns;
        fill_until(&owner, until_ns);
        done = slice_now_ns() + MARGIN_NS < until_ns;
        if (done) {
            watch(&server, until_ns, ends);
        }
        client_close(&owner);
        server_stop(&server);
    }
}

void scale_socket_death(struct ends *ends)
{
    struct server server;
    struct client owner;
    server_start_ours(&server);
    client_open(&owner, &client_ours, &server, 1);
    client_fill(&owner, ENDS_COUNT);
    client_close(&owner);
    watch(&server, slice_now_ns() + GRACE_NS, ends);
    server_stop(&server);
}
