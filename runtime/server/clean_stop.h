/* SPDX-License-Identifier: MIT */
/* Whether the last stop lost nothing: then nobody comes back from it, and the next start need not
 * wait for anybody. One line in the file `clean` of the state directory,
 *
 *     canceld clean stop of epoch 17 at 0123456789abcdef
 *
 * left by an orderly stop with nothing live and nothing held, and removed by the next start. It
 * counts only for the very next epoch, so that a file which outlived a start says nothing, and only
 * for a daemon of the same addresses (as they were given), whose hash is the last word.
 *
 * Several daemons may share a directory, each with operations of its own. So the mark belongs to
 * the one that holds `run.lock` for its run, which nobody waits for; the others neither trust a mark
 * nor leave one. */
#ifndef CANCELD_SERVER_CLEAN_STOP_H
#define CANCELD_SERVER_CLEAN_STOP_H

#include "base/check.h"
#include "base/lock_file.h"
#include "server/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clean_stop {
    struct lock_file lock; /* not held: somebody else has the directory */
    int directory_fd;      /* borrowed */
    uint64_t epoch;        /* that of the stop */
    uint64_t addresses;
};

#define CLEAN_STOP_NONE                                                                            \
    (struct clean_stop)                                                                            \
    {                                                                                              \
        .lock = LOCK_FILE_NONE, .directory_fd = -1                                                 \
    }

/* Whether the stop before `epoch` was a clean one of a daemon of these addresses; the file is gone
 * for good when this returns. Where it cannot be removed, or another daemon has the directory, the
 * answer is no. The descriptor has to outlive the clean_stop. */
MUST_CHECK bool clean_stop_take(struct clean_stop *clean_stop, int directory_fd, uint64_t epoch,
                                const struct address *addresses, size_t addresses_count);

/* Leaves the file, durable. Where that cannot be done, or is not ours to do, the next start waits for
 * those who may come back, and that is all. */
void clean_stop_leave(const struct clean_stop *clean_stop);

/* Lets go of the directory. Takes CLEAN_STOP_NONE. */
void clean_stop_close(struct clean_stop *clean_stop);

#endif
