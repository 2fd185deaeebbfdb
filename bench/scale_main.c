/* SPDX-License-Identifier: MIT */
/* The registry from a thousand operations to twenty million, and what it does when a million of them end
 * at once. */
#include "grow.h"
#include "scale_rows.h"
#include "socket_server.h"

int main(int argc, char **argv)
{
    struct harness harness;
    harness_init(&harness, argc, argv, "scale");
    scale_rows_memory(&harness);
    scale_rows_ops(&harness);
    const char *grow = harness.quick ? "grow-4M" : "grow-10M";
    if (harness_wants(&harness, grow)) {
        grow_row(&harness, grow, harness.quick ? 4000000 : 10000000);
    }
    scale_rows_ends(&harness);
    server_directory_remove();
    return harness_fini(&harness);
}
