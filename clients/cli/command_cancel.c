/* SPDX-License-Identifier: MIT */
/* cancel, and what it arms. */
#include "answer.h"
#include "call.h"
#include "command.h"
#include "line.h"

#include <stdio.h>

#define DEADLINE_DEFAULT_MS 5000U

static uint32_t deadline_ms(const struct arguments *arguments)
{
    if ((arguments->options_given & OPTION_BIT(DEADLINE)) != 0) {
        return arguments->deadline_ms;
    }
    return arguments->level > CANCELD_LEVEL_RECORDED ? DEADLINE_DEFAULT_MS : 0;
}

static enum canceld_status cancel_ask(const struct call *call, struct canceld_result *result_out)
{
    const struct arguments *arguments = call->arguments;
    const struct canceld_cancel_request request = {
        .key = arguments->key,
        .gen = arguments->gen,
        .cause = {.code = CANCELD_CAUSE_USER,
                  .text = canceld_string(arguments->reason),
                  .actor = canceld_string(arguments->actor)},
        .level = arguments->level,
        .wait_ms = deadline_ms(arguments),
        .arm_ttl_ms = arguments->arm_ms,
        .after_gen = arguments->after_gen,
    };

    return canceld_cancel(call->client, &request, 0, result_out);
}

enum exit_code command_cancel(const struct arguments *arguments)
{
    const struct question question = {.ask = cancel_ask, .wish = {.level = arguments->level}};

    return call_once(arguments, &question);
}

static enum canceld_status disarm_ask(const struct call *call, struct canceld_result *result_out)
{
    const struct canceld_get_request request = {.key = call->arguments->key};

    return canceld_disarm(call->client, &request, 0, result_out);
}

enum exit_code command_disarm(const struct arguments *arguments)
{
    static const struct question question = {.ask = disarm_ask};

    return call_once(arguments, &question);
}

static enum canceld_status armed_ask(const struct call *call, uint64_t cursor,
                                     struct canceld_result *result_out)
{
    const struct canceld_list_request request = {.cursor = cursor};

    return canceld_armed(call->client, &request, 0, result_out);
}

static void armed_tell(const struct arguments *arguments, const struct canceld_result *result)
{
    for (size_t i = 0; i < result->armed_count; i++) {
        struct line line;

        line_begin(&line, stdout, arguments->json);
        answer_armed_put(&line, &result->armed[i]);
        line_end(&line);
    }
}

enum exit_code command_armed(const struct arguments *arguments)
{
    static const struct pages pages = {CANCELD_ANSWER_ARMED_KEYS, armed_ask, armed_tell};

    return call_pages(arguments, &pages);
}
