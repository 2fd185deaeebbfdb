/* SPDX-License-Identifier: MIT */
/* A file that one process at a time holds with flock(2): the kernel lets go of it when the process
 * ends, however it ends. The file stays where it is, for removing it would let two in. */
#ifndef CANCELD_BASE_LOCK_FILE_H
#define CANCELD_BASE_LOCK_FILE_H

#include "base/check.h"
#include "base/status.h"

#include <stdint.h>
#include <sys/types.h>

struct lock_file {
    int fd; /* -1: not held */
};

#define LOCK_FILE_NONE                                                                             \
    (struct lock_file)                                                                             \
    {                                                                                              \
        .fd = -1                                                                                   \
    }

/* Takes the lock of `path` (relative to `directory_fd`, or AT_FDCWD), making the file with mode
 * 0600, and waits `wait_ms` for another holder at most. STATUS_IN_USE where that was not enough;
 * STATUS_SYSTEM with errno. Not held on failure. */
MUST_CHECK enum status lock_file_take(struct lock_file *lock, int directory_fd, const char *path,
                                      uint32_t wait_ms);

/* Lets go. Takes one that is not held. */
void lock_file_give(struct lock_file *lock);

/* Writes our process id into a held lock's file, for people to read. */
void lock_file_sign(const struct lock_file *lock);

/* The process id that was written into the file, 0 for none. A hint: nothing may hang on it. */
pid_t lock_file_signed_by(int directory_fd, const char *path);

#endif
