/* SPDX-License-Identifier: MIT */
/* The picture of `cancelctl top`: a function of the model alone. */
#ifndef CANCELD_CLI_TOP_DRAW_H
#define CANCELD_CLI_TOP_DRAW_H

#include "top_grid.h"
#include "top_model.h"

/* Draws all of it anew, as well as it fits: it is made for 80 columns and 24 lines, more show more
 * operations, and of less it leaves out the histograms first. */
void top_draw(struct top_grid *grid, const struct top_model *model);

#endif
