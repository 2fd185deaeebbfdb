/* SPDX-License-Identifier: MIT */
/* The epoch's file calls go through the wrappers below (the linker's --wrap), which note their
 * order and can fail any one of them. */
#include "base/lock_file.h"
#include "registry/registry.h"
#include "server/epoch.h"
#include "testing.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

_Static_assert(EPOCH_MAX == GEN_EPOCH_MAX, "the registry and the epoch file mean the same bits");

/* ---- the wrapped calls ---- */

ssize_t __real_write(int fd, const void *data, size_t size);
int __real_fsync(int fd);
int __real_renameat(int old_fd, const char *old_path, int new_fd, const char *new_path);
ssize_t __wrap_write(int fd, const void *data, size_t size);
int __wrap_fsync(int fd);
int __wrap_renameat(int old_fd, const char *old_path, int new_fd, const char *new_path);

static char calls[64]; /* w, f and r in the order of the calls */
static size_t calls_count;
static size_t calls_fail; /* the call with this number fails; SIZE_MAX: none */
static bool is_watching;

/* Whether this call is to fail. */
static bool note(char call)
{
    if (!is_watching) {
        return false;
    }
    CHECK_LT(calls_count, sizeof calls - 1);
    calls[calls_count++] = call;
    calls[calls_count] = '\0';
    errno = EIO;
    return calls_count - 1 == calls_fail;
}

ssize_t __wrap_write(int fd, const void *data, size_t size)
{
    return note('w') ? -1 : __real_write(fd, data, size);
}

int __wrap_fsync(int fd)
{
    return note('f') ? -1 : __real_fsync(fd);
}

int __wrap_renameat(int old_fd, const char *old_path, int new_fd, const char *new_path)
{
    return note('r') ? -1 : __real_renameat(old_fd, old_path, new_fd, new_path);
}

static void watch(size_t fail)
{
    calls_count = 0;
    calls[0] = '\0';
    calls_fail = fail;
    is_watching = true;
}

/* ---- helpers ---- */

static struct refusal refusal;

static const char *state_dir(void)
{
    static char path[512];

    (void) snprintf(path, sizeof path, "%s/state", test_directory());
    return path;
}

static const char *in_state_dir(const char *name)
{
    static char path[600];

    (void) snprintf(path, sizeof path, "%s/%s", state_dir(), name);
    return path;
}

static uint64_t epoch_of_a_start(void)
{
    struct epoch epoch;
    uint64_t number;

    if (!epoch_open(&epoch, state_dir(), &refusal)) {
        (void) fprintf(stderr, "%s\n", refusal.text);
        CHECK(false);
    }
    CHECK_EQ(epoch.counter_first, 1);
    number = epoch.number;
    epoch_close(&epoch);
    return number;
}

static size_t file_read(const char *name, char *text, size_t room)
{
    FILE *file = fopen(in_state_dir(name), "r");
    size_t size;

    CHECK(file != NULL);
    size = fread(text, 1, room - 1, file);
    text[size] = '\0';
    (void) fclose(file);
    return size;
}

static void file_write(const char *name, const char *text, size_t size)
{
    FILE *file = fopen(in_state_dir(name), "w");

    CHECK(file != NULL);
    CHECK_EQ(fwrite(text, 1, size, file), size);
    (void) fclose(file);
}

static void check_start_refused(enum refusal_code code)
{
    struct epoch epoch;

    CHECK(!epoch_open(&epoch, state_dir(), &refusal));
    CHECK_STR_EQ(refusal_name(refusal.code), refusal_name(code));
    CHECK(strlen(refusal.text) > 0);
    CHECK_EQ(refusal_exit_code(refusal.code), 1);
}

/* ---- durable ---- */

static void each_start_has_a_higher_epoch(void)
{
    for (uint64_t expected = 1; expected <= 5; expected++) {
        CHECK_EQ(epoch_of_a_start(), expected);
    }
}

static void a_raise_in_mid_run_goes_above_other_daemons(void)
{
    struct epoch epoch;

    CHECK(epoch_open(&epoch, state_dir(), &refusal));
    CHECK_EQ(epoch.number, 1);
    CHECK(epoch_raise(&epoch, &refusal));
    CHECK_EQ(epoch.number, 2);
    CHECK_EQ(epoch_of_a_start(), 3);
    CHECK(epoch_raise(&epoch, &refusal));
    CHECK_EQ(epoch.number, 4);
    epoch_close(&epoch);
}

static void a_raise_never_goes_back_though_the_file_did(void)
{
    struct epoch epoch;
    char old[128];
    size_t size;

    CHECK_EQ(epoch_of_a_start(), 1);
    size = file_read("epoch", old, sizeof old);
    CHECK_EQ(epoch_of_a_start(), 2);
    CHECK(epoch_open(&epoch, state_dir(), &refusal));
    file_write("epoch", old, size);
    CHECK(epoch_raise(&epoch, &refusal));
    CHECK_EQ(epoch.number, 4);
    epoch_close(&epoch);
}

static void a_number_is_given_only_after_write_sync_rename_sync(void)
{
    CHECK_EQ(epoch_of_a_start(), 1);
    watch(SIZE_MAX);
    CHECK_EQ(epoch_of_a_start(), 2);
    CHECK_STR_EQ(calls, "wfrf");
}

static void a_directory_that_is_made_is_synced_in_its_parent(void)
{
    watch(SIZE_MAX);
    CHECK_EQ(epoch_of_a_start(), 1);
    CHECK_STR_EQ(calls, "fwfrf");
}

static void no_failed_step_gives_a_number_or_loses_the_old_one(void)
{
    CHECK_EQ(epoch_of_a_start(), 1);
    for (size_t fail = 0; fail < 4; fail++) {
        struct epoch epoch;

        watch(fail);
        CHECK(!epoch_open(&epoch, state_dir(), &refusal));
        CHECK_EQ(refusal.code, REFUSAL_EPOCH_NOT_DURABLE);
        CHECK_EQ(calls_count, fail + 1); /* nothing is done after the failure */
        is_watching = false;
    }
    /* The last failure came after the rename: its number was given to nobody, and is passed over.
     */
    CHECK_EQ(epoch_of_a_start(), 3);
}

static void a_failed_raise_leaves_the_number(void)
{
    struct epoch epoch;

    CHECK(epoch_open(&epoch, state_dir(), &refusal));
    watch(1);
    CHECK(!epoch_raise(&epoch, &refusal));
    is_watching = false;
    CHECK_EQ(epoch.number, 1);
    CHECK(epoch_raise(&epoch, &refusal));
    CHECK_EQ(epoch.number, 2);
    epoch_close(&epoch);
}

static void a_leftover_of_a_crash_is_written_over(void)
{
    CHECK_EQ(epoch_of_a_start(), 1);
    file_write("epoch.new", "canceld epoch 9999999999999999999999999999999 check", 51);
    CHECK_EQ(epoch_of_a_start(), 2);
    CHECK_EQ(epoch_of_a_start(), 3);
}

static void a_damaged_file_starts_nothing_and_is_left_alone(void)
{
    char good[128];
    char bad[128];
    char after[128];
    size_t size;

    CHECK_EQ(epoch_of_a_start(), 1);
    size = file_read("epoch", good, sizeof good);
    /* any one byte changed */
    for (size_t i = 0; i < size; i++) {
        memcpy(bad, good, size + 1);
        bad[i] = (char) (bad[i] ^ 1);
        file_write("epoch", bad, size);
        check_start_refused(REFUSAL_EPOCH_DAMAGED);
        CHECK(strstr(refusal.text, state_dir()) != NULL);
        CHECK_EQ(file_read("epoch", after, sizeof after), size);
        CHECK_BYTES_EQ(after, size, bad, size);
    }
    /* cut at any place, the empty file included */
    for (size_t i = 0; i < size; i++) {
        file_write("epoch", good, i);
        check_start_refused(REFUSAL_EPOCH_DAMAGED);
    }
    /* longer */
    memcpy(bad, good, size);
    bad[size] = '\n';
    file_write("epoch", bad, size + 1);
    check_start_refused(REFUSAL_EPOCH_DAMAGED);
    file_write("epoch", good, size);
    CHECK_EQ(epoch_of_a_start(), 2);
}

/* The line with the highest number. Its check is that of the file's format, so a change of the
 * format that would orphan every state directory is seen here. */
static const char line_last[] = "canceld epoch 16777215 check e5b6ce2b15575f01\n";
static const char line_before_last[] = "canceld epoch 16777214 check 21df5651fd3d9ac7\n";

static void the_end_of_24_bits_is_an_error(void)
{
    struct epoch epoch;

    CHECK_EQ(epoch_of_a_start(), 1);
    file_write("epoch", line_before_last, strlen(line_before_last));
    CHECK(epoch_open(&epoch, state_dir(), &refusal));
    CHECK_EQ(epoch.number, EPOCH_MAX);
    CHECK(!epoch_raise(&epoch, &refusal));
    CHECK_EQ(refusal.code, REFUSAL_EPOCH_AT_END);
    CHECK_EQ(epoch.number, EPOCH_MAX);
    epoch_close(&epoch);
    check_start_refused(REFUSAL_EPOCH_AT_END);
    file_write("epoch", line_last, strlen(line_last));
    check_start_refused(REFUSAL_EPOCH_AT_END);
}

static void a_directory_that_cannot_be_written_starts_nothing(void)
{
    char path[600];
    struct epoch epoch;
    FILE *file;

    (void) snprintf(path, sizeof path, "%s/file", test_directory());
    file = fopen(path, "w");
    CHECK(file != NULL);
    (void) fclose(file);
    CHECK(!epoch_open(&epoch, path, &refusal));
    CHECK_EQ(refusal.code, REFUSAL_DIRECTORY);
    (void) snprintf(path, sizeof path, "%s/file/state", test_directory());
    CHECK(!epoch_open(&epoch, path, &refusal));
    CHECK_EQ(refusal.code, REFUSAL_DIRECTORY);
    CHECK(!epoch_open(&epoch, "/proc/no/such", &refusal));
    CHECK_EQ(refusal.code, REFUSAL_DIRECTORY);
}

static void a_link_in_place_of_the_file_is_not_followed(void)
{
    CHECK_EQ(epoch_of_a_start(), 1);
    CHECK_EQ(unlink(in_state_dir("epoch")), 0);
    CHECK_EQ(symlink("/dev/null", in_state_dir("epoch")), 0);
    check_start_refused(REFUSAL_EPOCH_NOT_DURABLE);
}

static void a_raise_waits_for_the_lock_and_not_for_ever(void)
{
    struct epoch epoch;
    struct lock_file lock;
    uint64_t began_ms;

    CHECK(epoch_open(&epoch, state_dir(), &refusal));
    CHECK_EQ(lock_file_take(&lock, epoch.directory_fd, "epoch.lock", 0), STATUS_OK);
    began_ms = test_now_ms();
    CHECK(!epoch_raise(&epoch, &refusal));
    CHECK_EQ(refusal.code, REFUSAL_EPOCH_LOCKED);
    CHECK_GE(test_now_ms() - began_ms, 100);
    lock_file_give(&lock);
    CHECK(epoch_raise(&epoch, &refusal));
    CHECK_EQ(epoch.number, 2);
    epoch_close(&epoch);
}

#define STARTERS 8
#define STARTS_EACH 25

/* Many processes raise the epoch of one directory; each writes the numbers it got into the pipe. */
static void starts_at_once_all_get_different_numbers(void)
{
    static bool seen[STARTERS * STARTS_EACH + 1];
    int ends[2];
    uint64_t number;

    CHECK_EQ(pipe(ends), 0);
    for (int i = 0; i < STARTERS; i++) {
        pid_t child = fork();

        CHECK_GE(child, 0);
        if (child == 0) {
            for (int k = 0; k < STARTS_EACH; k++) {
                number = epoch_of_a_start();
                CHECK_EQ(write(ends[1], &number, sizeof number), sizeof number);
            }
            _exit(0);
        }
    }
    (void) close(ends[1]);
    for (int i = 0; i < STARTERS * STARTS_EACH; i++) {
        CHECK_EQ(read(ends[0], &number, sizeof number), sizeof number);
        CHECK_GE(number, 1);
        CHECK_LE(number, STARTERS * STARTS_EACH);
        CHECK(!seen[number]);
        seen[number] = true;
    }
    (void) close(ends[0]);
    for (int i = 0; i < STARTERS; i++) {
        int status;

        CHECK_GT(wait(&status), 0);
        CHECK_EQ(status, 0);
    }
}

/* ---- ephemeral ---- */

#define ZERO_MS UINT64_C(1767225600000) /* date -u -d 2026-01-01 +%s000 */

static uint64_t wall_ms;

static uint64_t wall(void)
{
    return wall_ms;
}

static void an_ephemeral_epoch_is_the_minutes_since_2026(void)
{
    static const struct {
        uint64_t wall_ms;
        uint64_t number;
        uint64_t counter_first;
    } rows[] = {
        {ZERO_MS + 60000, 1, 1},
        {ZERO_MS + 60001, 1, UINT64_C(1) << 24},
        {ZERO_MS + 119999, 1, UINT64_C(59999) << 24},
        {ZERO_MS + 120000, 2, 1},
        {ZERO_MS + UINT64_C(525600) * 60000 + 250, 525600, UINT64_C(250) << 24},
        {ZERO_MS + EPOCH_MAX * 60000 + 59999, EPOCH_MAX, UINT64_C(59999) << 24},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct epoch epoch;

        wall_ms = rows[i].wall_ms;
        CHECK(epoch_open_ephemeral(&epoch, wall, &refusal));
        CHECK_EQ(epoch.number, rows[i].number);
        CHECK_EQ(epoch.counter_first, rows[i].counter_first);
        CHECK_LE(epoch.counter_first, GEN_COUNTER_MAX);
        epoch_close(&epoch);
    }
}

static void a_clock_that_gives_no_ephemeral_epoch_starts_nothing(void)
{
    struct epoch epoch;

    wall_ms = ZERO_MS + 59999;
    CHECK(!epoch_open_ephemeral(&epoch, wall, &refusal));
    CHECK_EQ(refusal.code, REFUSAL_SYSTEM);
    wall_ms = 0;
    CHECK(!epoch_open_ephemeral(&epoch, wall, &refusal));
    wall_ms = ZERO_MS + (EPOCH_MAX + 1) * 60000;
    CHECK(!epoch_open_ephemeral(&epoch, wall, &refusal));
    CHECK_EQ(refusal.code, REFUSAL_EPOCH_AT_END);
}

static void an_ephemeral_raise_waits_for_the_next_minute(void)
{
    struct epoch epoch;

    wall_ms = ZERO_MS + 600000;
    CHECK(epoch_open_ephemeral(&epoch, wall, &refusal));
    wall_ms += 59999;
    CHECK(!epoch_raise(&epoch, &refusal));
    CHECK_EQ(epoch.number, 10);
    wall_ms += 1;
    CHECK(epoch_raise(&epoch, &refusal));
    CHECK_EQ(epoch.number, 11);
    wall_ms -= 300000; /* the clock is set back */
    CHECK(!epoch_raise(&epoch, &refusal));
    CHECK_EQ(epoch.number, 11);
    epoch_close(&epoch);
}

static void the_wall_clock_is_that_of_today(void)
{
    uint64_t seconds = (uint64_t) time(NULL);
    uint64_t now_ms = epoch_wall_ms();

    CHECK_GE(now_ms / 1000, seconds);
    CHECK_LE(now_ms / 1000, seconds + 60);
}

static const struct test_case cases[] = {
    {"each start has a higher epoch", each_start_has_a_higher_epoch, 0},
    {"a raise in mid-run goes above other daemons", a_raise_in_mid_run_goes_above_other_daemons, 0},
    {"a raise never goes back though the file did", a_raise_never_goes_back_though_the_file_did, 0},
    {"a number is given only after write, sync, rename, sync",
     a_number_is_given_only_after_write_sync_rename_sync, 0},
    {"a directory that is made is synced in its parent",
     a_directory_that_is_made_is_synced_in_its_parent, 0},
    {"no failed step gives a number or loses the old one",
     no_failed_step_gives_a_number_or_loses_the_old_one, 0},
    {"a failed raise leaves the number", a_failed_raise_leaves_the_number, 0},
    {"a leftover of a crash is written over", a_leftover_of_a_crash_is_written_over, 0},
    {"a damaged file starts nothing and is left alone",
     a_damaged_file_starts_nothing_and_is_left_alone, 0},
    {"the end of 24 bits is an error", the_end_of_24_bits_is_an_error, 0},
    {"a directory that cannot be written starts nothing",
     a_directory_that_cannot_be_written_starts_nothing, 0},
    {"a link in place of the file is not followed", a_link_in_place_of_the_file_is_not_followed, 0},
    {"a raise waits for the lock and not for ever", a_raise_waits_for_the_lock_and_not_for_ever, 0},
    {"starts at once all get different numbers", starts_at_once_all_get_different_numbers, 0},
    {"an ephemeral epoch is the minutes since 2026", an_ephemeral_epoch_is_the_minutes_since_2026,
     0},
    {"a clock that gives no ephemeral epoch starts nothing",
     a_clock_that_gives_no_ephemeral_epoch_starts_nothing, 0},
    {"an ephemeral raise waits for the next minute", an_ephemeral_raise_waits_for_the_next_minute,
     0},
    {"the wall clock is that of today", the_wall_clock_is_that_of_today, 0},
};

TEST_MAIN(cases)
