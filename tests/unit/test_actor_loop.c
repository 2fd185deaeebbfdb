/* SPDX-License-Identifier: MIT */
/* Loops: sweeps, stopping, stepping by hand with a seed, and the guard. */
#include "actor_rig.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- sweeps ---- */

struct sweeper {
    struct actor *actor;
    struct sweeper *victim; /* ended at its sweep */
    struct sweeper *other;  /* given work at its sweep, once */
    uint64_t again_ns;      /* what on_sweep returns */
    uint32_t sweeps_count;
};

static uint64_t sweeper_on_sweep(struct actor *self, uint64_t now_ns)
{
    struct sweeper *sweeper = actor_state(self);
    CHECK_EQ(now_ns, actor_now_ns(self));
    sweeper->sweeps_count++;
    if (sweeper->victim != NULL) {
        actor_exit(sweeper->victim->actor);
    }
    if (sweeper->other != NULL) {
        actor_sweep_soon(sweeper->other->actor);
        sweeper->other = NULL;
    }
    return sweeper->again_ns;
}

static void sweeper_on_message(struct actor *self, struct message *message)
{
    (void) self;
    message_release(message);
}

static const struct actor_class sweeper_class = {
    .name = "sweeper", .on_message = sweeper_on_message, .on_sweep = sweeper_on_sweep};

static void sweeper_spawn(struct rig *rig, struct sweeper *sweeper)
{
    CHECK_EQ(actor_spawn(rig->loop, &sweeper_class, sweeper, &sweeper->actor), STATUS_OK);
}

static void sweep_once_a_batch(void)
{
    struct rig rig;
    struct sweeper sweeper = {.again_ns = TIME_NEVER};
    struct probe probe = {0};
    rig_init(&rig, 100);
    sweeper_spawn(&rig, &sweeper);
    probe_spawn(&rig, &probe);
    rig_run(&rig);
    CHECK_EQ(sweeper.sweeps_count, 1); /* soon after its spawn */
    for (uint64_t i = 0; i < 20; i++) {
        rig_tell(&rig, probe.address, i);
    }
    CHECK(actor_loop_step(rig.loop, 100));
    CHECK_EQ(probe.seen_count, 20);
    CHECK_EQ(sweeper.sweeps_count, 2);
    CHECK(!actor_loop_step(rig.loop, 100));
    rig.now_ns += 1000000;
    CHECK(!actor_loop_step(rig.loop, 100));
    CHECK_EQ(sweeper.sweeps_count, 2);
    rig_fini(&rig);
}

static void sweep_at_its_time(void)
{
    struct rig rig;
    struct sweeper timed = {.again_ns = 5000};
    struct sweeper busy = {.again_ns = 0};
    rig_init(&rig, 100);
    sweeper_spawn(&rig, &timed);
    rig_run(&rig);
    rig.now_ns = 4999;
    CHECK(!actor_loop_step(rig.loop, 1));
    rig.now_ns = 5000;
    timed.again_ns = TIME_NEVER;
    CHECK(actor_loop_step(rig.loop, 1));
    CHECK_EQ(timed.sweeps_count, 2);
    CHECK(!actor_loop_step(rig.loop, 1));
    /* One that is never content is called each turn, and costs the other one nothing. */
    sweeper_spawn(&rig, &busy);
    for (uint32_t i = 1; i <= 10; i++) {
        CHECK(actor_loop_step(rig.loop, 1));
        CHECK_EQ(busy.sweeps_count, i);
    }
    CHECK_EQ(timed.sweeps_count, 2);
    rig_fini(&rig);
}

/* Whether its own sweep comes before or behind in the pass: it is not left with work until something comes. */
static void sweep_of_a_neighbour_that_was_given_work(void)
{
    for (uint32_t giver = 0; giver < 2; giver++) {
        struct rig rig;
        struct sweeper sweepers[2] = {{.again_ns = TIME_NEVER}, {.again_ns = TIME_NEVER}};
        rig_init(&rig, 100);
        sweeper_spawn(&rig, &sweepers[0]);
        sweeper_spawn(&rig, &sweepers[1]);
        rig_run(&rig);
        sweepers[giver].other = &sweepers[1 - giver];
        actor_sweep_soon(sweepers[giver].actor);
        rig_run(&rig);
        CHECK_EQ(sweepers[giver].sweeps_count, 2);
        CHECK_EQ(sweepers[1 - giver].sweeps_count, 2);
        CHECK(!actor_loop_step(rig.loop, 1));
        rig_fini(&rig);
    }
}

/* Each of three ends each of three in its sweep; the pass must go on with those that are left. */
static void sweep_survives_exits(void)
{
    for (uint32_t killer = 0; killer < 3; killer++) {
        for (uint32_t victim = 0; victim < 3; victim++) {
            struct rig rig;
            struct sweeper sweepers[3];
            rig_init(&rig, 100);
            for (uint32_t i = 0; i < 3; i++) {
                sweepers[i] = (struct sweeper){.again_ns = TIME_NEVER};
                sweeper_spawn(&rig, &sweepers[i]);
            }
            sweepers[killer].victim = &sweepers[victim];
            CHECK(actor_loop_step(rig.loop, 1));
            CHECK_EQ(actor_loop_stats(rig.loop).actors, 2);
            for (uint32_t i = 0; i < 3; i++) {
                CHECK_EQ(sweepers[i].sweeps_count, i == victim && victim > killer ? 0 : 1);
            }
            rig_fini(&rig);
        }
    }
}

/* ---- stopping ---- */

struct gate {
    _Atomic(bool) reached;
    _Atomic(bool) open;
};

static void wait_at_gate(struct probe *probe, struct message *message)
{
    struct gate *gate = probe->extra;
    if (note_of(message)->number == 0) {
        gate->reached = true;
        CHECK_EVENTUALLY(gate->open);
    }
    probe_note(probe, message);
}

struct stopper {
    struct actor_loop *loop;
    bool drain;
    _Atomic(bool) stopped;
};

static void *stop_from_outside(void *argument)
{
    struct stopper *stopper = argument;
    actor_loop_stop(stopper->loop, stopper->drain);
    stopper->stopped = true;
    return NULL;
}

/* Ten notes, of which the first is in hand while the stop comes. */
static uint32_t seen_until_stop(bool drain)
{
    struct rig rig;
    struct gate gate = {0};
    struct probe probe = {.on_note = wait_at_gate, .extra = &gate};
    rig_init_real(&rig, 100);
    probe_spawn(&rig, &probe);
    CHECK_EQ(actor_loop_start(rig.loop), STATUS_OK);
    rig_tell(&rig, probe.address, 0);
    CHECK_EVENTUALLY(gate.reached);
    for (uint64_t i = 1; i < 10; i++) {
        rig_tell(&rig, probe.address, i);
    }
    struct stopper stopper = {.loop = rig.loop, .drain = drain};
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, stop_from_outside, &stopper), 0);
    /* The loop is busy, so the stop has not come back; it stands in the mailbox as a control
     * message or soon will. */
    CHECK(!stopper.stopped);
    gate.open = true;
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(probe.stops_count, 1);
    CHECK_EQ(notes_alive, 0);
    struct message *late = note_new(99);
    CHECK_EQ(actor_tell(rig.system, probe.address, late), STATUS_DEAD);
    message_release(late);
    actor_loop_stop(rig.loop, drain); /* does nothing */
    rig_fini(&rig);
    return probe.seen_count;
}

static void drain_delivers_what_stands_there(void)
{
    CHECK_EQ(seen_until_stop(true), 10);
}

static void now_bounces_what_stands_there(void)
{
    /* By hand, so that it is certain what stands there. */
    struct rig rig;
    struct probe probe = {0};
    rig_init(&rig, 1000);
    probe_spawn(&rig, &probe);
    for (uint64_t i = 0; i < 600; i++) {
        rig_tell(&rig, probe.address, i);
    }
    CHECK(actor_loop_step(rig.loop, 5));
    actor_loop_stop(rig.loop, false);
    CHECK_EQ(probe.seen_count, 5);
    CHECK_EQ(probe.stops_count, 1);
    CHECK_EQ(actor_loop_stats(rig.loop).messages_bounced, 595);
    CHECK_EQ(notes_alive, 0);
    rig_fini(&rig);
    CHECK_LE(seen_until_stop(false), 10);
}

static void tell_self_again(struct probe *probe, struct message *message)
{
    rig_tell(probe->extra, probe->address, note_of(message)->number + 1);
    probe_note(probe, message);
}

static void drain_comes_to_an_end(void)
{
    struct rig rig;
    struct probe probe = {.on_note = tell_self_again, .extra = &rig};
    rig_init(&rig, 10);
    probe_spawn(&rig, &probe);
    rig_tell(&rig, probe.address, 0);
    actor_loop_stop(rig.loop, true);
    CHECK_EQ(probe.seen_count, 1);
    rig_fini(&rig);
}

static void tell_on_stop(struct actor *self)
{
    struct probe *probe = actor_state(self);
    struct probe *first = probe->other;
    /* The youngest ends first, so those that it was built upon are still there. */
    CHECK_EQ(first->stops_count, 0);
    probe->stops_count++;
    struct message *message = note_new(1);
    CHECK_EQ(actor_tell(actor_system_of(self), first->address, message), STATUS_DEAD);
    message_release(message);
    struct actor *actor;
    CHECK_EQ(actor_spawn(actor_loop_of(self), &probe_class, probe, &actor), STATUS_DEAD);
}

static void stop_ends_the_youngest_first(void)
{
    static const struct actor_class class = {
        .name = "young", .on_message = probe_on_message, .on_stop = tell_on_stop};
    struct rig rig;
    struct probe old = {0};
    struct probe young = {.other = &old};
    rig_init(&rig, 10);
    probe_spawn(&rig, &old);
    CHECK_EQ(actor_spawn(rig.loop, &class, &young, &young.actor), STATUS_OK);
    actor_loop_stop(rig.loop, true);
    CHECK_EQ(old.stops_count, 1);
    CHECK_EQ(young.stops_count, 1);
    rig_fini(&rig);
}

static void *tell_until_dead(void *argument)
{
    struct probe *probe = argument;
    struct rig *rig = probe->extra;
    for (;;) {
        struct message *message = note_new(1);
        enum status status = actor_tell(rig->system, probe->address, message);
        if (status != STATUS_OK) {
            message_release(message);
        }
        if (status == STATUS_DEAD) {
            return NULL;
        }
    }
}

static void release_note(struct probe *probe, struct message *message)
{
    probe->seen_count++;
    message_release(message);
}

static void stop_under_fire(void)
{
    for (uint32_t round = 0; round < TEST_SCALE(100); round++) {
        struct rig rig;
        struct probe probe = {.on_note = release_note, .extra = &rig};
        rig_init_real(&rig, 16);
        probe_spawn(&rig, &probe);
        CHECK_EQ(actor_loop_start(rig.loop), STATUS_OK);
        pthread_t threads[2];
        for (uint32_t i = 0; i < 2; i++) {
            CHECK_EQ(pthread_create(&threads[i], NULL, tell_until_dead, &probe), 0);
        }
        CHECK_EVENTUALLY(actor_loop_stats(rig.loop).messages_delivered > 0);
        actor_loop_stop(rig.loop, round % 2 == 0);
        for (uint32_t i = 0; i < 2; i++) {
            CHECK_EQ(pthread_join(threads[i], NULL), 0);
        }
        rig_fini(&rig); /* checks that each note was released */
    }
}

static void idle_loop_sleeps_and_wakes(void)
{
    struct rig rig;
    struct probe probe = {.on_note = release_note};
    rig_init_real(&rig, 16);
    probe_spawn(&rig, &probe);
    CHECK_EQ(actor_loop_start(rig.loop), STATUS_OK);
    /* No timer and no sweep: it may only wake for a message. */
    for (uint64_t i = 1; i <= 20; i++) {
        rig_tell(&rig, probe.address, i);
        CHECK_EVENTUALLY(actor_loop_stats(rig.loop).messages_delivered == i);
    }
    actor_loop_stop(rig.loop, true);
    struct actor_stats stats = actor_loop_stats(rig.loop);
    CHECK_LE(stats.sleeps, 22);
    CHECK_EQ(stats.sleeps, stats.wakes);
    rig_fini(&rig);
}

/* ---- by hand, with a seed ---- */

#define TRACE_LOOPS 3
#define TRACE_NOTES 15

struct trace {
    struct rig rig;
    struct probe probes[TRACE_LOOPS];
    struct actor_loop *loops[TRACE_LOOPS];
    char text[1024];
    size_t text_size;
};

/* Writes down who was called, and passes the note on to the next loop a few times. */
static void trace_note(struct probe *probe, struct message *message)
{
    struct trace *trace = probe->extra;
    struct note *note = note_of(message);
    int size = snprintf(trace->text + trace->text_size, sizeof trace->text - trace->text_size,
                        "%u:%u ", (unsigned) (probe - trace->probes), (unsigned) note->number);
    CHECK(size > 0 && trace->text_size + (size_t) size < sizeof trace->text);
    trace->text_size += (size_t) size;
    if (note->sender < 3) {
        note->sender++;
        CHECK_EQ(actor_forward(probe->actor, probe->other->address, message), STATUS_OK);
    } else {
        message_release(message);
    }
}

static void trace_run(struct trace *trace, uint64_t seed)
{
    memset(trace, 0, sizeof *trace);
    rig_init(&trace->rig, 100);
    for (uint32_t i = 0; i < TRACE_LOOPS; i++) {
        trace->loops[i] = i == 0 ? trace->rig.loop : actor_loop_new(trace->rig.system, "more");
        trace->probes[i] = (struct probe){
            .on_note = trace_note, .extra = trace, .other = &trace->probes[(i + 1) % TRACE_LOOPS]};
        probe_spawn_on(trace->loops[i], &trace->probes[i]);
    }
    for (uint64_t i = 0; i < TRACE_NOTES; i++) {
        rig_tell(&trace->rig, trace->probes[i % TRACE_LOOPS].address, i);
    }
    while (actor_system_step(trace->rig.system, &seed)) {
    }
    rig_fini(&trace->rig);
}

static void same_seed_same_order(void)
{
    static struct trace a;
    static struct trace b;
    uint64_t seed = test_seed();
    uint32_t differing_count = 0;
    for (uint32_t i = 0; i < 20; i++) {
        trace_run(&a, seed + i);
        trace_run(&b, seed + i);
        CHECK_STR_EQ(a.text, b.text);
        trace_run(&b, seed + i + 1);
        differing_count += strcmp(a.text, b.text) != 0;
    }
    CHECK_GE(differing_count, 15);
}

/* ---- the guard ---- */

static struct rig guard_rig;
static struct probe guard_probe;
static struct gate guard_gate;

static void guard_self_from_elsewhere(void)
{
    rig_init_real(&guard_rig, 10);
    probe_spawn(&guard_rig, &guard_probe);
    if (actor_loop_start(guard_rig.loop) == STATUS_OK) {
        actor_exit(guard_probe.actor);
    }
}

static void *guard_step(void *unused)
{
    (void) unused;
    (void) actor_loop_step(guard_rig.loop, 1);
    return NULL;
}

static void guard_two_threads_inside(void)
{
    rig_init(&guard_rig, 10);
    guard_probe = (struct probe){.on_note = wait_at_gate, .extra = &guard_gate};
    probe_spawn(&guard_rig, &guard_probe);
    rig_tell(&guard_rig, guard_probe.address, 0);
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, guard_step, NULL), 0);
    CHECK_EVENTUALLY(guard_gate.reached);
    (void) actor_loop_step(guard_rig.loop, 1);
}

static void step_own_loop(struct probe *probe, struct message *message)
{
    (void) message;
    (void) actor_loop_step(actor_loop_of(probe->actor), 1);
}

static void stop_own_loop(struct probe *probe, struct message *message)
{
    (void) message;
    actor_loop_stop(actor_loop_of(probe->actor), true);
}

static void ask_and_wait(struct probe *probe, struct message *message)
{
    struct message *reply;
    (void) !actor_ask_wait(actor_system_of(probe->actor), probe->address, message, 1, &reply);
}

static void guard_handler(void (*on_note)(struct probe *, struct message *))
{
    rig_init(&guard_rig, 10);
    guard_probe = (struct probe){.on_note = on_note};
    probe_spawn(&guard_rig, &guard_probe);
    rig_tell(&guard_rig, guard_probe.address, 0);
    (void) actor_loop_step(guard_rig.loop, 1);
}

static void guard_step_inside(void)
{
    guard_handler(step_own_loop);
}

static void guard_stop_inside(void)
{
    guard_handler(stop_own_loop);
}

static void guard_wait_inside(void)
{
    guard_handler(ask_and_wait);
}

static void guard_trips(void)
{
    static void (*const wrongs[])(void) = {guard_self_from_elsewhere, guard_two_threads_inside,
                                           guard_step_inside, guard_stop_inside, guard_wait_inside};
    for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
        (void) fflush(NULL);
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            (void) close(STDERR_FILENO); /* the message of the ASSERT is wanted here */
            wrongs[i]();
            _exit(EXIT_SUCCESS);
        }
        int status = 0;
        CHECK_EQ(waitpid(child, &status, 0), child);
        CHECK(WIFSIGNALED(status));
        CHECK_EQ(WTERMSIG(status), SIGABRT);
    }
}

static const struct test_case cases[] = {
    {"a sweep comes once a batch, however many messages it had", sweep_once_a_batch, 0},
    {"a sweep comes at the time that it asked for", sweep_at_its_time, 0},
    {"a neighbour that is given work in a sweep is swept", sweep_of_a_neighbour_that_was_given_work,
     0},
    {"a sweep pass survives the end of any actor in it", sweep_survives_exits, 0},
    {"a drain delivers what stands in the mailbox", drain_delivers_what_stands_there, 0},
    {"a stop without drain releases what stands in the mailbox", now_bounces_what_stands_there, 0},
    {"a drain ends also when each message causes another", drain_comes_to_an_end, 0},
    {"a stop ends the youngest actor first, and nothing new begins", stop_ends_the_youngest_first,
     0},
    {"a loop can be stopped under fire, and each message is released", stop_under_fire, 0},
    {"an idle loop sleeps until a message wakes it", idle_loop_sleeps_and_wakes, 0},
    {"the same seed gives the same order of delivery", same_seed_same_order, 0},
    {"a second thread inside an actor, and a loop that waits for itself, abort", guard_trips, 0},
};
TEST_MAIN(cases)
