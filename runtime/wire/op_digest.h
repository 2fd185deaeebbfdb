/* SPDX-License-Identifier: MIT */
/* A frame's digest of its ops: tells a request that came again from another under the same id. It is
 * kept beside each remembered answer, compared with, and never shown to anybody.
 *
 * What it promises: whoever does not know the key can make two lists of ops that differ and have the
 * same digest with a chance below 2^-50 a try, however he chooses them. This holds of any polynomial
 * with a secret point, and needs no belief in a cipher:
 *
 * An op is cut into blocks of 128 bytes, the last one shorter. To each 32-bit word of a block a secret
 * number of its own is added, words are multiplied by twos, and the block stands for the sum of the
 * products modulo the prime p = 2^61 - 1; the first block of an op adds the op's length times another
 * secret. The difference of two blocks that differ is a polynomial of degree 1 or 2 in the secrets,
 * and not a constant: they have the same sum for 2 keys in p at most. The digest is the polynomial of
 * all blocks in order, at a secret point. Lengths say where each op ends, and the degree how many
 * blocks there were. As a frame has at most 1,024 ops and 512 whole blocks, two lists that differ
 * meet in fewer than 2^11 of the points.
 *
 * The digest is of one process: it depends on the machine's byte order, and its key is random. */
#ifndef CANCELD_WIRE_OP_DIGEST_H
#define CANCELD_WIRE_OP_DIGEST_H

#include "base/bytes.h"
#include "base/siphash.h"

#include <stdint.h>

#define OP_DIGEST_BLOCK_BYTES ((size_t) 128)
#define OP_DIGEST_START UINT64_C(1) /* of no ops */

struct op_digest_key {
    uint64_t point;
    uint64_t length;
    uint64_t words[OP_DIGEST_BLOCK_BYTES / 4];
};

/* All of the key from a short one, which should be random. */
void op_digest_key_init(struct op_digest_key *key, const struct siphash_key *seed);

/* The digest of those before, and this op. */
uint64_t op_digest_add(const struct op_digest_key *key, uint64_t digest, struct bytes op);

#endif
