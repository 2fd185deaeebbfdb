/* SPDX-License-Identifier: MIT */
/* What the checks of testing.h say when they fail is the same everywhere; what comes then is not: a test case
 * ends, a fuzzer crashes. */
#ifndef CANCELD_TESTS_TESTING_CHECK_H
#define CANCELD_TESTS_TESTING_CHECK_H

/* From any thread, after stderr was told why. */
__attribute__((noreturn, cold)) void test_give_up(void);

#endif
