/* SPDX-License-Identifier: MIT */
/* run: a command as an operation.
 *
 * The operation is stored, or adopted, before the command is started and finished after it has ended, so whoever
 * finds the operation live finds the work alive. What a canceller is told is true of all of the
 * group: after a cancel the operation is finished only when nobody of the group is left, by the
 * signal or, the grace later, by SIGKILL. Where even that leaves somebody, its outcome is FAILED.
 *
 * One loop on the main thread sees everything in turn: signals, the operation's descriptor, and the
 * times at which something is due. Whether the command ended first or was cancelled first is decided
 * here, by looking for its end before a signal is sent for a cancel.
 *
 * On a local socket no heartbeat is kept: the kernel tells the daemon of our end, and a command
 * that its user has stopped for a while is not given up. */
#include "command.h"
#include "connection.h"
#include "run.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* What a stop may take beyond the grace: the daemon lets the operation expire only after both. */
#define STOP_MORE_MS 2000U
/* How often a group is looked at whose last members are not our children. */
#define GROUP_TICK_MS 20
/* How often it is asked whether the time limit has become ours to keep. */
#define LIMIT_TICK_MS 1000
#define STORE_MS 5000U
#define FINISH_MS 3000U
#define CLOSE_MS 1000U

static uint64_t now_ms(void)
{
    struct timespec now;

    (void) clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}

/* ---- the operation ---- */

/* Where there is no daemon: says so, and whether the command is to run all the same. */
static enum exit_code daemon_missing(const struct run *run, enum canceld_status status)
{
    bool is_away = status == CANCELD_UNAVAILABLE || status == CANCELD_TIMED_OUT;

    if (is_away && run->arguments->no_daemon == NO_DAEMON_RUN) {
        run_tell(run->arguments,
                 (struct run_event){.word = "NO_DAEMON",
                                    .remark = "the command runs, and nobody can cancel it"});
        return EXIT_CODE_DONE;
    }
    run_tell(run->arguments, (struct run_event){.word = is_away ? "NO_DAEMON" : "NOT_STARTED",
                                                .remark = canceld_status_text(status)});
    return EXIT_CODE_NOT_STARTED;
}

static enum exit_code connect_to_daemon(struct run *run)
{
    const struct arguments *arguments = run->arguments;
    bool is_local = strncmp(arguments->server_url, "ipc:", 4) == 0;
    struct connection connection;
    enum canceld_status status;

    if (connection_init(&connection, arguments, true) != EXIT_CODE_DONE) {
        return EXIT_CODE_NOT_STARTED;
    }
    connection.options.client_name = "cancelctl run";
    connection.options.heartbeat_ms = is_local ? CANCELD_HEARTBEAT_NONE : 0;
    connection.options.on_event = run_on_event;
    connection.options.on_event_arg = run;
    status = canceld_connect(&connection.options, STORE_MS, &run->client);
    connection_fini(&connection);
    if (status != CANCELD_OK) {
        run->client = NULL;
        return daemon_missing(run, status);
    }
    return EXIT_CODE_DONE;
}

/* The answer to the store or adopt: whether the command may begin. */
static enum exit_code stored(struct run *run, const struct canceld_result *result)
{
    if (result->answer == CANCELD_ANSWER_STORED ||
        (result->answer == CANCELD_ANSWER_ADOPTED && result->state == CANCELD_STATE_LIVE)) {
        run_tell_json(
            run->arguments,
            (struct run_event){.word = canceld_answer_name(result->answer), .gen = result->gen});
        return EXIT_CODE_DONE;
    }
    run_tell_answer(run->arguments, result);
    if (run->operation != NULL) {
        /* Born cancelled, or cancelled before: it is ours to end. Where that fails, the end of the session ends it. */
        enum canceld_status status =
            canceld_operation_finish(run->operation, CANCELD_OUTCOME_CANCELLED, FINISH_MS, NULL);

        (void) status;
        run->operation = NULL;
    }
    return EXIT_CODE_NOT_STARTED;
}

/* Stores, or takes over what was stored with this. */
static enum canceld_status operation_get(struct run *run,
                                         const struct canceld_store_request *request,
                                         struct canceld_result *result)
{
    const struct canceld_adopt_request adopt = {.store = *request, .gen = run->arguments->adopt};

    if (adopt.gen == 0) {
        return canceld_store(run->client, request, STORE_MS, &run->operation, result);
    }
    return canceld_adopt(run->client, &adopt, STORE_MS, &run->operation, result);
}

static enum exit_code store(struct run *run)
{
    const struct arguments *arguments = run->arguments;
    struct canceld_store_request request = {
        .key = arguments->key,
        .policy = arguments->policy,
        .ttl_ms = arguments->ttl_ms,
        .on_expiry = CANCELD_ON_EXPIRY_CANCEL,
        .stop_grace_ms = arguments->grace_ms + STOP_MORE_MS,
        .meta = canceld_string(arguments->meta),
        .parent = arguments->parent,
        .labels_count = arguments->labels_count,
        .on_notice = run_on_notice,
        .on_notice_arg = run,
    };
    struct canceld_result result = {0};
    enum exit_code code = connect_to_daemon(run);
    enum canceld_status status;

    if (run->client == NULL) {
        return code;
    }
    memcpy(request.labels, arguments->labels, sizeof request.labels);
    status = operation_get(run, &request, &result);
    code = status == CANCELD_OK ? stored(run, &result) : daemon_missing(run, status);
    canceld_result_clear(&result);
    return code;
}

/* ---- the command ---- */

static enum exit_code start(struct run *run)
{
    char **argv = run->arguments->run_argv;
    char remark[256];
    int error = child_start(&run->child, argv, &run->signals);

    if (error == 0) {
        run->limit_at_ms = run->arguments->ttl_ms > 0 ? now_ms() + run->arguments->ttl_ms : 0;
        return EXIT_CODE_DONE;
    }
    (void) snprintf(remark, sizeof remark, "%.200s: %s", argv[0], strerror(error));
    run_tell(run->arguments, (struct run_event){.word = "NOT_STARTED", .remark = remark});
    return error == ENOENT ? EXIT_CODE_NO_COMMAND : EXIT_CODE_CANNOT_EXEC;
}

/* The cord was pulled, by whom and why says `event`. */
static void stop(struct run *run, struct run_event event)
{
    char remark[96];

    child_reap(&run->child);
    if (run->child.has_ended || run->is_cancelled) {
        return;
    }
    (void) snprintf(remark, sizeof remark, "signal %d sent, SIGKILL after %u ms",
                    run->arguments->signal_number, (unsigned) run->arguments->grace_ms);
    event.remark = remark;
    run_tell(run->arguments, event);
    run->is_cancelled = true;
    run->kill_at_ms = now_ms() + run->arguments->grace_ms;
    child_signal(&run->child, run->arguments->signal_number);
}

/* The operation's descriptor is readable. */
static void on_flag(struct run *run)
{
    struct canceld_notice notice = {0};

    if (canceld_operation_notice(run->operation, &notice) != CANCELD_OK) {
        return;
    }
    stop(run, (struct run_event){.word = notice.cancelled ? "CANCELLED"
                                                          : canceld_outcome_name(notice.outcome),
                                 .gen = canceld_operation_gen(run->operation),
                                 .cause = notice.cancelled ? &notice.cause : NULL});
}

/* ---- signals ---- */

static void on_stopped(struct run *run)
{
    int number = child_stop_take(&run->child);
    char remark[64];

    if (number == 0) {
        return;
    }
    if (run->child.has_terminal) {
        child_stop_ourselves(&run->child);
    } else if (number == SIGTTIN || number == SIGTTOU) {
        (void) snprintf(remark, sizeof remark, "by SIG%s: the terminal is not its own",
                        sigabbrev_np(number));
        run_tell(run->arguments, (struct run_event){.word = "STOPPED", .remark = remark});
    }
}

static void on_signal(struct run *run, int number)
{
    child_reap(&run->child);
    if (number == SIGCHLD) {
        on_stopped(run);
    } else if (run->child.has_ended && !run->is_cancelled) {
        return; /* nobody is left to send it to */
    } else if (number == SIGCONT) {
        child_continue(&run->child);
    } else {
        child_signal(&run->child, number);
        if (number == SIGTSTP) {
            child_stop_ourselves(&run->child);
        }
    }
}

/* ---- times ---- */

static bool is_due(uint64_t at_ms, uint64_t now)
{
    return at_ms != 0 && now >= at_ms;
}

/* The time limit is the daemon's to keep, and may be touched there; but where the daemon knows
 * nothing of the operation it is ours. */
static bool limit_is_ours(const struct run *run)
{
    struct canceld_notice notice = {0};

    return run->operation == NULL ||
           (canceld_operation_notice(run->operation, &notice) == CANCELD_OK &&
            (notice.lost_possible || notice.lost));
}

static void on_time(struct run *run)
{
    static const struct canceld_cause deadline = {.code = CANCELD_CAUSE_DEADLINE};
    uint64_t now = now_ms();

    if (is_due(run->limit_at_ms, now)) {
        run->limit_at_ms = now + LIMIT_TICK_MS;
        if (limit_is_ours(run)) {
            stop(run, (struct run_event){.word = "CANCELLED", .cause = &deadline});
        }
    }
    if (is_due(run->kill_at_ms, now)) {
        run->kill_at_ms = 0;
        run->give_up_at_ms = now + STOP_MORE_MS;
        run_tell(run->arguments,
                 (struct run_event){.word = "KILLED", .remark = "the grace is over: SIGKILL sent"});
        child_signal(&run->child, SIGKILL);
    }
    run->is_given_up = is_due(run->give_up_at_ms, now);
}

static int earlier(int wait_ms, uint64_t at_ms, uint64_t now)
{
    uint64_t left = at_ms > now ? at_ms - now : 0;

    if (at_ms == 0 || (wait_ms >= 0 && (uint64_t) wait_ms <= left)) {
        return wait_ms;
    }
    return left > LIMIT_TICK_MS ? LIMIT_TICK_MS : (int) left;
}

/* How long there is nothing to do unless something happens; -1: for ever. */
static int wait_ms(const struct run *run)
{
    uint64_t now = now_ms();
    int ms = run->child.has_ended ? GROUP_TICK_MS : -1;

    ms = earlier(ms, run->is_cancelled ? 0 : run->limit_at_ms, now);
    ms = earlier(ms, run->kill_at_ms, now);
    return earlier(ms, run->child.has_ended ? run->give_up_at_ms : 0, now);
}

/* ---- the loop ---- */

static bool is_over(struct run *run)
{
    child_reap(&run->child);
    return run->child.has_ended &&
           (!run->is_cancelled || run->is_given_up || child_group_is_gone(&run->child));
}

static void loop(struct run *run)
{
    int flag_fd = run->operation == NULL ? -1 : canceld_operation_fd(run->operation);
    int number;

    while (!is_over(run)) {
        struct pollfd fds[2] = {
            {.fd = run->signals.fd, .events = POLLIN},
            {.fd = run->is_cancelled ? -1 : flag_fd, .events = POLLIN},
        };

        (void) poll(fds, 2, wait_ms(run));
        while ((number = signals_next(&run->signals)) != 0) {
            on_signal(run, number);
        }
        if ((fds[1].revents & POLLIN) != 0) {
            on_flag(run);
        }
        on_time(run);
    }
    child_terminal_take(&run->child);
}

static enum canceld_outcome outcome_of(const struct run *run)
{
    if (run->is_given_up && !child_group_is_gone(&run->child)) {
        return CANCELD_OUTCOME_FAILED;
    }
    if (run->is_cancelled) {
        return CANCELD_OUTCOME_CANCELLED;
    }
    return child_exit_code(&run->child) == 0 ? CANCELD_OUTCOME_COMPLETED : CANCELD_OUTCOME_FAILED;
}

static void finish(struct run *run, enum canceld_outcome outcome, int exit_code)
{
    struct canceld_result result = {0};
    struct run_end end = {.outcome = outcome, .exit_code = exit_code, .result = &result};

    if (run->operation == NULL) {
        return;
    }
    end.status = canceld_operation_finish(run->operation, outcome, FINISH_MS, &result);
    run->operation = NULL;
    run_tell_end(run, &end);
    canceld_result_clear(&result);
}

enum exit_code command_run(const struct arguments *arguments)
{
    struct run run = {.arguments = arguments};
    enum exit_code code;

    if (!signals_init(&run.signals)) {
        run_tell(arguments, (struct run_event){.word = "NOT_STARTED", .remark = strerror(errno)});
        return EXIT_CODE_NOT_STARTED;
    }
    code = store(&run);
    if (code == EXIT_CODE_DONE) {
        code = start(&run);
        if (code == EXIT_CODE_DONE) {
            loop(&run);
            code = (enum exit_code) child_exit_code(&run.child);
            finish(&run, outcome_of(&run), (int) code);
        } else {
            finish(&run, CANCELD_OUTCOME_FAILED, (int) code);
        }
    }
    if (run.client != NULL) {
        canceld_close(run.client, CLOSE_MS);
    }
    return code;
}
