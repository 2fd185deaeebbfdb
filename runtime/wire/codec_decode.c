/* SPDX-License-Identifier: MIT */
/* A request has two ways in. Nearly all take the quick one: frame_reader.c fills the registry's
 * structs in one pass over the bytes. What it does not take goes the general way, whose word counts:
 * first a scan of the top level, which costs no memory and finds what has to be refused or echoed;
 * then protobuf-c's decoder, whose every allocation comes from the arena; then one flat struct op
 * for each of its trees (codec_op.c).
 *
 * protobuf-c can make 70 bytes of memory from one byte of a hostile message. So the arena's bound
 * is in proportion to the message, with an allowance for each op and for the long list that an op
 * alone can bring: no frame within the contract's limits can exceed it, however small its ops are,
 * and none at all can exceed the block. The op's allowance is mostly one thing: where a message has
 * more than 16 fields on the wire, as a store with its labels has, protobuf-c notes the next 32 of
 * them in a kilobyte of its own. */
#include "wire/codec.h"

#include "wire/arena.h"
#include "wire/codec_general.h"
#include "wire/codec_op.h"
#include "wire/frame_reader.h"
#include "wire/prescan.h"

#include "canceld.pb-c.h"

#include <stdlib.h>

#define PROTOCOL_VERSION 1

struct codec {
    struct arena arena;
    struct op_digest_key digest_key;
    ProtobufCAllocator allocator; /* of the arena */
    uint64_t answered[FRAME_ANSWERED_MAX];
    struct op ops[FRAME_OPS_MAX];
};

/* ---- the frame ---- */

static void *take_memory(void *data, size_t bytes)
{
    return arena_take(data, bytes);
}

static void give_memory(void *data, void *memory)
{
    (void) data;
    (void) memory; /* the arena takes back all at once */
}

/* Where the scan says that a frame is within the contract, this is enough to decode it. */
static size_t cost_max(size_t body_bytes, const struct prescan *prescan)
{
    return DECODE_BYTES_BASE + DECODE_BYTES_FACTOR * body_bytes +
           DECODE_OP_BYTES * prescan->ops_count +
           (prescan->ops_count == 1 ? DECODE_ACK_BYTES * (size_t) POLL_ACKS_MAX : 0);
}

static enum error_code decode_body(struct codec *codec, struct bytes body,
                                   const struct prescan *prescan, struct frame *frame)
{
    const Canceld__V1__Frame *from =
        canceld__v1__frame__unpack(&codec->allocator, body.size, body.data);
    if (from == NULL) {
        return codec->arena.exhausted ? ERROR_TOO_COMPLEX : ERROR_MALFORMED;
    }
    if (from->n_ops != prescan->ops_count || from->n_answered != prescan->answered_count) {
        return ERROR_MALFORMED; /* two readers who do not agree on what it says */
    }
    for (size_t i = 0; i < from->n_ops; i++) {
        if (!codec_op(&codec->arena, from->ops[i], &codec->ops[i])) {
            return ERROR_TOO_COMPLEX;
        }
    }
    frame->answered_below = from->answered_below;
    frame->secret = bytes_of(from->secret.data, from->secret.len);
    frame->answered = from->answered;
    frame->answered_count = from->n_answered;
    frame->ops = codec->ops;
    frame->ops_count = from->n_ops;
    return ERROR_UNSET;
}

enum error_code codec_decode_general(struct codec *codec, struct bytes body,
                                     struct frame *frame_out)
{
    struct prescan prescan;
    if (body.size == 0) {
        body = bytes_of("", 0); /* an address that the decoder may look at */
    }
    const bool sound = prescan_frame(body, &codec->digest_key, &prescan);
    *frame_out = (struct frame){.version = prescan.version,
                                .session = prescan.session,
                                .request_id = prescan.request_id,
                                .ops_digest = prescan.ops_digest,
                                .holds_secret = true /* perhaps: this way is rare */};
    if (!sound) {
        return ERROR_MALFORMED;
    }
    if (prescan.version != PROTOCOL_VERSION) {
        return ERROR_UNSET;
    }
    if (prescan.ops_count > FRAME_OPS_MAX) {
        return ERROR_OP_COUNT;
    }
    if (prescan.answered_count > FRAME_ANSWERED_MAX) {
        return ERROR_ANSWERED;
    }
    arena_begin(&codec->arena, cost_max(body.size, &prescan));
    return decode_body(codec, body, &prescan, frame_out);
}

bool codec_decode_quick(struct codec *codec, struct bytes body, struct frame *frame_out)
{
    const struct frame_room room = {
        .arena = &codec->arena, .ops = codec->ops, .answered = codec->answered};
    arena_begin(&codec->arena, DECODE_BYTES_MAX);
    return frame_read(body, &codec->digest_key, &room, frame_out);
}

enum error_code codec_decode(struct codec *codec, struct bytes body, struct frame *frame_out)
{
    return codec_decode_quick(codec, body, frame_out)
               ? ERROR_UNSET
               : codec_decode_general(codec, body, frame_out);
}

void codec_forget(struct codec *codec)
{
    arena_wipe(&codec->arena);
}

/* ---- life ---- */

struct codec *codec_new(const struct siphash_key *digest_key)
{
    struct codec *codec = malloc(sizeof *codec);
    if (codec == NULL) {
        return NULL;
    }
    if (!arena_init(&codec->arena, DECODE_BYTES_MAX)) {
        free(codec);
        return NULL;
    }
    op_digest_key_init(&codec->digest_key, digest_key);
    codec->allocator = (ProtobufCAllocator){
        .alloc = take_memory, .free = give_memory, .allocator_data = &codec->arena};
    return codec;
}

void codec_free(struct codec *codec)
{
    if (codec == NULL) {
        return;
    }
    arena_fini(&codec->arena);
    free(codec);
}
