/* SPDX-License-Identifier: MIT */
/* The sandbox from inside: each case's calls are made by a process of their own, which has entered it. */
#include "server/sandbox.h"

#include "server/guard.h"
#include "server/sandbox_calls.h"
#include "testing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define SURVIVED 0
#define WRONG 7

/* What would be set or killed, were it not for the sandbox, does no harm. */
struct call {
    const char *name; /* as the kernel has it: what is instrumented may have it all the same */
    long number;
    long arguments[6];
};

static const char program[] = "/bin/true";
static char *const no_words[] = {NULL};

#define ADDRESS(pointer) (long) (pointer)
#define EVERYBODY (-1)
#define NO_SIGNAL 0

static const struct call forbidden[] = {
    /* other programs and processes */
    {"execve", SYS_execve, {ADDRESS(program), ADDRESS(no_words), ADDRESS(no_words)}},
    {"execveat", SYS_execveat, {AT_FDCWD, ADDRESS(program), ADDRESS(no_words), 0, 0}},
    {"clone", SYS_clone, {SIGCHLD}},
    {"clone",
     SYS_clone,
     {CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_NEWNS}},
#ifdef SYS_fork
    {"fork", SYS_fork, {0}},
    {"vfork", SYS_vfork, {0}},
#endif
    {"ptrace", SYS_ptrace, {0}},
    {"process_vm_readv", SYS_process_vm_readv, {1, 0, 0, 0, 0, 0}},
    {"process_vm_writev", SYS_process_vm_writev, {1, 0, 0, 0, 0, 0}},
    {"kill", SYS_kill, {1, NO_SIGNAL}},
    {"tkill", SYS_tkill, {1, NO_SIGNAL}},
    {"tgkill", SYS_tgkill, {1, 1, NO_SIGNAL}},
    {"rt_sigqueueinfo", SYS_rt_sigqueueinfo, {1, NO_SIGNAL, 0}},
    {"pidfd_open", SYS_pidfd_open, {1, 0}},
    {"prlimit64", SYS_prlimit64, {1, RLIMIT_CORE, 0, 0}},
    {"wait4", SYS_wait4, {EVERYBODY, 0, WNOHANG, 0}},
    /* listeners, and sockets of other kinds */
    {"listen", SYS_listen, {-1, 1}},
    {"socketpair", SYS_socketpair, {AF_UNIX, SOCK_STREAM, 0, 0}},
    {"socket", SYS_socket, {AF_PACKET, SOCK_RAW, 0}},
    {"socket", SYS_socket, {AF_INET, SOCK_RAW, 1}},
    {"socket", SYS_socket, {AF_INET6, SOCK_RAW | SOCK_CLOEXEC, 1}},
    {"socket", SYS_socket, {AF_ALG, SOCK_SEQPACKET, 0}},
    {"socket", SYS_socket, {AF_VSOCK, SOCK_STREAM, 0}},
    {"socket", SYS_socket, {AF_NETLINK, SOCK_RAW, 15 /* uevents */}},
    /* code */
    {"mmap", SYS_mmap, {0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0}},
    {"mprotect", SYS_mprotect, {0, 4096, PROT_READ | PROT_EXEC}},
    {"pkey_mprotect", SYS_pkey_mprotect, {0, 4096, PROT_READ | PROT_EXEC, -1}},
    {"memfd_create", SYS_memfd_create, {ADDRESS(program), 0}},
    {"shmat", SYS_shmat, {-1, 0, 0}},
    {"personality", SYS_personality, {0xffffffff}},
    /* rights */
    {"setuid", SYS_setuid, {0}},
    {"setresgid", SYS_setresgid, {-1, -1, -1}},
    {"capset", SYS_capset, {0, 0}},
    {"unshare", SYS_unshare, {0}},
    {"setns", SYS_setns, {-1, 0}},
    {"chroot", SYS_chroot, {ADDRESS(program)}},
    {"mount", SYS_mount, {0, 0, 0, 0, 0}},
    {"fchmod", SYS_fchmod, {-1, 04755}},
    {"fchmodat", SYS_fchmodat, {-1, ADDRESS(program), 0755}},
    {"prctl", SYS_prctl, {PR_SET_DUMPABLE, 1, 0, 0, 0}},
    {"prlimit64", SYS_prlimit64, {0, RLIMIT_CORE, ADDRESS(no_words), 0}},
    {"seccomp", SYS_seccomp, {0, 0, 0}},
    /* files that nothing of ours makes */
    {"symlinkat", SYS_symlinkat, {0, -1, 0}},
    {"linkat", SYS_linkat, {-1, 0, -1, 0, 0}},
    {"mknodat", SYS_mknodat, {-1, 0, 0, 0}},
    {"open_by_handle_at", SYS_open_by_handle_at, {-1, 0, 0}},
    {"ioctl", SYS_ioctl, {-1, TIOCSTI, 0}},
    /* the kernel's rarer parts */
    {"bpf", SYS_bpf, {-1, 0, 0}},
    {"io_uring_setup", SYS_io_uring_setup, {0, 0}},
    {"userfaultfd", SYS_userfaultfd, {-1}},
    {"perf_event_open", SYS_perf_event_open, {0, 0, -1, -1, 0}},
    {"keyctl", SYS_keyctl, {-1, 0, 0, 0, 0}},
    {"add_key", SYS_add_key, {0, 0, 0, 0, 0}},
    {"init_module", SYS_init_module, {0, 0, 0}},
    {"kexec_load", SYS_kexec_load, {0, 0, 0, -1}},
    {"reboot", SYS_reboot, {0, 0, 0, 0}},
    {"settimeofday", SYS_settimeofday, {0, 0}},
    {"sethostname", SYS_sethostname, {0, -1}},
    {"syslog", SYS_syslog, {-1, 0, 0}},
    {"quotactl", SYS_quotactl, {-1, 0, 0, 0}},
};

static void enter(enum sandbox_mode mode)
{
    struct refusal refusal = {.code = REFUSAL_NONE};

    if (!sandbox_enter(mode, &refusal)) {
        test_failed(__FILE__, __LINE__, refusal.text);
    }
}

/* Instrumented builds have calls that the daemon itself never makes. */
static bool is_instruments(const char *name)
{
    for (size_t i = 0; i < sandbox_calls_count; i++) {
        if (strcmp(sandbox_calls[i].name, name) == 0 && sandbox_calls[i].error == 0 &&
            sandbox_calls[i].conditions[0].mask == 0) {
            return true;
        }
    }
    return false;
}

/* How a process ends that does this: its status, or 128 and its signal. */
static int end_of(void (*act)(const void *context), const void *context)
{
    int status;
    pid_t child = fork();

    CHECK_GE(child, 0);
    if (child == 0) {
        act(context);
        _exit(SURVIVED);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void call_make(const struct call *call)
{
    const long *with = call->arguments;

    (void) syscall(call->number, with[0], with[1], with[2], with[3], with[4], with[5]);
}

/* ---- what is forbidden ---- */

static void act_killed(const void *context)
{
    enter(SANDBOX_KILL);
    call_make(context);
}

static void each_call_that_is_not_listed_ends_the_process(void)
{
    size_t tried = 0;
    size_t killed = 0;

    for (size_t i = 0; i < sizeof forbidden / sizeof forbidden[0]; i++) {
        if (is_instruments(forbidden[i].name)) {
            continue;
        }
        tried++;
        if (end_of(act_killed, &forbidden[i]) == 128 + SIGSYS) {
            killed++;
        } else {
            (void) printf("%s with %ld, %ld was survived\n", forbidden[i].name,
                          forbidden[i].arguments[0], forbidden[i].arguments[1]);
        }
    }
    (void) printf("forbidden calls %zu, ended by SIGSYS %zu, survived %zu\n", tried, killed,
                  tried - killed);
    CHECK_EQ(killed, tried);
    CHECK_GT(killed, 30);
}

static const struct call harmless = {"personality", SYS_personality, {0xffffffff}};

static void act_logged(const void *context)
{
    enter(SANDBOX_LOG);
    call_make(context);
}

static void act_off(const void *context)
{
    enter(SANDBOX_OFF);
    call_make(context);
}

static void the_same_call_is_made_where_the_mode_says_so(void)
{
    CHECK_EQ(end_of(act_killed, &harmless), 128 + SIGSYS);
    CHECK_EQ(end_of(act_logged, &harmless), SURVIVED);
    CHECK_EQ(end_of(act_off, &harmless), SURVIVED);
}

static pthread_barrier_t entered;

static void *earlier_run(void *context)
{
    (void) context;
    (void) pthread_barrier_wait(&entered);
    call_make(&harmless);
    return NULL;
}

static void act_earlier_thread(const void *context)
{
    pthread_t thread;

    (void) context;
    CHECK_EQ(pthread_barrier_init(&entered, NULL, 2), 0);
    CHECK_EQ(pthread_create(&thread, NULL, earlier_run, NULL), 0);
    enter(SANDBOX_KILL);
    (void) pthread_barrier_wait(&entered);
    (void) pthread_join(thread, NULL);
}

static void *later_run(void *context)
{
    (void) context;
    call_make(&harmless);
    return NULL;
}

static void act_later_thread(const void *context)
{
    pthread_t thread;

    (void) context;
    enter(SANDBOX_KILL);
    CHECK_EQ(pthread_create(&thread, NULL, later_run, NULL), 0);
    (void) pthread_join(thread, NULL);
}

static void threads_of_before_and_of_after_are_held_too(void)
{
    CHECK_EQ(end_of(act_earlier_thread, NULL), 128 + SIGSYS);
    CHECK_EQ(end_of(act_later_thread, NULL), 128 + SIGSYS);
}

/* ---- what goes on ---- */

static void *write_run(void *context)
{
    return write(*(int *) context, "kept\n", 5) == 5 ? context : NULL;
}

/* What nss-systemd does for a name that is in no file. */
static void names_look_up(void)
{
    const struct itimerspec soon = {.it_value = {.tv_nsec = 1}};
    struct epoll_event event = {.events = EPOLLIN};
    DIR *directory = opendir("/");
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

    CHECK(directory != NULL);
    CHECK(readdir(directory) != NULL);
    CHECK_EQ(closedir(directory), 0);
    CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event), 0);
    CHECK_EQ(timerfd_settime(timer, 0, &soon, NULL), 0);
    CHECK_EQ(epoll_wait(epoll, &event, 1, -1), 1);
    CHECK_EQ(close(timer), 0);
    CHECK_EQ(close(epoll), 0);
}

static void act_work(const void *context)
{
    struct rlimit limit;
    pthread_t thread;
    void *done;
    void *large;
    int fd;

    enter(SANDBOX_KILL);
    fd = openat(AT_FDCWD, context, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CHECK_GE(fd, 0);
    CHECK_EQ(pthread_create(&thread, NULL, write_run, &fd), 0);
    CHECK_EQ(pthread_join(thread, &done), 0);
    CHECK(done != NULL);
    CHECK_EQ(fdatasync(fd), 0);
    CHECK_EQ(close(fd), 0);
    large = malloc((size_t) 64 << 20);
    CHECK(large != NULL);
    free(large);
    CHECK(getpwnam("root") != NULL);
    names_look_up();
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    CHECK_EQ(poll(NULL, 0, 1), 0);
}

static void what_the_daemon_needs_goes_on(void)
{
    char path[256];

    (void) snprintf(path, sizeof path, "%s/file", test_directory());
    CHECK_EQ(end_of(act_work, path), SURVIVED);
}

static void act_late_library(const void *context)
{
    int fd = openat(AT_FDCWD, context, O_RDONLY | O_CLOEXEC);

    enter(SANDBOX_KILL);
    if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) != MAP_FAILED ||
        errno != EPERM) {
        _exit(WRONG);
    }
}

static void a_library_that_comes_late_is_told_that_it_cannot(void)
{
    CHECK_EQ(end_of(act_late_library, program), SURVIVED);
}

static void act_abort(const void *context)
{
    (void) context;
    enter(SANDBOX_KILL);
    abort();
}

static void an_assertion_that_fails_still_aborts(void)
{
    CHECK_EQ(end_of(act_abort, NULL), 128 + SIGABRT);
}

/* ---- modes, and the guard ---- */

static void modes_have_words(void)
{
    enum sandbox_mode mode = SANDBOX_KILL;

    CHECK(sandbox_mode_parse("off", &mode));
    CHECK_EQ(mode, SANDBOX_OFF);
    CHECK(!sandbox_mode_parse("KILL", &mode));
    CHECK(!sandbox_mode_parse("", &mode));
    CHECK_EQ(mode, SANDBOX_OFF);
    CHECK_STR_EQ(sandbox_mode_text(SANDBOX_LOG), "log");
}

static void act_guarded(const void *context)
{
    struct rlimit limit;
    bool dumpable = context != NULL;

    CHECK(guard_raise());
    CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
    CHECK_EQ(prctl(PR_GET_DUMPABLE), 0);
    guard_settle(dumpable);
    CHECK_EQ(prctl(PR_GET_DUMPABLE), dumpable ? 1 : 0);
    CHECK_EQ(getrlimit(RLIMIT_CORE, &limit), 0);
    CHECK(dumpable || (limit.rlim_cur == 0 && limit.rlim_max == 0));
}

static void memory_is_guarded_unless_somebody_says_dumpable(void)
{
    CHECK_EQ(end_of(act_guarded, NULL), SURVIVED);
    CHECK_EQ(end_of(act_guarded, "dumpable"), SURVIVED);
}

static const struct test_case cases[] = {
    {"each call that is not listed ends the process", each_call_that_is_not_listed_ends_the_process,
     0},
    {"the same call is made where the mode says so", the_same_call_is_made_where_the_mode_says_so,
     0},
    {"threads of before and of after are held too", threads_of_before_and_of_after_are_held_too, 0},
    {"what the daemon needs goes on", what_the_daemon_needs_goes_on, 0},
    {"a library that comes late is told that it cannot",
     a_library_that_comes_late_is_told_that_it_cannot, 0},
    {"an assertion that fails still aborts", an_assertion_that_fails_still_aborts, 0},
    {"modes have words", modes_have_words, 0},
    {"memory is guarded unless somebody says dumpable",
     memory_is_guarded_unless_somebody_says_dumpable, 0},
};

TEST_MAIN(cases)
