/* SPDX-License-Identifier: MIT */
/* The quick way into a request: one pass over its bytes, which fills the registry's structs without
 * a tree between. It is for frames as clients make them: each field once, in any order, in the
 * shortest form, none unknown, within the bounds of the contract. Of any other it says that it is
 * not its own, and protobuf-c decides what such bytes mean (codec_general.h). So it refuses nothing,
 * and what it does read is just what protobuf-c would have made of it. */
#ifndef CANCELD_WIRE_FRAME_READER_H
#define CANCELD_WIRE_FRAME_READER_H

#include "base/check.h"
#include "registry/frame.h"
#include "wire/arena.h"
#include "wire/op_digest.h"

#include <stdbool.h>
#include <stdint.h>

/* Where a frame is put. */
struct frame_room {
    struct arena *arena; /* for lists of labels and acks */
    struct op *ops;      /* FRAME_OPS_MAX */
    uint64_t *answered;  /* FRAME_ANSWERED_MAX */
};

/* True: *frame_out is the frame, whose bytes are borrowed from `body`, and the rest from the room.
 * False: not its own; what is in the room and in *frame_out means nothing then. */
MUST_CHECK bool frame_read(struct bytes body, const struct op_digest_key *digest_key,
                           const struct frame_room *room, struct frame *frame_out);

#endif
