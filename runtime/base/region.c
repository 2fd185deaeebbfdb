/* SPDX-License-Identifier: MIT */
#include "base/region.h"

#include <stdint.h>
#include <sys/mman.h>

#define MAP_FLAGS (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

static bool map(struct region *region, size_t size, int protection)
{
    *region = (struct region){0};
    if (size > SIZE_MAX - REGION_GRAIN) {
        return false;
    }
    size = (size + REGION_GRAIN - 1) & ~(REGION_GRAIN - 1);
    if (size == 0) {
        return true;
    }
    void *base = mmap(NULL, size, protection, MAP_FLAGS, -1, 0);
    if (base == MAP_FAILED) {
        return false;
    }
    /* A huge page would make one small table resident as 2 MiB. A kernel without them says no. */
    (void) madvise(base, size, MADV_NOHUGEPAGE);
    *region = (struct region){.base = base, .size = size};
    return true;
}

bool region_init(struct region *region, size_t size)
{
    return map(region, size, PROT_READ | PROT_WRITE);
}

bool region_reserve(struct region *region, size_t size)
{
    return map(region, size, PROT_NONE);
}

void region_fini(struct region *region)
{
    if (region->base != NULL) {
        int failed = munmap(region->base, region->size);
        ASSERT(!failed);
    }
    *region = (struct region){0};
}

void region_hide(const struct region *region)
{
    if (region->size > 0) {
        (void) madvise(region->base, region->size, MADV_DONTDUMP); /* since Linux 3.4 */
    }
}

/* Where a part of the region begins. */
static void *part(const struct region *region, size_t offset, size_t size)
{
    ASSERT(offset % REGION_GRAIN == 0 && size % REGION_GRAIN == 0);
    ASSERT(offset <= region->size && size <= region->size - offset);
    return (char *) region->base + offset;
}

void region_hand_back(struct region *region, size_t offset, size_t size)
{
    int failed = madvise(part(region, offset, size), size, MADV_DONTNEED);
    ASSERT(!failed);
}

bool region_commit(struct region *region, size_t offset, size_t size)
{
    void *begin = part(region, offset, size);
    return size == 0 || mprotect(begin, size, PROT_READ | PROT_WRITE) == 0;
}

/* A new mapping in the place of the old one, for mprotect() alone would not take back the promise that
 * strict overcommit has counted. Like its neighbours it wants no huge pages, so they become one again. */
void region_decommit(struct region *region, size_t offset, size_t size)
{
    void *begin = part(region, offset, size);
    if (size == 0) {
        return;
    }
    void *base = mmap(begin, size, PROT_NONE, MAP_FLAGS | MAP_FIXED, -1, 0);
    if (base == MAP_FAILED) { /* no mapping more to be had: the memory at least goes back */
        region_hand_back(region, offset, size);
        return;
    }
    (void) madvise(base, size, MADV_NOHUGEPAGE);
}
