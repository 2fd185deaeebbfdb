/* SPDX-License-Identifier: MIT */
#include "base/siphash.h"

#include <endian.h>

struct sip_state {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate_left(uint64_t x, unsigned bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static inline void sip_rounds(struct sip_state *s, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        s->v0 += s->v1;
        s->v1 = rotate_left(s->v1, 13) ^ s->v0;
        s->v0 = rotate_left(s->v0, 32);
        s->v2 += s->v3;
        s->v3 = rotate_left(s->v3, 16) ^ s->v2;
        s->v0 += s->v3;
        s->v3 = rotate_left(s->v3, 21) ^ s->v0;
        s->v2 += s->v1;
        s->v1 = rotate_left(s->v1, 17) ^ s->v2;
        s->v2 = rotate_left(s->v2, 32);
    }
}

/* Little endian, so the result is the same on every machine. */
static inline uint64_t load_word(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return le64toh(word);
}

/* The last bytes, fewer than 8. Where there is a whole word before the end they are its upper part:
 * one load instead of a loop. */
static inline uint64_t load_end(struct bytes input, size_t count)
{
    if (input.size >= 8) {
        return load_word(input.data + input.size - 8) >> (8 * (8 - count));
    }
    uint64_t word = 0;
    for (size_t i = 0; i < count; i++) {
        word |= (uint64_t) input.data[i] << (8 * i);
    }
    return word;
}

static inline uint64_t siphash(const struct siphash_key *key, struct bytes input,
                               unsigned compressions, unsigned finals)
{
    struct sip_state s = {
        .v0 = key->k0 ^ UINT64_C(0x736f6d6570736575),
        .v1 = key->k1 ^ UINT64_C(0x646f72616e646f6d),
        .v2 = key->k0 ^ UINT64_C(0x6c7967656e657261),
        .v3 = key->k1 ^ UINT64_C(0x7465646279746573),
    };
    size_t whole = input.size & ~(size_t) 7;
    for (size_t i = 0; i < whole; i += 8) {
        uint64_t word = load_word(input.data + i);
        s.v3 ^= word;
        sip_rounds(&s, compressions);
        s.v0 ^= word;
    }
    uint64_t last = (uint64_t) input.size << 56;
    if (whole < input.size) {
        last |= load_end(input, input.size - whole);
    }
    s.v3 ^= last;
    sip_rounds(&s, compressions);
    s.v0 ^= last;
    s.v2 ^= 0xff;
    sip_rounds(&s, finals);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

uint64_t siphash13(const struct siphash_key *key, struct bytes input)
{
    return siphash(key, input, 1, 3);
}

uint64_t siphash24(const struct siphash_key *key, struct bytes input)
{
    return siphash(key, input, 2, 4);
}
