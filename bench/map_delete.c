/* SPDX-License-Identifier: MIT */
/* Memory, after 99 of 100 entries were deleted. */
#include "map_bed.h"
#include "map_rows.h"
#include "weigh.h"

#define LIVE 1000000

static void design_row(const struct harness *harness, const struct map_design *design,
                       const char *row)
{
    struct weighed weighed;
    if (design->missing != NULL) {
        harness_missing(harness, row, design->peer, design->missing);
        return;
    }
    if (!weigh(design, LIVE, harness->seed, &weighed)) {
        harness_missing(harness, row, design->peer, "its process failed");
        return;
    }
    harness_row(harness, &(struct harness_row){
                             .row = row,
                             .peer = design->peer,
                             .unit = "percent",
                             .value = weighed.kept_percent,
                             .bytes_entry = weighed.bytes_entry,
                             .kept_percent = weighed.kept_percent,
                             .has_kept = true,
                             .note = design->weigh_note != NULL
                                         ? design->weigh_note
                                         : "32-byte keys; resident memory of the process",
                         });
}

void map_rows_delete(const struct harness *harness)
{
    const char *row = "after-delete-1M";
    if (!harness_wants(harness, row)) {
        return;
    }
    const struct map_design *design;
    for (size_t i = 0; (design = map_design_at(i)) != NULL; i++) {
        bool same_table = design->no_clean || design->cleans_alone;
        bool wanted = !same_table && (!harness->quick || design->weigh_quick);
        if (wanted && harness_wants_peer(harness, design->peer)) {
            design_row(harness, design, row);
        }
    }
}
