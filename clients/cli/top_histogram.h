/* SPDX-License-Identifier: MIT */
/* A histogram drawn with block characters: a column for each bucket, as high as its share of the
 * fullest one; what is not empty is to be seen in any case. */
#ifndef CANCELD_CLI_TOP_HISTOGRAM_H
#define CANCELD_CLI_TOP_HISTOGRAM_H

#include "stat_rows.h"
#include "top_grid.h"

/* The title, the bars, and the line below them. */
#define TOP_HISTOGRAM_BAR_ROWS 4
#define TOP_HISTOGRAM_ROWS (TOP_HISTOGRAM_BAR_ROWS + 2)

/* From the span's row downwards. */
void top_histogram_put(struct top_grid *grid, struct top_span span, const char *title,
                       const struct histogram *histogram);

#endif
