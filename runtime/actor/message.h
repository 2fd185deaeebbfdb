/* SPDX-License-Identifier: MIT */
/* What one actor sends another. A message is intrusive: the sender embeds a struct message at the
 * head of its own struct, zeroed before its first use, so that sending allocates nothing.
 *
 * Ownership: a message belongs to whoever made it until actor_tell(), actor_ask() or actor_reply()
 * returns STATUS_OK; then it belongs to the receiver, whose handler ends by message_release(), by
 * sending it on, or by keeping it for later. Where the call fails it stays with the caller. A
 * message that was accepted but finds its receiver gone is released by the runtime, on the
 * receiver's loop. */
#ifndef CANCELD_ACTOR_MESSAGE_H
#define CANCELD_ACTOR_MESSAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* An address names an actor: its loop, its slot there and the slot's generation in one uint64_t. It
 * is never reused, so an old one is DEAD, never another actor. 0 names none. */

#define ACTOR_NONE UINT64_C(0)

/* Kinds below this one are the runtime's. */
#define MESSAGE_KIND_FIRST 16

enum message_kind {
    MESSAGE_STOP = 1, /* ends a loop: never seen by an actor */
    MESSAGE_DOWN,     /* struct message_down: an actor that the receiver monitors is gone */
    MESSAGE_FENCE,    /* the runtime's own: everything told before it has been delivered */
};

struct promise;

struct message {
    uint64_t to;
    _Atomic(struct message *) next; /* the mailbox's, later the run queue's */
    uint32_t kind;
    bool control; /* never refused for want of room: for those embedded once in their sender */
    bool queued;  /* waits for its delivery: sending it again is an ASSERT. The runtime's */
    bool told;    /* waits in the run queue of its sender's own loop. The runtime's */
    struct promise *promise; /* an ask's, until actor_defer() takes it; NULL for a plain tell */
    void (*release)(struct message *message); /* gives the memory back; NULL: nothing to do */
};

/* Ends the ask of a message that is about to be released unanswered: ASK_DEAD. The runtime's. */
void message_abandon(struct message *message);

/* Gives the message back to its maker. On the receiver's loop, where it may still carry an ask. */
static inline void message_release(struct message *message)
{
    if (message->promise != 0) {
        message_abandon(message);
    }
    if (message->release != 0) {
        message->release(message);
    }
}

#endif
