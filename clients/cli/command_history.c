/* SPDX-License-Identifier: MIT */
/* history: the audit trail. */
#include "answer.h"
#include "call.h"
#include "command.h"
#include "line.h"

#include <stdio.h>

#define LINES_DEFAULT 100
#define PAGE_SIZE_MAX 1000

static enum canceld_status history_ask(const struct call *call, uint64_t cursor,
                                       struct canceld_result *result_out)
{
    uint64_t limit = call->arguments->limit;
    /* Not more than are printed: what is beyond the limit nobody reads. */
    const struct canceld_history_request request = {
        .key = call->arguments->key,
        .cursor = cursor,
        .page_size = limit > 0 && limit < PAGE_SIZE_MAX ? (uint32_t) limit : 0,
    };

    return canceld_history(call->client, &request, 0, result_out);
}

static size_t history_tell(const struct arguments *arguments, const struct canceld_result *result,
                           size_t lines_max)
{
    size_t i = 0;

    for (; i < result->history_count && i < lines_max; i++) {
        struct line line;

        line_begin(&line, stdout, arguments->json);
        answer_history_put(&line, &result->history[i]);
        line_end(&line);
    }
    return i;
}

enum exit_code command_history(const struct arguments *arguments)
{
    static const struct pages pages = {CANCELD_ANSWER_HISTORY, history_ask, history_tell,
                                       LINES_DEFAULT};

    return call_pages(arguments, &pages);
}
