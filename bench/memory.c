/* SPDX-License-Identifier: MIT */
#include "memory.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* The "Rss:" line of smaps_rollup; 0 where it cannot be had. */
static uint64_t rollup(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int) pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return 0;
    }
    char line[256];
    uint64_t kib = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "Rss: %" SCNu64, &kib) == 1) {
            break;
        }
    }
    fclose(file);
    return kib * 1024;
}

/* The second number of statm, in pages: the kernel counts it in steps. */
static uint64_t statm(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/statm", (int) pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return 0;
    }
    uint64_t pages = 0;
    int fields = fscanf(file, "%*u %" SCNu64, &pages);
    fclose(file);
    return fields == 1 ? pages * (uint64_t) sysconf(_SC_PAGESIZE) : 0;
}

uint64_t memory_resident_of(pid_t pid)
{
    uint64_t bytes = rollup(pid);
    return bytes != 0 ? bytes : statm(pid);
}

uint64_t memory_resident(void)
{
    return memory_resident_of(getpid());
}

void memory_trim(void)
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

static bool read_all(int fd, void *buffer, size_t bytes)
{
    size_t have = 0;
    while (have < bytes) {
        ssize_t got = read(fd, (char *) buffer + have, bytes - have);
        if (got == 0 || (got < 0 && errno != EINTR)) {
            return false;
        }
        have += got > 0 ? (size_t) got : 0;
    }
    return true;
}

__attribute__((noreturn)) static void child(int fd, void (*measure)(void *context, void *result),
                                            void *context, size_t result_bytes)
{
    void *result = calloc(1, result_bytes);
    ASSERT(result != NULL);
    measure(context, result);
    ssize_t put = write(fd, result, result_bytes); /* less than a pipe holds: all or nothing */
    _exit(put == (ssize_t) result_bytes ? EXIT_SUCCESS : EXIT_FAILURE);
}

bool memory_apart(void (*measure)(void *context, void *result), void *context, void *result,
                  size_t result_bytes)
{
    int ends[2];
    if (pipe(ends) != 0) {
        return false;
    }
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        child(ends[1], measure, context, result_bytes);
    }
    close(ends[1]);
    bool good = pid > 0 && read_all(ends[0], result, result_bytes);
    close(ends[0]);
    int status = 0;
    if (pid > 0) {
        (void) waitpid(pid, &status, 0); /* it has told, or it has failed: no use in its code */
    }
    return good;
}
