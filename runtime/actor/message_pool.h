/* SPDX-License-Identifier: MIT */
/* Messages of one size for the actors of one loop to send: taken on that loop without an atomic,
 * given back by message_release() on whatever thread releases them. Messages released on another
 * loop come home in chains, one exchange for a chain.
 *
 * The pool grows by chunks up to its bound and keeps them; pool memory is never cleared between two
 * uses, but for the struct message itself. */
#ifndef CANCELD_ACTOR_MESSAGE_POOL_H
#define CANCELD_ACTOR_MESSAGE_POOL_H

#include "actor/actor.h"

#include <stddef.h>

struct message_pool;

/* Messages of `message_bytes` (a struct message and what follows it), at most `messages_max` at
 * once. NULL where memory cannot be had. */
struct message_pool *message_pool_new(struct actor_loop *loop, size_t message_bytes,
                                      uint32_t messages_max);

/* When every message has been released and the loops that did it have been stopped, before the system
 * is freed. Takes NULL. */
void message_pool_free(struct message_pool *pool);

/* On the loop's thread (or before the loop runs). Its release is the pool's, its kind is the
 * caller's to set. NULL where all are in use, or memory cannot be had. */
MUST_CHECK struct message *message_pool_take(struct message_pool *pool);

#endif
