/* SPDX-License-Identifier: MIT */
#include "testing.h"

#include "base/limits.h"
#include "registry/lease_clock.h"

#include <string.h>

#define MS NS_PER_MS
/* Where every script begins: not at a whole ms. */
#define BEGIN_NS (UINT64_C(1000000) * MS + 400000)

struct script {
    struct lease_clock clock;
    uint64_t now_ns;
};

static void script_begin(struct script *script, uint32_t links_count)
{
    *script = (struct script){.now_ns = BEGIN_NS};
    CHECK(lease_clock_init(&script->clock, script->now_ns, 8));
    for (uint64_t link = 1; link <= links_count; link++) {
        CHECK(lease_clock_link_up(&script->clock, link));
    }
}

static void script_end(struct script *script)
{
    lease_clock_check(&script->clock);
    lease_clock_fini(&script->clock);
}

/* The turn begins `after_ms` after the last thing that happened. */
static void look(struct script *script, uint64_t after_ms)
{
    script->now_ns += after_ms * MS;
    lease_clock_look(&script->clock, script->now_ns);
    lease_clock_check(&script->clock);
}

static void end(struct script *script, uint64_t after_ms)
{
    script->now_ns += after_ms * MS;
    lease_clock_end(&script->clock, script->now_ns);
    lease_clock_check(&script->clock);
}

/* In how many ms it has to wake for what is due so long from now, lease time. */
static uint64_t plan(struct script *script, uint64_t due_after_ms)
{
    const uint64_t due_ms = lease_clock_start_ms(&script->clock) + due_after_ms;
    const uint64_t wake_ns = lease_clock_plan(&script->clock, due_ms, script->now_ns);
    CHECK_GE(wake_ns, script->now_ns);
    return (wake_ns - script->now_ns + MS - 1) / MS;
}

/* Lease time since the beginning, in ms. */
static uint64_t lease(const struct script *script)
{
    return (script->clock.lease_ns - BEGIN_NS) / MS;
}

static void in_time(void)
{
    struct script script;
    script_begin(&script, 2);
    uint64_t real = 0;
    for (uint64_t i = 0; i < 1000; i++) {
        CHECK_EQ(plan(&script, 100), 101); /* to the end of a ms */
        look(&script, 100 + i % LEASE_LATE_MS);
        end(&script, i % (LEASE_LATE_MS + 1));
        real += 100 + i % LEASE_LATE_MS + i % (LEASE_LATE_MS + 1);
        CHECK_EQ(lease(&script), real);
    }
    CHECK_EQ(script.clock.stalls_count, 0);
    CHECK_EQ(script.clock.stood_still_ns, 0);
    script_end(&script);
}

static void woken_early(void)
{
    struct script script;
    script_begin(&script, 1);
    (void) plan(&script, 500);
    look(&script, 3);
    CHECK_EQ(lease(&script), 3);
    end(&script, 0);
    /* The plan of before counts no more. */
    look(&script, 900);
    CHECK_EQ(lease(&script), 903);
    CHECK_EQ(script.clock.stalls_count, 0);
    script_end(&script);
}

static void never_early(void)
{
    struct script script;
    script_begin(&script, 0);
    for (uint64_t fraction_ns = 0; fraction_ns < MS; fraction_ns += 99991) {
        script.now_ns += fraction_ns;
        look(&script, 1);
        const uint64_t began_ns = script.now_ns;
        const uint64_t due_ms = lease_clock_start_ms(&script.clock) + 10;
        const uint64_t wake_ns = lease_clock_plan(&script.clock, due_ms, script.now_ns);
        CHECK_GE(wake_ns, began_ns + 10 * MS);
        CHECK_LT(wake_ns, began_ns + 11 * MS);
        lease_clock_look(&script.clock, wake_ns - 1);
        CHECK_LT(lease_clock_ms(&script.clock), due_ms);
        lease_clock_look(&script.clock, wake_ns);
        CHECK_EQ(lease_clock_ms(&script.clock), due_ms);
        script.now_ns = wake_ns;
    }
    script_end(&script);
}

static void late_without_links(void)
{
    struct script script;
    script_begin(&script, 0);
    CHECK_EQ(plan(&script, 100), 101); /* to the end of a ms */
    look(&script, 100 + LEASE_LATE_MS + 1);
    CHECK_EQ(lease(&script), 100 + LEASE_LATE_MS);
    CHECK_EQ(script.clock.stalls_count, 1);
    CHECK_EQ(script.clock.holds_count, 0);
    CHECK_EQ(script.clock.stood_still_ns, 400000); /* planned was 100.6 ms */
    end(&script, 10);
    CHECK_EQ(lease(&script), 100 + LEASE_LATE_MS + 10);
    /* What is due is now one real ms later. */
    CHECK_EQ(plan(&script, 40), 40);
    script_end(&script);
}

static void a_long_turn(void)
{
    struct script script;
    script_begin(&script, 0);
    look(&script, 10);
    end(&script, 1000);
    CHECK_EQ(lease(&script), 10 + LEASE_LATE_MS);
    CHECK_EQ(script.clock.stalls_count, 1);
    CHECK_EQ(script.clock.stood_still_ns, (1000 - LEASE_LATE_MS) * MS);
    script_end(&script);
}

static void nothing_planned(void)
{
    struct script script;
    script_begin(&script, 1);
    CHECK(lease_clock_plan(&script.clock, TIME_NEVER, script.now_ns) == TIME_NEVER);
    look(&script, 3600000);
    CHECK_EQ(lease(&script), 3600000);
    CHECK_EQ(script.clock.stalls_count, 0);
    script_end(&script);
}

static void a_far_lease_is_planned_for_in_steps(void)
{
    struct script script;
    script_begin(&script, 0);
    CHECK_EQ(plan(&script, 60000), LEASE_PLAN_MS);
    /* So a stop is noticed long before the lease is due. */
    look(&script, LEASE_PLAN_MS + 30000);
    CHECK_EQ(lease(&script), LEASE_PLAN_MS + LEASE_LATE_MS);
    script_end(&script);
}

static void a_stop_holds_what_was_due(void)
{
    struct script script;
    script_begin(&script, 2);
    const uint64_t due_ms = lease_clock_start_ms(&script.clock) + 100;
    CHECK_EQ(plan(&script, 100), 101); /* to the end of a ms */
    look(&script, 10000);
    CHECK_EQ(script.clock.holds_count, 1);
    CHECK_LT(lease_clock_ms(&script.clock), due_ms);
    CHECK_LT(lease_clock_start_ms(&script.clock), due_ms);
    CHECK_GE(lease_clock_ms(&script.clock), due_ms - 2);

    /* One link is read, and read again; the other one is not. */
    lease_clock_link_read(&script.clock, 1);
    lease_clock_link_read(&script.clock, 1);
    end(&script, 10);
    CHECK_LT(lease_clock_ms(&script.clock), due_ms);
    CHECK_EQ(plan(&script, 1), LEASE_HOLD_MS - 10);

    /* The other one too: the clock goes on, from where it stood. */
    look(&script, 5);
    const uint64_t stood = lease(&script);
    lease_clock_link_read(&script.clock, 2);
    end(&script, 5);
    CHECK_EQ(lease(&script), stood);
    look(&script, 7);
    CHECK_EQ(lease(&script), stood + 7);
    script_end(&script);
}

static void a_hold_ends_by_itself(void)
{
    struct script script;
    script_begin(&script, 2);
    (void) plan(&script, 100);
    look(&script, 10000);
    const uint64_t stood = lease(&script);
    end(&script, 0);
    for (uint64_t waited = 50; waited < LEASE_HOLD_MS; waited += 50) {
        look(&script, 50);
        end(&script, 0);
        CHECK_EQ(lease(&script), stood);
        CHECK_EQ(plan(&script, 100), LEASE_HOLD_MS - waited);
    }
    look(&script, 50);
    CHECK_EQ(lease(&script), stood);
    CHECK(!script.clock.held);
    look(&script, 20);
    CHECK_EQ(lease(&script), stood + 20);
    /* All that time is accounted for. */
    CHECK_EQ(script.clock.stood_still_ns, script.clock.skipped_ns);
    script_end(&script);
}

static void one_hold_in_five_seconds(void)
{
    struct script script;
    script_begin(&script, 1);
    uint64_t holds_last = 0;
    uint64_t held_ns = 0;
    for (uint64_t i = 0; i < 200; i++) {
        (void) plan(&script, 20);
        look(&script, 20 + LEASE_LATE_MS + 80); /* always late */
        end(&script, 0);
        if (script.clock.holds_count > holds_last) {
            CHECK(held_ns == 0 || script.now_ns - held_ns >= LEASE_HOLD_APART_MS * MS);
            held_ns = script.now_ns;
            holds_last = script.clock.holds_count;
        }
    }
    /* 30 s: a hold each 5 s, and in between the clock goes on as far as it was in time. */
    CHECK_EQ(script.clock.holds_count, 6);
    CHECK_GT(lease(&script), 180 * (20 + LEASE_LATE_MS));
    CHECK_LT(lease(&script), 200 * (20 + LEASE_LATE_MS));
    script_end(&script);
}

static void links_come_and_go_in_a_hold(void)
{
    struct script script;
    script_begin(&script, 3);
    (void) plan(&script, 100);
    look(&script, 10000);
    CHECK_EQ(script.clock.unread, 3);
    lease_clock_link_down(&script.clock, 2);
    lease_clock_check(&script.clock);
    CHECK_EQ(script.clock.unread, 2);
    CHECK(lease_clock_link_up(&script.clock, 9));
    CHECK_EQ(script.clock.unread, 2);
    lease_clock_link_read(&script.clock, 9);
    lease_clock_link_read(&script.clock, 77); /* is not up */
    CHECK_EQ(script.clock.unread, 2);
    lease_clock_link_read(&script.clock, 1);
    lease_clock_link_down(&script.clock, 1);
    CHECK_EQ(script.clock.unread, 1);
    lease_clock_link_down(&script.clock, 3);
    CHECK_EQ(script.clock.unread, 0);
    end(&script, 1);
    CHECK(!script.clock.held);
    script_end(&script);
}

static void links_are_bounded(void)
{
    struct script script;
    script_begin(&script, 8);
    CHECK(!lease_clock_link_up(&script.clock, 9));
    lease_clock_link_down(&script.clock, 9);
    lease_clock_link_down(&script.clock, 5);
    CHECK(lease_clock_link_up(&script.clock, 9));
    script_end(&script);
}

static void work_at_once_in_a_hold(void)
{
    struct script script;
    script_begin(&script, 1);
    (void) plan(&script, 100);
    look(&script, 10000);
    end(&script, 0);
    CHECK(script.clock.held);
    CHECK(lease_clock_plan(&script.clock, 0, script.now_ns) == script.now_ns);
    script_end(&script);
}

static void by_chance(void)
{
    uint64_t seed = test_seed();
    struct script script;
    script_begin(&script, 3);
    uint64_t lease_before = script.clock.lease_ns;
    uint64_t real_before = script.now_ns;
    for (size_t i = 0; i < 200000; i++) {
        const uint64_t wake = plan(&script, test_random(&seed) % 3000);
        const bool stopped = test_random(&seed) % 16 == 0;
        look(&script, wake + (stopped ? test_random(&seed) % 20000 : test_random(&seed) % 40));
        lease_clock_link_read(&script.clock, 1 + test_random(&seed) % 3);
        end(&script, stopped ? 0 : test_random(&seed) % 80);
        CHECK_GE(script.clock.lease_ns, lease_before);
        CHECK_LE(script.clock.lease_ns - lease_before, script.now_ns - real_before);
        /* It stands behind by as much as it says. */
        CHECK(script.clock.held || script.clock.stood_still_ns == script.clock.skipped_ns);
        lease_before = script.clock.lease_ns;
        real_before = script.now_ns;
    }
    script_end(&script);
}

static const struct test_case cases[] = {
    {"an owner in time has a clock that runs with real time", in_time, 0},
    {"an owner woken before the plan is in time", woken_early, 0},
    {"a span counted from the present ms is never over early", never_early, 0},
    {"the clock stands still for what is beyond 50 ms", late_without_links, 0},
    {"a turn that takes too long stops the clock", a_long_turn, 0},
    {"an owner who planned nothing is never late", nothing_planned, 0},
    {"a lease far away is planned for in steps", a_far_lease_is_planned_for_in_steps, 0},
    {"after a stop nothing is due until each link was read", a_stop_holds_what_was_due, 0},
    {"a hold ends by itself", a_hold_ends_by_itself, 0},
    {"there is one hold in five seconds at most", one_hold_in_five_seconds, 0},
    {"links may come and go in a hold", links_come_and_go_in_a_hold, 0},
    {"links are bounded", links_are_bounded, 0},
    {"work that is due already goes on in a hold", work_at_once_in_a_hold, 0},
    {"lease time never goes back and never outruns real time", by_chance, 0},
};
TEST_MAIN(cases)
