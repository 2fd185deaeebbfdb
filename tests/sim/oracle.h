/* SPDX-License-Identifier: MIT */
/* The oracle: what applications asked for and were told, and what follows from that by the contract. It knows
 * nothing of the registry and looks into nothing; a fact is what somebody saw, and when.
 *
 * Each request carries its number as the text of its cause, so whoever is told of a cancel can be asked which
 * request that was, and whether that request covers this gen at all.
 *
 * What is checked, with the invariants' names:
 *   A1  a cancel that was answered is never lost: the owner hears of it, or its finish says so; a finish that says
 *       "no cancel" contradicts every cancel of that gen or key that was answered before it began
 *   A2  an operation is told each thing once
 *   A3  a cancel is told to none but whom it covers: not another key, not a gen it does not name, not one that
 *       was stored after it was answered, not two by one arm
 *   A4  gens rise, over restarts too
 *   A5  nothing ends or is cancelled by its ttl, or by the loss of its owner, too early
 *   A6  each call ends once, within its deadline; what answers say of a gen never goes back, and of
 *       its end never changes
 *   A7  a cancel that was armed meets the next store */
#ifndef CANCELD_TESTS_SIM_ORACLE_H
#define CANCELD_TESTS_SIM_ORACLE_H

#include <canceld/words.h>

#include <stdbool.h>
#include <stdint.h>

struct world;
struct canceld_adopt_request;
struct canceld_store_request;

#define KEYS_COUNT 4
#define LABELS_COUNT 2
#define REQUESTS_MAX 4096
#define GENS_MAX 2048 /* a power of two; half of it is used at the most */
#define NO_REQUEST UINT32_MAX

/* A birth, as far as it matters. */
struct birth {
    enum canceld_policy policy;
    uint32_t ttl_ms;
    enum canceld_on_expiry on_expiry;
    bool keeps;
    uint64_t parent;
    unsigned labels; /* a set */
};

struct request_fact {
    enum canceld_op op;
    unsigned process;
    bool is_denied; /* in a namespace without rights */
    bool is_finish; /* a delete by whoever holds the operation */
    int key;        /* -1: none */
    int label;
    uint64_t gen;
    bool whole;
    uint64_t owner;
    uint64_t after_gen;
    uint32_t arm_ttl_ms;
    enum canceld_level level;
    uint32_t wait_ms;
    uint32_t deadline_ms;
    enum canceld_outcome outcome;
    enum canceld_until until;
    struct birth birth;
    uint64_t submitted_ns;
    uint64_t stalled_ns; /* of the process, in all, at that time */
    uint64_t newest_gen; /* known then */
    uint64_t ends_count; /* of the daemon, then */
    bool is_done;
    bool is_answered;
    uint64_t done_ns;
    enum canceld_answer answer;
    uint64_t epoch;   /* of the daemon that answered */
    uint64_t arm_gen; /* that it was told to, of an arm */
};

struct gen_fact {
    uint64_t gen; /* 0: the place is free */
    int key;
    bool is_known; /* its birth was answered */
    struct birth birth;
    uint64_t submitted_ns; /* its birth */
    uint64_t born_ns;      /* it was answered */
    uint64_t born_epoch;
    uint32_t born_request;
    uint64_t session;
    bool is_deadline;    /* its ttl's end has cancelled it, and that was looked at */
    uint64_t renewed_ns; /* the newest renewal that was acknowledged: when it was asked for */
    bool is_cancelled;   /* somebody was answered so */
    uint64_t cancelled_ns;
    uint64_t cancelled_epoch;
    bool is_promised; /* and asked for it: what the journal has to keep */
    uint64_t promised_ns;
    uint64_t promised_epoch;
    uint64_t requested_epoch; /* somebody was answered REQUESTED; 0: nobody was */
    bool is_called;           /* its owner's callback of the cancel has returned */
    unsigned holder;          /* the process */
    unsigned deleters;        /* processes whose deletes were submitted, a set */
    bool is_clean;            /* and was answered: no cancel */
    uint64_t clean_epoch;
    uint64_t ended_ns; /* somebody was answered so */
    uint64_t ended_epoch;
    enum canceld_outcome outcome;
    bool is_over; /* nobody can hold it any more: its owner let go of it, or died */
};

/* When a session's owner was last heard, as far as answers prove it. */
struct alive_fact {
    uint64_t session;
    uint64_t sent_ns;
    bool is_closing;
};

struct oracle {
    struct request_fact requests[REQUESTS_MAX];
    uint32_t requests_count;
    struct gen_fact gens[GENS_MAX];
    uint32_t order[GENS_MAX / 2]; /* places in gens, in the order of their first sight */
    uint32_t gens_count;
    uint64_t newest_gen;
    struct alive_fact alive[8];
    uint64_t key_active_ns[KEYS_COUNT]; /* AT_NEVER: births of it may be on their way for ever */
    unsigned key_held[KEYS_COUNT];
    uint64_t key_newest[KEYS_COUNT]; /* the newest gen that was held */
    uint64_t stored_ns;              /* the last store's answer */
};

/* What an operation was told. */
struct telling {
    uint64_t gen;
    bool cancelled;
    bool ended;
    bool lost;
    enum canceld_outcome outcome;
    const struct canceld_cause *cause;
};

void oracle_begin(struct world *world);

/* A request is about to be submitted; `fact` but for its times. Gives its number. */
uint32_t oracle_submit(struct world *world, const struct request_fact *fact, uint64_t stalled_ns);

struct reply_seen {
    enum canceld_status status;
    const struct canceld_result *result;
    uint64_t epoch;      /* of the link it came by */
    uint64_t session;    /* of the process; 0: none */
    uint64_t stalled_ns; /* the process was, in all */
};

void oracle_done(struct world *world, uint32_t request, const struct reply_seen *seen);

/* An operation was told something that it had not been told. */
void oracle_told(struct world *world, const struct telling *telling);

/* When the request was made that this cause is of; 0: it is of none. */
uint64_t oracle_asked_ns(const struct world *world, const struct canceld_cause *cause);

/* An operation is held, or (over) let go of, by its application. */
void oracle_hold(struct world *world, uint64_t gen, uint64_t session, unsigned process);
void oracle_release(struct world *world, uint64_t gen);

/* Its process died with requests on their way. */
void oracle_died(struct world *world, unsigned process);

/* The fact of a gen, made where there is none. */
struct gen_fact *oracle_gen(struct world *world, uint64_t gen);

/* Any gen seen so far; 0: none was. The newer ones more often. */
uint64_t oracle_any_gen(const struct world *world, uint64_t chance);

/* ---- between its files ---- */

/* The cause is one that this gen may have. */
void oracle_justify(struct world *world, struct gen_fact *fact, const struct canceld_cause *cause);

/* Somebody was answered, or told, that it ended so. */
void oracle_ended(struct world *world, struct gen_fact *fact, enum canceld_outcome outcome,
                  uint64_t epoch);

/* Whether an answered cancel of it has to be known still, in this epoch.
 *
 * A journal keeps it over restarts, and after its owner's delete for JOURNAL_REPEAT_MS: where that was sent to a
 * daemon that ended before it answered, the owner asks the next one again, and adopts for it what has ended already.
 * No fault of a world lasts so long. */
bool oracle_lasts(const struct world *world, uint64_t since_epoch, uint64_t epoch);

/* A birth was answered with a gen. */
void oracle_born(struct world *world, struct request_fact *request, const struct reply_seen *seen);

/* The owner's delete says that no cancel came. */
void oracle_clean(struct world *world, struct gen_fact *fact, const struct request_fact *request);

#endif
