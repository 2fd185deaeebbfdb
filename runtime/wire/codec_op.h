/* SPDX-License-Identifier: MIT */
/* One op of a request: from protobuf-c's tree to the flat struct that the registry takes. */
#ifndef CANCELD_WIRE_CODEC_OP_H
#define CANCELD_WIRE_CODEC_OP_H

#include "base/check.h"
#include "registry/frame.h"
#include "wire/arena.h"

#include "canceld.pb-c.h"

#include <stdbool.h>

/* *op_out borrows from `from` and from the arena. False: the arena is exhausted. */
MUST_CHECK bool codec_op(struct arena *arena, const Canceld__V1__Op *from, struct op *op_out);

#endif
