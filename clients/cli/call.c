/* SPDX-License-Identifier: MIT */
#include "call.h"

#include "answer.h"
#include "line.h"
#include "option.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* How long the daemon may take for the end of a session that nothing hangs on. */
#define CLOSE_MS 1000U

enum exit_code call_failed(const struct arguments *arguments, enum canceld_status status,
                           const struct canceld_result *result)
{
    const char *text = canceld_status_text(status);
    struct line line;

    if (status == CANCELD_INVALID) {
        text = "the address or the namespace is none";
    } else if (status == CANCELD_SYSTEM) {
        text = strerror(errno);
    } else if (result != NULL && result->error.text != NULL && result->error.text[0] != '\0') {
        text = result->error.text;
    }
    if (arguments->json) {
        line_begin(&line, stdout, true);
        line_named(&line, "status", canceld_status_name(status));
        line_text(&line, "server", arguments->server_url);
        line_text(&line, "text", text);
    } else {
        line_begin(&line, stderr, false);
        (void) fprintf(line.text, "cancelctl: %s: %s", arguments->server_url, text);
    }
    line_end(&line);
    return exit_code_of_status(status);
}

/* The daemon found a value out of its range that only it could judge. */
static void error_tell(const struct canceld_result *result)
{
    const char *option = option_of_field(result->error.field);
    struct line line;

    line_begin(&line, stderr, false);
    (void) fprintf(line.text, "cancelctl: %s%s: %s", option != NULL ? "--" : "",
                   option != NULL ? option : result->error.field, result->error.text);
    line_end(&line);
}

enum exit_code call_answered(const struct arguments *arguments, const struct canceld_result *result,
                             struct exit_code_wish wish)
{
    struct line line;

    if (result->answer == CANCELD_ANSWER_ERROR && !arguments->json) {
        error_tell(result);
    } else {
        line_begin(&line, stdout, arguments->json);
        answer_put(&line, arguments->key, result);
        line_end(&line);
    }
    return exit_code_of_result(result, wish);
}

enum exit_code call_open(struct call *call, const struct arguments *arguments, bool needs_session)
{
    const struct canceld_options options = {
        .url = arguments->server_url,
        .name_space = arguments->name_space,
        .client_name = "cancelctl",
        .sessionless = !needs_session,
    };
    enum canceld_status status;

    *call = (struct call){.arguments = arguments};
    status = canceld_connect(&options, 0, &call->client);
    return status == CANCELD_OK ? EXIT_CODE_DONE : call_failed(arguments, status, NULL);
}

void call_close(struct call *call)
{
    canceld_close(call->client, CLOSE_MS);
    call->client = NULL;
}

enum exit_code call_once(const struct arguments *arguments, const struct question *question)
{
    struct call call;
    struct canceld_result result = {0};
    enum exit_code code = call_open(&call, arguments, question->needs_session);
    enum canceld_status status;

    if (code != EXIT_CODE_DONE) {
        return code;
    }
    status = question->ask(&call, &result);
    code = status == CANCELD_OK ? call_answered(arguments, &result, question->wish)
                                : call_failed(arguments, status, &result);
    canceld_result_clear(&result);
    call_close(&call);
    return code;
}

/* Asks for one page and tells it. Gives the cursor of the next one, 0 where there is none. */
static uint64_t page_ask(const struct call *call, const struct pages *pages, uint64_t cursor,
                         enum exit_code *code)
{
    struct canceld_result result = {0};
    enum canceld_status status = pages->ask(call, cursor, &result);
    uint64_t next = 0;

    if (status != CANCELD_OK) {
        *code = call_failed(call->arguments, status, &result);
    } else if (result.answer != pages->answer) {
        *code = call_answered(call->arguments, &result, (struct exit_code_wish){0});
    } else {
        pages->tell(call->arguments, &result);
        next = result.next_cursor;
    }
    canceld_result_clear(&result);
    return next;
}

enum exit_code call_pages(const struct arguments *arguments, const struct pages *pages)
{
    struct call call;
    enum exit_code code = call_open(&call, arguments, false);
    uint64_t cursor = 0;

    if (code != EXIT_CODE_DONE) {
        return code;
    }
    do {
        cursor = page_ask(&call, pages, cursor, &code);
    } while (cursor != 0);
    call_close(&call);
    return code;
}
