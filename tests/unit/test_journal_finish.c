/* SPDX-License-Identifier: MIT */
/* The journal's file: cancels that their owners ended, who may end them again in the next run; and the
 * format that came with them. */
#include "journal_rig.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void tidy_all(struct journal_file *file)
{
    while (journal_file_tidy(file)) {
    }
}

static struct journal_record finished(uint64_t n)
{
    struct journal_record record = rig_cancel(n);
    record.by_owner = true;
    return record;
}

/* All that it gives back, in this order. */
static void check_load(struct journal_file *file, const struct journal_record *records,
                       size_t count)
{
    struct loaded loaded = rig_load(file);
    CHECK_EQ(loaded.count, count);
    for (size_t i = 0; i < count; i++) {
        check_records_equal(&loaded.records[i], &records[i]);
    }
    loaded_free(&loaded);
}

/* Its owner may not have had the answer, and says it again to the next run. */
static void finish_may_be_repeated(void)
{
    const struct journal_record records[] = {rig_cancel(1), rig_end(1, true), rig_cancel(2),
                                             rig_cancel(3), rig_end(3, true)};
    const struct journal_record left[] = {rig_cancel(2), finished(3), finished(1)};
    const struct journal_record open[] = {rig_cancel(1), rig_cancel(2)};
    const struct journal_record again[] = {rig_cancel(2), finished(1)};
    struct journal_file *file = rig_open(RIG_EPOCH);
    CHECK(rig_keep(file, records, 2));
    rig_pass_ms(JOURNAL_REPEAT_MS / 2);
    CHECK(rig_keep(file, records + 2, 3));
    journal_file_close(file);

    file = rig_open(RIG_EPOCH + 1);
    check_load(file, left, 3);         /* of those that ended, the last one first */
    CHECK(rig_keep(file, records, 1)); /* adopted, so it is open again */
    rig_pass_ms(JOURNAL_LOST_MS + 1000);
    tidy_all(file);
    check_load(file, open, 2);
    CHECK(rig_keep(file, records + 1, 1)); /* and ended again */
    check_load(file, again, 2);
    journal_file_close(file);

    file = rig_open(RIG_EPOCH + 2);
    check_load(file, again, 2);
    rig_pass_ms(JOURNAL_REPEAT_MS + 1000);
    check_load(file, again, 1);
    const struct history_page page = rig_history(file, "default", "key-1", 0, 10);
    CHECK_EQ(page.entries_count, 1);
    CHECK_EQ(page.entries[0].outcome, OUTCOME_CANCELLED);
    journal_file_close(file);
}

static struct journal_file *open_bounded(uint64_t epoch)
{
    struct journal_file_options options = rig_file_options(epoch);
    struct journal_file *file = NULL;
    char error[JOURNAL_ERROR_BYTES];
    options.history_age_ms = 1;
    options.history_bytes = 1;
    CHECK_EQ(journal_file_open(&options, &file, error), STATUS_OK);
    CHECK_EQ(journal_file_load(file, rig_take, NULL, error), STATUS_OK);
    return file;
}

static size_t entries_of(struct journal_file *file, const char *key)
{
    return rig_history(file, "default", key, 0, 100).entries_count;
}

/* What is settled is not found again: the same cancel is another entry then. */
static void finish_is_settled_after_its_time(void)
{
    enum { MANY = 3000, EACH = MANY / 100 }; /* more than one step of the retention takes */
    struct journal_file *file = rig_open(RIG_EPOCH);
    for (uint64_t n = 1; n <= MANY; n++) {
        const struct journal_record cancel = rig_cancel(n);
        const struct journal_record end = rig_end(n, true);
        CHECK(rig_keep(file, &cancel, 1));
        CHECK(rig_keep(file, &end, 1));
    }
    rig_pass_ms(JOURNAL_REPEAT_MS - 1000);
    tidy_all(file);
    const struct journal_record first = rig_cancel(1);
    CHECK(rig_keep(file, &first, 1)); /* adopted again */
    CHECK_EQ(entries_of(file, "key-1"), EACH);
    rig_pass_ms(JOURNAL_RETAIN_MS + 2000);
    tidy_all(file);
    for (uint64_t n = 1; n <= MANY; n++) {
        const struct journal_record cancel = rig_cancel(n);
        CHECK(rig_keep(file, &cancel, 1));
    }
    CHECK_EQ(entries_of(file, "key-1"), 2 * EACH - 1);
    CHECK_EQ(entries_of(file, "key-2"), 2 * EACH);
    CHECK_EQ(entries_of(file, "key-0"), 2 * EACH);
    journal_file_close(file);
}

static void bounds_spare_what_may_be_repeated(void)
{
    const struct journal_record records[] = {rig_cancel(1), rig_end(1, true)};
    const struct journal_record left = finished(1);
    struct journal_file *file = open_bounded(RIG_EPOCH);
    CHECK(rig_keep(file, records, 2));
    tidy_all(file);
    journal_file_close(file);
    file = open_bounded(RIG_EPOCH + 1);
    rig_pass_ms(JOURNAL_REPEAT_MS - 1000);
    tidy_all(file);
    check_load(file, &left, 1);
    rig_pass_ms(JOURNAL_RETAIN_MS + 2000);
    tidy_all(file);
    check_load(file, NULL, 0);
    CHECK_EQ(entries_of(file, "key-1"), 0);
    journal_file_close(file);
}

/* ---- formats ---- */

#define TO_FORMAT_1                                                                                \
    "DROP INDEX cancel_finished; DROP INDEX cancel_unsettled; PRAGMA user_version = 1"

/* In one transaction, with the first thing that is written. */
static void format_1_is_brought_up_to_date(void)
{
    const struct journal_record records[] = {rig_cancel(1), rig_cancel(2), rig_end(2, false)};
    const struct journal_record end = rig_end(1, true);
    const struct journal_record left[] = {rig_cancel(2), finished(1)};
    struct loaded loaded = {.count_max = 1};
    char error[JOURNAL_ERROR_BYTES] = "";
    struct journal_file *file = rig_open(RIG_EPOCH);
    CHECK(rig_keep(file, records, COUNT(records)));
    CHECK(rig_keep(file, records + 1, 1)); /* open again: two of them */
    journal_file_close(file);
    rig_sql(TO_FORMAT_1);

    const struct journal_file_options options = rig_file_options(RIG_EPOCH + 1);
    CHECK_EQ(journal_file_open(&options, &file, error), STATUS_OK);
    CHECK_EQ(journal_file_load(file, loaded_take, &loaded, error), STATUS_FULL);
    loaded_free(&loaded);
    journal_file_close(file);
    rig_sql("CREATE INDEX cancel_finished ON entry(id); CREATE INDEX cancel_unsettled ON "
            "entry(id); " TO_FORMAT_1); /* they were not there */

    file = rig_open(RIG_EPOCH + 1);
    journal_file_close(file);
    rig_sql("DROP INDEX cancel_finished; CREATE INDEX cancel_finished ON entry(settled_age_ms) "
            "WHERE kind = 1 AND open = 3"); /* it was there */
    file = rig_open(RIG_EPOCH + 1);
    check_load(file, records, 2);
    CHECK(rig_keep(file, &end, 1));
    journal_file_close(file);
    file = rig_open(RIG_EPOCH + 2);
    check_load(file, left, 2);
    journal_file_close(file);
}

static void format_1_has_its_own_tables(void)
{
    struct journal_file *file = rig_open(RIG_EPOCH);
    journal_file_close(file);
    rig_sql("PRAGMA user_version = 1");
    CHECK_EQ(rig_refusal(RIG_EPOCH, "tables"), STATUS_INVALID);
    rig_sql("PRAGMA user_version = 0");
    CHECK_EQ(rig_refusal(RIG_EPOCH, "format 0"), STATUS_INVALID);
}

static const struct test_case cases[] = {
    {"a cancel that its owner ended comes back for as long as the finish may be repeated",
     finish_may_be_repeated},
    {"and is settled then", finish_is_settled_after_its_time},
    {"whatever the history's bounds are", bounds_spare_what_may_be_repeated},
    {"a journal of format 1 is brought up to date", format_1_is_brought_up_to_date},
    {"a journal that says it is of format 1 has to look like one", format_1_has_its_own_tables},
};
TEST_MAIN(cases)
