/* SPDX-License-Identifier: MIT */
/* An address, taken apart: loop (6 bits), slot on that loop (22), generation of the slot (36). Slot
 * 0 is the loop itself. A slot whose generations are used up is never given out again. */
#ifndef CANCELD_ACTOR_ADDRESS_H
#define CANCELD_ACTOR_ADDRESS_H

#include <stdint.h>

#define ADDRESS_GENERATION_BITS 36
#define ADDRESS_SLOT_BITS 22
#define ADDRESS_GENERATION_MAX ((UINT64_C(1) << ADDRESS_GENERATION_BITS) - 1)
#define ADDRESS_SLOT_MAX ((UINT64_C(1) << ADDRESS_SLOT_BITS) - 1)

static inline uint64_t address_of(uint32_t loop, uint32_t slot, uint64_t generation)
{
    return (uint64_t) loop << (ADDRESS_GENERATION_BITS + ADDRESS_SLOT_BITS) |
           (uint64_t) slot << ADDRESS_GENERATION_BITS | generation;
}

static inline uint32_t address_loop(uint64_t address)
{
    return (uint32_t) (address >> (ADDRESS_GENERATION_BITS + ADDRESS_SLOT_BITS));
}

static inline uint32_t address_slot(uint64_t address)
{
    return (uint32_t) (address >> ADDRESS_GENERATION_BITS & ADDRESS_SLOT_MAX);
}

static inline uint64_t address_generation(uint64_t address)
{
    return address & ADDRESS_GENERATION_MAX;
}

#endif
