/* SPDX-License-Identifier: MIT */
/* The picture of `cancelctl top`, without a terminal: the model, its keys, and the grid. */
#include "testing.h"
#include "top_draw.h"
#include "top_grid.h"
#include "top_histogram.h"
#include "top_model.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

static struct top_model model;

static const struct canceld_stat first_rows[] = {
    {"epoch", 12},
    {"uptime_ms", 10920000},
    {"operations_live", 1200},
    {"operations_cancelling", 3},
    {"armed", 1},
    {"sessions", 40},
    {"connections", 41},
    {"ops_store", 1000},
    {"ops_cancel", 10},
    {"ops_delete", 900},
};

static const struct canceld_stat second_rows[] = {
    {"epoch", 12},
    {"uptime_ms", 10922000},
    {"operations_live", 1234},
    {"operations_cancelling", 3},
    {"armed", 1},
    {"sessions", 40},
    {"connections", 41},
    {"cancels_unacknowledged", 2},
    {"cancel_unacknowledged_oldest_ms", 61500},
    {"ops_store", 1247},
    {"ops_cancel", 11},
    {"ops_delete", 900},
    {"journal_bytes_pending", 300},
    {"journal_batches", 17},
    {"journal_commit_us_p99", 1250},
    {"journal_file_bytes", 104857600},
    {"journal_failures", 1},
    {"journal_failing", 1},
    {"cancel_delivered_ms_lt_1", 40},
    {"cancel_delivered_ms_lt_2", 25},
    {"cancel_delivered_ms_lt_4", 1},
    {"cancel_delivered_ms_lt_8", 0},
    {"cancel_delivered_ms_lt_16", 10},
    {"cancel_delivered_ms_lt_32", 0},
    {"cancel_delivered_ms_lt_64", 5},
    {"cancel_delivered_ms_inf", 1},
    {"limit_operations", 1000000},
};

static void stats_take(const struct canceld_stat *rows, size_t count, uint64_t now_ms)
{
    const struct canceld_result result = {
        .answer = CANCELD_ANSWER_STATS, .stats = rows, .stats_count = count};

    top_model_stats(&model, &result, now_ms);
}

#define STATS_TAKE(rows, now_ms) stats_take((rows), sizeof(rows) / sizeof((rows)[0]), (now_ms))

static void lists_take(void)
{
    const struct canceld_operation_info oldest[] = {
        {.key = canceld_string("report-2026"),
         .gen = UINT64_C(514569728660865026),
         .state = CANCELD_STATE_LIVE,
         .age_ms = 10920000,
         .owner = 7,
         .owner_name = canceld_string("worker-3")},
        {.key = canceld_string("\033[31mred\n"),
         .gen = 2,
         .state = CANCELD_STATE_CANCELLING,
         .age_ms = 65000,
         .owner = 8},
        {.key = canceld_string("\u65e5\u672c\u8a9e"),
         .gen = 3,
         .state = CANCELD_STATE_LIVE,
         .age_ms = 999},
    };
    const struct canceld_operation_info waiting[] = {
        {.key = canceld_string("a-key-that-is-much-too-long-for-its-column"),
         .gen = 2,
         .state = CANCELD_STATE_CANCELLING,
         .cancelling_ms = 61500,
         .cause = {CANCELD_CAUSE_USER, canceld_string("the user pressed Stop"),
                   canceld_string("web"), canceld_string("uid:33")}},
        {.key = canceld_string("k"),
         .state = CANCELD_STATE_CANCELLING,
         .cancelling_ms = 1500,
         .cause = {.code = CANCELD_CAUSE_DEADLINE, .peer = canceld_string("token:ci")}},
    };
    struct canceld_result page = {
        .answer = CANCELD_ANSWER_PAGE, .operations = oldest, .operations_count = 3};

    top_list_take(&model.oldest, &page);
    page.operations = waiting;
    page.operations_count = 2;
    top_list_take(&model.unacknowledged, &page);
}

static void model_begin(void)
{
    CHECK(setlocale(LC_ALL, "C.UTF-8") != NULL);
    top_model_init(&model, "ipc:///run/canceld/canceld.sock", NULL, 1000);
}

static char *picture(unsigned rows, unsigned columns)
{
    struct top_grid grid = {0};
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    CHECK(out != NULL);
    CHECK(top_grid_resize(&grid, rows, columns));
    top_draw(&grid, &model);
    top_grid_print(&grid, out);
    CHECK_EQ(fclose(out), 0);
    top_grid_fini(&grid);
    return text;
}

static void check_picture(unsigned rows, unsigned columns, const char *expected)
{
    char *text = picture(rows, columns);

    CHECK_STR_EQ(text, expected);
    free(text);
}

static void a_full_picture_fits_80_columns_and_24_lines(void)
{
    model_begin();
    STATS_TAKE(first_rows, 1000);
    STATS_TAKE(second_rows, 3000);
    lists_take();
    check_picture(
        24, 80,
        " canceld ipc:///run/canceld/canceld.sock  epoch 12  up 3h02m         every 1.0s\n"
        " live 1234  cancelling 3  armed 1  sessions 40  connections 41\n"
        " stores 123.5/s  cancels 0.5/s  deletes 0.0/s  unacknowledged 2  oldest 1m01s\n"
        " journal pending 300B  p99 1.2ms  file 100MiB  failures 1  FAILING\n"
        "\n"
        " REQUESTED→DELIVERED p50<2ms p99>64ms    DELIVERED→STOPPED  none yet\n"
        " ███\n"
        " ███▄▄▄\n"
        " ██████\n"
        " ██████▁▁▁   ███   ▄▄▄▁▁▁\n"
        " 1ms   4ms   16ms  64ms\n"
        "\n"
        " OLDEST OPERATIONS OF NAMESPACE default\n"
        " AGE      STATE      OWNER          KEY\n"
        " 3h02m    LIVE       worker-3       report-2026\n"
        " 1m05s    CANCELLING 8              \\033[31mred\\n\n"
        " 999ms    LIVE                      日本語\n"
        "\n"
        " CANCELS OF IT THAT NO OWNER HAS ACKNOWLEDGED\n"
        " SINCE    CAUSE      BY             KEY                    REASON\n"
        " 1m01s    USER       web            a-key-that-is-much-to… the user pressed Stop\n"
        " 1.5s     DEADLINE   token:ci       k\n"
        "\n"
        " q quit   p pause   n namespace   + - interval\n");
}

static void before_the_first_answer_nothing_is_claimed(void)
{
    model_begin();
    check_picture(
        24, 80,
        " canceld ipc:///run/canceld/canceld.sock                             every 1.0s\n"
        " live -  cancelling -  armed -  sessions -  connections -\n"
        " stores -  cancels -  deletes -\n"
        " journal none\n"
        "\n"
        " REQUESTED→DELIVERED  none yet           DELIVERED→STOPPED  none yet\n"
        "\n"
        "\n"
        "\n"
        "\n"
        "\n"
        "\n"
        " OLDEST OPERATIONS OF NAMESPACE default  none\n"
        "\n"
        " CANCELS OF IT THAT NO OWNER HAS ACKNOWLEDGED  none\n"
        "\n"
        "\n"
        "\n"
        "\n"
        "\n"
        "\n"
        "\n"
        "\n"
        " q quit   p pause   n namespace   + - interval\n");
}

static void a_small_terminal_gets_the_lists(void)
{
    model_begin();
    STATS_TAKE(second_rows, 3000);
    lists_take();
    check_picture(12, 40,
                  " canceld ipc:///run/canceld… every 1.0s\n"
                  " live 1234  cancelling 3  armed 1  sess…\n"
                  " stores -  cancels -  deletes -  unackn…\n"
                  " journal pending 300B  p99 1.2ms  file …\n"
                  "\n"
                  " OLDEST OPERATIONS OF NAMESPACE default\n"
                  " 3h02m    LIVE       worker-3       rep…\n"
                  "\n"
                  " CANCELS OF IT THAT NO OWNER HAS ACKNOW…\n"
                  " 1m01s    USER       web            a-k…\n"
                  " 1.5s     DEADLINE   token:ci       k\n"
                  " q quit   p pause   n namespace   + - i…\n");
}

/* Rates are of the time between two samples, and of one run of the daemon. */
static void rates_are_differences(void)
{
    const struct canceld_stat restarted[] = {{"epoch", 13}, {"ops_store", 5000}};
    const struct canceld_stat later[] = {{"epoch", 13}, {"ops_store", 5003}};
    const struct canceld_stat less[] = {{"epoch", 13}, {"ops_store", 1}};

    model_begin();
    STATS_TAKE(first_rows, 1000);
    CHECK(!model.rates[TOP_RATE_STORES].is_known);
    STATS_TAKE(second_rows, 3000);
    CHECK(model.rates[TOP_RATE_STORES].is_known);
    CHECK_EQ(model.rates[TOP_RATE_STORES].value, 1235);
    CHECK_EQ(model.rates[TOP_RATE_CANCELS].value, 5);
    STATS_TAKE(restarted, 4000);
    CHECK(!model.rates[TOP_RATE_STORES].is_known);
    CHECK(!model.rates[TOP_RATE_CANCELS].is_known);
    STATS_TAKE(later, 4500);
    CHECK_EQ(model.rates[TOP_RATE_STORES].value, 60);
    STATS_TAKE(less, 5000);
    CHECK(!model.rates[TOP_RATE_STORES].is_known);
}

static void what_is_wrong_is_shown(void)
{
    const struct canceld_result denied = {.answer = CANCELD_ANSWER_DENIED};
    char *text;

    model_begin();
    (void) snprintf(model.remark, sizeof model.remark, "TIMED_OUT: no answer");
    top_list_take(&model.oldest, &denied);
    model.is_paused = true;
    text = picture(24, 80);
    CHECK(strstr(text, "\n TIMED_OUT: no answer\n") != NULL);
    CHECK(strstr(text, "OLDEST OPERATIONS OF NAMESPACE default  DENIED\n") != NULL);
    CHECK(strstr(text, "PAUSED, every 1.0s\n") != NULL);
    free(text);
}

/* ---- keys ---- */

static void keys_change_the_model(void)
{
    model_begin();
    CHECK_EQ(top_model_key(&model, 'x'), TOP_WISH_NOTHING);
    CHECK_EQ(top_model_key(&model, 'p'), TOP_WISH_NOTHING);
    CHECK(model.is_paused);
    CHECK_EQ(top_model_key(&model, 'p'), TOP_WISH_SAMPLE);
    CHECK(!model.is_paused);
    CHECK_EQ(top_model_key(&model, 'q'), TOP_WISH_QUIT);
    (void) top_model_key(&model, '+');
    CHECK_EQ(model.interval_ms, 2000);
    for (int i = 0; i < 20; i++) {
        (void) top_model_key(&model, '+');
    }
    CHECK_EQ(model.interval_ms, 60000);
    for (int i = 0; i < 20; i++) {
        (void) top_model_key(&model, '-');
    }
    CHECK_EQ(model.interval_ms, 100);
    model.interval_ms = 1234;
    (void) top_model_key(&model, '-');
    CHECK_EQ(model.interval_ms, 1000);
}

static void keys_have_neighbours(void)
{
    model_begin();
    CHECK_EQ(top_model_key(&model, 'Q'), TOP_WISH_QUIT);
    CHECK_EQ(top_model_key(&model, 'P'), TOP_WISH_NOTHING);
    CHECK_EQ(top_model_key(&model, ' '), TOP_WISH_SAMPLE);
    model.interval_ms = 1000;
    CHECK_EQ(top_model_key(&model, '='), TOP_WISH_NOTHING);
    CHECK_EQ(model.interval_ms, 2000);
    CHECK_EQ(top_model_key(&model, '_'), TOP_WISH_NOTHING);
    CHECK_EQ(model.interval_ms, 1000);
    CHECK_EQ(top_model_key(&model, 'N'), TOP_WISH_NOTHING);
    CHECK(model.is_prompting);
    /* No namespace has them: keys of the terminal, bytes above ASCII, and nothing at all. */
    CHECK_EQ(top_model_key(&model, 0), TOP_WISH_NOTHING);
    CHECK_EQ(top_model_key(&model, 0xc3), TOP_WISH_NOTHING);
    CHECK_EQ(top_model_key(&model, '/'), TOP_WISH_NOTHING);
    CHECK_STR_EQ(model.prompt, "");
}

/* Cut where a character ends, so that the terminal is given none that is half. */
static void long_keys_are_cut_between_characters(void)
{
    char key[400];
    struct canceld_operation_info info = {.state = CANCELD_STATE_LIVE};
    struct canceld_result found = {
        .answer = CANCELD_ANSWER_PAGE, .operations = &info, .operations_count = 1};

    for (size_t at = 0; at < 2; at++) {
        model_begin();
        memset(key, 'a', sizeof key);
        for (size_t i = at; i + 1 < sizeof key; i += 2) {
            memcpy(key + i, "\xc3\xbc", 2);
        }
        info.key = (struct canceld_bytes){(const uint8_t *) key, sizeof key - at};
        top_list_take(&model.oldest, &found);
        CHECK_EQ(model.oldest.rows_count, 1);
        const char *shown = model.oldest.rows[0].key;
        const size_t size = strlen(shown);
        CHECK_LT(size, TOP_TEXT_BYTES);
        CHECK_GE(size, TOP_TEXT_BYTES - 2);
        CHECK_EQ((unsigned char) shown[size - 1], 0xbc);
    }
}

static void keys_type(const char *keys)
{
    for (; *keys != '\0'; keys++) {
        CHECK_EQ(top_model_key(&model, *keys), TOP_WISH_NOTHING);
    }
}

static void a_namespace_is_typed(void)
{
    char *text;

    model_begin();
    keys_type("nq;\033");
    CHECK_STR_EQ(model.name_space, "");
    keys_type("n te am+-q");
    CHECK_STR_EQ(model.prompt, "team-q");
    CHECK_EQ(top_model_key(&model, TOP_KEY_BACKSPACE), TOP_WISH_NOTHING);
    text = picture(24, 80);
    CHECK(strstr(text, "\n namespace: team-\n") != NULL);
    free(text);
    CHECK_EQ(top_model_key(&model, TOP_KEY_ENTER), TOP_WISH_SAMPLE);
    CHECK_STR_EQ(model.name_space, "team-");
    keys_type("n");
    for (int i = 0; i < 100; i++) {
        keys_type("a");
    }
    CHECK_EQ(strlen(model.prompt), 64);
    for (int i = 0; i < 100; i++) {
        (void) top_model_key(&model, TOP_KEY_BACKSPACE);
    }
    CHECK_EQ(top_model_key(&model, TOP_KEY_ENTER), TOP_WISH_NOTHING);
    CHECK_STR_EQ(model.name_space, "team-");
}

/* ---- the grid ---- */

static void no_size_is_too_small_or_too_large(void)
{
    uint64_t state = test_seed();
    struct top_grid grid = {0};

    model_begin();
    STATS_TAKE(first_rows, 1000);
    STATS_TAKE(second_rows, 3000);
    lists_take();
    for (unsigned rows = 0; rows < 40; rows++) {
        for (unsigned columns = 0; columns < 130; columns += 3) {
            CHECK(top_grid_resize(&grid, rows, columns));
            top_draw(&grid, &model);
        }
    }
    for (int i = 0; i < 50; i++) {
        CHECK(
            top_grid_resize(&grid, (unsigned) test_random(&state), (unsigned) test_random(&state)));
        CHECK_LE(grid.rows_count, TOP_GRID_ROWS_MAX);
        CHECK_LE(grid.columns_count, TOP_GRID_COLUMNS_MAX);
        top_draw(&grid, &model);
    }
    top_grid_fini(&grid);
}

static void check_put(const char *text, unsigned end, const char *expected)
{
    struct top_grid grid = {0};
    char *got = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&got, &size);

    CHECK(out != NULL);
    CHECK(top_grid_resize(&grid, 1, 10));
    (void) top_grid_put(&grid, (struct top_span){0, 0, end}, TOP_STYLE_PLAIN, text);
    top_grid_print(&grid, out);
    CHECK_EQ(fclose(out), 0);
    CHECK_STR_EQ(got, expected);
    free(got);
    top_grid_fini(&grid);
}

static void text_is_cut_and_never_harms(void)
{
    CHECK(setlocale(LC_ALL, "C.UTF-8") != NULL);
    check_put("0123456789", 99, "0123456789\n");
    check_put("0123456789a", 99, "012345678\u2026\n");
    check_put("abcdef", 4, "abc\u2026\n");
    check_put("abcd", 4, "abcd\n");
    check_put("\u65e5\u672c\u8a9e", 6, "\u65e5\u672c\u8a9e\n");
    check_put("\u65e5\u672c\u8a9e", 5, "\u65e5\u672c\u2026\n");
    check_put("\u65e5\u672c\u8a9e", 4, "\u65e5\u2026\n");
    check_put("a\033[2J\x80z\x7f\u202e\u0301", 99, "a?[2J?z???\n");
    check_put("x", 0, "\n");
    CHECK(setlocale(LC_ALL, "C") != NULL);
    check_put("\u65e5x", 99, "?x\n");
}

/* What is not empty is to be seen, whatever the fullest bucket has. */
static void bars_are_never_too_low_to_see(void)
{
    const struct histogram histogram = {.buckets_count = 3,
                                        .below_ms = {1, 2, UINT64_MAX},
                                        .counts = {UINT64_MAX / 2, 1, 0},
                                        .total = UINT64_MAX / 2 + 1};
    struct top_grid grid = {0};

    CHECK(top_grid_resize(&grid, TOP_HISTOGRAM_ROWS, 3));
    top_histogram_put(&grid, (struct top_span){0, 0, 3}, "", &histogram);
    for (unsigned row = 1; row <= TOP_HISTOGRAM_BAR_ROWS; row++) {
        CHECK_EQ(grid.cells[row * 3].character, L'\u2588');
    }
    CHECK_EQ(grid.cells[TOP_HISTOGRAM_BAR_ROWS * 3 + 1].character, L'\u2581');
    CHECK_EQ(grid.cells[TOP_HISTOGRAM_BAR_ROWS * 3 + 2].character, L' ');
    top_grid_fini(&grid);
}

static const struct test_case cases[] = {
    {"a full picture fits 80 columns and 24 lines", a_full_picture_fits_80_columns_and_24_lines},
    {"before the first answer nothing is claimed", before_the_first_answer_nothing_is_claimed},
    {"a small terminal gets the lists", a_small_terminal_gets_the_lists},
    {"rates are differences", rates_are_differences},
    {"what is wrong is shown", what_is_wrong_is_shown},
    {"keys change the model", keys_change_the_model},
    {"each key has a neighbour that does the same", keys_have_neighbours},
    {"a long key is cut between two characters", long_keys_are_cut_between_characters},
    {"a namespace is typed", a_namespace_is_typed},
    {"no size is too small or too large", no_size_is_too_small_or_too_large},
    {"text is cut and never harms", text_is_cut_and_never_harms},
    {"bars are never too low to see", bars_are_never_too_low_to_see},
};
TEST_MAIN(cases)
