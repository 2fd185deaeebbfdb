/* SPDX-License-Identifier: MIT */
#include "base/lock_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

/* flock(2) has no form with a time limit, and a signal that cuts it short would be the process's.
 */
#define LOCK_TRY_MS 10

static enum status lock_wait(int fd, uint32_t wait_ms)
{
    const struct timespec pause = {.tv_nsec = LOCK_TRY_MS * 1000000L};

    for (uint32_t waited_ms = 0;; waited_ms += LOCK_TRY_MS) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
            return STATUS_OK;
        }
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return STATUS_SYSTEM;
        }
        if (waited_ms >= wait_ms) {
            return STATUS_IN_USE;
        }
        (void) nanosleep(&pause, NULL);
    }
}

enum status lock_file_take(struct lock_file *lock, int directory_fd, const char *path,
                           uint32_t wait_ms)
{
    int fd = openat(directory_fd, path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    enum status status;

    *lock = LOCK_FILE_NONE;
    if (fd < 0) {
        return STATUS_SYSTEM;
    }
    status = lock_wait(fd, wait_ms);
    if (status != STATUS_OK) {
        int saved = errno;

        (void) close(fd);
        errno = saved;
        return status;
    }
    lock->fd = fd;
    return STATUS_OK;
}

void lock_file_give(struct lock_file *lock)
{
    if (lock->fd >= 0) {
        (void) close(lock->fd);
    }
    *lock = LOCK_FILE_NONE;
}

void lock_file_sign(const struct lock_file *lock)
{
    char text[32];
    int length = snprintf(text, sizeof text, "%jd\n", (intmax_t) getpid());

    /* Only a hint for people: where it cannot be written they do without. */
    if (ftruncate(lock->fd, 0) == 0 && pwrite(lock->fd, text, (size_t) length, 0) != length &&
        ftruncate(lock->fd, 0) != 0) {
        return; /* then the hint is cut short */
    }
}

pid_t lock_file_signed_by(int directory_fd, const char *path)
{
    char text[32] = "";
    int fd = openat(directory_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0) {
        return 0;
    }
    if (read(fd, text, sizeof text - 1) < 0) {
        text[0] = '\0';
    }
    (void) close(fd);
    return (pid_t) strtol(text, NULL, 10);
}
