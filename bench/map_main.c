/* SPDX-License-Identifier: MIT */
/* Each design of the old debate, a map of cancel functions and what guards it, on the same workloads,
 * in turns. */
#include "grow.h"
#include "map_rows.h"

int main(int argc, char **argv)
{
    struct harness harness;
    harness_init(&harness, argc, argv, "map");
    map_rows_delete(&harness);
    if (harness_wants(&harness, "grow-1M")) {
        grow_row(&harness, "grow-1M", 1000000);
    }
    map_rows_mix(&harness);
    return harness_fini(&harness);
}
