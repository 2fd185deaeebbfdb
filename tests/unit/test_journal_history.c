/* SPDX-License-Identifier: MIT */
/* The audit trail: what it tells, page by page, and how it is kept from growing without end. */
#include "journal_rig.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- history ---- */

static void history_tells_all(void)
{
    struct journal_record arm = rig_arm(1);
    struct journal_record used = rig_arm(1);
    used.kind = JOURNAL_ARM_USED;
    used.gen = RIG_GEN(50);
    const struct journal_record records[] = {rig_cancel(1),
                                             rig_end(1, true),
                                             rig_bulk(1, BULK_LABEL),
                                             {.kind = JOURNAL_BULK_DONE, .bulk = 1, .requested = 9},
                                             rig_bulk(3, BULK_KEY), /* a shadow: no entry */
                                             arm,
                                             used,
                                             rig_bulk(2, BULK_DAEMON),
                                             rig_cancel(3)};
    struct journal_file *file = rig_open(RIG_EPOCH);
    CHECK(rig_keep(file, records, COUNT(records)));
    const struct history_page page = rig_history(file, "default", NULL, 0, 100);
    CHECK_EQ(page.entries_count, 5);
    CHECK_EQ(page.next_cursor, 0);
    const struct history_entry *entries = page.entries;
    CHECK_EQ(entries[0].kind, HISTORY_BULK); /* the daemon's stands in every namespace's */
    CHECK_EQ(entries[0].space.size, 0);
    CHECK_EQ(entries[1].kind, HISTORY_CANCEL);
    CHECK_EQ(entries[1].gen, RIG_GEN(50));
    CHECK_EQ(entries[1].outcome, OUTCOME_UNSET);
    CHECK_EQ(entries[2].kind, HISTORY_ARM);
    CHECK_EQ(entries[2].gen, RIG_GEN(50));
    CHECK(bytes_equal(entries[2].key, arm.key));
    CHECK_EQ(entries[3].kind, HISTORY_BULK);
    CHECK_EQ(entries[3].requested, 9);
    CHECK_EQ(entries[3].gen, records[2].fence);
    CHECK(bytes_equal(entries[3].label, records[2].label));
    CHECK_EQ(entries[4].kind, HISTORY_CANCEL);
    CHECK_EQ(entries[4].outcome, OUTCOME_CANCELLED);
    CHECK(entries[4].by_owner && entries[4].delivered);
    CHECK_EQ(entries[4].delivered_after_ms, 3);
    CHECK_EQ(entries[4].ended_after_ms, 17);
    CHECK_EQ(entries[4].at_unix_ms, rig_wall_ms());
    CHECK(bytes_equal(entries[4].space, records[0].space));
    CHECK(bytes_equal(entries[4].key, records[0].key));
    CHECK(bytes_equal(entries[4].cause.text, records[0].cause.text));
    CHECK(bytes_equal(entries[4].cause.actor, records[0].cause.actor));
    CHECK(bytes_equal(entries[4].cause.peer, records[0].cause.peer));
    CHECK_EQ(entries[4].cause.code, CAUSE_USER);
    journal_file_close(file);
}

static void history_by_pages(void)
{
    struct journal_file *file = rig_open(RIG_EPOCH);
    for (uint64_t i = 0; i < 100; i++) {
        const struct journal_record record = rig_cancel(i * 4 + 1);
        CHECK(rig_keep(file, &record, 1));
    }
    uint64_t cursor = 0;
    uint64_t expected = 100;
    uint64_t added = 500;
    do {
        const struct history_page page = rig_history(file, "default", NULL, cursor, 7);
        for (size_t i = 0; i < page.entries_count; i++) {
            CHECK_EQ(page.entries[i].gen, RIG_GEN(--expected * 4 + 1));
        }
        cursor = page.next_cursor;
        const struct journal_record more = rig_cancel(4 * added++);
        CHECK(rig_keep(file, &more, 1)); /* moves no cursor */
    } while (cursor != 0);
    CHECK_EQ(expected, 0);
    journal_file_close(file);
}

static void history_of_a_key(void)
{
    struct journal_file *file = rig_open(RIG_EPOCH);
    for (uint64_t i = 0; i < 400; i++) {
        const struct journal_record record = rig_cancel(i);
        CHECK(rig_keep(file, &record, 1));
    }
    struct history_page page = rig_history(file, "default", "key-5", 0, 3);
    CHECK_EQ(page.entries_count, 3);
    CHECK_EQ(page.entries[0].gen, RIG_GEN(305));
    CHECK_EQ(page.entries[2].gen, RIG_GEN(105));
    CHECK_NE(page.next_cursor, 0);
    page = rig_history(file, "default", "key-5", page.next_cursor, 3);
    CHECK_EQ(page.entries_count, 1);
    CHECK_EQ(page.entries[0].gen, RIG_GEN(5));
    CHECK_EQ(page.next_cursor, 0);
    page = rig_history(file, "default", "key-3", 0, 3);
    CHECK_EQ(page.entries_count, 0);
    page = rig_history(file, "other", "key-3", 0, 10);
    CHECK_EQ(page.entries_count, 4);
    journal_file_close(file);
}

static void history_fits_its_room(void)
{
    struct history_entry entries[50];
    uint8_t texts[2048];
    struct history_page page = {.entries = entries, .texts = texts};
    struct history_query query = {
        .space = bytes_of_string("default"), .items_max = 50, .bytes_max = sizeof texts};
    struct journal_file *file = rig_open(RIG_EPOCH);
    size_t seen = 0;
    for (uint64_t i = 0; i < 40; i++) {
        const struct journal_record record = rig_cancel(i * 4);
        CHECK(rig_keep(file, &record, 1));
    }
    do {
        CHECK(journal_file_history(file, &query, &page));
        CHECK_GT(page.entries_count, 0);
        CHECK_LE(page.entries_count * 128, sizeof texts);
        seen += page.entries_count;
        query.cursor = page.next_cursor;
    } while (query.cursor != 0);
    CHECK_EQ(seen, 40);
    query.bytes_max = 100; /* not even one */
    CHECK(!journal_file_history(file, &query, &page));
    journal_file_close(file);
}

static void tidy_all(struct journal_file *file)
{
    while (journal_file_tidy(file)) {
    }
}

static void history_never_invents(void)
{
    struct history_entry entries[2];
    uint8_t texts[2048];
    struct history_page page = {.entries = entries, .texts = texts};
    const struct history_query query = {
        .space = bytes_of_string("default"), .items_max = 2, .bytes_max = sizeof texts};
    const struct journal_record records[] = {rig_cancel(1), rig_end(1, true)};
    struct journal_file *file = rig_open(RIG_EPOCH);
    CHECK(rig_keep(file, records, COUNT(records)));
    rig_pass_ms(JOURNAL_REPEAT_MS + 1000);
    tidy_all(file); /* so that no start looks at it */
    journal_file_close(file);
    rig_sql("UPDATE entry SET outcome = 1");
    file = rig_open(RIG_EPOCH);
    CHECK(!journal_file_history(file, &query, &page));
    journal_file_close(file);
}

/* ---- retention ---- */

static struct journal_file *open_bounded(uint64_t epoch, uint64_t age_ms, uint64_t bytes)
{
    struct journal_file_options options = rig_file_options(epoch);
    struct journal_file *file = NULL;
    char error[JOURNAL_ERROR_BYTES];
    options.history_age_ms = age_ms;
    options.history_bytes = bytes;
    CHECK_EQ(journal_file_open(&options, &file, error), STATUS_OK);
    CHECK_EQ(journal_file_load(file, rig_take, NULL, error), STATUS_OK);
    return file;
}

static size_t history_count(struct journal_file *file, const char *space)
{
    size_t count = 0;
    uint64_t cursor = 0;
    do {
        const struct history_page page = rig_history(file, space, NULL, cursor, 1000);
        count += page.entries_count;
        cursor = page.next_cursor;
    } while (cursor != 0);
    return count;
}

static void old_entries_go(void)
{
    struct journal_figures figures;
    struct journal_file *file = open_bounded(RIG_EPOCH, 60000, 0);
    for (uint64_t i = 0; i < 1000; i++) {
        const struct journal_record records[] = {rig_cancel(i), rig_end(i, i % 10 != 0)};
        CHECK(rig_keep(file, records, i == 999 ? 1 : 2));
        rig_pass_ms(100);
    }
    tidy_all(file); /* 400 of the oldest are 60 s old, and 40 of them may still be asked for */
    CHECK_EQ(rig_history(file, "default", NULL, 0, 1).entries[0].gen, RIG_GEN(998));
    const size_t left = history_count(file, "default") + history_count(file, "other");
    CHECK_GE(left, 638);
    CHECK_LE(left, 642);
    journal_file_figures(file, &figures);
    CHECK_EQ(figures.expired_unsettled, 0);
    journal_file_close(file);

    /* While nothing is open nothing grows old: the last one stays, unsettled. */
    file = open_bounded(RIG_EPOCH + 1, 60000, 0);
    rig_pass_ms(59000);
    tidy_all(file);
    struct loaded loaded = rig_load(file);
    CHECK(loaded_find(&loaded, RIG_GEN(999)) != NULL);
    loaded_free(&loaded);
    rig_pass_ms(JOURNAL_LOST_MS);
    tidy_all(file);
    tidy_all(file); /* what came to its end in the first pass is removed in the second */
    loaded = rig_load(file);
    CHECK_EQ(loaded.count, 0);
    loaded_free(&loaded);
    CHECK_EQ(rig_history(file, "default", NULL, 0, 10).entries_count, 0);
    journal_file_figures(file, &figures);
    CHECK_EQ(figures.expired_unsettled, 1);
    journal_file_close(file);
    file = open_bounded(RIG_EPOCH + 2, 60000, 0);
    journal_file_figures(file, &figures);
    CHECK_EQ(figures.expired_unsettled, 1);
    const struct journal_record next = rig_cancel(4);
    CHECK(rig_keep(file, &next, 1));
    journal_file_close(file);
}

/* However small the bounds: for a day somebody may come back to it. */
static void bounds_spare_the_unsettled_for_a_day(void)
{
    const struct journal_record records[] = {rig_cancel(1), rig_cancel(2), rig_bulk(1, BULK_SPACE),
                                             rig_arm(1)};
    const struct journal_record lost = rig_end(2, false);
    struct journal_figures figures;
    struct journal_file *file = open_bounded(RIG_EPOCH, 1000, 4096);
    CHECK(rig_keep(file, records, COUNT(records)));
    rig_pass_ms(JOURNAL_LOST_MS - 60000);
    tidy_all(file);
    CHECK(rig_keep(file, &lost, 1)); /* its day begins now */
    journal_file_close(file);
    file = open_bounded(RIG_EPOCH + 1, 1000, 4096);
    tidy_all(file);
    struct loaded loaded = rig_load(file);
    CHECK_EQ(loaded.count, COUNT(records));
    loaded_free(&loaded);

    rig_pass_ms(120000); /* the cancel's day and the arm's are over, those of the others are not */
    tidy_all(file);
    loaded = rig_load(file);
    CHECK_EQ(loaded.count, 2);
    CHECK_EQ(loaded.records[0].kind, JOURNAL_BULK);
    CHECK_EQ(loaded.records[1].gen, RIG_GEN(2));
    loaded_free(&loaded);
    journal_file_figures(file, &figures);
    CHECK_EQ(figures.expired_unsettled, 2);
    journal_file_close(file);
}

#define SIZE_BOUND ((uint64_t) 2 * 1024 * 1024)

static void big_file_shrinks(void)
{
    struct journal_figures figures;
    struct journal_file *file = open_bounded(RIG_EPOCH, 0, SIZE_BOUND);
    /* As many under a sanitizer too: they have to reach the bound. */
    const uint64_t rounds = rig_rounds(TEST_SANITIZED ? 800 : 200);
    struct journal_record records[256];
    uint64_t n = 0;
    uint64_t most = 0;
    for (uint64_t i = 0; i < rounds; i++) {
        for (size_t j = 0; j < COUNT(records); j += 2) {
            records[j] = rig_cancel(n);
            /* One in 64 is never settled. */
            records[j + 1] = rig_end(n % 64 == 0 ? UINT64_C(1) << 30 : n, true);
            n++;
        }
        CHECK(rig_keep(file, records, COUNT(records)));
        rig_pass_ms(JOURNAL_REPEAT_MS / 4); /* the owners of the last four batches may come back */
        (void) journal_file_tidy(file);
        journal_file_figures(file, &figures);
        most = figures.file_bytes > most ? figures.file_bytes : most;
    }
    tidy_all(file);
    journal_file_figures(file, &figures);
    (void) printf("  %llu records, at most %llu bytes, %llu in the end\n",
                  (unsigned long long) (n * 2), (unsigned long long) most,
                  (unsigned long long) figures.file_bytes);
    CHECK_GE(most, SIZE_BOUND * 9 / 10);
    CHECK_LE(most, SIZE_BOUND * 5 / 4);
    CHECK_LE(figures.file_bytes, SIZE_BOUND + 300 * 4096);
    journal_file_close(file);
    file = rig_open(RIG_EPOCH + 1);
    rig_pass_ms(JOURNAL_REPEAT_MS + 1000);
    struct loaded loaded = rig_load(file);
    CHECK_EQ(loaded.count, (n + 63) / 64); /* whatever the size */
    loaded_free(&loaded);
    journal_file_close(file);
}

/* What is unsettled stays even where it alone is too much. */
static void size_spares_the_unsettled(void)
{
    struct journal_file *file = open_bounded(RIG_EPOCH, 0, 65536);
    for (uint64_t i = 0; i < 2000; i++) {
        const struct journal_record record = rig_cancel(i);
        CHECK(rig_keep(file, &record, 1));
        (void) journal_file_tidy(file);
    }
    tidy_all(file);
    journal_file_close(file);
    file = rig_open(RIG_EPOCH + 1);
    struct loaded loaded = rig_load(file);
    CHECK_EQ(loaded.count, 2000);
    loaded_free(&loaded);
    journal_file_close(file);
}

/* ---- how long a start takes ---- */

static void start_takes(void)
{
    struct journal_figures figures;
    struct journal_record records[16];
    struct journal_file *file = rig_open(RIG_EPOCH);
    const uint64_t count = rig_rounds(20000);
    for (uint64_t n = 0; n < count; n += COUNT(records) / 2) {
        for (uint64_t i = 0; i < COUNT(records) / 2; i++) {
            records[2 * i] = rig_cancel(n + i);
            records[2 * i + 1] = rig_end(n + i % 4, true);
        }
        CHECK(rig_keep(file, records, COUNT(records)));
        (void) journal_file_tidy(file);
    }
    journal_file_close(file);
    const uint64_t since_ms = test_now_ms();
    file = rig_open(RIG_EPOCH + 1);
    const uint64_t opened_ms = test_now_ms();
    struct loaded loaded = rig_load(file);
    const uint64_t loaded_ms = test_now_ms();
    journal_file_figures(file, &figures);
    (void) printf(
        "  %llu entries in %llu MiB: opened and checked in %llu ms, %zu loaded in %llu ms\n",
        (unsigned long long) count, (unsigned long long) (figures.file_bytes / 1048576),
        (unsigned long long) (opened_ms - since_ms), loaded.count,
        (unsigned long long) (loaded_ms - opened_ms));
    loaded_free(&loaded);
    journal_file_close(file);
}

static const struct test_case cases[] = {
    {"the history tells who, what, why and how it ended", history_tells_all},
    {"pages of the history fit together while entries are added", history_by_pages},
    {"the history of a key", history_of_a_key},
    {"a page of the history fits into its room", history_fits_its_room},
    {"the history does not tell what was not written", history_never_invents},
    {"entries that are too old go, by the journal's own age", old_entries_go},
    {"what is unsettled stays for a day, whatever the bounds",
     bounds_spare_the_unsettled_for_a_day},
    {"a file that is too big loses its oldest entries and shrinks", big_file_shrinks},
    {"no size bound removes what is unsettled", size_spares_the_unsettled},
    {"how long a start takes (printed, not asserted)", start_takes},
};
TEST_MAIN(cases)
