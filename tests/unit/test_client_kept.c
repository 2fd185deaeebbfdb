/* SPDX-License-Identifier: MIT */
/* An operation outlives its owner's process, and another process takes it over: owners, adopters, cancellers and the
 * daemon are processes of their own, with the library as it is shipped. */
#include "canceld_program.h"
#include "testing.h"

#include <canceld/client.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FLAGS "--listen ipc://@/s --state-dir @/state --limit-grace-ms 200 --recovery 2000"

/* What an owner's process tells of its operation. */
struct kept {
    uint64_t gen;
    uint64_t session;
};

static struct program daemon_;

static struct canceld_client *connected(bool sessionless)
{
    char url[700];
    struct canceld_options options = {.url = url, .sessionless = sessionless, .await_daemon = true};
    struct canceld_client *client = NULL;

    (void) snprintf(url, sizeof url, "ipc://%s", test_path("s"));
    CHECK_EQ(canceld_connect(&options, 0, &client), CANCELD_OK);
    return client;
}

static void daemon_killed(void)
{
    CHECK_EQ(kill(daemon_.pid, SIGKILL), 0);
    CHECK_EQ(program_wait(&daemon_), 128 + SIGKILL);
}

static struct canceld_store_request request_of(enum canceld_on_owner_loss on_owner_loss)
{
    bool keeps = on_owner_loss == CANCELD_ON_OWNER_LOSS_KEEP;

    return (struct canceld_store_request){.key = canceld_string("k"),
                                          .ttl_ms = keeps ? 60000 : 0,
                                          .on_owner_loss = on_owner_loss,
                                          .meta = canceld_string("meta"),
                                          .labels = {canceld_string("label")},
                                          .labels_count = 1};
}

/* ---- processes ---- */

/* Runs `run` in a process of its own, which writes to the descriptor given back in *from_out. It must come before the
 * first connect here. */
static pid_t process_start(void (*run)(int out, const struct kept *kept), const struct kept *kept,
                           int *from_out)
{
    int ends[2];
    pid_t pid = -1;

    CHECK_EQ(pipe(ends), 0);
    pid = fork();
    CHECK_GE(pid, 0);
    if (pid == 0) {
        (void) close(ends[0]);
        run(ends[1], kept);
        _exit(0);
    }
    (void) close(ends[1]);
    *from_out = ends[0];
    return pid;
}

static void process_wait(pid_t pid, int from)
{
    int status = 0;

    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 0);
    (void) close(from);
}

static void owner_run(int out, enum canceld_on_owner_loss on_owner_loss)
{
    struct canceld_client *client = connected(false);
    struct canceld_store_request store = request_of(on_owner_loss);
    struct canceld_operation *operation = NULL;
    struct canceld_info info;
    struct kept kept;

    CHECK_EQ(canceld_store(client, &store, 0, &operation, NULL), CANCELD_OK);
    CHECK(operation != NULL);
    CHECK_EQ(canceld_info(client, &info), CANCELD_OK);
    kept = (struct kept){.gen = canceld_operation_gen(operation), .session = info.session};
    CHECK_EQ(write(out, &kept, sizeof kept), sizeof kept);
    for (;;)
        (void) pause();
}

static void keeping_owner(int out, const struct kept *kept)
{
    (void) kept;
    owner_run(out, CANCELD_ON_OWNER_LOSS_KEEP);
}

static void plain_owner(int out, const struct kept *kept)
{
    (void) kept;
    owner_run(out, CANCELD_ON_OWNER_LOSS_REAP);
}

/* Stores in a process of its own, which is killed. */
static struct kept left_behind(void (*owner)(int out, const struct kept *kept))
{
    struct kept kept = {0};
    int from = -1;
    int status = 0;
    pid_t pid = process_start(owner, NULL, &from);

    CHECK_EQ(read(from, &kept, sizeof kept), sizeof kept);
    CHECK_EQ(kill(pid, SIGKILL), 0);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    (void) close(from);
    return kept;
}

/* ---- adopting ---- */

static struct canceld_operation *adopted(struct canceld_client *client, const struct kept *kept,
                                         enum canceld_on_owner_loss on_owner_loss,
                                         struct canceld_result *result_out)
{
    struct canceld_adopt_request adopt = {
        .store = request_of(on_owner_loss), .gen = kept->gen, .previous_session = kept->session};
    struct canceld_operation *operation = NULL;
    struct test_wait wait = test_wait_begin(TEST_EVENTUALLY_MS);

    for (;;) {
        CHECK_EQ(canceld_adopt(client, &adopt, 0, &operation, result_out), CANCELD_OK);
        if (result_out->answer != CANCELD_ANSWER_EXISTS)
            break;
        CHECK(operation == NULL); /* the former owner's grace runs */
        CHECK(test_wait_more(&wait));
        canceld_result_clear(result_out);
    }
    CHECK_EQ(result_out->answer, CANCELD_ANSWER_ADOPTED);
    CHECK_EQ(result_out->gen, kept->gen);
    CHECK(operation != NULL);
    CHECK_EQ(canceld_operation_gen(operation), kept->gen);
    return operation;
}

static void stop_wait(struct canceld_operation *operation)
{
    struct pollfd flag = {.fd = canceld_operation_fd(operation), .events = POLLIN};

    CHECK_EQ(poll(&flag, 1, TEST_EVENTUALLY_MS), 1);
    CHECK(canceld_operation_should_stop(operation));
}

static void adopter(int out, const struct kept *kept)
{
    struct canceld_client *client = connected(false);
    struct canceld_result result;
    struct canceld_operation *operation =
        adopted(client, kept, CANCELD_ON_OWNER_LOSS_KEEP, &result);

    CHECK_EQ(result.state, CANCELD_STATE_LIVE);
    canceld_result_clear(&result);
    CHECK(!canceld_operation_should_stop(operation));
    CHECK_EQ(write(out, kept, sizeof *kept), sizeof *kept);
    stop_wait(operation);
    CHECK_EQ(canceld_operation_finish(operation, CANCELD_OUTCOME_CANCELLED, 0, &result),
             CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_DELETED);
    CHECK(result.cancelled && result.by_owner);
    canceld_result_clear(&result);
    canceld_close(client, 0);
}

static enum canceld_level cancelled(struct canceld_client *client, uint64_t gen, bool *no_owner_out)
{
    struct canceld_cancel_request cancel = {
        .key = canceld_string("k"),
        .gen = gen,
        .cause = {.code = CANCELD_CAUSE_POLICY, .text = canceld_string("enough")},
        .level = CANCELD_LEVEL_STOPPED,
        .wait_ms = TEST_EVENTUALLY_MS};
    struct canceld_result result;
    enum canceld_level level = CANCELD_LEVEL_NONE;

    CHECK_EQ(canceld_cancel(client, &cancel, 0, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_REQUESTED);
    level = result.level;
    *no_owner_out = result.no_owner;
    canceld_result_clear(&result);
    return level;
}

/* ---- cases ---- */

static void cancelled_by_a_third(void)
{
    struct kept kept;
    struct canceld_client *canceller = NULL;
    bool no_owner = true;
    int from = -1;
    pid_t pid = -1;

    (void) program_start_ready(&daemon_, FLAGS);
    kept = left_behind(keeping_owner);
    pid = process_start(adopter, &kept, &from);
    CHECK_EQ(read(from, &kept, sizeof kept), sizeof kept);
    canceller = connected(true);
    CHECK_EQ(cancelled(canceller, kept.gen, &no_owner), CANCELD_LEVEL_STOPPED);
    CHECK(!no_owner);
    process_wait(pid, from);
    canceld_close(canceller, 0);
    program_stop(&daemon_);
    test_descriptors_mark(); /* of NNG */
}

static void cancelled_without_an_owner(void)
{
    struct kept kept;
    struct canceld_client *client = NULL;
    struct canceld_operation *operation = NULL;
    struct canceld_operation *again = NULL;
    struct canceld_adopt_request adopt;
    struct canceld_get_request get = {.key = canceld_string("k")};
    struct canceld_result result;
    struct canceld_notice notice;
    bool no_owner = false;

    (void) program_start_ready(&daemon_, FLAGS);
    kept = left_behind(keeping_owner);
    client = connected(false);
    get.gen = kept.gen;
    for (uint64_t owner = 1; owner != 0;) {
        CHECK_EQ(canceld_get(client, &get, 0, &result), CANCELD_OK);
        CHECK_EQ(result.answer, CANCELD_ANSWER_FOUND);
        owner = result.operations[0].owner;
        canceld_result_clear(&result);
    }
    CHECK_EQ(cancelled(client, kept.gen, &no_owner), CANCELD_LEVEL_RECORDED);
    CHECK(no_owner);
    operation = adopted(client, &kept, CANCELD_ON_OWNER_LOSS_KEEP, &result);
    CHECK_EQ(result.state, CANCELD_STATE_CANCELLING);
    CHECK_BYTES_EQ(result.cause.text.data, result.cause.text.size, "enough", 6);
    canceld_result_clear(&result);
    stop_wait(operation);
    CHECK_EQ(canceld_operation_notice(operation, &notice), CANCELD_OK);
    CHECK(notice.cancelled && !notice.lost);
    CHECK_BYTES_EQ(notice.cause.text.data, notice.cause.text.size, "enough", 6);
    adopt = (struct canceld_adopt_request){.store = request_of(CANCELD_ON_OWNER_LOSS_KEEP),
                                           .gen = kept.gen};
    CHECK_EQ(canceld_adopt(client, &adopt, 0, &again, &result), CANCELD_INVALID);
    CHECK_EQ(canceld_adopt(client, &adopt, 0, NULL, NULL), CANCELD_INVALID);
    CHECK_EQ(canceld_operation_finish(operation, CANCELD_OUTCOME_CANCELLED, 0, NULL), CANCELD_OK);
    CHECK_EQ(canceld_adopt(client, &adopt, 0, &again, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_ENDED);
    CHECK_EQ(result.outcome, CANCELD_OUTCOME_CANCELLED);
    CHECK(again == NULL);
    canceld_result_clear(&result);
    canceld_close(client, 0);
    program_stop(&daemon_);
    test_descriptors_mark(); /* of NNG */
}

struct done {
    struct canceld_operation *operation;
    enum canceld_answer answer;
    int done; /* atomic */
};

static void on_done(enum canceld_status status, const struct canceld_result *result,
                    struct canceld_operation *operation, void *arg)
{
    struct done *done = arg;

    done->operation = operation;
    done->answer = status == CANCELD_OK ? result->answer : CANCELD_ANSWER_UNSET;
    __atomic_store_n(&done->done, 1, __ATOMIC_RELEASE);
}

/* Owner and daemon are killed together; whoever comes back brings the gen along, and a cause that only the former owner
 * knew. After the next restart the library adopts it by itself. */
static void of_an_earlier_process(void)
{
    struct kept kept;
    struct canceld_client *client = NULL;
    struct canceld_request request = {.op = CANCELD_OP_ADOPT};
    struct canceld_get_request get = {.key = canceld_string("k")};
    struct canceld_result result;
    struct canceld_info info;
    struct canceld_notice notice;
    struct done done = {0};

    (void) program_start_ready(&daemon_, FLAGS);
    kept = left_behind(plain_owner);
    daemon_killed();
    (void) program_start_ready(&daemon_, FLAGS);
    client = connected(false);
    request.of.adopt = (struct canceld_adopt_request){
        .store = request_of(CANCELD_ON_OWNER_LOSS_REAP),
        .gen = kept.gen,
        .previous_session = kept.session,
        .cause = {.code = CANCELD_CAUSE_SUPERSEDED, .peer = canceld_string("uid:7")}};
    CHECK_EQ(canceld_submit(client, &request, 0, on_done, &done), CANCELD_OK);
    CHECK_EVENTUALLY(__atomic_load_n(&done.done, __ATOMIC_ACQUIRE) == 1);
    CHECK_EQ(done.answer, CANCELD_ANSWER_ADOPTED);
    CHECK(done.operation != NULL);
    stop_wait(done.operation);
    CHECK_EQ(canceld_operation_notice(done.operation, &notice), CANCELD_OK);
    CHECK_EQ(notice.cause.code, CANCELD_CAUSE_SUPERSEDED);
    CHECK_BYTES_EQ(notice.cause.peer.data, notice.cause.peer.size, "uid:7", 5);
    daemon_killed();
    CHECK_EVENTUALLY(canceld_is_degraded(client));
    (void) program_start_ready(&daemon_, FLAGS);
    get.gen = kept.gen;
    CHECK_EQ(canceld_get(client, &get, 0, &result), CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_FOUND);
    CHECK_EQ(canceld_info(client, &info), CANCELD_OK);
    CHECK_EQ(result.operations[0].owner, info.session);
    CHECK_EQ(result.operations[0].state, CANCELD_STATE_CANCELLING);
    CHECK_EQ(result.operations[0].labels_count, 1);
    CHECK_BYTES_EQ(result.operations[0].meta.data, result.operations[0].meta.size, "meta", 4);
    canceld_result_clear(&result);
    CHECK_EQ(canceld_operation_finish(done.operation, CANCELD_OUTCOME_FAILED, 0, &result),
             CANCELD_OK);
    CHECK_EQ(result.answer, CANCELD_ANSWER_DELETED);
    canceld_result_clear(&result);
    canceld_close(client, 0);
    program_stop(&daemon_);
    test_descriptors_mark(); /* of NNG */
}

static const struct test_case cases[] = {
    {"a kept operation is adopted by another process and cancelled by a third: STOPPED",
     cancelled_by_a_third},
    {"one that was cancelled without an owner tells its adopter", cancelled_without_an_owner},
    {"an operation of an earlier process is adopted after a restart, and after the next one",
     of_an_earlier_process},
};

TEST_MAIN(cases)
