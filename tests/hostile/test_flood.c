/* SPDX-License-Identifier: MIT */
/* Keys that somebody has chosen so that all of them fall into one bucket of the table. Who knew the key of the
 * hash could do so; it is random, so what was chosen for another one is as good as any. Both are shown: the
 * flood works where the key is known, or it would prove nothing. */
#include "registry/state.h"
#include "testing.h"
#include "unit/registry_rig.h"

#include <stdio.h>

/* Of the hash's low end, which chooses the bucket: all of what a table of so many has. */
#define BUCKET_BITS 12
#define KEYS_COUNT 3000
#define KEY_BYTES 12
/* A bucket of keys that nobody chose is as good as never longer. */
#define LINES_FAIR 4

static const struct siphash_key known_key = {1, 2}; /* the rig's registry has it */

/* The next number from here whose key falls into bucket 0 under that hash key. */
static uint64_t next_number(const struct siphash_key *hash_key, uint64_t number,
                            char key[KEY_BYTES + 1])
{
    const uint64_t mask = (UINT64_C(1) << BUCKET_BITS) - 1;
    do {
        (void) snprintf(key, KEY_BYTES + 1, "k%011llu", (unsigned long long) ++number);
    } while ((siphash13(hash_key, bytes_of(key, KEY_BYTES)) & mask) != 0);
    return number;
}

/* The most lines that a bucket ever had, once so many chosen keys are stored. */
static uint32_t lines_after_a_flood(const struct siphash_key *hash_key)
{
    struct rig rig;
    rig_init(&rig, NULL, 1);
    const uint64_t session = rig_open(&rig, 1, 0);
    char key[KEY_BYTES + 1];
    uint64_t number = 0;
    for (size_t i = 0; i < KEYS_COUNT; i++) {
        number = next_number(hash_key, number, key);
        const struct seen seen = rig_do_quickly(&rig, session, rig_store(key, POLICY_REJECT));
        CHECK_EQ(seen.answer, ANSWER_STORED);
    }
    registry_check(rig.registry);
    const uint32_t lines = rig.registry->by_key.lines_most;
    rig_fini(&rig);
    return lines;
}

static void keys_that_flood_a_known_hash_do_not_flood_a_secret_one(void)
{
    const uint64_t seed = test_seed();
    const struct siphash_key other_key = {seed, ~seed};
    const uint32_t flooded = lines_after_a_flood(&known_key);
    const uint32_t fair = lines_after_a_flood(&other_key);
    (void) printf(
        "%d keys of one bucket: %u lines where the hash's key is known, %u where it is not\n",
        KEYS_COUNT, flooded, fair);
    CHECK_GT(flooded, 10 * LINES_FAIR);
    CHECK_LE(fair, LINES_FAIR);
}

static const struct test_case cases[] = {
    {"keys that flood a known hash do not flood a secret one",
     keys_that_flood_a_known_hash_do_not_flood_a_secret_one, 0},
};
TEST_MAIN(cases)
