/* SPDX-License-Identifier: MIT */
/* A first look over the top level of a request frame: what a refusal has to echo, how much it
 * holds, and the digest of its ops. It allocates nothing and takes time in proportion to the bytes,
 * so a frame that would be costly to decode is known before anybody begins. */
#ifndef CANCELD_WIRE_PRESCAN_H
#define CANCELD_WIRE_PRESCAN_H

#include "base/bytes.h"
#include "base/check.h"
#include "wire/op_digest.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct prescan {
    uint32_t version;
    uint64_t session;
    uint64_t request_id;
    size_t answered_count;
    size_t ops_count;
    uint64_t ops_digest; /* of the bytes of each op, in order, and of nothing else */
};

/* False where the bytes are no frame; *prescan_out then holds what was read before the fault. */
MUST_CHECK bool prescan_frame(struct bytes body, const struct op_digest_key *digest_key,
                              struct prescan *prescan_out);

#endif
