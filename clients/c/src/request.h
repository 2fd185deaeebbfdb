/* SPDX-License-Identifier: MIT */
/* A request on its way, and the call that waits for its answer. They are two, for a call can be given up (its
 * deadline passed) while its request is still out: the daemon may apply it, so its id has to be kept. */
#ifndef CANCELD_CLIENT_REQUEST_H
#define CANCELD_CLIENT_REQUEST_H

#include "check.h"
#include "list.h"

#include <canceld/client.h>

/* An op may be this large on the wire, so that every frame has room for it. What is above the bounds of the
 * contract but below this one is for the daemon to refuse, for it names the field. */
#define OP_BYTES_MAX 8192

/* Somebody waits for an answer: owned by whoever made it. */
struct call {
    struct link link; /* among those that are done */
    bool done;
    enum canceld_status status;
    struct canceld_result result;
    struct canceld_operation *operation; /* with STORED, BORN_CANCELLED and ADOPTED */
    void (*on_done)(enum canceld_status status, const struct canceld_result *result,
                    struct canceld_operation *operation, void *arg); /* NULL: a blocking call */
    void *arg;
};

struct request {
    struct link link;                    /* in a queue, or in a frame */
    struct call *call;                   /* NULL: nobody waits (any more) */
    struct canceld_operation *operation; /* birth: it will be, owned; ours: the one it is about */
    struct canceld_operation *ends;      /* delete: the one that its owner finishes with it */
    uint64_t gen;                        /* delete */
    uint64_t submitted_ns;               /* what it waits for counts from here */
    uint32_t deadline_ms;                /* of the call, without what the daemon is asked to wait */
    uint64_t put_off_ns;   /* when it was last known to be; it does not age meanwhile */
    uint64_t recover_ns;   /* until when it is put off; 0: it was not yet, in this session */
    uint64_t deadline_ns;  /* of the call */
    size_t deadline_index; /* in the heap, 1 + index; 0: not in it */
    uint32_t wait_ms;      /* what the daemon is asked to wait */
    enum canceld_op op;
    bool alone;       /* has to be the only op of its frame */
    bool parks;       /* the daemon may answer it much later */
    bool repeatable;  /* safe to be done twice: a read, or by gen */
    bool reads;       /* changes nothing */
    bool sent;        /* at least once in this session: the daemon may have applied it */
    bool sent_before; /* in another session */
    bool recovering;  /* the daemon said so, and it was not sent since */
    bool unjournaled; /* applied, but the daemon's journal does not have it */
    bool persists;    /* goes on after its call was given up */
    bool asks;        /* ours: what became of an operation */
    bool adopts;      /* ours: adopts what is held; its op is none of the public ones */
    bool framed;      /* in a frame, not in a queue */
    size_t size;
    uint8_t *bytes; /* a Frame that holds this op and nothing else */
};

/* With the right answer there is one more operation to hold. */
static inline bool op_is_birth(enum canceld_op op)
{
    return op == CANCELD_OP_STORE || op == CANCELD_OP_ADOPT;
}

/* Packs the request; namespace_default is used where it names none. INVALID or NO_MEMORY; else *request_out is
 * the caller's to free. The deadline and the flags that are no property of the op are left 0. */
MUST_CHECK enum canceld_status request_new(const struct canceld_request *from,
                                           struct canceld_bytes namespace_default,
                                           struct request **request_out);

/* What an adopt says. */
struct adoption {
    const struct canceld_store_request *stored; /* its namespace is filled in */
    uint64_t gen;
    uint64_t previous_session;
    const struct canceld_cause *cause; /* NULL: none is known */
};

/* INVALID where it is larger than an op may be, or NO_MEMORY. */
MUST_CHECK enum canceld_status request_new_adopt(const struct adoption *from,
                                                 struct request **request_out);

/* Does not touch the call and the operation. NULL is fine. */
void request_free(struct request *request);

/* The daemon is to wait for at most wait_ms: time has passed since the request was made. */
MUST_CHECK bool request_shorten(struct request *request, uint32_t wait_ms);

#endif
