/* SPDX-License-Identifier: MIT */
/* What the registry gives to the journal, and what it is given back after a restart. All bytes are
 * borrowed for the call.
 *
 * A record is numbered by its place: the first that the registry gives in a run is 1. What an answer
 * says is kept once the journal has told registry_journal_kept() with that number or a higher one;
 * until then the answer waits. Owners are told at once. */
#ifndef CANCELD_REGISTRY_JOURNAL_RECORD_H
#define CANCELD_REGISTRY_JOURNAL_RECORD_H

#include "registry/frame.h"

enum journal_kind {
    JOURNAL_CANCEL, /* space, key, gen, cause; given back with by_owner: its owner ended it, and may repeat that */
    JOURNAL_END, /* space, key, gen, outcome, by_owner, delivered..., ended_after_ms: of one in CANCEL or ARM_USED */
    JOURNAL_BULK,         /* bulk, space, scope and its name, fence, after_gen, cause */
    JOURNAL_BULK_DONE,    /* bulk, requested: every operation that it covers was reached */
    JOURNAL_BULK_SETTLED, /* bulk: and every one has ended */
    JOURNAL_ARM,          /* space, key, cause, ttl_ms: the first, or with a later end */
    JOURNAL_ARM_USED,     /* space, key, gen, cause: gone, and gen is cancelled */
    JOURNAL_ARM_GONE,     /* space, key: disarmed or lapsed */
    JOURNAL_KIND_END
};

/* What a bulk cancel covers, within its namespace and up to its fence. */
enum bulk_scope {
    BULK_SPACE,  /* all */
    BULK_LABEL,  /* those with the label */
    BULK_OWNER,  /* those of a session */
    BULK_KEY,    /* those of a key above after_gen: a keyed cancel of the recovery time */
    BULK_DAEMON, /* all of every namespace: the space is empty */
    BULK_SCOPE_END
};

struct journal_record {
    enum journal_kind kind;
    struct bytes space;
    struct bytes key;
    struct bytes label;
    uint64_t gen;
    uint64_t bulk; /* never 0, rises within a run; with the epoch it names the bulk for ever */
    enum bulk_scope scope;
    uint64_t owner;
    uint64_t fence;
    uint64_t after_gen;
    uint64_t ttl_ms;
    uint64_t requested;
    struct cause cause;
    enum outcome outcome;
    bool by_owner;
    bool delivered;
    uint64_t delivered_after_ms;
    uint64_t ended_after_ms;
};

/* What `history` asks for: entries of the namespace, the newest first, from the cursor on. */
struct history_query {
    struct bytes space;
    struct bytes key; /* empty: any */
    uint64_t cursor;  /* 0: the newest */
    uint32_t items_max;
    size_t bytes_max; /* of the texts of all entries, with 128 bytes for each on top */
};

#endif
