/* SPDX-License-Identifier: MIT */
/* Level 1 is that of the leaves, whose children are the ids; a node of level n stands for 64^n numbers,
 * which share its prefix. Between the root and a leaf no level is left out, and the root has more than one
 * child unless it is a leaf: so the height is that of the span of what is in the tree.
 *
 * A `link` is where a node's name is written: in its parent, or as the root. */
#include "table/radix_tree.h"

#include "table/radix_node.h"

#define LEVELS_MAX (RADIX_TREE_NUMBER_BITS / RADIX_LEVEL_BITS)
/* Narrow nodes that one put may need: the tree grows from a leaf to its full height, and down again to a
 * new leaf. Beside them one wide one, that the node which it hangs them on becomes. */
#define PUT_NODES_MAX (2 * (LEVELS_MAX - 1))

/* The number lies below the root, be it there or not. */
static bool is_covered(const struct radix_tree *tree, uint64_t number)
{
    return tree->root != 0 && radix_prefix_of(number, tree->levels) ==
                                  radix_node_prefix(radix_node_at(tree, tree->root));
}

/* The node of this level that the number lies below; 0: there is none. */
static uint32_t find_node(const struct radix_tree *tree, uint64_t number, uint32_t level)
{
    if (!is_covered(tree, number)) {
        return 0;
    }
    uint32_t name = tree->root;
    for (uint32_t above = tree->levels; above > level; above--) {
        uint32_t slot = radix_slot_of(number, above);
        if (!radix_node_has(radix_node_at(tree, name), slot)) {
            return 0;
        }
        name = *radix_node_child(tree, name, slot);
    }
    return name;
}

/* The link to the number's node of this level, which is there. */
static uint32_t *link_to(struct radix_tree *tree, uint64_t number, uint32_t level)
{
    if (level == tree->levels) {
        return &tree->root;
    }
    uint32_t above = find_node(tree, number, level + 1);
    ASSERT(above != 0);
    return radix_node_child(tree, above, radix_slot_of(number, level + 1));
}

static uint32_t find_leaf(const struct radix_tree *tree, uint64_t number)
{
    if (tree->leaf != 0 && tree->leaf_number == radix_prefix_of(number, 1)) {
        return tree->leaf;
    }
    return find_node(tree, number, 1);
}

/* ---- the interface ---- */

bool radix_tree_init(struct radix_tree *tree, uint32_t capacity)
{
    *tree = (struct radix_tree){.capacity = capacity};
    /* A number has a node of each level, and no level has more than there are prefixes. */
    uint64_t narrow = PUT_NODES_MAX;
    uint64_t prefixes = 1;
    for (uint32_t level = LEVELS_MAX; level > 0; level--) {
        narrow += prefixes < capacity ? prefixes : capacity;
        prefixes *= prefixes < capacity ? RADIX_CHILDREN : 1;
    }
    /* Names end there: that many nodes that cannot be had are memory that cannot be had. */
    uint32_t most = RADIX_NARROW - 1;
    narrow = narrow < most ? narrow : most;
    /* A leaf has nine numbers or more, a node above it nine nodes or more. */
    uint32_t wide = capacity / RADIX_CHILDREN_NARROW_AGAIN + 2;
    if (packed_init(&tree->narrow, RADIX_NARROW_BYTES, (uint32_t) narrow) &&
        packed_init(&tree->wide, RADIX_WIDE_BYTES, wide)) {
        return true;
    }
    radix_tree_fini(tree);
    return false;
}

void radix_tree_fini(struct radix_tree *tree)
{
    packed_fini(&tree->narrow);
    packed_fini(&tree->wide);
    *tree = (struct radix_tree){0};
}

/* ---- putting ---- */

/* How many nodes are to be made before the number has its leaf. */
static uint32_t nodes_missing(const struct radix_tree *tree, uint64_t number)
{
    if (tree->root == 0) {
        return 1;
    }
    uint32_t levels = tree->levels;
    uint64_t prefix = radix_node_prefix(radix_node_at(tree, tree->root));
    for (; radix_prefix_of(number, levels) != prefix; prefix >>= RADIX_LEVEL_BITS) {
        levels++;
    }
    if (levels > tree->levels) {
        return levels - tree->levels + levels - 1;
    }
    uint32_t missing = 0;
    while (find_node(tree, number, missing + 1) == 0) {
        missing++;
    }
    return missing;
}

/* Makes the tree higher until the number lies below its root. */
static void raise_root(struct radix_tree *tree, uint64_t number)
{
    if (tree->root == 0) {
        tree->root = radix_node_new(tree, radix_prefix_of(number, 1), 1);
        tree->levels = 1;
    }
    while (!is_covered(tree, number)) {
        uint64_t prefix = radix_node_prefix(radix_node_at(tree, tree->root));
        uint32_t below = tree->root;
        tree->levels++;
        tree->root = radix_node_new(tree, prefix >> RADIX_LEVEL_BITS, tree->levels);
        radix_node_add(tree, &tree->root, (uint32_t) prefix % RADIX_CHILDREN, below);
    }
}

/* Makes what is missing between the root and the number's leaf; gives the link to that. */
static uint32_t *make_leaf(struct radix_tree *tree, uint64_t number)
{
    raise_root(tree, number);
    uint32_t *link = &tree->root;
    for (uint32_t level = tree->levels; level > 1; level--) {
        uint32_t slot = radix_slot_of(number, level);
        if (!radix_node_has(radix_node_at(tree, *link), slot)) {
            radix_node_add(tree, link, slot,
                           radix_node_new(tree, radix_prefix_of(number, level - 1), level - 1));
        }
        link = radix_node_child(tree, *link, slot);
    }
    return link;
}

/* The cached leaf takes one more as it is. */
static bool has_room(const struct radix_tree *tree, uint64_t number)
{
    return tree->leaf != 0 && tree->leaf_number == radix_prefix_of(number, 1) &&
           ((tree->leaf & RADIX_NARROW) == 0 ||
            radix_node_count(radix_node_at(tree, tree->leaf)) < RADIX_CHILDREN_NARROW);
}

bool radix_tree_put(struct radix_tree *tree, uint64_t number, uint32_t id)
{
    ASSERT(id != 0 && number >> RADIX_TREE_NUMBER_BITS == 0);
    if (tree->count == tree->capacity) {
        return false;
    }
    uint32_t *link = &tree->leaf;
    if (!has_room(tree, number)) {
        if (!packed_reserve(&tree->wide, 1) ||
            !packed_reserve(&tree->narrow, nodes_missing(tree, number))) {
            return false;
        }
        link = make_leaf(tree, number);
    }
    radix_node_add(tree, link, radix_slot_of(number, 1), id);
    tree->leaf = *link;
    tree->leaf_number = radix_prefix_of(number, 1);
    tree->count++;
    return true;
}

bool radix_tree_reserve(struct radix_tree *tree)
{
    return tree->count < tree->capacity && packed_reserve(&tree->wide, 1) &&
           packed_reserve(&tree->narrow, PUT_NODES_MAX);
}

void radix_tree_set(struct radix_tree *tree, uint64_t number, uint32_t id)
{
    uint32_t leaf = find_leaf(tree, number);
    uint32_t slot = radix_slot_of(number, 1);
    ASSERT(id != 0 && leaf != 0 && radix_node_has(radix_node_at(tree, leaf), slot));
    *radix_node_child(tree, leaf, slot) = id;
}

/* ---- removing ---- */

/* A root with one child alone is left out. */
static void lower_root(struct radix_tree *tree)
{
    while (tree->levels > 1) {
        uint64_t bitmap = radix_node_at(tree, tree->root)->bitmap;
        if ((bitmap & (bitmap - 1)) != 0) {
            return;
        }
        uint32_t child = *radix_node_child(tree, tree->root, (uint32_t) __builtin_ctzll(bitmap));
        radix_node_give(tree, tree->root);
        tree->root = child;
        tree->levels--;
    }
}

/* The number's leaf has lost its last number: it goes, and each node above that it was the last child of. */
static void remove_leaf(struct radix_tree *tree, uint64_t number)
{
    for (uint32_t level = 1; level < tree->levels; level++) {
        uint32_t *above = link_to(tree, number, level + 1);
        uint32_t slot = radix_slot_of(number, level + 1);
        radix_node_give(tree, *radix_node_child(tree, *above, slot));
        radix_node_cut(tree, *above, slot);
        if (radix_node_at(tree, *above)->bitmap != 0) {
            if (radix_node_is_to_be_narrow(tree, *above)) {
                radix_node_narrow(tree, above);
            }
            lower_root(tree);
            return;
        }
    }
    radix_node_give(tree, tree->root);
    tree->root = 0;
    tree->levels = 0;
}

void radix_tree_remove(struct radix_tree *tree, uint64_t number)
{
    uint32_t leaf = find_leaf(tree, number);
    ASSERT(leaf != 0);
    radix_node_cut(tree, leaf, radix_slot_of(number, 1));
    tree->count--;
    if (radix_node_at(tree, leaf)->bitmap == 0) {
        remove_leaf(tree, number);
    } else if (radix_node_is_to_be_narrow(tree, leaf)) {
        radix_node_narrow(tree, link_to(tree, number, 1));
    }
}

/* ---- looking ---- */

uint32_t radix_tree_get(const struct radix_tree *tree, uint64_t number)
{
    uint32_t leaf = find_leaf(tree, number);
    if (leaf == 0) {
        return 0;
    }
    uint32_t slot = radix_slot_of(number, 1);
    return radix_node_has(radix_node_at(tree, leaf), slot) ? *radix_node_child(tree, leaf, slot)
                                                           : 0;
}

/* Goes down to the first number at or above *from. Where a node has none on the way, gives 0, and *from is
 * the first number behind that node. */
static uint32_t seek(const struct radix_tree *tree, uint64_t *from)
{
    uint32_t name = tree->root;
    for (uint32_t level = tree->levels; level > 0; level--) {
        uint32_t slot = radix_slot_of(*from, level);
        uint64_t bits = radix_node_at(tree, name)->bitmap >> slot;
        if (bits == 0) {
            *from = (radix_prefix_of(*from, level) + 1) << (RADIX_LEVEL_BITS * level);
            return 0;
        }
        uint32_t skipped = (uint32_t) __builtin_ctzll(bits);
        if (skipped > 0) {
            *from = (radix_prefix_of(*from, level - 1) + skipped)
                    << (RADIX_LEVEL_BITS * (level - 1));
        }
        name = *radix_node_child(tree, name, slot + skipped);
    }
    return name;
}

uint32_t radix_tree_next(const struct radix_tree *tree, uint64_t from, uint64_t *number_out)
{
    if (tree->root == 0) {
        return 0;
    }
    uint64_t prefix = radix_node_prefix(radix_node_at(tree, tree->root));
    if (radix_prefix_of(from, tree->levels) < prefix) {
        from = prefix << (RADIX_LEVEL_BITS * tree->levels);
    }
    /* Each turn that finds nothing ends at a higher node than the one before. */
    while (radix_prefix_of(from, tree->levels) == prefix) {
        uint32_t id = seek(tree, &from);
        if (id != 0) {
            *number_out = from;
            return id;
        }
    }
    return 0;
}

void radix_tree_prefetch(const struct radix_tree *tree, uint64_t number)
{
    uint32_t leaf = find_leaf(tree, number);
    if (leaf != 0) {
        const struct radix_node *node = radix_node_at(tree, leaf);
        __builtin_prefetch(node);
        if ((leaf & RADIX_NARROW) == 0) { /* the other is one line */
            __builtin_prefetch(&node->children[radix_slot_of(number, 1)]);
        }
    }
}

/* ---- memory ---- */

/* Moves nodes of one width; `kind` is RADIX_NARROW or 0. */
static uint32_t compact(struct radix_tree *tree, uint32_t kind, uint32_t budget)
{
    struct packed *nodes = radix_nodes_of(tree, kind);
    uint32_t from;
    uint32_t to;
    for (uint32_t moves = 0; moves < budget; moves++) {
        if (!packed_next_move(nodes, &from, &to)) {
            (void) packed_trim(nodes);
            return moves;
        }
        const struct radix_node *node = radix_node_at(tree, from | kind);
        uint32_t level = radix_node_level(node);
        uint32_t *link =
            link_to(tree, radix_node_prefix(node) << (RADIX_LEVEL_BITS * level), level);
        ASSERT(*link == (from | kind));
        packed_move(nodes, from, to);
        radix_node_rename(tree, *link, to | kind);
        *link = to | kind;
    }
    return budget;
}

uint32_t radix_tree_compact(struct radix_tree *tree, uint32_t budget)
{
    uint32_t moves = compact(tree, 0, budget);
    return moves + compact(tree, RADIX_NARROW, budget - moves);
}

size_t radix_tree_bytes(const struct radix_tree *tree)
{
    return packed_bytes(&tree->wide) + packed_bytes(&tree->narrow);
}

/* ---- the check ---- */

struct tally {
    uint32_t wide;
    uint32_t narrow;
    uint32_t numbers;
};

/* No deeper than the levels are. */
static void check_node(const struct radix_tree *tree, uint32_t name, uint64_t place,
                       struct tally *tally)
{
    bool is_narrow = (name & RADIX_NARROW) != 0;
    ASSERT(packed_is_live(is_narrow ? &tree->narrow : &tree->wide, name & ~RADIX_NARROW));
    const struct radix_node *node = radix_node_at(tree, name);
    ASSERT(node->place == place && node->bitmap != 0);
    ASSERT(!is_narrow || radix_node_count(node) <= RADIX_CHILDREN_NARROW);
    tally->wide += !is_narrow;
    tally->narrow += is_narrow;
    for (uint64_t bits = node->bitmap; bits != 0; bits &= bits - 1) {
        uint32_t slot = (uint32_t) __builtin_ctzll(bits);
        uint32_t child = *radix_node_child(tree, name, slot);
        ASSERT(child != 0);
        if (radix_node_level(node) == 1) {
            tally->numbers++;
        } else {
            uint64_t prefix = radix_node_prefix(node) << RADIX_LEVEL_BITS | slot;
            check_node(tree, child, prefix << 4 | (radix_node_level(node) - 1), tally);
        }
    }
}

void radix_tree_check(const struct radix_tree *tree)
{
    struct tally tally = {0};
    ASSERT((tree->root == 0) == (tree->levels == 0) && (tree->root == 0) == (tree->count == 0));
    if (tree->root != 0) {
        const struct radix_node *root = radix_node_at(tree, tree->root);
        ASSERT(tree->levels <= LEVELS_MAX && radix_node_level(root) == tree->levels);
        ASSERT(tree->levels == 1 || radix_node_count(root) > 1);
        check_node(tree, tree->root, root->place, &tally);
    }
    ASSERT(tally.wide == tree->wide.count && tally.narrow == tree->narrow.count);
    ASSERT(tally.numbers == tree->count && tree->count <= tree->capacity);
    if (tree->leaf != 0) {
        ASSERT(tree->leaf == find_node(tree, tree->leaf_number << RADIX_LEVEL_BITS, 1));
    }
    packed_check(&tree->wide);
    packed_check(&tree->narrow);
}
