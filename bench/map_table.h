/* SPDX-License-Identifier: MIT */
/* The table that every design with a lock has: the project's own (table/line_map.h, table/packed.h), so
 * that the rows compare the ways of locking, and not tables. No lock in it. */
#ifndef CANCELD_BENCH_MAP_TABLE_H
#define CANCELD_BENCH_MAP_TABLE_H

#include "map.h"
#include "table/line_map.h"
#include "table/packed.h"

struct map_entry {
    uint8_t key[MAP_KEY_BYTES];
    uint64_t hash;
    void (*cancel)(void *argument);
    void *argument;
    uint32_t deadline_ms; /* 0: none */
    bool match;
    bool cancelled;
    atomic_bool locked; /* for a design with a lock in each */
};

struct map_table {
    struct packed entries;
    struct line_map by_key;
};

void map_table_init(struct map_table *table, uint32_t capacity);
void map_table_fini(struct map_table *table);

/* NULL: the key is not there. */
struct map_entry *map_table_find(const struct map_table *table, const struct map_op *op);

/* False: it was there. Fails where the memory cannot be had. */
bool map_table_store(struct map_table *table, const struct map_op *op, uint32_t deadline_ms);

/* False: it was not there. */
bool map_table_delete(struct map_table *table, const struct map_op *op);

/* Copies an entry of another table; false: its key is there. */
bool map_table_copy(struct map_table *table, const struct map_entry *entry);

/* Takes away what matches, or whose deadline has come (now_ms; 0: what matches), among the entries
 * at and below *from, which is UINT32_MAX at first; `steps` entries at the most. False: all is done. */
bool map_table_clean(struct map_table *table, uint32_t now_ms, uint32_t *from, uint32_t steps);

/* A cancel function that is still to be called, once no lock is held. */
struct map_call {
    void (*cancel)(void *argument);
    void *argument;
};

/* One op of a worker, but for the call of a cancel function. */
bool map_table_one(struct map_table *table, const struct map_op *op, struct map_call *call);

static inline void map_call_make(const struct map_call *call)
{
    if (call->cancel != NULL) {
        call->cancel(call->argument);
    }
}

#endif
