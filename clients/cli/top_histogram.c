/* SPDX-License-Identifier: MIT */
#include "top_histogram.h"

#include <inttypes.h>

#define EIGHTHS 8U
/* Columns between two numbers of the axis. */
#define AXIS_STEP 6U

/* As short as can be: 1ms 64ms 4s 4m 4h. */
static const char *bound_text(char out[24], uint64_t ms)
{
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = {{"h", 3600000}, {"m", 60000}, {"s", 1000}};

    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (ms >= units[i].ms) {
            (void) snprintf(out, 24, "%" PRIu64 "%s", ms / units[i].ms, units[i].unit);
            return out;
        }
    }
    (void) snprintf(out, 24, "%" PRIu64 "ms", ms);
    return out;
}

static int quantile_text(char *out, size_t room, const struct histogram *histogram,
                         unsigned percent)
{
    uint64_t ms = histogram_quantile_ms(histogram, percent);
    char bound[24];
    size_t last = histogram->buckets_count;

    if (ms != UINT64_MAX) {
        return snprintf(out, room, " p%u<%s", percent, bound_text(bound, ms));
    }
    /* In the last bucket, which has a lower bound alone. */
    return snprintf(out, room, " p%u>%s", percent,
                    bound_text(bound, last > 1 ? histogram->below_ms[last - 2] : 0));
}

static void title_put(struct top_grid *grid, struct top_span span, const char *title,
                      const struct histogram *histogram)
{
    char text[96];
    int size;

    span.column = top_grid_put(grid, span, TOP_STYLE_BOLD, title);
    if (histogram->total == 0) {
        span.column += 2;
        (void) top_grid_put(grid, span, TOP_STYLE_DIM, "none yet");
        return;
    }
    size = quantile_text(text, sizeof text, histogram, 50);
    (void) quantile_text(text + size, sizeof text - (size_t) size, histogram, 99);
    (void) top_grid_put(grid, span, TOP_STYLE_PLAIN, text);
}

/* ---- bars ---- */

static uint64_t fullest(const struct histogram *histogram)
{
    uint64_t most = 0;

    for (size_t i = 0; i < histogram->buckets_count; i++) {
        most = histogram->counts[i] > most ? histogram->counts[i] : most;
    }
    return most;
}

/* Its height in eighths of a line. */
static unsigned height_of(uint64_t count, uint64_t most)
{
    const unsigned highest = TOP_HISTOGRAM_BAR_ROWS * EIGHTHS;
    /* Divided first where a product would overflow. */
    uint64_t height = most > UINT64_MAX / highest ? count / (most / highest)
                      : most > 0                  ? count * highest / most
                                                  : 0;

    if (height > highest) {
        return highest;
    }
    return count > 0 && height == 0 ? 1 : (unsigned) height;
}

/* Bars stand on the row `bottom`. */
static void bar_put(struct top_grid *grid, struct top_span span, unsigned bottom, unsigned height)
{
    static const wchar_t blocks[] = L" \u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588";

    for (unsigned i = 0; i < TOP_HISTOGRAM_BAR_ROWS; i++) {
        unsigned below = i * EIGHTHS;
        unsigned eighths = height <= below             ? 0
                           : height - below >= EIGHTHS ? EIGHTHS
                                                       : height - below;

        for (unsigned column = span.column; column < span.end && eighths > 0; column++) {
            top_grid_put_character(grid, bottom - i, column, TOP_STYLE_BAR, blocks[eighths]);
        }
    }
}

void top_histogram_put(struct top_grid *grid, struct top_span span, const char *title,
                       const struct histogram *histogram)
{
    unsigned axis = span.row + TOP_HISTOGRAM_BAR_ROWS + 1;
    unsigned room = span.end > span.column ? span.end - span.column : 0;
    unsigned count = (unsigned) histogram->buckets_count;
    unsigned width = count > 0 && room / count > 1 ? room / count : 1;
    uint64_t most = fullest(histogram);

    title_put(grid, span, title, histogram);
    width = width > 3 ? 3 : width;
    for (unsigned i = 0; i < count; i++) {
        struct top_span bar = {span.row, span.column + i * width, span.column + (i + 1) * width};
        char text[24];

        if (bar.end > span.end) {
            return;
        }
        bar_put(grid, bar, axis - 1, height_of(histogram->counts[i], most));
        if (i * width % AXIS_STEP == 0 && histogram->below_ms[i] != UINT64_MAX) {
            (void) top_grid_put(grid, (struct top_span){axis, bar.column, span.end}, TOP_STYLE_DIM,
                                bound_text(text, histogram->below_ms[i]));
        }
    }
}
