/* SPDX-License-Identifier: MIT */
/* top: asks, draws, and waits for a key or for the next time to ask, all on one thread. A daemon that
 * does not answer holds it up for a moment only, and the picture says so. */
#include "call.h"
#include "command.h"
#include "top_draw.h"
#include "top_grid.h"
#include "top_model.h"
#include "top_screen.h"

#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* How long a key has no effect, at the most, where the daemon does not answer. */
#define ANSWER_MS 1000U
#define ONCE_ROWS 24
#define ONCE_COLUMNS 80
#define PAUSED_WAIT_MS 60000

static uint64_t now_ms(void)
{
    struct timespec now;

    (void) clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}

/* The picture has characters that not every locale knows, and a terminal that knows none of them is
 * rare. */
static void locale_set(void)
{
    (void) setlocale(LC_ALL, "");
    if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0) {
        (void) setlocale(LC_CTYPE, "C.UTF-8");
    }
}

/* ---- questions ---- */

static enum canceld_status stats_sample(struct canceld_client *client, struct top_model *model)
{
    struct canceld_result result = {0};
    enum canceld_status status = canceld_stats(client, ANSWER_MS, &result);

    if (status == CANCELD_OK && result.answer == CANCELD_ANSWER_STATS) {
        top_model_stats(model, &result, now_ms());
    } else if (status == CANCELD_OK) {
        (void) snprintf(model->remark, sizeof model->remark, "stats: %s",
                        canceld_answer_name(result.answer));
    }
    canceld_result_clear(&result);
    return status;
}

static enum canceld_status list_sample(struct canceld_client *client, const struct top_model *model,
                                       enum canceld_list_order order, struct top_list *list)
{
    const struct canceld_list_request request = {
        .name_space = canceld_string(model->name_space),
        .page_size = TOP_LIST_MAX,
        .order = order,
    };
    struct canceld_result result = {0};
    enum canceld_status status = canceld_list(client, &request, ANSWER_MS, &result);

    if (status == CANCELD_OK) {
        top_list_take(list, &result);
    }
    canceld_result_clear(&result);
    return status;
}

static void sample(struct canceld_client *client, struct top_model *model)
{
    enum canceld_status status;

    model->remark[0] = '\0';
    status = stats_sample(client, model);
    if (status == CANCELD_OK) {
        status = list_sample(client, model, CANCELD_LIST_ORDER_OLDEST, &model->oldest);
    }
    if (status == CANCELD_OK) {
        status =
            list_sample(client, model, CANCELD_LIST_ORDER_UNACKNOWLEDGED, &model->unacknowledged);
    }
    if (status != CANCELD_OK) {
        (void) snprintf(model->remark, sizeof model->remark, "%s: %s", canceld_status_name(status),
                        canceld_status_text(status));
    }
}

/* ---- once ---- */

static enum exit_code once(struct canceld_client *client, struct top_model *model)
{
    struct top_grid grid = {0};

    /* Rates need two samples. */
    sample(client, model);
    (void) poll(NULL, 0, (int) model->interval_ms);
    sample(client, model);
    if (!top_grid_resize(&grid, ONCE_ROWS, ONCE_COLUMNS)) {
        (void) fputs("cancelctl: memory could not be had\n", stderr);
        return EXIT_CODE_OTHER;
    }
    top_draw(&grid, model);
    top_grid_print(&grid, stdout);
    top_grid_fini(&grid);
    if (model->remark[0] == '\0') {
        return EXIT_CODE_DONE;
    }
    (void) fprintf(stderr, "cancelctl: %s\n", model->remark);
    return EXIT_CODE_OTHER;
}

/* ---- live ---- */

static bool show(struct top_grid *grid, const struct top_model *model)
{
    unsigned rows, columns;

    top_screen_size(&rows, &columns);
    if ((rows != grid->rows_count || columns != grid->columns_count) &&
        !top_grid_resize(grid, rows, columns)) {
        return false;
    }
    top_draw(grid, model);
    top_screen_show(grid);
    return true;
}

static int wait_ms(const struct top_model *model, uint64_t asked_ms)
{
    uint64_t next_ms = asked_ms + model->interval_ms;
    uint64_t now = now_ms();

    if (model->is_paused) {
        return PAUSED_WAIT_MS;
    }
    return next_ms > now ? (int) (next_ms - now) : 0;
}

static enum exit_code live(struct canceld_client *client, struct top_model *model)
{
    struct top_grid grid = {0};
    enum top_wish wish = TOP_WISH_SAMPLE;
    uint64_t asked_ms = 0;
    bool is_drawn = true;

    while (wish != TOP_WISH_QUIT && is_drawn) {
        int key;

        if (wish == TOP_WISH_SAMPLE) {
            asked_ms = now_ms();
            sample(client, model);
        }
        is_drawn = show(&grid, model);
        key = top_screen_key(wait_ms(model, asked_ms));
        wish = key >= 0 ? top_model_key(model, key) : TOP_WISH_NOTHING;
        if (key == TOP_SCREEN_NOTHING && !model->is_paused) {
            wish = TOP_WISH_SAMPLE;
        }
    }
    top_grid_fini(&grid);
    return is_drawn ? EXIT_CODE_DONE : EXIT_CODE_OTHER;
}

enum exit_code command_top(const struct arguments *arguments)
{
    static struct top_model model; /* too large for a stack */
    struct call call;
    enum exit_code code;

    locale_set();
    top_model_init(&model, arguments->server_url, arguments->name_space, arguments->interval_ms);
    code = call_open(&call, arguments, false);
    if (code != EXIT_CODE_DONE) {
        return code;
    }
    if (arguments->once) {
        code = once(call.client, &model);
    } else if (top_screen_open()) {
        code = live(call.client, &model);
        top_screen_close();
    } else {
        (void) fputs("cancelctl: top needs a terminal; --once does without\n", stderr);
        code = EXIT_CODE_OTHER;
    }
    call_close(&call);
    return code;
}
