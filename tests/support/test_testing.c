/* SPDX-License-Identifier: MIT */
/* The runner tested by itself: each of these programs must be judged as its name says. It runs
 * itself again with the name of a case that has to fail, and looks at the exit status. */
#include "testing.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void good(void)
{
    CHECK(1 == 1);
    CHECK_EQ(2, 2u);
    CHECK_LT(-1, UINT8_C(1));
    CHECK_STR_EQ("a", "a");
    CHECK_BYTES_EQ("a\0b", 3, "a\0b", 3);
}

static void bad_check(void)
{
    CHECK_EQ(1 + 1, 3);
}

static void bad_bytes(void)
{
    CHECK_BYTES_EQ("a\0b", 3, "a\0c", 3);
}

static void hang(void)
{
    for (;;) {
        (void) pause();
    }
}

static void leak_descriptor(void)
{
    CHECK(dup(1) >= 0);
}

static void crash(void)
{
    abort();
}

static void never(void)
{
    CHECK_WITHIN(20, false);
}

static void *fail_on_thread(void *unused)
{
    (void) unused;
    CHECK(false);
    return NULL;
}

static void bad_thread(void)
{
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, fail_on_thread, NULL), 0);
    (void) pthread_join(thread, NULL);
}

static bool eventually_asked;

static bool yes_at_second(void)
{
    const bool answer = eventually_asked;
    eventually_asked = true;
    return answer;
}

static void eventually(void)
{
    CHECK_EVENTUALLY(yes_at_second());
}

static void directory_is_there(void)
{
    CHECK_EQ(access(test_directory(), W_OK), 0);
    CHECK_LT(strlen(test_directory()), 40);
}

static const struct test_case cases_bad[] = {
    {"a wrong number", bad_check, 0},
    {"wrong bytes", bad_bytes, 0},
    {"a hang", hang, 50},
    {"a leaked descriptor", leak_descriptor, 0},
    {"a crash", crash, 0},
    {"a condition that never comes", never, 0},
    {"a failure on another thread", bad_thread, 0},
};

static void bad_cases_fail(void)
{
    for (size_t i = 0; i < sizeof cases_bad / sizeof cases_bad[0]; i++) {
        CHECK_EQ(test_main(&cases_bad[i], 1, 1, NULL), EXIT_FAILURE);
    }
}

static void no_case_fails(void)
{
    char *arguments[] = {(char[]){"self"}, (char[]){"no such case"}, NULL};
    CHECK_EQ(test_main(cases_bad, 1, 2, arguments), EXIT_FAILURE);
}

static const struct test_case cases[] = {
    {"checks that hold let a case pass", good, 0},
    {"a case that fails, hangs, crashes or leaks a descriptor is found out", bad_cases_fail, 0},
    {"a run without any case is a failure", no_case_fails, 0},
    {"a condition is asked again until it holds", eventually, 0},
    {"a case has a directory with a short path", directory_is_there, 0},
};
TEST_MAIN(cases)
