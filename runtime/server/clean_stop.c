/* SPDX-License-Identifier: MIT */
#include "server/clean_stop.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES_MAX 64

static size_t line_write(uint64_t epoch, char line[LINE_BYTES_MAX])
{
    int length = snprintf(line, LINE_BYTES_MAX, "canceld clean stop of epoch %" PRIu64 "\n", epoch);

    ASSERT(length > 0 && length < LINE_BYTES_MAX);
    return (size_t) length;
}

bool clean_stop_take(int directory_fd, uint64_t epoch)
{
    char expected[LINE_BYTES_MAX];
    char found[LINE_BYTES_MAX];
    size_t size = line_write(epoch - 1, expected);
    int fd = openat(directory_fd, "clean", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t got;

    if (fd < 0) {
        return false;
    }
    got = read(fd, found, sizeof found);
    (void) close(fd);
    if (unlinkat(directory_fd, "clean", 0) != 0 || fsync(directory_fd) != 0) {
        return false;
    }
    return got == (ssize_t) size && memcmp(found, expected, size) == 0;
}

void clean_stop_leave(int directory_fd, uint64_t epoch)
{
    char line[LINE_BYTES_MAX];
    size_t size = line_write(epoch, line);
    int fd = openat(directory_fd, "clean.new",
                    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool is_written;

    if (fd < 0) {
        return;
    }
    is_written = write(fd, line, size) == (ssize_t) size && fsync(fd) == 0;
    is_written = close(fd) == 0 && is_written;
    if (is_written && renameat(directory_fd, "clean.new", directory_fd, "clean") == 0) {
        (void) fsync(directory_fd); /* without it a loss of power may take the mark along */
    }
}
