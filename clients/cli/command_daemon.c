/* SPDX-License-Identifier: MIT */
/* ping and stats: the daemon itself. */
#include "call.h"
#include "command.h"
#include "line.h"
#include "prometheus.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static uint64_t now_us(void)
{
    struct timespec now;

    (void) clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000;
}

static void pong_tell(const struct arguments *arguments, uint64_t round_trip_us)
{
    struct line line;

    line_begin(&line, stdout, arguments->json);
    line_word(&line, "answer", canceld_answer_name(CANCELD_ANSWER_PONG));
    line_text(&line, "server", arguments->server_url);
    line_number(&line, "round_trip_us", round_trip_us);
    line_end(&line);
}

static size_t stats_tell(const struct arguments *arguments, const struct canceld_result *result,
                         size_t lines_max)
{
    struct line line;

    (void) lines_max; /* all of it, always */
    if (arguments->prometheus) {
        prometheus_put(stdout, result);
        return 0;
    }
    if (!arguments->json) {
        for (size_t i = 0; i < result->stats_count; i++) {
            (void) printf("%-40s %" PRIu64 "\n", result->stats[i].name, result->stats[i].value);
        }
        return 0;
    }
    line_begin(&line, stdout, true);
    line_word(&line, "answer", canceld_answer_name(result->answer));
    line_open(&line, "stats", '{');
    for (size_t i = 0; i < result->stats_count; i++) {
        line_number(&line, result->stats[i].name, result->stats[i].value);
    }
    line_close(&line, '}');
    line_end(&line);
    return 0;
}

enum exit_code command_ping(const struct arguments *arguments)
{
    struct call call;
    struct canceld_result result = {0};
    enum exit_code code = call_open(&call, arguments, false);
    enum canceld_status status;
    uint64_t begin_us;

    if (code != EXIT_CODE_DONE) {
        return code;
    }
    begin_us = now_us();
    status = canceld_ping(call.client, 0, &result);
    if (status != CANCELD_OK) {
        code = call_failed(arguments, status, &result);
    } else if (result.answer != CANCELD_ANSWER_PONG) {
        code = call_answered(arguments, &result, (struct exit_code_wish){0});
    } else {
        pong_tell(arguments, now_us() - begin_us);
    }
    canceld_result_clear(&result);
    call_close(&call);
    return code;
}

static enum canceld_status stats_ask(const struct call *call, uint64_t cursor,
                                     struct canceld_result *result_out)
{
    (void) cursor;
    return canceld_stats(call->client, 0, result_out);
}

enum exit_code command_stats(const struct arguments *arguments)
{
    static const struct pages pages = {CANCELD_ANSWER_STATS, stats_ask, stats_tell, 0};

    return call_pages(arguments, &pages);
}
