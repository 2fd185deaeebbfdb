/* SPDX-License-Identifier: MIT */
/* canceld over a Unix socket, beside others that are asked the like of it over one. */
#include "socket_rows.h"
#include "socket_server.h"

#include <string.h>

int main(int argc, char **argv)
{
    struct harness harness;
    if (argc == 3 && strcmp(argv[1], "--serve-nng") == 0) {
        socket_serve_nng(argv[2]);
        return 1;
    }
    harness_init(&harness, argc, argv, "socket");
    server_pin();
    socket_ops(&harness);
    socket_trip(&harness);
    socket_notice(&harness);
    socket_sessions(&harness);
    server_directory_remove();
    return harness_fini(&harness);
}
