/* SPDX-License-Identifier: MIT */
#define _XOPEN_SOURCE 700 /* nftw */

#include "testing.h"
#include "testing_check.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Of the case's own process. */
static char directory[] = "/tmp/canceld-test-XXXXXX";
static size_t descriptors_base;

/* ---- failing ---- */

void test_give_up(void)
{
    (void) fflush(NULL);
    /* Not exit(): what is registered there may wait for threads that will never come. */
    _exit(EXIT_FAILURE);
}

void test_left_out(const char *why)
{
    (void) printf("  left out: %s\n", why);
}

/* ---- time and chance ---- */

uint64_t test_now_ms(void)
{
    struct timespec now;
    (void) clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}

struct test_wait test_wait_begin(uint64_t ms)
{
    return (struct test_wait){.deadline_ms = test_now_ms() + ms * TEST_PATIENCE};
}

bool test_wait_more(struct test_wait *wait)
{
    (void) poll(NULL, 0, 1);
    return test_now_ms() < wait->deadline_ms;
}

uint64_t test_seed(void)
{
    uint64_t seed = 0;
    const char *given = getenv("CANCELD_TEST_SEED");
    if (given != NULL) {
        seed = strtoull(given, NULL, 0);
    } else {
        CHECK(getrandom(&seed, sizeof seed, 0) == (ssize_t) sizeof seed);
    }
    (void) printf("seed: CANCELD_TEST_SEED=%" PRIu64 "\n", seed);
    (void) fflush(stdout);
    return seed;
}

uint64_t test_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* ---- the case's surroundings ---- */

const char *test_directory(void)
{
    return directory;
}

const char *test_path(const char *name)
{
    static char paths[4][600];
    static size_t next;
    char *path = paths[next++ % 4];
    (void) snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}

size_t test_descriptors_count(void)
{
    size_t count = 0;
    DIR *listing = opendir("/proc/self/fd");
    CHECK(listing != NULL);
    for (const struct dirent *entry = readdir(listing); entry != NULL; entry = readdir(listing)) {
        count += entry->d_name[0] != '.' ? 1 : 0;
    }
    (void) closedir(listing);
    return count - 1; /* the listing's own */
}

void test_descriptors_mark(void)
{
    descriptors_base = test_descriptors_count();
}

/* The last of them may be on their way out on another thread. */
static void check_descriptors(void)
{
    struct test_wait wait = test_wait_begin(2000);
    while (test_descriptors_count() != descriptors_base) {
        if (!test_wait_more(&wait)) {
            (void) fprintf(stderr, "descriptors: %zu at the beginning, %zu at the end\n",
                           descriptors_base, test_descriptors_count());
            test_give_up();
        }
    }
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void) status;
    (void) kind;
    (void) walk;
    (void) remove(path);
    return 0;
}

/* ---- the runner ---- */

static void run_inside(const struct test_case *test)
{
    sigset_t none;
    (void) sigemptyset(&none);
    (void) sigprocmask(SIG_SETMASK, &none, NULL);
    (void) setpgid(0, 0);
    test_descriptors_mark();
    test->run();
    check_descriptors();
    (void) fflush(NULL);
    exit(EXIT_SUCCESS); /* runs the leak check of the address sanitizer */
}

/* Waits until the process ends or the time is over; false for the latter. SIGCHLD is blocked, so
 * that its arrival is waited for and never missed. */
static bool wait_for(pid_t pid, uint64_t deadline_ms, int *status_out)
{
    sigset_t child;
    (void) sigemptyset(&child);
    (void) sigaddset(&child, SIGCHLD);
    while (waitpid(pid, status_out, WNOHANG) == 0) {
        const uint64_t now_ms = test_now_ms();
        if (now_ms >= deadline_ms) {
            return false;
        }
        const uint64_t left_ms = deadline_ms - now_ms;
        const struct timespec left = {.tv_sec = (time_t) (left_ms / 1000),
                                      .tv_nsec = (long) (left_ms % 1000) * 1000000};
        (void) sigtimedwait(&child, NULL, &left);
    }
    return true;
}

static void print_end(int status, bool in_time)
{
    if (!in_time) {
        (void) printf("  still running at its deadline\n");
    } else if (WIFSIGNALED(status)) {
        (void) printf("  ended by signal %d (%s)\n", WTERMSIG(status), strsignal(WTERMSIG(status)));
    } else if (WIFEXITED(status) && WEXITSTATUS(status) != EXIT_FAILURE) {
        (void) printf("  ended with status %d\n", WEXITSTATUS(status));
    }
}

static bool run_case(const struct test_case *test)
{
    const uint64_t begin_ms = test_now_ms();
    (void) memcpy(directory + sizeof directory - 7, "XXXXXX", 6);
    if (mkdtemp(directory) == NULL) {
        (void) printf("FAILED %s: no directory: %s\n", test->name, strerror(errno));
        return false;
    }
    (void) fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0) {
        run_inside(test);
    }
    int status = 0;
    const uint64_t span_ms =
        (test->deadline_ms != 0 ? test->deadline_ms : TEST_CASE_MS) * TEST_PATIENCE;
    const bool in_time = pid > 0 && wait_for(pid, begin_ms + span_ms, &status);
    if (pid > 0) {
        (void) kill(-pid, SIGKILL); /* whatever the case has started, and itself if it hangs */
        if (!in_time) {
            (void) waitpid(pid, &status, 0);
        }
    }
    (void) nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    const bool ok = in_time && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    (void) printf("%s %s (%" PRIu64 " ms)\n", ok ? "ok    " : "FAILED", test->name,
                  test_now_ms() - begin_ms);
    if (!ok) {
        print_end(status, in_time);
    }
    return ok;
}

int test_main(const struct test_case *cases, size_t cases_count, int argc, char **argv)
{
    sigset_t child;
    (void) sigemptyset(&child);
    (void) sigaddset(&child, SIGCHLD);
    (void) sigprocmask(SIG_BLOCK, &child, NULL);

    size_t run_count = 0;
    size_t failed_count = 0;
    for (size_t i = 0; i < cases_count; i++) {
        if (argc > 1 && strstr(cases[i].name, argv[1]) == NULL) {
            continue;
        }
        run_count++;
        failed_count += run_case(&cases[i]) ? 0 : 1;
    }
    (void) printf("%zu cases, %zu failed\n", run_count, failed_count);
    return run_count > 0 && failed_count == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
