/* SPDX-License-Identifier: MIT */
/* Messages of one pool that a loop released and that are on their way home to another loop. For the
 * files of this layer alone; the loop's thread alone. */
#ifndef CANCELD_ACTOR_MESSAGE_RETURNS_H
#define CANCELD_ACTOR_MESSAGE_RETURNS_H

#include "actor/message.h"
#include "base/limits.h"

struct message_pool;

struct message_returns {
    struct message_pool *pool;
    struct message *first; /* NULL: none */
    struct message *last;
    uint32_t count;
};

/* They go home: when the turn ends, and whenever they are ACTOR_RETURNS_MAX. */
void message_returns_flush(struct message_returns *returns);

#endif
