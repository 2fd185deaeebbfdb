/* SPDX-License-Identifier: MIT */
#include "table/radix_node.h"

#include <string.h>

uint32_t radix_node_new(struct radix_tree *tree, uint64_t prefix, uint32_t level)
{
    uint32_t index = packed_take(&tree->narrow);
    ASSERT(index != 0); /* was reserved */
    radix_node_at(tree, index | RADIX_NARROW)->place = prefix << 4 | level;
    return index | RADIX_NARROW;
}

void radix_node_rename(struct radix_tree *tree, uint32_t from, uint32_t to)
{
    if (tree->leaf == from) {
        tree->leaf = to;
    }
}

void radix_node_give(struct radix_tree *tree, uint32_t name)
{
    radix_node_rename(tree, name, 0);
    packed_give(radix_nodes_of(tree, name), name & ~RADIX_NARROW);
}

/* Puts a node of the other width, which is empty yet, in the place of this one. */
static void replace_node(struct radix_tree *tree, uint32_t *link, uint32_t name)
{
    struct radix_node *node = radix_node_at(tree, name);
    const struct radix_node *old = radix_node_at(tree, *link);
    node->place = old->place;
    node->bitmap = old->bitmap;
    for (uint64_t bits = old->bitmap; bits != 0; bits &= bits - 1) {
        uint32_t slot = (uint32_t) __builtin_ctzll(bits);
        *radix_node_child(tree, name, slot) = *radix_node_child(tree, *link, slot);
    }
    radix_node_rename(tree, *link, name);
    packed_give(radix_nodes_of(tree, *link), *link & ~RADIX_NARROW);
    *link = name;
}

void radix_node_add(struct radix_tree *tree, uint32_t *link, uint32_t slot, uint32_t child)
{
    struct radix_node *node = radix_node_at(tree, *link);
    ASSERT(!radix_node_has(node, slot));
    uint32_t count = (*link & RADIX_NARROW) != 0 ? radix_node_count(node) : 0;
    if (count == RADIX_CHILDREN_NARROW) {
        uint32_t index = packed_take(&tree->wide);
        ASSERT(index != 0); /* was reserved */
        replace_node(tree, link, index);
        node = radix_node_at(tree, *link);
    }
    uint32_t *place = radix_node_child(tree, *link, slot);
    if ((*link & RADIX_NARROW) != 0) {
        uint32_t behind = count - (uint32_t) (place - node->children);
        memmove(place + 1, place, behind * sizeof *place);
    }
    *place = child;
    node->bitmap |= radix_bit_of(slot);
}

void radix_node_cut(struct radix_tree *tree, uint32_t name, uint32_t slot)
{
    struct radix_node *node = radix_node_at(tree, name);
    ASSERT(radix_node_has(node, slot));
    if ((name & RADIX_NARROW) != 0) {
        uint32_t *place = radix_node_child(tree, name, slot);
        uint32_t behind = radix_node_count(node) - 1 - (uint32_t) (place - node->children);
        memmove(place, place + 1, behind * sizeof *place);
    }
    node->bitmap &= ~radix_bit_of(slot);
}

bool radix_node_is_to_be_narrow(const struct radix_tree *tree, uint32_t name)
{
    return (name & RADIX_NARROW) == 0 &&
           radix_node_count(radix_node_at(tree, name)) <= RADIX_CHILDREN_NARROW_AGAIN;
}

void radix_node_narrow(struct radix_tree *tree, uint32_t *link)
{
    uint32_t index = packed_take(&tree->narrow);
    if (index != 0) {
        replace_node(tree, link, index | RADIX_NARROW);
    }
}
