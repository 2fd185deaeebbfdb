/* SPDX-License-Identifier: MIT */
/* The rows of stats, by their names. */
#ifndef CANCELD_CLI_STAT_ROWS_H
#define CANCELD_CLI_STAT_ROWS_H

#include <canceld/client.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The value of a row; `otherwise` where an older or newer daemon has none of that name. */
uint64_t stat_rows_value(const struct canceld_result *stats, const char *name, uint64_t otherwise);
bool stat_rows_has(const struct canceld_result *stats, const char *name);

/* What stands behind a prefix of the name; NULL where it has another beginning. */
const char *stat_rows_after(const char *name, const char *prefix);

/* More than the daemon has. */
#define HISTOGRAM_BUCKETS_MAX 40

/* How often something took how long: bucket i counts what took less than below_ms[i], and not less than
 * the bound before; the last one, with UINT64_MAX, counts the rest. */
struct histogram {
    size_t buckets_count; /* 0: there is none */
    uint64_t below_ms[HISTOGRAM_BUCKETS_MAX];
    uint64_t counts[HISTOGRAM_BUCKETS_MAX];
    uint64_t total;
};

/* Reads the rows PREFIXlt_1, PREFIXlt_2, ... and PREFIXinf, in any order. */
void histogram_read(struct histogram *histogram, const struct canceld_result *stats,
                    const char *prefix);

/* The bound below which `percent` of all stay; UINT64_MAX in the last bucket; 0 where there is none. */
uint64_t histogram_quantile_ms(const struct histogram *histogram, unsigned percent);

#endif
