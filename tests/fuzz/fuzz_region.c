/* SPDX-License-Identifier: MIT */
/* In place of base/region.c: regions out of one mapping that is wiped when the last of them is given back. A
 * registry has hundreds of them, and to map each for every input would take more time than the input itself.
 * Small ones lie close together, each with a few poisoned bytes behind it; large ones cost nothing until they
 * are touched. What is reserved and not committed is poisoned, so the sanitizer sees who touches it. The
 * registry's own struct, which is large as well, comes from the same mapping. */
#include "base/region.h"

#include "testing.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>

#if TEST_SANITIZED && defined(__clang__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(place, size) ((void) (place), (void) (size))
#define ASAN_UNPOISON_MEMORY_REGION(place, size) ((void) (place), (void) (size))
#endif

#define SMALL_BYTES_MAX ((size_t) 16384)
#define SMALL_ROOM ((size_t) 1 << 20)
#define LARGE_ROOM ((size_t) 1 << 30)
#define ALIGNMENT ((size_t) 64)
#define RED_BYTES ((size_t) 64)
#define POISONED_MAX 64
#define OBJECT_BYTES_MIN ((size_t) 262144)
#define SMALL_MAX 512
#define PAGE_BYTES ((size_t) 4096)
#define PAGES_WATCHED ((size_t) 16384)
#define PAGES_KEPT 192

static struct {
    uint8_t *small;
    uint8_t *large;
    size_t small_used;
    size_t large_used;
    struct region smalls[SMALL_MAX]; /* as they lie, also from before the last wipe */
    size_t smalls_known;
    size_t smalls_count;
    size_t kept[PAGES_KEPT]; /* pages of `large` that are wiped, not handed back */
    size_t kept_count;
    bool is_kept[PAGES_WATCHED];
    long faults_count; /* of the process, at the last wipe */
    size_t count;      /* of regions that are there */
    struct region poisoned[POISONED_MAX];
    size_t poisoned_count;
} pool;

bool __wrap_region_init(struct region *region, size_t size);
bool __wrap_region_reserve(struct region *region, size_t size);
void __wrap_region_fini(struct region *region);
void __wrap_region_hand_back(struct region *region, size_t offset, size_t size);
bool __wrap_region_commit(struct region *region, size_t offset, size_t size);
void __wrap_region_decommit(struct region *region, size_t offset, size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void __real_free(void *memory);
void __wrap_free(void *memory);

static void pool_begin(void)
{
    if (pool.small == NULL) {
        pool.small = mmap(NULL, SMALL_ROOM + LARGE_ROOM, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        CHECK(pool.small != MAP_FAILED);
        CHECK_EQ(madvise(pool.small, SMALL_ROOM + LARGE_ROOM, MADV_NOHUGEPAGE), 0);
        pool.large = pool.small + SMALL_ROOM;
    }
}

/* Whether the next one lay here before. If not, what lies from here on is forgotten. */
static bool is_known(const uint8_t *base, size_t size)
{
    const struct region *known = &pool.smalls[pool.smalls_count];
    if (pool.smalls_count < pool.smalls_known && known->base == base && known->size == size) {
        return true;
    }
    ASAN_UNPOISON_MEMORY_REGION(base, (size_t) (pool.large - base));
    pool.smalls_known = pool.smalls_count + 1;
    return false;
}

static void *take_small(size_t size)
{
    uint8_t *base = pool.small + pool.small_used;
    const size_t whole = (size + RED_BYTES + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
    CHECK_LE(whole, SMALL_ROOM - pool.small_used);
    CHECK_LT(pool.smalls_count, SMALL_MAX);
    pool.small_used += whole;
    if (!is_known(base, size)) {
        pool.smalls[pool.smalls_count] = (struct region){.base = base, .size = size};
        ASAN_POISON_MEMORY_REGION(base + size, whole - size);
    }
    pool.smalls_count++;
    return base;
}

static void *take_large(size_t size)
{
    uint8_t *base = pool.large + pool.large_used;
    CHECK_LE(size, LARGE_ROOM - pool.large_used);
    pool.large_used += size;
    return base;
}

static size_t whole_grains(size_t size)
{
    return (size + REGION_GRAIN - 1) & ~(REGION_GRAIN - 1);
}

bool __wrap_region_init(struct region *region, size_t size)
{
    const size_t whole = whole_grains(size);
    pool_begin();
    *region = (struct region){.size = whole};
    if (size > 0) {
        region->base = size <= SMALL_BYTES_MAX ? take_small(size) : take_large(whole);
        pool.count++;
    }
    return true;
}

/* Until the next wipe. */
static void poison(uint8_t *base, size_t size)
{
    CHECK_LT(pool.poisoned_count, POISONED_MAX);
    pool.poisoned[pool.poisoned_count++] = (struct region){.base = base, .size = size};
    ASAN_POISON_MEMORY_REGION(base, size);
}

bool __wrap_region_reserve(struct region *region, size_t size)
{
    const size_t whole = whole_grains(size);
    pool_begin();
    *region = (struct region){.size = whole};
    if (size > 0) {
        region->base = take_large(whole);
        poison(region->base, whole);
        pool.count++;
    }
    return true;
}

/* Poisoned bytes among them: with the C library's own memset(), for the sanitizer's looks at each of them. */
static void wipe_bytes(void *base, size_t size)
{
    static void *(*set)(void *, int, size_t);
    if (set == NULL) {
        *(void **) (void *) &set = dlsym(RTLD_NEXT, "memset");
        CHECK(set != NULL);
    }
    (void) set(base, 0, size);
}

/* Small ones stand close together: at once is faster than one by one. */
static void wipe_small(void)
{
    wipe_bytes(pool.small, pool.small_used);
    pool.smalls_count = 0;
    pool.small_used = 0;
}

static long faults_count(void)
{
    struct rusage usage;
    CHECK_EQ(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_minflt;
}

static void wipe_page(size_t page)
{
    wipe_bytes(pool.large + page * PAGE_BYTES, PAGE_BYTES);
}

/* Those that are there and are not kept yet. */
static void find_pages(void)
{
    static uint8_t is_there[PAGES_WATCHED];
    const size_t pages = (pool.large_used + PAGE_BYTES - 1) / PAGE_BYTES;
    CHECK_LE(pages, PAGES_WATCHED);
    CHECK_EQ(mincore(pool.large, pool.large_used, is_there), 0);
    for (size_t i = 0; i < pages; i++) {
        if ((is_there[i] & 1) == 0 || pool.is_kept[i]) {
            continue;
        }
        if (pool.kept_count < PAGES_KEPT) {
            pool.is_kept[i] = true;
            pool.kept[pool.kept_count++] = i;
            wipe_page(i);
        } else {
            CHECK_EQ(madvise(pool.large + i * PAGE_BYTES, PAGE_BYTES, MADV_DONTNEED), 0);
        }
    }
}

/* Without a fault since the last time there is no page that was not there then. */
static void wipe_large(void)
{
    for (size_t i = 0; i < pool.kept_count; i++) {
        wipe_page(pool.kept[i]);
    }
    if (faults_count() != pool.faults_count) {
        find_pages();
        pool.faults_count = faults_count();
    }
    pool.large_used = 0;
}

static void wipe(void)
{
    for (size_t i = 0; i < pool.poisoned_count; i++) {
        ASAN_UNPOISON_MEMORY_REGION(pool.poisoned[i].base, pool.poisoned[i].size);
    }
    pool.poisoned_count = 0;
    wipe_small();
    wipe_large();
}

/* With the last one goes all that was written. */
void __wrap_region_fini(struct region *region)
{
    if (region->base != NULL) {
        pool.count--;
        if (pool.count == 0) {
            wipe();
        }
    }
    *region = (struct region){0};
}

static void *part(const struct region *region, size_t offset, size_t size)
{
    CHECK((uint8_t *) region->base >= pool.large);
    CHECK(offset % REGION_GRAIN == 0 && size % REGION_GRAIN == 0);
    CHECK(offset <= region->size && size <= region->size - offset);
    return (uint8_t *) region->base + offset;
}

void __wrap_region_hand_back(struct region *region, size_t offset, size_t size)
{
    CHECK_EQ(madvise(part(region, offset, size), size, MADV_DONTNEED), 0);
}

bool __wrap_region_commit(struct region *region, size_t offset, size_t size)
{
    ASAN_UNPOISON_MEMORY_REGION(part(region, offset, size), size);
    return true;
}

void __wrap_region_decommit(struct region *region, size_t offset, size_t size)
{
    __wrap_region_hand_back(region, offset, size);
    ASAN_POISON_MEMORY_REGION(part(region, offset, size), size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    if (count != 1 || size < OBJECT_BYTES_MIN) {
        return __real_calloc(count, size);
    }
    pool_begin();
    const size_t whole = whole_grains(size + RED_BYTES);
    uint8_t *object = take_large(whole);
    poison(object + size, whole - size);
    pool.count++;
    return object;
}

void __wrap_free(void *memory)
{
    struct region object = {.base = memory};
    if (pool.small != NULL && (uint8_t *) memory >= pool.small &&
        (uint8_t *) memory < pool.large + LARGE_ROOM) {
        __wrap_region_fini(&object);
    } else {
        __real_free(memory);
    }
}
