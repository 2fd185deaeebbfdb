/* SPDX-License-Identifier: MIT */
/* kill -9 at any instant: what was told kept is there, as it was, and nothing that was never
 * given. */
#include "journal_rig.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A cancel for each n; each third one is ended by its owner in the record behind it. Numbers go on
 * from one life of the writer to the next. */
#define HAS_END(n) ((n) % 3 == 0)

/* Written by the writer, read by who kills it. */
struct shared {
    volatile uint64_t given;       /* the highest n given */
    volatile uint64_t kept_cancel; /* the highest n whose cancel was told kept */
    volatile uint64_t kept_end;    /* and whose end was, if it has one */
};

#define NUMBERS_MAX ((size_t) 1 << 20)

struct writer_life {
    struct shared *shared;
    struct journal *journal;
    uint64_t numbers; /* given in this life */
    uint64_t *n_of;   /* by number; the highest bit: an end's */
};

#define END_BIT (UINT64_C(1) << 63)

static void on_kept(void *context, uint64_t number)
{
    const struct writer_life *life = context;
    const uint64_t newest = life->n_of[number];
    const uint64_t n = newest & ~END_BIT;
    life->shared->kept_cancel = n;
    life->shared->kept_end = (newest & END_BIT) != 0 || !HAS_END(n) ? n : n - 1;
}

static void on_failed(void *context)
{
    (void) context;
    test_failed(__FILE__, __LINE__, "the journal failed");
}

static void give(struct writer_life *life, const struct journal_record *record, uint64_t n)
{
    CHECK_LT(life->numbers + 1, NUMBERS_MAX);
    life->n_of[++life->numbers] = n;
    journal_append(life->journal, record);
}

static void give_one(struct writer_life *life)
{
    const uint64_t n = life->shared->given + 1;
    const struct journal_record cancel = rig_cancel(n);
    life->shared->given = n; /* before it can be in the file */
    give(life, &cancel, n);
    if (HAS_END(n)) {
        const struct journal_record end = rig_end(n, true);
        give(life, &end, n | END_BIT);
    }
}

_Noreturn static void write_until_killed(struct shared *shared, uint64_t epoch, bool sync_power,
                                         uint64_t seed)
{
    const struct actor_options actors = {.actors_max = 16, .mailbox_max = 16};
    const struct journal_options options = {
        .file = {.directory = test_directory(), .sync_power = sync_power, .epoch = epoch},
        .bytes_max = 16777216,
        .wall_ms = rig_wall_ms};
    struct writer_life life = {.shared = shared};
    const struct journal_handler handler = {.context = &life, .kept = on_kept, .failed = on_failed};
    char error[JOURNAL_ERROR_BYTES] = "";
    struct actor_system *system = actor_system_new(&actors);
    struct actor_loop *owner = actor_loop_new(system, "owner");
    life.n_of = calloc(NUMBERS_MAX, sizeof *life.n_of);
    CHECK_EQ(journal_open(system, &options, &life.journal, error), STATUS_OK);
    CHECK_EQ(journal_load(life.journal, rig_take, NULL, error), STATUS_OK);
    CHECK_EQ(journal_attach(life.journal, owner, &handler), STATUS_OK);
    CHECK_EQ(journal_start(life.journal), STATUS_OK);
    for (;;) {
        for (uint64_t i = test_random(&seed) % 20; i > 0 && journal_pending(life.journal) < 20000;
             i--) {
            give_one(&life);
        }
        /* A turn whose batch is empty still hands over what was given. */
        if (!actor_loop_step(owner, 16)) {
            (void) sched_yield();
        }
    }
}

static void check_loaded(const struct loaded *loaded, const struct shared *shared)
{
    uint64_t before = 0;
    uint64_t at = 0;
    for (uint64_t n = 1; n <= shared->given; n++) {
        const bool is_there = at < loaded->count && !loaded->records[at].by_owner &&
                              loaded->records[at].gen == RIG_GEN(n);
        if (is_there) {
            const struct journal_record expected = rig_cancel(n);
            check_records_equal(&loaded->records[at++], &expected);
            CHECK_GT(n, before);
            before = n;
        }
        if (HAS_END(n)) {
            CHECK(!is_there || n > shared->kept_end);
        } else {
            CHECK(is_there || n > shared->kept_cancel);
        }
    }
    for (; at < loaded->count; at++) { /* nothing else but what may be ended again */
        CHECK(loaded->records[at].by_owner);
        CHECK(HAS_END(loaded->records[at].gen - RIG_GEN(0)));
    }
}

/* What the dead one gave and was not told of may be there or not; from here on it is: a cancel, or
 * ended. */
static void settle_unknown(struct journal_file *file, struct shared *shared)
{
    struct journal_record records[16];
    size_t count = 0;
    for (uint64_t n = shared->kept_end + 1; n <= shared->given; n++) {
        records[count++] = HAS_END(n) ? rig_end(n, true) : rig_cancel(n);
        if (count == sizeof records / sizeof records[0] || n == shared->given) {
            CHECK(rig_keep(file, records, count));
            count = 0;
        }
    }
    shared->kept_cancel = shared->given;
    shared->kept_end = shared->given;
}

static void kill_soon(pid_t child, uint64_t us)
{
    const uint64_t end_ns = clock_now_ns(&clock_system) + us * 1000;
    while (clock_now_ns(&clock_system) < end_ns) {
        (void) sched_yield();
    }
    CHECK_EQ(kill(child, SIGKILL), 0);
    CHECK_EQ(waitpid(child, NULL, 0), child);
}

static void kill_again_and_again(bool sync_power)
{
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint64_t seed = test_seed();
    uint64_t unknown = 0;
    uint64_t early = 0;
    const uint64_t kills = rig_rounds(20);
    CHECK(shared != MAP_FAILED);
    for (uint64_t i = 0; i < kills; i++) {
        const uint64_t given = shared->given;
        const uint64_t epoch = RIG_EPOCH + 1 + 2 * i;
        const uint64_t life_seed = test_random(&seed);
        const pid_t child = fork();
        if (child == 0) {
            write_until_killed(shared, epoch, sync_power, life_seed);
        }
        if (test_random(&seed) % 5 != 0) { /* else also while it opens the file */
            CHECK_EVENTUALLY(shared->given > given);
        }
        kill_soon(child, test_random(&seed) % 20000);
        struct journal_file *file = rig_open(epoch + 1);
        struct loaded loaded = rig_load(file);
        check_loaded(&loaded, shared);
        unknown += shared->given > shared->kept_end;
        early += shared->given == given;
        settle_unknown(file, shared);
        loaded_free(&loaded);
        journal_file_close(file);
    }
    (void) printf(
        "  %llu kills, %llu records kept, %llu with records on their way, %llu before the "
        "first record: 0 lost, 0 invented\n",
        (unsigned long long) kills, (unsigned long long) shared->kept_end,
        (unsigned long long) unknown, (unsigned long long) early);
    CHECK_GE(unknown, kills / 4);
    CHECK_EQ(munmap(shared, sizeof *shared), 0);
}

static void killed_process(void)
{
    kill_again_and_again(false);
}

static void killed_power(void)
{
    kill_again_and_again(true);
}

static const struct test_case cases[] = {
    {"kill -9 at any instant loses nothing that was kept, sync process", killed_process, 600000},
    {"kill -9 at any instant loses nothing that was kept, sync power", killed_power, 600000},
};
TEST_MAIN(cases)
