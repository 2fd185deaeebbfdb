/* SPDX-License-Identifier: MIT */
/* A crowd: chaos_crowd URL CANCEL_URL SECONDS KILL_MS STOP_MS LOSSES SEED
 *
 * Four owners and four cancellers, users of the client library, work for so many SECONDS with a daemon that is not
 * ours, the cancellers over another url where one is named ("-": the same). About every KILL_MS (0: never) one of
 * them is killed by SIGKILL, and another takes its place; about every STOP_MS one is stopped by SIGSTOP, for less
 * than the daemon and the library bear with. Afterwards the accounts of both sides are compared, and the daemon
 * is asked about each operation of a killed owner:
 *
 *   - these, and no others, have ended as OWNER_LOST, and say of a cancel if one was answered
 *   - every other cancel that was answered, its owner heard of: by a notice, or from its end
 *
 * With LOSSES 1 owners may lose what they have (their link is away for longer than their session lives), and some
 * have to; but a cancel that was answered shows in the end of each. An end whose answer was lost with its session is
 * asked for again in the next one, and answered as ENDED, with the outcome that its owner wanted.
 *
 * What does not hold is printed whole: see kill_loop_tell(). */
#include "crowd.h"
#include "bound_child.h"
#include "testing.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define ALL (OWNERS + CANCELLERS)
#define HEARTBEAT_MS 500
#define STOP_LEAST_MS 50
#define REST_MS 1500
#define STOP_MOST_MS 800 /* far below the grace: its link may be cut meanwhile */
#define PROGRESS_MS 5000
#define MORE_MS 30000

struct one {
    pid_t pid;
    uint64_t first;         /* an owner's: its first record */
    uint64_t stopped_to_ms; /* 0: it is not stopped */
    uint64_t
        rests_to_ms; /* it is not stopped again before: stops in a row would be one that is too long */
};

struct chances {
    uint64_t random;
    uint64_t kill_ms;
    uint64_t stop_ms;
    uint64_t next_kill_ms;
    uint64_t next_stop_ms;
    uint64_t killed[2]; /* cancellers, owners */
    uint64_t stopped[2];
};

static struct one every[ALL]; /* owners first */

__attribute__((noreturn)) static void fail(const char *what, uint64_t number)
{
    (void) fprintf(stderr, "chaos_crowd: %s (%" PRIu64 ")\n", what, number);
    exit(EXIT_FAILURE);
}

static void note_act(struct crowd *crowd, size_t number, const char *what)
{
    crowd->acts[crowd->acts_count++ % ACTS_MAX] =
        (struct act){.at_ms = test_now_ms(), .number = number, .what = what};
}

static bool is_owner(size_t number)
{
    return number < OWNERS;
}

/* ---- one of them ---- */

static int work(struct crowd *crowd, size_t number)
{
    return is_owner(number) ? kill_loop_own(&crowd->shared, (unsigned) number)
                            : kill_loop_cancel(&crowd->shared, (unsigned) (number - OWNERS));
}

static pid_t start(void)
{
    const pid_t pid = bound_child_fork();
    if (pid < 0) {
        fail("cannot fork", (uint64_t) errno);
    }
    return pid;
}

static void start_one(struct crowd *crowd, size_t number)
{
    every[number] =
        (struct one){.first = is_owner(number) ? crowd->shared.owners[number].stored : 0};
    every[number].pid = start();
    if (every[number].pid == 0) {
        exit(work(crowd, number));
    }
}

static void await_success(pid_t pid, size_t number)
{
    int status;
    if (waitpid(pid, &status, 0) != pid || status != 0) {
        fail("one of the crowd failed", number);
    }
}

/* What a killed owner had and had not ended: they are orphans. The record after the last was perhaps begun; it is
 * left to the daemon. */
static void orphan_all(struct crowd *crowd, size_t number, uint64_t first)
{
    struct owner *owner = &crowd->shared.owners[number];
    const uint64_t end = atomic_fetch_add(&owner->stored, 1) + 1;
    for (uint64_t at = first; at < end; at++) {
        const struct record *record = &owner->records[at];
        if (record->gen == 0 || record->finish != FINISH_NONE) {
            continue;
        }
        if (crowd->orphans_count == ORPHANS_MAX) {
            fail("too many orphans", crowd->orphans_count);
        }
        crowd->orphans[crowd->orphans_count++] =
            (struct orphan){.owner = (unsigned) number, .at = at};
    }
}

static void kill_one(struct crowd *crowd, size_t number)
{
    const uint64_t first = every[number].first;
    int status;
    note_act(crowd, number, "killed");
    (void) kill(every[number].pid, SIGKILL);
    if (waitpid(every[number].pid, &status, 0) != every[number].pid || !WIFSIGNALED(status)) {
        fail("one of the crowd ended before it was killed", number);
    }
    if (is_owner(number)) {
        orphan_all(crowd, number, first);
    } else { /* what it had on its way, nobody will hear of */
        struct canceller *canceller = &crowd->shared.cancellers[number - OWNERS];
        atomic_store(&canceller->answered, atomic_load(&canceller->sent));
    }
    start_one(crowd, number);
    note_act(crowd, number, "started anew");
}

/* ---- chance ---- */

static uint64_t next_after(struct chances *chances, uint64_t now_ms, uint64_t every_ms)
{
    return every_ms == 0 ? UINT64_MAX : now_ms + 1 + test_random(&chances->random) % (2 * every_ms);
}

static void let_go_on(struct crowd *crowd, uint64_t now_ms)
{
    for (size_t i = 0; i < ALL; i++) {
        if (every[i].stopped_to_ms != 0 && now_ms >= every[i].stopped_to_ms) {
            (void) kill(every[i].pid, SIGCONT);
            note_act(crowd, i, "goes on");
            every[i].stopped_to_ms = 0;
            every[i].rests_to_ms = now_ms + REST_MS;
        }
    }
}

static void take_chances(struct crowd *crowd, struct chances *chances, uint64_t now_ms)
{
    const size_t number = (size_t) (test_random(&chances->random) % ALL);
    let_go_on(crowd, now_ms);
    if (now_ms >= chances->next_kill_ms) {
        kill_one(crowd, number);
        chances->killed[is_owner(number)]++;
        chances->next_kill_ms = next_after(chances, now_ms, chances->kill_ms);
    } else if (now_ms >= chances->next_stop_ms && every[number].stopped_to_ms == 0 &&
               now_ms >= every[number].rests_to_ms) {
        (void) kill(every[number].pid, SIGSTOP);
        note_act(crowd, number, "stopped");
        every[number].stopped_to_ms =
            now_ms + STOP_LEAST_MS + test_random(&chances->random) % (STOP_MOST_MS - STOP_LEAST_MS);
        chances->stopped[is_owner(number)]++;
        chances->next_stop_ms = next_after(chances, now_ms, chances->stop_ms);
    }
}

static uint64_t accepted_count(const struct crowd *crowd)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < CANCELLERS; i++) {
        count += atomic_load(&crowd->shared.cancellers[i].accepted);
    }
    return count;
}

/* Whether each kind came up: a machine that is busy gets the time that this takes. */
static bool all_were_disturbed(const struct chances *chances)
{
    return (chances->kill_ms == 0 || (chances->killed[true] > 1 && chances->killed[false] > 0)) &&
           (chances->stop_ms == 0 || (chances->stopped[true] > 0 && chances->stopped[false] > 0));
}

static void let_all_work(struct crowd *crowd, struct chances *chances, uint64_t seconds)
{
    const uint64_t begin_ms = test_now_ms();
    uint64_t told_ms = begin_ms;
    chances->next_kill_ms = next_after(chances, begin_ms, chances->kill_ms);
    chances->next_stop_ms = next_after(chances, begin_ms, chances->stop_ms);
    const uint64_t end_ms = begin_ms + 1000 * seconds;
    for (uint64_t now_ms = begin_ms;
         now_ms < end_ms || (now_ms < end_ms + MORE_MS && !all_were_disturbed(chances));
         now_ms = test_now_ms()) {
        take_chances(crowd, chances, now_ms);
        if (now_ms > told_ms + PROGRESS_MS) {
            told_ms = now_ms;
            (void) fprintf(stderr, "chaos_crowd: %" PRIu64 " cancels answered\n",
                           accepted_count(crowd));
        }
        (void) poll(NULL, 0, 1);
    }
    let_go_on(crowd, UINT64_MAX - REST_MS);
}

/* ---- the end ---- */

static int compare_orphans(const void *a, const void *b)
{
    const struct orphan *x = a, *y = b;
    return x->owner != y->owner ? (x->owner > y->owner) - (x->owner < y->owner)
                                : (x->at > y->at) - (x->at < y->at);
}

static void end_all(struct crowd *crowd)
{
    atomic_store(&crowd->shared.stop, true);
    for (size_t i = 0; i < ALL; i++) {
        await_success(every[i].pid, i);
    }
    qsort(crowd->orphans, crowd->orphans_count, sizeof crowd->orphans[0], compare_orphans);
    const pid_t auditor = start();
    if (auditor == 0) {
        exit(crowd_audit(crowd));
    }
    await_success(auditor, ALL);
}

static uint64_t told_seed;

static void print(const char *figure, uint64_t value)
{
    (void) printf("{\"part\": \"chaos\", \"figure\": \"%s\", \"value\": %" PRIu64
                  ", \"seed\": %" PRIu64 "}\n",
                  figure, value, told_seed);
}

/* What has to come up. */
static bool has_come(bool wanted, uint64_t count, const char *what)
{
    if (wanted && count == 0) {
        (void) fprintf(stderr, "chaos_crowd: seed %" PRIu64 ": never happened: %s\n", told_seed,
                       what);
    }
    return !wanted || count > 0;
}

static bool all_has_come(const struct crowd *crowd, const struct chances *chances,
                         const struct crowd_account *account, bool losses)
{
    const struct {
        bool wanted;
        uint64_t count;
        const char *what;
    } rows[] = {
        {true, account->accepted, "an answered cancel"},
        {chances->kill_ms > 0, chances->killed[true], "an owner killed"},
        {chances->kill_ms > 0, chances->killed[false], "a canceller killed"},
        {chances->kill_ms > 0, crowd->audit.lost_cancelled, "a cancelled operation of one killed"},
        {chances->stop_ms > 0, chances->stopped[true], "an owner stopped"},
        {chances->stop_ms > 0, chances->stopped[false], "a canceller stopped"},
        {losses, account->strayed, "an operation lost"},
        {losses, account->strayed_heard, "a cancelled operation lost"},
    };
    bool all = true;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        all = has_come(rows[i].wanted, rows[i].count, rows[i].what) && all;
    }
    return all;
}

static void print_all(const struct crowd *crowd, const struct chances *chances,
                      const struct crowd_account *account, bool losses)
{
    print("owners killed", chances->killed[true]);
    print("cancellers killed", chances->killed[false]);
    print("owners stopped", chances->stopped[true]);
    print("cancellers stopped", chances->stopped[false]);
    print("operations", account->operations);
    print("answered cancels", account->accepted);
    print("cancels that came too late", account->too_late);
    print("cancels of unknown end", account->unanswered);
    print("operations of killed owners, ended as OWNER_LOST", crowd->audit.lost);
    print("of those of killed owners, cancelled before and known as such",
          crowd->audit.lost_cancelled);
    print("operations that their owner was ending when it was killed", crowd->audit.ended_before);
    if (losses) {
        print("operations lost by a link that was away too long", account->strayed);
        print("of those lost by a link, cancelled before and known as such",
              account->strayed_heard);
        print("ends whose answer was lost with its session, and asked for again", account->again);
    } else {
        print("operations lost by owners that lived", account->strayed);
    }
    print("longest time that an owner was without its link, and kept its session, ms",
          account->away_most_ms);
    print("lost answered cancels", account->lost_cancels);
    print("double effects", account->double_effects);
    print("wrong answers", account->wrong);
}

static bool report(const struct crowd *crowd, const struct chances *chances)
{
    const bool losses = crowd->may_lose;
    const struct crowd_account account = crowd_account(crowd);
    const uint64_t reused = kill_loop_count_reused(&crowd->shared);
    print_all(crowd, chances, &account, losses);
    print("wrong generations", reused);
    const bool all = all_has_come(crowd, chances, &account, losses);
    return all && account.lost_cancels + account.double_effects + reused + account.wrong == 0 &&
           (losses || account.strayed == 0);
}

int main(int argc, char **argv)
{
    if (argc != 8) {
        (void) fprintf(stderr,
                       "usage: chaos_crowd URL CANCEL_URL SECONDS KILL_MS STOP_MS LOSSES SEED\n");
        return 2;
    }
    struct crowd *crowd = mmap(NULL, sizeof *crowd, PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (crowd == MAP_FAILED) {
        fail("no memory", sizeof *crowd);
    }
    struct shared *shared = &crowd->shared;
    crowd->may_lose = argv[6][0] == '1';
    told_seed = strtoull(argv[7], NULL, 10);
    struct chances chances = {.random = told_seed,
                              .kill_ms = strtoull(argv[4], NULL, 10),
                              .stop_ms = strtoull(argv[5], NULL, 10)};
    (void) snprintf(shared->url, sizeof shared->url, "%s", argv[1]);
    (void) snprintf(shared->cancel_url, sizeof shared->cancel_url, "%s",
                    strcmp(argv[2], "-") == 0 ? argv[1] : argv[2]);
    shared->seed = told_seed;
    shared->keys_count = RECORDS_MAX; /* so no owner finds what one before it had */
    shared->heartbeat_ms = HEARTBEAT_MS;
    for (size_t i = 0; i < ALL; i++) {
        start_one(crowd, i);
    }
    let_all_work(crowd, &chances, strtoull(argv[3], NULL, 10));
    end_all(crowd);
    return report(crowd, &chances) ? EXIT_SUCCESS : EXIT_FAILURE;
}
