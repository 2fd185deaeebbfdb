/* SPDX-License-Identifier: MIT */
/* Address space reserved once, filled with memory as it is touched, and handed back in pages. This
 * is how the registry keeps every table at a fixed place without allocating after its start. */
#ifndef CANCELD_BASE_REGION_H
#define CANCELD_BASE_REGION_H

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>

#define REGION_GRAIN ((size_t) 65536)

struct region {
    void *base; /* NULL where the size is 0 */
    size_t size;
};

/* Reserves `size` bytes, rounded up to whole grains, all zero when first touched. False where the
 * address space cannot be had; then *region is empty. */
MUST_CHECK bool region_init(struct region *region, size_t size);
void region_fini(struct region *region);

/* Core files leave the region's memory out from here on. For one that holds secrets. */
void region_hide(const struct region *region);

/* Gives the memory of [offset, offset + size) back to the system; the range reads as zeros
 * afterwards. Both must be multiples of the grain, which is at least a page of any machine we know.
 */
void region_hand_back(struct region *region, size_t offset, size_t size);

/* Reserves `size` bytes of address space, rounded up to whole grains, without any memory: nothing is
 * counted against a limit, and touching it faults, until region_commit(). region_fini() ends it. */
MUST_CHECK bool region_reserve(struct region *region, size_t size);

/* Makes [offset, offset + size) of a reserved region usable, both multiples of the grain. What was
 * not usable before reads as zeros. False where the system will not promise that much memory
 * (RLIMIT_DATA, strict overcommit): nothing is changed that region_decommit() would not undo. */
MUST_CHECK bool region_commit(struct region *region, size_t offset, size_t size);

/* The opposite: the memory goes back, the promise too, and touching it faults again. */
void region_decommit(struct region *region, size_t offset, size_t size);

#endif
