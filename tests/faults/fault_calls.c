/* SPDX-License-Identifier: MIT */
/* System calls that fail on demand, or move fewer bytes than they were asked to, each by the rule of its row.
 *
 * What a kernel cannot do is not done here either: what is written to or read from an eventfd or another
 * nameless file is let through, for those fail in no way that a disk or a network does; so are epoll_ctl() that
 * changes or ends a watch, and close(). */
#define _GNU_SOURCE /* RTLD_NEXT */
#include "fault.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* glibc declares a socket's address as a union of all kinds of them. */
#pragma GCC diagnostic ignored "-Wpedantic"

/* The next definition of `name`, found once. */
#define NEXT(name)                                                                                 \
    static __typeof__(&(name)) next;                                                               \
    if (next == NULL) {                                                                            \
        *(void **) &next = dlsym(RTLD_NEXT, #name);                                                \
    }

/* ---- rules ---- */

static uint64_t chance(void)
{
    uint64_t z = atomic_fetch_add(&fault_control()->seed, UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Whether it is this call's turn. */
static bool is_due(struct fault_rule *rule)
{
    const uint64_t number = atomic_fetch_add(&rule->calls, 1) + 1;
    const uint32_t one_in = rule->one_in;
    if (rule->error == 0 && rule->bytes == 0) {
        return false;
    }
    if (one_in == 0) {
        const bool first = atomic_exchange(&rule->one_in, UINT32_MAX) == 0;
        return first;
    }
    if (one_in == UINT32_MAX) {
        return false; /* it was for once */
    }
    return (rule->in_order ? number : chance()) % one_in == 0;
}

/* Whether the call fails; errno says how. */
static bool fails(enum fault_call call)
{
    struct fault_rule *rule = &fault_control()->rules[call];
    if (!is_due(rule)) {
        return false;
    }
    const uint32_t error = rule->error;
    if (error == 0) {
        return false; /* healed at this very moment, or about bytes, which this call has not */
    }
    (void) atomic_fetch_add(&rule->failed, 1);
    errno = (int) error;
    return true;
}

/* Likewise where bytes are moved: else *size may have become less. */
static bool moving_fails(enum fault_call call, int fd, size_t *size)
{
    struct fault_rule *rule = &fault_control()->rules[call];
    struct stat status;
    if (rule->error == 0 && rule->bytes == 0) {
        (void) atomic_fetch_add(&rule->calls, 1);
        return false;
    }
    if (fstat(fd, &status) != 0 || (!S_ISREG(status.st_mode) && !S_ISSOCK(status.st_mode)) ||
        !is_due(rule)) {
        return false;
    }
    const uint32_t bytes = rule->bytes;
    const uint32_t error = rule->error;
    if (error == 0 && (bytes == 0 || *size <= bytes)) {
        return false;
    }
    (void) atomic_fetch_add(&rule->failed, 1);
    if (error != 0) {
        errno = (int) error;
        return true;
    }
    *size = bytes;
    return false;
}

/* ---- connections ---- */

int accept(int fd, struct sockaddr *address, socklen_t *size)
{
    NEXT(accept)
    return fails(FAULT_accept) ? -1 : next(fd, address, size);
}

int accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
    NEXT(accept4)
    return fails(FAULT_accept) ? -1 : next(fd, address, size, flags);
}

int socket(int domain, int type, int protocol)
{
    NEXT(socket)
    return fails(FAULT_socket) ? -1 : next(domain, type, protocol);
}

int connect(int fd, const struct sockaddr *address, socklen_t size)
{
    NEXT(connect)
    return fails(FAULT_connect) ? -1 : next(fd, address, size);
}

ssize_t recv(int fd, void *data, size_t size, int flags)
{
    NEXT(recv)
    return moving_fails(FAULT_recv, fd, &size) ? -1 : next(fd, data, size, flags);
}

ssize_t recvfrom(int fd, void *data, size_t size, int flags, struct sockaddr *address,
                 socklen_t *address_size)
{
    NEXT(recvfrom)
    return moving_fails(FAULT_recv, fd, &size) ? -1
                                               : next(fd, data, size, flags, address, address_size);
}

ssize_t send(int fd, const void *data, size_t size, int flags)
{
    NEXT(send)
    return moving_fails(FAULT_send, fd, &size) ? -1 : next(fd, data, size, flags);
}

/* The message with its first vector alone, of so many bytes. */
static struct msghdr shorter(const struct msghdr *message, struct iovec *vector, size_t size)
{
    struct msghdr part = *message;
    *vector = message->msg_iov[0];
    vector->iov_len = size;
    part.msg_iov = vector;
    part.msg_iovlen = 1;
    return part;
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    NEXT(recvmsg)
    struct iovec vector;
    const size_t whole = message->msg_iovlen == 0 ? 0 : message->msg_iov[0].iov_len;
    size_t size = whole;
    if (moving_fails(FAULT_recvmsg, fd, &size)) {
        return -1;
    }
    if (size == whole) {
        return next(fd, message, flags);
    }
    struct msghdr part = shorter(message, &vector, size);
    return next(fd, &part, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    NEXT(sendmsg)
    struct iovec vector;
    const size_t whole = message->msg_iovlen == 0 ? 0 : message->msg_iov[0].iov_len;
    size_t size = whole;
    if (moving_fails(FAULT_sendmsg, fd, &size)) {
        return -1;
    }
    if (size == whole) {
        return next(fd, message, flags);
    }
    struct msghdr part = shorter(message, &vector, size);
    return next(fd, &part, flags);
}

/* ---- files ---- */

ssize_t read(int fd, void *data, size_t size)
{
    NEXT(read)
    return moving_fails(FAULT_read, fd, &size) ? -1 : next(fd, data, size);
}

ssize_t readv(int fd, const struct iovec *vectors, int count)
{
    NEXT(readv)
    size_t size = count < 1 ? 0 : vectors[0].iov_len;
    const size_t whole = size;
    if (moving_fails(FAULT_read, fd, &size)) {
        return -1;
    }
    return size == whole ? next(fd, vectors, count) : read(fd, vectors[0].iov_base, size);
}

ssize_t write(int fd, const void *data, size_t size)
{
    NEXT(write)
    return moving_fails(FAULT_write, fd, &size) ? -1 : next(fd, data, size);
}

ssize_t pread(int fd, void *data, size_t size, off_t offset)
{
    NEXT(pread)
    return moving_fails(FAULT_pread, fd, &size) ? -1 : next(fd, data, size, offset);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    NEXT(pwrite)
    return moving_fails(FAULT_pwrite, fd, &size) ? -1 : next(fd, data, size, offset);
}

int ftruncate(int fd, off_t size)
{
    NEXT(ftruncate)
    return fails(FAULT_ftruncate) ? -1 : next(fd, size);
}

/* What is built for large files calls them so. */
ssize_t pread64(int fd, void *data, size_t size, off_t offset) __attribute__((alias("pread")));
ssize_t pwrite64(int fd, const void *data, size_t size, off_t offset)
    __attribute__((alias("pwrite")));
int ftruncate64(int fd, off_t size) __attribute__((alias("ftruncate")));

/* The mode that may follow. */
static mode_t mode_of(int flags, va_list rest)
{
    return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
    NEXT(open)
    va_list rest;
    va_start(rest, flags);
    const mode_t mode = mode_of(flags, rest);
    va_end(rest);
    return fails(FAULT_open) ? -1 : next(path, flags, mode);
}

int open64(const char *path, int flags, ...) __attribute__((alias("open")));

int openat(int directory, const char *path, int flags, ...)
{
    NEXT(openat)
    va_list rest;
    va_start(rest, flags);
    const mode_t mode = mode_of(flags, rest);
    va_end(rest);
    return fails(FAULT_open) ? -1 : next(directory, path, flags, mode);
}

int rename(const char *from, const char *to)
{
    NEXT(rename)
    return fails(FAULT_rename) ? -1 : next(from, to);
}

int renameat(int from_directory, const char *from, int to_directory, const char *to)
{
    NEXT(renameat)
    return fails(FAULT_rename) ? -1 : next(from_directory, from, to_directory, to);
}

int fsync(int fd)
{
    NEXT(fsync)
    return fails(FAULT_fsync) ? -1 : next(fd);
}

int fdatasync(int fd)
{
    NEXT(fdatasync)
    return fails(FAULT_fdatasync) ? -1 : next(fd);
}

int unlink(const char *path)
{
    NEXT(unlink)
    return fails(FAULT_unlink) ? -1 : next(path);
}

int unlinkat(int directory, const char *path, int flags)
{
    NEXT(unlinkat)
    return fails(FAULT_unlink) ? -1 : next(directory, path, flags);
}

int fstat64(int fd, struct stat64 *status)
{
    NEXT(fstat64)
    return fails(FAULT_fstat) ? -1 : next(fd, status);
}

/* ---- waiting ---- */

int poll(struct pollfd *polled, nfds_t count, int timeout_ms)
{
    NEXT(poll)
    return fails(FAULT_poll) ? -1 : next(polled, count, timeout_ms);
}

int epoll_wait(int epoll, struct epoll_event *events, int count, int timeout_ms)
{
    NEXT(epoll_wait)
    return fails(FAULT_epoll_wait) ? -1 : next(epoll, events, count, timeout_ms);
}

int epoll_ctl(int epoll, int what, int fd, struct epoll_event *event)
{
    NEXT(epoll_ctl)
    return what == EPOLL_CTL_ADD && fails(FAULT_epoll_add) ? -1 : next(epoll, what, fd, event);
}

int eventfd(unsigned int count, int flags)
{
    NEXT(eventfd)
    return fails(FAULT_eventfd) ? -1 : next(count, flags);
}
