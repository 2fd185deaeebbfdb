/* SPDX-License-Identifier: MIT */
/* Many senders, one receiver: a bounded queue of messages, without a lock and without an
 * allocation.
 *
 * Messages of one sender come out in the order in which they went in. `messages_max` ordinary
 * messages may stand in it; control messages are not counted against that bound, for their senders
 * bound them. The receiver may sleep on it; a sender pays for a wake-up only where the receiver
 * said it sleeps. After mailbox_close() nothing gets in, and whatever got in before comes out. */
#ifndef CANCELD_ACTOR_MAILBOX_H
#define CANCELD_ACTOR_MAILBOX_H

#include "actor/message.h"
#include "actor/wake.h"
#include "base/check.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

#define MAILBOX_LINE_BYTES 64

/* How a sleep went. */
enum mailbox_sleep { MAILBOX_NOT_EMPTY, MAILBOX_TIMED_OUT, MAILBOX_WOKEN };

struct mailbox {
    /* Senders and the receiver. */
    _Alignas(
        MAILBOX_LINE_BYTES) _Atomic(struct message *) newest; /* where the next one is linked on */
    _Atomic(uint64_t) state; /* counts, closed, asleep: see mailbox.c */
    _Atomic(uint64_t) refused;
    /* Fixed. Here, for each sender looks at it. */
    uint32_t messages_max;
    /* Only around a sleep. */
    _Alignas(MAILBOX_LINE_BYTES) struct wake wake;
    int alarm_fd; /* an eventfd to be rung instead of `wake`; -1: none. The receiver's, while awake */
    /* The receiver alone. */
    _Alignas(MAILBOX_LINE_BYTES) struct message *oldest;
    struct message stub; /* stands in the queue when no message does */
};

/* In place; the struct must be aligned as its type says. False where the system has no room. */
MUST_CHECK bool mailbox_init(struct mailbox *mailbox, uint32_t messages_max);

/* Must be empty, and no sender may be left. */
void mailbox_fini(struct mailbox *mailbox);

/* Any thread. STATUS_OK, STATUS_FULL, or STATUS_DEAD after mailbox_close(). */
MUST_CHECK enum status mailbox_push(struct mailbox *mailbox, struct message *message);

/* ---- the receiver's thread ---- */

/* Takes up to `count_max` messages, the oldest first, and returns how many. 0 does not prove the
 * mailbox empty: a sender may be half through its push. */
uint32_t mailbox_pop(struct mailbox *mailbox, struct message **messages, uint32_t count_max);

/* Sleeps until a message comes, `timeout_ns` at most (TIME_NEVER: for good), unless one is there or
 * under way already. May wake for nothing. */
enum mailbox_sleep mailbox_sleep(struct mailbox *mailbox, uint64_t timeout_ns);

/* The same for a receiver that sleeps elsewhere: from mailbox_doze(), which is false where a message
 * is there or under way, until mailbox_rouse() a sender rings the alarm of mailbox_set_alarm(), once. */
void mailbox_set_alarm(struct mailbox *mailbox, int alarm_fd);
MUST_CHECK bool mailbox_doze(struct mailbox *mailbox);
void mailbox_rouse(struct mailbox *mailbox);

/* From now on pushes are STATUS_DEAD. The receiver pops until mailbox_is_empty(). */
void mailbox_close(struct mailbox *mailbox);

/* Whether no message stands in it and no push is under way. Any thread; only the receiver of a
 * closed mailbox can build on a yes. */
bool mailbox_is_empty(const struct mailbox *mailbox);

/* How many pushes were STATUS_FULL. Any thread. */
uint64_t mailbox_refused(const struct mailbox *mailbox);

#endif
