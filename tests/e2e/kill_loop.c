/* SPDX-License-Identifier: MIT */
/* The kill loop: kill_loop CANCELD URL DIRECTORY KILLS SEED [PROXY]
 *
 * Starts the daemon with a journal, four owners and four cancellers as processes of their own, and kills
 * the daemon by SIGKILL, KILLS times, at random instants under their load; at least 100 cancels were
 * answered between two kills. Afterwards the accounts of both sides are compared, operation by
 * operation:
 *
 *   lost      a cancel that was answered, and whose owner was neither told nor heard of it at its end
 *   reused    a generation that was given out twice
 *   double    a cancel that its owner's application was told of more than once
 *   strayed   an operation that its owner lost through a restart
 *
 * Each has to be 0. It also prints how long it took from a kill until its owners had everything back, by
 * stages: the daemon is down, another serves, an owner has resumed. And it prints in how many kills a cancel was
 * under way and not yet delivered, or not yet answered: below 30 % and 10 % of at least 50 kills they were
 * too tame to show anything, and the run fails.
 *
 * With a PROXY, owners and cancellers reach the daemon through it: see tests/chaos/proxy.h. */
#include "kill_loop.h"
#include "bound_child.h"
#include "chaos/proxy_run.h"
#include "killed_daemon.h"
#include "testing.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWERS_BETWEEN 100
#define KEYS 4096           /* of an owner */
#define SHARES_KILLS_MIN 50 /* the shares of fewer kills, as under a sanitizer, are chance */
#define START_MS 30000

struct tally {
    uint64_t kills;
    uint64_t kills_undelivered;
    uint64_t kills_unanswered;
    /* Moments, of each kill */
    uint64_t *killed_ms;
    uint64_t *down_ms;
    uint64_t *served_ms;
    /* Spans, of each time that an owner had all of it back */
    uint64_t resumes_count;
    uint64_t *resumes_ms; /* from the kill */
    uint64_t *returns_ms; /* from the moment when the daemon served again */
};

/* How far the resumes of an owner are counted. */
struct seen {
    uint64_t resumes;
    uint64_t kills;  /* those before were made good by a resume */
    uint64_t from;   /* the kill that the last resume was the first after */
    uint64_t sample; /* of the last resume */
};

__attribute__((noreturn)) static void fail(const char *what, uint64_t number)
{
    (void) fprintf(stderr, "kill_loop: %s (%" PRIu64 ")\n", what, number);
    exit(EXIT_FAILURE);
}

/* ---- the others ---- */

static pid_t start_worker(struct shared *shared, bool owner, unsigned number)
{
    const pid_t pid = bound_child_fork();
    if (pid < 0) {
        fail("cannot fork", (uint64_t) errno);
    }
    if (pid == 0) {
        exit(owner ? kill_loop_own(shared, number) : kill_loop_cancel(shared, number));
    }
    return pid;
}

static uint64_t accepted_count(const struct shared *shared)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < CANCELLERS; i++) {
        count += atomic_load(&shared->cancellers[i].accepted);
    }
    return count;
}

static bool any_unanswered(const struct shared *shared)
{
    for (unsigned i = 0; i < CANCELLERS; i++) {
        const struct canceller *canceller = &shared->cancellers[i];
        if (atomic_load(&canceller->sent) > atomic_load(&canceller->answered)) {
            return true;
        }
    }
    return false;
}

/* Whether there is a cancel that was answered and that its owner's callback has not yet dealt with. */
static bool any_undelivered(const struct shared *shared)
{
    for (unsigned i = 0; i < OWNERS; i++) {
        const struct owner *owner = &shared->owners[i];
        const uint64_t stored = atomic_load(&owner->stored);
        for (uint64_t back = 1; back <= stored && back <= 4 * RECENT; back++) {
            const struct record *record = &owner->records[stored - back];
            if (atomic_load(&record->answer) == SEEN_ACCEPTED &&
                atomic_load(&record->delivered) == 0 &&
                atomic_load(&record->finish) == FINISH_NONE) {
                return true;
            }
        }
    }
    return false;
}

/* ---- the loop ---- */

static void see_that_all_live(const pid_t *pids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int status;
        if (waitpid(pids[i], &status, WNOHANG) != 0) {
            fail("an owner or a canceller failed", (uint64_t) i);
        }
    }
}

/* Waits until enough was answered since the last kill, and then a moment of chance. */
static void let_it_work(const struct shared *shared, const pid_t *pids, uint64_t *random)
{
    const uint64_t before = accepted_count(shared);
    const uint64_t deadline_ms = test_now_ms() + START_MS;
    while (accepted_count(shared) < before + ANSWERS_BETWEEN) {
        see_that_all_live(pids, OWNERS + CANCELLERS);
        if (test_now_ms() > deadline_ms) {
            fail("too few cancels are answered", accepted_count(shared) - before);
        }
        (void) poll(NULL, 0, 1);
    }
    (void) poll(NULL, 0, (int) (test_random(random) % 40));
}

/* A resume makes good every kill since the one before: an owner may miss a run of the daemon. One more after
 * the same kill takes the place of the one before, which was of the run before and told late. */
static void count_resume(struct tally *tally, struct seen *seen, uint64_t kills, uint64_t at_ms)
{
    while (kills > 0 && tally->down_ms[kills - 1] > at_ms) {
        kills--;
    }
    if (kills == 0) {
        return;
    }
    if (kills > seen->kills) {
        seen->from = seen->kills;
        seen->kills = kills;
        seen->sample = tally->resumes_count++;
    }
    /* Who waits in line may be served before the daemon has said that it serves. */
    const uint64_t served_ms = tally->served_ms[kills - 1];
    tally->resumes_ms[seen->sample] = at_ms - tally->killed_ms[seen->from];
    tally->returns_ms[seen->sample] = at_ms > served_ms ? at_ms - served_ms : 0;
}

/* Those that came since the last look, of so many kills. */
static void collect_resumes(const struct shared *shared, struct seen seen[OWNERS], uint64_t kills,
                            struct tally *tally)
{
    for (unsigned i = 0; i < OWNERS; i++) {
        const struct owner *owner = &shared->owners[i];
        const uint64_t count = atomic_load(&owner->resumes_count);
        for (; seen[i].resumes < count; seen[i].resumes++) {
            count_resume(tally, &seen[i], kills, owner->resumes_ms[seen[i].resumes % RESUMES_MAX]);
        }
    }
}

static void kill_often(struct shared *shared, struct killed_daemon *daemon, const pid_t *pids,
                       struct tally *tally)
{
    uint64_t random = shared->seed;
    struct seen seen[OWNERS] = {0};
    const uint64_t kills = tally->kills;
    for (uint64_t i = 0; i < kills; i++) {
        let_it_work(shared, pids, &random);
        collect_resumes(shared, seen, i, tally);
        tally->kills_undelivered += any_undelivered(shared);
        tally->kills_unanswered += any_unanswered(shared);
        tally->killed_ms[i] = test_now_ms();
        killed_daemon_kill(daemon);
        tally->down_ms[i] = test_now_ms();
        killed_daemon_start(daemon, shared->daemon_url);
        tally->served_ms[i] = test_now_ms();
        if ((i + 1) % 100 == 0) {
            (void) printf("%" PRIu64 " of %" PRIu64 " kills, %" PRIu64 " cancels answered\n", i + 1,
                          kills, accepted_count(shared));
            (void) fflush(stdout);
        }
    }
    let_it_work(shared, pids, &random);
    collect_resumes(shared, seen, kills, tally);
}

/* ---- the accounts ---- */

static int compare_gens(const void *a, const void *b)
{
    const uint64_t left = *(const uint64_t *) a;
    const uint64_t right = *(const uint64_t *) b;
    return left < right ? -1 : left > right;
}

struct account {
    uint64_t operations;
    uint64_t accepted;
    uint64_t too_late;
    uint64_t unknown;
    uint64_t recovering;
    uint64_t lost;
    uint64_t doubled;
    uint64_t strayed;
    uint64_t wrong;
};

/* Whether it holds. */
static bool add_record(struct account *account, const struct record *record)
{
    const bool heard = record->told > 0 || record->finish == FINISH_CANCELLED;
    if (record->gen == 0) {
        return true;
    }
    account->operations++;
    account->accepted += record->answer == SEEN_ACCEPTED;
    account->too_late += record->answer == SEEN_TOO_LATE;
    account->unknown += record->answer == SEEN_UNKNOWN;
    account->recovering += record->answer == SEEN_RECOVERING;
    account->doubled += record->told > 1;
    account->strayed += record->lost != 0;
    /* The owner's last word has to say of a cancel what the canceller was told, and the other way. */
    const bool contradicts =
        record->finish == FINISH_PLAIN && (record->answer == SEEN_ACCEPTED || record->told > 0);
    const bool loses = (record->answer == SEEN_ACCEPTED && !heard) || contradicts;
    const bool is_wrong = record->answer == SEEN_OTHER || record->answer == SEEN_LOST ||
                          (record->finish != FINISH_PLAIN && record->finish != FINISH_CANCELLED);
    account->lost += loses;
    account->wrong += is_wrong;
    return !loses && !is_wrong && record->told <= 1 && record->lost == 0;
}

static void add_all(struct account *account, const struct shared *shared)
{
    uint64_t told = 0;
    for (unsigned i = 0; i < OWNERS; i++) {
        for (uint64_t at = 0; at < shared->owners[i].stored; at++) {
            if (!add_record(account, &shared->owners[i].records[at]) && told++ < TOLD_MAX) {
                kill_loop_tell(shared, i, at);
            }
        }
    }
}

static void print_spans(const char *what, uint64_t *spans_ms, uint64_t count)
{
    qsort(spans_ms, count, sizeof *spans_ms, compare_gens);
    (void) printf("%s: p50 %" PRIu64 " ms, p99 %" PRIu64 " ms, most %" PRIu64 " ms\n", what,
                  spans_ms[count / 2], spans_ms[count * 99 / 100], spans_ms[count - 1]);
}

static void print_stages(struct tally *tally)
{
    if (tally->resumes_count == 0) {
        fail("no owner ever came back", 0);
    }
    for (uint64_t i = 0; i < tally->kills; i++) {
        tally->down_ms[i] -= tally->killed_ms[i];
        tally->served_ms[i] -= tally->killed_ms[i];
    }
    print_spans("the daemon was down after the kill", tally->down_ms, tally->kills);
    print_spans("the daemon served again after the kill", tally->served_ms, tally->kills);
    print_spans("owners resumed after the daemon served", tally->returns_ms, tally->resumes_count);
    (void) printf("owners resumed %" PRIu64 " times; ", tally->resumes_count);
    print_spans("from the kill", tally->resumes_ms, tally->resumes_count);
}

static int compare_accounts(const struct shared *shared, struct tally *tally)
{
    struct account account = {0};
    add_all(&account, shared);
    const uint64_t reused = kill_loop_count_reused(shared);
    const uint64_t kills = tally->kills;
    (void) printf("kills %" PRIu64 ", operations %" PRIu64 ", answered cancels %" PRIu64
                  " (too late %" PRIu64 ", still recovering %" PRIu64 ", unknown %" PRIu64 ")\n",
                  kills, account.operations, account.accepted, account.too_late, account.recovering,
                  account.unknown);
    (void) printf("kills with a cancel not yet delivered %" PRIu64
                  " %%, with one not yet answered %" PRIu64 " %%\n",
                  tally->kills_undelivered * 100 / kills, tally->kills_unanswered * 100 / kills);
    (void) printf("lost %" PRIu64 ", reused generations %" PRIu64 ", double notices %" PRIu64
                  ", strayed operations %" PRIu64 ", wrong answers %" PRIu64 "\n",
                  account.lost, reused, account.doubled, account.strayed, account.wrong);
    print_stages(tally);
    const bool tame = kills >= SHARES_KILLS_MIN && (tally->kills_undelivered * 100 < 30 * kills ||
                                                    tally->kills_unanswered * 100 < 10 * kills);
    if (tame) {
        (void) fprintf(stderr, "kill_loop: the kills were too tame\n");
    }
    return account.lost + reused + account.doubled + account.strayed + account.wrong == 0 && !tame
               ? EXIT_SUCCESS
               : EXIT_FAILURE;
}

/* The daemon, what stands before it, and the others. */
static void start_all(struct shared *shared, struct killed_daemon *daemon,
                      struct chaos_proxy_run *proxy, pid_t pids[OWNERS + CANCELLERS])
{
    killed_daemon_start(daemon, shared->daemon_url);
    memcpy(shared->url, shared->daemon_url, sizeof shared->url);
    if (proxy->program != NULL) {
        chaos_proxy_start(proxy, shared->daemon_url, shared->url, shared->seed);
    }
    for (unsigned i = 0; i < OWNERS; i++) {
        pids[i] = start_worker(shared, true, i);
    }
    for (unsigned i = 0; i < CANCELLERS; i++) {
        pids[OWNERS + i] = start_worker(shared, false, i);
    }
}

static void await_all(struct shared *shared, const pid_t pids[OWNERS + CANCELLERS])
{
    atomic_store(&shared->stop, true);
    for (size_t i = 0; i < OWNERS + CANCELLERS; i++) {
        int status;
        if (waitpid(pids[i], &status, 0) != pids[i] || status != 0) {
            fail("an owner or a canceller failed", (uint64_t) i);
        }
    }
}

int main(int argc, char **argv)
{
    if (argc != 6 && argc != 7) {
        (void) fprintf(stderr, "usage: kill_loop CANCELD URL DIRECTORY KILLS SEED [PROXY]\n");
        return 2;
    }
    struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    struct killed_daemon daemon = {
        .whose = "kill_loop", .program = argv[1], .state_directory = argv[3]};
    struct tally tally = {.kills = strtoull(argv[4], NULL, 10)};
    uint64_t **const rows[] = {&tally.killed_ms, &tally.down_ms, &tally.served_ms,
                               &tally.resumes_ms, &tally.returns_ms};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        *rows[i] = calloc((tally.kills + 1) * OWNERS, sizeof **rows[i]);
        if (*rows[i] == NULL) {
            fail("no memory", tally.kills);
        }
    }
    if (shared == MAP_FAILED || tally.kills == 0) {
        fail("no memory, or no kills", sizeof *shared);
    }
    (void) snprintf(shared->daemon_url, sizeof shared->daemon_url, "%s", argv[2]);
    shared->seed = strtoull(argv[5], NULL, 10);
    shared->keys_count = KEYS;
    (void) printf("seed: CANCELD_TEST_SEED=%" PRIu64 "\n", shared->seed);
    (void) fflush(stdout); /* before any fork, lest a child print it again */
    pid_t pids[OWNERS + CANCELLERS];
    struct chaos_proxy_run proxy = {.whose = "kill_loop", .program = argc == 7 ? argv[6] : NULL};
    start_all(shared, &daemon, &proxy, pids);
    kill_often(shared, &daemon, pids, &tally);
    await_all(shared, pids);
    const bool was_used = proxy.program == NULL || chaos_proxy_stop(&proxy);
    killed_daemon_kill(&daemon);
    const int status = compare_accounts(shared, &tally);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        free(*rows[i]);
    }
    return was_used ? status : EXIT_FAILURE;
}
