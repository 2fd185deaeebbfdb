/* SPDX-License-Identifier: MIT */
/* When numbers were given out: exact lately, coarser the further back, and never later than it was. */
#include "registry/plain.h"
#include "testing.h"

enum { MANY = 1000000, EACH = 3 }; /* numbers, and how many of them in a millisecond */

static struct births births;

static uint64_t ms_of(uint64_t number)
{
    return 5000 + number / EACH;
}

static void fill(uint64_t end)
{
    CHECK(births_init(&births));
    for (uint64_t number = 0; number < end; number++) {
        births_add(&births, number, ms_of(number));
    }
}

static void lately_it_is_exact(void)
{
    fill(60000);
    for (uint64_t number = 0; number < 60000; number++) {
        CHECK_EQ(births_of(&births, number), ms_of(number));
    }
    births_fini(&births);
}

static void far_back_it_is_near(void)
{
    fill(MANY);
    CHECK_LE(births.count, BIRTHS_MAX);
    uint64_t now_ms = ms_of(MANY - 1);
    uint64_t worst = 0;
    for (uint64_t number = 0; number < MANY; number++) {
        uint64_t said = births_of(&births, number);
        CHECK_LE(said, ms_of(number));
        uint64_t off_ms = ms_of(number) - said;
        uint64_t age_ms = now_ms - ms_of(number);
        CHECK_LE(off_ms * 2048, age_ms + 2048); /* or a millisecond */
        worst = off_ms > worst ? off_ms : worst;
    }
    CHECK_GT(worst, 0); /* some were left out */
    CHECK_EQ(births_of(&births, MANY - 1), now_ms);
    births_fini(&births);
}

static const struct test_case cases[] = {
    {"lately it is exact", lately_it_is_exact},
    {"far back it is near, and never too late", far_back_it_is_near},
};
TEST_MAIN(cases)
