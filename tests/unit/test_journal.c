/* SPDX-License-Identifier: MIT */
/* The journal's two actors: batches, the order of what is told, failures, bounds, the end. Most cases
 * turn both loops by hand. */
#include "journal/journal_state.h"
#include "journal_rig.h"

#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define KEPT_MAX 100000

struct rig {
    struct actor_system *system;
    struct actor_loop *owner;
    struct journal *journal;
    /* What the handler was told. */
    uint64_t kept[KEPT_MAX];
    size_t kept_count;
    uint64_t failed;
    uint64_t tickets[64];
    size_t tickets_count;
    size_t entries_count; /* of the newest page */
    uint64_t next_cursor;
    bool page_failed;
};

static void on_kept(void *context, uint64_t number)
{
    struct rig *rig = context;
    CHECK_LT(rig->kept_count, KEPT_MAX);
    CHECK(rig->kept_count == 0 || number > rig->kept[rig->kept_count - 1]);
    rig->kept[rig->kept_count++] = number;
}

static void on_failed(void *context)
{
    struct rig *rig = context;
    rig->failed++;
}

static void on_history(void *context, uint64_t ticket, const struct history_entry *entries,
                       size_t entries_count, uint64_t next_cursor, bool failed)
{
    struct rig *rig = context;
    CHECK(entries_count == 0 || entries[0].kind != HISTORY_UNSET);
    rig->tickets[rig->tickets_count++] = ticket;
    rig->entries_count = entries_count;
    rig->next_cursor = next_cursor;
    rig->page_failed = failed;
}

struct setup {
    const struct clock *clock;
    bool sync_power;
    uint64_t bytes_max;
    uint64_t epoch;
};

static void rig_init(struct rig *rig, const struct setup *setup)
{
    const struct actor_options actors = {
        .clock = setup->clock, .actors_max = 16, .mailbox_max = 16};
    const struct journal_options options = {
        .file = {.directory = test_directory(),
                 .sync_power = setup->sync_power,
                 .epoch = setup->epoch == 0 ? RIG_EPOCH : setup->epoch,
                 .clock = setup->clock},
        .bytes_max = setup->bytes_max == 0 ? 1048576 : setup->bytes_max,
        .wall_ms = rig_wall_ms};
    const struct journal_handler handler = {
        .context = rig, .kept = on_kept, .failed = on_failed, .history = on_history};
    char error[JOURNAL_ERROR_BYTES] = "";
    *rig = (struct rig){0};
    rig->system = actor_system_new(&actors);
    CHECK(rig->system != NULL);
    rig->owner = actor_loop_new(rig->system, "owner");
    CHECK(rig->owner != NULL);
    const enum status status = journal_open(rig->system, &options, &rig->journal, error);
    (void) fputs(error, stderr);
    CHECK_EQ(status, STATUS_OK);
    CHECK_EQ(journal_load(rig->journal, rig_take, NULL, error), STATUS_OK);
    CHECK_EQ(journal_attach(rig->journal, rig->owner, &handler), STATUS_OK);
}

static struct rig *rig_new(const struct setup *setup)
{
    struct rig *rig = malloc(sizeof *rig);
    CHECK(rig != NULL);
    rig_init(rig, setup);
    return rig;
}

/* The end of a daemon that is not ended in order. */
static void rig_drop(struct rig *rig)
{
    actor_loop_stop(rig->owner, false);
    journal_close(rig->journal);
    actor_system_free(rig->system);
    free(rig);
}

static void rig_stop(struct rig *rig)
{
    char error[JOURNAL_ERROR_BYTES] = "";
    actor_loop_stop(rig->owner, false);
    CHECK(journal_stop(rig->journal, error));
    rig_drop(rig);
}

static void rig_step(struct rig *rig)
{
    bool more = true;
    while (more) {
        more = actor_loop_step(rig->owner, ACTOR_BATCH_MAX);
        more = actor_loop_step(journal_loop(rig->journal), ACTOR_BATCH_MAX) || more;
    }
}

static uint64_t stat_of(const struct rig *rig, const char *name)
{
    struct stat_row rows[JOURNAL_STATS_COUNT];
    const size_t count = journal_stats(rig->journal, rows);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            return rows[i].value;
        }
    }
    test_failed(__FILE__, __LINE__, name);
}

static void append(struct rig *rig, uint64_t n)
{
    const struct journal_record record = rig_cancel(n);
    journal_append(rig->journal, &record);
}

/* What is in the file after the end, by its gens: 1 to `count`, and nothing else. */
static void check_file(uint64_t count)
{
    struct journal_file *file = rig_open(RIG_EPOCH + 1);
    struct loaded loaded = rig_load(file);
    CHECK_EQ(loaded.count, count);
    for (uint64_t i = 0; i < count; i++) {
        const struct journal_record expected = rig_cancel(i + 1);
        check_records_equal(&loaded.records[i], &expected);
    }
    loaded_free(&loaded);
    journal_file_close(file);
}

static const struct setup by_hand = {.clock = &rig_clock};

/* ---- batches ---- */

static void one_commit_for_many(void)
{
    struct rig *rig = rig_new(&by_hand);
    uint64_t n = 0;
    rig_step(rig);
    for (size_t i = 0; i < 1000; i++) {
        append(rig, ++n);
    }
    CHECK_GT(journal_pending(rig->journal), 0);
    rig_pass_ms(1);
    journal_flush(rig->journal);
    for (size_t i = 0; i < 500; i++) { /* while that is on its way */
        append(rig, ++n);
        journal_flush(rig->journal);
    }
    CHECK_EQ(rig->kept_count, 0);
    rig_step(rig);
    CHECK_EQ(rig->kept_count, 2);
    CHECK_EQ(rig->kept[0], 1000);
    CHECK_EQ(rig->kept[1], 1500);
    CHECK_EQ(rig->failed, 0);
    CHECK_EQ(journal_pending(rig->journal), 0);
    CHECK_EQ(stat_of(rig, "journal_batches"), 2);
    CHECK_EQ(stat_of(rig, "journal_records"), 1500);
    rig_stop(rig);
    check_file(1500);
}

static bool is_kept(struct rig *rig, uint64_t number)
{
    (void) actor_loop_step(rig->owner, 16);
    return rig->kept_count > 0 && rig->kept[rig->kept_count - 1] >= number;
}

static void its_own_thread(void)
{
    const struct setup setup = {.clock = &clock_system};
    struct rig *rig = rig_new(&setup);
    uint64_t seed = test_seed();
    uint64_t n = 0;
    const uint64_t all = rig_rounds(10000);
    CHECK_EQ(journal_start(rig->journal), STATUS_OK);
    while (n < all) {
        for (uint64_t i = test_random(&seed) % 200; i > 0 && n < all; i--) {
            append(rig, ++n);
        }
        journal_flush(rig->journal);
        (void) actor_loop_step(rig->owner, 1);
    }
    CHECK_EVENTUALLY(is_kept(rig, all));
    (void) printf("  %llu records in %zu batches\n", (unsigned long long) all, rig->kept_count);
    CHECK_LT(rig->kept_count, all);
    rig_stop(rig);
    check_file(all);
}

/* ---- failures ---- */

static void ignore_signal(void)
{
    const struct sigaction ignored = {.sa_handler = SIG_IGN};
    CHECK_EQ(sigaction(SIGXFSZ, &ignored, NULL), 0);
}

/* No file of this process may become longer than that: a disk that is full. */
static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    CHECK_EQ(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    CHECK_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void failure_is_told_once(void)
{
    struct rig *rig = rig_new(&by_hand);
    ignore_signal();
    append(rig, 1);
    rig_step(rig);
    CHECK_EQ(rig->kept_count, 1);
    limit_files(4096);
    for (uint64_t n = 2; n <= 100; n++) {
        append(rig, n);
    }
    rig_pass_ms(1);
    journal_flush(rig->journal);
    rig_step(rig);
    CHECK_EQ(rig->failed, 1);
    CHECK_EQ(stat_of(rig, "journal_failing"), 1);
    CHECK_EQ(journal_trouble(rig->journal), (int) stat_of(rig, "journal_error"));
    CHECK_NE(journal_trouble(rig->journal), 0);
    (void) printf("  %s\n", journal_trouble_text(journal_trouble(rig->journal)));
    CHECK(strcmp(journal_trouble_text(journal_trouble(rig->journal)), journal_trouble_text(0)) !=
          0);
    CHECK_NE(stat_of(rig, "journal_error"), 0);
    for (uint64_t i = 0; i < 5; i++) {
        append(rig, 101 + i);
        rig_pass_ms(JOURNAL_RETRY_MS);
        rig_step(rig);
    }
    CHECK_EQ(rig->failed, 1); /* tried again and again, told once */
    CHECK_EQ(rig->kept_count, 1);
    CHECK_EQ(rig->journal->under_way == NULL, false);
    limit_files(RLIM_INFINITY);
    rig_pass_ms(JOURNAL_RETRY_MS);
    rig_step(rig);
    CHECK_EQ(rig->kept_count, 3);
    CHECK_EQ(rig->kept[1], 100);
    CHECK_EQ(rig->kept[2], 105);
    CHECK_EQ(rig->failed, 1);
    CHECK_EQ(stat_of(rig, "journal_failing"), 0);
    CHECK_EQ(journal_trouble(rig->journal), 0);
    CHECK_EQ(stat_of(rig, "journal_error"), 0);
    CHECK_GE(stat_of(rig, "journal_failures"), 6);
    limit_files(4096); /* the next one is told again */
    append(rig, 106);
    rig_pass_ms(1);
    journal_flush(rig->journal);
    rig_step(rig);
    CHECK_EQ(rig->failed, 2);
    limit_files(RLIM_INFINITY);
    rig_pass_ms(JOURNAL_RETRY_MS);
    rig_step(rig);
    CHECK_EQ(rig->kept_count, 4);
    rig_stop(rig);
    check_file(106);
}

/* At every length of the files: whatever write it is that fails. */
static void failure_at_any_write(void)
{
    struct rig *rig = rig_new(&by_hand);
    struct stat wal;
    char path[256];
    uint64_t n = 0;
    uint64_t rounds_failed = 0;
    ignore_signal();
    (void) snprintf(path, sizeof path, "%s/journal.sqlite-wal", test_directory());
    for (uint64_t i = 0; i < rig_rounds(100); i++) {
        const uint64_t failed = rig->failed;
        for (size_t j = 0; j < 40; j++) {
            append(rig, ++n);
        }
        CHECK_EQ(stat(path, &wal), 0);
        limit_files((rlim_t) wal.st_size + (rlim_t) (i * 137 % 40000));
        rig_pass_ms(JOURNAL_RETAIN_MS);
        journal_flush(rig->journal);
        rig_step(rig);
        rounds_failed += rig->failed - failed;
        limit_files(RLIM_INFINITY);
        rig_pass_ms(JOURNAL_RETRY_MS);
        rig_step(rig);
        CHECK_EQ(rig->kept[rig->kept_count - 1], n);
    }
    (void) printf("  %llu commits failed\n", (unsigned long long) rounds_failed);
    CHECK_GT(rounds_failed, 0);
    rig_stop(rig);
    check_file(n);
}

/* ---- bounds ---- */

#define SMALL 65536

static void memory_is_bounded(void)
{
    const struct setup setup = {.clock = &rig_clock, .bytes_max = SMALL};
    struct rig *rig = rig_new(&setup);
    uint64_t n = 0;
    uint64_t ends = 0;
    while (stat_of(rig, "journal_ends_dropped") == 0) {
        const struct journal_record record = rig_end(++ends, true);
        journal_append(rig->journal, &record);
    }
    CHECK_LE(journal_pending(rig->journal), SMALL * JOURNAL_OVER_ENDS_FACTOR);
    CHECK_GE(journal_pending(rig->journal), SMALL * JOURNAL_OVER_ENDS_FACTOR - 2048);
    while (stat_of(rig, "journal_overrun") == 0) {
        append(rig, ++n);
    }
    CHECK_LE(journal_pending(rig->journal), SMALL * JOURNAL_OVER_FACTOR);
    CHECK_GE(journal_pending(rig->journal), SMALL * JOURNAL_OVER_FACTOR - 2048);
    /* One was lost that somebody may be told of: from now on nothing is called kept. */
    rig_step(rig);
    CHECK_EQ(rig->failed, 1);
    CHECK_EQ(rig->kept_count, 0);
    append(rig, 1000000);
    rig_pass_ms(1);
    journal_flush(rig->journal);
    rig_step(rig);
    CHECK_EQ(rig->kept_count, 0);
    CHECK_EQ(journal_pending(rig->journal), 0);
    char error[JOURNAL_ERROR_BYTES] = "";
    actor_loop_stop(rig->owner, false);
    CHECK(!journal_stop(rig->journal, error));
    CHECK(strstr(error, "--limit-journal-bytes") != NULL);
    rig_drop(rig);
}

static void dropped_ends_are_counted_as_numbers(void)
{
    const struct setup setup = {.clock = &rig_clock, .bytes_max = SMALL};
    struct rig *rig = rig_new(&setup);
    uint64_t number = 0;
    for (; stat_of(rig, "journal_ends_dropped") < 10; number++) {
        const struct journal_record record = rig_end(number, true);
        journal_append(rig->journal, &record);
    }
    append(rig, 1);
    rig_step(rig);
    CHECK_EQ(rig->kept_count, 1);
    CHECK_EQ(rig->kept[0], number + 1);
    rig_stop(rig);
    check_file(1);
}

/* ---- history ---- */

static bool ask(struct rig *rig, uint64_t ticket, uint32_t items_max)
{
    char space[] = "default"; /* borrowed for the call alone */
    const struct history_query query = {
        .space = bytes_of_string(space), .items_max = items_max, .bytes_max = 60000};
    const bool asked = journal_history(rig->journal, ticket, &query);
    memset(space, 'x', sizeof space);
    return asked;
}

static void history_comes_back(void)
{
    struct rig *rig = rig_new(&by_hand);
    for (uint64_t n = 1; n <= 20; n++) {
        append(rig, n);
    }
    rig_step(rig);
    for (uint64_t i = 0; i < JOURNAL_HISTORIES_MAX; i++) {
        CHECK(ask(rig, 100 + i, 4));
    }
    CHECK(!ask(rig, 999, 4));
    rig_step(rig);
    CHECK_EQ(rig->tickets_count, JOURNAL_HISTORIES_MAX);
    CHECK_EQ(rig->tickets[0], 100);
    CHECK_EQ(rig->tickets[15], 115);
    CHECK_EQ(rig->entries_count, 4);
    CHECK_NE(rig->next_cursor, 0);
    CHECK(!rig->page_failed);
    CHECK(ask(rig, 200, 4)); /* there is room again */
    rig_stop(rig);           /* and nobody waits for this one */
}

/* ---- the end ---- */

static void end_keeps_what_is_left(void)
{
    struct rig *rig = rig_new(&by_hand);
    append(rig, 1);
    rig_step(rig);
    append(rig, 2);
    journal_flush(rig->journal); /* stands in the mailbox */
    append(rig, 3);              /* stands in the buffer */
    rig_stop(rig);
    check_file(3);
}

static void end_tells_of_a_failure(void)
{
    char error[JOURNAL_ERROR_BYTES] = "";
    struct rig *rig = rig_new(&by_hand);
    ignore_signal();
    append(rig, 1);
    rig_step(rig);
    limit_files(4096);
    append(rig, 2);
    rig_pass_ms(1);
    journal_flush(rig->journal);
    rig_step(rig);
    CHECK_EQ(rig->failed, 1);
    append(rig, 3);
    actor_loop_stop(rig->owner, false);
    CHECK(!journal_stop(rig->journal, error));
    (void) printf("  %s\n", error);
    CHECK(strstr(error, "could not keep") != NULL);
    limit_files(RLIM_INFINITY);
    rig_drop(rig);
    check_file(1);
}

/* ---- how fast ---- */

static int by_size(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *) a;
    const uint64_t y = *(const uint64_t *) b;
    return (x > y) - (x < y);
}

static void turn_until_kept(struct rig *rig, uint64_t number)
{
    while (!is_kept(rig, number)) {
        (void) sched_yield();
    }
}

/* One at a time: from the record to `kept`, there and back over two threads. */
static void measure_latency(struct rig *rig, uint64_t *n, const char *name)
{
    const size_t count = (size_t) rig_rounds(500);
    uint64_t *spans_us = calloc(count, sizeof *spans_us);
    CHECK(spans_us != NULL);
    for (size_t i = 0; i < count; i++) {
        const uint64_t since_ns = clock_now_ns(&clock_system);
        append(rig, ++*n);
        journal_flush(rig->journal);
        turn_until_kept(rig, *n);
        spans_us[i] = (clock_now_ns(&clock_system) - since_ns) / 1000;
    }
    qsort(spans_us, count, sizeof *spans_us, by_size);
    (void) printf("  %s: one at a time, kept after p50 %llu us, p99 %llu us, max %llu us\n", name,
                  (unsigned long long) spans_us[count / 2],
                  (unsigned long long) spans_us[count * 99 / 100],
                  (unsigned long long) spans_us[count - 1]);
    free(spans_us);
}

static void measure_rate(struct rig *rig, uint64_t *n, const char *name)
{
    const uint64_t count = rig_rounds(20000);
    const uint64_t first = *n;
    const size_t batches = rig->kept_count;
    const uint64_t since_ns = clock_now_ns(&clock_system);
    while (*n < first + count) {
        if (journal_pending(rig->journal) < 1048576) {
            append(rig, ++*n);
            journal_flush(rig->journal);
        } else if (!actor_loop_step(rig->owner, 16)) {
            (void) sched_yield();
        }
    }
    turn_until_kept(rig, *n);
    const uint64_t span_us = (clock_now_ns(&clock_system) - since_ns) / 1000;
    (void) printf("  %s: %llu records/s in %zu batches, commits p50 %llu us, p99 %llu us\n", name,
                  (unsigned long long) (count * 1000000 / span_us), rig->kept_count - batches,
                  (unsigned long long) stat_of(rig, "journal_commit_us_p50"),
                  (unsigned long long) stat_of(rig, "journal_commit_us_p99"));
}

static void measure(const char *name, bool sync_power)
{
    const struct setup setup = {
        .clock = &clock_system, .sync_power = sync_power, .bytes_max = 4 * 1048576};
    struct rig *rig = rig_new(&setup);
    uint64_t n = 0;
    CHECK_EQ(journal_start(rig->journal), STATUS_OK);
    measure_latency(rig, &n, name);
    measure_rate(rig, &n, name);
    rig_stop(rig);
}

static void measure_process(void)
{
    measure("sync process", false);
}

static void measure_power(void)
{
    measure("sync power", true);
}

static const struct test_case cases[] = {
    {"records of one turn, and those that come meanwhile, share a commit", one_commit_for_many},
    {"on its own thread every record is kept, in order", its_own_thread},
    {"a failed commit is told once, tried again, and loses nothing", failure_is_told_once},
    {"a commit that fails at any write loses nothing", failure_at_any_write},
    {"memory has its bounds, and what was lost is never called kept", memory_is_bounded},
    {"a dropped end has a number like any other", dropped_ends_are_counted_as_numbers},
    {"pages of the history come back to who asked", history_comes_back},
    {"the end keeps what is left", end_keeps_what_is_left},
    {"an end that cannot keep everything says so", end_tells_of_a_failure},
    {"how fast: sync process (printed, not asserted)", measure_process},
    {"how fast: sync power (printed, not asserted)", measure_power},
};
TEST_MAIN(cases)
