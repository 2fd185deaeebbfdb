/* SPDX-License-Identifier: MIT */
/* What the model is made of: arrays that grow as they like, and an arena for what lives no longer than
 * one call. Neither is clever; running out of memory ends the test. */
#ifndef CANCELD_TESTS_MODEL_LIST_H
#define CANCELD_TESTS_MODEL_LIST_H

#include <stddef.h>
#include <stdint.h>

struct list {
    void *items;
    size_t count;
    size_t capacity;
    size_t item_bytes;
};

void list_init(struct list *list, size_t item_bytes);
void list_fini(struct list *list);

/* A zeroed item at the end. Moves the others: pointers into the list are stale afterwards. */
void *list_push(struct list *list);

/* `count` items more, copied. */
void list_append(struct list *list, const void *items, size_t count);

void *list_at(const struct list *list, size_t index);

/* Takes one out; those behind it move up and keep their order. */
void list_remove(struct list *list, size_t index);

/* Makes the list empty and keeps its memory. */
void list_clear(struct list *list);

struct arena {
    uint8_t *base;
    size_t used;
    size_t size;
};

void arena_init(struct arena *arena, size_t size);
void arena_fini(struct arena *arena);

/* Zeroed memory until arena_reset(). */
void *arena_take(struct arena *arena, size_t size);
void *arena_copy(struct arena *arena, const void *data, size_t size);
void arena_reset(struct arena *arena);

#endif
