/* SPDX-License-Identifier: MIT */
#include "sim/disk.h"

#include "base/check.h"
#include "sim/world.h"

#include <stdlib.h>

#define RETRY_MS UINT64_C(1000)
#define RECORD_BYTES 128 /* what one counts for */

static struct disk_record *push(struct disk_records *records)
{
    if (records->count == records->capacity) {
        records->capacity = records->capacity == 0 ? 64 : 2 * records->capacity;
        records->items = realloc(records->items, records->capacity * sizeof *records->items);
        ASSERT(records->items != NULL);
    }
    return &records->items[records->count++];
}

static void forget_first(struct disk_records *records, size_t count)
{
    records->count -= count;
    memmove(records->items, records->items + count, records->count * sizeof *records->items);
}

static uint8_t keep(uint8_t *out, size_t room, struct bytes bytes)
{
    ASSERT(bytes.size <= room);
    if (bytes.size > 0) {
        memcpy(out, bytes.data, bytes.size);
    }
    return (uint8_t) bytes.size;
}

static void record_take(struct disk_record *out, const struct journal_record *from)
{
    *out = (struct disk_record){.kind = from->kind,
                                .scope = from->scope,
                                .code = from->cause.code,
                                .gen = from->gen,
                                .bulk = from->bulk,
                                .owner = from->owner,
                                .fence = from->fence,
                                .after_gen = from->after_gen,
                                .ttl_ms = from->ttl_ms,
                                .by_owner = from->by_owner};
    out->sizes[0] = keep(out->space, sizeof out->space, from->space);
    out->sizes[1] = keep(out->key, sizeof out->key, from->key);
    out->sizes[2] = keep(out->label, sizeof out->label, from->label);
    out->sizes[3] = keep(out->text, sizeof out->text, from->cause.text);
    out->sizes[4] = keep(out->actor, sizeof out->actor, from->cause.actor);
    out->sizes[5] = keep(out->peer, sizeof out->peer, from->cause.peer);
}

static struct journal_record record_give(const struct disk_record *from)
{
    return (struct journal_record){.kind = from->kind,
                                   .space = bytes_of(from->space, from->sizes[0]),
                                   .key = bytes_of(from->key, from->sizes[1]),
                                   .label = bytes_of(from->label, from->sizes[2]),
                                   .gen = from->gen,
                                   .bulk = from->bulk,
                                   .scope = from->scope,
                                   .owner = from->owner,
                                   .fence = from->fence,
                                   .after_gen = from->after_gen,
                                   .ttl_ms = from->ttl_ms,
                                   .cause = {.code = from->code,
                                             .text = bytes_of(from->text, from->sizes[3]),
                                             .actor = bytes_of(from->actor, from->sizes[4]),
                                             .peer = bytes_of(from->peer, from->sizes[5])}};
}

/* ---- what a record does to the entries: as keep_of[] of journal_file.c ---- */

static bool same_name(const struct disk_record *a, const struct disk_record *b)
{
    return a->sizes[0] == b->sizes[0] && a->sizes[1] == b->sizes[1] &&
           memcmp(a->space, b->space, a->sizes[0]) == 0 && memcmp(a->key, b->key, a->sizes[1]) == 0;
}

static bool is_same(const struct disk_record *entry, const struct disk_record *record)
{
    if (entry->kind == JOURNAL_CANCEL) {
        return entry->gen == record->gen && same_name(entry, record);
    }
    return entry->kind == JOURNAL_BULK
               ? entry->bulk == record->bulk && entry->epoch == record->epoch
               : same_name(entry, record);
}

static struct disk_record *find(struct disk *disk, enum journal_kind kind,
                                const struct disk_record *record)
{
    for (size_t i = 0; i < disk->entries.count; i++) {
        struct disk_record *entry = &disk->entries.items[i];
        if (entry->kind == kind && is_same(entry, record)) {
            return entry;
        }
    }
    return NULL;
}

static void remove_entry(struct disk *disk, struct disk_record *entry)
{
    if (entry != NULL) {
        size_t at = (size_t) (entry - disk->entries.items);
        disk->entries.count--;
        memmove(entry, entry + 1, (disk->entries.count - at) * sizeof *entry);
    }
}

static void insert(struct disk *disk, const struct disk_record *record, enum journal_kind kind)
{
    struct disk_record *there = find(disk, kind, record);
    if (there != NULL) {
        there->end = DISK_OPEN; /* its owner is back */
        return;
    }
    struct disk_record *entry = push(&disk->entries);
    *entry = *record;
    entry->kind = kind;
}

static void keep_end(struct disk *disk, const struct disk_record *record)
{
    struct disk_record *entry = find(disk, JOURNAL_CANCEL, record);
    if (entry != NULL) {
        entry->end = record->by_owner ? DISK_FINISHED : DISK_LOST;
        entry->end_order = ++disk->end_order;
        entry->end_age_ns = record->age_ns;
    }
}

static void fold(struct disk *disk, const struct disk_record *record)
{
    switch (record->kind) {
    case JOURNAL_CANCEL:
    case JOURNAL_BULK:
        insert(disk, record, record->kind);
        break;
    case JOURNAL_END:
        keep_end(disk, record);
        break;
    case JOURNAL_BULK_SETTLED:
        remove_entry(disk, find(disk, JOURNAL_BULK, record));
        break;
    case JOURNAL_ARM:
        remove_entry(disk, find(disk, JOURNAL_ARM, record));
        insert(disk, record, JOURNAL_ARM);
        break;
    case JOURNAL_ARM_USED:
        remove_entry(disk, find(disk, JOURNAL_ARM, record));
        insert(disk, record, JOURNAL_CANCEL);
        break;
    case JOURNAL_ARM_GONE:
        remove_entry(disk, find(disk, JOURNAL_ARM, record));
        break;
    case JOURNAL_BULK_DONE:
    case JOURNAL_KIND_END:
        break;
    }
}

/* ---- the daemon's side ---- */

void disk_begin(struct disk *disk)
{
    struct disk_records entries = disk->entries;
    struct disk_records queue = disk->queue;
    entries.count = 0;
    queue.count = 0;
    *disk = (struct disk){.entries = entries, .queue = queue};
}

void disk_fini(struct disk *disk)
{
    free(disk->entries.items);
    free(disk->queue.items);
}

/* While it is open. */
static uint64_t age_ns(const struct disk *disk)
{
    return disk->opened_age_ns + (disk->world->now_ns - disk->opened_ns);
}

/* The file knows its age by what was written last. */
static void age_write(struct disk *disk)
{
    disk->age_ns = age_ns(disk);
}

/* What is settled by then is not found again. */
static void settle_finished(struct disk *disk)
{
    for (size_t i = disk->entries.count; i > 0; i--) {
        struct disk_record *entry = &disk->entries.items[i - 1];
        if (entry->end == DISK_FINISHED &&
            entry->end_age_ns + JOURNAL_REPEAT_MS * MS < disk->age_ns) {
            remove_entry(disk, entry);
        }
    }
}

void disk_open(const struct world *world, struct disk *disk, uint64_t epoch)
{
    disk->world = world;
    disk->opened_ns = world->now_ns;
    disk->opened_age_ns = disk->age_ns;
    disk->queue.count = 0;
    disk->under_way = 0;
    disk->given = 0;
    disk->kept = 0;
    disk->is_failing = false;
    disk->epoch = epoch;
}

void disk_append(struct disk *disk, const struct journal_record *record)
{
    struct disk_record *taken = push(&disk->queue);
    record_take(taken, record);
    taken->epoch = disk->epoch;
    taken->age_ns = age_ns(disk);
    disk->given++;
}

uint64_t disk_pending(const struct disk *disk)
{
    return disk->queue.count * RECORD_BYTES;
}

static uint64_t commit_ns(struct world *world, const struct disk *disk)
{
    uint64_t took = 100000 + chance_below(&world->life_chance, 400000);
    if (disk->is_failing) {
        return RETRY_MS * MS;
    }
    if (world_fault(world, FAULT_DISK_SLOW, 800)) {
        took += chance_below(&world->life_chance, 3000) * MS;
    }
    return took;
}

void disk_flush(struct world *world, struct disk *disk)
{
    if (disk->under_way > 0 || disk->queue.count == 0) {
        return;
    }
    disk->under_way = disk->queue.count;
    world_wake(world, SLOT_DISK, world->now_ns + commit_ns(world, disk));
}

static bool commit_fails(struct world *world, struct disk *disk)
{
    if (!world->is_healing && world->now_ns < disk->bad_until_ns) {
        return true;
    }
    const bool is_full = world_fault(world, FAULT_DISK_FULL, 300);
    const bool no_sync = !is_full && world_fault(world, FAULT_DISK_SYNC, 300);
    if (!is_full && !no_sync) {
        return false;
    }
    disk->reaches = no_sync;
    disk->bad_until_ns = world->now_ns + chance_below(&world->life_chance, 4000) * MS;
    return true;
}

enum disk_event disk_commit(struct world *world, struct disk *disk)
{
    world_wake(world, SLOT_DISK, AT_NEVER);
    if (disk->under_way == 0) {
        return DISK_NOTHING;
    }
    if (commit_fails(world, disk)) {
        const bool was_failing = disk->is_failing;
        disk->is_failing = true;
        world_wake(world, SLOT_DISK, world->now_ns + RETRY_MS * MS);
        return was_failing ? DISK_NOTHING : DISK_FAILED;
    }
    for (size_t i = 0; i < disk->under_way; i++) {
        fold(disk, &disk->queue.items[i]);
    }
    age_write(disk);
    settle_finished(disk);
    disk->kept += disk->under_way;
    forget_first(&disk->queue, disk->under_way);
    disk->under_way = 0;
    disk->is_failing = false;
    return DISK_KEPT;
}

void disk_crash(struct world *world, struct disk *disk)
{
    size_t kept = 0;
    if (disk->under_way > 0) {
        world_sometimes(world, SOMETIMES_DIED_IN_COMMIT);
        if (disk->is_failing) {
            world_sometimes(world, SOMETIMES_DIED_FAILING);
            kept = disk->reaches ? disk->under_way : 0;
        } else if (world_fault(world, FAULT_DISK_TORN, 50000)) {
            kept = (size_t) chance_below(&world->life_chance, disk->under_way);
        } else {
            kept = chance_strikes(&world->life_chance, 50000) ? disk->under_way : 0;
        }
    }
    for (size_t i = 0; i < kept; i++) {
        fold(disk, &disk->queue.items[i]);
        age_write(disk);
    }
    disk->queue.count = 0;
    disk->under_way = 0;
    disk->is_failing = false;
    world_wake(world, SLOT_DISK, AT_NEVER);
}

void disk_stop(struct disk *disk)
{
    for (size_t i = 0; i < disk->queue.count; i++) {
        fold(disk, &disk->queue.items[i]);
        age_write(disk);
    }
    disk->queue.count = 0;
    disk->under_way = 0;
    disk->is_failing = false;
}

/* ---- after a restart ---- */

static bool load_kind(const struct disk *disk, enum journal_kind kind,
                      bool (*take)(void *, const struct journal_record *), void *context)
{
    bool taken = true;
    for (size_t i = 0; i < disk->entries.count && taken; i++) {
        const struct disk_record *entry = &disk->entries.items[i];
        if (entry->kind == kind && entry->end == DISK_OPEN) {
            struct journal_record record = record_give(entry);
            taken = take(context, &record);
        }
    }
    return taken;
}

/* The newest first. */
static bool load_ended(const struct disk *disk, enum disk_end end,
                       bool (*take)(void *, const struct journal_record *), void *context)
{
    const uint64_t time_ns = JOURNAL_REPEAT_MS * MS;
    bool taken = true;
    for (uint64_t order = disk->end_order; order > 0 && taken; order--) {
        for (size_t i = 0; i < disk->entries.count && taken; i++) {
            const struct disk_record *entry = &disk->entries.items[i];
            const bool is_past = end == DISK_FINISHED && entry->end_age_ns + time_ns < disk->age_ns;
            if (entry->end == end && entry->end_order == order && !is_past) {
                struct journal_record record = record_give(entry);
                record.by_owner = end == DISK_FINISHED;
                taken = take(context, &record);
            }
        }
    }
    return taken;
}

bool disk_load(const struct disk *disk, bool (*take)(void *context, const struct journal_record *),
               void *context)
{
    return load_kind(disk, JOURNAL_CANCEL, take, context) &&
           load_kind(disk, JOURNAL_BULK, take, context) &&
           load_kind(disk, JOURNAL_ARM, take, context) &&
           load_ended(disk, DISK_LOST, take, context) &&
           load_ended(disk, DISK_FINISHED, take, context);
}
