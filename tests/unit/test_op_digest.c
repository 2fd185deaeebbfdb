/* SPDX-License-Identifier: MIT */
#include "testing.h"
#include "wire/op_digest.h"

#include <string.h>

/* The same for machines without numbers of 128 bits. */
void portable_key_init(struct op_digest_key *key, const struct siphash_key *seed);
uint64_t portable_add(const struct op_digest_key *key, uint64_t digest, struct bytes op);
#undef __SIZEOF_INT128__
#define op_digest_key_init portable_key_init
#define op_digest_add portable_add
#include "wire/op_digest.c" // NOLINT(bugprone-suspicious-include)
#undef op_digest_key_init
#undef op_digest_add

#define BYTES_MAX ((size_t) 1100)

static struct op_digest_key key_of(uint64_t number)
{
    struct op_digest_key key;
    op_digest_key_init(&key, &(struct siphash_key){.k0 = number, .k1 = 11});
    return key;
}

static uint64_t digest_of(const struct op_digest_key *key, const void *data, size_t size)
{
    return op_digest_add(key, OP_DIGEST_START, bytes_of(data, size));
}

/* Sizes on both sides of where a pair of words and a block end. */
static const size_t sizes[] = {1,  2,  3,   4,   5,   7,   8,   9,   15,  16,  17,
                               31, 63, 127, 128, 129, 131, 135, 136, 256, 257, BYTES_MAX};

#define SIZES_COUNT (sizeof sizes / sizeof sizes[0])

static void every_bit_counts(void)
{
    static uint8_t bytes[BYTES_MAX];
    const struct op_digest_key key = key_of(7);
    for (size_t i = 0; i < SIZES_COUNT; i++) {
        const uint64_t digest = digest_of(&key, bytes, sizes[i]);
        for (size_t bit = 0; bit < sizes[i] * 8; bit++) {
            bytes[bit / 8] ^= (uint8_t) (1U << bit % 8);
            CHECK(digest_of(&key, bytes, sizes[i]) != digest);
            bytes[bit / 8] ^= (uint8_t) (1U << bit % 8);
        }
        CHECK(digest_of(&key, bytes, sizes[i]) == digest);
    }
}

static void every_length_counts(void)
{
    static const uint8_t zeroes[BYTES_MAX];
    static uint64_t digests[BYTES_MAX];
    const struct op_digest_key key = key_of(7);
    for (size_t size = 0; size < BYTES_MAX; size++) {
        digests[size] = digest_of(&key, zeroes, size);
        CHECK(digests[size] != OP_DIGEST_START);
        for (size_t other = 0; other < size; other++) {
            CHECK(digests[size] != digests[other]);
        }
    }
}

/* The same bytes, cut into ops at every two places, empty ops among them. */
static void every_boundary_counts(void)
{
    enum { SIZE = 20, CUTS = (SIZE + 1) * (SIZE + 2) / 2 };
    static const uint8_t zeroes[SIZE];
    uint64_t digests[CUTS];
    size_t count = 0;
    const struct op_digest_key key = key_of(7);
    for (size_t first = 0; first <= SIZE; first++) {
        for (size_t second = first; second <= SIZE; second++) {
            uint64_t digest = digest_of(&key, zeroes, first);
            digest = op_digest_add(&key, digest, bytes_of(zeroes + first, second - first));
            digest = op_digest_add(&key, digest, bytes_of(zeroes + second, SIZE - second));
            digests[count++] = digest;
        }
    }
    CHECK_EQ(count, CUTS);
    for (size_t i = 0; i < count; i++) {
        for (size_t other = 0; other < i; other++) {
            CHECK(digests[i] != digests[other]);
        }
    }
}

static void the_order_counts(void)
{
    const struct op_digest_key key = key_of(7);
    const struct bytes a = bytes_of_string("first");
    const struct bytes b = bytes_of_string("later");
    const uint64_t ab = op_digest_add(&key, op_digest_add(&key, OP_DIGEST_START, a), b);
    const uint64_t ba = op_digest_add(&key, op_digest_add(&key, OP_DIGEST_START, b), a);
    CHECK(ab != ba);
}

static void the_key_counts(void)
{
    static const uint8_t bytes[BYTES_MAX] = {1, 2, 3};
    const struct op_digest_key one = key_of(7);
    const struct op_digest_key other = key_of(8);
    for (size_t i = 0; i < SIZES_COUNT; i++) {
        CHECK(digest_of(&one, bytes, sizes[i]) != digest_of(&other, bytes, sizes[i]));
    }
    for (size_t i = 0; i + 1 < sizeof one.words / sizeof one.words[0]; i++) {
        CHECK(one.words[i] != one.words[i + 1] && one.words[i] != other.words[i]);
        CHECK(one.words[i] < UINT64_C(1) << 61);
    }
}

static void where_it_stands_does_not_count(void)
{
    static uint8_t bytes[BYTES_MAX + 8];
    uint64_t random = test_seed();
    const struct op_digest_key key = key_of(7);
    for (size_t i = 0; i < SIZES_COUNT; i++) {
        for (size_t k = 0; k < sizes[i]; k++) {
            bytes[k] = (uint8_t) test_random(&random);
        }
        const uint64_t digest = digest_of(&key, bytes, sizes[i]);
        for (size_t shift = 1; shift <= 8; shift++) {
            memmove(bytes + shift, bytes + shift - 1, sizes[i]);
            CHECK(digest_of(&key, bytes + shift, sizes[i]) == digest);
        }
    }
}

static void without_wide_numbers_it_is_the_same(void)
{
    static uint8_t bytes[BYTES_MAX];
    uint64_t random = test_seed();
    const struct siphash_key seed = {.k0 = test_random(&random), .k1 = test_random(&random)};
    struct op_digest_key wide;
    struct op_digest_key narrow;
    op_digest_key_init(&wide, &seed);
    portable_key_init(&narrow, &seed);
    CHECK_BYTES_EQ(&wide, sizeof wide, &narrow, sizeof narrow);
    for (size_t round = 0; round < 2000; round++) {
        const size_t size = (size_t) (test_random(&random) % BYTES_MAX);
        for (size_t i = 0; i < size; i++) {
            /* All bits set now and then: that is where carries are. */
            bytes[i] = round % 2 == 0 ? 0xff : (uint8_t) test_random(&random);
        }
        CHECK(op_digest_add(&wide, round, bytes_of(bytes, size)) ==
              portable_add(&narrow, round, bytes_of(bytes, size)));
    }
}

/* ---- the polynomial, step by step ---- */

static uint64_t sum_of(uint64_t a, uint64_t b)
{
    return (a % PRIME + b % PRIME) % PRIME;
}

static uint64_t product_of(uint64_t a, uint64_t b)
{
    uint64_t product = 0;
    for (a %= PRIME; b > 0; b >>= 1, a = sum_of(a, a)) {
        product = b % 2 == 1 ? sum_of(product, a) : product;
    }
    return product;
}

static uint64_t plain_add(const struct op_digest_key *key, uint64_t digest, struct bytes op)
{
    uint64_t block = product_of(op.size, key->length);
    for (size_t at = 0, i = 0; at < op.size; at += 8, i += 2) {
        if (at > 0 && at % OP_DIGEST_BLOCK_BYTES == 0) {
            digest = product_of(sum_of(digest, block), key->point);
            block = 0;
            i = 0;
        }
        const uint64_t pair = at + 8 <= op.size ? load_pair(op.data + at) : load_end(op);
        block = sum_of(block, product_of(sum_of((uint32_t) pair, key->words[i]),
                                         sum_of(pair >> 32, key->words[i + 1])));
    }
    return product_of(sum_of(digest, block), key->point);
}

static void it_is_the_polynomial(void)
{
    static uint8_t bytes[BYTES_MAX];
    uint64_t random = test_seed();
    const struct op_digest_key key = key_of(test_random(&random));
    uint64_t digest = OP_DIGEST_START;
    uint64_t plain = OP_DIGEST_START;
    for (size_t round = 0; round < 2000; round++) {
        const size_t size = (size_t) (test_random(&random) % BYTES_MAX);
        for (size_t i = 0; i < size; i++) {
            bytes[i] = round % 2 == 0 ? 0xff : (uint8_t) test_random(&random);
        }
        digest = op_digest_add(&key, digest, bytes_of(bytes, size));
        plain = plain_add(&key, plain, bytes_of(bytes, size));
        CHECK(digest % PRIME == plain);
    }
}

static const struct test_case cases[] = {
    {"the digest is the polynomial that its header tells of", it_is_the_polynomial, 0},
    {"every bit of an op counts", every_bit_counts, 0},
    {"every length of an op counts", every_length_counts, 0},
    {"where one op ends and the next begins counts", every_boundary_counts, 0},
    {"the order of ops counts", the_order_counts, 0},
    {"the key counts", the_key_counts, 0},
    {"where an op stands in memory does not count", where_it_stands_does_not_count, 0},
    {"without numbers of 128 bits the digest is the same", without_wide_numbers_it_is_the_same, 0},
};

TEST_MAIN(cases)
