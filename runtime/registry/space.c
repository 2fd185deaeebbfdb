/* SPDX-License-Identifier: MIT */
#include "registry/state.h"

struct bytes space_name(const struct registry *r, uint32_t space)
{
    if (space == 0) {
        return (struct bytes){0};
    }
    return bytes_of(space_at(r, space)->name, space_at(r, space)->name_size);
}

uint32_t space_find(const struct registry *r, struct bytes name)
{
    uint32_t space = hash_index_first(&r->spaces_by_name, siphash13(&r->table_key, name));
    while (space != 0 && !bytes_equal(space_name(r, space), name)) {
        space = hash_index_next(&r->spaces_by_name, space);
    }
    return space;
}

struct space_limits space_limits_of(const struct registry *r, uint32_t space, struct bytes name)
{
    if (space != 0) {
        return space_at(r, space)->limits;
    }
    struct space_limits limits = {.operations = r->limits.operations_namespace,
                                  .operations_session = r->limits.operations_session};
    if (r->port.space_limits != NULL) {
        r->port.space_limits(r->port.context, name, &limits);
    }
    return limits;
}

uint32_t space_take(struct registry *r, struct bytes name)
{
    ASSERT(name.size > 0 && name.size <= NAMESPACE_BYTES_MAX);
    uint32_t space = space_find(r, name);
    if (space == 0) {
        space = slab_take(&r->spaces);
        if (space == 0) {
            return 0;
        }
        space_at(r, space)->limits = space_limits_of(r, 0, name);
        space_at(r, space)->revision = r->watch.newest; /* there may be events of an earlier one */
        memcpy(space_at(r, space)->name, name.data, name.size);
        space_at(r, space)->name_size = (uint32_t) name.size;
        hash_index_insert(&r->spaces_by_name, space, siphash13(&r->table_key, name));
    }
    space_at(r, space)->references++;
    return space;
}

void space_give(struct registry *r, uint32_t space)
{
    ASSERT(space_at(r, space)->references > 0);
    if (--space_at(r, space)->references > 0) {
        return;
    }
    ASSERT(space_at(r, space)->operations == 0 && !space_at(r, space)->watch_due);
    hash_index_remove(&r->spaces_by_name, space);
    slab_give(&r->spaces, space);
}
