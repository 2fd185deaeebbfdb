/* SPDX-License-Identifier: MIT */
/* An operation that this client holds. What it was told stands in three sets of bits:
 *
 *   given      told to it: its flag is set, and canceld_operation_notice() says so
 *   delivered  given, and whoever had to be called has been called and has returned
 *   noticed    the daemon sent it as a notice, and waits for the ack
 *
 * The daemon is acked what is both noticed and delivered; a notice that repeats what is given is told to
 * nobody. All fields but the flag belong to the client's mutex. */
#ifndef CANCELD_CLIENT_OPERATION_H
#define CANCELD_CLIENT_OPERATION_H

#include "check.h"
#include "list.h"

#include <canceld/client.h>

#define TOLD_CANCEL 1U
#define TOLD_ENDED 2U
#define TOLD_LOST_POSSIBLE 4U
#define TOLD_LOST 8U

struct request;

struct canceld_operation {
    uint32_t flag; /* atomic; released after the cause is in place, for readers without the mutex */
    int fd;        /* eventfd, or -1 */
    uint64_t gen;  /* 0: not stored yet */
    struct canceld_client *client; /* the shell's */
    uint8_t given;
    uint8_t delivered;
    uint8_t noticed;
    bool fd_ready;   /* the shell has made the descriptor readable */
    bool handed;     /* to the application, which frees it; before, it is the engine's */
    bool introduced; /* whoever made it knows of it by now: it may be called back about */
    bool told_early; /* there is something to call back about, once it is introduced */
    bool astray; /* of a session that is lost: the daemon takes it for ended, or knows nothing */
    bool closed; /* the client was closed: there is no engine any more */
    enum canceld_outcome outcome;
    struct canceld_cause cause;
    void *cause_memory;
    void (*on_notice)(struct canceld_operation *operation, void *arg);
    void *on_notice_arg;
    struct canceld_operation *gen_next; /* in the gen map */
    struct link all_link;               /* in engine.operations, or engine.to_ask */
    struct link told_link;              /* in engine.told */
    struct link callback_link;          /* in the shell's callbacks */
    struct request *ask;                /* ours, on its way */
    struct canceld_bytes name_space;
    struct canceld_bytes key;
    char text[]; /* of the two */
};

/* For a store that is about to be sent. NULL without memory. */
MUST_CHECK struct canceld_operation *operation_new(const struct canceld_store_request *store,
                                                   struct canceld_bytes namespace_default);

/* It must be in no list and no map. The descriptor is closed by the shell before. NULL is fine. */
void operation_free(struct canceld_operation *operation);

/* Gives `bits`, with what is known of them; `flag` is what they mean for the flag. Returns those that were new.
 * The first cause wins. */
uint8_t operation_give(struct canceld_operation *operation, uint8_t bits, uint32_t flag,
                       const struct canceld_notice *notice);

#endif
