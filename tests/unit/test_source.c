/* SPDX-License-Identifier: MIT */
/* Sources: descriptors that a loop watches beside its mailbox. */
#include "actor_rig.h"

#include "actor/source.h"

#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

struct watcher {
    struct actor *actor;
    struct source source;
    struct watcher *victim; /* not watched any more after this one was called */
    int fds[2];             /* the first is watched, the second is the test's */
    uint32_t events;        /* of the last call */
    bool reads;
    _Atomic(uint32_t) calls_count;
    _Atomic(uint32_t) messages_count;
    _Atomic(uint32_t) fires_count;
    struct actor_timer timer;
};

static void on_ready(struct actor *self, struct source *source, uint32_t events)
{
    struct watcher *watcher = actor_state(self);
    char byte;
    CHECK(source == &watcher->source);
    watcher->events = events;
    if (watcher->reads) {
        CHECK_EQ(read(source->fd, &byte, 1), 1);
    }
    if (watcher->victim != NULL) {
        source_remove(&watcher->victim->source);
    }
    (void) atomic_fetch_add(&watcher->calls_count, 1);
}

static void on_message(struct actor *self, struct message *message)
{
    struct watcher *watcher = actor_state(self);
    (void) atomic_fetch_add(&watcher->messages_count, 1);
    message_release(message);
}

static void on_stop(struct actor *self)
{
    struct watcher *watcher = actor_state(self);
    source_remove(&watcher->source);
    (void) close(watcher->fds[0]);
    (void) close(watcher->fds[1]);
}

static void on_fire(struct actor *self, struct actor_timer *timer)
{
    (void) timer;
    struct watcher *watcher = actor_state(self);
    (void) atomic_fetch_add(&watcher->fires_count, 1);
}

static const struct actor_class watcher_class = {
    .name = "watcher", .on_message = on_message, .on_stop = on_stop};

static void watcher_spawn(struct actor_loop *loop, struct watcher *watcher, uint32_t events)
{
    watcher->source.on_ready = on_ready;
    watcher->timer.on_fire = on_fire;
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, watcher->fds), 0);
    CHECK_EQ(actor_spawn(loop, &watcher_class, watcher, &watcher->actor), STATUS_OK);
    CHECK_EQ(source_add(watcher->actor, &watcher->source, watcher->fds[0], events), STATUS_OK);
}

static void write_byte(const struct watcher *watcher)
{
    CHECK_EQ(write(watcher->fds[1], "x", 1), 1);
}

/* ---- by hand ---- */

static void readiness_is_a_level(void)
{
    struct rig rig;
    struct watcher watcher = {.reads = true};
    rig_init(&rig, 10);
    watcher_spawn(rig.loop, &watcher, SOURCE_READ);
    CHECK(!actor_loop_step(rig.loop, 1));
    write_byte(&watcher);
    write_byte(&watcher);
    CHECK(actor_loop_step(rig.loop, 1));
    CHECK_EQ(watcher.calls_count, 1);
    CHECK_EQ(watcher.events, SOURCE_READ);
    CHECK(actor_loop_step(rig.loop, 1));
    CHECK_EQ(watcher.calls_count, 2);
    CHECK(!actor_loop_step(rig.loop, 1));
    rig_fini(&rig);
}

static void only_what_is_watched_is_told(void)
{
    struct rig rig;
    struct watcher watcher = {.reads = false};
    rig_init(&rig, 10);
    watcher_spawn(rig.loop, &watcher, SOURCE_WRITE);
    write_byte(&watcher);
    CHECK(actor_loop_step(rig.loop, 1));
    CHECK_EQ(watcher.events, SOURCE_WRITE);
    source_set(&watcher.source, SOURCE_READ | SOURCE_WRITE);
    CHECK(actor_loop_step(rig.loop, 1));
    CHECK_EQ(watcher.events, SOURCE_READ | SOURCE_WRITE);
    source_set(&watcher.source, 0);
    CHECK(!actor_loop_step(rig.loop, 1));
    CHECK_EQ(watcher.calls_count, 2);
    rig_fini(&rig);
}

static void a_hang_up_is_told_in_any_case(void)
{
    struct rig rig;
    struct watcher watcher = {.reads = false};
    rig_init(&rig, 10);
    watcher_spawn(rig.loop, &watcher, 0);
    CHECK(!actor_loop_step(rig.loop, 1));
    CHECK_EQ(close(watcher.fds[1]), 0);
    watcher.fds[1] = -1;
    CHECK(actor_loop_step(rig.loop, 1));
    CHECK_EQ(watcher.events, SOURCE_READ | SOURCE_WRITE);
    source_remove(&watcher.source);
    CHECK(!actor_loop_step(rig.loop, 1));
    rig_fini(&rig);
}

static void one_that_is_removed_is_not_called_in_the_same_turn(void)
{
    struct rig rig;
    struct watcher watchers[2] = {{.reads = false}, {.reads = false}};
    rig_init(&rig, 10);
    watchers[0].victim = &watchers[1];
    watchers[1].victim = &watchers[0];
    watcher_spawn(rig.loop, &watchers[0], SOURCE_WRITE);
    watcher_spawn(rig.loop, &watchers[1], SOURCE_WRITE);
    CHECK(actor_loop_step(rig.loop, 1));
    CHECK_EQ(watchers[0].calls_count + watchers[1].calls_count, 1);
    CHECK(actor_loop_step(rig.loop, 1));
    CHECK_EQ(watchers[0].calls_count + watchers[1].calls_count, 2);
    rig_fini(&rig);
}

/* More than one turn takes from the system. */
static void many_are_all_told(void)
{
    enum { WATCHERS = 90 };
    static struct watcher watchers[WATCHERS];
    struct rig rig;
    rig_init(&rig, 10);
    for (size_t i = 0; i < WATCHERS; i++) {
        watchers[i].reads = true;
        watcher_spawn(rig.loop, &watchers[i], SOURCE_READ);
        write_byte(&watchers[i]);
    }
    for (size_t turns = 0; turns < 2; turns++) {
        CHECK(actor_loop_step(rig.loop, 1));
    }
    for (size_t i = 0; i < WATCHERS; i++) {
        CHECK_EQ(watchers[i].calls_count, 1);
    }
    CHECK(!actor_loop_step(rig.loop, 1));
    rig_fini(&rig);
}

/* ---- on a thread ---- */

/* A loop that has a source sleeps elsewhere than one without. */
static void it_is_woken(uint32_t spin_us, uint32_t source_spin_us)
{
    const struct actor_options options = {
        .actors_max = 4, .mailbox_max = 16, .spin_us = spin_us, .source_spin_us = source_spin_us};
    struct actor_system *system = actor_system_new(&options);
    CHECK(system != NULL);
    struct actor_loop *loop = actor_loop_new(system, "loop");
    CHECK(loop != NULL);
    static struct watcher watcher = {.reads = true};
    watcher_spawn(loop, &watcher, SOURCE_READ);
    const uint64_t address = actor_self(watcher.actor);
    actor_timer_set(watcher.actor, &watcher.timer, clock_now_ns(&clock_system) + 20 * NS_PER_MS);
    CHECK_EQ(actor_loop_start(loop), STATUS_OK);
    for (uint32_t i = 1; i <= 100; i++) {
        CHECK_EQ(actor_tell(system, address, note_new(i)), STATUS_OK);
        CHECK_EVENTUALLY(atomic_load(&watcher.messages_count) == i);
        write_byte(&watcher);
        CHECK_EVENTUALLY(atomic_load(&watcher.calls_count) == i);
    }
    CHECK_EVENTUALLY(atomic_load(&watcher.fires_count) == 1);
    actor_loop_stop(loop, true);
    CHECK_GT(actor_loop_stats(loop).sleeps, 0);
    actor_system_free(system);
    CHECK_EQ(notes_alive, 0);
}

static void bytes_messages_and_timers_wake_it(void)
{
    it_is_woken(0, 0);
}

static void so_they_do_where_it_spins_first(void)
{
    it_is_woken(0, 200);
}

static void so_they_do_where_every_loop_spins(void)
{
    it_is_woken(200, 0);
}

static const struct test_case cases[] = {
    {"a source is told in each turn in which it is ready", readiness_is_a_level, 0},
    {"only what is watched is told", only_what_is_watched_is_told, 0},
    {"a hang-up is told in any case", a_hang_up_is_told_in_any_case, 0},
    {"a source that is removed is not called in the same turn",
     one_that_is_removed_is_not_called_in_the_same_turn, 0},
    {"of many sources each is told", many_are_all_told, 0},
    {"bytes, messages and timers wake a loop", bytes_messages_and_timers_wake_it, 0},
    {"so they do where it spins first", so_they_do_where_it_spins_first, 0},
    {"so they do where every loop spins first", so_they_do_where_every_loop_spins, 0},
};
TEST_MAIN(cases)
