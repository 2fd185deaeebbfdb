/* SPDX-License-Identifier: MIT */
#include "wire/op_digest.h"

#define PRIME ((UINT64_C(1) << 61) - 1)
#define PAIR_BYTES ((size_t) 8) /* two words, taken with one load */

/* A number of 128 bits. */
struct wide {
    uint64_t low;
    uint64_t high;
};

static inline struct wide wide_product(uint64_t a, uint64_t b)
{
#ifdef __SIZEOF_INT128__
    __extension__ const unsigned __int128 product = (unsigned __int128) a * b;
    return (struct wide){.low = (uint64_t) product, .high = (uint64_t) (product >> 64)};
#else
    const uint64_t a_low = (uint32_t) a;
    const uint64_t b_low = (uint32_t) b;
    const uint64_t low = a_low * b_low;
    const uint64_t cross = (a >> 32) * b_low + (low >> 32);
    const uint64_t other = a_low * (b >> 32) + (uint32_t) cross;
    return (struct wide){.low = other << 32 | (uint32_t) low,
                         .high = (a >> 32) * (b >> 32) + (cross >> 32) + (other >> 32)};
#endif
}

static inline struct wide wide_sum(struct wide a, struct wide b)
{
    const uint64_t low = a.low + b.low;
    return (struct wide){.low = low, .high = a.high + b.high + (low < a.low ? 1 : 0)};
}

/* The same number modulo the prime, though not the least one: below 2^62 + 64. 2^61 is 1 here, so the
 * number is the sum of its digits of 61 bits. */
static inline uint64_t fold(struct wide number)
{
    return (number.low & PRIME) + ((number.low >> 61 | number.high << 3) & PRIME) +
           (number.high >> 58);
}

/* A digest is below 2^61 + 2, so its product with the point is below 2^125. */
static inline uint64_t add_block(const struct op_digest_key *key, uint64_t digest, struct wide sum)
{
    const uint64_t folded = fold(wide_product(digest + fold(sum), key->point));
    return (folded & PRIME) + (folded >> 61);
}

/* A factor is below 2^61 + 2^32, so 16 products and a length's are below 2^127. */
static inline struct wide add_pair(struct wide sum, uint64_t pair, const uint64_t *words)
{
    return wide_sum(sum, wide_product((uint32_t) pair + words[0], (pair >> 32) + words[1]));
}

static inline uint64_t load_pair(const uint8_t *at)
{
    uint64_t pair;
    memcpy(&pair, at, sizeof pair);
    return pair;
}

static inline uint64_t load_word(const uint8_t *at)
{
    uint32_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

/* The end of an op that is no whole pair. Where there is room, bytes are taken twice rather than one
 * at a time: of two ops of the same length the words differ where the ops do. */
static inline uint64_t load_end(struct bytes op)
{
    if (op.size >= 8) {
        return load_pair(op.data + op.size - 8);
    }
    if (op.size >= 4) {
        return load_word(op.data) | load_word(op.data + op.size - 4) << 32;
    }
    return op.data[0] | (uint64_t) op.data[op.size / 2] << 8 |
           (uint64_t) op.data[op.size - 1] << 16;
}

uint64_t op_digest_add(const struct op_digest_key *key, uint64_t digest, struct bytes op)
{
    struct wide sum = wide_product(op.size, key->length);
    const uint8_t *at = op.data;
    size_t left = op.size;
    for (; left > OP_DIGEST_BLOCK_BYTES; left -= OP_DIGEST_BLOCK_BYTES) {
        for (size_t i = 0; i < OP_DIGEST_BLOCK_BYTES / 4; i += 2, at += PAIR_BYTES) {
            sum = add_pair(sum, load_pair(at), &key->words[i]);
        }
        digest = add_block(key, digest, sum);
        sum = (struct wide){0};
    }
    size_t i = 0;
    for (; left >= PAIR_BYTES; left -= PAIR_BYTES, at += PAIR_BYTES, i += 2) {
        sum = add_pair(sum, load_pair(at), &key->words[i]);
    }
    if (left > 0) {
        sum = add_pair(sum, load_end(op), &key->words[i]);
    }
    return add_block(key, digest, sum);
}

void op_digest_key_init(struct op_digest_key *key, const struct siphash_key *seed)
{
    uint64_t *const numbers[] = {&key->point, &key->length};
    const size_t words_count = sizeof key->words / sizeof key->words[0];
    for (uint64_t i = 0; i < 2 + words_count; i++) {
        uint64_t *number = i < 2 ? numbers[i] : &key->words[i - 2];
        *number = siphash24(seed, bytes_of(&i, sizeof i)) & PRIME;
    }
}
