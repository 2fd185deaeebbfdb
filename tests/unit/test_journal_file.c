/* SPDX-License-Identifier: MIT */
/* The journal's file by itself: what is kept comes back, and nothing else does. */
#include "journal_rig.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- what comes back ---- */

static void every_kind_comes_back(void)
{
    const struct journal_record records[] = {rig_cancel(1),
                                             rig_cancel(2),
                                             rig_bulk(1, BULK_SPACE),
                                             rig_bulk(2, BULK_LABEL),
                                             rig_bulk(3, BULK_OWNER),
                                             rig_bulk(4, BULK_KEY),
                                             rig_bulk(5, BULK_DAEMON),
                                             rig_arm(1),
                                             rig_arm(2)};
    struct journal_file *file = rig_open(RIG_EPOCH);
    CHECK(rig_keep(file, records, COUNT(records)));
    journal_file_close(file);

    file = rig_open(RIG_EPOCH + 1);
    struct loaded loaded = rig_load(file);
    CHECK_EQ(loaded.count, COUNT(records));
    for (size_t i = 0; i < COUNT(records); i++) {
        check_records_equal(&loaded.records[i], &records[i]);
    }
    loaded_free(&loaded);
    journal_file_close(file);
}

static void settled_stays_away(void)
{
    const struct journal_record first[] = {
        rig_cancel(1), rig_cancel(2), rig_bulk(1, BULK_SPACE), rig_bulk(2, BULK_LABEL), rig_arm(1),
        rig_arm(2),    rig_arm(3)};
    struct journal_record used = rig_arm(2);
    struct journal_record gone = rig_arm(3);
    used.kind = JOURNAL_ARM_USED;
    used.gen = RIG_GEN(50);
    gone.kind = JOURNAL_ARM_GONE;
    const struct journal_record second[] = {rig_end(1, true),
                                            {.kind = JOURNAL_BULK_DONE, .bulk = 1, .requested = 9},
                                            {.kind = JOURNAL_BULK_DONE, .bulk = 2, .requested = 4},
                                            {.kind = JOURNAL_BULK_SETTLED, .bulk = 2},
                                            used,
                                            gone,
                                            rig_end(999, true), /* of nothing that is known */
                                            {.kind = JOURNAL_BULK_SETTLED, .bulk = 77}};
    struct journal_file *file = rig_open(RIG_EPOCH);
    CHECK(rig_keep(file, first, COUNT(first)));
    CHECK(rig_keep(file, second, COUNT(second)));
    journal_file_close(file);

    file = rig_open(RIG_EPOCH + 1);
    rig_pass_ms(JOURNAL_REPEAT_MS + 1000);
    struct loaded loaded = rig_load(file);
    CHECK_EQ(loaded.count, 4);
    check_records_equal(&loaded.records[0], &first[1]);
    CHECK_EQ(loaded.records[1].kind, JOURNAL_CANCEL); /* that the arm became */
    CHECK_EQ(loaded.records[1].gen, RIG_GEN(50));
    CHECK(bytes_equal(loaded.records[1].cause.text, used.cause.text));
    check_records_equal(&loaded.records[2], &first[2]);
    check_records_equal(&loaded.records[3], &first[4]);
    loaded_free(&loaded);
    journal_file_close(file);
}

static void first_cause_stays(void)
{
    const struct journal_record first = rig_cancel(1);
    struct journal_record second = rig_cancel(1);
    second.cause.text = bytes_of_string("too late");
    struct journal_file *file = rig_open(RIG_EPOCH);
    CHECK(rig_keep(file, &first, 1));
    CHECK(rig_keep(file, &second, 1));
    journal_file_close(file);
    file = rig_open(RIG_EPOCH + 1);
    CHECK(rig_keep(file, &second, 1));
    struct loaded loaded = rig_load(file);
    CHECK_EQ(loaded.count, 1);
    check_records_equal(&loaded.records[0], &first);
    loaded_free(&loaded);
    journal_file_close(file);
}

static void arm_with_a_later_end(void)
{
    struct journal_record arm = rig_arm(1);
    struct journal_file *file = rig_open(RIG_EPOCH);
    CHECK(rig_keep(file, &arm, 1));
    arm.ttl_ms = 5000;
    CHECK(rig_keep(file, &arm, 1));
    journal_file_close(file);
    file = rig_open(RIG_EPOCH + 1);
    struct loaded loaded = rig_load(file);
    CHECK_EQ(loaded.count, 1);
    CHECK_EQ(loaded.records[0].ttl_ms, 5000);
    loaded_free(&loaded);
    journal_file_close(file);
}

/* One day of the journal's own time, whatever the wall clock says. */
static void lost_owner_may_come_back(void)
{
    const struct journal_record records[] = {rig_cancel(1), rig_end(1, false),
                                             rig_cancel(2), rig_end(2, false),
                                             rig_cancel(3), rig_end(3, true)};
    struct journal_file *file = rig_open(RIG_EPOCH);
    CHECK(rig_keep(file, records, 2));
    rig_pass_ms(JOURNAL_LOST_MS / 2);
    CHECK(rig_keep(file, records + 2, 4));
    journal_file_close(file);

    file = rig_open(RIG_EPOCH + 1);
    rig_pass_ms(JOURNAL_REPEAT_MS + 1000); /* the third one's owner repeats nothing any more */
    struct loaded loaded = rig_load(file);
    CHECK_EQ(loaded.count, 2);
    CHECK_EQ(loaded.records[0].gen, RIG_GEN(2));
    loaded_free(&loaded);
    rig_pass_ms(JOURNAL_LOST_MS / 2 + 1000);
    while (journal_file_tidy(file)) {
    }
    const struct journal_record by_owner = rig_end(2, true);
    loaded = rig_load(file);
    CHECK_EQ(loaded.count, 1);
    loaded_free(&loaded);
    CHECK(rig_keep(file, &by_owner, 1)); /* it came, and says how it ended */
    rig_pass_ms(JOURNAL_REPEAT_MS + 1000);
    loaded = rig_load(file);
    CHECK_EQ(loaded.count, 0);
    loaded_free(&loaded);
    const struct history_page page = rig_history(file, "default", "key-2", 0, 10);
    CHECK_EQ(page.entries_count, 1);
    CHECK_EQ(page.entries[0].outcome, OUTCOME_CANCELLED);
    CHECK(page.entries[0].by_owner);
    journal_file_close(file);
}

static void tidy_all(struct journal_file *file)
{
    while (journal_file_tidy(file)) {
    }
}

/* Its owner came back after the loss, was told of the cancel again, and lives on with it. */
static void lost_one_is_adopted_again(void)
{
    const struct journal_record records[] = {rig_cancel(1), rig_end(1, false)};
    struct journal_record again = rig_cancel(1);
    again.cause.text = bytes_of_string("another word for it");
    struct journal_file *file = rig_open(RIG_EPOCH);
    CHECK(rig_keep(file, records, COUNT(records)));
    journal_file_close(file);

    file = rig_open(RIG_EPOCH + 1);
    CHECK(rig_keep(file, &again, 1));
    CHECK(rig_keep(file, &again, 1)); /* it is open already */
    rig_pass_ms(JOURNAL_LOST_MS + 1000);
    tidy_all(file);
    const struct history_page page = rig_history(file, "default", "key-1", 0, 10);
    CHECK_EQ(page.entries_count, 1);
    CHECK_EQ(page.entries[0].outcome, OUTCOME_UNSET); /* it has not ended yet */
    journal_file_close(file);

    file = rig_open(RIG_EPOCH + 2);
    struct loaded loaded = rig_load(file);
    CHECK_EQ(loaded.count, 1);
    check_records_equal(&loaded.records[0], &records[0]); /* the first cause stays */
    loaded_free(&loaded);
    const struct journal_record end = rig_end(1, true);
    CHECK(rig_keep(file, &end, 1));
    rig_pass_ms(JOURNAL_REPEAT_MS + 1000);
    loaded = rig_load(file);
    CHECK_EQ(loaded.count, 0);
    loaded_free(&loaded);
    journal_file_close(file);
}

static void lost_one_becomes_open_by_an_arm(void)
{
    struct journal_record used = rig_arm(1);
    used.kind = JOURNAL_ARM_USED;
    used.gen = RIG_GEN(1);
    struct journal_record end = rig_end(1, false);
    end.space = used.space;
    end.key = used.key;
    struct journal_file *file = rig_open(RIG_EPOCH);
    CHECK(rig_keep(file, &used, 1));
    CHECK(rig_keep(file, &end, 1));
    CHECK(rig_keep(file, &used, 1));
    journal_file_close(file);
    file = rig_open(RIG_EPOCH + 1);
    rig_pass_ms(JOURNAL_LOST_MS + 1000);
    struct loaded loaded = rig_load(file);
    CHECK_EQ(loaded.count, 1);
    loaded_free(&loaded);
    journal_file_close(file);
}

/* A gen that somebody adopted under a name of his own: two cancels, and two ends. */
static void names_are_apart(void)
{
    const struct journal_record mine = rig_cancel(1);
    struct journal_record theirs = rig_cancel(1);
    theirs.space = bytes_of_string("bob");
    struct journal_record their_key = rig_cancel(1);
    their_key.key = bytes_of_string("x");
    struct journal_record end = rig_end(1, true);
    struct journal_file *file = rig_open(RIG_EPOCH);
    CHECK(rig_keep(file, &mine, 1));
    CHECK(rig_keep(file, &theirs, 1));
    CHECK(rig_keep(file, &their_key, 1));
    end.space = theirs.space;
    CHECK(rig_keep(file, &end, 1));
    end.space = mine.space;
    end.key = their_key.key;
    CHECK(rig_keep(file, &end, 1));
    journal_file_close(file);
    file = rig_open(RIG_EPOCH + 1);
    rig_pass_ms(JOURNAL_REPEAT_MS + 1000);
    struct loaded loaded = rig_load(file);
    CHECK_EQ(loaded.count, 1);
    check_records_equal(&loaded.records[0], &mine);
    loaded_free(&loaded);
    journal_file_close(file);
}

/* What it cancelled may still run when the run ends, so its day begins there. */
static void bulk_counts_from_the_end_of_its_run(void)
{
    const struct journal_record records[] = {rig_bulk(1, BULK_SPACE), rig_bulk(2, BULK_LABEL)};
    struct journal_file *file = rig_open(RIG_EPOCH);
    CHECK(rig_keep(file, records, 1));
    rig_pass_ms(JOURNAL_LOST_MS + 3600000);
    CHECK(rig_keep(file, records + 1, 1)); /* and with it the journal's age */
    journal_file_close(file);

    file = rig_open(RIG_EPOCH + 1);
    tidy_all(file);
    struct loaded loaded = rig_load(file);
    CHECK_EQ(loaded.count, 2);
    loaded_free(&loaded);
    rig_pass_ms(JOURNAL_LOST_MS / 2);
    const struct journal_record other = rig_cancel(1);
    CHECK(rig_keep(file, &other, 1));
    journal_file_close(file);

    file = rig_open(RIG_EPOCH + 2); /* a run in between does not begin it anew */
    tidy_all(file);
    loaded = rig_load(file);
    CHECK_EQ(loaded.count, 3);
    loaded_free(&loaded);
    rig_pass_ms(JOURNAL_LOST_MS / 2 + 1000);
    loaded = rig_load(file);
    CHECK_EQ(loaded.count, 1);
    check_records_equal(&loaded.records[0], &other);
    loaded_free(&loaded);
    tidy_all(file);
    journal_file_close(file);
    file = rig_open(RIG_EPOCH + 3);
    loaded = rig_load(file);
    CHECK_EQ(loaded.count, 1);
    loaded_free(&loaded);
    journal_file_close(file);
}

static void bulks_of_earlier_runs(void)
{
    const struct journal_record records[] = {rig_bulk(1, BULK_KEY), rig_bulk(2, BULK_LABEL)};
    struct journal_file *file = rig_open(RIG_EPOCH);
    CHECK(rig_keep(file, records, 1));
    rig_pass_ms(JOURNAL_LOST_MS + 1000);
    while (journal_file_tidy(file)) {
    }
    struct loaded loaded = {0};
    CHECK(rig_keep(file, records + 1, 1));
    journal_file_close(file);
    file = rig_open(RIG_EPOCH + 1);
    loaded = rig_load(file);
    CHECK_EQ(loaded.count, 2);
    check_records_equal(&loaded.records[1], &records[1]);
    loaded_free(&loaded);
    const struct journal_record again = rig_bulk(1, BULK_OWNER); /* this run's first */
    CHECK(rig_keep(file, &again, 1));
    while (journal_file_tidy(file)) {
    }
    journal_file_close(file);
    file = rig_open(RIG_EPOCH + 2);
    loaded = rig_load(file);
    CHECK_EQ(loaded.count, 3);
    check_records_equal(&loaded.records[2], &again);
    loaded_free(&loaded);
    journal_file_close(file);
}

static void no_room_for_what_was_kept(void)
{
    const struct journal_record records[] = {rig_cancel(1), rig_cancel(2), rig_end(2, false),
                                             rig_cancel(3), rig_cancel(4), rig_end(4, true)};
    struct loaded loaded = {.count_max = 3};
    char error[JOURNAL_ERROR_BYTES] = "";
    struct journal_file *file = rig_open(RIG_EPOCH);
    CHECK(rig_keep(file, records, COUNT(records)));
    journal_file_close(file);
    file = rig_open(RIG_EPOCH + 1);
    /* Two are unsettled; the others ended, and may stay away: first whose owner has said so. */
    CHECK_EQ(journal_file_load(file, loaded_take, &loaded, error), STATUS_OK);
    CHECK_EQ(loaded.count, 3);
    CHECK_EQ(loaded.records[2].gen, RIG_GEN(2));
    loaded_free(&loaded);
    loaded.count_max = 2;
    CHECK_EQ(journal_file_load(file, loaded_take, &loaded, error), STATUS_OK);
    CHECK_EQ(loaded.count, 2);
    loaded_free(&loaded);
    loaded.count_max = 1;
    CHECK_EQ(journal_file_load(file, loaded_take, &loaded, error), STATUS_FULL);
    CHECK(strstr(error, "--limit-recovered") != NULL);
    loaded_free(&loaded);
    journal_file_close(file);
}

/* ---- who may open it ---- */

static void only_one_opens_it(void)
{
    static struct journal_file *file; /* the child has it too, and is not to have lost it */
    file = rig_open(RIG_EPOCH);
    CHECK_EQ(rig_refusal(RIG_EPOCH + 1, "another canceld (process "), STATUS_IN_USE);
    const pid_t child = fork();
    if (child == 0) {
        (void) rig_refusal(RIG_EPOCH + 1, "another canceld (process ");
        _exit(0);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    char error[JOURNAL_ERROR_BYTES] = "";
    CHECK_EQ(journal_file_probe(test_directory(), error), STATUS_IN_USE);
    CHECK(strstr(error, "another canceld (process ") != NULL);
    journal_file_close(file);
    CHECK_EQ(journal_file_probe(test_directory(), error), STATUS_OK);
    CHECK_EQ(journal_file_probe("/nonexistent", error), STATUS_OK);
    file = rig_open(RIG_EPOCH + 1);
    journal_file_close(file);
}

static void its_files_are_private(void)
{
    char path[256];
    struct stat found;
    const struct journal_record record = rig_cancel(1);
    (void) umask(0);
    struct journal_file *file = rig_open(RIG_EPOCH);
    CHECK(rig_keep(file, &record, 1));
    static const char *const names[] = {"journal.sqlite", "journal.sqlite-wal", "journal.mark",
                                        "journal.lock"};
    for (size_t i = 0; i < COUNT(names); i++) {
        (void) snprintf(path, sizeof path, "%s/%s", test_directory(), names[i]);
        CHECK_EQ(stat(path, &found), 0);
        CHECK_EQ(found.st_mode & 0777, 0600);
    }
    journal_file_close(file);
}

static void earlier_epochs_alone(void)
{
    const struct journal_record record = rig_cancel(1);
    struct journal_file *file = rig_open(RIG_EPOCH);
    struct loaded loaded = {0};
    char error[JOURNAL_ERROR_BYTES] = "";
    CHECK(rig_keep(file, &record, 1));
    journal_file_close(file);
    const struct journal_file_options options = rig_file_options(RIG_EPOCH);
    CHECK_EQ(journal_file_open(&options, &file, error), STATUS_OK);
    CHECK_EQ(journal_file_load(file, loaded_take, &loaded, error), STATUS_INVALID);
    CHECK(strstr(error, "epoch") != NULL);
    journal_file_close(file);
}

static void remove_file(const char *name)
{
    char path[256];
    (void) snprintf(path, sizeof path, "%s/%s", test_directory(), name);
    CHECK_EQ(unlink(path), 0);
}

static void others_files_are_refused(void)
{
    static const struct {
        const char *sql;
        const char *words;
    } cases[] = {
        {"PRAGMA application_id = 5", "not the journal"},
        {"PRAGMA user_version = 9", "format 9"},
        {"CREATE TABLE more(a)", "tables"},
        {"DROP INDEX cancel_open", "tables"},
        {"UPDATE state SET sequence = 7", "state is not"},
        {"UPDATE state SET open_count = 7", "state is not"},
        {"DELETE FROM state", "state is missing"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct journal_file *file = rig_open(RIG_EPOCH);
        journal_file_close(file);
        rig_sql(cases[i].sql);
        CHECK_EQ(rig_refusal(RIG_EPOCH, cases[i].words), STATUS_INVALID);
        remove_file("journal.sqlite");
        CHECK_EQ(rig_refusal(RIG_EPOCH, "is missing"), STATUS_INVALID);
        remove_file("journal.mark");
    }
}

/* A hand that knows SQL but not the seals. */
static void changed_rows_are_refused(void)
{
    static const char *const changes[] = {
        "UPDATE entry SET gen = gen + 1",
        "UPDATE entry SET cause_text = 'x'",
        "UPDATE entry SET space = 'else'",
        "UPDATE entry SET key = x'00'",
        "UPDATE entry SET cause_code = 99",
        "UPDATE entry SET kind = 2, bulk = 4",
        "UPDATE entry SET id = 4000",
        "UPDATE entry SET at_unix_ms = 1",
        "UPDATE entry SET delivered = 1",
        "UPDATE entry SET settled_age_ms = 1",
        "DELETE FROM entry",
        "UPDATE entry SET open = 0",
        "UPDATE entry SET cause_peer = printf('%01000d', 1)",
    };
    const struct journal_record record = rig_cancel(1);
    for (size_t i = 0; i < COUNT(changes); i++) {
        struct loaded loaded = {0};
        char error[JOURNAL_ERROR_BYTES] = "";
        struct journal_file *file = rig_open(RIG_EPOCH);
        CHECK(rig_keep(file, &record, 1));
        journal_file_close(file);
        rig_sql(changes[i]);
        const struct journal_file_options options = rig_file_options(RIG_EPOCH + 1);
        CHECK_EQ(journal_file_open(&options, &file, error), STATUS_OK);
        const enum status status = journal_file_load(file, loaded_take, &loaded, error);
        (void) printf("  %s: %s\n", changes[i], error);
        CHECK_EQ(status, STATUS_INVALID);
        CHECK_EQ(loaded.count, 0);
        journal_file_close(file);
        remove_file("journal.sqlite");
        remove_file("journal.mark");
    }
}

static const struct test_case cases[] = {
    {"a record of every kind comes back as it was", every_kind_comes_back},
    {"what is settled does not come back", settled_stays_away},
    {"the first cause of a generation stays", first_cause_stays},
    {"an armed key comes back once, with its later end", arm_with_a_later_end},
    {"a cancel whose operation ended without its owner comes back for a day",
     lost_owner_may_come_back},
    {"a lost cancel that is given again is open again", lost_one_is_adopted_again},
    {"and so is one that an arm became", lost_one_becomes_open_by_an_arm},
    {"an end settles the cancel of its own name alone", names_are_apart},
    {"a bulk cancel's day begins at the end of its run", bulk_counts_from_the_end_of_its_run},
    {"a bulk cancel comes back for a day, and its number may be that of another run",
     bulks_of_earlier_runs},
    {"more unsettled cancels than there is room for are a refusal", no_room_for_what_was_kept},
    {"two cannot open one journal", only_one_opens_it},
    {"its files are its owner's alone", its_files_are_private},
    {"a journal of this epoch or a later one is refused", earlier_epochs_alone},
    {"a file that is not ours, or of another format, is refused", others_files_are_refused},
    {"a row that was changed is refused", changed_rows_are_refused},
};
TEST_MAIN(cases)
