/* SPDX-License-Identifier: MIT */
/* State directories in which a journal cannot be opened, and journals that hold what no registry gives: each is
 * refused with a sentence that says what to do, and every file is left as it was. */
#include "base/siphash.h"
#include "journal/mark.h"
#include "journal_rig.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PATH_BYTES 512

static const char *here(const char *name)
{
    static char paths[4][PATH_BYTES];
    static size_t next;
    char *path = paths[next++ % COUNT(paths)];
    (void) snprintf(path, PATH_BYTES, "%s/%s", test_directory(), name);
    return path;
}

static bool is_there(const char *name)
{
    struct stat found;
    return lstat(here(name), &found) == 0;
}

static void write_file(const char *name, const char *text)
{
    const int fd = open(here(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
    (void) close(fd);
}

/* ---- what a refusal leaves ---- */

/* Names, sizes and contents of all files, as one number. */
static uint64_t directory_digest(void)
{
    static const struct siphash_key key = {.k0 = 1};
    static uint8_t bytes[1 << 20];
    uint64_t digest = 0;
    DIR *directory = opendir(test_directory());
    CHECK(directory != NULL);
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        struct stat found;
        CHECK_EQ(lstat(here(entry->d_name), &found), 0);
        /* The lock says who tried last. */
        if (!S_ISREG(found.st_mode) || strcmp(entry->d_name, "journal.lock") == 0) {
            continue;
        }
        const int fd = open(here(entry->d_name), O_RDONLY | O_CLOEXEC);
        const ssize_t size = read(fd, bytes, sizeof bytes);
        CHECK(size >= 0 && (size_t) size < sizeof bytes);
        (void) close(fd);
        digest += siphash24(&key, bytes_of_string(entry->d_name)) ^
                  siphash24(&key, bytes_of(bytes, (size_t) size));
    }
    (void) closedir(directory);
    return digest;
}

/* Refused with these words, at the opening or at the loading, and nothing was touched. */
static void check_refused(uint64_t epoch, enum status expected, const char *words)
{
    const struct journal_file_options options = rig_file_options(epoch);
    char error[JOURNAL_ERROR_BYTES] = "";
    struct journal_file *file = NULL;
    const uint64_t before = directory_digest();
    enum status status = journal_file_open(&options, &file, error);
    if (status == STATUS_OK) {
        status = journal_file_load(file, rig_take, NULL, error);
        journal_file_close(file);
    }
    (void) printf("  %s\n", error);
    CHECK_EQ(status, expected);
    CHECK(strstr(error, words) != NULL);
    CHECK_EQ(directory_digest(), before);
}

/* As a daemon that is killed leaves it: all of it in the log. */
static void leave_killed(void)
{
    static struct journal_file *volatile file; /* who kills itself is looked at for leaks */
    const pid_t child = fork();
    if (child == 0) {
        const struct journal_record record = rig_cancel(1);
        file = rig_open(RIG_EPOCH);
        CHECK(rig_keep(file, &record, 1));
        (void) kill(getpid(), SIGKILL);
    }
    CHECK_EQ(waitpid(child, NULL, 0), child);
    CHECK(is_there("journal.sqlite-wal"));
}

static void a_missing_log(void)
{
    leave_killed();
    CHECK_EQ(rename(here("journal.sqlite-wal"), here("kept")), 0);
    check_refused(RIG_EPOCH + 1, STATUS_INVALID, "holds less than was kept");
    CHECK(!is_there("journal.sqlite-wal"));
    CHECK_EQ(rename(here("kept"), here("journal.sqlite-wal")), 0);
    struct journal_file *file = rig_open(RIG_EPOCH + 1);
    struct loaded loaded = rig_load(file);
    CHECK_EQ(loaded.count, 1);
    loaded_free(&loaded);
    journal_file_close(file);
}

static void a_refused_load(void)
{
    const struct journal_record record = rig_cancel(1);
    struct journal_file *file = rig_open(RIG_EPOCH);
    CHECK(rig_keep(file, &record, 1));
    journal_file_close(file);
    CHECK(!is_there("journal.sqlite-wal"));
    check_refused(RIG_EPOCH, STATUS_INVALID, "epoch");
    CHECK(!is_there("journal.sqlite-wal"));
    rig_sql("PRAGMA user_version = 9");
    check_refused(RIG_EPOCH + 1, STATUS_INVALID, "format 9");
}

/* A log that was there stays, whatever is in it. */
static void an_empty_log_stays(void)
{
    const struct journal_record record = rig_cancel(1);
    struct journal_file *file = rig_open(RIG_EPOCH);
    CHECK(rig_keep(file, &record, 1));
    journal_file_close(file);
    write_file("journal.sqlite-wal", "");
    check_refused(RIG_EPOCH, STATUS_INVALID, "epoch");
    CHECK(is_there("journal.sqlite-wal"));
    file = rig_open(RIG_EPOCH + 1);
    journal_file_close(file);
}

/* ---- directories ---- */

static enum status open_in(const char *directory, char error[JOURNAL_ERROR_BYTES])
{
    struct journal_file_options options = rig_file_options(RIG_EPOCH);
    struct journal_file *file = NULL;
    options.directory = directory;
    const enum status status = journal_file_open(&options, &file, error);
    (void) printf("  %s\n", error);
    CHECK(status == STATUS_OK || file == NULL);
    return status;
}

static void no_such_directory(void)
{
    static char name[PATH_MAX + 10];
    char error[JOURNAL_ERROR_BYTES] = "";
    CHECK_EQ(open_in(here("none"), error), STATUS_SYSTEM);
    CHECK(strstr(error, "cannot open the state directory") != NULL);
    memset(name, 'd', sizeof name - 1);
    CHECK_EQ(open_in(name, error), STATUS_INVALID);
    CHECK(strstr(error, "too long") != NULL);
}

/* Where a file should be there is a directory, or a way to another place. */
static void names_that_are_taken(void)
{
    static const struct {
        const char *name;
        enum status status;
        const char *words;
    } cases[] = {
        {"journal.lock", STATUS_SYSTEM, "cannot lock"},
        {"journal.sqlite", STATUS_INVALID, "no plain file"},
        {"journal.sqlite.new", STATUS_SYSTEM, "cannot make"},
        {"journal.mark", STATUS_INVALID, "is missing"},
        {"journal.mark.new", STATUS_SYSTEM, "cannot write"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        CHECK_EQ(mkdir(here(cases[i].name), 0700), 0);
        CHECK_EQ(mkdir(here("journal.sqlite.new/in"), 0700) == 0, i == 2);
        const struct journal_file_options options = rig_file_options(RIG_EPOCH);
        char error[JOURNAL_ERROR_BYTES] = "";
        struct journal_file *file = NULL;
        enum status status = journal_file_open(&options, &file, error);
        if (status == STATUS_OK) {
            status = journal_file_load(file, rig_take, NULL, error);
            journal_file_close(file);
        }
        (void) printf("  %s: %s\n", cases[i].name, error);
        CHECK_EQ(status, cases[i].status);
        CHECK(strstr(error, cases[i].words) != NULL);
        (void) rmdir(here("journal.sqlite.new/in"));
        CHECK_EQ(rmdir(here(cases[i].name)), 0);
    }
    /* And each reason gone, it opens. */
    struct journal_file *file = rig_open(RIG_EPOCH);
    journal_file_close(file);
}

static void remains_of_a_log_alone(void)
{
    write_file("journal.sqlite-wal", "what a log may hold");
    check_refused(RIG_EPOCH, STATUS_INVALID, "is missing");
    CHECK_EQ(unlink(here("journal.sqlite-wal")), 0);
    write_file("journal.sqlite-wal", "");
    struct journal_file *file = rig_open(RIG_EPOCH);
    journal_file_close(file);
}

/* ---- marks ---- */

static void write_mark(uint64_t sequence, const char *sync, const char *boot)
{
    static const struct siphash_key key = {.k0 = UINT64_C(0x63616e63656c6420),
                                           .k1 = UINT64_C(0x6a6f75726e616c20)};
    char text[256];
    int size = snprintf(text, sizeof text, "canceld journal %020" PRIu64 " sync %s boot %s",
                        sequence, sync, boot);
    const uint64_t check = siphash24(&key, bytes_of(text, (size_t) size));
    (void) snprintf(text + size, sizeof text - (size_t) size, " check %016" PRIx64 "\n", check);
    write_file("journal.mark", text);
}

/* A crash of the machine may take what a process had kept; what was kept against a loss of power counts in every
 * boot. */
static void a_mark_of_another_boot(void)
{
    const char *other = "00000000-0000-0000-0000-000000000000";
    const struct journal_record record = rig_cancel(1);
    struct journal_file *file = rig_open(RIG_EPOCH);
    CHECK(rig_keep(file, &record, 1));
    journal_file_close(file);
    write_mark(99, "power", other);
    check_refused(RIG_EPOCH + 1, STATUS_INVALID, "holds less than was kept: 1 batches of 99");
    write_mark(1, "power", other);
    file = rig_open(RIG_EPOCH + 1);
    journal_file_close(file);
    write_mark(99, "process", other);
    file = rig_open(RIG_EPOCH + 1);
    struct loaded loaded = rig_load(file);
    CHECK_EQ(loaded.count, 1);
    loaded_free(&loaded);
    journal_file_close(file);
}

static void marks_that_cannot_be_read(void)
{
    struct journal_file *file = rig_open(RIG_EPOCH);
    journal_file_close(file);
    CHECK_EQ(unlink(here("journal.mark")), 0);
    CHECK_EQ(symlink("journal.sqlite", here("journal.mark")), 0);
    check_refused(RIG_EPOCH + 1, STATUS_SYSTEM, "cannot read");
    CHECK_EQ(unlink(here("journal.mark")), 0);
    CHECK_EQ(mkdir(here("journal.mark"), 0700), 0);
    check_refused(RIG_EPOCH + 1, STATUS_SYSTEM, "cannot read");
    CHECK_EQ(rmdir(here("journal.mark")), 0);
    write_mark(1, "sometimes", "-");
    check_refused(RIG_EPOCH + 1, STATUS_INVALID, "is damaged");
    write_file("journal.mark", "canceld journal\n");
    check_refused(RIG_EPOCH + 1, STATUS_INVALID, "is damaged");
}

/* ---- rows whose seal is right ---- */

static struct journal_record cancel_in(const char *space)
{
    struct journal_record record = rig_cancel(1);
    record.space = bytes_of_string(space);
    return record;
}

static struct journal_record no_key(struct journal_record record)
{
    record.key = bytes_of(NULL, 0);
    return record;
}

static struct journal_record with_gen(struct journal_record record, uint64_t gen)
{
    record.gen = gen;
    return record;
}

static struct journal_record no_cause(struct journal_record record)
{
    record.cause.code = CAUSE_UNSET;
    return record;
}

static struct journal_record no_time(struct journal_record record)
{
    record.ttl_ms = 0;
    return record;
}

static struct journal_record bulk_of(uint64_t number, enum bulk_scope scope, const char *space)
{
    struct journal_record record = rig_bulk(number, scope);
    record.space = bytes_of_string(space);
    return record;
}

static struct journal_record no_name(enum bulk_scope scope)
{
    struct journal_record record = rig_bulk(1, scope);
    record.label = bytes_of(NULL, 0);
    record.key = bytes_of(NULL, 0);
    record.owner = 0;
    return record;
}

static void rows_that_no_registry_gives(void)
{
    const struct {
        struct journal_record record;
        const char *words;
    } cases[] = {
        {cancel_in("a space"), "no key"},
        {cancel_in(""), "no key"},
        {no_key(rig_cancel(1)), "no key"},
        {no_key(rig_arm(1)), "no key"},
        {with_gen(rig_cancel(1), 5), "no epoch"},
        {with_gen(rig_cancel(1), (RIG_EPOCH + 1) << 40 | 1), "was replaced"},
        {no_cause(rig_cancel(1)), "no cause"},
        {no_cause(rig_bulk(1, BULK_SPACE)), "no cause"},
        {no_time(rig_arm(1)), "no time"},
        {bulk_of(0, BULK_SPACE, "default"), "covers nothing"},
        {bulk_of(1, BULK_SPACE, "/"), "covers nothing"},
        {bulk_of(1, BULK_LABEL, "~"), "covers nothing"},
        {bulk_of(1, BULK_OWNER, "["), "covers nothing"},
        {bulk_of(1, BULK_KEY, "`"), "covers nothing"},
        {bulk_of(1, BULK_DAEMON, "default"), "covers nothing"},
        {no_name(BULK_LABEL), "covers nothing"},
        {no_name(BULK_OWNER), "covers nothing"},
        {no_name(BULK_KEY), "covers nothing"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct journal_file *file = rig_open(RIG_EPOCH);
        CHECK(rig_keep(file, &cases[i].record, 1));
        journal_file_close(file);
        check_refused(RIG_EPOCH + 1, STATUS_INVALID, cases[i].words);
        CHECK_EQ(unlink(here("journal.sqlite")), 0);
        CHECK_EQ(unlink(here("journal.mark")), 0);
    }
}

static void every_letter_of_a_namespace(void)
{
    const struct journal_record record = cancel_in("az.AZ_09-");
    struct journal_file *file = rig_open(RIG_EPOCH);
    CHECK(rig_keep(file, &record, 1));
    journal_file_close(file);
    file = rig_open(RIG_EPOCH + 1);
    struct loaded loaded = rig_load(file);
    CHECK_EQ(loaded.count, 1);
    check_records_equal(&loaded.records[0], &record);
    loaded_free(&loaded);
    journal_file_close(file);
}

#define GEN_2 "7696581394434" /* RIG_GEN(2) */

static void keep_aside(const char *sql)
{
    char text[PATH_BYTES + 256];
    (void) snprintf(text, sizeof text, "ATTACH '%s' AS aside; %s", here("aside"), sql);
    rig_sql(text);
}

/* As many as there were, each as it was written, but another one. */
static void an_open_cancel_in_anothers_stead(void)
{
    const struct journal_record records[] = {rig_cancel(1), rig_cancel(2), rig_end(2, true)};
    struct journal_file *file = rig_open(RIG_EPOCH);
    CHECK(rig_keep(file, records, 2));
    journal_file_close(file);
    keep_aside("CREATE TABLE aside.t AS SELECT * FROM entry WHERE gen = " GEN_2);
    file = rig_open(RIG_EPOCH + 1);
    CHECK(rig_keep(file, records + 2, 1));
    journal_file_close(file);
    keep_aside("DELETE FROM entry; INSERT INTO entry SELECT * FROM aside.t");
    check_refused(RIG_EPOCH + 2, STATUS_INVALID, "an unsettled cancel is missing");
}

static const struct test_case cases[] = {
    {"a journal whose log is missing is refused, and no log is made", a_missing_log},
    {"a journal that cannot be loaded is left as it was", a_refused_load},
    {"an empty log that was there stays", an_empty_log_stays},
    {"a state directory that is not there is a refusal", no_such_directory},
    {"a name that something else has is a refusal", names_that_are_taken},
    {"a log without its journal is a refusal, unless it is empty", remains_of_a_log_alone},
    {"a mark of another boot counts where it was kept against a loss of power",
     a_mark_of_another_boot},
    {"a mark that cannot be read is a refusal", marks_that_cannot_be_read},
    {"a row that no registry gives is a refusal, whatever its seal", rows_that_no_registry_gives},
    {"a namespace of every letter that there is comes back", every_letter_of_a_namespace},
    {"an unsettled cancel in another's stead is a refusal", an_open_cancel_in_anothers_stead},
};
TEST_MAIN(cases)
