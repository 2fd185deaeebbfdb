/* SPDX-License-Identifier: MIT */
/* Watch: events and their order, snapshots, gaps exactly at the bound, a ring that wraps, and
 * watchers that wait or do not read. */
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

/* A watcher may be answered in the same call, so the gen is known by counting. */
static uint64_t born(struct op op)
{
    size_t stored = rig.answers[ANSWER_STORED];
    (void) ask(op);
    CHECK_EQ(rig.answers[ANSWER_STORED], stored + 1);
    return EPOCH << GEN_COUNTER_BITS | rig.answers[ANSWER_STORED];
}

static uint64_t send_quickly(struct op op)
{
    return rig_do_quickly(&rig, owner, op).gen;
}

/* Watches, without waiting; the answer has to be of this kind. */
static const struct rig_lists *see(struct op op, enum answer expected)
{
    size_t replies = rig.replies;
    CHECK_EQ(rig_do(&rig, 0, op).answer, expected);
    CHECK_EQ(rig.replies, replies + 1);
    CHECK_EQ(rig.lists.epoch, EPOCH);
    return &rig.lists;
}

static void check_event(const struct rig_event *event, uint64_t gen, enum state state,
                        const char *text)
{
    CHECK_EQ(event->gen, gen);
    CHECK_EQ(event->state, state);
    CHECK_STR_EQ(event->text, text);
}

static uint64_t revision_now(void)
{
    return see(watch_from(0, 0), ANSWER_SNAPSHOT)->revision;
}

/* ---- events ---- */

/* Nobody can have come to one of them. */
static void until_somebody_watches_events_are_only_counted(void)
{
    begin(NULL);
    for (unsigned i = 0; i < 10; i++) {
        char key[8];
        (void) snprintf(key, sizeof key, "k%u", i);
        (void) born(rig_store(key, POLICY_REJECT));
    }
    const struct rig_lists *lists = see(watch_from(5, 0), ANSWER_SNAPSHOT);
    CHECK_EQ(lists->operations_count, 10);
    uint64_t revision = lists->revision;
    (void) born(rig_store("late", POLICY_REJECT));
    lists = see(watch_from(revision, 0), ANSWER_EVENTS);
    CHECK_EQ(lists->events_count, 1);
    CHECK_EQ(lists->events[0].revision, revision + 1);
    rig_fini(&rig);
}

static void every_change_is_an_event(void)
{
    begin(NULL);
    uint64_t first = revision_now();
    CHECK_GT(first, 0);
    CHECK_EQ(rig.lists.operations_count, 0);
    CHECK_EQ(rig.lists.next_cursor, 0);
    uint64_t gen = born(rig_store("k", POLICY_REJECT));
    struct op cancel = rig_cancel("k", 0);
    cancel.as.cancel.cause.text = bytes_of_string("why");
    (void) rig_do(&rig, 0, cancel);
    (void) rig_do(&rig, 0, cancel); /* changes nothing */
    uint64_t other = born(rig_store("other", POLICY_REJECT));
    (void) ask(rig_delete("k", gen, OUTCOME_FAILED));
    (void) born(in("elsewhere", rig_store("k", POLICY_REJECT)));
    const struct rig_lists *lists = see(watch_from(first, 0), ANSWER_EVENTS);
    CHECK_EQ(lists->events_count, 4);
    check_event(&lists->events[0], gen, STATE_LIVE, "k");
    check_event(&lists->events[1], gen, STATE_CANCELLING, "kwhy");
    CHECK_EQ(lists->events[1].cause, CAUSE_USER);
    check_event(&lists->events[2], other, STATE_LIVE, "other");
    check_event(&lists->events[3], gen, STATE_ENDED, "kwhy");
    CHECK_EQ(lists->events[3].outcome, OUTCOME_FAILED);
    for (unsigned i = 0; i < 4; i++) {
        CHECK_EQ(lists->events[i].revision, first + 1 + i);
    }
    CHECK(!lists->more);
    CHECK_EQ(lists->revision, first + 5); /* the other namespace's is passed over */
    lists = see(watch_from(first + 3, 0), ANSWER_EVENTS);
    CHECK_EQ(lists->events_count, 1);
    lists = see(watch_from(first + 5, 0), ANSWER_EVENTS);
    CHECK_EQ(lists->events_count, 0);
    CHECK_EQ(lists->revision, first + 5);
    lists = see(in("elsewhere", watch_from(first, 0)), ANSWER_EVENTS);
    CHECK_EQ(lists->events_count, 1);
    rig_fini(&rig);
}

static void a_birth_that_is_cancelled_is_two_events(void)
{
    begin(NULL);
    uint64_t first = revision_now();
    struct op arm = rig_cancel("k", 0);
    arm.as.cancel.arm_ttl_ms = 1000;
    (void) rig_do(&rig, 0, arm);
    CHECK_EQ(ask(rig_store("k", POLICY_REJECT)).answer, ANSWER_BORN_CANCELLED);
    const struct rig_lists *lists = see(watch_from(first, 0), ANSWER_EVENTS);
    CHECK_EQ(lists->events_count, 2);
    CHECK_EQ(lists->events[0].state, STATE_LIVE);
    CHECK_EQ(lists->events[1].state, STATE_CANCELLING);
    rig_fini(&rig);
}

static void an_end_by_time_or_loss_is_an_event(void)
{
    begin(NULL);
    uint64_t first = revision_now();
    struct op op = rig_store("k", POLICY_REJECT);
    op.as.store.ttl_ms = 1000;
    op.as.store.on_expiry = ON_EXPIRY_REAP;
    (void) born(op);
    (void) born(rig_store("l", POLICY_REJECT));
    (void) ask((struct op){.kind = OP_CLOSE});
    rig_pass(&rig, 1000, 5);
    const struct rig_lists *lists = see(watch_from(first, 0), ANSWER_EVENTS);
    CHECK_EQ(lists->events_count, 4);
    CHECK_EQ(lists->events[2].outcome, OUTCOME_OWNER_LOST);
    CHECK_EQ(lists->events[3].outcome, OUTCOME_OWNER_LOST);
    rig_fini(&rig);
}

/* ---- those that wait ---- */

static void a_watcher_waits_for_the_first_store_of_all(void)
{
    begin(NULL);
    struct op op = in("new", watch_from(revision_now(), 20000));
    rig_park(&rig, 1, 0, 5, op);
    (void) born(rig_store("k", POLICY_REJECT)); /* of another namespace */
    CHECK_EQ(rig.answers[ANSWER_EVENTS], 0);
    uint64_t gen = born(in("new", rig_store("n", POLICY_REJECT)));
    CHECK_EQ(rig.answers[ANSWER_EVENTS], 1);
    CHECK_EQ(rig.last_request_id, 5);
    CHECK_EQ(rig.lists.events_count, 1);
    check_event(&rig.lists.events[0], gen, STATE_LIVE, "n");
    rig_fini(&rig);
}

static void a_watcher_that_nothing_comes_for(void)
{
    begin(NULL);
    uint64_t first = revision_now();
    rig_park(&rig, 1, 0, 5, in("quiet", watch_from(first, 1000)));
    (void) born(rig_store("k", POLICY_REJECT));
    rig_pass(&rig, 999, 10);
    CHECK_EQ(rig.answers[ANSWER_EVENTS], 0);
    rig_pass(&rig, 1, 10);
    CHECK_EQ(rig.answers[ANSWER_EVENTS], 1);
    CHECK_EQ(rig.lists.events_count, 0);
    CHECK_EQ(rig.lists.revision, first + 1);
    CHECK(!rig.lists.more);
    /* Longer than 25 s is clamped. */
    rig_park(&rig, 1, 0, 6, in("quiet", watch_from(first + 1, 60000)));
    rig_pass(&rig, 24999, 10);
    CHECK_EQ(rig.answers[ANSWER_EVENTS], 1);
    rig_pass(&rig, 1, 10);
    CHECK_EQ(rig.answers[ANSWER_EVENTS], 2);
    rig_fini(&rig);
}

/* The ring turns over many times while it waits: it has missed nothing all the same. */
static void a_quiet_watcher_has_no_gap(void)
{
    struct limits limits = small_limits(16, 65536);
    begin(&limits);
    rig_park(&rig, 1, 0, 5, in("quiet", watch_from(revision_now(), 20000)));
    for (unsigned i = 0; i < 100; i++) {
        (void) ask(rig_delete("k", born(rig_store("k", POLICY_REJECT)), OUTCOME_COMPLETED));
    }
    uint64_t gen = born(in("quiet", rig_store("q", POLICY_REJECT)));
    CHECK_EQ(rig.answers[ANSWER_EVENTS], 1);
    CHECK_EQ(rig.lists.events_count, 1);
    check_event(&rig.lists.events[0], gen, STATE_LIVE, "q");
    CHECK_EQ(rig.lists.revision, rig.lists.events[0].revision);
    rig_fini(&rig);
}

static void many_watchers_are_told_in_steps(void)
{
    enum { WATCHERS = 900 };

    begin(NULL);
    uint64_t first = revision_now();
    for (uint64_t i = 0; i < WATCHERS; i++) {
        rig_park(&rig, 1, 0, i, in(i % 3 == 0 ? "a" : "b", watch_from(first, 20000)));
    }
    (void) born(in("a", rig_store("k", POLICY_REJECT)));
    (void) born(in("b", rig_store("k", POLICY_REJECT)));
    CHECK_LT(rig.answers[ANSWER_EVENTS], WATCHERS);
    size_t before = rig.answers[ANSWER_EVENTS];
    bool more = registry_advance(rig.registry, rig.now_ms, 10);
    CHECK(more);
    CHECK_LE(rig.answers[ANSWER_EVENTS], before + 256);  /* of one sweep: SETTLE_BUDGET */
    (void) born(in("a", rig_store("l", POLICY_REJECT))); /* while they are being told */
    rig_pass(&rig, 0, 7);
    CHECK_EQ(rig.answers[ANSWER_EVENTS], WATCHERS);
    rig_fini(&rig);
}

static void a_watcher_that_goes(void)
{
    begin(NULL);
    uint64_t first = revision_now();
    CHECK(registry_link_up(rig.registry, 2, bytes_of_string("uid:2")));
    rig_park(&rig, 2, 0, 1, in("new", watch_from(first, 20000)));
    uint64_t session = rig_open(&rig, 2, 0);
    rig_park(&rig, 2, session, 1, in("new", watch_from(first, 20000)));
    registry_link_down(rig.registry, 2, rig.now_ms);
    registry_check(rig.registry);
    rig_pass(&rig, 10000, 3);
    (void) born(in("new", rig_store("k", POLICY_REJECT)));
    rig_pass(&rig, 10000, 3);
    CHECK_EQ(rig.answers[ANSWER_EVENTS], 0);
    rig_fini(&rig);
}

static void watchers_hold_namespaces_and_are_bounded(void)
{
    struct limits limits = limits_default();
    limits.namespaces = 2; /* one is the session's */
    limits.parked_session = 2;
    begin(&limits);
    uint64_t first = revision_now();
    rig_park(&rig, 1, 0, 1, in("a", watch_from(first, 1000)));
    CHECK_EQ(rig_do(&rig, 0, in("b", watch_from(first, 1000))).answer, ANSWER_FULL);
    CHECK_STR_EQ(rig.first.limit, "namespaces");
    rig_park(&rig, 1, 0, 2, in("a", watch_from(first, 1000)));
    CHECK_EQ(rig_do(&rig, 0, in("a", watch_from(first, 1000))).answer, ANSWER_FULL);
    CHECK_STR_EQ(rig.first.limit, "parked_session");
    rig_pass(&rig, 1000, 3);
    CHECK_EQ(rig.answers[ANSWER_EVENTS], 2);
    rig_park(&rig, 1, 0, 1, in("b", watch_from(first, 1000)));
    rig_fini(&rig);
}

/* Names that nobody uses but watchers leave the last tenth of the names to those who store. */
static void watchers_leave_names_for_stores(void)
{
    enum { NAMES = 20 };

    struct limits limits = limits_default();
    limits.namespaces = NAMES;
    begin(&limits);
    uint64_t first = revision_now();
    char names[NAMES][8];
    for (unsigned i = 0; i < NAMES; i++) {
        (void) snprintf(names[i], sizeof names[i], "n%u", i);
    }
    unsigned watched = NAMES - 1 - NAMES / 10; /* one is the session's */
    for (unsigned i = 0; i < watched; i++) {
        rig_park(&rig, 1, 0, 1 + i, in(names[i], watch_from(first, 1000)));
    }
    CHECK_EQ(rig_do(&rig, 0, in("other", watch_from(first, 1000))).answer, ANSWER_FULL);
    CHECK_STR_EQ(rig.first.limit, "namespaces");
    rig_park(&rig, 1, 0, 1 + watched, in(names[0], watch_from(first, 1000))); /* it is there */
    for (unsigned i = 0; i < NAMES / 10; i++) {
        CHECK_EQ(ask(in(names[watched + i], rig_store("k", POLICY_REJECT))).answer, ANSWER_STORED);
    }
    CHECK_EQ(ask(in("other", rig_store("k", POLICY_REJECT))).answer, ANSWER_FULL);
    rig_fini(&rig);
}

/* ---- gaps ---- */

static void a_gap_is_told_exactly_at_the_bound(void)
{
    struct limits limits = small_limits(16, 1 << 20);
    begin(&limits);
    uint64_t first = revision_now();
    for (unsigned i = 0; i < 16; i++) {
        char key[8];
        (void) snprintf(key, sizeof key, "k%u", i);
        (void) born(rig_store(key, POLICY_REJECT));
    }
    CHECK_EQ(see(watch_from(first, 0), ANSWER_EVENTS)->events_count, 16);
    (void) born(rig_store("one more", POLICY_REJECT));
    CHECK_EQ(see(watch_from(first, 0), ANSWER_SNAPSHOT)->operations_count, 17);
    CHECK_EQ(rig.lists.revision, first + 17);
    CHECK_EQ(see(watch_from(first + 1, 0), ANSWER_EVENTS)->events_count, 16);
    /* What never was, or was of another start. */
    (void) see(watch_from(first + 18, 0), ANSWER_SNAPSHOT);
    struct op other = watch_from(first + 17, 0);
    other.as.watch.epoch = EPOCH - 1;
    (void) see(other, ANSWER_SNAPSHOT);
    CHECK_EQ(see(watch_from(first + 17, 0), ANSWER_EVENTS)->events_count, 0);
    rig_fini(&rig);
}

/* Its namespace is forgotten and made anew meanwhile. */
static void events_of_a_namespace_that_was_forgotten(void)
{
    struct limits limits = small_limits(1000, 1 << 20);
    begin(&limits);
    struct op kept = rig_store("kept", POLICY_REJECT);
    (void) born(kept);
    uint64_t first = revision_now();
    uint64_t gen = born(in("brief", rig_store("k", POLICY_REJECT)));
    (void) ask(in("brief", rig_delete("k", gen, OUTCOME_COMPLETED)));
    rig_pass(&rig, 70000, 5);
    CHECK_EQ(see(in("brief", watch_from(first, 1000)), ANSWER_EVENTS)->events_count, 2);
    CHECK_EQ(rig.lists.events[1].state, STATE_ENDED);
    (void) born(in("brief", rig_store("k", POLICY_REJECT)));
    CHECK_EQ(see(in("brief", watch_from(first, 1000)), ANSWER_EVENTS)->events_count, 3);
    rig_fini(&rig);
}

/* More events than are looked at in one request: it goes on from where that stopped. */
static void a_long_way_through_others_events(void)
{
    begin(NULL);
    uint64_t revision = revision_now();
    for (unsigned i = 0; i < 1500; i++) {
        (void) ask(rig_delete("k", born(rig_store("k", POLICY_REJECT)), OUTCOME_COMPLETED));
    }
    uint64_t gen = born(in("late", rig_store("l", POLICY_REJECT)));
    unsigned asked = 0;
    do {
        const struct rig_lists *lists = see(in("late", watch_from(revision, 20000)), ANSWER_EVENTS);
        CHECK_GT(lists->revision, revision);
        revision = lists->revision;
        asked++;
    } while (rig.lists.more);
    CHECK_EQ(asked, 2);
    CHECK_EQ(rig.lists.events_count, 1);
    check_event(&rig.lists.events[0], gen, STATE_LIVE, "l");
    rig_park(&rig, 1, 0, 5, in("late", watch_from(revision, 1000)));
    rig_fini(&rig);
}

/* Events of a page come to no more than a reply holds, and the next page goes on behind them. */
static void events_come_in_pages(void)
{
    begin(NULL);
    uint64_t first = revision_now();
    char key[KEY_BYTES_MAX + 1];
    for (unsigned i = 0; i < 300; i++) {
        memset(key, 'x', KEY_BYTES_MAX);
        (void) snprintf(key, sizeof key, "%0256u", i);
        (void) born(rig_store(key, POLICY_REJECT));
    }
    uint64_t revision = first;
    size_t events = 0;
    do {
        const struct rig_lists *lists = see(watch_from(revision, 0), ANSWER_EVENTS);
        CHECK_GT(lists->events_count, 50);
        CHECK_LT(lists->events_count, 250);
        CHECK_EQ(lists->events[0].revision, revision + 1);
        events += lists->events_count;
        revision = lists->revision;
    } while (rig.lists.more);
    CHECK_EQ(events, 300);
    CHECK_EQ(revision, first + 300);
    rig_fini(&rig);
}

/* The bound of bytes alone: rings of every size that differ by less than an event. */
static void a_ring_wraps_at_many_sizes(void)
{
    char key[KEY_BYTES_MAX + 1];
    for (unsigned size = 65536; size < 65536 + 400; size += 8) {
        struct limits limits = small_limits(10000, size);
        begin(&limits);
        (void) revision_now(); /* from now on they are kept */
        for (unsigned i = 0; i < 1100; i++) {
            (void) snprintf(key, sizeof key, "%0*u", 1 + (int) (i % 256), i);
            (void) send_quickly(rig_store(key, POLICY_REJECT));
        }
        registry_check(rig.registry);
        uint64_t newest = revision_now();
        const struct rig_lists *lists = see(watch_from(newest - 150, 0), ANSWER_EVENTS);
        CHECK_EQ(lists->events_count, 150);
        (void) see(watch_from(newest - 1000, 0), ANSWER_SNAPSHOT);
        rig_fini(&rig);
    }
}

static long resident_pages(void)
{
    long pages[2] = {0};
    FILE *file = fopen("/proc/self/statm", "re");
    CHECK(file != NULL);
    CHECK_EQ(fscanf(file, "%ld %ld", &pages[0], &pages[1]), 2);
    CHECK_EQ(fclose(file), 0);
    return pages[1];
}

/* The number of events is the bound that holds here, so most of the bytes are never needed at once. */
static void a_ring_that_few_events_fill_stays_small(void)
{
    struct limits limits = small_limits(1000, 1 << 26);
    begin(&limits);
    (void) revision_now(); /* from now on they are kept */
    long before = resident_pages();
    for (unsigned i = 0; i < TEST_SCALE(500000U); i++) {
        (void) send_quickly(
            rig_delete("k", send_quickly(rig_store("k", POLICY_REJECT)), OUTCOME_COMPLETED));
    }
    registry_check(rig.registry);
    CHECK(TEST_SANITIZED || resident_pages() - before < 1000);
    rig_fini(&rig);
}

/* ---- snapshots ---- */

static void a_snapshot_in_pages_and_what_happens_meanwhile(void)
{
    enum { MANY = 3000 };

    struct limits limits = limits_default();
    limits.watch_events = 16;
    begin(&limits);
    static uint64_t gens[MANY];
    char key[16];
    for (unsigned i = 0; i < MANY; i++) {
        (void) snprintf(key, sizeof key, "k%u", i);
        gens[i] = send_quickly(rig_store(key, POLICY_REJECT));
    }
    const struct rig_lists *lists = see(watch_from(0, 0), ANSWER_SNAPSHOT);
    uint64_t revision = lists->revision;
    size_t seen = lists->operations_count;
    CHECK_GT(seen, 100);
    uint64_t cursor = lists->next_cursor;
    CHECK_NE(cursor, 0);
    (void) ask(rig_delete("k2999", gens[2999], OUTCOME_COMPLETED));
    while (cursor != 0) {
        struct op op = watch_from(revision, 0);
        op.as.watch.cursor = cursor;
        lists = see(op, ANSWER_SNAPSHOT);
        CHECK_EQ(lists->revision, revision);
        seen += lists->operations_count;
        cursor = lists->next_cursor;
    }
    CHECK_EQ(seen, MANY - 1);
    CHECK_EQ(see(watch_from(revision, 0), ANSWER_EVENTS)->events_count, 1);
    /* Where a page's revision has become too old, it is the first page of a new one. */
    cursor = see(watch_from(0, 0), ANSWER_SNAPSHOT)->next_cursor;
    revision = rig.lists.revision;
    size_t first_page = rig.lists.operations_count;
    for (unsigned i = 0; i < 17; i++) {
        (void) snprintf(key, sizeof key, "k%u", MANY - 2 - i);
        (void) ask(rig_delete(key, gens[MANY - 2 - i], OUTCOME_COMPLETED));
    }
    struct op op = watch_from(revision, 0);
    op.as.watch.cursor = cursor;
    lists = see(op, ANSWER_SNAPSHOT);
    CHECK_EQ(lists->revision, revision + 17);
    CHECK_EQ(lists->operations_count, first_page);
    CHECK_EQ(lists->operations[0].gen, gens[0]);
    rig_fini(&rig);
}

/* A whole frame of changes is more than the ring holds: those who wait are told of the gap. */
static void a_burst_that_passes_those_who_wait(void)
{
    enum { OPS = 40 };

    struct limits limits = small_limits(16, 65536);
    begin(&limits);
    rig_park(&rig, 1, 0, 5, watch_from(revision_now(), 20000));
    struct op ops[OPS];
    char keys[OPS][8];
    for (unsigned i = 0; i < OPS; i++) {
        (void) snprintf(keys[i], sizeof keys[i], "k%u", i);
        ops[i] = rig_store(keys[i], POLICY_REJECT);
    }
    struct frame frame = {.version = 1,
                          .session = owner,
                          .request_id = ++rig.request_id,
                          .ops = ops,
                          .ops_count = OPS};
    rig_send(&rig, 1, &frame);
    CHECK_EQ(rig.answers[ANSWER_STORED], OPS);
    CHECK_EQ(rig.answers[ANSWER_SNAPSHOT], 2);
    CHECK_EQ(rig.last_request_id, 5);
    CHECK_EQ(rig.lists.operations_count, OPS);
    rig_fini(&rig);
}

static const struct test_case cases[] = {
    {"until somebody watches, events are only counted",
     until_somebody_watches_events_are_only_counted},
    {"every store, change of state and end is one event of its namespace",
     every_change_is_an_event},
    {"a birth that is cancelled is two events", a_birth_that_is_cancelled_is_two_events},
    {"an end by the owner's loss is an event", an_end_by_time_or_loss_is_an_event},
    {"a watcher of a namespace that is not there yet is told of its first store",
     a_watcher_waits_for_the_first_store_of_all},
    {"a watcher is answered empty after its time, with a newer revision",
     a_watcher_that_nothing_comes_for},
    {"a watcher that waits while the ring turns over has no gap", a_quiet_watcher_has_no_gap},
    {"many watchers are told in steps", many_watchers_are_told_in_steps},
    {"a watcher whose link or session goes leaves nothing", a_watcher_that_goes},
    {"watchers are bounded, and hold their namespace", watchers_hold_namespaces_and_are_bounded},
    {"watchers leave names for stores", watchers_leave_names_for_stores},
    {"a gap is told exactly at the bound, and never a wrong one",
     a_gap_is_told_exactly_at_the_bound},
    {"events outlive their namespace", events_of_a_namespace_that_was_forgotten},
    {"a request looks at so many events and says where it stopped",
     a_long_way_through_others_events},
    {"events come in pages", events_come_in_pages},
    {"a ring of bytes wraps at many sizes", a_ring_wraps_at_many_sizes},
    {"a ring that few events fill stays small", a_ring_that_few_events_fill_stays_small},
    {"a snapshot in pages, and what happens meanwhile",
     a_snapshot_in_pages_and_what_happens_meanwhile},
    {"a burst that passes those who wait is a gap", a_burst_that_passes_those_who_wait},
};
TEST_MAIN(cases)
