/* SPDX-License-Identifier: MIT */
#include "map_table.h"

#include <string.h>

static uint64_t hash_of(const void *context, uint32_t id)
{
    const struct map_entry *entry = packed_at(context, id);
    return entry->hash;
}

static void prefetch(const void *context, uint32_t id)
{
    __builtin_prefetch(packed_at(context, id));
}

void map_table_init(struct map_table *table, uint32_t capacity)
{
    _Static_assert(sizeof(struct map_entry) == 64, "an entry is a cache line");
    bool good = packed_init(&table->entries, sizeof(struct map_entry), capacity) &&
                line_map_init(&table->by_key, capacity, hash_of, prefetch, &table->entries);
    if (!good) {
        harness_fail("no address space for a table of %u", capacity);
    }
}

void map_table_fini(struct map_table *table)
{
    line_map_fini(&table->by_key);
    packed_fini(&table->entries);
}

static uint32_t find(const struct map_table *table, uint64_t hash, const uint8_t *key)
{
    struct line_walk walk;
    uint32_t id = line_map_first(&table->by_key, hash, &walk);
    while (id != 0) {
        const struct map_entry *entry = packed_at(&table->entries, id);
        if (entry->hash == hash && memcmp(entry->key, key, MAP_KEY_BYTES) == 0) {
            return id;
        }
        id = line_map_next(&walk);
    }
    return 0;
}

struct map_entry *map_table_find(const struct map_table *table, const struct map_op *op)
{
    uint32_t id = find(table, op->hash, op->key);
    return id == 0 ? NULL : packed_at(&table->entries, id);
}

/* A new entry under a key that is not there. */
static struct map_entry *add(struct map_table *table, uint64_t hash)
{
    uint32_t id = packed_take(&table->entries);
    if (id == 0) {
        harness_fail("no memory for an entry");
    }
    struct map_entry *entry = packed_at(&table->entries, id);
    entry->hash = hash;
    if (!line_map_insert(&table->by_key, hash, id)) {
        harness_fail("no memory for a bucket");
    }
    return entry;
}

bool map_table_store(struct map_table *table, const struct map_op *op, uint32_t deadline_ms)
{
    if (find(table, op->hash, op->key) != 0) {
        return false;
    }
    struct map_entry *entry = add(table, op->hash);
    memcpy(entry->key, op->key, MAP_KEY_BYTES);
    entry->cancel = map_cancelled;
    entry->deadline_ms = deadline_ms;
    entry->match = op->match;
    return true;
}

bool map_table_copy(struct map_table *table, const struct map_entry *from)
{
    if (find(table, from->hash, from->key) != 0) {
        return false;
    }
    struct map_entry *entry = add(table, from->hash);
    memcpy(entry, from, sizeof *entry);
    return true;
}

static void take_away(struct map_table *table, uint32_t id)
{
    struct map_entry *entry = packed_at(&table->entries, id);
    line_map_remove(&table->by_key, entry->hash, id);
    packed_give(&table->entries, id);
    uint32_t from = 0;
    uint32_t to = 0;
    if (packed_next_move(&table->entries, &from, &to)) {
        packed_move(&table->entries, from, to);
        entry = packed_at(&table->entries, to);
        line_map_rename(&table->by_key, entry->hash, from, to);
    }
}

bool map_table_delete(struct map_table *table, const struct map_op *op)
{
    uint32_t id = find(table, op->hash, op->key);
    if (id != 0) {
        take_away(table, id);
    }
    return id != 0;
}

static struct map_call cancel(struct map_table *table, const struct map_op *op, bool *hit_out)
{
    struct map_entry *entry = map_table_find(table, op);
    *hit_out = entry != NULL;
    if (entry == NULL || entry->cancelled) {
        return (struct map_call){0};
    }
    entry->cancelled = true;
    return (struct map_call){entry->cancel, entry->argument};
}

bool map_table_one(struct map_table *table, const struct map_op *op, struct map_call *call)
{
    bool hit = false;
    *call = (struct map_call){0};
    switch (op->kind) {
    case MAP_STORE:
        return map_table_store(table, op, 0);
    case MAP_DELETE:
        return map_table_delete(table, op);
    case MAP_GET:
        return map_table_find(table, op) != NULL;
    case MAP_CANCEL:
        *call = cancel(table, op, &hit);
        return hit;
    }
    return false;
}

static bool goes(const struct map_entry *entry, uint32_t now_ms)
{
    return now_ms == 0 ? entry->match : entry->deadline_ms != 0 && entry->deadline_ms <= now_ms;
}

/* Downwards: what a removal moves comes from above, where all was looked at. */
bool map_table_clean(struct map_table *table, uint32_t now_ms, uint32_t *from, uint32_t steps)
{
    uint32_t end = table->entries.end;
    uint32_t id = *from < end ? *from : end - 1;
    for (; id > 0 && steps > 0; id--, steps--) {
        if (packed_is_live(&table->entries, id) && goes(packed_at(&table->entries, id), now_ms)) {
            take_away(table, id);
        }
    }
    *from = id;
    return id > 0;
}
