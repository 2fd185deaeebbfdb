/* SPDX-License-Identifier: MIT */
/* A start reads what is unsettled, and damage elsewhere is found while the journal is in use: by whoever reads the
 * page, or by journal_file_check(). Then nothing is kept any more. */
#include "journal_rig.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE_BYTES 4096
#define SETTLED 15000 /* far more than the pages that each start looks at */
#define UNSETTLED 20
#define TRIED 60 /* pages */

static void write_records(struct journal_file *file, uint64_t first, uint64_t count, bool are_ended)
{
    for (uint64_t i = first; i < first + count; i += 5) {
        struct journal_record records[10];
        size_t n = 0;
        for (uint64_t j = i; j < i + 5; j++) {
            records[n++] = rig_cancel(j);
            if (are_ended) {
                records[n++] = rig_end(j, true);
            }
        }
        CHECK(rig_keep(file, records, n));
    }
}

/* What is long settled, and beside it what is not; all of it in the database. */
static void make(void)
{
    struct journal_file *file = rig_open(RIG_EPOCH);
    write_records(file, 1, SETTLED, true);
    rig_pass_ms(JOURNAL_REPEAT_MS + 1000);
    while (journal_file_tidy(file)) {
    }
    write_records(file, SETTLED + 1, UNSETTLED, false);
    journal_file_close(file);
}

static int database_open(void)
{
    char path[256];
    (void) snprintf(path, sizeof path, "%s/journal.sqlite", test_directory());
    const int fd = open(path, O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0);
    return fd;
}

static size_t pages_count(void)
{
    struct stat found;
    const int fd = database_open();
    CHECK_EQ(fstat(fd, &found), 0);
    (void) close(fd);
    return (size_t) found.st_size / PAGE_BYTES;
}

static void flip(size_t page, size_t at)
{
    uint8_t byte;
    const int fd = database_open();
    const off_t offset = (off_t) (page * PAGE_BYTES + at);
    CHECK_EQ(pread(fd, &byte, 1, offset), 1);
    byte ^= 1;
    CHECK_EQ(pwrite(fd, &byte, 1, offset), 1);
    (void) close(fd);
}

static void check_all(struct journal_file *file)
{
    while (journal_file_check(file) == JOURNAL_CHECK_STEP_MS) {
    }
}

/* Opens and loads it; NULL where it is refused. */
static struct journal_file *start(void)
{
    const struct journal_file_options options = rig_file_options(RIG_EPOCH + 1);
    struct journal_file *file = NULL;
    struct loaded loaded = {0};
    char error[JOURNAL_ERROR_BYTES] = "";
    enum status status = journal_file_open(&options, &file, error);
    if (status == STATUS_OK) {
        status = journal_file_load(file, loaded_take, &loaded, error);
    }
    if (status != STATUS_OK) {
        CHECK_EQ(status, STATUS_INVALID);
        journal_file_close(file);
        file = NULL;
    } else {
        CHECK_EQ(loaded.count, UNSETTLED);
    }
    loaded_free(&loaded);
    return file;
}

static size_t entries_of(struct journal_file *file, const char *space)
{
    size_t count = 0;
    uint64_t cursor = 0;
    do {
        const struct history_page page = rig_history(file, space, NULL, cursor, HISTORY_ITEMS_MAX);
        count += page.entries_count;
        cursor = page.next_cursor;
    } while (cursor != 0);
    return count;
}

/* How it went with one damaged page. */
struct tally {
    size_t refused; /* at the start */
    size_t found;   /* later */
    size_t unused;  /* a free page: the file is sound */
};

static void try_damage(struct tally *tally)
{
    const struct journal_record record = rig_cancel(99999);
    struct journal_file *file = start();
    if (file == NULL) {
        tally->refused++;
        return;
    }
    CHECK(!journal_file_is_damaged(file));
    check_all(file);
    if (journal_file_is_damaged(file)) {
        CHECK(!rig_keep(file, &record, 1));
        CHECK(strstr(journal_file_error(file), "malformed") != NULL);
        check_all(file);
        tally->found++;
    } else {
        CHECK_EQ(entries_of(file, "default") + entries_of(file, "other"), SETTLED + UNSETTLED);
        tally->unused++;
    }
    journal_file_close(file);
}

/* A bit of each page's first byte, which says what it is. */
static void damaged_page_is_found(void)
{
    const struct journal_record record = rig_cancel(99999);
    struct tally tally = {0};
    uint64_t seed = test_seed();
    make();
    const size_t pages = pages_count();
    CHECK_GT(pages, 2 * JOURNAL_CHECK_START_PAGES);
    for (size_t i = 0; i < rig_rounds(TRIED); i++) {
        const size_t page = 1 + (size_t) (test_random(&seed) % (pages - 1));
        flip(page, 0);
        try_damage(&tally);
        flip(page, 0);
    }
    (void) printf("  the start refused %zu, %zu were found later, %zu are free\n", tally.refused,
                  tally.found, tally.unused);
    CHECK_GT(tally.refused, 0);
    CHECK_GT(tally.found, 0);
    CHECK_LT(tally.unused, rig_rounds(TRIED) / 2);
    struct journal_file *file = start();
    check_all(file);
    CHECK(!journal_file_is_damaged(file));
    CHECK(rig_keep(file, &record, 1));
    journal_file_close(file);
}

/* A page of the history is asked for before anybody has looked at it. */
static void reader_finds_it(void)
{
    static struct history_entry entries[HISTORY_ITEMS_MAX];
    static uint8_t texts[FRAME_BYTES_MAX];
    struct history_page page = {.entries = entries, .texts = texts};
    const struct history_query query = {.space = bytes_of_string("default"),
                                        .items_max = HISTORY_ITEMS_MAX,
                                        .bytes_max = sizeof texts};
    size_t refused = 0;
    make();
    /* The newest entries are behind what each start looks at; so are most pages of the indexes. */
    for (size_t i = pages_count() - TRIED / 2; i < pages_count(); i++) {
        flip(i, 0);
        struct journal_file *file = start();
        if (file != NULL && !journal_file_history(file, &query, &page)) {
            CHECK(journal_file_is_damaged(file));
            refused++;
        }
        journal_file_close(file);
        flip(i, 0);
    }
    CHECK_GT(refused, 2);
}

/* `sqlite3` does so with what a kill left in the log. */
static void other_programs_may_write(void)
{
    const struct journal_record record = rig_cancel(99999);
    make();
    rig_sql("UPDATE entry SET at_unix_ms = at_unix_ms + 1; UPDATE entry SET at_unix_ms = "
            "at_unix_ms - 1");
    for (uint64_t i = 0; i < 2; i++) {
        struct journal_file *file = start(); /* it was all read before it was believed */
        CHECK(file != NULL);
        check_all(file);
        CHECK(!journal_file_is_damaged(file));
        CHECK_EQ(rig_history(file, "default", NULL, 0, 1000).entries_count > 0, true);
        journal_file_close(file);
    }
    rig_sql(
        "UPDATE entry SET gen = gen WHERE id = 1"); /* one page, and nobody reads it at the start */
    struct journal_file *file = start();
    check_all(file);
    CHECK(!journal_file_is_damaged(file));
    CHECK(rig_keep(file, &record, 1));
    journal_file_close(file);
}

static const struct test_case cases[] = {
    {"a damaged page is found at the start or while the journal is in use, and then nothing is "
     "kept",
     damaged_page_is_found},
    {"a damaged page of the history is no page of the history", reader_finds_it},
    {"what another program wrote is sound after a look at all of it", other_programs_may_write},
};
TEST_MAIN(cases)
