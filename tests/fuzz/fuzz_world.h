/* SPDX-License-Identifier: MIT */
/* What stands around the registry while a fuzzer plays a script: its port, a journal in memory that a restart
 * gives back, and what was promised so far, against which every answer is held:
 *
 *   - a gen is given out once, and gens rise;
 *   - an operation that was seen cancelled is never seen LIVE again, one that was seen ended never otherwise,
 *     and its first cause stays; after a restart that holds of every cancel that the journal had kept;
 *   - an answer is whole, and no longer than a frame may be. */
#ifndef CANCELD_TESTS_FUZZ_WORLD_H
#define CANCELD_TESTS_FUZZ_WORLD_H

#include "registry/registry.h"

#define WORLD_LINKS 4
#define WORLD_SESSIONS 8
#define WORLD_GENS 16
#define WORLD_SEEN 64
#define WORLD_RECORDS 256
#define WORLD_TEXT_BYTES ((size_t) 65536)

struct world_session {
    uint64_t number;
    uint8_t secret[SECRET_BYTES];
    uint64_t id_next;
};

/* An operation as answers have shown it. */
struct world_seen {
    uint64_t gen;
    uint64_t name; /* a hash of its namespace and key */
    enum state state;
    enum cause_code cause;
};

struct world_record {
    struct journal_record record;
    uint64_t number; /* 0: given back by the restart */
};

struct world {
    struct registry *registry; /* NULL: the script has come to its end */
    uint64_t now_ms;
    uint64_t epoch; /* the highest that was used */
    bool links[WORLD_LINKS];
    struct world_session sessions[WORLD_SESSIONS]; /* the newest, in turn */
    size_t sessions_count;                         /* since the start */
    uint64_t gens[WORLD_GENS];                     /* likewise */
    size_t gens_count;
    uint64_t gen_last;
    struct world_seen seen[WORLD_SEEN];
    size_t seen_count;
    struct world_record records[WORLD_RECORDS];
    size_t records_count;
    uint8_t texts[WORLD_TEXT_BYTES];
    size_t texts_bytes;
    uint64_t records_given; /* in this run */
    uint64_t records_kept;
    uint64_t ticket; /* of the last history asked for; 0: none */
    bool journal_is_full;
    bool history_fails;
    bool epochs_end;
    unsigned roles; /* of everybody whom no token names */
    struct link_counts {
        uint64_t replies;
        uint64_t results;
    } counts;
};

/* A registry with small tables, nothing in it, and one link. */
void world_begin(struct world *world, uint64_t recovery_ms);
void world_end(struct world *world);

/* The daemon is killed and starts again: what the journal had kept comes back. */
void world_restart(struct world *world, uint64_t recovery_ms);

/* So many of the records that were given are kept. */
void world_keep(struct world *world, uint64_t count);

/* Does all that is due at this time. */
void world_advance(struct world *world, uint32_t budget);

#endif
