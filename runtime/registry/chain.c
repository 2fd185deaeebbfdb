/* SPDX-License-Identifier: MIT */
#include "registry/state.h"

static struct chain *chain_at(struct chain_of of, uint32_t index)
{
    return (struct chain *) (void *) ((char *) slab_at(of.slab, index) + of.offset);
}

uint32_t chain_previous(struct chain_of of, uint32_t index)
{
    return chain_at(of, index)->previous;
}

void chain_insert_after(struct chain_of of, struct chain_ends *ends, uint32_t after, uint32_t index)
{
    struct chain *chain = chain_at(of, index);
    chain->previous = after;
    chain->next = after == 0 ? ends->first : chain_at(of, after)->next;
    if (after == 0) {
        ends->first = index;
    } else {
        chain_at(of, after)->next = index;
    }
    if (chain->next == 0) {
        ends->last = index;
    } else {
        chain_at(of, chain->next)->previous = index;
    }
    ends->count++;
}

void chain_append(struct chain_of of, struct chain_ends *ends, uint32_t index)
{
    chain_insert_after(of, ends, ends->last, index);
}

void chain_prepend(struct chain_of of, struct chain_ends *ends, uint32_t index)
{
    chain_insert_after(of, ends, 0, index);
}

void chain_remove(struct chain_of of, struct chain_ends *ends, uint32_t index)
{
    struct chain *chain = chain_at(of, index);
    if (chain->previous == 0) {
        ASSERT(ends->first == index);
        ends->first = chain->next;
    } else {
        chain_at(of, chain->previous)->next = chain->next;
    }
    if (chain->next == 0) {
        ASSERT(ends->last == index);
        ends->last = chain->previous;
    } else {
        chain_at(of, chain->next)->previous = chain->previous;
    }
    *chain = (struct chain){0};
    ends->count--;
}

void chain_check(struct chain_of of, const struct chain_ends *ends)
{
    uint32_t count = 0;
    uint32_t previous = 0;
    for (uint32_t index = ends->first; index != 0; index = chain_at(of, index)->next) {
        ASSERT(slab_is_live(of.slab, index));
        ASSERT(chain_at(of, index)->previous == previous);
        ASSERT(++count <= ends->count);
        previous = index;
    }
    ASSERT(ends->last == previous && count == ends->count);
}
