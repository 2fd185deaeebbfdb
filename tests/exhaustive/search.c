/* SPDX-License-Identifier: MIT */
/* The search: level by level, every event in every state, each state once.
 *
 * A level is a list of paths (the events from the beginning, a byte each), in the order in which they were
 * found, which is that of their bytes. So the next path shares most of its events with the one before, and
 * a stack of pictures, one for each event of the path, makes going there cheap. A state that was met
 * before, by its canonical hash of 64 bits, is not gone into again.
 *
 * That equal hashes mean equal futures is not taken on trust: now and then a state that was met before is
 * gone into all the same, and what it leads to is compared, event by event, with what the other
 * one led to. And that the pictures hold all that matters is looked at after each level. */
#include "search.h"

#include "arena.h"
#include "base/clock.h"

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROGRESS_MS 5000
#define BLOCK 128 /* states gone through between two looks at the pictures */
#define FRESH_MAX (BLOCK * EVENTS_MAX + 1)
#define WALKS 400 /* at random, to learn what memory is written to; a quarter of them mostly idle */
#define WALK_EVENTS 12
#define SAMPLE_ONE_OF 64 /* states, of which ways are compared */
#define SAMPLES_MAX 4096
#define PAIRS_MAX 400 /* of a level */

struct path {
    uint8_t events[WALK_EVENTS]; /* at least DEPTH_MAX */
};

struct picture {
    struct world world;
    unsigned char *memory;
};

struct layer {
    struct path *paths;
    size_t count;
    size_t room;
    uint32_t depth; /* of its paths */
};

static uint64_t *table; /* of hashes, open; 0: free */
static size_t table_size;
static size_t table_count;
static uint64_t fresh[FRESH_MAX]; /* states met in this block */
static size_t fresh_count;
static struct picture stack[DEPTH_MAX + 1];
static struct path here; /* the events that lead to where we are */
static uint32_t here_depth;
static uint32_t depth_trying; /* 1 where an event is being tried behind them */
static uint8_t event_trying;
static bool is_healing;
static sigjmp_buf block_begin;
static bool may_try_again;
static struct search_count counts;

static void print_here(void)
{
    (void) fprintf(stderr, "%s\nafter:\n", is_healing ? " (once nothing fails any more)" : "");
    for (uint32_t i = 0; i < here_depth; i++) {
        event_print(&events[here.events[i]]);
    }
    if (depth_trying != 0) {
        event_print(&events[event_trying]);
    }
}

/* What looks like a violation may come of pictures that are not whole: then it is tried again. */
static void try_again_if_spoilt(void)
{
    if (may_try_again && arena_learn() > 0) {
        siglongjmp(block_begin, 1);
    }
}

/* The registry has found its own bug. */
static void on_abort(int number)
{
    (void) number;
    try_again_if_spoilt();
    print_here();
    _exit(EXIT_FAILURE);
}

void violated(const char *format, ...)
{
    va_list arguments;
    try_again_if_spoilt();
    va_start(arguments, format);
    (void) fprintf(stderr, "VIOLATED: ");
    (void) vfprintf(stderr, format, arguments);
    va_end(arguments);
    print_here();
    exit(EXIT_FAILURE);
}

/* ---- states met ---- */

static void grow_table(void)
{
    uint64_t *old = table;
    const size_t old_size = table_size;
    table_size = old_size == 0 ? 1 << 16 : 2 * old_size;
    table = calloc(table_size, sizeof *table);
    EXPECT(table != NULL, "no memory for the states");
    for (size_t i = 0; i < old_size; i++) {
        size_t at = (size_t) old[i] & (table_size - 1);
        while (old[i] != 0 && table[at] != 0) {
            at = (at + 1) & (table_size - 1);
        }
        if (old[i] != 0) {
            table[at] = old[i];
        }
    }
    free(old);
}

/* False where it was met before. */
static bool meet(uint64_t hash)
{
    if (2 * table_count >= table_size) {
        grow_table();
    }
    size_t at = (size_t) hash & (table_size - 1);
    while (table[at] != 0 && table[at] != hash) {
        at = (at + 1) & (table_size - 1);
    }
    if (table[at] == hash) {
        return false;
    }
    table[at] = hash;
    table_count++;
    EXPECT(fresh_count < FRESH_MAX, "too many states in one block");
    fresh[fresh_count++] = hash;
    return true;
}

/* As if it had not been met: what stands behind it moves up, so that nothing is hidden by the gap. */
static void unmeet(uint64_t hash)
{
    const size_t mask = table_size - 1;
    size_t at = (size_t) hash & mask;
    while (table[at] != hash) {
        at = (at + 1) & mask;
    }
    table_count--;
    for (size_t next = (at + 1) & mask; table[next] != 0; next = (next + 1) & mask) {
        const size_t home = (size_t) table[next] & mask;
        if (((next - home) & mask) >= ((next - at) & mask)) {
            table[at] = table[next];
            at = next;
        }
    }
    table[at] = 0;
}

/* ---- going there and back ---- */

static void save(uint32_t depth)
{
    stack[depth].world = world;
    arena_save(stack[depth].memory);
}

static void restore(uint32_t depth)
{
    world = stack[depth].world;
    arena_restore(stack[depth].memory);
}

static void begin(void)
{
    for (uint32_t i = 0; i <= DEPTH_MAX; i++) {
        free(stack[i].memory);
        stack[i].memory = malloc(arena_bytes() + 1);
        EXPECT(stack[i].memory != NULL, "no memory for the pictures");
    }
    here_depth = 0;
    world_begin();
    save(0);
}

static void go(const struct path *path, uint32_t depth)
{
    uint32_t common = 0;
    while (common < here_depth && common < depth && here.events[common] == path->events[common]) {
        common++;
    }
    here_depth = common;
    if (common < depth) {
        restore(common);
    }
    while (here_depth < depth) {
        event_apply(&events[path->events[here_depth]]);
        here.events[here_depth] = path->events[here_depth];
        here_depth++;
        save(here_depth);
    }
}

/* ---- one event in one state ---- */

static uint64_t try(uint32_t depth, uint32_t event)
{
    world = stack[depth].world;
    if (!event_is_possible(&events[event])) {
        return 0;
    }
    arena_restore(stack[depth].memory);
    depth_trying = 1;
    event_trying = (uint8_t) event;
    event_apply(&events[event]);
    registry_check(world.registry);
    counts.transitions++;
    counts.of_kind[events[event].kind]++;
    return canon_hash();
}

/* Behind the event that was tried: the list, and what becomes of it all. It spoils the state. */
static void examine(bool is_new)
{
    world_keep();
    answers_check_silence();
    answers_compare_list();
    if (is_new) {
        is_healing = true;
        heal();
        is_healing = false;
        counts.healed++;
    }
}

static int compare_hashes(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* The hashes of all states that the one on top of the stack leads to, in order. */
static size_t futures(uint64_t hashes[EVENTS_MAX])
{
    size_t count = 0;
    for (uint32_t i = 0; i < events_count; i++) {
        const uint64_t hash = try(here_depth, i);
        if (hash != 0) {
            hashes[count++] = hash;
        }
    }
    depth_trying = 0;
    qsort(hashes, count, sizeof *hashes, compare_hashes);
    return count;
}

/* ---- two ways to one canonical state: do they lead to the same? ---- */

struct way {
    uint64_t hash;
    struct path path;
    uint32_t depth;
};

static struct way samples[SAMPLES_MAX];
static struct way pairs[PAIRS_MAX][2];
static size_t pairs_count;

static void sample(uint64_t hash, uint32_t event, bool is_new)
{
    if (hash / SAMPLES_MAX % SAMPLE_ONE_OF != 0 || here_depth + 1 >= DEPTH_MAX) {
        return;
    }
    struct way way = {.hash = hash, .path = here, .depth = here_depth + 1};
    way.path.events[here_depth] = (uint8_t) event;
    struct way *taken = &samples[hash % SAMPLES_MAX];
    if (is_new) {
        *taken = way;
    } else if (taken->hash == hash && pairs_count < PAIRS_MAX) {
        pairs[pairs_count][0] = *taken;
        pairs[pairs_count++][1] = way;
        taken->hash = 0; /* another one's turn */
    }
}

static void print_way(const struct way *way)
{
    for (uint32_t i = 0; i < way->depth; i++) {
        event_print(&events[way->path.events[i]]);
    }
}

static void compare_futures(const struct way pair[2])
{
    static uint64_t hashes[2][EVENTS_MAX];
    size_t found[2];
    for (size_t i = 0; i < 2; i++) {
        go(&pair[i].path, pair[i].depth);
        found[i] = futures(hashes[i]);
    }
    counts.compared++;
    if (found[0] == found[1] && memcmp(hashes[0], hashes[1], found[0] * sizeof hashes[0][0]) == 0) {
        return;
    }
    if (counts.unequal++ == 0) {
        (void) fprintf(stderr,
                       "exhaustive: two ways to one canonical state lead to different ones\n");
        print_way(&pair[0]);
        (void) fprintf(stderr, "and\n");
        print_way(&pair[1]);
    }
}

static void compare_pairs(void)
{
    for (size_t i = 0; i < pairs_count; i++) {
        compare_futures(pairs[i]);
    }
    pairs_count = 0;
    memset(samples, 0, sizeof samples);
}

/* ---- a level ---- */

static void add(struct layer *level, uint32_t event)
{
    if (level->count == level->room) {
        level->room = level->room == 0 ? 1024 : 2 * level->room;
        struct path *grown = realloc(level->paths, level->room * sizeof *grown);
        EXPECT(grown != NULL, "no memory for the level");
        level->paths = grown;
    }
    struct path *path = &level->paths[level->count++];
    *path = here;
    path->events[here_depth] = (uint8_t) event;
}

static void expand(const struct search_options *options, struct layer *next)
{
    for (uint32_t event = 0; event < events_count; event++) {
        const uint64_t hash = try(here_depth, event);
        if (hash == 0) {
            continue;
        }
        const bool is_new = meet(hash);
        sample(hash, event, is_new);
        if (is_new && here_depth + 1 < options->depth) {
            add(next, event);
        }
        examine(is_new && counts.states % options->heal_one_of == 0);
        counts.states += is_new;
        counts.states_of[here_depth + 1] += is_new;
        depth_trying = 0;
    }
}

static uint64_t now_ms(void)
{
    return clock_now_ns(&clock_system) / NS_PER_MS;
}

/* How far it was before a block of states. */
struct mark {
    struct search_count counts;
    size_t next_count;
    size_t pairs_count;
};

/* The states from `from` up to `end`. False where the pictures turned out not to have been whole. */
static bool try_block(const struct search_options *options, const struct layer *layer, size_t from,
                      size_t end, struct layer *next)
{
    if (sigsetjmp(block_begin, 0) != 0) {
        return false;
    }
    for (size_t i = from; i < end; i++) {
        go(&layer->paths[i], layer->depth);
        expand(options, next);
    }
    return arena_learn() == 0;
}

/* Then all that was found is dropped, to be found again. */
static void undo_block(const struct mark *mark, struct layer *next)
{
    const uint64_t again = counts.again + 1;
    for (; fresh_count > 0; fresh_count--) {
        unmeet(fresh[fresh_count - 1]);
    }
    counts = mark->counts;
    counts.again = again;
    next->count = mark->next_count;
    pairs_count = mark->pairs_count;
    is_healing = false;
    begin();
}

static void go_through_block(const struct search_options *options, const struct layer *layer,
                             size_t from, struct layer *next)
{
    const struct mark mark = {counts, next->count, pairs_count};
    const size_t end = layer->count - from < BLOCK ? layer->count : from + BLOCK;
    fresh_count = 0;
    while (!try_block(options, layer, from, end, next)) {
        undo_block(&mark, next);
    }
}

/* False where the time was over before. */
static bool go_through(const struct search_options *options, const struct layer *layer,
                       struct layer *next, uint64_t end_ms)
{
    uint64_t told_ms = now_ms();
    for (size_t i = 0; i < layer->count; i += BLOCK) {
        const uint64_t time_ms = now_ms();
        if (time_ms >= end_ms) {
            return false;
        }
        go_through_block(options, layer, i, next);
        if (time_ms >= told_ms + PROGRESS_MS) {
            told_ms = time_ms;
            (void) fprintf(stderr,
                           "exhaustive: depth %u, %zu of %zu states gone through; %" PRIu64
                           " states, %" PRIu64 " transitions\n",
                           layer->depth, i, layer->count, counts.states, counts.transitions);
        }
    }
    return true;
}

/* ---- the whole ---- */

static uint32_t event_of(enum event_kind kind)
{
    uint32_t event = 0;
    while (events[event].kind != kind) {
        event++;
    }
    return event;
}

/* Walks at random, for what they write to. Their violations count as any. */
static void learn(void)
{
    uint64_t random = 88172645463325252u;
    bool is_idle = false;
    for (uint32_t walk = 0; walk < WALKS; walk++) {
        world_begin();
        (void) arena_learn();
        for (here_depth = 0; here_depth < WALK_EVENTS;) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            const uint32_t event = is_idle && random % 2 == 0 ? event_of(EVENT_TIME)
                                                              : (uint32_t) (random % events_count);
            if (!event_is_possible(&events[event])) {
                continue;
            }
            depth_trying = 1;
            event_trying = (uint8_t) event;
            event_apply(&events[event]);
            depth_trying = 0;
            here.events[here_depth++] = (uint8_t) event;
            (void) arena_learn();
            is_idle = walk % 4 == 0;
        }
        examine(true);
        (void) arena_learn();
    }
    here_depth = 0;
}

struct search_count search_run(const struct search_options *options)
{
    const uint64_t end_ms = options->seconds == 0 ? UINT64_MAX : now_ms() + 1000 * options->seconds;
    struct layer layer = {.count = 1, .paths = calloc(1, sizeof *layer.paths)};
    bool in_time = true;
    EXPECT(layer.paths != NULL, "no memory for the layer");
    (void) sigaction(SIGABRT, &(struct sigaction){.sa_handler = on_abort, .sa_flags = SA_NODEFER},
                     NULL);
    events_make(options->scope);
    learn();
    counts = (struct search_count){0};
    may_try_again = true;
    begin();
    counts.states = meet(canon_hash());
    counts.states_of[0] = counts.states;
    for (uint32_t depth = 0; depth < options->depth && in_time; depth++) {
        struct layer next = {.depth = depth + 1};
        in_time = go_through(options, &layer, &next, end_ms);
        counts.depth_whole = in_time ? depth + 1 : depth;
        compare_pairs();
        (void) fprintf(stderr, "exhaustive: depth %u: %" PRIu64 " states%s\n", depth + 1,
                       counts.states_of[depth + 1], in_time ? "" : ", not all: the time is over");
        free(layer.paths);
        layer = next;
    }
    free(layer.paths);
    counts.picture_bytes = arena_bytes();
    return counts;
}
