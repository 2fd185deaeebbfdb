/* SPDX-License-Identifier: MIT */
/* The timing wheels against an array of deadlines. */
#include "support/testing.h"
#include "table/wheel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_MS UINT64_C(3600000)
#define DAY_MS (24 * HOUR_MS)
#define PLENTY UINT32_MAX

struct timed {
    uint64_t name;
    struct wheel_link link;
    uint32_t unused[11];
};

/* A wheel, its records, and what it should know. */
struct rig {
    struct packed records;
    struct wheel wheel;
    uint64_t *deadlines; /* by record */
    bool *is_set;
    uint32_t count; /* of those that are set */
    uint64_t now_ms;
    uint32_t steps; /* of chance */
};

static uint64_t below(uint64_t *random, uint64_t limit)
{
    return test_random(random) % limit;
}

static void rig_init(struct rig *rig, uint32_t capacity, uint64_t now_ms)
{
    *rig = (struct rig){.now_ms = now_ms};
    CHECK(packed_init(&rig->records, sizeof(struct timed), capacity));
    CHECK(wheel_init(&rig->wheel, &rig->records, offsetof(struct timed, link), now_ms));
    rig->deadlines = calloc((size_t) capacity + 2, sizeof *rig->deadlines);
    rig->is_set = calloc((size_t) capacity + 2, sizeof *rig->is_set);
    CHECK(rig->deadlines != NULL && rig->is_set != NULL);
}

static void rig_fini(struct rig *rig)
{
    wheel_check(&rig->wheel);
    wheel_fini(&rig->wheel);
    packed_fini(&rig->records);
    free(rig->deadlines);
    free(rig->is_set);
}

static uint32_t rig_take(struct rig *rig)
{
    uint32_t record = packed_take(&rig->records);
    CHECK_NE(record, 0);
    return record;
}

static const struct wheel_link *link_of(const struct rig *rig, uint32_t record)
{
    const struct timed *timed = packed_at(&rig->records, record);
    return &timed->link;
}

static void rig_set(struct rig *rig, uint32_t record, uint64_t deadline_ms)
{
    wheel_set(&rig->wheel, record, deadline_ms, rig->now_ms);
    CHECK(wheel_is_set(link_of(rig, record)));
    rig->count += rig->is_set[record] ? 0 : 1;
    rig->is_set[record] = true;
    rig->deadlines[record] = deadline_ms < rig->now_ms ? rig->now_ms : deadline_ms;
    CHECK_EQ(rig->wheel.count, rig->count);
}

static void rig_clear(struct rig *rig, uint32_t record)
{
    wheel_clear(&rig->wheel, record);
    CHECK(!wheel_is_set(link_of(rig, record)));
    CHECK(!rig->is_set[record] ||
          link_of(rig, record)->deadline_ms == (uint32_t) rig->deadlines[record]);
    rig->count -= rig->is_set[record] ? 1 : 0;
    rig->is_set[record] = false;
    CHECK_EQ(rig->wheel.count, rig->count);
}

/* Gives what is due, with this budget; returns how many records. Each was set, and none is early. */
static uint32_t rig_expire(struct rig *rig, uint32_t *budget)
{
    uint32_t before = *budget;
    uint64_t moves = rig->wheel.moves;
    uint32_t given = 0;
    uint32_t record = wheel_expire(&rig->wheel, rig->now_ms, budget);
    for (; record != 0; record = wheel_expire(&rig->wheel, rig->now_ms, budget)) {
        const struct wheel_link *link = link_of(rig, record);
        CHECK(rig->is_set[record]);
        CHECK(rig->deadlines[record] <= rig->now_ms);
        CHECK(!wheel_is_set(link));
        CHECK_EQ(link->deadline_ms, (uint32_t) rig->deadlines[record]);
        rig->is_set[record] = false;
        rig->count--;
        given++;
    }
    CHECK_EQ(before - *budget, given + (rig->wheel.moves - moves));
    CHECK_EQ(rig->wheel.count, rig->count);
    return given;
}

/* The earliest deadline that is set. */
static uint64_t earliest_deadline_ms(const struct rig *rig)
{
    uint64_t earliest = TIME_NEVER;
    for (uint32_t record = 1; record <= rig->records.capacity; record++) {
        if (rig->is_set[record] && rig->deadlines[record] < earliest) {
            earliest = rig->deadlines[record];
        }
    }
    return earliest;
}

/* After enough budget: nothing that is due is left, and the next time is one to come. */
static void check_all_given(const struct rig *rig)
{
    uint64_t earliest_ms = earliest_deadline_ms(rig);
    uint64_t next_ms = wheel_next_ms(&rig->wheel);
    CHECK(earliest_ms > rig->now_ms);
    CHECK(next_ms > rig->now_ms);
    CHECK(next_ms <= earliest_ms);
    CHECK_EQ(next_ms == TIME_NEVER, rig->count == 0);
}

/* ---- chance ---- */

static uint64_t any_ttl_ms(uint64_t *random)
{
    static const uint64_t most[] = {3, 12, 1000, 16384, 25000, 10 * HOUR_MS, WHEEL_TTL_MS_MAX};
    uint64_t limit = most[below(random, sizeof most / sizeof most[0])];
    return below(random, 20) == 0 ? limit : below(random, limit + 1);
}

static uint64_t any_step_ms(uint64_t *random)
{
    static const uint64_t most[] = {0, 1, 2, 5, 30, 4096, 17000, HOUR_MS};
    if (below(random, 500) == 0) {
        return below(random, 3 * DAY_MS);
    }
    return below(random, most[below(random, sizeof most / sizeof most[0])] + 1);
}

static uint32_t any_live(const struct rig *rig, uint64_t *random)
{
    for (;;) {
        uint32_t record = 1 + (uint32_t) below(random, rig->records.end - 1);
        if (packed_is_live(&rig->records, record)) {
            return record;
        }
    }
}

/* Moves a record to a hole, if there is one. */
static void move_any(struct rig *rig, uint64_t *random)
{
    uint32_t from = any_live(rig, random);
    uint32_t to = 1 + (uint32_t) below(random, rig->records.end - 1);
    if (packed_is_live(&rig->records, to)) {
        return;
    }
    packed_move(&rig->records, from, to);
    wheel_rename(&rig->wheel, from, to);
    rig->deadlines[to] = rig->deadlines[from];
    rig->is_set[to] = rig->is_set[from];
    rig->is_set[from] = false;
}

/* The number of records goes up and down with the steps, so that there are holes. */
static void resize_any(struct rig *rig, uint32_t record)
{
    bool is_growing = rig->steps / 500 % 2 == 0;
    if (!is_growing && rig->records.count > 100) {
        rig_clear(rig, record);
        packed_give(&rig->records, record);
    }
    if (is_growing && rig->records.count < rig->records.capacity) {
        record = rig_take(rig);
        CHECK(!wheel_is_set(link_of(rig, record)));
    }
}

static void step_any(struct rig *rig, uint64_t *random)
{
    rig->steps++;
    uint64_t kind = below(random, 100);
    uint32_t record = any_live(rig, random);
    if (kind < 50) {
        uint64_t before = below(random, 10) == 0 ? below(random, 3000) : 0;
        rig_set(rig, record,
                before > 0 && before < rig->now_ms ? rig->now_ms - before
                                                   : rig->now_ms + any_ttl_ms(random));
    } else if (kind < 65) {
        rig_clear(rig, record);
    } else if (kind < 75) {
        move_any(rig, random);
    } else if (kind < 87) {
        resize_any(rig, record);
    } else {
        rig->now_ms += any_step_ms(random);
        uint32_t budget = below(random, 3) == 0 ? 1 + (uint32_t) below(random, 8) : PLENTY;
        rig_expire(rig, &budget);
        if (budget > 0) {
            check_all_given(rig);
        } else {
            CHECK(wheel_next_ms(&rig->wheel) <= earliest_deadline_ms(rig));
        }
    }
}

static void play(uint64_t start_ms, size_t steps, uint64_t *random)
{
    const uint32_t capacity = 400;
    struct rig rig;
    rig_init(&rig, capacity, start_ms);
    for (uint32_t i = 0; i < capacity / 2; i++) {
        (void) rig_take(&rig);
    }
    for (size_t i = 0; i < steps; i++) {
        step_any(&rig, random);
        if (i < 200 || i % 64 == 0) {
            wheel_check(&rig.wheel);
        }
    }
    rig.now_ms += 2 * DAY_MS;
    uint32_t budget = PLENTY;
    rig_expire(&rig, &budget);
    CHECK_EQ(rig.count, 0);
    CHECK(wheel_next_ms(&rig.wheel) == TIME_NEVER);
    rig_fini(&rig);
}

static void every_timer_comes_once_and_in_its_time(void)
{
    static const uint64_t starts_ms[] = {
        0,
        100000,
        UINT64_C(0x7fffffff) - 70000,
        UINT64_C(0x100000000) - 70000,
        UINT64_C(0x200000000) - 3,
        UINT64_C(0x123456789abc),
    };
    uint64_t random = test_seed();
    for (size_t i = 0; i < sizeof starts_ms / sizeof starts_ms[0]; i++) {
        play(starts_ms[i], TEST_SCALE(60000), &random);
    }
}

/* ---- one by one ---- */

static void a_wheel_without_timers_sleeps_for_ever(void)
{
    struct rig rig;
    uint32_t budget = 5;
    rig_init(&rig, 10, 12345);
    uint32_t record = rig_take(&rig);
    CHECK(wheel_next_ms(&rig.wheel) == TIME_NEVER);
    wheel_clear(&rig.wheel, record);
    wheel_rename(&rig.wheel, record + 1, record);
    CHECK_EQ(wheel_expire(&rig.wheel, rig.now_ms, &budget), 0);
    CHECK_EQ(budget, 5);
    rig_set(&rig, record, rig.now_ms + 100);
    CHECK_EQ(wheel_next_ms(&rig.wheel), rig.now_ms + 100);
    rig_clear(&rig, record);
    CHECK(wheel_next_ms(&rig.wheel) == TIME_NEVER);
    wheel_fini(&rig.wheel);
    wheel_fini(&rig.wheel);
    CHECK(wheel_init(&rig.wheel, &rig.records, offsetof(struct timed, link), 0));
    rig_fini(&rig);
}

/* Wakes when wheel_next_ms() says, and at no other time: whatever comes is exactly in time, and no
 * wake is for nothing. */
static void an_owner_that_wakes_when_told_is_never_late(void)
{
    const uint32_t count = 2000;
    uint64_t random = test_seed();
    struct rig rig;
    rig_init(&rig, count, UINT64_C(0x100000000) - HOUR_MS);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t record = rig_take(&rig);
        rig_set(&rig, record, rig.now_ms + any_ttl_ms(&random));
        if (i % 3 == 0 && rig.deadlines[record] + 5000 <= rig.now_ms + WHEEL_TTL_MS_MAX) {
            rig_set(&rig, record, rig.deadlines[record] + 5000);
        }
    }
    while (rig.count > 0) {
        uint32_t budget = PLENTY;
        uint64_t earliest_ms = earliest_deadline_ms(&rig);
        uint64_t next_ms = wheel_next_ms(&rig.wheel);
        CHECK(next_ms <= earliest_ms);
        rig.now_ms = next_ms > rig.now_ms ? next_ms : rig.now_ms;
        uint32_t given = rig_expire(&rig, &budget);
        CHECK(budget < PLENTY);
        CHECK_EQ(given > 0, earliest_ms == rig.now_ms);
        check_all_given(&rig);
    }
    CHECK_LE(rig.wheel.moves, 3 * (uint64_t) count);
    rig_fini(&rig);
}

static void putting_off_moves_nothing_before_the_old_slot_comes(void)
{
    struct rig rig;
    uint32_t budget = PLENTY;
    rig_init(&rig, 10, 1000);
    uint32_t record = rig_take(&rig);
    rig_set(&rig, record, 6000);
    uint32_t previous = link_of(&rig, record)->previous;
    for (uint64_t i = 0; i < 1000; i++) {
        rig_set(&rig, record, 6000 + 10 * i);
        CHECK_EQ(link_of(&rig, record)->previous, previous);
        CHECK_EQ(wheel_next_ms(&rig.wheel), 6000);
    }
    rig.now_ms = 6000;
    CHECK_EQ(rig_expire(&rig, &budget), 0);
    CHECK_EQ(rig.wheel.moves, 1);
    CHECK_EQ(wheel_next_ms(&rig.wheel), 6000 + 10 * 999);
    /* An earlier deadline counts at once. */
    rig_set(&rig, record, 6010);
    CHECK_EQ(wheel_next_ms(&rig.wheel), 6010);
    rig.now_ms = 6009;
    CHECK_EQ(rig_expire(&rig, &budget), 0);
    rig.now_ms = 6010;
    CHECK_EQ(rig_expire(&rig, &budget), 1);
    rig_fini(&rig);
}

static void a_past_deadline_is_due_at_once(void)
{
    /* The low bits of some are those of times to come. */
    static const uint64_t deadlines_ms[] = {
        0, 1, 70001, 70002, 100000, WHEEL_TTL_MS_MAX, UINT64_C(0x100000000) + 70000,
    };
    const uint32_t count = sizeof deadlines_ms / sizeof deadlines_ms[0];
    struct rig rig;
    uint32_t budget = PLENTY;
    rig_init(&rig, 10, UINT64_C(0x100000000) + 70001);
    for (uint32_t i = 0; i < count; i++) {
        rig_set(&rig, rig_take(&rig), deadlines_ms[i]);
    }
    CHECK_EQ(wheel_next_ms(&rig.wheel), rig.now_ms);
    CHECK_EQ(rig_expire(&rig, &budget), count);
    rig_fini(&rig);
}

/* ---- masses ---- */

static void set_many(struct rig *rig, uint32_t count, uint64_t from_ms, uint64_t spread_ms)
{
    for (uint32_t i = 0; i < count; i++) {
        rig_set(rig, rig_take(rig), from_ms + i % spread_ms);
    }
}

static void a_million_in_one_slot_take_only_their_budget(void)
{
    const uint32_t count = TEST_SCALE(1000000);
    const uint32_t each = 2000;
    struct rig rig;
    rig_init(&rig, count, 777);
    set_many(&rig, count, 10004, 1);
    rig.now_ms = 10003;
    uint32_t budget = each;
    CHECK_EQ(rig_expire(&rig, &budget), 0);
    CHECK_EQ(budget, each);
    rig.now_ms = 10004;
    for (uint32_t left = count; left > 0; left -= each) {
        CHECK(wheel_next_ms(&rig.wheel) <= rig.now_ms);
        budget = each;
        CHECK_EQ(rig_expire(&rig, &budget), each);
        CHECK_EQ(budget, 0);
        rig.now_ms += left % 3;
    }
    CHECK_EQ(rig.count, 0);
    CHECK_EQ(rig.wheel.moves, 0);
    rig_fini(&rig);
}

/* They are ten minutes away, and all for the same span of the far wheel. */
static void a_million_far_ones_are_near_before_they_are_due(void)
{
    const uint32_t count = TEST_SCALE(1000000);
    struct rig rig;
    rig_init(&rig, count, 0);
    const uint64_t from_ms = 150 * (uint64_t) WHEEL_FAR_MS;
    set_many(&rig, count, from_ms, WHEEL_FAR_MS);
    uint64_t begun_ms = 0;
    while (rig.wheel.moves < count) {
        uint64_t next_ms = wheel_next_ms(&rig.wheel);
        rig.now_ms = next_ms > rig.now_ms ? next_ms : rig.now_ms + 4;
        begun_ms = begun_ms == 0 ? rig.now_ms : begun_ms;
        uint32_t budget = 2000;
        CHECK_EQ(rig_expire(&rig, &budget), 0);
    }
    CHECK_GE(begun_ms + WHEEL_NEAR_SLOTS, from_ms);
    CHECK_LE(rig.now_ms + 10000, from_ms);
    wheel_check(&rig.wheel);
    uint32_t given = 0;
    for (rig.now_ms = from_ms - 1; rig.now_ms < from_ms + WHEEL_FAR_MS + 3; rig.now_ms += 4) {
        uint32_t budget = 2000;
        given += rig_expire(&rig, &budget);
        CHECK_GT(budget, 0);
    }
    CHECK_EQ(given, count);
    CHECK_EQ(rig.wheel.moves, count);
    rig_fini(&rig);
}

static void what_is_due_does_not_starve_what_is_to_be_moved(void)
{
    struct rig rig;
    rig_init(&rig, 2000, 0);
    set_many(&rig, 1000, 20 * WHEEL_FAR_MS, 1000);
    rig.now_ms = 17 * WHEEL_FAR_MS;
    set_many(&rig, 1000, rig.now_ms, 1);
    for (int i = 0; i < 10; i++) {
        uint32_t budget = 40;
        CHECK_EQ(rig_expire(&rig, &budget), 30);
    }
    CHECK_EQ(rig.wheel.moves, 100);
    wheel_check(&rig.wheel);
    rig_fini(&rig);
}

static void a_clock_that_jumps_loses_nothing(void)
{
    static const uint64_t jumps_ms[] = {66000, 2 * HOUR_MS, 40 * HOUR_MS, 30 * DAY_MS, 47 * DAY_MS};
    const uint32_t count = 5000;
    uint64_t random = test_seed();
    for (size_t i = 0; i < sizeof jumps_ms / sizeof jumps_ms[0]; i++) {
        struct rig rig;
        uint32_t given = 0;
        rig_init(&rig, count + 1, UINT64_C(0x100000000) - HOUR_MS);
        for (uint32_t made = 0; made < count; made++) {
            rig_set(&rig, rig_take(&rig), rig.now_ms + any_ttl_ms(&random));
        }
        rig.now_ms += jumps_ms[i];
        /* One that is set after the jump, before the rest has been looked at, is not early. */
        uint32_t fresh = rig_take(&rig);
        rig_set(&rig, fresh, rig.now_ms + 100);
        while (wheel_next_ms(&rig.wheel) <= rig.now_ms) {
            uint32_t budget = 300;
            given += rig_expire(&rig, &budget);
            wheel_check(&rig.wheel);
        }
        CHECK(rig.is_set[fresh]);
        CHECK_EQ(given + rig.count, count + 1);
        check_all_given(&rig);
        rig.now_ms += 100;
        uint32_t budget = PLENTY;
        CHECK_GE(rig_expire(&rig, &budget), 1);
        CHECK(!rig.is_set[fresh]);
        rig_fini(&rig);
    }
}

/* The owner is behind by two minutes; what is set meanwhile is neither early nor forgotten. */
static void timers_set_while_the_owner_is_behind_keep_their_time(void)
{
    const uint32_t count = TEST_SCALE(20000);
    uint64_t random = test_seed();
    struct rig rig;
    rig_init(&rig, 2 * count, 5000);
    set_many(&rig, count, 6000, 1);
    rig.now_ms = 126000;
    for (uint32_t i = 0; i < count; i++) {
        rig_set(&rig, rig_take(&rig), rig.now_ms + any_ttl_ms(&random));
        if (i % 4 == 0) {
            uint32_t budget = 5;
            rig_expire(&rig, &budget);
        }
        if (i % 1000 == 0) {
            wheel_check(&rig.wheel);
        }
        rig.now_ms += i % 2;
    }
    uint32_t budget = PLENTY;
    rig_expire(&rig, &budget);
    check_all_given(&rig);
    rig.now_ms += 2 * DAY_MS;
    rig_expire(&rig, &budget);
    CHECK_EQ(rig.count, 0);
    rig_fini(&rig);
}

static const struct test_case cases[] = {
    {"every timer comes once and in its time", every_timer_comes_once_and_in_its_time, 0},
    {"a wheel without timers sleeps for ever", a_wheel_without_timers_sleeps_for_ever, 0},
    {"an owner that wakes when told is never late", an_owner_that_wakes_when_told_is_never_late, 0},
    {"putting off moves nothing before the old slot comes",
     putting_off_moves_nothing_before_the_old_slot_comes, 0},
    {"a past deadline is due at once", a_past_deadline_is_due_at_once, 0},
    {"a million in one slot take only their budget", a_million_in_one_slot_take_only_their_budget,
     0},
    {"a million far ones are near before they are due",
     a_million_far_ones_are_near_before_they_are_due, 0},
    {"what is due does not starve what is to be moved",
     what_is_due_does_not_starve_what_is_to_be_moved, 0},
    {"a clock that jumps loses nothing", a_clock_that_jumps_loses_nothing, 0},
    {"timers set while the owner is behind keep their time",
     timers_set_while_the_owner_is_behind_keep_their_time, 0},
};

TEST_MAIN(cases)
