/* SPDX-License-Identifier: MIT */
/* Address space without memory, and memory in parts of it; what test_base asks of a region_init() is
 * not asked again. */
#include "base/region.h"
#include "support/data_limit.h"
#include "support/testing.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char *at(const struct region *region, size_t offset)
{
    return (char *) region->base + offset;
}

/* The system says whether a byte may be read, without a signal. */
static bool is_usable(const struct region *region, size_t offset)
{
    int pipe_ends[2];
    CHECK_EQ(pipe(pipe_ends), 0);
    ssize_t written = write(pipe_ends[1], at(region, offset), 1);
    bool refused = written < 0 && errno == EFAULT;
    CHECK(refused || written == 1);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    return !refused;
}

static void reserved_space_is_no_memory(void)
{
    TEST_NEEDS_LIMITS
    struct region region;
    CHECK(region_reserve(&region, 16 * REGION_GRAIN - 1));
    CHECK_EQ(region.size, 16 * REGION_GRAIN);
    CHECK(!is_usable(&region, 0));
    CHECK(region_commit(&region, REGION_GRAIN, 2 * REGION_GRAIN));
    CHECK(!is_usable(&region, REGION_GRAIN - 1));
    CHECK(is_usable(&region, REGION_GRAIN));
    CHECK(is_usable(&region, 3 * REGION_GRAIN - 1));
    CHECK(!is_usable(&region, 3 * REGION_GRAIN));
    region_fini(&region);
    CHECK(region.base == NULL);
}

static void decommitted_memory_comes_back_as_zeros(void)
{
    TEST_NEEDS_LIMITS
    struct region region;
    CHECK(region_reserve(&region, 4 * REGION_GRAIN));
    CHECK(region_commit(&region, 0, 4 * REGION_GRAIN));
    memset(region.base, 0x5a, region.size);
    region_decommit(&region, REGION_GRAIN, 2 * REGION_GRAIN);
    CHECK(is_usable(&region, 0));
    CHECK(!is_usable(&region, REGION_GRAIN));
    CHECK(!is_usable(&region, 3 * REGION_GRAIN - 1));
    CHECK_EQ(*at(&region, REGION_GRAIN - 1), 0x5a);
    CHECK_EQ(*at(&region, 3 * REGION_GRAIN), 0x5a);
    CHECK(region_commit(&region, 0, 2 * REGION_GRAIN));
    CHECK_EQ(*at(&region, REGION_GRAIN - 1), 0x5a);
    CHECK_EQ(*at(&region, REGION_GRAIN), 0);
    CHECK_EQ(*at(&region, 2 * REGION_GRAIN - 1), 0);
    region_fini(&region);
}

static void an_empty_part_is_committed_at_once(void)
{
    struct region region;
    CHECK(region_reserve(&region, 0));
    CHECK(region.base == NULL);
    CHECK(region_commit(&region, 0, 0));
    region_decommit(&region, 0, 0);
    region_fini(&region);
}

static void space_that_cannot_be_reserved_is_refused(void)
{
    struct region region;
    CHECK(!region_reserve(&region, SIZE_MAX / 2));
    CHECK(region.base == NULL);
    CHECK(!region_reserve(&region, SIZE_MAX));
    CHECK(region.base == NULL);
}

static void a_limit_counts_what_is_committed_alone(void)
{
    TEST_NEEDS_LIMITS
    struct region region;
    const size_t size = (size_t) 1 << 36;
    const size_t allowed = 64 * REGION_GRAIN;
    test_data_limit(test_data_bytes() + allowed);
    CHECK(region_reserve(&region, size));
    CHECK(!region_commit(&region, 0, 2 * allowed));
    CHECK(!region_commit(&region, 0, size));
    for (int i = 0; i < 100; i++) {
        CHECK(region_commit(&region, 0, allowed - 16 * REGION_GRAIN));
        *at(&region, allowed / 2) = 1;
        CHECK(!region_commit(&region, allowed, allowed));
        CHECK_EQ(*at(&region, allowed / 2), 1);
        region_decommit(&region, 0, allowed);
    }
    region_fini(&region);
}

static const struct test_case cases[] = {
    {"reserved space is no memory", reserved_space_is_no_memory, 0},
    {"decommitted memory comes back as zeros", decommitted_memory_comes_back_as_zeros, 0},
    {"an empty part is committed at once", an_empty_part_is_committed_at_once, 0},
    {"space that cannot be reserved is refused", space_that_cannot_be_reserved_is_refused, 0},
    {"a limit counts what is committed alone", a_limit_counts_what_is_committed_alone, 0},
};

TEST_MAIN(cases)
