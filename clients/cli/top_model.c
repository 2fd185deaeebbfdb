/* SPDX-License-Identifier: MIT */
#include "top_model.h"

#include "text.h"
#include "value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const figure_rows[TOP_FIGURES_COUNT] = {
#define FIGURE_ROW(name, row) [TOP_FIGURE_##name] = (row),
    TOP_FIGURE_TABLE(FIGURE_ROW)
#undef FIGURE_ROW
};

static const char *const rate_rows[TOP_RATES_COUNT] = {
#define RATE_ROW(name, row) [TOP_RATE_##name] = (row),
    TOP_RATE_TABLE(RATE_ROW)
#undef RATE_ROW
};

void top_model_init(struct top_model *model, const char *server_url, const char *name_space,
                    uint32_t interval_ms)
{
    *model = (struct top_model){.server_url = server_url, .interval_ms = interval_ms};
    (void) snprintf(model->name_space, sizeof model->name_space, "%s",
                    name_space != NULL ? name_space : "");
}

/* ---- stats ---- */

static void figures_take(struct top_model *model, const struct canceld_result *result)
{
    for (size_t i = 0; i < TOP_FIGURES_COUNT; i++) {
        model->figures[i].is_known = stat_rows_has(result, figure_rows[i]);
        model->figures[i].value = stat_rows_value(result, figure_rows[i], 0);
    }
}

/* Between two samples of one start of the daemon; a counter that went back is of another. */
static void rates_take(struct top_model *model, const struct canceld_result *result,
                       uint64_t now_ms)
{
    uint64_t passed_ms = now_ms - model->sampled_at_ms;
    bool has_before = model->sampled_at_ms != 0 && passed_ms > 0;

    for (size_t i = 0; i < TOP_RATES_COUNT; i++) {
        uint64_t counter = stat_rows_value(result, rate_rows[i], 0);
        uint64_t before = model->counters[i];

        model->rates[i] = (struct top_number){.value = 0};
        if (has_before && counter >= before && stat_rows_has(result, rate_rows[i])) {
            model->rates[i].is_known = true;
            model->rates[i].value = (counter - before) * 10000 / passed_ms;
        }
        model->counters[i] = counter;
    }
    model->sampled_at_ms = now_ms;
}

static void bytes_text(char out[24], uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;

    for (; bytes >= 10240 && unit + 1 < sizeof units / sizeof units[0]; unit++) {
        bytes /= 1024;
    }
    (void) snprintf(out, 24, "%" PRIu64 "%s", bytes, units[unit]);
}

static void microseconds_text(char out[24], uint64_t us)
{
    (void) snprintf(out, 24, "%" PRIu64 ".%" PRIu64 "ms", us / 1000, us % 1000 / 100);
}

static void number_text(char out[24], uint64_t number)
{
    (void) snprintf(out, 24, "%" PRIu64, number);
}

static void journal_take(struct top_model *model, const struct canceld_result *result)
{
    static const struct {
        const char *row;
        const char *name;
        void (*text)(char out[24], uint64_t value);
    } shown[TOP_JOURNAL_MAX] = {
        {"journal_bytes_pending", "pending", bytes_text},
        {"journal_commit_us_p50", "commit p50", microseconds_text},
        {"journal_commit_us_p99", "p99", microseconds_text},
        {"journal_file_bytes", "file", bytes_text},
        {"journal_failures", "failures", number_text},
    };

    model->journal_count = 0;
    model->is_journal_failing = stat_rows_value(result, "journal_failing", 0) != 0;
    for (size_t i = 0; i < TOP_JOURNAL_MAX; i++) {
        if (stat_rows_has(result, shown[i].row)) {
            struct top_journal_row *row = &model->journal[model->journal_count++];

            row->name = shown[i].name;
            shown[i].text(row->value, stat_rows_value(result, shown[i].row, 0));
        }
    }
}

void top_model_stats(struct top_model *model, const struct canceld_result *result, uint64_t now_ms)
{
    uint64_t epoch = model->figures[TOP_FIGURE_EPOCH].value;

    figures_take(model, result);
    if (model->figures[TOP_FIGURE_EPOCH].value != epoch) {
        model->sampled_at_ms = 0;
    }
    rates_take(model, result, now_ms);
    journal_take(model, result);
    histogram_read(&model->delivered, result, "cancel_delivered_ms_");
    histogram_read(&model->stopped, result, "cancel_stopped_ms_");
}

/* ---- operations ---- */

/* What cannot be shown as it is is escaped, and cut where no character is cut. */
static void text_take(char out[TOP_TEXT_BYTES], struct canceld_bytes bytes)
{
    /* Four bytes for one, two quotes, and the end. */
    char escaped[4 * 1024 + 3] = "";
    struct canceld_bytes some = {bytes.data, bytes.size < 1024 ? bytes.size : 1024};
    const char *begin = escaped;
    FILE *file;
    size_t size;

    out[0] = '\0';
    if (bytes.size == 0) {
        return;
    }
    file = fmemopen(escaped, sizeof escaped, "w");
    if (file == NULL) {
        return; /* a picture without it */
    }
    text_put_escaped(file, some);
    (void) fclose(file);
    size = strlen(escaped);
    /* A column of its own needs no quotes. */
    if (size >= 2 && escaped[0] == '"') {
        begin = escaped + 1;
        size -= 2;
    }
    if (size >= TOP_TEXT_BYTES) {
        size = TOP_TEXT_BYTES - 1;
        while (size > 0 && ((unsigned char) begin[size] & 0xc0) == 0x80) {
            size--;
        }
    }
    memcpy(out, begin, size);
    out[size] = '\0';
}

static void operation_take(struct top_operation *row, const struct canceld_operation_info *info)
{
    *row = (struct top_operation){
        .state = info->state,
        .gen = info->gen,
        .age_ms = info->age_ms,
        .cancelling_ms = info->cancelling_ms,
    };
    text_take(row->key, info->key);
    text_take(row->owner, info->owner_name);
    if (row->owner[0] == '\0' && info->owner != 0) {
        (void) snprintf(row->owner, sizeof row->owner, "%" PRIu64, info->owner);
    }
    if (info->cause.code != CANCELD_CAUSE_UNSET) {
        (void) snprintf(row->cause, sizeof row->cause, "%s",
                        canceld_cause_code_name(info->cause.code));
    }
    text_take(row->by, info->cause.actor.size > 0 ? info->cause.actor : info->cause.peer);
    text_take(row->reason, info->cause.text);
}

void top_list_take(struct top_list *list, const struct canceld_result *result)
{
    list->rows_count = 0;
    list->remark[0] = '\0';
    if (result->answer != CANCELD_ANSWER_PAGE) {
        (void) snprintf(list->remark, sizeof list->remark, "%s",
                        canceld_answer_name(result->answer));
        return;
    }
    while (list->rows_count < result->operations_count && list->rows_count < TOP_LIST_MAX) {
        operation_take(&list->rows[list->rows_count], &result->operations[list->rows_count]);
        list->rows_count++;
    }
}

/* ---- keys ---- */

static uint32_t interval_step(uint32_t interval_ms, bool is_longer)
{
    static const uint32_t steps[] = {100, 200, 500, 1000, 2000, 5000, 10000, 30000, 60000};
    size_t count = sizeof steps / sizeof steps[0];

    if (is_longer) {
        for (size_t i = 0; i < count; i++) {
            if (steps[i] > interval_ms) {
                return steps[i];
            }
        }
        return steps[count - 1];
    }
    for (size_t i = count; i > 0; i--) {
        if (steps[i - 1] < interval_ms) {
            return steps[i - 1];
        }
    }
    return steps[0];
}

static enum top_wish prompt_enter(struct top_model *model)
{
    model->is_prompting = false;
    if (model->prompt[0] == '\0') {
        return TOP_WISH_NOTHING;
    }
    memcpy(model->name_space, model->prompt, sizeof model->name_space);
    model->oldest.rows_count = 0;
    model->unacknowledged.rows_count = 0;
    return TOP_WISH_SAMPLE;
}

static enum top_wish prompt_key(struct top_model *model, int key)
{
    size_t size = strlen(model->prompt);
    char text[2] = {(char) key, '\0'};

    switch (key) {
    case TOP_KEY_ENTER:
        return prompt_enter(model);
    case TOP_KEY_ESCAPE:
        model->is_prompting = false;
        break;
    case TOP_KEY_BACKSPACE:
        model->prompt[size > 0 ? size - 1 : 0] = '\0';
        break;
    default:
        /* Only what a namespace may have. */
        if (key > 0 && key < 128 && value_is_namespace(text) && size + 1 < sizeof model->prompt) {
            model->prompt[size] = (char) key;
            model->prompt[size + 1] = '\0';
        }
        break;
    }
    return TOP_WISH_NOTHING;
}

enum top_wish top_model_key(struct top_model *model, int key)
{
    if (model->is_prompting) {
        return prompt_key(model, key);
    }
    switch (key) {
    case 'q':
    case 'Q':
        return TOP_WISH_QUIT;
    case 'p':
    case 'P':
    case ' ':
        model->is_paused = !model->is_paused;
        return model->is_paused ? TOP_WISH_NOTHING : TOP_WISH_SAMPLE;
    case 'n':
    case 'N':
        model->is_prompting = true;
        model->prompt[0] = '\0';
        break;
    case '+':
    case '=':
        model->interval_ms = interval_step(model->interval_ms, true);
        break;
    case '-':
    case '_':
        model->interval_ms = interval_step(model->interval_ms, false);
        break;
    default:
        break;
    }
    return TOP_WISH_NOTHING;
}
