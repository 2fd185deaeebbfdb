/* SPDX-License-Identifier: MIT */
/* How tests are written here.
 *
 * A test program is a table of cases and TEST_MAIN(cases). Each case runs in a process of its own,
 * with a deadline, in a process group that is killed when it ends, and with as many descriptors at
 * its end as at its beginning. Its name is a sentence. A failed CHECK prints its place and its
 * values and ends the case; it may fail on any thread.
 *
 *     static void a_cancel_of_nothing(void)
 *     {
 *         CHECK_EQ(answer_to(cancel), ANSWER_NOT_FOUND);
 *     }
 *
 *     static const struct test_case cases[] = {
 *         {"a cancel of a key that nobody stored answers NOT_FOUND", a_cancel_of_nothing},
 *     };
 *     TEST_MAIN(cases)
 *
 * An argument runs only the cases whose name contains it. Nothing here sleeps and hopes: wait with
 * CHECK_EVENTUALLY. Chance is taken from test_seed(), which prints itself. */
#ifndef CANCELD_TESTS_TESTING_H
#define CANCELD_TESTS_TESTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TEST_SANITIZED 1
#endif
#endif
#ifndef TEST_SANITIZED
#define TEST_SANITIZED 0
#endif

/* How many times as long everything may take as in a plain build. */
#ifndef TEST_PATIENCE
#define TEST_PATIENCE (TEST_SANITIZED ? 4 : 1)
#endif

/* Whether a process has the limits that it sets itself (RLIMIT_DATA, RLIMIT_NOFILE), and a little room can be told from none:
 * under valgrind it has not. A case that needs them begins with TEST_NEEDS_LIMITS. */
#ifndef TEST_LIMITS
#define TEST_LIMITS 1
#endif
#define TEST_NEEDS_LIMITS                                                                          \
    if (!TEST_LIMITS) {                                                                            \
        test_left_out("a process has no limits of its own here");                                  \
        return;                                                                                    \
    }

/* How much of a big load to run: all of it, a twentieth under a sanitizer. At least 1. */
#define TEST_SCALE(n) (TEST_SANITIZED && (n) > 20 ? (n) / 20 : (n))

/* The same of what is no load but for valgrind. */
#ifndef TEST_SLOWLY
#define TEST_SLOWLY 0
#endif
#define TEST_SCALE_SLOWLY(n) (TEST_SLOWLY ? TEST_SCALE(n) : (n))

/* How long a case may take, and a CHECK_EVENTUALLY may wait. TEST_PATIENCE times that. */
#define TEST_CASE_MS 60000
#define TEST_EVENTUALLY_MS 10000

struct test_case {
    const char *name; /* a sentence without its full stop */
    void (*run)(void);
    uint32_t deadline_ms; /* 0: TEST_CASE_MS */
};

#define TEST_MAIN(cases)                                                                           \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        return test_main((cases), sizeof(cases) / sizeof((cases)[0]), argc, argv);                 \
    }

/* Runs the cases; gives the exit status for main. */
int test_main(const struct test_case *cases, size_t cases_count, int argc, char **argv);

/* ---- checks ---- */

#define CHECK(condition)                                                                           \
    ((condition) ? (void) 0 : test_failed(__FILE__, __LINE__, "CHECK(" #condition ")"))

/* Numbers of any integer type. Both values are printed. */
#define CHECK_EQ(a, b) CHECK_ORDER(a, ==, b)
#define CHECK_NE(a, b) CHECK_ORDER(a, !=, b)
#define CHECK_LT(a, b) CHECK_ORDER(a, <, b)
#define CHECK_LE(a, b) CHECK_ORDER(a, <=, b)
#define CHECK_GT(a, b) CHECK_ORDER(a, >, b)
#define CHECK_GE(a, b) CHECK_ORDER(a, >=, b)

/* C strings (NULL is none), and runs of bytes. */
#define CHECK_STR_EQ(a, b) test_check_strings(__FILE__, __LINE__, #a " == " #b, (a), (b))
#define CHECK_BYTES_EQ(a, a_size, b, b_size)                                                       \
    test_check_bytes(__FILE__, __LINE__, #a " == " #b, &(struct test_bytes){(a), (a_size)},        \
                     &(struct test_bytes){(b), (b_size)})

/* Asks again and again until the condition holds; fails when it does not within the time. */
#define CHECK_EVENTUALLY(condition) CHECK_WITHIN(TEST_EVENTUALLY_MS, condition)
#define CHECK_WITHIN(ms, condition)                                                                \
    do {                                                                                           \
        struct test_wait test_wait_ = test_wait_begin(ms);                                         \
        while (!(condition)) {                                                                     \
            if (!test_wait_more(&test_wait_)) {                                                    \
                test_failed(__FILE__, __LINE__, "CHECK_EVENTUALLY(" #condition ")");               \
            }                                                                                      \
        }                                                                                          \
    } while (0)

/* ---- the case's surroundings ---- */

/* A directory of the case's own, short enough for a socket's path; gone afterwards. */
const char *test_directory(void);

/* The path of a file in it. Of four calls' static storage: the fifth overwrites the first's. */
const char *test_path(const char *name);

/* Takes the present number of descriptors as the one that must be left at the end: for cases that
 * start a library which keeps some until the process ends. */
void test_descriptors_mark(void);

/* Says that the rest of a case is left out, and why. */
void test_left_out(const char *why);

/* How many descriptors the process has open. */
size_t test_descriptors_count(void);

/* The seed of this run: from CANCELD_TEST_SEED, or random. Prints itself. */
uint64_t test_seed(void);

/* splitmix64: the next number of a sequence that begins with a seed. */
uint64_t test_random(uint64_t *state);

/* Milliseconds of the monotonic clock. */
uint64_t test_now_ms(void);

/* ---- what the macros stand on ---- */

struct test_bytes {
    const void *data;
    size_t size;
};

struct test_wait {
    uint64_t deadline_ms;
};

#define CHECK_ORDER(a, order, b)                                                                   \
    do {                                                                                           \
        const intmax_t test_a_ = (intmax_t) (a);                                                   \
        const intmax_t test_b_ = (intmax_t) (b);                                                   \
        if (!(test_a_ order test_b_)) {                                                            \
            test_failed_values(__FILE__, __LINE__, #a " " #order " " #b, test_a_, test_b_);        \
        }                                                                                          \
    } while (0)

__attribute__((noreturn, cold)) void test_failed(const char *file, int line, const char *what);
__attribute__((noreturn, cold)) void test_failed_values(const char *file, int line,
                                                        const char *what, intmax_t a, intmax_t b);
void test_check_strings(const char *file, int line, const char *what, const char *a, const char *b);
void test_check_bytes(const char *file, int line, const char *what, const struct test_bytes *a,
                      const struct test_bytes *b);
struct test_wait test_wait_begin(uint64_t ms);

/* Waits a moment; false when the time is over. */
bool test_wait_more(struct test_wait *wait);

#endif
