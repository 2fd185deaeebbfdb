/* SPDX-License-Identifier: MIT */
#include "answer.h"
#include "line.h"
#include "run.h"

#include <stdio.h>

static void tell_begin(struct line *line, const struct arguments *arguments)
{
    line_begin(line, stderr, arguments->json);
    if (!arguments->json) {
        (void) fputs("cancelctl: ", line->text);
    }
}

void run_tell(const struct arguments *arguments, struct run_event event)
{
    struct line line;

    tell_begin(&line, arguments);
    line_word(&line, "event", event.word);
    line_key(&line, arguments->key);
    if (event.gen != 0) {
        line_gen(&line, "gen", event.gen);
    }
    if (event.cause != NULL) {
        line_cause(&line, event.cause);
    }
    if (event.remark != NULL) {
        line_remark(&line, event.remark);
    }
    line_end(&line);
}

void run_tell_json(const struct arguments *arguments, struct run_event event)
{
    if (arguments->json) {
        run_tell(arguments, event);
    }
}

void run_tell_answer(const struct arguments *arguments, const struct canceld_result *result)
{
    struct line line;

    tell_begin(&line, arguments);
    if (arguments->json) {
        line_named(&line, "event", "NOT_STARTED");
    }
    answer_put(&line, arguments->key, result);
    if (!arguments->json) {
        line_remark(&line, "the command was not started");
    }
    line_end(&line);
}

void run_tell_end(const struct run *run, const struct run_end *end)
{
    const struct arguments *arguments = run->arguments;
    struct line line;

    if (!arguments->json) {
        if (end->status != CANCELD_OK) {
            run_tell(arguments, (struct run_event){.word = canceld_outcome_name(end->outcome),
                                                   .remark = "the daemon could not be told"});
        }
        return;
    }
    line_begin(&line, stderr, true);
    line_named(&line, "event", "ENDED");
    line_key(&line, arguments->key);
    line_named(&line, "outcome", canceld_outcome_name(end->outcome));
    line_number(&line, "exit_code", (uint64_t) end->exit_code);
    line_named(&line, "status", canceld_status_name(end->status));
    if (end->status == CANCELD_OK) {
        line_named(&line, "answer", canceld_answer_name(end->result->answer));
        line_flag(&line, "cancelled", end->result->cancelled);
        line_cause(&line, &end->result->cause);
    }
    line_end(&line);
}

void run_on_event(struct canceld_client *client, enum canceld_event event, void *arg)
{
    static const struct {
        enum canceld_event event;
        const char *word;
        const char *remark;
    } rows[] = {
        {CANCELD_EVENT_DEGRADED, "DEGRADED",
         "the connection to the daemon is lost; the command goes on"},
        {CANCELD_EVENT_RESUMED, "RESUMED", "the daemon is there again, nothing was lost"},
        {CANCELD_EVENT_LOST_POSSIBLE, "LOST_POSSIBLE",
         "the daemon may have given the command up; it goes on"},
        {CANCELD_EVENT_NEW_EPOCH, "NEW_EPOCH",
         "the daemon was restarted, and is told of the command again"},
        {CANCELD_EVENT_ADOPTED, "ADOPTED", "the restarted daemon has it, nothing was lost"},
    };
    const struct run *run = arg;

    (void) client;
    if (event == CANCELD_EVENT_ADOPTED && run->is_lost) {
        return;
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].event == event) {
            run_tell(run->arguments,
                     (struct run_event){.word = rows[i].word, .remark = rows[i].remark});
        }
    }
}

void run_on_notice(struct canceld_operation *operation, void *arg)
{
    struct run *run = arg;
    struct canceld_notice notice = {0};

    if (run->is_lost || canceld_operation_notice(operation, &notice) != CANCELD_OK ||
        !notice.lost) {
        return;
    }
    run->is_lost = true;
    run_tell(run->arguments,
             (struct run_event){.word = "LOST",
                                .gen = canceld_operation_gen(operation),
                                .remark = "the daemon knows the command no more; it goes on, and "
                                          "nobody can cancel it"});
}
