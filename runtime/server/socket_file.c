/* SPDX-License-Identifier: MIT */
#include "server/socket_file.h"

#include "server/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char lock_suffix[] = ".lock";

static bool directory_prepare(const struct address *address, struct refusal *refusal)
{
    char parent[ADDRESS_PATH_BYTES_MAX + 1];
    const char *path = address_path(address);
    size_t size = (size_t) (strrchr(path, '/') - path);

    if (address->directory == ADDRESS_DIRECTORY_THEIRS) {
        return true;
    }
    memcpy(parent, path, size);
    parent[size] = '\0';
    return directory_make_owned(
        parent, address->directory == ADDRESS_DIRECTORY_SYSTEM ? 0755 : 0700, geteuid(), refusal);
}

static bool lock_take(struct socket_file *file, struct refusal *refusal)
{
    char path[sizeof file->path + sizeof lock_suffix];
    enum status status;

    (void) snprintf(path, sizeof path, "%s%s", file->path, lock_suffix);
    status = lock_file_take(&file->lock, AT_FDCWD, path, 0);
    if (status == STATUS_IN_USE) {
        return refuse(refusal, REFUSAL_ADDRESS_IN_USE,
                      "another canceld (process %jd) serves ipc://%s: it goes on undisturbed",
                      (intmax_t) lock_file_signed_by(AT_FDCWD, path), file->path);
    }
    if (status != STATUS_OK) {
        return refuse(refusal, REFUSAL_SYSTEM, "cannot lock %s: %s", path, strerror(errno));
    }
    lock_file_sign(&file->lock);
    return true;
}

/* Whether somebody who knows nothing of our lock listens there. */
static bool is_answered(const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool refused;

    if (fd < 0) {
        return true; /* not known: leave it alone */
    }
    memcpy(name.sun_path, path, strlen(path) + 1);
    refused = connect(fd, (const struct sockaddr *) (const void *) &name, sizeof name) != 0 &&
              errno == ECONNREFUSED;
    (void) close(fd);
    return !refused;
}

static bool stale_remove(const char *path, struct refusal *refusal)
{
    struct stat found;

    if (lstat(path, &found) != 0) {
        return errno == ENOENT ||
               refuse(refusal, REFUSAL_SYSTEM, "cannot look at %s: %s", path, strerror(errno));
    }
    if (!S_ISSOCK(found.st_mode)) {
        return refuse(refusal, REFUSAL_ADDRESS_IN_USE, "%s is there and is no socket", path);
    }
    if (is_answered(path)) {
        return refuse(refusal, REFUSAL_ADDRESS_IN_USE,
                      "something that is no canceld of today listens on ipc://%s", path);
    }
    if (unlink(path) != 0 && errno != ENOENT) {
        return refuse(refusal, REFUSAL_SYSTEM, "cannot remove the old socket %s: %s", path,
                      strerror(errno));
    }
    return true;
}

bool socket_file_claim(struct socket_file *file, const struct address *address,
                       struct refusal *refusal)
{
    const char *path = address_path(address);

    *file = (struct socket_file){.lock = LOCK_FILE_NONE};
    memcpy(file->path, path, strlen(path) + 1);
    if (!directory_prepare(address, refusal) || !lock_take(file, refusal)) {
        return false;
    }
    if (!stale_remove(file->path, refusal)) {
        lock_file_give(&file->lock);
        return false;
    }
    return true;
}

void socket_file_made(struct socket_file *file)
{
    struct stat made;

    if (lstat(file->path, &made) == 0) {
        file->device = made.st_dev;
        file->inode = made.st_ino;
    }
}

void socket_file_release(struct socket_file *file)
{
    struct stat found;

    if (file->inode != 0 && lstat(file->path, &found) == 0 && found.st_dev == file->device &&
        found.st_ino == file->inode) {
        /* A socket that cannot be removed now is a stale one for the next start. */
        (void) unlink(file->path);
    }
    file->inode = 0;
    lock_file_give(&file->lock);
}
