/* SPDX-License-Identifier: MIT */
/* The checks of testing.h for fuzzers: a failed one is a crash, which libFuzzer keeps the input of, and not
 * the end of a test case. */
#include "testing.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void test_failed(const char *file, int line, const char *what)
{
    (void) fprintf(stderr, "%s:%d: %s\n", file, line, what);
    abort();
}

void test_failed_values(const char *file, int line, const char *what, intmax_t a, intmax_t b)
{
    (void) fprintf(stderr,
                   "%s:%d: CHECK(%s): %" PRIdMAX " (0x%" PRIxMAX ") and %" PRIdMAX " (0x%" PRIxMAX
                   ")\n",
                   file, line, what, a, (uintmax_t) a, b, (uintmax_t) b);
    abort();
}

void test_check_strings(const char *file, int line, const char *what, const char *a, const char *b)
{
    if (a == b || (a != NULL && b != NULL && strcmp(a, b) == 0)) {
        return;
    }
    (void) fprintf(stderr, "%s:%d: CHECK(%s)\n  \"%s\"\n  \"%s\"\n", file, line, what,
                   a == NULL ? "(none)" : a, b == NULL ? "(none)" : b);
    abort();
}

void test_check_bytes(const char *file, int line, const char *what, const struct test_bytes *a,
                      const struct test_bytes *b)
{
    if (a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0)) {
        return;
    }
    (void) fprintf(stderr, "%s:%d: CHECK_BYTES_EQ(%s): %zu and %zu bytes\n", file, line, what,
                   a->size, b->size);
    abort();
}
