/* SPDX-License-Identifier: MIT */
#include "child.h"

#include <errno.h>
#include <spawn.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static bool is_foreground(void)
{
    return tcgetpgrp(STDIN_FILENO) == getpgrp();
}

static bool may_have_terminal(void)
{
    struct stat out;

    return isatty(STDIN_FILENO) == 1 && is_foreground() &&
           !(fstat(STDOUT_FILENO, &out) == 0 && S_ISFIFO(out.st_mode));
}

/* posix_spawn, not fork: the client library has threads. */
static int spawn(struct child *child, char **argv, const struct signals *signals)
{
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t actions;
    sigset_t defaults;
    int error = posix_spawnattr_init(&attributes);

    if (error != 0) {
        return error;
    }
    error = posix_spawn_file_actions_init(&actions);
    if (error != 0) {
        (void) posix_spawnattr_destroy(&attributes);
        return error;
    }
    (void) sigemptyset(&defaults);
    if (signals->pipe_is_default) {
        (void) sigaddset(&defaults, SIGPIPE);
    }
    (void) posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                                     POSIX_SPAWN_SETSIGDEF);
    (void) posix_spawnattr_setpgroup(&attributes, 0);
    (void) posix_spawnattr_setsigmask(&attributes, &signals->mask_before);
    (void) posix_spawnattr_setsigdefault(&attributes, &defaults);
    if (child->has_terminal) {
        error = posix_spawn_file_actions_addtcsetpgrp_np(&actions, STDIN_FILENO);
    }
    if (error == 0) {
        error = posix_spawnp(&child->pid, argv[0], &actions, &attributes, argv, environ);
    }
    (void) posix_spawn_file_actions_destroy(&actions);
    (void) posix_spawnattr_destroy(&attributes);
    return error;
}

int child_start(struct child *child, char **argv, const struct signals *signals)
{
    int error;

    *child = (struct child){.has_terminal = may_have_terminal()};
    (void) prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    error = spawn(child, argv, signals);
    if (error != 0) {
        child_terminal_take(child);
    }
    return error;
}

void child_reap(struct child *child)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED)) > 0) {
        if (pid != child->pid) {
            continue;
        }
        if (WIFSTOPPED(status)) {
            child->stopped_by = WSTOPSIG(status);
            child->stop_is_unseen = true;
        } else if (WIFCONTINUED(status)) {
            child->stopped_by = 0;
            child->stop_is_unseen = false;
        } else {
            child->has_ended = true;
            child->status = status;
        }
    }
}

int child_stop_take(struct child *child)
{
    bool is_new = child->stop_is_unseen;

    child->stop_is_unseen = false;
    return is_new ? child->stopped_by : 0;
}

void child_signal(struct child *child, int number)
{
    (void) kill(-child->pid, number);
    if (number != SIGKILL && number != SIGSTOP && number != SIGTSTP && number != SIGCONT) {
        (void) kill(-child->pid, SIGCONT);
    }
}

bool child_group_is_gone(const struct child *child)
{
    return child->has_ended && kill(-child->pid, 0) != 0 && errno == ESRCH;
}

void child_terminal_take(const struct child *child)
{
    if (child->has_terminal) {
        (void) tcsetpgrp(STDIN_FILENO, getpgrp());
    }
}

void child_continue(struct child *child)
{
    if (child->has_terminal && is_foreground()) {
        (void) tcsetpgrp(STDIN_FILENO, child->pid);
    }
    (void) kill(-child->pid, SIGCONT);
}

void child_stop_ourselves(struct child *child)
{
    sigset_t stop;

    child_terminal_take(child);
    (void) sigemptyset(&stop);
    (void) sigaddset(&stop, SIGTSTP);
    (void) raise(SIGTSTP);
    /* Here it stops, where a shell stands above; the kernel lets an orphan go on. */
    (void) pthread_sigmask(SIG_UNBLOCK, &stop, NULL);
    (void) pthread_sigmask(SIG_BLOCK, &stop, NULL);
    child_continue(child);
}

int child_exit_code(const struct child *child)
{
    return WIFSIGNALED(child->status) ? 128 + WTERMSIG(child->status) : WEXITSTATUS(child->status);
}
