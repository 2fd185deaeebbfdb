/* SPDX-License-Identifier: MIT */
#include "answer.h"
#include "line.h"
#include "testing.h"

#include <stdlib.h>

/* What `put` makes of a result, for people and as JSON. */
static void check_answer(const struct canceld_result *result, const char *human, const char *json)
{
    for (int is_json = 0; is_json < 2; is_json++) {
        char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);
        struct line line;

        CHECK(out != NULL);
        line_begin(&line, out, is_json != 0);
        answer_put(&line, canceld_string("k"), result);
        line_end(&line);
        CHECK_EQ(fclose(out), 0);
        CHECK_STR_EQ(text, is_json != 0 ? json : human);
        free(text);
    }
}

static void an_answer_speaks_of_what_it_has(void)
{
    const struct canceld_result stored = {.answer = CANCELD_ANSWER_STORED, .gen = UINT64_MAX};
    const struct canceld_result exists = {
        .answer = CANCELD_ANSWER_EXISTS, .gen = 7, .state = CANCELD_STATE_CANCELLING};
    const struct canceld_result full = {.answer = CANCELD_ANSWER_FULL, .limit = "operations"};
    const struct canceld_result counted = {.answer = CANCELD_ANSWER_COUNTED, .count = 3};

    check_answer(&stored, "STORED k gen=18446744073709551615\n",
                 "{\"answer\":\"STORED\",\"key\":\"k\",\"gen\":\"18446744073709551615\"}\n");
    check_answer(&exists, "EXISTS k gen=7 state=CANCELLING\n",
                 "{\"answer\":\"EXISTS\",\"key\":\"k\",\"gen\":\"7\",\"state\":\"CANCELLING\"}\n");
    check_answer(&full, "FULL k limit=operations\n",
                 "{\"answer\":\"FULL\",\"key\":\"k\",\"limit\":\"operations\"}\n");
    check_answer(&counted, "COUNTED k count=3\n",
                 "{\"answer\":\"COUNTED\",\"key\":\"k\",\"count\":3}\n");
}

static void a_cancel_of_one_gen_reads_as_one(void)
{
    const struct canceld_gen_result gen = {7, CANCELD_ANSWER_REQUESTED, CANCELD_LEVEL_STOPPED,
                                           CANCELD_OUTCOME_CANCELLED};
    const struct canceld_result result = {.answer = CANCELD_ANSWER_REQUESTED,
                                          .level = CANCELD_LEVEL_STOPPED,
                                          .gens = &gen,
                                          .gens_count = 1};

    check_answer(
        &result, "REQUESTED k gen=7 level=STOPPED outcome=CANCELLED\n",
        "{\"answer\":\"REQUESTED\",\"key\":\"k\",\"gen\":\"7\",\"level\":\"STOPPED\","
        "\"outcome\":\"CANCELLED\",\"no_owner\":false,\"journaled\":false,\"gens\":[{\"gen\":\"7\","
        "\"answer\":\"REQUESTED\",\"level\":\"STOPPED\",\"outcome\":\"CANCELLED\"}]}\n");
}

static void a_cancel_of_several_gens_lists_them(void)
{
    const struct canceld_gen_result gens[] = {
        {7, CANCELD_ANSWER_REQUESTED, CANCELD_LEVEL_STOPPED, CANCELD_OUTCOME_FAILED},
        {9, CANCELD_ANSWER_ALREADY_REQUESTED, CANCELD_LEVEL_RECORDED, CANCELD_OUTCOME_UNSET},
    };
    const struct canceld_result result = {.answer = CANCELD_ANSWER_REQUESTED,
                                          .level = CANCELD_LEVEL_RECORDED,
                                          .no_owner = true,
                                          .gens = gens,
                                          .gens_count = 2};

    check_answer(&result, "REQUESTED k level=RECORDED no_owner gens=7:STOPPED:FAILED,9:RECORDED\n",
                 "{\"answer\":\"REQUESTED\",\"key\":\"k\",\"level\":\"RECORDED\",\"no_owner\":true,"
                 "\"journaled\":false,\"gens\":[{\"gen\":\"7\",\"answer\":\"REQUESTED\",\"level\":"
                 "\"STOPPED\","
                 "\"outcome\":\"FAILED\"},{\"gen\":\"9\",\"answer\":\"ALREADY_REQUESTED\","
                 "\"level\":\"RECORDED\"}]}\n");
}

static void a_cause_is_told_with_its_words(void)
{
    const struct canceld_result result = {
        .answer = CANCELD_ANSWER_DELETED,
        .cancelled = true,
        .cause = {.code = CANCELD_CAUSE_USER,
                  .text = canceld_string("no \"more\""),
                  .actor = {"\xff", 1},
                  .peer = canceld_string("uid:0")},
    };

    check_answer(&result,
                 "DELETED k cancelled cause=USER reason=\"no \\\"more\\\"\" actor=\\377 "
                 "peer=uid:0\n",
                 "{\"answer\":\"DELETED\",\"key\":\"k\",\"cancelled\":true,\"by_owner\":false,"
                 "\"cause\":{\"code\":\"USER\",\"text\":\"no \\\"more\\\"\",\"actor_b64\":\"/w==\","
                 "\"peer\":\"uid:0\"}}\n");
}

static void durations_are_short_for_people_and_exact_in_json(void)
{
    static const struct {
        uint64_t ms;
        const char *human;
        const char *json;
    } rows[] = {
        {0, "age=0ms\n", "{\"age_ms\":0}\n"},
        {999, "age=999ms\n", "{\"age_ms\":999}\n"},
        {1099, "age=1.0s\n", "{\"age_ms\":1099}\n"},
        {86399999, "age=86399.9s\n", "{\"age_ms\":86399999}\n"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int is_json = 0; is_json < 2; is_json++) {
            char *text = NULL;
            size_t size = 0;
            FILE *out = open_memstream(&text, &size);
            struct line line;

            CHECK(out != NULL);
            line_begin(&line, out, is_json != 0);
            line_duration(&line, "age", rows[i].ms);
            line_end(&line);
            CHECK_EQ(fclose(out), 0);
            CHECK_STR_EQ(text, is_json != 0 ? rows[i].json : rows[i].human);
            free(text);
        }
    }
}

static const struct test_case cases[] = {
    {"an answer speaks of what it has", an_answer_speaks_of_what_it_has},
    {"a cancel of one gen reads as one", a_cancel_of_one_gen_reads_as_one},
    {"a cancel of several gens lists them", a_cancel_of_several_gens_lists_them},
    {"a cause is told with its words", a_cause_is_told_with_its_words},
    {"durations are short for people and exact in JSON",
     durations_are_short_for_people_and_exact_in_json},
};
TEST_MAIN(cases)
