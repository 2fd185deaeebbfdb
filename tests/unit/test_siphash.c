/* SPDX-License-Identifier: MIT */
/* SipHash against the vectors of its authors, and against a second reading of their paper. */
#include "base/siphash.h"
#include "support/testing.h"

/* The key is 00 01 .. 0f. */
static const struct siphash_key counting_key = {UINT64_C(0x0706050403020100),
                                                UINT64_C(0x0f0e0d0c0b0a0908)};

/* SipHash-2-4 of 0, 1, .. n - 1, for n from 0 to 63: vectors_sip64 of the reference implementation, as
 * little-endian words. */
static const uint64_t siphash24_vectors[64] = {
    0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d,
    0xcf2794e0277187b7, 0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137,
    0x93f5f5799a932462, 0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
    0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee, 0xa129ca6149be45e5,
    0x3f2acc7f57c29bdb, 0x699ae9f52cbe4794, 0x4bc1b3f0968dd39c, 0xbb6dc91da77961bd,
    0xbed65cf21aa2ee98, 0xd0f2cbb02e3b67c7, 0x93536795e3a33e88, 0xa80c038ccd5ccec8,
    0xb8ad50c6f649af94, 0xbce192de8a85b8ea, 0x17d835b85bbb15f3, 0x2f2e6163076bcfad,
    0xde4daaaca71dc9a5, 0xa6a2506687956571, 0xad87a3535c49ef28, 0x32d892fad841c342,
    0x7127512f72f27cce, 0xa7f32346f95978e3, 0x12e0b01abb051238, 0x15e034d40fa197ae,
    0x314dffbe0815a3b4, 0x027990f029623981, 0xcadcd4e59ef40c4d, 0x9abfd8766a33735c,
    0x0e3ea96b5304a7d0, 0xad0c42d6fc585992, 0x187306c89bc215a9, 0xd4a60abcf3792b95,
    0xf935451de4f21df2, 0xa9538f0419755787, 0xdb9acddff56ca510, 0xd06c98cd5c0975eb,
    0xe612a3cb9ecba951, 0xc766e62cfcadaf96, 0xee64435a9752fe72, 0xa192d576b245165a,
    0x0a8787bf8ecb74b2, 0x81b3e73d20b49b6f, 0x7fa8220ba3b2ecea, 0x245731c13ca42499,
    0xb78dbfaf3a8d83bd, 0xea1ad565322a1a0b, 0x60e61c23a3795013, 0x6606d7e446282b93,
    0x6ca4ecb15c5f91e1, 0x9f626da15c9625f3, 0xe51b38608ef25f57, 0x958a324ceb064572,
};

static void siphash24_gives_the_vectors_of_its_authors(void)
{
    uint8_t input[64];
    for (size_t size = 0; size < 64; size++) {
        input[size] = (uint8_t) size;
        CHECK(siphash24(&counting_key, bytes_of(input, size)) == siphash24_vectors[size]);
    }
}

/* SipHash-1-3, written down once more, a word and a round at a time. */
static void slow_round(uint64_t v[4])
{
    static const struct {
        unsigned to, from, turn;
    } steps[] = {{0, 1, 13}, {2, 3, 16}, {0, 3, 21}, {2, 1, 17}};
    for (unsigned i = 0; i < 4; i++) {
        uint64_t *a = &v[steps[i].to];
        uint64_t *b = &v[steps[i].from];
        *a += *b;
        *b = ((*b << steps[i].turn) | (*b >> (64 - steps[i].turn))) ^ *a;
        if (i == 0 || i == 3) {
            *a = (*a << 32) | (*a >> 32);
        }
    }
}

static uint64_t slow_siphash13(const struct siphash_key *key, const uint8_t *input, size_t size)
{
    static const char constant[] = "somepseudorandomlygeneratedbytes";
    uint64_t v[4] = {0};
    for (unsigned i = 0; i < 32; i++) {
        v[i / 8] = v[i / 8] << 8 | (uint8_t) constant[i];
    }
    for (unsigned i = 0; i < 4; i++) {
        v[i] ^= i % 2 == 0 ? key->k0 : key->k1;
    }
    for (size_t at = 0; at <= size; at += 8) {
        uint64_t word = 0;
        for (size_t i = 0; i < 8; i++) {
            uint64_t byte = at + i < size ? input[at + i] : 0;
            word |= byte << (8 * i);
        }
        word |= at + 8 > size ? (uint64_t) size << 56 : 0;
        v[3] ^= word;
        slow_round(v);
        v[0] ^= word;
    }
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++) {
        slow_round(v);
    }
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static void siphash13_is_what_a_second_reading_of_the_paper_says(void)
{
    uint64_t random = test_seed();
    uint8_t input[300];
    for (size_t i = 0; i < TEST_SCALE(20000); i++) {
        struct siphash_key key = {test_random(&random), test_random(&random)};
        size_t size = (size_t) (test_random(&random) % sizeof input);
        for (size_t j = 0; j < size; j++) {
            input[j] = (uint8_t) test_random(&random);
        }
        CHECK(siphash13(&key, bytes_of(input, size)) == slow_siphash13(&key, input, size));
    }
}

static void siphash_depends_on_each_bit_of_key_and_input(void)
{
    uint8_t input[24] = {0};
    uint64_t plain = siphash13(&counting_key, bytes_of(input, sizeof input));
    for (size_t bit = 0; bit < 8 * sizeof input; bit++) {
        input[bit / 8] ^= (uint8_t) (1U << (bit % 8));
        CHECK(siphash13(&counting_key, bytes_of(input, sizeof input)) != plain);
        input[bit / 8] ^= (uint8_t) (1U << (bit % 8));
    }
    for (unsigned bit = 0; bit < 128; bit++) {
        struct siphash_key key = counting_key;
        *(bit < 64 ? &key.k0 : &key.k1) ^= UINT64_C(1) << (bit % 64);
        CHECK(siphash13(&key, bytes_of(input, sizeof input)) != plain);
    }
}

static const struct test_case cases[] = {
    {"siphash24 gives the vectors of its authors", siphash24_gives_the_vectors_of_its_authors, 0},
    {"siphash13 is what a second reading of the paper says",
     siphash13_is_what_a_second_reading_of_the_paper_says, 0},
    {"siphash depends on each bit of key and input", siphash_depends_on_each_bit_of_key_and_input,
     0},
};

TEST_MAIN(cases)
