/* SPDX-License-Identifier: MIT */
/* What gives memory and threads, and fails on demand: malloc() and its kin, mmap(), the mprotect() that makes
 * reserved memory usable, and pthread_create().
 *
 * Each goes on to the next definition of its name, the C library's or the address sanitizer's. Finding
 * that may itself allocate, before there is anything to allocate from: so much is taken from a small block
 * here, never given back. The C library's own calls of malloc (strdup, fopen, getline, open_memstream) come
 * by here too; its own of mmap do not: those are part of a malloc or a pthread_create that was let
 * through. */
#define _GNU_SOURCE /* RTLD_NEXT */
#include "fault.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define EARLY_BYTES 16384
#define EARLY_ALIGN 16

static struct fault_control own;
static struct fault_control *control = &own;

static struct {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void (*free)(void *);
    int (*posix_memalign)(void **, size_t, size_t);
    void *(*aligned_alloc)(size_t, size_t);
    void *(*mmap)(void *, size_t, int, int, int, off_t);
    int (*mprotect)(void *, size_t, int);
    int (*pthread_create)(pthread_t *, const pthread_attr_t *, void *(*) (void *), void *);
} next;

struct fault_control *fault_control(void)
{
    return control;
}

void fault_control_move(struct fault_control *place)
{
    memcpy((void *) place, (const void *) control, sizeof *place);
    control = place;
}

/* ---- the beginning ---- */

static _Alignas(EARLY_ALIGN) char early[EARLY_BYTES];
static size_t early_bytes;
static bool finding;

/* A thread's allocations count from where it runs what it was made for: a sanitizer's before that are not ours. */
static _Thread_local bool born;

static bool is_early(const void *memory)
{
    return (const char *) memory >= early && (const char *) memory < early + EARLY_BYTES;
}

/* One thread alone is there so early. */
static void *early_take(size_t size)
{
    void *memory = early + early_bytes;
    size = (size + EARLY_ALIGN - 1) / EARLY_ALIGN * EARLY_ALIGN;
    if (size > EARLY_BYTES - early_bytes) {
        return NULL;
    }
    early_bytes += size;
    return memory;
}

#define FIND(name) (*(void **) &next.name = dlsym(RTLD_NEXT, #name))

static void find_next(void)
{
    finding = true;
    FIND(malloc);
    FIND(calloc);
    FIND(realloc);
    FIND(free);
    FIND(posix_memalign);
    FIND(aligned_alloc);
    FIND(mmap);
    FIND(mprotect);
    FIND(pthread_create);
    finding = false;
}

/* Whether the real ones are there. */
static bool is_ready(void)
{
    if (next.pthread_create == NULL && !finding) {
        find_next();
    }
    return !finding;
}

/* The file of a process that is told what to do from outside. It stays mapped. */
__attribute__((constructor)) static void control_map(void)
{
    const char *path = getenv(FAULT_ENVIRONMENT);
    born = true;
    (void) is_ready();
    int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    void *memory =
        next.mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t) 0);
    (void) close(fd);
    if (memory != MAP_FAILED) {
        control = memory;
    }
}

/* ---- arming ---- */

void fault_arm(uint64_t fail_at, bool for_ever)
{
    control->armed = 0;
    control->fail_at = fail_at;
    control->for_ever = for_ever;
    control->allocations = 0;
    control->failed = 0;
    control->place = 0;
    control->armed = 1;
}

uint64_t fault_disarm(void)
{
    control->armed = 0;
    return control->failed;
}

int64_t fault_live(void)
{
    return control->live;
}

/* Whether this one is to fail. */
static bool fails(const void *place)
{
    if (!control->armed || !born) {
        return false;
    }
    const uint64_t number = atomic_fetch_add(&control->allocations, 1) + 1;
    const uint64_t at = control->fail_at;
    if (at == 0 || number < at || (number > at && !control->for_ever)) {
        return false;
    }
    if (atomic_fetch_add(&control->failed, 1) == 0) {
        control->place = (uint64_t) (uintptr_t) place;
    }
    errno = ENOMEM;
    return true;
}

static void *counted(void *memory)
{
    if (memory != NULL) {
        atomic_fetch_add(&control->live, 1);
    }
    return memory;
}

/* ---- memory ---- */

void *malloc(size_t size)
{
    if (!is_ready()) {
        return early_take(size);
    }
    return fails(__builtin_return_address(0)) ? NULL : counted(next.malloc(size));
}

void *calloc(size_t count, size_t size)
{
    if (!is_ready()) {
        return early_take(count * size); /* zero as it is */
    }
    return fails(__builtin_return_address(0)) ? NULL : counted(next.calloc(count, size));
}

void *realloc(void *memory, size_t size)
{
    if (!is_ready() || is_early(memory)) {
        void *moved = malloc(size);
        size_t room = memory == NULL ? 0 : (size_t) (early + EARLY_BYTES - (char *) memory);
        return moved == NULL ? NULL : memcpy(moved, memory, size < room ? size : room);
    }
    if (fails(__builtin_return_address(0))) {
        return NULL;
    }
    void *moved = next.realloc(memory, size);
    if (memory == NULL) {
        return counted(moved);
    }
    if (moved == NULL && size == 0) {
        atomic_fetch_sub(&control->live, 1);
    }
    return moved;
}

void free(void *memory)
{
    if (memory == NULL || is_early(memory) || !is_ready()) {
        return;
    }
    atomic_fetch_sub(&control->live, 1);
    next.free(memory);
}

int posix_memalign(void **memory_out, size_t align, size_t size)
{
    (void) is_ready();
    if (fails(__builtin_return_address(0))) {
        return ENOMEM;
    }
    int failure = next.posix_memalign(memory_out, align, size);
    if (failure == 0) {
        (void) counted(*memory_out);
    }
    return failure;
}

void *aligned_alloc(size_t align, size_t size)
{
    (void) is_ready();
    return fails(__builtin_return_address(0)) ? NULL : counted(next.aligned_alloc(align, size));
}

/* ---- pages ---- */

void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    (void) is_ready();
    return fails(__builtin_return_address(0))
               ? MAP_FAILED
               : next.mmap(address, size, protection, flags, fd, offset);
}

/* What is built for large files calls it so. */
void *mmap64(void *address, size_t size, int protection, int flags, int fd, off_t offset)
    __attribute__((alias("mmap")));

/* Taking memory's use away needs none. */
int mprotect(void *address, size_t size, int protection)
{
    (void) is_ready();
    if (protection != PROT_NONE && fails(__builtin_return_address(0))) {
        return -1;
    }
    return next.mprotect(address, size, protection);
}

/* ---- threads ---- */

struct birth {
    void *(*run)(void *);
    void *arg;
};

static void *thread_run(void *arg)
{
    const struct birth birth = *(struct birth *) arg;
    next.free(arg);
    born = true;
    void *result = birth.run(birth.arg);
    born = false;
    return result;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *arg)
{
    (void) is_ready();
    struct birth *birth = fails(__builtin_return_address(0)) ? NULL : next.malloc(sizeof *birth);
    if (birth == NULL) {
        return EAGAIN;
    }
    *birth = (struct birth){.run = run, .arg = arg};
    int failure = next.pthread_create(thread, attributes, thread_run, birth);
    if (failure != 0) {
        next.free(birth);
    }
    return failure;
}
