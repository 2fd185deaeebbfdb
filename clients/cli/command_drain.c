/* SPDX-License-Identifier: MIT */
/* drain and undrain.
 *
 * The drain is one request that the daemon answers when nothing is left, or at the deadline. Meanwhile
 * the main thread counts what is left, and tells it. The answer comes on the client's callback thread,
 * which makes text of it and then writes to an eventfd; the main thread looks at that text only after it
 * has read there. So the two never write to the terminal at the same time. */
#include "answer_group.h"
#include "call.h"
#include "command.h"
#include "line.h"
#include "progress.h"
#include "stat_rows.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define DEADLINE_DEFAULT_MS 30000U
/* Whoever waits longer than this is told what is left, and again every tick. */
#define FIRST_TICK_MS 200
#define TICK_MS 500
#define COUNT_MS 1000U
#define ERROR_BYTES 256

struct drain {
    const struct arguments *arguments;
    struct canceld_client *client;
    int done_fd;
    uint64_t begin_ms;
    /* of the callback, until it has written to done_fd */
    enum canceld_status status;
    enum canceld_answer answer;
    uint32_t error_code;
    char error_field[ERROR_BYTES];
    char error_text[ERROR_BYTES];
    char *text; /* the answer's lines */
    enum exit_code code;
};

static uint64_t now_ms(void)
{
    struct timespec now;

    (void) clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}

static struct canceld_drain_request request_of(const struct arguments *arguments)
{
    bool is_bounded = (arguments->options_given & OPTION_BIT(DEADLINE)) != 0;

    return (struct canceld_drain_request){
        .owner = arguments->session,
        .daemon = arguments->daemon,
        .wait_ms = is_bounded ? arguments->deadline_ms : DEADLINE_DEFAULT_MS,
        .text = canceld_string(arguments->reason),
        .actor = canceld_string(arguments->actor),
    };
}

/* ---- the answer ---- */

static void error_keep(struct drain *drain, const struct canceld_result *result)
{
    drain->error_code = result->error.code;
    (void) snprintf(drain->error_field, ERROR_BYTES, "%s",
                    result->error.field != NULL ? result->error.field : "");
    (void) snprintf(drain->error_text, ERROR_BYTES, "%s",
                    result->error.text != NULL ? result->error.text : "");
}

static void on_done(enum canceld_status status, const struct canceld_result *result,
                    struct canceld_operation *operation, void *arg)
{
    struct drain *drain = arg;
    size_t size = 0;
    FILE *out = open_memstream(&drain->text, &size);
    const uint64_t one = 1;
    ssize_t written;

    (void) operation;
    drain->status = status;
    drain->answer = result->answer;
    error_keep(drain, result);
    drain->code = exit_code_of_result(result, (struct exit_code_wish){0});
    if (out == NULL) {
        drain->status = CANCELD_NO_MEMORY;
    } else {
        answer_drain_tell(out, drain->arguments, now_ms() - drain->begin_ms, result);
        /* Closing allocates; where that fails there is no text, and no error. */
        const bool is_told = fclose(out) == 0 && drain->text != NULL;
        drain->status = is_told ? drain->status : CANCELD_NO_MEMORY;
    }
    written = write(drain->done_fd, &one, sizeof one);
    (void) written; /* an eventfd that nobody wrote to before takes it */
}

/* ---- what is left ---- */

static bool left_count(const struct drain *drain, uint64_t *left_out)
{
    const struct canceld_list_request request = {.owner = drain->arguments->session};
    struct canceld_result result = {0};
    enum canceld_status status;
    bool is_known = false;

    if (drain->arguments->daemon) {
        status = canceld_stats(drain->client, COUNT_MS, &result);
        *left_out = stat_rows_value(&result, "operations_live", 0) +
                    stat_rows_value(&result, "operations_cancelling", 0);
        is_known = status == CANCELD_OK && result.answer == CANCELD_ANSWER_STATS;
    } else {
        status = canceld_count(drain->client, &request, COUNT_MS, &result);
        *left_out = result.count;
        is_known = status == CANCELD_OK && result.answer == CANCELD_ANSWER_COUNTED;
    }
    canceld_result_clear(&result);
    return is_known;
}

static bool is_done(const struct drain *drain, int wait_ms)
{
    struct pollfd fd = {.fd = drain->done_fd, .events = POLLIN};

    return poll(&fd, 1, wait_ms) > 0;
}

/* Until the answer is there. It comes whatever happens: at the request's own deadline at the latest. */
static void await(const struct drain *drain)
{
    struct progress progress;
    uint64_t left = 0;
    uint64_t taken;
    ssize_t got;

    progress_init(&progress, stderr, drain->arguments->json, isatty(STDERR_FILENO) == 1);
    for (int wait_ms = FIRST_TICK_MS; !is_done(drain, wait_ms); wait_ms = TICK_MS) {
        if (left_count(drain, &left)) {
            progress_tell(&progress, left, now_ms() - drain->begin_ms);
        }
    }
    got = read(drain->done_fd, &taken, sizeof taken);
    (void) got; /* readable, as poll() said */
    progress_end(&progress);
}

static enum exit_code answer_tell(const struct drain *drain)
{
    const struct canceld_result error = {.answer = drain->answer,
                                         .error = {.code = drain->error_code,
                                                   .field = drain->error_field,
                                                   .text = drain->error_text}};

    if (drain->status != CANCELD_OK) {
        return call_failed(drain->arguments, drain->status, &error);
    }
    if (drain->answer == CANCELD_ANSWER_ERROR) {
        return call_answered(drain->arguments, &error, (struct exit_code_wish){0});
    }
    (void) fputs(drain->text, stdout);
    (void) fflush(stdout);
    return drain->code;
}

static enum exit_code drain_run(struct drain *drain)
{
    const struct canceld_request request = {.op = CANCELD_OP_DRAIN,
                                            .of.drain = request_of(drain->arguments)};
    enum canceld_status status;

    drain->begin_ms = now_ms();
    status = canceld_submit(drain->client, &request, 0, on_done, drain);
    if (status != CANCELD_OK) {
        return call_failed(drain->arguments, status, NULL);
    }
    await(drain);
    return answer_tell(drain);
}

enum exit_code command_drain(const struct arguments *arguments)
{
    struct drain drain = {.arguments = arguments, .done_fd = eventfd(0, EFD_CLOEXEC)};
    struct call call;
    enum exit_code code;

    if (drain.done_fd < 0) {
        return call_failed(arguments, CANCELD_SYSTEM, NULL);
    }
    code = call_open(&call, arguments, false);
    if (code == EXIT_CODE_DONE) {
        drain.client = call.client;
        code = drain_run(&drain);
        call_close(&call);
    }
    free(drain.text);
    (void) close(drain.done_fd);
    return code;
}

/* ---- undrain ---- */

static enum canceld_status undrain_ask(const struct call *call, struct canceld_result *result_out)
{
    const struct canceld_drain_request request = {.owner = call->arguments->session,
                                                  .daemon = call->arguments->daemon};

    return canceld_undrain(call->client, &request, 0, result_out);
}

static void undrain_tell(const struct arguments *arguments, const struct canceld_result *result)
{
    struct line line;

    line_begin(&line, stdout, arguments->json);
    line_word(&line, "answer", canceld_answer_name(result->answer));
    answer_target_put(&line, arguments);
    line_text(&line, "limit", result->limit);
    line_end(&line);
}

enum exit_code command_undrain(const struct arguments *arguments)
{
    static const struct question question = {.ask = undrain_ask, .tell = undrain_tell};

    return call_once(arguments, &question);
}
