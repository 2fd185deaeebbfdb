/* SPDX-License-Identifier: MIT */
/* The codec alone: nanoseconds to decode a frame and to encode its reply, ours beside the way through
 * protobuf-c that decides whatever is unusual, and the digest of the ops, which is part of both.
 *
 * The peers take turns in slices of thread CPU time, so that what the machine does meanwhile falls on
 * all; a figure is the median of its slices. Each slice goes round a ring of frames with keys of
 * their own. A frame of 32 is one row an op: its figure is a thirty-second of the frame's. */
#include "harness.h"
#include "wire/codec_general.h"
#include "wire/op_digest.h"

#include "canceld.pb-c.h"

#include <stdio.h>
#include <stdlib.h>

#define RING 64U
#define OPS_MAX 32U
#define KEY_BYTES 32U
#define FRAME_ROOM 4096U
#define OP_ROOM 256U
#define SLICE_FRAMES 2000U

/* One kind of op, and what it is answered with. */
struct kind {
    const char *name;
    void (*make)(uint64_t *random, Canceld__V1__Op *op);
    struct result result;
};

struct ring {
    uint8_t bytes[RING][FRAME_ROOM];
    size_t sizes[RING];
    uint8_t ops[RING][OP_ROOM]; /* the first op of each */
    size_t op_sizes[RING];
};

/* ---- the ops ---- */

/* The messages of the ops of one frame, for as long as it takes to pack it. */
static struct {
    union {
        Canceld__V1__Store store;
        Canceld__V1__Delete delete;
        Canceld__V1__Cancel cancel;
        Canceld__V1__Touch touch;
        Canceld__V1__Get get;
        Canceld__V1__Ping ping;
    } as;

    Canceld__V1__Cause cause;
    uint8_t key[KEY_BYTES + 1];
} room[OPS_MAX];

static size_t room_used;

static ProtobufCBinaryData some_key(uint64_t *random)
{
    uint8_t *key = room[room_used].key;
    (void) snprintf((char *) key, KEY_BYTES + 1, "%016llx%016llx",
                    (unsigned long long) harness_random(random),
                    (unsigned long long) harness_random(random));
    return (ProtobufCBinaryData){.len = KEY_BYTES, .data = key};
}

static uint64_t some_gen(uint64_t *random)
{
    return (UINT64_C(7) << 40) + harness_random(random) % 10000000;
}

static void make_store(uint64_t *random, Canceld__V1__Op *op)
{
    Canceld__V1__Store *store = &room[room_used].as.store;
    canceld__v1__store__init(store);
    store->key = some_key(random);
    store->ttl_ms = 30000;
    op->op_case = CANCELD__V1__OP__OP_STORE;
    op->store = store;
}

static void make_delete(uint64_t *random, Canceld__V1__Op *op)
{
    Canceld__V1__Delete *delete = &room[room_used].as.delete;
    canceld__v1__delete__init(delete);
    delete->key = some_key(random);
    delete->gen = some_gen(random);
    delete->outcome = CANCELD__V1__OUTCOME__OUTCOME_COMPLETED;
    op->op_case = CANCELD__V1__OP__OP_DELETE;
    op->delete_ = delete;
}

static void make_cancel(uint64_t *random, Canceld__V1__Op *op)
{
    static uint8_t text[] = "closed by its user";
    Canceld__V1__Cancel *cancel = &room[room_used].as.cancel;
    canceld__v1__cancel__init(cancel);
    canceld__v1__cause__init(&room[room_used].cause);
    room[room_used].cause.code = CANCELD__V1__CAUSE_CODE__CAUSE_USER;
    room[room_used].cause.text = (ProtobufCBinaryData){.len = sizeof text - 1, .data = text};
    cancel->key = some_key(random);
    cancel->gen = some_gen(random);
    cancel->cause = &room[room_used].cause;
    op->op_case = CANCELD__V1__OP__OP_CANCEL;
    op->cancel = cancel;
}

static void make_touch(uint64_t *random, Canceld__V1__Op *op)
{
    Canceld__V1__Touch *touch = &room[room_used].as.touch;
    canceld__v1__touch__init(touch);
    touch->key = some_key(random);
    touch->gen = some_gen(random);
    touch->ttl_ms = 30000;
    op->op_case = CANCELD__V1__OP__OP_TOUCH;
    op->touch = touch;
}

static void make_get(uint64_t *random, Canceld__V1__Op *op)
{
    Canceld__V1__Get *get = &room[room_used].as.get;
    canceld__v1__get__init(get);
    get->key = some_key(random);
    op->op_case = CANCELD__V1__OP__OP_GET;
    op->get = get;
}

static void make_ping(uint64_t *random, Canceld__V1__Op *op)
{
    (void) random;
    Canceld__V1__Ping *ping = &room[room_used].as.ping;
    canceld__v1__ping__init(ping);
    op->op_case = CANCELD__V1__OP__OP_PING;
    op->ping = ping;
}

#define GEN ((UINT64_C(7) << 40) + 1234567)

static const struct gen_result requested[] = {
    {.gen = GEN, .answer = ANSWER_REQUESTED, .level = LEVEL_RECORDED}};
static const struct operation_info found[] = {
    {.space = {(const uint8_t *) "default", 7},
     .key = {(const uint8_t *) "0123456789abcdef0123456789abcdef", KEY_BYTES},
     .gen = GEN,
     .state = STATE_LIVE,
     .age_ms = 1234,
     .ttl_left_ms = 28766,
     .owner = UINT64_C(0x123456789abcdef0)}};

static const struct kind kinds[] = {
    {"store", make_store, {.answer = ANSWER_STORED, .gen = GEN}},
    {"delete", make_delete, {.answer = ANSWER_DELETED, .by_owner = true}},
    {"cancel",
     make_cancel,
     {.answer = ANSWER_REQUESTED, .level = LEVEL_RECORDED, .gens = requested, .gens_count = 1}},
    {"touch", make_touch, {.answer = ANSWER_TOUCHED, .by_owner = true}},
    {"get", make_get, {.answer = ANSWER_FOUND, .operations = found, .operations_count = 1}},
    {"ping", make_ping, {.answer = ANSWER_PONG}},
};

#define KINDS_COUNT (sizeof kinds / sizeof kinds[0])

static void make_ring(struct ring *ring, const struct kind *kind, size_t ops_count,
                      uint64_t *random)
{
    Canceld__V1__Op ops[OPS_MAX];
    Canceld__V1__Op *list[OPS_MAX];
    const uint64_t session = harness_random(random);
    for (size_t i = 0; i < RING; i++) {
        for (room_used = 0; room_used < ops_count; room_used++) {
            canceld__v1__op__init(&ops[room_used]);
            kind->make(random, &ops[room_used]);
            list[room_used] = &ops[room_used];
        }
        Canceld__V1__Frame frame;
        canceld__v1__frame__init(&frame);
        frame.version = 1;
        frame.session = session;
        frame.request_id = 100000 + i;
        frame.answered_below = 100000 + i - 3;
        frame.ops = list;
        frame.n_ops = ops_count;
        ring->sizes[i] = canceld__v1__frame__get_packed_size(&frame);
        ring->op_sizes[i] = canceld__v1__op__get_packed_size(list[0]);
        if (ring->sizes[i] > FRAME_ROOM || ring->op_sizes[i] > OP_ROOM) {
            abort();
        }
        canceld__v1__frame__pack(&frame, ring->bytes[i]);
        canceld__v1__op__pack(list[0], ring->ops[i]);
    }
}

/* ---- what is measured: each goes round the ring once and gives a number that depends on all ---- */

struct bench {
    struct codec *codec;
    const struct kind *kind;
    size_t ops_count;
    struct ring ring;
    struct siphash_key hash_key;
    struct op_digest_key digest_key;
    uint64_t sum; /* so that nothing can be left out */
};

static void decode_with(struct bench *bench,
                        enum error_code (*decode)(struct codec *, struct bytes, struct frame *))
{
    for (size_t i = 0; i < RING; i++) {
        struct frame frame;
        const struct bytes body = bytes_of(bench->ring.bytes[i], bench->ring.sizes[i]);
        if (decode(bench->codec, body, &frame) != ERROR_UNSET) {
            abort();
        }
        bench->sum += frame.ops_digest + frame.ops[frame.ops_count - 1].key.size;
    }
}

static void decode_ours(struct bench *bench)
{
    decode_with(bench, codec_decode);
}

static void decode_general(struct bench *bench)
{
    decode_with(bench, codec_decode_general);
}

static void encode_with(struct bench *bench,
                        size_t (*put_head)(void *, const struct reply_head *, uint8_t *, size_t),
                        size_t (*put_result)(void *, const struct result *, uint8_t *, size_t))
{
    static uint8_t out[FRAME_BYTES_MAX];
    struct result result = bench->kind->result;
    for (size_t i = 0; i < RING; i++) {
        const struct reply_head head = {.session = UINT64_C(0x123456789abcdef0),
                                        .request_id = 100000 + i};
        size_t used = put_head(NULL, &head, out, sizeof out);
        for (size_t op = 0; op < bench->ops_count; op++) {
            result.gen += result.gen != 0 ? 1 : 0;
            used += put_result(NULL, &result, out + used, sizeof out - used);
        }
        bench->sum += used + out[used - 1];
    }
}

static void encode_ours(struct bench *bench)
{
    encode_with(bench, codec_head, codec_result);
}

static void encode_general(struct bench *bench)
{
    encode_with(bench, codec_head_general, codec_result_general);
}

/* Each op's bytes are hashed once: what the quick way does for each op that it reads. */
static void digest_ours(struct bench *bench)
{
    uint64_t digest = OP_DIGEST_START;
    for (size_t i = 0; i < RING; i++) {
        digest = op_digest_add(&bench->digest_key, digest,
                               bytes_of(bench->ring.ops[i], bench->ring.op_sizes[i]));
    }
    bench->sum += digest;
}

static void digest_with(struct bench *bench,
                        uint64_t (*hash)(const struct siphash_key *, struct bytes))
{
    uint64_t digest = 0;
    for (size_t i = 0; i < RING; i++) {
        digest += hash(&bench->hash_key, bytes_of(bench->ring.ops[i], bench->ring.op_sizes[i]));
        digest *= UINT64_C(0x9e3779b97f4a7c15);
    }
    bench->sum += digest;
}

static void digest_siphash13(struct bench *bench)
{
    digest_with(bench, siphash13);
}

static void digest_siphash24(struct bench *bench)
{
    digest_with(bench, siphash24);
}

/* ---- measuring and telling ---- */

static double slice_ns(struct bench *bench, void (*run)(struct bench *))
{
    const uint64_t begin_ns = slice_thread_cpu_ns();
    for (size_t done = 0; done < SLICE_FRAMES; done += RING) {
        run(bench);
    }
    const size_t rounds = (SLICE_FRAMES + RING - 1) / RING;
    return (double) (slice_thread_cpu_ns() - begin_ns) /
           (double) (rounds * RING * bench->ops_count);
}

static const struct {
    const char *verb;
    const char *peer;
    void (*run)(struct bench *);
} sides[] = {
    {"decode", "ours", decode_ours},
    {"decode", "protobuf-c", decode_general},
    {"encode", "ours", encode_ours},
    {"encode", "protobuf-c", encode_general},
    {"digest", "ours", digest_ours},
    {"digest", "siphash-1-3", digest_siphash13},
    {"digest", "siphash-2-4", digest_siphash24},
};

#define SIDES_COUNT (sizeof sides / sizeof sides[0])
#define SIDES_OF_FRAMES ((size_t) 4) /* the rest are the same in any frame */

static void tell(const struct harness *harness, const struct bench *bench, size_t side, double ns)
{
    char row[64];
    char note[64];
    (void) snprintf(row, sizeof row, "%s-%s%s", sides[side].verb, bench->kind->name,
                    bench->ops_count > 1 ? "-frame-32" : "");
    (void) snprintf(note, sizeof note, "a frame of %zu bytes", bench->ring.sizes[0]);
    if (harness_wants(harness, row) && harness_wants_peer(harness, sides[side].peer)) {
        harness_row(
            harness,
            &(struct harness_row){
                .row = row, .peer = sides[side].peer, .unit = "ns/op", .value = ns, .note = note});
    }
}

static void measure(const struct harness *harness, struct bench *bench)
{
    static struct samples samples[SIDES_COUNT];
    const size_t slices = (size_t) harness_pick(harness, 20, 200);
    for (size_t side = 0; side < SIDES_COUNT; side++) {
        samples_init(&samples[side]);
    }
    const size_t sides_count = bench->ops_count == 1 ? SIDES_COUNT : SIDES_OF_FRAMES;
    for (size_t slice = 0; slice < slices && !harness->list; slice++) {
        for (size_t side = 0; side < sides_count; side++) {
            samples_add(&samples[side], slice_ns(bench, sides[side].run));
        }
    }
    for (size_t side = 0; side < sides_count; side++) {
        tell(harness, bench, side, samples_median(&samples[side]));
    }
}

int main(int argc, char **argv)
{
    static struct bench bench;
    struct harness harness;
    harness_init(&harness, argc, argv, "codec");
    bench.hash_key = (struct siphash_key){.k0 = harness.seed, .k1 = ~harness.seed};
    op_digest_key_init(&bench.digest_key, &bench.hash_key);
    uint64_t random = harness.seed;
    bench.codec = codec_new(&bench.hash_key);
    if (bench.codec == NULL) {
        harness_fail("codec: no memory");
    }
    for (size_t i = 0; i < 2 * KINDS_COUNT; i++) {
        bench.kind = &kinds[i % KINDS_COUNT];
        bench.ops_count = i < KINDS_COUNT ? 1 : OPS_MAX;
        make_ring(&bench.ring, bench.kind, bench.ops_count, &random);
        harness_progress("codec: %s in frames of %zu", bench.kind->name, bench.ops_count);
        measure(&harness, &bench);
    }
    harness_progress("codec: done (%u)", (unsigned) (bench.sum % 10));
    codec_free(bench.codec);
    return harness_fini(&harness);
}
