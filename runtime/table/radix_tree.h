/* SPDX-License-Identifier: MIT */
/* From numbers that are given out in rising order to 32-bit ids, in order: a radix tree of 64-way
 * nodes (D. Morrison, "PATRICIA", JACM 1968, without its path compression but at the top: the tree is
 * as high as the span of the numbers in it asks for). About 4.4 bytes a number where they are dense.
 *
 * Finds a number, or the first at or above one, so that a walk over everything can be left and taken
 * up again by number, whatever has come and gone meanwhile.
 *
 * A node of few children is a cache line, one of more is four and a bit. Both stand in a struct packed,
 * so memory goes back to the system after a mass removal: call radix_tree_compact() now and then. Where one
 * number in a hundred is left at random, a seventh of the memory is; where they are the last, a hundredth.
 * Not thread-safe: one owner. Nothing is allocated after init. */
#ifndef CANCELD_TABLE_RADIX_TREE_H
#define CANCELD_TABLE_RADIX_TREE_H

#include "base/check.h"
#include "table/packed.h"

#include <stdbool.h>
#include <stdint.h>

/* Each number is below 2^60. */
#define RADIX_TREE_NUMBER_BITS 60

struct radix_tree {
    struct packed wide;   /* nodes with a place for each of 64 children */
    struct packed narrow; /* with up to 12 */
    uint32_t root;        /* names a node, as all of these do; 0: the tree is empty */
    uint32_t levels;      /* of nodes; 0 where the tree is empty */
    uint32_t leaf;        /* the leaf that was put into last; 0: none */
    uint32_t count;       /* numbers */
    uint64_t leaf_number; /* number / 64 of all numbers of that leaf */
    uint32_t capacity;
};

/* For `capacity` numbers at most. */
MUST_CHECK bool radix_tree_init(struct radix_tree *tree, uint32_t capacity);
void radix_tree_fini(struct radix_tree *tree);

/* Adds a number that is not in the tree; the id is not 0. False where memory cannot be had, or the tree
 * has as many numbers as its capacity: nothing is changed. Fast where numbers rise. */
MUST_CHECK bool radix_tree_put(struct radix_tree *tree, uint64_t number, uint32_t id);

/* Commits the memory that the next put may need, of whatever number: if no other call comes between, that
 * put does not fail. False where memory cannot be had, or the tree is full. */
MUST_CHECK bool radix_tree_reserve(struct radix_tree *tree);

/* Another id for a number that is in the tree. */
void radix_tree_set(struct radix_tree *tree, uint64_t number, uint32_t id);

/* Takes out a number that is in the tree. */
void radix_tree_remove(struct radix_tree *tree, uint64_t number);

/* The id of a number; 0: it is not in the tree. */
uint32_t radix_tree_get(const struct radix_tree *tree, uint64_t number);

/* The id of the first number at or above `from`, and that number; 0: there is none. */
uint32_t radix_tree_next(const struct radix_tree *tree, uint64_t from, uint64_t *number_out);

/* Has the processor fetch what radix_tree_get() or _remove() of this number will read last. */
void radix_tree_prefetch(const struct radix_tree *tree, uint64_t number);

/* At most `budget` nodes are moved together; returns how many were. */
uint32_t radix_tree_compact(struct radix_tree *tree, uint32_t budget);

/* Bytes of memory committed at present. */
size_t radix_tree_bytes(const struct radix_tree *tree);

/* Asserts every invariant. O(n). */
void radix_tree_check(const struct radix_tree *tree);

#endif
