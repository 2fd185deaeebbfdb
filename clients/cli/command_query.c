/* SPDX-License-Identifier: MIT */
/* get, list, count and wait. */
#include "answer.h"
#include "call.h"
#include "command.h"
#include "line.h"
#include "value.h"

#include <stdio.h>
#include <string.h>

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
    const struct arguments *arguments = call->arguments;
    struct canceld_list_request request = {
        .state = arguments->state,
        .owner = arguments->owner,
        .cursor = cursor,
        .labels_count = arguments->labels_count,
        .order = arguments->oldest           ? CANCELD_LIST_ORDER_OLDEST
                 : arguments->unacknowledged ? CANCELD_LIST_ORDER_UNACKNOWLEDGED
                                             : CANCELD_LIST_ORDER_NONE,
    };

    memcpy(request.labels, arguments->labels, sizeof request.labels);
    return canceld_list(call->client, &request, 0, result_out);
}

static size_t operations_tell(const struct arguments *arguments,
                              const struct canceld_result *result, size_t lines_max)
{
    size_t i = 0;

    for (; i < result->operations_count && i < lines_max; i++) {
        struct line line;

        line_begin(&line, stdout, arguments->json);
        answer_operation_put(&line, &result->operations[i]);
        line_end(&line);
    }
    return i;
}

/* One operation is a page of one. */
enum exit_code command_get(const struct arguments *arguments)
{
    static const struct pages pages = {CANCELD_ANSWER_FOUND, get_ask, operations_tell, 0};

    return call_pages(arguments, &pages);
}

enum exit_code command_list(const struct arguments *arguments)
{
    static const struct pages pages = {CANCELD_ANSWER_PAGE, list_ask, operations_tell, 0};

    return call_pages(arguments, &pages);
}

static enum canceld_status count_ask(const struct call *call, struct canceld_result *result_out)
{
    struct canceld_list_request request = {.state = call->arguments->state,
                                           .owner = call->arguments->owner,
                                           .labels_count = call->arguments->labels_count};

    memcpy(request.labels, call->arguments->labels, sizeof request.labels);
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
