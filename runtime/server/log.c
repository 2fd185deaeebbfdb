/* SPDX-License-Identifier: MIT */
#include "server/log.h"

#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The longest escape is \u00NN for one byte. */
#define LINE_BYTES_MAX (LOG_MESSAGE_BYTES_MAX * 6 + 128)

static const char *const level_texts[] = {
#define LOG_LEVEL_TEXT(name, text) text,
    LOG_LEVEL_TABLE(LOG_LEVEL_TEXT)
#undef LOG_LEVEL_TEXT
};

static const char *const format_texts[] = {"text", "json"};

const char *log_level_text(enum log_level level)
{
    return level_texts[level];
}

static bool word_find(const char *const *words, size_t words_count, const char *text,
                      size_t *index_out)
{
    for (size_t i = 0; i < words_count; i++) {
        if (strcmp(words[i], text) == 0) {
            *index_out = i;
            return true;
        }
    }
    return false;
}

bool log_level_parse(const char *text, enum log_level *level_out)
{
    size_t index;

    if (!word_find(level_texts, sizeof level_texts / sizeof level_texts[0], text, &index)) {
        return false;
    }
    *level_out = (enum log_level) index;
    return true;
}

bool log_format_parse(const char *text, enum log_format *format_out)
{
    size_t index;

    if (!word_find(format_texts, sizeof format_texts / sizeof format_texts[0], text, &index)) {
        return false;
    }
    *format_out = (enum log_format) index;
    return true;
}

/* ---- one line ---- */

struct line {
    char text[LINE_BYTES_MAX];
    size_t size;
};

static void line_put(struct line *line, const char *text, size_t size)
{
    ASSERT(size <= sizeof line->text - line->size);
    memcpy(line->text + line->size, text, size);
    line->size += size;
}

static void line_put_string(struct line *line, const char *text)
{
    line_put(line, text, strlen(text));
}

/* How many bytes the character at `text` has that may stand in a line as it is; 0 where it is none.
 */
static size_t character_size(const char *text)
{
    size_t left = strlen(text);

    for (size_t size = 1; size <= 4 && size <= left; size++) {
        if (utf8_is_text(bytes_of(text, size))) {
            return size;
        }
    }
    return 0;
}

static void line_put_escaped(struct line *line, const char *text, enum log_format format)
{
    const char *prefix = format == LOG_FORMAT_JSON ? "\\u00" : "\\x";

    while (*text != '\0') {
        size_t size = character_size(text);
        char escaped[8];

        if (format == LOG_FORMAT_JSON && (*text == '"' || *text == '\\')) {
            line_put_string(line, "\\");
        }
        if (size == 0) {
            (void) snprintf(escaped, sizeof escaped, "%s%02x", prefix,
                            (unsigned) (unsigned char) *text);
            line_put_string(line, escaped);
            size = 1;
        } else {
            line_put(line, text, size);
        }
        text += size;
    }
}

static void line_put_time(struct line *line)
{
    struct timespec now;
    struct tm parts;
    char seconds[32];
    char text[48];

    (void) clock_gettime(CLOCK_REALTIME, &now);
    (void) gmtime_r(&now.tv_sec, &parts);
    (void) strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &parts);
    (void) snprintf(text, sizeof text, "%s.%03ldZ", seconds, now.tv_nsec / 1000000);
    line_put_string(line, text);
}

static void line_write(const struct log *log, enum log_level level, const char *message)
{
    struct line line = {.size = 0};
    bool is_json = log->format == LOG_FORMAT_JSON;
    ssize_t written;

    line_put_string(&line, is_json ? "{\"time\":\"" : "");
    line_put_time(&line);
    line_put_string(&line, is_json ? "\",\"level\":\"" : " ");
    line_put_string(&line, level_texts[level]);
    line_put_string(&line, is_json ? "\",\"message\":\"" : ": ");
    line_put_escaped(&line, message, log->format);
    line_put_string(&line, is_json ? "\"}\n" : "\n");
    /* One write a line, so that lines of several processes do not mix. Lost where it fails: there
     * is nowhere to say so. */
    written = write(log->fd, line.text, line.size);
    (void) written;
}

/* ---- the rate ---- */

static bool rate_allows(struct log *log)
{
    uint64_t now_ns = clock_now_ns(log->clock);
    uint64_t refills = (now_ns - log->refilled_ns) / (LOG_REFILL_MS * NS_PER_MS);

    log->refilled_ns += refills * LOG_REFILL_MS * NS_PER_MS;
    log->tokens = refills >= LOG_BURST - log->tokens ? LOG_BURST : log->tokens + (uint32_t) refills;
    if (log->tokens == 0) {
        log->dropped++;
        return false;
    }
    log->tokens--;
    return true;
}

void log_init(struct log *log, int fd, enum log_level level, enum log_format format,
              const struct clock *clock)
{
    *log = (struct log){
        .fd = fd,
        .level = level,
        .format = format,
        .clock = clock,
        .refilled_ns = clock_now_ns(clock),
        .tokens = LOG_BURST,
    };
}

void log_write(struct log *log, enum log_level level, const char *format, ...)
{
    char message[LOG_MESSAGE_BYTES_MAX + 1];
    char gap[64];
    va_list arguments;

    if (level > log->level || !rate_allows(log)) {
        return;
    }
    if (log->dropped > 0) {
        (void) snprintf(gap, sizeof gap, "%ju lines were left out here", (uintmax_t) log->dropped);
        line_write(log, LOG_LEVEL_WARN, gap);
        log->dropped = 0;
    }
    va_start(arguments, format);
    (void) vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    line_write(log, level, message);
}
