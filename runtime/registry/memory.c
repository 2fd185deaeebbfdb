/* SPDX-License-Identifier: MIT */
/* The finished memory: ended operations in the order of their end, for so long and so many. One
 * whose ENDED notice is unacknowledged outlives its place here (operation_release() sees to that).
 */
#include "registry/state.h"

#define OF_MEMORY(r) CHAIN(r, operations, operation, of_memory)

static void memory_drop_first(struct registry *r)
{
    uint32_t index = r->memory.first;
    chain_remove(OF_MEMORY(r), &r->memory, index);
    operation_at(r, index)->in_memory = false;
    operation_release(r, index);
}

void memory_add(struct registry *r, uint32_t index)
{
    chain_append(OF_MEMORY(r), &r->memory, index);
    operation_at(r, index)->in_memory = true;
    if (r->memory.count > r->limits.finished) {
        memory_drop_first(r);
    }
}

uint64_t memory_next_ms(const struct registry *r)
{
    if (r->memory.first == 0) {
        return TIME_NEVER;
    }
    return time_after(operation_at(r, r->memory.first)->ended_ms, r->limits.finished_ms);
}

void memory_expire(struct registry *r, uint64_t now_ms, uint32_t *budget)
{
    while (*budget > 0 && memory_next_ms(r) <= now_ms) {
        memory_drop_first(r);
        (*budget)--;
    }
}
