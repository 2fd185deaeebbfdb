/* SPDX-License-Identifier: MIT */
/* The client library without memory, and a daemon that has enough: each allocation and each thread of it fails once,
 * and from then on until the call that it hit has ended. Then memory is there again, and the same client has to
 * work; what was answered must be true. */
#include "canceld_program.h"
#include "points.h"
#include "testing.h"

#include <canceld/client.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* For calls that may find no memory for as long as they last; and for those that find some again. */
#define SHORT_MS 80
#define LONG_MS 8000
/* The grace is longer than a client is ever without memory here. */
#define FLAGS "--state-dir @/state%d --recovery 30000 --limit-grace-ms 30000 --listen ipc://@/s%d"

static struct program daemon_;
static char flags[300];
static char url[700];
static unsigned runs;

static atomic_int told;
static atomic_int adopted;

/* Of calls in a scenario. */
static uint32_t deadline_ms(void)
{
    return points_for_ever() ? SHORT_MS : LONG_MS;
}

/* ---- the daemon ---- */

static void begin(void)
{
    static int turn;
    char name[20];
    turn = (int) getpid(); /* one for each process of the scenario */
    (void) snprintf(flags, sizeof flags, FLAGS, turn, turn);
    (void) snprintf(name, sizeof name, "s%d", turn);
    (void) program_start_ready(&daemon_, flags);
    (void) snprintf(url, sizeof url, "ipc://%s", test_path(name));
}

static void end(void)
{
    program_stop(&daemon_);
}

/* ---- calls that have to succeed ---- */

static void on_event(struct canceld_client *client, enum canceld_event event, void *arg)
{
    (void) client;
    (void) arg;
    atomic_fetch_add(&adopted, event == CANCELD_EVENT_ADOPTED ? 1 : 0);
}

static enum canceld_status try_connect(struct canceld_client **client_out, uint32_t limit_ms)
{
    const struct canceld_options options = {
        .url = url, .client_name = "fault", .await_daemon = true, .on_event = on_event};
    *client_out = NULL;
    return canceld_connect(&options, limit_ms, client_out);
}

static struct canceld_client *connected(void)
{
    struct canceld_client *client = NULL;
    CHECK_EQ(try_connect(&client, 0), CANCELD_OK);
    return client;
}

static bool pings(struct canceld_client *client)
{
    struct canceld_result result;
    const bool answered = canceld_ping(client, LONG_MS, &result) == CANCELD_OK;
    canceld_result_clear(&result);
    return answered;
}

/* Wants no more than that it works again, the same client. */
static void check_works(struct canceld_client *client)
{
    CHECK_EVENTUALLY(pings(client));
    struct canceld_store_request store = {.key = canceld_string("works"),
                                          .policy = CANCELD_POLICY_JOIN};
    struct canceld_operation *operation = NULL;
    struct canceld_result result;
    CHECK_EQ(canceld_store(client, &store, 0, &operation, &result), CANCELD_OK);
    canceld_result_clear(&result);
    CHECK(operation != NULL);
    struct canceld_cancel_request cancel = {.key = store.key,
                                            .gen = canceld_operation_gen(operation)};
    CHECK_EQ(canceld_cancel(client, &cancel, 0, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_REQUESTED);
    canceld_result_clear(&result);
    CHECK_EVENTUALLY(canceld_operation_should_stop(operation));
    CHECK_EQ(canceld_operation_finish(operation, CANCELD_OUTCOME_CANCELLED, 0, &result),
             CANCELD_OK);
    CHECK(result.answer == CANCELD_ANSWER_DELETED && result.cancelled);
    canceld_result_clear(&result);
}

/* ---- one operation and its cancel ---- */

struct subject {
    char key[32];
    struct canceld_operation *operation;
    uint64_t gen;
    bool answered; /* that its cancel is recorded */
};

static void on_notice(struct canceld_operation *operation, void *arg)
{
    (void) operation;
    (void) arg;
    atomic_fetch_add(&told, 1);
}

static struct subject subject_new(void)
{
    struct subject subject = {.operation = NULL};
    atomic_store(&told, 0);
    (void) snprintf(subject.key, sizeof subject.key, "k-%u", ++runs);
    return subject;
}

static bool subject_store(struct subject *subject, struct canceld_client *client, uint32_t limit_ms)
{
    const struct canceld_store_request store = {.key = canceld_string(subject->key),
                                                .meta = canceld_string("meta"),
                                                .labels = {canceld_string("one")},
                                                .labels_count = 1,
                                                .on_notice = on_notice};
    struct canceld_result result;
    enum canceld_status status =
        canceld_store(client, &store, limit_ms, &subject->operation, &result);
    CHECK(status != CANCELD_OK ||
          (result.answer == CANCELD_ANSWER_STORED && subject->operation != NULL));
    subject->gen = status == CANCELD_OK ? result.gen : 0;
    canceld_result_clear(&result);
    return status == CANCELD_OK;
}

static bool subject_cancel(struct subject *subject, struct canceld_client *client,
                           uint32_t limit_ms)
{
    const struct canceld_cancel_request cancel = {
        .key = canceld_string(subject->key),
        .gen = subject->gen,
        .cause = {.code = CANCELD_CAUSE_POLICY, .text = canceld_string("because")},
        .level = CANCELD_LEVEL_DELIVERED,
        .wait_ms = 100};
    struct canceld_result result;
    enum canceld_status status = canceld_cancel(client, &cancel, limit_ms, &result);
    subject->answered = status == CANCELD_OK && (result.answer == CANCELD_ANSWER_REQUESTED ||
                                                 result.answer == CANCELD_ANSWER_ALREADY_REQUESTED);
    CHECK(subject->answered || status != CANCELD_OK);
    canceld_result_clear(&result);
    return status == CANCELD_OK;
}

/* Memory is there again: what the daemon has agrees with what was answered and with what the owner is told. */
static void subject_check(struct subject *subject, struct canceld_client *client)
{
    struct canceld_result result;
    CHECK_EVENTUALLY(pings(client));
    if (subject->operation == NULL) {
        CHECK(!subject->answered);
        return;
    }
    const struct canceld_get_request get = {.key = canceld_string(subject->key),
                                            .gen = subject->gen};
    CHECK_EQ(canceld_get(client, &get, 0, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_FOUND);
    CHECK_EQ(result.operations_count, 1);
    const bool cancelling = result.operations[0].state == CANCELD_STATE_CANCELLING;
    canceld_result_clear(&result);
    CHECK(cancelling || !subject->answered);
    if (cancelling) {
        CHECK_EVENTUALLY(canceld_operation_should_stop(subject->operation));
        CHECK_EVENTUALLY(atomic_load(&told) >= 1);
    }
    CHECK_EQ(canceld_operation_finish(subject->operation, CANCELD_OUTCOME_CANCELLED, 0, &result),
             CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_DELETED);
    CHECK_EQ(result.cancelled, cancelling);
    canceld_result_clear(&result);
}

/* ---- scenarios ---- */

static void open_run(void)
{
    struct canceld_client *client = NULL;
    points_arm();
    enum canceld_status status = try_connect(&client, deadline_ms());
    const bool failed = points_disarm();
    if (status != CANCELD_OK) {
        CHECK((failed || points_for_ever()) && client == NULL);
        CHECK(status == CANCELD_NO_MEMORY || status == CANCELD_SYSTEM ||
              status == CANCELD_UNAVAILABLE);
        client = connected();
    }
    check_works(client);
    canceld_close(client, 0);
}

static void store_run(void)
{
    struct canceld_client *client = connected();
    struct subject subject = subject_new();
    points_arm();
    (void) subject_store(&subject, client, deadline_ms());
    (void) points_disarm();
    subject_check(&subject, client);
    check_works(client);
    canceld_close(client, 0);
}

static void cancel_run(void)
{
    struct canceld_client *client = connected();
    struct subject subject = subject_new();
    CHECK(subject_store(&subject, client, 0));
    points_arm();
    (void) !canceld_operation_fd(subject.operation);
    (void) subject_cancel(&subject, client, deadline_ms());
    (void) points_disarm();
    subject_check(&subject, client);
    check_works(client);
    canceld_close(client, 0);
}

/* The delete is not given up: it comes to pass when there is memory, or is said not to have been asked for. */
static void finish_run(void)
{
    struct canceld_client *client = connected();
    struct subject subject = subject_new();
    struct canceld_result result;
    CHECK(subject_store(&subject, client, 0));
    points_arm();
    enum canceld_status status = canceld_operation_finish(
        subject.operation, CANCELD_OUTCOME_COMPLETED, deadline_ms(), &result);
    const bool failed = points_disarm();
    CHECK(failed || status == CANCELD_OK || points_for_ever());
    CHECK(status != CANCELD_OK || result.answer == CANCELD_ANSWER_DELETED);
    canceld_result_clear(&result);
    check_works(client);
    canceld_close(client, 0);
}

/* One after the other until one of them has no memory. */
static bool ask_around(struct canceld_client *client, const char *key)
{
    const struct canceld_list_request list = {.labels = {canceld_string("one")}, .labels_count = 1};
    const struct canceld_get_request get = {.key = canceld_string(key)};
    const struct canceld_wait_request wait = {
        .key = canceld_string(key), .until = CANCELD_UNTIL_ENDED, .wait_ms = 1};
    const struct canceld_touch_request touch = {
        .key = canceld_string(key), .gen = 1, .ttl_ms = 1000};
    const struct canceld_history_request history = {.page_size = 10};
    struct canceld_result results[8] = {{0}};
    const uint32_t limit_ms = deadline_ms();
    const bool all = canceld_get(client, &get, limit_ms, &results[0]) == CANCELD_OK &&
                     canceld_list(client, &list, limit_ms, &results[1]) == CANCELD_OK &&
                     canceld_count(client, &list, limit_ms, &results[2]) == CANCELD_OK &&
                     canceld_wait(client, &wait, limit_ms, &results[3]) == CANCELD_OK &&
                     canceld_touch(client, &touch, limit_ms, &results[4]) == CANCELD_OK &&
                     canceld_stats(client, limit_ms, &results[5]) == CANCELD_OK &&
                     canceld_history(client, &history, limit_ms, &results[6]) == CANCELD_OK &&
                     canceld_armed(client, &(struct canceld_list_request){0}, SHORT_MS,
                                   &results[7]) == CANCELD_OK;
    for (size_t i = 0; i < 8; i++) {
        canceld_result_clear(&results[i]);
    }
    return all;
}

static void reads_run(void)
{
    struct canceld_client *client = connected();
    struct subject subject = subject_new();
    CHECK(subject_store(&subject, client, 0));
    points_arm();
    const bool all = ask_around(client, subject.key);
    const bool failed = points_disarm();
    CHECK(all || failed || points_for_ever());
    subject_check(&subject, client);
    check_works(client);
    canceld_close(client, 0);
}

/* Whether it comes to the end of the snapshot, with the operation in it. */
static bool watch_all(struct canceld_watcher *watcher, struct canceld_bytes key, uint32_t limit_ms)
{
    bool seen = false;
    struct canceld_watch_item item = {.kind = CANCELD_WATCH_NOTHING};
    while (canceld_watcher_next(watcher, 1, limit_ms, &item) == CANCELD_OK) {
        seen =
            seen || (item.kind == CANCELD_WATCH_SNAPSHOT && item.operation->key.size == key.size &&
                     memcmp(item.operation->key.data, key.data, key.size) == 0);
        if (item.kind == CANCELD_WATCH_CURRENT || item.kind == CANCELD_WATCH_NOTHING) {
            return seen;
        }
    }
    return false;
}

static void watch_run(void)
{
    struct canceld_client *client = connected();
    struct subject subject = subject_new();
    struct canceld_watcher *watcher = NULL;
    CHECK(subject_store(&subject, client, 0));
    points_arm();
    enum canceld_status status = canceld_watcher_new(client, (struct canceld_bytes){0}, &watcher);
    const bool all =
        status == CANCELD_OK && watch_all(watcher, canceld_string(subject.key), deadline_ms());
    const bool failed = points_disarm();
    CHECK(all || failed || points_for_ever());
    CHECK(status == CANCELD_OK || watcher == NULL);
    canceld_watcher_free(watcher);
    CHECK_EQ(canceld_watcher_new(client, (struct canceld_bytes){0}, &watcher), CANCELD_OK);
    CHECK_EVENTUALLY(pings(client));
    CHECK(watch_all(watcher, canceld_string(subject.key), 0));
    canceld_watcher_free(watcher);
    subject_check(&subject, client);
    canceld_close(client, 0);
}

/* Pipelined: each that was taken is called back once. */
#define SUBMITTED 40
static atomic_int done;

static void on_done(enum canceld_status status, const struct canceld_result *result,
                    struct canceld_operation *operation, void *arg)
{
    (void) status;
    (void) result;
    (void) arg;
    canceld_operation_free(operation);
    atomic_fetch_add(&done, 1);
}

static void submit_run(void)
{
    struct canceld_client *client = connected();
    int taken = 0;
    atomic_store(&done, 0);
    runs++;
    points_arm();
    for (int i = 0; i < SUBMITTED; i++) {
        char key[40];
        (void) snprintf(key, sizeof key, "p-%u-%d", runs, i);
        const struct canceld_request store = {.op = CANCELD_OP_STORE,
                                              .of.store = {.key = canceld_string(key)}};
        taken += canceld_submit(client, &store, deadline_ms(), on_done, NULL) == CANCELD_OK ? 1 : 0;
    }
    struct test_wait wait = test_wait_begin(deadline_ms());
    while (atomic_load(&done) < taken && test_wait_more(&wait)) {
    }
    const bool failed = points_disarm();
    CHECK(failed || taken == SUBMITTED || points_for_ever());
    CHECK_EVENTUALLY(atomic_load(&done) == taken);
    check_works(client);
    canceld_close(client, 0);
    CHECK_EQ(atomic_load(&done), taken);
}

static void close_run(void)
{
    struct canceld_client *client = connected();
    struct subject subject = subject_new();
    CHECK(subject_store(&subject, client, 0));
    points_arm();
    canceld_close(client, deadline_ms());
    (void) points_disarm();
    canceld_operation_free(subject.operation);
}

/* ---- adopting ---- */

static bool is_settled(const struct canceld_operation *operation, bool adopted_all)
{
    struct canceld_notice notice;
    CHECK_EQ(canceld_operation_notice(operation, &notice), CANCELD_OK);
    return notice.lost || adopted_all;
}

static void adopt_run(void)
{
    struct canceld_client *client = connected();
    struct subject calm = subject_new();
    struct subject subject = subject_new();
    CHECK(subject_store(&calm, client, 0));
    CHECK(subject_store(&subject, client, 0));
    CHECK(subject_cancel(&subject, client, 0) && subject.answered);
    atomic_store(&adopted, 0);
    CHECK_EQ(kill(daemon_.pid, SIGKILL), 0);
    CHECK_EQ(program_wait(&daemon_), 128 + SIGKILL);
    points_arm();
    (void) program_start_ready(&daemon_, flags);
    /* Failing for ever it tries again and again, with a growing pause: some times are enough. */
    struct test_wait wait = test_wait_begin(500);
    while (atomic_load(&adopted) == 0 && fault_control()->failed < 3 && test_wait_more(&wait)) {
    }
    (void) points_disarm();
    CHECK_EVENTUALLY(atomic_load(&adopted) == 1);
    CHECK(is_settled(calm.operation, true) && is_settled(subject.operation, true));
    CHECK(canceld_operation_should_stop(subject.operation));
    CHECK(!canceld_operation_should_stop(calm.operation));
    subject_check(&calm, client);
    atomic_store(&told, 1); /* it was told before the restart */
    subject_check(&subject, client);
    check_works(client);
    canceld_close(client, 0);
}

/* ---- TLS, which is NNG's ---- */

static void tls_begin(void)
{
    char command[1400];
    (void) snprintf(command, sizeof command, "sh '%s' '%s' >/dev/null 2>&1", CERTIFICATES_SCRIPT,
                    test_directory());
    CHECK_EQ(system(command), 0);
    const char *line =
        program_start_ready(&daemon_, "--listen tls+tcp://127.0.0.1:0 --ephemeral "
                                      "--tls-cert @/server.crt --tls-key @/server.key");
    const char *address = strstr(line, "tls+tcp://");
    CHECK(address != NULL);
    (void) snprintf(url, sizeof url, "%.*s", (int) strcspn(address, " ,\n"), address);
}

static enum canceld_status try_tls(struct canceld_client **client_out, uint32_t limit_ms)
{
    const struct canceld_options options = {
        .url = url,
        .await_daemon = true,
        .tls = {.ca_file = test_path("ca.crt"), .server_name = "localhost"}};
    *client_out = NULL;
    return canceld_connect(&options, limit_ms, client_out);
}

static void tls_run(void)
{
    struct canceld_client *client = NULL;
    points_arm();
    enum canceld_status status = try_tls(&client, deadline_ms());
    const bool failed = points_disarm();
    if (status != CANCELD_OK) {
        CHECK((failed || points_for_ever()) && client == NULL);
        CHECK_EQ(try_tls(&client, 0), CANCELD_OK);
    }
    check_works(client);
    canceld_close(client, 0);
}

/* ---- descriptors ---- */

static void descriptors_limit(rlim_t count)
{
    struct rlimit limit;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = count < limit.rlim_max ? count : limit.rlim_max;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* The number that the next one would have: that is what a limit is about. */
static rlim_t descriptor_next(void)
{
    int fd = dup(STDOUT_FILENO);
    CHECK_GE(fd, 0);
    CHECK_EQ(close(fd), 0);
    return (rlim_t) fd;
}

/* No descriptor more than there are; then one more, and one more, up to where all goes well. */
static void descriptors_run_out(void)
{
    begin();
    struct canceld_client *first = connected();
    struct subject subject = subject_new();
    CHECK(subject_store(&subject, first, 0));
    int failed = 0;
    for (rlim_t spare = 0; spare < 8; spare++) {
        struct canceld_client *client = NULL;
        const size_t before = test_descriptors_count();
        descriptors_limit(descriptor_next() + spare);
        enum canceld_status status = try_connect(&client, SHORT_MS);
        CHECK((status == CANCELD_OK) == (client != NULL));
        failed += status != CANCELD_OK ? 1 : 0;
        CHECK(canceld_operation_fd(subject.operation) >= -1);
        CHECK(pings(first)); /* who is connected goes on */
        descriptors_limit(1024);
        canceld_close(client, 0);
        CHECK(canceld_operation_fd(subject.operation) >= 0);
        check_works(first);
        CHECK_EVENTUALLY(test_descriptors_count() <= before + 1);
    }
    CHECK_GT(failed, 0);
    (void) printf(
        "{\"scenario\": \"client descriptors\", \"fails\": \"exhausted\", \"points\": %d, "
        "\"survived\": %d}\n",
        failed, failed);
    CHECK(subject_cancel(&subject, first, 0));
    subject_check(&subject, first);
    canceld_close(first, 0);
    end();
}

/* ---- the cases ---- */

static void opens(void)
{
    const struct points_scenario scenario = {"client open", begin, open_run, end, 0};
    points_check(&scenario);
}

static void stores_and_finishes(void)
{
    const struct points_scenario store = {"client store", begin, store_run, end, 0};
    const struct points_scenario finish = {"client finish", begin, finish_run, end, 0};
    points_check(&store);
    points_check(&finish);
}

static void cancels(void)
{
    const struct points_scenario scenario = {"client cancel", begin, cancel_run, end, 0};
    points_check(&scenario);
}

static void reads(void)
{
    const struct points_scenario reads_ = {"client reads", begin, reads_run, end, 0};
    const struct points_scenario watch = {"client watch", begin, watch_run, end, 0};
    points_check(&reads_);
    points_check(&watch);
}

static void submits(void)
{
    const struct points_scenario scenario = {"client submit", begin, submit_run, end, 0};
    points_check(&scenario);
}

static void closes(void)
{
    const struct points_scenario scenario = {"client close", begin, close_run, end, 0};
    points_check(&scenario);
}

static void adopts(void)
{
    const struct points_scenario scenario = {"client adopt", begin, adopt_run, end, 0};
    points_check(&scenario);
}

static void opens_by_tls(void)
{
    /* mbedTLS 3 loses a block where it cannot make a number longer. */
    const struct points_scenario scenario = {"client open tls", tls_begin, tls_run, end,
                                             .spared = 1};
    points_check(&scenario);
}

#define CASE_MS 600000

static const struct test_case cases[] = {
    {"connecting fails whole, and the next time works", opens, CASE_MS},
    {"a store that has no memory is told, and the next one works", stores_and_finishes, CASE_MS},
    {"an answered cancel is there and told, whatever had no memory", cancels, CASE_MS},
    {"reads and watches go on once there is memory", reads, CASE_MS},
    {"each pipelined call that was taken is called back once", submits, CASE_MS},
    {"closing needs no memory", closes, CASE_MS},
    {"after a restart all is adopted once there is memory", adopts, CASE_MS},
    {"without descriptors a client is told so, and with some again it works", descriptors_run_out},
    {"connecting by TLS fails whole, and the next time works", opens_by_tls, CASE_MS},
};
TEST_MAIN(cases)
