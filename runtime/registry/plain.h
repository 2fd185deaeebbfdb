/* SPDX-License-Identifier: MIT */
/* Inside the registry: plain operations.
 *
 * Most operations are stored, perhaps touched, and deleted: nobody cancels them, waits for them, or gave
 * them labels, meta or a parent. Such a one is a single record of 64 bytes, a cache line: its key, gen,
 * owner, ttl and links. Anything else that happens to it makes a whole operation of it (plain_promote()),
 * with a record of its key, and that is what the rest of the registry is about. It never goes back.
 *
 * - A key has one plain live gen at most, and any number of plain remembered ones. It has a record of its own
 *   (it is known as a whole key) while it has a whole operation, live or remembered, or an arm or a bulk
 *   cancel; where none of these can touch a new operation, that one is plain again.
 * - What is plain of a key is newer than what is whole: whatever makes one whole, or looks at the whole ones,
 *   first makes the plain one whole that speaks for the key (key_find()): the live one, else the newest that
 *   ended.
 * - by_key finds of a key its live plain gen, the newest plain remembered one (PLAIN_NEWEST), and its whole
 *   record. by_number finds any gen of this start, plain (PLAIN_BIT) or whole, and gives all of them in order.
 * - The finished memory is one chain through both kinds; an id in it has PLAIN_BIT where it is plain. Since it
 *   forgets in the order of the ends, the newest of a key is forgotten last. So the older ones stand in no
 *   table of their key: a key that is stored and ended a thousand times a second costs what others cost. They
 *   are found by number.
 * - Plain records move (plain_compact()), so that memory goes back after a mass deletion. Only between
 *   requests: an index is good within one.
 *
 * When an operation was born is not in its record: numbers are given out in the order of time, so it is
 * looked up by number (births.c). */
#ifndef CANCELD_REGISTRY_PLAIN_H
#define CANCELD_REGISTRY_PLAIN_H

#include "base/byte_heap.h"
#include "registry/answer.h"
#include "registry/direct.h"
#include "registry/frame.h"
#include "table/wheel.h"

/* In an id that may be of either kind. by_key holds plain operations and the keys of whole ones: there it is
 * the keys that are marked. */
#define PLAIN_BIT (UINT32_C(1) << 31)
#define WHOLE_BIT (UINT32_C(1) << 31)

#define PLAIN_KEY_BYTES 32

/* Ops of a frame whose memory is fetched at once. */
#define PLAIN_BATCH 32

/* Records that are moved together after an op, at most: a delete makes one hole. */
#define MOVES_OF_OP 2
#define PLAIN_NUMBER_MAX ((UINT64_C(1) << 48) - 1)

/* A doubly linked list through records of a table, by a struct chain at a fixed offset. */
struct chain {
    uint32_t next;
    uint32_t previous;
};

struct chain_ends {
    uint32_t first;
    uint32_t last;
    uint32_t count;
};

enum plain_flag {
    PLAIN_ENDED = 1,
    PLAIN_REAPS = 2,         /* on_expiry is REAP */
    PLAIN_KEEPS = 4,         /* on_owner_loss is KEEP */
    PLAIN_JOINS = 8,         /* its policy is JOIN */
    PLAIN_OUTCOME_SHIFT = 4, /* three bits */
    PLAIN_NEWEST = 128       /* ended, and by_key has it: none of its key ended later */
};

struct plain {
    union {
        struct wheel_link timer; /* LIVE: set where it has a ttl */
        struct {
            struct chain of_memory;
            uint32_t ms; /* the low bits */
        } ended;
    };
    struct chain of_owner; /* LIVE */
    uint32_t holder;       /* LIVE: the session that owns it; ended: its namespace */
    uint32_t number_low;   /* gen - registry.gen_first */
    uint16_t number_high;
    uint8_t key_size; /* 0: it is kept */
    uint8_t flags;    /* enum plain_flag, the outcome above */
    union {
        uint8_t key[PLAIN_KEY_BYTES];
        struct kept_bytes kept; /* longer than that */
    };
};
_Static_assert(sizeof(struct plain) == 64, "a plain operation is a cache line");

/* The records of a key; 0: none. */
struct plain_found {
    uint32_t live;
    uint32_t ended;  /* the newest remembered */
    uint32_t wanted; /* of the gen asked for */
    uint32_t whole;  /* the key's own record */
};

/* An op that may be for plain operations: store, delete, touch or get. */
struct plain_op {
    enum op_kind kind;
    uint8_t policy;   /* store */
    uint8_t flags;    /* store: enum plain_flag */
    uint8_t outcome;  /* delete */
    uint32_t ttl_ms;  /* store, touch */
    uint32_t session; /* whose it is */
    uint32_t space;
    struct bytes key;
    uint64_t hash; /* key_hash() */
    uint64_t gen;
    struct direct_value value; /* store */
};

struct plain_answer {
    uint32_t index; /* that it is about, made already for STORED */
    uint32_t older; /* DELETED: the newest of its key that had ended before; 0: none */
    bool by_owner;
    enum outcome outcome; /* of an ended one */
    uint64_t gen;
    const char *full; /* FULL: the bound */
};

/* When numbers were given out: see births.c. */
struct birth {
    uint64_t number;
    uint64_t ms;
};

#define BIRTHS_MAX 65536

struct births {
    struct region region; /* of struct birth, rising in both */
    uint32_t count;
};

MUST_CHECK bool births_init(struct births *births);
void births_fini(struct births *births);
/* Number `number` is given out now. Numbers and times rise. */
void births_add(struct births *births, uint64_t number, uint64_t ms);
/* When that was: exact for what came lately, never later than it was for the rest. */
uint64_t births_of(const struct births *births, uint64_t number);

#endif
