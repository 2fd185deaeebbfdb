/* SPDX-License-Identifier: MIT */
#include "journal/journal_file_state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_NAME "journal.lock"
#define LOG_NAME JOURNAL_FILE_NAME "-wal"

static enum status refuse_locked(const char *directory, int directory_fd,
                                 char error[JOURNAL_ERROR_BYTES])
{
    return file_refuse(error, STATUS_IN_USE,
                       "another canceld (process %jd) keeps its journal in %s: give each its own "
                       "state directory",
                       (intmax_t) lock_file_signed_by(directory_fd, LOCK_NAME), directory);
}

enum status journal_file_probe(const char *directory, char error[JOURNAL_ERROR_BYTES])
{
    struct lock_file lock = LOCK_FILE_NONE;
    enum status status = STATUS_OK;
    const int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && faccessat(fd, LOCK_NAME, F_OK, 0) == 0 &&
        lock_file_take(&lock, fd, LOCK_NAME, 0) == STATUS_IN_USE) {
        status = refuse_locked(directory, fd, error);
    }
    lock_file_give(&lock);
    if (fd >= 0) {
        (void) close(fd);
    }
    return status;
}

static enum status take_lock(struct journal_file *file, char error[JOURNAL_ERROR_BYTES])
{
    const enum status status = lock_file_take(&file->lock, file->directory_fd, LOCK_NAME, 0);
    if (status == STATUS_IN_USE) {
        return refuse_locked(file->options.directory, file->directory_fd, error);
    }
    if (status != STATUS_OK) {
        return file_refuse(error, status, "cannot lock %s/" LOCK_NAME ": %s",
                           file->options.directory, strerror(errno));
    }
    lock_file_sign(&file->lock);
    return STATUS_OK;
}

static bool is_there(const struct journal_file *file, const char *name, struct stat *found_out)
{
    return fstatat(file->directory_fd, name, found_out, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Makes a journal where there is nothing of one. */
static enum status find_or_create(struct journal_file *file, char error[JOURNAL_ERROR_BYTES])
{
    struct stat found;
    file->may_have_log = is_there(file, LOG_NAME, &found);
    const bool has_log = file->may_have_log && found.st_size > 0;
    if (is_there(file, JOURNAL_FILE_NAME, &found)) {
        if (!S_ISREG(found.st_mode)) {
            return file_damaged(file, "it is no plain file", error);
        }
        /* SQLite would take an empty one for new, and remove the log beside it. */
        return found.st_size >= FILE_PAGE_BYTES ? STATUS_OK
                                                : file_damaged(file, "it is cut short", error);
    }
    /* An empty log is what a start that was killed may leave. */
    if (has_log || is_there(file, MARK_NAME, &found)) {
        return file_refuse(error, STATUS_INVALID,
                           "%s is missing, but there was a journal: bring the file back, or move "
                           "%s/journal.* away to start without what it held",
                           file->path, file->options.directory);
    }
    return file_create(file, error);
}

/* Before anything is read, and the lock before all: with it the log needs no shared memory beside it.
 * What a damaged file could do is bounded, and a refusal leaves the log where it is. */
static bool set_up(struct journal_file *file)
{
    sqlite3 *sqlite = file->sqlite;
    char sql[256];
    const int size = snprintf(sql, sizeof sql,
                              "PRAGMA locking_mode = EXCLUSIVE; PRAGMA cell_size_check = ON;"
                              "PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0;"
                              "PRAGMA synchronous = %s;"
                              "PRAGMA journal_size_limit = %zu; PRAGMA cache_size = -%zu",
                              file->options.sync_power ? "FULL" : "NORMAL", 2 * JOURNAL_CACHE_BYTES,
                              JOURNAL_CACHE_BYTES / 1024);
    ASSERT(size > 0 && (size_t) size < sizeof sql);
    return sqlite3_db_config(sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL) == SQLITE_OK &&
           sqlite3_db_config(sqlite, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL) == SQLITE_OK &&
           sqlite3_db_config(sqlite, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL) == SQLITE_OK &&
           sqlite3_exec(sqlite, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static enum status connect_file(struct journal_file *file, char error[JOURNAL_ERROR_BYTES])
{
    /* The process's, as SQLite keeps it: nothing else here uses SQLite. */
    (void) sqlite3_hard_heap_limit64((sqlite3_int64) JOURNAL_SQLITE_BYTES_MAX);
    const int code = file_proof_open(file->path, &file->sqlite);
    if (file->sqlite == NULL) {
        return file_refuse(error, STATUS_NO_MEMORY, "there is no memory for the journal");
    }
    if (code != SQLITE_OK || !set_up(file)) {
        return file_failed(file, "open", error);
    }
    if (sqlite3_db_readonly(file->sqlite, "main") != 0) {
        return file_refuse(error, STATUS_SYSTEM, "%s cannot be written", file->path);
    }
    return STATUS_OK;
}

static enum status read_state(struct journal_file *file, char error[JOURNAL_ERROR_BYTES])
{
    sqlite3_stmt *statement = file->statements[FILE_STATE_READ];
    struct file_state *state = &file->state;
    const int found = file_next(file, FILE_STATE_READ);
    if (found < 0) {
        return file_failed(file, "read", error);
    }
    if (found == 0) {
        return file_damaged(file, "its state is missing", error);
    }
    for (int i = 0; i < FILE_NUMBERS; i++) {
        state->numbers[i] = (uint64_t) sqlite3_column_int64(statement, i);
    }
    const bool is_sealed =
        (uint64_t) sqlite3_column_int64(statement, FILE_NUMBERS) == file_state_seal(state);
    file_reset(file, FILE_STATE_READ);
    if (!is_sealed) {
        return file_damaged(file, "its state is not what was written", error);
    }
    file->age_at_open_ms = state->numbers[FILE_AGE_MS];
    return STATUS_OK;
}

/* See mark.h. */
static enum status check_mark(struct journal_file *file, char error[JOURNAL_ERROR_BYTES])
{
    uint64_t sequence = 0;
    const enum mark_found found = mark_find(file->directory_fd, &sequence);
    if (found == MARK_UNREADABLE) {
        return file_refuse(error, STATUS_SYSTEM, "cannot read %s/" MARK_NAME ": %s",
                           file->options.directory, strerror(errno));
    }
    if (found == MARK_DAMAGED) {
        return file_refuse(error, STATUS_INVALID,
                           "%s/" MARK_NAME " is damaged, so nobody knows whether %s holds all that "
                           "was kept: remove it to start with what is there",
                           file->options.directory, file->path);
    }
    if (found == MARK_FOUND && sequence > file->state.numbers[FILE_SEQUENCE]) {
        return file_refuse(error, STATUS_INVALID,
                           "%s holds less than was kept: %" PRIu64 " batches of %" PRIu64
                           ". Bring the file and its -wal back, or remove %s/" MARK_NAME
                           " to start with what is there",
                           file->path, file->state.numbers[FILE_SEQUENCE], sequence,
                           file->options.directory);
    }
    return STATUS_OK;
}

static int on_commit(void *context, sqlite3 *sqlite, const char *name, int pages)
{
    struct journal_file *file = context;
    (void) sqlite;
    (void) name;
    file->wal_pages = (uint64_t) pages;
    return SQLITE_OK;
}

/* Nothing was written until here, nor is it here. */
static enum status begin_figures(struct journal_file *file, char error[JOURNAL_ERROR_BYTES])
{
    (void) error;
    (void) sqlite3_wal_hook(file->sqlite, on_commit, file); /* no checkpoints but our own */
    file->opened_ns = clock_now_ns(file->options.clock);
    file->figures.file_bytes = file_bytes(file);
    file->figures.expired_unsettled = file->state.numbers[FILE_EXPIRED_UNSETTLED];
    return STATUS_OK;
}

enum status file_begin_run(struct journal_file *file, char error[JOURNAL_ERROR_BYTES])
{
    if (file->mark.fd >= 0) {
        return STATUS_OK;
    }
    file_proof_refuse(file);
    if (sqlite3_db_config(file->sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL) != SQLITE_OK) {
        return file_failed(file, "open", error);
    }
    if (sqlite3_get_autocommit(file->sqlite) == 0 && !file_run(file, FILE_COMMIT)) {
        return file_failed(file, "write", error); /* file_update_format()'s transaction */
    }
    if (!mark_open(&file->mark, file->directory_fd, file->options.sync_power,
                   file->state.numbers[FILE_SEQUENCE])) {
        return file_refuse(error, STATUS_SYSTEM, "cannot write %s/" MARK_NAME ": %s",
                           file->options.directory, strerror(errno));
    }
    return STATUS_OK;
}

static enum status open_directory(struct journal_file *file, char error[JOURNAL_ERROR_BYTES])
{
    const int size =
        snprintf(file->path, sizeof file->path, "%s/" JOURNAL_FILE_NAME, file->options.directory);
    if (size < 0 || (size_t) size >= sizeof file->path) {
        return file_refuse(error, STATUS_INVALID, "the state directory's name is too long");
    }
    file->directory_fd = open(file->options.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file->directory_fd < 0) {
        return file_refuse(error, STATUS_SYSTEM, "cannot open the state directory %s: %s",
                           file->options.directory, strerror(errno));
    }
    return STATUS_OK;
}

/* In this order: each step may rely on those before it. */
static enum status (*const steps[])(struct journal_file *file, char error[JOURNAL_ERROR_BYTES]) = {
    open_directory,    take_lock,        find_or_create,     connect_file,
    file_check_format, file_proof_begin, file_update_format, file_prepare,
    read_state,        check_mark,       begin_figures,      file_proof_read,
};

enum status journal_file_open(const struct journal_file_options *options,
                              struct journal_file **file_out, char error[JOURNAL_ERROR_BYTES])
{
    struct journal_file *file = calloc(1, sizeof *file);
    if (file == NULL) {
        return file_refuse(error, STATUS_NO_MEMORY, "there is no memory for the journal");
    }
    file->options = *options;
    file->directory_fd = -1;
    file->lock = LOCK_FILE_NONE;
    file->mark.fd = -1;
    file->may_have_log = true;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        const enum status status = steps[i](file, error);
        if (status != STATUS_OK) {
            journal_file_close(file);
            return status;
        }
    }
    *file_out = file;
    return STATUS_OK;
}

/* SQLite makes a log for a look already. A refusal leaves the directory as it was, so that one goes. */
static void remove_log_of_look(const struct journal_file *file)
{
    struct stat found;
    if (!file->may_have_log && file->mark.fd < 0 && is_there(file, LOG_NAME, &found) &&
        found.st_size == 0) {
        (void) unlinkat(file->directory_fd, LOG_NAME, 0); /* it holds nothing */
    }
}

void journal_file_close(struct journal_file *file)
{
    if (file == NULL) {
        return;
    }
    for (size_t i = 0; i < FILE_STATEMENTS; i++) {
        (void) sqlite3_finalize(file->statements[i]); /* it repeats an earlier failure */
    }
    const int code = sqlite3_close(file->sqlite);
    ASSERT(code == SQLITE_OK);
    remove_log_of_look(file);
    mark_close(&file->mark);
    lock_file_give(&file->lock);
    if (file->directory_fd >= 0) {
        (void) close(file->directory_fd);
    }
    free(file);
}
