/* SPDX-License-Identifier: MIT */
#include "harness.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] = "Options: --quick --seed N --list --only ROW --peer NAME\n";

static uint64_t number(const char *text)
{
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 0);
    if (errno != 0 || end == text || *end != '\0') {
        harness_fail("not a number: %s", text);
    }
    return value;
}

/* The option's value: the next argument. */
static const char *value_of(int argc, char **argv, int *index)
{
    if (*index + 1 >= argc) {
        harness_fail("%s needs a value", argv[*index]);
    }
    return argv[++*index];
}

static void option(struct harness *harness, int argc, char **argv, int *index)
{
    const char *name = argv[*index];
    if (strcmp(name, "--quick") == 0) {
        harness->quick = true;
    } else if (strcmp(name, "--list") == 0) {
        harness->list = true;
    } else if (strcmp(name, "--seed") == 0) {
        harness->seed = number(value_of(argc, argv, index));
    } else if (strcmp(name, "--only") == 0) {
        harness->only = value_of(argc, argv, index);
    } else if (strcmp(name, "--peer") == 0) {
        harness->peer = value_of(argc, argv, index);
    } else {
        fputs(usage, stderr);
        exit(strcmp(name, "--help") == 0 ? EXIT_SUCCESS : 2);
    }
}

void harness_init(struct harness *harness, int argc, char **argv, const char *group)
{
    *harness = (struct harness){.group = group, .seed = 1};
    for (int i = 1; i < argc; i++) {
        option(harness, argc, argv, &i);
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    slice_ticks_init();
    harness_progress("%s: seed %llu", group, (unsigned long long) harness->seed);
}

int harness_fini(struct harness *harness)
{
    (void) harness;
    return fflush(stdout) == 0 && ferror(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

bool harness_wants(const struct harness *harness, const char *row)
{
    if (harness->only != NULL && strstr(row, harness->only) == NULL) {
        return false;
    }
    if (harness->list) {
        printf("%s\n", row);
        return false;
    }
    harness_progress("%s: %s", harness->group, row);
    return true;
}

bool harness_wants_peer(const struct harness *harness, const char *peer)
{
    return harness->peer == NULL || strstr(peer, harness->peer) != NULL;
}

uint64_t harness_pick(const struct harness *harness, uint64_t quick, uint64_t full)
{
    return harness->quick ? quick : full;
}

/* The texts are ours, but a note may have what a library said in it. */
static void print_text(const char *name, const char *text)
{
    if (text == NULL) {
        return;
    }
    printf(", \"%s\": \"", name);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            printf("\\%c", *text);
        } else if ((unsigned char) *text < 0x20) {
            printf("\\u%04x", (unsigned) (unsigned char) *text);
        } else {
            putchar(*text);
        }
    }
    putchar('"');
}

static void print_number(const char *name, double value)
{
    if (value > 0) {
        printf(", \"%s\": %.*f", name, value < 1000 ? 2 : 0, value);
    }
}

void harness_row(const struct harness *harness, const struct harness_row *row)
{
    printf("{\"group\": \"%s\", \"row\": \"%s\", \"peer\": \"%s\"", harness->group, row->row,
           row->peer);
    if (row->missing != NULL) {
        print_text("missing", row->missing);
        printf("}\n");
        return;
    }
    printf(", \"unit\": \"%s\", \"value\": %.3f", row->unit, row->value);
    print_number("core_ns", row->core_ns);
    print_number("p50_ns", row->p50_ns);
    print_number("p99_ns", row->p99_ns);
    print_number("p999_ns", row->p999_ns);
    print_number("p99999_ns", row->p99999_ns);
    print_number("worst_ns", row->worst_ns);
    print_number("quiet_ns", row->quiet_ns);
    print_number("bytes_entry", row->bytes_entry);
    if (row->has_kept) {
        printf(", \"kept_percent\": %.2f", row->kept_percent);
    }
    if (row->slices > 0) {
        printf(", \"slices\": %u, \"slices_thrown\": %u", row->slices, row->slices_thrown);
    }
    print_text("note", row->note);
    printf("}\n");
}

void harness_missing(const struct harness *harness, const char *row, const char *peer,
                     const char *why)
{
    harness_row(harness, &(struct harness_row){.row = row, .peer = peer, .missing = why});
}

void harness_progress(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

void harness_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(EXIT_FAILURE);
}
