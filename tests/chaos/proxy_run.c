/* SPDX-License-Identifier: MIT */
#include "chaos/proxy_run.h"
#include "bound_child.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINE_BYTES 4096
#define SEED_BYTES 24

__attribute__((noreturn)) static void fail(const struct chaos_proxy_run *run, const char *what)
{
    (void) fprintf(stderr, "%s: the chaos proxy: %s\n", run->whose, what);
    exit(EXIT_FAILURE);
}

__attribute__((noreturn)) static void become(const struct chaos_proxy_run *run, const char *target,
                                             const char *url, uint64_t seed)
{
    char number[SEED_BYTES];
    (void) snprintf(number, sizeof number, "%" PRIu64, seed);
    (void) dup2(run->in, STDIN_FILENO);
    (void) dup2(run->out, STDOUT_FILENO);
    (void) execl(run->program, run->program, target, url, number, (char *) NULL);
    _exit(127);
}

static size_t read_some(const struct chaos_proxy_run *run, char *line, size_t room)
{
    const ssize_t got = read(run->out, line, room);
    if (got < 0) {
        fail(run, "cannot be read from");
    }
    return (size_t) got;
}

void chaos_proxy_start(struct chaos_proxy_run *run, const char *target, char *url, uint64_t seed)
{
    int in[2], out[2];
    char line[LINE_BYTES];
    size_t size = 0;
    if (strncmp(target, "ipc://", strlen("ipc://")) == 0) {
        (void) snprintf(url, CHAOS_URL_BYTES, "%s-chaos", target);
    } else {
        (void) snprintf(url, CHAOS_URL_BYTES, "tcp://127.0.0.1:0");
    }
    if (pipe(in) != 0 || pipe(out) != 0 || fcntl(in[1], F_SETFD, FD_CLOEXEC) != 0 ||
        fcntl(out[0], F_SETFD, FD_CLOEXEC) != 0) {
        fail(run, "there is no pipe to be had");
    }
    *run = (struct chaos_proxy_run){
        .whose = run->whose, .program = run->program, .in = in[0], .out = out[1]};
    run->pid = bound_child_fork();
    if (run->pid < 0) {
        fail(run, "there is no process to be had");
    }
    if (run->pid == 0) {
        become(run, target, url, seed);
    }
    (void) close(in[0]);
    (void) close(out[1]);
    run->in = in[1];
    run->out = out[0];
    while (size == 0 || line[size - 1] != '\n') {
        const size_t got = read_some(run, line + size, sizeof line - 1 - size);
        if (got == 0) {
            fail(run, "does not come up");
        }
        size += got;
    }
    line[size] = '\0';
    if (sscanf(line, "ready %255s", url) != 1) {
        fail(run, "says something else");
    }
}

bool chaos_proxy_stop(struct chaos_proxy_run *run)
{
    char line[LINE_BYTES];
    int status = 0;
    (void) close(run->in);
    (void) fflush(stdout);
    for (size_t got = read_some(run, line, sizeof line); got > 0;
         got = read_some(run, line, sizeof line)) {
        (void) fwrite(line, 1, got, stdout);
    }
    (void) close(run->out);
    if (waitpid(run->pid, &status, 0) != run->pid || !WIFEXITED(status)) {
        fail(run, "ended badly");
    }
    return WEXITSTATUS(status) == EXIT_SUCCESS;
}
