/* SPDX-License-Identifier: MIT */
/* Monitors and timers. */
#include "actor_rig.h"

/* ---- monitors ---- */

static void one_down_at_the_end(void)
{
    struct rig rig;
    struct probe target = {0};
    struct probe watchers[3] = {0};
    struct message_down downs[3] = {0};
    rig_init(&rig, 100);
    probe_spawn(&rig, &target);
    for (uint32_t i = 0; i < 3; i++) {
        probe_spawn(&rig, &watchers[i]);
        actor_monitor(watchers[i].actor, target.address, &downs[i]);
    }
    rig_run(&rig);
    CHECK_EQ(watchers[0].downs_count, 0);
    actor_exit(target.actor);
    rig_run(&rig);
    for (uint32_t i = 0; i < 3; i++) {
        CHECK_EQ(watchers[i].downs_count, 1);
        CHECK_EQ(watchers[i].down_address, target.address);
    }
    rig_fini(&rig);
}

static void down_of_one_gone_already(void)
{
    struct rig rig;
    struct probe target = {0};
    struct probe watcher = {0};
    struct message_down downs[2] = {0};
    rig_init(&rig, 100);
    probe_spawn(&rig, &target);
    probe_spawn(&rig, &watcher);
    actor_exit(target.actor);
    actor_monitor(watcher.actor, target.address, &downs[0]);
    actor_monitor(watcher.actor, ACTOR_NONE, &downs[1]);
    CHECK_EQ(watcher.downs_count, 0);
    rig_run(&rig);
    CHECK_EQ(watcher.downs_count, 2);
    /* The record is free again. */
    actor_monitor(watcher.actor, target.address, &downs[0]);
    rig_run(&rig);
    CHECK_EQ(watcher.downs_count, 3);
    rig_fini(&rig);
}

static void demonitor_takes_back(void)
{
    struct rig rig;
    struct probe target = {0};
    struct probe watcher = {0};
    struct message_down before = {0};
    struct message_down pending = {0};
    struct message_down kept = {0};
    rig_init(&rig, 100);
    probe_spawn(&rig, &target);
    probe_spawn(&rig, &watcher);
    actor_demonitor(watcher.actor, &before); /* not set: nothing */
    actor_monitor(watcher.actor, target.address, &before);
    actor_monitor(watcher.actor, target.address, &pending);
    actor_monitor(watcher.actor, target.address, &kept);
    actor_demonitor(watcher.actor, &before);
    actor_exit(target.actor);
    actor_demonitor(watcher.actor, &pending); /* on its way already */
    rig_run(&rig);
    CHECK_EQ(watcher.downs_count, 1);
    rig_fini(&rig);
}

static void down_to_a_dead_watcher(void)
{
    struct rig rig;
    struct probe target = {0};
    struct probe watcher = {0};
    struct message_down pending = {0};
    struct message_down unused = {0};
    struct probe other = {0};
    rig_init(&rig, 100);
    probe_spawn(&rig, &target);
    probe_spawn(&rig, &watcher);
    probe_spawn(&rig, &other);
    actor_monitor(watcher.actor, target.address, &pending);
    actor_monitor(watcher.actor, other.address, &unused);
    actor_exit(target.actor);
    actor_exit(watcher.actor);
    CHECK(!list_is_linked(&pending.of_target) && !list_is_linked(&pending.of_watcher));
    CHECK(!list_is_linked(&unused.of_target) && !list_is_linked(&unused.of_watcher));
    actor_exit(other.actor);
    rig_run(&rig);
    CHECK_EQ(watcher.downs_count, 0);
    rig_fini(&rig);
}

/* Tells the other one three notes, and ends. */
static void last_words(struct probe *probe, struct message *message)
{
    for (uint64_t i = 1; i <= 3; i++) {
        rig_tell(probe->extra, probe->other->address, i);
    }
    message_release(message);
    actor_exit(probe->actor);
}

static void down_comes_after_the_last_words(void)
{
    struct rig rig;
    struct probe watcher = {0};
    struct probe first = {.on_note = last_words, .extra = &rig, .other = &watcher};
    struct probe second = first;
    struct message_down downs[2] = {0};
    rig_init(&rig, 100);
    probe_spawn(&rig, &watcher);
    probe_spawn(&rig, &first);
    probe_spawn(&rig, &second);
    actor_monitor(watcher.actor, first.address, &downs[0]);
    actor_monitor(watcher.actor, second.address, &downs[1]);
    /* The second ends while the first one's fence is under way. */
    rig_tell(&rig, first.address, 0);
    rig_tell(&rig, second.address, 0);
    rig_run(&rig);
    const uint64_t expected[] = {1, 2, 3, 1, 2, 3};
    uint64_t notes[6];
    uint32_t notes_count = 0;
    uint32_t downs_count = 0;
    for (uint32_t i = 0; i < watcher.seen_count; i++) {
        if (watcher.seen[i] == UINT64_MAX) {
            downs_count++;
            CHECK_GE(notes_count, 3 * downs_count);
        } else {
            CHECK_LT(notes_count, 6);
            notes[notes_count++] = watcher.seen[i];
        }
    }
    CHECK_EQ(downs_count, 2);
    CHECK_BYTES_EQ(notes, notes_count * sizeof notes[0], expected, sizeof expected);
    rig_fini(&rig);
}

/* ---- timers ---- */

struct alarm_clock {
    struct actor_timer timer;
    struct rig *rig;
    uint64_t deadline_ns;
    uint64_t again_ns; /* set anew to this when it fires; 0: not */
    uint32_t fires_count;
};

static void alarm_on_fire(struct actor *self, struct actor_timer *timer)
{
    struct alarm_clock *alarm = LIST_OWNER(timer, struct alarm_clock, timer);
    CHECK(!timer_is_set(&timer->timer));
    CHECK_GE(actor_now_ns(self), alarm->deadline_ns);
    alarm->fires_count++;
    if (alarm->again_ns != 0) {
        actor_timer_set(self, timer, alarm->again_ns);
    }
}

static void alarm_set(struct probe *probe, struct alarm_clock *alarm, uint64_t deadline_ns)
{
    alarm->timer.on_fire = alarm_on_fire;
    alarm->deadline_ns = deadline_ns;
    actor_timer_set(probe->actor, &alarm->timer, deadline_ns);
}

static void timer_is_never_early(void)
{
    struct rig rig;
    struct probe probe = {0};
    struct alarm_clock alarms[40] = {0};
    rig_init(&rig, 100);
    probe_spawn(&rig, &probe);
    uint64_t seed = test_seed();
    for (uint32_t i = 0; i < 40; i++) {
        alarm_set(&probe, &alarms[i], 2000 + test_random(&seed) % 1000);
    }
    for (rig.now_ns = 1990; rig.now_ns < 3010; rig.now_ns++) {
        rig_run(&rig);
        for (uint32_t i = 0; i < 40; i++) {
            CHECK_EQ(alarms[i].fires_count, alarms[i].deadline_ns <= rig.now_ns);
        }
    }
    rig_fini(&rig);
}

static void timer_moved_and_cleared(void)
{
    struct rig rig;
    struct probe probe = {0};
    struct alarm_clock later = {0};
    struct alarm_clock sooner = {0};
    struct alarm_clock cleared = {0};
    rig_init(&rig, 100);
    probe_spawn(&rig, &probe);
    alarm_set(&probe, &later, 2000);
    alarm_set(&probe, &sooner, 9000);
    alarm_set(&probe, &cleared, 2000);
    alarm_set(&probe, &later, 4000);
    alarm_set(&probe, &sooner, 1500);
    actor_timer_clear(probe.actor, &cleared.timer);
    actor_timer_clear(probe.actor, &cleared.timer); /* not set: nothing */
    rig.now_ns = 1500;
    rig_run(&rig);
    CHECK_EQ(sooner.fires_count, 1);
    rig.now_ns = 3999;
    rig_run(&rig);
    CHECK_EQ(later.fires_count, 0);
    rig.now_ns = 10000;
    rig_run(&rig);
    CHECK_EQ(later.fires_count, 1);
    CHECK_EQ(sooner.fires_count, 1);
    CHECK_EQ(cleared.fires_count, 0);
    rig_fini(&rig);
}

static void timer_set_to_the_past(void)
{
    struct rig rig;
    struct probe probe = {0};
    struct alarm_clock alarm = {.again_ns = 1};
    rig_init(&rig, 100);
    probe_spawn(&rig, &probe);
    alarm_set(&probe, &alarm, 1);
    rig_tell(&rig, probe.address, 1);
    rig_tell(&rig, probe.address, 2);
    /* Once a turn, so messages get theirs. */
    CHECK(actor_loop_step(rig.loop, 1));
    CHECK_EQ(alarm.fires_count, 1);
    CHECK_EQ(probe.seen_count, 1);
    CHECK(actor_loop_step(rig.loop, 1));
    CHECK_EQ(alarm.fires_count, 2);
    CHECK_EQ(probe.seen_count, 2);
    rig_fini(&rig);
}

static void timers_end_with_their_actor(void)
{
    struct rig rig;
    struct probe probe = {0};
    struct alarm_clock alarms[3] = {0};
    rig_init(&rig, 100);
    probe_spawn(&rig, &probe);
    for (uint32_t i = 0; i < 3; i++) {
        alarm_set(&probe, &alarms[i], 2000 + i);
    }
    actor_exit(probe.actor);
    rig.now_ns = 5000;
    rig_run(&rig);
    for (uint32_t i = 0; i < 3; i++) {
        CHECK_EQ(alarms[i].fires_count, 0);
        CHECK(!timer_is_set(&alarms[i].timer.timer));
    }
    rig_fini(&rig);
}

struct real_alarm {
    struct actor_timer timer;
    struct actor *actor;
    uint64_t deadline_ns;
    _Atomic(uint32_t) fires_count;
};

static void real_alarm_on_fire(struct actor *self, struct actor_timer *timer)
{
    struct real_alarm *alarm = LIST_OWNER(timer, struct real_alarm, timer);
    CHECK_GE(clock_now_ns(&clock_system), alarm->deadline_ns);
    alarm->deadline_ns = actor_now_ns(self) + 2 * NS_PER_MS;
    actor_timer_set(self, timer, alarm->deadline_ns);
    (void) atomic_fetch_add(&alarm->fires_count, 1);
}

static void timer_wakes_a_sleeping_loop(void)
{
    struct rig rig;
    struct probe probe = {0};
    struct real_alarm alarm = {.timer.on_fire = real_alarm_on_fire};
    rig_init_real(&rig, 100);
    probe_spawn(&rig, &probe);
    alarm.deadline_ns = clock_now_ns(&clock_system) + 5 * NS_PER_MS;
    actor_timer_set(probe.actor, &alarm.timer, alarm.deadline_ns);
    CHECK_EQ(actor_loop_start(rig.loop), STATUS_OK);
    CHECK_EVENTUALLY(alarm.fires_count >= 20);
    actor_loop_stop(rig.loop, true);
    /* It slept between them, a wake-up for nothing here and there allowed. */
    CHECK_LE(actor_loop_stats(rig.loop).sleeps, 2 * alarm.fires_count + 2);
    rig_fini(&rig);
}

static const struct test_case cases[] = {
    {"an end is told to each watcher once", one_down_at_the_end, 0},
    {"who watches one that is gone is told so", down_of_one_gone_already, 0},
    {"a monitor can be taken back, also when its message is on its way", demonitor_takes_back, 0},
    {"a watcher that ends gets its records back", down_to_a_dead_watcher, 0},
    {"an end is told after all that was told before it", down_comes_after_the_last_words, 0},
    {"a timer fires once, and never early", timer_is_never_early, 0},
    {"a timer can be moved both ways and cleared", timer_moved_and_cleared, 0},
    {"a timer that is set to the past again and again leaves room for messages",
     timer_set_to_the_past, 0},
    {"timers end with their actor", timers_end_with_their_actor, 0},
    {"a timer wakes a sleeping loop", timer_wakes_a_sleeping_loop, 0},
};
TEST_MAIN(cases)
