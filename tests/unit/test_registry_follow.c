/* SPDX-License-Identifier: MIT */
/* Somebody who follows a namespace by watching it, slowly, over rings of many sizes: it keeps what it was told,
 * which has to be what the registry lists. */
#include "registry_rig.h"
#include "testing.h"

#include <stdio.h>

#define EPOCH UINT64_C(7)

static struct rig rig;
static uint64_t owner;

static void begin(const struct limits *limits)
{
    rig_init(&rig, limits, 1);
    owner = rig_open(&rig, 1, 0);
}

/* The ring with its smallest bounds; the finished memory small too, so that names are forgotten. */
static struct limits small_limits(uint64_t events, uint64_t bytes)
{
    struct limits limits = limits_default();
    limits.watch_events = events;
    limits.watch_bytes = bytes;
    limits.finished = 1;
    return limits;
}

static struct op in(const char *space, struct op op)
{
    op.space = bytes_of_string(space);
    return op;
}

static struct op watch_from(uint64_t revision, uint32_t wait_ms)
{
    return (struct op){.kind = OP_WATCH,
                       .as.watch = {.epoch = EPOCH, .revision = revision, .wait_ms = wait_ms}};
}

static struct seen ask(struct op op)
{
    return rig_do(&rig, owner, op);
}

enum { KEYS = 30 };

struct mirror {
    uint64_t gens[1000];
    enum state states[1000];
    size_t count;
    uint64_t revision;
    size_t gaps;
};

static void mirror_set(struct mirror *mirror, uint64_t gen, enum state state)
{
    size_t i = 0;
    while (i < mirror->count && mirror->gens[i] != gen) {
        i++;
    }
    if (state == STATE_ENDED) {
        if (i < mirror->count) {
            mirror->count--;
            mirror->gens[i] = mirror->gens[mirror->count];
            mirror->states[i] = mirror->states[mirror->count];
        }
        return;
    }
    CHECK_LT(i, sizeof mirror->gens / sizeof mirror->gens[0]);
    mirror->gens[i] = gen;
    mirror->states[i] = state;
    mirror->count += i == mirror->count;
}

static void mirror_take(struct mirror *mirror)
{
    const struct rig_lists *lists = &rig.lists;
    for (size_t i = 0; i < lists->operations_count; i++) {
        mirror_set(mirror, lists->operations[i].gen, lists->operations[i].state);
    }
    for (size_t i = 0; i < lists->events_count; i++) {
        CHECK_GT(lists->events[i].revision, mirror->revision);
        mirror->revision = lists->events[i].revision;
        mirror_set(mirror, lists->events[i].gen, lists->events[i].state);
    }
    CHECK_GE(lists->revision, mirror->revision);
    mirror->revision = lists->revision;
}

/* One request of a follower, or all until it is up to date. */
static void mirror_follow(struct mirror *mirror, const char *space)
{
    uint64_t cursor = 0;
    bool more;
    do {
        struct op op = in(space, watch_from(mirror->revision, 0));
        op.as.watch.cursor = cursor;
        enum answer answer = rig_do(&rig, 0, op).answer;
        if (answer == ANSWER_SNAPSHOT && (cursor == 0 || rig.lists.revision != mirror->revision)) {
            mirror->count = 0; /* a new one */
            mirror->gaps++;
            mirror->revision = 0;
        }
        mirror_take(mirror);
        cursor = rig.lists.next_cursor;
        more = rig.lists.more || answer == ANSWER_SNAPSHOT;
    } while (more || cursor != 0);
}

static void mirror_check(const struct mirror *mirror, const char *space)
{
    struct op op = in(space, (struct op){.kind = OP_LIST});
    CHECK_EQ(rig_do(&rig, 0, op).answer, ANSWER_PAGE);
    CHECK_EQ(rig.lists.next_cursor, 0);
    CHECK_EQ(rig.lists.operations_count, mirror->count);
    for (size_t i = 0; i < rig.lists.operations_count; i++) {
        size_t at = 0;
        while (at < mirror->count && mirror->gens[at] != rig.lists.operations[i].gen) {
            at++;
        }
        CHECK_LT(at, mirror->count);
        CHECK_EQ(mirror->states[at], rig.lists.operations[i].state);
    }
}

static uint64_t random_state;

static unsigned below(unsigned bound)
{
    return (unsigned) (test_random(&random_state) % bound);
}

static void change_something(void)
{
    char key[KEY_BYTES_MAX + 1];
    char text[CAUSE_TEXT_BYTES_MAX + 1];
    unsigned which = below(KEYS);
    (void) snprintf(key, sizeof key, "%0*u", 1 + (int) (which * which) % 250, which);
    memset(text, 't', sizeof text);
    text[below(sizeof text)] = '\0';
    text[CAUSE_TEXT_BYTES_MAX] = '\0';
    const char *space = below(3) == 0 ? "mine" : "yours";
    struct op op = in(space, rig_store(key, POLICY_REJECT));
    struct seen seen = ask(op);
    if (seen.answer == ANSWER_STORED) {
        return;
    }
    CHECK_EQ(seen.answer, ANSWER_EXISTS);
    op = in(space, rig_delete(key, seen.gen, OUTCOME_COMPLETED));
    if (seen.state == STATE_LIVE && below(2) == 0) {
        op = in(space, rig_cancel(key, 0));
        op.as.cancel.cause.text = bytes_of_string(text);
    }
    (void) ask(op);
}

static size_t gaps_seen;

/* Whatever the sizes of the ring, and however slow the follower: what it knows in the end is true. */
static void a_follower_of_a_ring(uint64_t events, uint64_t bytes, unsigned changes_least)
{
    struct limits limits = small_limits(events, bytes);
    struct mirror mirror = {0};
    begin(&limits);
    unsigned pace = 1 + below(60);
    for (unsigned round = 0; round < TEST_SCALE(60); round++) {
        unsigned changes = changes_least + below(pace);
        for (unsigned i = 0; i < changes; i++) {
            change_something();
        }
        mirror_follow(&mirror, "mine");
        mirror_check(&mirror, "mine");
        if (below(10) == 0) {
            rig_pass(&rig, 61000, 100);
        }
    }
    gaps_seen += mirror.gaps - 1; /* the first answer is none */
    rig_fini(&rig);
}

static void followers_of_many_rings(void)
{
    random_state = test_seed();
    for (unsigned i = 0; i < 40; i++) {
        a_follower_of_a_ring(16 + below(300), 65536 + below(4096), 0);
    }
    a_follower_of_a_ring(16, 65536, 300); /* who is this slow misses some, whatever the seed */
    CHECK_GT(gaps_seen, 0);
}

static const struct test_case cases[] = {
    {"a slow follower of rings of many sizes knows the truth in the end", followers_of_many_rings,
     .deadline_ms = 180000},
};
TEST_MAIN(cases)
