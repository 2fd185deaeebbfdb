/* SPDX-License-Identifier: MIT */
/* System calls of the code under test that fail on demand: the n-th of its kind, once. The program is linked with
 * --wrap for each of them. For one thread. */
#ifndef CANCELD_TESTS_FAILING_CALLS_H
#define CANCELD_TESTS_FAILING_CALLS_H

#include <stdbool.h>
#include <stdint.h>

/* X(NAME, what errno says) */
#define FAILING_CALLS(X)                                                                           \
    X(open, EACCES)                                                                                \
    X(openat, EMFILE)                                                                              \
    X(close, EIO)                                                                                  \
    X(read, EIO)                                                                                   \
    X(write, ENOSPC)                                                                               \
    X(fsync, EIO)                                                                                  \
    X(ftruncate, EIO)                                                                              \
    X(renameat, EIO)                                                                               \
    X(unlink, EACCES)                                                                              \
    X(unlinkat, EACCES)                                                                            \
    X(flock, ENOLCK)                                                                               \
    X(getrandom, ENOSYS)                                                                           \
    X(fstat, EIO)                                                                                  \
    X(lstat, EACCES)                                                                               \
    X(mkdir, EROFS)                                                                                \
    X(chmod, EPERM)                                                                                \
    X(socket, EMFILE)                                                                              \
    X(setrlimit, EPERM)                                                                            \
    X(getrlimit, EINVAL)                                                                           \
    X(bind, EACCES)                                                                                \
    X(listen, EOPNOTSUPP)                                                                          \
    X(setsockopt, ENOMEM)                                                                          \
    X(getsockname, ENOBUFS)                                                                        \
    X(lchown, EPERM)

enum failing_call {
#define FAILING_CALL_NAME(name, error) FAILING_##name,
    FAILING_CALLS(FAILING_CALL_NAME)
#undef FAILING_CALL_NAME
        FAILING_CALL_END
};

const char *failing_name(enum failing_call call);

/* The nth call of this kind from now on fails; 1: the next. */
void failing_arm(enum failing_call call, uint32_t nth);

/* Nothing fails any more; whether it came to that call. */
bool failing_disarm(void);

#endif
