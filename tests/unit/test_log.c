/* SPDX-License-Identifier: MIT */
#include "server/log.h"
#include "testing.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A log into a pipe, and a clock that stands until it is moved. */
struct bench {
    struct log log;
    struct clock clock;
    uint64_t now_ns;
    int ends[2];
};

static uint64_t bench_now_ns(void *context)
{
    return ((struct bench *) context)->now_ns;
}

static void bench_init(struct bench *bench, enum log_level level, enum log_format format)
{
    bench->clock = (struct clock){.now_ns = bench_now_ns, .context = bench};
    bench->now_ns = NS_PER_MS * 12345;
    CHECK_EQ(pipe(bench->ends), 0);
    log_init(&bench->log, bench->ends[1], level, format, &bench->clock);
}

/* All that was written, and the end of the bench. */
static const char *bench_fini(struct bench *bench)
{
    static char text[65536];
    ssize_t size;
    size_t total = 0;

    (void) close(bench->ends[1]);
    while ((size = read(bench->ends[0], text + total, sizeof text - 1 - total)) > 0) {
        total += (size_t) size;
    }
    text[total] = '\0';
    (void) close(bench->ends[0]);
    return text;
}

/* Digits become 0, so that a time is always the same. */
static const char *without_digits(const char *text)
{
    static char copy[4096];
    size_t i;

    for (i = 0; text[i] != '\0' && i < sizeof copy - 1; i++) {
        copy[i] = '0' <= text[i] && text[i] <= '9' ? '0' : text[i];
    }
    copy[i] = '\0';
    return copy;
}

static size_t lines_count(const char *text)
{
    size_t count = 0;

    for (; *text != '\0'; text++) {
        count += *text == '\n';
    }
    return count;
}

static void a_text_line_has_time_level_and_sentence(void)
{
    struct bench bench;

    bench_init(&bench, LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    log_write(&bench.log, LOG_LEVEL_WARN, "the limit is %s", "low");
    CHECK_STR_EQ(without_digits(bench_fini(&bench)),
                 "0000-00-00T00:00:00.000Z warn: the limit is low\n");
}

static void a_json_line_is_one_object(void)
{
    struct bench bench;

    bench_init(&bench, LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    log_write(&bench.log, LOG_LEVEL_ERROR, "it's \"%s\\\"", "x");
    CHECK_STR_EQ(without_digits(bench_fini(&bench)),
                 "{\"time\":\"0000-00-00T00:00:00.000Z\",\"level\":\"error\","
                 "\"message\":\"it's \\\"x\\\\\\\"\"}\n");
}

static void lines_below_the_level_are_not_written(void)
{
    struct bench bench;

    for (int level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
        bench_init(&bench, (enum log_level) level, LOG_FORMAT_TEXT);
        for (int of_line = LOG_LEVEL_ERROR; of_line <= LOG_LEVEL_DEBUG; of_line++) {
            log_write(&bench.log, (enum log_level) of_line, "line");
        }
        CHECK_EQ(lines_count(bench_fini(&bench)), level + 1);
    }
}

/* What comes from outside, and what stands in the line. */
static void what_could_break_a_line_is_escaped(void)
{
    static const struct {
        const char *raw;
        const char *text;
        const char *json;
    } rows[] = {
        {"a\nb", "a\\x0ab", "a\\u000ab"},
        {"\x1b[2J\x7f", "\\x1b[2J\\x7f", "\\u001b[2J\\u007f"},
        {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
        {"\xe2\x82\xac \xf0\x9f\x98\x80", "\xe2\x82\xac \xf0\x9f\x98\x80",
         "\xe2\x82\xac \xf0\x9f\x98\x80"},
        {"\xc2\x9b", "\\xc2\\x9b", "\\u00c2\\u009b"}, /* a control character of C1 */
        {"\xff\xc3", "\\xff\\xc3", "\\u00ff\\u00c3"}, /* none, and cut */
        {"\xc0\xaf", "\\xc0\\xaf", "\\u00c0\\u00af"}, /* overlong */
        {"\xe0\x80\xaf", "\\xe0\\x80\\xaf", "\\u00e0\\u0080\\u00af"},
        {"\xed\xa0\x80", "\\xed\\xa0\\x80", "\\u00ed\\u00a0\\u0080"}, /* a surrogate */
        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80", "\\u00f4\\u0090\\u0080\\u0080"},
        {"\xf0\x9f\x98", "\\xf0\\x9f\\x98", "\\u00f0\\u009f\\u0098"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bench bench;
        char expected[128];

        bench_init(&bench, LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
        log_write(&bench.log, LOG_LEVEL_INFO, "%s", rows[i].raw);
        (void) snprintf(expected, sizeof expected, "info: %s\n", rows[i].text);
        CHECK_STR_EQ(strstr(bench_fini(&bench), "info: "), expected);
        bench_init(&bench, LOG_LEVEL_INFO, LOG_FORMAT_JSON);
        log_write(&bench.log, LOG_LEVEL_INFO, "%s", rows[i].raw);
        (void) snprintf(expected, sizeof expected, "\"message\":\"%s\"}\n", rows[i].json);
        CHECK_STR_EQ(strstr(bench_fini(&bench), "\"message\""), expected);
    }
}

static void the_longest_line_of_the_worst_bytes_fits(void)
{
    static char raw[LOG_MESSAGE_BYTES_MAX * 2];
    struct bench bench;
    const char *text;

    memset(raw, 1, sizeof raw - 1);
    bench_init(&bench, LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    log_write(&bench.log, LOG_LEVEL_INFO, "%s", raw);
    text = bench_fini(&bench);
    CHECK_EQ(lines_count(text), 1);
    CHECK_GT(strlen(text), LOG_MESSAGE_BYTES_MAX * 6);
    CHECK_STR_EQ(text + strlen(text) - 9, "\\u0001\"}\n");
}

static void a_flood_is_thinned_and_the_gap_is_told(void)
{
    struct bench bench;
    const char *text;

    bench_init(&bench, LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    for (int i = 0; i < LOG_BURST + 40; i++) {
        log_write(&bench.log, LOG_LEVEL_WARN, "again");
    }
    bench.now_ns += (LOG_REFILL_MS - 1) * NS_PER_MS;
    log_write(&bench.log, LOG_LEVEL_WARN, "too early");
    bench.now_ns += NS_PER_MS;
    log_write(&bench.log, LOG_LEVEL_WARN, "in time");
    log_write(&bench.log, LOG_LEVEL_WARN, "too many");
    bench.now_ns += (LOG_BURST + 5) * LOG_REFILL_MS * NS_PER_MS;
    for (int i = 0; i < LOG_BURST + 5; i++) {
        log_write(&bench.log, LOG_LEVEL_WARN, "later");
    }
    text = bench_fini(&bench);
    CHECK_EQ(lines_count(text), LOG_BURST + 2 + LOG_BURST + 1);
    CHECK(strstr(text, "41 lines were left out here\n") != NULL);
    CHECK(strstr(text, "in time\n") != NULL);
    CHECK(strstr(text, "too early") == NULL);
    CHECK(strstr(text, "too many") == NULL);
}

static void levels_and_formats_have_names(void)
{
    enum log_level level;
    enum log_format format;

    CHECK(log_level_parse("error", &level));
    CHECK_EQ(level, LOG_LEVEL_ERROR);
    CHECK(log_level_parse("debug", &level));
    CHECK_EQ(level, LOG_LEVEL_DEBUG);
    CHECK(!log_level_parse("", &level));
    CHECK(log_format_parse("json", &format));
    CHECK_EQ(format, LOG_FORMAT_JSON);
    CHECK(!log_format_parse("JSON", &format));
}

static const struct test_case cases[] = {
    {"a text line has time, level and sentence", a_text_line_has_time_level_and_sentence, 0},
    {"a JSON line is one object", a_json_line_is_one_object, 0},
    {"lines below the level are not written", lines_below_the_level_are_not_written, 0},
    {"what could break a line is escaped", what_could_break_a_line_is_escaped, 0},
    {"the longest line of the worst bytes fits", the_longest_line_of_the_worst_bytes_fits, 0},
    {"a flood is thinned and the gap is told", a_flood_is_thinned_and_the_gap_is_told, 0},
    {"levels and formats have names", levels_and_formats_have_names, 0},
};

TEST_MAIN(cases)
