/* SPDX-License-Identifier: MIT */
/* One entry of the journal as a row of the table `entry`: what was asked (written once), and how it
 * went on (written again).
 *
 * SQLite has no checksums over what it stores, so each of the two halves carries one, its seal: a
 * bit that flips in a generation must not cancel somebody else's operation. A seal covers the row's
 * number too, so a row that turns up in another's place is seen as well. It is a hash under a key
 * that everybody knows: there against accidents, not against people. */
#ifndef CANCELD_JOURNAL_ROW_H
#define CANCELD_JOURNAL_ROW_H

#include "base/check.h"
#include "registry/journal_record.h"

#include <stdbool.h>
#include <stdint.h>

struct sqlite3_stmt;

/* Whether a row is given back after a restart. Numbers that stand in files. */
enum row_open {
    ROW_SETTLED,
    ROW_OPEN,
    ROW_LOST, /* ended, but not by its owner, who may not know it and come back: for JOURNAL_LOST_MS */
    /* Ended by its owner, who may not have had the answer and then ends it again in the next run: for
     * JOURNAL_REPEAT_MS. */
    ROW_FINISHED,
    ROW_OPEN_END
};

struct row_end {
    enum row_open open;
    uint64_t used_gen; /* an arm's: the gen that used it */
    enum outcome outcome;
    bool by_owner;
    bool delivered;
    uint64_t delivered_after_ms;
    uint64_t ended_after_ms;
    uint64_t requested; /* a bulk's */
    /* The journal's age when its end, or its use, was recorded. Of one that is open: from when on its
     * owners may still come back (a bulk's: the end of its run; a cancel's that had ended in between: its
     * return), or 0. */
    uint64_t settled_age_ms;
};

struct row {
    uint64_t id; /* rises with each row, never used again */
    uint64_t epoch;
    uint64_t at_unix_ms;
    uint64_t age_ms; /* see journal_file.h */
    bool by_arm;     /* a cancel that came by an arm */
    uint64_t seal;   /* of this half: row_seal(), as read */
    /* JOURNAL_CANCEL, JOURNAL_BULK or JOURNAL_ARM, without the fields of an end. */
    struct journal_record record;
    struct row_end end;
};

/* The columns in the order of row_bind() and row_read(); the row's half first. */
#define ROW_HALF_COLUMNS                                                                           \
    "id, kind, epoch, at_unix_ms, age_ms, by_arm, space, key, gen, cause_code, cause_text, "       \
    "cause_actor, cause_peer, bulk, scope, label, owner, fence, after_gen, ttl_ms, seal"
#define ROW_END_COLUMNS                                                                            \
    "open, used_gen, outcome, by_owner, delivered, delivered_after_ms, ended_after_ms, "           \
    "requested, settled_age_ms, end_seal"
#define ROW_COLUMNS ROW_HALF_COLUMNS ", " ROW_END_COLUMNS
#define ROW_COLUMNS_COUNT 31
#define ROW_END_FIRST 22 /* the place of the end's first column, counted from 1 */

/* The seal of the row's own half. */
uint64_t row_seal(const struct row *row);

/* Binds the whole row to parameters 1 to ROW_COLUMNS_COUNT. The texts are borrowed until the
 * statement is reset. */
void row_bind(struct sqlite3_stmt *statement, const struct row *row);

/* Binds the end alone, to the same parameters as row_bind() and its row's number to 1. */
void row_bind_end(struct sqlite3_stmt *statement, uint64_t id, const struct row_end *end);

/* Reads the columns of a row; texts are borrowed until the statement's next step. False where it
 * is not what was written: a seal that does not fit, or a value out of its range. */
MUST_CHECK bool row_read(struct sqlite3_stmt *statement, struct row *row_out);

#endif
