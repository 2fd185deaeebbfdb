/* SPDX-License-Identifier: MIT */
/* The inside of a journal file: for journal_file*.c alone. */
#ifndef CANCELD_JOURNAL_JOURNAL_FILE_STATE_H
#define CANCELD_JOURNAL_JOURNAL_FILE_STATE_H

#include "base/lock_file.h"
#include "journal/journal_file.h"
#include "journal/mark.h"
#include "journal/row.h"

#include <limits.h>
#include <stddef.h>

struct sqlite3;
struct sqlite3_stmt;

#define FILE_PAGE_BYTES 4096

#define JOURNAL_FILE_NAME "journal.sqlite"

/* "canl" and the format's number: one of a later format is not opened, one of an earlier format is brought up
 * to date, but for the proofs of its pages. 2: with cancel_finished. 3: with cancel_unsettled, and proofs. */
#define JOURNAL_FILE_APPLICATION 0x63616e6c
#define JOURNAL_FILE_FORMAT 3

enum file_statement {
    FILE_BEGIN,
    FILE_COMMIT,
    FILE_ROLLBACK,
    FILE_STATE_READ,
    FILE_STATE_WRITE,
    FILE_INSERT,
    FILE_END_WRITE,
    FILE_DELETE,
    FILE_FIND_CANCEL,
    FILE_FIND_BULK,
    FILE_FIND_ARM,
    FILE_OPEN_CANCELS,
    FILE_OPEN_BULKS,
    FILE_OPEN_ARMS,
    FILE_BULK_LEFT,
    FILE_BULK_OLD,
    FILE_LOST_CANCELS,
    FILE_LOST_OLD,
    FILE_FINISHED_CANCELS,
    FILE_FINISHED_OLD,
    FILE_OLDEST,
    FILE_HISTORY_SPACE,
    FILE_HISTORY_KEY,
    FILE_PAGES,
    FILE_PAGES_FREE,
    FILE_VACUUM,
    FILE_STATEMENTS
};

/* The row of the table `state`, in the order of its columns. */
enum file_number {
    FILE_SEQUENCE, /* transactions with a batch, over all runs */
    FILE_NEXT_ID,  /* no row has had it */
    FILE_AGE_MS,
    FILE_EXPIRED_UNSETTLED,
    /* The rows that are open: how many, and the sum of their seals. So one that got lost is missed,
     * wherever in the file the damage was. */
    FILE_OPEN_COUNT,
    FILE_OPEN_DIGEST,
    FILE_NUMBERS
};

struct file_state {
    uint64_t numbers[FILE_NUMBERS];
};

struct journal_file {
    /* Fixed after the opening. */
    struct journal_file_options options;
    char path[PATH_MAX]; /* of the database */
    int directory_fd;
    struct lock_file lock;
    uint64_t opened_ns;
    uint64_t age_at_open_ms;

    bool may_have_log; /* there was one before SQLite looked, or nobody knows yet */
    int format;        /* that was found */
    struct mark mark;
    struct sqlite3 *sqlite;
    struct sqlite3_stmt *statements[FILE_STATEMENTS];
    struct file_state state; /* as in the file */
    struct file_state next;  /* as it will be, within a transaction */
    uint64_t wal_pages;
    uint64_t checked_pages; /* those below were looked at in this pass of journal_file_check() */
    bool is_damaged;        /* found while it was in use: nothing is kept any more */
    int error_code;         /* extended, of the last failure */
    struct journal_figures figures;

    /* The retention. */
    uint64_t rows_written; /* since its last step */
    uint64_t passed_id;    /* rows up to here are unsettled, and looked at in this pass */
    bool over_size;        /* the step is for the size */
    bool too_open;         /* the last pass left it too big: what is left is unsettled */
    bool retaining;        /* the step before had more to do */
    uint64_t retain_at_ns;
};

/* Writes the sentence; "%s" is for the file's path where `format` begins with it. Returns `status`.
 */
__attribute__((format(printf, 3, 4))) enum status
file_refuse(char error[JOURNAL_ERROR_BYTES], enum status status, const char *format, ...);

/* The sentence for a damaged file, with what is wrong about it. */
enum status file_damaged(const struct journal_file *file, const char *what,
                         char error[JOURNAL_ERROR_BYTES]);

/* The sentence for SQLite's last failure: damaged, or a system call. */
enum status file_failed(const struct journal_file *file, const char *doing,
                        char error[JOURNAL_ERROR_BYTES]);

MUST_CHECK enum status file_prepare(struct journal_file *file, char error[JOURNAL_ERROR_BYTES]);

/* Runs a statement to its end, with its parameters bound. False: file->error_code. */
MUST_CHECK bool file_run(struct journal_file *file, enum file_statement which);

/* The next row of a statement: 1, 0 at the end, -1 where it failed (file->error_code). At the end
 * and after a failure it is reset; before, by file_reset(). */
int file_next(struct journal_file *file, enum file_statement which);
void file_reset(struct journal_file *file, enum file_statement which);

/* What is known of a row that is to be changed. */
struct file_row {
    uint64_t id;
    enum row_open open;
    uint64_t seal;
    uint64_t requested;
};

/* Writes the second half of the row. */
MUST_CHECK bool file_end_write(struct journal_file *file, const struct file_row *row,
                               const struct row_end *end);

MUST_CHECK bool file_delete(struct journal_file *file, const struct file_row *row);

/* Ends recorded, and runs that ended with bulk cancels unsettled, before this age of the journal: what is
 * left of them is not given back any more. */
uint64_t file_lost_since_ms(const struct journal_file *file);

/* Likewise of ends by the owner. */
uint64_t file_finished_since_ms(const struct journal_file *file);

/* Around what is written: begin makes file->next, commit writes it, rollback leaves everything as
 * before begin. */
MUST_CHECK bool file_begin(struct journal_file *file);
MUST_CHECK bool file_commit(struct journal_file *file);
void file_rollback(struct journal_file *file);

/* Pages of the database times their size, with and without those that are free. 0 where that
 * cannot be read. */
uint64_t file_bytes(struct journal_file *file);
uint64_t file_bytes_used(struct journal_file *file);

/* ---- journal_file_open.c ---- */

/* What was found is good: from now on the files may be written. */
MUST_CHECK enum status file_begin_run(struct journal_file *file, char error[JOURNAL_ERROR_BYTES]);

/* ---- journal_file_create.c ---- */

/* Makes an empty journal under another name and moves it into place. */
MUST_CHECK enum status file_create(const struct journal_file *file,
                                   char error[JOURNAL_ERROR_BYTES]);

/* Whether the open database is of a format of ours, with its tables and no others. */
MUST_CHECK enum status file_check_format(struct journal_file *file,
                                         char error[JOURNAL_ERROR_BYTES]);

/* Makes what an earlier format does not have, in a transaction that file_begin_run() commits: without that,
 * the file stays as it was. */
MUST_CHECK enum status file_update_format(struct journal_file *file,
                                          char error[JOURNAL_ERROR_BYTES]);

/* The seal of the row of `state`. */
uint64_t file_state_seal(const struct file_state *state);

/* ---- journal_file_proof.c ---- */

/* Opens the database; what SQLite answers. NULL where there is no memory. */
int file_proof_open(const char *path, struct sqlite3 **sqlite_out);

/* Before anything is in it: its pages shall have room for a proof. */
MUST_CHECK bool file_proof_ask(struct sqlite3 *sqlite);

/* Before anything is trusted: OK where each page has a proof, which is looked at as the page is read. Else
 * the whole file is checked, and refused if it is not sound. */
MUST_CHECK enum status file_proof_begin(struct journal_file *file, char error[JOURNAL_ERROR_BYTES]);

/* After something was read at the start: likewise, if a page was read that has no proof. */
MUST_CHECK enum status file_proof_read(struct journal_file *file, char error[JOURNAL_ERROR_BYTES]);

/* Whether the system could not read a page of the database, since the opening or the last look at all of it. */
bool file_proof_has_failed(const struct journal_file *file);

/* From now on a page without a proof cannot be read. */
void file_proof_refuse(struct journal_file *file);

/* After a failure: whether it may be tried again, for the reason was such a page, and the whole file is sound.
 * Where it is not, it is damaged from now on. */
MUST_CHECK bool file_proof_again(struct journal_file *file);

/* ---- journal_file_retain.c ---- */

/* One step; whether there is more. */
bool file_retain(struct journal_file *file);

#endif
