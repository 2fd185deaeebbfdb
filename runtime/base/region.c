/* SPDX-License-Identifier: MIT */
#include "base/region.h"

#include <sys/mman.h>

bool region_init(struct region *region, size_t size)
{
    *region = (struct region){0};
    size = (size + REGION_GRAIN - 1) & ~(REGION_GRAIN - 1);
    if (size == 0) {
        return true;
    }
    void *base = mmap(NULL, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) {
        return false;
    }
    /* A huge page would make one small table resident as 2 MiB. A kernel without them says no. */
    (void) madvise(base, size, MADV_NOHUGEPAGE);
    *region = (struct region){.base = base, .size = size};
    return true;
}

void region_fini(struct region *region)
{
    if (region->base != NULL) {
        int failed = munmap(region->base, region->size);
        ASSERT(!failed);
    }
    *region = (struct region){0};
}

void region_hand_back(struct region *region, size_t offset, size_t size)
{
    ASSERT(offset % REGION_GRAIN == 0 && size % REGION_GRAIN == 0);
    ASSERT(offset <= region->size && size <= region->size - offset);
    int failed = madvise((char *) region->base + offset, size, MADV_DONTNEED);
    ASSERT(!failed);
}
