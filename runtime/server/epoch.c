/* SPDX-License-Identifier: MIT */
#include "server/epoch.h"

#include "base/lock_file.h"
#include "base/siphash.h"
#include "server/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES_MAX 128

#define LOCK_WAIT_START_MS 5000
/* Later it is the owner thread that waits, and every client with it. */
#define LOCK_WAIT_RUNNING_MS 100

#define EPHEMERAL_ZERO_MS UINT64_C(1767225600000) /* 2026-01-01T00:00:00Z */
#define MINUTE_MS 60000
#define EPHEMERAL_COUNTER_SHIFT 24

/* ---- the line ---- */

static size_t line_write(uint64_t number, char *line, size_t room)
{
    /* Any fixed key: the check is there against accidents, not against people. */
    static const struct siphash_key key = {.k0 = UINT64_C(0x63616e63656c6420),
                                           .k1 = UINT64_C(0x65706f6368206b65)};
    int length = snprintf(line, room, "canceld epoch %" PRIu64, number);
    uint64_t check;

    ASSERT(length > 0 && (size_t) length < room);
    check = siphash24(&key, bytes_of(line, (size_t) length));
    length += snprintf(line + length, room - (size_t) length, " check %016" PRIx64 "\n", check);
    ASSERT((size_t) length < room);
    return (size_t) length;
}

/* There is one right line for each number, so the line is good if writing its number gives it
 * again. */
static bool line_read(const char *line, size_t size, uint64_t *number_out)
{
    static const char head[] = "canceld epoch ";
    char expected[LINE_BYTES_MAX];
    uint64_t number;

    if (size <= strlen(head) || memcmp(line, head, strlen(head)) != 0) {
        return false;
    }
    number = strtoull(line + strlen(head), NULL, 10);
    if (number == 0 || number > EPOCH_MAX) {
        return false;
    }
    if (line_write(number, expected, sizeof expected) != size ||
        memcmp(line, expected, size) != 0) {
        return false;
    }
    *number_out = number;
    return true;
}

/* ---- the file ---- */

/* The epoch that the directory holds, 0 where it never held one. */
static bool file_read(const struct epoch *epoch, uint64_t *number_out, struct refusal *refusal)
{
    char line[LINE_BYTES_MAX + 1] = "";
    int fd = openat(epoch->directory_fd, "epoch", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t size;

    if (fd < 0 && errno == ENOENT) {
        *number_out = 0;
        return true;
    }
    size = fd < 0 ? -1 : read(fd, line, LINE_BYTES_MAX);
    if (fd >= 0) {
        (void) close(fd);
    }
    if (size < 0) {
        return refuse(refusal, REFUSAL_EPOCH_NOT_DURABLE, "cannot read %s/epoch: %s",
                      epoch->directory, strerror(errno));
    }
    if (!line_read(line, (size_t) size, number_out)) {
        return refuse(refusal, REFUSAL_EPOCH_DAMAGED,
                      "%s/epoch is damaged: to guess an epoch could give a generation out twice. "
                      "Bring the file back, or start in a new state directory",
                      epoch->directory);
    }
    return true;
}

/* Writes and syncs `epoch.new`. */
static bool file_write(const struct epoch *epoch, uint64_t number)
{
    char line[LINE_BYTES_MAX];
    size_t size = line_write(number, line, sizeof line);
    int fd = openat(epoch->directory_fd, "epoch.new",
                    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool is_written;
    int saved;

    if (fd < 0) {
        return false;
    }
    errno = ENOSPC; /* what a short write means here */
    is_written = write(fd, line, size) == (ssize_t) size && fsync(fd) == 0;
    saved = errno;
    if (close(fd) != 0 && is_written) {
        return false;
    }
    errno = saved;
    return is_written;
}

static bool file_replace(const struct epoch *epoch, uint64_t number, struct refusal *refusal)
{
    int directory_fd = epoch->directory_fd;

    if (!file_write(epoch, number) ||
        renameat(directory_fd, "epoch.new", directory_fd, "epoch") != 0 ||
        fsync(directory_fd) != 0) {
        return refuse(refusal, REFUSAL_EPOCH_NOT_DURABLE,
                      "the epoch cannot be made durable in %s: %s", epoch->directory,
                      strerror(errno));
    }
    return true;
}

/* ---- durable ---- */

static bool raise_locked(struct epoch *epoch, struct refusal *refusal)
{
    uint64_t number;

    if (!file_read(epoch, &number, refusal)) {
        return false;
    }
    /* Below what we hold, the file was tampered with: go above both. */
    number = (number > epoch->number ? number : epoch->number) + 1;
    if (number > EPOCH_MAX) {
        return refuse(refusal, REFUSAL_EPOCH_AT_END,
                      "%s/epoch has come to the end of its 24 bits: start in a new state directory",
                      epoch->directory);
    }
    if (!file_replace(epoch, number, refusal)) {
        return false;
    }
    epoch->number = number;
    return true;
}

static bool raise_durable(struct epoch *epoch, uint32_t wait_ms, struct refusal *refusal)
{
    struct lock_file lock;
    bool is_raised;
    enum status status = lock_file_take(&lock, epoch->directory_fd, "epoch.lock", wait_ms);

    if (status == STATUS_IN_USE) {
        return refuse(refusal, REFUSAL_EPOCH_LOCKED,
                      "somebody holds the lock %s/epoch.lock for too long", epoch->directory);
    }
    if (status != STATUS_OK) {
        return refuse(refusal, REFUSAL_EPOCH_NOT_DURABLE, "cannot lock %s/epoch.lock: %s",
                      epoch->directory, strerror(errno));
    }
    is_raised = raise_locked(epoch, refusal);
    lock_file_give(&lock);
    return is_raised;
}

bool epoch_open(struct epoch *epoch, const char *directory, struct refusal *refusal)
{
    *epoch = (struct epoch){.counter_first = 1, .directory_fd = -1};
    if (!directory_make(directory, refusal)) {
        return false;
    }
    (void) snprintf(epoch->directory, sizeof epoch->directory, "%s", directory);
    epoch->directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (epoch->directory_fd < 0) {
        return refuse(refusal, REFUSAL_DIRECTORY, "cannot open the state directory %s: %s",
                      directory, strerror(errno));
    }
    if (!raise_durable(epoch, LOCK_WAIT_START_MS, refusal)) {
        epoch_close(epoch);
        return false;
    }
    return true;
}

/* ---- ephemeral ---- */

static bool ephemeral_minute(uint64_t now_ms, uint64_t *minute_out, struct refusal *refusal)
{
    uint64_t minute;

    if (now_ms < EPHEMERAL_ZERO_MS + MINUTE_MS) {
        return refuse(refusal, REFUSAL_SYSTEM,
                      "--ephemeral: the clock stands before 2026, so it can give no epoch");
    }
    minute = (now_ms - EPHEMERAL_ZERO_MS) / MINUTE_MS;
    if (minute > EPOCH_MAX) {
        return refuse(refusal, REFUSAL_EPOCH_AT_END,
                      "--ephemeral: the minutes since 2026-01-01 no longer fit into 24 bits");
    }
    *minute_out = minute;
    return true;
}

bool epoch_open_ephemeral(struct epoch *epoch, uint64_t (*wall_ms)(void), struct refusal *refusal)
{
    uint64_t now_ms = wall_ms();
    uint64_t within_ms;

    *epoch = (struct epoch){.directory_fd = -1, .wall_ms = wall_ms};
    if (!ephemeral_minute(now_ms, &epoch->number, refusal)) {
        return false;
    }
    within_ms = (now_ms - EPHEMERAL_ZERO_MS) % MINUTE_MS;
    /* A counter is 1 at least. */
    epoch->counter_first = within_ms == 0 ? 1 : within_ms << EPHEMERAL_COUNTER_SHIFT;
    return true;
}

static bool raise_ephemeral(struct epoch *epoch, struct refusal *refusal)
{
    uint64_t minute = 0;

    if (!ephemeral_minute(epoch->wall_ms(), &minute, refusal)) {
        return false;
    }
    if (minute <= epoch->number) {
        return refuse(refusal, REFUSAL_EPOCH_AT_END,
                      "--ephemeral: the generations of this minute are used up");
    }
    epoch->number = minute;
    return true;
}

/* ---- both ---- */

bool epoch_raise(struct epoch *epoch, struct refusal *refusal)
{
    return epoch->directory_fd < 0 ? raise_ephemeral(epoch, refusal)
                                   : raise_durable(epoch, LOCK_WAIT_RUNNING_MS, refusal);
}

void epoch_close(struct epoch *epoch)
{
    if (epoch->directory_fd >= 0) {
        (void) close(epoch->directory_fd);
    }
    epoch->directory_fd = -1;
}

uint64_t epoch_wall_ms(void)
{
    struct timespec now;

    (void) clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}
