/* SPDX-License-Identifier: MIT */
/* Whether a history can be explained: is there one order of its calls, each at some moment between its
 * call and its return, in which a registry of one key would have answered all of them so?
 *
 * The way of Wing and Gong, with Lowe's memory: of the calls that may come next one is tried, and a set of
 * calls done that led to a state is not gone into twice. A key is checked by itself, for operations of
 * different keys have nothing to do with each other. A call that nobody knows the end of (its client
 * gave up, or the daemon was killed) returns at infinity: it may be taken at any later moment, or never.
 *
 * The registry of one key, as the contract has it, restarts included:
 *   - gens rise; a store with REJECT succeeds only where nothing is live, but for what is of an earlier
 *     epoch (its owner may not have come back yet); such a one may then be superseded
 *   - what was answered as cancelled is cancelled: the owner's finish says so, and every later reader
 *   - finish says `cancelled` exactly where a cancel came first, and after it the gen is live no more
 *
 * A call that was under way when the daemon was killed may have been done twice, for its library sends
 * it again by gen (`resent`). So before such a cancel stands one of unknown end, its first sending: the
 * second may then be told ALREADY, or that all is over. And an end that nobody was answered is undone by
 * the kill, for only cancels are journalled, though others may have seen it: before such a finish stands a
 * CALL_SHADOW of the gen, from which on it may look ended. */
#ifndef CANCELD_TESTS_LINEAR_CHECKER_H
#define CANCELD_TESTS_LINEAR_CHECKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum call_kind { CALL_STORE, CALL_FINISH, CALL_CANCEL, CALL_GET, CALL_SHADOW };

enum said {
    SAID_UNKNOWN,   /* no answer: it may have been done, or not, or be done later */
    SAID_STORED,    /* store: gen */
    SAID_EXISTS,    /* store: gen, flag: it is CANCELLING */
    SAID_DELETED,   /* finish: flag: a cancel was recorded first */
    SAID_REQUESTED, /* cancel: this one did it */
    SAID_ALREADY,   /* cancel: another one had */
    SAID_GONE, /* cancel: the gen is not live; flag_known: flag says whether it had been cancelled */
    SAID_LIVE,    /* get: gen, flag: it is CANCELLING */
    SAID_ENDED,   /* get: gen is the newest, and it has ended */
    SAID_NOTHING, /* get: there is nothing */
};

/* Both times of one monotonic clock. */
struct call {
    uint64_t call_ns;
    uint64_t return_ns; /* UINT64_MAX: never */
    uint64_t gen;       /* finish, cancel: which; else what was answered */
    uint32_t key;
    uint8_t kind;
    uint8_t said;
    bool flag;
    bool flag_known;
    bool resent;
};

#define CALLS_OF_KEY_MAX 128 /* more are not looked at: see history.c, which stops long before */

struct verdict {
    bool legal;
    bool too_big;    /* more calls than the checker can hold: nothing was checked */
    uint64_t states; /* gone into */
};

/* Checks the calls of one key, in any order; sorts them by their call. */
struct verdict check_key(struct call *calls, size_t count);

#endif
