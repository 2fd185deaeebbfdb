/* SPDX-License-Identifier: MIT */
/* From a gen to the operation that this client holds: a hash table with chains through the operations.
 * Gens are the daemon's own numbers, so their low bits are spread well enough. */
#ifndef CANCELD_CLIENT_GEN_MAP_H
#define CANCELD_CLIENT_GEN_MAP_H

#include "operation.h"

struct gen_map {
    struct canceld_operation **chains;
    size_t chains_count; /* a power of two, or 0 */
    size_t count;
};

/* An empty map is all zero. Holds no operation at its end. */
void gen_map_fini(struct gen_map *map);

/* Room for one more operation, so that the next insert cannot fail. */
MUST_CHECK bool gen_map_reserve(struct gen_map *map);

/* The gen must not be there, and room must have been reserved. */
void gen_map_insert(struct gen_map *map, struct canceld_operation *operation);

/* The operation must be there. */
void gen_map_remove(struct gen_map *map, struct canceld_operation *operation);

/* NULL where it is not there. */
struct canceld_operation *gen_map_find(const struct gen_map *map, uint64_t gen);

#endif
