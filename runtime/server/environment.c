/* SPDX-License-Identifier: MIT */
#include "server/environment.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The XDG base directory specification says that a relative path in one of these is to be ignored.
 */
static const char *absolute_path(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && value[0] == '/' ? value : NULL;
}

struct environment environment_read(void)
{
    return (struct environment){
        .runtime_dir = absolute_path("XDG_RUNTIME_DIR"),
        .state_home = absolute_path("XDG_STATE_HOME"),
        .home = absolute_path("HOME"),
        .tmp_dir = absolute_path("TMPDIR"),
        .uid = geteuid(),
    };
}

bool environment_state_dir(const struct environment *environment, char *path_out, size_t path_room,
                           struct refusal *refusal)
{
    int length;

    if (environment->uid == 0) {
        length = snprintf(path_out, path_room, "/var/lib/canceld");
    } else if (environment->state_home != NULL) {
        length = snprintf(path_out, path_room, "%s/canceld", environment->state_home);
    } else if (environment->home != NULL) {
        length = snprintf(path_out, path_room, "%s/.local/state/canceld", environment->home);
    } else {
        return refuse(refusal, REFUSAL_DIRECTORY,
                      "there is no place for the epoch file: neither XDG_STATE_HOME nor HOME is "
                      "set; give --state-dir, or --ephemeral");
    }
    if (length < 0 || (size_t) length >= path_room) {
        return refuse(refusal, REFUSAL_DIRECTORY, "the path of the state directory is too long");
    }
    return true;
}
