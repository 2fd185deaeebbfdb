/* SPDX-License-Identifier: MIT */
/* Store and delete, one connection, so many on their way at once. */
#include "socket_rows.h"

#include "socket_client.h"
#include "socket_library.h"

#include <stdio.h>
#include <string.h>

#define LIVE_KEYS 100000

struct ops_peer {
    const char *name;
    const struct client_kind *kind; /* NULL: the client library */
    struct server *server;
    struct client client;
    struct canceld_client *library;
    struct samples rates; /* of quiet slices */
    struct samples all;
    struct samples core_ns;
};

struct ops_row {
    const char *name;
    uint32_t slots_count;
    uint32_t ops_count;
    const char *note;
};

static const struct ops_row rows[] = {
    {"ops-depth-1", 1, 1, "store, then delete, one on its way"},
    {"ops-depth-16", 16, 1, "16 single ops on their way"},
    {"ops-depth-64", 64, 1, "64 single ops on their way"},
    {"ops-depth-256", 256, 1, "256 single ops on their way"},
    {"ops-frame-32", 1, 32, "one frame, or pipeline, of 32 on its way"},
    {"ops-frame-32x4", 4, 32, "four frames, or pipelines, of 32 on their way"},
};

#define ROWS_COUNT (sizeof rows / sizeof rows[0])

static uint64_t peer_run(struct ops_peer *peer, const struct ops_row *row, uint32_t slice_ms)
{
    return peer->kind == NULL
               ? library_run(peer->library, row->slots_count, slice_ms, 3)
               : client_run(&peer->client, row->slots_count, row->ops_count, slice_ms);
}

static void peer_slice(struct ops_peer *peer, const struct ops_row *row, uint32_t slice_ms)
{
    struct slice slice;
    slice_begin(&slice, &peer->server->pid, 1);
    uint64_t ops = peer_run(peer, row, slice_ms);
    slice_end(&slice);
    double rate = (double) ops * 1e9 / (double) slice.wall_ns;
    samples_add(&peer->all, rate);
    if (slice.quiet) {
        samples_add(&peer->rates, rate);
    } else {
        peer->rates.thrown++;
    }
    samples_add(&peer->core_ns, (double) slice.cpu_ns / (double) ops);
}

static void peer_row(const struct harness *harness, struct ops_peer *peer,
                     const struct ops_row *row)
{
    const uint32_t thrown = peer->rates.thrown;
    struct samples *from = peer->rates.count > 0 ? &peer->rates : &peer->all;
    harness_row(harness, &(struct harness_row){
                             .row = row->name,
                             .peer = peer->name,
                             .unit = "ops/s",
                             .value = samples_median(from),
                             .core_ns = samples_median(&peer->core_ns),
                             .note = row->note,
                             .slices = (uint32_t) peer->all.count,
                             .slices_thrown = thrown,
                         });
}

/* The library makes frames by itself. */
static bool takes_part(const struct harness *harness, const struct ops_peer *peer,
                       const struct ops_row *row)
{
    return (peer->kind != NULL || row->ops_count == 1) && harness_wants_peer(harness, peer->name);
}

static void row_run(const struct harness *harness, struct ops_peer *peers, size_t peers_count,
                    const struct ops_row *row)
{
    const uint64_t rounds = harness_pick(harness, 3, 15);
    const uint32_t slice_ms = (uint32_t) harness_pick(harness, 150, 400);
    for (uint64_t round = 0; round <= rounds; round++) {
        for (size_t i = 0; i < peers_count; i++) {
            struct ops_peer *peer = &peers[i];
            if (takes_part(harness, peer, row) && round > 0) {
                peer_slice(peer, row, slice_ms);
            } else if (takes_part(harness, peer, row)) {
                samples_init(&peer->rates);
                samples_init(&peer->all);
                samples_init(&peer->core_ns);
                (void) peer_run(peer, row, 50);
            }
        }
    }
    for (size_t i = 0; i < peers_count; i++) {
        if (takes_part(harness, &peers[i], row)) {
            peer_row(harness, &peers[i], row);
        }
    }
}

static void peers_open(const struct harness *harness, struct ops_peer *peers, size_t peers_count)
{
    for (size_t i = 0; i < peers_count; i++) {
        if (peers[i].kind == NULL) {
            peers[i].library = library_open(peers[i].server);
        } else {
            client_open(&peers[i].client, peers[i].kind, peers[i].server, harness->seed + i);
            client_fill(&peers[i].client, LIVE_KEYS);
        }
    }
}

static void peers_close(struct ops_peer *peers, size_t peers_count)
{
    for (size_t i = 0; i < peers_count; i++) {
        if (peers[i].kind == NULL) {
            library_close(peers[i].library);
        } else {
            client_close(&peers[i].client);
        }
    }
}

static void rows_run(const struct harness *harness, const bool *wanted)
{
    static struct ops_peer peers[3];
    struct server ours;
    struct server redis;
    size_t peers_count = 2;
    server_start_ours(&ours);
    peers[0] = (struct ops_peer){.name = "ours", .kind = &client_ours, .server = &ours};
    peers[1] = (struct ops_peer){.name = "ours-client", .server = &ours};
    if (server_start_redis(&redis)) {
        peers[peers_count++] =
            (struct ops_peer){.name = "redis", .kind = &client_redis, .server = &redis};
    }
    peers_open(harness, peers, peers_count);
    for (size_t i = 0; i < ROWS_COUNT; i++) {
        if (wanted[i]) {
            row_run(harness, peers, peers_count, &rows[i]);
        }
        if (wanted[i] && peers_count == 2) {
            harness_missing(harness, rows[i].name, "redis", "redis-server is not installed");
        }
    }
    peers_close(peers, peers_count);
    server_stop(&redis);
    server_stop(&ours);
}

void socket_ops(const struct harness *harness)
{
    bool wanted[ROWS_COUNT];
    bool any = false;
    for (size_t i = 0; i < ROWS_COUNT; i++) {
        wanted[i] = harness_wants(harness, rows[i].name);
        any = any || wanted[i];
    }
    if (any) {
        rows_run(harness, wanted);
    }
}
