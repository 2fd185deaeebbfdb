/* SPDX-License-Identifier: MIT */
/* For libFuzzer: what happens to the three files of a journal between a kill and the next start: bytes that
 * change, ends that are cut off, pages that are wiped, files that are gone. Where one file alone is hit it
 * opens with all that was kept, or it is refused with a sentence; where several are, it may have lost something,
 * but nothing is there that was not kept. What is refused is left as it was.
 *
 * Its files are in memory (fuzz_disk.h). It is slow still, some thousand in a second: SQLite reads the schema
 * and compiles the journal's statements each time. */
#include "fuzz_cursor.h"
#include "fuzz_disk.h"
#include "fuzz_sqlite.h"
#include "journal_rig.h"

#include <sqlite3.h>

#define FILES 3
#define STATEMENTS_MAX 64
#define SQL_CHEAP_BYTES 64
#define DAMAGES_MAX 8
#define PAGE_BYTES ((size_t) 4096)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[FILES] = {"journal.sqlite", "journal.sqlite-wal", "journal.mark"};

struct image {
    uint8_t data[FUZZ_FILE_BYTES_MAX];
    size_t size;
    bool is_gone;
};

static struct image sample[FILES];
static struct loaded kept;
static struct loaded ever; /* before anything had ended */
static struct image damaged[FILES];

/* ---- files ---- */

const char *test_directory(void)
{
    return FUZZ_DISK_DIRECTORY;
}

static void image_read(size_t which, struct image *image)
{
    const struct fuzz_file *file = fuzz_disk_find(names[which]);
    image->is_gone = file == NULL;
    image->size = 0;
    if (file != NULL) {
        memcpy(image->data, file->data, file->size);
        image->size = file->size;
    }
}

static void image_write(size_t which, const struct image *image)
{
    if (!image->is_gone) {
        struct fuzz_file *file = fuzz_disk_make(names[which]);
        memcpy(file->data, image->data, image->size);
        file->size = image->size;
    }
}

/* An empty log is no log: SQLite makes one when it looks. */
static bool is_same(const struct image *a, const struct image *b)
{
    return a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

/* ---- statements ---- */

/* A journal compiles thirty statements, and to start it takes a few. Their texts are constant and the schema that
 * they are compiled against was compared before, word by word: the others come to nothing new whatever the
 * damage is, and are compiled for some of the inputs only. Whoever ran one that is not there would be refused
 * as a misuse, and be seen. */
static struct {
    sqlite3_stmt *statement;
    bool is_needed; /* a start has run it */
} statements[STATEMENTS_MAX];
static size_t statements_count;
static bool are_all_compiled = true;

int __real_sqlite3_prepare_v3(sqlite3 *sqlite, const char *sql, int size, unsigned flags,
                              sqlite3_stmt **statement_out, const char **rest_out);
int __wrap_sqlite3_prepare_v3(sqlite3 *sqlite, const char *sql, int size, unsigned flags,
                              sqlite3_stmt **statement_out, const char **rest_out);
int __real_sqlite3_step(sqlite3_stmt *statement);
int __wrap_sqlite3_step(sqlite3_stmt *statement);

int __wrap_sqlite3_prepare_v3(sqlite3 *sqlite, const char *sql, int size, unsigned flags,
                              sqlite3_stmt **statement_out, const char **rest_out)
{
    const size_t number = statements_count++;
    CHECK_LT(number, STATEMENTS_MAX);
    *statement_out = NULL;
    if (!are_all_compiled && !statements[number].is_needed && strlen(sql) > SQL_CHEAP_BYTES) {
        return SQLITE_OK;
    }
    const int code = __real_sqlite3_prepare_v3(sqlite, sql, size, flags, statement_out, rest_out);
    statements[number].statement = *statement_out;
    return code;
}

int __wrap_sqlite3_step(sqlite3_stmt *statement)
{
    for (size_t i = 0; are_all_compiled && i < statements_count; i++) {
        statements[i].is_needed = statements[i].is_needed || statements[i].statement == statement;
    }
    return __real_sqlite3_step(statement);
}

/* Before a journal is opened. */
static void statements_begin(bool are_all)
{
    statements_count = 0;
    are_all_compiled = are_all;
}

/* ---- the sample ---- */

static void write_cancels(struct journal_file *file, uint64_t first)
{
    struct journal_record records[8];
    size_t count = 0;
    for (uint64_t i = first; i < first + 6; i++) {
        records[count++] = rig_cancel(i);
    }
    records[count++] = rig_arm(first);
    records[count++] = rig_bulk(first + 1, BULK_LABEL);
    CHECK(rig_keep(file, records, count));
}

static void write_ends(struct journal_file *file, uint64_t first)
{
    for (uint64_t i = first; i < first + 6; i += 2) {
        const struct journal_record record = rig_end(i, i % 4 == 0);
        CHECK(rig_keep(file, &record, 1));
    }
}

/* Some of it in the database, some in its log: as a daemon that is killed leaves it. */
static void sample_make(void)
{
    statements_begin(true);
    struct journal_file *file = rig_open(RIG_EPOCH);
    write_cancels(file, 10);
    write_cancels(file, 100);
    journal_file_close(file);
    statements_begin(true);
    file = rig_open(RIG_EPOCH + 1);
    ever = rig_load(file);
    write_ends(file, 10);
    write_ends(file, 100);
    write_cancels(file, 200);
    for (size_t i = 0; i < FILES; i++) {
        image_read(i, &sample[i]);
        CHECK_GT(sample[i].size, 0);
    }
    journal_file_close(file);
    fuzz_disk_clear();
    for (size_t i = 0; i < FILES; i++) {
        image_write(i, &sample[i]);
    }
    memset(statements, 0, sizeof statements);
    statements_begin(true);
    file = rig_open(RIG_EPOCH + 2);
    kept = rig_load(file);
    CHECK_GT(kept.count, 15);
    journal_file_close(file);
}

/* ---- damage ---- */

static size_t place_of(struct fuzz_cursor *cursor, const struct image *image)
{
    const size_t high = fuzz_byte(cursor);
    const size_t at = high << 8 | fuzz_byte(cursor);
    return image->size == 0 ? 0 : at % image->size;
}

static void damage(struct fuzz_cursor *cursor, struct image *image)
{
    const uint32_t how = fuzz_below(cursor, 5);
    const size_t at = place_of(cursor, image);
    const size_t left = image->size - at;
    if (image->size == 0) {
        return;
    }
    if (how == 0) {
        image->data[at] = (uint8_t) (image->data[at] ^ fuzz_byte(cursor));
    } else if (how == 1) {
        const struct bytes bytes = fuzz_bytes(cursor, 64);
        const size_t size = bytes.size < left ? bytes.size : left;
        if (size > 0) {
            memcpy(image->data + at, bytes.data, size);
        }
    } else if (how == 2) {
        image->size = at;
    } else if (how == 3) {
        memset(image->data + at, 0, left < PAGE_BYTES ? left : PAGE_BYTES);
    } else {
        image->is_gone = fuzz_bool(cursor);
        image->size = image->is_gone ? 0 : image->size;
    }
}

/* How many of the files differ from the sample. */
static size_t damage_all(struct fuzz_cursor *cursor)
{
    size_t hit = 0;
    fuzz_disk_clear();
    for (size_t i = 0; i < FILES; i++) {
        memcpy(damaged[i].data, sample[i].data, sample[i].size);
        damaged[i].size = sample[i].size;
        damaged[i].is_gone = false;
    }
    for (size_t i = 0; i < DAMAGES_MAX && cursor->left > 0; i++) {
        damage(cursor, &damaged[fuzz_below(cursor, FILES)]);
    }
    for (size_t i = 0; i < FILES; i++) {
        image_write(i, &damaged[i]);
        hit += is_same(&damaged[i], &sample[i]) ? 0 : 1;
    }
    return hit;
}

/* ---- what comes of it ---- */

static const uint8_t *packed_at(const struct loaded *loaded, size_t i)
{
    return loaded->packed + i * RECORD_PACK_BYTES_MAX;
}

static bool is_one_of(const struct loaded *loaded, size_t which, const struct loaded *known)
{
    uint8_t packed[RECORD_PACK_BYTES_MAX];
    const size_t size = record_pack(&loaded->records[which], packed);
    for (size_t i = 0; i < known->count; i++) {
        if (memcmp(packed, packed_at(known, i), size) == 0) { /* it says how long it is */
            return true;
        }
    }
    return false;
}

/* With several files hit the journal may be an older one, in which what has ended since is open still. */
static void check_loaded(const struct loaded *loaded, size_t hit)
{
    CHECK(hit > 1 || loaded->count == kept.count || damaged[0].is_gone);
    for (size_t i = 0; i < loaded->count; i++) {
        CHECK(is_one_of(loaded, i, &kept) || (hit > 1 && is_one_of(loaded, i, &ever)));
    }
}

static void check_left_alone(void)
{
    static struct image found;
    for (size_t i = 0; i < FILES; i++) {
        image_read(i, &found);
        CHECK(is_same(&found, &damaged[i]));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_cursor cursor = fuzz_cursor_of(data, size);
    const struct journal_file_options options = rig_file_options(RIG_EPOCH + 2);
    struct journal_file *file = NULL;
    static struct loaded loaded; /* its memory stays */
    char error[JOURNAL_ERROR_BYTES] = "";
    if (kept.records == NULL) {
        fuzz_sqlite_begin();
        fuzz_disk_begin();
        sample_make();
    }
    statements_begin(size % 16 == 0);
    loaded.count = 0;
    const size_t hit = damage_all(&cursor);
    enum status status = journal_file_open(&options, &file, error);
    if (status == STATUS_OK) {
        status = journal_file_load(file, loaded_take, &loaded, error);
    }
    if (status == STATUS_OK) {
        check_loaded(&loaded, hit);
    } else {
        CHECK_GT(strlen(error), 20);
        CHECK(hit > 0);
    }
    journal_file_close(file);
    if (status != STATUS_OK) {
        check_left_alone();
    }
    return 0;
}
