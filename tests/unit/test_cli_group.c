/* SPDX-License-Identifier: MIT */
/* Lines about many operations: bulk cancels, drains and their progress, history, watch. */
#include "answer.h"
#include "answer_group.h"
#include "line.h"
#include "progress.h"
#include "testing.h"

#include <stdlib.h>

struct output {
    char *text;
    size_t size;
    FILE *file;
};

static void output_begin(struct output *output)
{
    output->file = open_memstream(&output->text, &output->size);
    CHECK(output->file != NULL);
}

static void check_output(struct output *output, const char *expected)
{
    CHECK_EQ(fclose(output->file), 0);
    CHECK_STR_EQ(output->text, expected);
    free(output->text);
}

/* ---- bulk ---- */

static void check_bulk(const struct arguments *arguments, const struct canceld_result *result,
                       const char *expected)
{
    struct output output;

    output_begin(&output);
    answer_bulk_tell(output.file, arguments, result);
    check_output(&output, expected);
}

static const struct canceld_gen_result cancelled_gens[] = {
    {.gen = 7,
     .answer = CANCELD_ANSWER_REQUESTED,
     .level = CANCELD_LEVEL_RECORDED,
     .key = {"a b", 3}},
    {.gen = 9,
     .answer = CANCELD_ANSWER_ALREADY_REQUESTED,
     .level = CANCELD_LEVEL_DELIVERED,
     .key = {"\033[2J", 4}},
};

static const struct canceld_result cancelled = {.answer = CANCELD_ANSWER_REQUESTED,
                                                .requested = 5,
                                                .already_requested = 2,
                                                .journaled = true,
                                                .gens = cancelled_gens,
                                                .gens_count = 2};

static void a_bulk_cancel_gives_counts_and_a_line_for_each_that_is_named(void)
{
    const struct arguments arguments = {.labels = {{"team=x", 6}}, .labels_count = 1};

    check_bulk(&arguments, &cancelled,
               "REQUESTED label=\"team=x\" namespace=default requested=5 already_requested=2 "
               "journaled\n"
               "REQUESTED \"a b\" gen=7 level=RECORDED\n"
               "ALREADY_REQUESTED \\033[2J gen=9 level=DELIVERED\n"
               "(and 5 more)\n");
}

static void a_bulk_cancel_is_one_object_in_json(void)
{
    const struct arguments arguments = {.session = 3, .name_space = "ns", .json = true};

    check_bulk(&arguments, &cancelled,
               "{\"answer\":\"REQUESTED\",\"session\":\"3\",\"namespace\":\"ns\",\"requested\":5,"
               "\"already_requested\":2,\"journaled\":true,\"gens\":["
               "{\"answer\":\"REQUESTED\",\"key\":\"a b\",\"gen\":\"7\",\"level\":\"RECORDED\"},"
               "{\"answer\":\"ALREADY_REQUESTED\",\"key\":\"\\u001b[2J\",\"gen\":\"9\","
               "\"level\":\"DELIVERED\"}]}\n");
}

static void a_bulk_cancel_that_is_refused_has_no_counts(void)
{
    const struct arguments arguments = {.whole_namespace = true};
    const struct canceld_result denied = {.answer = CANCELD_ANSWER_DENIED};
    const struct canceld_result full = {.answer = CANCELD_ANSWER_FULL, .limit = "bulks"};

    check_bulk(&arguments, &denied, "DENIED namespace=default\n");
    check_bulk(&arguments, &full, "FULL namespace=default limit=bulks\n");
}

/* ---- drain ---- */

static void check_drain(const struct arguments *arguments, const struct canceld_result *result,
                        const char *expected)
{
    struct output output;

    output_begin(&output);
    answer_drain_tell(output.file, arguments, 1250, result);
    check_output(&output, expected);
}

static void a_drain_that_is_over_says_what_it_cancelled(void)
{
    const struct arguments arguments = {.daemon = true};
    const struct canceld_result drained = {
        .answer = CANCELD_ANSWER_DRAINED, .requested = 4, .already_requested = 1};

    check_drain(&arguments, &drained,
                "DRAINED daemon requested=4 already_requested=1 after=1.2s\n");
}

static void a_drain_at_its_deadline_lists_the_stragglers(void)
{
    const struct canceld_gen_result gens[] = {
        {.gen = 7, .state = CANCELD_STATE_CANCELLING, .key = {"slow", 4}}};
    const struct canceld_result late = {
        .answer = CANCELD_ANSWER_TIMED_OUT, .count = 3, .gens = gens, .gens_count = 1};
    const struct arguments people = {.json = false};
    const struct arguments json = {.json = true};

    check_drain(&people, &late,
                "TIMED_OUT namespace=default count=3 after=1.2s\n"
                "CANCELLING slow gen=7\n"
                "(and 2 more)\n");
    check_drain(&json, &late,
                "{\"answer\":\"TIMED_OUT\",\"namespace\":\"default\",\"count\":3,\"after_ms\":1250,"
                "\"gens\":[{\"state\":\"CANCELLING\",\"key\":\"slow\",\"gen\":\"7\"}]}\n");
}

static void check_progress(bool is_json, bool is_terminal, const char *expected)
{
    struct output output;
    struct progress progress;

    output_begin(&output);
    progress_init(&progress, output.file, is_json, is_terminal);
    progress_tell(&progress, 12, 200);
    progress_tell(&progress, 12, 700);
    progress_tell(&progress, 3, 1200);
    progress_end(&progress);
    check_output(&output, expected);
}

static void progress_is_one_line_on_a_terminal_and_a_line_for_each_change_elsewhere(void)
{
    check_progress(false, true,
                   "\r\033[Kdraining: 12 left, 0.2s\r\033[Kdraining: 12 left, 0.7s"
                   "\r\033[Kdraining: 3 left, 1.2s\r\033[K");
    check_progress(false, false, "DRAINING left=12 after=200ms\nDRAINING left=3 after=1.2s\n");
    check_progress(true, true,
                   "{\"event\":\"DRAINING\",\"left\":12,\"after_ms\":200}\n"
                   "{\"event\":\"DRAINING\",\"left\":3,\"after_ms\":1200}\n");
}

/* ---- history ---- */

static void check_history(const struct canceld_history_entry *entry, const char *human,
                          const char *json)
{
    for (int is_json = 0; is_json < 2; is_json++) {
        struct output output;
        struct line line;

        output_begin(&output);
        line_begin(&line, output.file, is_json != 0);
        answer_history_put(&line, entry);
        line_end(&line);
        check_output(&output, is_json != 0 ? json : human);
    }
}

static void history_says_who_what_why_and_how_long(void)
{
    const struct canceld_history_entry entry = {
        .kind = CANCELD_HISTORY_CANCEL,
        .at_unix_ms = UINT64_C(1795303445006),
        .name_space = canceld_string("default"),
        .key = canceld_string("k"),
        .gen = 7,
        .cause = {CANCELD_CAUSE_USER, canceld_string("no more"), canceld_string("me"),
                  canceld_string("uid:0")},
        .outcome = CANCELD_OUTCOME_COMPLETED,
        .by_owner = true,
        .delivered = true,
        .delivered_after_ms = 12,
        .ended_after_ms = 1500,
    };

    check_history(&entry,
                  "2026-11-21T23:24:05.006Z CANCEL k gen=7 cause=USER reason=\"no more\" actor=me "
                  "peer=uid:0 delivered_after=12ms ended_after=1.5s outcome=COMPLETED by_owner\n",
                  "{\"at\":\"2026-11-21T23:24:05.006Z\",\"at_unix_ms\":1795303445006,"
                  "\"kind\":\"CANCEL\",\"key\":\"k\",\"namespace\":\"default\",\"gen\":\"7\","
                  "\"cause\":{\"code\":\"USER\",\"text\":\"no more\",\"actor\":\"me\","
                  "\"peer\":\"uid:0\"},\"delivered_after_ms\":12,\"ended_after_ms\":1500,"
                  "\"outcome\":\"COMPLETED\",\"by_owner\":true}\n");
}

static void history_of_a_cancel_that_nobody_knew_of_says_no_times(void)
{
    const struct canceld_history_entry entry = {.kind = CANCELD_HISTORY_ARM,
                                                .key = canceld_string("\n"),
                                                .cause = {.code = CANCELD_CAUSE_POLICY}};

    check_history(&entry, "1970-01-01T00:00:00.000Z ARM \\n cause=POLICY\n",
                  "{\"at\":\"1970-01-01T00:00:00.000Z\",\"at_unix_ms\":0,\"kind\":\"ARM\","
                  "\"key\":\"\\u000a\",\"cause\":{\"code\":\"POLICY\"}}\n");
}

static void history_of_a_bulk_cancel_names_its_target(void)
{
    struct canceld_history_entry entry = {.kind = CANCELD_HISTORY_BULK,
                                          .name_space = canceld_string("ns"),
                                          .label = canceld_string("l"),
                                          .gen = 9,
                                          .requested = 1000000,
                                          .cause = {.code = CANCELD_CAUSE_USER}};

    check_history(&entry,
                  "1970-01-01T00:00:00.000Z BULK label=l up_to_gen=9 cause=USER "
                  "requested=1000000\n",
                  "{\"at\":\"1970-01-01T00:00:00.000Z\",\"at_unix_ms\":0,\"kind\":\"BULK\","
                  "\"label\":\"l\",\"namespace\":\"ns\",\"up_to_gen\":\"9\","
                  "\"cause\":{\"code\":\"USER\"},\"requested\":1000000}\n");
    entry.label = (struct canceld_bytes){0};
    check_history(&entry,
                  "1970-01-01T00:00:00.000Z BULK namespace=ns up_to_gen=9 cause=USER "
                  "requested=1000000\n",
                  "{\"at\":\"1970-01-01T00:00:00.000Z\",\"at_unix_ms\":0,\"kind\":\"BULK\","
                  "\"namespace\":\"ns\",\"up_to_gen\":\"9\",\"cause\":{\"code\":\"USER\"},"
                  "\"requested\":1000000}\n");
}

static void a_year_that_no_clock_has_is_no_crash(void)
{
    struct output output;
    struct line line;

    output_begin(&output);
    line_begin(&line, output.file, false);
    line_time(&line, "at", UINT64_MAX);
    line_end(&line);
    CHECK_EQ(fclose(output.file), 0);
    CHECK(output.size > 5);
    free(output.text);
}

/* ---- watch ---- */

static void check_watch(const struct canceld_watch_item *item, const char *human, const char *json)
{
    for (int is_json = 0; is_json < 2; is_json++) {
        struct output output;
        struct line line;

        output_begin(&output);
        line_begin(&line, output.file, is_json != 0);
        answer_watch_put(&line, item);
        line_end(&line);
        check_output(&output, is_json != 0 ? json : human);
    }
}

static void a_watch_prints_snapshot_and_events(void)
{
    const struct canceld_bytes labels[] = {canceld_string("a"), canceld_string("b c")};
    const struct canceld_operation_info operation = {.name_space = canceld_string("default"),
                                                     .key = canceld_string("k"),
                                                     .gen = 7,
                                                     .state = CANCELD_STATE_LIVE,
                                                     .age_ms = 5,
                                                     .labels = labels,
                                                     .labels_count = 2,
                                                     .parent = 6};
    const struct canceld_watch_event event = {.revision = 12,
                                              .key = canceld_string("k"),
                                              .gen = 7,
                                              .state = CANCELD_STATE_ENDED,
                                              .outcome = CANCELD_OUTCOME_CANCELLED,
                                              .cause = {.code = CANCELD_CAUSE_USER}};
    const struct canceld_watch_item snapshot = {
        .kind = CANCELD_WATCH_SNAPSHOT, .epoch = 3, .revision = 11, .operation = &operation};
    const struct canceld_watch_item ended = {
        .kind = CANCELD_WATCH_EVENT, .epoch = 3, .revision = 12, .event = &event};

    check_watch(&snapshot, "SNAPSHOT LIVE k gen=7 age=5ms label=a label=\"b c\" parent=6\n",
                "{\"kind\":\"SNAPSHOT\",\"namespace\":\"default\",\"key\":\"k\",\"gen\":\"7\","
                "\"state\":\"LIVE\",\"age_ms\":5,\"labels\":[\"a\",\"b c\"],\"parent\":\"6\","
                "\"epoch\":\"3\",\"revision\":\"11\"}\n");
    check_watch(&ended, "ENDED k gen=7 outcome=CANCELLED cause=USER\n",
                "{\"kind\":\"EVENT\",\"state\":\"ENDED\",\"key\":\"k\",\"gen\":\"7\","
                "\"outcome\":\"CANCELLED\",\"cause\":{\"code\":\"USER\"},\"epoch\":\"3\","
                "\"revision\":\"12\"}\n");
}

static void a_watch_prints_where_it_stands_and_what_it_missed(void)
{
    const struct canceld_watch_item current = {
        .kind = CANCELD_WATCH_CURRENT, .epoch = 3, .revision = 11};
    const struct canceld_watch_item gap = {.kind = CANCELD_WATCH_GAP};

    check_watch(&current, "CURRENT epoch=3 revision=11\n",
                "{\"kind\":\"CURRENT\",\"epoch\":\"3\",\"revision\":\"11\"}\n");
    check_watch(&gap, "GAP (events were missed: what follows is a new snapshot)\n",
                "{\"kind\":\"GAP\",\"text\":\"events were missed: what follows is a new "
                "snapshot\"}\n");
}

static const struct test_case cases[] = {
    {"a bulk cancel gives counts and a line for each that is named",
     a_bulk_cancel_gives_counts_and_a_line_for_each_that_is_named},
    {"a bulk cancel is one object in JSON", a_bulk_cancel_is_one_object_in_json},
    {"a bulk cancel that is refused has no counts", a_bulk_cancel_that_is_refused_has_no_counts},
    {"a drain that is over says what it cancelled", a_drain_that_is_over_says_what_it_cancelled},
    {"a drain at its deadline lists the stragglers", a_drain_at_its_deadline_lists_the_stragglers},
    {"progress is one line on a terminal, and a line for each change elsewhere",
     progress_is_one_line_on_a_terminal_and_a_line_for_each_change_elsewhere},
    {"history says who, what, why, and how long", history_says_who_what_why_and_how_long},
    {"history of a cancel that nobody knew of says no times",
     history_of_a_cancel_that_nobody_knew_of_says_no_times},
    {"history of a bulk cancel names its target", history_of_a_bulk_cancel_names_its_target},
    {"a year that no clock has is no crash", a_year_that_no_clock_has_is_no_crash},
    {"a watch prints snapshot and events", a_watch_prints_snapshot_and_events},
    {"a watch prints where it stands and what it missed",
     a_watch_prints_where_it_stands_and_what_it_missed},
};
TEST_MAIN(cases)
