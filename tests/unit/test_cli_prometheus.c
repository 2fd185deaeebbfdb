/* SPDX-License-Identifier: MIT */
/* stats --prometheus, read by a small parser of the text exposition format. */
#include "prometheus.h"
#include "stat_rows.h"
#include "testing.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- the parser: what the format asks for, checked line by line ---- */

#define NAME_FIRST "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_:"
#define NAME_REST NAME_FIRST "0123456789"
#define FAMILIES_MAX 256

struct parser {
    char families[FAMILIES_MAX][128]; /* in order; the last is the present one */
    char type[16];
    size_t families_count;
    size_t samples_count;
    uint64_t bucket; /* of the present histogram: the last bucket's count */
    double bound;    /* and its bound */
    bool has_inf;
};

/* Takes a name off the beginning of *text. */
static void name_take(const char **text, char out[128])
{
    size_t size = strspn(*text, NAME_REST);

    CHECK(size > 0 && size < 128 && strchr(NAME_FIRST, **text) != NULL);
    memcpy(out, *text, size);
    out[size] = '\0';
    *text += size;
}

static void family_begin(struct parser *parser, const char *text)
{
    char name[128];

    name_take(&text, name);
    CHECK_EQ(*text, ' ');
    for (size_t i = 0; i < parser->families_count; i++) {
        CHECK(strcmp(parser->families[i], name) != 0); /* one TYPE, one group */
    }
    CHECK(parser->families_count < FAMILIES_MAX);
    (void) snprintf(parser->families[parser->families_count++], 128, "%s", name);
    (void) snprintf(parser->type, sizeof parser->type, "%s", text + 1);
    CHECK(strcmp(parser->type, "counter") == 0 || strcmp(parser->type, "gauge") == 0 ||
          strcmp(parser->type, "histogram") == 0 || strcmp(parser->type, "untyped") == 0);
    parser->bucket = 0;
    parser->bound = -1;
    parser->has_inf = false;
}

/* {name="value"}; the value's escapes are the three that there are. */
static void label_take(const char **text, char value_out[128])
{
    char name[128];
    size_t size = 0;

    value_out[0] = '\0';
    if (**text != '{') {
        return;
    }
    (*text)++;
    name_take(text, name);
    CHECK(strchr(name, ':') == NULL);
    CHECK_EQ(strncmp(*text, "=\"", 2), 0);
    for (*text += 2; **text != '"'; (*text)++) {
        CHECK(**text != '\0' && size < 127);
        if (**text == '\\') {
            (*text)++;
            CHECK(strchr("\\\"n", **text) != NULL);
        }
        value_out[size++] = **text;
    }
    value_out[size] = '\0';
    CHECK_EQ(strncmp(*text, "\"}", 2), 0);
    *text += 2;
}

static void bucket_check(struct parser *parser, const char *le, uint64_t value)
{
    double bound = strcmp(le, "+Inf") == 0 ? 1e300 : strtod(le, NULL);

    CHECK(bound > parser->bound);
    CHECK_GE(value, parser->bucket);
    parser->bound = bound;
    parser->bucket = value;
    parser->has_inf = bound >= 1e300;
}

static void sample_read(struct parser *parser, const char *text)
{
    const char *family = parser->families[parser->families_count - 1];
    char name[128], label[128], *end = NULL;
    uint64_t value;

    CHECK(parser->families_count > 0);
    name_take(&text, name);
    label_take(&text, label);
    CHECK_EQ(*text, ' ');
    value = strtoull(text + 1, &end, 10);
    CHECK(end != text + 1 && *end == '\0');
    parser->samples_count++;
    if (strcmp(parser->type, "histogram") != 0) {
        CHECK_STR_EQ(name, family);
        return;
    }
    CHECK_EQ(strncmp(name, family, strlen(family)), 0);
    if (strcmp(name + strlen(family), "_bucket") == 0) {
        bucket_check(parser, label, value);
    } else {
        CHECK_STR_EQ(name + strlen(family), "_count");
        CHECK(parser->has_inf);
        CHECK_EQ(value, parser->bucket);
    }
}

static void parse(struct parser *parser, char *text)
{
    CHECK(text[0] != '\0' && text[strlen(text) - 1] == '\n');
    for (char *line = text, *next; *line != '\0'; line = next) {
        next = strchr(line, '\n');
        CHECK(next != NULL);
        *next++ = '\0';
        if (strncmp(line, "# TYPE ", 7) == 0) {
            family_begin(parser, line + 7);
        } else if (line[0] != '#') {
            sample_read(parser, line);
        } else {
            CHECK_EQ(strncmp(line, "# HELP canceld_", 15), 0);
        }
    }
}

static char *exposition_of(const struct canceld_stat *rows, size_t rows_count)
{
    const struct canceld_result stats = {.stats = rows, .stats_count = rows_count};
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    CHECK(out != NULL);
    prometheus_put(out, &stats);
    CHECK_EQ(fclose(out), 0);
    return text;
}

/* ---- cases ---- */

static const struct canceld_stat rows[] = {
    {"epoch", 3},
    {"operations_live", 12},
    {"frames", 100},
    {"cancel_delivered_ms_lt_1", 5},
    {"ops_store", 7},
    {"cancel_delivered_ms_lt_2", 0},
    {"cancel_delivered_ms_lt_1024", 4},
    {"cancel_delivered_ms_inf", 1},
    {"answers_STORED", 6},
    {"answers_FULL", 1},
    {"ops_cancel", 2},
    {"ended_owner_lost", 9},
    {"limit_operations", UINT64_MAX},
    {"limit_reached_operations", 2},
    {"something_new", 4},
    {"not a name\n", 4},
};

static void rows_become_metrics_with_labels(void)
{
    char *text = exposition_of(rows, sizeof rows / sizeof rows[0]);

    CHECK_STR_EQ(
        text,
        "# HELP canceld_epoch Number of this start of the daemon.\n"
        "# TYPE canceld_epoch gauge\n"
        "canceld_epoch 3\n"
        "# HELP canceld_operations_live Operations that are LIVE.\n"
        "# TYPE canceld_operations_live gauge\n"
        "canceld_operations_live 12\n"
        "# HELP canceld_frames_total Frames that came.\n"
        "# TYPE canceld_frames_total counter\n"
        "canceld_frames_total 100\n"
        "# HELP canceld_ops_total Requests, by what they asked for.\n"
        "# TYPE canceld_ops_total counter\n"
        "canceld_ops_total{op=\"store\"} 7\n"
        "canceld_ops_total{op=\"cancel\"} 2\n"
        "# HELP canceld_answers_total Answers, by their word.\n"
        "# TYPE canceld_answers_total counter\n"
        "canceld_answers_total{answer=\"STORED\"} 6\n"
        "canceld_answers_total{answer=\"FULL\"} 1\n"
        "# HELP canceld_ended_total Operations that ended, by their outcome.\n"
        "# TYPE canceld_ended_total counter\n"
        "canceld_ended_total{outcome=\"owner_lost\"} 9\n"
        "# HELP canceld_limit_reached_total Requests that met a limit.\n"
        "# TYPE canceld_limit_reached_total counter\n"
        "canceld_limit_reached_total{limit=\"operations\"} 2\n"
        "# HELP canceld_limit The limits, by name.\n"
        "# TYPE canceld_limit gauge\n"
        "canceld_limit{limit=\"operations\"} 18446744073709551615\n"
        "# HELP canceld_cancel_delivered_seconds From a cancel to its owner's acknowledgement.\n"
        "# TYPE canceld_cancel_delivered_seconds histogram\n"
        "canceld_cancel_delivered_seconds_bucket{le=\"0.001\"} 5\n"
        "canceld_cancel_delivered_seconds_bucket{le=\"0.002\"} 5\n"
        "canceld_cancel_delivered_seconds_bucket{le=\"1.024\"} 9\n"
        "canceld_cancel_delivered_seconds_bucket{le=\"+Inf\"} 10\n"
        "canceld_cancel_delivered_seconds_count 10\n"
        "# TYPE canceld_something_new untyped\n"
        "canceld_something_new 4\n");
    free(text);
}

static void the_text_is_what_the_format_asks_for(void)
{
    struct parser parser = {.families_count = 0};
    char *text = exposition_of(rows, sizeof rows / sizeof rows[0]);

    parse(&parser, text);
    CHECK_EQ(parser.families_count, 10);
    CHECK_EQ(parser.samples_count, 16);
    free(text);
}

/* Whatever rows a daemon sends, in whatever order: what comes out can be read. */
static void any_rows_make_a_text_that_can_be_read(void)
{
    static const char *const names[] = {"ops_",
                                        "ops_store",
                                        "epoch",
                                        "cancel_delivered_ms_lt_1",
                                        "limit_x",
                                        "cancel_delivered_ms_lt_x",
                                        "answers_a\"b",
                                        "cancel_stopped_ms_inf",
                                        "answers_a\\b",
                                        "cancel_stopped_ms_lt_4096",
                                        "frames",
                                        "cancel_delivered_ms_lt_",
                                        "",
                                        "ended_x\ny",
                                        "9",
                                        "journal_commits",
                                        "_",
                                        "limit_reached_x"};
    uint64_t state = test_seed();

    for (int round = 0; round < TEST_SCALE(2000); round++) {
        struct canceld_stat some[sizeof names / sizeof names[0]];
        struct parser parser = {.families_count = 0};
        size_t count = 0;
        uint64_t offset = test_random(&state);
        char *text;

        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
            if (test_random(&state) % 2 == 0) {
                some[count++] =
                    (struct canceld_stat){names[(i + offset) % (sizeof names / sizeof names[0])],
                                          test_random(&state) >> 8};
            }
        }
        text = exposition_of(some, count);
        if (text[0] != '\0') {
            parse(&parser, text);
        }
        free(text);
    }
}

static void a_histogram_knows_its_quantiles(void)
{
    const struct canceld_result stats = {.stats = rows,
                                         .stats_count = sizeof rows / sizeof rows[0]};
    const struct canceld_result none = {.stats_count = 0};
    struct histogram histogram;

    histogram_read(&histogram, &stats, "cancel_delivered_ms_");
    CHECK_EQ(histogram.buckets_count, 4);
    CHECK_EQ(histogram.total, 10);
    CHECK_EQ(histogram_quantile_ms(&histogram, 50), 1);
    CHECK_EQ(histogram_quantile_ms(&histogram, 51), 1024);
    CHECK_EQ(histogram_quantile_ms(&histogram, 90), 1024);
    CHECK(histogram_quantile_ms(&histogram, 99) == UINT64_MAX);
    histogram_read(&histogram, &none, "cancel_delivered_ms_");
    CHECK_EQ(histogram_quantile_ms(&histogram, 50), 0);
}

static const struct test_case cases[] = {
    {"rows become metrics, with labels", rows_become_metrics_with_labels},
    {"the text is what the format asks for", the_text_is_what_the_format_asks_for},
    {"any rows make a text that can be read", any_rows_make_a_text_that_can_be_read},
    {"a histogram knows its quantiles", a_histogram_knows_its_quantiles},
};
TEST_MAIN(cases)
