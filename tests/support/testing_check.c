/* SPDX-License-Identifier: MIT */
#include "testing_check.h"

#include "testing.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void test_failed(const char *file, int line, const char *what)
{
    (void) fprintf(stderr, "%s:%d: %s\n", file, line, what);
    test_give_up();
}

void test_failed_values(const char *file, int line, const char *what, intmax_t a, intmax_t b)
{
    (void) fprintf(stderr,
                   "%s:%d: CHECK(%s): %" PRIdMAX " (0x%" PRIxMAX ") and %" PRIdMAX " (0x%" PRIxMAX
                   ")\n",
                   file, line, what, a, (uintmax_t) a, b, (uintmax_t) b);
    test_give_up();
}

void test_check_strings(const char *file, int line, const char *what, const char *a, const char *b)
{
    if (a == b || (a != NULL && b != NULL && strcmp(a, b) == 0)) {
        return;
    }
    (void) fprintf(stderr, "%s:%d: CHECK(%s)\n  \"%s\"\n  \"%s\"\n", file, line, what,
                   a == NULL ? "(none)" : a, b == NULL ? "(none)" : b);
    test_give_up();
}

static void print_bytes(const struct test_bytes *bytes)
{
    const unsigned char *data = bytes->data;
    (void) fprintf(stderr, "  %zu:", bytes->size);
    for (size_t i = 0; i < bytes->size && i < 64; i++) {
        (void) fprintf(stderr, " %02x", data[i]);
    }
    (void) fprintf(stderr, "%s\n", bytes->size > 64 ? " ..." : "");
}

void test_check_bytes(const char *file, int line, const char *what, const struct test_bytes *a,
                      const struct test_bytes *b)
{
    if (a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0)) {
        return;
    }
    (void) fprintf(stderr, "%s:%d: CHECK(%s)\n", file, line, what);
    print_bytes(a);
    print_bytes(b);
    test_give_up();
}
