/* SPDX-License-Identifier: MIT */
/* One workload for every design of a map of cancel functions: what an op is, what a design has to
 * offer, and the stream of ops that a worker puts to it.
 *
 * The keys are 32 bytes, and their hash is keyed SipHash-1-3; both are made by the worker, before the
 * design is asked. A worker owns slots, of which about half are live: it stores under a slot that is
 * not, deletes one that is, and gets and cancels by the key of anybody's slot, so that about half of
 * those find something. The value is a cancel function and its argument; a cancel marks the entry and
 * calls the function once, outside of any lock; the entry stays until its owner deletes it. */
#ifndef CANCELD_BENCH_MAP_H
#define CANCELD_BENCH_MAP_H

#include "base/siphash.h"
#include "harness.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define MAP_KEY_BYTES 32
#define MAP_MATCH_EVERY 8 /* of the slots: what a clean-up takes away */

enum map_kind { MAP_STORE, MAP_DELETE, MAP_GET, MAP_CANCEL };

struct map_op {
    enum map_kind kind;
    uint32_t slot;
    uint32_t ttl_ms; /* store; 0: none. Only designs that clean up by ttl look at it. */
    bool match;      /* store: the entry is one of those that a clean-up takes away */
    bool own;        /* the worker knows whether it is there */
    bool there;      /* own: whether it is */
    bool alone;      /* no other worker works meanwhile */
    uint64_t gen;    /* delete: what the store gave */
    uint64_t hash;
    uint64_t from_ticks; /* when it was begun, where ops are timed */
    uint8_t key[MAP_KEY_BYTES];
};

struct map_config {
    uint32_t capacity; /* entries at once, at the most */
    struct siphash_key table_key;
};

struct map_stream;

struct map_design {
    const char *peer;
    const char *note;
    const char *missing; /* why it cannot be measured here; then nothing else is set */
    bool cleans_alone;   /* it differs from another one by its clean-up alone */
    bool no_clean;       /* there is no row of a clean-up */
    bool cleans_its_way; /* a quick run has its clean-up too */
    bool variant;        /* a quick run has it in the first row alone */
    bool full_only;      /* a quick run leaves it out */
    bool weigh_quick;    /* its memory is weighed in a quick run too */
    const char *weigh_note;
    unsigned workers;         /* threads that ask; each is pinned */
    unsigned first_processor; /* of worker 0 */
    unsigned processors;      /* 1: all workers on that processor; else they go round */
    void *(*make)(const struct map_config *config);
    void (*free)(void *map);

    /* What a worker needs for itself, on its own thread; NULL: the map itself will do. */
    void *(*attach)(void *map);
    void (*detach)(void *client);

    /* One op: whether the key was there (a store: was not there). */
    bool (*one)(void *client, const struct map_op *op);

    /* Instead of one(): does the whole stream, several ops at once. */
    void (*run)(void *client, struct map_stream *stream);

    /* Does what is left to do when nobody asks for a second; NULL: nothing is. */
    void (*settle)(void *map);

    /* Takes away what matches, while workers work. NULL: entries that match have a ttl, and go by it. */
    void (*clean)(void *map);
};

/* ---- the stream of a worker ---- */

struct map_mix {
    uint8_t get_percent;
    uint8_t cancel_percent; /* what is left: half stores, half deletes */
};

#define MAP_AHEAD 16
#define MAP_BUSY (UINT64_C(1) << 63) /* a slot's op is under way */

struct map_draw {
    uint32_t slot;
    uint32_t chance;
};

struct map_stream {
    const struct map_config *config;
    struct map_mix mix;
    uint64_t random;
    uint32_t worker;
    uint32_t workers;
    uint32_t slots; /* of each worker */
    uint64_t *gens; /* of each own slot: 0: not live */
    struct map_draw ahead[MAP_AHEAD];
    uint32_t ahead_next;
    const atomic_bool *stop;
    struct histogram *latency; /* NULL: ops are not timed */
    uint32_t fill_next;        /* filling: the next slot; UINT32_MAX: not filling */
    uint32_t fill_step;
    uint64_t until_ns;   /* filling: what matches gets a ttl that ends then; 0: none */
    uint32_t ttl_ms;     /* filling: of all others; 0: none */
    uint32_t drain_next; /* emptying: the next slot in its order; UINT32_MAX: not emptying */
    uint32_t drain_keep; /* one in so many stays; 0: all but what matches */
    uint64_t ops;
    uint64_t wrong; /* answers about own slots that are not as the worker knows they should be */
};

void map_stream_init(struct map_stream *stream, const struct map_config *config, uint32_t worker,
                     uint32_t workers, uint32_t slots, uint64_t seed);
void map_stream_fini(struct map_stream *stream);

/* From now on stores for every second slot, or for those alone that match. */
void map_stream_fill(struct map_stream *stream, bool match_only, uint64_t until_ns);

/* From now on deletes what is live, in no order, but for one in `keep_every`; 0: what matches. */
void map_stream_drain(struct map_stream *stream, uint32_t keep_every);

/* The next op; false: the stream has come to its end. */
bool map_stream_next(struct map_stream *stream, struct map_op *op);

/* What became of it: whether it found (stored) what it asked for, and the gen that a store gave. */
void map_stream_done(struct map_stream *stream, const struct map_op *op, bool hit, uint64_t gen);

/* Does the whole stream with a client of the design. */
void map_design_run(const struct map_design *design, void *client, struct map_stream *stream);

/* ---- what every design of a lock shares ---- */

/* The cancel function that the entries have: counts, on the thread that calls. */
void map_cancelled(void *argument);

/* The key of a slot, and its hash. */
void map_key(uint32_t slot, uint32_t worker, uint8_t key[MAP_KEY_BYTES]);
uint64_t map_hash(const struct map_config *config, const uint8_t key[MAP_KEY_BYTES]);

/* ---- the designs: tables that end with a NULL peer ---- */

extern const struct map_design map_designs_mutex[];
extern const struct map_design map_designs_rwlock[];
extern const struct map_design map_designs_shards[];
extern const struct map_design map_designs_replace[];
extern const struct map_design map_designs_glib[];
extern const struct map_design map_designs_direct[];
extern const struct map_design map_designs_local[];

#endif
