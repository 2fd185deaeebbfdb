/* SPDX-License-Identifier: MIT */
#include "server/clean_stop.h"

#include "base/siphash.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES_MAX 96

static size_t line_write(const struct clean_stop *clean_stop, uint64_t epoch,
                         char line[LINE_BYTES_MAX])
{
    int length = snprintf(line, LINE_BYTES_MAX,
                          "canceld clean stop of epoch %" PRIu64 " at %016" PRIx64 "\n", epoch,
                          clean_stop->addresses);

    ASSERT(length > 0 && length < LINE_BYTES_MAX);
    return (size_t) length;
}

/* In the order in which they were given: another order is another daemon, which costs a wait. */
static uint64_t addresses_hash(const struct address *addresses, size_t addresses_count)
{
    struct siphash_key key = {.k0 = UINT64_C(0x63616e63656c6420), .k1 = addresses_count};

    for (size_t i = 0; i < addresses_count; i++) {
        key.k1 = siphash24(&key, bytes_of_string(addresses[i].url));
    }
    return key.k1;
}

bool clean_stop_take(struct clean_stop *clean_stop, int directory_fd, uint64_t epoch,
                     const struct address *addresses, size_t addresses_count)
{
    char expected[LINE_BYTES_MAX];
    char found[LINE_BYTES_MAX];
    size_t size;
    ssize_t got;
    int fd;

    *clean_stop = (struct clean_stop){.directory_fd = directory_fd,
                                      .epoch = epoch,
                                      .addresses = addresses_hash(addresses, addresses_count)};
    if (lock_file_take(&clean_stop->lock, directory_fd, "run.lock", 0) != STATUS_OK) {
        return false;
    }
    lock_file_sign(&clean_stop->lock);
    fd = openat(directory_fd, "clean", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return false;
    }
    size = line_write(clean_stop, epoch - 1, expected);
    got = read(fd, found, sizeof found);
    (void) close(fd);
    if (unlinkat(directory_fd, "clean", 0) != 0 || fsync(directory_fd) != 0) {
        return false;
    }
    return got == (ssize_t) size && memcmp(found, expected, size) == 0;
}

void clean_stop_leave(const struct clean_stop *clean_stop)
{
    char line[LINE_BYTES_MAX];
    size_t size = line_write(clean_stop, clean_stop->epoch, line);
    int directory_fd = clean_stop->directory_fd;
    bool is_written;
    int fd;

    if (clean_stop->lock.fd < 0) {
        return;
    }
    fd = openat(directory_fd, "clean.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                0600);
    if (fd < 0) {
        return;
    }
    is_written = write(fd, line, size) == (ssize_t) size && fsync(fd) == 0;
    is_written = close(fd) == 0 && is_written;
    if (is_written && renameat(directory_fd, "clean.new", directory_fd, "clean") == 0) {
        (void) fsync(directory_fd); /* without it a loss of power may take the mark along */
    }
}

void clean_stop_close(struct clean_stop *clean_stop)
{
    lock_file_give(&clean_stop->lock);
    *clean_stop = CLEAN_STOP_NONE;
}
