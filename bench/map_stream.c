/* SPDX-License-Identifier: MIT */
#include "map.h"

#include <stdlib.h>
#include <string.h>

static _Thread_local uint64_t cancels;

void map_cancelled(void *argument)
{
    (void) argument;
    cancels++;
}

/* Eight hexadecimal digits at once: a nibble a byte, then each made a letter or a digit. */
static uint64_t hexadecimal(uint32_t number)
{
    uint64_t x = number;
    x = ((x & 0xffff) << 32) | (x >> 16);
    x = ((x & UINT64_C(0x0000ff000000ff00)) >> 8) | ((x & UINT64_C(0x000000ff000000ff)) << 16);
    x = ((x & UINT64_C(0x00f000f000f000f0)) >> 4) | ((x & UINT64_C(0x000f000f000f000f)) << 8);
    uint64_t letters = ((x + UINT64_C(0x0606060606060606)) >> 4) & UINT64_C(0x0101010101010101);
    return x + UINT64_C(0x3030303030303030) + letters * 39;
}

void map_key(uint32_t slot, uint32_t worker, uint8_t key[MAP_KEY_BYTES])
{
    uint64_t state = ((uint64_t) worker << 32) | slot;
    uint64_t number = harness_random(&state); /* one to one */
    uint64_t high = hexadecimal((uint32_t) (number >> 32));
    uint64_t low = hexadecimal((uint32_t) number);
    memcpy(key, "bench-operation-", 16);
    memcpy(key + 16, &high, 8);
    memcpy(key + 24, &low, 8);
}

uint64_t map_hash(const struct map_config *config, const uint8_t key[MAP_KEY_BYTES])
{
    return siphash13(&config->table_key, (struct bytes){key, MAP_KEY_BYTES});
}

static struct map_draw draw(struct map_stream *stream)
{
    uint64_t number = harness_random(&stream->random);
    struct map_draw drawn = {.slot = (uint32_t) (((number >> 32) * stream->slots) >> 32),
                             .chance = (uint32_t) number};
    __builtin_prefetch(&stream->gens[drawn.slot]);
    return drawn;
}

void map_stream_init(struct map_stream *stream, const struct map_config *config, uint32_t worker,
                     uint32_t workers, uint32_t slots, uint64_t seed)
{
    *stream = (struct map_stream){.config = config,
                                  .random = seed * 1000003 + worker,
                                  .worker = worker,
                                  .workers = workers,
                                  .slots = slots,
                                  .fill_next = UINT32_MAX,
                                  .drain_next = UINT32_MAX};
    stream->gens = malloc(slots * sizeof stream->gens[0]);
    ASSERT(stream->gens != NULL);
    volatile uint64_t *gens = stream->gens;
    for (uint32_t i = 0; i < slots; i++) {
        gens[i] = 0; /* each one: their memory is there from here on, and no row counts it */
    }
    for (uint32_t i = 0; i < MAP_AHEAD; i++) {
        stream->ahead[i] = draw(stream);
    }
}

void map_stream_fini(struct map_stream *stream)
{
    free(stream->gens);
}

void map_stream_fill(struct map_stream *stream, bool match_only, uint64_t until_ns)
{
    stream->fill_next = 0;
    stream->fill_step = match_only ? MAP_MATCH_EVERY : 2;
    stream->until_ns = until_ns;
}

void map_stream_drain(struct map_stream *stream, uint32_t keep_every)
{
    stream->drain_next = 0;
    stream->drain_keep = keep_every;
}

static void name(struct map_stream *stream, struct map_op *op, uint32_t worker)
{
    map_key(op->slot, worker, op->key);
    op->hash = map_hash(stream->config, op->key);
    op->own = worker == stream->worker;
    op->match = op->slot % MAP_MATCH_EVERY == 0;
    op->from_ticks = stream->latency != NULL ? slice_ticks() : 0;
}

static uint32_t ttl_until(uint64_t until_ns)
{
    uint64_t now_ns = slice_now_ns();
    return until_ns > now_ns ? (uint32_t) ((until_ns - now_ns) / 1000000) : 1;
}

static bool fill(struct map_stream *stream, struct map_op *op)
{
    if (stream->fill_next >= stream->slots) {
        stream->fill_next = UINT32_MAX;
        return false;
    }
    *op = (struct map_op){.kind = MAP_STORE, .slot = stream->fill_next, .alone = true};
    stream->fill_next += stream->fill_step;
    name(stream, op, stream->worker);
    op->ttl_ms = stream->until_ns != 0 && op->match ? ttl_until(stream->until_ns) : stream->ttl_ms;
    stream->gens[op->slot] = MAP_BUSY;
    return true;
}

static bool drain(struct map_stream *stream, struct map_op *op)
{
    for (; stream->drain_next < stream->slots; stream->drain_next++) {
        uint64_t scattered = stream->drain_next * UINT64_C(2654435761) % stream->slots;
        uint64_t gen = stream->gens[scattered];
        bool goes = stream->drain_keep == 0 ? scattered % MAP_MATCH_EVERY == 0
                                            : stream->drain_next % stream->drain_keep != 0;
        if (goes && gen != 0 && gen != MAP_BUSY) {
            *op = (struct map_op){
                .kind = MAP_DELETE, .slot = (uint32_t) scattered, .alone = true, .gen = gen};
            name(stream, op, stream->worker);
            stream->gens[scattered] = MAP_BUSY;
            stream->drain_next++;
            return true;
        }
    }
    stream->drain_next = UINT32_MAX;
    return false;
}

/* A store or a delete, as the slot calls for; a slot whose op is under way is left alone. */
static enum map_kind change(struct map_stream *stream, struct map_op *op)
{
    uint64_t gen = stream->gens[op->slot];
    op->there = gen != 0;
    if (gen == MAP_BUSY) {
        return MAP_GET;
    }
    op->gen = gen;
    stream->gens[op->slot] = MAP_BUSY;
    return gen == 0 ? MAP_STORE : MAP_DELETE;
}

bool map_stream_next(struct map_stream *stream, struct map_op *op)
{
    if (stream->fill_next != UINT32_MAX) {
        return fill(stream, op);
    }
    if (stream->drain_next != UINT32_MAX) {
        return drain(stream, op);
    }
    if (atomic_load_explicit(stream->stop, memory_order_relaxed)) {
        return false;
    }
    struct map_draw drawn = stream->ahead[stream->ahead_next];
    stream->ahead[stream->ahead_next] = draw(stream);
    stream->ahead_next = (stream->ahead_next + 1) % MAP_AHEAD;
    uint32_t percent = (uint32_t) (((uint64_t) (drawn.chance & 0xffff) * 100) >> 16);
    *op = (struct map_op){.slot = drawn.slot};
    uint32_t worker = stream->worker;
    if (percent < stream->mix.get_percent + stream->mix.cancel_percent) {
        op->kind = percent < stream->mix.get_percent ? MAP_GET : MAP_CANCEL;
        worker = ((drawn.chance >> 16) * stream->workers) >> 16;
    } else {
        op->kind = change(stream, op);
    }
    name(stream, op, worker);
    return true;
}

void map_stream_done(struct map_stream *stream, const struct map_op *op, bool hit, uint64_t gen)
{
    stream->ops++;
    if (stream->latency != NULL) {
        histogram_add(stream->latency, slice_ticks_ns(slice_ticks() - op->from_ticks));
    }
    if (op->kind == MAP_STORE) {
        stream->gens[op->slot] = gen;
        stream->wrong += !hit && !op->match;
    } else if (op->kind == MAP_DELETE) {
        stream->gens[op->slot] = 0;
        stream->wrong += !hit && !op->match; /* what matches may have been cleaned up */
    }
}

void map_design_run(const struct map_design *design, void *client, struct map_stream *stream)
{
    if (design->run != NULL) {
        design->run(client, stream);
        return;
    }
    struct map_op op;
    while (map_stream_next(stream, &op)) {
        bool hit = design->one(client, &op);
        map_stream_done(stream, &op, hit, 1);
    }
}
