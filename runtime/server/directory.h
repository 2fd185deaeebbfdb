/* SPDX-License-Identifier: MIT */
/* Directories that the daemon makes for its own files. */
#ifndef CANCELD_SERVER_DIRECTORY_H
#define CANCELD_SERVER_DIRECTORY_H

#include "base/check.h"
#include "server/refusal.h"

#include <stdbool.h>
#include <sys/types.h>

/* Makes `path` (absolute or not) and what is missing above it, each new directory with mode 0700
 * and made durable in its parent. One that is there already is left as it is. */
MUST_CHECK bool directory_make(const char *path, struct refusal *refusal);

/* Makes the directory `path` itself with exactly `mode`, or accepts one that is there only if it is
 * a directory and no link, belongs to `owner`, and its mode has no bit outside `mode`. For places
 * where anybody could have made it before us. */
MUST_CHECK bool directory_make_owned(const char *path, mode_t mode, uid_t owner,
                                     struct refusal *refusal);

#endif
