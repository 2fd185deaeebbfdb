/* SPDX-License-Identifier: MIT */
/* Actors and what they tell each other: order, bounds, addresses, ends. */
#include "actor_rig.h"

#include "actor/address.h"
#include "actor/loop.h"

#include <sched.h>

static void order_is_kept(void)
{
    struct rig rig;
    struct probe probe = {0};
    rig_init(&rig, 100);
    probe_spawn(&rig, &probe);
    for (uint64_t i = 0; i < 50; i++) {
        rig_tell(&rig, probe.address, i);
    }
    CHECK_EQ(probe.seen_count, 0);
    rig_run(&rig);
    CHECK_EQ(probe.seen_count, 50);
    for (uint64_t i = 0; i < 50; i++) {
        CHECK_EQ(probe.seen[i], i);
    }
    CHECK_EQ(actor_loop_stats(rig.loop).messages_delivered, 50);
    rig_fini(&rig);
}

static void full_loses_nothing(void)
{
    struct rig rig;
    struct probe probe = {0};
    struct note control = {.message = {.kind = NOTE_KIND, .control = true}, .number = 77};
    rig_init(&rig, 4);
    probe_spawn(&rig, &probe);
    for (uint64_t i = 0; i < 4; i++) {
        rig_tell(&rig, probe.address, i);
    }
    struct message *refused = note_new(4);
    CHECK_EQ(actor_tell(rig.system, probe.address, refused), STATUS_FULL);
    CHECK_EQ(actor_tell(rig.system, probe.address, &control.message), STATUS_OK);
    CHECK_EQ(actor_loop_stats(rig.loop).messages_refused, 1);
    CHECK(actor_loop_step(rig.loop, 1));
    CHECK_EQ(actor_tell(rig.system, probe.address, refused), STATUS_OK);
    rig_run(&rig);
    const uint64_t expected[] = {0, 1, 2, 3, 77, 4};
    CHECK_BYTES_EQ(probe.seen, probe.seen_count * sizeof(uint64_t), expected, sizeof expected);
    rig_fini(&rig);
}

/* ---- four threads, one actor ---- */

#define STORM_SENDERS 4

struct storm {
    struct rig rig;
    uint64_t address;
    uint64_t notes_each;
    uint64_t next[STORM_SENDERS];
    _Atomic(uint64_t) received;
};

struct storm_sender {
    struct storm *storm;
    uint32_t sender;
    pthread_t thread;
};

static void storm_on_message(struct actor *self, struct message *message)
{
    struct storm *storm = actor_state(self);
    const struct note *note = note_of(message);
    CHECK_EQ(note->number, storm->next[note->sender]);
    storm->next[note->sender]++;
    message_release(message);
    (void) atomic_fetch_add(&storm->received, 1);
}

static void *storm_send(void *argument)
{
    const struct storm_sender *self = argument;
    for (uint64_t i = 0; i < self->storm->notes_each; i++) {
        struct message *message = note_new(i);
        note_of(message)->sender = self->sender;
        enum status status;
        while ((status = actor_tell(self->storm->rig.system, self->storm->address, message)) ==
               STATUS_FULL) {
            (void) sched_yield();
        }
        CHECK_EQ(status, STATUS_OK);
    }
    return NULL;
}

static void storm_from_threads(void)
{
    static const struct actor_class class = {.name = "storm", .on_message = storm_on_message};
    static struct storm storm = {.notes_each = TEST_SCALE(1000000)};
    struct storm_sender senders[STORM_SENDERS];
    struct actor *actor;
    rig_init_real(&storm.rig, 1024);
    CHECK_EQ(actor_spawn(storm.rig.loop, &class, &storm, &actor), STATUS_OK);
    storm.address = actor_self(actor);
    CHECK_EQ(actor_loop_start(storm.rig.loop), STATUS_OK);
    for (uint32_t i = 0; i < STORM_SENDERS; i++) {
        senders[i] = (struct storm_sender){.storm = &storm, .sender = i};
        CHECK_EQ(pthread_create(&senders[i].thread, NULL, storm_send, &senders[i]), 0);
    }
    for (uint32_t i = 0; i < STORM_SENDERS; i++) {
        CHECK_EQ(pthread_join(senders[i].thread, NULL), 0);
    }
    actor_loop_stop(storm.rig.loop, true);
    CHECK_EQ(storm.received, STORM_SENDERS * storm.notes_each);
    for (uint32_t i = 0; i < STORM_SENDERS; i++) {
        CHECK_EQ(storm.next[i], storm.notes_each);
    }
    CHECK_EQ(actor_loop_stats(storm.rig.loop).messages_bounced, 0);
    rig_fini(&storm.rig);
}

/* ---- addresses ---- */

static void old_address_is_dead(void)
{
    struct rig rig;
    struct probe first = {.on_note = probe_exit_on_note};
    struct probe second = {0};
    rig_init(&rig, 100);
    probe_spawn(&rig, &first);
    rig_tell(&rig, first.address, 1);
    rig_tell(&rig, first.address, 2); /* accepted, and bounced at delivery */
    rig_run(&rig);
    CHECK_EQ(first.stops_count, 1);
    CHECK_EQ(actor_loop_stats(rig.loop).messages_bounced, 1);
    CHECK_EQ(notes_alive, 0);

    probe_spawn(&rig, &second);
    CHECK_EQ(address_slot(second.address), address_slot(first.address));
    CHECK_NE(second.address, first.address);
    rig_tell(&rig, first.address, 3);
    rig_run(&rig);
    CHECK_EQ(second.seen_count, 0);
    CHECK_EQ(actor_loop_stats(rig.loop).messages_bounced, 2);
    rig_fini(&rig);
}

static void nonsense_address_is_dead(void)
{
    struct rig rig;
    rig_init(&rig, 100);
    static const uint64_t addresses[] = {ACTOR_NONE, 1, UINT64_MAX, UINT64_C(1) << 63};
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        struct message *message = note_new(i);
        CHECK_EQ(actor_tell(rig.system, addresses[i], message), STATUS_DEAD);
        message_release(message);
    }
    /* A slot that nobody ever had, on a loop that is there. */
    rig_tell(&rig, address_of(0, ADDRESS_SLOT_MAX, 1), 9);
    rig_run(&rig);
    CHECK_EQ(actor_loop_stats(rig.loop).messages_bounced, 1);
    rig_fini(&rig);
}

static void tell_other(struct probe *probe, struct message *message)
{
    probe->promise = NULL;
    enum status status = actor_tell(actor_system_of(probe->actor), probe->other->address, message);
    probe->seen[probe->seen_count++] = status;
    if (status != STATUS_OK) {
        message_release(message);
    }
}

static void dead_neighbour_is_known_at_once(void)
{
    struct rig rig;
    struct probe target = {0};
    struct probe teller = {.on_note = tell_other, .other = &target};
    rig_init(&rig, 100);
    probe_spawn(&rig, &target);
    probe_spawn(&rig, &teller);
    rig_tell(&rig, teller.address, 1);
    rig_run(&rig);
    CHECK(actor_neighbour(teller.actor, target.address, &probe_class) == &target);
    actor_exit(target.actor);
    CHECK(actor_neighbour(teller.actor, target.address, &probe_class) == NULL);
    rig_tell(&rig, teller.address, 2);
    rig_run(&rig);
    CHECK_EQ(teller.seen[0], STATUS_OK);
    CHECK_EQ(teller.seen[1], STATUS_DEAD);
    CHECK_EQ(target.seen_count, 1);
    rig_fini(&rig);
}

static void used_up_slot_is_retired(void)
{
    struct rig rig;
    struct probe first = {0};
    struct probe second = {0};
    rig_init(&rig, 100);
    probe_spawn(&rig, &first);
    uint32_t slot = address_slot(first.address);
    actor_exit(first.actor);
    ((uint64_t *) rig.loop->generations.base)[slot] = ADDRESS_GENERATION_MAX - 1;
    probe_spawn(&rig, &first);
    CHECK_EQ(address_slot(first.address), slot);
    CHECK_EQ(address_generation(first.address), ADDRESS_GENERATION_MAX);
    actor_exit(first.actor);
    probe_spawn(&rig, &second);
    CHECK_NE(address_slot(second.address), slot);
    rig_tell(&rig, first.address, 1);
    rig_run(&rig);
    CHECK_EQ(actor_loop_stats(rig.loop).messages_bounced, 1);
    rig_fini(&rig);
}

/* ---- ends ---- */

static void actors_are_bounded(void)
{
    static struct probe probes[101];
    struct rig rig;
    rig_init(&rig, 100);
    for (uint32_t i = 0; i < 100; i++) {
        probe_spawn(&rig, &probes[i]);
    }
    CHECK_EQ(actor_loop_stats(rig.loop).actors, 100);
    CHECK_EQ(actor_spawn(rig.loop, &probe_class, &probes[100], &probes[100].actor), STATUS_FULL);
    actor_exit(probes[50].actor);
    probe_spawn(&rig, &probes[100]);
    /* The bound is the system's: another loop has no room either. */
    struct actor_loop *loop = actor_loop_new(rig.system, "second");
    CHECK(loop != NULL);
    CHECK_EQ(actor_spawn(loop, &probe_class, &probes[50], &probes[50].actor), STATUS_FULL);
    rig_fini(&rig);
}

/* Its own end is asked for in the middle, and comes only when the handler has returned. */
static void exit_and_go_on(struct probe *probe, struct message *message)
{
    actor_exit(probe->actor);
    actor_exit(probe->actor);
    CHECK_EQ(probe->stops_count, 0);
    CHECK(actor_neighbour(probe->actor, probe->address, &probe_class) == NULL);
    message_release(message);
}

static void exit_waits_for_the_handler(void)
{
    struct rig rig;
    struct probe probe = {.on_note = exit_and_go_on};
    rig_init(&rig, 100);
    probe_spawn(&rig, &probe);
    rig_tell(&rig, probe.address, 1);
    rig_run(&rig);
    CHECK_EQ(probe.stops_count, 1);
    CHECK_EQ(actor_loop_stats(rig.loop).actors, 0);
    rig_fini(&rig);
}

static void exit_other(struct probe *probe, struct message *message)
{
    actor_exit(probe->other->actor);
    CHECK_EQ(probe->other->stops_count, 0);
    message_release(message);
}

static void neighbour_ends_neighbour(void)
{
    struct rig rig;
    struct probe target = {0};
    struct probe killer = {.on_note = exit_other, .other = &target};
    rig_init(&rig, 100);
    probe_spawn(&rig, &killer);
    probe_spawn(&rig, &target);
    rig_tell(&rig, killer.address, 1);
    rig_tell(&rig, target.address, 2);
    rig_run(&rig);
    CHECK_EQ(target.stops_count, 1);
    CHECK_EQ(target.seen_count, 0);
    CHECK_EQ(actor_loop_stats(rig.loop).messages_bounced, 1);
    rig_fini(&rig);
}

static void exit_chain_on_stop(struct actor *self)
{
    struct probe *probe = actor_state(self);
    probe->stops_count++;
    if (probe->other != NULL) {
        actor_exit(probe->other->actor);
        CHECK_EQ(probe->other->stops_count, 0);
    }
}

static void ends_may_cause_ends(void)
{
    static const struct actor_class class = {
        .name = "chain", .on_message = probe_on_message, .on_stop = exit_chain_on_stop};
    struct rig rig;
    struct probe probes[3] = {{.other = &probes[1]}, {.other = &probes[2]}, {0}};
    rig_init(&rig, 100);
    for (uint32_t i = 0; i < 3; i++) {
        CHECK_EQ(actor_spawn(rig.loop, &class, &probes[i], &probes[i].actor), STATUS_OK);
    }
    actor_exit(probes[0].actor);
    for (uint32_t i = 0; i < 3; i++) {
        CHECK_EQ(probes[i].stops_count, 1);
    }
    rig_fini(&rig);
}

/* ---- forward ---- */

static void forward_to_other(struct probe *probe, struct message *message)
{
    CHECK_EQ(actor_forward(probe->actor, probe->other->address, message), STATUS_OK);
}

static void forwarded_message_arrives(void)
{
    struct rig rig;
    struct probe last = {0};
    struct probe middle = {.on_note = forward_to_other, .other = &last};
    rig_init(&rig, 100);
    probe_spawn(&rig, &last);
    probe_spawn(&rig, &middle);
    rig_tell(&rig, middle.address, 5);
    rig_run(&rig);
    CHECK_EQ(last.seen_count, 1);
    CHECK_EQ(last.seen[0], 5);
    rig_fini(&rig);
}

static const struct test_case cases[] = {
    {"messages of one sender arrive in their order", order_is_kept, 0},
    {"a message too many is refused and stays with its sender", full_loses_nothing, 0},
    {"four threads tell one actor, and nothing is lost, doubled or out of order",
     storm_from_threads, 120000},
    {"an old address is nobody, also when its slot is taken again", old_address_is_dead, 0},
    {"an address that nobody gave out is nobody", nonsense_address_is_dead, 0},
    {"on its own loop an actor that is gone is known at once", dead_neighbour_is_known_at_once, 0},
    {"a slot whose generations are used up is never taken again", used_up_slot_is_retired, 0},
    {"actors are bounded over all loops", actors_are_bounded, 0},
    {"an exit comes after the handler, and once", exit_waits_for_the_handler, 0},
    {"an actor can end its neighbour", neighbour_ends_neighbour, 0},
    {"an end may cause ends", ends_may_cause_ends, 0},
    {"a message that is passed on arrives", forwarded_message_arrives, 0},
};
TEST_MAIN(cases)
