/* SPDX-License-Identifier: MIT */
/* For libFuzzer: what happens to the three files of a journal between a kill and the next start: bytes that
 * change, ends that are cut off, pages that are wiped, files that are gone. Where one file alone is hit it
 * opens with all that was kept, or it is refused with a sentence; where several are, it may have lost something,
 * but nothing is there that was not kept. What is refused is left as it was.
 *
 * It writes real files, so it is slow: a thousand in a second rather than a hundred thousand. */
#include "fuzz_cursor.h"
#include "fuzz_sqlite.h"
#include "journal_rig.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES 3
#define FILE_BYTES_MAX ((size_t) 1 << 19)
#define DAMAGES_MAX 8
#define PAGE_BYTES ((size_t) 4096)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[FILES] = {"journal.sqlite", "journal.sqlite-wal", "journal.mark"};

struct image {
    uint8_t data[FILE_BYTES_MAX];
    size_t size;
    bool is_gone;
};

static struct image sample[FILES];
static struct loaded kept;
static struct loaded ever; /* before anything had ended */
static struct image damaged[FILES];

/* ---- files ---- */

static char directory[] = "/dev/shm/canceld-fuzz-XXXXXX";
static char directory_elsewhere[] = "/tmp/canceld-fuzz-XXXXXX";
static const char *directory_made;

static void path_of(const char *name, char path[256])
{
    (void) snprintf(path, 256, "%s/%s", directory_made, name);
}

static void directory_remove(void)
{
    static const char *const others[] = {"journal.lock", "journal.sqlite-shm",
                                         "journal.sqlite-journal"};
    char path[256];
    for (size_t i = 0; i < FILES; i++) {
        path_of(names[i], path);
        (void) unlink(path);
        path_of(others[i], path);
        (void) unlink(path);
    }
    (void) rmdir(directory_made);
}

/* In memory where there is such a directory. */
const char *test_directory(void)
{
    if (directory_made == NULL) {
        directory_made = mkdtemp(directory);
        if (directory_made == NULL) {
            directory_made = mkdtemp(directory_elsewhere);
        }
        CHECK(directory_made != NULL);
        CHECK_EQ(atexit(directory_remove), 0);
    }
    return directory_made;
}

static void image_read(size_t which, struct image *image)
{
    char path[256];
    path_of(names[which], path);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    image->is_gone = fd < 0;
    image->size = 0;
    if (fd >= 0) {
        const ssize_t size = read(fd, image->data, FILE_BYTES_MAX);
        CHECK(size >= 0 && (size_t) size < FILE_BYTES_MAX);
        image->size = (size_t) size;
        (void) close(fd);
    }
}

static void image_write(size_t which, const struct image *image)
{
    char path[256];
    path_of(names[which], path);
    (void) unlink(path);
    if (!image->is_gone) {
        const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        CHECK(fd >= 0);
        CHECK_EQ(write(fd, image->data, image->size), image->size);
        (void) close(fd);
    }
}

/* An empty log is no log: SQLite makes one when it looks. */
static bool is_same(const struct image *a, const struct image *b)
{
    return a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
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
    struct journal_file *file = rig_open(RIG_EPOCH);
    write_cancels(file, 10);
    write_cancels(file, 100);
    journal_file_close(file);
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
    for (size_t i = 0; i < FILES; i++) {
        image_write(i, &sample[i]);
    }
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

static bool is_one_of(const struct journal_record *record, const struct loaded *known)
{
    uint8_t packed[2][RECORD_PACK_BYTES_MAX];
    const size_t size = record_pack(record, packed[0]);
    for (size_t i = 0; i < known->count; i++) {
        if (record_pack(&known->records[i], packed[1]) == size &&
            memcmp(packed[0], packed[1], size) == 0) {
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
        const struct journal_record *record = &loaded->records[i];
        CHECK(is_one_of(record, &kept) || (hit > 1 && is_one_of(record, &ever)));
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
    struct loaded loaded = {0};
    char error[JOURNAL_ERROR_BYTES] = "";
    if (kept.records == NULL) {
        fuzz_sqlite_begin();
        sample_make();
    }
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
    loaded_free(&loaded);
    journal_file_close(file);
    if (status != STATUS_OK) {
        check_left_alone();
    }
    return 0;
}
