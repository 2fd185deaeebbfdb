/* SPDX-License-Identifier: MIT */
#include "server/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The entry of a new directory is durable only when the directory above it is synced. */
static bool parent_sync(const char *path, struct refusal *refusal)
{
    char parent[PATH_MAX];
    size_t size = strlen(path);
    int fd;
    bool is_synced;

    while (size > 0 && path[size - 1] != '/') {
        size--;
    }
    if (size == 0) {
        parent[size++] = '.';
    } else {
        memcpy(parent, path, size);
    }
    parent[size] = '\0';
    fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    is_synced = fd >= 0 && fsync(fd) == 0;
    if (!is_synced) {
        (void) refuse(refusal, REFUSAL_DIRECTORY, "cannot sync %s: %s", parent, strerror(errno));
    }
    if (fd >= 0) {
        (void) close(fd);
    }
    return is_synced;
}

static bool step_make(const char *path, struct refusal *refusal)
{
    struct stat found;

    if (mkdir(path, 0700) == 0) {
        return parent_sync(path, refusal);
    }
    /* Whatever mkdir says of it (EEXIST, EROFS, EACCES): one that is there is good. */
    if (stat(path, &found) == 0 && S_ISDIR(found.st_mode)) {
        return true;
    }
    return refuse(refusal, REFUSAL_DIRECTORY, "cannot make the directory %s: %s", path,
                  strerror(errno));
}

bool directory_make(const char *path, struct refusal *refusal)
{
    char step[PATH_MAX];
    size_t size = strlen(path);

    if (size == 0 || size >= sizeof step) {
        return refuse(refusal, REFUSAL_DIRECTORY, "a directory's path has %zu bytes: 1 to %zu",
                      size, sizeof step - 1);
    }
    while (size > 1 && path[size - 1] == '/') {
        size--;
    }
    for (size_t i = 1; i <= size; i++) {
        if (i < size && (path[i] != '/' || path[i - 1] == '/')) {
            continue;
        }
        memcpy(step, path, i);
        step[i] = '\0';
        if (!step_make(step, refusal)) {
            return false;
        }
    }
    return true;
}

bool directory_make_owned(const char *path, mode_t mode, uid_t owner, struct refusal *refusal)
{
    struct stat found;

    if (mkdir(path, mode) == 0) {
        /* The umask may have taken bits away. */
        if (chmod(path, mode) != 0) {
            return refuse(refusal, REFUSAL_DIRECTORY, "cannot set the mode of %s: %s", path,
                          strerror(errno));
        }
        return true;
    }
    if (errno != EEXIST || lstat(path, &found) != 0) {
        return refuse(refusal, REFUSAL_DIRECTORY, "cannot make the directory %s: %s", path,
                      strerror(errno));
    }
    if (!S_ISDIR(found.st_mode)) {
        return refuse(refusal, REFUSAL_DIRECTORY, "%s is there and is no directory", path);
    }
    if (found.st_uid != owner) {
        return refuse(refusal, REFUSAL_DIRECTORY, "%s belongs to uid %ju, not to uid %ju", path,
                      (uintmax_t) found.st_uid, (uintmax_t) owner);
    }
    if ((found.st_mode & 0777 & ~mode) != 0) {
        return refuse(refusal, REFUSAL_DIRECTORY,
                      "%s has mode %04o, which opens it to others: %04o at most", path,
                      (unsigned) (found.st_mode & 07777), (unsigned) mode);
    }
    return true;
}
