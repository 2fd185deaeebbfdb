/* SPDX-License-Identifier: MIT */
/* A picture made of characters, independent of any terminal. */
#ifndef CANCELD_CLI_TOP_GRID_H
#define CANCELD_CLI_TOP_GRID_H

#include <stdbool.h>
#include <stdio.h>
#include <wchar.h>

/* A larger terminal is used up to here. */
#define TOP_GRID_ROWS_MAX 500
#define TOP_GRID_COLUMNS_MAX 1000

enum top_style {
    TOP_STYLE_PLAIN,
    TOP_STYLE_DIM,
    TOP_STYLE_BOLD,
    TOP_STYLE_HEAD,
    TOP_STYLE_BAR,
    TOP_STYLE_WARN,
    TOP_STYLE_BAD,
    TOP_STYLE_COUNT
};

struct top_cell {
    wchar_t character; /* 0: the right half of the one before */
    enum top_style style;
};

struct top_grid {
    unsigned rows_count;
    unsigned columns_count;
    struct top_cell *cells; /* row by row */
};

/* All blank, of at least 1 row and 1 column. False without memory: then it is as before. Use
 * top_grid_fini() at the end; a grid that is all zero is one of nothing. */
bool top_grid_resize(struct top_grid *grid, unsigned rows_count, unsigned columns_count);
void top_grid_fini(struct top_grid *grid);

void top_grid_clear(struct top_grid *grid);

/* Where text goes: in one row, from `column` to before `end`. */
struct top_span {
    unsigned row;
    unsigned column;
    unsigned end;
};

/* Writes UTF-8 into the span and gives the column behind it. What does not fit is cut, and its last
 * character is then an ellipsis. What has no width (also because the locale does not know it) and what
 * is not UTF-8 becomes a question mark, so no byte of it reaches a terminal as it is. A span outside of
 * the grid takes nothing. */
unsigned top_grid_put(struct top_grid *grid, struct top_span span, enum top_style style,
                      const char *text);

/* One character of one column. */
void top_grid_put_character(struct top_grid *grid, unsigned row, unsigned column,
                            enum top_style style, wchar_t character);

/* Gives all of a row this style. */
void top_grid_style_row(struct top_grid *grid, unsigned row, enum top_style style);

/* The characters as UTF-8, a line for each row, without the blanks at its end. */
void top_grid_print(const struct top_grid *grid, FILE *out);

#endif
