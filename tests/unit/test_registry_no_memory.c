/* SPDX-License-Identifier: MIT */
/* A registry that does not get its memory. This program is linked with mmap(), mprotect() and calloc() that fail
 * when the test says so. */
#include "registry_rig.h"
#include "testing.h"

#include "registry/lease_clock.h"

#include <stdlib.h>
#include <sys/mman.h>

#define NEVER UINT64_MAX

static struct rig rig;
static uint64_t calls_left = NEVER; /* until one fails, and then each */
static uint64_t mapped;             /* regions there are */

void *__real_mmap(void *at, size_t size, int protection, int flags, int file, off_t offset);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int file, off_t offset);
int __real_munmap(void *at, size_t size);
int __wrap_munmap(void *at, size_t size);
int __real_mprotect(void *at, size_t size, int protection);
int __wrap_mprotect(void *at, size_t size, int protection);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

static bool fails(void)
{
    calls_left -= calls_left == NEVER || calls_left == 0 ? 0 : 1;
    return calls_left == 0;
}

void *__wrap_mmap(void *at, size_t size, int protection, int flags, int file, off_t offset)
{
    if (fails()) {
        return MAP_FAILED;
    }
    mapped += (flags & MAP_FIXED) == 0;
    return __real_mmap(at, size, protection, flags, file, offset);
}

int __wrap_munmap(void *at, size_t size)
{
    mapped--;
    return __real_munmap(at, size);
}

int __wrap_mprotect(void *at, size_t size, int protection)
{
    return fails() ? -1 : __real_mprotect(at, size, protection);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

/* ---- at its beginning ---- */

static void send(void *context, const struct reply_to *to, struct bytes reply)
{
    (void) context, (void) to, (void) reply;
}

static void told(void *context, const struct notice *notice, const struct direct_value *value)
{
    (void) context, (void) notice, (void) value;
}

static struct registry *make(void)
{
    struct registry_config config = {.limits = limits_default(), .epoch = 1, .counter_first = 1};
    struct registry_port port = {.send = send, .told = told};
    return registry_new(&config, &port);
}

static void every_call_that_fails_at_the_beginning(void)
{
    const uint64_t mapped_before = mapped; /* counters of coverage are mapped too */
    uint64_t failed = 0;
    for (;; failed++) {
        calls_left = failed + 1;
        struct registry *registry = make();
        calls_left = NEVER;
        if (registry != NULL) {
            registry_free(registry);
            break;
        }
        CHECK_EQ(mapped, mapped_before);
    }
    CHECK_EQ(mapped, mapped_before);
    CHECK_GT(failed, 100); /* so many tables there are */
}

static void every_call_of_a_lease_clock_that_fails(void)
{
    struct lease_clock clock;
    const uint64_t mapped_before = mapped; /* counters of coverage are mapped too */
    uint64_t failed = 0;
    for (;; failed++) {
        calls_left = failed + 1;
        bool good = lease_clock_init(&clock, 0, 100);
        calls_left = NEVER;
        if (good) {
            break;
        }
        CHECK_EQ(mapped, mapped_before);
    }
    lease_clock_fini(&clock);
    CHECK_EQ(mapped, mapped_before);
    CHECK_GT(failed, 2);
}

/* ---- later: no more of what was reserved can be made usable ---- */

/* Of a fresh registry, the first store, with the nth call failing; true where none of them did. */
static bool first_store_is_stored(uint64_t failing, struct op store)
{
    rig_init(&rig, NULL, 1);
    uint64_t session = rig_open(&rig, 1, 0);
    calls_left = failing;
    struct seen seen = rig_do_quickly(&rig, session, store);
    bool met = calls_left == 0;
    calls_left = NEVER;
    registry_check(rig.registry);
    CHECK_EQ(seen.answer, met ? ANSWER_FULL : ANSWER_STORED);
    if (met) {
        CHECK_STR_EQ(seen.limit, "operations");
        CHECK_EQ(rig_do(&rig, session, store).answer, ANSWER_STORED);
    }
    rig_fini(&rig);
    return !met;
}

static void a_store_without_memory_is_refused(struct op store)
{
    uint64_t failing = 1;
    while (!first_store_is_stored(failing, store)) {
        failing++;
    }
    CHECK_GT(failing, 2); /* more than one table wants memory */
}

static void a_plain_store_without_memory(void)
{
    a_store_without_memory_is_refused(rig_store("k", POLICY_REJECT));
}

static void a_whole_store_without_memory(void)
{
    struct bytes label = bytes_of_string("x");
    struct op store = rig_store("k", POLICY_REJECT);
    store.as.store.labels = (struct labels){.items = &label, .count = 1};
    a_store_without_memory_is_refused(store);
}

static const struct test_case cases[] = {
    {"whatever fails of a registry's beginning, there is none and nothing is left of it",
     every_call_that_fails_at_the_beginning},
    {"whatever fails of a lease clock's beginning, there is none and nothing is left of it",
     every_call_of_a_lease_clock_that_fails},
    {"a plain store without memory answers FULL, and the next is stored",
     a_plain_store_without_memory},
    {"a store with a label without memory answers FULL, and the next is stored",
     a_whole_store_without_memory},
};
TEST_MAIN(cases)
