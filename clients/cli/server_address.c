/* SPDX-License-Identifier: MIT */
#include "server_address.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct server_address_source server_address_source_read(void)
{
    return (struct server_address_source){
        .canceld_server = getenv("CANCELD_SERVER"),
        .runtime_dir = getenv("XDG_RUNTIME_DIR"),
        .tmp_dir = getenv("TMPDIR"),
        .uid = (unsigned) geteuid(),
    };
}

static bool is_absolute(const char *path)
{
    return path != NULL && path[0] == '/';
}

char *server_address_default(const struct server_address_source *source)
{
    char *url = NULL;
    int length;

    if (source->canceld_server != NULL && source->canceld_server[0] != '\0') {
        return strdup(source->canceld_server);
    }
    if (source->uid == 0) {
        return strdup("ipc:///run/canceld/canceld.sock");
    }
    if (is_absolute(source->runtime_dir)) {
        length = asprintf(&url, "ipc://%s/canceld.sock", source->runtime_dir);
    } else {
        length = asprintf(&url, "ipc://%s/canceld-%u/canceld.sock",
                          is_absolute(source->tmp_dir) ? source->tmp_dir : "/tmp", source->uid);
    }
    return length < 0 ? NULL : url;
}
