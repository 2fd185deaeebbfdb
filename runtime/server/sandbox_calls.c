/* SPDX-License-Identifier: MIT */
/* What the daemon, its libraries and glibc ask for between the start and the end, as observed in the
 * whole test suite and as read in their sources: SQLite with its WAL, NNG with TLS, glibc's threads, malloc
 * and name service. Some calls are newer ones for the same, which a later glibc may take.
 *
 * A call that is missing here ends the daemon, so it is for a reason that a row is not there: there is no
 * way to another program (execve, fork), to another process (ptrace, kill, process_vm_*), to a new listener
 * (listen), to other rights (set*id, cap*, unshare, mount), to code that was not there at the start, nor
 * to what has been the kernel's weak side (bpf, io_uring, userfaultfd, keyctl, perf_event_open). */
#include "server/sandbox_calls.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define CALL(name) #name, SYS_##name

/* An int: the kernel does not look at the upper half of the register. */
#define INT_MASK UINT64_C(0xffffffff)
#define IS(number, wanted) .argument = (number), .mask = INT_MASK, .value = (wanted)
#define BITS(number, bits, wanted) .argument = (number), .mask = (bits), .value = (wanted)

/* Of a socket's type, without SOCK_CLOEXEC and SOCK_NONBLOCK. */
#define SOCKET_TYPE UINT64_C(0xf)

/* A thread shares all of these; who does not is a process, and a namespace is neither. */
#define THREAD_HAS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)
#define THREAD_HAS_NOT                                                                             \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |  \
     CLONE_NEWNET | CLONE_VFORK | CLONE_PTRACE | CLONE_PARENT)

/* Names a mapping, for whoever looks at it: newer glibc may. */
#define SET_VMA UINT64_C(0x53564d41)

const struct sandbox_call sandbox_calls[] = {
    /* Files, which were open before or are opened at a reload, by SQLite, and at the end. */
    {CALL(openat)},
    {CALL(close)},
    {CALL(read)},
    {CALL(readv)},
    {CALL(pread64)},
    {CALL(write)},
    {CALL(writev)},
    {CALL(pwrite64)},
    {CALL(lseek)},
    {CALL(fsync)},
    {CALL(fdatasync)},
    {CALL(ftruncate)},
    {CALL(fallocate)},
    {CALL(fcntl)},
    {CALL(flock)},
    {CALL(fstat)},
    {CALL(fstatfs)},
    {CALL(newfstatat)},
    {CALL(statx)},
    {CALL(faccessat)},
    {CALL(faccessat2)},
    {CALL(readlinkat)},
    {CALL(getcwd)},
    {CALL(unlinkat)},
    {CALL(renameat)},
    {CALL(renameat2)},
    /* SQLite gives its files the mode and, run by root, the owner of the first; no set-user-ID. */
    {CALL(fchown)},
    {CALL(fchmod), .conditions = {{BITS(1, S_ISUID | S_ISGID, 0)}}},
    /* What stdio asks of standard output. */
    {CALL(ioctl), .conditions = {{IS(1, TCGETS)}}},
    {CALL(ioctl), .conditions = {{IS(1, FIONREAD)}}},
    {CALL(ioctl), .conditions = {{IS(1, FIONBIO)}}},

    /* Connections: those that come, and the daemon's own to the service manager and, at a reload, to
     * who knows hosts and users. No raw sockets, nothing of any other family. */
    {CALL(accept)},
    {CALL(accept4)},
    {CALL(recvfrom)},
    {CALL(recvmsg)},
    {CALL(recvmmsg)},
    {CALL(sendto)},
    {CALL(sendmsg)},
    {CALL(sendmmsg)},
    {CALL(shutdown)},
    {CALL(getsockname)},
    {CALL(getpeername)},
    {CALL(getsockopt)},
    {CALL(setsockopt)},
    {CALL(socket), .conditions = {{IS(0, AF_UNIX)}}},
    {CALL(socket), .conditions = {{IS(0, AF_INET)}, {BITS(1, SOCKET_TYPE, SOCK_STREAM)}}},
    {CALL(socket), .conditions = {{IS(0, AF_INET)}, {BITS(1, SOCKET_TYPE, SOCK_DGRAM)}}},
    {CALL(socket), .conditions = {{IS(0, AF_INET6)}, {BITS(1, SOCKET_TYPE, SOCK_STREAM)}}},
    {CALL(socket), .conditions = {{IS(0, AF_INET6)}, {BITS(1, SOCKET_TYPE, SOCK_DGRAM)}}},
    /* glibc looks by it which families this machine has an address of. */
    {CALL(socket), .conditions = {{IS(0, AF_NETLINK)}, {IS(2, NETLINK_ROUTE)}}},
    {CALL(connect)},
    {CALL(bind)},
    /* nss-systemd has an event loop of its own, for each name that no file has; a name that is misspelt
     * in a configuration that is read again must not end the daemon. */
    {CALL(getdents64)},
    {CALL(epoll_create1)},
    {CALL(eventfd2)},
    {CALL(timerfd_create)},
    {CALL(timerfd_settime)},
    {CALL(getppid)},
    {CALL(epoll_ctl)},
    {CALL(epoll_pwait)},
    {CALL(epoll_pwait2)},
    {CALL(ppoll)},
    {CALL(pselect6)},

    /* Memory, but none that can be run. A library that comes late (a module of the name service) is
     * told so, and does without; anonymous code is nobody's but an attacker's. */
    {CALL(brk)},
    {CALL(mmap), .conditions = {{BITS(2, PROT_EXEC, 0)}}},
    {CALL(mmap), .error = EPERM,
     .conditions = {{BITS(2, PROT_EXEC, PROT_EXEC)}, {BITS(3, MAP_ANONYMOUS, 0)}}},
    {CALL(mprotect), .conditions = {{BITS(2, PROT_EXEC, 0)}}},
    {CALL(munmap)},
    {CALL(mremap)},
    {CALL(madvise)},

    /* Threads of this process: the journal's and the owner's start after the list holds. The flags of
     * clone3() stand in memory, where a filter cannot look: glibc takes clone() where it is not there. */
    {CALL(clone), .conditions = {{BITS(0, THREAD_HAS | THREAD_HAS_NOT, THREAD_HAS)}}},
    {CALL(clone3), .error = ENOSYS},
    {CALL(set_robust_list)},
    {CALL(rseq)},
    {CALL(futex)},
    {CALL(futex_waitv)},
    {CALL(membarrier)},
    {CALL(sched_yield)},
    {CALL(sched_getaffinity)},
    {CALL(getcpu)},
    {CALL(prctl), .conditions = {{IS(0, PR_SET_NAME)}}},
    {CALL(prctl), .conditions = {{IS(0, SET_VMA)}}},
    {CALL(exit)},
    {CALL(exit_group)},

    /* Signals, to nobody but itself: the owner's thread tells main by one, and abort() is another. */
    {CALL(rt_sigaction)},
    {CALL(rt_sigprocmask)},
    {CALL(rt_sigreturn)},
    {CALL(rt_sigtimedwait)},
    {CALL(sigaltstack)},
    {CALL(rt_sigqueueinfo), .conditions = {{IS(0, SANDBOX_OWN_PROCESS)}}},
    {CALL(tgkill), .conditions = {{IS(0, SANDBOX_OWN_PROCESS)}}},
    /* What a stopped process goes on with. */
    {CALL(restart_syscall)},

    /* Time, chance, and who and where one is. */
    {CALL(clock_gettime)},
    {CALL(clock_getres)},
    {CALL(clock_nanosleep)},
    {CALL(nanosleep)},
    {CALL(gettimeofday)},
    {CALL(getrandom)},
    {CALL(getpid)},
    {CALL(gettid)},
    {CALL(getuid)},
    {CALL(geteuid)},
    {CALL(getgid)},
    {CALL(getegid)},
    {CALL(uname)},
    {CALL(sysinfo)},
    {CALL(getrlimit)},
    {CALL(prlimit64), .conditions = {{IS(0, 0)}, {BITS(2, UINT64_MAX, 0)}}},

#ifdef __x86_64__
    /* Older ones for the same, which glibc takes where a processor has them. */
    {CALL(open)},
    {CALL(stat)},
    {CALL(lstat)},
    {CALL(access)},
    {CALL(readlink)},
    {CALL(unlink)},
    {CALL(rename)},
    {CALL(epoll_wait)},
    {CALL(poll)},
    {CALL(select)},
    {CALL(time)},
#endif

#ifdef CANCELD_INSTRUMENTED
    /* What runs inside the process to look at it: sanitizers stop all threads to look for leaks, and
     * start a program to tell the lines; a coverage profile is written into directories. */
    {CALL(clone)},
    {CALL(execve)},
    {CALL(wait4)},
    {CALL(ptrace)},
    {CALL(kill)},
    {CALL(prctl)},
    {CALL(prlimit64)},
    {CALL(setrlimit)},
    {CALL(process_vm_readv)},
    {CALL(pipe2)},
    {CALL(dup)},
    {CALL(dup3)},
    {CALL(mkdirat)},
    {CALL(msync)},
    {CALL(mincore)},
    {CALL(getrusage)},
    {CALL(sched_getparam)},
    {CALL(sched_getscheduler)},
    {CALL(set_tid_address)},
#ifdef __x86_64__
    {CALL(fork)},
    {CALL(vfork)},
    {CALL(pipe)},
    {CALL(dup2)},
    {CALL(mkdir)},
    {CALL(arch_prctl)},
    {CALL(getdents)},
#endif
#endif
};

const size_t sandbox_calls_count = sizeof sandbox_calls / sizeof sandbox_calls[0];
