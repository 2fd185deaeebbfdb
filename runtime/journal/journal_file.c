/* SPDX-License-Identifier: MIT */
#include "journal/journal_file_state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const sql_of[FILE_STATEMENTS] = {
    [FILE_BEGIN] = "BEGIN IMMEDIATE",
    [FILE_COMMIT] = "COMMIT",
    [FILE_ROLLBACK] = "ROLLBACK",
    [FILE_STATE_READ] = "SELECT sequence, next_id, age_ms, expired_unsettled, open_count, "
                        "open_digest, seal FROM state "
                        "WHERE id = 1",
    [FILE_STATE_WRITE] =
        "UPDATE state SET sequence = ?1, next_id = ?2, age_ms = ?3, expired_unsettled = ?4, "
        "open_count = ?5, open_digest = ?6, seal = ?7 WHERE id = 1",
    /* A gen, bulk or key that is open already stays as it was first recorded. */
    [FILE_INSERT] = "INSERT INTO entry(" ROW_COLUMNS ") VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, "
                    "?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, "
                    "?25, ?26, ?27, ?28, ?29, ?30, ?31) ON CONFLICT DO NOTHING",
    [FILE_END_WRITE] =
        "UPDATE entry SET open = ?22, used_gen = ?23, outcome = ?24, by_owner = ?25, "
        "delivered = ?26, delivered_after_ms = ?27, ended_after_ms = ?28, requested = ?29, "
        "settled_age_ms = ?30, end_seal = ?31 WHERE id = ?1",
    [FILE_DELETE] = "DELETE FROM entry WHERE id = ?1",
    [FILE_FIND_CANCEL] = "SELECT id, open, seal, requested FROM entry INDEXED BY cancel_open "
                         "WHERE kind = 1 AND open > 0 AND gen = ?1 AND space = ?2 AND key = ?3",
    [FILE_FIND_BULK] = "SELECT id, open, seal, requested FROM entry INDEXED BY bulk_open "
                       "WHERE kind = 2 AND open = 1 AND epoch = ?1 AND bulk = ?2",
    [FILE_FIND_ARM] = "SELECT id, open, seal, requested FROM entry INDEXED BY arm_open "
                      "WHERE kind = 3 AND open = 1 AND space = ?1 AND key = ?2",
    [FILE_OPEN_CANCELS] = "SELECT " ROW_COLUMNS " FROM entry INDEXED BY cancel_unsettled "
                          "WHERE kind = 1 AND open = 1 ORDER BY gen",
    [FILE_OPEN_BULKS] = "SELECT " ROW_COLUMNS " FROM entry INDEXED BY bulk_open "
                        "WHERE kind = 2 AND open = 1 ORDER BY epoch, bulk",
    [FILE_BULK_LEFT] = "SELECT " ROW_COLUMNS " FROM entry INDEXED BY bulk_open "
                       "WHERE kind = 2 AND open = 1 AND epoch < ?1 AND settled_age_ms = 0 LIMIT 1",
    [FILE_BULK_OLD] = "SELECT " ROW_COLUMNS " FROM entry INDEXED BY bulk_open "
                      "WHERE kind = 2 AND open = 1 AND epoch < ?2 "
                      "AND settled_age_ms > 0 AND settled_age_ms < ?1 LIMIT 1",
    [FILE_OPEN_ARMS] = "SELECT " ROW_COLUMNS " FROM entry INDEXED BY arm_open "
                       "WHERE kind = 3 AND open = 1 ORDER BY space, key",
    [FILE_LOST_CANCELS] = "SELECT " ROW_COLUMNS " FROM entry INDEXED BY cancel_lost "
                          "WHERE kind = 1 AND open = 2 AND settled_age_ms >= ?1 "
                          "ORDER BY settled_age_ms DESC, id DESC",
    [FILE_LOST_OLD] = "SELECT " ROW_COLUMNS " FROM entry INDEXED BY cancel_lost "
                      "WHERE kind = 1 AND open = 2 AND settled_age_ms < ?1 LIMIT 1",
    [FILE_FINISHED_CANCELS] = "SELECT " ROW_COLUMNS " FROM entry INDEXED BY cancel_finished "
                              "WHERE kind = 1 AND open = 3 AND settled_age_ms >= ?1 "
                              "ORDER BY settled_age_ms DESC, id DESC",
    [FILE_FINISHED_OLD] = "SELECT " ROW_COLUMNS " FROM entry INDEXED BY cancel_finished "
                          "WHERE kind = 1 AND open = 3 AND settled_age_ms < ?1 LIMIT 1",
    [FILE_OLDEST] = "SELECT id, open, seal, age_ms, settled_age_ms FROM entry "
                    "WHERE id > ?1 ORDER BY id LIMIT ?2",
    /* The empty namespace is that of what touched them all. A bulk cancel of scope 3 stands beside the
     * cancel of its key that it is the shadow of. */
    [FILE_HISTORY_SPACE] =
        "SELECT " ROW_COLUMNS " FROM entry INDEXED BY entry_by_space "
        "WHERE space = ?1 AND id < ?2 AND NOT (kind = 2 AND scope = 3) UNION ALL "
        "SELECT " ROW_COLUMNS " FROM entry INDEXED BY entry_by_space "
        "WHERE space = '' AND id < ?2 ORDER BY id DESC LIMIT ?3",
    [FILE_HISTORY_KEY] = "SELECT " ROW_COLUMNS " FROM entry INDEXED BY entry_by_key "
                         "WHERE key = ?4 AND space = ?1 AND id < ?2 AND kind <> 2 "
                         "ORDER BY id DESC LIMIT ?3",
    [FILE_PAGES] = "PRAGMA page_count",
    [FILE_PAGES_FREE] = "PRAGMA freelist_count",
    [FILE_VACUUM] = "PRAGMA incremental_vacuum(256)",
};

/* ---- sentences ---- */

enum status file_refuse(char error[JOURNAL_ERROR_BYTES], enum status status, const char *format,
                        ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void) vsnprintf(error, JOURNAL_ERROR_BYTES, format, arguments);
    va_end(arguments);
    return status;
}

enum status file_damaged(const struct journal_file *file, const char *what,
                         char error[JOURNAL_ERROR_BYTES])
{
    return file_refuse(error, STATUS_INVALID,
                       "%s is damaged: %s. Bring the file back, or move %s/journal.* away to start "
                       "without what it holds",
                       file->path, what, file->options.directory);
}

enum status file_failed(const struct journal_file *file, const char *doing,
                        char error[JOURNAL_ERROR_BYTES])
{
    const int code = sqlite3_errcode(file->sqlite);
    const int saved = sqlite3_system_errno(file->sqlite);
    /* SQLite takes a disk that cannot be read for one that holds something else. */
    if (code == SQLITE_CORRUPT && file_proof_has_failed(file)) {
        return file_refuse(error, STATUS_SYSTEM, "cannot %s %s: the disk fails", doing, file->path);
    }
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB) {
        return file_damaged(file, sqlite3_errmsg(file->sqlite), error);
    }
    if (code == SQLITE_BUSY) {
        return file_refuse(error, STATUS_IN_USE, "%s is in use by another process", file->path);
    }
    return file_refuse(error, code == SQLITE_NOMEM ? STATUS_NO_MEMORY : STATUS_SYSTEM,
                       "cannot %s %s: %s%s%s", doing, file->path, sqlite3_errmsg(file->sqlite),
                       saved == 0 ? "" : ": ", saved == 0 ? "" : strerror(saved));
}

const char *journal_file_error_text(int code)
{
    return sqlite3_errstr(code);
}

const char *journal_file_error(const struct journal_file *file)
{
    return journal_file_error_text(file->error_code);
}

/* ---- statements ---- */

enum status file_prepare(struct journal_file *file, char error[JOURNAL_ERROR_BYTES])
{
    for (size_t i = 0; i < FILE_STATEMENTS; i++) {
        if (sqlite3_prepare_v3(file->sqlite, sql_of[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &file->statements[i], NULL) != SQLITE_OK) {
            return file_failed(file, "read", error);
        }
    }
    return STATUS_OK;
}

int file_next(struct journal_file *file, enum file_statement which)
{
    sqlite3_stmt *statement = file->statements[which];
    const int code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        return 1;
    }
    if (code != SQLITE_DONE) {
        file->error_code = sqlite3_extended_errcode(file->sqlite);
    }
    (void) sqlite3_reset(statement); /* it repeats the failure that was just noted */
    return code == SQLITE_DONE ? 0 : -1;
}

void file_reset(struct journal_file *file, enum file_statement which)
{
    (void) sqlite3_reset(file->statements[which]);
}

bool file_run(struct journal_file *file, enum file_statement which)
{
    int more = 1;
    while (more > 0) {
        more = file_next(file, which);
    }
    return more == 0;
}

bool file_begin(struct journal_file *file)
{
    file->next = file->state;
    return file_run(file, FILE_BEGIN);
}

void file_rollback(struct journal_file *file)
{
    /* SQLite may have rolled back by itself. Where it cannot, the next BEGIN fails. */
    if (sqlite3_get_autocommit(file->sqlite) == 0) {
        const int code = file->error_code;
        while (file_next(file, FILE_ROLLBACK) > 0) {
        }
        file->error_code = code;
    }
}

bool file_commit(struct journal_file *file)
{
    sqlite3_stmt *statement = file->statements[FILE_STATE_WRITE];
    for (int i = 0; i < FILE_NUMBERS; i++) {
        (void) sqlite3_bind_int64(statement, i + 1, (sqlite3_int64) file->next.numbers[i]);
    }
    (void) sqlite3_bind_int64(statement, FILE_NUMBERS + 1,
                              (sqlite3_int64) file_state_seal(&file->next));
    if (!file_run(file, FILE_STATE_WRITE) || !file_run(file, FILE_COMMIT)) {
        return false;
    }
    file->state = file->next;
    return true;
}

static uint64_t number_of(struct journal_file *file, enum file_statement which)
{
    uint64_t number = 0;
    if (file_next(file, which) > 0) {
        number = (uint64_t) sqlite3_column_int64(file->statements[which], 0);
        file_reset(file, which);
    }
    return number;
}

uint64_t file_bytes(struct journal_file *file)
{
    return number_of(file, FILE_PAGES) * FILE_PAGE_BYTES;
}

uint64_t file_bytes_used(struct journal_file *file)
{
    const uint64_t all = number_of(file, FILE_PAGES);
    const uint64_t unused = number_of(file, FILE_PAGES_FREE);
    return (all - (unused < all ? unused : all)) * FILE_PAGE_BYTES;
}

uint64_t journal_file_age_ms(const struct journal_file *file)
{
    return file->age_at_open_ms + (clock_now_ns(file->options.clock) - file->opened_ns) / NS_PER_MS;
}

void journal_file_figures(const struct journal_file *file, struct journal_figures *figures_out)
{
    *figures_out = file->figures;
}

static uint64_t since_ms(const struct journal_file *file, uint64_t ms)
{
    const uint64_t age_ms = journal_file_age_ms(file);
    return age_ms < ms ? 0 : age_ms - ms;
}

uint64_t file_lost_since_ms(const struct journal_file *file)
{
    return since_ms(file, JOURNAL_LOST_MS);
}

uint64_t file_finished_since_ms(const struct journal_file *file)
{
    return since_ms(file, JOURNAL_REPEAT_MS);
}

/* ---- keeping ---- */

static void count_open(struct journal_file *file, uint64_t seal)
{
    file->next.numbers[FILE_OPEN_COUNT]++;
    file->next.numbers[FILE_OPEN_DIGEST] += seal;
}

static void count_settled(struct journal_file *file, const struct file_row *row)
{
    if (row->open == ROW_OPEN) {
        file->next.numbers[FILE_OPEN_COUNT]--;
        file->next.numbers[FILE_OPEN_DIGEST] -= row->seal;
    }
}

/* The row that a statement finds, its parameters being bound: 1, 0 where there is none, -1 on failure.
 */
static int find(struct journal_file *file, enum file_statement which, struct file_row *row_out)
{
    sqlite3_stmt *statement = file->statements[which];
    const int found = file_next(file, which);
    if (found > 0) {
        *row_out = (struct file_row){
            .id = (uint64_t) sqlite3_column_int64(statement, 0),
            .open = (enum row_open) sqlite3_column_int64(statement, 1),
            .seal = (uint64_t) sqlite3_column_int64(statement, 2),
            .requested = (uint64_t) sqlite3_column_int64(statement, 3),
        };
        file_reset(file, which);
    }
    return found;
}

static void bind_name(sqlite3_stmt *statement, int at, const struct journal_record *record)
{
    (void) sqlite3_bind_text(statement, at, (const char *) (const void *) record->space.data,
                             (int) record->space.size, SQLITE_STATIC);
    (void) sqlite3_bind_blob(statement, at + 1, record->key.data, (int) record->key.size,
                             SQLITE_STATIC);
}

/* By all of its name: whoever adopts a gen under a name of his own must not end another's cancel. */
static int find_cancel(struct journal_file *file, const struct journal_record *record,
                       struct file_row *row_out)
{
    sqlite3_stmt *statement = file->statements[FILE_FIND_CANCEL];
    (void) sqlite3_bind_int64(statement, 1, (sqlite3_int64) record->gen);
    bind_name(statement, 2, record);
    return find(file, FILE_FIND_CANCEL, row_out);
}

static int find_bulk(struct journal_file *file, uint64_t bulk, struct file_row *row_out)
{
    sqlite3_stmt *statement = file->statements[FILE_FIND_BULK];
    (void) sqlite3_bind_int64(statement, 1, (sqlite3_int64) file->options.epoch);
    (void) sqlite3_bind_int64(statement, 2, (sqlite3_int64) bulk);
    return find(file, FILE_FIND_BULK, row_out);
}

static int find_arm(struct journal_file *file, const struct journal_record *record,
                    struct file_row *row_out)
{
    bind_name(file->statements[FILE_FIND_ARM], 1, record);
    return find(file, FILE_FIND_ARM, row_out);
}

bool file_end_write(struct journal_file *file, const struct file_row *row,
                    const struct row_end *end)
{
    if (end->open != ROW_OPEN) {
        count_settled(file, row);
    } else if (row->open != ROW_OPEN) {
        count_open(file, row->seal);
    }
    row_bind_end(file->statements[FILE_END_WRITE], row->id, end);
    return file_run(file, FILE_END_WRITE);
}

bool file_delete(struct journal_file *file, const struct file_row *row)
{
    count_settled(file, row);
    (void) sqlite3_bind_int64(file->statements[FILE_DELETE], 1, (sqlite3_int64) row->id);
    return file_run(file, FILE_DELETE);
}

/* What is there already stays as it was first recorded; but one that had ended is open again, for with this
 * record its owner is back. */
static bool reopen(struct journal_file *file, const struct stamped_record *stamped,
                   const struct journal_record *record)
{
    const struct row_end end = {.open = ROW_OPEN, .settled_age_ms = stamped->age_ms};
    struct file_row row;
    if (record->kind != JOURNAL_CANCEL) {
        return true;
    }
    const int found = find_cancel(file, record, &row);
    return found == 0 || (found > 0 && (row.open == ROW_OPEN || file_end_write(file, &row, &end)));
}

static bool insert(struct journal_file *file, const struct stamped_record *stamped,
                   const struct journal_record *record, bool by_arm)
{
    const struct row row = {.id = file->next.numbers[FILE_NEXT_ID]++,
                            .epoch = file->options.epoch,
                            .at_unix_ms = stamped->at_unix_ms,
                            .age_ms = stamped->age_ms,
                            .by_arm = by_arm,
                            .record = *record,
                            .end = {.open = ROW_OPEN}};
    row_bind(file->statements[FILE_INSERT], &row);
    if (!file_run(file, FILE_INSERT)) {
        return false;
    }
    if (sqlite3_changes(file->sqlite) == 0) { /* there was one */
        return reopen(file, stamped, record);
    }
    count_open(file, row_seal(&row));
    return true;
}

static bool keep_new(struct journal_file *file, const struct stamped_record *stamped)
{
    return insert(file, stamped, &stamped->record, false);
}

static bool keep_end(struct journal_file *file, const struct stamped_record *stamped)
{
    const struct journal_record *record = &stamped->record;
    const struct row_end end = {.open = record->by_owner ? ROW_FINISHED : ROW_LOST,
                                .outcome = record->outcome,
                                .by_owner = record->by_owner,
                                .delivered = record->delivered,
                                .delivered_after_ms = record->delivered_after_ms,
                                .ended_after_ms = record->ended_after_ms,
                                .settled_age_ms = stamped->age_ms};
    struct file_row row;
    const int found = find_cancel(file, record, &row);
    return found == 0 || (found > 0 && file_end_write(file, &row, &end));
}

static bool keep_bulk_done(struct journal_file *file, const struct stamped_record *stamped)
{
    const struct row_end end = {.open = ROW_OPEN, .requested = stamped->record.requested};
    struct file_row row;
    const int found = find_bulk(file, stamped->record.bulk, &row);
    return found == 0 || (found > 0 && file_end_write(file, &row, &end));
}

static bool keep_bulk_settled(struct journal_file *file, const struct stamped_record *stamped)
{
    struct row_end end = {.open = ROW_SETTLED, .settled_age_ms = stamped->age_ms};
    struct file_row row = {0};
    const int found = find_bulk(file, stamped->record.bulk, &row);
    end.requested = row.requested;
    return found == 0 || (found > 0 && file_end_write(file, &row, &end));
}

/* The arm that is there, with its later end, is a new entry in the old one's stead: rows stand in
 * the order of their age. */
static bool keep_arm(struct journal_file *file, const struct stamped_record *stamped)
{
    struct file_row row;
    const int found = find_arm(file, &stamped->record, &row);
    if (found > 0 && !file_delete(file, &row)) {
        return false;
    }
    return found >= 0 && insert(file, stamped, &stamped->record, false);
}

static bool keep_arm_gone(struct journal_file *file, const struct stamped_record *stamped)
{
    const struct row_end end = {
        .open = ROW_SETTLED, .used_gen = stamped->record.gen, .settled_age_ms = stamped->age_ms};
    struct file_row row;
    const int found = find_arm(file, &stamped->record, &row);
    return found == 0 || (found > 0 && file_end_write(file, &row, &end));
}

static bool keep_arm_used(struct journal_file *file, const struct stamped_record *stamped)
{
    struct journal_record cancel = stamped->record;
    cancel.kind = JOURNAL_CANCEL;
    return keep_arm_gone(file, stamped) && insert(file, stamped, &cancel, true);
}

static bool (*const keep_of[JOURNAL_KIND_END])(struct journal_file *file,
                                               const struct stamped_record *stamped) = {
    [JOURNAL_CANCEL] = keep_new,
    [JOURNAL_END] = keep_end,
    [JOURNAL_BULK] = keep_new,
    [JOURNAL_BULK_DONE] = keep_bulk_done,
    [JOURNAL_BULK_SETTLED] = keep_bulk_settled,
    [JOURNAL_ARM] = keep_arm,
    [JOURNAL_ARM_USED] = keep_arm_used,
    [JOURNAL_ARM_GONE] = keep_arm_gone,
};

static bool keep_all(struct journal_file *file, const struct batch *batch)
{
    struct stamped_record stamped;
    size_t offset = 0;
    while (batch_next(batch, &offset, &stamped)) {
        if (!keep_of[stamped.record.kind](file, &stamped)) {
            return false;
        }
    }
    return true;
}

static bool keep_transaction(struct journal_file *file, const struct batch *batch)
{
    if (file->is_damaged) {
        file->error_code = SQLITE_CORRUPT;
        return false;
    }
    if (!file_begin(file)) {
        file_rollback(file);
        return false;
    }
    file->next.numbers[FILE_SEQUENCE]++;
    file->next.numbers[FILE_AGE_MS] = journal_file_age_ms(file);
    if (!keep_all(file, batch) || !file_commit(file)) {
        file_rollback(file);
        return false;
    }
    return true;
}

bool journal_file_keep(struct journal_file *file, const struct batch *batch)
{
    const uint64_t first_id = file->state.numbers[FILE_NEXT_ID];
    ASSERT(file->mark.fd >= 0); /* it was loaded */
    bool is_kept = keep_transaction(file, batch);
    if (!is_kept && file_proof_again(file)) {
        is_kept = keep_transaction(file, batch);
    }
    if (!is_kept) {
        file->figures.failures++;
        file->figures.error = (uint64_t) file->error_code;
        return false;
    }
    mark_write(&file->mark, file->state.numbers[FILE_SEQUENCE]);
    file->rows_written += file->state.numbers[FILE_NEXT_ID] - first_id;
    file->figures.error = 0;
    return true;
}

bool journal_file_tidy(struct journal_file *file)
{
    if (file->wal_pages >= JOURNAL_WAL_PAGES) {
        /* Where it fails the log grows until it succeeds, or until a commit fails and is told. */
        (void) sqlite3_wal_checkpoint_v2(file->sqlite, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
        file->wal_pages = 0;
    }
    const bool more = file_retain(file);
    file->figures.file_bytes = file_bytes(file);
    file->figures.expired_unsettled = file->state.numbers[FILE_EXPIRED_UNSETTLED];
    return more;
}
