/* SPDX-License-Identifier: MIT */
#include "sim/world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define LINES_MAX 200
#define LINE_BYTES 200

static char lines[LINES_MAX][LINE_BYTES];
static unsigned lines_count;

void world_trace(struct world *world, const char *format, ...)
{
    char *line = lines[lines_count++ % LINES_MAX];
    int size = snprintf(line, LINE_BYTES, "  %10" PRIu64 ".%03u ms  ", world->now_ns / MS,
                        (unsigned) (world->now_ns % MS / 1000));
    va_list list;
    va_start(list, format);
    (void) vsnprintf(line + size, LINE_BYTES - (size_t) size, format, list);
    va_end(list);
}

void world_trace_print(void)
{
    unsigned first = lines_count > LINES_MAX ? lines_count - LINES_MAX : 0;
    for (unsigned i = first; i < lines_count; i++) {
        (void) fprintf(stderr, "%s\n", lines[i % LINES_MAX]);
    }
}

void world_violated(struct world *world, const char *format, ...)
{
    va_list list;
    if (world->plan.is_traced) {
        world_trace_print();
    }
    (void) fprintf(stderr,
                   "sim: violated in the world of seed %" PRIu64 " at %" PRIu64
                   " ms, event %" PRIu64 ": ",
                   world->plan.seed, world->now_ns / MS, world->events_count);
    va_start(list, format);
    (void) vfprintf(stderr, format, list);
    va_end(list);
    (void) fprintf(stderr, "\n");
    (void) fflush(stderr);
    /* Which of the invariants: "A3: ..." is 13. */
    _exit(format[0] == 'A' ? 10 + (format[1] - '0') : 18);
}
