/* SPDX-License-Identifier: MIT */
/* An operation that this client holds. What it was told stands in three sets of bits:
 *
 *   given      told to it: its flag is set, and canceld_operation_notice() says so
 *   delivered  given, and whoever had to be called has been called and has returned
 *   noticed    the daemon sent it as a notice, and waits for the ack
 *
 * The daemon is acked what is both noticed and delivered; a notice that repeats what is given is told to
 * nobody.
 *
 * It keeps what it was stored with, for a daemon that is restarted has to be told all of it again: at most
 * OP_BYTES_MAX of bytes, for it was sent as one op. Once its owner finishes it, it is an orphan until the daemon
 * has answered the delete: the application has let go of it, nothing is told to it any more, but where the daemon
 * is restarted meanwhile it is adopted first, so that the delete finds it.
 *
 * All fields but the flag belong to the client's mutex. */
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
    uint64_t gen;  /* 0: not stored yet; of an adopt it is there before */
    struct canceld_client *client; /* the shell's */
    uint8_t given;
    uint8_t delivered;
    uint8_t noticed;
    bool fd_ready;   /* the shell has made the descriptor readable */
    bool handed;     /* to the application, which frees it; before, it is the engine's */
    bool introduced; /* whoever made it knows of it by now: it may be called back about */
    bool told_early; /* there is something to call back about, once it is introduced */
    bool retold;     /* its callback was set later: it is called for what is delivered too */
    bool astray;     /* its session is lost and it is not to be adopted: it has ended there */
    bool gone;       /* the daemon said that it was deleted, or had ended */
    bool let_go;     /* by the application: nothing is told to it any more */
    bool orphan;     /* and the engine's to free, once its delete is answered */
    bool closed;     /* the client was closed: there is no engine any more */
    enum canceld_outcome outcome;
    struct canceld_cause cause;
    void *cause_memory;
    void (*on_notice)(struct canceld_operation *operation, void *arg);
    void *on_notice_arg;
    struct canceld_operation *gen_next;  /* in a gen map */
    struct link all_link;                /* in engine.operations, to_ask, or to_adopt */
    struct link told_link;               /* in engine.told */
    struct link callback_link;           /* in the shell's callbacks */
    struct request *ours;                /* that asks for it or adopts it, on its way */
    struct request *end;                 /* the owner's delete, without an answer */
    uint64_t session;                    /* that owns it, or did last */
    struct canceld_store_request stored; /* its bytes are those of `text` */
    char text[];
};

/* For a store or adopt that is about to be sent. NULL without memory. */
MUST_CHECK struct canceld_operation *operation_new(const struct canceld_store_request *store,
                                                   struct canceld_bytes namespace_default);

/* It must be in no list and no map. The descriptor is closed by the shell before. NULL is fine. */
void operation_free(struct canceld_operation *operation);

/* Gives `bits`, with what is known of them; `flag` is what they mean for the flag. Returns those that were new.
 * The first cause wins. */
uint8_t operation_give(struct canceld_operation *operation, uint8_t bits, uint32_t flag,
                       const struct canceld_notice *notice);

#endif
