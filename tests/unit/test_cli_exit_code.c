/* SPDX-License-Identifier: MIT */
#include "exit_code.h"
#include "testing.h"

static int of_answer(enum canceld_answer answer)
{
    const struct canceld_result result = {.answer = answer};

    return (int) exit_code_of_result(&result, (struct exit_code_wish){0});
}

static void each_answer_has_its_documented_number(void)
{
    static const struct {
        enum canceld_answer answer;
        int code;
    } rows[] = {
        {CANCELD_ANSWER_STORED, 0},
        {CANCELD_ANSWER_REQUESTED, 0},
        {CANCELD_ANSWER_ALREADY_REQUESTED, 0},
        {CANCELD_ANSWER_ARMED, 0},
        {CANCELD_ANSWER_DELETED, 0},
        {CANCELD_ANSWER_TOUCHED, 0},
        {CANCELD_ANSWER_CANCELLING, 0},
        {CANCELD_ANSWER_ENDED, 0},
        {CANCELD_ANSWER_FOUND, 0},
        {CANCELD_ANSWER_COUNTED, 0},
        {CANCELD_ANSWER_DISARMED, 0},
        {CANCELD_ANSWER_PONG, 0},
        {CANCELD_ANSWER_DETACHED, 0},
        {CANCELD_ANSWER_DRAINED, 0},
        {CANCELD_ANSWER_UNDRAINED, 0},
        {CANCELD_ANSWER_HISTORY, 0},
        {CANCELD_ANSWER_OWNER_LOST, 1},
        {CANCELD_ANSWER_STALE_EPOCH, 1},
        {CANCELD_ANSWER_SHUTTING_DOWN, 1},
        {CANCELD_ANSWER_BORN_CANCELLED, 1},
        {CANCELD_ANSWER_ERROR, 1},
        {CANCELD_ANSWER_UNSET, 1},
        {CANCELD_ANSWER_NOT_FOUND, 3},
        {CANCELD_ANSWER_FINISHED, 3},
        {CANCELD_ANSWER_STALE_GEN, 4},
        {CANCELD_ANSWER_TIMED_OUT, 5},
        {CANCELD_ANSWER_EXISTS, 6},
        {CANCELD_ANSWER_RECOVERING, 5},
        {CANCELD_ANSWER_FULL, 6},
        {CANCELD_ANSWER_DRAINING, 6},
        {CANCELD_ANSWER_PARENT_ENDED, 6},
        {CANCELD_ANSWER_PARENT_NOT_FOUND, 6},
        {CANCELD_ANSWER_DENIED, 8},
        {(enum canceld_answer) 99, 1},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_EQ(of_answer(rows[i].answer), rows[i].code);
    }
}

static void an_end_is_too_late_for_those_who_wanted_none(void)
{
    const struct canceld_result ended = {.answer = CANCELD_ANSWER_ENDED};

    CHECK_EQ(exit_code_of_result(&ended, (struct exit_code_wish){.no_end = true}), 3);
}

static void a_value_that_the_daemon_refuses_is_a_usage_error(void)
{
    const struct canceld_result refused = {.answer = CANCELD_ANSWER_ERROR, .error = {.code = 16}};

    CHECK_EQ(exit_code_of_result(&refused, (struct exit_code_wish){0}), 2);
}

static int of_cancel(struct canceld_gen_result gen, bool no_owner)
{
    const struct canceld_result result = {.answer = CANCELD_ANSWER_REQUESTED,
                                          .level = gen.level,
                                          .no_owner = no_owner,
                                          .gens = &gen,
                                          .gens_count = 1};

    return (int) exit_code_of_result(&result,
                                     (struct exit_code_wish){.level = CANCELD_LEVEL_STOPPED});
}

static void a_cancel_is_done_only_at_the_level_asked_for(void)
{
    struct canceld_gen_result gen = {7, CANCELD_ANSWER_REQUESTED, CANCELD_LEVEL_STOPPED,
                                     CANCELD_OUTCOME_COMPLETED};

    CHECK_EQ(of_cancel(gen, false), 0);
    gen.level = CANCELD_LEVEL_DELIVERED;
    gen.outcome = CANCELD_OUTCOME_UNSET;
    CHECK_EQ(of_cancel(gen, false), 5);
    CHECK_EQ(of_cancel(gen, true), 1);
    gen.outcome = CANCELD_OUTCOME_EXPIRED;
    CHECK_EQ(of_cancel(gen, false), 1);
}

static void each_status_has_its_number(void)
{
    CHECK_EQ(exit_code_of_status(CANCELD_OK), 0);
    CHECK_EQ(exit_code_of_status(CANCELD_UNAVAILABLE), 7);
    CHECK_EQ(exit_code_of_status(CANCELD_TIMED_OUT), 5);
    CHECK_EQ(exit_code_of_status(CANCELD_INVALID), 2);
    CHECK_EQ(exit_code_of_status(CANCELD_FULL), 6);
    CHECK_EQ(exit_code_of_status(CANCELD_REFUSED), 1);
    CHECK_EQ(exit_code_of_status(CANCELD_UNKNOWN), 1);
    CHECK_EQ(exit_code_of_status(CANCELD_CLOSED), 1);
    CHECK_EQ(exit_code_of_status(CANCELD_FORKED), 1);
    CHECK_EQ(exit_code_of_status(CANCELD_NO_MEMORY), 1);
    CHECK_EQ(exit_code_of_status(CANCELD_SYSTEM), 1);
    CHECK_EQ(exit_code_of_status((enum canceld_status) 99), 1);
}

static const struct test_case cases[] = {
    {"each answer has its documented number", each_answer_has_its_documented_number},
    {"an end is too late for those who wanted none", an_end_is_too_late_for_those_who_wanted_none},
    {"a value that the daemon refuses is a usage error",
     a_value_that_the_daemon_refuses_is_a_usage_error},
    {"a cancel is done only at the level asked for", a_cancel_is_done_only_at_the_level_asked_for},
    {"each status has its number", each_status_has_its_number},
};
TEST_MAIN(cases)
