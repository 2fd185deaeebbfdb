/* SPDX-License-Identifier: MIT */
/* The retention: entries that are too old go, and while the file is too big the oldest do, as long
 * as they are settled. What is unsettled goes by its age alone, is counted, and stays for
 * JOURNAL_LOST_MS whatever the bounds are: somebody may come back to it. So does what its owner ended,
 * for JOURNAL_REPEAT_MS, and is settled then.
 *
 * A step is one small transaction. It removes at least JOURNAL_RETAIN_ROWS_MIN rows, and twice what
 * was written since the step before, so that it gains on any load; then it hands some free pages
 * back to the file system. A step that fails (a full disk) is left for later: nothing hangs on
 * it. */
#include "journal/journal_file_state.h"

#include <sqlite3.h>

/* Free pages that stay, for the next entries. */
#define FREE_BYTES_KEPT ((uint64_t) 256 * FILE_PAGE_BYTES)

/* The journal's age is written with each batch, and else so often. */
#define AGE_WRITE_MS ((uint64_t) 3600000)

static bool is_over_size(struct journal_file *file)
{
    return file->options.history_bytes != 0 && file_bytes_used(file) > file->options.history_bytes;
}

static uint64_t rows_of_step(const struct journal_file *file)
{
    const uint64_t rows = 2 * file->rows_written;
    return rows < JOURNAL_RETAIN_ROWS_MIN   ? JOURNAL_RETAIN_ROWS_MIN
           : rows > JOURNAL_RETAIN_ROWS_MAX ? JOURNAL_RETAIN_ROWS_MAX
                                            : rows;
}

/* Entries of this age and younger stay. */
static uint64_t oldest_ms(const struct journal_file *file)
{
    const uint64_t age_ms = journal_file_age_ms(file);
    const uint64_t bound_ms = file->options.history_age_ms;
    return bound_ms == 0 || bound_ms > age_ms ? 0 : age_ms - bound_ms;
}

enum verdict { KEEP_ALL, SKIP, REMOVE };

/* `row` is FILE_OLDEST's. */
static enum verdict judge(const struct journal_file *file, sqlite3_stmt *row, uint64_t oldest)
{
    const enum row_open open = (enum row_open) sqlite3_column_int64(row, 1);
    const uint64_t age_ms = (uint64_t) sqlite3_column_int64(row, 3);
    const uint64_t since_ms = (uint64_t) sqlite3_column_int64(row, 4);
    const bool is_settled =
        open == ROW_SETTLED || (open == ROW_FINISHED && since_ms < file_finished_since_ms(file));
    if (age_ms >= oldest && !file->over_size) {
        return KEEP_ALL; /* and so are those behind it */
    }
    if (is_settled) {
        return REMOVE;
    }
    const uint64_t lost_since_ms = file_lost_since_ms(file);
    return age_ms < oldest && age_ms < lost_since_ms && since_ms < lost_since_ms ? REMOVE : SKIP;
}

/* What is written into some rows that `which` finds, one at a time, so that it does not find them again.
 * As many as a step removes: every cancel that is not lost comes by here once. False where it failed. */
static bool change_found(struct journal_file *file, enum file_statement which,
                         void (*change)(const struct journal_file *file, struct row_end *end),
                         uint64_t *changed)
{
    sqlite3_stmt *statement = file->statements[which];
    const uint64_t rows = rows_of_step(file);
    struct row row;
    int more = 1;
    while (more > 0 && *changed < rows) {
        more = file_next(file, which);
        if (more > 0) {
            const bool is_good = row_read(statement, &row);
            file_reset(file, which);
            const struct file_row before = {.id = row.id, .open = row.end.open, .seal = row.seal};
            change(file, &row.end);
            if (!is_good || !file_end_write(file, &before, &row.end)) {
                return false;
            }
            ++*changed;
        }
    }
    return more >= 0;
}

static void settle(const struct journal_file *file, struct row_end *end)
{
    (void) file;
    end->open = ROW_SETTLED;
}

/* The age at the opening is that of the end of the run before. Where this run ends before it is written,
 * the next one writes a later one. */
static void begin_day(const struct journal_file *file, struct row_end *end)
{
    end->settled_age_ms = file->age_at_open_ms == 0 ? 1 : file->age_at_open_ms;
}

/* Begins the day of what earlier runs left, and settles some of what nobody comes back for any more. */
static bool settle_lost(struct journal_file *file, uint64_t *changed)
{
    const sqlite3_int64 since_ms = (sqlite3_int64) file_lost_since_ms(file);
    (void) sqlite3_bind_int64(file->statements[FILE_BULK_LEFT], 1,
                              (sqlite3_int64) file->options.epoch);
    (void) sqlite3_bind_int64(file->statements[FILE_LOST_OLD], 1, since_ms);
    (void) sqlite3_bind_int64(file->statements[FILE_FINISHED_OLD], 1,
                              (sqlite3_int64) file_finished_since_ms(file));
    (void) sqlite3_bind_int64(file->statements[FILE_BULK_OLD], 1, since_ms);
    (void) sqlite3_bind_int64(file->statements[FILE_BULK_OLD], 2,
                              (sqlite3_int64) file->options.epoch);
    return change_found(file, FILE_BULK_LEFT, begin_day, changed) &&
           change_found(file, FILE_LOST_OLD, settle, changed) &&
           change_found(file, FILE_FINISHED_OLD, settle, changed) &&
           change_found(file, FILE_BULK_OLD, settle, changed);
}

/* Goes over some rows from passed_id on. False where it failed. */
static bool remove_some(struct journal_file *file, uint64_t *removed_out, bool *more_out)
{
    sqlite3_stmt *statement = file->statements[FILE_OLDEST];
    const uint64_t oldest = oldest_ms(file);
    uint64_t looked = 0;
    const uint64_t rows = rows_of_step(file);
    int more;
    *more_out = false;
    (void) sqlite3_bind_int64(statement, 1, (sqlite3_int64) file->passed_id);
    (void) sqlite3_bind_int64(statement, 2, (sqlite3_int64) rows);
    for (more = file_next(file, FILE_OLDEST); more > 0; more = file_next(file, FILE_OLDEST)) {
        const struct file_row row = {.id = (uint64_t) sqlite3_column_int64(statement, 0),
                                     .open = (enum row_open) sqlite3_column_int64(statement, 1),
                                     .seal = (uint64_t) sqlite3_column_int64(statement, 2)};
        const enum verdict verdict = judge(file, statement, oldest);
        if (verdict == KEEP_ALL) {
            break;
        }
        if (verdict == REMOVE && !file_delete(file, &row)) {
            more = -1;
            break;
        }
        *removed_out += verdict == REMOVE ? 1 : 0;
        file->next.numbers[FILE_EXPIRED_UNSETTLED] +=
            verdict == REMOVE && row.open == ROW_OPEN ? 1 : 0;
        file->passed_id = row.id;
        *more_out = ++looked == rows;
    }
    file_reset(file, FILE_OLDEST);
    return more >= 0;
}

/* Within the transaction; what it has done is told even where nothing of it is to be written. */
static bool step_within(struct journal_file *file, uint64_t *changed_out, bool *more_out)
{
    uint64_t changed = 0;
    uint64_t removed = 0;
    if (!settle_lost(file, &changed) || !remove_some(file, &removed, more_out)) {
        return false;
    }
    *changed_out = changed + removed;
    *more_out = *more_out || changed >= rows_of_step(file);
    return true;
}

static bool step(struct journal_file *file, bool *more_out)
{
    const uint64_t passed_id = file->passed_id;
    const uint64_t age_ms = journal_file_age_ms(file);
    uint64_t changed = 0;
    if (!file_begin(file) || !step_within(file, &changed, more_out)) {
        file_rollback(file);
        file->passed_id = passed_id;
        return false;
    }
    if (changed == 0 && age_ms - file->state.numbers[FILE_AGE_MS] < AGE_WRITE_MS) {
        file_rollback(file); /* nothing to write: an idle daemon leaves the disk alone */
        return true;
    }
    file->next.numbers[FILE_AGE_MS] = age_ms;
    if (!file_commit(file)) {
        file_rollback(file);
        file->passed_id = passed_id;
        return false;
    }
    return true;
}

/* Hands free pages back; whether there are more. */
static bool shrink(struct journal_file *file)
{
    if (file_bytes(file) - file_bytes_used(file) <= FREE_BYTES_KEPT) {
        return false;
    }
    return file_run(file, FILE_VACUUM);
}

/* Whether a step is called for: the one before had more to do, the file is too big (unless the last
 * pass found that it has to be), or it is time to look at the ages. */
static bool is_due(struct journal_file *file)
{
    const uint64_t now_ns = clock_now_ns(file->options.clock);
    const bool is_time = now_ns >= file->retain_at_ns;
    file->over_size = is_over_size(file);
    if (is_time) {
        file->retain_at_ns = time_after(now_ns, JOURNAL_RETAIN_MS * NS_PER_MS);
        file->too_open = false;
    }
    return is_time || file->retaining || (file->over_size && !file->too_open);
}

bool file_retain(struct journal_file *file)
{
    bool more = false;
    if (!is_due(file)) {
        return false;
    }
    const bool done = step(file, &more);
    if (!done || !more) {
        file->passed_id = 0; /* the next pass begins with the oldest again */
        file->too_open = is_over_size(file);
    }
    file->rows_written = 0;
    file->retaining = done && (shrink(file) || more);
    return file->retaining;
}
