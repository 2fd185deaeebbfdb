/* SPDX-License-Identifier: MIT */
/* A block is a pointer to its pool with the message behind it, so that message_release() finds home
 * from the message alone, and both stand in one line where the message is small. Spare blocks are
 * linked by the link that their messages have for the mailbox. */
#include "actor/message_pool.h"

#include "actor/loop.h"

#include <stdlib.h>

#define CHUNK_BLOCKS 64
#define BLOCK_ALIGN 64

struct message_block {
    struct message_pool *pool;
    struct message message;
};

struct message_chunk {
    _Alignas(BLOCK_ALIGN) struct message_chunk *next;
};

struct message_pool {
    /* The loop's thread alone. */
    struct message *spare;
    struct message_chunk *chunks;
    uint32_t made; /* blocks in all */
    /* Fixed. */
    uint32_t messages_max;
    size_t block_bytes;
    struct actor_loop *loop;
    /* Chains from other threads. Release where one is put in, acquire where the owner takes them
     * all: that hands over the blocks. Nobody takes a single one, so a block that comes twice does
     * no harm. */
    _Alignas(BLOCK_ALIGN) _Atomic(struct message *) returned;
};

struct message_pool *message_pool_new(struct actor_loop *loop, size_t message_bytes,
                                      uint32_t messages_max)
{
    ASSERT(message_bytes >= sizeof(struct message) && messages_max > 0);
    struct message_pool *pool = aligned_alloc(BLOCK_ALIGN, sizeof *pool);
    if (pool == NULL) {
        return NULL;
    }
    size_t bytes = offsetof(struct message_block, message) + message_bytes;
    *pool =
        (struct message_pool){.messages_max = messages_max,
                              .block_bytes = (bytes + BLOCK_ALIGN - 1) / BLOCK_ALIGN * BLOCK_ALIGN,
                              .loop = loop};
    return pool;
}

/* Relaxed: whoever has a spare message has it alone; chains are handed over by `returned`. */
static struct message *next_of(const struct message *message)
{
    return atomic_load_explicit(&message->next, memory_order_relaxed);
}

static void link_before(struct message *message, struct message *next)
{
    atomic_store_explicit(&message->next, next, memory_order_relaxed);
}

/* From any thread: a chain goes home. */
static void put_chain(struct message_pool *pool, struct message *first, struct message *last)
{
    struct message *before = atomic_load_explicit(&pool->returned, memory_order_relaxed);
    do {
        link_before(last, before);
    } while (!atomic_compare_exchange_weak_explicit(&pool->returned, &before, first,
                                                    memory_order_release, memory_order_relaxed));
}

void message_returns_flush(struct message_returns *returns)
{
    if (returns->first != NULL) {
        put_chain(returns->pool, returns->first, returns->last);
        *returns = (struct message_returns){0};
    }
}

static void returns_add(struct message_returns *returns, struct message_pool *pool,
                        struct message *message)
{
    if (returns->pool != pool || returns->count == ACTOR_RETURNS_MAX) {
        message_returns_flush(returns);
        returns->pool = pool;
        returns->last = message;
    }
    link_before(message, returns->first);
    returns->first = message;
    returns->count++;
}

static void pool_give(struct message *message)
{
    struct message_block *block = LIST_OWNER(message, struct message_block, message);
    struct message_pool *pool = block->pool;
    ASSERT(!message->queued);
    if (loop_here == pool->loop) {
        link_before(message, pool->spare);
        pool->spare = message;
    } else if (loop_here != NULL) {
        returns_add(&loop_here->returns, pool, message);
    } else {
        put_chain(pool, message, message);
    }
}

static void grow(struct message_pool *pool)
{
    uint32_t left = pool->messages_max - pool->made;
    uint32_t count = left < CHUNK_BLOCKS ? left : CHUNK_BLOCKS;
    if (count == 0) {
        return;
    }
    char *memory =
        aligned_alloc(BLOCK_ALIGN, sizeof(struct message_chunk) + count * pool->block_bytes);
    if (memory == NULL) {
        return;
    }
    struct message_chunk *chunk = (struct message_chunk *) (void *) memory;
    chunk->next = pool->chunks;
    pool->chunks = chunk;
    pool->made += count;
    memory += sizeof *chunk;
    /* The last one first, so that they are taken in the order of their addresses. */
    for (uint32_t i = count; i > 0; i--) {
        struct message_block *block = (void *) (memory + (i - 1) * pool->block_bytes);
        *block = (struct message_block){.pool = pool};
        link_before(&block->message, pool->spare);
        pool->spare = &block->message;
    }
}

struct message *message_pool_take(struct message_pool *pool)
{
    ASSERT(loop_is_here(pool->loop));
    if (pool->spare == NULL &&
        atomic_load_explicit(&pool->returned, memory_order_relaxed) != NULL) {
        pool->spare = atomic_exchange_explicit(&pool->returned, NULL, memory_order_acquire);
    }
    if (pool->spare == NULL) {
        grow(pool);
    }
    struct message *message = pool->spare;
    if (message != NULL) {
        pool->spare = next_of(message);
        *message = (struct message){.release = pool_give};
    }
    return message;
}

void message_pool_free(struct message_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    uint32_t spare = 0;
    for (const struct message *message = pool->spare; message != NULL; message = next_of(message)) {
        spare++;
    }
    /* Acquire: as message_pool_take(). */
    const struct message *message = atomic_load_explicit(&pool->returned, memory_order_acquire);
    for (; message != NULL; message = next_of(message)) {
        spare++;
    }
    ASSERT(spare == pool->made);
    while (pool->chunks != NULL) {
        struct message_chunk *chunk = pool->chunks;
        pool->chunks = chunk->next;
        free(chunk);
    }
    free(pool);
}
