/* SPDX-License-Identifier: MIT */
/* get, list, count and wait. */
#include "answer.h"
#include "call.h"
#include "command.h"
#include "line.h"
#include "value.h"

#include <stdio.h>

static enum canceld_status get_ask(const struct call *call, uint64_t cursor,
                                   struct canceld_result *result_out)
{
    const struct canceld_get_request request = {.key = call->arguments->key,
                                                .gen = call->arguments->gen};

    (void) cursor;
    return canceld_get(call->client, &request, 0, result_out);
}

static enum canceld_status list_ask(const struct call *call, uint64_t cursor,
                                    struct canceld_result *result_out)
{
    const struct canceld_list_request request = {
        .state = call->arguments->state, .owner = call->arguments->owner, .cursor = cursor};

    return canceld_list(call->client, &request, 0, result_out);
}

static void operations_tell(const struct arguments *arguments, const struct canceld_result *result)
{
    for (size_t i = 0; i < result->operations_count; i++) {
        struct line line;

        line_begin(&line, stdout, arguments->json);
        answer_operation_put(&line, &result->operations[i]);
        line_end(&line);
    }
}

/* One operation is a page of one. */
enum exit_code command_get(const struct arguments *arguments)
{
    static const struct pages pages = {CANCELD_ANSWER_FOUND, get_ask, operations_tell};

    return call_pages(arguments, &pages);
}

enum exit_code command_list(const struct arguments *arguments)
{
    static const struct pages pages = {CANCELD_ANSWER_PAGE, list_ask, operations_tell};

    return call_pages(arguments, &pages);
}

static enum canceld_status count_ask(const struct call *call, struct canceld_result *result_out)
{
    const struct canceld_list_request request = {.state = call->arguments->state,
                                                 .owner = call->arguments->owner};

    return canceld_count(call->client, &request, 0, result_out);
}

enum exit_code command_count(const struct arguments *arguments)
{
    static const struct question question = {.ask = count_ask};

    return call_once(arguments, &question);
}

static enum canceld_status wait_ask(const struct call *call, struct canceld_result *result_out)
{
    const struct arguments *arguments = call->arguments;
    bool is_bounded = (arguments->options_given & OPTION_BIT(DEADLINE)) != 0;
    const struct canceld_wait_request request = {
        .key = arguments->key,
        .gen = arguments->gen,
        .until = arguments->until,
        .wait_ms = is_bounded ? arguments->deadline_ms : (uint32_t) VALUE_DAY_MS,
    };

    return canceld_wait(call->client, &request, 0, result_out);
}

enum exit_code command_wait(const struct arguments *arguments)
{
    static const struct question question = {.ask = wait_ask};

    return call_once(arguments, &question);
}
