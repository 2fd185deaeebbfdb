/* SPDX-License-Identifier: MIT */
/* cancel, and what it arms. */
#include "answer.h"
#include "answer_group.h"
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

static bool is_bulk(const struct arguments *arguments)
{
    return arguments->key.size == 0;
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
        .level = is_bulk(arguments) ? CANCELD_LEVEL_NONE : arguments->level,
        .wait_ms = is_bulk(arguments) ? 0 : deadline_ms(arguments),
        .arm_ttl_ms = arguments->arm_ms,
        .after_gen = arguments->after_gen,
        .label = arguments->labels[0],
        .owner = arguments->session,
        .whole_namespace = arguments->whole_namespace,
    };

    return canceld_cancel(call->client, &request, 0, result_out);
}

static void bulk_tell(const struct arguments *arguments, const struct canceld_result *result)
{
    answer_bulk_tell(stdout, arguments, result);
}

enum exit_code command_cancel(const struct arguments *arguments)
{
    const struct question keyed = {.ask = cancel_ask, .wish = {.level = arguments->level}};
    static const struct question bulk = {.ask = cancel_ask, .tell = bulk_tell};

    return call_once(arguments, is_bulk(arguments) ? &bulk : &keyed);
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

static size_t armed_tell(const struct arguments *arguments, const struct canceld_result *result,
                         size_t lines_max)
{
    size_t i = 0;

    for (; i < result->armed_count && i < lines_max; i++) {
        struct line line;

        line_begin(&line, stdout, arguments->json);
        answer_armed_put(&line, &result->armed[i]);
        line_end(&line);
    }
    return i;
}

enum exit_code command_armed(const struct arguments *arguments)
{
    static const struct pages pages = {CANCELD_ANSWER_ARMED_KEYS, armed_ask, armed_tell, 0};

    return call_pages(arguments, &pages);
}
