/* SPDX-License-Identifier: MIT */
#include "failing_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static enum failing_call failing = FAILING_CALL_END;
static uint32_t left;
static bool has_failed;

static const int error_of[FAILING_CALL_END] = {
#define FAILING_CALL_ERROR(name, error) error,
    FAILING_CALLS(FAILING_CALL_ERROR)
#undef FAILING_CALL_ERROR
};

const char *failing_name(enum failing_call call)
{
    static const char *const names[FAILING_CALL_END] = {
#define FAILING_CALL_TEXT(name, error) #name,
        FAILING_CALLS(FAILING_CALL_TEXT)
#undef FAILING_CALL_TEXT
    };
    return names[call];
}

void failing_arm(enum failing_call call, uint32_t nth)
{
    failing = call;
    left = nth;
    has_failed = false;
}

bool failing_disarm(void)
{
    failing = FAILING_CALL_END;
    return has_failed;
}

static bool fails(enum failing_call call)
{
    if (call != failing || left == 0 || --left > 0) {
        return false;
    }
    has_failed = true;
    errno = error_of[call];
    return true;
}

/* ---- those with a mode that may follow ---- */

int __real_open(const char *path, int flags, ...);
int __real_openat(int directory, const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_openat(int directory, const char *path, int flags, ...);

int __wrap_open(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return fails(FAILING_open) ? -1 : __real_open(path, flags, mode);
}

int __wrap_openat(int directory, const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return fails(FAILING_openat) ? -1 : __real_openat(directory, path, flags, mode);
}

/* ---- the others ---- */

#define WRAP(type, name, parameters, ...)                                                          \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        return fails(FAILING_##name) ? -1 : __real_##name(__VA_ARGS__);                            \
    }

WRAP(ssize_t, read, (int fd, void *data, size_t size), fd, data, size)
WRAP(ssize_t, write, (int fd, const void *data, size_t size), fd, data, size)
WRAP(ssize_t, getrandom, (void *data, size_t size, unsigned flags), data, size, flags)
WRAP(int, fsync, (int fd), fd)
WRAP(int, ftruncate, (int fd, off_t size), fd, size)
WRAP(int, renameat, (int from_fd, const char *from, int to_fd, const char *to), from_fd, from,
     to_fd, to)
WRAP(int, unlink, (const char *path), path)
WRAP(int, unlinkat, (int directory, const char *path, int flags), directory, path, flags)
WRAP(int, flock, (int fd, int operation), fd, operation)
WRAP(int, fstat, (int fd, struct stat *found), fd, found)
WRAP(int, lstat, (const char *path, struct stat *found), path, found)
WRAP(int, mkdir, (const char *path, mode_t mode), path, mode)
WRAP(int, chmod, (const char *path, mode_t mode), path, mode)
WRAP(int, socket, (int domain, int type, int protocol), domain, type, protocol)
WRAP(int, bind, (int fd, const struct sockaddr *at, socklen_t size), fd, at, size)
WRAP(int, listen, (int fd, int queue_max), fd, queue_max)
WRAP(int, setsockopt, (int fd, int level, int name, const void *value, socklen_t size), fd, level,
     name, value, size)
WRAP(int, getsockname, (int fd, struct sockaddr *at, socklen_t *size), fd, at, size)
WRAP(int, lchown, (const char *path, uid_t uid, gid_t gid), path, uid, gid)
WRAP(int, setrlimit, (int resource, const struct rlimit *limit), resource, limit)
WRAP(int, getrlimit, (int resource, struct rlimit *limit), resource, limit)

/* It says that it failed, and the descriptor is gone, as with the system's own. */
int __real_close(int fd);
int __wrap_close(int fd);

int __wrap_close(int fd)
{
    const int code = __real_close(fd);
    return fails(FAILING_close) ? -1 : code;
}
