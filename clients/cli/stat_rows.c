/* SPDX-License-Identifier: MIT */
#include "stat_rows.h"

#include "value.h"

#include <string.h>

static const struct canceld_stat *row_find(const struct canceld_result *stats, const char *name)
{
    for (size_t i = 0; i < stats->stats_count; i++) {
        if (strcmp(stats->stats[i].name, name) == 0) {
            return &stats->stats[i];
        }
    }
    return NULL;
}

uint64_t stat_rows_value(const struct canceld_result *stats, const char *name, uint64_t otherwise)
{
    const struct canceld_stat *row = row_find(stats, name);

    return row != NULL ? row->value : otherwise;
}

bool stat_rows_has(const struct canceld_result *stats, const char *name)
{
    return row_find(stats, name) != NULL;
}

const char *stat_rows_after(const char *name, const char *prefix)
{
    size_t size = strlen(prefix);

    return strncmp(name, prefix, size) == 0 ? name + size : NULL;
}

/* The bound that a row's name ends with; false where it ends with none. */
static bool bound_read(const char *end, uint64_t *below_ms_out)
{
    const char *number = stat_rows_after(end, "lt_");

    if (strcmp(end, "inf") == 0) {
        *below_ms_out = UINT64_MAX;
        return true;
    }
    return number != NULL && value_number(number, below_ms_out);
}

static void bucket_insert(struct histogram *histogram, uint64_t below_ms, uint64_t count)
{
    size_t at = histogram->buckets_count;

    if (at == HISTOGRAM_BUCKETS_MAX) {
        return;
    }
    for (; at > 0 && histogram->below_ms[at - 1] > below_ms; at--) {
        histogram->below_ms[at] = histogram->below_ms[at - 1];
        histogram->counts[at] = histogram->counts[at - 1];
    }
    histogram->below_ms[at] = below_ms;
    histogram->counts[at] = count;
    histogram->buckets_count++;
    histogram->total += count;
}

void histogram_read(struct histogram *histogram, const struct canceld_result *stats,
                    const char *prefix)
{
    *histogram = (struct histogram){.buckets_count = 0};
    for (size_t i = 0; i < stats->stats_count; i++) {
        const char *end = stat_rows_after(stats->stats[i].name, prefix);
        uint64_t below_ms;

        if (end != NULL && bound_read(end, &below_ms)) {
            bucket_insert(histogram, below_ms, stats->stats[i].value);
        }
    }
}

uint64_t histogram_quantile_ms(const struct histogram *histogram, unsigned percent)
{
    uint64_t total = histogram->total;
    uint64_t rank = total / 100 * percent + (total % 100 * percent + 99) / 100;
    uint64_t below = 0;

    for (size_t i = 0; total > 0 && i < histogram->buckets_count; i++) {
        below += histogram->counts[i];
        if (below >= rank && below > 0) {
            return histogram->below_ms[i];
        }
    }
    return 0;
}
