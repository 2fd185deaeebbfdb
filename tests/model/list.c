/* SPDX-License-Identifier: MIT */
#include "model/list.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

void list_init(struct list *list, size_t item_bytes)
{
    *list = (struct list){.item_bytes = item_bytes};
}

void list_fini(struct list *list)
{
    free(list->items);
    *list = (struct list){0};
}

static void reserve(struct list *list, size_t more)
{
    if (list->count + more <= list->capacity) {
        return;
    }
    list->capacity = 2 * (list->count + more) + 16;
    list->items = realloc(list->items, list->capacity * list->item_bytes);
    ASSERT(list->items != NULL);
}

void list_append(struct list *list, const void *items, size_t count)
{
    reserve(list, count);
    if (count > 0) {
        memcpy((char *) list->items + list->count * list->item_bytes, items,
               count * list->item_bytes);
        list->count += count;
    }
}

void *list_push(struct list *list)
{
    reserve(list, 1);
    void *item = (char *) list->items + list->count++ * list->item_bytes;
    return memset(item, 0, list->item_bytes);
}

void *list_at(const struct list *list, size_t index)
{
    ASSERT(index < list->count);
    return (char *) list->items + index * list->item_bytes;
}

void list_remove(struct list *list, size_t index)
{
    char *item = list_at(list, index);
    memmove(item, item + list->item_bytes, (list->count - index - 1) * list->item_bytes);
    list->count--;
}

void list_clear(struct list *list)
{
    list->count = 0;
}

void arena_init(struct arena *arena, size_t size)
{
    *arena = (struct arena){.base = malloc(size), .size = size};
    ASSERT(arena->base != NULL);
}

void arena_fini(struct arena *arena)
{
    free(arena->base);
    *arena = (struct arena){0};
}

void *arena_take(struct arena *arena, size_t size)
{
    size_t rounded = (size + 15) & ~(size_t) 15;
    ASSERT(rounded <= arena->size - arena->used);
    void *memory = arena->base + arena->used;
    arena->used += rounded;
    return size == 0 ? memory : memset(memory, 0, size);
}

void *arena_copy(struct arena *arena, const void *data, size_t size)
{
    void *memory = arena_take(arena, size);
    return size == 0 ? memory : memcpy(memory, data, size);
}

void arena_reset(struct arena *arena)
{
    arena->used = 0;
}
