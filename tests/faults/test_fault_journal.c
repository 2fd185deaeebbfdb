/* SPDX-License-Identifier: MIT */
/* The journal's file where memory or the disk fails, at every point of its life: what was called kept comes back, what
 * failed is not there, and no failure of the machine is told as a damage of the file. */
#include "fault.h"
#include "journal_rig.h"
#include "points.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define FILES 3
#define KEPT 3 /* records of an earlier run, of which the last is still in the log */
#define BATCHES 3

static const char *const names[FILES] = {"journal.sqlite", "journal.sqlite-wal", "journal.mark"};

struct image {
    uint8_t *data;
    size_t size; /* 0: it is not there */
};

/* ---- files, while nothing fails ---- */

static void path_of(const char *name, char path[256])
{
    (void) snprintf(path, 256, "%s/%s", test_directory(), name);
}

static struct image image_read(const char *name)
{
    char path[256];
    struct stat found;
    path_of(name, path);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    CHECK_EQ(fstat(fd, &found), 0);
    struct image image = {.data = malloc((size_t) found.st_size), .size = (size_t) found.st_size};
    CHECK(image.data != NULL);
    CHECK_EQ(read(fd, image.data, image.size), image.size);
    (void) close(fd);
    return image;
}

static void image_write(const char *name, const struct image *image)
{
    char path[256];
    path_of(name, path);
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, image->data, image->size), image->size);
    (void) close(fd);
}

static void remove_all(void)
{
    static const char *const more[] = {"journal.sqlite.new", "journal.sqlite.new-journal",
                                       "journal.sqlite.new-wal", "journal.mark.new"};
    char path[256];
    for (size_t i = 0; i < FILES + COUNT(more); i++) {
        path_of(i < FILES ? names[i] : more[i - FILES], path);
        (void) unlink(path);
    }
}

static struct image left[FILES];

/* What a daemon that was killed has left. */
static void leave_killed(void)
{
    const pid_t child = fork();
    if (child == 0) {
        struct journal_file *file = rig_open(RIG_EPOCH);
        const struct journal_record records[KEPT] = {rig_cancel(1), rig_bulk(2, BULK_LABEL),
                                                     rig_arm(3)};
        CHECK(rig_keep(file, records, KEPT - 1));
        journal_file_close(file);
        file = rig_open(RIG_EPOCH + 1);
        CHECK(rig_keep(file, records + KEPT - 1, 1));
        (void) kill(getpid(), SIGKILL);
    }
    CHECK_EQ(waitpid(child, NULL, 0), child);
    for (size_t i = 0; i < FILES; i++) {
        left[i] = image_read(names[i]);
    }
}

static void bring_back(void)
{
    remove_all();
    for (size_t i = 0; i < FILES; i++) {
        image_write(names[i], &left[i]);
    }
}

/* ---- a life of the journal ---- */

/* What it says of itself. */
struct life {
    enum status status; /* of the start */
    char error[JOURNAL_ERROR_BYTES];
    size_t taken;       /* of what earlier runs left */
    bool kept[BATCHES]; /* each of a record of its own */
};

static bool count_taken(void *context, const struct journal_record *record)
{
    struct life *life = context;
    life->taken += record != NULL ? 1 : 0;
    return true;
}

static void read_history(struct journal_file *file)
{
    static struct history_entry entries[16];
    static uint8_t texts[4096];
    struct history_page page = {.entries = entries, .texts = texts};
    const struct history_query query = {.space = bytes_of_string("default"),
                                        .items_max = COUNT(entries),
                                        .bytes_max = sizeof texts};
    (void) !journal_file_history(file, &query, &page); /* it may say that it cannot */
}

/* The n-th record that a life keeps. */
static struct journal_record record_of(size_t n)
{
    return n == 1 ? rig_end(1, true) : rig_cancel(100 + n);
}

/* rig_keep(), whose own memory may fail here. */
static bool keep(struct journal_file *file, struct journal_record record)
{
    const struct stamped_record stamped = {
        .record = record, .at_unix_ms = rig_wall_ms(), .age_ms = journal_file_age_ms(file)};
    struct batch batch;
    if (!batch_init(&batch, 2 * BATCH_RECORD_BYTES_MAX)) {
        return false;
    }
    batch_append(&batch, &stamped);
    const bool is_kept = journal_file_keep(file, &batch);
    batch_fini(&batch);
    return is_kept;
}

static void live(struct life *life)
{
    const struct journal_file_options options = rig_file_options(RIG_EPOCH + 2);
    struct journal_file *file = NULL;
    life->status = journal_file_open(&options, &file, life->error);
    if (life->status == STATUS_OK) {
        life->status = journal_file_load(file, count_taken, life, life->error);
    }
    for (size_t i = 0; life->status == STATUS_OK && i < BATCHES; i++) {
        life->kept[i] = keep(file, record_of(i));
        read_history(file);
        (void) journal_file_tidy(file);
    }
    journal_file_close(file);
}

/* Which call it was, for people. */
static char culprit[64];
static bool reads_fail; /* of a journal that has a log */

/* A failure of the machine is none of the file's: nobody has to move it away. */
static void check_said(const struct life *life, bool failed)
{
    if (life->status == STATUS_OK) {
        return;
    }
    CHECK(failed);
    if (!reads_fail && life->status != STATUS_SYSTEM && life->status != STATUS_NO_MEMORY) {
        (void) fprintf(stderr, "%s: status %d: %s\n", culprit, (int) life->status, life->error);
    }
    /* SQLite takes a log that cannot be read for one that is damaged, and we do not see more of it than SQLite. */
    CHECK(life->status == STATUS_SYSTEM || life->status == STATUS_NO_MEMORY ||
          (reads_fail && life->status == STATUS_INVALID));
    CHECK_GT(strlen(life->error), 0);
}

/* After the failure: what was kept is there, and what was not kept is not. */
static void check_left(const struct life *life, size_t earlier)
{
    struct journal_file *file = rig_open(RIG_EPOCH + 3);
    struct loaded loaded = rig_load(file);
    size_t expected = earlier;
    for (size_t i = 0; i < BATCHES; i++) {
        const bool is_end = i == 1;
        expected += life->kept[i] && !is_end ? 1 : 0;
        if (!is_end) {
            CHECK_EQ(loaded_find(&loaded, record_of(i).gen) != NULL, life->kept[i]);
        }
    }
    CHECK_EQ(loaded.count, expected); /* the one that ended comes back for a while, as ended */
    loaded_free(&loaded);
    journal_file_close(file);
}

/* ---- system calls ---- */

static void calls_fail(enum fault_call call, int error, uint32_t nth)
{
    struct fault_rule *rule = &fault_control()->rules[call];
    rule->calls = 0;
    rule->failed = 0;
    rule->in_order = 1;
    rule->one_in = nth;
    rule->error = (uint32_t) error;
}

static uint64_t calls_heal(enum fault_call call)
{
    struct fault_rule *rule = &fault_control()->rules[call];
    rule->error = 0;
    return rule->failed;
}

static const struct {
    enum fault_call call;
    int error;
} disk[] = {
    {FAULT_open, EACCES},   {FAULT_read, EIO},      {FAULT_pread, EIO},     {FAULT_write, ENOSPC},
    {FAULT_fstat, EIO},     {FAULT_pwrite, ENOSPC}, {FAULT_fsync, EIO},     {FAULT_rename, EIO},
    {FAULT_fdatasync, EIO}, {FAULT_ftruncate, EIO}, {FAULT_unlink, EACCES},
};

/* In the suite, where points are bounded, the later ones are further and further apart. */
static uint32_t next_of(uint32_t nth)
{
    return nth + 1 + (getenv("CANCELD_FAULT_POINTS") == NULL ? 0 : nth);
}

/* Every n-th call of its kind fails, for each n that comes up. */
static void lives_without_a_disk(void (*begin)(void), size_t earlier)
{
    uint64_t refused = 0;
    uint64_t lost = 0;
    uint64_t lives = 0;
    for (size_t i = 0; i < COUNT(disk); i++) {
        uint64_t failed = 1;
        for (uint32_t nth = 1; failed > 0; nth = next_of(nth)) {
            struct life life = {.status = STATUS_OK};
            reads_fail = earlier > 0 && disk[i].call == FAULT_pread;
            (void) snprintf(culprit, sizeof culprit, "each %u. call of kind %d", nth,
                            (int) disk[i].call);
            begin();
            calls_fail(disk[i].call, disk[i].error, nth);
            live(&life);
            failed = calls_heal(disk[i].call);
            check_said(&life, failed > 0);
            check_left(&life, earlier);
            lives++;
            refused += life.status != STATUS_OK ? 1 : 0;
            lost += life.status == STATUS_OK && !(life.kept[0] && life.kept[1] && life.kept[2]);
        }
    }
    (void) printf("  %llu lives, %llu did not start, %llu could not keep all\n",
                  (unsigned long long) lives, (unsigned long long) refused,
                  (unsigned long long) lost);
    CHECK_GT(refused, 0);
    CHECK_GT(lost, 0);
}

static void a_new_journal_on_a_bad_disk(void)
{
    lives_without_a_disk(remove_all, 0);
}

static void an_old_journal_on_a_bad_disk(void)
{
    leave_killed();
    lives_without_a_disk(bring_back, KEPT);
}

/* ---- memory ---- */

static void memory_run(bool is_new)
{
    struct life life = {.status = STATUS_OK};
    if (is_new) {
        remove_all();
    } else {
        bring_back();
    }
    points_arm();
    live(&life);
    const bool failed = points_disarm();
    check_said(&life, failed);
    check_left(&life, is_new ? 0 : KEPT);
}

static void new_run(void)
{
    memory_run(true);
}

static void old_run(void)
{
    memory_run(false);
}

static void journals_without_memory(void)
{
    const struct points_scenario making = {.name = "journal new", .run = new_run};
    const struct points_scenario using = {.name = "journal old", .run = old_run};
    leave_killed();
    points_check(&making);
    points_check(&using);
}

#define CASE_MS 300000

static const struct test_case cases[] = {
    {"a journal is made whole or not at all on a disk that fails", a_new_journal_on_a_bad_disk,
     CASE_MS},
    {"a journal on a disk that fails loses nothing that it called kept",
     an_old_journal_on_a_bad_disk, CASE_MS},
    {"a journal without memory loses nothing that it called kept", journals_without_memory,
     CASE_MS},
};
TEST_MAIN(cases)
