/* SPDX-License-Identifier: MIT */
#include "gen_map.h"

static struct canceld_operation **chain_of(const struct gen_map *map, uint64_t gen)
{
    return &map->chains[(gen ^ gen >> 20) & (map->chains_count - 1)];
}

void gen_map_fini(struct gen_map *map)
{
    ASSERT(map->count == 0);
    free(map->chains);
    *map = (struct gen_map){0};
}

bool gen_map_reserve(struct gen_map *map)
{
    struct gen_map larger = {.chains_count = map->chains_count == 0 ? 64 : map->chains_count * 2};

    if (map->count < map->chains_count)
        return true;
    larger.chains = calloc(larger.chains_count, sizeof *larger.chains);
    /* Without memory a full table goes on with longer chains; only the first one is needed. */
    if (larger.chains == NULL)
        return map->chains_count > 0;
    for (size_t i = 0; i < map->chains_count; i++)
        for (struct canceld_operation *next = NULL, *at = map->chains[i]; at != NULL; at = next) {
            next = at->gen_next;
            gen_map_insert(&larger, at);
        }
    free(map->chains);
    *map = larger;
    return true;
}

void gen_map_insert(struct gen_map *map, struct canceld_operation *operation)
{
    struct canceld_operation **chain = NULL;

    ASSERT(map->chains_count > 0);
    chain = chain_of(map, operation->gen);
    operation->gen_next = *chain;
    *chain = operation;
    map->count++;
}

void gen_map_remove(struct gen_map *map, struct canceld_operation *operation)
{
    struct canceld_operation **at = chain_of(map, operation->gen);

    while (*at != operation) {
        ASSERT(*at != NULL);
        at = &(*at)->gen_next;
    }
    *at = operation->gen_next;
    operation->gen_next = NULL;
    map->count--;
}

struct canceld_operation *gen_map_find(const struct gen_map *map, uint64_t gen)
{
    struct canceld_operation *at = NULL;

    if (map->chains_count == 0)
        return NULL;
    at = *chain_of(map, gen);
    while (at != NULL && at->gen != gen)
        at = at->gen_next;
    return at;
}
