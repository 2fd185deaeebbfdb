/* SPDX-License-Identifier: MIT */
/* The kill loop: what its processes share. See kill_loop.c for what it shows.
 *
 * Each owner has a row of records, one for each operation that it stores; it fills them in order. A
 * canceller picks among the last few of an owner. Each field is written by one process; those
 * that others read meanwhile are atomic. */
#ifndef CANCELD_TESTS_KILL_LOOP_H
#define CANCELD_TESTS_KILL_LOOP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define OWNERS 4
#define CANCELLERS 4
#define RECORDS_MAX                                                                                \
    ((uint64_t) 4 << 20) /* of one owner; the memory is only touched as it is used */
#define RESUMES_MAX 65536
#define URL_BYTES 256
#define RECENT 64       /* a canceller looks back so far */
#define EVENTS_MAX 1024 /* of an owner's link: the last ones */
#define TOLD_MAX 10     /* records that did not hold are printed whole, so many */

enum answer_seen {
    SEEN_NOTHING,
    SEEN_ACCEPTED,   /* REQUESTED or ALREADY_REQUESTED: from now on it must not be lost */
    SEEN_TOO_LATE,   /* FINISHED, STALE_GEN, NOT_FOUND: it had ended */
    SEEN_UNKNOWN,    /* no answer: nobody can say */
    SEEN_RECOVERING, /* not yet known when its time was over: it had probably ended */
    SEEN_LOST,       /* OWNER_LOST */
    SEEN_OTHER,      /* anything else is wrong */
};

enum finish_seen {
    FINISH_NONE,
    FINISH_PLAIN,
    FINISH_CANCELLED,
    FINISH_LOST,           /* it had ended as OWNER_LOST */
    FINISH_LOST_CANCELLED, /* and a cancel had been recorded before */
    FINISH_AGAIN, /* it had ended just as it was to: by this finish, whose answer was lost with its session */
    FINISH_AGAIN_CANCELLED, /* and a cancel had been recorded before */
    FINISH_OTHER,
};

/* What was said of an operation, word by word, and when (test_now_ms()): for whoever has to find out why it did not
 * hold. Each row is written by one thread, and read when all have ended. */
struct story {
    uint64_t stored_ms; /* the owner has its gen */
    uint64_t sent_ms;   /* the cancel */
    uint64_t answered_ms;
    uint64_t told_ms;
    uint64_t finishing_ms;
    uint64_t finished_ms;
    uint64_t sessions[2]; /* the owner's, before its finish and after */
    uint8_t cancel_status;
    uint8_t cancel_answer;
    uint8_t asked; /* the finish: its outcome, and what was answered */
    uint8_t answered;
    uint8_t outcome;
    uint8_t cause; /* its code, where the answer has one */
};

struct record {
    _Atomic(uint64_t) gen;      /* the owner's */
    _Atomic(uint8_t) claimed;   /* a canceller has sent, or is to send, a cancel of it */
    _Atomic(uint8_t) answer;    /* enum answer_seen, the canceller's */
    _Atomic(uint8_t) told;      /* the owner's callback was called for its cancel, so often */
    _Atomic(uint8_t) delivered; /* and has returned */
    uint8_t lost;               /* the owner was told that it is lost */
    _Atomic(uint8_t) finishing; /* the owner has begun to finish it */
    _Atomic(uint8_t) finish;    /* enum finish_seen, the owner's */
    struct story story;
};

struct owner_event {
    uint64_t at_ms;
    uint8_t event; /* enum canceld_event */
};

struct owner {
    _Atomic(uint64_t) stored; /* records below are there */
    _Atomic(uint64_t) resumes_count;
    uint64_t resumes_ms[RESUMES_MAX]; /* when it had adopted everything again */
    _Atomic(uint64_t) away_most_ms;   /* the longest time without its link, in one session */
    _Atomic(uint64_t) events_count;
    struct owner_event events[EVENTS_MAX];
    struct record records[RECORDS_MAX];
};

struct canceller {
    _Atomic(uint64_t) sent;
    _Atomic(uint64_t) answered; /* with an answer or without */
    _Atomic(uint64_t) accepted;
};

struct shared {
    _Atomic(bool) stop;
    char url[URL_BYTES];        /* where owners and cancellers connect */
    char daemon_url[URL_BYTES]; /* as the daemon says it; the same after each restart */
    uint64_t seed;
    uint64_t keys_count;        /* of an owner, used again and again */
    uint32_t heartbeat_ms;      /* 0: the library's default */
    char cancel_url[URL_BYTES]; /* where cancellers connect, if not where owners do */
    struct owner owners[OWNERS];
    struct canceller cancellers[CANCELLERS];
};

/* Each is a process's whole life, with a client of its own; returns its exit status. */
int kill_loop_own(struct shared *shared, unsigned number);
int kill_loop_cancel(struct shared *shared, unsigned number);

/* The name of a record's key. */
#define KILL_LOOP_KEY_BYTES 48
void kill_loop_key(char text[KILL_LOOP_KEY_BYTES], const struct shared *shared, unsigned owner,
                   uint64_t at);

/* Prints a record that does not hold, with all that was said of it and what its owner's link did meanwhile. */
void kill_loop_tell(const struct shared *shared, unsigned owner, uint64_t at);

/* How many generations were given out more than once. */
uint64_t kill_loop_count_reused(const struct shared *shared);

#endif
