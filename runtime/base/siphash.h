/* SPDX-License-Identifier: MIT */
/* SipHash-1-3 and SipHash-2-4 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012).
 * Keyed, so that a peer who chooses the keys cannot choose the collisions. */
#ifndef CANCELD_BASE_SIPHASH_H
#define CANCELD_BASE_SIPHASH_H

#include "base/bytes.h"

struct siphash_key {
    uint64_t k0;
    uint64_t k1;
};

/* One compression round, three at the end: for hash tables. */
uint64_t siphash13(const struct siphash_key *key, struct bytes input);

/* Two and four: where the output itself must not be guessable. */
uint64_t siphash24(const struct siphash_key *key, struct bytes input);

#endif
