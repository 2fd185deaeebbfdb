/* SPDX-License-Identifier: MIT */
/* The finished memory: ended operations in the order of their end, for so long and so many. One
 * whose ENDED notice is unacknowledged outlives its place here (operation_release() sees to that).
 * One chain for plain and whole operations, so that a promotion keeps its place. */
#include "registry/state.h"

static struct chain *links_of(const struct registry *r, uint32_t id)
{
    return (id & PLAIN_BIT) != 0 ? &plain_at(r, id & ~PLAIN_BIT)->ended.of_memory
                                 : &operation_at(r, id)->of_memory;
}

static uint64_t ended_ms_of(const struct registry *r, uint32_t id)
{
    return (id & PLAIN_BIT) != 0 ? plain_ended_ms(r, plain_at(r, id & ~PLAIN_BIT))
                                 : operation_at(r, id)->ended_ms;
}

/* Its neighbours are tied to `before` and `behind` in its stead. */
static void retie(struct registry *r, struct chain links, uint32_t before, uint32_t behind)
{
    if (links.previous == 0) {
        r->memory.first = before;
    } else {
        links_of(r, links.previous)->next = before;
    }
    if (links.next == 0) {
        r->memory.last = behind;
    } else {
        links_of(r, links.next)->previous = behind;
    }
}

/* Has the processor fetch what dropping the first, and then the one behind it, will touch: they are the
 * coldest of all. */
static void fetch_ahead(const struct registry *r)
{
    uint32_t id = r->memory.first;
    if (id == 0 || (id & PLAIN_BIT) == 0) {
        return;
    }
    plain_fetch(r, id & ~PLAIN_BIT);
    uint32_t next = links_of(r, id)->next;
    if ((next & PLAIN_BIT) != 0) {
        __builtin_prefetch(plain_at(r, next & ~PLAIN_BIT));
    }
}

static void memory_drop_first(struct registry *r)
{
    uint32_t id = r->memory.first;
    struct chain *links = links_of(r, id);
    retie(r, *links, links->next, links->previous);
    *links = (struct chain){0};
    r->memory.count--;
    if ((id & PLAIN_BIT) != 0) {
        plain_forget(r, id & ~PLAIN_BIT);
        fetch_ahead(r);
        return;
    }
    operation_at(r, id)->in_memory = false;
    operation_release(r, id);
}

void memory_add(struct registry *r, uint32_t id)
{
    *links_of(r, id) = (struct chain){.previous = r->memory.last};
    retie(r, (struct chain){.previous = r->memory.last}, id, id);
    r->memory.count++;
    if ((id & PLAIN_BIT) == 0) {
        operation_at(r, id)->in_memory = true;
    }
    if (r->memory.count > r->limits.finished) {
        memory_drop_first(r);
    }
}

void memory_replace(struct registry *r, uint32_t from_id, uint32_t to_id)
{
    ASSERT((to_id & PLAIN_BIT) == 0);
    *links_of(r, to_id) = *links_of(r, from_id);
    retie(r, *links_of(r, to_id), to_id, to_id);
    operation_at(r, to_id)->in_memory = true;
}

void memory_moved(struct registry *r, uint32_t id)
{
    retie(r, *links_of(r, id), id, id);
}

void memory_dropped_early(struct registry *r, uint64_t over_ms)
{
    r->counters.memory_dropped_early++;
    r->memory_gap_until_ms = over_ms > r->memory_gap_until_ms ? over_ms : r->memory_gap_until_ms;
}

uint64_t memory_next_ms(const struct registry *r)
{
    if (r->memory.first == 0) {
        return TIME_NEVER;
    }
    return time_after(ended_ms_of(r, r->memory.first), r->limits.finished_ms);
}

void memory_expire(struct registry *r, uint32_t *budget)
{
    while (*budget > 0 && memory_next_ms(r) <= r->due_ms) {
        memory_drop_first(r);
        (*budget)--;
    }
}

void check_memory(const struct registry *r)
{
    uint32_t count = 0;
    uint32_t previous = 0;
    uint64_t last_ms = 0;
    for (uint32_t id = r->memory.first; id != 0; id = links_of(r, id)->next) {
        ASSERT((id & PLAIN_BIT) != 0 ? packed_is_live(&r->plain, id & ~PLAIN_BIT)
                                     : operation_at(r, id)->in_memory);
        ASSERT(links_of(r, id)->previous == previous && ended_ms_of(r, id) >= last_ms);
        ASSERT(++count <= r->memory.count);
        last_ms = ended_ms_of(r, id);
        previous = id;
    }
    ASSERT(r->memory.last == previous && count == r->memory.count);
}
