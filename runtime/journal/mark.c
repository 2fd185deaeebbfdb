/* SPDX-License-Identifier: MIT */
#include "journal/mark.h"

#include "base/siphash.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LINE_BYTES_MAX 256

struct line {
    uint64_t sequence;
    bool sync_power;
    char boot[MARK_BOOT_BYTES];
};

/* ---- the line ---- */

static size_t line_write(const struct line *line, char *text, size_t room)
{
    /* Any fixed key: the check is there against accidents, not against people. */
    static const struct siphash_key key = {.k0 = UINT64_C(0x63616e63656c6420),
                                           .k1 = UINT64_C(0x6a6f75726e616c20)};
    int length = snprintf(text, room, "canceld journal %020" PRIu64 " sync %s boot %s",
                          line->sequence, line->sync_power ? "power" : "process", line->boot);
    ASSERT(length > 0 && (size_t) length < room);
    const uint64_t check = siphash24(&key, bytes_of(text, (size_t) length));
    length += snprintf(text + length, room - (size_t) length, " check %016" PRIx64 "\n", check);
    ASSERT((size_t) length < room);
    return (size_t) length;
}

/* There is one right text for each line. */
static bool line_read(const char *text, struct line *line_out)
{
    char expected[LINE_BYTES_MAX];
    char sync[8];
    if (sscanf(text, "canceld journal %20" SCNu64 " sync %7s boot %63s", &line_out->sequence, sync,
               line_out->boot) != 3) {
        return false;
    }
    line_out->sync_power = strcmp(sync, "power") == 0;
    const size_t size = line_write(line_out, expected, sizeof expected);
    return strlen(text) == size && memcmp(text, expected, size) == 0;
}

static void boot_read(char boot[MARK_BOOT_BYTES])
{
    const int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    const ssize_t size = fd < 0 ? -1 : read(fd, boot, MARK_BOOT_BYTES - 1);
    if (fd >= 0) {
        (void) close(fd);
    }
    boot[size < 0 ? 0 : size] = '\0';
    boot[strcspn(boot, " \n")] = '\0';
    if (boot[0] == '\0') {
        (void) snprintf(boot, MARK_BOOT_BYTES, "-");
    }
}

/* ---- the file ---- */

enum mark_found mark_find(int directory_fd, uint64_t *sequence_out)
{
    char text[LINE_BYTES_MAX + 1] = "";
    char boot[MARK_BOOT_BYTES];
    struct line line;
    const int fd = openat(directory_fd, MARK_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return errno == ENOENT ? MARK_MISSING : MARK_UNREADABLE;
    }
    const ssize_t size = read(fd, text, LINE_BYTES_MAX);
    (void) close(fd);
    if (size < 0) {
        return MARK_UNREADABLE;
    }
    if (strlen(text) != (size_t) size || !line_read(text, &line)) {
        return MARK_DAMAGED;
    }
    boot_read(boot);
    if (!line.sync_power && strcmp(line.boot, boot) != 0) {
        return MARK_VOID;
    }
    *sequence_out = line.sequence;
    return MARK_FOUND;
}

static bool write_at(const struct mark *mark, int fd, uint64_t sequence)
{
    char text[LINE_BYTES_MAX];
    struct line line = {.sequence = sequence, .sync_power = mark->sync_power};
    memcpy(line.boot, mark->boot, sizeof line.boot);
    const size_t size = line_write(&line, text, sizeof text);
    errno = ENOSPC; /* what a short write means here */
    return pwrite(fd, text, size, 0) == (ssize_t) size;
}

bool mark_open(struct mark *mark, int directory_fd, bool sync_power, uint64_t sequence)
{
    *mark = (struct mark){.fd = -1, .sync_power = sync_power};
    boot_read(mark->boot);
    const int fd = openat(directory_fd, MARK_NAME ".new",
                          O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return false;
    }
    if (!write_at(mark, fd, sequence) || fsync(fd) != 0 ||
        renameat(directory_fd, MARK_NAME ".new", directory_fd, MARK_NAME) != 0 ||
        fsync(directory_fd) != 0) {
        const int saved = errno;
        (void) close(fd);
        errno = saved;
        return false;
    }
    mark->fd = fd;
    return true;
}

void mark_write(const struct mark *mark, uint64_t sequence)
{
    (void) write_at(mark, mark->fd, sequence); /* see the header */
}

void mark_close(struct mark *mark)
{
    if (mark->fd >= 0) {
        (void) close(mark->fd);
    }
    mark->fd = -1;
}
