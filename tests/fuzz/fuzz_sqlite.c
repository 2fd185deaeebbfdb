/* SPDX-License-Identifier: MIT */
#include "fuzz_sqlite.h"

#include "testing.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#if TEST_SANITIZED && defined(__clang__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(place, size) ((void) (place), (void) (size))
#define ASAN_UNPOISON_MEMORY_REGION(place, size) ((void) (place), (void) (size))
#endif

#define GRAIN ((size_t) 64)
#define POOLED_MAX ((size_t) 16384)
#define CLASSES (POOLED_MAX / GRAIN + 1)
#define POOL_BYTES ((size_t) 16 << 20)

/* Stands in front of each block; a free one's memory is poisoned, its head is not. */
struct head {
    size_t size; /* as SQLite knows it, rounded up */
    struct head *next;
};

static _Alignas(16) uint8_t pool[POOL_BYTES];
static size_t pool_used;
static struct head *free_blocks[CLASSES];

static int rounded(int size)
{
    return (int) (((size_t) size + GRAIN - 1) & ~(GRAIN - 1));
}

static struct head *head_of(void *memory)
{
    return (struct head *) memory - 1;
}

static struct head *take_pooled(size_t size)
{
    struct head **free_first = &free_blocks[size / GRAIN];
    struct head *head = *free_first;
    if (head != NULL) {
        *free_first = head->next;
    } else if (size + sizeof *head <= POOL_BYTES - pool_used) {
        head = (struct head *) (void *) (pool + pool_used);
        pool_used += size + sizeof *head;
    }
    return head;
}

static void *take(int size)
{
    const size_t whole = (size_t) rounded(size);
    struct head *head =
        whole <= POOLED_MAX ? take_pooled(whole) : malloc(whole + sizeof(struct head));
    if (head == NULL) {
        return NULL;
    }
    head->size = whole;
    ASAN_UNPOISON_MEMORY_REGION(head + 1, whole);
    return head + 1;
}

static void give(void *memory)
{
    struct head *head = head_of(memory);
    if (memory == NULL) {
        return;
    }
    if (head->size > POOLED_MAX) {
        free(head);
        return;
    }
    ASAN_POISON_MEMORY_REGION(memory, head->size);
    head->next = free_blocks[head->size / GRAIN];
    free_blocks[head->size / GRAIN] = head;
}

static int size_of(void *memory)
{
    return memory == NULL ? 0 : (int) head_of(memory)->size;
}

static void *resize(void *memory, int size)
{
    const size_t before = head_of(memory)->size;
    if (before == (size_t) rounded(size)) {
        return memory;
    }
    void *other = take(size);
    if (other != NULL) {
        memcpy(other, memory, before < (size_t) size ? before : (size_t) size);
        give(memory);
    }
    return other;
}

static int begin(void *context)
{
    (void) context;
    return SQLITE_OK;
}

static void end(void *context)
{
    (void) context;
}

void fuzz_sqlite_begin(void)
{
    static const sqlite3_mem_methods methods = {.xMalloc = take,
                                                .xFree = give,
                                                .xRealloc = resize,
                                                .xSize = size_of,
                                                .xRoundup = rounded,
                                                .xInit = begin,
                                                .xShutdown = end};
    CHECK_EQ(sqlite3_config(SQLITE_CONFIG_MALLOC, &methods), SQLITE_OK);
    CHECK_EQ(sqlite3_config(SQLITE_CONFIG_SINGLETHREAD), SQLITE_OK);
}
