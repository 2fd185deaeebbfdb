/* SPDX-License-Identifier: MIT */
/* The nodes of a radix tree: a part of it, with no user but radix_tree.c.
 *
 * A node is named by its index, and a bit that says narrow. A narrow node keeps its children in order
 * without gaps; of a wide one the bitmap is the truth, and the child of a cleared bit is not touched: so
 * what removes a number stores into one line as a rule. The thirteenth child makes a node wide, and it
 * is narrow again when eight are left (if a narrow one is to be had; if not, it just stays wide), so that
 * what comes and goes does not copy it each time. */
#ifndef CANCELD_TABLE_RADIX_NODE_H
#define CANCELD_TABLE_RADIX_NODE_H

#include "table/radix_tree.h"

#define RADIX_LEVEL_BITS 6
#define RADIX_CHILDREN 64
#define RADIX_CHILDREN_NARROW 12
#define RADIX_CHILDREN_NARROW_AGAIN 8
#define RADIX_NARROW (UINT32_C(1) << 31)

struct radix_node {
    uint64_t bitmap;
    uint64_t place; /* prefix << 4 | level */
    uint32_t children[];
};

#define RADIX_WIDE_BYTES (sizeof(struct radix_node) + RADIX_CHILDREN * sizeof(uint32_t))
#define RADIX_NARROW_BYTES (sizeof(struct radix_node) + RADIX_CHILDREN_NARROW * sizeof(uint32_t))

static inline struct packed *radix_nodes_of(struct radix_tree *tree, uint32_t name)
{
    return (name & RADIX_NARROW) != 0 ? &tree->narrow : &tree->wide;
}

static inline struct radix_node *radix_node_at(const struct radix_tree *tree, uint32_t name)
{
    return (name & RADIX_NARROW) != 0 ? packed_at(&tree->narrow, name & ~RADIX_NARROW)
                                      : packed_at(&tree->wide, name);
}

static inline uint64_t radix_prefix_of(uint64_t number, uint32_t level)
{
    return number >> (RADIX_LEVEL_BITS * level);
}

static inline uint32_t radix_slot_of(uint64_t number, uint32_t level)
{
    return (uint32_t) radix_prefix_of(number, level - 1) % RADIX_CHILDREN;
}

static inline uint64_t radix_node_prefix(const struct radix_node *node)
{
    return node->place >> 4;
}

static inline uint32_t radix_node_level(const struct radix_node *node)
{
    return (uint32_t) node->place & 15;
}

static inline uint64_t radix_bit_of(uint32_t slot)
{
    return UINT64_C(1) << slot;
}

static inline uint32_t radix_node_count(const struct radix_node *node)
{
    return (uint32_t) __builtin_popcountll(node->bitmap);
}

static inline bool radix_node_has(const struct radix_node *node, uint32_t slot)
{
    return (node->bitmap & radix_bit_of(slot)) != 0;
}

/* Where the child of this slot stands, or would stand in a narrow node. */
static inline uint32_t *radix_node_child(const struct radix_tree *tree, uint32_t name,
                                         uint32_t slot)
{
    struct radix_node *node = radix_node_at(tree, name);
    if ((name & RADIX_NARROW) == 0) {
        return &node->children[slot];
    }
    uint64_t below = node->bitmap & (radix_bit_of(slot) - 1);
    return &node->children[__builtin_popcountll(below)];
}

/* A narrow node without children; memory for it was reserved. */
uint32_t radix_node_new(struct radix_tree *tree, uint64_t prefix, uint32_t level);
void radix_node_give(struct radix_tree *tree, uint32_t name);

/* Gives the node a child more; if it becomes wide by that, for which memory was reserved, it has another
 * name, and the link says so. */
void radix_node_add(struct radix_tree *tree, uint32_t *link, uint32_t slot, uint32_t child);

/* Takes the child out of the node alone. */
void radix_node_cut(struct radix_tree *tree, uint32_t name, uint32_t slot);

bool radix_node_is_to_be_narrow(const struct radix_tree *tree, uint32_t name);

/* Makes it narrow, which gives it another name, if there is memory for that. */
void radix_node_narrow(struct radix_tree *tree, uint32_t *link);

/* The node has another name now, or is gone (0): what the tree remembers follows. */
void radix_node_rename(struct radix_tree *tree, uint32_t from, uint32_t to);

#endif
