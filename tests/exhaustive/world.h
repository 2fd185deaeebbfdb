/* SPDX-License-Identifier: MIT */
/* The small world: two keys, two owners, two cancellers and one daemon, which holds the real registry.
 *
 * Beside the registry stands the oracle: a few arrays, written from the contract alone, that say what each
 * answer must be. All of it is plain memory without pointers, so that a state is kept by an assignment.
 * One event is one step of somebody: what it does to the registry and what it says of the answers is in
 * events.c; what is expected is in oracle*.c; the answers are read and compared in answers.c. */
#ifndef CANCELD_TESTS_EXHAUSTIVE_WORLD_H
#define CANCELD_TESTS_EXHAUSTIVE_WORLD_H

#include "registry/registry.h"

#include <stdbool.h>
#include <stdint.h>

enum { KEYS = 2, OWNERS = 2, CANCELLERS = 2, ACTORS = OWNERS + CANCELLERS };
enum {
    NOBODY = ACTORS,
    GENS_MAX = 12,
    ASKS_MAX = 24,
    LOG_MAX = 128,
    NOTICES_SEEN_MAX = 8,
    NOBODY_GEN = 255
};

/* No two of these times are apart by a whole number of steps, so that no two ends meet in one ms. */
#define STEP_MS UINT64_C(1000)
#define RECOVERY_TIME_MS UINT64_C(510)
#define ARM_TTL_MS UINT64_C(620)
#define TTL_MS UINT64_C(730)
#define GRACE_TIME_MS UINT64_C(840)
#define DEADLINE_TIME_MS UINT64_C(950)
#define MEMORY_MS UINT64_C(1660)

/* An operation: what the registry must have of it, and what its owner's process knows. */
struct gen {
    uint64_t number;
    uint64_t ttl_end_ms;  /* 0: no ttl */
    uint64_t stop_end_ms; /* 0: its ttl has not ended */
    uint64_t ended_ms;
    uint8_t key;
    uint8_t owner;
    uint8_t state; /* enum state; STATE_UNSET: the registry does not have it */
    uint8_t outcome;
    uint8_t cause; /* enum cause_code */
    uint8_t by;    /* the actor of the cause; NOBODY: the registry */
    uint8_t level;
    bool owned; /* by a session that is there */
    bool has_ttl;
    bool reaps;
    bool due[NOTICE_END];      /* a notice that is not acknowledged */
    uint64_t seen[NOTICE_END]; /* its number, where this session of the owner has seen it */
    bool recovered;            /* the journal gave its cancel back */
    bool repeats;              /* and says that its owner had ended it */
    bool covered;              /* its end is in the journal too */
    bool of_arm;               /* an arm cancelled it, in this run of the daemon */
    bool known;                /* the owner has the answer of its store */
    bool finished;             /* and has deleted it, or was told that it is gone */
    bool promised;             /* somebody was answered that it is cancelled */
    uint8_t told[NOTICE_END];  /* callbacks that the owner's process has run */
    bool unacked[NOTICE_END];  /* and not yet acknowledged */
};

/* What a reply has to say. */
struct expected {
    uint64_t gen;
    uint8_t answer;
    uint8_t state;
    uint8_t outcome;
    uint8_t cause;
    uint8_t by;
    uint8_t level;
    bool cancelled;
};

/* A request that its actor has no answer to. */
struct ask {
    uint64_t id;
    uint64_t due_ms; /* of its deadline; 0: none */
    uint64_t after;  /* poll */
    uint64_t order;  /* of its arrival at the registry */
    struct expected expected;
    uint8_t event; /* enum event_kind */
    uint8_t actor;
    uint8_t key;
    uint8_t mode;
    uint8_t gen;  /* index, of what it names */
    bool decided; /* `expected` is final */
    bool lost;    /* its reply is, or will be, lost */
    bool emitted; /* and was */
    uint8_t
        ties[GENS_MAX]; /* cancel: gens, newest first, and what was answered of each; wait: one */
    uint8_t tie_answers[GENS_MAX];
    uint8_t ties_count;
    uint8_t acks[2 * GENS_MAX]; /* poll: gen * NOTICE_END + kind */
    uint8_t acks_count;
};

struct actor {
    uint64_t session;
    uint8_t secret[SECRET_BYTES];
    uint64_t link;
    uint64_t last_id;
    uint64_t after;    /* owners: the highest number of a notice seen */
    uint64_t grace_ms; /* while cut: when the session is lost */
    bool is_cut;
    bool is_lost; /* and it was */
};

struct arm {
    uint64_t due_ms; /* 0: none */
    uint8_t by;
};

/* What the journal was given. */
struct log_entry {
    uint64_t gen;
    uint8_t kind;
    uint8_t key;
    uint8_t by;
    uint8_t cause;
    bool by_owner;
};

struct world {
    struct registry *registry;
    uint64_t now_ms;
    uint64_t epoch;
    uint64_t counter; /* of the last gen */
    uint64_t recovery_end_ms;
    uint64_t link_last;
    uint64_t order_last;
    struct gen gens[GENS_MAX];
    struct ask asks[ASKS_MAX];
    struct actor actors[ACTORS];
    struct arm arms[KEYS];
    struct log_entry log[LOG_MAX];
    uint32_t gens_count;
    uint32_t asks_count;
    uint32_t log_count; /* in this run of the daemon */
    uint32_t kept;
    uint8_t
        covers[KEYS]; /* 1 + who cancelled the key in the recovery time, earlier gens included */
    bool loss_used;
    bool lose_next;
    bool crashed;
};

extern struct world world;

enum event_kind {
    EVENT_STORE,  /* owner, key, mode: enum store_mode */
    EVENT_DELETE, /* owner, key, mode: 0 its newest, 1 the one before */
    EVENT_POLL,   /* owner */
    EVENT_ADOPT,  /* owner, key, mode: 0 the oldest that is to be brought back, 1 the next */
    EVENT_CANCEL, /* canceller, key, mode: enum cancel_mode */
    EVENT_WAIT,   /* canceller, key: until it has ended */
    EVENT_TIME,
    EVENT_KEPT,   /* the journal keeps all it has */
    EVENT_CRASH,  /* mode: 0 what the journal had not kept is gone, 1 it was kept after all */
    EVENT_LOSE,   /* the reply to the next request of anybody is lost */
    EVENT_RETRY,  /* actor: sends again what was not answered */
    EVENT_CUT,    /* actor: its connection breaks */
    EVENT_RESUME, /* actor: it has a new one, and claims what it was not answered */
    EVENT_KINDS
};

enum store_mode { STORE_REJECT, STORE_SUPERSEDE_TTL, STORE_MODES };
enum cancel_mode {
    CANCEL_KEY,
    CANCEL_NEWEST,
    CANCEL_OLDER,
    CANCEL_ARM,
    CANCEL_DELIVERED,
    CANCEL_MODES
};

struct move {
    uint8_t kind; /* enum event_kind */
    uint8_t actor;
    uint8_t key;
    uint8_t mode;
};

/* ---- events.c ---- */

/* The world at its beginning: everybody has a session. */
void world_begin(void);
/* The journal keeps all that it was given. */
void world_keep(void);
/* All events that there are; the name of each is its place. */
#define EVENTS_MAX 96
extern struct move events[EVENTS_MAX];
extern uint32_t events_count;
/* Which of them the search tries: the small scope has as many keys and actors, and fewer ways to do a thing,
 * so that it can be gone through more deeply. */
enum scope { SCOPE_CORE, SCOPE_WIDE };
void events_make(enum scope scope);
bool event_is_in_scope(uint32_t kind);
bool event_is_possible(const struct move *event);
void event_apply(const struct move *event);
const char *event_kind_name(enum event_kind kind);
void event_print(const struct move *event);

/* Sends the request, for the first time or again. */
void ask_send(uint32_t index);

/* ---- answers.c ---- */

extern const struct registry_port world_port;
/* Reads what the registry has said, compares it with what was expected, and tells the actors. */
void answers_take(void);
/* What the registry lists must be what the oracle has. All that is journalled must be kept. */
void answers_compare_list(void);
/* Nobody may still wait who need not. */
void answers_check_silence(void);

/* ---- oracle.c, oracle_time.c ---- */

void oracle_apply(struct ask *ask); /* the request arrives */
void oracle_again(struct ask *ask); /* it arrives again */
void oracle_decide_parked(void);    /* those who wait for a state that is there now */
struct expected oracle_late(const struct ask *ask); /* what one that was parked is told now */
void oracle_cancel_gen(struct gen *gen, uint8_t cause, uint8_t by);
void oracle_end_gen(struct gen *gen, uint8_t outcome, bool by_owner);
void oracle_crash(uint32_t kept);
void oracle_cut(uint32_t actor);
uint64_t oracle_next_ms(void); /* when the oracle has something to do by itself; TIME_NEVER */
void oracle_advance(uint64_t now_ms);
void oracle_drop_asks(uint32_t actor);
bool oracle_is_told(const struct gen *gen); /* or waits for the record of an arm's use */
bool oracle_is_news(const struct gen *gen, uint32_t kind, const struct ask *poll);
uint32_t oracle_record_of(uint64_t gen);    /* the number of the record of its cancel; 0: none */
bool oracle_is_here(const struct gen *gen); /* live, or remembered */

/* ---- heal.c: from here on nothing fails any more, and everything has to settle ---- */

void heal(void);

/* ---- canon.c ---- */

/* A number for the state, the same for all that differ in names, numbers and absolute times alone. */
uint64_t canon_hash(void);

/* ---- search.c ---- */

/* A violation: prints it with the events that led here, and ends the process. */
__attribute__((noreturn, format(printf, 1, 2))) void violated(const char *format, ...);

#define EXPECT(condition, ...) ((condition) ? (void) 0 : violated(__VA_ARGS__))

#endif
