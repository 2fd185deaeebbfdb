/* SPDX-License-Identifier: MIT */
#include "call.h"

#include "answer.h"
#include "command.h"
#include "connection.h"
#include "line.h"
#include "option.h"
#include "value.h"

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
        text = value_is_tls_url(arguments->server_url)
                   ? "the address, the namespace or a file of --tls-... is none"
                   : "the address or the namespace is none";
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
static void error_tell(const struct arguments *arguments, const struct canceld_result *result)
{
    const char *option =
        option_of_field(arguments->command->options | OPTION_BITS_EVERYWHERE, result->error.field);
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
        error_tell(arguments, result);
    } else {
        line_begin(&line, stdout, arguments->json);
        answer_put(&line, arguments->key, result);
        line_end(&line);
    }
    return exit_code_of_result(result, wish);
}

/* Forgets the token. */
static enum exit_code call_connect(struct call *call, struct connection *connection)
{
    enum canceld_status status = canceld_connect(&connection->options, 0, &call->client);
    enum exit_code code;

    connection_fini(connection);
    if (status == CANCELD_OK) {
        return EXIT_CODE_DONE;
    }
    code = call_failed(call->arguments, status, NULL);
    /* What else a session is refused for: whoever asks may not open one. */
    return status == CANCELD_REFUSED && !connection->options.sessionless ? EXIT_CODE_DENIED : code;
}

enum exit_code call_open(struct call *call, const struct arguments *arguments, bool needs_session)
{
    struct connection connection;
    enum exit_code code = connection_init(&connection, arguments, needs_session);

    *call = (struct call){.arguments = arguments};
    return code == EXIT_CODE_DONE ? call_connect(call, &connection) : code;
}

enum exit_code call_open_told(struct call *call, const struct arguments *arguments,
                              void (*on_event)(struct canceld_client *client,
                                               enum canceld_event event, void *arg),
                              void *arg)
{
    struct connection connection;
    enum exit_code code = connection_init(&connection, arguments, false);

    *call = (struct call){.arguments = arguments};
    if (code != EXIT_CODE_DONE) {
        return code;
    }
    connection.options.on_event = on_event;
    connection.options.on_event_arg = arg;
    return call_connect(call, &connection);
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
    if (status != CANCELD_OK) {
        code = call_failed(arguments, status, &result);
    } else if (question->tell != NULL && result.answer != CANCELD_ANSWER_ERROR) {
        question->tell(arguments, &result);
        code = exit_code_of_result(&result, question->wish);
    } else {
        code = call_answered(arguments, &result, question->wish);
    }
    canceld_result_clear(&result);
    call_close(&call);
    return code;
}

/* Where the pages are. */
struct place {
    uint64_t cursor; /* of the next page; 0: there is none */
    size_t lines_left;
};

/* Asks for one page and tells it. */
static enum exit_code page_ask(const struct call *call, const struct pages *pages,
                               struct place *place)
{
    struct canceld_result result = {0};
    enum canceld_status status = pages->ask(call, place->cursor, &result);
    enum exit_code code = EXIT_CODE_DONE;

    place->cursor = 0;
    if (status != CANCELD_OK) {
        code = call_failed(call->arguments, status, &result);
    } else if (result.answer != pages->answer) {
        code = call_answered(call->arguments, &result, (struct exit_code_wish){0});
    } else {
        place->lines_left -= pages->tell(call->arguments, &result, place->lines_left);
        place->cursor = place->lines_left > 0 ? result.next_cursor : 0;
    }
    canceld_result_clear(&result);
    return code;
}

enum exit_code call_pages(const struct arguments *arguments, const struct pages *pages)
{
    struct call call;
    enum exit_code code = call_open(&call, arguments, false);
    struct place place = {.lines_left = SIZE_MAX};

    if (code != EXIT_CODE_DONE) {
        return code;
    }
    if (arguments->limit > 0 || pages->lines_max > 0) {
        place.lines_left = arguments->limit > 0 ? (size_t) arguments->limit : pages->lines_max;
    }
    do {
        code = page_ask(&call, pages, &place);
    } while (place.cursor != 0);
    call_close(&call);
    return code;
}
