/* SPDX-License-Identifier: MIT */
#include "top_grid.h"

#include "text.h"

#include <stdlib.h>
#include <string.h>

static struct top_cell *cell_at(const struct top_grid *grid, unsigned row, unsigned column)
{
    return &grid->cells[(size_t) row * grid->columns_count + column];
}

static unsigned clamped(unsigned count, unsigned highest)
{
    return count < 1 ? 1 : count > highest ? highest : count;
}

bool top_grid_resize(struct top_grid *grid, unsigned rows_count, unsigned columns_count)
{
    unsigned rows = clamped(rows_count, TOP_GRID_ROWS_MAX);
    unsigned columns = clamped(columns_count, TOP_GRID_COLUMNS_MAX);
    struct top_cell *cells = calloc((size_t) rows * columns, sizeof *cells);

    if (cells == NULL) {
        return false;
    }
    free(grid->cells);
    *grid = (struct top_grid){.rows_count = rows, .columns_count = columns, .cells = cells};
    top_grid_clear(grid);
    return true;
}

void top_grid_fini(struct top_grid *grid)
{
    free(grid->cells);
    *grid = (struct top_grid){.cells = NULL};
}

void top_grid_clear(struct top_grid *grid)
{
    for (size_t i = 0; i < (size_t) grid->rows_count * grid->columns_count; i++) {
        grid->cells[i] = (struct top_cell){.character = L' '};
    }
}

/* ---- text ---- */

struct glyph {
    size_t size; /* of its bytes */
    wchar_t character;
    unsigned columns;
};

static struct glyph glyph_read(const char *text)
{
    struct glyph glyph = {.size = 1, .character = L'?', .columns = 1};
    uint32_t point = 0;
    size_t size = text_sequence((const uint8_t *) text, strlen(text), &point);
    int columns = size == 0 ? -1 : wcwidth((wchar_t) point);

    if (size > 0) {
        glyph.size = size;
    }
    if (columns > 0) {
        glyph.character = (wchar_t) point;
        glyph.columns = (unsigned) columns;
    }
    return glyph;
}

static unsigned columns_of(const char *text)
{
    unsigned columns = 0;

    while (*text != '\0') {
        struct glyph glyph = glyph_read(text);

        columns += glyph.columns;
        text += glyph.size;
    }
    return columns;
}

static void glyph_put(struct top_grid *grid, struct top_span at, enum top_style style,
                      struct glyph glyph)
{
    for (unsigned i = 0; i < glyph.columns; i++) {
        *cell_at(grid, at.row, at.column + i) =
            (struct top_cell){.character = i == 0 ? glyph.character : 0, .style = style};
    }
}

unsigned top_grid_put(struct top_grid *grid, struct top_span span, enum top_style style,
                      const char *text)
{
    const struct glyph ellipsis = {.character = L'\u2026', .columns = 1};
    unsigned end = span.end < grid->columns_count ? span.end : grid->columns_count;
    bool is_cut;

    if (span.row >= grid->rows_count || span.column >= end) {
        return span.column;
    }
    is_cut = columns_of(text) > end - span.column;
    while (*text != '\0') {
        struct glyph glyph = glyph_read(text);

        if (span.column + glyph.columns + (is_cut ? 1 : 0) > end) {
            break;
        }
        glyph_put(grid, span, style, glyph);
        span.column += glyph.columns;
        text += glyph.size;
    }
    if (is_cut) {
        glyph_put(grid, span, style, ellipsis);
        span.column++;
    }
    return span.column;
}

void top_grid_put_character(struct top_grid *grid, unsigned row, unsigned column,
                            enum top_style style, wchar_t character)
{
    if (row < grid->rows_count && column < grid->columns_count) {
        *cell_at(grid, row, column) = (struct top_cell){.character = character, .style = style};
    }
}

void top_grid_style_row(struct top_grid *grid, unsigned row, enum top_style style)
{
    for (unsigned column = 0; row < grid->rows_count && column < grid->columns_count; column++) {
        cell_at(grid, row, column)->style = style;
    }
}

/* ---- as text ---- */

static void utf8_put(FILE *out, uint32_t point)
{
    if (point < 0x80) {
        (void) fputc((int) point, out);
    } else if (point < 0x800) {
        (void) fprintf(out, "%c%c", (int) (0xc0 | point >> 6), (int) (0x80 | (point & 0x3f)));
    } else if (point < 0x10000) {
        (void) fprintf(out, "%c%c%c", (int) (0xe0 | point >> 12),
                       (int) (0x80 | (point >> 6 & 0x3f)), (int) (0x80 | (point & 0x3f)));
    } else {
        (void) fprintf(out, "%c%c%c%c", (int) (0xf0 | point >> 18),
                       (int) (0x80 | (point >> 12 & 0x3f)), (int) (0x80 | (point >> 6 & 0x3f)),
                       (int) (0x80 | (point & 0x3f)));
    }
}

void top_grid_print(const struct top_grid *grid, FILE *out)
{
    for (unsigned row = 0; row < grid->rows_count; row++) {
        unsigned end = grid->columns_count;

        while (end > 0 && cell_at(grid, row, end - 1)->character == L' ') {
            end--;
        }
        for (unsigned column = 0; column < end; column++) {
            wchar_t character = cell_at(grid, row, column)->character;

            if (character != 0) {
                utf8_put(out, (uint32_t) character);
            }
        }
        (void) fputc('\n', out);
    }
}
