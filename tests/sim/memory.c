/* SPDX-License-Identifier: MIT */
/* base/region.h for a program that makes and frees thousands of registries in a second. Regions follow one
 * another in one reservation, packed, and once none is left (at the end of a world) the pages that were touched are cleared
 * and it begins anew. With the system's own calls nine tenths of the time would be theirs. Linked before the
 * real one, in its stead. One thread. */
#define _GNU_SOURCE /* mincore */
#include "base/region.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE_BYTES ((size_t) 4096)
#define RESERVED_BYTES ((size_t) 16 << 30)
#define ALIGN_BYTES ((size_t) 64)
#define PAGES_AT_ONCE ((size_t) 4096)

static uint8_t *reserved;
static size_t used_bytes;
static size_t living; /* regions */

static bool take(struct region *region, size_t size)
{
    *region = (struct region){0};
    if (size == 0) {
        return true;
    }
    if (reserved == NULL) {
        void *base = mmap(NULL, RESERVED_BYTES, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (base == MAP_FAILED) {
            return false;
        }
        (void) madvise(base, RESERVED_BYTES, MADV_NOHUGEPAGE);
        reserved = base;
    }
    if (size > RESERVED_BYTES - used_bytes - ALIGN_BYTES) {
        return false;
    }
    *region = (struct region){.base = reserved + used_bytes, .size = size};
    used_bytes += (size + ALIGN_BYTES - 1) & ~(ALIGN_BYTES - 1);
    living++;
    return true;
}

bool region_init(struct region *region, size_t size)
{
    return take(region, size);
}

/* Who reserves commits by whole grains. */
bool region_reserve(struct region *region, size_t size)
{
    return size <= SIZE_MAX - REGION_GRAIN &&
           take(region, (size + REGION_GRAIN - 1) & ~(REGION_GRAIN - 1));
}

/* Those of all regions since it was last done. */
static void clear_touched(void)
{
    static unsigned char touched[PAGES_AT_ONCE];
    for (size_t at = 0; at < used_bytes; at += PAGES_AT_ONCE * PAGE_BYTES) {
        size_t left = (used_bytes - at + PAGE_BYTES - 1) / PAGE_BYTES;
        size_t pages = left < PAGES_AT_ONCE ? left : PAGES_AT_ONCE;
        int failed = mincore(reserved + at, pages * PAGE_BYTES, touched);
        ASSERT(!failed);
        for (size_t i = 0; i < pages; i++) {
            if ((touched[i] & 1) != 0) {
                memset(reserved + at + i * PAGE_BYTES, 0, PAGE_BYTES);
            }
        }
    }
    used_bytes = 0;
}

void region_fini(struct region *region)
{
    if (region->base != NULL) {
        ASSERT(living > 0);
        living--;
        if (living == 0) {
            clear_touched();
        }
    }
    *region = (struct region){0};
}

/* Nothing of a simulation is a secret. */
void region_hide(const struct region *region)
{
    (void) region;
}

void region_hand_back(struct region *region, size_t offset, size_t size)
{
    ASSERT(offset <= region->size);
    size_t left = region->size - offset; /* less than a last grain, it may be */
    memset((uint8_t *) region->base + offset, 0, size < left ? size : left);
}

bool region_commit(struct region *region, size_t offset, size_t size)
{
    ASSERT(offset <= region->size && size <= region->size - offset);
    return true;
}

void region_decommit(struct region *region, size_t offset, size_t size)
{
    region_hand_back(region, offset, size);
}
