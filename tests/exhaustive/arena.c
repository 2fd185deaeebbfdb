/* SPDX-License-Identifier: MIT */
#include "arena.h"

#include "base/check.h"
#include "base/region.h"

#include <string.h>
#include <sys/mman.h>

#define ARENA_BYTES ((size_t) 128 << 20)
#define LINE ((size_t) 64)
#define LINES (ARENA_BYTES / LINE)
#define PAGE ((size_t) 4096)
/* Regions are whole grains; without this shift the first line of each would fall into one set of the cache.
 */
#define COLOUR (13 * LINE)
#define RUNS_MAX 65536

struct run {
    size_t offset;
    size_t bytes;
};

static unsigned char *arena;
static size_t given;
static bool is_open;
static uint8_t known[LINES];
static struct run runs[RUNS_MAX];
static size_t runs_count;
static size_t runs_bytes;
static unsigned char resident[ARENA_BYTES / PAGE];

static void *give(size_t size)
{
    if (arena == NULL) {
        arena = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        ASSERT(arena != MAP_FAILED);
        ASSERT(madvise(arena, ARENA_BYTES, MADV_NOHUGEPAGE) == 0);
    }
    ASSERT(size <= ARENA_BYTES - given);
    void *at = arena + given;
    given += (size + LINE - 1) / LINE * LINE + COLOUR;
    return at;
}

/* ---- in the place of base/region.c ---- */

bool region_init(struct region *region, size_t size)
{
    *region = (struct region){0};
    size = (size + REGION_GRAIN - 1) & ~(REGION_GRAIN - 1);
    if (size > 0) {
        *region = (struct region){.base = give(size), .size = size};
    }
    return true;
}

bool region_reserve(struct region *region, size_t size)
{
    return region_init(region, size);
}

void region_hide(const struct region *region)
{
    (void) region;
}

void region_fini(struct region *region)
{
    *region = (struct region){0};
}

void region_hand_back(struct region *region, size_t offset, size_t size)
{
    ASSERT(offset <= region->size && size <= region->size - offset);
    memset((char *) region->base + offset, 0, size);
}

bool region_commit(struct region *region, size_t offset, size_t size)
{
    ASSERT(offset <= region->size && size <= region->size - offset);
    return true;
}

void region_decommit(struct region *region, size_t offset, size_t size)
{
    region_hand_back(region, offset, size);
}

/* ---- in the place of calloc(), while the arena is open (see CMakeLists.txt) ---- */

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
    return is_open ? give(count * size) : __real_calloc(count, size);
}

/* ---- pictures ---- */

void arena_open(void)
{
    is_open = true;
}

void arena_close(void)
{
    is_open = false;
}

void arena_reset(void)
{
    for (size_t i = 0; i < runs_count; i++) {
        memset(arena + runs[i].offset, 0, runs[i].bytes);
    }
    given = 0;
}

static void make_runs(void)
{
    runs_count = 0;
    runs_bytes = 0;
    for (size_t line = 0; line < LINES; line++) {
        if (!known[line]) {
            continue;
        }
        if (line == 0 || !known[line - 1]) {
            ASSERT(runs_count < RUNS_MAX);
            runs[runs_count++] = (struct run){.offset = line * LINE};
        }
        runs[runs_count - 1].bytes += LINE;
        runs_bytes += LINE;
    }
}

static bool is_zero(const unsigned char *line)
{
    static const unsigned char zero[LINE];
    return memcmp(line, zero, LINE) == 0;
}

size_t arena_learn(void)
{
    size_t learned = 0;
    if (arena == NULL) {
        return 0;
    }
    ASSERT(mincore(arena, ARENA_BYTES, resident) == 0);
    for (size_t page = 0; page < ARENA_BYTES / PAGE; page++) {
        for (size_t line = page * (PAGE / LINE);
             (resident[page] & 1) != 0 && line < (page + 1) * (PAGE / LINE); line++) {
            if (!known[line] && !is_zero(arena + line * LINE)) {
                known[line] = 1;
                learned++;
            }
        }
    }
    if (learned > 0) {
        make_runs();
    }
    return learned;
}

size_t arena_bytes(void)
{
    return runs_bytes;
}

void arena_save(void *picture)
{
    unsigned char *to = picture;
    for (size_t i = 0; i < runs_count; to += runs[i].bytes, i++) {
        memcpy(to, arena + runs[i].offset, runs[i].bytes);
    }
}

void arena_restore(const void *picture)
{
    const unsigned char *from = picture;
    for (size_t i = 0; i < runs_count; from += runs[i].bytes, i++) {
        memcpy(arena + runs[i].offset, from, runs[i].bytes);
    }
}
