/* SPDX-License-Identifier: MIT */
/* What the implementations of endpoint.h share. Theirs alone. */
#ifndef CANCELD_WIRE_ENDPOINT_KIND_H
#define CANCELD_WIRE_ENDPOINT_KIND_H

#include "wire/endpoint.h"
#include "wire/endpoint_url.h"

/* How to do what endpoint.h says, on one of NNG's two interfaces. */
struct endpoint_kind {
    /* An endpoint whose common part is not filled yet; NULL: no memory. */
    struct endpoint *(*new)(void);
    /* Spawns the actors and listens. On failure everything but the memory is given back. */
    enum status (*listen)(struct endpoint *endpoint, const struct endpoint_options *options,
                          const struct endpoint_url *url, char error[ENDPOINT_ERROR_BYTES]);
    void (*stop_accepting)(struct endpoint *endpoint);
    void (*close)(struct endpoint *endpoint, uint64_t flush_ms);
    /* False where the link is none of this kind. */
    bool (*reply)(struct actor *self, const struct reply_to *to, struct bytes body);
    void (*free)(struct endpoint *endpoint);
};

extern const struct endpoint_kind endpoint_stream_kind;
extern const struct endpoint_kind endpoint_rep_kind;

/* The head of every endpoint. */
struct endpoint {
    const struct endpoint_kind *kind;
    struct actor_loop *loop;
    struct actor *actor; /* NULL when it has ended */
    struct endpoint_handler handler;
    struct limits limits;
    struct endpoint_stats stats;
    bool closing;
    char url[ENDPOINT_URL_BYTES];
};

/* Fills `error` and gives back `status`. */
__attribute__((format(printf, 3, 4))) enum status
endpoint_fail(char error[ENDPOINT_ERROR_BYTES], enum status status, const char *format, ...);

#endif
