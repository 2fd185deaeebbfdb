/* SPDX-License-Identifier: MIT */
/* Failures on demand. Two interposers stand between a program and its C library: fault_alloc.c before what gives
 * memory and threads, fault_calls.c before system calls. Linked into a test program they are told what to do
 * by these functions; preloaded into a daemon or a tool (libcanceld_faults.so), by whoever maps the file
 * that CANCELD_FAULTS names. There it is laid out as below; faults.py has the same.
 *
 * Nothing fails that is not armed. Counting begins at the moment of arming, so what a program allocates at
 * its start does not count, unless the file was armed before the start. */
#ifndef CANCELD_TESTS_FAULT_H
#define CANCELD_TESTS_FAULT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define FAULT_ENVIRONMENT "CANCELD_FAULTS"

/* Each row: the system call. What a program calls by another name of its (open64, pwrite64, recv as
 * recvfrom) counts under this one. */
#define FAULT_CALLS(X)                                                                             \
    X(accept)                                                                                      \
    X(recv)                                                                                        \
    X(send)                                                                                        \
    X(recvmsg)                                                                                     \
    X(sendmsg)                                                                                     \
    X(read)                                                                                        \
    X(write)                                                                                       \
    X(pread)                                                                                       \
    X(pwrite)                                                                                      \
    X(open)                                                                                        \
    X(rename)                                                                                      \
    X(fsync)                                                                                       \
    X(fdatasync)                                                                                   \
    X(ftruncate)                                                                                   \
    X(unlink)                                                                                      \
    X(fstat)                                                                                       \
    X(socket)                                                                                      \
    X(connect)                                                                                     \
    X(poll)                                                                                        \
    X(epoll_wait)                                                                                  \
    X(epoll_add)                                                                                   \
    X(eventfd)

enum fault_call {
#define FAULT_CALL_NAME(name) FAULT_##name,
    FAULT_CALLS(FAULT_CALL_NAME)
#undef FAULT_CALL_NAME
        FAULT_CALL_END
};

/* All of these are written by several threads, some by several processes; none orders any other. */
struct fault_rule {
    _Atomic(uint32_t) error;    /* what errno says; 0: nothing fails */
    _Atomic(uint32_t) one_in;   /* 1: each call; 0: the next one only, once */
    _Atomic(uint32_t) in_order; /* each one_in-th call; else by chance */
    _Atomic(uint32_t) bytes;    /* with no error: no more than so many bytes move in one call */
    _Atomic(uint64_t) calls;
    _Atomic(uint64_t) failed; /* or cut short */
};

struct fault_control {
    _Atomic(uint32_t) armed;
    _Atomic(uint32_t) for_ever;    /* the fail_at-th and all after it; else that one alone */
    _Atomic(uint64_t) fail_at;     /* 1: the first; 0: none, they are only counted */
    _Atomic(uint64_t) allocations; /* since it was armed */
    _Atomic(uint64_t) failed;      /* of those */
    _Atomic(int64_t) live;         /* blocks given out and not given back, since the start */
    _Atomic(uint64_t) place;       /* the address that the first failure was returned to */
    _Atomic(uint64_t) seed;        /* of what fails by chance */
    struct fault_rule rules[FAULT_CALL_END];
};

/* This process's. */
struct fault_control *fault_control(void);

/* Puts it, as it is, to another place: one that another process can read, say. From one thread. */
void fault_control_move(struct fault_control *place);

/* Arms: the `fail_at`-th allocation from now fails. */
void fault_arm(uint64_t fail_at, bool for_ever);

/* Disarms; gives how many have failed. */
uint64_t fault_disarm(void);

/* Blocks given out and not given back. */
int64_t fault_live(void);

#endif
