/* SPDX-License-Identifier: MIT */
/* The inside of a journal: for journal.c and owner.c alone. The fields belong to the owner's loop;
 * the file, and the writer on it, to the journal's (see writer.h). */
#ifndef CANCELD_JOURNAL_JOURNAL_STATE_H
#define CANCELD_JOURNAL_JOURNAL_STATE_H

#include "journal/journal.h"
#include "journal/writer.h"

/* Commit times by four steps an octave of microseconds. */
#define COMMIT_BUCKETS 128

struct journal {
    struct journal_options options;
    struct actor_system *system;
    struct actor_loop *loop;
    struct journal_file *file;
    struct writer writer;
    bool started;

    /* The owner's side. */
    struct actor *self;
    struct journal_handler handler;
    struct batch batches[2];
    struct batch *filling;
    struct batch *under_way; /* NULL: none */
    uint64_t last_number;
    struct history_ask histories[JOURNAL_HISTORIES_MAX];
    bool failing; /* told `failed`, and not `kept` since */
    bool overrun; /* lost a record that is not an end: never `kept` again */
    bool overrun_told;
    uint64_t ends_dropped;
    uint64_t records; /* kept */
    uint64_t batches_kept;
    struct journal_figures figures; /* of the newest batch */
    uint64_t commits[COMMIT_BUCKETS];
};

/* ---- owner.c ---- */

extern const struct actor_class journal_owner_class;

/* Hands the batch that fills to the writer, if there is anything in it and none is under way. */
void journal_flush(struct journal *journal);

#endif
