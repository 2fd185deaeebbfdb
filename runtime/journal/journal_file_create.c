/* SPDX-License-Identifier: MIT */
/* The format of the file. It is made under the name journal.sqlite.new and moved into place when it
 * is whole, so a journal.sqlite that is empty or has no tables was damaged later: SQLite itself
 * would take an empty file for a new database, and what was kept would be gone without a word. */
#include "journal/journal_file_state.h"

#include "base/siphash.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEW_NAME JOURNAL_FILE_NAME ".new"

/* As SQLite keeps the texts, in the order of their names. The partial indexes hold what is
 * unsettled alone, so they stay small and each gen, bulk and key is found in them at once. */
static const struct {
    const char *name;
    int format; /* the first that has it */
    const char *sql;
} objects[] = {
    {"arm_open", 1,
     "CREATE UNIQUE INDEX arm_open ON entry(space, key) WHERE kind = 3 AND open = 1"},
    {"bulk_open", 1,
     "CREATE UNIQUE INDEX bulk_open ON entry(epoch, bulk) WHERE kind = 2 AND open = 1"},
    {"cancel_finished", 2,
     "CREATE INDEX cancel_finished ON entry(settled_age_ms) WHERE kind = 1 AND open = 3"},
    {"cancel_lost", 1,
     "CREATE INDEX cancel_lost ON entry(settled_age_ms) WHERE kind = 1 AND open = 2"},
    {"cancel_open", 1,
     "CREATE UNIQUE INDEX cancel_open ON entry(gen, space, key) WHERE kind = 1 AND open > 0"},
    {"cancel_unsettled", 3,
     "CREATE INDEX cancel_unsettled ON entry(gen) WHERE kind = 1 AND open = 1"},
    {"entry", 1,
     "CREATE TABLE entry(id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, "
     "epoch INTEGER NOT NULL, at_unix_ms INTEGER NOT NULL, age_ms INTEGER NOT NULL, "
     "by_arm INTEGER NOT NULL, space TEXT NOT NULL, key BLOB NOT NULL, "
     "gen INTEGER NOT NULL, cause_code INTEGER NOT NULL, cause_text TEXT NOT NULL, "
     "cause_actor TEXT NOT NULL, cause_peer TEXT NOT NULL, bulk INTEGER NOT NULL, "
     "scope INTEGER NOT NULL, label TEXT NOT NULL, owner INTEGER NOT NULL, "
     "fence INTEGER NOT NULL, after_gen INTEGER NOT NULL, ttl_ms INTEGER NOT NULL, "
     "seal INTEGER NOT NULL, open INTEGER NOT NULL, used_gen INTEGER NOT NULL, "
     "outcome INTEGER NOT NULL, by_owner INTEGER NOT NULL, delivered INTEGER NOT NULL, "
     "delivered_after_ms INTEGER NOT NULL, ended_after_ms INTEGER NOT NULL, "
     "requested INTEGER NOT NULL, settled_age_ms INTEGER NOT NULL, end_seal INTEGER NOT "
     "NULL) STRICT"},
    {"entry_by_key", 1, "CREATE INDEX entry_by_key ON entry(key, space)"},
    {"entry_by_space", 1, "CREATE INDEX entry_by_space ON entry(space)"},
    {"state", 1,
     "CREATE TABLE state(id INTEGER PRIMARY KEY CHECK (id = 1), "
     "sequence INTEGER NOT NULL, next_id INTEGER NOT NULL, age_ms INTEGER NOT NULL, "
     "expired_unsettled INTEGER NOT NULL, open_count INTEGER NOT NULL, "
     "open_digest INTEGER NOT NULL, seal INTEGER NOT NULL) STRICT"},
};

#define OBJECTS_COUNT (sizeof objects / sizeof objects[0])

uint64_t file_state_seal(const struct file_state *state)
{
    static const struct siphash_key key = {.k0 = UINT64_C(0x63616e63656c6420),
                                           .k1 = UINT64_C(0x7374617465206b65)};
    return siphash24(&key, bytes_of(state->numbers, sizeof state->numbers));
}

/* ---- making ---- */

static bool run(sqlite3 *sqlite, const char *sql)
{
    return sqlite3_exec(sqlite, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static bool make_tables(sqlite3 *sqlite)
{
    static const char *const first[] = {"entry", "state", NULL};
    for (size_t pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < OBJECTS_COUNT; i++) {
            const bool is_table =
                strcmp(objects[i].name, first[0]) == 0 || strcmp(objects[i].name, first[1]) == 0;
            if (is_table == (pass == 0) && !run(sqlite, objects[i].sql)) {
                return false;
            }
        }
    }
    return true;
}

static bool make_state(sqlite3 *sqlite)
{
    const struct file_state state = {.numbers = {[FILE_NEXT_ID] = 1}};
    char sql[128];
    const int size =
        snprintf(sql, sizeof sql, "INSERT INTO state VALUES(1, 0, 1, 0, 0, 0, 0, %lld)",
                 (long long) file_state_seal(&state));
    ASSERT(size > 0 && (size_t) size < sizeof sql);
    return run(sqlite, sql);
}

static bool make_whole(sqlite3 *sqlite)
{
    char sql[128];
    const int size =
        snprintf(sql, sizeof sql, "PRAGMA application_id = %d; PRAGMA user_version = %d",
                 JOURNAL_FILE_APPLICATION, JOURNAL_FILE_FORMAT);
    ASSERT(size > 0 && (size_t) size < sizeof sql);
    return file_proof_ask(sqlite) &&
           run(sqlite, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA page_size = 4096;"
                       "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA synchronous = FULL; BEGIN") &&
           make_tables(sqlite) && make_state(sqlite) && run(sqlite, sql) &&
           run(sqlite, "COMMIT; PRAGMA journal_mode = WAL");
}

/* What an earlier try left behind was never a journal. */
static bool make_room(const struct journal_file *file)
{
    static const char *const names[] = {NEW_NAME, NEW_NAME "-journal", NEW_NAME "-wal"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (unlinkat(file->directory_fd, names[i], 0) != 0 && errno != ENOENT) {
            return false;
        }
    }
    /* Made by us and not by SQLite, for its mode: the log gets that of the database. */
    const int fd = openat(file->directory_fd, NEW_NAME,
                          O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd >= 0 && close(fd) == 0;
}

static bool move_into_place(const struct journal_file *file)
{
    return renameat(file->directory_fd, NEW_NAME, file->directory_fd, JOURNAL_FILE_NAME) == 0 &&
           fsync(file->directory_fd) == 0;
}

enum status file_create(const struct journal_file *file, char error[JOURNAL_ERROR_BYTES])
{
    char path[PATH_MAX + sizeof ".new"];
    sqlite3 *sqlite = NULL;
    bool is_made = false;
    (void) snprintf(path, sizeof path, "%s.new", file->path);
    if (!make_room(file)) {
        return file_refuse(error, STATUS_SYSTEM, "cannot make %s: %s", path, strerror(errno));
    }
    const int code = file_proof_open(path, &sqlite);
    if (code == SQLITE_OK) {
        is_made = make_whole(sqlite);
    }
    if (!is_made) {
        const enum status status =
            file_refuse(error, STATUS_SYSTEM, "cannot make %s: %s", path,
                        sqlite == NULL ? sqlite3_errstr(code) : sqlite3_errmsg(sqlite));
        (void) sqlite3_close(sqlite);
        return status;
    }
    if (sqlite3_close(sqlite) != SQLITE_OK || !move_into_place(file)) {
        return file_refuse(error, STATUS_SYSTEM, "cannot move %s into place: %s", path,
                           strerror(errno));
    }
    return STATUS_OK;
}

/* ---- looking ---- */

/* The one number that a pragma gives; false where it cannot be read. */
static bool pragma_number(sqlite3 *sqlite, const char *sql, int *number_out)
{
    sqlite3_stmt *statement = NULL;
    bool is_read = false;
    if (sqlite3_prepare_v2(sqlite, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
        *number_out = sqlite3_column_int(statement, 0);
        is_read = true;
    }
    (void) sqlite3_finalize(statement);
    return is_read;
}

/* Whether the rows of `statement` are our objects of that format, each with our text. */
static bool are_ours(sqlite3_stmt *statement, int format)
{
    for (size_t i = 0; i < OBJECTS_COUNT; i++) {
        if (objects[i].format > format) {
            continue;
        }
        if (sqlite3_step(statement) != SQLITE_ROW) {
            return false;
        }
        const char *name = (const char *) sqlite3_column_text(statement, 0);
        const char *sql = (const char *) sqlite3_column_text(statement, 1);
        if (name == NULL || sql == NULL || strcmp(name, objects[i].name) != 0 ||
            strcmp(sql, objects[i].sql) != 0) {
            return false;
        }
    }
    return sqlite3_step(statement) == SQLITE_DONE;
}

static enum status check_tables(struct journal_file *file, char error[JOURNAL_ERROR_BYTES])
{
    sqlite3_stmt *statement = NULL;
    const int code = sqlite3_prepare_v2(
        file->sqlite, "SELECT name, sql FROM sqlite_schema ORDER BY name", -1, &statement, NULL);
    if (code != SQLITE_OK) {
        return file_failed(file, "read", error);
    }
    const bool is_ours = are_ours(statement, file->format);
    const bool is_read = sqlite3_finalize(statement) == SQLITE_OK;
    if (!is_read) {
        return file_failed(file, "read", error);
    }
    return is_ours ? STATUS_OK : file_damaged(file, "its tables are not those of a journal", error);
}

enum status file_check_format(struct journal_file *file, char error[JOURNAL_ERROR_BYTES])
{
    int application = 0;
    if (!pragma_number(file->sqlite, "PRAGMA application_id", &application)) {
        return file_failed(file, "read", error);
    }
    if (application != JOURNAL_FILE_APPLICATION) {
        return file_damaged(file, "it is not the journal of a canceld", error);
    }
    if (!pragma_number(file->sqlite, "PRAGMA user_version", &file->format)) {
        return file_failed(file, "read", error);
    }
    if (file->format < 1 || file->format > JOURNAL_FILE_FORMAT) {
        return file_refuse(error, STATUS_INVALID,
                           "%s is a journal of format %d, and this canceld knows formats 1 to %d: "
                           "start the canceld that made it, or use another state directory",
                           file->path, file->format, JOURNAL_FILE_FORMAT);
    }
    return check_tables(file, error);
}

enum status file_update_format(struct journal_file *file, char error[JOURNAL_ERROR_BYTES])
{
    if (file->format == JOURNAL_FILE_FORMAT) {
        return STATUS_OK;
    }
    char sql[64];
    const int size = snprintf(sql, sizeof sql, "PRAGMA user_version = %d", JOURNAL_FILE_FORMAT);
    ASSERT(size > 0 && (size_t) size < sizeof sql);
    bool is_made = run(file->sqlite, "BEGIN IMMEDIATE");
    for (size_t i = 0; is_made && i < OBJECTS_COUNT; i++) {
        is_made = objects[i].format <= file->format || run(file->sqlite, objects[i].sql);
    }
    return is_made && run(file->sqlite, sql) ? STATUS_OK : file_failed(file, "write", error);
}
