/* SPDX-License-Identifier: MIT */
/* What the default places depend on, as a struct, so that tests bring their own. */
#ifndef CANCELD_SERVER_ENVIRONMENT_H
#define CANCELD_SERVER_ENVIRONMENT_H

#include "base/check.h"
#include "server/refusal.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct environment {
    const char
        *runtime_dir;       /* XDG_RUNTIME_DIR; each is NULL where it is unset, empty or relative */
    const char *state_home; /* XDG_STATE_HOME */
    const char *home;       /* HOME */
    const char *tmp_dir;    /* TMPDIR */
    uid_t uid;              /* the effective one */
};

/* The strings are the process's own: valid until its environment changes. */
struct environment environment_read(void);

/* Where the epoch file goes when no --state-dir says it: /var/lib/canceld for root, else
 * $XDG_STATE_HOME/canceld, else $HOME/.local/state/canceld. Refused where there is none of them. */
MUST_CHECK bool environment_state_dir(const struct environment *environment, char *path_out,
                                      size_t path_room, struct refusal *refusal);

#endif
