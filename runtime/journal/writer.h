/* SPDX-License-Identifier: MIT */
/* The journal's actor: the only one that touches the file while its loop runs. What it is told
 * comes back to whoever told it, as the same message: a batch when it is kept, a page of the history
 * when it is read. A failure is told by a message of the writer's own, once for each batch, which
 * cannot stand in a mailbox twice, because its receiver sends the next batch only after it has had
 * the one before, and with it this.
 *
 * Between a batch and the next it does what can wait: SQLite's log, and one step of the retention. And now and
 * then it looks at all of the file, a few pages at a time; damage is told as a failure that lasts. */
#ifndef CANCELD_JOURNAL_WRITER_H
#define CANCELD_JOURNAL_WRITER_H

#include "actor/actor.h"
#include "journal/batch.h"
#include "journal/journal_file.h"

#define JOURNAL_WRITE (MESSAGE_KIND_FIRST + 0)   /* struct batch, to the writer */
#define JOURNAL_KEPT (MESSAGE_KIND_FIRST + 1)    /* struct batch, back */
#define JOURNAL_FAILED (MESSAGE_KIND_FIRST + 2)  /* struct writer_failed */
#define JOURNAL_HISTORY (MESSAGE_KIND_FIRST + 3) /* struct history_ask, there and back */

struct writer_failed {
    struct message message;
    struct journal_figures figures;
};

/* A page that was asked for. The asker's but while it is under way. */
struct history_ask {
    struct message message;
    bool busy;
    uint64_t ticket;
    struct history_query query; /* its texts point to the two below */
    uint8_t space[NAMESPACE_BYTES_MAX];
    uint8_t key[KEY_BYTES_MAX];
    struct history_page page; /* the asker's memory, for items_max entries and bytes_max texts */
    bool failed;
};

struct writer {
    struct actor *self;
    struct journal_file *file;
    uint64_t asker; /* who is told: the owner's side */
    const struct clock *clock;
    struct batch *batch; /* that cannot be kept at present; NULL: none */
    uint64_t batch_since_ns;
    bool told_failed;
    struct actor_timer retry;
    struct actor_timer tidy;
    struct actor_timer check;
    struct writer_failed failed;
};

/* Puts the writer on its loop. What actor_spawn() answers. */
MUST_CHECK enum status writer_init(struct writer *writer, struct actor_loop *loop,
                                   struct journal_file *file, const struct clock *clock);

#endif
