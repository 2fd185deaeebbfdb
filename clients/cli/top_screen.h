/* SPDX-License-Identifier: MIT */
/* The terminal that `cancelctl top` draws on. There is one in a process. */
#ifndef CANCELD_CLI_TOP_SCREEN_H
#define CANCELD_CLI_TOP_SCREEN_H

#include "top_grid.h"

#include <stdbool.h>

/* Not a key of the model's, but of the screen: nothing was pressed, or its size has changed. */
#define TOP_SCREEN_NOTHING (-1)
#define TOP_SCREEN_RESIZED (-2)

/* Takes the terminal over. False where standard input or output is none, or one that nothing is known
 * of: then it is as before. A signal that ends the process gives it back first. */
bool top_screen_open(void);
void top_screen_close(void);

/* How large it is now. */
void top_screen_size(unsigned *rows_out, unsigned *columns_out);

/* Shows the grid; only what differs from what is there is sent. */
void top_screen_show(const struct top_grid *grid);

/* The next key, waiting for up to `wait_ms`. */
int top_screen_key(int wait_ms);

#endif
