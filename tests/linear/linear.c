/* SPDX-License-Identifier: MIT */
/* Linearizability of real histories: linear CANCELD DIRECTORY CALLS KILLS SEED [PROXY ipc|tcp]
 *
 * Sixteen processes, users of the client library, store, finish, cancel and read on shared keys against a
 * real daemon with a journal, which is killed by SIGKILL KILLS times meanwhile and started again. When
 * they have made so many CALLS, what each saw is checked key by key: see checker.h. With a PROXY, they
 * reach the daemon through it (see tests/chaos/proxy.h), so their links fail all the time. */
#include "bound_child.h"
#include "chaos/proxy_run.h"
#include "e2e/killed_daemon.h"
#include "history.h"
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

#define START_MS 30000
#define RECOVERY "1000"       /* ms; reads of what may yet come back wait so long */
#define RECOVERY_CHAOS "4000" /* who comes back through a proxy takes longer */
#define PROGRESS_MS 5000
#define PRINTED_MAX 10
#define CALLS_BETWEEN_KILLS_MIN 200

/* When it was killed: from the signal until it was gone. */
struct kill {
    uint64_t begin_ns;
    uint64_t end_ns;
};

struct result {
    uint64_t checked, keys, unknown, resent, states, most_states, set_aside, dropped, illegal,
        too_big;
    uint64_t of_said[SAID_NOTHING + 1];
};

static struct kill kills[KILLS_MAX];
static uint64_t kills_count;

__attribute__((noreturn)) static void fail(const char *what, uint64_t number)
{
    (void) fprintf(stderr, "linear: %s (%" PRIu64 ")\n", what, number);
    exit(EXIT_FAILURE);
}

/* ---- the others ---- */

static pid_t start_worker(struct shared *shared, unsigned number)
{
    const pid_t pid = bound_child_fork();
    if (pid < 0) {
        fail("cannot fork", (uint64_t) errno);
    }
    if (pid == 0) {
        exit(history_work(shared, number));
    }
    return pid;
}

static uint64_t calls_made(const struct shared *shared)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < WORKERS; i++) {
        count += atomic_load(&shared->workers[i].count);
    }
    return count;
}

/* Kills the daemon again and again, evenly over the calls and a little by chance. */
static void kill_often(struct shared *shared, struct killed_daemon *daemon, uint64_t calls,
                       uint64_t wanted)
{
    uint64_t random = shared->seed;
    uint64_t told_ms = test_now_ms();
    uint64_t stuck_ms = told_ms;
    uint64_t last = 0;
    uint64_t next = calls / (wanted + 1);
    for (uint64_t made = 0; made < calls; made = calls_made(shared)) {
        (void) poll(NULL, 0, 1);
        if (kills_count < wanted && made >= next) {
            (void) poll(NULL, 0, (int) (test_random(&random) % 5));
            kills[kills_count].begin_ns = history_now_ns();
            killed_daemon_kill(daemon);
            kills[kills_count++].end_ns = history_now_ns();
            killed_daemon_start(daemon, shared->daemon_url);
            next = (kills_count + 1) * calls / (wanted + 1);
        }
        stuck_ms = made != last ? test_now_ms() : stuck_ms;
        last = made;
        if (test_now_ms() > stuck_ms + START_MS) {
            fail("no call returns any more", made);
        }
        if (test_now_ms() > told_ms + PROGRESS_MS) {
            told_ms = test_now_ms();
            (void) fprintf(stderr, "linear: %" PRIu64 " of %" PRIu64 " calls, %" PRIu64 " kills\n",
                           made, calls, kills_count);
        }
    }
}

/* ---- the check ---- */

static int compare_keys(const void *a, const void *b)
{
    const struct call *x = a, *y = b;
    return (x->key > y->key) - (x->key < y->key);
}

static struct call *gather(const struct shared *shared, uint64_t *count_out)
{
    const uint64_t count = calls_made(shared);
    struct call *calls = malloc((count + 1) * sizeof *calls);
    uint64_t at = 0;
    for (unsigned i = 0; calls != NULL && i < WORKERS; i++) {
        const uint64_t more = atomic_load(&shared->workers[i].count);
        memcpy(calls + at, shared->workers[i].calls, more * sizeof *calls);
        at += more;
    }
    if (calls == NULL) {
        fail("no memory for the history", count);
    }
    qsort(calls, count, sizeof *calls, compare_keys);
    *count_out = count;
    return calls;
}

/* Whether the daemon was killed while the call was under way; the end of that kill. */
static bool spans_kill(const struct call *call)
{
    for (uint64_t i = 0; i < kills_count; i++) {
        if (call->call_ns < kills[i].end_ns && call->return_ns > kills[i].begin_ns) {
            return true;
        }
    }
    return false;
}

static bool was_stored(const struct call *calls, size_t count, uint64_t gen)
{
    for (size_t i = 0; i < count; i++) {
        if (calls[i].kind == CALL_STORE && calls[i].said == SAID_STORED && calls[i].gen == gen) {
            return true;
        }
    }
    return false;
}

/* What was seen of an operation whose store nobody was answered says nothing of the others. */
static bool is_of_unknown_store(const struct call *calls, size_t count, const struct call *call)
{
    bool any_unknown = false;
    if (call->gen == 0 || (call->kind != CALL_GET && call->said != SAID_EXISTS)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        any_unknown = any_unknown || (calls[i].kind == CALL_STORE && calls[i].said == SAID_UNKNOWN);
    }
    return any_unknown && !was_stored(calls, count, call->gen);
}

static void print_key(const struct call *calls, size_t count)
{
    static const char *const kinds[] = {"store", "finish", "cancel", "get", "shadow"};
    static const char *const saids[] = {"unknown", "STORED", "EXISTS", "DELETED", "REQUESTED",
                                        "ALREADY", "GONE",   "LIVE",   "ENDED",   "NOTHING"};
    for (size_t i = 0; i < count; i++) {
        (void) fprintf(stderr, "  %" PRIu64 " .. %" PRIu64 " us: %s %" PRIx64 " %s%s%s\n",
                       (calls[i].call_ns - calls[0].call_ns) / 1000,
                       calls[i].return_ns == UINT64_MAX
                           ? UINT64_MAX
                           : (calls[i].return_ns - calls[0].call_ns) / 1000,
                       kinds[calls[i].kind], calls[i].gen, saids[calls[i].said],
                       calls[i].flag ? ", cancelled" : "", calls[i].resent ? ", sent again" : "");
    }
}

/* One key's calls as the checker wants them. */
static size_t prepare(const struct call *calls, size_t count, struct call *out,
                      struct result *result)
{
    size_t made = 0;
    for (size_t i = 0; i < count && made + 2 <= CALLS_OF_KEY_MAX; i++) {
        if (is_of_unknown_store(calls, count, &calls[i])) {
            result->dropped++;
            continue;
        }
        struct call call = calls[i];
        call.resent = spans_kill(&call);
        if (call.resent && call.said != SAID_UNKNOWN &&
            (call.kind == CALL_FINISH || call.kind == CALL_CANCEL)) {
            out[made] = call; /* its first sending */
            out[made].kind = call.kind == CALL_FINISH ? CALL_SHADOW : CALL_CANCEL;
            out[made].said = SAID_UNKNOWN;
            out[made++].return_ns = UINT64_MAX;
        }
        out[made++] = call;
        result->resent += call.resent;
        result->unknown += call.said == SAID_UNKNOWN;
        result->of_said[call.said]++;
    }
    return made;
}

static void check_one(const struct shared *shared, const struct call *calls, size_t count,
                      struct result *result)
{
    struct call prepared[CALLS_OF_KEY_MAX];
    if (atomic_load(&shared->keys[calls[0].key].set_aside) || count > CALLS_OF_KEY_MAX - 16) {
        result->set_aside += count;
        return;
    }
    const size_t made = prepare(calls, count, prepared, result);
    const struct verdict verdict = check_key(prepared, made);
    result->keys++;
    result->checked += count;
    result->states += verdict.states;
    result->most_states =
        verdict.states > result->most_states ? verdict.states : result->most_states;
    if (!verdict.legal && result->illegal++ < PRINTED_MAX) {
        (void) fprintf(stderr, "linear: the calls of key %" PRIu32 " cannot be explained:\n",
                       calls[0].key);
        print_key(prepared, made);
    }
    result->too_big += verdict.too_big;
}

static struct result check_all(const struct shared *shared)
{
    struct result result = {0};
    uint64_t count;
    struct call *calls = gather(shared, &count);
    for (uint64_t i = 0; i < count;) {
        uint64_t end = i;
        while (end < count && calls[end].key == calls[i].key) {
            end++;
        }
        check_one(shared, calls + i, (size_t) (end - i), &result);
        i = end;
    }
    free(calls);
    return result;
}

/* ---- the whole ---- */

static void print(const char *figure, uint64_t value, uint64_t seed)
{
    (void) printf("{\"part\": \"linear\", \"figure\": \"%s\", \"value\": %" PRIu64
                  ", \"seed\": %" PRIu64 "}\n",
                  figure, value, seed);
}

static bool report(const struct shared *shared, const struct result *result, uint64_t made_ms,
                   uint64_t checked_ms)
{
    static const char *const saids[] = {"unknown", "STORED", "EXISTS", "DELETED", "REQUESTED",
                                        "ALREADY", "GONE",   "LIVE",   "ENDED",   "NOTHING"};
    const uint64_t seed = shared->seed;
    uint64_t wrong = 0;
    bool good = true;
    for (unsigned i = 0; i < WORKERS; i++) {
        wrong += atomic_load(&shared->workers[i].wrong);
    }
    print("real operations checked", result->checked, seed);
    print("keys checked", result->keys, seed);
    print("keys that cannot be explained", result->illegal, seed);
    print("kills", kills_count, seed);
    print("operations of unknown end", result->unknown, seed);
    print("operations under way at a kill", result->resent, seed);
    print("operations set aside", result->set_aside, seed);
    print("reads of an operation of an unknown store, left out", result->dropped, seed);
    print("wrong answers", wrong, seed);
    print("states gone into", result->states, seed);
    print("states gone into for one key at most", result->most_states, seed);
    print("ms to make the history", made_ms, seed);
    print("ms to check it", checked_ms, seed);
    for (int said = SAID_STORED; said <= SAID_NOTHING; said++) {
        if (result->of_said[said] == 0) {
            (void) fprintf(stderr, "linear: nothing was answered %s\n", saids[said]);
            good = false;
        }
    }
    if (kills_count > 0 && result->resent == 0) {
        (void) fprintf(stderr, "linear: the kills were too tame\n");
        good = false;
    }
    return good && result->illegal == 0 && result->too_big == 0 && wrong == 0 &&
           result->set_aside * 100 <= result->checked;
}

static pid_t pids[WORKERS];

/* The daemon, what stands before it, and the processes. */
static void start_all(struct shared *shared, struct killed_daemon *daemon,
                      struct chaos_proxy_run *proxy)
{
    killed_daemon_start(daemon, shared->daemon_url);
    memcpy(shared->url, shared->daemon_url, sizeof shared->url);
    if (proxy->program != NULL) {
        chaos_proxy_start(proxy, shared->daemon_url, shared->url, shared->seed);
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        pids[i] = start_worker(shared, i);
    }
}

static void await_all(struct shared *shared)
{
    atomic_store(&shared->stop, true);
    for (unsigned i = 0; i < WORKERS; i++) {
        int status;
        if (waitpid(pids[i], &status, 0) != pids[i] || status != 0) {
            fail("a process failed", i);
        }
    }
}

static struct shared *share(const char *directory, bool is_tcp, uint64_t seed)
{
    struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (shared == MAP_FAILED) {
        fail("no memory", sizeof *shared);
    }
    (void) snprintf(shared->daemon_url, sizeof shared->daemon_url,
                    is_tcp ? "tcp://127.0.0.1:0" : "ipc://%s/s", directory);
    shared->seed = seed;
    for (unsigned i = 0; i < GROUPS * SLOTS; i++) {
        shared->slots[i / SLOTS][i % SLOTS] = i + 1;
    }
    shared->keys_count = GROUPS * SLOTS + 1;
    return shared;
}

int main(int argc, char **argv)
{
    if (argc != 6 && argc != 8) {
        (void) fprintf(stderr,
                       "usage: linear CANCELD DIRECTORY CALLS KILLS SEED [PROXY ipc|tcp]\n");
        return 2;
    }
    const uint64_t calls = strtoull(argv[3], NULL, 10);
    const uint64_t wanted = strtoull(argv[4], NULL, 10);
    const bool has_proxy = argc == 8;
    char state[URL_BYTES];
    if (wanted > KILLS_MAX || calls < WORKERS * CALLS_BETWEEN_KILLS_MIN) {
        fail("too many kills, or too few calls", calls);
    }
    (void) snprintf(state, sizeof state, "%s/state", argv[2]);
    struct shared *shared =
        share(argv[2], has_proxy && strcmp(argv[7], "tcp") == 0, strtoull(argv[5], NULL, 10));
    struct killed_daemon daemon = {.whose = "linear",
                                   .program = argv[1],
                                   .state_directory = state,
                                   .recovery_ms = has_proxy ? RECOVERY_CHAOS : RECOVERY};
    struct chaos_proxy_run proxy = {.whose = "linear", .program = has_proxy ? argv[6] : NULL};
    const uint64_t begin_ms = test_now_ms();
    start_all(shared, &daemon, &proxy);
    kill_often(shared, &daemon, calls, wanted);
    await_all(shared);
    const bool was_used = !has_proxy || chaos_proxy_stop(&proxy);
    killed_daemon_kill(&daemon);
    const uint64_t made_ms = test_now_ms();
    const struct result result = check_all(shared);
    return report(shared, &result, made_ms - begin_ms, test_now_ms() - made_ms) && was_used
               ? EXIT_SUCCESS
               : EXIT_FAILURE;
}
