/* SPDX-License-Identifier: MIT */
#include "slice.h"

#include "base/check.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DELAY_SHARE_MAX 0.04
#define FOREIGN_SHARE_MAX 0.04
#define PATH_BYTES 64

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    ASSERT(clock_gettime(clock, &now) == 0);
    return (uint64_t) now.tv_sec * UINT64_C(1000000000) + (uint64_t) now.tv_nsec;
}

uint64_t slice_now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t slice_thread_cpu_ns(void)
{
    return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

/* Adds a schedstat file's time on a processor and run delay; nothing where it is gone. */
static void add_schedstat(const char *path, uint64_t *cpu_ns, uint64_t *delay_ns)
{
    char text[128];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0) {
        close(fd);
    }
    if (size <= 0) {
        return;
    }
    text[size] = '\0';
    uint64_t cpu = 0;
    uint64_t delay = 0;
    if (sscanf(text, "%" SCNu64 " %" SCNu64, &cpu, &delay) == 2) {
        *cpu_ns += cpu;
        *delay_ns += delay;
    }
}

uint64_t slice_thread_delay_ns(void)
{
    uint64_t cpu = 0;
    uint64_t delay = 0;
    add_schedstat("/proc/thread-self/schedstat", &cpu, &delay);
    return delay;
}

static atomic_uint_least64_t ended_delay_ns; /* of threads that are gone */

void slice_thread_ends(void)
{
    atomic_fetch_add(&ended_delay_ns, slice_thread_delay_ns());
}

static void add_process(pid_t pid, uint64_t *cpu_ns, uint64_t *delay_ns)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "/proc/%d/task", (int) pid);
    DIR *tasks = opendir(path);
    if (tasks == NULL) {
        return;
    }
    for (struct dirent *task = readdir(tasks); task != NULL; task = readdir(tasks)) {
        if (task->d_name[0] != '.') {
            snprintf(path, sizeof path, "/proc/%d/task/%.16s/schedstat", (int) pid, task->d_name);
            add_schedstat(path, cpu_ns, delay_ns);
        }
    }
    closedir(tasks);
}

/* How long all processors together were not idle since the start, stolen time included, in ns. */
static uint64_t machine_busy_ns(void)
{
    FILE *file = fopen("/proc/stat", "re");
    if (file == NULL) {
        return 0;
    }
    uint64_t field[8] = {0};
    int fields = fscanf(file,
                        "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
                        " %" SCNu64 " %" SCNu64,
                        &field[0], &field[1], &field[2], &field[3], &field[4], &field[5], &field[6],
                        &field[7]);
    fclose(file);
    if (fields != 8) {
        return 0;
    }
    uint64_t ticks = field[0] + field[1] + field[2] + field[5] + field[6] + field[7];
    return ticks * (UINT64_C(1000000000) / (uint64_t) sysconf(_SC_CLK_TCK));
}

/* Sums of now; slice_end() subtracts what slice_begin() wrote. */
static void measure(const struct slice *slice, struct slice *sums)
{
    sums->cpu_ns = 0;
    sums->delay_ns = 0;
    uint64_t ours_cpu = 0; /* of the threads that are there now: the clock below has all */
    add_process(getpid(), &ours_cpu, &sums->delay_ns);
    sums->delay_ns += atomic_load(&ended_delay_ns);
    for (size_t i = 0; i < slice->pids_count; i++) {
        add_process(slice->pids[i], &sums->cpu_ns, &sums->delay_ns);
    }
    sums->cpu_ns += clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    sums->foreign_ns = machine_busy_ns();
    sums->wall_ns = slice_now_ns();
}

void slice_begin(struct slice *slice, const pid_t *pids, size_t pids_count)
{
    ASSERT(pids_count <= SLICE_PIDS_MAX);
    *slice = (struct slice){.pids_count = pids_count};
    for (size_t i = 0; i < pids_count; i++) {
        slice->pids[i] = pids[i];
    }
    measure(slice, slice);
}

static uint64_t above(uint64_t later, uint64_t earlier)
{
    return later > earlier ? later - earlier : 0;
}

void slice_end(struct slice *slice)
{
    struct slice sums;
    measure(slice, &sums);
    slice->wall_ns = sums.wall_ns - slice->wall_ns;
    slice->cpu_ns = above(sums.cpu_ns, slice->cpu_ns);
    slice->delay_ns = above(sums.delay_ns, slice->delay_ns);
    slice->foreign_ns = above(above(sums.foreign_ns, slice->foreign_ns), slice->cpu_ns);
    double wall = (double) slice->wall_ns;
    slice->quiet = (double) slice->delay_ns <= DELAY_SHARE_MAX * wall ||
                   (double) slice->foreign_ns <= FOREIGN_SHARE_MAX * wall;
}

/* ---- time stamps ---- */

static double ns_per_tick = 1;

#if defined(__x86_64__)
#define CALIBRATION_NS UINT64_C(20000000)

void slice_ticks_init(void)
{
    uint64_t from_ns = slice_now_ns();
    uint64_t from = slice_ticks();
    while (slice_now_ns() - from_ns < CALIBRATION_NS) {
    }
    uint64_t ticks = slice_ticks() - from;
    ns_per_tick = (double) (slice_now_ns() - from_ns) / (double) ticks;
}
#else
void slice_ticks_init(void)
{
}
#endif

uint64_t slice_ticks_ns(uint64_t ticks)
{
    return (uint64_t) ((double) ticks * ns_per_tick);
}
