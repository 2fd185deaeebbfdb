/* SPDX-License-Identifier: MIT */
/* The daemon's log: one line an event, to one descriptor. The layers below the server do not log,
 * and in the server only the main thread does.
 *
 * Text:  2026-05-01T12:00:00.123Z info: the sentence
 * JSON:  {"time":"2026-05-01T12:00:00.123Z","level":"info","message":"the sentence"}
 *
 * What came from outside may stand in a sentence: control characters and bytes that are no UTF-8
 * are escaped, so a line is always one line, and a JSON line always parses. A line that cannot be
 * written is lost. Warnings and errors that repeat without end do not fill a disk: after LOG_BURST
 * lines, one each LOG_REFILL_MS passes, and the next one that does says how many did not. */
#ifndef CANCELD_SERVER_LOG_H
#define CANCELD_SERVER_LOG_H

#include "base/check.h"
#include "base/clock.h"

#include <stdbool.h>
#include <stdint.h>

#define LOG_BURST 100
#define LOG_REFILL_MS 100
#define LOG_MESSAGE_BYTES_MAX 1024

/* X(NAME, text): from the gravest down. */
#define LOG_LEVEL_TABLE(X)                                                                         \
    X(ERROR, "error")                                                                              \
    X(WARN, "warn")                                                                                \
    X(INFO, "info")                                                                                \
    X(DEBUG, "debug")

enum log_level {

#define LOG_LEVEL_ENUM(name, text) LOG_LEVEL_##name,
    LOG_LEVEL_TABLE(LOG_LEVEL_ENUM)
#undef LOG_LEVEL_ENUM
};

enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

struct log {
    int fd;
    enum log_level level; /* lines below it are not written */
    enum log_format format;
    const struct clock *clock; /* of the rate limit */
    uint64_t refilled_ns;
    uint32_t tokens;
    uint64_t dropped; /* since the last line that passed */
};

void log_init(struct log *log, int fd, enum log_level level, enum log_format format,
              const struct clock *clock);

/* Writes a sentence without its line break. Cut at LOG_MESSAGE_BYTES_MAX. */
__attribute__((format(printf, 3, 4))) void log_write(struct log *log, enum log_level level,
                                                     const char *format, ...);

/* "info": static storage. */
const char *log_level_text(enum log_level level);

/* "info" gives LOG_LEVEL_INFO, "json" gives LOG_FORMAT_JSON. False for what is none. */
MUST_CHECK bool log_level_parse(const char *text, enum log_level *level_out);
MUST_CHECK bool log_format_parse(const char *text, enum log_format *format_out);

#endif
