/* SPDX-License-Identifier: MIT */
#include "top_draw.h"

#include "top_histogram.h"

#include <inttypes.h>
#include <string.h>

/* Of fewer lines the lists need all. */
#define ROWS_FOR_HISTOGRAMS 20
#define TEXT_BYTES 512

/* ---- numbers ---- */

/* 250ms 1.5s 4m05s 3h02m 2d03h */
static const char *duration_text(char out[24], uint64_t ms)
{
    uint64_t s = ms / 1000;

    if (ms < 1000) {
        (void) snprintf(out, 24, "%" PRIu64 "ms", ms);
    } else if (s < 60) {
        (void) snprintf(out, 24, "%" PRIu64 ".%" PRIu64 "s", s, ms % 1000 / 100);
    } else if (s < 3600) {
        (void) snprintf(out, 24, "%" PRIu64 "m%02" PRIu64 "s", s / 60, s % 60);
    } else if (s < 86400) {
        (void) snprintf(out, 24, "%" PRIu64 "h%02" PRIu64 "m", s / 3600, s % 3600 / 60);
    } else {
        (void) snprintf(out, 24, "%" PRIu64 "d%02" PRIu64 "h", s / 86400, s % 86400 / 3600);
    }
    return out;
}

/* `name number`, with a dash for what is not known; gives the column behind it and two blanks. */
static unsigned figure_put(struct top_grid *grid, struct top_span span, const char *name,
                           const char *number)
{
    span.column = top_grid_put(grid, span, TOP_STYLE_DIM, name) + 1;
    return top_grid_put(grid, span, TOP_STYLE_BOLD, number) + 2;
}

static unsigned number_put(struct top_grid *grid, struct top_span span, const char *name,
                           struct top_number number)
{
    char text[24] = "-";

    if (number.is_known) {
        (void) snprintf(text, sizeof text, "%" PRIu64, number.value);
    }
    return figure_put(grid, span, name, text);
}

static unsigned rate_put(struct top_grid *grid, struct top_span span, const char *name,
                         struct top_number tenths)
{
    char text[32] = "-";

    if (tenths.is_known) {
        (void) snprintf(text, sizeof text, "%" PRIu64 ".%" PRIu64 "/s", tenths.value / 10,
                        tenths.value % 10);
    }
    return figure_put(grid, span, name, text);
}

static struct top_span row_of(const struct top_grid *grid, unsigned row)
{
    return (struct top_span){.row = row, .column = 1, .end = grid->columns_count};
}

/* ---- the head ---- */

static void title_put(struct top_grid *grid, const struct top_model *model)
{
    char left[TEXT_BYTES], right[64], age[24];
    const struct top_number *figures = model->figures;
    struct top_span span = row_of(grid, 0);
    int size = snprintf(left, sizeof left, "canceld %.200s", model->server_url);
    unsigned right_columns;

    if (figures[TOP_FIGURE_EPOCH].is_known) {
        size += snprintf(left + size, sizeof left - (size_t) size, "  epoch %" PRIu64,
                         figures[TOP_FIGURE_EPOCH].value);
    }
    if (figures[TOP_FIGURE_UPTIME].is_known) {
        (void) snprintf(left + size, sizeof left - (size_t) size, "  up %s",
                        duration_text(age, figures[TOP_FIGURE_UPTIME].value));
    }
    (void) snprintf(right, sizeof right, "%severy %s", model->is_paused ? "PAUSED, " : "",
                    duration_text(age, model->interval_ms));
    right_columns = (unsigned) strlen(right);
    if (grid->columns_count > right_columns + 1) {
        span.end = grid->columns_count - right_columns - 2;
        (void) top_grid_put(grid,
                            (struct top_span){.row = 0,
                                              .column = grid->columns_count - right_columns - 1,
                                              .end = grid->columns_count},
                            TOP_STYLE_HEAD, right);
    }
    (void) top_grid_put(grid, span, TOP_STYLE_HEAD, left);
    top_grid_style_row(grid, 0, TOP_STYLE_HEAD);
}

static void counts_put(struct top_grid *grid, const struct top_model *model, unsigned row)
{
    static const struct {
        const char *name;
        enum top_figure figure;
    } shown[] = {{"live", TOP_FIGURE_LIVE},
                 {"cancelling", TOP_FIGURE_CANCELLING},
                 {"armed", TOP_FIGURE_ARMED},
                 {"sessions", TOP_FIGURE_SESSIONS},
                 {"connections", TOP_FIGURE_CONNECTIONS}};
    struct top_span span = row_of(grid, row);

    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
        span.column = number_put(grid, span, shown[i].name, model->figures[shown[i].figure]);
    }
}

static void rates_put(struct top_grid *grid, const struct top_model *model, unsigned row)
{
    const struct top_number unacknowledged = model->figures[TOP_FIGURE_UNACKNOWLEDGED];
    struct top_span span = row_of(grid, row);
    char age[24];

    span.column = rate_put(grid, span, "stores", model->rates[TOP_RATE_STORES]);
    span.column = rate_put(grid, span, "cancels", model->rates[TOP_RATE_CANCELS]);
    span.column = rate_put(grid, span, "deletes", model->rates[TOP_RATE_DELETES]);
    if (unacknowledged.is_known) {
        span.column = number_put(grid, span, "unacknowledged", unacknowledged);
    }
    if (unacknowledged.is_known && unacknowledged.value > 0) {
        (void) figure_put(
            grid, span, "oldest",
            duration_text(age, model->figures[TOP_FIGURE_UNACKNOWLEDGED_OLDEST].value));
    }
}

/* The journal's figures; or what is wrong, which is told rather. */
static void state_put(struct top_grid *grid, const struct top_model *model, unsigned row)
{
    struct top_span span = row_of(grid, row);

    if (model->remark[0] != '\0') {
        (void) top_grid_put(grid, span, TOP_STYLE_BAD, model->remark);
        return;
    }
    span.column = top_grid_put(grid, span, TOP_STYLE_DIM, "journal") + 1;
    if (model->journal_count == 0) {
        (void) top_grid_put(grid, span, TOP_STYLE_BOLD, "none");
    }
    for (size_t i = 0; i < model->journal_count; i++) {
        span.column = figure_put(grid, span, model->journal[i].name, model->journal[i].value);
    }
    if (model->is_journal_failing) {
        (void) top_grid_put(grid, span, TOP_STYLE_BAD, "FAILING");
    }
}

/* ---- lists ---- */

/* A column of a list: as wide as said; 0: what is left. */
struct column {
    const char *name;
    unsigned columns;
};

static void cell_put(struct top_grid *grid, struct top_span *span, unsigned columns,
                     enum top_style style, const char *text)
{
    struct top_span cell = *span;

    if (columns > 0 && cell.column + columns < cell.end) {
        cell.end = cell.column + columns;
    }
    (void) top_grid_put(grid, cell, style, text);
    span->column = cell.end + 1;
}

/* Where there are few lines the columns have to speak for themselves. */
static bool has_names(const struct top_grid *grid)
{
    return grid->rows_count >= ROWS_FOR_HISTOGRAMS;
}

static void columns_put(struct top_grid *grid, unsigned row, const struct column *columns,
                        const char *const *texts)
{
    struct top_span span = row_of(grid, row);

    for (size_t i = 0; columns[i].name != NULL; i++) {
        cell_put(grid, &span, columns[i].columns, texts == NULL ? TOP_STYLE_DIM : TOP_STYLE_PLAIN,
                 texts == NULL ? columns[i].name : texts[i]);
    }
}

static void heading_put(struct top_grid *grid, unsigned row, const char *name,
                        const struct top_list *list)
{
    struct top_span span = row_of(grid, row);

    span.column = top_grid_put(grid, span, TOP_STYLE_BOLD, name) + 2;
    if (list->remark[0] != '\0') {
        (void) top_grid_put(grid, span, TOP_STYLE_BAD, list->remark);
    } else if (list->rows_count == 0) {
        (void) top_grid_put(grid, span, TOP_STYLE_DIM, "none");
    }
}

static void oldest_put(struct top_grid *grid, const struct top_model *model, unsigned row,
                       unsigned end)
{
    const struct top_list *list = &model->oldest;
    const struct column columns[] = {
        {"AGE", 8},    {"STATE", 10},
        {"OWNER", 14}, {"KEY", grid->columns_count > 110 ? grid->columns_count - 58 : 0},
        {"GEN", 20},   {0}};
    char age[24], gen[24], heading[TOP_NAMESPACE_BYTES + 32];

    (void) snprintf(heading, sizeof heading, "OLDEST OPERATIONS OF NAMESPACE %s",
                    model->name_space[0] != '\0' ? model->name_space : "default");
    heading_put(grid, row++, heading, list);
    if (list->rows_count > 0 && has_names(grid) && row < end) {
        columns_put(grid, row++, columns, NULL);
    }
    for (size_t i = 0; i < list->rows_count && row < end; i++) {
        const struct top_operation *operation = &list->rows[i];
        const char *const texts[] = {duration_text(age, operation->age_ms),
                                     canceld_state_name(operation->state), operation->owner,
                                     operation->key, gen};

        (void) snprintf(gen, sizeof gen, "%" PRIu64, operation->gen);
        columns_put(grid, row++, columns, texts);
    }
}

static void unacknowledged_put(struct top_grid *grid, const struct top_list *list, unsigned row,
                               unsigned end)
{
    unsigned key_columns = grid->columns_count > 56 ? (grid->columns_count - 36) / 2 : 10;
    const struct column columns[] = {{"SINCE", 8},         {"CAUSE", 10}, {"BY", 14},
                                     {"KEY", key_columns}, {"REASON", 0}, {0}};
    char age[24];

    heading_put(grid, row++, "CANCELS OF IT THAT NO OWNER HAS ACKNOWLEDGED", list);
    if (list->rows_count > 0 && has_names(grid) && row < end) {
        columns_put(grid, row++, columns, NULL);
    }
    for (size_t i = 0; i < list->rows_count && row < end; i++) {
        const struct top_operation *operation = &list->rows[i];
        const char *const texts[] = {duration_text(age, operation->cancelling_ms), operation->cause,
                                     operation->by, operation->key, operation->reason};

        columns_put(grid, row++, columns, texts);
    }
}

/* The lines of a list with its heading and the names of its columns. */
static unsigned rows_needed(const struct top_grid *grid, const struct top_list *list)
{
    return 1 + (unsigned) list->rows_count + (has_names(grid) && list->rows_count > 0 ? 1 : 0);
}

/* Half of the room for each, and what one of them does not need for the other. */
static void lists_put(struct top_grid *grid, const struct top_model *model, unsigned row,
                      unsigned end)
{
    unsigned room = end > row + 1 ? end - row - 1 : 0; /* one line stands between them */
    unsigned second = rows_needed(grid, &model->unacknowledged);
    unsigned first = rows_needed(grid, &model->oldest);

    if (first + second > room) {
        unsigned half = room / 2;

        first = first < half ? first : second < room - half ? room - second : half;
        second = room - first;
    }
    oldest_put(grid, model, row, row + first);
    if (second > 0) {
        unacknowledged_put(grid, &model->unacknowledged, row + first + 1, end);
    }
}

/* ---- all of it ---- */

static void foot_put(struct top_grid *grid, const struct top_model *model)
{
    struct top_span span = row_of(grid, grid->rows_count - 1);

    if (!model->is_prompting) {
        (void) top_grid_put(grid, span, TOP_STYLE_DIM,
                            "q quit   p pause   n namespace   + - interval");
        return;
    }
    span.column = top_grid_put(grid, span, TOP_STYLE_BOLD, "namespace:") + 1;
    span.column = top_grid_put(grid, span, TOP_STYLE_PLAIN, model->prompt);
    (void) top_grid_put(grid, span, TOP_STYLE_HEAD, " ");
}

void top_draw(struct top_grid *grid, const struct top_model *model)
{
    unsigned foot = grid->rows_count - 1;
    unsigned row = 5;

    top_grid_clear(grid);
    title_put(grid, model);
    counts_put(grid, model, 1);
    rates_put(grid, model, 2);
    state_put(grid, model, 3);
    if (grid->rows_count >= ROWS_FOR_HISTOGRAMS) {
        unsigned half = grid->columns_count / 2;

        top_histogram_put(grid, (struct top_span){row, 1, half}, "REQUESTED\u2192DELIVERED",
                          &model->delivered);
        top_histogram_put(grid, (struct top_span){row, half + 1, grid->columns_count},
                          "DELIVERED\u2192STOPPED", &model->stopped);
        row += TOP_HISTOGRAM_ROWS + 1;
    }
    lists_put(grid, model, row, foot);
    foot_put(grid, model);
}
