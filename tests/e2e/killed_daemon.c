/* SPDX-License-Identifier: MIT */
#include "e2e/killed_daemon.h"

#include "bound_child.h"
#include "testing.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_MS 30000
#define LINE_BYTES 4096

__attribute__((noreturn)) static void fail(const struct killed_daemon *daemon, const char *what)
{
    (void) fprintf(stderr, "%s: %s (process %d)\n", daemon->whose, what, (int) daemon->pid);
    exit(EXIT_FAILURE);
}

/* Reads its standard output until it says that it is ready, and where. */
static void await_ready(const struct killed_daemon *daemon, char *url)
{
    char line[LINE_BYTES];
    size_t size = 0;
    const uint64_t deadline_ms = test_now_ms() + START_MS;
    while (size < sizeof line - 1) {
        struct pollfd ready = {.fd = daemon->out, .events = POLLIN};
        if (test_now_ms() > deadline_ms || poll(&ready, 1, START_MS) <= 0) {
            fail(daemon, "the daemon does not come up");
        }
        const ssize_t got = read(daemon->out, line + size, sizeof line - 1 - size);
        if (got <= 0) {
            fail(daemon, "the daemon ended instead of serving");
        }
        size += (size_t) got;
        line[size] = '\0';
        if (strchr(line, '\n') != NULL && sscanf(line, "ready %255s", url) == 1) {
            return;
        }
    }
    fail(daemon, "the daemon says something else");
}

__attribute__((noreturn)) static void run(const struct killed_daemon *daemon, const char *url,
                                          const int ends[2])
{
    const char *recovery = daemon->recovery_ms;
    (void) dup2(ends[1], STDOUT_FILENO);
    (void) close(ends[0]);
    (void) close(ends[1]);
    (void) execl(daemon->program, daemon->program, "--listen", url, "--state-dir",
                 daemon->state_directory, "--log-level", "error",
                 recovery == NULL ? (char *) NULL : "--recovery", recovery, (char *) NULL);
    _exit(127);
}

void killed_daemon_start(struct killed_daemon *daemon, char *url)
{
    int ends[2];
    if (pipe(ends) != 0) {
        fail(daemon, "there is no pipe to be had");
    }
    daemon->pid = bound_child_fork();
    if (daemon->pid < 0) {
        fail(daemon, "there is no process to be had");
    }
    if (daemon->pid == 0) {
        run(daemon, url, ends);
    }
    (void) close(ends[1]);
    daemon->out = ends[0];
    await_ready(daemon, url);
}

void killed_daemon_kill(struct killed_daemon *daemon)
{
    int status;
    (void) kill(daemon->pid, SIGKILL);
    if (waitpid(daemon->pid, &status, 0) != daemon->pid || !WIFSIGNALED(status) ||
        WTERMSIG(status) != SIGKILL) {
        fail(daemon, "the daemon ended before it was killed");
    }
    (void) close(daemon->out);
}
