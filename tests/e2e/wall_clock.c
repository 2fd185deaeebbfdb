/* SPDX-License-Identifier: MIT */
/* A wall clock that a test can move under one process alone: preloaded, it adds the seconds that the file
 * of WALL_CLOCK_FILE holds (eight bytes, signed) to every answer, as they are at that moment. The monotonic
 * clock is left alone. */
#define _GNU_SOURCE /* RTLD_NEXT */

#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int (*clock_real)(clockid_t, struct timespec *);
static const volatile int64_t *moved_s;

__attribute__((constructor)) static void begin(void)
{
    void *found = dlsym(RTLD_NEXT, "clock_gettime");
    const char *path = getenv("WALL_CLOCK_FILE");
    int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    memcpy(&clock_real, &found, sizeof found);
    if (fd < 0) {
        abort();
    }
    void *memory = mmap(NULL, sizeof *moved_s, PROT_READ, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) {
        abort();
    }
    moved_s = memory;
    (void) close(fd);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    if (clock_real == NULL) {
        begin();
    }
    int result = clock_real(clock, now);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        now->tv_sec += (time_t) *moved_s;
    }
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec time;
    (void) zone;
    (void) clock_gettime(CLOCK_REALTIME, &time);
    now->tv_sec = time.tv_sec;
    now->tv_usec = time.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now_out)
{
    struct timespec now;
    (void) clock_gettime(CLOCK_REALTIME, &now);
    if (now_out != NULL) {
        *now_out = now.tv_sec;
    }
    return now.tv_sec;
}
