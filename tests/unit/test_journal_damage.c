/* SPDX-License-Identifier: MIT */
/* A journal that was cut, or in which bits flipped: it opens with all that was kept, or it is
 * refused with a sentence and left as it is. Never less, never more, never a crash. */
#include "journal_rig.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILES 3
static const char *const names[FILES] = {"journal.sqlite", "journal.sqlite-wal", "journal.mark"};

struct image {
    uint8_t *data;
    size_t size;
};

/* A journal as a kill left it: what is in its files, in it, and in its history. */
struct sample {
    struct image files[FILES];
    struct loaded loaded;
    uint64_t history_digest;
    size_t history_count;
};

struct counts {
    uint64_t tried;
    uint64_t refused;
    uint64_t whole;
    uint64_t history_refused; /* opened, and a page of the history was not */
};

/* ---- files ---- */

static void path_of(size_t which, char path[256])
{
    (void) snprintf(path, 256, "%s/%s", test_directory(), names[which]);
}

static struct image image_read(size_t which)
{
    char path[256];
    struct stat found;
    path_of(which, path);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    CHECK_EQ(fstat(fd, &found), 0);
    struct image image = {.data = malloc((size_t) found.st_size + 1),
                          .size = (size_t) found.st_size};
    CHECK_EQ(read(fd, image.data, image.size), image.size);
    (void) close(fd);
    return image;
}

static void image_write(size_t which, const uint8_t *data, size_t size)
{
    char path[256];
    path_of(which, path);
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, data, size), size);
    (void) close(fd);
}

static bool image_is_as_written(size_t which, const uint8_t *data, size_t size)
{
    struct image found = image_read(which);
    const bool is_same = found.size == size && memcmp(found.data, data, size) == 0;
    free(found.data);
    return is_same;
}

/* ---- the sample ---- */

static uint64_t mix(uint64_t digest, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size; i++) {
        digest = (digest ^ bytes[i]) * UINT64_C(0x100000001b3);
    }
    return digest;
}

/* Every entry that can be read, as one number; false where a page cannot. */
static bool history_digest(struct journal_file *file, const char *space, uint64_t *digest,
                           size_t *count)
{
    static struct history_entry entries[HISTORY_ITEMS_MAX];
    static uint8_t texts[FRAME_BYTES_MAX];
    struct history_page page = {.entries = entries, .texts = texts};
    struct history_query query = {
        .space = bytes_of_string(space), .items_max = HISTORY_ITEMS_MAX, .bytes_max = sizeof texts};
    do {
        if (!journal_file_history(file, &query, &page)) {
            return false;
        }
        for (size_t i = 0; i < page.entries_count; i++) {
            const struct history_entry *entry = &entries[i];
            *digest = mix(*digest, entry->key.data, entry->key.size);
            *digest = mix(*digest, entry->cause.text.data, entry->cause.text.size);
            *digest = mix(*digest, &entry->gen, sizeof entry->gen);
            *digest = mix(*digest, &entry->outcome, sizeof entry->outcome);
            *digest = mix(*digest, &entry->at_unix_ms, sizeof entry->at_unix_ms);
        }
        *count += page.entries_count;
        query.cursor = page.next_cursor;
    } while (query.cursor != 0);
    return true;
}

static void write_records(struct journal_file *file, uint64_t first, uint64_t count)
{
    struct journal_record records[24];
    for (uint64_t i = first; i < first + count; i += 10) {
        size_t n = 0;
        for (uint64_t j = i; j < i + 10; j++) {
            records[n++] = rig_cancel(j);
            if (j % 2 == 0) {
                records[n++] = rig_end(j, true);
            }
        }
        records[n++] = rig_arm(i);
        records[n++] = rig_bulk(i + 1, (enum bulk_scope)(i / 10 % BULK_SCOPE_END));
        CHECK(rig_keep(file, records, n));
    }
}

/* Some of it in the database, `in_log` more in the log, as a daemon that is killed leaves it. */
static void sample_make(struct sample *sample, uint64_t in_log)
{
    const pid_t child = fork();
    if (child == 0) {
        static struct journal_file *file; /* static: what is killed is not to have lost it */
        file = rig_open(RIG_EPOCH);
        write_records(file, 10, 300);
        journal_file_close(file);
        file = rig_open(RIG_EPOCH + 1);
        write_records(file, 1000, in_log);
        (void) kill(getpid(), SIGKILL);
    }
    CHECK_EQ(waitpid(child, NULL, 0), child);
    for (size_t i = 0; i < FILES; i++) {
        sample->files[i] = image_read(i);
        (void) printf("  %s: %zu bytes\n", names[i], sample->files[i].size);
        CHECK_GT(sample->files[i].size, 0);
    }
    struct journal_file *file = rig_open(RIG_EPOCH + 2);
    sample->loaded = rig_load(file);
    CHECK_EQ(sample->loaded.count, (300 + in_log) * 12 / 10); /* half of the cancels by_owner */
    sample->history_digest = 0;
    sample->history_count = 0;
    CHECK(history_digest(file, "default", &sample->history_digest, &sample->history_count));
    CHECK(history_digest(file, "other", &sample->history_digest, &sample->history_count));
    journal_file_close(file);
}

static void sample_free(struct sample *sample)
{
    for (size_t i = 0; i < FILES; i++) {
        free(sample->files[i].data);
    }
    loaded_free(&sample->loaded);
}

/* ---- trials ---- */

static void check_whole(const struct sample *sample, const struct loaded *loaded)
{
    CHECK_EQ(loaded->count, sample->loaded.count);
    for (size_t i = 0; i < loaded->count; i++) {
        check_records_equal(&loaded->records[i], &sample->loaded.records[i]);
    }
}

static void check_history(const struct sample *sample, struct journal_file *file,
                          struct counts *counts)
{
    uint64_t digest = 0;
    size_t count = 0;
    if (!history_digest(file, "default", &digest, &count) ||
        !history_digest(file, "other", &digest, &count)) {
        counts->history_refused++;
        return;
    }
    CHECK_EQ(count, sample->history_count);
    CHECK_EQ(digest, sample->history_digest);
}

/* The sample with one file replaced. */
static void try_sample(const struct sample *sample, size_t which, const uint8_t *data, size_t size,
                       struct counts *counts)
{
    const struct journal_file_options options = rig_file_options(RIG_EPOCH + 2);
    struct journal_file *file = NULL;
    struct loaded loaded = {0};
    char error[JOURNAL_ERROR_BYTES] = "";
    for (size_t i = 0; i < FILES; i++) {
        image_write(i, i == which ? data : sample->files[i].data,
                    i == which ? size : sample->files[i].size);
    }
    counts->tried++;
    enum status status = journal_file_open(&options, &file, error);
    if (status == STATUS_OK) {
        status = journal_file_load(file, loaded_take, &loaded, error);
    }
    if (status == STATUS_OK) {
        check_whole(sample, &loaded);
        check_history(sample, file, counts);
        counts->whole++;
    } else {
        CHECK_GT(strlen(error), 20);
        CHECK(status == STATUS_INVALID || status == STATUS_SYSTEM);
        counts->refused++;
    }
    loaded_free(&loaded);
    journal_file_close(file);
    for (size_t i = 0; i < FILES && status != STATUS_OK; i++) { /* all is left as it was */
        CHECK(i == which ? image_is_as_written(i, data, size)
                         : image_is_as_written(i, sample->files[i].data, sample->files[i].size));
    }
}

static void print_counts(const char *what, size_t which, const struct counts *counts)
{
    (void) printf("  %s %s: %llu tried, %llu refused, %llu whole (%llu with a refused history), 0 "
                  "lost, 0 invented\n",
                  names[which], what, (unsigned long long) counts->tried,
                  (unsigned long long) counts->refused, (unsigned long long) counts->whole,
                  (unsigned long long) counts->history_refused);
}

#define CUTS 100
#define FLIPS 120

static void cut(size_t which)
{
    struct sample sample;
    struct counts counts = {0};
    uint64_t seed = test_seed();
    sample_make(&sample, which == 0 ? 10 : 100);
    const struct image *image = &sample.files[which];
    for (uint64_t i = 0; i < rig_rounds(CUTS); i++) {
        /* The first bytes one by one, then the ends of pages and frames, then anywhere. */
        const size_t anywhere = (size_t) (test_random(&seed) % image->size);
        const size_t at = i < 15 ? (size_t) i : i < 50 ? anywhere & ~(size_t) 4095 : anywhere;
        try_sample(&sample, which, image->data, at % image->size, &counts);
    }
    try_sample(&sample, which, image->data, image->size - 1, &counts);
    print_counts("cut", which, &counts);
    CHECK_GT(counts.refused, counts.tried / 2);
    sample_free(&sample);
}

static void flip(size_t which)
{
    struct sample sample;
    struct counts counts = {0};
    uint64_t seed = test_seed();
    sample_make(&sample, which == 0 ? 10 : 100);
    struct image *image = &sample.files[which];
    uint8_t *copy = malloc(image->size);
    for (uint64_t i = 0; i < rig_rounds(FLIPS); i++) {
        const size_t at = i % 4 == 0 ? (size_t) (i / 4) % image->size
                                     : (size_t) (test_random(&seed) % image->size);
        memcpy(copy, image->data, image->size);
        copy[at] = (uint8_t) (copy[at] ^ 1U << test_random(&seed) % 8);
        try_sample(&sample, which, copy, image->size, &counts);
    }
    print_counts("with a flipped bit", which, &counts);
    CHECK_GT(counts.refused, counts.tried / 8);
    free(copy);
    sample_free(&sample);
}

static void cut_database(void)
{
    cut(0);
}

static void cut_log(void)
{
    cut(1);
}

static void cut_mark(void)
{
    cut(2);
}

static void flip_database(void)
{
    flip(0);
}

static void flip_log(void)
{
    flip(1);
}

static void flip_mark(void)
{
    flip(2);
}

/* What the sentences tell an operator to do works. */
static void way_out(void)
{
    char path[256];
    struct sample sample;
    sample_make(&sample, 100);
    for (size_t i = 0; i < FILES; i++) {
        image_write(i, sample.files[i].data,
                    i == 1 ? sample.files[i].size / 2 : sample.files[i].size);
    }
    CHECK_EQ(rig_refusal(RIG_EPOCH + 2, "holds less than was kept"), STATUS_INVALID);
    path_of(2, path);
    CHECK_EQ(unlink(path), 0);
    struct journal_file *file = rig_open(RIG_EPOCH + 2); /* with what is there */
    struct loaded loaded = rig_load(file);
    CHECK_GT(loaded.count, 0);
    CHECK_LT(loaded.count, sample.loaded.count);
    loaded_free(&loaded);
    journal_file_close(file);
    path_of(0, path);
    CHECK_EQ(unlink(path), 0);
    CHECK_EQ(rig_refusal(RIG_EPOCH + 3, "is missing"), STATUS_INVALID);
    path_of(2, path);
    CHECK_EQ(unlink(path), 0);
    file = rig_open(RIG_EPOCH + 3); /* without */
    loaded = rig_load(file);
    CHECK_EQ(loaded.count, 0);
    loaded_free(&loaded);
    journal_file_close(file);
    sample_free(&sample);
}

static const struct test_case cases[] = {
    {"the database cut anywhere is refused, or whole", cut_database},
    {"the log cut anywhere is refused", cut_log},
    {"the mark cut anywhere is refused", cut_mark},
    {"a flipped bit in the database is refused, or touches nothing that is unsettled",
     flip_database},
    {"a flipped bit in the log is refused", flip_log},
    {"a flipped bit in the mark is refused", flip_mark},
    {"what a refusal tells to do works", way_out},
};
TEST_MAIN(cases)
