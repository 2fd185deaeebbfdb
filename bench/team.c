/* SPDX-License-Identifier: MIT */
#include "team.h"

#include "base/check.h"
#include "slice.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

unsigned team_processors(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : (unsigned) count;
}

/* By the system call: the function wants more than POSIX of the headers. A machine that does not let us
 * choose measures without. */
void team_pin(unsigned processor)
{
    unsigned long mask[16] = {0};
    unsigned bits = 8 * sizeof mask[0];
    unsigned number = processor % team_processors();
    if (number < 16 * bits) {
        mask[number / bits] = 1UL << (number % bits);
        (void) syscall(SYS_sched_setaffinity, 0, sizeof mask, mask);
    }
}

void team_unpin(void)
{
    unsigned long mask[16];
    memset(mask, 0xff, sizeof mask);
    (void) syscall(SYS_sched_setaffinity, 0, sizeof mask, mask);
}

void team_init(struct team *team, unsigned count, void (*work)(struct team_member *member),
               void *context)
{
    ASSERT(count >= 1 && count <= TEAM_MEMBERS_MAX);
    *team = (struct team){.count = count};
    for (unsigned i = 0; i < count; i++) {
        team->members[i] = (struct team_member){.number = i,
                                                .processor = i,
                                                .context = context,
                                                .work = work,
                                                .stop = &team->stop,
                                                .team = team};
    }
}

static void *member_main(void *argument)
{
    struct team_member *member = argument;
    team_pin(member->processor);
    atomic_fetch_add(&member->team->ready, 1);
    while (!atomic_load(&member->team->go)) {
        sched_yield();
    }
    uint64_t cpu_ns = slice_thread_cpu_ns();
    member->work(member);
    member->cpu_ns = slice_thread_cpu_ns() - cpu_ns;
    slice_thread_ends();
    return NULL;
}

void team_rest(uint32_t ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long) (ms % 1000) * 1000000};
    while (nanosleep(&time, &time) != 0) {
    }
}

uint64_t team_run(struct team *team, uint32_t slice_ms)
{
    pthread_t threads[TEAM_MEMBERS_MAX];
    atomic_store(&team->ready, 0);
    atomic_store(&team->go, false);
    atomic_store(&team->stop, false);
    for (unsigned i = 0; i < team->count; i++) {
        team->members[i].ops = 0;
        ASSERT(pthread_create(&threads[i], NULL, member_main, &team->members[i]) == 0);
    }
    while (atomic_load(&team->ready) < team->count) {
        sched_yield();
    }
    uint64_t from_ns = slice_now_ns();
    atomic_store(&team->go, true);
    if (slice_ms > 0) {
        team_rest(slice_ms);
        atomic_store(&team->stop, true);
    }
    for (unsigned i = 0; i < team->count; i++) {
        pthread_join(threads[i], NULL);
    }
    return slice_now_ns() - from_ns;
}

uint64_t team_ops(const struct team *team)
{
    uint64_t ops = 0;
    for (unsigned i = 0; i < team->count; i++) {
        ops += team->members[i].ops;
    }
    return ops;
}

uint64_t team_cpu_ns(const struct team *team)
{
    uint64_t cpu_ns = 0;
    for (unsigned i = 0; i < team->count; i++) {
        cpu_ns += team->members[i].cpu_ns;
    }
    return cpu_ns;
}
