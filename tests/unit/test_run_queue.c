/* SPDX-License-Identifier: MIT */
/* What actors of one loop tell each other: it does not pass through the mailbox, and keeps every
 * promise that the mailbox keeps. */
#include "actor_rig.h"

#include "actor/loop.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define BURST 40

/* What a teller does with each note that it gets: tells its neighbour so many. */
struct burst {
    struct rig *rig;
    uint32_t count;
    uint64_t next;
    uint32_t full_count;
    uint32_t ok_count;
};

static void tell_burst(struct probe *probe, struct message *message)
{
    struct burst *burst = probe->extra;
    message_release(message);
    for (uint32_t i = 0; i < burst->count; i++) {
        struct message *note = note_new(burst->next++);
        enum status status = actor_tell(burst->rig->system, probe->other->address, note);
        if (status == STATUS_FULL) {
            message_release(note);
            burst->full_count++;
        } else {
            CHECK_EQ(status, STATUS_OK);
            burst->ok_count++;
        }
    }
}

static void spawn_pair(struct rig *rig, struct probe *teller, struct probe *listener,
                       struct burst *burst)
{
    burst->rig = rig;
    teller->on_note = tell_burst;
    teller->other = listener;
    teller->extra = burst;
    probe_spawn(rig, listener);
    probe_spawn(rig, teller);
}

static void order_on_the_loop(void)
{
    struct rig rig;
    struct burst burst = {.count = BURST};
    struct probe teller = {0};
    struct probe listener = {0};
    rig_init(&rig, 100);
    spawn_pair(&rig, &teller, &listener, &burst);
    rig_tell(&rig, teller.address, 0);
    rig_run(&rig);
    CHECK_EQ(listener.seen_count, BURST);
    for (uint64_t i = 0; i < BURST; i++) {
        CHECK_EQ(listener.seen[i], i);
    }
    CHECK_EQ(actor_loop_stats(rig.loop).messages_delivered, BURST + 1);
    rig_fini(&rig);
}

/* The bound of the loop's own messages, beside that of the mailbox. */
static void bound_on_the_loop(void)
{
    struct rig rig;
    struct burst burst = {.count = 6};
    struct probe teller = {0};
    struct probe listener = {0};
    struct note control = {.message = {.kind = NOTE_KIND, .control = true}, .number = 77};
    rig_init(&rig, 4);
    spawn_pair(&rig, &teller, &listener, &burst);
    rig_tell(&rig, teller.address, 0);
    CHECK(actor_loop_step(rig.loop, 1));
    CHECK_EQ(burst.ok_count, 4);
    CHECK_EQ(burst.full_count, 2);
    CHECK_EQ(actor_loop_stats(rig.loop).messages_refused, 2);
    for (uint64_t i = 100; i < 104; i++) {
        rig_tell(&rig, listener.address, i); /* from outside there is room */
    }
    struct message *refused = note_new(104);
    CHECK_EQ(actor_tell(rig.system, listener.address, refused), STATUS_FULL);
    CHECK_EQ(actor_loop_stats(rig.loop).messages_refused, 3);
    message_release(refused);
    CHECK_EQ(actor_tell(rig.system, listener.address, &control.message), STATUS_OK);
    rig_run(&rig);
    const uint64_t expected[] = {0, 1, 2, 3, 100, 101, 102, 103, 77};
    CHECK_BYTES_EQ(listener.seen, listener.seen_count * sizeof(uint64_t), expected,
                   sizeof expected);
    rig_tell(&rig, teller.address, 0); /* there is room again */
    rig_run(&rig);
    CHECK_EQ(burst.ok_count, 8);
    rig_fini(&rig);
}

static void tell_control(struct probe *probe, struct message *message)
{
    static struct note controls[6];
    tell_burst(probe, message); /* the bound is reached */
    for (uint32_t i = 0; i < 6; i++) {
        controls[i] = (struct note){.message = {.kind = NOTE_KIND, .control = true}, .number = i};
        CHECK_EQ(
            actor_tell(actor_system_of(probe->actor), probe->other->address, &controls[i].message),
            STATUS_OK);
    }
}

static void control_is_never_refused(void)
{
    struct rig rig;
    struct burst burst = {.count = 3};
    struct probe listener = {0};
    struct probe teller = {0};
    rig_init(&rig, 2);
    spawn_pair(&rig, &teller, &listener, &burst);
    teller.on_note = tell_control;
    rig_tell(&rig, teller.address, 0);
    rig_run(&rig);
    CHECK_EQ(burst.full_count, 1);
    CHECK_EQ(listener.seen_count, 8);
    rig_fini(&rig);
}

/* m1 to X, then m2 to Y, who tells X m3: X sees m1 before m3, however the loop is stepped. */
static void what_was_there_first_comes_first(void)
{
    for (uint32_t step = 1; step < 5; step++) {
        struct rig rig;
        struct burst burst = {.count = 1, .next = 3};
        struct probe teller = {0};
        struct probe listener = {0};
        rig_init(&rig, 100);
        spawn_pair(&rig, &teller, &listener, &burst);
        rig_tell(&rig, listener.address, 1);
        rig_tell(&rig, teller.address, 2);
        while (actor_loop_step(rig.loop, step)) {
        }
        CHECK_EQ(listener.seen_count, 2);
        CHECK_EQ(listener.seen[0], 1);
        CHECK_EQ(listener.seen[1], 3);
        rig_fini(&rig);
    }
}

/* ---- an actor that never stops telling itself ---- */

struct busy {
    struct rig *rig;
    uint64_t told_count;
};

static void tell_itself_again(struct probe *probe, struct message *message)
{
    struct busy *busy = probe->extra;
    busy->told_count++;
    CHECK_LE(busy->rig->loop->run_queue.mailed_count, ACTOR_BATCH_MAX);
    CHECK_EQ(actor_tell(actor_system_of(probe->actor), probe->address, message), STATUS_OK);
}

static void fired_probe(struct actor *self, struct actor_timer *timer)
{
    (void) timer;
    struct probe *probe = actor_state(self);
    probe->downs_count++;
}

static void busy_actor_holds_nobody_up(void)
{
    struct rig rig;
    struct busy busy = {.rig = &rig};
    struct probe talker = {.on_note = tell_itself_again, .extra = &busy};
    struct probe listener = {0};
    struct actor_timer timer = {.on_fire = fired_probe};
    rig_init(&rig, 1000);
    probe_spawn(&rig, &talker);
    probe_spawn(&rig, &listener);
    rig_tell(&rig, talker.address, 0);
    CHECK(actor_loop_step(rig.loop, 50));
    CHECK_EQ(busy.told_count, 50); /* many in one turn, but no more than it may */
    rig_tell(&rig, listener.address, 1);
    actor_timer_set(listener.actor, &timer, rig.now_ns);
    CHECK(actor_loop_step(rig.loop, 50));
    CHECK_EQ(listener.seen_count, 1);
    CHECK_EQ(listener.downs_count, 1);
    CHECK(actor_loop_step(rig.loop, UINT32_MAX));
    CHECK_LE(busy.told_count, 100 + ACTOR_BATCH_MAX);
    actor_loop_stop(rig.loop, true); /* ends, and the note is released */
    rig_fini(&rig);
}

static void release_one(struct probe *probe, struct message *message)
{
    message_release(message);
    (void) probe;
}

/* A mailbox that is always full beside a busy actor: what is in hand stays a batch. */
static void hand_stays_small(void)
{
    struct rig rig;
    struct busy busy = {.rig = &rig};
    struct probe talker = {.on_note = tell_itself_again, .extra = &busy};
    struct probe listener = {.on_note = release_one};
    rig_init(&rig, 1000);
    probe_spawn(&rig, &talker);
    probe_spawn(&rig, &listener);
    for (uint32_t i = 0; i < 400; i++) {
        rig_tell(&rig, talker.address, i);
    }
    for (uint32_t turn = 0; turn < 20; turn++) {
        for (uint32_t i = 0; i < 300; i++) {
            struct message *note = note_new(i);
            if (actor_tell(rig.system, listener.address, note) != STATUS_OK) {
                message_release(note);
            }
        }
        /* Small steps between the big ones leave a part of a batch in hand. */
        CHECK(actor_loop_step(rig.loop, turn % 2 == 0 ? UINT32_MAX : 90));
        CHECK_LE(rig.loop->run_queue.mailed_count, ACTOR_BATCH_MAX);
    }
    rig_fini(&rig);
}

/* ---- ends ---- */

static void burst_and_exit(struct probe *probe, struct message *message)
{
    tell_burst(probe, message);
    actor_exit(probe->actor);
}

static void down_comes_after_what_was_told(void)
{
    struct rig rig;
    struct burst burst = {.count = 3};
    struct probe teller = {0};
    struct probe listener = {0};
    struct message_down down = {0};
    rig_init(&rig, 100);
    spawn_pair(&rig, &teller, &listener, &burst);
    teller.on_note = burst_and_exit;
    actor_monitor(listener.actor, teller.address, &down);
    rig_tell(&rig, teller.address, 0);
    rig_tell(&rig, listener.address, 50);
    rig_run(&rig);
    CHECK_EQ(listener.downs_count, 1);
    CHECK_EQ(listener.seen_count, 5);
    CHECK_EQ(listener.seen[4], UINT64_MAX); /* the down */
    rig_fini(&rig);
}

static void stop_with_messages_in_hand(void)
{
    for (int drain = 0; drain < 2; drain++) {
        struct rig rig;
        struct burst burst = {.count = 10};
        struct probe teller = {0};
        struct probe listener = {0};
        rig_init(&rig, 100);
        spawn_pair(&rig, &teller, &listener, &burst);
        rig_tell(&rig, teller.address, 0);
        CHECK(actor_loop_step(rig.loop, 1));
        actor_loop_stop(rig.loop, drain != 0);
        CHECK_EQ(listener.seen_count, drain != 0 ? 10 : 0);
        CHECK_EQ(actor_loop_stats(rig.loop).messages_bounced, drain != 0 ? 0 : 10);
        CHECK_EQ(notes_alive, 0);
        rig_fini(&rig);
    }
}

static void exit_before_delivery_bounces(void)
{
    struct rig rig;
    struct burst burst = {.count = 5};
    struct probe teller = {0};
    struct probe listener = {.on_note = probe_exit_on_note};
    rig_init(&rig, 100);
    spawn_pair(&rig, &teller, &listener, &burst);
    rig_tell(&rig, teller.address, 0);
    rig_run(&rig);
    CHECK_EQ(listener.stops_count, 1);
    CHECK_EQ(actor_loop_stats(rig.loop).messages_bounced, 4);
    rig_fini(&rig);
}

static void tell_twice(struct probe *probe, struct message *message)
{
    struct actor_system *system = actor_system_of(probe->actor);
    CHECK_EQ(actor_tell(system, probe->address, message), STATUS_OK);
    (void) !actor_tell(system, probe->address, message);
}

static void sent_twice_is_found_out(void)
{
    (void) fflush(NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        struct rig rig;
        struct probe probe = {.on_note = tell_twice};
        (void) close(STDERR_FILENO);
        rig_init(&rig, 10);
        probe_spawn(&rig, &probe);
        rig_tell(&rig, probe.address, 0);
        rig_run(&rig);
        _exit(0);
    }
    int status = 0;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static const struct test_case cases[] = {
    {"what an actor tells its neighbour arrives in order", order_on_the_loop, 0},
    {"a loop's own messages have a bound beside the mailbox's", bound_on_the_loop, 0},
    {"a control message to a neighbour is never refused", control_is_never_refused, 0},
    {"what was in the mailbox first is delivered first", what_was_there_first_comes_first, 0},
    {"an actor that goes on telling itself holds up neither messages nor timers nor the stop",
     busy_actor_holds_nobody_up, 0},
    {"a loop never has more than a batch of the mailbox in hand", hand_stays_small, 0},
    {"a down comes after all that its target told its neighbours", down_comes_after_what_was_told,
     0},
    {"a stop delivers or releases what neighbours told each other", stop_with_messages_in_hand, 0},
    {"a neighbour that ends first has the rest bounced", exit_before_delivery_bounces, 0},
    {"a message that is told twice on its loop is found out", sent_twice_is_found_out, 0},
};
TEST_MAIN(cases)
