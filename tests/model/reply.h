/* SPDX-License-Identifier: MIT */
/* Replies in a plain form of our own, in place of protobuf: written by the fake port of the registry
 * and by the model alike, so that two replies are the same if their bytes are. Sentences for people and
 * the rows of `stats` are checked when they are written and then left out: no two minds would word
 * them alike. */
#ifndef CANCELD_TESTS_MODEL_REPLY_H
#define CANCELD_TESTS_MODEL_REPLY_H

#include "model/list.h"
#include "registry/frame.h"

#include <stdbool.h>
#include <stdio.h>

/* What a decoded reply says. Arrays are the arena's, byte strings those of the encoded reply. */
struct reply {
    struct reply_head head;
    struct result *results;
    size_t results_count;
};

/* What a result has, in its second byte; the first is its answer. */
enum reply_flag {
    REPLY_NO_OWNER = 1,
    REPLY_CANCELLED = 2,
    REPLY_BY_OWNER = 4,
    REPLY_MORE = 8,
    REPLY_OPENED = 16,
    REPLY_LISTS = 32,
    REPLY_JOURNALED = 64,
    REPLY_INCOMPLETE = 128
};

/* As the registry's port wants them: bytes written, or 0 where `room` is too small. */
size_t reply_write_head(const struct reply_head *head, uint8_t *out, size_t room);
size_t reply_write_result(const struct result *result, uint8_t *out, size_t room);

void reply_read(struct reply *reply, struct bytes encoded, struct arena *arena);

/* One line for the head and one for each result, but for those that `other` (may be NULL) has too. */
void reply_print(FILE *file, const struct reply *reply, const struct reply *other);

/* Bytes with C escapes, for people. */
void print_bytes(FILE *file, struct bytes bytes);

/* A reply that was sent, and to where. */
struct sent {
    struct reply_to to;
    bool optional; /* the model's: it may also not have been sent */
    bool matched;
    size_t offset;
    size_t size;
};

/* All the replies of one step. */
struct outbox {
    struct list sent;
    struct list bytes;
};

void outbox_init(struct outbox *outbox);
void outbox_fini(struct outbox *outbox);
void outbox_clear(struct outbox *outbox);
void outbox_add(struct outbox *outbox, const struct reply_to *to, struct bytes encoded,
                bool optional);
struct sent *outbox_at(const struct outbox *outbox, size_t index);
struct bytes outbox_bytes(const struct outbox *outbox, const struct sent *sent);

/* The first reply to this route, NULL for none. */
struct sent *outbox_find(const struct outbox *outbox, const struct reply_to *to);

bool reply_to_equal(const struct reply_to *a, const struct reply_to *b);

#endif
