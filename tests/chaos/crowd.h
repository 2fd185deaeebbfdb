/* SPDX-License-Identifier: MIT */
/* A crowd of owners and cancellers, those of the kill loop, some of which are killed or stopped: see crowd.c. */
#ifndef CANCELD_TESTS_CHAOS_CROWD_H
#define CANCELD_TESTS_CHAOS_CROWD_H

#include "e2e/kill_loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ORPHANS_MAX 65536
#define ACTS_MAX 4096 /* the last ones */

/* An operation whose owner was killed. */
struct orphan {
    uint64_t at; /* its record */
    unsigned owner;
};

/* What was done to one of the crowd: for whoever has to find out why something did not hold. */
struct act {
    uint64_t at_ms;
    size_t number;
    const char *what;
};

/* What the daemon says of the orphans: written by a process of its own, for the first one must not connect. */
struct audit {
    uint64_t lost; /* ended as OWNER_LOST */
    uint64_t
        lost_cancelled; /* with the cause of a cancel that was answered, or that the owner was told of */
    uint64_t ended_before;   /* its owner was killed while it ended it */
    uint64_t cause_missing;  /* an answered cancel that the daemon does not know of */
    uint64_t cause_invented; /* a cause, and nobody had cancelled */
    uint64_t wrong;          /* lives on, ended otherwise, or is not there */
    uint64_t printed;
};

struct crowd_account {
    uint64_t operations;
    uint64_t accepted;
    uint64_t unanswered; /* cancels of which nobody can say anything */
    uint64_t too_late;
    uint64_t lost_cancels;
    uint64_t double_effects;
    uint64_t strayed;       /* an owner that lived lost it */
    uint64_t strayed_heard; /* with a cancel that was answered, and of which its end tells */
    uint64_t again;         /* its end was answered in the session after the one that did it */
    uint64_t wrong;
    uint64_t printed;
    uint64_t away_most_ms;
};

struct crowd {
    bool may_lose; /* operations, for their link is away for longer than their session lives */
    uint64_t acts_count;
    struct act acts[ACTS_MAX];
    uint64_t orphans_count;
    struct audit audit;
    struct orphan orphans[ORPHANS_MAX];
    struct shared shared;
};

/* A process's whole life: asks the daemon what became of each orphan. */
int crowd_audit(struct crowd *crowd);

/* Prints an owner's record that does not hold: what was said of it, and what was done to the owner meanwhile. */
void crowd_tell(const struct crowd *crowd, unsigned owner, uint64_t at);

/* Both sides' accounts, operation by operation. */
struct crowd_account crowd_account(const struct crowd *crowd);

#endif
