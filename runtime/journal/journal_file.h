/* SPDX-License-Identifier: MIT */
/* The journal's file: `journal.sqlite` in the state directory, with SQLite's log beside it
 * (`journal.sqlite-wal`), the mark of mark.h, and `journal.lock`, which the process holds for its
 * run. Everything here blocks for as long as the disk takes, and belongs to one thread at a time:
 * main until the journal's own runs, that one from then on, main again after its end.
 *
 * What is kept is one transaction for each batch. Reading what an earlier run left trusts nothing:
 * the file's format, its mark, the proof of each page and the seal of each row that is used are looked
 * at, and what does not fit is a refusal with a sentence, which leaves every file as it was. A start reads
 * what is unsettled and little else; journal_file_check() looks at the rest meanwhile.
 *
 * Ages are counted in the time for which a journal was open, over all runs, and never by the wall
 * clock: a clock that is set ten years ahead must not wipe out what was kept. So nothing is removed
 * too early, and a daemon that is often down keeps its history for longer. */
#ifndef CANCELD_JOURNAL_JOURNAL_FILE_H
#define CANCELD_JOURNAL_JOURNAL_FILE_H

#include "base/check.h"
#include "base/clock.h"
#include "base/status.h"
#include "journal/batch.h"
#include "registry/journal_record.h"

#include <stdbool.h>
#include <stdint.h>

#define JOURNAL_ERROR_BYTES 512

struct journal_file;

struct journal_file_options {
    const char *directory;   /* there already */
    bool sync_power;         /* a commit outlives a loss of power; else the process alone */
    uint64_t epoch;          /* of this run */
    uint64_t history_age_ms; /* 0: no bound */
    uint64_t history_bytes;  /* 0: no bound; of the database without its log */
    const struct clock *clock;
};

/* Opens the journal, which is made where there is none. On failure `error` holds a sentence for
 * people, nothing is held, and the status is IN_USE (another daemon has it), INVALID (damaged, or
 * none of ours), NO_MEMORY or SYSTEM. */
MUST_CHECK enum status journal_file_open(const struct journal_file_options *options,
                                         struct journal_file **file_out,
                                         char error[JOURNAL_ERROR_BYTES]);

/* Whether another process holds the journal of that directory, as far as that can be told without
 * opening it: STATUS_IN_USE with the sentence, else STATUS_OK, also where there is none. */
MUST_CHECK enum status journal_file_probe(const char *directory, char error[JOURNAL_ERROR_BYTES]);

/* Has to succeed before anything is kept; until then no file is written but a new journal's.
 *
 * Gives all that is unsettled to `take`, as the JOURNAL_CANCEL, JOURNAL_BULK and JOURNAL_ARM that it
 * once was, each kind in the order in which it came; a bulk's number is that of its own run.
 * STATUS_FULL where `take` answers false; STATUS_INVALID or STATUS_SYSTEM where a row cannot be
 * trusted or read. A bulk cancel stays away once the run that took it ended JOURNAL_LOST_MS ago.
 *
 * Last come the cancels whose operation ended, until `take` answers false, the last that ended first:
 * those that ended without their owner, who may come back, JOURNAL_LOST_MS ago at the most; then, with
 * by_owner, those that their owner ended JOURNAL_REPEAT_MS ago at the most, for it ends them again
 * where the answer did not arrive. */
MUST_CHECK enum status journal_file_load(struct journal_file *file,
                                         bool (*take)(void *context,
                                                      const struct journal_record *record),
                                         void *context, char error[JOURNAL_ERROR_BYTES]);

/* Writes a batch in one transaction. False: nothing of it is in the file, and it may be tried
 * again. */
MUST_CHECK bool journal_file_keep(struct journal_file *file, const struct batch *batch);

/* What can wait until those who ask have been told: copies SQLite's log into the file when it has
 * grown, and takes one step of the retention. Returns whether the retention has more to do. */
bool journal_file_tidy(struct journal_file *file);

/* Looks at some pages of the file that may never have been read, and says after how many ms to call it again.
 * Where one is damaged, and the whole file is not sound, nothing is kept any more. */
uint64_t journal_file_check(struct journal_file *file);
bool journal_file_is_damaged(const struct journal_file *file);

/* A page of the history. */
struct history_page {
    struct history_entry *entries; /* room for the query's items_max */
    uint8_t *texts;                /* room for the query's bytes_max */
    size_t entries_count;
    uint64_t next_cursor; /* 0: this was the last */
};

/* Fills in the page; its texts stand in page->texts. What touched every namespace is in the
 * history of each. False where it cannot be read, or holds a row that cannot be trusted. */
MUST_CHECK bool journal_file_history(struct journal_file *file, const struct history_query *query,
                                     struct history_page *page);

/* The journal's age: see above. Any thread, for it is read from the clock and from what was fixed
 * at the opening. */
uint64_t journal_file_age_ms(const struct journal_file *file);

void journal_file_figures(const struct journal_file *file, struct journal_figures *figures_out);

/* SQLite's words for one of its codes: static storage. Any thread. */
const char *journal_file_error_text(int code);

/* The words for the failure that the last call returned: static storage, or until the next call. */
const char *journal_file_error(const struct journal_file *file);

/* Copies SQLite's log into the file and gives everything back. Takes NULL. */
void journal_file_close(struct journal_file *file);

#endif
