/* SPDX-License-Identifier: MIT */
/* The simulated journal: what runtime/journal keeps, without SQLite. One batch is on its way at the most, while the
 * next one fills; a commit takes its time, fails, or is torn by a crash: then a part of its records is there, or
 * all, or none. What is kept is folded as journal_file.c does it, and given back in the order of
 * journal_file_load.c. */
#ifndef CANCELD_TESTS_SIM_DISK_H
#define CANCELD_TESTS_SIM_DISK_H

#include "registry/journal_record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct world;

#define DISK_NAME_MAX 16
#define DISK_TEXT_MAX 32

/* How an entry ended that is given back all the same. */
enum disk_end {
    DISK_OPEN,    /* it has not */
    DISK_LOST,    /* without its owner, who may come back (for longer than a world lasts) */
    DISK_FINISHED /* by its owner, who may not have had the answer: for JOURNAL_REPEAT_MS */
};

/* A record with its bytes. */
struct disk_record {
    enum journal_kind kind;
    enum bulk_scope scope;
    enum cause_code code;
    uint8_t sizes[6];
    uint8_t space[DISK_NAME_MAX];
    uint8_t key[DISK_NAME_MAX];
    uint8_t label[DISK_NAME_MAX];
    uint8_t text[DISK_TEXT_MAX];
    uint8_t actor[DISK_NAME_MAX];
    uint8_t peer[DISK_TEXT_MAX];
    uint64_t gen;
    uint64_t bulk;
    uint64_t owner;
    uint64_t fence;
    uint64_t after_gen;
    uint64_t ttl_ms;
    bool by_owner;
    uint64_t age_ns; /* the journal's, when it was given */
    /* of an entry */
    enum disk_end end;
    uint64_t end_order;
    uint64_t end_age_ns;
    uint64_t epoch;
};

struct disk_records {
    struct disk_record *items;
    size_t count;
    size_t capacity;
};

struct disk {
    struct disk_records entries; /* durable, and not settled */
    struct disk_records queue;   /* given by the daemon; the first of them are on their way */
    size_t under_way;
    uint64_t given; /* records of this run */
    uint64_t kept;  /* of them */
    uint64_t end_order;
    uint64_t epoch;
    const struct world *world; /* its clock */
    uint64_t age_ns;           /* for how long it was open, as of the last commit */
    uint64_t opened_ns;
    uint64_t opened_age_ns;
    bool is_failing; /* it was told so */
    bool fails_next; /* the commit that is on its way will fail */
    bool reaches;    /* and its data reach the file all the same, for the fsync failed */
    uint64_t bad_until_ns;
};

enum disk_event { DISK_NOTHING, DISK_KEPT, DISK_FAILED };

void disk_begin(struct disk *disk);
void disk_fini(struct disk *disk);

/* The daemon's process began. */
void disk_open(const struct world *world, struct disk *disk, uint64_t epoch);

void disk_append(struct disk *disk, const struct journal_record *record);
uint64_t disk_pending(const struct disk *disk);

/* At the end of a turn: what has come goes on its way, if nothing is. */
void disk_flush(struct world *world, struct disk *disk);

/* The commit ends: with DISK_KEPT, disk->kept is the number. */
enum disk_event disk_commit(struct world *world, struct disk *disk);

/* The daemon's process is gone: killed, or (flushes) stopped. */
void disk_crash(struct world *world, struct disk *disk);
void disk_stop(struct disk *disk);

/* Just after disk_open(): gives every entry back; false where it was not taken. */
bool disk_load(const struct disk *disk, bool (*take)(void *context, const struct journal_record *),
               void *context);

#endif
