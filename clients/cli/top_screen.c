/* SPDX-License-Identifier: MIT */
#include "top_screen.h"

#include "top_model.h"

#include <curses.h>
#include <stdlib.h>
#include <unistd.h>

/* How long an escape may be the beginning of a longer sequence. */
#define ESCAPE_MS 50

static SCREEN *screen;

struct look {
    attr_t attributes;
    short pair; /* 0: the terminal's own colours */
    short colour;
};

static const struct look looks[TOP_STYLE_COUNT] = {
    [TOP_STYLE_PLAIN] = {A_NORMAL, 0, 0},        [TOP_STYLE_DIM] = {A_DIM, 0, 0},
    [TOP_STYLE_BOLD] = {A_BOLD, 0, 0},           [TOP_STYLE_HEAD] = {A_REVERSE, 0, 0},
    [TOP_STYLE_BAR] = {A_NORMAL, 1, COLOR_CYAN}, [TOP_STYLE_WARN] = {A_NORMAL, 2, COLOR_YELLOW},
    [TOP_STYLE_BAD] = {A_BOLD, 3, COLOR_RED},
};

static void colours_init(void)
{
    if (has_colors() == FALSE || start_color() == ERR || use_default_colors() == ERR) {
        return;
    }
    for (size_t i = 0; i < TOP_STYLE_COUNT; i++) {
        if (looks[i].pair > 0) {
            (void) init_pair(looks[i].pair, looks[i].colour, -1);
        }
    }
}

bool top_screen_open(void)
{
    if (isatty(STDIN_FILENO) != 1 || isatty(STDOUT_FILENO) != 1) {
        return false;
    }
    screen = newterm(NULL, stdout, stdin);
    if (screen == NULL) {
        return false;
    }
    (void) cbreak();
    (void) noecho();
    (void) curs_set(0);
    (void) keypad(stdscr, TRUE);
    (void) set_escdelay(ESCAPE_MS);
    colours_init();
    return true;
}

void top_screen_close(void)
{
    (void) endwin();
    delscreen(screen);
    screen = NULL;
}

void top_screen_size(unsigned *rows_out, unsigned *columns_out)
{
    int rows = getmaxy(stdscr);
    int columns = getmaxx(stdscr);

    *rows_out = rows > 0 ? (unsigned) rows : 1;
    *columns_out = columns > 0 ? (unsigned) columns : 1;
}

static void cell_show(const struct top_grid *grid, unsigned row, unsigned column)
{
    const struct top_cell *cell = &grid->cells[(size_t) row * grid->columns_count + column];
    const struct look *look = &looks[cell->style];
    wchar_t text[2] = {cell->character, L'\0'};
    cchar_t character;

    if (cell->character != 0 &&
        setcchar(&character, text, look->attributes, look->pair, NULL) == OK) {
        (void) mvadd_wch((int) row, (int) column, &character);
    }
}

void top_screen_show(const struct top_grid *grid)
{
    for (unsigned row = 0; row < grid->rows_count; row++) {
        for (unsigned column = 0; column < grid->columns_count; column++) {
            cell_show(grid, row, column);
        }
    }
    (void) refresh();
}

int top_screen_key(int wait_ms)
{
    int key;

    timeout(wait_ms);
    key = getch();
    switch (key) {
    case ERR:
        return TOP_SCREEN_NOTHING;
    case KEY_RESIZE:
        return TOP_SCREEN_RESIZED;
    case KEY_ENTER:
    case '\r':
        return TOP_KEY_ENTER;
    case KEY_BACKSPACE:
    case 127:
        return TOP_KEY_BACKSPACE;
    default:
        return key;
    }
}
